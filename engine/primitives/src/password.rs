//! Password hashes: argon2id or bcrypt for new ones, either verified by its prefix (spec auth.md §2.1).
//!
//! Hashing takes tens of milliseconds: callers run it on the password lane, never on an async worker.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};

/// bcrypt reads at most this many bytes; hashing more is refused.
pub const MAX_BYTES: usize = 72;

/// Which scheme new hashes use (`--passwordHash`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheme {
    /// argon2id with the crate's default parameters.
    #[default]
    Argon2id,
    /// `$2a$`, which the Go server can read.
    Bcrypt,
}

/// The password cannot be hashed: it is longer than 72 bytes, or the system has no randomness.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("password cannot be hashed")]
pub struct Unhashable;

/// Hashes a password. `cost` concerns bcrypt only; 0 is 10.
///
/// # Errors
/// [`Unhashable`]; the field error is `validation_invalid_value`.
pub fn hash(scheme: Scheme, plain: &str, cost: u32) -> Result<String, Unhashable> {
    if plain.len() > MAX_BYTES {
        return Err(Unhashable);
    }
    match scheme {
        // DIFFERENCE: the reference hashes with bcrypt only and cannot verify these.
        Scheme::Argon2id => Argon2::default()
            .hash_password(plain.as_bytes())
            .map(|h| h.to_string())
            .map_err(|_| Unhashable),
        Scheme::Bcrypt => {
            let cost = if cost == 0 { 10 } else { cost.clamp(4, 31) };
            bcrypt::hash_with_result(plain, cost)
                .map(|parts| parts.format_for_version(bcrypt::Version::TwoA))
                .map_err(|_| Unhashable)
        }
    }
}

/// True if `plain` is the password of `hash`. bcrypt looks at the first 72 bytes only, like the reference.
#[must_use]
pub fn verify(plain: &str, hash: &str) -> bool {
    if hash.starts_with("$argon2") {
        return PasswordHash::new(hash)
            .is_ok_and(|hash| Argon2::default().verify_password(plain.as_bytes(), &hash).is_ok());
    }
    if let Some(rest) = hash.strip_prefix("$2$") {
        return bcrypt::verify(plain, &format!("$2a${rest}")).unwrap_or(false);
    }
    hash.starts_with("$2") && bcrypt::verify(plain, hash).unwrap_or(false)
}

/// True if the text is a hash by its prefix: such values are stored as they are (programmatic only).
#[must_use]
pub fn is_hash(text: &str) -> bool {
    text.starts_with("$argon2") || (text.starts_with("$2") && text.len() >= 59)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_schemes_round_trip() {
        for scheme in [Scheme::Argon2id, Scheme::Bcrypt] {
            let h = hash(scheme, "123456789", 4).expect("hash");
            assert!(verify("123456789", &h), "{h}");
            assert!(!verify("12345678", &h));
            assert!(is_hash(&h));
        }
        assert!(hash(Scheme::Bcrypt, "x", 4).expect("hash").starts_with("$2a$04$"));
    }

    #[test]
    fn limits_and_foreign_hashes() {
        assert_eq!(hash(Scheme::Argon2id, &"é".repeat(40), 0), Err(Unhashable));
        // "1234567890" of the upstream fixture.
        let go = "$2a$13$xNjXCVjrwMxYGKf3Kx9Vfu1MdR0GcZSP0qVLFWmB5QYYBOmtYZJ2i";
        assert!(!verify("nope", &go[..20]));
        for hash in ["", "plain", "$2a$", "$argon2id$", "$2y$10$short"] {
            assert!(!verify("", hash), "{hash}");
        }
        let two_a = bcrypt::hash_with_result("a", 4)
            .expect("hash")
            .format_for_version(bcrypt::Version::TwoY);
        assert!(verify("a", &two_a));
        let long = "x".repeat(80);
        let h = hash(Scheme::Bcrypt, &long[..72], 4).expect("hash");
        assert!(verify(&long, &h), "longer candidates are cut");
    }
}
