//! `Database`: one file, its readers and the choice of where a read runs.
//!
//! A thread hand-off costs more CPU than most statements, so a read starts on the calling thread. If it takes more than
//! a few thousand virtual machine steps before its first row, it is stopped, repeated on the reader lane, and its text is
//! remembered so that the next run goes there at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use rusqlite::InterruptHandle;

use primitives::future::BoxFutureRef;

use super::conn::{Conn, Ran, Role};
use super::held::Writer;
use super::visit::{Later, Seen, Visit, later};
use super::ways::Costs;
use super::{Durability, Error, Result, Rows, Sql, Stats, StoreConfig, Trace, holding};
use primitives::lanes::{Lane, cores};

/// Ticks (of 2,000 steps) a read may take on the calling thread before its first row.
pub(super) const TRIAL: u32 = 4;
/// Whether work that took so much should run on another thread next time. Steps count more than time, which a busy machine distorts.
pub(super) fn is_slow(ticks: u32, time: Duration) -> bool {
    ticks > 2 * TRIAL || time > Duration::from_millis(25)
}
/// Whether work that ran on another thread is cheap enough to come back.
pub(super) fn is_quick(ticks: u32, time: Duration) -> bool {
    ticks <= TRIAL / 2 && time < Duration::from_millis(2)
}

/// How a read within a limit went.
pub(super) enum Tried {
    Done,
    /// It did not end in time; what it has shown does not count.
    Stopped,
    /// All connections are in use.
    NoReader,
}

/// One database file. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Database(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) id: u64,
    pub(super) path: PathBuf,
    pub(super) durability: Durability,
    pub(super) timeout: Duration,
    pub(super) trace: Option<Trace>,
    pub(super) writer: Writer,
    readers: Box<[Mutex<Option<Conn>>]>,
    lane: Lane,
    pub(super) heavy: Heavy,
    pub(super) costs: Costs,
    closed: AtomicBool,
    pub(super) generation: AtomicU64,
    pub(super) foreign: super::maintain::Foreign,
    pub(super) checkpoint: super::maintain::Checkpoint,
    pub(super) count: Counters,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("path", &self.path).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) inline: AtomicU64,
    pub(super) lane: AtomicU64,
    pub(super) deferred: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) jobs: AtomicU64,
    pub(super) inline_jobs: AtomicU64,
    pub(super) checkpoints: AtomicU64,
}

impl Database {
    pub(crate) fn open(config: &StoreConfig, file: &str, frames: u32) -> Result<Self> {
        let path = config.dir.join(file);
        let conn = Conn::open(
            &path,
            Role::Writer,
            config.durability,
            config.create_if_missing,
            config.trace.clone(),
        )?;
        let slots = config.readers.max(1) + cores().clamp(2, 16);
        Ok(Self(Arc::new(Inner {
            id: holding::fresh_id(),
            path,
            durability: config.durability,
            timeout: config.query_timeout,
            trace: config.trace.clone(),
            writer: Writer::new(conn),
            readers: (0..slots).map(|_| Mutex::new(None)).collect(),
            lane: Lane::new("pb-read", config.readers.max(1), 1024),
            heavy: Heavy::default(),
            costs: Costs::default(),
            closed: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            foreign: super::maintain::Foreign::default(),
            checkpoint: super::maintain::Checkpoint::new(frames),
            count: Counters::default(),
        })))
    }

    /// The database file.
    #[must_use]
    pub(crate) fn file(&self) -> &Path {
        &self.0.path
    }
    /// The time limit of statements, jobs and transactions.
    #[must_use]
    pub(crate) fn query_timeout(&self) -> Duration {
        self.0.timeout
    }

    /// Runs a read and shows its rows to `visit`, on the calling thread if the statement is cheap, on the reader lane otherwise.
    ///
    /// `visit` must not block: it runs while a connection is checked out.
    ///
    /// # Errors
    /// What the driver says, [`Error::Timeout`], or [`Error::Busy`] when too many reads wait.
    pub(crate) async fn query<T, F>(&self, sql: Sql, visit: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static,
    {
        let mark = Heavy::mark(&sql.text);
        if self.0.heavy.knows(mark) {
            return self.on_lane(sql, mark, visit).await;
        }
        let mut seen = Seen::Waiting(visit);
        let ran = self.here(&sql, mark, &mut |rows| seen.show(rows));
        match ran {
            Ran::Done(result) => result.and_then(|()| seen.answer()),
            Ran::Deferred => self.on_lane(sql, mark, seen.visitor()?).await,
        }
    }

    /// As [`query`](Self::query), for statements the caller knows to be point lookups: skips the look into the memory of slow ones.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub(crate) async fn query_now<T, F>(&self, sql: Sql, visit: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static,
    {
        let mut seen = Seen::Waiting(visit);
        let ran = self.here(&sql, 0, &mut |rows| seen.show(rows));
        match ran {
            Ran::Done(result) => result.and_then(|()| seen.answer()),
            Ran::Deferred => {
                let mark = Heavy::mark(&sql.text);
                self.on_lane(sql, mark, seen.visitor()?).await
            }
        }
    }

    /// Runs a read on the calling thread within a limit of ticks to its last row.
    pub(super) fn within(&self, sql: &Sql, ticks: u32, visit: Visit<'_>) -> Result<Tried> {
        let inner = &*self.0;
        let Some(mut slot) = inner.checkout(false)? else { return Ok(Tried::NoReader) };
        let Some(conn) = slot.as_mut() else { return Ok(Tried::NoReader) };
        conn.guard.arm(ticks, Some(Instant::now() + inner.timeout));
        let ran = conn.query_within(sql, visit);
        drop(slot);
        let count = if ran.is_some() { &inner.count.inline } else { &inner.count.deferred };
        count.fetch_add(1, Relaxed);
        ran.map_or(Ok(Tried::Stopped), |result| result.map(|()| Tried::Done))
    }

    /// Runs a read on the reader lane, for statements known to be slow (exports, statistics).
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub(crate) async fn query_lane<T, F>(&self, sql: Sql, visit: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static,
    {
        self.on_lane(sql, 0, visit).await
    }

    /// Runs `f` on a reader connection of the lane.
    pub(super) async fn on_reader<R, F>(&self, limit: Duration, f: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<R> + Send + 'static,
    {
        let inner = self.0.clone();
        let work = self.0.lane.run(move || {
            let mut slot = inner.checkout(true)?.ok_or(Error::Busy)?;
            let conn = slot.as_mut().ok_or(Error::Busy)?;
            conn.guard.arm(0, Some(Instant::now() + limit));
            f(conn)
        });
        work.await.unwrap_or(Err(Error::Busy))
    }

    /// On the calling thread, with a trial; deferred when no connection is free.
    fn here(&self, sql: &Sql, mark: u64, visit: Visit<'_>) -> Ran {
        let inner = &*self.0;
        let mut slot = match inner.checkout(false) {
            Ok(Some(slot)) => slot,
            Ok(None) => return Ran::Deferred,
            Err(e) => return Ran::Done(Err(e)),
        };
        let Some(conn) = slot.as_mut() else { return Ran::Deferred };
        let started = Instant::now();
        conn.guard.arm(TRIAL, Some(started + inner.timeout));
        let ran = conn.query(sql, visit);
        let slow = is_slow(conn.guard.ticks(), started.elapsed());
        drop(slot);
        match &ran {
            Ran::Done(_) => {
                inner.count.inline.fetch_add(1, Relaxed);
                if slow && mark != 0 {
                    inner.heavy.learn(mark);
                }
            }
            Ran::Deferred => {
                inner.count.deferred.fetch_add(1, Relaxed);
                if mark != 0 {
                    inner.heavy.learn(mark);
                }
            }
        }
        ran
    }

    async fn on_lane<T, F>(&self, sql: Sql, mark: u64, visit: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static,
    {
        let (visit, answer) = later(visit);
        self.show_on_lane(sql, mark, visit).await?;
        answer.take()
    }

    fn show_on_lane(&self, sql: Sql, mark: u64, visit: Later) -> BoxFutureRef<'_, Result<()>> {
        let inner = self.0.clone();
        Box::pin(self.on_any_lane(0, move |conn| {
            let started = Instant::now();
            let mut visit = Some(visit);
            let ran = conn.query(&sql, &mut |rows| visit.take().into_iter().for_each(|v| v(rows)));
            if mark != 0 && is_quick(conn.guard.ticks(), started.elapsed()) {
                inner.heavy.forget(mark);
            }
            match ran {
                Ran::Done(result) => result,
                Ran::Deferred => Err(Error::Timeout),
            }
        }))
    }

    /// As [`within`](Self::within), on the reader lane.
    pub(super) fn within_on_lane(
        &self,
        sql: Sql,
        ticks: u32,
        visit: Later,
    ) -> BoxFutureRef<'_, Result<Tried>> {
        Box::pin(self.on_any_lane(ticks, move |conn| {
            let mut visit = Some(visit);
            let mut show = |rows: &mut Rows<'_>| visit.take().into_iter().for_each(|v| v(rows));
            match conn.query_within(&sql, &mut show) {
                Some(result) => result.map(|()| Tried::Done),
                None => Ok(Tried::Stopped),
            }
        }))
    }

    /// Runs `work` on a reader connection of the lane; it ends early when the caller goes away. `ticks`: 0 = no trial.
    async fn on_any_lane<R, F>(&self, ticks: u32, work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<R> + Send + 'static,
    {
        let running = Cancel::default();
        let (inner, flag) = (self.0.clone(), running.0.clone());
        inner.count.lane.fetch_add(1, Relaxed);
        let work = self.0.lane.run(move || {
            let mut slot = inner.checkout(true)?.ok_or(Error::Busy)?;
            let conn = slot.as_mut().ok_or(Error::Busy)?;
            if !flag.start(conn.raw.get_interrupt_handle()) {
                return Err(Error::Timeout);
            }
            conn.guard.arm(ticks, Some(Instant::now() + inner.timeout));
            let result = work(conn);
            flag.finish();
            result
        });
        // The guard's deadline ends nearly every statement; this one ends also single long steps and waiting in the queue.
        // Dropping `running` (timeout, or a caller that went away) interrupts what still runs.
        let limit = self.0.timeout + Duration::from_millis(200);
        let result = tokio::time::timeout(limit, work).await;
        drop(running);
        match result {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Error::Busy),
            Err(_) => Err(Error::Timeout),
        }
    }

    /// Counters since the start.
    #[must_use]
    pub(crate) fn stats(&self) -> Stats {
        let c = &self.0.count;
        Stats {
            inline_reads: c.inline.load(Relaxed),
            lane_reads: c.lane.load(Relaxed),
            deferred_reads: c.deferred.load(Relaxed),
            commits: c.commits.load(Relaxed),
            jobs: c.jobs.load(Relaxed),
            inline_jobs: c.inline_jobs.load(Relaxed),
            checkpoints: c.checkpoints.load(Relaxed),
        }
    }

    /// Reads that wait for a reader thread.
    #[must_use]
    pub(crate) fn waiting_reads(&self) -> usize {
        self.0.lane.waiting()
    }

    /// Jobs and transactions that wait for the writer.
    #[must_use]
    pub(crate) fn waiting_writes(&self) -> usize {
        self.0.writer.waiting()
    }

    /// Commits of this process so far; a cheap version for caches. Foreign writes: [`foreign_version`](Self::foreign_version).
    #[must_use]
    pub(crate) fn write_version(&self) -> u64 {
        self.0.count.commits.load(std::sync::atomic::Ordering::Acquire)
    }

    /// To be called after a schema change: readers drop their cached statements, what is known about slow ones is forgotten.
    pub(crate) fn bump(&self) {
        self.0.heavy.clear();
        self.0.costs.clear();
        self.0.generation.fetch_add(1, Relaxed);
    }

    pub(crate) fn close(&self) {
        if self.0.closed.swap(true, Relaxed) {
            return;
        }
        self.0.checkpoint.lane.close();
        self.0.checkpoint.forget();
        self.0.foreign.forget();
        self.0.lane.close();
        for slot in &self.0.readers {
            drop(slot.lock().take());
        }
        // The last connection to close is the one that may write: it folds the WAL into the file and removes it.
        self.close_writer();
    }
}

impl Inner {
    /// A reader connection, opened when first needed. `None`: all are in use and `wait` is false.
    fn checkout(&self, wait: bool) -> Result<Option<MutexGuard<'_, Option<Conn>>>> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static MINE: usize = NEXT.fetch_add(1, Relaxed));
        let mine = MINE.with(|m| *m);
        let slots = self.readers.len();
        let mut found = None;
        for i in 0..slots {
            if let Some(slot) = self.readers[(mine + i) % slots].try_lock() {
                found = Some(slot);
                break;
            }
        }
        let mut slot = match found {
            Some(slot) => slot,
            None if wait => self.readers[mine % slots].lock(),
            None => return Ok(None),
        };
        if self.closed.load(Relaxed) {
            return Err(Error::Busy);
        }
        let generation = self.generation.load(Relaxed);
        match slot.as_mut() {
            Some(conn) => conn.refresh(generation),
            None => *slot = Some(self.connect(Role::Reader)?),
        }
        Ok(Some(slot))
    }

    pub(super) fn connect(&self, role: Role) -> Result<Conn> {
        let mut conn = Conn::open(&self.path, role, self.durability, false, self.trace.clone())?;
        conn.generation = self.generation.load(Relaxed);
        Ok(conn)
    }
}

/// Where a lane job stands, for cancelling it.
#[derive(Default)]
enum Phase {
    #[default]
    Waiting,
    Running(InterruptHandle),
    Over,
}

#[derive(Default, Clone)]
struct Flag(Arc<Mutex<Phase>>);

impl Flag {
    /// False if the job was cancelled before it began.
    fn start(&self, handle: InterruptHandle) -> bool {
        let mut phase = self.0.lock();
        if matches!(*phase, Phase::Over) {
            return false;
        }
        *phase = Phase::Running(handle);
        true
    }
    fn finish(&self) {
        *self.0.lock() = Phase::Over;
    }
}

/// Interrupts the job when dropped before its end.
#[derive(Default)]
pub(super) struct Cancel(Flag);

impl Cancel {
    /// `f`, ended when this is dropped.
    pub(super) fn ends<R, F>(&self, f: F) -> impl FnOnce(&mut Conn) -> Result<R> + Send + use<R, F>
    where
        F: FnOnce(&mut Conn) -> Result<R> + Send,
    {
        let flag = self.0.clone();
        move |conn| {
            if !flag.start(conn.raw.get_interrupt_handle()) {
                return Err(Error::Timeout);
            }
            let result = f(conn);
            flag.finish();
            result
        }
    }
}

impl Drop for Cancel {
    fn drop(&mut self) {
        if let Phase::Running(handle) = std::mem::replace(&mut *self.0.0.lock(), Phase::Over) {
            handle.interrupt();
        }
    }
}

/// Remembers the texts of slow statements by a 64-bit mark; a collision only costs a hand-off.
#[derive(Debug)]
pub(super) struct Heavy(Box<[AtomicU64; 1024]>);

impl Default for Heavy {
    fn default() -> Self {
        Self(Box::new(std::array::from_fn(|_| AtomicU64::new(0))))
    }
}

impl Heavy {
    /// The mark of a text; never 0.
    pub(super) fn mark(text: &str) -> u64 {
        const K: u64 = 0x9E37_79B9_7F4A_7C15;
        let (chunks, rest) = text.as_bytes().as_chunks::<8>();
        let mut hash = K ^ text.len() as u64;
        for chunk in chunks {
            hash = (hash.rotate_left(5) ^ u64::from_le_bytes(*chunk)).wrapping_mul(K);
        }
        for byte in rest {
            hash = (hash.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(K);
        }
        (hash ^ (hash >> 29)) | 1
    }
    fn slot(&self, mark: u64) -> &AtomicU64 {
        #[allow(clippy::cast_possible_truncation)]
        &self.0[(mark >> 32) as usize % self.0.len()]
    }
    pub(super) fn knows(&self, mark: u64) -> bool {
        self.slot(mark).load(Relaxed) == mark
    }
    pub(super) fn learn(&self, mark: u64) {
        self.slot(mark).store(mark, Relaxed);
    }
    pub(super) fn forget(&self, mark: u64) {
        // A lost race means that another text took the slot.
        let _ = self.slot(mark).compare_exchange(mark, 0, Relaxed, Relaxed);
    }
    fn clear(&self) {
        for slot in self.0.iter() {
            slot.store(0, Relaxed);
        }
    }
}
