//! Connections, lanes, group commit, transactions. Statements come from `dialects`; rows leave through visitors.
//!
//! The only room that holds SQL literals and connections; it must not know collections, records or rules.

pub use dialects::{Sql, Value};

/// What the driver reported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A UNIQUE constraint: the columns named by the database (`table.column` split), empty for expression indexes.
    #[error("{message}")]
    Unique { columns: Vec<String>, message: String },
    /// A statement or transaction took too long and was cancelled.
    #[error("timeout")]
    Timeout,
    /// The queue in front of the database is full, or it is shutting down.
    #[error("busy")]
    Busy,
    /// Anything else; the text is the compatible driver message (spec collections-and-fields §1.2).
    #[error("{0}")]
    Driver(String),
}
/// Result of store operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One borrowed column of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueRef<'a> {
    Null,
    Int(i64),
    Real(f64),
    Text(&'a str),
    Blob(&'a [u8]),
}
