//! [`Error`]: what went wrong, as one type that `?` turns every foreign error into.
//!
//! Must not know statuses and sentences: those are decided in `api`.

use std::{fmt, io};

use api::ApiError;
pub use engine::{
    FieldError, FieldErrors,
    error::{BoxError, SharedError},
    store::Error as DbError,
};

/// The result of nearly everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something failed.
///
/// `?` works on every error that implements [`std::error::Error`]. In a request handler, what the client is told
/// follows the reference: [`ApiError`]s as they are, missing rows and files as 404, validation errors as 400 with
/// `data`, everything else as 400 with the general sentence (the cause is only logged).
///
/// ```
/// use pocketbase::{ApiError, Error};
///
/// fn number(text: &str) -> pocketbase::Result<i64> {
///     Ok(text.parse::<i64>()?)
/// }
/// assert!(number("x").is_err());
/// assert!(Error::NotFound.is_not_found());
/// let refused: Error = ApiError::forbidden("not you").into();
/// assert_eq!(refused.api().map(|api| api.status), Some(403));
/// ```
#[non_exhaustive]
pub enum Error {
    /// The answer to the client, decided where it was raised.
    Api(Box<ApiError>),
    /// Data did not validate; errors by field.
    Validation(FieldErrors),
    /// No such record, collection or file.
    NotFound,
    /// A rule refused it; `locked` when only superusers may.
    Refused {
        /// The rule is null.
        locked: bool,
    },
    /// A filter, sort or rule could not be compiled.
    Filter(String),
    /// The database said no.
    Db(DbError),
    /// A queue is full: try again later.
    Busy,
    /// The file system said no.
    Io(io::Error),
    /// Refused with a sentence that clients may see.
    Message(String),
    /// Anything else. Clients never see it.
    Other(SharedError),
}

impl Error {
    /// An error of which clients see nothing: for the log.
    pub fn other(cause: impl Into<BoxError>) -> Self {
        let cause: BoxError = cause.into();
        Self::Other(cause.into())
    }
    /// Validation errors.
    #[must_use]
    pub fn validation(errors: FieldErrors) -> Self {
        Self::Validation(errors)
    }
    /// One validation error.
    ///
    /// ```
    /// let error = pocketbase::Error::invalid("title", "validation_taken", "is taken");
    /// assert_eq!(error.to_string(), "title: is taken.");
    /// ```
    #[must_use]
    pub fn invalid(field: &str, code: &str, message: &str) -> Self {
        let mut errors = FieldErrors::default();
        errors.set(field, FieldError::new(code, message));
        Self::Validation(errors)
    }
    /// True for missing records, collections and files.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::NotFound => true,
            Self::Io(cause) => cause.kind() == io::ErrorKind::NotFound,
            Self::Api(api) => api.status == 404,
            _ => false,
        }
    }
    /// True if a row with the same unique values is there already.
    #[must_use]
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Db(DbError::Unique { .. }))
    }
    /// The validation errors, if that is what it is.
    #[must_use]
    pub fn fields(&self) -> Option<&FieldErrors> {
        match self {
            Self::Validation(errors) => Some(errors),
            Self::Api(api) => match &api.data {
                api::error::Data::Fields(errors) => Some(errors),
                _ => None,
            },
            _ => None,
        }
    }
    /// The answer, if it was decided already.
    #[must_use]
    pub fn api(&self) -> Option<&ApiError> {
        if let Self::Api(api) = self { Some(api) } else { None }
    }
    /// The foreign error, if it is of that type.
    #[must_use]
    pub fn downcast_ref<E: std::error::Error + 'static>(&self) -> Option<&E> {
        if let Self::Other(cause) = self { cause.downcast_ref() } else { None }
    }
    /// A copy for a second audience; errors of databases and files become their text.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        match self {
            Self::Api(api) => Self::Api(api.clone()),
            Self::Validation(errors) => Self::Validation(errors.clone()),
            Self::NotFound => Self::NotFound,
            Self::Refused { locked } => Self::Refused { locked: *locked },
            Self::Filter(text) => Self::Filter(text.clone()),
            Self::Busy => Self::Busy,
            Self::Io(error) => Self::Io(io::Error::new(error.kind(), error.to_string())),
            Self::Message(text) => Self::Message(text.clone()),
            Self::Db(error) => Self::other(error.to_string()),
            Self::Other(error) => Self::Other(error.clone()),
        }
    }
    /// Code of users panicked: clients get a 500, the log the text.
    pub(crate) fn panicked(what: &str, panic: &(dyn std::any::Any + Send)) -> Self {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        Self::Api(Box::new(ApiError::internal(format!("{what} panicked: {text}"))))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api(api) => match &api.detail {
                Some(detail) => write!(f, "{} ({detail})", api.sentence()),
                None => f.write_str(&api.sentence()),
            },
            Self::Validation(errors) => errors.fmt(f),
            Self::NotFound => f.write_str("not found"),
            Self::Refused { .. } => f.write_str("refused by rule"),
            Self::Filter(text) | Self::Message(text) => f.write_str(text),
            Self::Db(error) => error.fmt(f),
            Self::Busy => f.write_str("overloaded"),
            Self::Io(error) => error.fmt(f),
            Self::Other(error) => error.fmt(f),
        }
    }
}

/// As [`Display`](fmt::Display): `fn main() -> pocketbase::Result<()>` prints it.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        let error: BoxError = Box::new(error);
        let error = match error.downcast::<engine::Error>() {
            Ok(engine) => return Self::of_engine(*engine),
            Err(error) => error,
        };
        let error = match error.downcast::<ApiError>() {
            Ok(api) => return Self::Api(api),
            Err(error) => error,
        };
        let error = match error.downcast::<api::body::Fault>() {
            Ok(fault) => return Self::Api(Box::new((*fault).into())),
            Err(error) => error,
        };
        let error = match error.downcast::<DbError>() {
            Ok(db) => return Self::of_engine((*db).into()),
            Err(error) => error,
        };
        let error = match error.downcast::<Foreign>() {
            Ok(own) => return own.0,
            Err(error) => error,
        };
        match error.downcast::<io::Error>() {
            Ok(io) => Self::Io(*io),
            Err(error) => Self::Other(error.into()),
        }
    }
}

impl Error {
    fn of_engine(error: engine::Error) -> Self {
        use engine::Error as E;
        match error {
            E::NotFound => Self::NotFound,
            E::Refused { locked } => Self::Refused { locked },
            E::Invalid(errors) => Self::Validation(errors),
            E::Filter(text) => Self::Filter(text),
            E::Store(error) => Self::Db(error),
            E::Message(text) => Self::Message(text),
            E::Busy => Self::Busy,
            E::Io(error) => Self::Io(error),
            E::Stopped(inner) => match inner.downcast_ref::<ApiError>() {
                Some(api) => Self::Api(Box::new(api.clone())),
                None => match inner.downcast_ref::<Foreign>() {
                    Some(own) => own.0.duplicate(),
                    None => Self::Other(inner),
                },
            },
            other => Self::other(other),
        }
    }
}

/// For the engine, whose hooks and transactions carry it through.
impl From<Error> for engine::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Api(api) => {
                let api: BoxError = api;
                Self::Stopped(api.into())
            }
            Error::Validation(errors) => Self::Invalid(errors),
            Error::NotFound => Self::NotFound,
            Error::Refused { locked } => Self::Refused { locked },
            Error::Filter(text) => Self::Filter(text),
            Error::Db(error) => Self::Store(error),
            Error::Busy => Self::Busy,
            Error::Io(error) => Self::Io(error),
            Error::Message(text) => Self::Message(text),
            Error::Other(cause) => Self::Stopped(cause),
        }
    }
}

/// What the client is told.
impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::Api(api) => *api,
            other => Self::from(engine::Error::from(other)),
        }
    }
}

/// [`Error`] as a standard error: it cannot be one itself and be made of every other.
#[derive(Debug)]
struct Foreign(Error);

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for Foreign {}

impl From<Error> for BoxError {
    fn from(error: Error) -> Self {
        Box::new(Foreign(error))
    }
}

impl From<Error> for Box<dyn std::error::Error> {
    fn from(error: Error) -> Self {
        Box::new(Foreign(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_are_told() {
        let foreign = "x".parse::<i32>().expect_err("no number");
        for (error, status, sentence) in [
            (Error::NotFound, 404, "The requested resource wasn't found."),
            (Error::Message("no room".into()), 400, "No room."),
            (foreign.into(), 400, "Something went wrong while processing your request."),
            (Error::other("secret"), 400, "Something went wrong while processing your request."),
            (ApiError::new(418, "tea").into(), 418, "Tea."),
            (
                Error::panicked("x", &"boom"),
                500,
                "Something went wrong while processing your request.",
            ),
        ] {
            let api = ApiError::from(error);
            assert_eq!((api.status, &*api.sentence()), (status, sentence));
        }
    }

    #[test]
    fn errors_survive_the_engine() {
        for error in [
            Error::NotFound,
            Error::invalid("a", "c", "m"),
            ApiError::bad_request("b").into(),
            Error::other("deep"),
            Error::Busy,
        ] {
            let text = error.to_string();
            let back = Error::from(engine::Error::from(error));
            assert_eq!(back.to_string(), text);
            let boxed: BoxError = back.into();
            assert_eq!(boxed.to_string(), text);
        }
    }
}
