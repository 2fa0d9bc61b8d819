//! Random texts, digests and encryption, as the server itself uses them.

use engine::{crypto, id};

use crate::error::{Error, Result};

pub use engine::crypto::constant_time_eq;

/// A random text of letters of an alphabet (ASCII), from the system's source.
#[must_use]
pub fn random(len: usize, alphabet: &str) -> String {
    if alphabet.is_empty() { String::new() } else { id::random(len, alphabet.as_bytes()) }
}

/// True for the hash of a password, of any kind that the server writes or reads.
#[must_use]
pub fn is_password_hash(text: &str) -> bool {
    engine::auth::password::is_hash(text)
}

/// A random text that matches a regular expression.
///
/// # Errors
/// When the expression is none, or none that texts can be made of.
pub fn random_by_pattern(pattern: &str) -> Result<String> {
    id::from_pattern(pattern).map_err(|error| Error::other(error.to_string()))
}

/// AES-GCM with a key of 16 or 32 bytes; base64 of nonce, text and tag.
///
/// # Errors
/// For keys of another length.
pub fn encrypt(plain: &[u8], key: &str) -> Result<String> {
    crypto::encrypt(plain, key).map_err(|error| Error::other(error.to_string()))
}

/// The reverse of [`encrypt`].
///
/// # Errors
/// For a wrong key, or what [`encrypt`] did not write.
pub fn decrypt(text: &str, key: &str) -> Result<Vec<u8>> {
    crypto::decrypt(text, key).map_err(|error| Error::other(error.to_string()))
}
