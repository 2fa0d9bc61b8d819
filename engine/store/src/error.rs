//! What the driver reported, as facts. Must not know records or HTTP.

use std::path::PathBuf;

/// What the driver reported.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A UNIQUE or PRIMARY KEY constraint: the column names the database gave (without table), empty for expression indexes,
    /// and the index where the database names it.
    #[error("{message}")]
    Unique { columns: Vec<String>, index: Option<String>, message: String },
    /// An [`ExpectRow`](super::Step::ExpectRow) or [`ExpectChanges`](super::Step::ExpectChanges) step did not hold; the tag of that step.
    #[error("expectation {0} did not hold")]
    Expect(u32),
    /// The job was to run only if nothing had been written since a version ([`Job::unless_written`](super::Job::unless_written)).
    #[error("something was written in between")]
    Overtaken,
    /// A statement or transaction took too long and was cancelled.
    #[error("timeout")]
    Timeout,
    /// The queue in front of the database is full, or it is shutting down.
    #[error("busy")]
    Busy,
    /// The writer is held by a transaction and was not given back in time, or the caller's own transaction holds it.
    #[error(
        "the database is held by an open transaction; use that transaction instead of the outer app"
    )]
    Held,
    /// The transaction was already committed or rolled back.
    #[error("the transaction has already ended")]
    Ended,
    /// A database file could not be opened: which one, why and what to do.
    #[error("cannot open {}: {reason}", path.display())]
    Open { path: PathBuf, reason: String },
    /// A PostgreSQL database could not be opened: one line without secrets.
    #[error("{0}")]
    Connect(String),
    /// The connection to the database was lost, or there is none.
    #[error("the database cannot be reached")]
    Unreachable,
    /// This database cannot do that.
    #[error("not possible with this database")]
    Unsupported,
    /// Anything else; the text is the compatible driver message (spec collections-and-fields §1.2).
    #[error("{0}")]
    Driver(String),
}

/// Result of store operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// True for the lock errors that are worth another attempt (spec records §1.12).
    #[must_use]
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Driver(text)
            if text.contains("database is locked") || text.contains("table is locked"))
    }
}
