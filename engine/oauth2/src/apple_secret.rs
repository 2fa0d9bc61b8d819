//! Apple's client secret: an ES256 token that the owner of a developer key makes (spec auth §9.6).

use std::fmt;

use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use serde_json::json;

use model::{FieldErrors, Result, check};
use primitives::jwt::{self, Algorithm, EncodingKey};

/// Six months, the longest that Apple accepts.
const MAX_SECONDS: i64 = 15_777_000;

/// What the secret is made of.
#[derive(Clone, Default)]
pub struct Form {
    pub client_id: String,
    pub team_id: String,
    pub key_id: String,
    /// PKCS #8 in PEM.
    pub private_key: String,
    /// Seconds.
    pub duration: i64,
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// The key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the private key is not a PKCS #8 P-256 key")]
pub struct BadKey;

impl Form {
    /// # Errors
    /// [`model::Error::Invalid`] with all findings.
    pub fn check(&self) -> Result<()> {
        let mut errors = FieldErrors::default();
        let required = |text: &str| check::required(text.is_empty());
        let ten = |text: &str| required(text).or_else(|| check::length(text, 10, 10));
        let key = self.private_key.trim();
        let is_pem = key.starts_with("-----BEGIN PRIVATE KEY-----")
            && key.ends_with("-----END PRIVATE KEY-----");
        let pem = || {
            (!is_pem).then(|| {
                model::FieldError::new("validation_match_invalid", "must be in a valid format")
            })
        };
        for (name, found) in [
            ("clientId", required(&self.client_id)),
            ("teamId", ten(&self.team_id)),
            ("keyId", ten(&self.key_id)),
            ("privateKey", required(&self.private_key).or_else(pem)),
            (
                "duration",
                check::required(self.duration == 0)
                    .or_else(|| check::range(self.duration, 1, MAX_SECONDS)),
            ),
        ] {
            if let Some(error) = found {
                errors.set(name, error);
            }
        }
        errors.into_result()
    }

    /// Makes the secret. `now` is in seconds.
    ///
    /// # Errors
    /// [`BadKey`].
    pub fn secret(&self, now: i64) -> std::result::Result<String, BadKey> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(self.private_key.trim().as_bytes())
            .map_err(|_| BadKey)?;
        let key = EncodingKey::from_ec_der(der.secret_pkcs8_der());
        let claims = json!({
            "iss": self.team_id,
            "sub": self.client_id,
            "aud": ["https://appleid.apple.com"],
            "exp": now.saturating_add(self.duration),
            "iat": now,
        });
        jwt::sign(Algorithm::ES256, Some(&self.key_id), &claims, &key).map_err(|_| BadKey)
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;

    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJLPxTCz6vQCYlFJo\nJhoe10bDUcKsJVF2nX0vvHdatoOhRANCAAS2kLJZf1hFv6EZNgAiiBz6q7C1ZQqj\nsPqbCBVAn0r+kj3T/nIE/yL0hyMfs97a+5i2+xxilfmQ5SATg626vMue\n-----END PRIVATE KEY-----\n";

    #[test]
    fn a_secret_has_the_documented_claims() {
        let form = Form {
            client_id: "123".into(),
            team_id: "1234567890".into(),
            key_id: "1234567891".into(),
            private_key: KEY.into(),
            duration: 1,
        };
        form.check().unwrap();
        let secret = form.secret(1_795_460_777).unwrap();
        let parts: Vec<&str> = secret.split('.').collect();
        // as recorded from the reference
        assert_eq!(parts[0], "eyJhbGciOiJFUzI1NiIsImtpZCI6IjEyMzQ1Njc4OTEiLCJ0eXAiOiJKV1QifQ");
        assert_eq!(
            parts[1],
            "eyJpc3MiOiIxMjM0NTY3ODkwIiwic3ViIjoiMTIzIiwiYXVkIjpbImh0dHBzOi8vYXBwbGVpZC5hcHBsZS5jb20iXSwiZXhwIjoxNzk1NDYwNzc4LCJpYXQiOjE3OTU0NjA3Nzd9"
        );
        assert_eq!(URL_SAFE_NO_PAD.decode(parts[2]).unwrap().len(), 64);
    }

    #[test]
    fn bad_forms() {
        assert!(Form::default().check().is_err());
        let pem = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----".to_owned();
        assert_eq!(Form { private_key: pem, ..Form::default() }.secret(0), Err(BadKey));
    }
}
