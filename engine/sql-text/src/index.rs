//! `CREATE INDEX` statements: their parts, the canonical form, and the statement for each database.
//!
//! What stands around the columns has the shape that the reference asks for (spec collections-and-fields §4.8, upstream-0.40
//! §6.1): text before `CREATE` does not count, names hold no blanks, behind the columns comes nothing or a `WHERE` between
//! white space. What stands inside is SQL and read as such: the reference cuts it up by commas and quotes, and so refuses
//! `(a || 'x')`, `(a COLLATE "NOCASE")` and `(num+1)`, which are taken here. An expression that sqlparser does not know is
//! kept as it stands, for the database to judge; an empty column (`(a,)`) is left out, as the reference does.
//!
//! Databases get one statement: what follows it, or a comment behind it, ends up nowhere.

use std::fmt::Write as _;

use sqlparser::tokenizer::Token;

use crate::{
    marks, quote, tick,
    tokens::{self, Piece},
    view::{Table, expression},
};

/// A parsed `CREATE INDEX` statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    /// `UNIQUE`
    pub unique: bool,
    /// `IF NOT EXISTS`
    pub optional: bool,
    /// Schema, usually empty.
    pub schema: String,
    /// Index name.
    pub name: String,
    /// Table name.
    pub table: String,
    /// `USING`, PostgreSQL only; empty for the ordinary kind.
    pub method: String,
    /// Indexed columns.
    pub columns: Vec<IndexColumn>,
    /// Condition, verbatim.
    pub condition: String,
}

/// One indexed column or expression.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndexColumn {
    /// Column name, or an expression, verbatim.
    pub name: String,
    /// True for an expression.
    pub is_expression: bool,
    /// Collation as given.
    pub collate: String,
    /// Operator class, PostgreSQL only.
    pub class: String,
    /// `ASC`, `DESC` or nothing; behind it `NULLS FIRST` or `NULLS LAST`.
    pub sort: String,
}

impl Index {
    /// Parses a statement; parts that are missing stay empty, see [`is_valid`](Self::is_valid).
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let Some((mut index, body)) = find_head(text) else { return Self::default() };
        let body = marks::quoted(body);
        let (pieces, whole) = tokens::read(&body);
        let Some(columns) = index.read_columns(&body, &pieces) else { return Self::default() };
        let Some(start) = condition_start(&body, pieces[columns].at.end) else {
            return Self::default();
        };
        index.condition = condition(&body, &pieces[columns + 1..], whole, start);
        index
    }

    /// Fills the columns from what follows `(`; gives the place of the `)`.
    fn read_columns(&mut self, body: &str, pieces: &[Piece]) -> Option<usize> {
        let (mut depth, mut start) = (0usize, 0);
        for (at, piece) in pieces.iter().enumerate() {
            let ends = depth == 0 && (piece.is(&Token::RParen) || piece.is(&Token::Comma));
            match piece.token() {
                Token::LParen => depth += 1,
                Token::RParen if depth > 0 => depth -= 1,
                _ => {}
            }
            if ends {
                self.columns.extend(IndexColumn::read(body, &pieces[start..at]));
                start = at + 1;
                if piece.is(&Token::RParen) {
                    return Some(at);
                }
            }
        }
        None
    }

    /// True with a name, a table and at least one column.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        !self.name.is_empty() && !self.table.is_empty() && !self.columns.is_empty()
    }

    /// True if only PostgreSQL can make it (spec extensions §1.9).
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        !self.method.is_empty() || self.columns.iter().any(|c| !c.class.is_empty())
    }

    /// True if it finds rows by equality and order.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        matches!(self.method.as_str(), "" | "btree")
    }

    /// The canonical statement, which SQLite takes; empty if not valid.
    #[must_use]
    pub fn build(&self) -> String {
        let mut out = String::with_capacity(96);
        if !self.is_valid() {
            return out;
        }
        out.push_str(if self.unique { "CREATE UNIQUE INDEX " } else { "CREATE INDEX " });
        if self.optional {
            out.push_str("IF NOT EXISTS ");
        }
        if !self.schema.is_empty() {
            let _ = write!(out, "{}.", tick(&self.schema));
        }
        let _ = write!(out, "{} ON {} ", tick(&self.name), tick(&self.table));
        if !self.method.is_empty() {
            let _ = write!(out, "USING {} ", self.method);
        }
        out.push('(');
        let many = self.columns.len() > 1;
        for (position, column) in self.columns.iter().enumerate() {
            if position > 0 {
                out.push(',');
            }
            if many {
                out.push_str("\n  ");
            }
            column.write(&mut out);
        }
        out.push_str(if many { "\n)" } else { ")" });
        if !self.condition.is_empty() {
            let _ = write!(out, " WHERE {}", self.condition);
        }
        out
    }

    /// The statement for PostgreSQL: `lower(col)` for `COLLATE NOCASE`, no other collation, and no schema, because an index
    /// lives in that of its table. Expressions are written in its words where `table` says enough.
    #[must_use]
    pub fn build_postgres(&self, table: &Table) -> String {
        let mut out =
            String::from(if self.unique { "CREATE UNIQUE INDEX " } else { "CREATE INDEX " });
        if self.optional {
            out.push_str("IF NOT EXISTS ");
        }
        let _ = write!(out, "{} ON {} ", quote(&self.name), quote(&self.table));
        if !self.method.is_empty() {
            let _ = write!(out, "USING {} ", self.method);
        }
        let columns: Vec<String> = self.columns.iter().map(|c| c.postgres(table)).collect();
        let _ = write!(out, "({})", columns.join(", "));
        if !self.condition.is_empty() {
            let _ = write!(
                out,
                " WHERE {}",
                expression::condition_for_postgres(&self.condition, table)
            );
        }
        out
    }

    /// The same columns, order and uniqueness of a definition, whatever its name, schema and table.
    #[must_use]
    pub fn definition(&self) -> String {
        let bare = Self {
            schema: String::new(),
            name: "_".into(),
            table: "_".into(),
            optional: false,
            ..self.clone()
        };
        bare.build()
    }

    /// The only column of a unique index.
    #[must_use]
    pub fn single_unique_column(&self) -> Option<&str> {
        match (self.unique, self.columns.as_slice()) {
            (true, [column]) => Some(&column.name),
            _ => None,
        }
    }

    /// True if both index the same column names with the same uniqueness.
    #[must_use]
    pub fn same_columns(&self, other: &Self) -> bool {
        self.unique == other.unique
            && self.columns.iter().map(|c| &c.name).eq(other.columns.iter().map(|c| &c.name))
    }

    /// The columns of `table` that it indexes or that its expressions read, in their order there, each once. Its condition
    /// does not count.
    #[must_use]
    pub fn reads(&self, table: &Table) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for column in &self.columns {
            let names = match column.is_expression {
                true => expression::reads(&column.name, table),
                false => table.column(&column.name).map(|c| c.name.clone()).into_iter().collect(),
            };
            for name in names {
                if !out.contains(&name) {
                    out.push(name);
                }
            }
        }
        out
    }
}

/// The statement without others behind it, as collections keep it.
#[must_use]
pub fn first_statement(text: &str) -> &str {
    let Some((_, body)) = find_head(text) else { return text };
    let (pieces, _) = tokens::read(body);
    let Some(end) = pieces.iter().position(|piece| piece.is(&Token::SemiColon)) else {
        return text;
    };
    let others = pieces[end..].iter().any(|piece| !piece.is(&Token::SemiColon));
    match others {
        true => &text[..text.len() - body.len() + pieces[end].at.start],
        false => text,
    }
}

/// Where the condition begins behind the `)` of the columns; `None` if something else stands there.
fn condition_start(body: &str, close: usize) -> Option<usize> {
    let mut cursor = Cursor { text: body, at: close };
    let blank = cursor.blanks();
    if cursor.at == body.len() {
        return Some(body.len());
    }
    (blank > 0 && cursor.word("where") && cursor.blanks() > 0).then_some(cursor.at)
}

/// The condition as it stands, without a comment or another statement behind it.
fn condition(body: &str, pieces: &[Piece], whole: bool, start: usize) -> String {
    let pieces: Vec<&Piece> = pieces.iter().filter(|piece| piece.at.start >= start).collect();
    let end = pieces.iter().position(|piece| piece.is(&Token::SemiColon));
    let text = match (end, pieces.last()) {
        (Some(0), _) => "",
        (Some(end), _) => &body[start..pieces[end - 1].at.end],
        // An open string: the database says so.
        (None, _) if !whole => &body[start..],
        (None, Some(last)) => &body[start..last.at.end],
        (None, None) => "",
    };
    text.trim().to_owned()
}

/// What stands before the columns, wherever it begins, and the text from the columns on.
fn find_head(text: &str) -> Option<(Index, &str)> {
    let starts = text.char_indices().filter(|(_, c)| c.eq_ignore_ascii_case(&'c'));
    starts.map(|(at, _)| at).find_map(|at| head(&text[at..]))
}

fn head(text: &str) -> Option<(Index, &str)> {
    let mut cursor = Cursor { text, at: 0 };
    let mut index = Index::default();
    if !cursor.word("create") || cursor.blanks() == 0 {
        return None;
    }
    index.unique = cursor.words(&["unique"]);
    if !cursor.word("index") {
        return None;
    }
    cursor.blanks();
    index.optional = cursor.words(&["if", "not", "exists"]);
    let name = cursor.take(|c| !is_blank(c));
    if cursor.blanks() == 0 || !cursor.words(&["on"]) {
        return None;
    }
    (index.schema, index.name) = names(name)?;
    index.table = unquoted(cursor.take(|c| !is_blank(c) && c != '('));
    cursor.blanks();
    if cursor.words(&["using"]) {
        index.method = cursor.take(|c| c.is_alphanumeric() || c == '_').to_ascii_lowercase();
        cursor.blanks();
    }
    cursor.word("(").then(|| (index, &text[cursor.at..]))
}

/// Schema and name; `None` for more parts.
fn names(text: &str) -> Option<(String, String)> {
    let mut parts = Vec::new();
    let (mut open, mut start) = (None, 0);
    for (at, c) in text.char_indices() {
        match (open, c) {
            (Some(close), c) if close == c => open = None,
            (Some(_), _) => {}
            (None, '`' | '"' | '\'') => open = Some(c),
            (None, '[') => open = Some(']'),
            (None, '.') => {
                parts.push(unquoted(&text[start..at]));
                start = at + 1;
            }
            (None, _) => {}
        }
    }
    parts.push(unquoted(&text[start..]));
    match <[String; 2]>::try_from(parts) {
        Ok([schema, name]) => Some((schema, name)),
        Err(mut parts) if parts.len() == 1 => Some((String::new(), parts.remove(0))),
        Err(_) => None,
    }
}

fn unquoted(text: &str) -> String {
    let inner =
        text.trim_matches(|c: char| matches!(c, '`' | '"' | '\'' | '[' | ']') || c.is_whitespace());
    match text.chars().next() {
        Some(quote @ ('`' | '"' | '\'')) => {
            inner.replace(&format!("{quote}{quote}"), &quote.to_string())
        }
        _ => inner.to_owned(),
    }
}

/// White space as the reference's pattern sees it.
fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\x0c' | '\r' | ' ')
}

struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    fn take(&mut self, belongs: impl Fn(char) -> bool) -> &'t str {
        let rest = &self.text[self.at..];
        let taken = &rest[..rest.find(|c| !belongs(c)).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }
    fn blanks(&mut self) -> usize {
        self.take(is_blank).len()
    }
    fn word(&mut self, word: &str) -> bool {
        let rest = self.text.as_bytes()[self.at..].get(..word.len());
        let found = rest.is_some_and(|rest| rest.eq_ignore_ascii_case(word.as_bytes()));
        self.at += if found { word.len() } else { 0 };
        found
    }
    /// Words with blanks behind each of them, all or none.
    fn words(&mut self, words: &[&str]) -> bool {
        let start = self.at;
        let found = words.iter().all(|word| self.word(word) && self.blanks() > 0);
        if !found {
            self.at = start;
        }
        found
    }
}

impl IndexColumn {
    /// Reads one item of the list; nothing where there is none.
    fn read(body: &str, pieces: &[Piece]) -> Option<Self> {
        let mut column = Self::default();
        let mut rest = pieces;
        if let [before @ .., nulls, place] = rest
            && nulls.is_word("nulls")
            && (place.is_word("first") || place.is_word("last"))
            && !before.is_empty()
        {
            column.sort =
                format!(" NULLS {}", place.bare().unwrap_or_default().to_ascii_uppercase());
            rest = before;
        }
        if let [before @ .., order] = rest
            && (order.is_word("asc") || order.is_word("desc"))
            && !before.is_empty()
        {
            column.sort.insert_str(0, &order.bare().unwrap_or_default().to_ascii_uppercase());
            rest = before;
        }
        column.sort = column.sort.trim_start().to_owned();
        if let [before @ .., class] = rest
            && class.bare().is_some_and(|name| name.ends_with("_ops"))
            && before.last().is_some_and(ends_operand)
        {
            column.class = class.bare().unwrap_or_default().to_owned();
            rest = before;
        }
        if let [before @ .., collate, name] = rest
            && collate.is_word("collate")
            && let Some(name) = name.name()
            && !before.is_empty()
        {
            column.collate = name.to_owned();
            rest = before;
        }
        column.name = match rest {
            [] => return None,
            [one] if one.name().is_some() => one.name().unwrap_or_default().to_owned(),
            [first, .., last] => body[first.at.start..last.at.end].to_owned(),
            [one] => body[one.at.clone()].to_owned(),
        };
        column.is_expression = !matches!(rest, [one] if one.name().is_some());
        (!column.name.is_empty()).then_some(column)
    }

    fn write(&self, out: &mut String) {
        out.push_str(&if self.is_expression { self.name.clone() } else { tick(&self.name) });
        if !self.collate.is_empty() {
            let is_word = self.collate.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let name = if is_word { self.collate.clone() } else { tick(&self.collate) };
            let _ = write!(out, " COLLATE {name}");
        }
        if !self.class.is_empty() {
            let _ = write!(out, " {}", self.class);
        }
        if !self.sort.is_empty() {
            let _ = write!(out, " {}", self.sort);
        }
    }

    fn postgres(&self, table: &Table) -> String {
        let mut out = match self.is_expression {
            true => expression::for_postgres(&self.name, table),
            // The table's own letters: names in quotes keep theirs.
            false => quote(table.column(&self.name).map_or(&self.name, |column| &column.name)),
        };
        if self.collate.eq_ignore_ascii_case("nocase") {
            out = format!("lower({out})");
        }
        for part in [&self.class, &self.sort] {
            if !part.is_empty() {
                let _ = write!(out, " {part}");
            }
        }
        out
    }
}

/// True for tokens that a name of an operator class may follow.
fn ends_operand(piece: &Piece) -> bool {
    piece.name().is_some() || piece.is(&Token::RParen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{Column, Ty};

    #[test]
    fn canonical_forms() {
        for (text, want) in [
            ("create index a on b (c)", "CREATE INDEX `a` ON `b` (`c`)"),
            (
                "CREATE UNIQUE INDEX IF NOT EXISTS `s`.`a` on \"b\"(c, `d` collate nocase desc) where c != ''",
                "CREATE UNIQUE INDEX IF NOT EXISTS `s`.`a` ON `b` (\n  `c`,\n  `d` COLLATE nocase DESC\n) WHERE c != ''",
            ),
            (
                "CREATE INDEX i ON t (lower(a), 'b')",
                "CREATE INDEX `i` ON `t` (\n  lower(a),\n  `b`\n)",
            ),
            (
                "create index i on t using GIN (\"a\" gin_trgm_ops, lower(b) gin_trgm_ops) where a <> ''",
                "CREATE INDEX `i` ON `t` USING gin (\n  `a` gin_trgm_ops,\n  lower(b) gin_trgm_ops\n) WHERE a <> ''",
            ),
            ("create index i on t using hash(a)", "CREATE INDEX `i` ON `t` USING hash (`a`)"),
            // predicates with parentheses
            (
                "CREATE UNIQUE INDEX `x` ON `p` (`a`) WHERE (num > 1) AND flag = 1",
                "CREATE UNIQUE INDEX `x` ON `p` (`a`) WHERE (num > 1) AND flag = 1",
            ),
            (
                "create index i on t (a) where abs(num) > 5",
                "CREATE INDEX `i` ON `t` (`a`) WHERE abs(num) > 5",
            ),
            (
                "create index i on t (lower(`a`)) WHERE lower(a) != ''",
                "CREATE INDEX `i` ON `t` (lower(`a`)) WHERE lower(a) != ''",
            ),
            (
                "create index i on t (a) WHERE a IN ('x','y)')",
                "CREATE INDEX `i` ON `t` (`a`) WHERE a IN ('x','y)')",
            ),
            (
                "create index i on t (a) WHERE title != ')'",
                "CREATE INDEX `i` ON `t` (`a`) WHERE title != ')'",
            ),
            (
                "create index i on t (replace(a, ') where ', '')) where num",
                "CREATE INDEX `i` ON `t` (replace(a, ') where ', '')) WHERE num",
            ),
            // nothing after the statement
            (
                "create index i on t (a) where n > 1; drop table t",
                "CREATE INDEX `i` ON `t` (`a`) WHERE n > 1",
            ),
            (
                "create index i on t (a) where n > 1 -- c",
                "CREATE INDEX `i` ON `t` (`a`) WHERE n > 1",
            ),
            (
                "create index i on t (a) where n > 1 /* c",
                "CREATE INDEX `i` ON `t` (`a`) WHERE n > 1",
            ),
            (
                "create index i on t (a) where n > /* ; */ ';';",
                "CREATE INDEX `i` ON `t` (`a`) WHERE n > /* ; */ ';'",
            ),
            ("create index i on t (a) where ; x", "CREATE INDEX `i` ON `t` (`a`)"),
            (
                "create index i on t (a) where n != 'x",
                "CREATE INDEX `i` ON `t` (`a`) WHERE n != 'x",
            ),
            // comments, quotes, orders in the list
            (
                "create index i on t (a -- x, y)\n, /* ) */ [b c] asc, (n + 1) desc)",
                "CREATE INDEX `i` ON `t` (\n  `a`,\n  `b c` ASC,\n  (n + 1) DESC\n)",
            ),
            (
                "create index i on t (a || 'x', num+1, -n, a COLLATE \"NOCASE\", (a) collate `x-y`)",
                "CREATE INDEX `i` ON `t` (\n  a || 'x',\n  num+1,\n  -n,\n  `a` COLLATE NOCASE,\n  (a) COLLATE `x-y`\n)",
            ),
            (
                "create index i on t (a desc nulls last, b nulls first)",
                "CREATE INDEX `i` ON `t` (\n  `a` DESC NULLS LAST,\n  `b` NULLS FIRST\n)",
            ),
            (
                "create index i on t (`a``b`, \"c\"\"d\")",
                "CREATE INDEX `i` ON `t` (\n  `a``b`,\n  `c\"d`\n)",
            ),
            (
                "create index i on t ([[a]]) where [[n]] > 1",
                "CREATE INDEX `i` ON `t` (`a`) WHERE `n` > 1",
            ),
            ("create index i on t (,a,,asc)", "CREATE INDEX `i` ON `t` (\n  `a`,\n  `asc`\n)"),
            // the reference's looseness
            ("x CREATE INDEXi ON t(a)", "CREATE INDEX `i` ON `t` (`a`)"),
            ("create create index if on t (a,) where  ", "CREATE INDEX `if` ON `t` (`a`)"),
            ("create index `a.b` on t (c)", "CREATE INDEX `a.b` ON `t` (`c`)"),
            ("create index my-i on t (c)", "CREATE INDEX `my-i` ON `t` (`c`)"),
            ("create index `i``j` on t (c)", "CREATE INDEX `i``j` ON `t` (`c`)"),
            ("create index 'i' on [t] (c)\n\twhere\nc", "CREATE INDEX `i` ON `t` (`c`) WHERE c"),
            // invalid
            ("create index i on t (a); drop table t", ""),
            ("create index i on t (a);", ""),
            ("create index i on t (a) -- c", ""),
            ("create index i on t (a)where n > 1", ""),
            ("create index i on t (a) where", ""),
            ("create index i on t (a) where(n > 1)", ""),
            ("create index i on t (a)\u{b}where n", ""),
            ("create index i on t (a) garbage", ""),
            ("create index i on t (a))", ""),
            ("create index i on t (lower(a)", ""),
            ("create index i on t (a, 'b) where n", ""),
            ("create index a.b.c on t (a)", ""),
            ("CREATE INDEX `i` ON `a b` (c)", ""),
            ("CREATE INDEX \"i 1\" ON t (c)", ""),
            ("bad", ""),
            ("CREATE INDEX i ON t ()", ""),
            ("CREATE INDEX ON t (c)", ""),
            ("CREATE INDEX i ON (c)", ""),
            ("create index on ()", ""),
            ("createindex i on t (c)", ""),
            ("create uniqueindex i on t (c)", ""),
        ] {
            let index = Index::parse(text);
            assert_eq!(index.build(), want, "{text}");
            if index.is_valid() {
                assert_eq!(Index::parse(want), index, "{want}");
            }
        }
    }

    #[test]
    fn statements_behind_it_are_not_kept() {
        for (text, want) in [
            ("create index i on t (a) where n; drop table t", "create index i on t (a) where n"),
            ("create index i on t (a) where n -- c", "create index i on t (a) where n -- c"),
            ("create index i on t (a) where n ; ; ", "create index i on t (a) where n ; ; "),
            (
                "create index i on t (a) where n > ';' -- ; x",
                "create index i on t (a) where n > ';' -- ; x",
            ),
            ("bad; worse", "bad; worse"),
        ] {
            assert_eq!(first_statement(text), want);
        }
    }

    fn table() -> Table {
        let column = |(name, ty): (&str, Ty)| Column { name: name.into(), ty };
        let columns = [
            ("id", Ty::Text),
            ("title", Ty::Text),
            ("num", Ty::Number),
            ("flag", Ty::Bool),
            ("js", Ty::Json),
            ("firstName", Ty::Text),
        ];
        Table { name: "ix".into(), columns: columns.map(column).to_vec(), has_key: true }
    }

    #[test]
    fn what_it_reads() {
        for (text, want) in [
            ("create index i on ix (TITLE, nope, num)", &["title", "num"][..]),
            ("create index i on ix (lower(title) || num || title) where flag", &["title", "num"]),
            ("create index i on ix (json_extract(js, '$.title'), 'num')", &["js", "num"]),
            ("create index i on ix (coalesce(\"firstname\", `title`))", &["firstName", "title"]),
            ("create index i on ix (cast(num as text) collate nocase)", &["num"]),
            // sqlparser takes none of these
            ("create index i on ix (num isnull isnull title flag())", &["num", "title"]),
        ] {
            assert_eq!(Index::parse(text).reads(&table()), want, "{text}");
        }
    }

    #[test]
    fn for_postgres() {
        for (text, want) in [
            (
                "create index s.i on ix (Title, num desc)",
                r#"CREATE INDEX "i" ON "ix" ("title", "num" DESC)"#,
            ),
            (
                "create unique index if not exists i on ix (title collate nocase, id collate rtrim asc)",
                r#"CREATE UNIQUE INDEX IF NOT EXISTS "i" ON "ix" (lower("title"), "id" ASC)"#,
            ),
            (
                "create index i on ix using gin (title gin_trgm_ops)",
                r#"CREATE INDEX "i" ON "ix" USING gin ("title" gin_trgm_ops)"#,
            ),
            (
                "create index i on ix (firstname) where (num > 1) and flag = 1 and title in ('a', 'b)')",
                r#"CREATE INDEX "i" ON "ix" ("firstName") WHERE ("num" > 1) AND "flag" = true AND "title" IN ('a', 'b)')"#,
            ),
            (
                "create index i on ix (lower(firstName), firstName || 'x', (num + 1)) where flag",
                r#"CREATE INDEX "i" ON "ix" (lower("firstName"), ("firstName" || 'x'), ("num" + 1)) WHERE "flag""#,
            ),
            (
                "create index i on ix (json_extract(js, '$.a')) where num",
                r#"CREATE INDEX "i" ON "ix" (pb_plain("js" #> '{a}')) WHERE ("num" <> 0)"#,
            ),
            // its own words stay
            (
                "create index i on ix ((js->>'a'), date_trunc('day', title::timestamp))",
                r#"CREATE INDEX "i" ON "ix" (("js" ->> 'a'), date_trunc('day', "title"::TIMESTAMP))"#,
            ),
        ] {
            assert_eq!(Index::parse(text).build_postgres(&table()), want, "{text}");
        }
    }
}
