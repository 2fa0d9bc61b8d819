//! Statements that move whole tables into and out of PostgreSQL: COPY, and transactions around it.

use crate::quote::ident;

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

/// Says, where everybody can see it from the commit on, which copy this was.
#[must_use]
pub fn mark(mark: &str) -> String {
    format!("COMMENT ON TABLE \"_params\" IS 'pocketbase copy {}'", mark.replace('\'', "''"))
}

/// `COPY (…) TO STDOUT` of a `select`.
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
    use crate::{idiom::Dialect, transfer::select};

    #[test]
    fn texts() {
        assert_eq!(
            copy_out(&select(Dialect::POSTGRES, "t", &[Some("id")], false, &["id"])),
            r#"COPY (SELECT "id" FROM "t" ORDER BY "id") TO STDOUT (FORMAT binary)"#
        );
        assert_eq!(
            copy_in("t", &["a"], true),
            r#"COPY "t" ("_rowid_","a") FROM STDIN (FORMAT binary)"#
        );
        assert!(
            continue_numbers("it's").contains(r#"pg_get_serial_sequence('"it''s"', '_rowid_')"#)
        );
    }
}
