//! Backups: zip files of the data directory, made while the server works, and their restoration
//! (spec server-settings-operations §4).
//!
//! | what | file |
//! |---|---|
//! | making one | `create` |
//! | making them at times, keeping the newest | `auto` |
//! | the databases where PostgreSQL is served from | `database` |
//! | directory to zip, zip to directory | `archive`, `extract` |
//! | checking one and putting it in place | `restore` |
//! | exchanging the data directory's content so that it can be undone | `swap` |
//!
//! Must not know requests. One backup or restore at a time, over all nodes of a database.

mod archive;
pub(crate) mod auto;
mod create;
pub(crate) mod database;
mod extract;
mod restore;
mod scratch;
pub(crate) mod swap;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::watch;

pub use create::create;
pub use restore::restore;

use crate::{App, Error, Result, files, store::postgres::BackupLock};

/// What a second backup or restore is refused with.
pub const BUSY: &str =
    "try again later - another backup/restore operation has already been started";

pub(crate) use transfer::TEMP;

/// What Litestream keeps beside the databases that it replicates.
const REPLICATION: [&str; 2] = [".data.db-litestream", ".auxiliary.db-litestream"];
/// Entries of the data directory that no backup holds, unless a hook wants them.
const NOT_SAVED: [&str; 5] = ["backups", TEMP, ".notify", ".autocert_cache", "lost+found"];
/// Entries of the data directory that a restore leaves alone.
const NEVER_REPLACED: [&str; 6] =
    ["backups", TEMP, ".autocert_cache", "lost+found", REPLICATION[0], REPLICATION[1]];

/// A backup file as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Last modification, milliseconds since the epoch.
    pub modified_ms: i64,
}

impl App {
    /// What is known about backups: the one in work, the restart that completes a restore.
    #[must_use]
    pub fn backups(&self) -> &Backups {
        self.part()
    }
}

/// What the app knows about backups: which one is being worked on, and whether a restart was asked for.
#[derive(Debug)]
pub struct Backups {
    active: Arc<Mutex<Option<String>>>,
    stop: Arc<AtomicBool>,
    pending: Mutex<Option<swap::Swap>>,
    /// What keeps other nodes from beginning until this app has ended.
    kept: Mutex<Option<BackupLock>>,
    restart: watch::Sender<bool>,
}

impl Default for Backups {
    fn default() -> Self {
        Self {
            active: Arc::default(),
            stop: Arc::default(),
            pending: Mutex::default(),
            kept: Mutex::default(),
            restart: watch::Sender::new(false),
        }
    }
}

/// The right to work on a backup; ends with the value.
#[derive(Debug)]
struct Turn {
    active: Arc<Mutex<Option<String>>>,
    keep: bool,
    /// The same right over all nodes.
    lock: Option<BackupLock>,
}

impl Turn {
    /// Nothing else may begin until the app has ended.
    fn keep(mut self, backups: &Backups) {
        self.keep = true;
        *backups.kept.lock() = self.lock.take();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.keep {
            *self.active.lock() = None;
        }
    }
}

impl Backups {
    /// Name of the backup that is being made or restored; may be empty.
    #[must_use]
    pub fn active(&self) -> Option<String> {
        self.active.lock().clone()
    }

    /// True if one is being made or restored, here or on another node.
    ///
    /// # Errors
    /// Database errors.
    pub async fn are_busy(&self, app: &App) -> Result<bool> {
        if self.active().is_some() {
            return Ok(true);
        }
        match app.config().postgres {
            Some(_) => Ok(BackupLock::is_taken(app.store().data()).await?),
            None => Ok(false),
        }
    }

    async fn begin(&self, app: &App, name: &str) -> Result<Turn> {
        let mut turn = self.begin_here(name)?;
        if let Some(postgres) = &app.config().postgres {
            let lock = BackupLock::attempt(&postgres.dsn).await?;
            turn.lock = Some(lock.ok_or_else(|| Error::Message(BUSY.into()))?);
        }
        Ok(turn)
    }

    fn begin_here(&self, name: &str) -> Result<Turn> {
        let mut active = self.active.lock();
        if active.is_some() || self.stop.load(Relaxed) {
            return Err(Error::Message(BUSY.into()));
        }
        *active = Some(name.to_owned());
        Ok(Turn { active: self.active.clone(), keep: false, lock: None })
    }

    /// Stops what is being made: the app closes.
    pub(crate) fn close(&self) {
        self.stop.store(true, Relaxed);
    }

    fn is_closing(&self) -> bool {
        self.stop.load(Relaxed)
    }

    fn pace(&self) -> Pace {
        Pace { last: Instant::now(), stop: self.stop.clone() }
    }

    /// Asks whoever serves the app to end and start it again.
    pub fn request_restart(&self) {
        self.restart.send_replace(true);
    }

    /// Waits until somebody wants a restart.
    pub async fn restart_requested(&self) {
        let mut wanted = self.restart.subscribe();
        // The sender lives as long as the app.
        if wanted.wait_for(|wanted| *wanted).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Puts a checked backup in place, after the databases were closed and before the start.
    pub(crate) fn apply(&self, app: &App) {
        // The start takes it again.
        self.kept.lock().take();
        let Some(pending) = self.pending.lock().take() else { return };
        if let Err(error) = pending.apply(&app.config().data_dir) {
            tracing::error!(%error, "failed to restore backup");
        }
    }
}

/// Longest pause after a piece of work.
const MAX_PAUSE: Duration = Duration::from_millis(50);

/// Works half of the time, in small pieces, so that requests keep their turn on few cores.
#[derive(Debug)]
struct Pace {
    last: Instant,
    stop: Arc<AtomicBool>,
}

impl Pace {
    /// To be called after every small piece of work; false when it must end.
    fn step(&mut self) -> bool {
        let worked = self.last.elapsed();
        if worked > Duration::from_micros(200) {
            std::thread::sleep(worked.min(MAX_PAUSE));
            self.last = Instant::now();
        }
        !self.stop.load(Relaxed)
    }

    fn step_io(&mut self) -> io::Result<()> {
        if self.step() { Ok(()) } else { Err(io::Error::other("the server is shutting down")) }
    }
}

/// All backups in the order of their names.
///
/// # Errors
/// What the place of the backups says.
pub async fn list(app: &App) -> Result<Vec<Listed>> {
    let found = files::for_backups(app)?.list("").await?;
    Ok(found
        .into_iter()
        .map(|entry| Listed { key: entry.key, size: entry.size, modified_ms: entry.modified_ms })
        .collect())
}

/// True if there is a backup of this name.
///
/// # Errors
/// What the place of the backups says.
pub async fn exists(app: &App, name: &str) -> Result<bool> {
    Ok(files::for_backups(app)?.head(name).await?.is_some())
}

/// Stores an uploaded backup under the name its client gave it.
///
/// # Errors
/// What the place of the backups says.
pub async fn upload(app: &App, upload: &files::Upload) -> Result<()> {
    let place = files::for_backups(app)?;
    Ok(place.put(upload.original_name(), upload.labels(), upload.source()).await?)
}

/// Removes a backup.
///
/// # Errors
/// [`Error::NotFound`], or what the place of the backups says.
pub async fn delete(app: &App, name: &str) -> Result<()> {
    let place = files::for_backups(app)?;
    if place.head(name).await?.is_none() {
        return Err(Error::NotFound);
    }
    Ok(place.delete(name).await?)
}

/// Runs blocking work on a thread of its own.
async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (reply, answer) = tokio::sync::oneshot::channel();
    let run = move || {
        // Whoever asked may be gone.
        let _ = reply.send(work());
    };
    std::thread::Builder::new().name("pb-backup".into()).spawn(run)?;
    answer.await.unwrap_or(Err(Error::Busy))
}

#[cfg(test)]
mod tests;
