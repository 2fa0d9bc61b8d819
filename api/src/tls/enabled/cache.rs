//! The directory of certificates, in the layout of Go's autocert: `NAME` (or `NAME+rsa`) holds the private key and the
//! chain as PEM, `acme_account+key` the account's key.
//!
//! Files are replaced as a whole and readable by the owner only.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use rustls::{
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};

use x509_cert::{
    der::{
        Encode as _, Result as Encoded, Tag,
        asn1::{Any, ObjectIdentifier, OctetStringRef},
    },
    spki::AlgorithmIdentifier,
};

use super::{Error, Held, Validity};

const ACCOUNT: &str = "acme_account+key";
/// Longest file that is read.
const MAX_FILE: u64 = 1 << 20;

/// Makes the directory.
pub(super) fn prepare(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

fn read(dir: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    let path = dir.join(name);
    match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(stat) if !stat.is_file() || stat.len() > MAX_FILE => Ok(None),
        Ok(_) => fs::read(&path).map(Some),
    }
}

fn write(dir: &Path, name: &str, text: &str) -> io::Result<()> {
    let temporary = dir.join(format!("{name}.tmp"));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, dir.join(name))
}

/// The stored certificate of a name, however old it is.
pub(super) fn load(dir: &Path, name: &str) -> Result<Option<Held>, Error> {
    for file in [name.to_owned(), format!("{name}+rsa")] {
        if let Some(pem) = read(dir, &file)? {
            return parse(&pem).map(Some);
        }
    }
    Ok(None)
}

/// Stores a certificate.
pub(super) fn save(dir: &Path, name: &str, pem: &str) -> Result<(), Error> {
    Ok(write(dir, name, pem)?)
}

/// A private key and its chain from PEM.
pub(super) fn parse(pem: &[u8]) -> Result<Held, Error> {
    let bad = |what: &str| Error::Certificate(what.to_owned());
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| bad("there is no private key"))?;
    let chain = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| bad("the chain is malformed"))?;
    let leaf = chain.first().ok_or_else(|| bad("there is no certificate"))?;
    let validity = Validity::of(leaf).ok_or_else(|| bad("its validity cannot be read"))?;
    // Go labels keys by their old kinds whatever they hold: rustls reads SEC 1, PKCS #1 and PKCS #8
    let certified = CertifiedKey::new(chain, any_supported_type(&key)?);
    certified.keys_match()?;
    Ok(Held { key: std::sync::Arc::new(certified), validity })
}

/// The stored key of the ACME account, as PKCS #8.
pub(super) fn account_key(dir: &Path) -> Result<Option<PrivatePkcs8KeyDer<'static>>, Error> {
    let Some(pem) = read(dir, ACCOUNT)? else {
        return Ok(None);
    };
    Ok(match PrivateKeyDer::from_pem_slice(&pem) {
        Ok(PrivateKeyDer::Pkcs8(key)) => Some(key),
        Ok(PrivateKeyDer::Sec1(key)) => pkcs8_of_sec1(key.secret_sec1_der()).ok().map(Into::into),
        // an RSA account of a very old server, or nonsense: a new account does no harm
        Ok(_) | Err(_) => None,
    })
}

/// A P-256 key as Go writes it (SEC 1) in the wrapping that ACME wants (PKCS #8).
fn pkcs8_of_sec1(sec1: &[u8]) -> Encoded<Vec<u8>> {
    const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    const PRIME256V1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
    let algorithm = AlgorithmIdentifier { oid: EC_PUBLIC_KEY, parameters: Some(PRIME256V1) };
    let version = 0_u8;
    let members =
        [version.to_der()?, algorithm.to_der()?, OctetStringRef::new(sec1)?.to_der()?].concat();
    Any::new(Tag::Sequence, members)?.to_der()
}

/// Stores the key of the ACME account.
pub(super) fn save_account_key(dir: &Path, pem: &str) -> Result<(), Error> {
    Ok(write(dir, ACCOUNT, pem)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let dir = tempfile::tempdir().expect("dir");
        assert!(load(dir.path(), "a.com").expect("cache").is_none());
        let key = rcgen::KeyPair::generate().expect("key");
        let params = rcgen::CertificateParams::new(vec!["a.com".to_owned()]).expect("params");
        let certificate = params.self_signed(&key).expect("certificate");
        let pem = format!("{}{}", key.serialize_pem(), certificate.pem());
        save(dir.path(), "a.com", &pem).expect("saved");
        let held = load(dir.path(), "a.com").expect("cache").expect("held");
        assert_eq!(held.key.cert.len(), 1);
        fs::rename(dir.path().join("a.com"), dir.path().join("b.com+rsa")).expect("rename");
        assert!(load(dir.path(), "b.com").expect("cache").is_some());
        let other = rcgen::KeyPair::generate().expect("key");
        let swapped = format!("{}{}", other.serialize_pem(), certificate.pem());
        for (pem, want) in [
            ("", "there is no private key"),
            (key.serialize_pem().as_str(), "there is no certificate"),
            (swapped.as_str(), "KeyMismatch"),
        ] {
            let error = format!("{:?}", parse(pem.as_bytes()).expect_err("bad"));
            assert!(error.contains(want), "{error}");
        }
    }

    #[test]
    fn account_keys() {
        let dir = tempfile::tempdir().expect("dir");
        assert!(account_key(dir.path()).expect("cache").is_none());
        let key = rcgen::KeyPair::generate().expect("key");
        save_account_key(dir.path(), &key.serialize_pem()).expect("saved");
        let found = account_key(dir.path()).expect("cache").expect("key");
        assert_eq!(found.secret_pkcs8_der(), key.serialize_der());
    }

    /// As Go's autocert writes it: SEC 1 with the curve's name inside.
    const GO_KEY: &str = "-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIC93gNgjFz63yvuKzewQ08gvSHa09Zm76WqpfZciIaZjoAoGCCqGSM49
AwEHoUQDQgAEyaioqQwTW0FVWJtRq4BAu9wnhzweQDZj2k0zu1kmqqM+afpNHRlk
4dpsx8PyVe/RuUE7zFbEooTAww59AyS7Mg==
-----END EC PRIVATE KEY-----
";

    #[test]
    fn keys_of_the_go_server() {
        let dir = tempfile::tempdir().expect("dir");
        fs::write(dir.path().join(ACCOUNT), GO_KEY).expect("file");
        let key = account_key(dir.path()).expect("cache").expect("key");
        instant_acme::Key::from_pkcs8_der(key.clone_key()).expect("usable for an account");
        let pair = rcgen::KeyPair::try_from(key.secret_pkcs8_der()).expect("pair");
        let params = rcgen::CertificateParams::new(vec!["a.com".to_owned()]).expect("params");
        let certificate = params.self_signed(&pair).expect("certificate");
        let pem = format!("{GO_KEY}{}", certificate.pem());
        fs::write(dir.path().join("a.com"), pem).expect("file");
        assert!(load(dir.path(), "a.com").expect("cache").is_some());
    }
}
