//! Why a body cannot be read. Must not know what a client is told about it.

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Longer than it may be.
    #[error("the body is too large")]
    TooLarge,
    /// Of a type that nobody reads.
    #[error("the content type is not supported")]
    Unsupported,
    /// Not what its type says, cut off, or too slow.
    #[error("{0}")]
    Malformed(Box<str>),
    /// The server could not keep it.
    #[error("{0}")]
    Io(Box<str>),
}
