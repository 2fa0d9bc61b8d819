//! Deleting and truncating collections (spec collections-and-fields §4.3).

use std::{future::ready, sync::Arc, time::Instant};

use super::{CollectionRef, views};
use crate::{
    Error, Result,
    app::life,
    ctx::{Ctx, Outcome},
    event::Action,
    notes, record,
    schema::{Collection, Loaded, sync, system as names},
    store::{Job, system},
};
use primitives::future::BoxFutureRef;

/// Deletes a collection with its table or view, with all hooks.
///
/// # Errors
/// [`Error::Message`] when it is a system collection or others refer to it (see [`refusal`]); a view that would
/// break; what hooks report; database errors.
pub fn delete<'a>(ctx: &'a Ctx, collection: &'a CollectionRef) -> BoxFutureRef<'a, Result<()>> {
    Box::pin(async move {
        ctx.catch_up();
        if collection.stored_id().is_none_or(|id| id.is_empty()) {
            let text =
                "the model can be deleted only if it is existing and has a non-empty primary key";
            return Err(Error::Message(text.into()));
        }
        let done = life::around(ctx, collection, Action::Delete, |ctx, collection| async move {
            life::executing(&ctx, &collection, Action::Delete, |ctx, collection| async move {
                execute(&ctx, &collection).await
            })
            .await
        })
        .await;
        match done {
            Ok(()) => succeeded(ctx, collection).await,
            Err(error) => {
                life::failed(ctx, collection, Action::Delete, &error).await?;
                Err(error)
            }
        }
    })
}

/// The sentence for a refused deletion.
#[must_use]
pub fn refusal(ctx: &Ctx, collection: &Collection) -> String {
    let names = sync::references(&ctx.snapshot(), collection);
    if names.is_empty() {
        return "Failed to delete collection".into();
    }
    format!(
        "Failed to delete collection probably due to existing reference in {}",
        names.join(", ")
    )
}

async fn execute(ctx: &Ctx, collection: &CollectionRef) -> Result<()> {
    let id = collection.stored_id().unwrap_or_default();
    let stored = ctx.snapshot().by_id(&id).cloned().ok_or(Error::NotFound)?;
    if stored.system {
        let text = format!("[{}] system collections cannot be deleted", stored.name);
        return Err(Error::Message(text));
    }
    if collection.integrity_checks() {
        let names = sync::references(&ctx.snapshot(), &stored);
        if !names.is_empty() {
            let text = format!("the collection has external references in {}", names.join(", "));
            return Err(Error::Message(text));
        }
    }
    let checked = collection.integrity_checks();
    let collection = collection.clone();
    ctx.run_long_transaction(
        move |ctx| async move { remove(&ctx, &collection, &stored, checked).await },
    )
    .await
}

/// Table or view, row and what refers to its records, inside the transaction.
async fn remove(
    ctx: &Ctx,
    collection: &CollectionRef,
    stored: &Arc<Loaded>,
    checked: bool,
) -> Result<()> {
    let gone = stored.clone();
    life::around_statement(ctx, collection, Action::Delete, move |ctx, _| async move {
        let tx = views::transaction(&ctx)?;
        let note = notes::collection(&ctx.app, &gone.id, Action::Delete);
        notes::tell(tx, note).await?;
        if checked {
            sync::remove(tx, &ctx.snapshot(), &gone).await?;
        } else {
            sync::drop_collection(tx, &gone).await?;
        }
        if gone.is_auth() {
            delete_refs(&ctx, &gone.id).await?;
        }
        Ok(())
    })
    .await?;
    tracing::info!(collection = stored.name, "collection deleted");
    if checked { ctx.reload_schema().await } else { Ok(()) }
}

/// Rows that refer to auth records of the collection (spec auth §8).
async fn delete_refs(ctx: &Ctx, id: &str) -> Result<()> {
    for table in [names::MFAS, names::OTPS, names::EXTERNAL_AUTHS, names::AUTH_ORIGINS] {
        ctx.db
            .write(Job::from(system::delete_where(ctx.db.dialect(), table, "collectionRef", id)))
            .await?;
    }
    Ok(())
}

async fn succeeded(ctx: &Ctx, collection: &CollectionRef) -> Result<()> {
    let collection = collection.clone();
    ctx.after(move |ctx, outcome: Outcome| async move {
        if outcome.is_ok()
            && let Some(id) = collection.stored_id()
        {
            remove_files(&ctx, id);
        }
        life::after(&ctx, &collection, Action::Delete, outcome, |_, _| ready(Ok(()))).await
    })
    .await
}

/// Files of all records go in the background, after the commit.
fn remove_files(ctx: &Ctx, id: String) {
    let files = ctx.app.files().clone();
    tokio::spawn(async move {
        if let Err(error) = files.remove_tree(&id).await {
            tracing::warn!(%error, id, "failed to remove the files of a deleted collection");
        }
    });
}

/// Deletes all records of a collection in one transaction, with all hooks and cascades.
///
/// # Errors
/// [`Error::Message`] for a view; as deleting a record, then nothing is deleted.
pub fn truncate<'a>(ctx: &'a Ctx, collection: &'a Arc<Loaded>) -> BoxFutureRef<'a, Result<()>> {
    Box::pin(async move {
        if collection.is_view() {
            let text =
                "View collections cannot be truncated since they don't store their own records.";
            return Err(Error::Message(text.into()));
        }
        let started = Instant::now();
        tracing::info!(collection = collection.name, "truncating");
        let owned = collection.clone();
        Box::pin(ctx.run_long_transaction(move |ctx| async move {
            record::delete::truncate(&ctx, &owned).await
        }))
        .await?;
        tracing::info!(collection = collection.name, elapsed = ?started.elapsed(), "truncated");
        Ok(())
    })
}
