//! Finding records without rules: by id, by ids, by one value. Rules and pages are in `read`.

use std::{collections::HashMap, sync::Arc};

use dialects::{
    limits,
    postgres::catalog,
    statement::{self, Case},
};
use filter_lang::value::Value;

use crate::{
    Error, Result,
    app::record::Record,
    ctx::Ctx,
    field::{Corrupt, Val},
    schema::Loaded,
    store::{self, RowRef, Rows, Sql},
};

/// The record of an id.
///
/// # Errors
/// Database errors.
pub async fn by_id(ctx: &Ctx, collection: &Arc<Loaded>, id: &str) -> Result<Option<Record>> {
    let dialect = ctx.app.dialect();
    if limits::unfit_text(dialect, id).is_some() {
        return Ok(None);
    }
    let sql = statement::select_by_id(dialect, &collection.name, &collection.select, id);
    one(ctx, collection, sql).await
}

/// The record of an id.
///
/// # Errors
/// [`Error::NotFound`], or database errors.
pub async fn by_id_or_404(ctx: &Ctx, collection: &Arc<Loaded>, id: &str) -> Result<Record> {
    by_id(ctx, collection, id).await?.ok_or(Error::NotFound)
}

/// The records of some ids, in the order of the ids; missing ones are left out.
///
/// # Errors
/// Database errors.
pub async fn by_ids(ctx: &Ctx, collection: &Arc<Loaded>, ids: &[&str]) -> Result<Vec<Record>> {
    let sql =
        statement::select_by_ids(ctx.app.dialect(), &collection.name, &collection.select, ids);
    let mut found: HashMap<String, Record> =
        many(ctx, collection, sql).await?.into_iter().map(|r| (r.id().to_owned(), r)).collect();
    Ok(ids.iter().filter_map(|id| found.remove(*id)).collect())
}

/// The first record whose field has a value.
///
/// # Errors
/// Database errors.
pub async fn by_value(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    field: &str,
    value: impl Into<Value>,
    case: Case,
) -> Result<Option<Record>> {
    let (dialect, value) = (ctx.app.dialect(), value.into());
    if matches!(&value, Value::Text(text) if limits::unfit_text(dialect, text).is_some()) {
        return Ok(None);
    }
    let sql = statement::select_by_value(
        dialect,
        &collection.name,
        &collection.select,
        field,
        value,
        case,
    );
    one(ctx, collection, sql).await
}

/// True if policies of the database decide who sees which records of a collection.
///
/// # Errors
/// Database errors.
pub(crate) async fn is_protected(ctx: &Ctx, collection: &Loaded) -> Result<bool> {
    if !ctx.db.database().has_row_security() {
        return Ok(false);
    }
    let sql = catalog::row_security(&collection.name);
    Ok(ctx.db.query_now(sql, |rows| rows.scalar_i64()).await.map_err(Error::Store)?? != 0)
}

/// Runs a statement over the collection's columns for its first row.
pub(crate) async fn one(ctx: &Ctx, collection: &Arc<Loaded>, sql: Sql) -> Result<Option<Record>> {
    let owned = collection.clone();
    ctx.db.query_now(sql, move |rows| next(&owned, rows)).await.map_err(Error::Store)?
}

/// Runs a statement over the collection's columns for all its rows.
pub(crate) async fn many(ctx: &Ctx, collection: &Arc<Loaded>, sql: Sql) -> Result<Vec<Record>> {
    let owned = collection.clone();
    ctx.db
        .query(sql, move |rows| {
            let mut out = Vec::new();
            while let Some(record) = next(&owned, rows)? {
                out.push(record);
            }
            Ok(out)
        })
        .await
        .map_err(Error::Store)?
}

fn next(collection: &Arc<Loaded>, rows: &mut Rows<'_>) -> Result<Option<Record>> {
    let Some(row) = rows.next().map_err(Error::Store)? else { return Ok(None) };
    let values = values_of_row(collection, &row, 0).map_err(|e| corrupt(&e))?;
    Ok(Some(Record::stored(collection, values)))
}

/// A stored value that cannot be read fails the statement.
pub(crate) fn corrupt(error: &Corrupt) -> Error {
    Error::Store(store::Error::Unreadable(error.to_string()))
}

/// The values of a row in field order, starting at column `from`.
///
/// # Errors
/// [`Corrupt`] when a stored value cannot be read at all.
pub(crate) fn values_of_row(
    collection: &Loaded,
    row: &RowRef<'_>,
    from: usize,
) -> Result<Vec<Val>, Corrupt> {
    let fields = collection.fields.iter().enumerate();
    let mut values =
        fields.map(|(i, f)| f.kind.read(row.get(from + i))).collect::<Result<Vec<Val>, _>>()?;
    collection.open_all(row, from, &mut values);
    Ok(values)
}
