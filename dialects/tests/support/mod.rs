//! In-memory tables loaded into both databases, and one plan run every way there is.
#![allow(dead_code, unused_imports, reason = "each test uses its part")]

#[path = "../../../filter-lang/tests/common/mod.rs"]
pub(crate) mod common;
mod fill;
mod jsonb;
pub(crate) mod pg;

use common::{Memory, Record};
use dialects::{
    Dialect, Sql, Value,
    statement::{self, ColumnList, Select},
};
use filter_lang::{
    Row, eval, judge,
    plan::{Node, Plan, RowMode, SortBy},
    schema::{Class, CollectionKind},
};

pub(crate) use self::{
    fill::{fill_postgres, full_text, sqlite},
    jsonb::fresh,
};

pub(crate) fn id(row: &Record) -> String {
    Row::get(row, "id").text().unwrap().into_owned()
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
        let query = d.query(plan);
        let fail = |what: &str, sql: &Sql, got: &dyn std::fmt::Debug| {
            format!(
                "{d:?} {what}: got {got:?}, judge says {wanted:?}\n{}\n{:?}",
                sql.text, sql.params
            )
        };
        let columns = ColumnList::new(&["id"]);
        for limit in [None, Some(1000)] {
            let select = Select { limit, ..Select::all(&columns) };
            for way in query.page_ways(&select) {
                let sql = query.page_in(&select, *way);
                let mut got = run(&sql);
                let mut want = wanted.clone();
                if !ordered && let Ok(got) = &mut got {
                    got.sort();
                    want.sort();
                }
                if got.as_ref() != Ok(&want) {
                    return Err(fail(&format!("page, {way:?}"), &sql, &got));
                }
            }
        }
        let sql = query.count();
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
            if plan.base.kind == CollectionKind::View {
                continue;
            }
            let cells = fill::stored(&plan.base, row, *d);
            let cells: Vec<_> = cells.iter().map(|(name, v)| (name.as_str(), v.clone())).collect();
            let sql = statement::exists_as(*d, plan, &cells);
            let got = run(&sql);
            if got.as_ref().map(|rows| !rows.is_empty()) != Ok(wanted.contains(&id(row))) {
                return Err(fail(&format!("exists as {}", id(row)), &sql, &got));
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
