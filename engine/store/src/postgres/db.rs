//! `Database` on PostgreSQL: reads and jobs on any connection of the pool.
//!
//! There is no single writer: what must not change between a question and a write is asked again in the job's own
//! transaction ([`Database::write_version`]).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use dialects::{Dialect, catalog};
use futures_util::FutureExt as _;

use primitives::future::BoxFutureRef;

use super::{
    conn::{Answer, Conn},
    error::{self, Fail},
    pool::{Lent, Pool},
    publish::Publisher,
    replica::Replicas,
    shares::Subject,
};
use crate::{Claims, Done, Error, Job, Result, Rows, Sql, Stats, holding, retry};

/// Attempts of a read whose connection went away.
const READS: u32 = 3;
/// How long the server's own time limit may take to be noticed here.
const GRACE: Duration = Duration::from_secs(1);
/// What other nodes wrote is not believed to be unseen for longer than this.
const FOREIGN_MS: u128 = 500;

/// A PostgreSQL database, as somebody uses it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(super) inner: Arc<Inner>,
    /// Who asks, for policies.
    pub(super) somebody: Option<Claims>,
    /// Replicas may answer.
    pub(super) anywhere: bool,
    /// What it is about: nothing keeps so many connections busy that nothing else gets one.
    pub(super) subject: Subject,
}

#[derive(Debug)]
pub(super) struct Inner {
    id: u64,
    /// Something that whoever runs the server should know.
    warning: Option<String>,
    pub(super) pool: Pool,
    /// Tells other nodes; `None` when there are to be none.
    pub(super) publisher: Option<Publisher>,
    pub(super) replicas: Option<Replicas>,
    pub(super) timeout: Duration,
    started: Instant,
    asked: AtomicU64,
    reads: AtomicU64,
    commits: AtomicU64,
    jobs: AtomicU64,
}

impl Database {
    pub(super) fn new(
        pool: Pool,
        publisher: Option<Publisher>,
        replicas: Option<Replicas>,
        warning: Option<String>,
        timeout: Duration,
    ) -> Self {
        let inner = Inner {
            id: holding::fresh_id(),
            pool,
            publisher,
            replicas,
            warning,
            timeout,
            started: Instant::now(),
            asked: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            jobs: AtomicU64::new(0),
        };
        Self { inner: Arc::new(inner), somebody: None, anywhere: false, subject: None }
    }

    pub(crate) fn id(&self) -> u64 {
        self.inner.id
    }
    pub(crate) fn warning(&self) -> Option<&str> {
        self.inner.warning.as_deref()
    }
    pub(crate) fn query_timeout(&self) -> Duration {
        self.inner.timeout
    }
    /// The same database for reads that a replica may answer.
    pub(crate) fn anywhere(&self) -> Self {
        Self { anywhere: true, ..self.clone() }
    }
    /// The same database for something about a subject.
    pub(crate) fn about(&self, subject: Option<Arc<str>>) -> Self {
        Self { subject, ..self.clone() }
    }
    pub(crate) fn subject(&self) -> Option<Arc<str>> {
        self.subject.clone()
    }
    /// Something was, or may have been, written; to be called before anybody else hears of it.
    pub(super) fn wrote(&self) {
        if let Some(replicas) = &self.inner.replicas {
            replicas.wrote();
        }
    }
    pub(super) fn refuse_nested(&self) -> Result<()> {
        if holding::holds(self.inner.id) { Err(Error::Held) } else { Ok(()) }
    }

    /// Runs a read.
    pub(crate) async fn query<T, F>(&self, sql: Sql, visit: F) -> Result<T>
    where
        F: FnOnce(&mut Rows<'_>) -> T,
    {
        let answer = self.ask(sql).await?;
        Ok(visit(&mut answer.rows()))
    }

    fn ask(&self, sql: Sql) -> BoxFutureRef<'_, Result<Answer>> {
        Box::pin(async move {
            let limit = self.inner.timeout + GRACE;
            let answer = tokio::time::timeout(limit, self.fetch(&sql)).await;
            let answer = answer.unwrap_or(Err(Error::Timeout))?;
            self.inner.reads.fetch_add(1, Relaxed);
            Ok(answer)
        })
    }

    async fn fetch(&self, sql: &Sql) -> Result<Answer> {
        let (mut left, claims) = (READS, self.claims());
        if self.anywhere
            && let Some(replicas) = &self.inner.replicas
            // Type-erased, or the compiler's proof that requests are `Send` exceeds its limit.
            && let Some(answer) = replicas.fetch(&self.subject, claims.as_ref(), sql).boxed().await
        {
            return answer;
        }
        loop {
            let mut lent = self.inner.pool.get(self.subject.clone()).await?;
            let conn = lent.conn()?;
            left -= 1;
            let known = conn.knows(&sql.text);
            let fail = match conn.query_for(claims.as_ref(), sql).await {
                Ok(answer) => return Ok(answer),
                Err(fail) => fail,
            };
            let is_lost = self.notice(&fail);
            if left == 0 || !(is_lost || known && fail.is_outdated_plan()) {
                return Err(fail.into_error());
            }
        }
    }

    /// Runs a job on a task of its own: a caller that goes away does not take it back.
    pub(crate) async fn write(&self, job: Job) -> Result<Done> {
        self.refuse_nested()?;
        if job.since.is_some() {
            return Err(Error::Overtaken);
        }
        let database = self.clone();
        let work = tokio::spawn(async move {
            let limit = database.inner.timeout + GRACE;
            let done = tokio::time::timeout(limit, database.write_patiently(&job)).await;
            // What failed may have been committed nevertheless.
            database.wrote();
            done.unwrap_or(Err(Error::Timeout))
        });
        work.await.unwrap_or(Err(Error::Busy))
    }

    async fn write_patiently(&self, job: &Job) -> Result<Done> {
        let (mut waits, mut replanned, claims) = (retry::waits(), false, self.claims());
        let told = self.decide(&job.notes).await;
        loop {
            let mut lent = self.inner.pool.get(self.subject.clone()).await?;
            let conn = lent.conn()?;
            let fail = match conn.job_for(claims.as_ref(), job, told.node()).await {
                Ok(done) => {
                    self.count_commit(1);
                    return Ok(done);
                }
                Err(fail) => fail,
            };
            let outdated = !replanned && fail.is_outdated_plan();
            if outdated {
                replanned = true;
                conn.forget_statements();
                continue;
            }
            self.notice(&fail);
            if !fail.is_conflict() && !conn.was_turned_away(&fail) {
                return Err(explain(conn, fail).await);
            }
            drop(lent);
            let Some(wait) = waits.next() else { return Err(fail.into_error()) };
            tokio::time::sleep(wait).await;
        }
    }

    /// True if a failure is that the connection is gone; others of the pool are not trusted then.
    pub(super) fn notice(&self, fail: &Fail) -> bool {
        let is_lost = fail.is_disconnected();
        if is_lost {
            self.inner.pool.lost_one();
        }
        is_lost
    }

    pub(super) fn count_commit(&self, jobs: u64) {
        self.inner.commits.fetch_add(1, Relaxed);
        self.inner.jobs.fetch_add(jobs, Relaxed);
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            inline_reads: self.inner.reads.load(Relaxed),
            commits: self.inner.commits.load(Relaxed),
            jobs: self.inner.jobs.load(Relaxed),
            ..Stats::default()
        }
    }
    pub(crate) fn waiting(&self) -> usize {
        self.inner.pool.waiting()
    }

    /// Another number each time: whatever was asked before a write counts as overtaken and is asked again in its
    /// transaction, because other connections and other nodes write at the same time.
    pub(crate) fn write_version(&self) -> u64 {
        self.inner.asked.fetch_add(1, Relaxed)
    }

    /// Changes by itself every half second, which bounds how long what another node wrote stays unseen by caches.
    pub(crate) fn foreign_version(&self) -> i64 {
        i64::try_from(self.inner.started.elapsed().as_millis() / FOREIGN_MS).unwrap_or(i64::MAX)
    }

    pub(crate) fn bump(&self) {
        self.inner.pool.bump();
        if let Some(replicas) = &self.inner.replicas {
            replicas.bump();
        }
    }

    /// `VACUUM` of a table, without a time limit.
    pub(crate) async fn vacuum(&self, table: &str) -> Result<()> {
        let vacuum = format!("VACUUM {}", dialects::ident(table));
        let mut lent = self.inner.pool.get(self.subject.clone()).await?;
        let conn = lent.conn()?;
        conn.batch("SET statement_timeout = 0").await.map_err(Fail::into_error)?;
        let done = conn.batch(&vacuum).await.map_err(Fail::into_error);
        // Not for others: the pool's own limit is gone.
        conn.busy = true;
        done
    }

    pub(super) async fn lend(&self) -> Result<Lent> {
        self.inner.pool.get(self.subject.clone()).await
    }

    pub(crate) fn close(&self) {
        self.inner.pool.close();
        if let Some(replicas) = &self.inner.replicas {
            replicas.close();
        }
    }
}

/// A failure as an error of the store. The connection must be able to answer again: the columns of a violated index
/// are asked for.
pub(super) async fn explain(conn: &mut Conn, fail: Fail) -> Error {
    let Some((table, constraint)) = fail.unique() else { return fail.into_error() };
    let columns = columns_of(conn, &constraint).await;
    // Where a table is spread over servers, the part that refused is named: `posts_pkey_102025`.
    if columns.is_empty()
        && let Some(whole) = without_number(&constraint)
    {
        let columns = columns_of(conn, whole).await;
        if !columns.is_empty() {
            return error::unique(without_number(&table).unwrap_or(&table), whole, columns);
        }
    }
    error::unique(&table, &constraint, columns)
}

async fn columns_of(conn: &mut Conn, constraint: &str) -> Vec<String> {
    let asked = catalog::index_columns(Dialect::POSTGRES, constraint);
    let rows = match conn.query(&asked).await {
        Ok(answer) => answer.owned().map(|found| found.rows).unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    rows.into_iter()
        .filter_map(|row| row.into_iter().next()?.text().map(|name| name.into_owned()))
        .collect()
}

/// A name without `_` and the digits at its end.
fn without_number(name: &str) -> Option<&str> {
    let (whole, number) = name.rsplit_once('_')?;
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    (is_number && !whole.is_empty()).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_parts() {
        for (name, whole) in [
            ("posts_pkey_102025", Some("posts_pkey")),
            ("posts_102025", Some("posts")),
            ("posts_pkey", None),
            ("posts_", None),
            ("_1", None),
        ] {
            assert_eq!(without_number(name), whole);
        }
    }
}
