//! PocketBase's JSON web tokens: HS256 only, sorted claims, per-record key (spec auth.md §1).
//!
//! Pure functions over text, key and clock; which record a token belongs to is `auth::find_by_token`'s business.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde_json::{Map, Value};

/// `{"alg":"HS256","typ":"JWT"}`
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
/// Algorithm names a header may carry to be read at all (§1.2 step 1).
const KNOWN: [&str; 14] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256",
    "PS384", "PS512", "EdDSA", "none",
];

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
    let (header, claims, _) = split(token)?;
    if header != HEADER {
        let header: Map<String, Value> =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        let alg = header.get("alg")?.as_str()?;
        if !KNOWN.contains(&alg) {
            return None;
        }
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok().map(Claims)
}

/// True if the token is HS256-signed with `key`. The comparison takes constant time.
#[must_use]
pub fn signed_by(token: &str, key: &[u8]) -> bool {
    let Some((header, claims, signature)) = split(token) else { return false };
    let hs256 = header == HEADER
        || URL_SAFE_NO_PAD
            .decode(header)
            .ok()
            .and_then(|h| serde_json::from_slice::<Map<String, Value>>(&h).ok())
            .is_some_and(|h| h.get("alg").and_then(Value::as_str) == Some("HS256"));
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
    let signed = &token[..header.len() + 1 + claims.len()];
    hs256
        && !key.is_empty()
        && hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), signed.as_bytes(), &signature)
            .is_ok()
}

/// Makes a token; claims are written sorted by name.
#[must_use]
pub fn sign(claims: &Claims, key: &[u8]) -> String {
    let mut names: Vec<_> = claims.0.keys().collect();
    names.sort_unstable();
    let mut json = String::from("{");
    for (i, name) in names.into_iter().enumerate() {
        if i > 0 {
            json.push(',');
        }
        json.push_str(&Value::String(name.clone()).to_string());
        json.push(':');
        json.push_str(&claims.0[name].to_string());
    }
    json.push('}');
    let mut token = String::with_capacity(HEADER.len() + json.len() * 4 / 3 + 48);
    token.push_str(HEADER);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(json, &mut token);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(tag, &mut token);
    token
}

fn split(token: &str) -> Option<(&str, &str, &str)> {
    let (header, rest) = token.split_once('.')?;
    let (claims, signature) = rest.split_once('.')?;
    (!signature.contains('.')).then_some((header, claims, signature))
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
        let token = sign(&c, b"key");
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
    fn rfc_vector() {
        // A token made by another library with the key "test".
        let token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpZCI6IjEifQ.";
        let signed = &token[..token.len() - 1];
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"test"), signed.as_bytes());
        assert!(
            signed_by(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag)), b"test"),
            "other header order"
        );
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
