//! `Database`: a handle over one of the backends. Every door forwards; a backend decides.

use std::path::Path;
use std::time::Duration;

use dialects::Dialect;

use super::{
    Claims, Done, Job, Result, Rows, Sql, StoreConfig, Tx, Ways,
    backend::{AnyBackend, Backend, on},
    holding, postgres, sqlite,
};

/// A database: one SQLite file, or PostgreSQL. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Database(pub(super) AnyBackend);

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
        Ok(Self(sqlite::Database::open(config, file, frames)?.into()))
    }

    pub(super) async fn connect(
        postgres: &postgres::PostgresConfig,
        config: &StoreConfig,
    ) -> Result<Self> {
        Ok(Self(Box::pin(postgres::Database::open(postgres, config)).await?.into()))
    }

    /// Waits until no other node migrates this database.
    ///
    /// # Errors
    /// [`Connect`](super::Error::Connect).
    pub async fn lock_migrations(&self) -> Result<postgres::MigrationLock> {
        on!(AnyBackend, &self.0, db => Backend::lock_migrations(db).await)
    }

    /// The same database for somebody: row-level security sees who it is. Nothing changes where there is none.
    #[must_use]
    pub fn for_claims(&self, claims: Claims) -> Self {
        Self(on!(AnyBackend, &self.0, db => Backend::for_claims(db, claims).into()))
    }
    /// The same database for work about something (the id of a collection). Where connections are few, nothing may keep so
    /// many of them busy that work about anything else gets none.
    #[must_use]
    pub fn about(&self, subject: Option<std::sync::Arc<str>>) -> Self {
        Self(on!(AnyBackend, &self.0, db => Backend::about(db, subject).into()))
    }
    /// True where [`about`](Self::about) makes a difference.
    #[must_use]
    pub fn counts_subjects(&self) -> bool {
        on!(AnyBackend, &self.0, db => Backend::counts_subjects(db))
    }
    /// What [`about`](Self::about) said.
    #[must_use]
    pub fn subject(&self) -> Option<std::sync::Arc<str>> {
        on!(AnyBackend, &self.0, db => Backend::subject(db))
    }
    /// The same database for what is only shown: a read replica may answer that has every write this node knows of.
    /// Nothing changes where there are none.
    #[must_use]
    pub fn anywhere(&self) -> Self {
        Self(on!(AnyBackend, &self.0, db => Backend::anywhere(db).into()))
    }
    /// True if what is seen may depend on who asks ([`for_claims`](Self::for_claims)).
    #[must_use]
    pub fn has_row_security(&self) -> bool {
        on!(AnyBackend, &self.0, db => Backend::has_row_security(db))
    }

    /// What nodes over one database share; `None` on SQLite and where there are to be no others.
    #[must_use]
    pub fn cluster(&self) -> Option<postgres::Cluster> {
        on!(AnyBackend, &self.0, db => Backend::cluster(db))
    }

    /// True if [`Database::cluster`] gives something: writes ask that each time.
    #[must_use]
    pub fn may_have_nodes(&self) -> bool {
        on!(AnyBackend, &self.0, db => Backend::may_have_nodes(db))
    }

    /// Which SQL it speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        on!(AnyBackend, &self.0, db => Backend::dialect(db))
    }
    /// The database file, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        on!(AnyBackend, &self.0, db => Backend::path(db))
    }
    /// True where other processes are told what is written, and tell what they write. Where they are not, only
    /// [`foreign_version`](Self::foreign_version) says that they did.
    #[must_use]
    pub fn is_told(&self) -> bool {
        on!(AnyBackend, &self.0, db => Backend::is_told(db))
    }
    /// How many rows one statement may insert within the time limit: each is a round trip, or none.
    #[must_use]
    pub fn batch_rows(&self) -> usize {
        on!(AnyBackend, &self.0, db => Backend::batch_rows(db))
    }
    /// Bytes on the disk.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn size(&self) -> Result<u64> {
        on!(AnyBackend, &self.0, db => Backend::size(db).await)
    }
    /// Something that whoever runs the server should know: one line, found while connecting.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        on!(AnyBackend, &self.0, db => Backend::warning(db))
    }
    /// The time limit of statements, jobs and transactions.
    #[must_use]
    pub fn query_timeout(&self) -> Duration {
        on!(AnyBackend, &self.0, db => Backend::query_timeout(db))
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
        on!(AnyBackend, &self.0, db => Backend::query(db, sql, visit).await)
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
        on!(AnyBackend, &self.0, db => Backend::query_now(db, sql, visit).await)
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
        on!(AnyBackend, &self.0, db => Backend::query_ways(db, ways, visit).await)
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
        on!(AnyBackend, &self.0, db => Backend::query_lane(db, sql, visit).await)
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
        on!(AnyBackend, &self.0, db => Backend::write(db, job).await)
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
        let any = on!(AnyBackend, &self.0, db => Backend::begin_within(db, limit).await?.into());
        Ok(Tx { database: self.clone(), any })
    }

    /// True inside [`Tx::scope`] of a transaction on this database.
    #[must_use]
    pub fn held_by_this_task(&self) -> bool {
        holding::holds(self.id())
    }

    pub(super) fn id(&self) -> u64 {
        on!(AnyBackend, &self.0, db => Backend::id(db))
    }

    /// Counters since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        on!(AnyBackend, &self.0, db => Backend::stats(db))
    }

    /// Reads that wait for a reader thread.
    #[must_use]
    pub fn waiting_reads(&self) -> usize {
        on!(AnyBackend, &self.0, db => Backend::waiting_reads(db))
    }

    /// Jobs and transactions that wait for the writer.
    #[must_use]
    pub fn waiting_writes(&self) -> usize {
        on!(AnyBackend, &self.0, db => Backend::waiting_writes(db))
    }

    /// Commits of this process so far; a cheap version for caches. Foreign writes: [`foreign_version`](Self::foreign_version).
    /// On PostgreSQL never the same twice: others write at any time.
    #[must_use]
    pub fn write_version(&self) -> u64 {
        on!(AnyBackend, &self.0, db => Backend::write_version(db))
    }

    /// A number that changes when another process (not this one) has written. On SQLite it sees what was committed before
    /// the call and costs about two microseconds; on PostgreSQL it changes by itself every half second.
    #[must_use]
    pub fn foreign_version(&self) -> i64 {
        on!(AnyBackend, &self.0, db => Backend::foreign_version(db))
    }

    /// To be called after a schema change: connections drop their cached statements, what is known about slow ones is
    /// forgotten.
    pub fn bump(&self) {
        on!(AnyBackend, &self.0, db => Backend::bump(db))
    }

    /// `PRAGMA optimize` (after table syncs and daily, spec §1.2); PostgreSQL does that by itself.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn optimize(&self) -> Result<()> {
        on!(AnyBackend, &self.0, db => Backend::optimize(db).await)
    }

    /// `wal_checkpoint(TRUNCATE)` (daily, spec §1.2); PostgreSQL does that by itself.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn checkpoint_truncate(&self) -> Result<()> {
        on!(AnyBackend, &self.0, db => Backend::checkpoint_truncate(db).await)
    }

    /// `wal_checkpoint(PASSIVE)` in the background, unless one is on its way.
    pub fn checkpoint_soon(&self) {
        on!(AnyBackend, &self.0, db => Backend::checkpoint_soon(db))
    }

    /// Gives back the space of a table that lost its rows: the whole file is rewritten on SQLite, only the table is looked
    /// at on PostgreSQL.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn vacuum(&self, table: &str) -> Result<()> {
        on!(AnyBackend, &self.0, db => Backend::vacuum(db, table).await)
    }

    /// Writes a consistent, defragmented copy to `target`, which must not exist. Neither readers nor the writer wait.
    ///
    /// # Errors
    /// What the driver says; [`Unsupported`](super::Error::Unsupported) on PostgreSQL.
    pub async fn copy_into(&self, target: &Path) -> Result<()> {
        on!(AnyBackend, &self.0, db => Backend::copy_into(db, target).await)
    }

    /// Copies the file page by page as it is now to `target`, which must not exist. Blocks. `pace` is called after every few
    /// pages; false stops.
    ///
    /// # Errors
    /// What the driver says; [`Ended`](super::Error::Ended) when `pace` stopped it.
    pub fn copy_pages(&self, target: &Path, pace: &mut dyn FnMut() -> bool) -> Result<()> {
        on!(AnyBackend, &self.0, db => Backend::copy_pages(db, target, pace))
    }

    /// A pragma's first column as the writer sees it, for tests and diagnostics.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn writer_pragma(&self, name: &str) -> Result<String> {
        on!(AnyBackend, &self.0, db => Backend::writer_pragma(db, name).await)
    }

    pub(super) fn close(&self) {
        on!(AnyBackend, &self.0, db => Backend::close(db))
    }
}
