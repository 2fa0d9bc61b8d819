//! Users' SQL on SQLite: which connection it runs on, several statements in one text.
//!
//! It ends when nobody waits for it any more.

use std::time::{Duration, Instant};

use rusqlite::fallible_iterator::FallibleIterator as _;

use super::conn::Conn;
use super::read::Cancel;
use super::rows::Bind;
use super::{Database, Error, Result, Rows, Sql, Tx, Value};
use crate::raw::{Column, TextRows};

pub(crate) async fn read_tx(tx: &Tx, sql: Sql, max_rows: usize) -> Result<TextRows> {
    let waiting = Cancel::default();
    tx.raw(waiting.ends(move |conn| run(conn, &sql, max_rows))).await
}

pub(crate) async fn write_tx(tx: &Tx, sql: Sql) -> Result<u64> {
    let waiting = Cancel::default();
    tx.raw(waiting.ends(move |conn| run_writes(conn, &sql))).await
}

pub(crate) async fn read(
    database: &Database,
    sql: Sql,
    max_rows: usize,
    limit: Duration,
) -> Result<TextRows> {
    let copy = sql.clone();
    let waiting = Cancel::default();
    let reads = waiting.ends(move |conn| {
        see_schema(conn)?;
        match only_reads(conn, &copy)? {
            true => run(conn, &copy, max_rows).map(Some),
            false => Ok(None),
        }
    });
    if let Some(rows) = database.on_reader(limit, reads).await? {
        return Ok(rows);
    }
    let waiting = Cancel::default();
    let writes = waiting.ends(move |conn| {
        conn.guard.arm(0, Some(Instant::now() + limit));
        run(conn, &sql, max_rows)
    });
    database.alone(writes).await
}

/// The byte of the text that a refusal with these words is about, as far as the database says it.
pub(crate) async fn place(
    database: &Database,
    text: String,
    words: String,
) -> Result<Option<usize>> {
    let look = move |conn: &mut Conn| {
        let mut batch = rusqlite::Batch::new(&conn.raw, &text);
        let refused = loop {
            match batch.next() {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                Err(error) => break error,
            }
        };
        // the database counts from where the statement begins
        let at = match &refused {
            rusqlite::Error::SqlInputError { sql, offset, .. } => usize::try_from(*offset)
                .ok()
                .and_then(|offset| Some(text.len().checked_sub(sql.len())? + offset)),
            _ => None,
        };
        Ok(at.filter(|_| Error::from(refused).to_string() == words))
    };
    database.on_reader(database.query_timeout(), look).await
}

pub(crate) async fn columns_tx(tx: &Tx, text: String) -> Result<Vec<Column>> {
    tx.raw(move |conn| describe(conn, &text)).await
}

pub(crate) async fn columns(database: &Database, text: String) -> Result<Vec<Column>> {
    let columns = move |conn: &mut Conn| {
        see_schema(conn)?;
        describe(conn, &text)
    };
    database.on_reader(database.query_timeout(), columns).await
}

/// Makes a reader notice what others did to the schema. Running any other statement does that by the way; preparing one
/// and EXPLAIN do not.
fn see_schema(conn: &Conn) -> Result<()> {
    Ok(conn.raw.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?)
}

fn describe(conn: &mut Conn, text: &str) -> Result<Vec<Column>> {
    let statement = conn.raw.prepare(text)?;
    Ok(statement.columns().map(|c| column(c.name(), c.decl_type())).collect())
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
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
        drop(rows);
        // Statements that change no rows leave the number as it was, here as in the reference.
        changes = Some(conn.raw.changes());
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
