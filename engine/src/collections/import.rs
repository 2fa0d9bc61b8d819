//! Importing a list of collections in one transaction, with the hooks of every save and deletion
//! (spec collections-and-fields §4.10).

use std::time::Instant;

use dialects::names;
use serde_json::Value;

use super::{CollectionRef, delete, save, views};
use crate::{
    Error, FieldError, FieldErrors, Result,
    ctx::Ctx,
    schema::{
        Collection, Validation, aside,
        import::{self, Import},
    },
};
use primitives::future::BoxFutureRef;

const SAVE: save::Steps = save::Steps { validate: false, settle: false };

/// Creates and updates the given collections; with `delete_missing` deletes all others that are not system collections.
///
/// # Errors
/// [`Error::Invalid`] with the item `collections` (empty list, first failure as text) or `indexes`; nothing is kept.
pub fn import<'a>(
    ctx: &'a Ctx,
    items: &'a [Value],
    delete_missing: bool,
) -> BoxFutureRef<'a, Result<()>> {
    Box::pin(async move {
        if items.is_empty() {
            let mut errors = FieldErrors::default();
            errors.set("collections", FieldError::new("validation_required", "cannot be blank"));
            return Err(Error::Invalid(errors));
        }
        let started = Instant::now();
        tracing::info!(count = items.len(), delete_missing, "importing collections");
        ctx.catch_up();
        let plan = import::plan(items, delete_missing, &ctx.snapshot())
            .map_err(|e| import::failure(&e.to_string()))?;
        let done =
            ctx.run_long_transaction(move |ctx| Box::pin(async move { run(&ctx, plan).await }));
        Box::pin(done).await.map_err(|e| match e {
            // Index errors keep their place; the others have their text already.
            Error::Invalid(_) => e,
            other => import::failure(&other.to_string()),
        })?;
        tracing::info!(elapsed = ?started.elapsed(), "collections imported");
        Ok(())
    })
}

async fn run(ctx: &Ctx, plan: Import) -> Result<()> {
    if !plan.delete.is_empty() {
        delete_all(ctx, &plan).await?;
        ctx.reload_schema().await?;
    }
    let saved = save_all(ctx, plan.save).await?;
    ctx.reload_schema().await?;
    views::refresh(ctx, "").await?;
    validate_all(ctx, &saved).await
}

/// PostgreSQL drops no table that a view reads, not even one that goes or changes with the same import: there the views
/// wait aside.
async fn delete_all(ctx: &Ctx, plan: &Import) -> Result<()> {
    let tx = views::transaction(ctx)?;
    let names = |views: bool| -> Vec<&str> {
        plan.delete.iter().filter(|c| c.is_view() == views).map(|c| c.name.as_str()).collect()
    };
    // Views that go, too, read tables that go; those of the second kind read none of the first.
    let of_tables = aside::set_readers(tx, &names(false)).await?;
    let mut aside = aside::set_readers(tx, &names(true)).await?;
    aside.extend(of_tables);
    for collection in &plan.delete {
        let handle = CollectionRef::stored(collection);
        handle.set_integrity_checks(false);
        delete::delete(ctx, &handle).await.map_err(|e| {
            Error::Message(format!("failed to delete collection {:?}: {e}", collection.name))
        })?;
    }
    for view in aside {
        let dialect = ctx.app.dialect();
        let named = |c: &Collection| c.is_view() && *names::stored(dialect, &c.name) == *view.name;
        if plan.delete.iter().any(named) {
            continue;
        }
        // one that the import saves is made anew by that; it is here for others that read it
        let is_saved = plan.save.iter().any(|(_, old)| old.as_ref().is_some_and(named));
        match aside::put_back(tx, [view]).await {
            Err(error) if !is_saved => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

type Saved = (CollectionRef, Option<Collection>);

/// Tables come before views, so one more look at the schema is enough until the first view.
async fn save_all(ctx: &Ctx, drafts: Vec<(Collection, Option<Collection>)>) -> Result<Vec<Saved>> {
    let mut saved = Vec::with_capacity(drafts.len());
    for (draft, old) in drafts {
        let (name, is_view) = (draft.name.clone(), draft.is_view());
        if old.is_some() && ctx.snapshot().find(&draft.id).is_none() {
            // No id, or one that is the name of a collection, which has gone as nothing has its id.
            let reason = "failed to retrieve old cached collection: sql: no rows in result set";
            return Err(Error::Message(format!("failed to save collection {name:?}: {reason}")));
        }
        if is_view && !saved.is_empty() {
            ctx.reload_schema().await?;
        }
        let handle = match &old {
            Some(old) => CollectionRef::stored(old),
            None => CollectionRef::new(Collection::default()),
        };
        handle.set(draft);
        Box::pin(save::run(ctx, &handle, SAVE)).await.map_err(|error| match error {
            Error::Invalid(_) => error,
            other => Error::Message(format!("failed to save collection {name:?}: {other}")),
        })?;
        saved.push((handle, old));
    }
    Ok(saved)
}

/// A new collection has its row by now, so it is compared with itself.
async fn validate_all(ctx: &Ctx, saved: &[Saved]) -> Result<()> {
    let snapshot = ctx.snapshot();
    for (handle, old) in saved {
        let draft = handle.snapshot();
        let old = Some(old.as_ref().unwrap_or(&draft));
        let cx = Validation {
            old,
            snapshot: &snapshot,
            db: &ctx.db,
            is_provider: oauth2::is_registered,
            is_stored: true,
        };
        match crate::schema::validate(&draft, &cx).await {
            Err(Error::Invalid(errors)) => return Err(import::invalid(&draft, &errors)),
            other => other?,
        }
    }
    Ok(())
}
