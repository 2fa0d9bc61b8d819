//! Settings encryption, digests and checksums. Holds no keys.
//! Source: spec collections-and-fields §1.4 (CRC-32), §1.6 (AES-GCM).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Why encrypting or decrypting failed; the texts reach the console at startup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not 16 or 32 bytes.
    #[error("crypto/aes: invalid key size {0}")]
    KeySize(usize),
    /// A 24-byte key: AES-192, which this build cannot do.
    #[error(
        "24 byte encryption keys (AES-192) are not supported; decrypt with the old server, then use a 32 character key"
    )]
    Aes192,
    /// Wrong key, or not what [`encrypt`] wrote.
    #[error("cipher: message authentication failed")]
    Open,
    /// No randomness.
    #[error("no randomness available")]
    Random,
}

fn key(key: &str) -> Result<LessSafeKey, Error> {
    let algorithm = match key.len() {
        16 => &AES_128_GCM,
        24 => return Err(Error::Aes192),
        32 => &AES_256_GCM,
        other => return Err(Error::KeySize(other)),
    };
    let unbound =
        UnboundKey::new(algorithm, key.as_bytes()).map_err(|_| Error::KeySize(key.len()))?;
    Ok(LessSafeKey::new(unbound))
}

/// AES-GCM; base64 of nonce, ciphertext and tag. The key's bytes are used as they are.
///
/// # Errors
/// For keys of another length than 16 or 32 bytes.
pub fn encrypt(plain: &[u8], secret: &str) -> Result<String, Error> {
    let key = key(secret)?;
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(|_| Error::Random)?;
    let mut body = plain.to_vec();
    let aad = Aad::empty();
    let sealed = key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body);
    sealed.map_err(|_| Error::Open)?;
    let mut out = nonce.to_vec();
    out.append(&mut body);
    Ok(STANDARD.encode(out))
}

/// The reverse of [`encrypt`].
///
/// # Errors
/// For a wrong key or text that [`encrypt`] did not write.
pub fn decrypt(text: &str, secret: &str) -> Result<Vec<u8>, Error> {
    let key = key(secret)?;
    let bytes = STANDARD.decode(text).map_err(|_| Error::Open)?;
    let (nonce, body) = bytes.split_at_checked(NONCE_LEN).ok_or(Error::Open)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Error::Open)?;
    let mut body = body.to_vec();
    let plain = key.open_in_place(nonce, Aad::empty(), &mut body).map_err(|_| Error::Open)?;
    Ok(plain.to_vec())
}

/// CRC-32 (IEEE) as decimal text: the stem of collection and field ids.
#[must_use]
pub fn crc32(text: &str) -> String {
    static TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            #[allow(clippy::cast_possible_truncation)]
            let mut crc = i as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 };
                bit += 1;
            }
            table[i] = crc;
            i += 1;
        }
        table
    };
    let step = |crc: u32, byte: u8| TABLE[((crc ^ u32::from(byte)) & 0xFF) as usize] ^ (crc >> 8);
    (!text.bytes().fold(!0, step)).to_string()
}

/// SHA-256 as lower-case hexadecimal text.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

/// Bytes as lower-case hexadecimal text.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [HEX[(b >> 4) as usize] as char, HEX[(b & 15) as usize] as char])
        .collect()
}

/// Compares without telling by its duration where two texts differ.
#[must_use]
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |diff, (x, y)| diff | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for key in ["0123456789abcdef", "0123456789abcdef0123456789abcdef"] {
            let sealed = encrypt(b"{\"a\":1}", key).unwrap();
            assert_eq!(STANDARD.decode(&sealed).unwrap().len(), 12 + 7 + 16);
            assert_eq!(decrypt(&sealed, key).unwrap(), b"{\"a\":1}");
            assert_ne!(encrypt(b"{\"a\":1}", key).unwrap(), sealed);
            let other = key.replace('0', "x");
            assert_eq!(decrypt(&sealed, &other), Err(Error::Open));
        }
        assert_eq!(encrypt(b"", "short"), Err(Error::KeySize(5)));
        assert_eq!(Error::KeySize(5).to_string(), "crypto/aes: invalid key size 5");
        assert_eq!(encrypt(b"", &"k".repeat(24)), Err(Error::Aes192));
        for text in ["", "AAAA", "no base64!", "{\"plain\":1}"] {
            assert_eq!(decrypt(text, "0123456789abcdef"), Err(Error::Open), "{text}");
        }
    }

    #[test]
    fn checksums() {
        let cases = [
            ("id", "3208210256"),
            ("password", "901924565"),
            ("auth_superusers", "3142635823"),
            ("", "0"),
        ];
        for (text, crc) in cases {
            assert_eq!(crc32(text), crc, "{text}");
        }
        assert_eq!(sha256_hex(b"abc")[..16], *"ba7816bf8f01cfea");
        assert!(
            constant_time_eq(b"ab", b"ab")
                && !constant_time_eq(b"ab", b"ac")
                && !constant_time_eq(b"a", b"ab")
        );
    }
}
