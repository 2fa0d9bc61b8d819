//! The application: a handle to its services, what operations are given ([`ctx`]), and the values that events carry.
//!
//! The lowest room of the engine's operations: everything above registers what it keeps ([`Parts`]) when an app is put
//! together (`crate::start`). Must not know any of them, nor HTTP.

mod client;
mod collection_ref;
mod config;
pub mod ctx;
pub mod event;
mod known_auth;
pub mod life;
mod parts;
mod recheck;
pub mod record;
mod topic;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use arc_swap::{ArcSwap, Guard};
use dialects::Dialect;
use files::{Files, Thumbs};
use primitives::password::{self, Unhashable};

pub use client::{Client, Ended, Message};
pub(crate) use client::{Keeper, Pushed};
pub use collection_ref::CollectionRef;
pub use config::{Config, OnDemand};
pub use known_auth::Found;
pub use parts::{Listener, Parts};
pub use topic::Topic;

use crate::{
    Result,
    hook::BoxFutureRef,
    lanes::Lane,
    log::Log,
    outbound,
    schema::{Loaded, Snapshot},
    settings::Settings,
    store::{Db, Store},
};
use ctx::Ctx;
use event::{Action, Hooks};
use known_auth::{AuthCache, MAX_TOKEN, Ticket};
use record::{Record, RecordRef};

/// Sees changes of records after they are final (realtime). Asked before any work is done for it.
pub trait Observer: Send + Sync {
    /// True if somebody listens to a collection.
    fn wants(&self, collection: &Loaded) -> bool;
    /// A record is about to be deleted: the last moment to see it and what it refers to.
    fn deleting<'a>(&'a self, ctx: &'a Ctx, record: &'a RecordRef) -> BoxFutureRef<'a, ()>;
    /// A deletion announced by [`Observer::deleting`] did not happen.
    fn delete_failed(&self, record: &RecordRef);
    /// True if somebody wants to know of records of a collection that an update takes out of sight.
    fn wants_old(&self, collection: &Loaded) -> bool;
    /// A record was created, updated or deleted.
    fn changed<'a>(
        &'a self,
        ctx: &'a Ctx,
        record: &'a RecordRef,
        action: Action,
        write: Write,
    ) -> BoxFutureRef<'a, ()>;
}

/// What there is to know of a write besides the record.
#[derive(Debug, Clone, Default)]
pub struct Write {
    /// What an update found, if that is wanted and was there before the transaction.
    pub old: Option<Arc<Record>>,
    /// The transaction wrote the record several times: its row is what the last time left.
    pub is_one_of_several: bool,
}

/// The application. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>, Reach);

/// Whose handlers run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    All,
    Nobody,
}

struct Inner {
    config: Config,
    store: Store,
    snapshot: ArcSwap<Snapshot>,
    settings: ArcSwap<Settings>,
    hooks: Arc<Hooks>,
    /// What nobody is bound to.
    unbound: Hooks,
    passwords: Lane,
    files: Files,
    thumbs: Thumbs,
    log: Log,
    outbound: outbound::Client,
    auth: AuthCache,
    observer: OnceLock<Box<dyn Observer>>,
    /// Only one at a time reads the collections: the last to read is the last to set.
    reading: tokio::sync::Mutex<()>,
    parts: Parts,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("data_dir", &self.0.config.data_dir).finish_non_exhaustive()
    }
}

impl App {
    /// An app over open databases, before anything runs.
    pub(crate) fn assemble(
        config: Config,
        (store, snapshot): (Store, Snapshot),
        log: Log,
        hooks: Arc<Hooks>,
        parts: Parts,
    ) -> Self {
        let inner = Inner {
            unbound: Hooks::default(),
            files: Files::new(&config.data_dir),
            outbound: outbound::Client::new(config.outbound.clone()),
            thumbs: Thumbs::new(config.thumbs),
            config,
            store,
            snapshot: ArcSwap::from_pointee(snapshot),
            settings: ArcSwap::default(),
            hooks,
            passwords: Lane::passwords(),
            log,
            auth: AuthCache::default(),
            observer: OnceLock::new(),
            reading: tokio::sync::Mutex::default(),
            parts,
        };
        Self(Arc::new(inner), Reach::All)
    }

    /// What a room keeps in the app.
    ///
    /// # Panics
    /// When it was not put in: a mistake of `crate::start`.
    pub(crate) fn part<T: 'static>(&self) -> &T {
        self.find_part().expect("start puts in every part")
    }
    /// What a room may keep in the app.
    pub(crate) fn find_part<T: 'static>(&self) -> Option<&T> {
        self.0.parts.get()
    }

    /// Closes the services of the app itself.
    pub(crate) async fn close(&self) {
        self.0.log.close().await;
        self.0.passwords.close();
        self.0.thumbs.close();
        self.0.store.close();
    }

    /// How it was started.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }
    /// Encrypts and decrypts with the master key, if there is one.
    #[must_use]
    pub fn crypto(&self) -> &Arc<primitives::keyring::Keyring> {
        &self.0.config.keys
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
        for listener in &self.0.parts.schema {
            listener(self);
        }
    }
    /// Reads the collections again.
    ///
    /// # Errors
    /// Database errors.
    pub async fn reload_schema(&self) -> Result<()> {
        let _turn = self.0.reading.lock().await;
        self.set_schema(Snapshot::load(&self.db(), &self.0.config.keys).await?);
        Ok(())
    }
    /// Replaces the collections by those that a committed transaction has read. Where others write at the same time it
    /// may not have seen all of them: there they are read again.
    pub(crate) async fn settle_schema(&self, seen: Arc<Snapshot>) {
        if !self.dialect().has_one_writer() {
            match self.reload_schema().await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, "the collections could not be read again"),
            }
        }
        self.set_schema(seen);
    }
    /// The settings at this moment.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.0.settings.load_full()
    }
    /// Replaces the settings in memory; see `settings_ops` for changing them.
    pub(crate) fn set_settings(&self, settings: Settings) {
        self.0.files.configure(&settings);
        self.0.settings.store(Arc::new(settings));
    }
    /// Tells the rooms above that the settings were read.
    pub(crate) fn settings_were_read(&self) {
        for listener in &self.0.parts.settings {
            listener(self);
        }
    }
    /// All hooks, as this handle sees them.
    #[must_use]
    pub fn hooks(&self) -> &Hooks {
        if self.1 == Reach::All { &self.0.hooks } else { &self.0.unbound }
    }
    /// The same app, in whose operations no handler takes part.
    #[must_use]
    pub fn without_hooks(&self) -> Self {
        Self(self.0.clone(), Reach::Nobody)
    }
    /// The same app with all its handlers.
    #[must_use]
    pub(crate) fn with_hooks(&self) -> Self {
        Self(self.0.clone(), Reach::All)
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
    /// The HTTP client.
    #[must_use]
    pub fn outbound(&self) -> &outbound::Client {
        &self.0.outbound
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
    /// [`crate::Error::Busy`] when too many wait.
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
    /// [`crate::Error::Busy`] when too many wait.
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
    pub fn forget_all_auth(&self) {
        self.0.auth.clear();
    }
}
