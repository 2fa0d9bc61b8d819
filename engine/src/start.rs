//! How an app is put together, started and stopped (spec server-settings §1.3): the one room that knows all others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    App, Error, Result,
    app::{
        Config, Parts,
        event::{AppEvent, Hooks, TerminateEvent},
    },
    backup::{self, Backups, database, swap},
    cluster::{self, Ears, Node},
    cron_jobs::Crons,
    history,
    log::{Level, Log},
    mail::Mailer,
    oauth2, open,
    realtime::{self, Broker},
    record::unread::Unread,
    rule::AstCache,
    settings_ops,
};
use primitives::future::BoxFuture;

/// How long a shutdown waits for mails on their way.
const MAIL_DRAIN: Duration = Duration::from_secs(5);

/// What every room keeps in an app and wants to hear of.
fn parts(node: Option<Node>) -> Parts {
    let parts = Parts::default()
        .with(AstCache::default())
        .with(Unread::default())
        .with(settings_ops::Loaded::default())
        .with(Crons::default())
        .with(Mailer::default())
        .with(Backups::default())
        .with(Broker::default())
        .with(Ears::default())
        .with(oauth2::Names::default())
        .with(history::State::default())
        .on_schema(history::schema_changed)
        .on_schema(realtime::schema_changed)
        .on_settings(backup::auto::schedule);
    match node {
        Some(node) => parts.with(node),
        None => parts,
    }
}

impl App {
    /// Opens the data directory and everything in it, then runs `OnBootstrap`.
    ///
    /// # Errors
    /// A directory or database that cannot be opened, a failed migration, undecryptable settings, a hook's error.
    pub async fn bootstrap(config: Config, hooks: impl Into<Arc<Hooks>>) -> Result<Self> {
        Self::bootstrap_with(config, hooks.into()).await
    }

    fn bootstrap_with(config: Config, hooks: Arc<Hooks>) -> BoxFuture<Result<Self>> {
        Box::pin(async move {
            let dir = config.data_dir.clone();
            let is_final = database::is_committed(&config, swap::interrupted(&dir)).await?;
            let mut recovery = swap::begin(&dir, is_final)?;
            let mut is_replaced = is_final;
            if config.postgres.is_some() {
                let is_trial = recovery.is_trial();
                match database::copy_in(&config, &recovery).await? {
                    Ok(()) => {
                        recovery.settle(&dir)?;
                        is_replaced |= is_trial;
                    }
                    Err(error) => _ = recovery.undo(&dir, &error.to_string())?,
                }
            }
            let opened = match open::databases(&config, recovery.is_trial()).await {
                Err(error) if recovery.undo(&dir, &error.to_string())? => {
                    open::databases(&config, false).await?
                }
                opened => opened?,
            };
            let log = Log::start(opened.0.aux().clone()).await.map_err(Error::Store)?;
            let node = opened.0.data().cluster().map(Node::new);
            let app = Self::assemble(config, opened, log, hooks, parts(node));
            app.observe(Box::new(app.realtime().clone()));
            settings_ops::reload(&app).await?;
            history::follow(&app).await?;
            if is_replaced {
                // other nodes still have what was there before
                cluster::anything_changed(&app).await;
            }
            let event = AppEvent { app: app.clone() };
            app.hooks().bootstrap.trigger(event, |_| std::future::ready(Ok(()))).await?;
            if let Some(why) = &recovery.undone {
                let data = serde_json::json!({ "error": why });
                app.log().write(Level::Error, "Failed to restore backup", &data);
            }
            if let Some(warning) = app.store().data().warning() {
                app.log().write(Level::Warn, warning, &serde_json::json!({}));
            }
            recovery.finish(dir);
            Ok(app)
        })
    }

    /// Runs `OnTerminate`, then flushes and closes everything.
    ///
    /// # Errors
    /// A hook's error; everything is closed nevertheless.
    pub async fn shutdown(&self, is_restart: bool) -> Result<()> {
        let event = TerminateEvent { app: self.clone(), is_restart };
        let result = self.hooks().terminate.trigger(event, |_| std::future::ready(Ok(()))).await;
        let (app, is_cleared) = (self.clone(), Arc::new(AtomicBool::new(false)));
        let cleared = is_cleared.clone();
        let last = move |_| async move {
            cleared.store(true, Ordering::Release);
            app.release().await;
            Ok(())
        };
        let clear = AppEvent { app: self.clone() };
        let result = result.and(self.hooks().bootstrap_clear.trigger(clear, last).await);
        // whatever handlers do, everything is closed
        if !is_cleared.load(Ordering::Acquire) {
            self.release().await;
        }
        if is_restart {
            self.backups().apply(self);
        }
        result
    }

    async fn release(&self) {
        self.crons().stop();
        if let Some(node) = self.node() {
            node.leave().await;
        }
        self.mailer().drain(MAIL_DRAIN).await;
        self.backups().close();
        self.realtime().close();
        self.close().await;
    }
}
