//! [`App`]: a cheap handle on everything, before and after the databases are open, outside and inside transactions.
//!
//! What it is made of lies in [`Shared`]; what a handle acts in is the engine's [`Ctx`]. Areas with many methods are in
//! files of their own (`finders`, `saving`). Must not know HTTP.

mod announce;
mod auth_extras;
mod builder;
mod finders;
mod rules;
mod saving;
mod services;

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use engine::{Caller, Ctx, event::Hooks};
use parking_lot::{Mutex, RwLock};

use self::announce::Announcements;
pub(crate) use self::builder::{Given, Setting};
pub use self::{
    announce::Announced,
    builder::Builder,
    finders::{FetchRecords, FilterQuery, IntoCollection},
    saving::Model,
    services::{FileSystem, LogAttrs, Logger, MailClient},
};
use crate::{
    command::Commands,
    cron::Pending,
    error::{Error, Result},
    migration::Migrations,
    plugin::{Natives, Registered},
    store::AppStore,
    web::Router,
};

/// The application. Cheap to clone; all clones are the same app.
///
/// A handle comes in three states, of one type, so that code need not care:
/// - built, but nothing opened yet: hooks, routes, commands and crons can be added, data cannot be reached;
/// - bootstrapped ([`App::bootstrap`], which [`App::start`] does by itself);
/// - inside a transaction: the handle that [`App::run_in_transaction`] and events of hooks give.
///
/// ```
/// # use pocketbase::testing::TestApp;
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let test = TestApp::new().await?;
/// let app = test.app();
/// assert!(!app.is_transactional());
/// let (inside, name) = app
///     .run_in_transaction(|tx| async move {
///         Ok((tx.is_transactional(), tx.find_collection("users").await?.name()))
///     })
///     .await?;
/// assert!(inside && name == "users");
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct App {
    pub(crate) shared: Arc<Shared>,
    ctx: Option<Ctx>,
    /// The open transaction of the database with the logs.
    aux: Option<engine::store::Tx>,
}

/// What all handles of one app share.
pub(crate) struct Shared {
    pub(crate) settings: Setting,
    pub(crate) hooks: Arc<Hooks>,
    pub(crate) router: Router,
    pub(crate) crons: Mutex<Vec<Pending>>,
    pub(crate) commands: Commands,
    pub(crate) store: AppStore,
    pub(crate) migrations: Migrations,
    pub(crate) natives: Natives,
    pub(crate) announcements: Announcements,
    pub(crate) registered: Mutex<Registered>,
    /// The opened engine. Replaced when a restored backup is opened in the same process.
    engine: RwLock<Option<engine::App>>,
    /// Only one at a time opens it.
    opening: tokio::sync::Mutex<()>,
    /// Everything that opening does is done.
    is_ready: AtomicBool,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("bootstrapped", &self.is_bootstrapped())
            .field("transactional", &self.is_transactional())
            .finish_non_exhaustive()
    }
}

impl App {
    /// An app with the defaults: `pb_data` beside the executable, SQLite.
    ///
    /// # Panics
    /// Never: only plugins can make [`Builder::build`] fail.
    #[must_use]
    pub fn new() -> Self {
        Self::of(Shared::new(Setting::default()))
    }

    /// Starts building an app.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn of(shared: Shared) -> Self {
        let app = Self { shared: Arc::new(shared), ctx: None, aux: None };
        app.shared.router.belongs_to(&app);
        builder::adopt_at_bootstrap(&app);
        app
    }

    /// Opens the data directory, brings the system tables up to date and runs `on_bootstrap`. Does nothing when it is
    /// open. Migrations of the app itself are applied by `serve` and `migrate up`, or [`Migrations::up`].
    ///
    /// # Errors
    /// A directory or database that cannot be opened, undecryptable settings, what hooks and plugins report.
    pub async fn bootstrap(&self) -> Result<()> {
        // handlers of on_bootstrap come here while it is being opened
        if self.is_open() {
            return Ok(());
        }
        self.prepare().await?;
        let _turn = self.shared.opening.lock().await;
        if self.is_open() {
            return Ok(());
        }
        let config = self.shared.settings.config()?;
        let opened = Box::pin(engine::App::bootstrap(config, self.shared.hooks.clone())).await;
        if let Err(error) = opened {
            self.shared.engine.write().take();
            self.shared.is_ready.store(false, Ordering::Release);
            return Err(error.into());
        }
        Ok(())
    }

    /// Lets plugins do what they do when the flags are known: once.
    pub(crate) async fn prepare(&self) -> Result<()> {
        let work = std::mem::take(&mut self.shared.registered.lock().prepare);
        for prepare in work {
            prepare(self).await?;
        }
        Ok(())
    }

    /// Takes over the engine: the first thing in the bootstrap chain, so that handlers may use the app.
    pub(crate) async fn adopt(&self, engine: &engine::App) -> Result<()> {
        let pending: Vec<Pending> = self.shared.crons.lock().clone();
        for job in &pending {
            job.add_to(engine, &Arc::downgrade(&self.shared))?;
        }
        *self.shared.engine.write() = Some(engine.clone());
        self.hear_announcements(engine);
        crate::plugin::make_tables(self).await
    }

    /// Ends everything: runs `on_terminate`, flushes and closes the databases. [`App::start`] and [`App::serve`] do it by
    /// themselves.
    ///
    /// # Errors
    /// What hooks report; everything is closed nevertheless.
    pub async fn shutdown(&self) -> Result<()> {
        self.close(false).await
    }

    /// Asks the server to end and to begin again, in this process or as a fresh image of it with the same id.
    ///
    /// # Errors
    /// Before [`App::bootstrap`].
    pub fn restart(&self) -> Result<()> {
        self.engine()?.backups().request_restart();
        Ok(())
    }

    pub(crate) async fn close(&self, is_restart: bool) -> Result<()> {
        let engine = self.shared.engine.write().take();
        if let Some(engine) = engine {
            // handlers of on_terminate may use the app
            *self.shared.engine.write() = Some(engine.clone());
            let done = engine.shutdown(is_restart).await;
            self.shared.engine.write().take();
            self.shared.is_ready.store(false, Ordering::Release);
            done?;
        }
        Ok(())
    }

    /// True once it is bootstrapped. In handlers of `on_bootstrap` that is after `next()`, though data can be used before.
    #[must_use]
    pub fn is_bootstrapped(&self) -> bool {
        self.shared.is_ready.load(Ordering::Acquire)
    }
    pub(crate) fn bootstrapped(&self) {
        self.shared.is_ready.store(true, Ordering::Release);
    }
    fn is_open(&self) -> bool {
        self.shared.engine.read().is_some()
    }
    /// True inside a transaction.
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.in_data_transaction() || self.aux.is_some()
    }
    /// True inside a transaction of the database with the records.
    #[must_use]
    pub fn in_data_transaction(&self) -> bool {
        self.ctx.as_ref().is_some_and(Ctx::in_transaction)
    }
    pub(crate) fn aux_tx(&self) -> Option<&engine::store::Tx> {
        self.aux.as_ref()
    }
    /// True if it was started with `--dev` or [`Builder::dev`].
    #[must_use]
    pub fn is_dev(&self) -> bool {
        self.shared.settings.is_dev()
    }
    /// The data directory.
    #[must_use]
    pub fn data_dir(&self) -> std::path::PathBuf {
        self.shared.settings.data_dir()
    }

    /// Where hook files are looked for: `pb_hooks` beside the data directory unless the command line or code says otherwise.
    #[must_use]
    pub fn hooks_dir(&self) -> std::path::PathBuf {
        let given = self.shared.settings.get();
        given.hooks_dir.unwrap_or_else(|| beside(&given.engine.data_dir, "pb_hooks"))
    }
    /// Where migration files are: `pb_migrations` beside the data directory unless the command line or code says otherwise.
    #[must_use]
    pub fn migrations_dir(&self) -> std::path::PathBuf {
        let given = self.shared.settings.get();
        given.migrations_dir.unwrap_or_else(|| beside(&given.engine.data_dir, "pb_migrations"))
    }

    /// The engine, for what this crate has no words for yet. Its API follows its own needs and changes with them.
    ///
    /// # Errors
    /// Before [`App::bootstrap`].
    pub fn engine(&self) -> Result<engine::App> {
        match &self.ctx {
            Some(ctx) => Ok(ctx.app.clone()),
            None => self.shared.engine.read().clone().ok_or_else(closed),
        }
    }

    /// What operations of code run in: nobody asks, no rule applies.
    ///
    /// # Errors
    /// Before [`App::bootstrap`].
    pub fn ctx(&self) -> Result<Ctx> {
        match &self.ctx {
            Some(ctx) if ctx.in_transaction() => Ok(ctx.clone()),
            // an app is kept for long: each of its operations sees the collections as they are then
            Some(ctx) => Ok(Ctx::system(&ctx.app)),
            None => Ok(Ctx::system(&self.engine()?)),
        }
    }

    /// The same app, in whose operations no handler of a hook takes part: not around what it saves, deletes or sends, nor
    /// after it. What the server does by itself (validation, files, cascades, realtime) happens all the same.
    ///
    /// ```
    /// # use pocketbase::{Collection, Error, Field, Record, testing::TestApp};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let test = TestApp::new().await?;
    /// # let app = test.app();
    /// app.on_record_create("posts").bind(|_| async { Err(Error::other("closed for today")) });
    /// let posts = Collection::base("posts").field(Field::text("title").required(true));
    /// app.save(&posts).await?;
    ///
    /// let post = Record::new(&posts);
    /// assert!(app.save(post.set("title", "x")).await.is_err());
    /// app.without_hooks()?.save(&post).await?;
    /// # Ok::<(), pocketbase::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// Before [`App::bootstrap`].
    pub fn without_hooks(&self) -> Result<Self> {
        let mut ctx = self.ctx()?;
        ctx.app = ctx.app.without_hooks();
        Ok(Self { shared: self.shared.clone(), ctx: Some(ctx), aux: self.aux.clone() })
    }

    /// The same app, acting in an engine's context: its transaction, but nobody's rights.
    pub(crate) fn acting_in(&self, ctx: &Ctx) -> Self {
        let acting = if ctx.in_transaction() {
            let mut acting = ctx.clone();
            acting.caller = Caller::Guest;
            acting.request = None;
            acting
        } else {
            Ctx::system(&ctx.app)
        };
        Self { shared: self.shared.clone(), ctx: Some(acting), aux: self.aux.clone() }
    }

    /// The app behind a weak reference, acting with an engine.
    pub(crate) fn upgrade(shared: &Weak<Shared>) -> Result<Self> {
        let shared = shared.upgrade().ok_or_else(closed)?;
        Ok(Self { shared, ctx: None, aux: None })
    }

    /// Runs work in a transaction: `Ok` commits, `Err`, a panic or dropping the future rolls back. Inside one it joins
    /// the open transaction.
    ///
    /// Everything in it must go through the given app. Writing with the outer one is an error (`the database is held by an
    /// open transaction`), not a deadlock.
    ///
    /// # Errors
    /// What the work returns or the commit fails with. After hooks run after the commit; what they fail with is returned,
    /// too, though everything is committed by then.
    pub async fn run_in_transaction<T, F, Fut>(&self, work: F) -> Result<T>
    where
        F: FnOnce(Self) -> Fut + Send,
        Fut: Future<Output = Result<T>> + Send,
        T: Send,
    {
        let (ctx, app) = (self.ctx()?, self.clone());
        // in boxes: a future holds what it awaits, and transactions nest
        let done = ctx.run_in_transaction(|ctx| {
            let app = app.acting_in(&ctx);
            Box::pin(async move {
                let work = async move { work(app).await };
                Ok(caught("a transaction", work).await?)
            })
        });
        Ok(Box::pin(done).await?)
    }

    /// Runs work in a transaction of the database with the logs ([`App::aux_db`]), as [`App::run_in_transaction`] does with
    /// the records. Records and collections are not part of it.
    ///
    /// # Errors
    /// What the work returns or the commit fails with.
    pub async fn aux_run_in_transaction<T, F, Fut>(&self, work: F) -> Result<T>
    where
        F: FnOnce(Self) -> Fut + Send,
        Fut: Future<Output = Result<T>> + Send,
        T: Send,
    {
        if self.aux.is_some() {
            return work(self.clone()).await;
        }
        let engine = self.engine()?;
        let tx = engine.store().aux().begin_within(engine.config().query_timeout).await?;
        let app = Self { aux: Some(tx.clone()), ..self.clone() };
        let work = caught("a transaction", async move { work(app).await });
        match Box::pin(tx.scope(work)).await {
            Ok(done) => {
                tx.commit().await?;
                Ok(done)
            }
            Err(error) => {
                tx.rollback().await;
                Err(error)
            }
        }
    }

    /// Runs work when the outermost transaction has ended, with what it ended with; at once outside of one. Work that was
    /// asked for earlier runs earlier.
    ///
    /// # Errors
    /// Outside of a transaction: what the work returns. Otherwise whoever began the transaction gets it.
    pub async fn after_transaction<F, Fut>(&self, work: F) -> Result<()>
    where
        F: FnOnce(Self, Result<()>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let (own, app) = (self.ctx()?, self.clone());
        let queued = own.after(move |ctx, outcome| async move {
            let outcome = outcome.map_err(|error| Error::from(error.duplicate()));
            let work = async move { work(app.acting_in(&ctx), outcome).await };
            Ok(caught("work after a transaction", work).await?)
        });
        queued.await?;
        Ok(())
    }

    /// Encrypts and decrypts with the master key (`PB_MASTER_KEY`); without one it is disabled.
    ///
    /// ```
    /// # fn main() -> pocketbase::Result<()> {
    /// let app = pocketbase::App::builder().master_key("00".repeat(32))?.build()?;
    /// let sealed = app.crypto().encrypt("geheim")?;
    /// assert_eq!(app.crypto().decrypt(&sealed)?, "geheim");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn crypto(&self) -> Arc<crate::crypto::Keyring> {
        self.shared.settings.get().engine.keys
    }

    /// Values that live as long as the process, shared by hooks, routes, jobs and scripts.
    #[must_use]
    pub fn store(&self) -> &AppStore {
        &self.shared.store
    }

    /// The app's migrations in Rust.
    #[must_use]
    pub fn migrations(&self) -> &Migrations {
        &self.shared.migrations
    }

    /// Functions that plugins offer to scripts.
    #[must_use]
    pub fn natives(&self) -> &Natives {
        &self.shared.natives
    }

    /// The routes and middlewares of the app. Those that are added before [`App::serve`] count; `on_serve` gives it, too.
    #[must_use]
    pub fn router(&self) -> Router {
        self.shared.router.clone()
    }

    /// Number of bound handlers per hook, by the reference's name without `on` (`RecordCreate`); hooks without are left
    /// out.
    #[must_use]
    pub fn bound_hooks(&self) -> BTreeMap<&'static str, usize> {
        crate::hooks::bound(&self.shared.hooks)
    }
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    pub(crate) fn new(settings: Setting) -> Self {
        Self {
            settings,
            hooks: Arc::default(),
            router: Router::default(),
            crons: Mutex::default(),
            commands: Commands::default(),
            store: AppStore::default(),
            migrations: Migrations::default(),
            natives: Natives::default(),
            announcements: Announcements::default(),
            registered: Mutex::default(),
            engine: RwLock::default(),
            opening: tokio::sync::Mutex::default(),
            is_ready: AtomicBool::new(false),
        }
    }
}

/// Runs code of users; a panic becomes an error that names it.
pub(crate) async fn caught<T>(what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    use futures_util::FutureExt as _;
    match std::panic::AssertUnwindSafe(work).catch_unwind().await {
        Ok(done) => done,
        Err(panic) => {
            let error = Error::panicked(what, &*panic);
            tracing::error!(%error, "caught");
            Err(error)
        }
    }
}

fn beside(dir: &std::path::Path, name: &str) -> std::path::PathBuf {
    dir.parent().map_or_else(|| std::path::PathBuf::from("..").join(name), |up| up.join(name))
}

fn closed() -> Error {
    Error::other("the app is not bootstrapped: call bootstrap() or start() first")
}
