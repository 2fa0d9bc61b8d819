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
/// `limit` is the time limit; a future that is dropped ends the statement, too. Parameters belong to the last statement. On SQLite, statements that only read run on a
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
pub async fn explain(db: &Db, sql: Sql) -> Result<Vec<PlanStep>> {
    let asked = format!("{} {}", db.dialect().explain(), sql.text);
    let asked = Sql { text: asked, params: sql.params };
    let found = read(db, asked, 1000, db.database().query_timeout()).await?;
    // steps with numbers of their own, or lines of text
    let is_numbered = found.rows.first().is_some_and(|row| row.len() > 1);
    Ok(if is_numbered {
        found.rows.into_iter().filter_map(numbered).collect()
    } else {
        indented(found.rows.into_iter().filter_map(|mut row| row.pop().flatten()))
    })
}

/// One step of a database's plan; the tree is in `parent`, 0 for the outermost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanStep {
    /// Its number.
    pub id: i64,
    /// The number of the step it serves.
    pub parent: i64,
    /// What the database says.
    pub detail: String,
}

/// A row of SQLite: id, parent, something unused, detail.
fn numbered(mut row: Vec<Option<String>>) -> Option<PlanStep> {
    let detail = row.pop().flatten()?;
    let number = |at: usize| row.get(at)?.as_ref()?.parse().ok();
    Some(PlanStep { id: number(0)?, parent: number(1)?, detail })
}

/// PostgreSQL's lines, where indentation is the tree.
fn indented(lines: impl Iterator<Item = String>) -> Vec<PlanStep> {
    let mut open: Vec<(usize, i64)> = Vec::new();
    let mut steps = Vec::new();
    for (line, id) in lines.zip(1..) {
        let detail = line.trim_start();
        let depth = line.len() - detail.len();
        while open.last().is_some_and(|(at, _)| *at >= depth) {
            open.pop();
        }
        let parent = open.last().map_or(0, |(_, id)| *id);
        open.push((depth, id));
        let detail = detail.trim_start_matches("->").trim_start().to_owned();
        steps.push(PlanStep { id, parent, detail });
    }
    steps
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

/// The byte of the text where the database refuses it with these words, as far as it says that.
///
/// # Errors
/// What the driver says.
pub async fn place(db: &Db, text: String, words: String) -> Result<Option<usize>> {
    match db {
        // a transaction has seen more than a look from outside
        Db::Tx(_) => Ok(None),
        Db::Pool(pool) => {
            on!(AnyBackend, &pool.0, db => Backend::raw_place(db, text, words).await)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PlanStep, indented, numbered};

    #[test]
    fn plans_are_trees() {
        let lines = [
            "Limit  (cost=0..1)",
            "  ->  Nested Loop",
            "        Join Filter: (a = b)",
            "        ->  Seq Scan on x",
            "              Filter: c",
            "        ->  Index Scan",
        ];
        let steps = indented(lines.into_iter().map(str::to_owned));
        let tree: Vec<(i64, i64)> = steps.iter().map(|step| (step.id, step.parent)).collect();
        assert_eq!(tree, [(1, 0), (2, 1), (3, 2), (4, 2), (5, 4), (6, 2)]);
        assert_eq!(steps[3].detail, "Seq Scan on x");
        let row = ["5", "2", "0", "SCAN x"].map(|text| Some(text.to_owned())).to_vec();
        assert_eq!(numbered(row), Some(PlanStep { id: 5, parent: 2, detail: "SCAN x".into() }));
    }
}
