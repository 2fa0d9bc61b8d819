//! The few statements the engine issues. Must not accept free-form SQL from callers.
//!
//! Statements over a [`Plan`] see one base row at a time under the alias `b`; no join multiplies it, so pages
//! need no DISTINCT and a count is a `COUNT(*)`. Source: spec filter-language §2.2, §9, §11.3, §13.5.

use filter_lang::plan::{Plan, RowMode};

pub use crate::{
    emit::{ColumnList, Only, Query, Select, Way},
    idiom::Case,
};
use crate::{
    idiom::Dialect,
    quote::{ident, json_list, push_ident},
    sql::{Sql, Value},
};

/// [`Query::page`] of a plan that is asked nothing else.
#[must_use]
pub fn page(d: Dialect, plan: &Plan, select: &Select<'_>) -> Sql {
    d.query(plan).page(select)
}

/// [`Query::count`] of a plan that is asked nothing else.
#[must_use]
pub fn count(d: Dialect, plan: &Plan) -> Sql {
    d.query(plan).count()
}

/// [`Query::count_by_hour`] of a plan that is asked nothing else.
#[must_use]
pub fn count_by_hour(d: Dialect, plan: &Plan, column: &str) -> Sql {
    d.query(plan).count_by_hour(column)
}

/// [`Query::exists`] of a plan that is asked nothing else.
#[must_use]
pub fn exists(d: Dialect, plan: &Plan, id: &str) -> Sql {
    d.query(plan).exists(id)
}

/// One row if the would-be row `columns` matches; the plan must have been resolved for a draft
/// (spec filter-language §5.4: bound values, no affinity).
#[must_use]
pub fn exists_draft(d: Dialect, plan: &Plan, columns: &[(&str, Value)]) -> Sql {
    debug_assert_eq!(plan.row, RowMode::Draft);
    d.query(plan).exists_given(columns)
}

/// One row if a row that was stored with these values matches, whatever the table holds by now. The plan is one for stored
/// rows: columns keep their affinity, and others may refer to the row.
#[must_use]
pub fn exists_as(d: Dialect, plan: &Plan, columns: &[(&str, Value)]) -> Sql {
    debug_assert_eq!(plan.row, RowMode::Stored);
    d.query(plan).exists_given(columns)
}

/// The row of this id.
#[must_use]
pub fn select_by_id(d: Dialect, table: &str, columns: &ColumnList, id: &str) -> Sql {
    let text = format!(
        "SELECT {} FROM {} AS b WHERE b.\"id\" = {} LIMIT 1",
        columns.0,
        ident(table),
        mark(d, 1)
    );
    Sql { text, params: vec![Value::Text(id.into())] }
}

/// The row of this id as it is now, kept from others until the transaction ends (on SQLite the transaction does that).
#[must_use]
pub fn select_for_update(d: Dialect, table: &str, columns: &ColumnList, id: &str) -> Sql {
    let Sql { mut text, params } = select_by_id(d, table, columns, id);
    text.push_str(d.for_update());
    Sql { text, params }
}

/// The ids of these rows, which others cannot write until the transaction ends. All who take several take them in the
/// same order, so that nobody waits for somebody who waits.
#[must_use]
pub fn lock(d: Dialect, table: &str, ids: &[&str]) -> Sql {
    let text = format!(
        "SELECT b.\"id\" FROM {} AS b WHERE b.\"id\" {} ORDER BY b.\"id\"{}",
        ident(table),
        d.in_list(&mark(d, 1)),
        d.for_update()
    );
    Sql { text, params: vec![Value::Text(json_list(ids).into())] }
}

/// The rows of these ids, in no promised order.
#[must_use]
pub fn select_by_ids(d: Dialect, table: &str, columns: &ColumnList, ids: &[&str]) -> Sql {
    let text = format!(
        "SELECT {} FROM {} AS b WHERE b.\"id\" {}",
        columns.0,
        ident(table),
        d.in_list(&mark(d, 1))
    );
    Sql { text, params: vec![Value::Text(json_list(ids).into())] }
}

/// One row if all of these (distinct) ids exist.
#[must_use]
pub fn ids_all_exist(d: Dialect, table: &str, ids: &[&str]) -> Sql {
    let table = ident(table);
    if let [id] = ids {
        let text = format!("SELECT 1 FROM {table} AS b WHERE b.\"id\" = {} LIMIT 1", mark(d, 1));
        return Sql { text, params: vec![Value::Text((*id).into())] };
    }
    let text = format!(
        "SELECT 1 WHERE (SELECT COUNT(*) FROM {table} AS b WHERE b.\"id\" {}) = {}",
        d.in_list(&mark(d, 1)),
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
        let (table, mark) = (ident(table), mark(d, 1));
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
    let test = match case {
        Case::Sensitive => format!("{name} = {}", mark(d, 1)),
        Case::Ignored => d.is_text(&name, &mark(d, 1)),
    };
    let text = format!("SELECT {} FROM {} AS b WHERE {test} LIMIT 1", columns.0, ident(table));
    Sql { text, params: vec![value] }
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
    let test = match multiple {
        false => format!("{name} = {}", mark(d, 1)),
        true => d.holds_text(&name, &mark(d, 1)),
    };
    let text =
        format!("SELECT {} FROM {} AS b WHERE {test} LIMIT {limit}", columns.0, ident(table));
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
    let mut text = format!("SELECT {} FROM {} AS b", columns.0, ident(table));
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
        text.push_str(d.is_same());
        params.push(value.clone());
        push_mark(&mut text, d, params.len());
    }
    Sql { text, params }
}

/// Deletes the row of this id.
#[must_use]
pub fn delete(d: Dialect, table: &str, id: &str) -> Sql {
    let text = format!("DELETE FROM {} WHERE \"id\" = {}", ident(table), mark(d, 1));
    Sql { text, params: vec![Value::Text(id.into())] }
}

/// Deletes all rows.
#[must_use]
pub fn truncate(table: &str) -> Sql {
    Sql::plain(format!("DELETE FROM {}", ident(table)))
}

pub(crate) fn mark(d: Dialect, at: usize) -> String {
    let mut out = String::new();
    push_mark(&mut out, d, at);
    out
}

fn push_mark(out: &mut String, d: Dialect, at: usize) {
    use std::fmt::Write;
    // writing to a String cannot fail
    let _ = write!(out, "{}{at}", d.sign());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes() {
        let cols = [("a", Value::Int(1)), ("b", Value::Null)];
        for (sql, want) in [
            (insert(Dialect::POSTGRES, "t", &cols), r#"INSERT INTO "t" ("a","b") VALUES ($1,$2)"#),
            (insert(Dialect::SQLITE, "t", &[]), r#"INSERT INTO "t" DEFAULT VALUES"#),
            (
                update(Dialect::SQLITE, "t", "x", &cols),
                r#"UPDATE "t" SET "a" = ?1,"b" = ?2 WHERE "id" = ?3"#,
            ),
            (delete(Dialect::POSTGRES, "t", "x"), r#"DELETE FROM "t" WHERE "id" = $1"#),
        ] {
            assert_eq!(sql.text, want);
        }
    }

    #[test]
    fn reads() {
        let cols = ColumnList::new(&["id", "a\"b"]);
        assert_eq!(
            select_by_id(Dialect::SQLITE, "t", &cols, "x").text,
            r#"SELECT b."id",b."a""b" FROM "t" AS b WHERE b."id" = ?1 LIMIT 1"#
        );
        assert_eq!(
            id_is_free(Dialect::POSTGRES, &["t", "u"], "x").text,
            r#"SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM "t" AS b WHERE b."id" = $1) AND NOT EXISTS (SELECT 1 FROM "u" AS b WHERE b."id" = $1)"#
        );
        let many = select_by_ids(Dialect::SQLITE, "t", &cols, &["x", "y\""]);
        assert!(many.text.ends_with(r#"b."id" IN (SELECT value FROM json_each(?1))"#));
        assert_eq!(many.params, vec![Value::Text(r#"["x","y\""]"#.into())]);
    }
}
