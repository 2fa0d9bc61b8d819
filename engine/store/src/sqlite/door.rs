//! The backend's answers to the store. What is more than a line is in the files it is about. Futures are boxed but those of
//! reads and jobs, which mostly end at once.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use primitives::future::boxed;

use super::{Database, Done, Job, Result, Rows, Savepoint, Sql, Stats, Tx, Ways, raw};
use crate::{
    Claims, Dialect,
    backend::{Backend, Transaction},
    postgres::{Cluster, MigrationLock},
    raw::{Column, TextRows},
};

impl Backend for Database {
    type Tx = Tx;

    fn id(&self) -> u64 {
        self.0.id
    }
    fn dialect(&self) -> Dialect {
        Dialect::SQLITE
    }
    fn path(&self) -> Option<&Path> {
        Some(self.file())
    }
    fn warning(&self) -> Option<&str> {
        None
    }
    fn query_timeout(&self) -> Duration {
        self.query_timeout()
    }
    /// One commit for many rows.
    fn batch_rows(&self) -> usize {
        8_000
    }
    async fn size(&self) -> Result<u64> {
        Ok(std::fs::metadata(self.file()).map_or(0, |stat| stat.len()))
    }
    fn stats(&self) -> Stats {
        self.stats()
    }
    fn waiting_reads(&self) -> usize {
        self.waiting_reads()
    }
    fn waiting_writes(&self) -> usize {
        self.waiting_writes()
    }

    fn for_claims(&self, _claims: Claims) -> Self {
        self.clone()
    }
    fn has_row_security(&self) -> bool {
        false
    }
    /// Connections are not few: reads have threads, and there is one writer.
    fn about(&self, _subject: Option<Arc<str>>) -> Self {
        self.clone()
    }
    fn counts_subjects(&self) -> bool {
        false
    }
    fn subject(&self) -> Option<Arc<str>> {
        None
    }
    fn anywhere(&self) -> Self {
        self.clone()
    }
    fn cluster(&self) -> Option<Cluster> {
        None
    }
    fn may_have_nodes(&self) -> bool {
        false
    }
    fn is_told(&self) -> bool {
        false
    }
    async fn lock_migrations(&self) -> Result<MigrationLock> {
        Ok(MigrationLock::none())
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
        self.query_now(sql, visit)
    }
    fn query_ways<T, F>(&self, ways: &Ways<'_>, visit: F) -> impl Future<Output = Result<T>> + Send
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Clone + Send + 'static,
    {
        self.query_ways(ways, visit)
    }
    fn query_lane<T, F>(&self, sql: Sql, visit: F) -> impl Future<Output = Result<T>> + Send
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static,
    {
        self.query_lane(sql, visit)
    }
    fn write(&self, job: Job) -> impl Future<Output = Result<Done>> + Send {
        self.write(job)
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
        boxed(raw::read(self, sql, max_rows, limit))
    }
    fn raw_columns(&self, text: String) -> impl Future<Output = Result<Vec<Column>>> + Send {
        boxed(raw::columns(self, text))
    }
    fn raw_place(
        &self,
        text: String,
        words: String,
    ) -> impl Future<Output = Result<Option<usize>>> + Send {
        boxed(raw::place(self, text, words))
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
    fn optimize(&self) -> impl Future<Output = Result<()>> + Send {
        boxed(self.optimize())
    }
    fn checkpoint_truncate(&self) -> impl Future<Output = Result<()>> + Send {
        boxed(self.checkpoint_truncate())
    }
    fn checkpoint_soon(&self) {
        self.checkpoint_soon();
    }
    fn vacuum(&self, _table: &str) -> impl Future<Output = Result<()>> + Send {
        boxed(self.vacuum())
    }
    fn copy_into(&self, target: &Path) -> impl Future<Output = Result<()>> + Send {
        let target = target.to_owned();
        boxed(async move { self.copy_into(&target).await })
    }
    fn copy_pages(&self, target: &Path, pace: &mut dyn FnMut() -> bool) -> Result<()> {
        self.copy_pages(target, pace)
    }
    fn writer_pragma(&self, name: &str) -> impl Future<Output = Result<String>> + Send {
        let name = name.to_owned();
        boxed(async move { self.writer_pragma(&name).await })
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
        self.write(job)
    }
    fn execute_batch(&self, sql: String) -> impl Future<Output = Result<()>> + Send {
        boxed(self.execute_batch(sql))
    }
    fn savepoint(&self) -> impl Future<Output = Result<Savepoint>> + Send {
        self.savepoint()
    }
    fn rollback_to(&self, savepoint: Savepoint) -> impl Future<Output = Result<()>> + Send {
        self.rollback_to(savepoint)
    }
    fn release(&self, savepoint: Savepoint) -> impl Future<Output = Result<()>> + Send {
        self.release(savepoint)
    }
    fn commit(&self) -> impl Future<Output = Result<()>> + Send {
        boxed(self.commit())
    }
    fn rollback(&self) -> impl Future<Output = ()> + Send {
        self.rollback()
    }
    /// There is one writer.
    fn has_collided(&self) -> bool {
        false
    }
    fn is_open(&self) -> bool {
        self.is_open()
    }
    fn raw_read(&self, sql: Sql, max_rows: usize) -> impl Future<Output = Result<TextRows>> + Send {
        boxed(raw::read_tx(self, sql, max_rows))
    }
    fn raw_write(&self, sql: Sql) -> impl Future<Output = Result<u64>> + Send {
        boxed(raw::write_tx(self, sql))
    }
    fn raw_columns(&self, text: String) -> impl Future<Output = Result<Vec<Column>>> + Send {
        boxed(raw::columns_tx(self, text))
    }
}
