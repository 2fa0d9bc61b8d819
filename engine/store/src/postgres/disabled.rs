//! PostgreSQL that this executable was built without: no connection string is accepted, so that there is no value of the
//! types that stand for a database.

mod plain;

use std::{
    convert::Infallible,
    fmt,
    marker::PhantomData,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use tokio::sync::mpsc;

pub use plain::{Change, ClusterMode, DsnError, Notice, PostgresConfig};

use crate::{
    Claims, Dialect, Done, Job, Result, RowRef, Rows, Savepoint, Sql, Stats, StoreConfig, ValueRef,
    Ways,
    backend::{Backend, Transaction},
    raw::{Column, TextRows},
};

/// Methods of values that do not exist: signatures are all there is to say.
macro_rules! nobody {
    () => {};
    (
        $(#[$about:meta])* $vis:vis async fn $name:ident $(<$($of:ident),*>)?
        (&$self:ident $(, $arg:ident: $ty:ty)* $(,)?) $(-> $answer:ty)?
        $(where $($who:ident: [$($bound:tt)*]),* $(,)?)?;
        $($rest:tt)*
    ) => {
        $(#[$about])*
        $vis async fn $name $(<$($of),*>)? (&$self $(, $arg: $ty)*) $(-> $answer)?
        $(where $($who: $($bound)*),*)?
        {
            match $self.0 {}
        }
        nobody! { $($rest)* }
    };
    (
        $(#[$about:meta])* $vis:vis fn $name:ident
        (&$self:ident $(, $arg:ident: $ty:ty)* $(,)?) $(-> $answer:ty)?;
        $($rest:tt)*
    ) => {
        $(#[$about])*
        $vis fn $name(&$self $(, $arg: $ty)*) $(-> $answer)? {
            match $self.0 {}
        }
        nobody! { $($rest)* }
    };
}

/// A connection string.
#[derive(Clone, PartialEq)]
pub struct Dsn(Infallible);

impl fmt::Debug for Dsn {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

impl fmt::Display for Dsn {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

impl Dsn {
    /// True if a text is meant as a connection string, not as a directory.
    #[must_use]
    pub fn is_dsn(text: &str) -> bool {
        let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        ["postgres://", "postgresql://"].iter().any(|scheme| text.trim_start().starts_with(scheme))
            || text.trim_start().split_once('=').is_some_and(|(name, _)| is_name(name.trim_end()))
    }

    /// Accepts nothing.
    ///
    /// # Errors
    /// Always.
    pub fn parse(text: &str) -> Result<Self, DsnError> {
        Self::parse_with(text, &|_| None)
    }

    /// Accepts nothing.
    ///
    /// # Errors
    /// Always.
    pub fn parse_with(
        _text: &str,
        _variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, DsnError> {
        Err(DsnError {
            parameter: "postgres".to_owned(),
            reason: "this executable was built without PostgreSQL (feature \"postgres\")"
                .to_owned(),
        })
    }

    /// False if named prepared statements must not be used.
    #[must_use]
    pub fn caches_statements(&self) -> bool {
        match self.0 {}
    }

    /// True if sessions are shared by a pooler.
    #[must_use]
    pub fn is_pooled(&self) -> bool {
        match self.0 {}
    }

    /// The same with another `application_name`.
    #[must_use]
    pub fn named(self, _application_name: &str) -> Self {
        match self.0 {}
    }

    /// Name of the database.
    #[must_use]
    pub fn database(&self) -> &str {
        match self.0 {}
    }

    /// `host:port,…` for people.
    #[must_use]
    pub fn hosts(&self) -> String {
        match self.0 {}
    }
}

/// Held while a node migrates.
#[derive(Debug)]
pub struct MigrationLock(());

impl MigrationLock {
    /// Nothing to hold: a directory has a lock of its own.
    pub(crate) fn none() -> Self {
        Self(())
    }
}

/// Held while a database is copied.
#[derive(Debug)]
pub struct BackupLock(Infallible);

impl BackupLock {
    /// Takes it; `None` if somebody else has it.
    ///
    /// # Errors
    /// None.
    pub async fn attempt(dsn: &Dsn) -> Result<Option<Self>> {
        match dsn.0 {}
    }

    /// Takes it when it is free.
    ///
    /// # Errors
    /// None.
    pub async fn wait(dsn: &Dsn) -> Result<Self> {
        match dsn.0 {}
    }

    /// True if somebody has it.
    ///
    /// # Errors
    /// None.
    pub async fn is_taken(_db: &crate::Database) -> Result<bool> {
        Ok(false)
    }
}

/// A PostgreSQL database.
#[derive(Debug, Clone)]
pub(crate) struct Database(Infallible);

impl Database {
    pub(crate) async fn open(postgres: &PostgresConfig, _config: &StoreConfig) -> Result<Self> {
        match postgres.dsn.0 {}
    }
}

impl Backend for Database {
    type Tx = Tx;

    nobody! {
        fn id(&self) -> u64;
        fn dialect(&self) -> Dialect;
        fn path(&self) -> Option<&Path>;
        fn warning(&self) -> Option<&str>;
        fn query_timeout(&self) -> Duration;
        fn batch_rows(&self) -> usize;
        async fn size(&self) -> Result<u64>;
        fn stats(&self) -> Stats;
        fn waiting_reads(&self) -> usize;
        fn waiting_writes(&self) -> usize;
        fn for_claims(&self, _claims: Claims) -> Self;
        fn has_row_security(&self) -> bool;
        fn about(&self, _subject: Option<Arc<str>>) -> Self;
        fn counts_subjects(&self) -> bool;
        fn subject(&self) -> Option<Arc<str>>;
        fn anywhere(&self) -> Self;
        fn cluster(&self) -> Option<Cluster>;
        fn may_have_nodes(&self) -> bool;
        fn is_told(&self) -> bool;
        async fn lock_migrations(&self) -> Result<MigrationLock>;
        async fn query<T, F>(&self, _sql: Sql, _visit: F) -> Result<T>
        where T: [Send + 'static], F: [FnOnce(&mut Rows<'_>) -> T + Send + 'static];
        async fn query_now<T, F>(&self, _sql: Sql, _visit: F) -> Result<T>
        where T: [Send + 'static], F: [FnOnce(&mut Rows<'_>) -> T + Send + 'static];
        async fn query_ways<T, F>(&self, _ways: &Ways<'_>, _visit: F) -> Result<T>
        where T: [Send + 'static], F: [FnOnce(&mut Rows<'_>) -> T + Clone + Send + 'static];
        async fn query_lane<T, F>(&self, _sql: Sql, _visit: F) -> Result<T>
        where T: [Send + 'static], F: [FnOnce(&mut Rows<'_>) -> T + Send + 'static];
        async fn write(&self, _job: Job) -> Result<Done>;
        async fn begin_within(&self, _limit: Duration) -> Result<Tx>;
        async fn raw_read(&self, _sql: Sql, _max_rows: usize, _limit: Duration) -> Result<TextRows>;
        async fn raw_columns(&self, _text: String) -> Result<Vec<Column>>;
        async fn raw_place(&self, _text: String, _words: String) -> Result<Option<usize>>;
        fn write_version(&self) -> u64;
        fn foreign_version(&self) -> i64;
        fn bump(&self);
        async fn optimize(&self) -> Result<()>;
        async fn checkpoint_truncate(&self) -> Result<()>;
        fn checkpoint_soon(&self);
        async fn vacuum(&self, _table: &str) -> Result<()>;
        async fn copy_into(&self, _target: &Path) -> Result<()>;
        fn copy_pages(&self, _target: &Path, _pace: &mut dyn FnMut() -> bool) -> Result<()>;
        async fn writer_pragma(&self, _name: &str) -> Result<String>;
        fn close(&self);
    }
}

/// A transaction.
#[derive(Debug, Clone)]
pub(crate) struct Tx(Infallible);

impl Transaction for Tx {
    nobody! {
        fn deadline(&self) -> Instant;
        async fn query<T, F>(&self, _sql: Sql, _visit: F) -> Result<T>
        where T: [Send + 'static], F: [FnOnce(&mut Rows<'_>) -> T + Send + 'static];
        async fn write(&self, _job: Job) -> Result<Done>;
        async fn execute_batch(&self, _sql: String) -> Result<()>;
        async fn savepoint(&self) -> Result<Savepoint>;
        async fn rollback_to(&self, _savepoint: Savepoint) -> Result<()>;
        async fn release(&self, _savepoint: Savepoint) -> Result<()>;
        async fn commit(&self) -> Result<()>;
        async fn rollback(&self);
        fn has_collided(&self) -> bool;
        fn is_open(&self) -> bool;
        async fn raw_read(&self, _sql: Sql, _max_rows: usize) -> Result<TextRows>;
        async fn raw_write(&self, _sql: Sql) -> Result<u64>;
        async fn raw_columns(&self, _text: String) -> Result<Vec<Column>>;
    }
}

/// A cursor over rows that have arrived.
#[derive(Debug)]
pub(crate) struct Cursor<'s>(Infallible, PhantomData<&'s ()>);

impl Cursor<'_> {
    #[allow(clippy::should_implement_trait)]
    pub(crate) fn next(&mut self) -> Option<RowRef<'_>> {
        match self.0 {}
    }
    pub(crate) fn column_count(&self) -> usize {
        match self.0 {}
    }
    pub(crate) fn column_name(&self, _i: usize) -> &str {
        match self.0 {}
    }
    pub(crate) fn decl_type(&self, _i: usize) -> Option<String> {
        match self.0 {}
    }
}

/// A row under a cursor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a>(Infallible, PhantomData<&'a ()>);

impl<'a> Shown<'a> {
    pub(crate) fn cell(self, _i: usize) -> ValueRef<'a> {
        match self.0 {}
    }
}

/// The nodes over one database.
#[derive(Debug, Clone)]
pub struct Cluster(Infallible);

impl Cluster {
    nobody! {
        /// The name of this node.
        #[must_use]
        pub fn node(&self) -> Arc<str>;
        /// True if writes are announced only while others are known.
        #[must_use]
        pub fn is_automatic(&self) -> bool;
        /// Makes the tables where they are missing.
        ///
        /// # Errors
        /// None.
        pub async fn ensure_tables(&self) -> Result<()>;
        /// Writes announce themselves from now on.
        pub async fn announce_all(&self);
        /// Writes do not announce themselves.
        pub fn announce_nothing(&self);
        /// Tells the other nodes something that is no write.
        ///
        /// # Errors
        /// None.
        pub async fn tell(&self, _event: &str, _data: &Json) -> Result<()>;
        /// Takes the run of a job in a minute.
        ///
        /// # Errors
        /// None.
        pub async fn claim(&self, _job: &str, _minute: i64) -> Result<bool>;
        /// Removes what is too old.
        ///
        /// # Errors
        /// None.
        pub async fn purge(&self) -> Result<()>;
        /// A kept row as one of its table.
        #[must_use]
        pub fn kept_row(
            &self,
            _table: &str,
            _columns: &dialects::statement::ColumnList,
            _kept: i64,
        ) -> Sql;
        /// This node ends.
        ///
        /// # Errors
        /// None.
        pub async fn leave(&self) -> Result<()>;
        /// Connects and listens.
        ///
        /// # Errors
        /// None.
        pub async fn listen(&self) -> Result<Listener>;
    }
}

/// The connection on which a node listens.
#[derive(Debug)]
pub struct Listener {
    nobody: Infallible,
    /// What other nodes say.
    pub notices: mpsc::Receiver<Notice>,
}

impl Listener {
    /// The two halves.
    #[must_use]
    pub fn split(self) -> (Heart, mpsc::Receiver<Notice>) {
        match self.nobody {}
    }
}

/// The half of a [`Listener`] that tells that this node lives.
#[derive(Debug)]
pub struct Heart(Infallible);

impl Heart {
    nobody! {
        /// Tells that this node lives.
        ///
        /// # Errors
        /// None.
        pub async fn beat(&self) -> Result<Vec<String>>;
        /// Tells that this node has joined.
        ///
        /// # Errors
        /// None.
        pub async fn join(&self) -> Result<()>;
    }
}
