//! The few statements the engine issues. Must not accept free-form SQL from callers.
//!
//! Statements over a [`Plan`] see one base row at a time under the alias `b`; no join multiplies it, so pages
//! need no DISTINCT and a count is a `COUNT(*)`. Source: spec filter-language §2.2, §9, §11.3, §13.5.

use filter_lang::{
    plan::{Plan, RowMode},
    semijoin::Reach,
};

use crate::{Dialect, Sql, Value, emit, quote::push_ident};

/// A comma-joined, quoted select list over the base row. Build it once per collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnList(String);

impl ColumnList {
    /// The columns in this order.
    #[must_use]
    pub fn new<S: AsRef<str>>(columns: &[S]) -> Self {
        let mut text = String::with_capacity(columns.len() * 12);
        for (at, column) in columns.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            text.push_str("b.");
            push_ident(&mut text, column.as_ref());
        }
        Self(text)
    }

    /// The select list as text (`b."id",b."title"`).
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which base rows a page may come from, before its plan is asked.
#[derive(Debug, Clone, Copy, Default)]
pub enum Only<'a> {
    /// Any row.
    #[default]
    All,
    /// The row of this id.
    Id(&'a str),
    /// The rows of these ids (one parameter), in no promised order.
    Ids(&'a [&'a str]),
    /// Rows whose relation field names one of the parents: at most 1000 per parent (spec records §3.5), once per
    /// parent, with the parent's id as an additional first result column.
    LinkedTo {
        /// The relation field.
        column: &'a str,
        /// Whether the field holds several ids.
        multiple: bool,
        /// Ids of the parents.
        parents: &'a [&'a str],
    },
}

/// What a page shows of the rows that match.
#[derive(Debug, Clone, Copy)]
pub struct Select<'a> {
    /// Result columns.
    pub columns: &'a ColumnList,
    /// Which rows to test at all.
    pub only: Only<'a>,
    /// At most so many rows.
    pub limit: Option<u32>,
    /// After skipping so many.
    pub offset: u64,
}

impl<'a> Select<'a> {
    /// All matching rows.
    #[must_use]
    pub fn all(columns: &'a ColumnList) -> Self {
        Self { columns, only: Only::All, limit: None, offset: 0 }
    }
}

/// How to go about a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Along its order, as far as an index gives it; related rows are found by this reach.
    Walk(Reach),
    /// Through all rows that may match, whatever order they come in; the keys of the page are sorted out of those.
    Scan,
}

/// The matching rows in the plan's order.
///
/// Without a sort, tables come in insertion order as far as the reference does so too, and by their ids where its joins
/// make it walk those.
#[must_use]
pub fn page(d: Dialect, plan: &Plan, select: &Select<'_>) -> Sql {
    let ways = page_ways(d, plan, select);
    let way = ways.iter().rfind(|way| **way != Way::Scan).or(ways.last());
    page_in(d, plan, select, way.copied().unwrap_or(Way::Walk(Reach::Many)))
}

/// How [`page_in`] may go about a page, at least one way; which one is the cheapest depends on the rows.
///
/// The last way looks at every row once at most and is never far from the best where few rows match: it builds the sets of
/// all related rows that qualify. The ones before it, likelier first, are cheap where the page fills early and may cost
/// much more than the last one elsewhere: run them within a limit of steps.
#[must_use]
pub fn page_ways(d: Dialect, plan: &Plan, select: &Select<'_>) -> &'static [Way] {
    emit::page_ways(d, plan, select)
}

/// [`page`], in one of the [`page_ways`].
#[must_use]
pub fn page_in(d: Dialect, plan: &Plan, select: &Select<'_>, way: Way) -> Sql {
    emit::page(d, plan, select, way)
}

/// One row, one integer: how many rows match. Views count distinct ids.
#[must_use]
pub fn count(d: Dialect, plan: &Plan) -> Sql {
    emit::count(d, plan)
}

/// Two columns, oldest first: the beginning of each hour (`YYYY-MM-DD HH:00:00`) of a date column, and how many rows
/// match in it. On SQLite the expression is that of the log's index.
#[must_use]
pub fn count_by_hour(d: Dialect, plan: &Plan, column: &str) -> Sql {
    emit::count_by_hour(d, plan, column)
}

/// One row if the row of this id exists and matches, else none.
#[must_use]
pub fn exists(d: Dialect, plan: &Plan, id: &str) -> Sql {
    emit::exists(d, plan, id)
}

/// One row if the would-be row `columns` matches; the plan must have been resolved for a draft
/// (spec filter-language §5.4: bound values, no affinity).
#[must_use]
pub fn exists_draft(d: Dialect, plan: &Plan, columns: &[(&str, Value)]) -> Sql {
    debug_assert_eq!(plan.row, RowMode::Draft);
    emit::exists_draft(d, plan, columns)
}

/// One row if a row that was stored with these values matches, whatever the table holds by now. The plan is one for stored
/// rows: columns keep their affinity, and others may refer to the row.
#[must_use]
pub fn exists_as(d: Dialect, plan: &Plan, columns: &[(&str, Value)]) -> Sql {
    debug_assert_eq!(plan.row, RowMode::Stored);
    emit::exists_draft(d, plan, columns)
}

/// The row of this id.
#[must_use]
pub fn select_by_id(d: Dialect, table: &str, columns: &ColumnList, id: &str) -> Sql {
    let text = format!(
        "SELECT {} FROM {} AS b WHERE b.\"id\" = {} LIMIT 1",
        columns.0,
        crate::ident(table),
        mark(d, 1)
    );
    Sql { text, params: vec![Value::Text(id.into())] }
}

/// The row of this id as it is now, kept from others until the transaction ends (on SQLite the transaction does that).
#[must_use]
pub fn select_for_update(d: Dialect, table: &str, columns: &ColumnList, id: &str) -> Sql {
    let Sql { mut text, params } = select_by_id(d, table, columns, id);
    if d == Dialect::Postgres {
        text.push_str(" FOR UPDATE");
    }
    Sql { text, params }
}

/// The ids of these rows, which others cannot write until the transaction ends. All who take several take them in the
/// same order, so that nobody waits for somebody who waits.
#[must_use]
pub fn lock(d: Dialect, table: &str, ids: &[&str]) -> Sql {
    let text = format!(
        "SELECT b.\"id\" FROM {} AS b WHERE b.\"id\" {} ORDER BY b.\"id\"{}",
        crate::ident(table),
        in_list(d, 1),
        if d == Dialect::Postgres { " FOR UPDATE" } else { "" }
    );
    Sql { text, params: vec![Value::Text(json_list(ids).into())] }
}

/// The rows of these ids, in no promised order.
#[must_use]
pub fn select_by_ids(d: Dialect, table: &str, columns: &ColumnList, ids: &[&str]) -> Sql {
    let text = format!(
        "SELECT {} FROM {} AS b WHERE b.\"id\" {}",
        columns.0,
        crate::ident(table),
        in_list(d, 1)
    );
    Sql { text, params: vec![Value::Text(json_list(ids).into())] }
}

/// One row if all of these (distinct) ids exist.
#[must_use]
pub fn ids_all_exist(d: Dialect, table: &str, ids: &[&str]) -> Sql {
    let table = crate::ident(table);
    if let [id] = ids {
        let text = format!("SELECT 1 FROM {table} AS b WHERE b.\"id\" = {} LIMIT 1", mark(d, 1));
        return Sql { text, params: vec![Value::Text((*id).into())] };
    }
    let text = format!(
        "SELECT 1 WHERE (SELECT COUNT(*) FROM {table} AS b WHERE b.\"id\" {}) = {}",
        in_list(d, 1),
        mark(d, 2)
    );
    let count = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    Sql { text, params: vec![Value::Text(json_list(ids).into()), Value::Int(count)] }
}

/// One row if none of these tables has a row of this id.
#[must_use]
pub fn id_is_free(d: Dialect, tables: &[&str], id: &str) -> Sql {
    let mut text = String::from("SELECT 1");
    for (at, table) in tables.iter().enumerate() {
        let word = if at == 0 { "WHERE" } else { "AND" };
        let (table, mark) = (crate::ident(table), mark(d, 1));
        text.push_str(&format!(
            " {word} NOT EXISTS (SELECT 1 FROM {table} AS b WHERE b.\"id\" = {mark})"
        ));
    }
    let params = if tables.is_empty() { Vec::new() } else { vec![Value::Text(id.into())] };
    Sql { text, params }
}

/// The first row whose `column` is `value`, ignoring case where `nocase` (auth identities).
#[must_use]
pub fn select_by_value(
    d: Dialect,
    table: &str,
    columns: &ColumnList,
    column: &str,
    value: Value,
    case: Case,
) -> Sql {
    let mut name = String::from("b.");
    push_ident(&mut name, column);
    let test = match (d, case) {
        (_, Case::Sensitive) => format!("{name} = {}", mark(d, 1)),
        (Dialect::Sqlite, Case::Ignored) => format!("{name} = {} COLLATE NOCASE", mark(d, 1)),
        (Dialect::Postgres, Case::Ignored) => {
            format!("lower({name}) = lower(($1::text) COLLATE \"C\")")
        }
    };
    let text =
        format!("SELECT {} FROM {} AS b WHERE {test} LIMIT 1", columns.0, crate::ident(table));
    Sql { text, params: vec![value] }
}

/// How [`select_by_value`] compares text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Case {
    /// Byte by byte.
    Sensitive,
    /// ASCII letters fold.
    Ignored,
}

/// `column`, `id` of rows in `table` whose relation `column` names `id` (cascades); at most `limit`.
#[must_use]
pub fn referencing(
    d: Dialect,
    table: &str,
    columns: &ColumnList,
    column: &str,
    multiple: bool,
    id: &str,
    limit: u32,
) -> Sql {
    let mut name = String::from("b.");
    push_ident(&mut name, column);
    let test = match (d, multiple) {
        (_, false) => format!("{name} = {}", mark(d, 1)),
        (Dialect::Sqlite, true) => format!(
            "EXISTS (SELECT 1 FROM json_each(CASE WHEN json_valid({name}) THEN {name} ELSE json_array({name}) END) AS e \
             WHERE e.value = ?1)"
        ),
        (Dialect::Postgres, true) => format!("{name} @> to_jsonb($1::text)"),
    };
    let text = format!(
        "SELECT {} FROM {} AS b WHERE {test} LIMIT {limit}",
        columns.0,
        crate::ident(table)
    );
    Sql { text, params: vec![Value::Text(id.into())] }
}

/// A condition of [`select_where`] on a text column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test<'a> {
    /// The column is the value, byte by byte.
    Is(&'a str, &'a str),
    /// The column sorts before the value.
    Before(&'a str, &'a str),
}

/// At most `limit` rows for which all tests hold; the ones with the greatest `newest` first, where it is given.
#[must_use]
pub fn select_where(
    d: Dialect,
    table: &str,
    columns: &ColumnList,
    tests: &[Test<'_>],
    newest: Option<&str>,
    limit: u32,
) -> Sql {
    let mut text = format!("SELECT {} FROM {} AS b", columns.0, crate::ident(table));
    let mut params = Vec::with_capacity(tests.len());
    for test in tests {
        let (Test::Is(column, value) | Test::Before(column, value)) = *test;
        text.push_str(if params.is_empty() { " WHERE b." } else { " AND b." });
        push_ident(&mut text, column);
        text.push_str(if matches!(test, Test::Is(..)) { " = " } else { " < " });
        params.push(Value::Text(value.into()));
        push_mark(&mut text, d, params.len());
    }
    if let Some(column) = newest {
        text.push_str(" ORDER BY b.");
        push_ident(&mut text, column);
        text.push_str(" DESC");
    }
    text.push_str(&format!(" LIMIT {limit}"));
    Sql { text, params }
}

/// Inserts one row.
#[must_use]
pub fn insert(d: Dialect, table: &str, columns: &[(&str, Value)]) -> Sql {
    let mut text = String::with_capacity(32 + columns.len() * 20);
    text.push_str("INSERT INTO ");
    push_ident(&mut text, table);
    if columns.is_empty() {
        text.push_str(" DEFAULT VALUES");
        return Sql::plain(text);
    }
    text.push_str(" (");
    for (at, (column, _)) in columns.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        push_ident(&mut text, column);
    }
    text.push_str(") VALUES (");
    for at in 1..=columns.len() {
        if at > 1 {
            text.push(',');
        }
        push_mark(&mut text, d, at);
    }
    text.push(')');
    Sql { text, params: columns.iter().map(|(_, v)| v.clone()).collect() }
}

/// Sets columns of the row of this id.
#[must_use]
pub fn update(d: Dialect, table: &str, id: &str, columns: &[(&str, Value)]) -> Sql {
    let mut text = String::with_capacity(32 + columns.len() * 20);
    text.push_str("UPDATE ");
    push_ident(&mut text, table);
    text.push_str(" SET ");
    let mut params = Vec::with_capacity(columns.len() + 1);
    for (at, (column, value)) in columns.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        push_ident(&mut text, column);
        text.push_str(" = ");
        push_mark(&mut text, d, at + 1);
        params.push(value.clone());
    }
    text.push_str(" WHERE \"id\" = ");
    push_mark(&mut text, d, columns.len() + 1);
    params.push(Value::Text(id.into()));
    Sql { text, params }
}

/// [`update`], of the row as it was read: changes nothing where one of `held` has another value by now.
#[must_use]
pub fn update_held(
    d: Dialect,
    table: &str,
    id: &str,
    columns: &[(&str, Value)],
    held: &[(&str, Value)],
) -> Sql {
    let Sql { mut text, mut params } = update(d, table, id, columns);
    for (column, value) in held {
        text.push_str(" AND ");
        push_ident(&mut text, column);
        text.push_str(match d {
            Dialect::Sqlite => " IS ",
            Dialect::Postgres => " IS NOT DISTINCT FROM ",
        });
        params.push(value.clone());
        push_mark(&mut text, d, params.len());
    }
    Sql { text, params }
}

/// Deletes the row of this id.
#[must_use]
pub fn delete(d: Dialect, table: &str, id: &str) -> Sql {
    let text = format!("DELETE FROM {} WHERE \"id\" = {}", crate::ident(table), mark(d, 1));
    Sql { text, params: vec![Value::Text(id.into())] }
}

/// Deletes all rows.
#[must_use]
pub fn truncate(table: &str) -> Sql {
    Sql::plain(format!("DELETE FROM {}", crate::ident(table)))
}

pub(crate) fn mark(d: Dialect, at: usize) -> String {
    let mut out = String::new();
    push_mark(&mut out, d, at);
    out
}

pub(crate) fn push_mark(out: &mut String, d: Dialect, at: usize) {
    use std::fmt::Write;
    let sign = match d {
        Dialect::Sqlite => '?',
        Dialect::Postgres => '$',
    };
    let _ = write!(out, "{sign}{at}");
}

/// `IN (…)` over one parameter that holds a JSON list of ids.
fn in_list(d: Dialect, at: usize) -> String {
    match d {
        Dialect::Sqlite => format!("IN (SELECT value FROM json_each(?{at}))"),
        Dialect::Postgres => {
            format!("= ANY(ARRAY(SELECT jsonb_array_elements_text((${at}::text)::jsonb)))")
        }
    }
}

/// A JSON list of strings.
pub(crate) fn json_list<S: AsRef<str>>(items: &[S]) -> String {
    let mut out = String::with_capacity(2 + items.len() * 20);
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push_json_text(&mut out, item.as_ref());
    }
    out.push(']');
    out
}

/// A JSON string.
pub(crate) fn push_json_text(out: &mut String, text: &str) {
    use std::fmt::Write;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes() {
        let cols = [("a", Value::Int(1)), ("b", Value::Null)];
        for (sql, want) in [
            (insert(Dialect::Postgres, "t", &cols), r#"INSERT INTO "t" ("a","b") VALUES ($1,$2)"#),
            (insert(Dialect::Sqlite, "t", &[]), r#"INSERT INTO "t" DEFAULT VALUES"#),
            (
                update(Dialect::Sqlite, "t", "x", &cols),
                r#"UPDATE "t" SET "a" = ?1,"b" = ?2 WHERE "id" = ?3"#,
            ),
            (delete(Dialect::Postgres, "t", "x"), r#"DELETE FROM "t" WHERE "id" = $1"#),
        ] {
            assert_eq!(sql.text, want);
        }
    }

    #[test]
    fn reads() {
        let cols = ColumnList::new(&["id", "a\"b"]);
        assert_eq!(
            select_by_id(Dialect::Sqlite, "t", &cols, "x").text,
            r#"SELECT b."id",b."a""b" FROM "t" AS b WHERE b."id" = ?1 LIMIT 1"#
        );
        assert_eq!(
            id_is_free(Dialect::Postgres, &["t", "u"], "x").text,
            r#"SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM "t" AS b WHERE b."id" = $1) AND NOT EXISTS (SELECT 1 FROM "u" AS b WHERE b."id" = $1)"#
        );
        let many = select_by_ids(Dialect::Sqlite, "t", &cols, &["x", "y\""]);
        assert!(many.text.ends_with(r#"b."id" IN (SELECT value FROM json_each(?1))"#));
        assert_eq!(many.params, vec![Value::Text(r#"["x","y\""]"#.into())]);
    }
}
