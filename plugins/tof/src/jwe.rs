//! Opens a JWE in compact form with a symmetric key (RFC 7516, 7518). Source: spec extensions 6.3.
//!
//! Only what the allow-list names, and that is decided before any key is touched; the primitives are RustCrypto's. An error
//! does not tell what is wrong. Must not know what is inside.

use aes::{Aes128, Aes192, Aes256};
use aes_gcm::{
    AesGcm, KeyInit,
    aead::{AeadInOut, array::typenum::U12},
};
use aes_kw::AesKw;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cbc::cipher::{BlockModeDecrypt as _, KeyIvInit as _, block_padding::Pkcs7};
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::{Sha256, Sha512};

/// Longest token that is read.
const MAX: usize = 16 << 10;

/// It could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sealed;

/// How the key of the content is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alg {
    Dir,
    Kw128,
    Kw192,
    Kw256,
}

/// How the content is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Enc {
    Gcm128,
    Gcm192,
    Gcm256,
    Cbc128,
    Cbc256,
}

impl Alg {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "dir" => Self::Dir,
            "A128KW" => Self::Kw128,
            "A192KW" => Self::Kw192,
            "A256KW" => Self::Kw256,
            _ => return None,
        })
    }
}

impl Enc {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "A128GCM" => Self::Gcm128,
            "A192GCM" => Self::Gcm192,
            "A256GCM" => Self::Gcm256,
            "A128CBC-HS256" => Self::Cbc128,
            "A256CBC-HS512" => Self::Cbc256,
            _ => return None,
        })
    }
    fn key_len(self) -> usize {
        match self {
            Self::Gcm128 => 16,
            Self::Gcm192 => 24,
            Self::Gcm256 | Self::Cbc128 => 32,
            Self::Cbc256 => 64,
        }
    }
}

/// Opens a token with a key, which must have exactly the length that the token's algorithm takes.
pub(crate) fn open(token: &str, key: &[u8]) -> Result<Vec<u8>, Sealed> {
    if token.len() > MAX {
        return Err(Sealed);
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [head, wrapped, iv, content, tag] = parts.as_slice() else { return Err(Sealed) };
    let (alg, enc) = header(head)?;
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| Sealed);
    let (wrapped, iv, mut content, tag) =
        (bytes(wrapped)?, bytes(iv)?, bytes(content)?, bytes(tag)?);
    let key = content_key(alg, enc, &wrapped, key)?;
    let head = head.as_bytes();
    match enc {
        Enc::Gcm128 => gcm::<Aes128>(&key, &iv, head, &mut content, &tag)?,
        Enc::Gcm192 => gcm::<Aes192>(&key, &iv, head, &mut content, &tag)?,
        Enc::Gcm256 => gcm::<Aes256>(&key, &iv, head, &mut content, &tag)?,
        Enc::Cbc128 => {
            check::<Hmac<Sha256>>(&key[..16], &iv, head, &content, &tag)?;
            return cbc::<Aes128>(&key[16..], &iv, content);
        }
        Enc::Cbc256 => {
            check::<Hmac<Sha512>>(&key[..32], &iv, head, &content, &tag)?;
            return cbc::<Aes256>(&key[32..], &iv, content);
        }
    }
    Ok(content)
}

/// What the header asks for, if all of it is allowed.
fn header(head: &str) -> Result<(Alg, Enc), Sealed> {
    let bytes = URL_SAFE_NO_PAD.decode(head).map_err(|_| Sealed)?;
    let Ok(Value::Object(map)) = serde_json::from_slice(&bytes) else { return Err(Sealed) };
    // compressed content grows, and what is critical is not understood
    if map.contains_key("zip") || map.contains_key("crit") {
        return Err(Sealed);
    }
    let name = |key: &str| map.get(key).and_then(Value::as_str);
    let alg = name("alg").and_then(Alg::of).ok_or(Sealed)?;
    let enc = name("enc").and_then(Enc::of).ok_or(Sealed)?;
    Ok((alg, enc))
}

fn content_key(alg: Alg, enc: Enc, wrapped: &[u8], key: &[u8]) -> Result<Vec<u8>, Sealed> {
    let content_key = match alg {
        Alg::Dir if wrapped.is_empty() => key.to_vec(),
        Alg::Dir => return Err(Sealed),
        Alg::Kw128 => unwrapped(AesKw::<Aes128>::new_from_slice(key).ok(), enc, wrapped)?,
        Alg::Kw192 => unwrapped(AesKw::<Aes192>::new_from_slice(key).ok(), enc, wrapped)?,
        Alg::Kw256 => unwrapped(AesKw::<Aes256>::new_from_slice(key).ok(), enc, wrapped)?,
    };
    if content_key.len() == enc.key_len() { Ok(content_key) } else { Err(Sealed) }
}

fn unwrapped<C>(key: Option<AesKw<C>>, enc: Enc, wrapped: &[u8]) -> Result<Vec<u8>, Sealed>
where
    C: aes::cipher::BlockCipherDecrypt<BlockSize = aes::cipher::consts::U16>,
{
    let key = key.ok_or(Sealed)?;
    if wrapped.len() != enc.key_len() + 8 {
        return Err(Sealed);
    }
    let mut out = vec![0; enc.key_len()];
    key.unwrap_key(wrapped, &mut out).map_err(|_| Sealed)?;
    Ok(out)
}

fn gcm<C>(key: &[u8], iv: &[u8], head: &[u8], content: &mut [u8], tag: &[u8]) -> Result<(), Sealed>
where
    AesGcm<C, U12>: AeadInOut + KeyInit,
{
    let cipher = AesGcm::<C, U12>::new_from_slice(key).map_err(|_| Sealed)?;
    let (nonce, tag) = (iv.try_into().map_err(|_| Sealed)?, tag.try_into().map_err(|_| Sealed)?);
    cipher.decrypt_inout_detached(nonce, head, content.into(), tag).map_err(|_| Sealed)
}

/// The tag is the first half of a MAC over header, IV, content and the header's length in bits.
fn check<M: Mac + hmac::KeyInit>(
    key: &[u8],
    iv: &[u8],
    head: &[u8],
    content: &[u8],
    tag: &[u8],
) -> Result<(), Sealed> {
    let mut mac = <M as hmac::KeyInit>::new_from_slice(key).map_err(|_| Sealed)?;
    if tag.len() != key.len() {
        return Err(Sealed);
    }
    mac.update(head);
    mac.update(iv);
    mac.update(content);
    mac.update(&(head.len() as u64 * 8).to_be_bytes());
    mac.verify_truncated_left(tag).map_err(|_| Sealed)
}

fn cbc<C>(key: &[u8], iv: &[u8], mut content: Vec<u8>) -> Result<Vec<u8>, Sealed>
where
    C: aes::cipher::BlockCipherDecrypt + aes::cipher::KeyInit,
    cbc::Decryptor<C>: cbc::cipher::KeyIvInit + cbc::cipher::BlockModeDecrypt,
{
    let cipher = cbc::Decryptor::<C>::new_from_slices(key, iv).map_err(|_| Sealed)?;
    let len = cipher.decrypt_padded::<Pkcs7>(&mut content).map_err(|_| Sealed)?.len();
    content.truncate(len);
    Ok(content)
}

#[cfg(test)]
mod tests;
