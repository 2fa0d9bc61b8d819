//! The answer of a token endpoint (spec auth §9.1).

use std::{fmt, time::Duration};

use serde_json::{Map, Value};

use super::Error;
use primitives::time::{self, Timestamp};

/// Tokens about to expire are refreshed first.
const MARGIN: Duration = Duration::from_secs(10);

/// An access token and what came with it.
#[derive(Clone, Default)]
pub struct Token {
    pub access_token: String,
    pub token_type: String,
    pub refresh_token: String,
    /// `None` if it does not expire.
    pub expiry: Option<Timestamp>,
    /// The whole answer.
    pub raw: Map<String, Value>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("expiry", &self.expiry).finish_non_exhaustive()
    }
}

impl Token {
    /// Reads an answer: JSON, or a query string where the content type says so.
    pub(super) fn read(status: u16, content_type: &str, body: &[u8]) -> Result<Self, Error> {
        let essence = content_type.split(';').next().unwrap_or("").trim();
        let is_form = ["application/x-www-form-urlencoded", "text/plain"]
            .iter()
            .any(|form| essence.eq_ignore_ascii_case(form));
        let raw: Option<Map<String, Value>> = if is_form {
            let mut map = Map::new();
            for (key, value) in form_urlencoded::parse(body) {
                map.entry(key.into_owned()).or_insert_with(|| value.into_owned().into());
            }
            Some(map)
        } else {
            serde_json::from_slice(body).ok()
        };
        let code = raw.as_ref().and_then(|map| map.get("error")).and_then(Value::as_str);
        if let Some(code) = code.filter(|code| !code.is_empty()) {
            let shown = code.chars().filter(|c| c.is_ascii_graphic()).take(100).collect();
            return Err(Error::Refused(shown));
        }
        if !(200..300).contains(&status) {
            return Err(Error::Status(status));
        }
        Self::of(raw.ok_or(Error::Answer("the token answer is not JSON"))?)
    }

    fn of(raw: Map<String, Value>) -> Result<Self, Error> {
        // the last one in any case, as decoders with typed members read it
        let member = |name: &str| {
            let is_it = |(key, _): &(&String, &Value)| key.eq_ignore_ascii_case(name);
            raw.iter().rfind(is_it).map(|(_, value)| value)
        };
        let text = |key: &str| match member(key) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(Error::Answer("the token answer has another shape")),
        };
        let access_token = text("access_token")?;
        if access_token.is_empty() {
            return Err(Error::Answer("the token answer has no access_token"));
        }
        let seconds = match member("expires_in") {
            None | Some(Value::Null) => Some(0),
            Some(Value::Number(n)) => n.as_i64(),
            Some(Value::String(text)) if text.is_empty() => Some(0),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        let seconds = seconds.ok_or(Error::Answer("expires_in is not a number"))?;
        // less than nothing is long ago; nothing means that it does not expire
        let distance = Duration::from_secs(seconds.unsigned_abs().min(i32::MAX as u64));
        let now = time::now();
        let expiry = match seconds {
            0 => None,
            1.. => Some(now.plus(distance)),
            _ => Some(now.minus(distance)),
        };
        let (token_type, refresh_token) = (text("token_type")?, text("refresh_token")?);
        Ok(Self { access_token, token_type, refresh_token, expiry, raw })
    }

    /// True if it is (almost) too old to be used.
    pub(super) fn is_stale(&self) -> bool {
        self.expiry.is_some_and(|expiry| expiry.minus(MARGIN) < time::now())
    }

    /// The value of an `Authorization` header.
    pub(super) fn authorization(&self) -> String {
        let kind = match self.token_type.to_ascii_lowercase().as_str() {
            "" | "bearer" => "Bearer",
            "mac" => "MAC",
            "basic" => "Basic",
            _ => &self.token_type,
        };
        format!("{kind} {}", self.access_token)
    }

    /// A text of the answer.
    pub(super) fn text(&self, key: &str) -> &str {
        self.raw.get(key).and_then(Value::as_str).unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let json = "application/json; charset=utf-8";
        for (status, kind, body, want) in [
            (200, json, r#"{"access_token":"a","token_type":"bearer"}"#, Some("Bearer a")),
            (200, json, r#"{"access_token":"a","expires_in":"60"}"#, Some("Bearer a")),
            (200, json, r#"{"access_token":"a","token_type":"x"}"#, Some("x a")),
            (200, json, r#"{"Access_Token":"a"}"#, Some("Bearer a")),
            (200, json, r#"{"access_token":"a","Access_token":"b"}"#, Some("Bearer b")),
            (200, json, r#"{"accesstoken":"a"}"#, None),
            (200, json, r#"{"access_token":"a","Expires_In":"soon"}"#, None),
            (200, "text/plain", "access_token=a&token_type=mac&expires_in=5", Some("MAC a")),
            (200, "application/x-www-form-urlencoded", "error=denied&access_token=a", None),
            (200, json, r#"{"access_token":""}"#, None),
            (200, json, r#"{"access_token":"a","error":"no"}"#, None),
            (200, json, r#"{"access_token":"a","expires_in":"soon"}"#, None),
            (200, json, "<html>", None),
            (200, json, "[]", None),
            (500, json, r#"{"access_token":"a"}"#, None),
        ] {
            let token = Token::read(status, kind, body.as_bytes());
            assert_eq!(token.ok().map(|t| t.authorization()).as_deref(), want, "{body}");
        }
        let stale = Token::read(200, json, br#"{"access_token":"a","expires_in":5}"#).unwrap();
        assert!(stale.is_stale() && !Token::default().is_stale());
        let past = Token::read(200, json, br#"{"access_token":"a","expires_in":-1}"#).unwrap();
        assert!(past.is_stale());
    }
}
