//! Creating and updating a collection (spec collections-and-fields §4.5).
//!
//! ```text
//! normalize → Create/Update hooks { Validate hooks { rules of §4.6 } → Execute hooks { transaction: row, table or view } }
//!           → commit → new snapshot → dependent views → After hooks
//! ```

use std::{future::ready, sync::Arc};

use super::{CollectionRef, views};
use crate::{
    Error, Result,
    app::life,
    ctx::{Ctx, Outcome},
    event::Action,
    notes,
    schema::{Collection, Loaded, Validation, normalize, sync, view},
    settings_ops, store,
};
use primitives::future::BoxFutureRef;

/// Which steps of a save are done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps {
    /// The rules of §4.6 and the Validate hooks.
    pub(super) validate: bool,
    /// The snapshot is read again and views that depend on the collection are looked at.
    pub(super) settle: bool,
}

const ALL: Steps = Steps { validate: true, settle: true };

/// Validates and saves a collection, with all hooks.
///
/// # Errors
/// [`Error::Invalid`] with field errors; [`Error::NotFound`] when its row is gone; what hooks report; database errors.
pub async fn save(ctx: &Ctx, collection: &CollectionRef) -> Result<()> {
    Box::pin(run(ctx, collection, ALL)).await
}

/// Saves a collection without validation, with all hooks but the validating ones.
///
/// # Errors
/// What hooks report; database errors.
pub async fn save_no_validate(ctx: &Ctx, collection: &CollectionRef) -> Result<()> {
    Box::pin(run(ctx, collection, Steps { validate: false, ..ALL })).await
}

/// Normalizes and validates a collection without saving it.
///
/// # Errors
/// As [`save`].
pub fn validate<'a>(ctx: &'a Ctx, collection: &'a CollectionRef) -> BoxFutureRef<'a, Result<()>> {
    Box::pin(async move {
        ctx.catch_up();
        let old = stored(ctx, collection, true)?;
        prepare(ctx, collection, old.as_deref());
        validate_stage(ctx, collection, old).await
    })
}

/// The stored state of what is being saved, `None` for a new one.
fn stored(ctx: &Ctx, collection: &CollectionRef, validated: bool) -> Result<Option<Arc<Loaded>>> {
    let Some(id) = collection.stored_id() else { return Ok(None) };
    let snapshot = ctx.snapshot();
    // A changed id that is nobody's cannot be looked up (spec §4.4).
    if validated && snapshot.by_id(&collection.lock().id).is_none() {
        return Err(Error::NotFound);
    }
    snapshot.by_id(&id).cloned().map(Some).ok_or(Error::NotFound)
}

pub(super) fn prepare(ctx: &Ctx, collection: &CollectionRef, old: Option<&Loaded>) {
    let now = crate::time::to_text(Some(crate::time::now()));
    let snapshot = ctx.snapshot();
    normalize::normalize(&mut collection.lock(), old.map(|l| &l.collection), &snapshot, &now);
}

pub(super) fn run<'a>(
    ctx: &'a Ctx,
    collection: &'a CollectionRef,
    steps: Steps,
) -> BoxFutureRef<'a, Result<()>> {
    Box::pin(async move {
        ctx.catch_up();
        let old = stored(ctx, collection, steps.validate)?;
        let action = if old.is_none() { Action::Create } else { Action::Update };
        prepare(ctx, collection, old.as_deref());
        let before = old.clone();
        let done = life::around(ctx, collection, action, move |ctx, collection| async move {
            if steps.validate {
                validate_stage(&ctx, &collection, before.clone()).await?;
            }
            execute_stage(&ctx, &collection, before, steps).await
        })
        .await;
        if let Err(error) = done {
            failed(ctx, collection, action, &error).await?;
            return Err(error);
        }
        if let Some(old) = old {
            rename_labels(ctx, &old.name, collection).await;
        }
        succeeded(ctx, collection, action).await
    })
}

async fn validate_stage(
    ctx: &Ctx,
    collection: &CollectionRef,
    old: Option<Arc<Loaded>>,
) -> Result<()> {
    life::validating(ctx, collection, move |ctx, collection| async move {
        if collection.lock().is_view() {
            views::fill_fields(&ctx, &collection).await;
        }
        let draft = collection.snapshot();
        let snapshot = ctx.snapshot();
        let old = old.as_deref().map(|l| &l.collection);
        crate::schema::validate(
            &draft,
            &Validation {
                old,
                snapshot: &snapshot,
                db: &ctx.db,
                is_provider: oauth2::is_registered,
                is_stored: false,
            },
        )
        .await
    })
    .await
}

async fn execute_stage(
    ctx: &Ctx,
    collection: &CollectionRef,
    old: Option<Arc<Loaded>>,
    steps: Steps,
) -> Result<()> {
    let action = if old.is_none() { Action::Create } else { Action::Update };
    life::executing(ctx, collection, action, move |ctx, collection| async move {
        let started = std::time::Instant::now();
        let inner = collection.clone();
        ctx.run_long_transaction(move |ctx| async move {
            write(&ctx, &inner, old.as_deref().map(|l| &l.collection), action).await?;
            if !steps.settle {
                return Ok(());
            }
            ctx.reload_schema().await?;
            let id = inner.lock().id.clone();
            views::refresh(&ctx, &id).await
        })
        .await?;
        collection.mark_stored();
        tracing::info!(
            collection = collection.lock().name,
            action = action.name(),
            elapsed = ?started.elapsed(),
            "schema changed"
        );
        Ok(())
    })
    .await
}

/// Row and table or view, inside the transaction.
async fn write(
    ctx: &Ctx,
    collection: &CollectionRef,
    old: Option<&Collection>,
    action: Action,
) -> Result<()> {
    let mut draft = collection.snapshot();
    sync::adjust(&mut draft, old);
    if old.is_some_and(|old| old.id != draft.id) {
        return Err(Error::Message("primary key change is not allowed".into()));
    }
    if draft.is_view() {
        let tx = views::transaction(ctx)?;
        view::save(tx, &ctx.snapshot(), &mut draft, old).await.map_err(store::Error::Driver)?;
    }
    collection.set(draft);
    let exists = old.is_some();
    life::around_statement(ctx, collection, action, move |ctx, collection| async move {
        let draft = collection.snapshot();
        Ok(sync::write_row(views::transaction(&ctx)?, &draft, exists).await?)
    })
    .await?;
    let draft = collection.snapshot();
    let note = notes::collection(&ctx.app, &draft.id, action);
    notes::tell(views::transaction(ctx)?, note).await?;
    if draft.is_view() {
        return Ok(());
    }
    sync::sync_table(views::transaction(ctx)?, &draft, old).await
}

/// Rate limits that name the collection follow a rename (spec §4.4). The collection is saved by now: a failure is logged.
async fn rename_labels(ctx: &Ctx, old: &str, collection: &CollectionRef) {
    let new = collection.lock().name.clone();
    if old == new {
        return;
    }
    let mut settings = settings_ops::get(&ctx.app).as_ref().clone();
    if settings.rename_labels(old, &new)
        && let Err(error) = settings_ops::save(ctx, settings).await
    {
        tracing::warn!(%error, old, new, "failed to rename the rate limit labels of a collection");
    }
}

async fn succeeded(ctx: &Ctx, collection: &CollectionRef, action: Action) -> Result<()> {
    let collection = collection.clone();
    ctx.after(move |ctx, outcome: Outcome| async move {
        if outcome.is_err() && action == Action::Create {
            collection.mark_new();
        }
        life::after(&ctx, &collection, action, outcome, |_, _| ready(Ok(()))).await
    })
    .await
}

async fn failed(
    ctx: &Ctx,
    collection: &CollectionRef,
    action: Action,
    error: &Error,
) -> Result<()> {
    if action == Action::Create {
        collection.mark_new();
    }
    life::failed(ctx, collection, action, error).await
}
