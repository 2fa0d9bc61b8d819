//! SQL that users wrote: view queries, the SQL console, `app.db()`. The only door for it.

use std::time::Duration;

use dialects::{Dialect, Syntax};
use sql_text::{marks, statement};

pub use sql_text::statement::Statements;

use super::{
    Db, Result, Sql, Tx,
    backend::{Backend, Transaction, on},
};

/// PostgreSQL's name of a column that has none.
const UNNAMED: &str = "?column?";

/// A result column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name or alias.
    pub name: String,
    /// Declared type in upper case, `""` for expressions.
    pub decl_type: String,
    /// Always true, as the reference's driver reports it.
    pub nullable: bool,
}

/// Rows as text, as the console and scripts see them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TextRows {
    /// The columns of the last statement.
    pub columns: Vec<Column>,
    /// Cells; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// How long the statements themselves ran, without the wait for a connection.
    pub took: Duration,
}

/// The console's text as the database gets it, and what its statements do.
#[must_use]
pub fn console(d: Dialect, text: &str) -> (Sql, Statements) {
    let (quoted, is_postgres) = match d.syntax() {
        Syntax::Sqlite => (marks::quoted(text), false),
        Syntax::Postgres => (marks::double_quoted(text), true),
    };
    (Sql::plain(quoted), statement::read(text, is_postgres))
}

/// Gives columns that PostgreSQL has no name for that of SQLite: what was asked for.
pub fn name_columns(text: &str, found: &mut TextRows) {
    if found.columns.iter().any(|column| column.name == UNNAMED) {
        let names = statement::columns(text);
        for (column, name) in found.columns.iter_mut().zip(names) {
            if column.name == UNNAMED {
                column.name = name;
            }
        }
    }
}

/// Runs one or more statements; the rows of the last one, at most `max_rows`.
///
/// `limit` is the time limit. Parameters belong to the last statement. On SQLite, statements that only read run on a
/// reader, others (`PRAGMA x = y`, `WITH … INSERT`) on the writer, outside of a transaction.
///
/// # Errors
/// What the driver says; `empty query` without a statement.
pub async fn read(db: &Db, sql: Sql, max_rows: usize, limit: Duration) -> Result<TextRows> {
    match db {
        Db::Tx(tx) => on!(AnyTx, &tx.any, tx => Transaction::raw_read(tx, sql, max_rows).await),
        Db::Pool(pool) => {
            on!(AnyBackend, &pool.0, db => Backend::raw_read(db, sql, max_rows, limit).await)
        }
    }
}

/// Runs one or more writing statements in one transaction; the number of rows the last one changed.
///
/// # Errors
/// What the driver says; then nothing is kept.
pub async fn write(db: &Db, sql: Sql, limit: Duration) -> Result<u64> {
    let changes = match db {
        Db::Tx(tx) => write_tx(tx, sql).await?,
        Db::Pool(database) => {
            let tx = database.begin_within(limit).await?;
            let changes = write_tx(&tx, sql).await?;
            tx.commit().await?;
            changes
        }
    };
    // Users may have changed the schema.
    db.database().bump();
    Ok(changes)
}

async fn write_tx(tx: &Tx, sql: Sql) -> Result<u64> {
    on!(AnyTx, &tx.any, tx => Transaction::raw_write(tx, sql).await)
}

/// What the database would do with a query, one line per step.
///
/// # Errors
/// What the driver says.
pub async fn explain(db: &Db, sql: Sql) -> Result<Vec<String>> {
    let asked = format!("{} {}", db.dialect().explain(), sql.text);
    let asked = Sql { text: asked, params: sql.params };
    let found = read(db, asked, 1000, db.database().query_timeout()).await?;
    Ok(found.rows.into_iter().filter_map(|mut row| row.pop().flatten()).collect())
}

/// The columns a query gives, without running it.
///
/// # Errors
/// What the driver says.
pub async fn columns(db: &Db, text: String) -> Result<Vec<Column>> {
    match db {
        Db::Tx(tx) => on!(AnyTx, &tx.any, tx => Transaction::raw_columns(tx, text).await),
        Db::Pool(pool) => on!(AnyBackend, &pool.0, db => Backend::raw_columns(db, text).await),
    }
}
