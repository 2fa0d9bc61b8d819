//! Interactive transactions, whichever backend they run on.

use std::time::Instant;

use dialects::Dialect;

use super::{
    Database, Done, Job, Result, Rows, Sql,
    backend::{AnyTx, Transaction, on},
    holding,
};

/// An open transaction. Clones share it; dropping the last one without [`commit`](Tx::commit) rolls back.
#[derive(Debug, Clone)]
pub struct Tx {
    pub(super) database: Database,
    pub(super) any: AnyTx,
}

/// A mark inside a transaction to go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Savepoint(pub(super) u32);

impl Tx {
    /// The database this transaction is open on.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }
    /// Which SQL it speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.database.dialect()
    }

    /// When it will be rolled back.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        on!(AnyTx, &self.any, tx => Transaction::deadline(tx))
    }

    /// Runs `future` as a task that holds this transaction: writing to the same database outside of it gives
    /// [`Held`](super::Error::Held).
    pub async fn scope<F: Future>(&self, future: F) -> F::Output {
        holding::scope(self.database.id(), future).await
    }

    /// Runs a read inside the transaction.
    ///
    /// # Errors
    /// What the driver says; [`Timeout`](super::Error::Timeout) past the deadline, [`Ended`](super::Error::Ended) after commit
    /// or rollback.
    pub async fn query<T, F>(&self, sql: Sql, visit: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static,
    {
        on!(AnyTx, &self.any, tx => Transaction::query(tx, sql, visit).await)
    }

    /// Runs a job inside the transaction, all or nothing of it.
    ///
    /// # Errors
    /// Of the first step that failed, or as [`query`](Self::query).
    pub async fn write(&self, job: Job) -> Result<Done> {
        if job.is_idle(self.database.is_told()) {
            return Ok(Done::default());
        }
        on!(AnyTx, &self.any, tx => Transaction::write(tx, job).await)
    }

    /// Runs one statement; the number of rows it changed.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn execute(&self, sql: Sql) -> Result<u64> {
        Ok(self.write(Job::from(sql)).await?.changes.iter().sum())
    }

    /// Runs several statements without parameters, for schema changes; [`Database::bump`] follows by itself at commit.
    ///
    /// # Errors
    /// As [`write`](Self::write). Statements before the failed one are kept until the transaction is rolled back.
    pub async fn execute_batch(&self, sql: String) -> Result<()> {
        on!(AnyTx, &self.any, tx => Transaction::execute_batch(tx, sql).await)
    }

    /// Sets a mark to go back to.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn savepoint(&self) -> Result<Savepoint> {
        on!(AnyTx, &self.any, tx => Transaction::savepoint(tx).await)
    }

    /// Undoes what happened since the mark, which stays set.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn rollback_to(&self, savepoint: Savepoint) -> Result<()> {
        on!(AnyTx, &self.any, tx => Transaction::rollback_to(tx, savepoint).await)
    }

    /// Forgets the mark and keeps what happened since.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn release(&self, savepoint: Savepoint) -> Result<()> {
        on!(AnyTx, &self.any, tx => Transaction::release(tx, savepoint).await)
    }

    /// Commits. Only then is anything visible to others.
    ///
    /// # Errors
    /// What the driver says (the transaction is rolled back then); [`Timeout`](super::Error::Timeout) past the deadline;
    /// [`Ended`](super::Error::Ended).
    pub async fn commit(&self) -> Result<()> {
        on!(AnyTx, &self.any, tx => Transaction::commit(tx).await)
    }

    /// Rolls back. Does nothing when the transaction has ended.
    pub async fn rollback(&self) {
        on!(AnyTx, &self.any, tx => Transaction::rollback(tx).await)
    }

    /// True if others made a statement or the commit fail (deadlock, serialization): the same may work the next time.
    #[must_use]
    pub fn has_collided(&self) -> bool {
        on!(AnyTx, &self.any, tx => Transaction::has_collided(tx))
    }

    /// True until commit, rollback or deadline.
    #[must_use]
    pub fn is_open(&self) -> bool {
        on!(AnyTx, &self.any, tx => Transaction::is_open(tx))
    }
}
