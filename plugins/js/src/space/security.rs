//! `$security` (spec extending §3.3): digests, random texts, tokens, encryption.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use md5::Digest as _;
use pocketbase::security;
use ring::{digest, hmac};
use serde_json::{Map, Value};

use super::Space;
use crate::bind::{Fail, Res, Val, table};

table! {
    pub(crate) static SECURITY: Space = "Security", "Digests, random texts, tokens, encryption." {
        fn "md5" "(text: string): string" "A digest, in hexadecimal." => |cx, s, a| hex(&md5::Md5::digest(a.str(0)?));
        fn "sha256" "(text: string): string" "A digest, in hexadecimal." => |cx, s, a| hash(&digest::SHA256, &a.str(0)?);
        fn "sha512" "(text: string): string" "A digest, in hexadecimal." => |cx, s, a| hash(&digest::SHA512, &a.str(0)?);
        fn "hs256" "(text: string, secret: string): string" "A keyed digest, in hexadecimal." => |cx, s, a| signed(hmac::HMAC_SHA256, &a.str(0)?, &a.str(1)?);
        fn "hs512" "(text: string, secret: string): string" "A keyed digest, in hexadecimal." => |cx, s, a| signed(hmac::HMAC_SHA512, &a.str(0)?, &a.str(1)?);
        fn "equal" "(a: string, b: string): boolean" "Compares in a time that tells nothing." => |cx, s, a| security::constant_time_eq(a.str(0)?.as_bytes(), a.str(1)?.as_bytes());
        fn "randomString" "(length: number): string" "A random text of letters and digits." => |cx, s, a| random(a.int(0)?, ALPHABET)?;
        fn "randomStringWithAlphabet" "(length: number, alphabet: string): string" "A random text of an alphabet." => |cx, s, a| random(a.int(0)?, &a.str(1)?)?;
        fn "randomStringByRegex" "(pattern: string, ...flags: number[]): string" "A random text that matches a regular expression." => |cx, s, a| security::random_by_pattern(&a.str(0)?)?;
        fn "pseudorandomString" "(length: number): string" "A random text of letters and digits." => |cx, s, a| random(a.int(0)?, ALPHABET)?;
        fn "pseudorandomStringWithAlphabet" "(length: number, alphabet: string): string" "A random text of an alphabet." => |cx, s, a| random(a.int(0)?, &a.str(1)?)?;
        fn "createJWT" "(claims: { [key: string]: any }, key: string, seconds: number): string" "A signed token." => |cx, s, a| {
            let mut claims = Map::new();
            claims.insert("exp".to_owned(), (now() + a.int(2)?).into());
            claims.extend(a.object(0, "jwt.MapClaims")?);
            token(claims, &a.str(1)?)
        };
        fn "parseJWT" "(token: string, key: string): { [key: string]: any }" "The claims of a token whose signature and time are checked." => |cx, s, a| {
            let (text, key) = (a.str(0)?, a.str(1)?);
            let claims = parsed(&text)?;
            let (body, signature) = text.rsplit_once('.').unwrap_or_default();
            let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
            let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
            if hmac::verify(&key, body.as_bytes(), &signature).is_err() {
                return Err(Fail::other("token signature is invalid: signature is invalid"));
            }
            checked(claims, "token has invalid claims: ")?
        };
        fn "parseUnverifiedJWT" "(token: string): { [key: string]: any }" "The claims of a token, whoever signed it." => |cx, s, a| checked(parsed(&a.str(0)?)?, "")?;
        fn "encrypt" "(data: string | number[], key: string): string" "AES-GCM with a key of 16 or 32 bytes." => |cx, s, a| security::encrypt(&a.bytes(0)?, &a.str(1)?)?;
        fn "decrypt" "(text: string, key: string): string" "What was encrypted." => |cx, s, a| {
            let text = a.str(0)?;
            if let Some(at) = illegal(&text) {
                return Err(Fail::other(format!("illegal base64 data at input byte {at}")));
            }
            String::from_utf8_lossy(&security::decrypt(&text, &a.str(1)?)?).into_owned()
        };
    }
}

const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Longest random text.
const MOST: usize = 1 << 24;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
fn hash(algorithm: &'static digest::Algorithm, text: &str) -> String {
    hex(digest::digest(algorithm, text.as_bytes()).as_ref())
}
fn signed(algorithm: hmac::Algorithm, text: &str, secret: &str) -> String {
    hex(hmac::sign(&hmac::Key::new(algorithm, secret.as_bytes()), text.as_bytes()).as_ref())
}

fn random(length: i64, alphabet: &str) -> Res<String> {
    let length = usize::try_from(length).unwrap_or_default();
    if length > MOST || !alphabet.is_ascii() {
        return Err(Fail::Type("a shorter text of ASCII letters is expected".into()));
    }
    Ok(security::random(length, alphabet))
}

fn now() -> i64 {
    pocketbase::now().seconds()
}

fn token(claims: Map<String, Value>, key: &str) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let head = encode("{\"alg\":\"HS256\",\"typ\":\"JWT\"}");
    let body = format!("{head}.{}", encode(&Value::Object(claims).to_string()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, body.as_bytes()));
    format!("{body}.{signature}")
}

fn parsed(token: &str) -> Res<Map<String, Value>> {
    let malformed = |why: &str| Fail::other(format!("token is malformed: {why}"));
    let parts: Vec<&str> = token.split('.').collect();
    let [head, body, _] = parts[..] else {
        return Err(malformed("token contains an invalid number of segments"));
    };
    let read = |part: &str, what: &str| -> Res<Map<String, Value>> {
        let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| {
            let at = illegal_url(part);
            malformed(&format!(
                "could not base64 decode {what}: illegal base64 data at input byte {at}"
            ))
        })?;
        let found = serde_json::from_slice(&bytes).ok();
        found.ok_or_else(|| malformed(&format!("could not JSON decode {what}")))
    };
    let head = read(head, "header")?;
    if head.get("alg").and_then(Value::as_str) != Some("HS256") {
        return Err(Fail::other("token signature is invalid: signing method is invalid"));
    }
    read(body, "claim")
}

#[allow(clippy::cast_precision_loss, reason = "seconds")]
fn checked(claims: Map<String, Value>, before: &str) -> Res<Val> {
    let time = |name: &str| claims.get(name).and_then(Value::as_f64);
    let now = now() as f64;
    let wrong = if time("exp").is_some_and(|exp| exp <= now) {
        "token is expired"
    } else if time("nbf").is_some_and(|nbf| nbf > now) {
        "token is not valid yet"
    } else if time("iat").is_some_and(|iat| iat > now) {
        "token used before issued"
    } else {
        return Ok(claims.into());
    };
    Err(Fail::other(format!("{before}{wrong}")))
}

/// What a token says, whether or not its signature is right.
pub(crate) fn claims(token: &str) -> Res<Map<String, Value>> {
    let claims = parsed(token)?;
    checked(claims.clone(), "")?;
    Ok(claims)
}

/// Where a text stops being base64 of addresses, which is not padded.
fn illegal_url(text: &str) -> usize {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.find(|c| !is_letter(c)).unwrap_or(text.len() / 4 * 4)
}

/// Where a text stops being base64.
fn illegal(text: &str) -> Option<usize> {
    let body = text.trim_end_matches('=');
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/';
    body.find(|c| !is_letter(c)).or((!text.len().is_multiple_of(4)).then_some(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_and_tokens() {
        assert_eq!(hex(&md5::Md5::digest("a")), "0cc175b9c0f1b6a831c399e269772661");
        assert_eq!(
            signed(hmac::HMAC_SHA256, "a", "b"),
            "cb448b440c42ac8ad084fc8a8795c98f5b7802359c305eabd57ecdb20e248896"
        );
        let mut claims = Map::new();
        claims.insert("exp".into(), (now() + 5).into());
        let text = token(claims, "k");
        assert!(parsed(&text).and_then(|claims| checked(claims, "")).is_ok());
        for (text, at) in [("YWJj", None), ("YW*j", Some(2)), ("abc", Some(3)), ("YQ==", None)] {
            assert_eq!(illegal(text), at, "{text}");
        }
    }
}
