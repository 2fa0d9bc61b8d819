//! Interactive transactions on PostgreSQL: a connection with an open transaction and a deadline.
//!
//! A statement that fails takes a PostgreSQL transaction down with it, so everything runs in a savepoint of its own.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex as SyncMutex;
use tokio::{sync::Mutex, task::AbortHandle};

use primitives::future::BoxFutureRef;

use super::{
    conn::{Answer, Conn},
    db::{Database, explain},
    error::Fail,
    plain::Change,
    pool::Lent,
    publish::Told,
    raw,
};
use crate::{
    Done, Error, Job, Result, Rows, Savepoint, Sql,
    raw::{Column, TextRows},
};

/// An open transaction. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Tx(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    deadline: Instant,
    state: Mutex<State>,
    end: SyncMutex<End>,
    timer: SyncMutex<Option<AbortHandle>>,
    /// A statement failed because of others.
    collided: AtomicBool,
}

#[derive(Debug)]
struct State {
    lent: Option<Lent>,
    savepoints: u32,
    schema_changed: bool,
    /// Whether other nodes are told, once something was to be told.
    told: Option<Told>,
    /// What they are told at commit, and how much of it there was at each savepoint.
    changes: Vec<(&'static str, Change)>,
    marks: Vec<(u32, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Over,
    Expired,
}

impl Database {
    /// Opens a transaction that is rolled back after `limit`.
    pub(crate) async fn begin_within(&self, limit: Duration) -> Result<Tx> {
        self.refuse_nested()?;
        let mut attempts = 3;
        let mut lent = loop {
            let mut lent = self.lend().await?;
            // The limit of statements is that of the transaction.
            let begin = format!("BEGIN;SET LOCAL statement_timeout = {}", limit.as_millis());
            attempts -= 1;
            match lent.conn()?.batch(&begin).await {
                Ok(()) => break lent,
                Err(fail) if self.notice(&fail) && attempts > 0 => {}
                Err(fail) => return Err(fail.into_error()),
            }
        };
        // Until something is done with it, going away must not leave an open transaction in the pool.
        lent.conn()?.in_transaction = true;
        if let Some(claims) = self.claims() {
            lent.conn()?.claim(&claims).await.map_err(Fail::into_error)?;
        }
        let deadline = Instant::now() + limit;
        let inner = Arc::new(Inner {
            database: self.clone(),
            deadline,
            state: Mutex::new(State {
                lent: Some(lent),
                savepoints: 0,
                schema_changed: false,
                told: None,
                changes: Vec::new(),
                marks: Vec::new(),
            }),
            end: SyncMutex::new(End::Open),
            timer: SyncMutex::new(None),
            collided: AtomicBool::new(false),
        });
        let timer = tokio::spawn(expire(Arc::downgrade(&inner), deadline));
        *inner.timer.lock() = Some(timer.abort_handle());
        Ok(Tx(inner))
    }
}

/// Rolls back at the deadline, so that an abandoned transaction does not keep its locks.
async fn expire(tx: Weak<Inner>, deadline: Instant) {
    tokio::time::sleep_until(deadline.into()).await;
    let Some(inner) = tx.upgrade() else { return };
    // A statement that runs is stopped by the server at about the same moment.
    inner.finish(End::Expired).await;
}

impl Inner {
    fn check(&self) -> Result<()> {
        match *self.end.lock() {
            End::Open if Instant::now() < self.deadline => Ok(()),
            End::Open | End::Expired => Err(Error::Timeout),
            End::Over => Err(Error::Ended),
        }
    }

    fn set_end(&self, end: End) {
        let mut now = self.end.lock();
        if *now == End::Open {
            *now = end;
        }
    }

    async fn finish(&self, end: End) {
        self.set_end(end);
        let (lent, told) = {
            let mut state = self.state.lock().await;
            (state.lent.take(), state.told.take())
        };
        if let Some(lent) = lent {
            roll_back(lent).await;
        }
        drop(told);
    }
}

async fn roll_back(mut lent: Lent) {
    if let Ok(conn) = lent.conn()
        && conn.is_answering()
        && conn.batch("ROLLBACK").await.is_ok()
    {
        // Statements may have been prepared under a schema that is gone again.
        conn.in_transaction = false;
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.get_mut().take() {
            timer.abort();
        }
        if let Some(lent) = self.state.get_mut().lent.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(roll_back(lent));
        }
    }
}

impl State {
    /// What was to be told since a savepoint did not happen.
    fn forget_since(&mut self, id: u32) {
        self.marks.retain(|(mark, _)| *mark <= id);
        if let Some((_, n)) = self.marks.iter().find(|(mark, _)| *mark == id) {
            self.changes.truncate(*n);
        }
    }
    /// The connection, unless somebody went away while it answered.
    fn conn(&mut self) -> Result<&mut Conn> {
        let conn = self.lent.as_mut().ok_or(Error::Ended)?.conn()?;
        if conn.is_answering() { Ok(conn) } else { Err(Error::Ended) }
    }
}

impl Tx {
    pub(crate) fn deadline(&self) -> Instant {
        self.0.deadline
    }

    pub(crate) async fn query<T, F>(&self, sql: Sql, visit: F) -> Result<T>
    where
        F: FnOnce(&mut Rows<'_>) -> T,
    {
        let answer = self.ask(sql).await?;
        Ok(visit(&mut answer.rows()))
    }

    fn ask(&self, sql: Sql) -> BoxFutureRef<'_, Result<Answer>> {
        Box::pin(async move {
            self.0.check()?;
            let mut state = self.0.state.lock().await;
            let done = state.conn()?.query_in_savepoint(&sql).await;
            self.settle(&mut state, done).await
        })
    }

    pub(crate) async fn write(&self, job: Job) -> Result<Done> {
        if job.since.is_some() {
            return Err(Error::Overtaken);
        }
        self.0.check()?;
        let mut state = self.0.state.lock().await;
        if !job.notes.is_empty() && self.decide(&mut state, &job).await {
            let done = state.conn()?.job_in_savepoint_noted(&job).await;
            let (done, changes) = self.settle(&mut state, done).await?;
            state.changes.extend(changes);
            return Ok(done);
        }
        let done = state.conn()?.job_in_savepoint(&job).await;
        self.settle(&mut state, done).await
    }

    /// True if what the job announces is told at commit: the same for all jobs of the transaction.
    async fn decide(&self, state: &mut State, job: &Job) -> bool {
        if state.told.is_none() {
            state.told = Some(self.0.database.decide(&job.notes).await);
        }
        state.told.as_ref().is_some_and(|told| told.node().is_some())
    }

    pub(crate) async fn execute_batch(&self, text: String) -> Result<()> {
        self.0.check()?;
        let mut state = self.0.state.lock().await;
        state.schema_changed = true;
        let conn = state.conn()?;
        let done = conn.batch_in_savepoint(&text).await;
        conn.forget_statements();
        self.settle(&mut state, done).await
    }

    pub(crate) async fn savepoint(&self) -> Result<Savepoint> {
        let mut state = self.0.state.lock().await;
        state.savepoints += 1;
        let id = state.savepoints;
        let n_changes = state.changes.len();
        state.marks.push((id, n_changes));
        drop(state);
        self.control(&format!("SAVEPOINT s{id}")).await?;
        Ok(Savepoint(id))
    }

    pub(crate) async fn rollback_to(&self, savepoint: Savepoint) -> Result<()> {
        self.control(&format!("ROLLBACK TO s{}", savepoint.0)).await?;
        // What was prepared since may belong to a schema that is gone again.
        let mut state = self.0.state.lock().await;
        state.forget_since(savepoint.0);
        state.conn()?.forget_statements();
        Ok(())
    }

    pub(crate) async fn release(&self, savepoint: Savepoint) -> Result<()> {
        self.control(&format!("RELEASE s{}", savepoint.0)).await
    }

    async fn control(&self, text: &str) -> Result<()> {
        self.0.check()?;
        let mut state = self.0.state.lock().await;
        let done = state.conn()?.batch(text).await;
        self.settle(&mut state, done).await
    }

    pub(crate) async fn commit(&self) -> Result<()> {
        self.0.check()?;
        let mut state = self.0.state.lock().await;
        self.0.check()?;
        let Some(mut lent) = state.lent.take() else { return Err(Error::Ended) };
        self.0.set_end(End::Over);
        let schema_changed = state.schema_changed;
        let (told, changes) = (state.told.take(), std::mem::take(&mut state.changes));
        drop(state);
        // On a task of its own: whoever waits may go away, the commit is on its way then.
        let (database, inner) = (self.0.database.clone(), self.0.clone());
        let work = tokio::spawn(async move {
            let conn = lent.conn()?;
            if !conn.is_answering() {
                return Err(Error::Ended);
            }
            let node = told.as_ref().and_then(Told::node).unwrap_or_default();
            let ended = conn.tell_and_commit(&changes, node).await;
            // A commit that is not answered may have been one.
            database.wrote();
            ended.map_err(|fail| {
                database.notice(&fail);
                inner.collided.fetch_or(fail.is_conflict(), Relaxed);
                fail.into_error()
            })?;
            conn.in_transaction = false;
            drop((lent, told));
            database.count_commit(1);
            if schema_changed {
                database.bump();
            }
            Ok(())
        });
        work.await.unwrap_or(Err(Error::Busy))
    }

    pub(crate) async fn rollback(&self) {
        self.0.finish(End::Over).await;
    }

    pub(crate) fn has_collided(&self) -> bool {
        self.0.collided.load(Relaxed)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.check().is_ok()
    }

    /// Runs users' SQL that reads; see [`raw::read`](super::raw::read).
    pub(crate) async fn raw_read(&self, sql: Sql, max_rows: usize) -> Result<TextRows> {
        self.0.check()?;
        let mut state = self.0.state.lock().await;
        let conn = state.conn()?;
        let done = match conn.batch("SAVEPOINT u").await {
            Ok(()) => {
                let done = raw::run(conn, &sql, max_rows, true).await;
                conn.leave("u", done.is_ok()).await.and(done)
            }
            Err(fail) => Err(fail),
        };
        self.settle(&mut state, done).await
    }

    /// Runs users' SQL that writes; the number of rows the last statement changed.
    pub(crate) async fn raw_write(&self, sql: Sql) -> Result<u64> {
        self.0.check()?;
        let mut state = self.0.state.lock().await;
        state.schema_changed = true;
        let conn = state.conn()?;
        let done = match conn.batch("SAVEPOINT u").await {
            Ok(()) => {
                let done = raw::run_writes(conn, &sql).await;
                conn.leave("u", done.is_ok()).await.and(done)
            }
            Err(fail) => Err(fail),
        };
        conn.forget_statements();
        self.settle(&mut state, done).await
    }

    /// The columns of users' SQL.
    pub(crate) async fn raw_columns(&self, text: String) -> Result<Vec<Column>> {
        self.0.check()?;
        let mut state = self.0.state.lock().await;
        let conn = state.conn()?;
        let done = match conn.batch("SAVEPOINT u").await {
            Ok(()) => {
                let done = raw::describe(conn, &text).await;
                conn.leave("u", done.is_ok()).await.and(done)
            }
            Err(fail) => Err(fail),
        };
        self.settle(&mut state, done).await
    }

    /// The outcome of something that ran in a savepoint.
    async fn settle<T>(&self, state: &mut State, done: Result<T, Fail>) -> Result<T> {
        let fail = match done {
            Ok(done) => return Ok(done),
            Err(fail) => fail,
        };
        if fail.is_conflict() {
            self.0.collided.store(true, Relaxed);
        }
        if self.0.database.notice(&fail) {
            self.0.set_end(End::Over);
            state.lent = None;
            return Err(fail.into_error());
        }
        match state.conn() {
            Ok(conn) => Err(explain(conn, fail).await),
            Err(_) => Err(fail.into_error()),
        }
    }
}
