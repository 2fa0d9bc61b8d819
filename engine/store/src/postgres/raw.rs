//! Users' SQL on PostgreSQL: one statement with its types, or several as text.

use std::time::{Duration, Instant};

use dialects::postgres;
use futures_util::TryStreamExt as _;
use tokio_postgres::{
    SimpleQueryMessage,
    error::{ErrorPosition, SqlState},
};

use super::{bind::Bound, conn::Conn, db::Database, error::Fail, rows::decl_type};
use crate::{
    Error, Result, Rows, Sql,
    raw::{Column, TextRows},
};

impl Database {
    /// Runs users' SQL outside of a transaction.
    pub(crate) async fn raw_read(
        &self,
        sql: Sql,
        max_rows: usize,
        limit: Duration,
    ) -> Result<TextRows> {
        let work = async {
            let mut lent = self.lend().await?;
            let done = run(lent.conn()?, &sql, max_rows, false).await;
            // Nobody knows what users' SQL does.
            self.wrote();
            done.map_err(Fail::into_error)
        };
        tokio::time::timeout(limit, work).await.unwrap_or(Err(Error::Timeout))
    }

    /// The columns of users' SQL.
    pub(crate) async fn raw_columns(&self, text: String) -> Result<Vec<Column>> {
        let mut lent = self.lend().await?;
        describe(lent.conn()?, &text).await.map_err(Fail::into_error)
    }

    /// The byte of the text that a refusal with these words is about, as far as the database says it.
    pub(crate) async fn raw_place(&self, text: String, words: String) -> Result<Option<usize>> {
        let mut lent = self.lend().await?;
        let Err(fail) = lent.conn()?.prepare(&text).await else { return Ok(None) };
        let at = match &fail {
            Fail::Driver(error) => error.as_db_error().and_then(|db| match db.position() {
                Some(ErrorPosition::Original(at)) => usize::try_from(*at).ok(),
                _ => None,
            }),
            _ => None,
        };
        // it counts characters, from 1
        let byte = |at: usize| text.char_indices().nth(at.saturating_sub(1)).map(|(byte, _)| byte);
        let at = at.and_then(byte);
        Ok(at.filter(|_| fail.into_error().to_string() == words))
    }
}

fn is_many(fail: &Fail) -> bool {
    matches!(fail, Fail::Driver(error) if error.code() == Some(&SqlState::SYNTAX_ERROR)
        && error.as_db_error().is_some_and(|db| db.message().contains("multiple commands")))
}

fn column(found: &tokio_postgres::Column) -> Column {
    Column { name: found.name().to_owned(), decl_type: decl_type(found), nullable: true }
}

pub(super) async fn describe(conn: &mut Conn, text: &str) -> Result<Vec<Column>, Fail> {
    Ok(conn.prepare(text).await?.columns().iter().map(column).collect())
}

/// Runs one or more statements; the rows of the last one, at most `max_rows`. `drain`: the connection is needed again, so
/// that rows too many are received.
pub(super) async fn run(
    conn: &mut Conn,
    sql: &Sql,
    max_rows: usize,
    drain: bool,
) -> Result<TextRows, Fail> {
    let started = Instant::now();
    let in_transaction = conn.in_transaction;
    if in_transaction {
        // Preparing several statements at once fails, which the transaction must survive.
        conn.batch("SAVEPOINT p").await?;
    }
    let prepared = conn.prepare(&sql.text).await;
    if in_transaction {
        conn.leave("p", prepared.is_ok()).await?;
    }
    let statement = match prepared {
        Ok(statement) => statement,
        Err(fail) if sql.params.is_empty() && is_many(&fail) => {
            return Ok(several(conn, sql, max_rows, started).await?.0);
        }
        Err(fail) => return Err(fail),
    };
    conn.busy = true;
    let stream = conn.client().query_raw(&statement, sql.params.iter().map(Bound)).await;
    let mut stream = match stream {
        Ok(stream) => std::pin::pin!(stream),
        Err(error) => {
            conn.busy = false;
            return Err(error.into());
        }
    };
    let (mut cells, mut ended) = (Vec::new(), true);
    let width = statement.columns().len();
    loop {
        match stream.try_next().await {
            Ok(None) => break,
            Ok(Some(row)) if cells.len() < max_rows => {
                let rows = [row];
                let mut rows = Rows::arrived(&rows, statement.columns());
                if let Some(row) = rows.next()? {
                    cells.push((0..width).map(|i| row.get(i).to_text()).collect());
                }
            }
            Ok(Some(_)) if drain => {}
            Ok(Some(_)) => {
                // The rest is stopped on the server, with the connection.
                ended = false;
                break;
            }
            Err(error) => {
                conn.busy = false;
                return Err(error.into());
            }
        }
    }
    conn.busy = !ended;
    conn.traced(&sql.text, &sql.params, started);
    let columns: Vec<Column> = statement.columns().iter().map(column).collect();
    if columns.is_empty() && cells.is_empty() && is_blank(&sql.text) {
        return Err(Error::Driver("empty query".into()).into());
    }
    Ok(TextRows { columns, rows: cells, took: started.elapsed() })
}

/// Runs one or more writing statements; the number of rows the last one changed.
pub(super) async fn run_writes(conn: &mut Conn, sql: &Sql) -> Result<u64, Fail> {
    let started = Instant::now();
    if sql.params.is_empty() {
        return Ok(several(conn, sql, 0, started).await?.1);
    }
    conn.execute(&sql.text, &sql.params).await
}

/// Several statements as text; the rows of the last one that gives any, and what the last one changed.
async fn several(
    conn: &mut Conn,
    sql: &Sql,
    max_rows: usize,
    started: Instant,
) -> Result<(TextRows, u64), Fail> {
    if is_blank(&sql.text) {
        return Err(Error::Driver("empty query".into()).into());
    }
    conn.busy = true;
    let answers = conn.client().simple_query(&postgres::text(&sql.text)).await;
    conn.busy = false;
    conn.traced(&sql.text, &[], started);
    let (mut out, mut changes) = (TextRows::default(), 0);
    for answer in answers? {
        match answer {
            SimpleQueryMessage::RowDescription(columns) => {
                out.rows.clear();
                out.columns = columns
                    .iter()
                    .map(|c| Column {
                        name: c.name().to_owned(),
                        decl_type: String::new(),
                        nullable: true,
                    })
                    .collect();
            }
            SimpleQueryMessage::Row(row) if out.rows.len() < max_rows => {
                out.rows.push((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect());
            }
            SimpleQueryMessage::CommandComplete(n) => changes = n,
            _ => {}
        }
    }
    out.took = started.elapsed();
    Ok((out, changes))
}

fn is_blank(text: &str) -> bool {
    text.split(';').all(|part| part.trim().is_empty())
}
