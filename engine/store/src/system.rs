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

fn with(text: &str, params: Vec<Value>) -> Sql {
    Sql { text: text.to_owned(), params }
}

fn by(d: Dialect, sqlite: &str, postgres: &str, params: Vec<Value>) -> Sql {
    match d {
        Dialect::Sqlite => with(sqlite, params),
        Dialect::Postgres => with(postgres, params),
    }
}

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

/// All rows of `_collections` in insertion order.
#[must_use]
pub fn collections(d: Dialect) -> Sql {
    by(
        d,
        r#"SELECT "id","system","type","name","fields","indexes","listRule","viewRule","createRule","updateRule","deleteRule","options","created","updated" FROM "_collections" ORDER BY rowid"#,
        r#"SELECT "id","system","type","name","fields","indexes","listRule","viewRule","createRule","updateRule","deleteRule","options","created","updated" FROM "_collections" ORDER BY _rowid_"#,
        Vec::new(),
    )
}

/// How many collections there are and when one was changed last, as one text.
#[must_use]
pub fn collections_state(d: Dialect) -> Sql {
    let state = r#"SELECT COUNT(*) || ' ' || COALESCE(MAX("updated"), '') FROM "_collections""#;
    by(d, state, state, Vec::new())
}

/// The settings row: `value`, JSON or an encrypted text.
#[must_use]
pub fn params_value(d: Dialect, id: &str) -> Sql {
    by(
        d,
        r#"SELECT "value" FROM "_params" WHERE "id" = ?1"#,
        r#"SELECT CASE jsonb_typeof("value") WHEN 'string' THEN "value" #>> '{}' ELSE "value"::text END FROM "_params" WHERE "id" = $1"#,
        vec![text(id)],
    )
}

/// Inserts or replaces a `_params` row with a plain JSON value, on SQLite stored as BLOB (spec §1.6).
#[must_use]
pub fn save_params_plain(d: Dialect, id: &str, value: &str, now: &str) -> Sql {
    by(
        d,
        r#"INSERT INTO "_params" ("id","value","created","updated") VALUES (?1, CAST(?2 AS BLOB), ?3, ?3) ON CONFLICT ("id") DO UPDATE SET "value" = excluded."value", "updated" = excluded."updated""#,
        r#"INSERT INTO "_params" ("id","value","created","updated") VALUES ($1, $2::jsonb, $3::text, $3::text) ON CONFLICT ("id") DO UPDATE SET "value" = excluded."value", "updated" = excluded."updated""#,
        vec![text(id), text(value), text(now)],
    )
}

/// Makes a `_params` row with an empty object where there is none; in a transaction the row is then kept from others.
#[must_use]
pub fn hold_params(d: Dialect, id: &str, now: &str) -> Sql {
    by(
        d,
        r#"INSERT INTO "_params" ("id","value","created","updated") VALUES (?1, CAST('{}' AS BLOB), ?2, ?2) ON CONFLICT ("id") DO UPDATE SET "updated" = excluded."updated""#,
        r#"INSERT INTO "_params" ("id","value","created","updated") VALUES ($1, '{}'::jsonb, $2::text, $2::text) ON CONFLICT ("id") DO UPDATE SET "updated" = excluded."updated""#,
        vec![text(id), text(now)],
    )
}

/// Inserts or replaces a `_params` row with an encrypted value, stored as TEXT, on PostgreSQL as a JSON string.
#[must_use]
pub fn save_params_text(d: Dialect, id: &str, value: &str, now: &str) -> Sql {
    by(
        d,
        r#"INSERT INTO "_params" ("id","value","created","updated") VALUES (?1, ?2, ?3, ?3) ON CONFLICT ("id") DO UPDATE SET "value" = excluded."value", "updated" = excluded."updated""#,
        r#"INSERT INTO "_params" ("id","value","created","updated") VALUES ($1, to_jsonb($2::text), $3::text, $3::text) ON CONFLICT ("id") DO UPDATE SET "value" = excluded."value", "updated" = excluded."updated""#,
        vec![text(id), text(value), text(now)],
    )
}

/// File names of the applied migrations in applied order.
#[must_use]
pub fn migrations(d: Dialect) -> Sql {
    by(
        d,
        r#"SELECT "file" FROM "_migrations" ORDER BY "applied", rowid"#,
        r#"SELECT "file" FROM "_migrations" ORDER BY "applied", "file" COLLATE "C""#,
        Vec::new(),
    )
}

/// Records a migration; `applied_us` is in microseconds since the epoch.
#[must_use]
pub fn record_migration(d: Dialect, file: &str, applied_us: i64) -> Sql {
    by(
        d,
        r#"INSERT INTO "_migrations" ("file","applied") VALUES (?1, ?2) ON CONFLICT ("file") DO NOTHING"#,
        r#"INSERT INTO "_migrations" ("file","applied") VALUES ($1, $2) ON CONFLICT ("file") DO NOTHING"#,
        vec![text(file), Value::Int(applied_us)],
    )
}

/// Forgets a migration.
#[must_use]
pub fn forget_migration(d: Dialect, file: &str) -> Sql {
    delete_where(d, "_migrations", "file", file)
}

/// Deletes the rows with one value in a text column.
#[must_use]
pub fn delete_where(d: Dialect, table: &str, column: &str, value: &str) -> Sql {
    let (table, column) = (dialects::ident(table), dialects::ident(column));
    by(
        d,
        &format!("DELETE FROM {table} WHERE {column} = ?1"),
        &format!("DELETE FROM {table} WHERE {column} = $1"),
        vec![text(value)],
    )
}

/// Deletes the rows whose text column sorts before a value.
#[must_use]
pub fn delete_before(d: Dialect, table: &str, column: &str, value: &str) -> Sql {
    let (table, column) = (dialects::ident(table), dialects::ident(column));
    by(
        d,
        &format!("DELETE FROM {table} WHERE {column} < ?1"),
        &format!("DELETE FROM {table} WHERE {column} < $1"),
        vec![text(value)],
    )
}

/// Replaces one value of a text column.
#[must_use]
pub fn replace_value(d: Dialect, table: &str, column: &str, from: &str, to: &str) -> Sql {
    let (table, column) = (dialects::ident(table), dialects::ident(column));
    by(
        d,
        &format!("UPDATE {table} SET {column} = ?2 WHERE {column} = ?1"),
        &format!("UPDATE {table} SET {column} = $2 WHERE {column} = $1"),
        vec![text(from), text(to)],
    )
}

/// The first rows of a view query, as the reference runs a dry run (its text appears in error messages).
#[must_use]
pub fn sample(d: Dialect, alias: &str, query: &str, n_rows: usize) -> Sql {
    let alias = quoted(d, alias);
    with(&format!("SELECT {alias}.* FROM ({query}) {alias} LIMIT {n_rows}"), Vec::new())
}

/// `SELECT * FROM (query)`.
#[must_use]
pub fn select_all(d: Dialect, query: &str) -> String {
    match d {
        Dialect::Sqlite => format!("SELECT * FROM ({query})"),
        Dialect::Postgres => format!("SELECT * FROM ({query}) AS q"),
    }
}

/// A view query whose id column is not declared TEXT, wrapped so that it is (spec §4.9).
#[must_use]
pub fn cast_id(d: Dialect, columns: &[String], query: &str) -> String {
    let list: Vec<String> = columns
        .iter()
        .map(|c| {
            let name = quoted(d, c);
            if c == "id" { format!("CAST({name} as TEXT) {name}") } else { name }
        })
        .collect();
    let from = match d {
        Dialect::Sqlite => "",
        Dialect::Postgres => " AS q",
    };
    format!("SELECT {} FROM ({query}){from}", list.join(","))
}

/// A name as the reference writes it on SQLite.
fn quoted(d: Dialect, name: &str) -> String {
    match d {
        Dialect::Sqlite => format!("`{name}`"),
        Dialect::Postgres => dialects::ident(name),
    }
}
