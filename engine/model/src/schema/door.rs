//! Where the statements of a schema change go: into a transaction, or into a list for somebody to read.
//!
//! One planner serves both, so that what is shown is what would run. Must not know what the statements do.

use std::{
    future::{Future, ready},
    sync::{Mutex, PoisonError},
};

use dialects::{Dialect, Sql};

use crate::store::{Db, Result, Rows, Tx};

/// A place for statements.
pub trait Door: Sync {
    /// Which SQL they are in.
    fn dialect(&self) -> Dialect {
        self.db().dialect()
    }
    /// What the database says now: of a list, before all of its statements.
    fn db(&self) -> Db;
    /// The name under which a table is found in [`db`](Self::db).
    fn present<'n>(&'n self, table: &'n str) -> &'n str {
        table
    }
    /// True where nothing runs.
    fn is_list(&self) -> bool {
        false
    }
    /// Several statements without parameters.
    ///
    /// # Errors
    /// What the store reports.
    fn execute_batch(&self, text: String) -> impl Future<Output = Result<()>> + Send;
    /// One statement without parameters; more than one is refused where it runs.
    ///
    /// # Errors
    /// What the store reports.
    fn execute_one(&self, text: String) -> impl Future<Output = Result<()>> + Send;
    /// A read of what there is now.
    ///
    /// # Errors
    /// What the store reports.
    fn read<T, F>(&self, sql: Sql, visit: F) -> impl Future<Output = Result<T>> + Send
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Send + 'static,
    {
        let db = self.db();
        async move { db.query(sql, visit).await }
    }
}

impl Door for Tx {
    fn db(&self) -> Db {
        Db::Tx(self.clone())
    }
    fn execute_batch(&self, text: String) -> impl Future<Output = Result<()>> + Send {
        Self::execute_batch(self, text)
    }
    async fn execute_one(&self, text: String) -> Result<()> {
        self.execute(Sql::plain(text)).await.map(|_| ())
    }
}

/// A list of statements that would run.
#[derive(Debug)]
pub struct Listed {
    db: Db,
    /// The names of a table before and after.
    renamed: Option<(String, String)>,
    texts: Mutex<Vec<String>>,
}

impl Listed {
    /// An empty list over a database; `renamed` has the table's names before and after.
    #[must_use]
    pub fn over(db: Db, renamed: Option<(String, String)>) -> Self {
        Self { db, renamed, texts: Mutex::default() }
    }

    /// The statements in their order.
    #[must_use]
    pub fn into_texts(self) -> Vec<String> {
        self.texts.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, text: String) -> impl Future<Output = Result<()>> + Send + use<> {
        if !text.is_empty() {
            self.texts.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        }
        ready(Ok(()))
    }
}

impl Door for Listed {
    fn db(&self) -> Db {
        self.db.clone()
    }
    fn present<'n>(&'n self, table: &'n str) -> &'n str {
        match &self.renamed {
            Some((old, new)) if new == table => old,
            _ => table,
        }
    }
    fn is_list(&self) -> bool {
        true
    }
    fn execute_batch(&self, text: String) -> impl Future<Output = Result<()>> + Send {
        self.push(text)
    }
    fn execute_one(&self, text: String) -> impl Future<Output = Result<()>> + Send {
        self.push(text)
    }
}
