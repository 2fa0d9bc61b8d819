//! What can be known about a view query without running it: its columns, tables and the fields they stand for.
//!
//! The tokeniser is as shallow as the reference's on purpose: fields of existing views depend on its quirks.
//! Pure. Source: spec collections-and-fields §4.9 steps 1–4.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use dialects::{Dialect, Syntax, ident};

use super::{Loaded, Snapshot, view_tree};
use crate::{
    check::pattern,
    field::{Field, json::Json, number::Number, relation::Relation, text::Text},
    id,
};

const JOIN: &str = "\u{1}join\u{1}";
const DISCARD: &str = "\u{1}discard\u{1}";

/// One item of a select or from list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identifier {
    /// What stands before the alias.
    pub(super) original: String,
    /// The name it is known by.
    pub(super) alias: String,
}

/// The columns and tables of a query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parsed {
    /// The select list.
    pub(super) columns: Vec<Identifier>,
    /// The from list and all joins.
    pub(super) tables: Vec<Identifier>,
}

/// Trims spaces and semicolons around a query.
pub(super) fn trim_query(query: &str) -> &str {
    query.trim_matches(|c: char| c == ';' || c.is_whitespace())
}

/// True if a `;` outside of quotes and comments separates statements.
pub(super) fn has_many_statements(query: &str) -> bool {
    let mut quote = None;
    strip_comments(query).chars().any(|c| {
        match quote {
            Some(q) if q == c => quote = None,
            Some(_) => {}
            None if matches!(c, '\'' | '"' | '`') => quote = Some(c),
            None => return c == ';',
        }
        false
    })
}

/// Removes `/*…*/` and `--…` outside of quotes.
fn strip_comments(query: &str) -> String {
    let mut out = String::with_capacity(query.len());
    let mut chars = query.chars().peekable();
    let mut quote = None;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '-') if chars.peek() == Some(&'-') => {
                while chars.peek().is_some_and(|c| *c != '\n') {
                    chars.next();
                }
                continue;
            }
            (None, '/') if chars.peek() == Some(&'*') => {
                chars.next();
                let mut last = ' ';
                for c in chars.by_ref() {
                    if last == '*' && c == '/' {
                        break;
                    }
                    last = c;
                }
                continue;
            }
            (None, _) => {}
        }
        out.push(c);
    }
    out
}

/// A view query with its names as the engine writes them: SQLite also takes `` `name` `` and `[name]`.
///
/// A bracket right behind a name, `)` or `]` is a subscript of PostgreSQL and stays.
#[must_use]
pub(super) fn spelled(d: Dialect, query: &str) -> Cow<'_, str> {
    match d.syntax() {
        Syntax::Postgres if query.contains(['`', '[']) => double_quoted(query),
        Syntax::Postgres | Syntax::Sqlite => Cow::Borrowed(query),
    }
}

fn double_quoted(query: &str) -> Cow<'_, str> {
    let (mut out, mut at) = (String::with_capacity(query.len() + 8), 0);
    while let Some(c) = query[at..].chars().next() {
        let rest = &query[at..];
        let before = query[..at].chars().next_back();
        let is_subscript = before
            .is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ')' | ']' | '"' | '`' | '$'));
        let token = match c {
            '\'' | '"' | '`' => quoted(rest, c),
            '[' if !is_subscript => rest.find(']').map(|end| end + 1),
            '-' if rest.starts_with("--") => Some(rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => rest.find("*/").map(|end| end + 2),
            _ => None,
        };
        // What does not end is the engine's to refuse.
        let token = &rest[..token.unwrap_or(c.len_utf8())];
        match c {
            '`' if token.len() > 1 => {
                out.push_str(&ident(&token[1..token.len() - 1].replace("``", "`")));
            }
            '[' if token.len() > 1 => out.push_str(&ident(&token[1..token.len() - 1])),
            _ => out.push_str(token),
        }
        at += token.len();
    }
    Cow::Owned(out)
}

/// The length of a quoted text at the beginning; a doubled quote belongs to it.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return Some(at + 1);
        }
    }
    None
}

/// Splits on commas and white space, which stay as tokens; quotes and parentheses are kept whole.
fn tokenise(text: &str) -> Vec<&str> {
    let (mut depth, mut quote, mut start) = (0i32, None, 0);
    let mut out = Vec::new();
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, ',' | ' ' | '\n' | '\t' | '\r') if depth <= 0 => {
                if start < at {
                    out.push(&text[start..at]);
                }
                out.push(&text[at..=at]);
                start = at + 1;
            }
            (None, _) => {}
        }
    }
    if start < text.len() {
        out.push(&text[start..]);
    }
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    None,
    Select,
    From,
    Join,
}

/// Collects the pieces of one list item after another.
struct Lists {
    part: Part,
    skip: bool,
    pieces: Vec<String>,
    parsed: Parsed,
}

impl Lists {
    /// Ends the item being collected.
    fn flush(&mut self) -> Result<(), String> {
        if self.pieces.is_empty() {
            return Ok(());
        }
        let pieces = std::mem::take(&mut self.pieces);
        let identifier = identifier(&pieces)?;
        match self.part {
            Part::None => {}
            Part::Select => self.parsed.columns.push(identifier),
            Part::From | Part::Join => self.parsed.tables.push(identifier),
        }
        Ok(())
    }

    fn switch(&mut self, part: Part) -> Result<(), String> {
        self.flush()?;
        self.part = part;
        self.skip = false;
        Ok(())
    }

    fn token(&mut self, token: &str) -> Result<(), String> {
        match token.to_ascii_lowercase().as_str() {
            "select" => self.switch(Part::Select),
            "from" => self.switch(Part::From),
            JOIN => self.switch(Part::Join),
            DISCARD => {
                self.flush()?;
                self.skip = true;
                Ok(())
            }
            "on" if self.part == Part::Join => {
                self.flush()?;
                self.skip = true;
                Ok(())
            }
            "," if !self.skip => self.flush(),
            "distinct" | "," => Ok(()),
            blank if blank.trim().is_empty() => Ok(()),
            _ => {
                if !self.skip && self.part != Part::None {
                    self.pieces.push(token.to_owned());
                }
                Ok(())
            }
        }
    }
}

/// Finds the columns and tables of a query.
pub(super) fn parse(query: &str) -> Result<Parsed, String> {
    let joins = pattern!(r"(?i)\s+(?:(?:natural|left|right|full|inner|cross|outer)\s+)*join\s");
    let discards = pattern!(r"(?i)\s+(?:where|group\s+by|having|order|limit|with)\s");
    let text = strip_comments(query);
    let text = joins.replace_all(&text, format!(" {JOIN} ").as_str());
    let text = discards.replace_all(&text, format!(" {DISCARD} ").as_str());
    let mut lists =
        Lists { part: Part::None, skip: false, pieces: Vec::new(), parsed: Parsed::default() };
    for token in tokenise(&text) {
        lists.token(token)?;
    }
    lists.flush()?;
    Ok(lists.parsed)
}

fn identifier(pieces: &[String]) -> Result<Identifier, String> {
    let (original, alias) = match pieces {
        [one] => (one, one.rsplit('.').next().unwrap_or(one)),
        [one, alias] => (one, alias.as_str()),
        [one, word, alias] if word.eq_ignore_ascii_case("as") => (one, alias.as_str()),
        [_, word, _] => {
            return Err(format!("invalid identifier part - expected \"as\", got {word}"));
        }
        many => {
            return Err(format!("invalid identifier parts {many:?}")
                .replace("\", \"", " ")
                .replace('"', ""));
        }
    };
    Ok(Identifier { original: trim_parts(original, ""), alias: trim_parts(alias, "'") })
}

/// Trims quotes from every dot part.
fn trim_parts(text: &str, extra: &str) -> String {
    let quote = |c: char| matches!(c, '`' | '"' | '[' | ']' | ';') || extra.contains(c);
    text.split('.').map(|part| part.trim_matches(quote)).collect::<Vec<_>>().join(".")
}

/// The fields the columns of a query stand for, by alias.
pub(super) fn infer(
    parsed: &Parsed,
    snapshot: &Snapshot,
) -> Result<HashMap<String, Field>, String> {
    let tables = resolve_tables(parsed, snapshot);
    let mut fields = HashMap::new();
    for column in &parsed.columns {
        let mut field = column_field(column, parsed, &tables)?;
        if field.id.is_empty() {
            field.id = field.default_id();
        }
        fields.insert(column.alias.clone(), field);
    }
    Ok(fields)
}

fn resolve_tables<'a>(parsed: &Parsed, snapshot: &'a Snapshot) -> HashMap<String, &'a Arc<Loaded>> {
    parsed
        .tables
        .iter()
        .filter(|table| !table.original.contains('('))
        .filter_map(|table| {
            let found = snapshot.by_name(&table.original).filter(|c| c.name == table.original)?;
            Some((table.alias.clone(), found))
        })
        .collect()
}

/// The collection and column name an item points to.
fn source<'a>(
    column: &Identifier,
    parsed: &Parsed,
    tables: &HashMap<String, &'a Arc<Loaded>>,
) -> Option<(&'a Arc<Loaded>, String)> {
    let parts: Vec<&str> = column.original.split('.').collect();
    let (table, name) = match parts.as_slice() {
        [name] => (parsed.tables.first()?.alias.as_str(), *name),
        [table, name] => (*table, *name),
        _ => return None,
    };
    Some((*tables.get(table)?, name.to_owned()))
}

/// One row of the table in spec §4.9 step 4.
fn column_field(
    column: &Identifier,
    parsed: &Parsed,
    tables: &HashMap<String, &Arc<Loaded>>,
) -> Result<Field, String> {
    let name = column.alias.as_str();
    if name == "*" {
        return Err("wildcard columns (*) are not supported - manually type the collection field names you want the view query to have".into());
    }
    if name == "id" {
        return Ok(id_field());
    }
    let lower = column.original.to_ascii_lowercase();
    if let Some(only_int) = counted(&lower) {
        return Ok(Field::new(name, Number { only_int, ..Number::default() }));
    }
    if let Some(field) = cast_field(name, &lower) {
        return Ok(field);
    }
    let Some((collection, column)) = source(column, parsed, tables) else {
        return Ok(json_field(name));
    };
    Ok(copied(name, collection, &column))
}

/// The field of a view's column that is a copy of a collection's.
pub(super) fn copied(name: &str, collection: &Loaded, column: &str) -> Field {
    if column.eq_ignore_ascii_case("id") {
        let relation =
            Relation { collection_id: collection.id.clone(), max_select: 1, ..Relation::default() };
        return Field::new(name, relation);
    }
    let Some(original) = collection.fields.iter().find(|f| f.name.eq_ignore_ascii_case(column))
    else {
        return json_field(name);
    };
    let mut field = original.clone();
    name.clone_into(&mut field.name);
    field.id = format!("_clone_{}", id::random(4, id::ALNUM));
    field
}

/// Whether a lower-case item is a number that is computed, and then whether it is an integer.
fn counted(lower: &str) -> Option<bool> {
    [("count(", true), ("total(", false)]
        .into_iter()
        .find_map(|(start, only_int)| lower.starts_with(start).then_some(only_int))
}

/// The columns of a view whose field is a number while the column has no affinity, by alias: SQLite converts nothing when
/// it compares them, so that a count never equals a text.
#[must_use]
pub(super) fn without_affinity(query: &str) -> Vec<String> {
    let query = trim_query(query);
    let Ok(parsed) = parse(query) else { return view_tree::computed(query) };
    parsed
        .columns
        .into_iter()
        .filter(|column| counted(&column.original.to_ascii_lowercase()).is_some())
        .map(|column| column.alias)
        .collect()
}

fn cast_field(name: &str, lower: &str) -> Option<Field> {
    let cast = pattern!(r"^cast\s*\([\s\S]*\s+as\s+(\w+)\s*\)$");
    let target = cast.captures(lower)?.get(1)?.as_str();
    match target {
        "real" | "decimal" | "numeric" => Some(Field::new(name, Number::default())),
        "int" | "integer" => Some(Field::new(name, Number { only_int: true, ..Number::default() })),
        "text" => Some(Field::new(name, Text::default())),
        "bool" | "boolean" => Some(Field::new(name, crate::field::bool::Bool::default())),
        _ => None,
    }
}

pub(super) fn id_field() -> Field {
    let mut field = Text::default_key();
    if let Some(text) = field.options_mut::<Text>() {
        text.min = 0;
        text.max = 0;
        text.autogenerate.clear();
    }
    field
}

/// The field of a column nothing is known about.
pub(super) fn json_field(name: &str) -> Field {
    let mut field = Field::new(name, Json { max_size: 1 });
    field.id = field.default_id();
    field
}

/// The view collections, each after those that it reads.
#[must_use]
pub(super) fn in_reading_order(snapshot: &Snapshot) -> Vec<&Arc<Loaded>> {
    let tables = |view: &Loaded| -> Vec<String> {
        let query = trim_query(&view.view_query);
        sql_text::view::tables(query).unwrap_or_else(|| {
            let parsed = parse(query).unwrap_or_default();
            parsed.tables.into_iter().map(|table| table.original).collect()
        })
    };
    let mut left: Vec<_> =
        snapshot.iter().filter(|c| c.is_view()).map(|view| (view, tables(view))).collect();
    let mut out = Vec::with_capacity(left.len());
    loop {
        let names: HashSet<&str> = left.iter().map(|(view, _)| view.name.as_str()).collect();
        let waits = |tables: &[String]| tables.iter().any(|table| names.contains(table.as_str()));
        let (rest, next): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|(_, tables)| waits(tables));
        if next.is_empty() {
            // Nothing is left, or views in a circle, which nobody can read.
            out.extend(rest.into_iter().map(|(view, _)| view));
            return out;
        }
        out.extend(next.into_iter().map(|(view, _)| view));
        left = rest;
    }
}

/// The collection and field a view's column was taken from, following views up to five levels.
#[must_use]
pub fn original_field(
    snapshot: &Snapshot,
    collection: &Arc<Loaded>,
    field: &str,
) -> Option<(Arc<Loaded>, String)> {
    let mut here = (collection.clone(), field.to_owned());
    for _ in 0..5 {
        if !here.0.is_view() {
            break;
        }
        let query = trim_query(&here.0.view_query);
        let (found, name) = match parse(query) {
            Ok(parsed) => {
                let column = parsed.columns.iter().find(|c| c.alias == here.1)?;
                source(column, &parsed, &resolve_tables(&parsed, snapshot))?
            }
            Err(_) => view_tree::source_of(query, &here.1, snapshot)?,
        };
        let name = found.fields.iter().find(|f| f.name.eq_ignore_ascii_case(&name))?.name.clone();
        here = (found.clone(), name);
    }
    (!here.0.is_view()).then_some(here)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Kind, normalize::new_collection};

    fn snapshot() -> Snapshot {
        let mut posts = new_collection(Kind::Base, "posts");
        posts
            .decode_over(&serde_json::json!({"fields":[{"name":"id","type":"text"},
                {"name":"title","type":"text","max":9},{"name":"Pic","type":"file"}]}))
            .unwrap();
        let mut view = new_collection(Kind::View, "v");
        view.view_query = "select id, p.pic as cover from posts p".into();
        Snapshot::build(vec![posts, view])
    }

    fn describe(query: &str) -> String {
        let parsed = match parse(query) {
            Ok(parsed) => parsed,
            Err(error) => return error,
        };
        let fields = match infer(&parsed, &snapshot()) {
            Ok(fields) => fields,
            Err(error) => return error,
        };
        let columns: Vec<_> = parsed
            .columns
            .iter()
            .map(|c| format!("{}:{}", c.alias, fields[&c.alias].type_name()))
            .collect();
        columns.join(" ")
    }

    #[test]
    fn computed_numbers_have_no_affinity() {
        let query = "SELECT p.id, p.views, COUNT(c.id) AS n, total(c.likes) t, cast(p.x as int) i, max(c.y) m FROM p, c";
        assert_eq!(without_affinity(query), ["n", "t"]);
        assert!(without_affinity("").is_empty());
    }

    #[test]
    fn reading_order() {
        let mut all = vec![new_collection(Kind::Base, "posts")];
        for (name, query) in [
            ("c", "select id from b"),
            ("b", "select id from posts join a on a.id = posts.id"),
            ("around", "select id from back"),
            ("back", "select id from around"),
            ("odd", "select a b c d from"),
            ("a", "select id from posts"),
        ] {
            let mut view = new_collection(Kind::View, name);
            query.clone_into(&mut view.view_query);
            all.push(view);
        }
        let snapshot = Snapshot::build(all);
        let names: Vec<_> = in_reading_order(&snapshot).iter().map(|v| v.name.as_str()).collect();
        assert_eq!(names, ["odd", "a", "b", "c", "around", "back"]);
    }

    #[test]
    fn inference() {
        for (query, want) in [
            ("select 1 as id", "id:text"),
            ("select id, title t, posts.TITLE as u from posts", "id:text t:text u:text"),
            ("select p.id pid, x.y, nope from posts as p", "pid:relation y:json nope:json"),
            (
                "select count(*) as c, total(a) t, cast(a as INTEGER) i, cast(a as text) s, (a + b) e from posts",
                "c:number t:number i:number s:text e:json",
            ),
            (
                "select posts.id, /* x, */ `title` -- y\n from posts left outer join v on v.id = posts.id, v where a = 1 order by z",
                "id:text title:text",
            ),
            ("select distinct id from posts", "id:text"),
            ("select posts.id, count(*) as c from posts group by posts.id", "id:text c:number"),
        ] {
            assert_eq!(describe(query), want, "{query}");
        }
        for (query, want) in [
            ("select * from posts", "wildcard columns (*) are not supported"),
            ("select count (id) as c from posts", "invalid identifier parts [count (id) as c]"),
            ("select a b c from posts", "invalid identifier part - expected \"as\", got b"),
        ] {
            assert!(describe(query).starts_with(want), "{query}: {}", describe(query));
        }
    }

    #[test]
    fn names_as_postgresql_writes_them() {
        for (query, want) in [
            ("SELECT `a`.`id`, [b c] FROM `a`", r#"SELECT "a"."id", "b c" FROM "a""#),
            ("SELECT a.[id] AS `x``y`", r#"SELECT a."id" AS "x`y""#),
            ("SELECT tags[1], ARRAY[2], (x)[3]", "SELECT tags[1], ARRAY[2], (x)[3]"),
            (
                "SELECT '`a` [b] it''s', \"`\" -- [x]\n, `y`",
                "SELECT '`a` [b] it''s', \"`\" -- [x]\n, \"y\"",
            ),
            ("SELECT /* `ä` */ [ä] FROM `", "SELECT /* `ä` */ \"ä\" FROM `"),
        ] {
            assert_eq!(spelled(Dialect::POSTGRES, query), want);
            assert_eq!(spelled(Dialect::SQLITE, query), query);
        }
    }

    #[test]
    fn statements() {
        for (query, many) in [
            ("select 1", false),
            ("select ';'", false),
            ("select 1 -- ;", false),
            ("select 1; select 2", true),
            ("select 1) ; drop table x", true),
        ] {
            assert_eq!(has_many_statements(trim_query(query)), many, "{query}");
        }
        assert_eq!(trim_query(" ; select 1;; "), "select 1");
    }

    #[test]
    fn files_come_from_the_original() {
        let snapshot = snapshot();
        let view = snapshot.by_name("v").unwrap();
        let (collection, field) = original_field(&snapshot, view, "cover").unwrap();
        assert_eq!((collection.name.as_str(), field.as_str()), ("posts", "Pic"));
        assert!(original_field(&snapshot, view, "nope").is_none());
    }
}
