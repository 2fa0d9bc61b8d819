//! One log entry per routed request.
//!
//! Builds the entry's JSON text at once, without maps, and hands it to the engine's log buffer.
//! Source: spec server-settings-operations §2.12.

use std::{borrow::Cow, cell::RefCell, time::Instant};

use engine::{FieldError, FieldErrors, json::lossy, log::Entry, time};
use http::{HeaderName, header};
use percent_encoding::percent_decode_str;

use crate::{
    error::{ApiError, Data, Result},
    json,
    query::is_escaped_well,
    request::{Req, ip_text},
    response::Response,
};

const INFO: i64 = 0;
const ERROR: i64 = 8;
/// Most bytes of the URL, of referer and user agent, and of the method.
const MAX_URL: usize = 3000;
const MAX_TEXT: usize = 2000;
const MAX_METHOD: usize = 50;

/// Logs a finished request.
pub(crate) fn record(req: &mut Req, started: Instant, result: &Result<Response>) {
    if req.skip_log && result.is_ok() && req.log_error.is_none() {
        return;
    }
    let level = if result.is_ok() && req.log_error.is_none() { INFO } else { ERROR };
    if !req.app().log().enabled(level) {
        return;
    }
    SCRATCH.with_borrow_mut(|out| {
        out.clear();
        out.shrink_to(MAX_KEPT);
        write_data(out, req, started, result);
        let data = std::str::from_utf8(out).unwrap_or_default().into();
        out.clear();
        out.extend_from_slice(method_of(req).as_bytes());
        out.push(b' ');
        out.extend_from_slice(decoded(&uri_of(req)).as_bytes());
        let message = std::str::from_utf8(out).unwrap_or_default().into();
        req.app().log().push(Entry { level, message, data, created: time::now() });
    });
}

thread_local! {
    /// Where texts grow before their length is known.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Bytes that the scratch keeps from one request to the next.
const MAX_KEPT: usize = 8 << 10;

fn uri_of(req: &Req) -> Cow<'_, str> {
    let uri = req.head.uri.path_and_query().map_or_else(|| req.path(), |text| text.as_str());
    masked(cut(uri.as_bytes(), MAX_URL))
}

/// A URL without the tokens of its query: whoever reads the log could use them.
// DIFFERENCE: the reference logs file tokens in full.
fn masked(url: Cow<'_, str>) -> Cow<'_, str> {
    let Some((path, query)) = url.split_once('?') else { return url };
    let is_token =
        |pair: &&str| pair.get(..6).is_some_and(|key| key.eq_ignore_ascii_case("token="));
    if !query.split('&').any(|pair| is_token(&pair) && pair.len() > 6) {
        return url;
    }
    let hide = |pair| if is_token(&pair) { "token=***" } else { pair };
    let pairs: Vec<&str> = query.split('&').map(hide).collect();
    Cow::Owned(format!("{path}?{}", pairs.join("&")))
}

fn method_of(req: &Req) -> Cow<'_, str> {
    let method = cut(req.method().as_str().as_bytes(), MAX_METHOD);
    if method.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Cow::Owned(method.to_ascii_uppercase());
    }
    method
}

fn header_of(req: &Req, name: HeaderName) -> Cow<'_, str> {
    cut(req.head.headers.get(name).map_or(b"", |value| value.as_bytes()), MAX_TEXT)
}

/// Without percent escapes, unless one is broken.
fn decoded(uri: &str) -> Cow<'_, str> {
    if !uri.contains('%') || !is_escaped_well(uri.as_bytes()) {
        return Cow::Borrowed(uri);
    }
    let bytes: Vec<u8> = percent_decode_str(uri).collect();
    Cow::Owned(lossy(&bytes).into_owned())
}

fn write_data(out: &mut Vec<u8>, req: &Req, started: Instant, result: &Result<Response>) {
    let settings = req.app().settings();
    let exec_ms = started.elapsed().as_secs_f64() * 1000.0;
    let mut entry = Text { out, first: true };
    entry.text("auth", req.caller.record().map_or("", |record| record.collection().name.as_str()));
    if settings.logs.log_auth_id
        && let Some(record) = req.caller.record()
    {
        entry.text("authId", record.id());
    }
    if let Err(error) = result {
        write_details(entry.key("details"), error);
        entry.text("error", &error.sentence());
    } else if let Some(error) = &req.log_error {
        entry.text("error", error);
    }
    json::write_f64(entry.key("execTime"), exec_ms);
    if let Some(meta) = &req.log_meta {
        json::write_value(entry.key("meta"), meta);
    }
    entry.text("method", &method_of(req));
    entry.text("referer", &masked(header_of(req, header::REFERER)));
    if settings.logs.log_ip {
        entry.text("remoteIP", &ip_text(req.head.remote.ip()));
    }
    let status = match result {
        Ok(response) => response.status,
        Err(error) => error.status,
    };
    entry.key("status").extend_from_slice(status.to_string().as_bytes());
    entry.text("type", "request");
    entry.text("url", &uri_of(req));
    entry.text("userAgent", &header_of(req, header::USER_AGENT));
    if settings.logs.log_ip {
        entry.text("userIP", &ip_text(req.real_ip()));
    }
    out.push(b'}');
}

struct Text<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl Text<'_> {
    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.out.push(if std::mem::take(&mut self.first) { b'{' } else { b',' });
        json::write_str(self.out, key);
        self.out.push(b':');
        self.out
    }

    fn text(&mut self, key: &str, value: &str) {
        json::write_str(self.key(key), value);
    }
}

/// At most so many bytes and a mark; bytes of no character, and halves, become U+FFFD.
fn cut(text: &[u8], max_bytes: usize) -> Cow<'_, str> {
    if text.len() <= max_bytes {
        return lossy(text);
    }
    Cow::Owned(format!("{}...", lossy(&text[..max_bytes])))
}

/// The raw cause: a nested map of plain messages, a text, or null.
fn write_details(out: &mut Vec<u8>, error: &ApiError) {
    match (&error.data, &error.detail) {
        (Data::Fields(fields), _) => write_plain(out, fields),
        (Data::Raw(value), None) => json::write_value(out, value),
        (_, Some(detail)) => json::write_str(out, detail),
        (Data::None, None) => out.extend_from_slice(b"null"),
    }
}

fn write_plain(out: &mut Vec<u8>, fields: &FieldErrors) {
    out.push(b'{');
    for (idx, (key, error)) in fields.0.iter().enumerate() {
        if idx > 0 {
            out.push(b',');
        }
        json::write_str(out, key);
        out.push(b':');
        match error {
            FieldError::Nested(inner) => write_plain(out, inner),
            FieldError::Item { message, .. } | FieldError::Other(message) => {
                json::write_str(out, message)
            }
        }
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details() {
        let mut fields = FieldErrors::default();
        fields.set_at(&["smtp", "host"], FieldError::new("validation_required", "cannot be blank"));
        for (error, want) in [
            (ApiError::bad_request("x"), "null"),
            (ApiError::bad_request("x").with_detail("sql: \"no\""), r#""sql: \"no\"""#),
            (
                ApiError::bad_request("x").with_fields(fields),
                r#"{"smtp":{"host":"cannot be blank"}}"#,
            ),
        ] {
            let mut out = Vec::new();
            write_details(&mut out, &error);
            assert_eq!(String::from_utf8(out).expect("utf-8"), want);
        }
    }

    /// Values of the reference.
    #[test]
    fn texts() {
        for (text, max, want) in [
            (&b"abc"[..], 3, "abc"),
            (b"abcd", 3, "abc..."),
            ("éé".as_bytes(), 3, "é\u{fffd}..."),
            (b"caf\xe9 \xc3\xa9", 9, "caf\u{fffd} é"),
        ] {
            assert_eq!(cut(text, max), want);
        }
        for (uri, want) in [
            ("/a?q=%C3%A9+1", "/a?q=é+1"),
            ("/a?q=%ff%c3", "/a?q=\u{fffd}\u{fffd}"),
            ("/a?q=%C3%A9%...", "/a?q=%C3%A9%..."),
        ] {
            assert_eq!(decoded(uri), want);
        }
    }
}
