//! What a backend does, as two traits without default bodies, and the list of backends. [`Database`](super::Database) and
//! [`Tx`](super::Tx) ask through [`on!`], which is the only `match` over them.
//!
//! A trait object cannot take the visitors of reads, and the file of SQLite must not pay for a boxed future: hence enums.

use std::{
    fmt::Debug,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Claims, Dialect, Done, Job, Result, Rows, Savepoint, Sql, Stats, Ways, postgres,
    raw::{Column, TextRows},
    sqlite,
};

/// The backends.
#[derive(Debug, Clone)]
pub(super) enum AnyBackend {
    Sqlite(sqlite::Database),
    Postgres(postgres::Database),
}

/// Their transactions.
#[derive(Debug, Clone)]
pub(super) enum AnyTx {
    Sqlite(sqlite::Tx),
    Postgres(postgres::Tx),
}

/// Runs an expression on whichever it is.
macro_rules! on {
    ($enum:ident, $any:expr, $it:ident => $do:expr) => {
        match $any {
            $crate::backend::$enum::Sqlite($it) => $do,
            $crate::backend::$enum::Postgres($it) => $do,
        }
    };
}
pub(super) use on;

impl From<sqlite::Database> for AnyBackend {
    fn from(database: sqlite::Database) -> Self {
        Self::Sqlite(database)
    }
}
impl From<postgres::Database> for AnyBackend {
    fn from(database: postgres::Database) -> Self {
        Self::Postgres(database)
    }
}
impl From<sqlite::Tx> for AnyTx {
    fn from(tx: sqlite::Tx) -> Self {
        Self::Sqlite(tx)
    }
}
impl From<postgres::Tx> for AnyTx {
    fn from(tx: postgres::Tx) -> Self {
        Self::Postgres(tx)
    }
}

/// What a database does. What each answer is for says [`Database`](super::Database).
pub(super) trait Backend: Clone + Debug + Send + Sync + Into<AnyBackend> {
    /// Its transactions.
    type Tx: Transaction;

    fn id(&self) -> u64;
    fn dialect(&self) -> Dialect;
    fn path(&self) -> Option<&Path>;
    fn warning(&self) -> Option<&str>;
    fn query_timeout(&self) -> Duration;
    fn batch_rows(&self) -> usize;
    fn size(&self) -> impl Future<Output = Result<u64>> + Send;
    fn stats(&self) -> Stats;
    fn waiting_reads(&self) -> usize;
    fn waiting_writes(&self) -> usize;

    // who asks, about what, and who else there is
    fn for_claims(&self, claims: Claims) -> Self;
    fn has_row_security(&self) -> bool;
    fn about(&self, subject: Option<Arc<str>>) -> Self;
    fn counts_subjects(&self) -> bool;
    fn subject(&self) -> Option<Arc<str>>;
    fn anywhere(&self) -> Self;
    fn cluster(&self) -> Option<postgres::Cluster>;
    fn may_have_nodes(&self) -> bool;
    fn is_told(&self) -> bool;
    fn lock_migrations(&self) -> impl Future<Output = Result<postgres::MigrationLock>> + Send;

    // reads and writes
    fn query<T, F>(&self, sql: Sql, visit: F) -> impl Future<Output = Result<T>> + Send
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static;
    fn query_now<T, F>(&self, sql: Sql, visit: F) -> impl Future<Output = Result<T>> + Send
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static;
    fn query_ways<T, F>(&self, ways: &Ways<'_>, visit: F) -> impl Future<Output = Result<T>> + Send
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Clone + Send + 'static;
    fn query_lane<T, F>(&self, sql: Sql, visit: F) -> impl Future<Output = Result<T>> + Send
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static;
    fn write(&self, job: Job) -> impl Future<Output = Result<Done>> + Send;
    fn begin_within(&self, limit: Duration) -> impl Future<Output = Result<Self::Tx>> + Send;
    fn raw_read(
        &self,
        sql: Sql,
        max_rows: usize,
        limit: Duration,
    ) -> impl Future<Output = Result<TextRows>> + Send;
    fn raw_columns(&self, text: String) -> impl Future<Output = Result<Vec<Column>>> + Send;
    fn raw_place(
        &self,
        text: String,
        words: String,
    ) -> impl Future<Output = Result<Option<usize>>> + Send;

    // upkeep
    fn write_version(&self) -> u64;
    fn foreign_version(&self) -> i64;
    fn bump(&self);
    fn optimize(&self) -> impl Future<Output = Result<()>> + Send;
    fn checkpoint_truncate(&self) -> impl Future<Output = Result<()>> + Send;
    fn checkpoint_soon(&self);
    fn vacuum(&self, table: &str) -> impl Future<Output = Result<()>> + Send;
    fn copy_into(&self, target: &Path) -> impl Future<Output = Result<()>> + Send;
    fn copy_pages(&self, target: &Path, pace: &mut dyn FnMut() -> bool) -> Result<()>;
    fn writer_pragma(&self, name: &str) -> impl Future<Output = Result<String>> + Send;
    fn close(&self);
}

/// What a transaction does. What each answer is for says [`Tx`](super::Tx).
pub(super) trait Transaction: Clone + Debug + Send + Sync + Into<AnyTx> {
    fn deadline(&self) -> Instant;
    fn query<T, F>(&self, sql: Sql, visit: F) -> impl Future<Output = Result<T>> + Send
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static;
    fn write(&self, job: Job) -> impl Future<Output = Result<Done>> + Send;
    fn execute_batch(&self, sql: String) -> impl Future<Output = Result<()>> + Send;
    fn savepoint(&self) -> impl Future<Output = Result<Savepoint>> + Send;
    fn rollback_to(&self, savepoint: Savepoint) -> impl Future<Output = Result<()>> + Send;
    fn release(&self, savepoint: Savepoint) -> impl Future<Output = Result<()>> + Send;
    fn commit(&self) -> impl Future<Output = Result<()>> + Send;
    fn rollback(&self) -> impl Future<Output = ()> + Send;
    fn has_collided(&self) -> bool;
    fn is_open(&self) -> bool;
    fn raw_read(&self, sql: Sql, max_rows: usize) -> impl Future<Output = Result<TextRows>> + Send;
    fn raw_write(&self, sql: Sql) -> impl Future<Output = Result<u64>> + Send;
    fn raw_columns(&self, text: String) -> impl Future<Output = Result<Vec<Column>>> + Send;
}
