//! In-memory tables loaded into both databases, and one plan run every way there is.
#![allow(dead_code, reason = "each test uses its part")]

#[path = "../../../filter-lang/tests/common/mod.rs"]
pub(crate) mod common;
pub(crate) mod pg;

use std::{collections::BTreeMap, sync::Arc};

use common::{Memory, Record};
use dialects::{
    Dialect, Sql, Value, ddl,
    ddl::ColumnType,
    statement::{self, ColumnList, Select},
};
use filter_lang::{
    Row, eval,
    func::fts,
    judge,
    plan::{Node, Plan, RowMode, SortBy},
    schema::{Class, Collection, CollectionKind, Field},
    value::Affinity,
};
use serde_json::value::RawValue;

pub(crate) fn id(row: &Record) -> String {
    Row::get(row, "id").text().unwrap().into_owned()
}

/// Column type of a field in a fresh table.
pub(crate) fn column_type(field: &Field) -> ColumnType {
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

fn stored(collection: &Collection, row: &Record, d: Dialect) -> Vec<(String, Value)> {
    collection
        .fields
        .iter()
        .map(|field| {
            let mut value = Row::get(row, &field.name).clone();
            // A JSON column of PostgreSQL takes JSON only.
            if d == Dialect::Postgres
                && (matches!(field.class, Class::Json | Class::GeoPoint) || field.multiple)
                && let Value::Text(text) = &value
                && serde_json::from_str::<&RawValue>(text).is_err()
            {
                value = Value::Text(serde_json::to_string(&**text).unwrap().into());
            }
            (field.name.clone(), value)
        })
        .collect()
}

/// The function that searches call, as a store registers it.
pub(crate) fn register_search(db: &rusqlite::Connection) {
    let flags = rusqlite::functions::FunctionFlags::SQLITE_UTF8;
    db.create_scalar_function(dialects::SQLITE_SEARCH, -1, flags, |ctx| {
        let texts: Vec<String> = (0..ctx.len())
            .map(|at| match ctx.get_raw(at) {
                rusqlite::types::ValueRef::Null => String::new(),
                rusqlite::types::ValueRef::Integer(n) => n.to_string(),
                rusqlite::types::ValueRef::Real(n) => filter_lang::value::real_text(n),
                rusqlite::types::ValueRef::Text(text) | rusqlite::types::ValueRef::Blob(text) => {
                    String::from_utf8_lossy(text).into_owned()
                }
            })
            .collect();
        Ok(fts::matches(&texts[0], texts[1..].iter().map(String::as_str)))
    })
    .unwrap();
}

/// A fresh SQLite database with these tables; column types follow the affinities.
pub(crate) fn sqlite(memory: &Memory) -> rusqlite::Connection {
    let db = rusqlite::Connection::open_in_memory().unwrap();
    db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
    register_search(&db);
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
        let index = full_text(collection, Dialect::Sqlite);
        // Filled by triggers, or from what is there.
        let early = collection.full_text.len() == 1;
        if early {
            index.iter().for_each(|text| db.execute_batch(text).unwrap());
        }
        for row in rows {
            let cells = stored(collection, row, Dialect::Sqlite);
            let cells: Vec<(&str, Value)> =
                cells.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            run_sqlite(&db, &statement::insert(Dialect::Sqlite, &collection.name, &cells)).unwrap();
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

/// What makes the full-text index of a collection.
pub(crate) fn full_text(collection: &Collection, d: Dialect) -> Vec<String> {
    let columns: Vec<&str> = collection.full_text.iter().map(String::as_str).collect();
    if columns.is_empty() {
        return Vec::new();
    }
    ddl::create_full_text(d, &collection.id, &collection.name, &columns)
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
        for statement in ddl::create_table(Dialect::Postgres, &collection.name, &columns) {
            script.push_str(&statement);
            script.push(';');
        }
        for row in rows {
            let cells = stored(collection, row, Dialect::Postgres);
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
        for text in full_text(collection, Dialect::Postgres) {
            script.push_str(&text);
            script.push(';');
        }
    }
    db.batch(&script);
}

fn literal(value: &Value, field: &Field) -> String {
    let json = matches!(field.class, Class::Json | Class::GeoPoint) || field.multiple;
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

/// First column of each row, as text.
pub(crate) fn run_sqlite(db: &rusqlite::Connection, sql: &Sql) -> Result<Vec<String>, String> {
    let mut statement = db.prepare_cached(&sql.text).map_err(|e| e.to_string())?;
    for (at, value) in sql.params.iter().enumerate() {
        let bound = match value {
            Value::Null => statement.raw_bind_parameter(at + 1, rusqlite::types::Null),
            Value::Int(n) => statement.raw_bind_parameter(at + 1, n),
            Value::Real(n) => statement.raw_bind_parameter(at + 1, n),
            Value::Text(text) => statement.raw_bind_parameter(at + 1, &**text),
        };
        bound.map_err(|e| e.to_string())?;
    }
    let mut rows = statement.raw_query();
    let mut out = Vec::new();
    while let Some(row) = rows.next().map_err(|e| e.to_string())? {
        out.push(match row.get_ref(0).unwrap() {
            rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            rusqlite::types::ValueRef::Integer(n) => n.to_string(),
            other => format!("{other:?}"),
        });
    }
    Ok(out)
}

/// First column of each row, as text.
pub(crate) fn run_postgres(db: &pg::Db<'_>, sql: &Sql) -> Result<Vec<String>, String> {
    let rows = db.query(sql)?;
    Ok(rows
        .iter()
        .map(|row| {
            let column = row.columns()[0].type_();
            match *column {
                tokio_postgres::types::Type::INT8 => row.get::<_, i64>(0).to_string(),
                tokio_postgres::types::Type::INT4 => row.get::<_, i32>(0).to_string(),
                _ => row.get::<_, String>(0),
            }
        })
        .collect())
}

/// Runs statements somewhere: first column of each row.
pub(crate) type Runner<'a> = &'a dyn Fn(&Sql) -> Result<Vec<String>, String>;

/// Every way a plan is executed against what the judge says; the ids that match, or what differs.
pub(crate) fn check(
    memory: &Memory,
    plan: &Plan,
    runners: &[(Dialect, Runner<'_>)],
) -> Result<Vec<String>, String> {
    if plan.row == RowMode::Draft {
        return check_draft(memory, plan, runners);
    }
    let rows = memory.rows_of(&plan.base.name);
    let selected = judge::select(plan, memory);
    let wanted: Vec<String> = selected.iter().map(|at| id(&rows[*at])).collect();
    for (at, row) in rows.iter().enumerate() {
        match eval(plan, row) {
            Ok(hit) if hit != selected.contains(&at) => {
                return Err(format!("eval says {hit} for {}", id(row)));
            }
            _ => {}
        }
    }
    // A view has no insertion order, so a key that meets several of its rows is not determined.
    let view =
        |node: &Node| node.collection.as_ref().is_some_and(|c| c.kind == CollectionKind::View);
    let ordered = !plan.sort.is_empty()
        && plan.sort.iter().all(|key| key.by != SortBy::Random)
        && !plan.nodes.iter().any(view);
    for (d, run) in runners {
        let fail = |what: &str, sql: &Sql, got: &dyn std::fmt::Debug| {
            format!(
                "{d:?} {what}: got {got:?}, judge says {wanted:?}\n{}\n{:?}",
                sql.text, sql.params
            )
        };
        let columns = ColumnList::new(&["id"]);
        for limit in [None, Some(1000)] {
            let select = Select { limit, ..Select::all(&columns) };
            let by_sets = ("page", statement::page(*d, plan, &select));
            let by_lookups = statement::page_by_lookups(*d, plan, &select);
            for (what, sql) in
                std::iter::once(by_sets).chain(by_lookups.map(|sql| ("page by look-ups", sql)))
            {
                let mut got = run(&sql);
                let mut want = wanted.clone();
                if !ordered && let Ok(got) = &mut got {
                    got.sort();
                    want.sort();
                }
                if got.as_ref() != Ok(&want) {
                    return Err(fail(what, &sql, &got));
                }
            }
        }
        let sql = statement::count(*d, plan);
        let got = run(&sql);
        if got.as_ref() != Ok(&vec![wanted.len().to_string()]) {
            return Err(fail("count", &sql, &got));
        }
        for row in rows {
            let sql = statement::exists(*d, plan, &id(row));
            let got = run(&sql);
            if got.as_ref().map(|rows| !rows.is_empty()) != Ok(wanted.contains(&id(row))) {
                return Err(fail(&format!("exists {}", id(row)), &sql, &got));
            }
        }
    }
    Ok(wanted)
}

/// Every stored row submitted as a draft.
fn check_draft(
    memory: &Memory,
    plan: &Plan,
    runners: &[(Dialect, Runner<'_>)],
) -> Result<Vec<String>, String> {
    let mut wanted = Vec::new();
    for row in memory.rows_of(&plan.base.name) {
        let mut row = row.clone();
        for field in plan.base.fields.iter().filter(|f| f.class == Class::Number) {
            #[allow(clippy::cast_precision_loss)]
            if let Some(value) = row.get_mut(&field.name)
                && let Value::Int(n) = *value
            {
                *value = Value::Real(n as f64);
            }
        }
        let hit = judge::matches(plan, memory, &row);
        if eval(plan, &row).is_ok_and(|eval| eval != hit) {
            return Err(format!("eval says {} for draft {row:?}", !hit));
        }
        let cells: Vec<(&str, Value)> =
            plan.base.fields.iter().map(|f| (f.name.as_str(), Row::get(&row, &f.name))).collect();
        for (d, run) in runners {
            let sql = statement::exists_draft(*d, plan, &cells);
            let got = run(&sql);
            if got.as_ref().map(|rows| !rows.is_empty()) != Ok(hit) {
                return Err(format!(
                    "{d:?} draft: got {got:?}, judge says {hit} for {row:?}\n{}\n{:?}",
                    sql.text, sql.params
                ));
            }
        }
        if hit {
            wanted.push(id(&row));
        }
    }
    Ok(wanted)
}

/// The tables as a fresh installation stores them: what PostgreSQL can hold.
pub(crate) fn fresh(memory: &Memory) -> Memory {
    let tables = memory.tables.iter().map(|(collection, rows)| {
        let mut collection = Collection::clone(collection);
        for field in &mut collection.fields {
            let json = matches!(field.class, Class::Json | Class::GeoPoint) || field.multiple;
            if json {
                field.affinity = Affinity::Num;
            }
        }
        let rows = rows
            .iter()
            .map(|row| {
                collection
                    .fields
                    .iter()
                    .map(|f| (f.name.clone(), normal(f, Row::get(row, &f.name))))
                    .collect()
            })
            .collect();
        (Arc::new(collection), rows)
    });
    Memory { tables: tables.collect() }
}

fn normal(field: &Field, value: Value) -> Value {
    let json = matches!(field.class, Class::Json | Class::GeoPoint) || field.multiple;
    match value {
        #[allow(clippy::cast_possible_truncation)]
        Value::Real(n) if field.class == Class::Number && n.fract() == 0.0 && n.abs() < 9e18 => {
            Value::Int(n as i64)
        }
        Value::Text(text) if json => match jsonb(&text).as_deref() {
            Some("null") => Value::Null,
            Some(spelled) => Value::Text(spelled.into()),
            None => Value::Text(text),
        },
        Value::Null if !json => match field.class {
            Class::Number | Class::Bool => Value::Int(0),
            _ => Value::Text("".into()),
        },
        other => other,
    }
}

/// A JSON text as `jsonb` spells it: keys by length, then by bytes, the last of equal ones; numbers in full.
fn jsonb(text: &str) -> Option<String> {
    let raw: &RawValue = serde_json::from_str(text.trim()).ok()?;
    let raw = raw.get();
    let each = |raw: &RawValue| jsonb(raw.get());
    Some(match raw.as_bytes()[0] {
        b'{' => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(raw).ok()?;
            let mut members: Vec<(String, &RawValue)> = members.into_iter().collect();
            members.sort_by(|a, b| (a.0.len(), &a.0).cmp(&(b.0.len(), &b.0)));
            let members: Option<Vec<String>> = members
                .into_iter()
                .map(|(key, raw)| {
                    Some(format!("{}:{}", serde_json::to_string(&key).ok()?, each(raw)?))
                })
                .collect();
            format!("{{{}}}", members?.join(","))
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
            let items: Option<Vec<String>> = items.into_iter().map(each).collect();
            format!("[{}]", items?.join(","))
        }
        b'"' => serde_json::to_string(&serde_json::from_str::<String>(raw).ok()?).ok()?,
        b'-' | b'0'..=b'9' => numeric(raw),
        _ => raw.to_owned(),
    })
}

/// A JSON number written out, without exponent.
fn numeric(raw: &str) -> String {
    let (mantissa, exponent) = raw.split_once(['e', 'E']).unwrap_or((raw, "0"));
    let exponent: i64 = exponent.parse().unwrap();
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("-", m));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    let mut point = i64::try_from(whole.len()).unwrap() + exponent;
    while point < 1 {
        digits.insert(0, '0');
        point += 1;
    }
    let point = usize::try_from(point).unwrap();
    while digits.len() < point {
        digits.push('0');
    }
    let sign = if digits.bytes().all(|b| b == b'0') { "" } else { sign };
    let (whole, fraction) = digits.split_at(point);
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{dot}{fraction}")
}
