//! Statements as the reference prints them: names in back quotes, values as `{:p0}`. What is printed can be run as text of
//! users ([`super::raw`]).

use super::{Expr, Given, Hashed, Joined, Like, Other, Params, Select, Value, is_name};

/// A text with the values of its placeholders.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shown {
    pub text: String,
    pub params: Params,
}

fn quoted(name: &str) -> String {
    let part = |part: &str| match part {
        "*" => part.to_owned(),
        part => format!("`{}`", part.trim_matches('`')),
    };
    name.split('.').map(part).collect::<Vec<_>>().join(".")
}

/// A column as it is compared: an expression stays as it is.
fn column(name: &str) -> String {
    if is_name(name.trim()) { quoted(name.trim()) } else { name.to_owned() }
}

/// `name`, `name alias`, `name AS alias`; `word` stands between.
fn aliased(text: &str, word: &str) -> String {
    let text = text.trim();
    let (before, alias) = text.rsplit_once(char::is_whitespace).unwrap_or((text, ""));
    if alias.is_empty() || !is_name(alias) {
        return column(text);
    }
    let before = before.trim_end();
    let (name, has_as) = match before.rsplit_once(char::is_whitespace) {
        Some((name, last)) if last.eq_ignore_ascii_case("as") => (name.trim_end(), true),
        _ => (before, false),
    };
    match has_as || is_name(name) {
        true => format!("{}{word}{}", column(name), quoted(alias)),
        false => text.to_owned(),
    }
}

fn listed(items: &[String], each: impl Fn(&str) -> String) -> String {
    items.iter().map(|item| each(item)).collect::<Vec<_>>().join(", ")
}

impl Shown {
    fn bind(&mut self, value: &Given) -> String {
        let name = format!("p{}", self.params.len());
        self.params.push((name.clone(), value.clone()));
        format!("{{:{name}}}")
    }
    fn values(&mut self, values: &[Given]) -> String {
        values.iter().map(|value| self.bind(value)).collect::<Vec<_>>().join(", ")
    }

    fn expr(&mut self, expr: &Expr) -> String {
        match expr {
            Expr::Empty => String::new(),
            Expr::Raw(text, params) => {
                for (name, value) in params {
                    self.params.retain(|(known, _)| known != name);
                    self.params.push((name.clone(), value.clone()));
                }
                text.clone()
            }
            Expr::Hash(columns) => {
                let mut columns: Vec<_> = columns.iter().collect();
                columns.sort_by(|a, b| a.0.cmp(&b.0));
                let parts = columns.into_iter().map(|(name, want)| match want {
                    Hashed::One(Given::Value(Value::Null)) => format!("{} IS NULL", column(name)),
                    Hashed::One(value) => format!("{}={}", column(name), self.bind(value)),
                    Hashed::Any(values) => self.one_of(name, values, false),
                });
                parts.collect::<Vec<_>>().join(" AND ")
            }
            Expr::Not(inner) => match self.expr(inner) {
                text if text.is_empty() => text,
                text => format!("NOT ({text})"),
            },
            Expr::Join(how, parts) => {
                let texts = parts.iter().map(|part| self.expr(part));
                let mut texts: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
                if texts.len() < 2 {
                    return texts.pop().unwrap_or_default();
                }
                let word = if *how == Joined::And { ") AND (" } else { ") OR (" };
                format!("({})", texts.join(word))
            }
            Expr::In(name, values, negated) => self.one_of(name, values, *negated),
            Expr::Like(like) => self.like(like),
            Expr::Between(name, low, high, negated) => {
                let word = if *negated { "NOT BETWEEN" } else { "BETWEEN" };
                let (low, high) = (self.bind(low), self.bind(high));
                format!("{} {word} {low} AND {high}", column(name))
            }
            Expr::Exists(query, negated) => {
                let word = if *negated { "NOT EXISTS" } else { "EXISTS" };
                format!("{word} ({})", self.expr(query))
            }
        }
    }
    fn one_of(&mut self, name: &str, values: &[Given], negated: bool) -> String {
        let name = column(name);
        match (values, negated) {
            ([], false) => "0=1".to_owned(),
            ([], true) => String::new(),
            ([one], _) => {
                format!("{name}{}{}", if negated { "<>" } else { "=" }, self.bind(one))
            }
            _ => {
                let word = if negated { "NOT IN" } else { "IN" };
                format!("{name} {word} ({})", self.values(values))
            }
        }
    }
    fn like(&mut self, like: &Like) -> String {
        let word = if like.negated { "NOT LIKE" } else { "LIKE" };
        let name = column(&like.column);
        let parts = like.texts.iter().map(|text| {
            format!("{name} {word} {}", self.bind(&Value::Text(like.pattern(text).into()).into()))
        });
        parts.collect::<Vec<_>>().join(if like.any { " OR " } else { " AND " })
    }

    fn select(&mut self, select: &Select) -> String {
        let (before, after) = &select.around;
        let mut text = before.clone();
        clause(&mut text, if before.is_empty() { "" } else { " " }, "SELECT ");
        clause(&mut text, "", if select.distinct { "DISTINCT " } else { "" });
        if !select.option.is_empty() {
            text.push_str(&select.option);
            text.push(' ');
        }
        match select.columns.is_empty() {
            true => text.push('*'),
            false => text.push_str(&listed(&select.columns, |item| aliased(item, " AS "))),
        }
        if !select.from.is_empty() {
            text.push_str(" FROM ");
            text.push_str(&listed(&select.from, |item| aliased(item, " ")));
        }
        for (kind, table, on) in &select.joins {
            text.push(' ');
            text.push_str(kind);
            text.push(' ');
            text.push_str(&aliased(table, " "));
            let on = on.as_ref().map(|on| self.expr(on)).unwrap_or_default();
            clause(&mut text, " ON ", &on);
        }
        let filter = select.filter.as_ref().map(|filter| self.expr(filter)).unwrap_or_default();
        clause(&mut text, " WHERE ", &filter);
        clause(&mut text, " GROUP BY ", &listed(&select.group_by, column));
        let having = select.having.as_ref().map(|having| self.expr(having)).unwrap_or_default();
        clause(&mut text, " HAVING ", &having);
        for (other, all) in &select.unions {
            text.push_str(if *all { " UNION ALL " } else { " UNION " });
            let other = match other {
                Other::Built(other) => self.select(other),
                Other::Written(other, params) => {
                    self.expr(&Expr::Raw(other.clone(), params.clone()))
                }
            };
            text.push_str(&other);
        }
        clause(&mut text, " ORDER BY ", &listed(&select.order_by, ordered));
        match (select.limit, select.offset.filter(|n| *n > 0)) {
            (Some(n), _) => text.push_str(&format!(" LIMIT {n}")),
            (None, Some(_)) => text.push_str(&format!(" LIMIT {}", i64::MAX)),
            (None, None) => {}
        }
        if let Some(n) = select.offset.filter(|n| *n > 0) {
            text.push_str(&format!(" OFFSET {n}"));
        }
        clause(&mut text, " ", after);
        text
    }
    fn done(mut self, text: String) -> Self {
        self.text = text;
        self
    }
}

/// Adds a clause unless it is empty.
fn clause(text: &mut String, word: &str, rest: &str) {
    if !rest.is_empty() {
        text.push_str(word);
        text.push_str(rest);
    }
}

/// `created desc`, the direction as it is.
fn ordered(text: &str) -> String {
    let (name, direction) = text.trim().rsplit_once(' ').unwrap_or((text.trim(), ""));
    let is_known = direction.eq_ignore_ascii_case("asc") || direction.eq_ignore_ascii_case("desc");
    match is_known {
        true => format!("{} {direction}", column(name)),
        false => column(text),
    }
}

/// A query.
#[must_use]
pub fn select(select: &Select) -> Shown {
    let mut shown = Shown { params: select.params.clone(), ..Shown::default() };
    let text = shown.select(select);
    shown.done(text)
}

/// A condition; its values are counted from those that are there.
#[must_use]
pub fn condition(expr: &Expr, params: Params) -> Shown {
    let mut shown = Shown { params, ..Shown::default() };
    let text = shown.expr(expr);
    shown.done(text)
}

/// A row that is added.
#[must_use]
pub fn insert(table: &str, columns: &Params) -> Shown {
    let mut shown = Shown::default();
    if columns.is_empty() {
        return shown.done(format!("INSERT INTO {} DEFAULT VALUES", quoted(table)));
    }
    let names: Vec<String> = columns.iter().map(|(name, _)| quoted(name)).collect();
    let values: Vec<String> = columns.iter().map(|(_, value)| shown.bind(value)).collect();
    let (names, values) = (names.join(", "), values.join(", "));
    shown.done(format!("INSERT INTO {} ({names}) VALUES ({values})", quoted(table)))
}

/// Rows that are changed.
#[must_use]
pub fn update(table: &str, columns: &Params, filter: &Expr) -> Shown {
    let mut shown = Shown::default();
    let set = |shown: &mut Shown| {
        let each = columns.iter().map(|(name, value)| {
            let value = shown.bind(value);
            format!("{}={value}", quoted(name))
        });
        each.collect::<Vec<_>>().join(", ")
    };
    let mut text = format!("UPDATE {} SET {}", quoted(table), set(&mut shown));
    let filter = shown.expr(filter);
    clause(&mut text, " WHERE ", &filter);
    shown.done(text)
}

/// Rows that are deleted.
#[must_use]
pub fn delete(table: &str, filter: &Expr) -> Shown {
    let mut shown = Shown::default();
    let mut text = format!("DELETE FROM {}", quoted(table));
    let filter = shown.expr(filter);
    clause(&mut text, " WHERE ", &filter);
    shown.done(text)
}

/// A change of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Definition {
    /// Columns with their types.
    CreateTable(Vec<(String, String)>),
    DropTable,
    RenameTable(String),
    TruncateTable,
    /// Name and type.
    AddColumn(String, String),
    DropColumn(String),
    RenameColumn(String, String),
    /// Name, whether it is unique, columns.
    CreateIndex(String, bool, Vec<String>),
    DropIndex(String),
}

/// The statement for a change of a table's schema.
#[must_use]
pub fn define(table: &str, change: &Definition) -> String {
    let table = quoted(table);
    match change {
        Definition::CreateTable(columns) => {
            let columns: Vec<String> =
                columns.iter().map(|(name, ty)| format!("{} {ty}", quoted(name))).collect();
            format!("CREATE TABLE {table} ({})", columns.join(", "))
        }
        Definition::DropTable => format!("DROP TABLE {table}"),
        Definition::RenameTable(to) => format!("ALTER TABLE {table} RENAME TO {}", quoted(to)),
        Definition::TruncateTable => format!("DELETE FROM {table}"),
        Definition::AddColumn(name, ty) => format!("ALTER TABLE {table} ADD {} {ty}", quoted(name)),
        Definition::DropColumn(name) => format!("ALTER TABLE {table} DROP COLUMN {}", quoted(name)),
        Definition::RenameColumn(from, to) => {
            format!("ALTER TABLE {table} RENAME COLUMN {} TO {}", quoted(from), quoted(to))
        }
        Definition::CreateIndex(name, is_unique, columns) => {
            let word = if *is_unique { "CREATE UNIQUE INDEX" } else { "CREATE INDEX" };
            format!("{word} {} ON {table} ({})", quoted(name), listed(columns, quoted))
        }
        Definition::DropIndex(name) => format!("DROP INDEX {}", quoted(name)),
    }
}
