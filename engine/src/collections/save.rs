//! Creating and updating a collection (spec collections-and-fields §4.5).
//!
//! ```text
//! normalise → Create/Update hooks { Validate hooks { rules of §4.6 } → Execute hooks { transaction: row, table or view } }
//!           → commit → new snapshot → dependent views → After hooks
//! ```

use std::sync::Arc;

use super::{CollectionRef, apply, chain, views};
use crate::{
    Error, Result,
    ctx::{Ctx, Outcome},
    event::Action,
    schema::{
        Collection, Loaded, normalize,
        options::fresh_secret,
        system,
        validate::{self, Validation},
    },
    settings_ops,
};

/// Which steps of a save are done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps {
    /// The rules of §4.6 and the Validate hooks.
    pub(super) validate: bool,
    /// Views that depend on it are looked at afterwards.
    pub(super) refresh_views: bool,
    /// The snapshot is read again afterwards.
    pub(super) reload: bool,
}

const ALL: Steps = Steps { validate: true, refresh_views: true, reload: true };

/// Validates and saves a collection, with all hooks.
///
/// # Errors
/// [`Error::Invalid`] with field errors; [`Error::NotFound`] when its row is gone; what hooks report; database errors.
pub async fn save(ctx: &Ctx, collection: &CollectionRef) -> Result<()> {
    run(ctx, collection, ALL).await
}

/// Saves a collection without validation, with all hooks but the validating ones.
///
/// # Errors
/// What hooks report; database errors.
pub async fn save_no_validate(ctx: &Ctx, collection: &CollectionRef) -> Result<()> {
    run(ctx, collection, Steps { validate: false, ..ALL }).await
}

/// Normalises and validates a collection without saving it.
///
/// # Errors
/// As [`save`].
pub async fn validate(ctx: &Ctx, collection: &CollectionRef) -> Result<()> {
    let old = stored(ctx, collection)?;
    prepare(ctx, collection, old.as_deref());
    validate_stage(ctx, collection, old).await
}

/// The stored state of what is being saved, `None` for a new one.
fn stored(ctx: &Ctx, collection: &CollectionRef) -> Result<Option<Arc<Loaded>>> {
    let Some(id) = collection.stored_id() else { return Ok(None) };
    let snapshot = ctx.snapshot();
    // A changed id that is nobody's cannot be looked up (spec §4.4).
    if snapshot.by_id(&collection.lock().id).is_none() {
        return Err(Error::NotFound);
    }
    snapshot.by_id(&id).cloned().map(Some).ok_or(Error::NotFound)
}

fn prepare(ctx: &Ctx, collection: &CollectionRef, old: Option<&Loaded>) {
    let now = crate::time::to_text(Some(crate::time::now()));
    let snapshot = ctx.snapshot();
    normalize::normalise(&mut collection.lock(), old.map(|l| &l.collection), &snapshot, &now);
}

pub(super) async fn run(ctx: &Ctx, collection: &CollectionRef, steps: Steps) -> Result<()> {
    let old = stored(ctx, collection)?;
    let action = if old.is_none() { Action::Create } else { Action::Update };
    prepare(ctx, collection, old.as_deref());
    let before = old.clone();
    let done = chain::around(ctx, collection, action, move |ctx, collection| async move {
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
}

async fn validate_stage(ctx: &Ctx, collection: &CollectionRef, old: Option<Arc<Loaded>>) -> Result<()> {
    chain::around_validation(ctx, collection, move |ctx, collection| async move {
        if collection.lock().is_view() {
            views::fill_fields(&ctx, &collection).await;
        }
        let draft = collection.snapshot();
        let snapshot = ctx.snapshot();
        let old = old.as_deref().map(|l| &l.collection);
        validate::validate(&draft, &Validation { old, snapshot: &snapshot, db: &ctx.db }).await
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
    chain::around_execution(ctx, collection, action, move |ctx, collection| async move {
        let started = std::time::Instant::now();
        let inner = collection.clone();
        ctx.run_long_transaction(move |ctx| async move {
            write(&ctx, &inner, old, action).await?;
            if steps.reload { ctx.reload_schema().await } else { Ok(()) }
        })
        .await?;
        collection.mark_stored();
        tracing::info!(
            collection = collection.lock().name,
            action = action.name(),
            elapsed = ?started.elapsed(),
            "schema changed"
        );
        if steps.refresh_views {
            views::refresh(&ctx, &collection).await;
        }
        Ok(())
    })
    .await
}

/// Row and table or view, inside the transaction.
async fn write(ctx: &Ctx, collection: &CollectionRef, old: Option<Arc<Loaded>>, action: Action) -> Result<()> {
    force(&mut collection.lock(), old.as_deref());
    if let Some(old) = &old
        && collection.lock().id != old.id
    {
        return Err(Error::Message("primary key change is not allowed".into()));
    }
    let old = old.as_deref().map(|l| l.collection.clone());
    if collection.lock().is_view() {
        apply::replace_view(ctx, collection, old.as_ref()).await?;
    }
    let is_new = old.is_none();
    chain::around_statement(ctx, collection, action, move |ctx, collection| async move {
        let draft = collection.snapshot();
        apply::write_row(&ctx, &draft, is_new).await
    })
    .await?;
    let draft = collection.snapshot();
    if draft.is_view() { Ok(()) } else { apply::sync_table(ctx, &draft, old.as_ref()).await }
}

/// What is decided right before the write, whatever hooks and clients say (spec §2.3).
fn force(draft: &mut Collection, old: Option<&Loaded>) {
    let text = |rule: &Option<String>| rule.clone().unwrap_or_default();
    if let Some(old) = old
        && draft.is_auth()
        && text(&draft.auth.auth_rule) != text(&old.auth.auth_rule)
    {
        draft.auth.auth_token.secret = fresh_secret();
    }
    let is_superusers = old.map_or(draft.name.as_str(), |old| old.name.as_str()) == system::SUPERUSERS;
    if is_superusers && draft.is_auth() {
        system::SUPERUSERS.clone_into(&mut draft.name);
        draft.auth.oauth2.enabled = false;
        draft.auth.oauth2.providers.0.clear();
        draft.auth.password_auth.enabled = true;
        if draft.auth.otp.enabled {
            draft.auth.mfa.enabled = true;
        }
    }
}

/// Rate limits that name the collection follow a rename (spec §4.4). The collection is saved by now: a failure is logged.
async fn rename_labels(ctx: &Ctx, old: &str, collection: &CollectionRef) {
    let new = collection.lock().name.clone();
    if old == new {
        return;
    }
    let mut settings = settings_ops::get(&ctx.app).as_ref().clone();
    let mut changed = false;
    for rule in &mut settings.rate_limits.rules {
        if let Some(action) = rule.label.strip_prefix(old).and_then(|rest| rest.strip_prefix(':')) {
            rule.label = format!("{new}:{action}");
            changed = true;
        }
    }
    if changed && let Err(error) = settings_ops::save(ctx, settings).await {
        tracing::warn!(%error, old, new, "failed to rename the rate limit labels of a collection");
    }
}

async fn succeeded(ctx: &Ctx, collection: &CollectionRef, action: Action) -> Result<()> {
    let collection = collection.clone();
    ctx.after(move |ctx, outcome: Outcome| async move {
        if outcome.is_err() && action == Action::Create {
            collection.mark_new();
        }
        chain::after(&ctx, &collection, action, outcome).await
    })
    .await
}

async fn failed(ctx: &Ctx, collection: &CollectionRef, action: Action, error: &Error) -> Result<()> {
    if action == Action::Create {
        collection.mark_new();
    }
    chain::after(ctx, collection, action, Err(Arc::new(error.duplicate()))).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Kind, Snapshot, normalize::new_collection, options::Provider};

    fn loaded(collection: &Collection) -> Arc<Loaded> {
        let snapshot = Snapshot::build(vec![collection.clone()]);
        snapshot.iter().next().expect("one collection").clone()
    }

    #[test]
    fn superusers_keep_their_logins() {
        let stored = new_collection(Kind::Auth, system::SUPERUSERS);
        let mut draft = stored.clone();
        draft.name = "other".into();
        draft.auth.oauth2.enabled = true;
        draft.auth.oauth2.providers.0.push(Provider::default());
        draft.auth.password_auth.enabled = false;
        draft.auth.otp.enabled = true;
        force(&mut draft, Some(&loaded(&stored)));
        assert_eq!(draft.name, system::SUPERUSERS);
        assert!(!draft.auth.oauth2.enabled && draft.auth.oauth2.providers.0.is_empty());
        assert!(draft.auth.password_auth.enabled && draft.auth.mfa.enabled);
    }

    #[test]
    fn a_new_auth_rule_ends_all_sessions() {
        let stored = new_collection(Kind::Auth, "a");
        let secret = |rule: Option<&str>| {
            let mut draft = stored.clone();
            draft.auth.auth_rule = rule.map(Into::into);
            force(&mut draft, Some(&loaded(&stored)));
            draft.auth.auth_token.secret
        };
        let kept = stored.auth.auth_token.secret.clone();
        assert_eq!(secret(Some("")), kept);
        assert_eq!(secret(None), kept);
        assert_ne!(secret(Some("verified = true")), kept);
    }
}
