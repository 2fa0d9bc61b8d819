//! Statements over the system tables `_collections`, `_params` and `_migrations`. Must not know what the rows mean.

use dialects::{Dialect, Sql, Value};

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

/// The dialect of the running store.
#[must_use]
pub fn dialect() -> Dialect {
    Dialect::Sqlite
}

fn with(text: &str, params: Vec<Value>) -> Sql {
    Sql { text: text.to_owned(), params }
}

/// All rows of `_collections` in insertion order.
#[must_use]
pub fn collections() -> Sql {
    with(
        r#"SELECT "id","system","type","name","fields","indexes","listRule","viewRule","createRule","updateRule","deleteRule","options","created","updated" FROM "_collections" ORDER BY rowid"#,
        Vec::new(),
    )
}

/// The settings row: `value`.
#[must_use]
pub fn params_value(id: &str) -> Sql {
    with(r#"SELECT "value" FROM "_params" WHERE "id" = ?1"#, vec![Value::Text(id.into())])
}

/// Inserts or replaces a `_params` row with a plain JSON value, stored as BLOB (spec §1.6).
#[must_use]
pub fn save_params_plain(id: &str, value: &str, now: &str) -> Sql {
    with(
        r#"INSERT INTO "_params" ("id","value","created","updated") VALUES (?1, CAST(?2 AS BLOB), ?3, ?3) ON CONFLICT ("id") DO UPDATE SET "value" = excluded."value", "updated" = excluded."updated""#,
        vec![Value::Text(id.into()), Value::Text(value.into()), Value::Text(now.into())],
    )
}

/// Inserts or replaces a `_params` row with an encrypted value, stored as TEXT.
#[must_use]
pub fn save_params_text(id: &str, value: &str, now: &str) -> Sql {
    with(
        r#"INSERT INTO "_params" ("id","value","created","updated") VALUES (?1, ?2, ?3, ?3) ON CONFLICT ("id") DO UPDATE SET "value" = excluded."value", "updated" = excluded."updated""#,
        vec![Value::Text(id.into()), Value::Text(value.into()), Value::Text(now.into())],
    )
}

/// File names of the applied migrations in applied order.
#[must_use]
pub fn migrations() -> Sql {
    with(r#"SELECT "file" FROM "_migrations" ORDER BY "applied", rowid"#, Vec::new())
}

/// Records a migration; `applied_us` is in microseconds since the epoch.
#[must_use]
pub fn record_migration(file: &str, applied_us: i64) -> Sql {
    with(
        r#"INSERT INTO "_migrations" ("file","applied") VALUES (?1, ?2) ON CONFLICT ("file") DO NOTHING"#,
        vec![Value::Text(file.into()), Value::Int(applied_us)],
    )
}

/// Forgets a migration.
#[must_use]
pub fn forget_migration(file: &str) -> Sql {
    with(r#"DELETE FROM "_migrations" WHERE "file" = ?1"#, vec![Value::Text(file.into())])
}

/// Deletes the rows with one value in a text column.
#[must_use]
pub fn delete_where(table: &str, column: &str, value: &str) -> Sql {
    let (table, column) = (dialects::ident(table), dialects::ident(column));
    Sql {
        text: format!("DELETE FROM {table} WHERE {column} = ?1"),
        params: vec![Value::Text(value.into())],
    }
}

/// Replaces one value of a text column.
#[must_use]
pub fn replace_value(table: &str, column: &str, from: &str, to: &str) -> Sql {
    let (table, column) = (dialects::ident(table), dialects::ident(column));
    Sql {
        text: format!("UPDATE {table} SET {column} = ?2 WHERE {column} = ?1"),
        params: vec![Value::Text(from.into()), Value::Text(to.into())],
    }
}

/// The first rows of a view query, as the reference runs a dry run (its text appears in error messages).
#[must_use]
pub fn sample(alias: &str, query: &str, n_rows: usize) -> Sql {
    with(&format!("SELECT `{alias}`.* FROM ({query}) `{alias}` LIMIT {n_rows}"), Vec::new())
}

/// `SELECT * FROM (query)`.
#[must_use]
pub fn select_all(query: &str) -> String {
    format!("SELECT * FROM ({query})")
}

/// A view query whose id column is not declared TEXT, wrapped so that it is (spec §4.9).
#[must_use]
pub fn cast_id(columns: &[String], query: &str) -> String {
    let list: Vec<String> = columns
        .iter()
        .map(|c| if c == "id" { "CAST(`id` as TEXT) `id`".to_owned() } else { format!("`{c}`") })
        .collect();
    format!("SELECT {} FROM ({query})", list.join(","))
}
