//! Upkeep of one database file: checkpoints, `PRAGMA optimize`, vacuum, copies, noticing foreign writers.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;

use super::conn::{Conn, Role};
use super::read::Database;
use super::{Error, Result, Value};
use primitives::lanes::Lane;

/// Background checkpoints: a thread and a connection of their own, so that writers rarely pay for them.
///
/// Most pages are copied while writers go on. What they add meanwhile is copied while the writer is held for a moment;
/// only then can the WAL start again from its beginning instead of growing without end.
pub(super) struct Checkpoint {
    pub(super) lane: Lane,
    conn: Mutex<Option<Conn>>,
    queued: AtomicBool,
    /// WAL frames written since the last one began that make the next one due.
    every: u32,
    /// Frames in the WAL when the last one began.
    frames: AtomicU32,
}

impl Checkpoint {
    pub(super) fn new(every: u32) -> Self {
        Self {
            every,
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
        let due = frames >= if frames < last { self.every } else { last + self.every };
        if due {
            self.frames.store(frames, Relaxed);
        }
        due
    }
    pub(super) fn forget(&self) {
        drop(self.conn.lock().take());
    }
}

/// Tells the commits of other processes from our own.
///
/// A connection of its own sees that anybody committed, without waiting for the writer; only then the writer is asked
/// whether it was somebody else.
#[derive(Default)]
pub(super) struct Foreign(Mutex<Watch>);

#[derive(Default)]
struct Watch {
    conn: Option<Conn>,
    /// `data_version` of the watching connection: changes with every commit that it did not make, and it makes none.
    any: i64,
    /// `data_version` of the writer: changes with commits of others.
    others: Option<i64>,
    /// Counts changes of `others`, and the times when nobody could tell.
    count: i64,
}

impl Foreign {
    pub(super) fn forget(&self) {
        drop(self.0.lock().conn.take());
    }
}

fn data_version(conn: &Conn) -> Result<i64> {
    let mut statement = conn.raw.prepare_cached("PRAGMA data_version")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

impl Database {
    /// A number that changes when another process (not this one) has written to the file. Sees what was committed before
    /// the call; costs about two microseconds.
    #[must_use]
    pub(crate) fn foreign_version(&self) -> i64 {
        let mut watch = self.0.foreign.0.lock();
        if watch.conn.is_none() {
            watch.conn = self.0.connect(Role::Reader).ok();
        }
        let any = watch.conn.as_ref().and_then(|conn| data_version(conn).ok());
        if any.is_some_and(|any| any == watch.any) {
            return watch.count;
        }
        let others = self.try_hold().and_then(|mut held| {
            let conn = held.conn().ok()?;
            conn.guard.arm(0, None);
            data_version(conn).ok()
        });
        if others.is_none() || others != watch.others {
            watch.count += 1;
        }
        watch.others = others;
        watch.any = any.unwrap_or(0);
        watch.count
    }

    /// `PRAGMA optimize` (after table syncs and daily, spec §1.2).
    ///
    /// # Errors
    /// What the driver says.
    pub(crate) async fn optimize(&self) -> Result<()> {
        self.alone(|conn| Ok(conn.raw.execute_batch("PRAGMA optimize")?)).await
    }

    /// `wal_checkpoint(TRUNCATE)` (daily, spec §1.2).
    ///
    /// # Errors
    /// What the driver says.
    pub(crate) async fn checkpoint_truncate(&self) -> Result<()> {
        let database = self.clone();
        self.alone(move |conn| {
            // SQLite does not wait for a checkpoint that is already running.
            let _background = database.0.checkpoint.conn.lock();
            Ok(conn.raw.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
        })
        .await
    }

    /// `wal_checkpoint(PASSIVE)` in the background, unless one is on its way.
    pub(crate) fn checkpoint_soon(&self) {
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
    pub(crate) async fn vacuum(&self) -> Result<()> {
        self.alone(|conn| Ok(conn.raw.execute_batch("VACUUM")?)).await
    }

    /// Writes a consistent, defragmented copy to `target`, which must not exist. Neither readers nor the writer wait.
    ///
    /// # Errors
    /// What the driver says.
    pub(crate) async fn copy_into(&self, target: &Path) -> Result<()> {
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
    pub(crate) async fn writer_pragma(&self, name: &str) -> Result<String> {
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
