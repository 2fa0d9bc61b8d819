//! What happens to records before they are shown: enrich hooks, visibility flags, expand (spec server-settings §8.3,
//! records-files §1.8).

use std::{collections::HashSet, sync::Arc};

use super::{
    RecordRef,
    expand::{self, Paths},
};
use crate::{
    App, Error, Result, ctx::Ctx, event::EnrichEvent, hook::BoxFuture, rule, schema::Loaded,
};
use primitives::future::BoxFutureRef;

/// Runs the enrich hooks around visibility flags and expand. After this the records can be written as JSON.
///
/// # Errors
/// What a hook reports, or database errors.
pub async fn enrich(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    records: &[RecordRef],
    paths: &Paths,
) -> Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    if !has_hooks(ctx, collection) {
        flags(ctx, collection, records).await?;
        if !paths.is_empty() {
            expand::expand(ctx, collection, records, paths).await?;
        }
        return Ok(());
    }
    nested(ctx.clone(), collection.clone(), records.to_vec(), 0, paths.clone()).await
}

/// [`enrich`] for the answer to something that was done: it is not taken back because a relation cannot be shown.
///
/// # Errors
/// What a hook reports, or database errors; a failed relation is logged only, unless a transaction can still end.
pub async fn enrich_done(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    record: &RecordRef,
    paths: &Paths,
) -> Result<()> {
    match enrich(ctx, collection, std::slice::from_ref(record), paths).await {
        Err(error @ Error::Unexpanded { .. }) if !ctx.in_transaction() => {
            tracing::error!(collection = %collection.name, %error, "an answer lacks a relation");
            Ok(())
        }
        result => result,
    }
}

/// Flags and hooks of expanded records; their relations follow separately.
pub(crate) async fn flags_with_hooks(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    records: &[RecordRef],
) -> Result<()> {
    enrich(ctx, collection, records, &Paths::default()).await
}

/// True if a handler would run for records of this collection.
pub(crate) fn has_hooks(ctx: &Ctx, collection: &Loaded) -> bool {
    is_enriched(&ctx.app, collection)
}

/// The same, where there is no context.
pub(crate) fn is_enriched(app: &App, collection: &Loaded) -> bool {
    app.hooks().record_enrich.is_bound_to(collection)
}

/// One hook inside the other; the innermost step serves all records.
fn nested(
    ctx: Ctx,
    collection: Arc<Loaded>,
    records: Vec<RecordRef>,
    at: usize,
    paths: Paths,
) -> BoxFuture<Result<()>> {
    Box::pin(async move {
        let Some(record) = records.get(at).cloned() else {
            flags(&ctx, &collection, &records).await?;
            return expand::expand(&ctx, &collection, &records, &paths).await;
        };
        let event = EnrichEvent { ctx: ctx.clone(), collection: collection.clone(), record };
        let app = ctx.app.clone();
        app.hooks()
            .record_enrich
            .trigger(event, move |_| nested(ctx, collection, records, at + 1, paths))
            .await
    })
}

/// Sets the flags that decide on hidden fields and emails.
async fn flags(ctx: &Ctx, collection: &Arc<Loaded>, records: &[RecordRef]) -> Result<()> {
    if ctx.caller.is_superuser() {
        for record in records {
            let show = &mut record.lock().show;
            (show.hidden, show.email) = (true, true);
        }
        return Ok(());
    }
    if !collection.is_auth() {
        return Ok(());
    }
    let managed = managed_ids(ctx, collection, records).await?;
    for record in records {
        let mut record = record.lock();
        let own = ctx.caller.is(&collection.id, record.id());
        if own || managed.contains(record.id()) {
            record.show.email = true;
        }
    }
    Ok(())
}

/// The manage rule, if it is an expression.
pub(crate) fn manage_rule_of(collection: &Loaded) -> Option<&str> {
    collection.auth.manage_rule.as_deref().filter(|rule| collection.is_auth() && !rule.is_empty())
}

/// The records among these that the manage rule opens to the caller, guests included; one query for all.
fn managed_ids<'a>(
    ctx: &'a Ctx,
    collection: &'a Arc<Loaded>,
    records: &'a [RecordRef],
) -> BoxFutureRef<'a, Result<HashSet<String>>> {
    Box::pin(async move {
        let Some(manage_rule) = manage_rule_of(collection) else {
            return Ok(HashSet::new());
        };
        let ids: Vec<String> = records.iter().map(RecordRef::id).collect();
        // A rule that cannot be built or run opens nothing.
        Ok(rule::matching_ids(ctx, collection, manage_rule, &ids).await.unwrap_or_default())
    })
}
