//! What PostgreSQL reports, as errors of the store. Must not show a bound value, a password or a connection string.

use dialects::{Fault, postgres::fault};

use crate::Error;

/// Why a piece of work on a connection failed.
#[derive(Debug)]
pub(super) enum Fail {
    /// The driver or the server.
    Driver(tokio_postgres::Error),
    /// The work itself: an expectation that did not hold, a transaction that ended.
    Store(Error),
}

impl From<tokio_postgres::Error> for Fail {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Driver(error)
    }
}

impl From<Error> for Fail {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl Fail {
    fn fault(&self) -> Fault {
        match self {
            Self::Store(_) => Fault::Other,
            Self::Driver(error) => fault_of(error),
        }
    }

    /// True if the server undid everything because of others: the whole transaction may be tried again.
    pub(super) fn is_conflict(&self) -> bool {
        self.fault() == Fault::Busy
    }

    /// True if the connection went away.
    pub(super) fn is_disconnected(&self) -> bool {
        self.fault() == Fault::Disconnected
    }

    /// True if the server said that it ends the connection, so that nothing of an open transaction was kept.
    pub(super) fn was_turned_away(&self) -> bool {
        matches!(self, Self::Driver(error) if error.as_db_error().is_some())
            && self.is_disconnected()
    }

    /// True if a cached statement was prepared under another schema.
    pub(super) fn is_outdated_plan(&self) -> bool {
        let Self::Driver(error) = self else { return false };
        match error.as_db_error() {
            // cached plan must not change result type; types of columns that changed meanwhile; dropped by somebody
            Some(db) => {
                let code = db.code().code();
                code == "0A000" || code == "26000" || (code.starts_with("42") && code != "42601")
            }
            None => false,
        }
    }

    /// The violated unique constraint.
    pub(super) fn unique(&self) -> Option<(String, String)> {
        let Self::Driver(error) = self else { return None };
        let db = error.as_db_error().filter(|db| db.code().code() == "23505")?;
        let name = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Some((name(db.table()), name(db.constraint())))
    }

    /// As an error of the store; unique violations without their columns.
    pub(super) fn into_error(self) -> Error {
        let error = match self {
            Self::Store(error) => return error,
            Self::Driver(error) => error,
        };
        match fault_of(&error) {
            Fault::Timeout => Error::Timeout,
            Fault::Busy => Error::Busy,
            Fault::Disconnected => Error::Unreachable,
            Fault::Unique { .. } | Fault::Constraint | Fault::Other => Error::Driver(text(&error)),
        }
    }
}

fn fault_of(error: &tokio_postgres::Error) -> Fault {
    match error.as_db_error() {
        Some(db) => fault(db.code().code(), db.constraint()),
        None if error.is_closed() || has_io(error) => Fault::Disconnected,
        None => Fault::Other,
    }
}

fn has_io(error: &tokio_postgres::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            // What cannot be encoded (NUL in a statement) was never sent.
            return io.kind() != std::io::ErrorKind::InvalidInput;
        }
        source = cause.source();
    }
    false
}

/// `ERROR: <message> (SQLSTATE <code>)`; messages about values end before the value.
pub(super) fn text(error: &tokio_postgres::Error) -> String {
    let Some(db) = error.as_db_error() else {
        // What the driver itself refuses: a value that does not fit its parameter.
        return match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
    };
    let code = db.code().code();
    let message = match (code.starts_with("22"), db.message().split_once(": ")) {
        (true, Some((head, _))) => head,
        _ => db.message(),
    };
    format!("{}: {message} (SQLSTATE {code})", db.severity())
}

/// The error of a unique violation, in SQLite's words.
pub(super) fn unique(table: &str, constraint: &str, columns: Vec<String>) -> Error {
    let list = if columns.is_empty() {
        format!("index '{constraint}'")
    } else {
        columns.iter().map(|c| format!("{table}.{c}")).collect::<Vec<_>>().join(", ")
    };
    let message = format!("constraint failed: UNIQUE constraint failed: {list} (2067)");
    Error::Unique { columns, index: Some(constraint.to_owned()), message }
}
