//! Finding records by expressions, for code: no rule applies.

use std::sync::Arc;

use dialects::statement::{self, Case, Select};
use filter_lang::value::Value;

use super::Record;
use crate::{
    Error, Result,
    ctx::{Ctx, datum},
    find, rule,
    schema::Loaded,
    store::Sql,
};

/// The first record whose field has exactly a value.
///
/// # Errors
/// Database errors.
pub async fn by_data(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    field: &str,
    value: Value,
) -> Result<Option<Record>> {
    find::by_value(ctx, collection, field, value, Case::Sensitive).await
}

/// What code asks for: no rule applies, and hidden fields may be used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// A filter expression; empty for all records.
    pub filter: &'a str,
    /// A sort expression; empty for the order of insertion.
    pub sort: &'a str,
    /// At most so many; 0 for all.
    pub limit: u32,
    /// After skipping so many.
    pub offset: u64,
}

/// Puts values in the place of the `{:name}`s of an expression, as literals of their kind, in one pass.
#[must_use]
pub fn bind_params(filter: &str, params: &serde_json::Map<String, serde_json::Value>) -> String {
    let params: Vec<_> = params.iter().map(|(name, value)| (&**name, datum(value))).collect();
    filter_lang::bind_placeholders(filter, &params)
}

/// The records that match an expression.
///
/// # Errors
/// [`Error::Filter`], or database errors.
pub async fn by_filter(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    wanted: &Wanted<'_>,
) -> Result<Vec<Record>> {
    let plan = rule::compile_trusted(ctx, collection, wanted.filter, wanted.sort)?;
    let select = Select {
        limit: (wanted.limit > 0).then_some(wanted.limit),
        offset: wanted.offset,
        ..Select::all(&collection.select)
    };
    find::many(ctx, collection, statement::page(ctx.app.dialect(), &plan, &select)).await
}

/// How many records match an expression.
///
/// # Errors
/// As [`by_filter`].
pub async fn count_by_filter(ctx: &Ctx, collection: &Arc<Loaded>, filter: &str) -> Result<i64> {
    let plan = rule::compile_trusted(ctx, collection, filter, "")?;
    let sql = statement::count(ctx.app.dialect(), &plan);
    ctx.db.query(sql, |rows| rows.scalar_i64()).await.map_err(Error::Store)?.map_err(Error::Store)
}

/// The records of rows that a statement gives: the collection's columns first, in field order.
///
/// # Errors
/// Database errors.
pub async fn by_statement(ctx: &Ctx, collection: &Arc<Loaded>, sql: Sql) -> Result<Vec<Record>> {
    find::many(ctx, collection, sql).await
}
