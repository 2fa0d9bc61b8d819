//! Id tokens: claims, clock and, where a key set is known, the signature (spec auth §9.4).
//!
//! RSA (PKCS #1 and PSS) and Ed25519 keys, as the reference; EC keys fail.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::{Map, Value};

use super::Error;
use primitives::token::{self, Claims};

/// What an id token must satisfy.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// Empty accepts any.
    pub(super) issuers: Vec<String>,
    pub(super) needs_expiry: bool,
    /// Empty leaves the signature unchecked.
    pub(super) jwks_url: String,
}

/// Reads the claims if they are in time.
pub(super) fn claims_in_time(text: &str, leeway: f64) -> Result<Claims, Error> {
    let claims = token::read(text).ok_or(Error::Answer("the id_token is malformed"))?;
    let now = now();
    let late = |name: &str| number(&claims, name).map(|at| at.is_some_and(|at| now >= at + leeway));
    let early = |name: &str| number(&claims, name).map(|at| at.is_some_and(|at| now < at - leeway));
    if late("exp")? || early("nbf")? || early("iat")? {
        return Err(Error::Answer("the id_token is not valid at this time"));
    }
    Ok(claims)
}

fn number(claims: &Claims, name: &str) -> Result<Option<f64>, Error> {
    match claims.0.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64() {
            Some(0.0) => Ok(None),
            Some(number) => Ok(Some(number)),
            None => Err(Error::Answer("the id_token has a date that is no number")),
        },
    }
}

fn now() -> f64 {
    use std::time::{SystemTime, UNIX_EPOCH};
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Checks everything but the signature.
pub(super) fn check(
    text: &str,
    rules: &Rules,
    audience: &str,
    leeway: f64,
) -> Result<Claims, Error> {
    let claims = claims_in_time(text, leeway)?;
    if rules.needs_expiry && number(&claims, "exp")?.is_none() {
        return Err(Error::Answer("the id_token does not expire"));
    }
    let is_meant = match claims.0.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(audience)),
        _ => false,
    };
    if !is_meant {
        return Err(Error::Answer("the id_token is meant for somebody else"));
    }
    if !rules.issuers.is_empty() && !rules.issuers.iter().any(|i| i == claims.text("iss")) {
        return Err(Error::Answer("the id_token has another issuer"));
    }
    Ok(claims)
}

/// Checks the signature against a key set; the clock is checked again, without leeway.
pub(super) fn verify(text: &str, key_set: &Value) -> Result<(), Error> {
    let bad = Error::Answer("the signature of the id_token is not valid");
    let Some((signed, signature)) = text.rsplit_once('.') else { return Err(bad) };
    let header = signed.split('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let header: Option<Map<String, Value>> = header.and_then(|h| serde_json::from_slice(&h).ok());
    let header = header.ok_or(Error::Answer("the id_token is malformed"))?;
    let kid = member(&header, "kid");
    let keys = key_set.get("keys").and_then(Value::as_array);
    let key =
        keys.into_iter().flatten().filter_map(Value::as_object).find(|key| {
            !kid.is_empty() && member(key, "kid") == kid && !member(key, "alg").is_empty()
        });
    let key = key.ok_or(Error::Answer("the key of the id_token is not known"))?;
    let algorithm = member(&header, "alg");
    if algorithm != member(key, "alg") {
        return Err(Error::Answer("the id_token has another algorithm than its key"));
    }
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return Err(bad) };
    if !is_signed(key, algorithm, signed.as_bytes(), &signature) {
        return Err(bad);
    }
    claims_in_time(text, 0.0).map(|_| ())
}

fn member<'m>(map: &'m Map<String, Value>, key: &str) -> &'m str {
    map.get(key).and_then(Value::as_str).unwrap_or("")
}

fn is_signed(key: &Map<String, Value>, algorithm: &str, signed: &[u8], signature: &[u8]) -> bool {
    let bytes = |name: &str| {
        let text = member(key, name).trim_end_matches('=');
        URL_SAFE_NO_PAD.decode(text).unwrap_or_default()
    };
    match member(key, "kty") {
        "RSA" => rsa(algorithm).is_some_and(|parameters| {
            let (mut n, e) = (bytes("n"), bytes("e"));
            // Leading zeros are allowed in key sets, but not in ring.
            let zeros = n.iter().take_while(|byte| **byte == 0).count();
            n.drain(..zeros);
            RsaPublicKeyComponents { n, e }.verify(parameters, signed, signature).is_ok()
        }),
        "OKP" if member(key, "crv") == "Ed25519" && algorithm == "EdDSA" => {
            let key = UnparsedPublicKey::new(&signature::ED25519, bytes("x"));
            key.verify(signed, signature).is_ok()
        }
        _ => false,
    }
}

fn rsa(algorithm: &str) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
        "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &signature::RSA_PKCS1_2048_8192_SHA512,
        "PS256" => &signature::RSA_PSS_2048_8192_SHA256,
        "PS384" => &signature::RSA_PSS_2048_8192_SHA384,
        "PS512" => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::{
        rand::SystemRandom,
        signature::{Ed25519KeyPair, KeyPair},
    };
    use serde_json::json;

    fn signed(pair: &Ed25519KeyPair, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(text.as_bytes()));
        format!("{text}.{signature}")
    }

    fn pair() -> Ed25519KeyPair {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap()
    }

    #[test]
    fn claims() {
        let (key, time) = (pair(), now());
        let rules = Rules { issuers: vec!["me".into()], needs_expiry: true, ..Rules::default() };
        for (claims, ok) in [
            (json!({"iss":"me","aud":"you","exp":time + 9.0}), true),
            (json!({"iss":"me","aud":["x","you"],"exp":time - 9.0}), true),
            (json!({"iss":"me","aud":"you","exp":time - 99.0}), false),
            (json!({"iss":"me","aud":"you","exp":"soon"}), false),
            (json!({"iss":"me","aud":"you"}), false),
            (json!({"iss":"me","aud":"him","exp":time + 9.0}), false),
            (json!({"iss":"me","exp":time + 9.0}), false),
            (json!({"iss":"he","aud":"you","exp":time + 9.0}), false),
            (json!({"iss":"me","aud":"you","exp":time + 999.0,"iat":time + 99.0}), false),
            (json!({"iss":"me","aud":"you","exp":time + 999.0,"nbf":time + 9.0}), true),
        ] {
            let text = signed(&key, &json!({"alg":"EdDSA"}), &claims);
            assert_eq!(check(&text, &rules, "you", 30.0).is_ok(), ok, "{claims}");
        }
        let text = signed(&key, &json!({"alg":"none"}), &json!({"aud":"you"}));
        assert!(check(&text, &Rules::default(), "you", 0.0).is_ok());
        let text = signed(&key, &json!({"alg":"HS1"}), &json!({"aud":"you"}));
        assert!(check(&text, &Rules::default(), "you", 0.0).is_err());
    }

    #[test]
    fn signatures() {
        let (key, other, time) = (pair(), pair(), now());
        let public = |pair: &Ed25519KeyPair| URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let set = json!({"keys":[null, {"kid":"k","alg":""},
            {"kid":"k","kty":"OKP","crv":"Ed25519","alg":"EdDSA","x":public(&key)}]});
        let header = json!({"alg":"EdDSA","kid":"k"});
        let good = signed(&key, &header, &json!({"exp":time + 9.0}));
        assert!(verify(&good, &set).is_ok());
        for bad in [
            signed(&other, &header, &json!({"exp":time + 9.0})),
            signed(&key, &json!({"alg":"EdDSA"}), &json!({})),
            signed(&key, &json!({"alg":"EdDSA","kid":"z"}), &json!({})),
            signed(&key, &json!({"alg":"RS256","kid":"k"}), &json!({})),
            signed(&key, &header, &json!({"exp":time - 1.0})),
            good.rsplit_once('.').unwrap().0.to_owned() + ".",
            String::new(),
        ] {
            assert!(verify(&bad, &set).is_err(), "{bad}");
        }
    }
}
