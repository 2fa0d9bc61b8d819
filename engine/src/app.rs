//! The application: a handle to its services, and how they start and stop (spec server-settings §1.3).
//!
//! No behaviour of its own beyond that; operations are functions over `ctx::Ctx`.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use arc_swap::{ArcSwap, Guard};
use dialects::Dialect;
use quick_cache::sync::Cache;

use crate::{
    Error, Result,
    auth::{
        Found,
        password::{self, Scheme, Unhashable},
    },
    backup::{Backups, database, swap},
    cluster::{self, Node},
    crons::Crons,
    ctx::Ctx,
    event::{Action, AppEvent, Hooks, TerminateEvent},
    files::{Files, ThumbLimits, Thumbs},
    hook::BoxFutureRef,
    lanes::Lane,
    log::{Level, Log},
    mail::Mailer,
    oauth2, outbound,
    realtime::Broker,
    record::{Record, RecordRef, unread::Unread},
    rule::AstCache,
    schema::{Loaded, Snapshot, full_text, migrate},
    settings::Settings,
    settings_ops,
    store::{Db, Durability, Store, StoreConfig, Trace, postgres::PostgresConfig},
};

/// How long a shutdown waits for mails on their way.
const MAIL_DRAIN: Duration = Duration::from_secs(5);

/// How to start; nothing here is read from the environment.
#[derive(Clone)]
pub struct Config {
    /// `pb_data`.
    pub data_dir: PathBuf,
    /// The 32-character key that encrypts the settings, if one is configured.
    pub encryption_key: Option<String>,
    /// Name of the variable that holds the key, for messages.
    pub encryption_env: String,
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// How new passwords are hashed.
    pub password_hash: Scheme,
    /// PostgreSQL instead of `data.db` and `auxiliary.db`.
    pub postgres: Option<PostgresConfig>,
    /// `--dev`
    pub dev: bool,
    /// Longest time of a statement.
    pub query_timeout: Duration,
    /// How requests to other servers are made.
    pub outbound: outbound::Options,
    /// Seconds by which the clocks of identity providers may differ from ours.
    pub id_token_leeway: i64,
    /// Statement listener of `--dev`.
    pub trace: Option<Trace>,
    /// How much work thumbnails may be.
    pub thumbs: ThumbLimits,
    /// Returns free memory to the system; called after password hashes (19 MiB each) when no other waits.
    pub release_memory: Option<fn()>,
    /// PEM certificates to trust instead of Mozilla's when connecting to others (`SSL_CERT_FILE`).
    pub ca_file: Option<PathBuf>,
}

impl Config {
    /// The defaults for a data directory.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            encryption_key: None,
            encryption_env: String::new(),
            durability: Durability::default(),
            password_hash: Scheme::default(),
            postgres: None,
            dev: false,
            query_timeout: Duration::from_secs(30),
            outbound: outbound::Options::default(),
            id_token_leeway: 300,
            trace: None,
            thumbs: ThumbLimits::default(),
            release_memory: None,
            ca_file: None,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("data_dir", &self.data_dir)
            .field("dev", &self.dev)
            .finish_non_exhaustive()
    }
}

/// Sees changes of records after they are final (realtime). Asked before any work is done for it.
pub trait Observer: Send + Sync {
    /// True if somebody listens to a collection.
    fn wants(&self, collection: &Loaded) -> bool;
    /// A record is about to be deleted: the last moment to see it and what it refers to.
    fn deleting<'a>(&'a self, ctx: &'a Ctx, record: &'a RecordRef) -> BoxFutureRef<'a, ()>;
    /// A deletion announced by [`Observer::deleting`] did not happen.
    fn delete_failed(&self, record: &RecordRef);
    /// A record was created, updated or deleted.
    fn changed<'a>(
        &'a self,
        ctx: &'a Ctx,
        record: &'a RecordRef,
        action: Action,
    ) -> BoxFutureRef<'a, ()>;
}

/// The application. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    config: Config,
    store: Store,
    snapshot: ArcSwap<Snapshot>,
    settings: ArcSwap<Settings>,
    hooks: Hooks,
    passwords: Lane,
    files: Files,
    thumbs: Thumbs,
    log: Log,
    unread: Unread,
    crons: Crons,
    mailer: Mailer,
    outbound: outbound::Client,
    oauth2_names: oauth2::Names,
    backups: Backups,
    asts: AstCache,
    auth: AuthCache,
    observer: OnceLock<Box<dyn Observer>>,
    realtime: Broker,
    /// Only one at a time reads the collections: the last to read is the last to set.
    reading: tokio::sync::Mutex<()>,
    node: Option<Node>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("data_dir", &self.0.config.data_dir).finish_non_exhaustive()
    }
}

impl App {
    /// Opens the data directory and everything in it, then runs `OnBootstrap`.
    ///
    /// # Errors
    /// A directory or database that cannot be opened, a failed migration, undecryptable settings, a hook's error.
    pub async fn bootstrap(config: Config, hooks: Hooks) -> Result<Self> {
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
        let (store, snapshot) = match open(&config, recovery.is_trial()).await {
            Err(error) if recovery.undo(&dir, &error.to_string())? => open(&config, false).await?,
            opened => opened?,
        };
        let log = Log::start(store.aux().clone()).await.map_err(Error::Store)?;
        let node = store.data().cluster().map(Node::new);
        let app = Self(Arc::new(Inner {
            files: Files::new(&config.data_dir),
            oauth2_names: oauth2::Names::default(),
            outbound: outbound::Client::new(config.outbound.clone()),
            thumbs: Thumbs::new(config.thumbs),
            config,
            store,
            snapshot: ArcSwap::from_pointee(snapshot),
            settings: ArcSwap::default(),
            hooks,
            passwords: Lane::passwords(),
            log,
            unread: Unread::default(),
            crons: Crons::default(),
            mailer: Mailer::default(),
            backups: Backups::default(),
            asts: AstCache::default(),
            auth: AuthCache::default(),
            observer: OnceLock::new(),
            realtime: Broker::default(),
            reading: tokio::sync::Mutex::default(),
            node,
        }));
        app.observe(Box::new(app.realtime().clone()));
        settings_ops::reload(&app).await?;
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
    }

    /// Runs `OnTerminate`, then flushes and closes everything.
    ///
    /// # Errors
    /// A hook's error; everything is closed nevertheless.
    pub async fn shutdown(&self, is_restart: bool) -> Result<()> {
        let event = TerminateEvent { app: self.clone(), is_restart };
        let result = self.hooks().terminate.trigger(event, |_| std::future::ready(Ok(()))).await;
        self.0.crons.stop();
        if let Some(node) = &self.0.node {
            node.leave().await;
        }
        self.0.mailer.drain(MAIL_DRAIN).await;
        self.0.backups.close();
        self.0.realtime.close();
        self.0.log.close().await;
        self.0.passwords.close();
        self.0.thumbs.close();
        self.0.store.close();
        if is_restart {
            self.0.backups.apply(self);
        }
        result
    }

    /// How it was started.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }
    /// The databases.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }
    /// Autocommit access to `data.db`.
    #[must_use]
    pub fn db(&self) -> Db {
        Db::Pool(self.0.store.data().clone())
    }
    /// Which SQL the store speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.0.store.data().dialect()
    }
    /// The collections at this moment. Hold it only for a short time; [`App::schema`] to keep it.
    #[must_use]
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.0.snapshot.load()
    }
    /// The collections at this moment, to keep.
    #[must_use]
    pub fn schema(&self) -> Arc<Snapshot> {
        self.0.snapshot.load_full()
    }
    /// Replaces the collections: after a committed change of the schema.
    pub fn set_schema(&self, snapshot: impl Into<Arc<Snapshot>>) {
        let snapshot = snapshot.into();
        // Two changes may arrive in the wrong order: the one that was read last wins.
        self.0.snapshot.rcu(|now| {
            if now.version() > snapshot.version() { now.clone() } else { snapshot.clone() }
        });
        self.0.store.data().bump();
        self.0.auth.clear();
        self.0.realtime.schema_changed(&self.snapshot());
    }
    /// Reads the collections again.
    ///
    /// # Errors
    /// Database errors.
    pub async fn reload_schema(&self) -> Result<()> {
        let _turn = self.0.reading.lock().await;
        self.set_schema(Snapshot::load(&self.db()).await?);
        Ok(())
    }
    /// Replaces the collections by those that a committed transaction has read. Where others write at the same time it
    /// may not have seen all of them: there they are read again.
    pub(crate) async fn settle_schema(&self, seen: Arc<Snapshot>) {
        if self.dialect() == Dialect::Postgres {
            match self.reload_schema().await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, "the collections could not be read again"),
            }
        }
        self.set_schema(seen);
    }
    /// This node among others; `None` where there cannot be others.
    pub(crate) fn node(&self) -> Option<&Node> {
        self.0.node.as_ref()
    }
    /// The settings at this moment.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.0.settings.load_full()
    }
    /// Replaces the settings in memory; see [`settings_ops`] for changing them.
    pub(crate) fn set_settings(&self, settings: Settings) {
        self.0.files.configure(&settings);
        self.0.settings.store(Arc::new(settings));
    }
    /// All hooks.
    #[must_use]
    pub fn hooks(&self) -> &Hooks {
        &self.0.hooks
    }
    /// Where files of records and backups are kept.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.0.files
    }
    /// Thumbnails of record files.
    #[must_use]
    pub fn thumbs(&self) -> &Thumbs {
        &self.0.thumbs
    }
    /// The activity log.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.0.log
    }
    /// Submitted values that were not understood.
    pub(crate) fn unread(&self) -> &Unread {
        &self.0.unread
    }
    /// The jobs that run at times.
    #[must_use]
    pub fn crons(&self) -> &Crons {
        &self.0.crons
    }
    /// What is kept for mails; see [`crate::mail`].
    #[must_use]
    pub fn mailer(&self) -> &Mailer {
        &self.0.mailer
    }
    /// Names that came with an OAuth2 redirect.
    #[must_use]
    pub fn oauth2_names(&self) -> &oauth2::Names {
        &self.0.oauth2_names
    }
    /// The HTTP client.
    #[must_use]
    pub fn outbound(&self) -> &outbound::Client {
        &self.0.outbound
    }
    /// What is known about backups: the one in work, the restart that completes a restore.
    #[must_use]
    pub fn backups(&self) -> &Backups {
        &self.0.backups
    }
    pub(crate) fn asts(&self) -> &AstCache {
        &self.0.asts
    }

    /// Connected realtime clients, to send messages of one's own.
    #[must_use]
    pub fn realtime(&self) -> &Broker {
        &self.0.realtime
    }

    /// Sets who sees changes of records; only the first call counts.
    pub(crate) fn observe(&self, observer: Box<dyn Observer>) {
        let _ = self.0.observer.set(observer);
    }
    pub(crate) fn observer(&self) -> Option<&dyn Observer> {
        self.0.observer.get().map(Box::as_ref)
    }

    /// Hashes a password on its lane.
    ///
    /// # Errors
    /// [`Error::Busy`] when too many wait.
    pub async fn hash_password(
        &self,
        plain: String,
        cost: u32,
    ) -> Result<std::result::Result<String, Unhashable>> {
        let scheme = self.0.config.password_hash;
        self.on_password_lane(move || password::hash(scheme, &plain, cost)).await
    }
    /// Verifies a password on its lane.
    ///
    /// # Errors
    /// [`Error::Busy`] when too many wait.
    pub async fn verify_password(&self, plain: String, hash: String) -> Result<bool> {
        self.on_password_lane(move || password::verify(&plain, &hash)).await
    }
    /// Runs a hash; the last of a burst gives the memory of all back.
    async fn on_password_lane<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let (lane, release) = (self.0.passwords.clone(), self.0.config.release_memory);
        let work = move || {
            let out = work();
            if let Some(release) = release.filter(|_| !lane.has_waiting()) {
                release();
            }
            out
        };
        Ok(self.0.passwords.run(work).await?)
    }

    /// Password hashes that wait for a thread.
    #[must_use]
    pub fn waiting_passwords(&self) -> usize {
        self.0.passwords.waiting()
    }

    /// A cached auth record, if nothing has changed since.
    pub(crate) fn known_auth(&self, collection: &Arc<Loaded>, id: &str) -> Option<Arc<Record>> {
        self.0.auth.get(self.0.store.data().foreign_version(), collection, id)
    }
    pub(crate) fn remember_auth(&self, record: &Arc<Record>, ticket: Ticket) {
        self.0.auth.put(record, ticket);
    }
    /// A token whose signature was checked before, if its record and collection are still the same.
    pub(crate) fn known_token(&self, text: &str) -> Option<Found> {
        let found = self.0.auth.tokens.get(text)?;
        let collection = found.record.collection();
        let current = self.snapshot().by_id(&collection.id).cloned()?;
        let record = self.known_auth(&current, found.record.id())?;
        Arc::ptr_eq(&record, &found.record).then_some(found)
    }
    pub(crate) fn remember_token(&self, text: &str, found: &Found) {
        if text.len() <= MAX_TOKEN {
            self.0.auth.tokens.insert(text.into(), found.clone());
        }
    }
    /// What [`App::remember_auth`] wants to have been taken before the read.
    pub(crate) fn auth_ticket(&self) -> Ticket {
        self.0.auth.ticket(self.0.store.data().foreign_version())
    }
    /// An auth record was written or deleted.
    pub(crate) fn forget_auth(&self, collection_id: &str, id: &str) {
        self.0.auth.forget(collection_id, id);
    }
    /// Anything may have been written (raw SQL).
    pub(crate) fn forget_all_auth(&self) {
        self.0.auth.clear();
    }
}

/// Opens the databases; on restored data also makes sure that the settings can be read.
async fn open(config: &Config, is_trial: bool) -> Result<(Store, Snapshot)> {
    let mut store_config = StoreConfig::new(&config.data_dir);
    store_config.durability = config.durability;
    store_config.query_timeout = config.query_timeout;
    store_config.trace.clone_from(&config.trace);
    store_config.postgres.clone_from(&config.postgres);
    let store = Store::connect(&store_config).await.map_err(Error::Store)?;
    migrate::run(&store).await?;
    let db = Db::Pool(store.data().clone());
    let snapshot = Snapshot::load(&db).await?;
    full_text::settle(&store, &snapshot).await?;
    if is_trial {
        settings_ops::check(&db, config).await?;
    }
    Ok((store, snapshot))
}

/// Makes sure that the SQLite databases of a directory could be served; migrates them.
pub(crate) async fn try_files(config: &Config, dir: &std::path::Path) -> Result<()> {
    let config = Config { data_dir: dir.to_owned(), postgres: None, ..config.clone() };
    let (store, _) = open(&config, true).await?;
    tokio::task::spawn_blocking(move || store.close()).await.map_err(|_| Error::Busy)
}

/// Longer tokens are checked each time.
const MAX_TOKEN: usize = 1024;

/// Auth records by collection and id: the database answer to "whose token is this". Writes through the engine remove
/// entries, foreign writes are noticed by the database's version.
struct AuthCache {
    records: Cache<(String, String), (Arc<Record>, Ticket)>,
    /// Tokens that were found to be signed, with the record object whose key signed them. Worth nothing without it.
    tokens: Cache<Box<str>, Found>,
    /// Counts removals, so that a record read before a write is not put back after it.
    epoch: std::sync::atomic::AtomicU64,
}

/// The state of the world before a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    epoch: u64,
    foreign: i64,
}

impl Default for AuthCache {
    fn default() -> Self {
        Self { records: Cache::new(4096), tokens: Cache::new(4096), epoch: Default::default() }
    }
}

impl AuthCache {
    fn ticket(&self, foreign: i64) -> Ticket {
        Ticket { epoch: self.epoch.load(std::sync::atomic::Ordering::Acquire), foreign }
    }
    fn get(&self, foreign: i64, collection: &Arc<Loaded>, id: &str) -> Option<Arc<Record>> {
        let (record, ticket) = self.records.get(&AuthKey(&collection.id, id))?;
        (ticket.foreign == foreign && Arc::ptr_eq(record.collection(), collection))
            .then_some(record)
    }
    fn put(&self, record: &Arc<Record>, ticket: Ticket) {
        if self.epoch.load(std::sync::atomic::Ordering::Acquire) == ticket.epoch {
            let key = (record.collection().id.clone(), record.id().to_owned());
            self.records.insert(key, (record.clone(), ticket));
        }
    }
    fn forget(&self, collection_id: &str, id: &str) {
        self.epoch.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        self.records.remove(&AuthKey(collection_id, id));
    }
    fn clear(&self) {
        self.epoch.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        self.records.clear();
        self.tokens.clear();
    }
}

/// A borrowed key.
#[derive(Hash, PartialEq, Eq)]
struct AuthKey<'a>(&'a str, &'a str);

impl quick_cache::Equivalent<(String, String)> for AuthKey<'_> {
    fn equivalent(&self, key: &(String, String)) -> bool {
        self.0 == key.0 && self.1 == key.1
    }
}
