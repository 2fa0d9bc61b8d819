//! Upkeep of one database file: checkpoints, `PRAGMA optimize`, vacuum, copies, noticing foreign writers.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::conn::{Conn, Role};
use super::read::Database;
use super::{Error, Result, Value};
use crate::lanes::Lane;

/// WAL frames written since the last checkpoint began that make the next one due.
const FRAMES: u32 = 1000;

/// Background checkpoints: a thread and a connection of their own, so that writers rarely pay for them.
///
/// Most pages are copied while writers go on. What they add meanwhile is copied while the writer is held for a moment;
/// only then can the WAL start again from its beginning instead of growing without end.
pub(super) struct Checkpoint {
    pub(super) lane: Lane,
    conn: Mutex<Option<Conn>>,
    queued: AtomicBool,
    /// Frames in the WAL when the last one began.
    frames: AtomicU32,
}

impl Checkpoint {
    pub(super) fn new() -> Self {
        Self {
            lane: Lane::new("pb-checkpoint", 1, 2),
            conn: Mutex::new(None),
            queued: AtomicBool::new(false),
            frames: AtomicU32::new(0),
        }
    }
    /// To be asked after a commit.
    pub(super) fn is_due(&self, frames: u32) -> bool {
        let last = self.frames.load(Relaxed);
        if frames < last {
            self.frames.store(0, Relaxed);
        }
        let due = frames >= if frames < last { FRAMES } else { last + FRAMES };
        if due {
            self.frames.store(frames, Relaxed);
        }
        due
    }
    pub(super) fn forget(&self) {
        drop(self.conn.lock().take());
    }
}

/// The last `data_version` seen and when.
#[derive(Default)]
pub(super) struct Foreign {
    version: AtomicI64,
    seen: AtomicU64,
    base: std::sync::OnceLock<Instant>,
}

/// How long an answer of [`Database::foreign_version`] may be old.
const FRESH: Duration = Duration::from_millis(20);

impl Database {
    /// `PRAGMA data_version` of the writer: changes when another process (not this one) has written to the file.
    /// The last known number while the writer is in use.
    ///
    /// # Errors
    /// What the driver says.
    pub fn data_version(&self) -> Result<i64> {
        let Some(mut held) = self.try_hold() else {
            return Ok(self.0.foreign.version.load(Relaxed));
        };
        let conn = held.conn()?;
        conn.guard.arm(0, None);
        let mut statement = conn.raw.prepare_cached("PRAGMA data_version")?;
        let version = statement.query_row([], |row| row.get(0))?;
        drop(statement);
        self.0.foreign.version.store(version, Relaxed);
        Ok(version)
    }

    /// As [`data_version`](Self::data_version), looking at the file at most every 20 ms: cheap enough for each request.
    #[must_use]
    pub fn foreign_version(&self) -> i64 {
        let foreign = &self.0.foreign;
        let now = foreign.base.get_or_init(Instant::now).elapsed();
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        let seen = foreign.seen.load(Relaxed);
        let due = seen == 0 || now.saturating_sub(seen) >= FRESH.as_millis() as u64;
        if due && foreign.seen.compare_exchange(seen, now, Relaxed, Relaxed).is_ok() {
            return self.data_version().unwrap_or_else(|_| foreign.version.load(Relaxed));
        }
        foreign.version.load(Relaxed)
    }

    /// `PRAGMA optimize` (after table syncs and daily, spec §1.2).
    ///
    /// # Errors
    /// What the driver says.
    pub async fn optimize(&self) -> Result<()> {
        self.alone(|conn| Ok(conn.raw.execute_batch("PRAGMA optimize")?)).await
    }

    /// `wal_checkpoint(TRUNCATE)` (daily, spec §1.2).
    ///
    /// # Errors
    /// What the driver says.
    pub async fn checkpoint_truncate(&self) -> Result<()> {
        let database = self.clone();
        self.alone(move |conn| {
            // SQLite does not wait for a checkpoint that is already running.
            let _background = database.0.checkpoint.conn.lock();
            Ok(conn.raw.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
        })
        .await
    }

    /// `wal_checkpoint(PASSIVE)` in the background, unless one is on its way.
    pub fn checkpoint_soon(&self) {
        if self.0.checkpoint.queued.swap(true, Relaxed) {
            return;
        }
        let database = self.clone();
        let submitted = self.0.checkpoint.lane.submit(move || {
            let own = &database.0.checkpoint;
            own.queued.store(false, Relaxed);
            if database.checkpoint_passive().is_ok() {
                database.0.count.checkpoints.fetch_add(1, Relaxed);
            }
        });
        if submitted.is_err() {
            self.0.checkpoint.queued.store(false, Relaxed);
        }
    }

    fn checkpoint_passive(&self) -> Result<()> {
        let mut conn = self.0.checkpoint.conn.lock();
        if conn.is_none() {
            *conn = Some(self.0.connect(Role::Reader)?);
        }
        let Some(conn) = conn.as_ref() else { return Ok(()) };
        let passive = || conn.raw.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        passive()?;
        if let Some(held) = self.hold_blocking(Duration::from_secs(1)) {
            passive()?;
            drop(held);
        }
        Ok(())
    }

    /// `VACUUM`.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn vacuum(&self) -> Result<()> {
        self.alone(|conn| Ok(conn.raw.execute_batch("VACUUM")?)).await
    }

    /// Writes a consistent, defragmented copy to `target`, which must not exist. Neither readers nor the writer wait.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn copy_into(&self, target: &Path) -> Result<()> {
        let (database, target) = (self.clone(), target.to_string_lossy().into_owned());
        let copy = move || {
            let conn = database.0.connect(Role::Writer)?;
            conn.execute("VACUUM INTO ?1", &[Value::Text(target.into())])?;
            Ok(())
        };
        tokio::task::spawn_blocking(copy).await.unwrap_or(Err(Error::Busy))
    }

    /// A pragma's first column as the writer sees it, for tests and diagnostics.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn writer_pragma(&self, name: &str) -> Result<String> {
        let text = format!("PRAGMA {name}");
        self.alone(move |conn| {
            let value = conn.raw.query_row(&text, [], |row| {
                Ok(super::ValueRef::from(row.get_ref(0)?).to_text().unwrap_or_default())
            })?;
            Ok(value)
        })
        .await
    }

    /// Runs `f` on the writer, outside of a transaction, on a blocking thread, without time limit.
    pub(super) async fn alone<R, F>(&self, f: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<R> + Send + 'static,
    {
        let mut held = self.hold(self.0.timeout).await?;
        let run = move || {
            let conn = held.conn()?;
            conn.guard.arm(0, None);
            f(conn)
        };
        tokio::task::spawn_blocking(run).await.unwrap_or(Err(Error::Busy))
    }
}
