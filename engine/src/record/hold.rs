//! Rows that a transaction is going to write, taken in one order for everybody: two that want the same rows wait for each
//! other instead of stopping each other. SQLite has one writer and needs none of it. Must not know why they are written.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use dialects::{Dialect, limits, statement};

use crate::{Error, Result, ctx::Ctx, schema::Loaded};

/// Keeps one row from others until the transaction ends.
///
/// # Errors
/// Database errors.
pub async fn row(ctx: &Ctx, collection: &Loaded, id: &str) -> Result<()> {
    let dialect = ctx.app.dialect();
    if dialect == Dialect::Postgres && limits::unfit_text(dialect, id).is_none() {
        let sql = statement::lock(dialect, &collection.name, &[id]);
        ctx.db.query(sql, |_| ()).await.map_err(Error::Store)?;
    }
    Ok(())
}

/// Keeps the rows of these ids from others until the transaction ends; ids without a row do not count.
///
/// # Errors
/// Database errors; the rows of others are waited for.
pub async fn hold<'i>(
    ctx: &Ctx,
    rows: impl IntoIterator<Item = (&'i Arc<Loaded>, &'i str)>,
) -> Result<()> {
    let dialect = ctx.app.dialect();
    if dialect == Dialect::Sqlite {
        return Ok(());
    }
    let mut by_table: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (collection, id) in rows {
        if !collection.is_view() && !id.is_empty() && limits::unfit_text(dialect, id).is_none() {
            by_table.entry(&collection.name).or_default().insert(id);
        }
    }
    if by_table.values().map(BTreeSet::len).sum::<usize>() < 2 {
        return Ok(());
    }
    for (table, ids) in by_table {
        let ids: Vec<&str> = ids.into_iter().collect();
        let sql = statement::lock(dialect, table, &ids);
        ctx.db.query(sql, |_| ()).await.map_err(Error::Store)?;
    }
    Ok(())
}
