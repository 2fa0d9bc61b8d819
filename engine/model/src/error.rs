//! Why an operation failed. Facts only: `api` decides status and wording.

use std::{collections::BTreeMap, fmt, sync::Arc};

use primitives::lanes::Busy;

/// A boxed foreign error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A foreign error that several may hold: whoever failed, and the hooks that are told of it. Copies are the same error.
#[derive(Clone)]
pub struct SharedError(Arc<dyn std::error::Error + Send + Sync>);

impl SharedError {
    /// The error, if it is of that type.
    #[must_use]
    pub fn downcast_ref<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }
}

impl From<BoxError> for SharedError {
    fn from(error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(shared) => *shared,
            Err(error) => Self(error.into()),
        }
    }
}

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SharedError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

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
    #[error("{0}")]
    Invalid(FieldErrors),
    /// A filter, sort or rule could not be compiled; the text is the compatible message.
    #[error("{0}")]
    Filter(String),
    /// The database said no.
    #[error("{0}")]
    Store(#[source] store::Error),
    /// The database said no while a relation was followed, which is not the same as that there is nothing to show.
    #[error("failed to expand {path}: {cause}")]
    Unexpanded { path: String, cause: Box<Error> },
    /// Refused with a message of the wire contract (`You can't delete the only existing superuser`).
    #[error("{0}")]
    Message(String),
    /// A hook stopped the operation with an error of its own; `api` downcasts.
    #[error("{0}")]
    Stopped(#[source] SharedError),
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

impl Error {
    /// A copy for a second audience (error hooks); errors of databases and files become their text.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        match self {
            Self::NotFound => Self::NotFound,
            Self::Refused { locked } => Self::Refused { locked: *locked },
            Self::Invalid(errors) => Self::Invalid(errors.clone()),
            Self::Filter(text) => Self::Filter(text.clone()),
            Self::Busy => Self::Busy,
            Self::Message(text) => Self::Message(text.clone()),
            Self::Unexpanded { path, cause } => {
                Self::Unexpanded { path: path.clone(), cause: Box::new(cause.duplicate()) }
            }
            Self::Stopped(error) => Self::Stopped(error.clone()),
            Self::Store(_) | Self::Io(_) => Self::Message(self.to_string()),
        }
    }
    /// True if nothing is wrong with what was asked: the database is away or has too much to do.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Busy | Self::Store(store::Error::Busy | store::Error::Unreachable))
    }
    /// The error of a relation that could not be followed, if that is because of the database: rules and paths that lead
    /// nowhere, and stored values that cannot be read, are not.
    pub fn unexpanded(self, segment: &str) -> Result<Self, Self> {
        match self {
            Self::Unexpanded { path, cause } => {
                Ok(Self::Unexpanded { path: format!("{segment}.{path}"), cause })
            }
            error @ (Self::Busy | Self::Store(_)) if !error.is_unreadable() => {
                Ok(Self::Unexpanded { path: segment.to_owned(), cause: Box::new(error) })
            }
            other => Err(other),
        }
    }
    fn is_unreadable(&self) -> bool {
        matches!(self, Self::Store(store::Error::Unreadable(_)))
    }
    /// `other`, unless this is an outage, which nothing may be concluded from.
    #[must_use]
    pub fn unless_outage(self, other: Self) -> Self {
        if self.is_outage() { self } else { other }
    }
    /// A rule that cannot be judged does not hold, unless that is for an outage.
    ///
    /// # Errors
    /// The outage.
    pub fn false_unless_outage(verdict: Result<bool>) -> Result<bool> {
        match verdict {
            Err(error) if error.is_outage() => Err(error),
            verdict => Ok(verdict.unwrap_or(false)),
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Busy => Self::Busy,
            other => Self::Store(other),
        }
    }
}

impl From<Busy> for Error {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
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

/// As the reference prints validation errors in text: `a: message; b: (c: message.).`
impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (key, error)) in self.0.iter().enumerate() {
            let separator = if at > 0 { "; " } else { "" };
            match error {
                FieldError::Nested(inner) => write!(f, "{separator}{key}: ({inner})")?,
                other => write!(f, "{separator}{key}: {other}")?,
            }
        }
        f.write_str(if self.0.is_empty() { "" } else { "." })
    }
}

/// The message with its params filled in, without a final point.
impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Item { message, params, .. } if message.contains("{{.") => {
                let mut text = message.clone();
                for (key, value) in params {
                    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    text = text.replace(&format!("{{{{.{key}}}}}"), &value);
                }
                f.write_str(&text)
            }
            Self::Item { message: text, .. } | Self::Other(text) => f.write_str(text),
            Self::Nested(inner) => inner.fmt(f),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_as_text() {
        let mut errors = FieldErrors::default();
        assert_eq!(errors.to_string(), "");
        errors.set(
            "password",
            FieldError::new("c", "Must be at least {{.min}} character(s)").param("min", 8),
        );
        assert_eq!(errors.to_string(), "password: Must be at least 8 character(s).");
        errors.set_at(&["ips", "1"], FieldError::new("c", "invalid IP"));
        let text = "ips: (1: invalid IP.); password: Must be at least 8 character(s).";
        assert_eq!(Error::Invalid(errors).to_string(), text);
    }
}
