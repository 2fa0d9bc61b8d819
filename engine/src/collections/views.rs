//! View collections that depend on others: their fields are computed again when something changes (spec §4.5 step 5).

use super::CollectionRef;
use crate::{
    Error, Result,
    ctx::Ctx,
    schema::{sync, view},
    store::Tx,
};

/// The open transaction of a schema change.
pub(super) fn transaction(ctx: &Ctx) -> Result<&Tx> {
    ctx.db.tx().ok_or_else(|| Error::Message("schema changes need a transaction".into()))
}

/// Computes the fields of a view draft; a query that cannot be read leaves none (validation tells why).
pub(super) async fn fill_fields(ctx: &Ctx, collection: &CollectionRef) {
    let query = collection.lock().view_query.clone();
    let inferred = view::infer_fields(&ctx.db, &ctx.snapshot(), &query).await;
    collection.lock().fields = inferred.unwrap_or_default().fields;
}

/// Saves every other view whose fields changed; a view that cannot be computed is only logged, unless it would show what is
/// stored in secret fields.
///
/// # Errors
/// What the store reports; a view that would show secrets.
pub(super) async fn refresh(ctx: &Ctx, except: &str) -> Result<()> {
    let snapshot = ctx.snapshot();
    if !snapshot.iter().any(|c| c.is_view() && c.id != except) {
        return Ok(());
    }
    for (view, reason) in sync::refresh_views(transaction(ctx)?, &snapshot, except).await? {
        let query = snapshot.by_name(&view).map_or("", |failed| &failed.view_query);
        if view::shows_sealed(&snapshot, except, query, &reason) {
            return Err(Error::Message(format!("view {view}: {reason}")));
        }
        tracing::warn!(
            view,
            reason,
            "failed to refresh a view that depends on a changed collection"
        );
    }
    ctx.reload_schema().await
}
