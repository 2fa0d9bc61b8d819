//! In-memory tables loaded into a database.

use dialects::{Arg, Dialect, Value, ddl, ddl::ColumnType, statement};
use filter_lang::{
    Row,
    schema::{Class, Collection, CollectionKind, Field},
    value::Affinity,
};
use serde_json::value::RawValue;

use super::{
    common::{Memory, Record},
    jsonb::is_json,
    pg, run_sqlite,
};

/// A fresh SQLite database with these tables; column types follow the affinities.
pub(crate) fn sqlite(memory: &Memory) -> rusqlite::Connection {
    let db = rusqlite::Connection::open_in_memory().unwrap();
    db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
    register(&db);
    for (collection, rows) in &memory.tables {
        let columns: Vec<String> = collection
            .fields
            .iter()
            .map(|field| {
                let real = rows.iter().any(
                    |row| matches!(Row::get(row, &field.name), Value::Real(n) if n.fract() == 0.0 && n.abs() < 9e18),
                );
                let ty = match (field.affinity, field.class) {
                    (Affinity::Text, _) if field.name == "id" && collection.kind != CollectionKind::View => {
                        "TEXT PRIMARY KEY"
                    }
                    (Affinity::Text, _) => "TEXT",
                    (Affinity::Num, Class::Number) if real => "REAL",
                    (Affinity::Num, Class::Bool) => "BOOLEAN",
                    (Affinity::Num, Class::Number) => "NUMERIC",
                    (Affinity::Num, _) => "JSON",
                    (Affinity::None, _) => "",
                };
                format!("{} {ty}", dialects::ident(&field.name))
            })
            .collect();
        let table = dialects::ident(&collection.name);
        db.execute_batch(&format!("CREATE TABLE {table} ({})", columns.join(", "))).unwrap();
        let index = full_text(collection, Dialect::SQLITE);
        // Filled by triggers, or from what is there.
        let early = collection.full_text.len() == 1;
        if early {
            index.iter().for_each(|text| db.execute_batch(text).unwrap());
        }
        for row in rows {
            let cells = stored(collection, row, Dialect::SQLITE);
            let cells: Vec<(&str, Value)> =
                cells.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            run_sqlite(&db, &statement::insert(Dialect::SQLITE, &collection.name, &cells)).unwrap();
        }
        if early {
            let column = dialects::ident(&collection.full_text[0]);
            db.execute_batch(&format!(
                "UPDATE {table} SET {column} = {column} || '!'; \
                 UPDATE {table} SET {column} = substr({column}, 1, length({column}) - 1)"
            ))
            .unwrap();
        } else {
            index.iter().for_each(|text| db.execute_batch(text).unwrap());
        }
    }
    db
}

/// Replaces all tables of a PostgreSQL database by these.
pub(crate) fn fill_postgres(db: &pg::Db<'_>, memory: &Memory) {
    db.batch("DROP SCHEMA IF EXISTS t CASCADE; CREATE SCHEMA t; SET search_path = t, public");
    let mut script = String::new();
    for (collection, rows) in &memory.tables {
        let view = collection.kind == CollectionKind::View;
        let columns: Vec<(&str, ColumnType)> = collection
            .fields
            .iter()
            .map(|f| {
                let ty = if view && f.name == "id" { ColumnType::Text } else { column_type(f) };
                (f.name.as_str(), ty)
            })
            .collect();
        for statement in ddl::create_table(Dialect::POSTGRES, &collection.name, &columns) {
            script.push_str(&statement);
            script.push(';');
        }
        for row in rows {
            let cells = stored(collection, row, Dialect::POSTGRES);
            let names: Vec<String> = cells.iter().map(|(n, _)| dialects::ident(n)).collect();
            let values: Vec<String> = cells
                .iter()
                .zip(&collection.fields)
                .map(|((_, value), field)| literal(value, field))
                .collect();
            script.push_str(&format!(
                "INSERT INTO {} ({}) VALUES ({});",
                dialects::ident(&collection.name),
                names.join(","),
                values.join(",")
            ));
        }
    }
    for (collection, _) in &memory.tables {
        for text in full_text(collection, Dialect::POSTGRES) {
            script.push_str(&text);
            script.push(';');
        }
    }
    db.batch(&script);
}

/// What makes the full-text index of a collection.
pub(crate) fn full_text(collection: &Collection, d: Dialect) -> Vec<String> {
    let columns: Vec<&str> = collection.full_text.iter().map(String::as_str).collect();
    if columns.is_empty() {
        return Vec::new();
    }
    ddl::create_full_text(d, &collection.id, &collection.name, &columns)
}

/// What texts of this crate may call, as a store registers it.
fn register(db: &rusqlite::Connection) {
    use rusqlite::types::{ToSqlOutput, Value as Stored, ValueRef};
    let flags = rusqlite::functions::FunctionFlags::SQLITE_UTF8;
    for function in dialects::SQLITE_FUNCTIONS {
        db.create_scalar_function(function.name, function.args, flags, |ctx| {
            let arg = |at: usize| match ctx.get_raw(at) {
                ValueRef::Null => Arg::Null,
                ValueRef::Integer(number) => Arg::Int(number),
                ValueRef::Real(number) => Arg::Real(number),
                ValueRef::Text(text) | ValueRef::Blob(text) => {
                    Arg::Text(String::from_utf8_lossy(text))
                }
            };
            let args: Vec<Arg<'_>> = (0..ctx.len()).map(arg).collect();
            Ok(ToSqlOutput::Owned(match (function.call)(&args) {
                Value::Null => Stored::Null,
                Value::Int(number) => Stored::Integer(number),
                Value::Real(number) => Stored::Real(number),
                Value::Text(text) => Stored::Text(text.to_string()),
            }))
        })
        .unwrap();
    }
}

/// A row as a table holds it.
pub(super) fn stored(collection: &Collection, row: &Record, d: Dialect) -> Vec<(String, Value)> {
    collection
        .fields
        .iter()
        .map(|field| {
            let mut value = Row::get(row, &field.name).clone();
            // A JSON column of PostgreSQL takes JSON only.
            if !d.holds_any_text()
                && is_json(field)
                && let Value::Text(text) = &value
                && serde_json::from_str::<&RawValue>(text).is_err()
            {
                value = Value::Text(serde_json::to_string(&**text).unwrap().into());
            }
            (field.name.clone(), value)
        })
        .collect()
}

/// Column type of a field in a fresh table.
fn column_type(field: &Field) -> ColumnType {
    match field.class {
        _ if field.name == "id" => ColumnType::TextPk,
        _ if field.multiple => ColumnType::JsonList,
        Class::Text | Class::Select | Class::File | Class::Relation => ColumnType::Text,
        Class::Number => ColumnType::Number,
        Class::Bool => ColumnType::Bool,
        Class::Json => ColumnType::Json,
        Class::GeoPoint => ColumnType::Geo,
    }
}

fn literal(value: &Value, field: &Field) -> String {
    let json = is_json(field);
    match value {
        Value::Null if json && field.class == Class::Json => "NULL".into(),
        Value::Null => "DEFAULT".into(),
        Value::Int(n) if field.class == Class::Bool => (*n != 0).to_string(),
        Value::Int(n) if json => format!("'{n}'"),
        Value::Real(n) if json => format!("'{n}'"),
        Value::Int(n) => n.to_string(),
        Value::Real(n) => n.to_string(),
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
    }
}
