//! Id tokens: claims, clock and, where a key set is known, the signature (spec auth §9.4).
//!
//! RSA (PKCS #1 and PSS) and Ed25519 keys, as the reference; EC keys fail.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::Error;
use primitives::{
    jwt::{self, Algorithm, DecodingKey},
    time::now_seconds,
    token::{self, Claims},
};

/// What an id token must satisfy.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// Empty accepts any.
    pub(super) issuers: Vec<String>,
    pub(super) needs_expiry: bool,
    /// Empty leaves the signature unchecked.
    pub(super) jwks_url: String,
}

/// Reads the claims if they are in time. A signature must be there, right or not.
pub(super) fn claims_in_time(text: &str, leeway: f64) -> Result<Claims, Error> {
    let malformed = Error::Answer("the id_token is malformed");
    let signature = text.rsplit('.').next().unwrap_or_default();
    let Some(claims) = token::read(text).filter(|_| URL_SAFE_NO_PAD.decode(signature).is_ok())
    else {
        return Err(malformed);
    };
    let now = now_seconds();
    let late = |name: &str| number(&claims, name).map(|at| at.is_some_and(|at| now >= at + leeway));
    let early = |name: &str| number(&claims, name).map(|at| at.is_some_and(|at| now < at - leeway));
    if late("exp")? || early("nbf")? || early("iat")? {
        return Err(Error::Answer("the id_token is not valid at this time"));
    }
    Ok(claims)
}

fn number(claims: &Claims, name: &str) -> Result<Option<f64>, Error> {
    match claims.0.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(0.0) => Ok(None),
            Some(number) if number.abs() < i64::MAX as f64 => Ok(Some(number)),
            _ => Err(Error::Answer("the id_token has a date that is none")),
        },
    }
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
        Some(Value::Array(many)) => {
            many.iter().all(Value::is_string)
                && many.iter().any(|one| one.as_str() == Some(audience))
        }
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
    let header = text.split('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
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
    if !is_signed(text, algorithm, key) {
        return Err(bad);
    }
    claims_in_time(text, 0.0).map(|_| ())
}

fn member<'m>(map: &'m Map<String, Value>, key: &str) -> &'m str {
    map.get(key).and_then(Value::as_str).unwrap_or("")
}

fn is_signed(text: &str, algorithm: &str, key: &Map<String, Value>) -> bool {
    let bytes = |name: &str| {
        let text = member(key, name).trim_end_matches('=');
        URL_SAFE_NO_PAD.decode(text).unwrap_or_default()
    };
    let Ok(algorithm) = algorithm.parse::<Algorithm>() else { return false };
    let key = match member(key, "kty") {
        "RSA" => DecodingKey::from_rsa_raw_components(&bytes("n"), &bytes("e")),
        "OKP" if member(key, "crv") == "Ed25519" => DecodingKey::from_ed_der(&bytes("x")),
        _ => return false,
    };
    jwt::is_signed(text, algorithm, &key)
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
        let (key, time) = (pair(), now_seconds());
        let rules = Rules { issuers: vec!["me".into()], needs_expiry: true, ..Rules::default() };
        for (claims, ok) in [
            (json!({"iss":"me","aud":"you","exp":time + 9.0}), true),
            (json!({"iss":"me","aud":["x","you"],"exp":time - 9.0}), true),
            (json!({"iss":"me","aud":"you","exp":time - 99.0}), false),
            (json!({"iss":"me","aud":"you","exp":"soon"}), false),
            (json!({"iss":"me","aud":"you"}), false),
            (json!({"iss":"me","aud":"you","exp":null}), false),
            (json!({"iss":"me","aud":"you","exp":time + 9.0,"iat":null}), false),
            (json!({"iss":"me","aud":"you","exp":time + 9.0,"nbf":null}), false),
            (json!({"iss":"me","aud":"you","exp":1e300}), false),
            (json!({"iss":"me","aud":["you",5],"exp":time + 9.0}), false),
            (json!({"iss":"me","aud":null,"exp":time + 9.0}), false),
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
        for broken in [text.clone() + "=", text.clone() + "!", text.replace('.', "")] {
            assert!(check(&broken, &Rules::default(), "you", 0.0).is_err(), "{broken}");
        }
        for (claims, ok) in [
            (json!({"aud":"you","exp":0}), true),
            (json!({"aud":"you","exp":null}), false),
            (json!({"aud":"you","exp":-5}), false),
        ] {
            let text = signed(&key, &json!({"alg":"none"}), &claims);
            assert_eq!(check(&text, &Rules::default(), "you", 0.0).is_ok(), ok, "{claims}");
        }
        let text = signed(&key, &json!({"alg":"HS1"}), &json!({"aud":"you"}));
        assert!(check(&text, &Rules::default(), "you", 0.0).is_err());
    }

    #[test]
    fn signatures() {
        let (key, other, time) = (pair(), pair(), now_seconds());
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

    /// Made with OpenSSL.
    #[test]
    fn signatures_of_rsa_keys() {
        const N: &str = "9_RokSsP94CpfS2AVv5i5XEe9a4d5qZzthgGkSYRNQJDwgwu7ln7Cex8iVKrtFPfdxElh6516hOKBI03z55n4LiNHfkNpQQw23cO_ghtKxKxHqIlpIK08J8Ia7jvl8W2n-_4CzuLu-S0q7_tGr52M1BPrRaxfOOIQ2vfMqg05XjhEKvR8xSa6sQNElsjV8gFRu40NfsJu_UNTfUeYkXrwsy8hP0I2uV7gyrgTpc8-frE3xU-ZZ-cd0JgbZdOa6lwjyE9cUl-ahVaO1BMKZIk-kEUNqbAPObpPtaNopDVM5BEo_9wHzTdKJcW6kRLOO4iqpFVcNEelQDY0er4chC0Iw";
        let tokens = [
            (
                "RS256",
                "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30.VBg1zo1j9bwXFSNZu1azsj3Obs11H-1uWnPgqcEPelEe8ayiizJhtuNFh9vVyEVo2DDc8sh8WaIV--qBydYRjn2rxc6sjx8Udm5gitBCKFGwHmpUhT-8AEVYjIQLPgF3zX8dFGrJ2SJvOAvFibmdk7RyH8O6dUfSHalwuXM7SD02bQ9NUMxqwt5oZmczor3n0-6o2MkkguT-pmrZClm90W4QCbCbwnk1GXnzzzRnriANYVR9T3dhDa_DpebsMvYjjkXVRJYlbupyVqGHlMezUgg19Xf7Gc4Ro5Biwcpk3Vs4urxV1YrdaDaMTc8RXLdqLpS5Hau05WkuxzE5da0M0Q",
            ),
            (
                "PS384",
                "eyJhbGciOiJQUzM4NCIsImtpZCI6ImsifQ.e30.j_8FElj8O3YFEXvQQWCyqHLSnxJJ1dM8fvLgy776-1MxRqP9ktY0ktg1SotnFJH0u2i1HBiV2NywkVluIoaYNfoylIOm0lapjlEWBbqh0o4qaqHd-yf58kXx4JO6NQCyQHXeVCyDpco-oasPVDZIMPM7NKJzNWugfwEqrFMc-iQKL9Y9OJkIidPiOlXaByp9eqAPkAsrrkfK6L-DkCkX-AqZzyzq7-3-p7DcyseySlAM-qU41LExvxTOo7wI7h_JQB1YdnD2ccY_26T6rLfuWXiLDjy4QRlt4P2Jf6rGjLiaWrghKfS9C5FMuL27ldgSNZ-Ua7GCkk0alcft6EOn6g",
            ),
        ];
        let zero_first = URL_SAFE_NO_PAD.decode(N).map(|n| [&[0], &n[..]].concat()).unwrap();
        for (alg, token) in tokens {
            for (kty, n, ok) in [
                ("RSA", N.to_owned(), true),
                ("RSA", URL_SAFE_NO_PAD.encode(&zero_first) + "=", true),
                ("RSA", N.replace('a', "b"), false),
                ("RSA", String::new(), false),
                ("oct", N.to_owned(), false),
                ("EC", N.to_owned(), false),
            ] {
                let set = json!({"keys":[{"kid":"k","kty":kty,"alg":alg,"n":n,"e":"AQAB"}]});
                assert_eq!(verify(token, &set).is_ok(), ok, "{alg} {kty} {n}");
            }
        }
    }
}
