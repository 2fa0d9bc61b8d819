//! SQLite's result codes and messages as errors of the store.

use rusqlite::ffi;

use crate::Error;

impl From<rusqlite::Error> for Error {
    #[cold]
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::SqliteFailure(code, message) => {
                from_code(code.extended_code, message.as_deref())
            }
            rusqlite::Error::SqlInputError { error, msg, .. } => {
                from_code(error.extended_code, Some(&msg))
            }
            other => Self::Driver(other.to_string()),
        }
    }
}

/// The primary result code of a driver error, 0 when it did not come from SQLite.
pub(super) fn code(error: &rusqlite::Error) -> i32 {
    match error {
        rusqlite::Error::SqliteFailure(code, _) => code.extended_code & 0xff,
        rusqlite::Error::SqlInputError { error, .. } => error.extended_code & 0xff,
        _ => 0,
    }
}

fn from_code(code: i32, message: Option<&str>) -> Error {
    if code & 0xff == ffi::SQLITE_INTERRUPT {
        return Error::Timeout;
    }
    let text = driver_text(code, message);
    if matches!(code, ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY) {
        let columns = unique_columns(message.unwrap_or(""));
        return Error::Unique { columns, index: None, message: text };
    }
    Error::Driver(text)
}

/// `<errstr>: <errmsg> (<extended code>)`; `errmsg` omitted when equal to `errstr` (spec §1.2).
fn driver_text(code: i32, message: Option<&str>) -> String {
    let errstr = errstr(code);
    let busy = if code == ffi::SQLITE_BUSY { " (SQLITE_BUSY)" } else { "" };
    match message {
        Some(message) if message != errstr => format!("{errstr}: {message} ({code}){busy}"),
        _ => format!("{errstr} ({code}){busy}"),
    }
}

/// `UNIQUE constraint failed: t.a, t.b` → `a`, `b`; `index 'x'` → nothing.
fn unique_columns(message: &str) -> Vec<String> {
    let Some((_, list)) = message.split_once("constraint failed: ") else { return Vec::new() };
    if list.starts_with("index '") {
        return Vec::new();
    }
    list.split(", ")
        .filter_map(|item| item.rsplit_once('.').map(|(_, column)| column.to_owned()))
        .collect()
}

/// SQLite's English text of a result code.
fn errstr(code: i32) -> &'static str {
    if code == ffi::SQLITE_ABORT_ROLLBACK {
        return "abort due to ROLLBACK";
    }
    match code & 0xff {
        0 => "not an error",
        ffi::SQLITE_ERROR => "SQL logic error",
        ffi::SQLITE_PERM => "access permission denied",
        ffi::SQLITE_ABORT => "query aborted",
        ffi::SQLITE_BUSY => "database is locked",
        ffi::SQLITE_LOCKED => "database table is locked",
        ffi::SQLITE_NOMEM => "out of memory",
        ffi::SQLITE_READONLY => "attempt to write a readonly database",
        ffi::SQLITE_INTERRUPT => "interrupted",
        ffi::SQLITE_IOERR => "disk I/O error",
        ffi::SQLITE_CORRUPT => "database disk image is malformed",
        ffi::SQLITE_NOTFOUND => "unknown operation",
        ffi::SQLITE_FULL => "database or disk is full",
        ffi::SQLITE_CANTOPEN => "unable to open database file",
        ffi::SQLITE_PROTOCOL => "locking protocol",
        ffi::SQLITE_SCHEMA => "database schema has changed",
        ffi::SQLITE_TOOBIG => "string or blob too big",
        ffi::SQLITE_CONSTRAINT => "constraint failed",
        ffi::SQLITE_MISMATCH => "datatype mismatch",
        ffi::SQLITE_MISUSE => "bad parameter or other API misuse",
        ffi::SQLITE_AUTH => "authorization denied",
        ffi::SQLITE_RANGE => "column index out of range",
        ffi::SQLITE_NOTADB => "file is not a database",
        ffi::SQLITE_NOTICE => "notification message",
        ffi::SQLITE_WARNING => "warning message",
        _ => "unknown error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(sql: &str) -> String {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        conn.execute_batch(
            "CREATE TABLE t (a TEXT UNIQUE, b TEXT, id TEXT PRIMARY KEY, CHECK (b <> 'bad'));
             CREATE UNIQUE INDEX ux ON t (lower(b)); INSERT INTO t VALUES ('1', 'x', 'i');",
        )
        .unwrap();
        format!("{:?}", Error::from(conn.execute_batch(sql).unwrap_err()))
    }

    #[test]
    fn messages_are_compatible() {
        let cases = [
            ("SELECT x FROM t", r#"Driver("SQL logic error: no such column: x (1)")"#),
            ("SELEC", r#"Driver("SQL logic error: near \"SELEC\": syntax error (1)")"#),
            (
                "INSERT INTO t VALUES ('1', 'y', 'j')",
                r#"Unique { columns: ["a"], index: None, message: "constraint failed: UNIQUE constraint failed: t.a (2067)" }"#,
            ),
            (
                "INSERT INTO t VALUES ('2', 'X', 'j')",
                r#"Unique { columns: [], index: None, message: "constraint failed: UNIQUE constraint failed: index 'ux' (2067)" }"#,
            ),
            (
                "INSERT INTO t VALUES ('2', 'y', 'i')",
                r#"Unique { columns: ["id"], index: None, message: "constraint failed: UNIQUE constraint failed: t.id (1555)" }"#,
            ),
            (
                "INSERT INTO t VALUES ('2', 'bad', 'k')",
                r#"Driver("constraint failed: CHECK constraint failed: b <> 'bad' (275)")"#,
            ),
        ];
        for (sql, expected) in cases {
            assert_eq!(fail(sql), expected, "{sql}");
        }
        assert_eq!(
            driver_text(5, Some("database is locked")),
            "database is locked (5) (SQLITE_BUSY)"
        );
    }
}
