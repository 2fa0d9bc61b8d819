//! The backend's answers to the store. What is more than a line is in the files it is about. Futures are boxed: what they
//! hold is large, a round trip costs more, and they are compiled here instead of in each crate that awaits them.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use primitives::future::boxed;

use super::{Cluster, Database, MigrationLock, Tx};
use crate::{
    Claims, Dialect, Done, Error, Job, Result, Rows, Savepoint, Sql, Stats, Ways,
    backend::{Backend, Transaction},
    raw::{Column, TextRows},
};

impl Backend for Database {
    type Tx = Tx;

    fn id(&self) -> u64 {
        self.id()
    }
    fn dialect(&self) -> Dialect {
        Dialect::POSTGRES
    }
    fn path(&self) -> Option<&Path> {
        None
    }
    fn warning(&self) -> Option<&str> {
        self.warning()
    }
    fn query_timeout(&self) -> Duration {
        self.query_timeout()
    }
    /// Each is a round trip within the time limit of the transaction.
    fn batch_rows(&self) -> usize {
        2_000
    }
    async fn size(&self) -> Result<u64> {
        let sql = Sql::plain(dialects::postgres::catalog::DATABASE_SIZE);
        let size = self.query(sql, |rows| rows.scalar_i64()).await??;
        Ok(u64::try_from(size).unwrap_or_default())
    }
    fn stats(&self) -> Stats {
        self.stats()
    }
    fn waiting_reads(&self) -> usize {
        self.waiting()
    }
    fn waiting_writes(&self) -> usize {
        0
    }

    fn for_claims(&self, claims: Claims) -> Self {
        self.for_claims(claims)
    }
    fn has_row_security(&self) -> bool {
        self.has_row_security()
    }
    fn about(&self, subject: Option<Arc<str>>) -> Self {
        self.about(subject)
    }
    fn counts_subjects(&self) -> bool {
        true
    }
    fn subject(&self) -> Option<Arc<str>> {
        self.subject()
    }
    fn anywhere(&self) -> Self {
        self.anywhere()
    }
    fn cluster(&self) -> Option<Cluster> {
        Cluster::of(self)
    }
    fn may_have_nodes(&self) -> bool {
        Cluster::may_have(self)
    }
    fn is_told(&self) -> bool {
        true
    }
    fn lock_migrations(&self) -> impl Future<Output = Result<MigrationLock>> + Send {
        boxed(self.lock_migrations())
    }

    fn query<T, F>(&self, sql: Sql, visit: F) -> impl Future<Output = Result<T>> + Send
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static,
    {
        self.query(sql, visit)
    }
    fn query_now<T, F>(&self, sql: Sql, visit: F) -> impl Future<Output = Result<T>> + Send
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static,
    {
        self.query(sql, visit)
    }
    fn query_ways<T, F>(&self, ways: &Ways<'_>, visit: F) -> impl Future<Output = Result<T>> + Send
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Clone + Send + 'static,
    {
        self.query(ways.last(), visit)
    }
    fn query_lane<T, F>(&self, sql: Sql, visit: F) -> impl Future<Output = Result<T>> + Send
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static,
    {
        self.query(sql, visit)
    }
    fn write(&self, job: Job) -> impl Future<Output = Result<Done>> + Send {
        boxed(self.write(job))
    }
    fn begin_within(&self, limit: Duration) -> impl Future<Output = Result<Tx>> + Send {
        boxed(self.begin_within(limit))
    }
    fn raw_read(
        &self,
        sql: Sql,
        max_rows: usize,
        limit: Duration,
    ) -> impl Future<Output = Result<TextRows>> + Send {
        boxed(self.raw_read(sql, max_rows, limit))
    }
    fn raw_columns(&self, text: String) -> impl Future<Output = Result<Vec<Column>>> + Send {
        boxed(self.raw_columns(text))
    }
    fn raw_place(
        &self,
        text: String,
        words: String,
    ) -> impl Future<Output = Result<Option<usize>>> + Send {
        boxed(self.raw_place(text, words))
    }

    fn write_version(&self) -> u64 {
        self.write_version()
    }
    fn foreign_version(&self) -> i64 {
        self.foreign_version()
    }
    fn bump(&self) {
        self.bump();
    }
    /// The server does that by itself.
    async fn optimize(&self) -> Result<()> {
        Ok(())
    }
    /// The server does that by itself.
    async fn checkpoint_truncate(&self) -> Result<()> {
        Ok(())
    }
    fn checkpoint_soon(&self) {}
    fn vacuum(&self, table: &str) -> impl Future<Output = Result<()>> + Send {
        let table = table.to_owned();
        boxed(async move { self.vacuum(&table).await })
    }
    async fn copy_into(&self, _target: &Path) -> Result<()> {
        Err(Error::Unsupported)
    }
    fn copy_pages(&self, _target: &Path, _pace: &mut dyn FnMut() -> bool) -> Result<()> {
        Err(Error::Unsupported)
    }
    async fn writer_pragma(&self, _name: &str) -> Result<String> {
        Err(Error::Unsupported)
    }
    fn close(&self) {
        self.close();
    }
}

impl Transaction for Tx {
    fn deadline(&self) -> Instant {
        self.deadline()
    }
    fn query<T, F>(&self, sql: Sql, visit: F) -> impl Future<Output = Result<T>> + Send
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static,
    {
        self.query(sql, visit)
    }
    fn write(&self, job: Job) -> impl Future<Output = Result<Done>> + Send {
        boxed(self.write(job))
    }
    fn execute_batch(&self, sql: String) -> impl Future<Output = Result<()>> + Send {
        boxed(self.execute_batch(sql))
    }
    fn savepoint(&self) -> impl Future<Output = Result<Savepoint>> + Send {
        boxed(self.savepoint())
    }
    fn rollback_to(&self, savepoint: Savepoint) -> impl Future<Output = Result<()>> + Send {
        boxed(self.rollback_to(savepoint))
    }
    fn release(&self, savepoint: Savepoint) -> impl Future<Output = Result<()>> + Send {
        boxed(self.release(savepoint))
    }
    fn commit(&self) -> impl Future<Output = Result<()>> + Send {
        boxed(self.commit())
    }
    fn rollback(&self) -> impl Future<Output = ()> + Send {
        boxed(self.rollback())
    }
    fn has_collided(&self) -> bool {
        self.has_collided()
    }
    fn is_open(&self) -> bool {
        self.is_open()
    }
    fn raw_read(&self, sql: Sql, max_rows: usize) -> impl Future<Output = Result<TextRows>> + Send {
        boxed(self.raw_read(sql, max_rows))
    }
    fn raw_write(&self, sql: Sql) -> impl Future<Output = Result<u64>> + Send {
        boxed(self.raw_write(sql))
    }
    fn raw_columns(&self, text: String) -> impl Future<Output = Result<Vec<Column>>> + Send {
        boxed(self.raw_columns(text))
    }
}
