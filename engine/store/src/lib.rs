//! Connections, lanes, group commit, transactions. Statements come from `dialects`; rows leave through visitors.
//!
//! The only room that holds SQL literals and connections; it must not know collections, records or rules.
//!
//! | door | for |
//! |---|---|
//! | [`Database::query`] | any read: cheap statements run on the calling thread, statements known to be slow on the reader lane |
//! | [`Database::write`] | a typed [`Job`], atomic by itself, committed together with others that wait |
//! | [`Database::begin`] | a lease on the writer: [`Tx`] |
//! | [`Db`] | either of them, so that callers need not care |
//! | [`raw`] | SQL that users wrote |

#![cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "what only PostgreSQL asks for"))]

pub mod announce;
mod backend;
mod claims;
mod database;
mod error;
mod holding;
mod job;
pub mod logs;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(not(feature = "postgres"))]
#[path = "postgres/disabled.rs"]
pub mod postgres;
pub mod query;
pub mod raw;
pub mod retry;
mod rows;
pub mod sizes;
mod sqlite;
pub mod system;
pub mod tables;
#[cfg(test)]
mod tests;
mod tx;
mod visit;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use dialects::{Dialect, Sql, Value};

pub use announce::Note;
pub use claims::Claims;
pub use database::{Database, Stats};
pub use error::{Error, Result};
pub use job::{Done, Job, Step};
pub use rows::{OwnedRows, RowRef, Rows, ValueRef};
pub use sqlite::check_file;
pub use tx::{Savepoint, Tx};

/// Sees every statement with its bound values and duration (`--dev`).
pub type Trace = Arc<dyn Fn(&str, &[Value], Duration) + Send + Sync>;

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// A crash of the process (`synchronous=NORMAL`, as the reference).
    #[default]
    Normal,
    /// A loss of power: one fsync per commit group (`synchronous=FULL`).
    Full,
}

/// How to open the two databases of a data directory.
#[derive(Clone)]
pub struct StoreConfig {
    /// The directory with `data.db` and `auxiliary.db`.
    pub dir: PathBuf,
    /// See [`Durability`].
    pub durability: Durability,
    /// Threads for slow reads.
    pub readers: usize,
    /// Longest time a statement, job or transaction may take.
    pub query_timeout: Duration,
    /// Statement listener of `--dev`.
    pub trace: Option<Trace>,
    /// Create missing files and directories.
    pub create_if_missing: bool,
    /// PostgreSQL instead of the two files.
    pub postgres: Option<postgres::PostgresConfig>,
}

impl std::fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreConfig")
            .field("dir", &self.dir)
            .field("durability", &self.durability)
            .field("readers", &self.readers)
            .field("query_timeout", &self.query_timeout)
            .field("trace", &self.trace.is_some())
            .finish_non_exhaustive()
    }
}

impl StoreConfig {
    /// The defaults for a directory: NORMAL, clamp(2 × cores, 2, 8) readers, 30 s, created when missing.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            durability: Durability::Normal,
            readers: (2 * primitives::lanes::cores()).clamp(2, 8),
            query_timeout: Duration::from_secs(30),
            trace: None,
            create_if_missing: true,
            postgres: None,
        }
    }
}

/// WAL frames (pages of 4 KiB) after which `data.db` is due for a checkpoint: SQLite's own figure.
const DATA_FRAMES: u32 = 1_000;
/// The same for `auxiliary.db`, where a batch of log entries is thousands of frames, often of the same pages.
const LOG_FRAMES: u32 = 8_000;

/// The two databases of a data directory. Clones share them; [`Store::close`] or the last clone closes the files.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    data: Database,
    aux: Database,
}

impl Store {
    /// Opens (or creates) `data.db` and `auxiliary.db`; nothing in them is rewritten.
    ///
    /// # Errors
    /// [`Error::Open`]: one line that names the file and what to do.
    pub fn open(config: &StoreConfig) -> Result<Self> {
        make_dir(config)?;
        let data = Database::open(config, "data.db", DATA_FRAMES)?;
        let aux = Database::open(config, "auxiliary.db", LOG_FRAMES)?;
        Ok(Self(Arc::new(Inner { data, aux })))
    }
    /// As [`Store::open`], or with PostgreSQL where it is configured: one database for both.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Connect`]: one line that says what to do.
    pub async fn connect(config: &StoreConfig) -> Result<Self> {
        let Some(postgres) = &config.postgres else { return Self::open(config) };
        make_dir(config)?;
        let data = Database::connect(postgres, config).await?;
        Ok(Self(Arc::new(Inner { aux: data.clone(), data })))
    }
    /// `data.db`: everything except logs.
    #[must_use]
    pub fn data(&self) -> &Database {
        &self.0.data
    }
    /// `auxiliary.db`: logs.
    #[must_use]
    pub fn aux(&self) -> &Database {
        &self.0.aux
    }
    /// Finishes queued writes, ends all threads and closes both files (no `-wal` stays behind). Blocks; idempotent.
    pub fn close(&self) {
        self.0.data.close();
        self.0.aux.close();
    }
}

fn make_dir(config: &StoreConfig) -> Result<()> {
    if config.create_if_missing {
        std::fs::create_dir_all(&config.dir).map_err(|e| Error::Open {
            path: config.dir.clone(),
            reason: format!("cannot create the directory: {e}"),
        })?;
    }
    Ok(())
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.data.close();
        self.aux.close();
    }
}

/// Statements that give the same rows in the same order.
#[derive(Clone, Copy)]
pub struct Ways<'a> {
    /// How many there are, 1 to 3.
    pub count: usize,
    /// The one of this number. The last is never far from the best; the others may be cheaper or much dearer.
    pub sql: &'a (dyn Fn(usize) -> Sql + Sync),
    /// How many matching rows the statements walk over at most.
    pub rows: u64,
}

impl Ways<'_> {
    fn last(&self) -> Sql {
        (self.sql)(self.count.max(1) - 1)
    }
}

impl std::fmt::Debug for Ways<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ways").field("count", &self.count).finish_non_exhaustive()
    }
}

/// Where an operation runs: the pool, or one open transaction.
#[derive(Debug, Clone)]
pub enum Db {
    Pool(Database),
    Tx(Tx),
}

impl Db {
    /// [`Database::query`] or [`Tx::query`].
    ///
    /// # Errors
    /// As those.
    pub async fn query<T, F>(&self, sql: Sql, visit: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static,
    {
        match self {
            Self::Pool(database) => database.query(sql, visit).await,
            Self::Tx(tx) => tx.query(sql, visit).await,
        }
    }
    /// [`Database::query_now`] or [`Tx::query`].
    ///
    /// # Errors
    /// As those.
    pub async fn query_now<T, F>(&self, sql: Sql, visit: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static,
    {
        match self {
            Self::Pool(database) => database.query_now(sql, visit).await,
            Self::Tx(tx) => tx.query(sql, visit).await,
        }
    }
    /// [`Database::anywhere`]; a transaction stays what it is.
    #[must_use]
    pub fn anywhere(&self) -> Self {
        match self {
            Self::Pool(database) => Self::Pool(database.anywhere()),
            Self::Tx(tx) => Self::Tx(tx.clone()),
        }
    }
    /// [`Database::query_ways`]; in a transaction [`Tx::query`] of the last way.
    ///
    /// # Errors
    /// As those.
    pub async fn query_ways<T, F>(&self, ways: &Ways<'_>, visit: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Clone + Send + 'static,
    {
        match self {
            Self::Pool(database) => database.query_ways(ways, visit).await,
            Self::Tx(tx) => tx.query(ways.last(), visit).await,
        }
    }
    /// [`Database::write`] or [`Tx::write`].
    ///
    /// # Errors
    /// As those.
    pub async fn write(&self, job: Job) -> Result<Done> {
        match self {
            Self::Pool(database) => database.write(job).await,
            Self::Tx(tx) => tx.write(job).await,
        }
    }
    /// Which SQL it speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.database().dialect()
    }
    /// The open transaction, if this is one.
    #[must_use]
    pub fn tx(&self) -> Option<&Tx> {
        if let Self::Tx(tx) = self { Some(tx) } else { None }
    }
    /// The database behind it.
    #[must_use]
    pub fn database(&self) -> &Database {
        match self {
            Self::Pool(database) => database,
            Self::Tx(tx) => tx.database(),
        }
    }
}

impl From<Database> for Db {
    fn from(database: Database) -> Self {
        Self::Pool(database)
    }
}
impl From<Tx> for Db {
    fn from(tx: Tx) -> Self {
        Self::Tx(tx)
    }
}
