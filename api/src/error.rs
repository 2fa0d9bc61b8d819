//! What a client is told when something fails: [`ApiError`], the envelope, every mapping from engine facts to
//! status and wording. The engine must not import this.
//!
//! Source: spec records-files-realtime-batch §2, server-settings-operations §0.

use std::borrow::Cow;

use engine::{Error, FieldError, FieldErrors, error::BoxError, store};
use http_syntax::fault::Fault;

use crate::json;

const NO_LOGIN: &str = "Failed to authenticate.";

/// What a body that cannot be decoded is answered with, where nothing else is said.
pub(crate) const UNREADABLE: &str = "An error occurred while loading the submitted data.";

/// What a body that does not validate is answered with, where nothing else is said.
pub(crate) const INVALID: &str = "An error occurred while validating the submitted data.";

/// The result of a handler.
pub type Result<T, E = ApiError> = std::result::Result<T, E>;

/// An error answer. `detail` is for the log only.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// The sentence; empty means the default of the status.
    pub message: Cow<'static, str>,
    /// The `data` of the envelope.
    pub data: Data,
    /// The cause, for the activity log; never sent.
    pub detail: Option<Box<str>>,
    /// When to try again, in seconds.
    pub retry_after_s: Option<u32>,
}

/// The `data` of an error answer.
#[derive(Debug, Clone, Default)]
pub enum Data {
    /// `{}`.
    #[default]
    None,
    /// Field errors.
    Fields(Box<FieldErrors>),
    /// A JSON object as it is.
    Raw(Box<serde_json::Value>),
}

impl ApiError {
    /// An error with a message; empty means the default of the status.
    #[must_use]
    pub fn new(status: u16, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            message: message.into(),
            data: Data::None,
            detail: None,
            retry_after_s: None,
        }
    }

    /// 400.
    #[must_use]
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, message)
    }

    /// 401.
    #[must_use]
    pub fn unauthorized(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(401, message)
    }

    /// 403.
    #[must_use]
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(403, message)
    }

    /// 404.
    #[must_use]
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(404, message)
    }

    /// 403: the rule is null.
    #[must_use]
    pub fn superusers_only() -> Self {
        Self::forbidden("Only superusers can perform this action.")
    }

    /// 404: no such collection.
    #[must_use]
    pub fn no_collection() -> Self {
        Self::not_found("Missing collection context.")
    }

    /// 404: no such file.
    #[must_use]
    pub fn no_file() -> Self {
        Self::not_found("File not found.")
    }

    /// 404: no such collection, or none with accounts.
    #[must_use]
    pub fn no_auth_collection() -> Self {
        Self::not_found("Missing or invalid auth collection context.")
    }

    /// 400 or 403: the collection knows no passwords.
    #[must_use]
    pub fn no_passwords(status: u16) -> Self {
        let message = "The collection is not configured to allow password authentication.";
        Self::new(status, message)
    }

    /// 400: a login that failed for reasons that are nobody's business.
    #[must_use]
    pub fn no_login() -> Self {
        Self::bad_request(NO_LOGIN)
    }

    /// The same with what only the log may know.
    #[must_use]
    pub fn no_login_because(error: Error) -> Self {
        Self::wrap(400, NO_LOGIN, error)
    }

    /// 413.
    #[must_use]
    pub fn too_large() -> Self {
        Self::new(413, "Request entity too large.")
    }

    /// 429.
    #[must_use]
    pub fn too_many(detail: impl Into<Box<str>>) -> Self {
        Self { detail: Some(detail.into()), ..Self::new(429, "") }
    }

    /// 429 because a lane is full: come again in a second.
    #[must_use]
    pub fn busy() -> Self {
        Self { retry_after_s: Some(1), ..Self::too_many("overloaded") }
    }

    /// 503 because the database is away: come again in a second.
    #[must_use]
    pub fn unreachable() -> Self {
        let message = "The database cannot be reached at the moment.";
        Self { retry_after_s: Some(1), ..Self::new(503, message) }
    }

    /// A relation that the database refused to follow.
    fn unexpanded(status: u16, path: &str, cause: Error) -> Self {
        let error = Self::wrap(status, "", cause);
        if error.retry_after_s.is_some() {
            return error;
        }
        Self { message: format!("Failed to expand {path}.").into(), ..error }
    }

    /// 500.
    #[must_use]
    pub fn internal(detail: impl Into<Box<str>>) -> Self {
        Self { detail: Some(detail.into()), ..Self::new(500, "") }
    }

    /// Adds what only the log may know.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Box<str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds field errors.
    #[must_use]
    pub fn with_fields(mut self, fields: FieldErrors) -> Self {
        if self.detail.is_none() {
            self.detail = Some(plain_fields(&fields).into());
        }
        self.data = Data::Fields(Box::new(fields));
        self
    }

    /// The answer to an engine error under an operation's own sentence: API errors raised deeper win, field errors
    /// become `data`, the rest only reaches the log.
    #[must_use]
    pub fn wrap(status: u16, message: &'static str, error: Error) -> Self {
        match error {
            Error::Invalid(fields) => Self::new(status, message).with_fields(fields),
            Error::Stopped(inner) => match inner.downcast_ref::<Self>() {
                Some(own) => own.clone(),
                None => Self::new(status, message).with_detail(inner.to_string()),
            },
            Error::Busy | Error::Store(store::Error::Busy) => Self::busy(),
            Error::Store(store::Error::Unreachable) => Self::unreachable(),
            Error::Unexpanded { path, cause } => Self::unexpanded(status, &path, *cause),
            other => Self::new(status, message).with_detail(other.to_string()),
        }
    }

    /// As [`ApiError::wrap`], where the operation's own sentence wins over what hooks have raised, too.
    #[must_use]
    pub fn wrap_all(status: u16, message: &'static str, error: Error) -> Self {
        match error {
            Error::Stopped(inner) => Self::new(status, message).with_detail(inner.to_string()),
            other => Self::wrap(status, message, other),
        }
    }

    /// As [`ApiError::wrap`] with 400.
    pub fn wrap_400(message: &'static str) -> impl Fn(Error) -> Self {
        move |error| Self::wrap(400, message, error)
    }

    /// Sets `data` to a JSON object as it is.
    #[must_use]
    pub fn with_raw(mut self, data: serde_json::Value) -> Self {
        self.data = Data::Raw(Box::new(data));
        self
    }

    /// The `data` of the envelope.
    #[must_use]
    pub fn public_data(&self) -> serde_json::Value {
        let mut text = Vec::new();
        self.write_data(&mut text);
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// The sentence as sent.
    #[must_use]
    pub fn sentence(&self) -> Cow<'_, str> {
        let text = self.message.trim();
        sentence(if text.is_empty() { default_message(self.status) } else { text })
    }

    /// Writes the envelope, without the final line feed.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"data\":");
        self.write_data(out);
        out.extend_from_slice(b",\"message\":");
        json::write_str(out, &self.sentence());
        out.extend_from_slice(b",\"status\":");
        out.extend_from_slice(self.status.to_string().as_bytes());
        out.push(b'}');
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        match &self.data {
            Data::None => out.extend_from_slice(b"{}"),
            Data::Fields(fields) => write_fields(out, fields),
            Data::Raw(value) => json::write_value(out, value),
        }
    }
}

/// Without a sentence of its own: "no rows" is 404, everything else 400.
impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(""),
            Error::Io(cause) if cause.kind() == std::io::ErrorKind::NotFound => Self::not_found(""),
            Error::Refused { locked: true } => Self::superusers_only(),
            Error::Refused { locked: false } => Self::not_found(""),
            Error::Message(text) => Self::bad_request(text),
            other => Self::wrap(400, "", other),
        }
    }
}

/// Without a sentence of its own.
impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::TooLarge => Self::too_large(),
            Fault::Unsupported => Self::bad_request("Unsupported Content-Type."),
            Fault::Malformed(detail) => Self::bad_request("").with_detail(detail),
            Fault::Io(detail) => Self::internal(detail),
        }
    }
}

/// Fired requests travel through engine hooks as engine errors.
impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        let error: BoxError = Box::new(error);
        Self::Stopped(error.into())
    }
}

/// The sentence of a status.
#[must_use]
pub fn default_message(status: u16) -> &'static str {
    match status {
        400 | 500 => "Something went wrong while processing your request.",
        401 => "Missing or invalid authentication.",
        403 => "You are not allowed to perform this request.",
        404 => "The requested resource wasn't found.",
        429 => "Too Many Requests.",
        other => {
            http::StatusCode::from_u16(other).ok().and_then(|s| s.canonical_reason()).unwrap_or("")
        }
    }
}

/// First letter upper case, a final point unless `.`, `?` or `!` is there.
#[must_use]
pub fn sentence(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    let Some(first) = text.chars().next() else {
        return Cow::Borrowed("");
    };
    let ended = text.ends_with(['.', '?', '!']);
    if ended && !first.is_lowercase() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.extend(first.to_uppercase());
    out.push_str(&text[first.len_utf8()..]);
    if !ended {
        out.push('.');
    }
    Cow::Owned(out)
}

/// The message of a field error with its params filled in (`{{.name}}`).
fn fill<'m>(message: &'m str, params: &serde_json::Map<String, serde_json::Value>) -> Cow<'m, str> {
    if !message.contains("{{.") {
        return Cow::Borrowed(message);
    }
    let mut text = message.to_owned();
    for (key, value) in params {
        let value = match value {
            serde_json::Value::String(text) => text.clone(),
            other => {
                let mut out = Vec::new();
                json::write_value(&mut out, other);
                String::from_utf8_lossy(&out).into_owned()
            }
        };
        text = text.replace(&format!("{{{{.{key}}}}}"), &value);
    }
    Cow::Owned(text)
}

/// Writes field errors as the `data` object.
pub fn write_fields(out: &mut Vec<u8>, fields: &FieldErrors) {
    out.push(b'{');
    for (idx, (key, error)) in fields.0.iter().enumerate() {
        if idx > 0 {
            out.push(b',');
        }
        json::write_str(out, key);
        out.push(b':');
        match error {
            FieldError::Nested(inner) => write_fields(out, inner),
            FieldError::Other(_) => {
                out.extend_from_slice(
                    br#"{"code":"validation_invalid_value","message":"Invalid value."}"#,
                );
            }
            FieldError::Item { code, message, params } => {
                out.extend_from_slice(b"{\"code\":");
                json::write_str(out, code);
                out.extend_from_slice(b",\"message\":");
                json::write_str(out, &sentence(&fill(message, params)));
                if !params.is_empty() {
                    out.extend_from_slice(b",\"params\":");
                    json::write_sorted(out, params);
                }
                out.push(b'}');
            }
        }
    }
    out.push(b'}');
}

/// Field errors as `field: message; field: (nested).`, for logs and the command line.
#[must_use]
pub fn plain_fields(fields: &FieldErrors) -> String {
    let mut text = String::new();
    for (idx, (key, error)) in fields.0.iter().enumerate() {
        if idx > 0 {
            text.push_str("; ");
        }
        text.push_str(key);
        text.push_str(": ");
        match error {
            FieldError::Nested(inner) => {
                text.push('(');
                text.push_str(&plain_fields(inner));
                text.push(')');
            }
            FieldError::Other(message) => text.push_str(message),
            FieldError::Item { message, params, .. } => text.push_str(&fill(message, params)),
        }
    }
    if !text.is_empty() && !text.ends_with('.') {
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(error: &ApiError) -> String {
        let mut out = Vec::new();
        error.write(&mut out);
        String::from_utf8(out).expect("utf-8")
    }

    #[test]
    fn envelope() {
        let mut fields = FieldErrors::default();
        fields.set("title", FieldError::new("validation_required", "cannot be blank"));
        fields.set_at(&["rules", "0", "label"], FieldError::Other("x".into()));
        fields.set(
            "n",
            FieldError::new("validation_min", "must be at least {{.min}} character(s)")
                .param("min", 3),
        );
        for (error, want) in [
            (
                ApiError::not_found(""),
                r#"{"data":{},"message":"The requested resource wasn't found.","status":404}"#,
            ),
            (ApiError::bad_request("<oops"), r#"{"data":{},"message":"<oops.","status":400}"#),
            (
                ApiError::new(503, ""),
                r#"{"data":{},"message":"Service Unavailable.","status":503}"#,
            ),
            (
                ApiError::bad_request("failed").with_fields(fields),
                r#"{"data":{"n":{"code":"validation_min","message":"Must be at least 3 character(s).","params":{"min":3}},"rules":{"0":{"label":{"code":"validation_invalid_value","message":"Invalid value."}}},"title":{"code":"validation_required","message":"Cannot be blank."}},"message":"Failed.","status":400}"#,
            ),
        ] {
            assert_eq!(wire(&error), want);
        }
    }

    #[test]
    fn sentences() {
        for (text, want) in
            [("", ""), (" a ", "A."), ("A?", "A?"), ("ünder", "Ünder."), ("a\n", "A.")]
        {
            assert_eq!(sentence(text), want);
        }
    }
}
