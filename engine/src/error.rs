//! Why an operation failed. Facts only: `api` decides status and wording.

use std::collections::BTreeMap;

/// A boxed foreign error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The result of every engine operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What stopped an operation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such row, collection or file.
    #[error("not found")]
    NotFound,
    /// Refused by a rule; `locked` when the rule is null.
    #[error("refused by rule")]
    Refused { locked: bool },
    /// Data did not validate.
    #[error("invalid data")]
    Invalid(FieldErrors),
    /// A filter, sort or rule could not be compiled; the text is the compatible message.
    #[error("{0}")]
    Filter(String),
    /// The database said no.
    #[error("{0}")]
    Store(#[source] crate::store::Error),
    /// Refused with a message of the wire contract (`You can't delete the only existing superuser`).
    #[error("{0}")]
    Message(String),
    /// A hook stopped the operation with an error of its own; `api` downcasts.
    #[error("{0}")]
    Stopped(#[source] BoxError),
    /// A lane or queue is full.
    #[error("overloaded")]
    Busy,
    /// File system trouble.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Errors by field name (or array index), as in the `data` of an error answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FieldErrors(pub BTreeMap<String, FieldError>);

/// One entry of [`FieldErrors`].
#[derive(Debug, Clone, PartialEq)]
pub enum FieldError {
    /// A validation error: code, lower-case message without final point (api makes the sentence), params.
    Item { code: String, message: String, params: serde_json::Map<String, serde_json::Value> },
    /// A nested object or list.
    Nested(FieldErrors),
    /// An error without a code: `validation_invalid_value` on the wire.
    Other(String),
}

impl FieldError {
    /// An item without params.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self::Item { code: code.into(), message: message.into(), params: serde_json::Map::new() }
    }
    /// Adds one param.
    #[must_use]
    pub fn param(mut self, key: &str, value: impl Into<serde_json::Value>) -> Self {
        if let Self::Item { params, .. } = &mut self {
            params.insert(key.into(), value.into());
        }
        self
    }
}

impl FieldErrors {
    /// True if nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// Sets the error of one key; the first one wins.
    pub fn set(&mut self, key: impl Into<String>, error: FieldError) {
        self.0.entry(key.into()).or_insert(error);
    }
    /// Sets an error at a dotted path (`fields.2.name`).
    pub fn set_at(&mut self, path: &[&str], error: FieldError) {
        match path {
            [] => {}
            [key] => self.set(*key, error),
            [key, rest @ ..] => {
                let slot = self
                    .0
                    .entry((*key).into())
                    .or_insert_with(|| FieldError::Nested(Self::default()));
                if let FieldError::Nested(inner) = slot {
                    inner.set_at(rest, error);
                }
            }
        }
    }
    /// `Ok` when empty.
    ///
    /// # Errors
    /// [`Error::Invalid`] when not.
    pub fn into_result(self) -> Result<()> {
        if self.is_empty() { Ok(()) } else { Err(Error::Invalid(self)) }
    }
}
