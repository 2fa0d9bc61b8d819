//! `Database`: a handle over one of the two backends. Every door forwards; a backend decides.

use std::path::Path;
use std::time::Duration;

use dialects::Dialect;

use super::{
    Claims, Done, Error, Job, Result, Rows, Sql, StoreConfig, Tx, Ways, holding, postgres, sqlite,
    tx,
};

/// A database: one SQLite file, or PostgreSQL. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Database(pub(super) Backend);

#[derive(Debug, Clone)]
pub(super) enum Backend {
    Sqlite(sqlite::Database),
    Postgres(postgres::Database),
}

/// What a database has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Reads that ran on the calling thread.
    pub inline_reads: u64,
    /// Reads that ran on the lane.
    pub lane_reads: u64,
    /// Reads that were started on the calling thread and moved to the lane.
    pub deferred_reads: u64,
    /// Transactions committed (with `Durability::Full`, one fsync each).
    pub commits: u64,
    /// Write jobs done.
    pub jobs: u64,
    /// Write jobs that ran on the calling thread.
    pub inline_jobs: u64,
    /// Checkpoints done in the background.
    pub checkpoints: u64,
}

impl Database {
    /// `frames`: how long the WAL of a file grows between checkpoints.
    pub(super) fn open(config: &StoreConfig, file: &str, frames: u32) -> Result<Self> {
        Ok(Self(Backend::Sqlite(sqlite::Database::open(config, file, frames)?)))
    }

    pub(super) async fn connect(
        postgres: &postgres::PostgresConfig,
        config: &StoreConfig,
    ) -> Result<Self> {
        Ok(Self(Backend::Postgres(Box::pin(postgres::Database::open(postgres, config)).await?)))
    }

    /// Waits until no other node migrates this database.
    ///
    /// # Errors
    /// [`Connect`](Error::Connect).
    pub async fn lock_migrations(&self) -> Result<postgres::MigrationLock> {
        match &self.0 {
            Backend::Sqlite(_) => Ok(postgres::MigrationLock::none()),
            Backend::Postgres(db) => Box::pin(db.lock_migrations()).await,
        }
    }

    /// The same database for somebody: row-level security sees who it is. Nothing changes where there is none.
    #[must_use]
    pub fn for_claims(&self, claims: Claims) -> Self {
        match &self.0 {
            Backend::Sqlite(_) => self.clone(),
            Backend::Postgres(db) => Self(Backend::Postgres(db.for_claims(claims))),
        }
    }
    /// The same database for work about something (the id of a collection). Where connections are few, nothing may keep so
    /// many of them busy that work about anything else gets none.
    #[must_use]
    pub fn about(&self, subject: Option<std::sync::Arc<str>>) -> Self {
        match &self.0 {
            Backend::Sqlite(_) => self.clone(),
            Backend::Postgres(db) => Self(Backend::Postgres(db.about(subject))),
        }
    }
    /// True where [`about`](Self::about) makes a difference.
    #[must_use]
    pub fn counts_subjects(&self) -> bool {
        match &self.0 {
            Backend::Sqlite(_) => false,
            Backend::Postgres(_) => true,
        }
    }
    /// What [`about`](Self::about) said.
    #[must_use]
    pub fn subject(&self) -> Option<std::sync::Arc<str>> {
        match &self.0 {
            Backend::Sqlite(_) => None,
            Backend::Postgres(db) => db.subject(),
        }
    }
    /// The same database for what is only shown: a read replica may answer that has every write this node knows of.
    /// Nothing changes where there are none.
    #[must_use]
    pub fn anywhere(&self) -> Self {
        match &self.0 {
            Backend::Sqlite(_) => self.clone(),
            Backend::Postgres(db) => Self(Backend::Postgres(db.anywhere())),
        }
    }
    /// True if what is seen may depend on who asks ([`for_claims`](Self::for_claims)).
    #[must_use]
    pub fn has_row_security(&self) -> bool {
        match &self.0 {
            Backend::Sqlite(_) => false,
            Backend::Postgres(db) => db.has_row_security(),
        }
    }

    /// What nodes over one database share; `None` on SQLite and where there are to be no others.
    #[must_use]
    pub fn cluster(&self) -> Option<postgres::Cluster> {
        match &self.0 {
            Backend::Sqlite(_) => None,
            Backend::Postgres(db) => postgres::Cluster::of(db),
        }
    }

    /// True if [`Database::cluster`] gives something: writes ask that each time.
    #[must_use]
    pub fn may_have_nodes(&self) -> bool {
        match &self.0 {
            Backend::Sqlite(_) => false,
            Backend::Postgres(db) => postgres::Cluster::may_have(db),
        }
    }

    /// Which SQL it speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match &self.0 {
            Backend::Sqlite(_) => Dialect::SQLITE,
            Backend::Postgres(_) => Dialect::POSTGRES,
        }
    }
    /// The database file, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Backend::Sqlite(db) => Some(db.path()),
            Backend::Postgres(_) => None,
        }
    }
    /// True where other processes are told what is written, and tell what they write. Where they are not, only
    /// [`foreign_version`](Self::foreign_version) says that they did.
    #[must_use]
    pub fn is_told(&self) -> bool {
        match &self.0 {
            Backend::Sqlite(_) => false,
            Backend::Postgres(_) => true,
        }
    }
    /// How many rows one statement may insert within the time limit: each is a round trip, or none.
    #[must_use]
    pub fn batch_rows(&self) -> usize {
        match &self.0 {
            Backend::Sqlite(_) => 8_000,
            Backend::Postgres(_) => 2_000,
        }
    }
    /// Bytes on the disk.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn size(&self) -> Result<u64> {
        let Some(path) = self.path() else {
            let sql = Sql::plain(dialects::postgres::catalog::DATABASE_SIZE);
            let size = self.query(sql, |rows| rows.scalar_i64()).await??;
            return Ok(u64::try_from(size).unwrap_or_default());
        };
        Ok(std::fs::metadata(path).map_or(0, |stat| stat.len()))
    }
    /// Something that whoever runs the server should know: one line, found while connecting.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        match &self.0 {
            Backend::Sqlite(_) => None,
            Backend::Postgres(db) => db.warning(),
        }
    }
    /// The time limit of statements, jobs and transactions.
    #[must_use]
    pub fn query_timeout(&self) -> Duration {
        match &self.0 {
            Backend::Sqlite(db) => db.query_timeout(),
            Backend::Postgres(db) => db.query_timeout(),
        }
    }

    /// Runs a read and shows its rows to `visit`. On SQLite on the calling thread if the statement is cheap, on the reader
    /// lane otherwise.
    ///
    /// `visit` must not block: it runs while a connection is checked out.
    ///
    /// # Errors
    /// What the driver says, [`Timeout`](super::Error::Timeout), or [`Busy`](super::Error::Busy) when too many reads wait.
    pub async fn query<T, F>(&self, sql: Sql, visit: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static,
    {
        match &self.0 {
            Backend::Sqlite(db) => db.query(sql, visit).await,
            Backend::Postgres(db) => Box::pin(db.query(sql, visit)).await,
        }
    }

    /// As [`query`](Self::query), for statements the caller knows to be point lookups.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn query_now<T, F>(&self, sql: Sql, visit: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static,
    {
        match &self.0 {
            Backend::Sqlite(db) => db.query_now(sql, visit).await,
            Backend::Postgres(db) => Box::pin(db.query(sql, visit)).await,
        }
    }

    /// As [`query`](Self::query), of rows that several statements give: on SQLite by whichever was the cheapest lately,
    /// else by the last one.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn query_ways<T, F>(&self, ways: &Ways<'_>, visit: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Clone + Send + 'static,
    {
        match &self.0 {
            Backend::Sqlite(db) => db.query_ways(ways, visit).await,
            Backend::Postgres(db) => Box::pin(db.query(ways.last(), visit)).await,
        }
    }

    /// As [`query`](Self::query), for statements known to be slow (exports, statistics).
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn query_lane<T, F>(&self, sql: Sql, visit: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static,
    {
        match &self.0 {
            Backend::Sqlite(db) => db.query_lane(sql, visit).await,
            Backend::Postgres(db) => Box::pin(db.query(sql, visit)).await,
        }
    }

    /// Runs a job and answers after its commit. Dropping the future does not take a job back that has begun to wait.
    ///
    /// # Errors
    /// Of the first step that failed (nothing of the job is kept then); [`Held`](super::Error::Held) when called inside a
    /// transaction of the same task or when a transaction does not end in time; [`Busy`](super::Error::Busy) when too many
    /// jobs wait.
    pub async fn write(&self, job: Job) -> Result<Done> {
        if job.is_idle(self.is_told()) {
            return Ok(Done::default());
        }
        match &self.0 {
            Backend::Sqlite(db) => db.write(job).await,
            Backend::Postgres(db) => Box::pin(db.write(job)).await,
        }
    }

    /// Opens a transaction with the query timeout as its deadline.
    ///
    /// # Errors
    /// [`Held`](super::Error::Held) when the calling task already holds one or the writer is not given back in time; else as
    /// the driver.
    pub async fn begin(&self) -> Result<Tx> {
        self.begin_within(self.query_timeout()).await
    }

    /// As [`begin`](Self::begin) with a deadline of its own, which starts when the writer is free.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub async fn begin_within(&self, limit: Duration) -> Result<Tx> {
        let kind = match &self.0 {
            Backend::Sqlite(db) => tx::Kind::Sqlite(db.begin_within(limit).await?),
            Backend::Postgres(db) => tx::Kind::Postgres(Box::pin(db.begin_within(limit)).await?),
        };
        Ok(Tx { database: self.clone(), kind })
    }

    /// True inside [`Tx::scope`] of a transaction on this database.
    #[must_use]
    pub fn held_by_this_task(&self) -> bool {
        holding::holds(self.id())
    }

    pub(super) fn id(&self) -> u64 {
        match &self.0 {
            Backend::Sqlite(db) => db.0.id,
            Backend::Postgres(db) => db.id(),
        }
    }

    /// Counters since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        match &self.0 {
            Backend::Sqlite(db) => db.stats(),
            Backend::Postgres(db) => db.stats(),
        }
    }

    /// Reads that wait for a reader thread.
    #[must_use]
    pub fn waiting_reads(&self) -> usize {
        match &self.0 {
            Backend::Sqlite(db) => db.waiting_reads(),
            Backend::Postgres(db) => db.waiting(),
        }
    }

    /// Jobs and transactions that wait for the writer.
    #[must_use]
    pub fn waiting_writes(&self) -> usize {
        match &self.0 {
            Backend::Sqlite(db) => db.waiting_writes(),
            Backend::Postgres(_) => 0,
        }
    }

    /// Commits of this process so far; a cheap version for caches. Foreign writes: [`foreign_version`](Self::foreign_version).
    /// On PostgreSQL never the same twice: others write at any time.
    #[must_use]
    pub fn write_version(&self) -> u64 {
        match &self.0 {
            Backend::Sqlite(db) => db.write_version(),
            Backend::Postgres(db) => db.write_version(),
        }
    }

    /// A number that changes when another process (not this one) has written. On SQLite it sees what was committed before
    /// the call and costs about two microseconds; on PostgreSQL it changes by itself every half second.
    #[must_use]
    pub fn foreign_version(&self) -> i64 {
        match &self.0 {
            Backend::Sqlite(db) => db.foreign_version(),
            Backend::Postgres(db) => db.foreign_version(),
        }
    }

    /// To be called after a schema change: connections drop their cached statements, what is known about slow ones is
    /// forgotten.
    pub fn bump(&self) {
        match &self.0 {
            Backend::Sqlite(db) => db.bump(),
            Backend::Postgres(db) => db.bump(),
        }
    }

    /// `PRAGMA optimize` (after table syncs and daily, spec §1.2); PostgreSQL does that by itself.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn optimize(&self) -> Result<()> {
        match &self.0 {
            Backend::Sqlite(db) => db.optimize().await,
            Backend::Postgres(_) => Ok(()),
        }
    }

    /// `wal_checkpoint(TRUNCATE)` (daily, spec §1.2); PostgreSQL does that by itself.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn checkpoint_truncate(&self) -> Result<()> {
        match &self.0 {
            Backend::Sqlite(db) => db.checkpoint_truncate().await,
            Backend::Postgres(_) => Ok(()),
        }
    }

    /// `wal_checkpoint(PASSIVE)` in the background, unless one is on its way.
    pub fn checkpoint_soon(&self) {
        match &self.0 {
            Backend::Sqlite(db) => db.checkpoint_soon(),
            Backend::Postgres(_) => {}
        }
    }

    /// Gives back the space of a table that lost its rows: the whole file is rewritten on SQLite, only the table is looked
    /// at on PostgreSQL.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn vacuum(&self, table: &str) -> Result<()> {
        match &self.0 {
            Backend::Sqlite(db) => db.vacuum().await,
            Backend::Postgres(db) => Box::pin(db.vacuum(table)).await,
        }
    }

    /// Writes a consistent, defragmented copy to `target`, which must not exist. Neither readers nor the writer wait.
    ///
    /// # Errors
    /// What the driver says; [`Unsupported`](Error::Unsupported) on PostgreSQL.
    pub async fn copy_into(&self, target: &Path) -> Result<()> {
        match &self.0 {
            Backend::Sqlite(db) => db.copy_into(target).await,
            Backend::Postgres(_) => Err(Error::Unsupported),
        }
    }

    /// Copies the file page by page as it is now to `target`, which must not exist. Blocks. `pace` is called after every few
    /// pages; false stops.
    ///
    /// # Errors
    /// What the driver says; [`Ended`](super::Error::Ended) when `pace` stopped it.
    pub fn copy_pages(&self, target: &Path, pace: &mut dyn FnMut() -> bool) -> Result<()> {
        match &self.0 {
            Backend::Sqlite(db) => db.copy_pages(target, pace),
            Backend::Postgres(_) => Err(Error::Unsupported),
        }
    }

    /// A pragma's first column as the writer sees it, for tests and diagnostics.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn writer_pragma(&self, name: &str) -> Result<String> {
        match &self.0 {
            Backend::Sqlite(db) => db.writer_pragma(name).await,
            Backend::Postgres(_) => Err(Error::Unsupported),
        }
    }

    pub(super) fn close(&self) {
        match &self.0 {
            Backend::Sqlite(db) => db.close(),
            Backend::Postgres(db) => db.close(),
        }
    }
}
