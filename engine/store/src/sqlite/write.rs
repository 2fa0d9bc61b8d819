//! Typed write jobs and group commit.
//!
//! A job is atomic by itself and may be run again from the start, because it is data. It runs on the caller's thread when the
//! writer is free and a commit costs no fsync, otherwise in the writer thread together with all others that wait: one
//! transaction, a savepoint per job, one commit, then all answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use primitives::future::BoxFutureRef;

use super::conn::Conn;
use super::held::{Held, Item};
use super::read::{Database, Heavy, is_quick, is_slow};
use super::{Done, Durability, Error, Job, OwnedRows, Result, Rows, Sql, Step};

/// Ticks (of 2,000 steps) a job may take on the calling thread.
const TRIAL: u32 = 20;
/// Jobs with more steps go to the writer thread at once.
const SMALL: usize = 8;
/// Waits between attempts when a foreign process holds the file (spec records §1.12), milliseconds.
const RETRIES: [u64; 12] = [100, 150, 200, 300, 400, 500, 700, 1000, 1000, 1000, 1000, 1000];

/// What is remembered about the cost of a job; never 0.
pub(super) fn mark(job: &Job) -> u64 {
    job.steps.iter().fold(1u64, |mark, step| {
        let text = match step {
            Step::ExecuteMany { text, .. } => text,
            Step::Execute(sql) | Step::Query(sql) => &sql.text,
            Step::ExpectRow { sql, .. } | Step::ExpectChanges { sql, .. } => &sql.text,
        };
        mark.rotate_left(7) ^ Heavy::mark(text)
    }) | 1
}

/// A queued job and its caller.
pub(super) struct Pending {
    job: Job,
    mark: u64,
    claim: Arc<Claim>,
    reply: oneshot::Sender<Result<Done>>,
}

/// Decides between the writer that starts a job and the caller that gives up waiting.
#[derive(Default)]
struct Claim(AtomicU8);

impl Claim {
    fn win(&self) -> bool {
        self.0.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl Database {
    /// Runs a job and answers after its commit. Dropping the future does not take a job back that has begun to wait.
    ///
    /// # Errors
    /// Of the first step that failed (nothing of the job is kept then); [`Error::Held`] when called inside a transaction of
    /// the same task or when a transaction does not end in time; [`Error::Busy`] when too many jobs wait.
    pub(crate) async fn write(&self, job: Job) -> Result<Done> {
        self.refuse_nested()?;
        let mark = mark(&job);
        if let Some(result) = self.write_here(&job, mark) {
            return result;
        }
        self.write_in_turn(job, mark).await
    }

    /// In the writer thread, with others that wait.
    fn write_in_turn(&self, job: Job, mark: u64) -> BoxFutureRef<'_, Result<Done>> {
        Box::pin(async move {
            let (reply, mut answer) = oneshot::channel();
            let claim = Arc::new(Claim::default());
            self.enqueue(Item::Job(Pending { job, mark, claim: claim.clone(), reply }))?;
            let limit = self.0.timeout + Duration::from_secs(1);
            let answered = match tokio::time::timeout(limit, &mut answer).await {
                Ok(answered) => answered,
                Err(_) if claim.win() => return Err(Error::Held),
                Err(_) => answer.await,
            };
            answered.unwrap_or(Err(Error::Busy))
        })
    }

    /// On the calling thread; `None`: not possible, nothing was done.
    fn write_here(&self, job: &Job, mark: u64) -> Option<Result<Done>> {
        let inner = &*self.0;
        if inner.durability == Durability::Full || job.size() > SMALL || inner.heavy.knows(mark) {
            return None;
        }
        let mut held = self.try_hold()?;
        let conn = match held.conn() {
            Ok(conn) => conn,
            Err(e) => return Some(Err(e)),
        };
        let started = Instant::now();
        conn.guard.arm(TRIAL, Some(started + inner.timeout));
        conn.patience(Duration::ZERO);
        let result = run_alone(conn, job, self.write_version());
        conn.patience(Duration::from_secs(10));
        let tripped = conn.guard.tripped();
        let slow = is_slow(conn.guard.ticks(), started.elapsed());
        if result.is_ok() {
            self.count_commit(1);
        }
        drop(held);
        if tripped || slow {
            inner.heavy.learn(mark);
        }
        if tripped || matches!(&result, Err(e) if e.is_locked()) {
            return None;
        }
        if result.is_ok() {
            inner.count.inline_jobs.fetch_add(1, Ordering::Relaxed);
        }
        Some(result)
    }

    /// After a job in the writer thread: may it run on the caller's thread next time?
    fn learn_from(&self, conn: &Conn, mark: u64, started: Instant) {
        let heavy = &self.0.heavy;
        if heavy.knows(mark) && is_quick(conn.guard.ticks(), started.elapsed()) {
            heavy.forget(mark);
        }
    }

    /// To be called while the writer is still held: [`Job::unless_written`] relies on it.
    pub(super) fn count_commit(&self, jobs: u64) {
        self.0.count.commits.fetch_add(1, Ordering::Release);
        self.0.count.jobs.fetch_add(jobs, Ordering::Relaxed);
    }
}

/// Runs a group in one transaction, commits, gives the writer back and answers all callers.
pub(super) fn run_group(database: &Database, mut held: Held, jobs: Vec<Pending>) {
    let mut jobs: Vec<Pending> = jobs.into_iter().filter(|j| j.claim.win()).collect();
    let mut results: Vec<Option<Result<Done>>> = jobs.iter().map(|_| None).collect();
    match held.conn() {
        Ok(conn) => while !attempt(database, conn, &jobs, &mut results) {},
        Err(e) => fill(&mut results, &e),
    }
    let done = results.iter().filter(|r| matches!(r, Some(Ok(_)))).count() as u64;
    if done > 0 {
        database.count_commit(done);
    }
    drop(held);
    for (job, result) in jobs.drain(..).zip(results) {
        // A caller that went away does not hear of its commit.
        let _ = job.reply.send(result.unwrap_or(Err(Error::Busy)));
    }
}

fn fill(results: &mut [Option<Result<Done>>], error: &Error) {
    for slot in results.iter_mut() {
        if !matches!(slot, Some(Err(_))) {
            *slot = Some(Err(error.clone()));
        }
    }
}

/// One try of the whole group. False: a job took the transaction down with it; again without that job.
fn attempt(
    db: &Database,
    conn: &mut Conn,
    jobs: &[Pending],
    results: &mut [Option<Result<Done>>],
) -> bool {
    let open: Vec<usize> =
        (0..jobs.len()).filter(|&i| !matches!(results[i], Some(Err(_)))).collect();
    let deadline = || Some(Instant::now() + db.0.timeout);
    if let [only] = open[..] {
        conn.guard.arm(0, deadline());
        let started = Instant::now();
        results[only] =
            Some(retrying(conn, |conn| run_alone(conn, &jobs[only].job, db.write_version())));
        db.learn_from(conn, jobs[only].mark, started);
        return true;
    }
    if open.is_empty() {
        return true;
    }
    conn.guard.arm(0, deadline());
    if let Err(e) = retrying(conn, |conn| Ok(conn.control("BEGIN IMMEDIATE")?)) {
        fill(results, &e);
        return true;
    }
    let mut version = db.write_version();
    for &i in &open {
        conn.guard.arm(0, deadline());
        let started = Instant::now();
        let result = in_savepoint(conn, &jobs[i].job, version);
        version += u64::from(result.is_ok());
        db.learn_from(conn, jobs[i].mark, started);
        let lost = result.is_err() && conn.raw.is_autocommit();
        results[i] = Some(result);
        if lost {
            return false;
        }
    }
    conn.guard.arm(0, None);
    if let Err(e) = conn.control("COMMIT") {
        let error = conn.guard.explain(e);
        if !conn.raw.is_autocommit() {
            // The transaction is lost either way.
            let _ = conn.control("ROLLBACK");
        }
        fill(results, &error);
    }
    true
}

/// Runs a job as a transaction of its own.
fn run_alone(conn: &mut Conn, job: &Job, version: u64) -> Result<Done> {
    if let [Step::Execute(_) | Step::ExpectChanges { .. } | Step::Query(_)] = &job.steps[..] {
        return run_steps(conn, job, version);
    }
    conn.control("BEGIN IMMEDIATE")?;
    let result = run_steps(conn, job, version).and_then(|done| {
        conn.control("COMMIT")?;
        Ok(done)
    });
    if !conn.raw.is_autocommit() {
        // Only after an error, which is what the caller hears of.
        let _ = conn.control("ROLLBACK");
    }
    result
}

/// Runs a job inside an open transaction, all or nothing.
pub(super) fn in_savepoint(conn: &mut Conn, job: &Job, version: u64) -> Result<Done> {
    conn.control("SAVEPOINT job")?;
    let result = run_steps(conn, job, version);
    if conn.raw.is_autocommit() {
        return result;
    }
    if result.is_err() {
        conn.control("ROLLBACK TO job")?;
    }
    conn.control("RELEASE job")?;
    result
}

fn run_steps(conn: &mut Conn, job: &Job, version: u64) -> Result<Done> {
    if job.since.is_some_and(|since| since != version) {
        return Err(Error::Overtaken);
    }
    let mut done = Done::default();
    for step in &job.steps {
        let changes = match step {
            Step::Execute(sql) => conn.execute(&sql.text, &sql.params)?,
            Step::ExecuteMany { text, rows } => conn.execute_many(text, rows)?,
            Step::ExpectRow { sql, tag } => {
                if !has_row(conn, sql)? {
                    return Err(Error::Expect(*tag));
                }
                0
            }
            Step::ExpectChanges { sql, tag } => match conn.execute(&sql.text, &sql.params)? {
                0 => return Err(Error::Expect(*tag)),
                changes => changes,
            },
            Step::Query(sql) => {
                let before = conn.raw.total_changes();
                done.rows.push(collect(conn, sql)?);
                if conn.raw.total_changes() == before { 0 } else { conn.raw.changes() }
            }
        };
        done.changes.push(changes);
    }
    Ok(done)
}

fn has_row(conn: &Conn, sql: &Sql) -> Result<bool> {
    let started = conn.clock();
    let mut statement = conn.prepare(&sql.text, &sql.params)?;
    let found = statement.raw_query().next()?.is_some();
    conn.traced(&sql.text, &sql.params, started);
    Ok(found)
}

fn collect(conn: &Conn, sql: &Sql) -> Result<OwnedRows> {
    let started = conn.clock();
    let mut statement = conn.prepare(&sql.text, &sql.params)?;
    let rows = Rows::fresh(statement.raw_query(), &conn.guard).collect();
    conn.traced(&sql.text, &sql.params, started);
    rows
}

/// Repeats what fails because a foreign process holds the file.
pub(super) fn retrying<T>(
    conn: &mut Conn,
    mut run: impl FnMut(&mut Conn) -> Result<T>,
) -> Result<T> {
    let until = Instant::now() + Duration::from_secs(30);
    for wait in RETRIES {
        match run(conn) {
            Err(e) if e.is_locked() && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(wait));
            }
            other => return other,
        }
    }
    run(conn)
}
