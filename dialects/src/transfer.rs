//! Statements that move whole tables: reading in row order, COPY, bulk inserts. Must not execute them.
//!
//! Rows keep their order between engines: SQLite's row id is `_rowid_` on PostgreSQL (spec extensions §1.4, last row).

use std::fmt::Write as _;

use crate::{Dialect, ident, row_id};

/// Holds off other nodes that would migrate, until the transaction ends: the lock `pb:migrate` (spec extensions §1.14).
pub const LOCK_MIGRATIONS: &str = "SELECT pg_advisory_xact_lock(7889383449741116772)";

/// How a transaction that fills a database begins on PostgreSQL: as long as it takes, but without waiting for others.
pub const BEGIN_FILL: &str = "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; \
     SET LOCAL lock_timeout = '10s'";

/// How a transaction that reads a whole database begins on PostgreSQL.
///
/// Policies that would hide rows make it fail: a copy has all rows or is none.
pub const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL row_security = off; \
     SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

/// What is read from here on is read as the server's own work.
pub const AS_SYSTEM: &str = "SET LOCAL pb.auth.role = 'system'";

/// From here on policies decide which rows are read.
pub const UNDER_POLICIES: &str = "SET LOCAL row_security = on";

/// A condition of a policy as a query without a row; fails if it needs one.
#[must_use]
pub fn without_row(condition: &str) -> String {
    format!("SELECT COALESCE({condition}, false)::text")
}

/// What [`mark`] left, if there is anything.
pub const READ_MARK: &str = "SELECT substr(t, 17) FROM obj_description(to_regclass('_params'), 'pg_class') AS t \
     WHERE starts_with(t, 'pocketbase copy ')";

/// How a SQLite file is read as a whole: one snapshot, nothing written.
pub const SQLITE_READ: &str =
    "PRAGMA busy_timeout=10000; PRAGMA query_only=ON; PRAGMA cache_size=-16000; BEGIN";

/// How a SQLite file that nobody else uses yet is filled.
pub const SQLITE_FILL: &str =
    "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA cache_size=-32000; BEGIN";

/// Fails if anybody else has a SQLite file open.
pub const SQLITE_ALONE: &str =
    "PRAGMA busy_timeout=2000; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT";

/// Says, where everybody can see it from the commit on, which copy this was.
#[must_use]
pub fn mark(mark: &str) -> String {
    format!("COMMENT ON TABLE \"_params\" IS 'pocketbase copy {}'", mark.replace('\'', "''"))
}

/// Ends a transaction.
pub const COMMIT: &str = "COMMIT";

/// Refreshes the planner's statistics.
pub const ANALYZE: &str = "ANALYZE";

/// Marks a place to go back to when a statement fails.
pub const SAVEPOINT: &str = "SAVEPOINT pb_try";
/// Goes back there.
pub const ROLLBACK_TO: &str = "ROLLBACK TO SAVEPOINT pb_try";
/// Forgets it.
pub const RELEASE: &str = "RELEASE SAVEPOINT pb_try";

/// Reads a table: the row's number first if `numbered`, then the columns; ordered by that number, else by `order`.
#[must_use]
pub fn select(
    d: Dialect,
    table: &str,
    columns: &[Option<&str>],
    numbered: bool,
    order: &[&str],
) -> String {
    let number = match d {
        Dialect::Sqlite => row_number(&columns.iter().copied().flatten()),
        Dialect::Postgres => "_rowid_",
    };
    let mut list: Vec<String> = Vec::with_capacity(columns.len() + 1);
    if numbered {
        list.push(ident(number));
    }
    list.extend(columns.iter().map(|c| c.map_or_else(|| "NULL".to_owned(), ident)));
    let mut text = format!("SELECT {} FROM {}", list.join(","), ident(table));
    let by: Vec<String> =
        if numbered { vec![ident(number)] } else { order.iter().map(|name| ident(name)).collect() };
    if !by.is_empty() {
        // writing to a String cannot fail
        let _ = write!(text, " ORDER BY {}", by.join(","));
    }
    text
}

/// A name of SQLite's row id that no column hides.
fn row_number<'c>(columns: &(impl Iterator<Item = &'c str> + Clone)) -> &'static str {
    row_id::visible(columns).unwrap_or("_rowid_")
}

/// `COPY (…) TO STDOUT` of a [`select`].
#[must_use]
pub fn copy_out(select: &str) -> String {
    format!("COPY ({select}) TO STDOUT (FORMAT binary)")
}

/// `COPY … FROM STDIN`; the row's number comes first if `numbered`.
#[must_use]
pub fn copy_in(table: &str, columns: &[&str], numbered: bool) -> String {
    let number = numbered.then(|| ident("_rowid_"));
    let list: Vec<String> = number.into_iter().chain(columns.iter().map(|c| ident(c))).collect();
    format!("COPY {} ({}) FROM STDIN (FORMAT binary)", ident(table), list.join(","))
}

/// SQLite's insert of a whole row; the row's number is the first parameter if `numbered`.
#[must_use]
pub fn insert(table: &str, columns: &[&str], numbered: bool) -> String {
    let number = numbered.then(|| ident(row_number(&columns.iter().copied())));
    let list: Vec<String> = number.into_iter().chain(columns.iter().map(|c| ident(c))).collect();
    let marks: Vec<String> = (1..=list.len()).map(|n| format!("?{n}")).collect();
    format!("INSERT INTO {} ({}) VALUES ({})", ident(table), list.join(","), marks.join(","))
}

/// Lets PostgreSQL number new rows after those that were copied.
#[must_use]
pub fn continue_numbers(table: &str) -> String {
    let quoted = ident(table);
    let literal = quoted.replace('\'', "''");
    format!(
        "SELECT setval(pg_get_serial_sequence('{literal}', '_rowid_'), \
         GREATEST((SELECT max(\"_rowid_\") FROM {quoted}), 1), EXISTS (SELECT 1 FROM {quoted}))"
    )
}

/// Drops a table or view with everything that hangs on it.
#[must_use]
pub fn drop_cascade(name: &str, is_view: bool) -> String {
    let what = if is_view { "VIEW" } else { "TABLE" };
    format!("DROP {what} IF EXISTS {} CASCADE", ident(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        assert_eq!(
            select(Dialect::Sqlite, "t", &[Some("id"), None, Some("_rowid_")], true, &[]),
            r#"SELECT "rowid","id",NULL,"_rowid_" FROM "t" ORDER BY "rowid""#
        );
        assert_eq!(
            copy_out(&select(Dialect::Postgres, "t", &[Some("id")], false, &["id"])),
            r#"COPY (SELECT "id" FROM "t" ORDER BY "id") TO STDOUT (FORMAT binary)"#
        );
        assert_eq!(
            copy_in("t", &["a"], true),
            r#"COPY "t" ("_rowid_","a") FROM STDIN (FORMAT binary)"#
        );
        assert_eq!(insert("t", &["a"], true), r#"INSERT INTO "t" ("_rowid_","a") VALUES (?1,?2)"#);
        assert!(
            continue_numbers("it's").contains(r#"pg_get_serial_sequence('"it''s"', '_rowid_')"#)
        );
    }
}
