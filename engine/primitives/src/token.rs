//! PocketBase's JSON web tokens: HS256 only, sorted claims, per-record key (spec auth.md §1).
//!
//! Pure functions over text, key and clock; which record a token belongs to is `auth::find_by_token`'s business.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::jwt::{self, Algorithm, DecodingKey, EncodingKey};

/// `{"alg":"HS256","typ":"JWT"}`
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// The five kinds of token; never interchangeable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenType {
    Auth,
    File,
    Verification,
    PasswordReset,
    EmailChange,
}

impl TokenType {
    /// The value of the `type` claim.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::File => "file",
            Self::Verification => "verification",
            Self::PasswordReset => "passwordReset",
            Self::EmailChange => "emailChange",
        }
    }
    /// The kind of a `type` claim.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Auth, Self::File, Self::Verification, Self::PasswordReset, Self::EmailChange]
            .into_iter()
            .find(|t| t.name() == name)
    }
}

/// The claims of a token. Reading them says nothing about the signature.
#[derive(Clone, Default, PartialEq)]
pub struct Claims(pub Map<String, Value>);

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Claims {
    /// A text claim, `""` if missing or of another type.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or("")
    }
    /// The kind of token, if it is one of ours.
    #[must_use]
    pub fn token_type(&self) -> Option<TokenType> {
        TokenType::from_name(self.text("type"))
    }
    /// `refreshable`, read leniently (§3.5): true, a non-zero number, `"true"` or `"1"`.
    #[must_use]
    pub fn refreshable(&self) -> bool {
        match self.0.get("refreshable") {
            Some(Value::Bool(b)) => *b,
            Some(Value::Number(n)) => n.as_f64().is_some_and(|n| n != 0.0),
            Some(Value::String(s)) => {
                matches!(s.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True")
            }
            _ => false,
        }
    }
    /// `exp` and `nbf` and `iat` against the clock (seconds). A missing claim is fine, one of another type is not.
    #[must_use]
    pub fn in_time(&self, now: f64) -> bool {
        let date = |name: &str| match self.0.get(name) {
            None => Ok(None),
            Some(v) => match v.as_f64() {
                Some(0.0) => Ok(None),
                Some(n) => Ok(Some(n)),
                None => Err(()),
            },
        };
        match (date("exp"), date("nbf"), date("iat")) {
            (Ok(exp), Ok(nbf), Ok(iat)) => {
                exp.is_none_or(|t| now < t)
                    && nbf.is_none_or(|t| now >= t)
                    && iat.is_none_or(|t| now >= t)
            }
            _ => false,
        }
    }
}

/// Reads the claims without looking at the signature or the clock (§1.2 step 1); `None` if it is not a token.
#[must_use]
pub fn read(token: &str) -> Option<Claims> {
    let header = header_of(token)?;
    if header != HEADER && !is_known(&algorithm(header)?) {
        return None;
    }
    jwt::claims(token).map(Claims)
}

/// True if the token is HS256-signed with `key`. The comparison takes constant time.
#[must_use]
pub fn signed_by(token: &str, key: &[u8]) -> bool {
    let Some(header) = header_of(token) else { return false };
    (header == HEADER || algorithm(header).as_deref() == Some("HS256"))
        && !key.is_empty()
        && jwt::is_signed(token, Algorithm::HS256, &DecodingKey::from_secret(key))
}

/// Makes a token; claims are written sorted by name.
///
/// # Errors
/// None with keys of this kind.
pub fn sign(claims: &Claims, key: &[u8]) -> Result<String, jwt::BadKey> {
    let claims: BTreeMap<_, _> = claims.0.iter().collect();
    jwt::sign(Algorithm::HS256, None, &claims, &EncodingKey::from_secret(key))
}

/// The first of exactly three parts.
fn header_of(token: &str) -> Option<&str> {
    let (header, rest) = token.split_once('.')?;
    let (_, signature) = rest.split_once('.')?;
    (!signature.contains('.')).then_some(header)
}

/// The `alg` of a header, whatever else it holds.
fn algorithm(header: &str) -> Option<String> {
    let header = URL_SAFE_NO_PAD.decode(header).ok()?;
    let mut header: Map<String, Value> = serde_json::from_slice(&header).ok()?;
    match header.remove("alg")? {
        Value::String(name) => Some(name),
        _ => None,
    }
}

/// Algorithms that a header may name to be read at all (§1.2 step 1): more than signatures are checked for.
fn is_known(algorithm: &str) -> bool {
    matches!(algorithm, "ES512" | "none") || algorithm.parse::<Algorithm>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(json: &str) -> Claims {
        Claims(serde_json::from_str(json).expect("json"))
    }

    #[test]
    fn sorted_claims_and_round_trip() {
        let c = claims(r#"{"type":"auth","exp":2,"id":"a","collectionId":"b","refreshable":true}"#);
        let token = sign(&c, b"key").expect("a token");
        assert!(token.starts_with(HEADER));
        let body = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).expect("body")).expect("base64");
        assert_eq!(
            body,
            br#"{"collectionId":"b","exp":2,"id":"a","refreshable":true,"type":"auth"}"#
        );
        assert_eq!(read(&token).expect("claims").text("id"), "a");
        assert!(signed_by(&token, b"key"));
        for bad in ["", "other", "ke"] {
            assert!(!signed_by(&token, bad.as_bytes()), "{bad}");
        }
        assert!(!signed_by(&format!("{token}x"), b"key"));
    }

    #[test]
    fn vectors() {
        // RFC 7515 A.1: another order and blanks in the header
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let key = URL_SAFE_NO_PAD.decode(key).expect("a key");
        assert!(signed_by(token, &key));
        assert_eq!(read(token).expect("claims").text("iss"), "joe");
        // Members that mean nothing here may be anything, as for the reference; other algorithms are not believed.
        for (header, believed) in [
            (r#"{"alg":"HS256","kid":5,"x5c":{},"crit":null}"#, true),
            (r#"{"alg":"HS384"}"#, false),
            (r#"{"alg":["HS256"]}"#, false),
            (r#"["HS256"]"#, false),
        ] {
            let message = format!("{}.e30", URL_SAFE_NO_PAD.encode(header));
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"test");
            let tag = URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, message.as_bytes()));
            assert_eq!(signed_by(&format!("{message}.{tag}"), b"test"), believed, "{header}");
        }
    }

    #[test]
    fn unreadable() {
        let other_alg = format!("{}.e30.x", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS1"}"#));
        for bad in [
            "",
            "a.b",
            "a.b.c",
            "a.b.c.d",
            &format!("{HEADER}.!.x"),
            &format!("{HEADER}.W10.x"),
            &other_alg,
        ] {
            assert!(read(bad).is_none(), "{bad}");
        }
        for alg in ["none", "ES512", "PS512", "EdDSA", "HS256"] {
            let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}"}}"#));
            assert!(read(&format!("{header}.e30.x")).is_some(), "{alg}");
        }
        let none = format!("{}.e30.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#));
        assert!(read(&none).is_some());
        assert!(!signed_by(&none, b"k"));
    }

    #[test]
    fn clock() {
        for (json, ok) in [
            ("{}", true),
            (r#"{"exp":11}"#, true),
            (r#"{"exp":10.5}"#, true),
            (r#"{"exp":10}"#, false),
            (r#"{"exp":"11"}"#, false),
            (r#"{"exp":null}"#, false),
            (r#"{"nbf":10}"#, true),
            (r#"{"nbf":11}"#, false),
            (r#"{"iat":11}"#, false),
        ] {
            assert_eq!(claims(json).in_time(10.0), ok, "{json}");
        }
    }

    #[test]
    fn refreshable_is_lenient() {
        for (json, yes) in [
            (r#"{"refreshable":true}"#, true),
            (r#"{"refreshable":1}"#, true),
            (r#"{"refreshable":"1"}"#, true),
            (r#"{"refreshable":"x"}"#, false),
            (r#"{"refreshable":0}"#, false),
            ("{}", false),
        ] {
            assert_eq!(claims(json).refreshable(), yes, "{json}");
        }
    }
}
