//! Statements over the system tables `_collections`, `_params` and `_migrations`. Must not know what the rows mean.

use dialects::{Dialect, Sql, Value, statement};

/// The columns of `_collections` in the order [`collections`] gives them.
pub const COLLECTION_COLUMNS: [&str; 14] = [
    "id",
    "system",
    "type",
    "name",
    "fields",
    "indexes",
    "listRule",
    "viewRule",
    "createRule",
    "updateRule",
    "deleteRule",
    "options",
    "created",
    "updated",
];

fn with(text: &str, params: Vec<Value>) -> Sql {
    Sql { text: text.to_owned(), params }
}

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

/// All rows of `_collections` in insertion order.
#[must_use]
pub fn collections(d: Dialect) -> Sql {
    with(d.system().collections, Vec::new())
}

/// How many collections there are and when one was changed last, as one text.
#[must_use]
pub fn collections_state() -> Sql {
    let state = r#"SELECT COUNT(*) || ' ' || COALESCE(MAX("updated"), '') FROM "_collections""#;
    with(state, Vec::new())
}

/// The settings row: `value`, JSON or an encrypted text.
#[must_use]
pub fn params_value(d: Dialect, id: &str) -> Sql {
    with(d.system().params_value, vec![text(id)])
}

/// Inserts or replaces a `_params` row with a plain JSON value, on SQLite stored as BLOB (spec §1.6).
#[must_use]
pub fn save_params_plain(d: Dialect, id: &str, value: &str, now: &str) -> Sql {
    with(d.system().save_params_plain, vec![text(id), text(value), text(now)])
}

/// Makes a `_params` row with an empty object where there is none; in a transaction the row is then kept from others.
#[must_use]
pub fn hold_params(d: Dialect, id: &str, now: &str) -> Sql {
    with(d.system().hold_params, vec![text(id), text(now)])
}

/// Inserts or replaces a `_params` row with an encrypted value, stored as TEXT, on PostgreSQL as a JSON string.
#[must_use]
pub fn save_params_text(d: Dialect, id: &str, value: &str, now: &str) -> Sql {
    with(d.system().save_params_text, vec![text(id), text(value), text(now)])
}

/// File names of the applied migrations in applied order.
#[must_use]
pub fn migrations(d: Dialect) -> Sql {
    with(d.system().migrations, Vec::new())
}

/// Records a migration; `applied_us` is in microseconds since the epoch.
#[must_use]
pub fn record_migration(d: Dialect, file: &str, applied_us: i64) -> Sql {
    let row = [("file", text(file)), ("applied", Value::Int(applied_us))];
    let Sql { mut text, params } = statement::insert(d, "_migrations", &row);
    text.push_str(r#" ON CONFLICT ("file") DO NOTHING"#);
    Sql { text, params }
}

/// Forgets a migration.
#[must_use]
pub fn forget_migration(d: Dialect, file: &str) -> Sql {
    delete_where(d, "_migrations", "file", file)
}

/// Deletes the rows with one value in a text column.
#[must_use]
pub fn delete_where(d: Dialect, table: &str, column: &str, value: &str) -> Sql {
    let (table, column, sign) = (dialects::ident(table), dialects::ident(column), d.sign());
    with(&format!("DELETE FROM {table} WHERE {column} = {sign}1"), vec![text(value)])
}

/// Deletes the rows whose text column sorts before a value.
#[must_use]
pub fn delete_before(d: Dialect, table: &str, column: &str, value: &str) -> Sql {
    let (table, column, sign) = (dialects::ident(table), dialects::ident(column), d.sign());
    with(&format!("DELETE FROM {table} WHERE {column} < {sign}1"), vec![text(value)])
}

/// Replaces one value of a text column.
#[must_use]
pub fn replace_value(d: Dialect, table: &str, column: &str, from: &str, to: &str) -> Sql {
    let (table, column, sign) = (dialects::ident(table), dialects::ident(column), d.sign());
    let update = format!("UPDATE {table} SET {column} = {sign}2 WHERE {column} = {sign}1");
    with(&update, vec![text(from), text(to)])
}

/// The first rows of a view query, as the reference runs a dry run (its text appears in error messages).
#[must_use]
pub fn sample(d: Dialect, alias: &str, query: &str, n_rows: usize) -> Sql {
    let alias = d.quoted(alias);
    with(&format!("SELECT {alias}.* FROM ({query}) {alias} LIMIT {n_rows}"), Vec::new())
}

/// `SELECT * FROM (query)`.
#[must_use]
pub fn select_all(d: Dialect, query: &str) -> String {
    format!("SELECT * FROM {}", d.derived(query))
}

/// A view query whose id column is not declared TEXT, wrapped so that it is (spec §4.9).
#[must_use]
pub fn cast_id(d: Dialect, columns: &[String], query: &str) -> String {
    let list: Vec<String> = columns
        .iter()
        .map(|c| {
            let name = d.quoted(c);
            if c == "id" { format!("CAST({name} as TEXT) {name}") } else { name }
        })
        .collect();
    format!("SELECT {} FROM {}", list.join(","), d.derived(query))
}
