//! View collections that depend on others: their fields are computed again when something changes (spec §4.5 step 5, §4.3).

use super::{CollectionRef, save};
use crate::{
    Error, Result,
    ctx::Ctx,
    schema::{Collection, view},
};

const RESAVE: save::Steps = save::Steps { validate: false, refresh_views: false, reload: true };

/// Computes the fields of a view draft; a query that cannot be read leaves none (validation tells why).
pub(super) async fn fill_fields(ctx: &Ctx, collection: &CollectionRef) {
    let query = collection.lock().view_query.clone();
    let inferred = view::infer_fields(&ctx.db, &ctx.snapshot(), &query).await;
    collection.lock().fields = inferred.unwrap_or_default().fields;
}

/// Saves every other view whose fields changed; failures are only logged.
pub(super) async fn refresh(ctx: &Ctx, changed: &CollectionRef) {
    let except = changed.lock().id.clone();
    if !has_others(ctx, &except) {
        return;
    }
    let done = ctx.run_long_transaction(move |ctx| async move { refresh_all(&ctx, &except, false).await }).await;
    if let Err(error) = done {
        tracing::warn!(%error, "failed to refresh the views that depend on a changed collection");
    }
}

/// Computes every other view again inside a transaction and saves those that changed.
///
/// # Errors
/// The first view that cannot be computed any more.
pub(super) async fn recheck(ctx: &Ctx, except: &str) -> Result<()> {
    refresh_all(ctx, except, true).await
}

fn has_others(ctx: &Ctx, except: &str) -> bool {
    ctx.snapshot().iter().any(|c| c.is_view() && c.id != except)
}

async fn refresh_all(ctx: &Ctx, except: &str, strict: bool) -> Result<()> {
    // A view may read from a view: go on until nothing changes, at most once per view.
    let rounds = ctx.snapshot().iter().filter(|c| c.is_view()).count();
    for round in 0..rounds {
        let mut any = false;
        for view in view::stale(&ctx.db, &ctx.snapshot(), except).await {
            match view {
                Ok(view) => any |= resave(ctx, &view, strict).await?,
                Err((name, reason)) if strict => {
                    return Err(Error::Message(format!("failed to refresh view \"{name}\": {reason}")));
                }
                Err((view, reason)) if round == 0 => {
                    tracing::warn!(view, reason, "a view cannot be computed any more");
                }
                Err(_) => {}
            }
        }
        if !any {
            return Ok(());
        }
    }
    Ok(())
}

async fn resave(ctx: &Ctx, view: &Collection, strict: bool) -> Result<bool> {
    match Box::pin(save::run(ctx, &CollectionRef::stored(view), RESAVE)).await {
        Ok(()) => Ok(true),
        Err(error) if strict => Err(error),
        Err(error) => {
            tracing::warn!(%error, view = view.name, "failed to refresh a view that depends on a changed collection");
            Ok(false)
        }
    }
}
