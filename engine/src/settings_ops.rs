//! Reading, changing and reloading the settings, with hooks and what follows (spec server-settings §3.3, §3.6, §8.4).
//!
//! Whoever holds something that depends on the settings (rate limits, crons, mail) binds to `settings_reload`.
//! What another process writes (the command line beside a server), collections included, is followed: at once where a
//! superuser asks, within half a second elsewhere. Other nodes over one PostgreSQL tell each other instead.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::Value;

use crate::{
    Error, FieldError, FieldErrors, Result,
    app::{
        App,
        life::{self, Phase},
    },
    cron,
    ctx::{Ctx, Outcome},
    event::{Action, AppEvent, Model},
    files,
    log::Keep,
    mail, notes,
    open::key,
    settings::{PARAMS_ID, Settings},
    store::{Rows, system},
    wire::DecodeError,
};
use primitives::future::BoxFutureRef;

const TABLE: &str = "_params";
/// How often somebody looks whether another process has written.
const WATCH: Duration = Duration::from_millis(500);

/// Which stored settings were loaded last.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    text: AtomicU64,
    /// The state of the database in which that was looked at.
    foreign: AtomicI64,
    turn: tokio::sync::Mutex<()>,
}

impl App {
    fn loaded_settings(&self) -> &Loaded {
        self.part()
    }
}

fn mark(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Loads settings and collections again if another process has changed them; costs some microseconds while none has
/// written.
///
/// # Errors
/// As [`reload`].
pub fn follow(app: &App) -> BoxFutureRef<'_, Result<()>> {
    Box::pin(async move {
        if app.store().data().is_told() {
            return Ok(());
        }
        let (loaded, now) = (app.loaded_settings(), app.store().data().foreign_version());
        if loaded.foreign.load(Ordering::Acquire) == now {
            return Ok(());
        }
        // Who comes meanwhile waits for what this one finds.
        let _turn = loaded.turn.lock().await;
        if loaded.foreign.load(Ordering::Acquire) == now {
            return Ok(());
        }
        let text = Settings::raw(&app.db()).await?;
        if text.is_some_and(|text| mark(&text) != loaded.text.load(Ordering::Acquire)) {
            tracing::info!("another process has changed the settings");
            reload(app).await?;
        }
        let seen = app.snapshot().state();
        let read =
            |rows: &mut Rows<'_>| rows.next().map(|row| row.map(|row| row.text(0).to_owned()));
        let state = app.db().query(system::collections_state(), read).await??;
        if state.is_some_and(|state| state != seen) {
            tracing::info!("another process has changed the collections");
            app.reload_schema().await?;
        }
        loaded.foreign.store(now, Ordering::Release);
        Ok(())
    })
}

/// Follows other processes for ever.
pub async fn watch(app: &App) {
    loop {
        tokio::time::sleep(WATCH).await;
        if let Err(error) = follow(app).await {
            tracing::warn!(%error, "what another process has changed could not be loaded");
        }
    }
}

/// The settings at this moment.
#[must_use]
pub fn get(app: &App) -> Arc<Settings> {
    app.settings()
}

/// The settings as a transaction has left them so far; outside of one, those at this moment.
///
/// # Errors
/// Settings that cannot be decrypted or decoded; database errors.
pub async fn within(ctx: &Ctx) -> Result<Settings> {
    let present = get(&ctx.app);
    if ctx.in_transaction()
        && let Some(text) = Settings::raw(&ctx.db).await?
    {
        let read = present.read(&text, &key(ctx.app.config()));
        return read.map_err(|error| Error::Message(error.to_string()));
    }
    Ok(present.as_ref().clone())
}

/// The settings with a PATCH body decoded over them, not yet saved; `null` (an empty body) changes nothing.
///
/// # Errors
/// When a JSON type does not fit.
pub fn merged(app: &App, body: &Value) -> Result<Settings, DecodeError> {
    let mut settings = get(app).as_ref().clone();
    if !body.is_null() {
        settings.merge(body)?;
    }
    Ok(settings)
}

/// Merges a body, validates and saves; gives the settings as they are afterwards.
///
/// # Errors
/// [`Error::Message`] for a body that does not decode; as [`save`].
pub async fn update(ctx: &Ctx, body: &Value) -> Result<Arc<Settings>> {
    let settings = merged(&ctx.app, body).map_err(|e| Error::Message(e.to_string()))?;
    save(ctx, settings).await?;
    Ok(get(&ctx.app))
}

/// What this executable was built without cannot be switched on.
fn built_in(settings: &Settings, s3: bool, smtp: bool) -> Result<()> {
    let mut errors = FieldErrors::default();
    for (path, is_missing, name) in [
        (&["s3", "enabled"][..], settings.s3.enabled && !s3, "S3"),
        (&["backups", "s3", "enabled"], settings.backups.s3.enabled && !s3, "S3"),
        (&["smtp", "enabled"], settings.smtp.enabled && !smtp, "SMTP"),
    ] {
        if is_missing {
            let text = format!("this executable was built without {name}");
            errors.set_at(path, FieldError::new("validation_not_built_in", text));
        }
    }
    errors.into_result()
}

/// Validates and saves settings with the model hooks of `_params`; after the commit they are loaded and applied.
///
/// # Errors
/// [`Error::Invalid`] with field errors; what hooks report; database errors.
pub fn save(ctx: &Ctx, settings: Settings) -> BoxFutureRef<'_, Result<()>> {
    Box::pin(async move {
        let settings = Arc::new(settings);
        let update = (Action::Update, Phase::Around);
        let done = life::around_model(ctx, model(), update, None, move |ctx| async move {
            let checked = settings.clone();
            let validate = (Action::Validate, Phase::Around);
            life::around_model(&ctx, model(), validate, None, move |_| async move {
                built_in(&checked, files::s3::IS_BUILT_IN, mail::smtp::IS_BUILT_IN)?;
                checked.validate(&|expression| cron::Schedule::parse(expression).map(|_| ()))
            })
            .await?;
            let execute = (Action::Update, Phase::Execute);
            life::around_model(&ctx, model(), execute, None, move |ctx| async move {
                store(&ctx, &settings).await
            })
            .await
        })
        .await;
        if let Err(error) = done {
            after(ctx, Err(Arc::new(error.duplicate()))).await?;
            return Err(error);
        }
        ctx.after(|ctx, outcome| async move { after(&ctx, outcome).await }).await
    })
}

/// Loads the stored settings into the app and applies them, inside `settings_reload`. Without a row the present ones
/// are stored first.
///
/// # Errors
/// Settings that cannot be decrypted or decoded; what hooks report; database errors.
pub async fn reload(app: &App) -> Result<()> {
    // what depends on the settings is told, whoever changed them
    let app = &app.with_hooks();
    app.hooks()
        .settings_reload
        .trigger(AppEvent { app: app.clone() }, |e| async move { load(&e.app).await })
        .await?;
    app.settings_were_read();
    let logs = app.settings().logs.clone();
    let keep = Keep {
        max_days: u32::try_from(logs.max_days.max(0)).unwrap_or(u32::MAX),
        min_level: logs.min_level,
        max_data: usize::try_from(logs.max_data_size).unwrap_or(0),
    };
    app.log().configure(&keep).await?;
    Ok(())
}

fn load(app: &App) -> BoxFutureRef<'_, Result<()>> {
    Box::pin(async move {
        let present = app.settings();
        let Some(text) = Settings::raw(&app.db()).await? else {
            return store(&Ctx::system(app), &present).await;
        };
        let read = present.read(&text, &key(app.config()));
        app.set_settings(read.map_err(|e| Error::Message(e.to_string()))?);
        app.loaded_settings().text.store(mark(&text), Ordering::Release);
        Ok(())
    })
}

async fn store(ctx: &Ctx, settings: &Settings) -> Result<()> {
    let job = settings
        .save_job(ctx.db.dialect(), &key(ctx.app.config()))
        .map_err(|e| Error::Message(e.to_string()))?;
    ctx.db.write(job.announce(notes::settings(&ctx.app))).await?;
    Ok(())
}

fn model() -> Model {
    Model::Other { table: TABLE.into(), id: PARAMS_ID.into() }
}

async fn after(ctx: &Ctx, outcome: Outcome) -> Result<()> {
    if outcome.is_ok() {
        reload(&ctx.app).await?;
    }
    let at = (Action::Update, Phase::of(&outcome));
    life::around_model(ctx, model(), at, outcome.err(), |_| std::future::ready(Ok(()))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_built_in_is_refused() {
        let mut settings = Settings::default();
        assert!(built_in(&settings, false, false).is_ok());
        (settings.s3.enabled, settings.smtp.enabled) = (true, true);
        assert!(built_in(&settings, true, true).is_ok());
        let error = built_in(&settings, false, false).expect_err("refused").to_string();
        assert_eq!(
            error,
            "s3: (enabled: this executable was built without S3.); smtp: (enabled: this executable was built without SMTP.)."
        );
    }
}
