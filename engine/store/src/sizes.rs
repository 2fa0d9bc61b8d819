//! How large tables are, and what the database calls itself: for people who look after it. Must not know what tables mean.

use std::time::Duration;

use dialects::{Dialect, Sql};

use super::{Db, Result, raw};

/// Longest time to look at the pages of a database.
const LIMIT: Duration = Duration::from_secs(5);
/// Most tables.
const MAX_TABLES: usize = 20_000;

/// Bytes of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSize {
    /// Its name.
    pub name: String,
    /// Bytes of its rows.
    pub table: u64,
    /// Bytes of its indexes.
    pub indexes: u64,
}

fn plain(text: &str) -> Sql {
    Sql { text: text.into(), params: Vec::new() }
}

/// The version of the database, as it says it.
///
/// # Errors
/// What the driver says.
pub async fn engine_version(db: &Db) -> Result<String> {
    let text = match db.dialect() {
        Dialect::Sqlite => "SELECT sqlite_version()",
        Dialect::Postgres => "SELECT current_setting('server_version')",
    };
    let found = raw::read(db, plain(text), 1, LIMIT).await?;
    Ok(found.rows.into_iter().flatten().flatten().next().unwrap_or_default())
}

/// The sizes of all tables. On SQLite every page is looked at.
///
/// # Errors
/// What the driver says; a database too large for the time that this may take.
pub async fn tables(db: &Db) -> Result<Vec<TableSize>> {
    let text = match db.dialect() {
        Dialect::Sqlite => {
            "SELECT m.tbl_name, SUM(CASE WHEN m.type = 'table' THEN s.pgsize ELSE 0 END), \
             SUM(CASE WHEN m.type = 'index' THEN s.pgsize ELSE 0 END) \
             FROM sqlite_schema AS m JOIN dbstat AS s ON s.name = m.name AND s.aggregate = TRUE \
             WHERE m.type IN ('table', 'index') GROUP BY m.tbl_name"
        }
        Dialect::Postgres => {
            "SELECT c.relname::text, pg_table_size(c.oid)::bigint, pg_indexes_size(c.oid)::bigint \
             FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p') AND n.nspname = current_schema()"
        }
    };
    let found = raw::read(db, plain(text), MAX_TABLES, LIMIT).await?;
    let size = |row: Vec<Option<String>>| {
        let number = |at: usize| row.get(at)?.as_ref()?.parse().ok();
        let name = row.first()?.clone()?;
        Some(TableSize { table: number(1)?, indexes: number(2)?, name })
    };
    Ok(found.rows.into_iter().filter_map(size).collect())
}
