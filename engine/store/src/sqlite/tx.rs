//! Interactive transactions: a lease on the writer with a deadline.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::task::AbortHandle;

use primitives::future::BoxFutureRef;

use super::conn::{Conn, Ran};
use super::held::Held;
use super::read::{Database, Heavy, TRIAL, is_slow};
use super::visit::{Later, Seen, Visit, later};
use super::write::{in_savepoint, mark, retrying};
use super::{Done, Durability, Error, Job, Result, Rows, Savepoint, Sql};

/// An open transaction. Clones share it; dropping the last one without [`commit`](Tx::commit) rolls back.
#[derive(Debug, Clone)]
pub(crate) struct Tx(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    deadline: Instant,
    state: Mutex<State>,
    timer: Mutex<Option<AbortHandle>>,
}

#[derive(Debug)]
struct State {
    held: Option<Held>,
    end: End,
    savepoints: u32,
    schema_changed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Over,
    Expired,
}

impl Database {
    /// As [`begin`](Self::begin) with a deadline of its own, which starts when the writer is free.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub(crate) async fn begin_within(&self, limit: Duration) -> Result<Tx> {
        let mut held = self.hold(self.0.timeout).await?;
        let deadline = Instant::now() + limit;
        let conn = held.conn()?;
        conn.guard.arm(0, Some(deadline));
        conn.patience(Duration::ZERO);
        let begun = conn.control("BEGIN IMMEDIATE").map_err(Error::from);
        conn.patience(Duration::from_secs(10));
        let held = match begun {
            Ok(()) => held,
            Err(e) if e.is_locked() => wait_and_begin(held).await?,
            Err(e) => return Err(e),
        };
        let state =
            State { held: Some(held), end: End::Open, savepoints: 0, schema_changed: false };
        let inner = Arc::new(Inner {
            database: self.clone(),
            deadline,
            state: Mutex::new(state),
            timer: Mutex::new(None),
        });
        let timer = tokio::spawn(expire(Arc::downgrade(&inner), deadline));
        *inner.timer.lock() = Some(timer.abort_handle());
        Ok(Tx(inner))
    }
}

async fn wait_and_begin(mut held: Held) -> Result<Held> {
    let begin = move || {
        retrying(held.conn()?, |conn| Ok(conn.control("BEGIN IMMEDIATE")?))?;
        Ok(held)
    };
    tokio::task::spawn_blocking(begin).await.unwrap_or(Err(Error::Busy))
}

/// Rolls back at the deadline, so that an abandoned transaction does not stop all others.
async fn expire(tx: Weak<Inner>, deadline: Instant) {
    tokio::time::sleep_until(deadline.into()).await;
    let Some(inner) = tx.upgrade() else { return };
    // A statement that runs is stopped by the guard at the same moment; taking the lock may wait for that.
    let rollback = move || inner.finish(End::Expired);
    // Nothing to report: later calls on the transaction say Timeout.
    let _ = tokio::task::spawn_blocking(rollback).await;
}

impl Inner {
    fn finish(&self, end: End) {
        let held = {
            let mut state = self.state.lock();
            if state.end == End::Open {
                state.end = end;
            }
            state.held.take()
        };
        drop(held);
    }

    /// Runs `f` on the connection, if the transaction is still open.
    fn with<R>(&self, f: impl FnOnce(&mut Conn) -> R) -> Result<R> {
        let mut state = self.state.lock();
        state.check(self.deadline)?;
        let conn = state.held.as_mut().ok_or(Error::Ended)?.conn()?;
        let out = f(conn);
        if conn.raw.is_autocommit() {
            // The database ended it: interrupted at the deadline, disk full or worse.
            state.end = if Instant::now() >= self.deadline { End::Expired } else { End::Over };
            state.held = None;
        }
        Ok(out)
    }
}

impl State {
    fn check(&self, deadline: Instant) -> Result<()> {
        match self.end {
            End::Open if Instant::now() < deadline => Ok(()),
            End::Open | End::Expired => Err(Error::Timeout),
            End::Over => Err(Error::Ended),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.get_mut().take() {
            timer.abort();
        }
    }
}

impl Tx {
    /// When it will be rolled back.
    #[must_use]
    pub(crate) fn deadline(&self) -> Instant {
        self.0.deadline
    }

    /// Runs a read inside the transaction.
    ///
    /// # Errors
    /// What the driver says; [`Error::Timeout`] past the deadline, [`Error::Ended`] after commit or rollback.
    pub(crate) async fn query<T, F>(&self, sql: Sql, visit: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static,
    {
        let mark = Heavy::mark(&sql.text);
        let mut seen = Seen::Waiting(visit);
        if !self.0.database.0.heavy.knows(mark)
            && let Ran::Done(result) = self.here(&sql, mark, &mut |rows| seen.show(rows))?
        {
            return result.and_then(|()| seen.answer());
        }
        let (visit, answer) = later(seen.visitor()?);
        self.show_elsewhere(sql, visit).await?;
        answer.take()
    }

    /// On the calling thread, with a trial.
    fn here(&self, sql: &Sql, mark: u64, visit: Visit<'_>) -> Result<Ran> {
        let ran = self.0.with(|conn| {
            conn.guard.arm(TRIAL, Some(self.0.deadline));
            conn.query(sql, visit)
        })?;
        if matches!(ran, Ran::Deferred) {
            self.0.database.0.heavy.learn(mark);
        }
        Ok(ran)
    }

    fn show_elsewhere(&self, sql: Sql, visit: Later) -> BoxFutureRef<'_, Result<()>> {
        let deadline = Some(self.0.deadline);
        Box::pin(self.elsewhere(move |conn| {
            conn.guard.arm(0, deadline);
            let mut visit = Some(visit);
            match conn.query(&sql, &mut |rows| visit.take().into_iter().for_each(|v| v(rows))) {
                Ran::Done(result) => result,
                Ran::Deferred => Err(Error::Timeout),
            }
        }))
    }

    /// Runs a job inside the transaction, all or nothing of it.
    ///
    /// # Errors
    /// Of the first step that failed, or as [`query`](Self::query).
    pub(crate) async fn write(&self, job: Job) -> Result<Done> {
        let heavy = &self.0.database.0.heavy;
        let mark = mark(&job);
        if heavy.knows(mark) || job.size() > 64 {
            return self.run_elsewhere(job).await;
        }
        let started = Instant::now();
        let (done, ticks) = self.0.with(|conn| (self.run(conn, &job), conn.guard.ticks()))?;
        if is_slow(ticks, started.elapsed()) {
            heavy.learn(mark);
        }
        done
    }

    fn run(&self, conn: &mut Conn, job: &Job) -> Result<Done> {
        conn.guard.arm(0, Some(self.0.deadline));
        in_savepoint(conn, job, self.0.database.write_version())
    }

    fn run_elsewhere(&self, job: Job) -> BoxFutureRef<'_, Result<Done>> {
        let tx = self.clone();
        Box::pin(self.elsewhere(move |conn| tx.run(conn, &job)))
    }

    /// Runs several statements without parameters, for schema changes; [`Database::bump`] follows by itself at commit.
    ///
    /// # Errors
    /// As [`write`](Self::write). Statements before the failed one are kept until the transaction is rolled back.
    pub(crate) async fn execute_batch(&self, sql: String) -> Result<()> {
        self.0.state.lock().schema_changed = true;
        let deadline = Some(self.0.deadline);
        self.elsewhere(move |conn| {
            conn.guard.arm(0, deadline);
            let started = conn.clock();
            conn.raw.execute_batch(&sql)?;
            conn.traced(&sql, &[], started);
            Ok(())
        })
        .await
    }

    /// Sets a mark to go back to.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    #[allow(clippy::unused_async)]
    pub(crate) async fn savepoint(&self) -> Result<Savepoint> {
        let id = {
            let mut state = self.0.state.lock();
            state.savepoints += 1;
            state.savepoints
        };
        self.control(&format!("SAVEPOINT s{id}"))?;
        Ok(Savepoint(id))
    }

    /// Undoes what happened since the mark, which stays set.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    #[allow(clippy::unused_async)]
    pub(crate) async fn rollback_to(&self, savepoint: Savepoint) -> Result<()> {
        self.control(&format!("ROLLBACK TO s{}", savepoint.0))
    }

    /// Forgets the mark and keeps what happened since.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    #[allow(clippy::unused_async)]
    pub(crate) async fn release(&self, savepoint: Savepoint) -> Result<()> {
        self.control(&format!("RELEASE s{}", savepoint.0))
    }

    fn control(&self, text: &str) -> Result<()> {
        self.0.with(|conn| Ok(conn.control(text)?))?
    }

    /// Commits. Only then is anything visible to others.
    ///
    /// # Errors
    /// What the driver says (the transaction is rolled back then); [`Error::Timeout`] past the deadline; [`Error::Ended`].
    pub(crate) async fn commit(&self) -> Result<()> {
        if self.0.database.0.durability == Durability::Full {
            let inner = self.0.clone();
            let commit = move || inner.commit();
            return tokio::task::spawn_blocking(commit).await.unwrap_or(Err(Error::Busy));
        }
        self.0.commit()
    }

    /// Rolls back. Does nothing when the transaction has ended.
    #[allow(clippy::unused_async)]
    pub(crate) async fn rollback(&self) {
        self.0.finish(End::Over);
    }

    /// True until commit, rollback or deadline.
    #[must_use]
    pub(crate) fn is_open(&self) -> bool {
        self.0.state.lock().check(self.0.deadline).is_ok()
    }

    /// User SQL, on a blocking thread.
    pub(super) async fn raw<R, F>(&self, f: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<R> + Send + 'static,
    {
        let deadline = Some(self.0.deadline);
        self.elsewhere(move |conn| {
            conn.guard.arm(0, deadline);
            f(conn)
        })
        .await
    }

    /// On a blocking thread.
    async fn elsewhere<R, F>(&self, f: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<R> + Send + 'static,
    {
        let inner = self.0.clone();
        let run = tokio::task::spawn_blocking(move || inner.with(f).and_then(|r| r));
        match run.await {
            Ok(result) => result,
            Err(e) if e.is_panic() => std::panic::resume_unwind(e.into_panic()),
            Err(_) => Err(Error::Busy),
        }
    }
}

impl Inner {
    fn commit(&self) -> Result<()> {
        let mut state = self.state.lock();
        state.check(self.deadline)?;
        let Some(mut held) = state.held.take() else { return Err(Error::Ended) };
        state.end = End::Over;
        let schema_changed = state.schema_changed;
        drop(state);
        let conn = held.conn()?;
        conn.guard.arm(0, None);
        conn.control("COMMIT").map_err(Error::from)?;
        self.database.count_commit(1);
        if schema_changed {
            self.database.bump();
        }
        drop(held);
        Ok(())
    }
}
