//! What a save or deletion does to the database, inside its transaction.
//!
//! Must not know hooks.

use dialects::{Sql, Value, ddl, statement};

use super::CollectionRef;
use crate::{
    Error, Result,
    ctx::Ctx,
    schema::{Collection, Loaded, sync, system as names, view},
    store::{Job, Tx, system},
};

const TABLE: &str = "_collections";

fn transaction(ctx: &Ctx) -> Result<&Tx> {
    ctx.db.tx().ok_or_else(|| Error::Message("schema changes need a transaction".into()))
}

async fn run(ctx: &Ctx, sql: Sql) -> Result<()> {
    ctx.db.write(Job::from(sql)).await?;
    Ok(())
}

/// Inserts or updates the row of a collection.
pub(super) async fn write_row(ctx: &Ctx, draft: &Collection, is_new: bool) -> Result<()> {
    let text = |text: &str| Value::Text(text.into());
    let rule = |rule: &Option<String>| rule.as_deref().map_or(Value::Null, text);
    let values = [
        text(&draft.id),
        Value::Int(i64::from(draft.system)),
        text(draft.kind.as_str()),
        text(&draft.name),
        text(&draft.fields_json()),
        text(&draft.indexes_json()),
        rule(&draft.list_rule),
        rule(&draft.view_rule),
        rule(&draft.create_rule),
        rule(&draft.update_rule),
        rule(&draft.delete_rule),
        text(&draft.options_json()),
        text(&draft.created),
        text(&draft.updated),
    ];
    let columns: Vec<(&str, Value)> = system::COLLECTION_COLUMNS.into_iter().zip(values).collect();
    let dialect = ctx.app.dialect();
    run(ctx, match is_new {
        true => statement::insert(dialect, TABLE, &columns),
        false => statement::update(dialect, TABLE, &draft.id, &columns),
    })
    .await
}

/// Deletes the row of a collection; for auth collections also the rows that refer to its records (spec auth §8).
pub(super) async fn delete_row(ctx: &Ctx, stored: &Loaded) -> Result<()> {
    run(ctx, statement::delete(ctx.app.dialect(), TABLE, &stored.id)).await?;
    if stored.is_auth() {
        for table in [names::MFAS, names::OTPS, names::EXTERNAL_AUTHS, names::AUTH_ORIGINS] {
            run(ctx, system::delete_where(table, "collectionRef", &stored.id)).await?;
        }
    }
    Ok(())
}

/// Computes the fields of a view draft and creates its physical view anew.
pub(super) async fn replace_view(ctx: &Ctx, collection: &CollectionRef, old: Option<&Collection>) -> Result<()> {
    let mut draft = collection.snapshot();
    let snapshot = ctx.snapshot();
    view::save(transaction(ctx)?, &snapshot, &mut draft, old).await.map_err(Error::Message)?;
    collection.set(draft);
    Ok(())
}

/// Brings the table in line with the draft.
pub(super) async fn sync_table(ctx: &Ctx, draft: &Collection, old: Option<&Collection>) -> Result<()> {
    sync::sync(transaction(ctx)?, draft, old).await
}

/// Drops the table or view.
pub(super) async fn drop_table(ctx: &Ctx, stored: &Loaded) -> Result<()> {
    let dialect = ctx.app.dialect();
    let text = match stored.is_view() {
        true => ddl::drop_view(dialect, &stored.name),
        false => ddl::drop_table(dialect, &stored.name),
    };
    transaction(ctx)?.execute_batch(text).await?;
    Ok(())
}
