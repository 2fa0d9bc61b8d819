//! Statements that code builds piece by piece (`app.db()`): the pieces as data, and their spelling.
//!
//! Texts of users may name `{:param}`, `[[column]]` and `{{table}}`; values never become part of the text. Source: spec
//! extending §8, §11.3.

use std::borrow::Cow;

use dialects::{Dialect, ident};
use serde_json::Value as Json;

use super::{Sql, Value};

/// Named values.
pub type Params = Vec<(String, Given)>;

/// A value as it was given. Only when it is bound a switch becomes the number that databases keep: whoever looks at what
/// was built sees what he gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// A switch.
    Bool(bool),
    /// Anything else.
    Value(Value),
}

impl From<Value> for Given {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}
impl From<Given> for Value {
    fn from(given: Given) -> Self {
        match given {
            Given::Bool(on) => on.into(),
            Given::Value(value) => value,
        }
    }
}

/// A JSON value as the database takes it: lists and objects as their text.
#[must_use]
pub fn value(json: &Json) -> Given {
    Given::Value(match json {
        Json::Null => Value::Null,
        Json::Bool(on) => return Given::Bool(*on),
        Json::Number(n) => match n.as_i64() {
            Some(n) => Value::Int(n),
            None => Value::Real(n.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::Text(text.as_str().into()),
        other => Value::Text(other.to_string().into()),
    })
}

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// Holds always: adds nothing.
    Empty,
    /// Text of the user with its values.
    Raw(String, Params),
    /// Columns with values: equal, NULL, or one of a list; all of them.
    Hash(Vec<(String, Hashed)>),
    /// The contrary.
    Not(Box<Expr>),
    /// All or any of some.
    Join(Joined, Vec<Expr>),
    /// A column has one of some values; the flag turns it round.
    In(String, Vec<Given>, bool),
    /// A column contains all (or any) of some texts.
    Like(Like),
    /// A column lies between two values, both included; the flag turns it round.
    Between(String, Given, Given, bool),
    /// A query gives a row; the flag turns it round.
    Exists(Box<Expr>, bool),
}

/// What a column of [`Expr::Hash`] is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Hashed {
    /// One value.
    One(Given),
    /// Any of them.
    Any(Vec<Given>),
}

/// How conditions are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    And,
    Or,
}

/// A search in a column.
#[derive(Debug, Clone, PartialEq)]
pub struct Like {
    pub column: String,
    pub texts: Vec<String>,
    /// What may come before and after the text.
    pub open: (bool, bool),
    pub negated: bool,
    /// Any of the texts is enough.
    pub any: bool,
    /// What is replaced in texts, as the reference does: without a clause that would make SQLite read the backslashes.
    /// `None`: `%` and `_` are ordinary characters.
    pub escapes: Option<Vec<(String, String)>>,
}

impl Like {
    /// What the column is compared with.
    fn pattern(&self, text: &str) -> String {
        let usual = [("\\", "\\\\"), ("%", "\\%"), ("_", "\\_")];
        let text = match &self.escapes {
            None => usual.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to)),
            Some(own) => {
                own.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
            }
        };
        let edge = |open: bool| if open { "%" } else { "" };
        format!("{}{text}{}", edge(self.open.0), edge(self.open.1))
    }
}

/// A query.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Select {
    pub columns: Vec<String>,
    pub distinct: bool,
    pub from: Vec<String>,
    /// Texts before all of it and behind it.
    pub around: (String, String),
    /// What stands behind `SELECT`.
    pub option: String,
    /// Kind (`INNER JOIN`), table, condition.
    pub joins: Vec<(Cow<'static, str>, String, Option<Expr>)>,
    pub filter: Option<Expr>,
    pub group_by: Vec<String>,
    pub having: Option<Expr>,
    pub order_by: Vec<String>,
    pub limit: Option<u64>,
    pub offset: Option<u64>,
    /// Queries whose rows are added; true keeps duplicates.
    pub unions: Vec<(Other, bool)>,
    /// Values for all of its texts.
    pub params: Params,
}

/// Another query of a union.
#[derive(Debug, Clone, PartialEq)]
pub enum Other {
    /// One that is built.
    Built(Box<Select>),
    /// One of the user's own text, with its values.
    Written(String, Params),
}

/// A statement being written.
struct Writer {
    dialect: Dialect,
    text: String,
    params: Vec<Value>,
    /// Values for texts that have none of that name.
    shared: Params,
}

impl Writer {
    fn new(dialect: Dialect) -> Self {
        Self { dialect, text: String::new(), params: Vec::new(), shared: Params::new() }
    }
    fn finish(self) -> Sql {
        Sql { text: self.text, params: self.params }
    }
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }
    fn bind(&mut self, value: impl Into<Value>) {
        self.params.push(value.into());
        self.text.push(self.dialect.sign());
        self.text.push_str(&self.params.len().to_string());
    }
    fn list(&mut self, items: &[String], each: impl Fn(&mut Self, &str)) {
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            each(self, item);
        }
    }

    /// Text of users. Names in brackets are quoted, `{:name}` is bound; one without a value stays as it is, which the
    /// database will refuse. Texts, quoted names and comments are left alone.
    fn raw(&mut self, text: &str, params: &Params) {
        let mut rest = text;
        while let Some(at) = rest.find(['{', '[', '\'', '"', '`', '-', '/']) {
            self.push(&rest[..at]);
            rest = &rest[at..];
            rest = match special(rest) {
                Special::Param(name, after) => {
                    let all = params.iter().chain(&self.shared);
                    let value = all.rev().find(|(known, _)| known == name);
                    match value.map(|(_, value)| value.clone()) {
                        Some(value) => self.bind(value),
                        None => self.push(&rest[..rest.len() - after.len()]),
                    }
                    after
                }
                Special::Name(name, after) => {
                    self.name(name);
                    after
                }
                // quotes of other dialects, which builders print
                Special::Text(len)
                    if rest.starts_with('`') && self.dialect.name() == "postgres" =>
                {
                    self.push(&ident(rest[..len].trim_matches('`')));
                    &rest[len..]
                }
                Special::Text(len) => {
                    self.push(&rest[..len]);
                    &rest[len..]
                }
            };
        }
        self.push(rest);
    }

    /// `table.column`, each part quoted.
    fn name(&mut self, name: &str) {
        for (at, part) in name.split('.').enumerate() {
            if at > 0 {
                self.push(".");
            }
            match part {
                "*" => self.push("*"),
                part => self.push(&ident(part.trim_matches(['"', '`']))),
            }
        }
    }

    /// A column or table as users write it: a plain name is quoted, `name alias` and `name AS alias` as two names,
    /// everything else is an expression.
    fn item(&mut self, text: &str) {
        let text = text.trim();
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            [name] if is_name(name) => self.name(name),
            [name, alias] if is_name(name) && is_name(alias) => {
                self.name(name);
                self.push(" AS ");
                self.name(alias);
            }
            [name, word, alias]
                if is_name(name) && is_name(alias) && word.eq_ignore_ascii_case("as") =>
            {
                self.name(name);
                self.push(" AS ");
                self.name(alias);
            }
            _ => self.raw(text, &Params::new()),
        }
    }

    /// `created DESC`.
    fn order(&mut self, text: &str) {
        let (name, direction) = text.trim().rsplit_once(' ').unwrap_or((text.trim(), ""));
        let is_known =
            direction.eq_ignore_ascii_case("asc") || direction.eq_ignore_ascii_case("desc");
        match is_known && is_name(name.trim()) {
            true => {
                self.name(name.trim());
                self.push(" ");
                self.push(&direction.to_ascii_uppercase());
            }
            false => self.item(text),
        }
    }

    fn values(&mut self, values: &[Given]) {
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            self.bind(value.clone());
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Empty => self.push("1=1"),
            Expr::Raw(text, params) => self.raw(text, params),
            Expr::Hash(columns) => {
                let parts: Vec<Expr> =
                    columns.iter().map(|(name, want)| hashed(name, want)).collect();
                self.joined(Joined::And, &parts);
            }
            Expr::Not(inner) => {
                self.push("NOT (");
                self.expr(inner);
                self.push(")");
            }
            Expr::Join(how, parts) => self.joined(*how, parts),
            Expr::In(_, values, negated) if values.is_empty() => {
                self.push(if *negated { "1=1" } else { "0=1" });
            }
            Expr::In(column, values, negated) => {
                self.item(column);
                self.push(if *negated { " NOT IN (" } else { " IN (" });
                self.values(values);
                self.push(")");
            }
            Expr::Like(like) => self.like(like),
            Expr::Between(column, low, high, negated) => {
                self.item(column);
                self.push(if *negated { " NOT BETWEEN " } else { " BETWEEN " });
                self.bind(low.clone());
                self.push(" AND ");
                self.bind(high.clone());
            }
            Expr::Exists(query, negated) => {
                self.push(if *negated { "NOT EXISTS (" } else { "EXISTS (" });
                self.expr(query);
                self.push(")");
            }
        }
    }

    fn joined(&mut self, how: Joined, parts: &[Expr]) {
        let parts: Vec<&Expr> = parts.iter().filter(|part| **part != Expr::Empty).collect();
        match parts[..] {
            [] => self.push("1=1"),
            [one] => self.expr(one),
            _ => {
                for (at, part) in parts.iter().enumerate() {
                    if at > 0 {
                        self.push(if how == Joined::And { " AND " } else { " OR " });
                    }
                    self.push("(");
                    self.expr(part);
                    self.push(")");
                }
            }
        }
    }

    fn like(&mut self, like: &Like) {
        let word = self.dialect.like(like.negated);
        if like.texts.is_empty() {
            return self.push("1=1");
        }
        for (at, text) in like.texts.iter().enumerate() {
            if at > 0 {
                self.push(if like.any { " OR " } else { " AND " });
            }
            self.item(&like.column);
            self.push(word);
            self.bind(Value::Text(like.pattern(text).into()));
            if like.escapes.is_none() {
                self.push(" ESCAPE '\\'");
            }
        }
    }

    fn select(&mut self, select: &Select) {
        self.shared.extend(select.params.iter().cloned());
        let (before, after) = &select.around;
        self.word("", before, " ");
        self.push(if select.distinct { "SELECT DISTINCT " } else { "SELECT " });
        self.word("", &select.option, " ");
        match select.columns.is_empty() {
            true => self.push("*"),
            false => self.list(&select.columns, Self::item),
        }
        if !select.from.is_empty() {
            self.push(" FROM ");
            self.list(&select.from, Self::item);
        }
        for (kind, table, on) in &select.joins {
            self.push(" ");
            self.push(kind);
            self.push(" ");
            self.item(table);
            if let Some(on) = on {
                self.push(" ON ");
                self.expr(on);
            }
        }
        self.clause(" WHERE ", select.filter.as_ref());
        if !select.group_by.is_empty() {
            self.push(" GROUP BY ");
            self.list(&select.group_by, Self::item);
        }
        self.clause(" HAVING ", select.having.as_ref());
        for (other, all) in &select.unions {
            self.push(if *all { " UNION ALL " } else { " UNION " });
            match other {
                Other::Built(other) => self.select(other),
                Other::Written(text, params) => self.raw(text, params),
            }
        }
        if !select.order_by.is_empty() {
            self.push(" ORDER BY ");
            self.list(&select.order_by, Self::order);
        }
        match (select.limit, select.offset) {
            (Some(limit), _) => self.push(&format!(" LIMIT {limit}")),
            (None, Some(_)) => self.push(self.dialect.no_limit()),
            (None, None) => {}
        }
        if let Some(offset) = select.offset {
            self.push(&format!(" OFFSET {offset}"));
        }
        self.word(" ", after, "");
    }

    /// A text of the user, if there is one.
    fn word(&mut self, before: &str, text: &str, after: &str) {
        if !text.is_empty() {
            self.push(before);
            self.raw(text, &Params::new());
            self.push(after);
        }
    }

    fn clause(&mut self, word: &str, expr: Option<&Expr>) {
        if let Some(expr) = expr.filter(|expr| **expr != Expr::Empty) {
            self.push(word);
            self.expr(expr);
        }
    }
}

fn hashed(name: &str, want: &Hashed) -> Expr {
    match want {
        Hashed::One(Given::Value(Value::Null)) => {
            let mut text = String::from("[[");
            text.push_str(name);
            text.push_str("]] IS NULL");
            Expr::Raw(text, Params::new())
        }
        Hashed::One(value) => {
            let text = format!("[[{name}]] = {{:v}}");
            Expr::Raw(text, vec![("v".to_owned(), value.clone())])
        }
        Hashed::Any(values) => Expr::In(name.to_owned(), values.clone(), false),
    }
}

fn is_name(text: &str) -> bool {
    let is_part = |part: &str| {
        part == "*"
            || !part.is_empty()
                && !part.starts_with(|c: char| c.is_ascii_digit())
                && part.chars().all(|c| c == '_' || c.is_alphanumeric())
    };
    text.split('.').all(is_part)
}

/// What a text of users goes on with.
enum Special<'a> {
    /// `{:name}`, and what comes after.
    Param(&'a str, &'a str),
    /// `[[name]]` or `{{name}}`.
    Name(&'a str, &'a str),
    /// So many bytes of ordinary text.
    Text(usize),
}

fn special(text: &str) -> Special<'_> {
    let quoted = |end: char| text[1..].find(end).map_or(text.len(), |at| at + 1 + end.len_utf8());
    let between = |open: &str, close: &str| {
        let inner = text.strip_prefix(open)?;
        let end = inner.find(close)?;
        let name = &inner[..end];
        let is_plain = !name.is_empty()
            && name.chars().all(|c| c == '_' || c == '.' || c == '*' || c.is_alphanumeric());
        is_plain.then(|| (name, &inner[end + close.len()..]))
    };
    match text.as_bytes() {
        [b'\'', ..] => Special::Text(quoted('\'')),
        [b'"', ..] => Special::Text(quoted('"')),
        [b'`', ..] => Special::Text(quoted('`')),
        [b'-', b'-', ..] => Special::Text(text.find('\n').unwrap_or(text.len())),
        [b'/', b'*', ..] => Special::Text(text.find("*/").map_or(text.len(), |at| at + 2)),
        _ => {
            if let Some((name, after)) = between("{:", "}") {
                return Special::Param(name, after);
            }
            match between("[[", "]]").or_else(|| between("{{", "}}")) {
                Some((name, after)) => Special::Name(name, after),
                None => Special::Text(1),
            }
        }
    }
}

/// Text of users as a statement.
#[must_use]
pub fn raw(d: Dialect, text: &str, params: &Params) -> Sql {
    let mut writer = Writer::new(d);
    writer.raw(text, params);
    writer.finish()
}

/// A query as a statement.
#[must_use]
pub fn select(d: Dialect, select: &Select) -> Sql {
    let mut writer = Writer::new(d);
    writer.select(select);
    writer.finish()
}

/// How many rows a query gives.
#[must_use]
pub fn count(d: Dialect, select: &Select) -> Sql {
    let mut writer = Writer::new(d);
    writer.push("SELECT COUNT(*) FROM (");
    writer.select(&Select { order_by: Vec::new(), ..select.clone() });
    writer.push(") AS counted");
    writer.finish()
}

/// A row that is added; with `keys` it replaces the row that has the same values in them.
#[must_use]
pub fn insert(d: Dialect, table: &str, columns: &[(String, Given)], keys: &[String]) -> Sql {
    let mut writer = Writer::new(d);
    writer.push("INSERT INTO ");
    writer.name(table);
    if columns.is_empty() {
        writer.push(" DEFAULT VALUES");
        return writer.finish();
    }
    let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
    writer.push(" (");
    writer.list(&names, Writer::name);
    writer.push(") VALUES (");
    let values: Vec<Given> = columns.iter().map(|(_, value)| value.clone()).collect();
    writer.values(&values);
    writer.push(")");
    if !keys.is_empty() {
        writer.push(" ON CONFLICT (");
        writer.list(keys, Writer::name);
        let others: Vec<String> = names.into_iter().filter(|name| !keys.contains(name)).collect();
        if others.is_empty() {
            writer.push(") DO NOTHING");
        } else {
            writer.push(") DO UPDATE SET ");
            writer.list(&others, |writer, name| {
                writer.name(name);
                writer.push(" = excluded.");
                writer.name(name);
            });
        }
    }
    writer.finish()
}

/// Rows that are changed.
#[must_use]
pub fn update(d: Dialect, table: &str, columns: &[(String, Given)], filter: &Expr) -> Sql {
    let mut writer = Writer::new(d);
    writer.push("UPDATE ");
    writer.name(table);
    writer.push(" SET ");
    for (at, (name, value)) in columns.iter().enumerate() {
        if at > 0 {
            writer.push(", ");
        }
        writer.name(name);
        writer.push(" = ");
        writer.bind(value.clone());
    }
    writer.clause(" WHERE ", Some(filter));
    writer.finish()
}

/// Rows that are deleted.
#[must_use]
pub fn delete(d: Dialect, table: &str, filter: &Expr) -> Sql {
    let mut writer = Writer::new(d);
    writer.push("DELETE FROM ");
    writer.name(table);
    writer.clause(" WHERE ", Some(filter));
    writer.finish()
}

/// The records of a table that satisfy a condition: its columns first, then what the query adds.
#[must_use]
pub fn records(d: Dialect, table: &str, columns: &[String], query: &Select) -> Sql {
    let own = columns.iter().map(|column| format!("{table}.{column}"));
    select(
        d,
        &Select {
            columns: own.chain(query.columns.iter().cloned()).collect(),
            from: std::iter::once(table.to_owned()).chain(query.from.iter().cloned()).collect(),
            ..query.clone()
        },
    )
}

/// True if a statement may give rows without changing anything, by its first word.
#[must_use]
pub fn reads(text: &str) -> bool {
    let word: String = text.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
    ["SELECT", "VALUES", "EXPLAIN", "PRAGMA", "SHOW", "TABLE"]
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known))
        || word.eq_ignore_ascii_case("WITH") && !writes(text)
}

/// True if one of the words that write stands in a text.
fn writes(text: &str) -> bool {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let verbs = ["INSERT", "UPDATE", "DELETE", "REPLACE"];
    words.into_iter().any(|word| verbs.iter().any(|verb| word.eq_ignore_ascii_case(verb)))
}

/// How many rows the last statement has changed, and the number of the last row that was added; where a database tells.
#[must_use]
pub fn last_change(d: Dialect) -> Option<Sql> {
    (d.name() == "sqlite").then(|| Sql::plain("SELECT changes(), last_insert_rowid()"))
}

pub mod shown;
#[cfg(test)]
mod tests;
