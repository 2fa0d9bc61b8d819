//! Keys for values that are encrypted at rest: AES-256-GCM in an envelope that names its key and belongs to one place.
//!
//! `pbv1:<key id>:<base64 of nonce, ciphertext, tag>`, authenticated with table, column and row, so that a value which was
//! copied elsewhere does not open. Values without the prefix are read as the fork wrote them: the base64 alone, belonging
//! nowhere. Must not know what is encrypted, or where keys come from. Source: spec extensions 2.2.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest,
};
use zeroize::{Zeroize as _, Zeroizing};

const PREFIX: &str = "pbv1:";
const KEY_LEN: usize = 32;
const TAG_LEN: usize = 16;
/// Hex digits of a key's id.
const ID_LEN: usize = 8;

/// Why a value was not encrypted or decrypted. No text holds a value or a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no key.
    #[error("crypto engine not enabled: PB_MASTER_KEY not set")]
    Disabled,
    /// Not 64 characters.
    #[error("master key must be exactly 64 hex characters (32 bytes)")]
    KeyLength,
    /// Other characters than hex digits.
    #[error("master key must contain only hex characters (0-9, a-f, A-F)")]
    KeyCharacters,
    /// What is stored was not written by this.
    #[error("invalid ciphertext format")]
    Format,
    /// It was written with a key that is not there.
    #[error(
        "no master key with the id {0}: set it as PB_MASTER_KEY or among PB_MASTER_KEY_PREVIOUS"
    )]
    MissingKey(String),
    /// Another key, another place, or changed bytes.
    #[error("decryption failed: authentication error")]
    Authentication,
    /// No randomness.
    #[error("no randomness available")]
    Random,
}

/// Where a value stands: it opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The table, by what it keeps when it is renamed.
    pub table: &'a str,
    /// The column, likewise.
    pub column: &'a str,
    /// The key of the row.
    pub row: &'a str,
}

impl Place<'_> {
    fn bytes(&self) -> Vec<u8> {
        format!("{}|{}|{}", self.table, self.column, self.row).into_bytes()
    }
}

struct Key {
    id: String,
    cipher: LessSafeKey,
}

impl Key {
    fn read(hex: &str) -> Result<Self, Error> {
        if hex.len() != 2 * KEY_LEN {
            return Err(Error::KeyLength);
        }
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let digit = |c: u8| char::from(c).to_digit(16).ok_or(Error::KeyCharacters);
            let value = digit(pair[0])? << 4 | digit(pair[1])?;
            *byte = u8::try_from(value).map_err(|_| Error::KeyCharacters)?;
        }
        let sum = digest::digest(&digest::SHA256, bytes.as_ref());
        let id: String = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let cipher = UnboundKey::new(&AES_256_GCM, bytes.as_ref()).map_err(|_| Error::KeyLength)?;
        Ok(Self { id: id[..ID_LEN].to_owned(), cipher: LessSafeKey::new(cipher) })
    }

    fn seal(&self, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| Error::Random)?;
        let mut out = Vec::with_capacity(NONCE_LEN + plain.len() + TAG_LEN);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plain);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .cipher
            .seal_in_place_separate_tag(nonce, Aad::from(aad), &mut out[NONCE_LEN..])
            .map_err(|_| Error::Authentication)?;
        out.extend_from_slice(tag.as_ref());
        Ok(out)
    }

    fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Error> {
        if sealed.len() < NONCE_LEN + TAG_LEN {
            return Err(Error::Format);
        }
        let (nonce, body) = sealed.split_at(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Error::Format)?;
        let mut body = body.to_vec();
        let opened = self.cipher.open_in_place(nonce, Aad::from(aad), &mut body);
        let n = opened.map_err(|_| Error::Authentication)?.len();
        body[n..].zeroize();
        body.truncate(n);
        Ok(body)
    }
}

/// The key that encrypts, and those that only decrypt.
#[derive(Default)]
pub struct Keyring {
    current: Option<Key>,
    previous: Vec<Key>,
}

impl fmt::Debug for Keyring {
    /// Names the keys by their ids.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.keys().map(|key| key.id.as_str()).collect();
        f.debug_tuple("Keyring").field(&ids).finish()
    }
}

impl Keyring {
    /// Keys of 64 hex digits: the one that encrypts, and earlier ones, separated by commas. The texts are overwritten.
    ///
    /// # Errors
    /// When one is none; there is no keyring with only some of its keys.
    pub fn read(current: String, previous: String) -> Result<Self, Error> {
        let (current, previous) = (Zeroizing::new(current), Zeroizing::new(previous));
        let current = Some(Key::read(current.trim())?);
        let previous = previous.split(',').map(str::trim).filter(|hex| !hex.is_empty());
        Ok(Self { current, previous: previous.map(Key::read).collect::<Result<_, _>>()? })
    }

    /// True if there is a key.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.current.is_some()
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        self.current.iter().chain(&self.previous)
    }

    fn current(&self) -> Result<&Key, Error> {
        self.current.as_ref().ok_or(Error::Disabled)
    }

    /// The envelope of a text at a place; another one each time.
    ///
    /// # Errors
    /// [`Error::Disabled`], [`Error::Random`].
    pub fn seal(&self, place: &Place<'_>, plain: &str) -> Result<String, Error> {
        let key = self.current()?;
        let body = key.seal(&place.bytes(), plain.as_bytes())?;
        Ok(format!("{PREFIX}{}:{}", key.id, STANDARD.encode(body)))
    }

    /// The text in an envelope.
    ///
    /// # Errors
    /// What keeps it shut.
    pub fn open(&self, place: &Place<'_>, sealed: &str) -> Result<String, Error> {
        let Some(rest) = sealed.strip_prefix(PREFIX) else { return self.decrypt(sealed) };
        self.current()?;
        let (id, body) = rest.split_once(':').ok_or(Error::Format)?;
        let body = STANDARD.decode(body).map_err(|_| Error::Format)?;
        let mut keys = self.keys().filter(|key| key.id == id).peekable();
        if keys.peek().is_none() {
            // of what is stored only what an id may be is told
            let id = id.chars().filter(char::is_ascii_hexdigit).take(ID_LEN).collect();
            return Err(Error::MissingKey(id));
        }
        let mut opened = keys.filter_map(|key| key.open(&place.bytes(), &body).ok());
        text(opened.next().ok_or(Error::Authentication)?)
    }

    /// True if an envelope was made with the key that encrypts now.
    #[must_use]
    pub fn is_current(&self, sealed: &str) -> bool {
        let id = sealed.strip_prefix(PREFIX).and_then(|rest| rest.split(':').next());
        self.current.as_ref().is_some_and(|key| Some(key.id.as_str()) == id)
    }

    /// Encrypts a text that belongs nowhere; base64 of nonce, ciphertext and tag.
    ///
    /// # Errors
    /// As [`Keyring::seal`].
    pub fn encrypt(&self, plain: &str) -> Result<String, Error> {
        Ok(STANDARD.encode(self.encrypt_bytes(plain.as_bytes())?))
    }

    /// The reverse of [`Keyring::encrypt`], with any of the keys.
    ///
    /// # Errors
    /// As [`Keyring::open`].
    pub fn decrypt(&self, sealed: &str) -> Result<String, Error> {
        self.current()?;
        text(self.decrypt_bytes(&STANDARD.decode(sealed).map_err(|_| Error::Format)?)?)
    }

    /// As [`Keyring::encrypt`], for bytes.
    ///
    /// # Errors
    /// As [`Keyring::seal`].
    pub fn encrypt_bytes(&self, plain: &[u8]) -> Result<Vec<u8>, Error> {
        self.current()?.seal(&[], plain)
    }

    /// As [`Keyring::decrypt`], for bytes.
    ///
    /// # Errors
    /// As [`Keyring::open`].
    pub fn decrypt_bytes(&self, sealed: &[u8]) -> Result<Vec<u8>, Error> {
        self.current()?;
        let mut failed = Error::Authentication;
        for key in self.keys() {
            match key.open(&[], sealed) {
                Ok(plain) => return Ok(plain),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }
}

fn text(bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|error| {
        error.into_bytes().zeroize();
        Error::Format
    })
}

/// Overwrites bytes that are needed no more.
pub fn secure_zero(bytes: &mut [u8]) {
    bytes.zeroize();
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const TWO: &str = "FF0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const HERE: Place<'_> = Place { table: "t", column: "c", row: "r" };

    fn read(current: &str, previous: &str) -> Result<Keyring, Error> {
        Keyring::read(current.to_owned(), previous.to_owned())
    }

    fn ring(current: &str, previous: &str) -> Keyring {
        read(current, previous).expect("keys")
    }

    #[test]
    fn reads_what_the_fork_wrote() {
        let ring = ring(ONE, "");
        let vectors = [
            ("AAECAwQFBgcICQoLL2e6d6onl/81O4oEbSgjbc2dBXu7", "hello"),
            ("AAECAwQFBgcICQoL9MLbHcOIBaN7khccXQqBzA==", ""),
        ];
        for (sealed, plain) in vectors {
            assert_eq!(ring.decrypt(sealed).as_deref(), Ok(plain));
            assert_eq!(ring.open(&HERE, sealed).as_deref(), Ok(plain));
        }
    }

    #[test]
    fn values_stay_where_they_are() {
        let ring = ring(ONE, "");
        let sealed = ring.seal(&HERE, "plain").expect("sealed");
        assert!(sealed.starts_with("pbv1:630dcd29:"), "{sealed}");
        assert_ne!(sealed, ring.seal(&HERE, "plain").expect("sealed"));
        assert_eq!(ring.open(&HERE, &sealed).as_deref(), Ok("plain"));
        for place in [
            Place { table: "u", ..HERE },
            Place { column: "d", ..HERE },
            Place { row: "s", ..HERE },
        ] {
            assert_eq!(ring.open(&place, &sealed), Err(Error::Authentication));
        }
    }

    #[test]
    fn rotation() {
        let old = ring(ONE, "").seal(&HERE, "plain").expect("sealed");
        let both = ring(TWO, ONE);
        assert_eq!(both.open(&HERE, &old).as_deref(), Ok("plain"));
        assert!(!both.is_current(&old));
        let new = both.seal(&HERE, "plain").expect("sealed");
        assert!(both.is_current(&new));
        // nodes that have not been restarted yet hold both keys, too
        assert_eq!(ring(ONE, TWO).open(&HERE, &new).as_deref(), Ok("plain"));
        let error = ring(TWO, "").open(&HERE, &old).expect_err("no key");
        assert_eq!(error, Error::MissingKey("630dcd29".into()));
    }

    #[test]
    fn what_is_no_key() {
        assert_eq!(read("00", "").err(), Some(Error::KeyLength));
        assert_eq!(read(&"zz".repeat(32), "").err(), Some(Error::KeyCharacters));
        assert_eq!(read(ONE, "00").err(), Some(Error::KeyLength));
        let none = Keyring::default();
        assert_eq!(none.seal(&HERE, "x"), Err(Error::Disabled));
        assert_eq!(none.open(&HERE, "pbv1:x:y"), Err(Error::Disabled));
        assert_eq!(ring(ONE, "").decrypt("AAAA"), Err(Error::Format));
        assert!(!format!("{:?}", ring(ONE, TWO)).contains("0102"));
    }
}
