//! SQL that users wrote: view queries, the SQL console, `app.db()`. The only door for it.

use std::time::{Duration, Instant};

use rusqlite::fallible_iterator::FallibleIterator as _;

use super::conn::Conn;
use super::rows::Bind;
use super::{Database, Db, Error, Result, Rows, Sql, Value};

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

/// Runs one or more statements; the rows of the last one, at most `max_rows`.
///
/// Statements that only read run on a reader; others (`PRAGMA x = y`, `WITH … INSERT`) on the writer, outside of a
/// transaction. `limit` is the time limit. Parameters belong to the last statement.
///
/// # Errors
/// What the driver says; `empty query` without a statement.
pub async fn read(db: &Db, sql: Sql, max_rows: usize, limit: Duration) -> Result<TextRows> {
    match db {
        Db::Tx(tx) => tx.raw(move |conn| run(conn, &sql, max_rows)).await,
        Db::Pool(database) => read_pool(database, sql, max_rows, limit).await,
    }
}

async fn read_pool(
    database: &Database,
    sql: Sql,
    max_rows: usize,
    limit: Duration,
) -> Result<TextRows> {
    let copy = sql.clone();
    let read_only = database
        .on_reader(limit, move |conn| match only_reads(conn, &copy)? {
            true => run(conn, &copy, max_rows).map(Some),
            false => Ok(None),
        })
        .await?;
    if let Some(rows) = read_only {
        return Ok(rows);
    }
    database
        .alone(move |conn| {
            conn.guard.arm(0, Some(Instant::now() + limit));
            run(conn, &sql, max_rows)
        })
        .await
}

/// Runs one or more writing statements in one transaction; the number of rows the last one changed.
///
/// # Errors
/// What the driver says; then nothing is kept.
pub async fn write(db: &Db, sql: Sql, limit: Duration) -> Result<u64> {
    let changes = match db {
        Db::Tx(tx) => tx.raw(move |conn| run_writes(conn, &sql)).await?,
        Db::Pool(database) => {
            let tx = database.begin_within(limit).await?;
            let changes = tx.raw(move |conn| run_writes(conn, &sql)).await?;
            tx.commit().await?;
            changes
        }
    };
    // Users may have changed the schema.
    db.database().bump();
    Ok(changes)
}

/// What the database would do with a query, one line per step.
///
/// # Errors
/// What the driver says.
pub async fn explain(db: &Db, sql: Sql) -> Result<Vec<String>> {
    let asked = Sql { text: format!("EXPLAIN QUERY PLAN {}", sql.text), params: sql.params };
    let found = read(db, asked, 1000, db.database().query_timeout()).await?;
    Ok(found.rows.into_iter().filter_map(|mut row| row.pop().flatten()).collect())
}

/// The columns a query gives, without running it.
///
/// # Errors
/// What the driver says.
pub async fn columns(db: &Db, text: String) -> Result<Vec<Column>> {
    let prepare = move |conn: &mut Conn| {
        let statement = conn.raw.prepare(&text)?;
        Ok(statement.columns().map(|c| column(c.name(), c.decl_type())).collect())
    };
    match db {
        Db::Tx(tx) => tx.raw(prepare).await,
        Db::Pool(database) => database.on_reader(database.query_timeout(), prepare).await,
    }
}

fn column(name: &str, decl_type: Option<&str>) -> Column {
    Column {
        name: name.to_owned(),
        decl_type: decl_type.unwrap_or("").to_uppercase(),
        nullable: true,
    }
}

/// False if any statement would write.
fn only_reads(conn: &Conn, sql: &Sql) -> Result<bool> {
    let mut batch = rusqlite::Batch::new(&conn.raw, &sql.text);
    while let Some(statement) = batch.next()? {
        if !statement.readonly() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn run(conn: &mut Conn, sql: &Sql, max_rows: usize) -> Result<TextRows> {
    let started = Instant::now();
    let mut batch = rusqlite::Batch::new(&conn.raw, &sql.text);
    let mut out = None;
    while let Some(mut statement) = batch.next()? {
        bind(&mut statement, &sql.params)?;
        let columns: Vec<Column> =
            statement.columns().map(|c| column(c.name(), c.decl_type())).collect();
        let width = columns.len();
        let mut rows = Rows::fresh(statement.raw_query(), &conn.guard);
        let mut cells = Vec::new();
        while cells.len() < max_rows
            && let Some(row) = rows.next()?
        {
            cells.push((0..width).map(|i| row.get(i).to_text()).collect());
        }
        out = Some(TextRows { columns, rows: cells, took: started.elapsed() });
    }
    conn.traced(&sql.text, &sql.params, Some(started));
    out.ok_or_else(|| Error::Driver("empty query".into()))
}

fn run_writes(conn: &mut Conn, sql: &Sql) -> Result<u64> {
    let started = conn.clock();
    let mut batch = rusqlite::Batch::new(&conn.raw, &sql.text);
    let mut changes = None;
    while let Some(mut statement) = batch.next()? {
        bind(&mut statement, &sql.params)?;
        let before = conn.raw.total_changes();
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
        drop(rows);
        changes = Some(if conn.raw.total_changes() == before { 0 } else { conn.raw.changes() });
    }
    conn.traced(&sql.text, &sql.params, started);
    changes.ok_or_else(|| Error::Driver("empty query".into()))
}

fn bind(statement: &mut rusqlite::Statement<'_>, params: &[Value]) -> Result<()> {
    for (i, value) in params.iter().take(statement.parameter_count()).enumerate() {
        statement.raw_bind_parameter(i + 1, Bind(value))?;
    }
    Ok(())
}
