//! Signatures of JSON web tokens: jsonwebtoken with ring behind it. What claims mean and which keys count is decided
//! elsewhere.

use std::sync::Once;

use jsonwebtoken::{
    AlgorithmFamily, DecodingKeyKind, Header,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result},
    signature::{Error as Refused, Signer, Verifier},
};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{
        self, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RsaParameters, RsaPublicKeyComponents,
        UnparsedPublicKey,
    },
};
use serde::Serialize;

pub use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};

/// The key cannot sign with that algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key cannot be used")]
pub struct BadKey;

/// Makes a token. The members of the header are sorted, as the reference writes them.
///
/// # Errors
/// [`BadKey`].
pub fn sign<C: Serialize>(
    algorithm: Algorithm,
    key_id: Option<&str>,
    claims: &C,
    key: &EncodingKey,
) -> std::result::Result<String, BadKey> {
    ready();
    let mut header = Header { typ: None, kid: key_id.map(str::to_owned), ..Header::new(algorithm) };
    header.extras.insert("typ", "JWT");
    jsonwebtoken::encode(&header, claims, key).map_err(|_| BadKey)
}

/// The claims of a token, whoever signed it; `None` if they cannot be read.
#[must_use]
pub fn claims(token: &str) -> Option<serde_json::Map<String, serde_json::Value>> {
    jsonwebtoken::dangerous::insecure_decode_claims(token).ok()
}

/// True if the last part of a token is the signature of the rest. HMACs are compared in constant time.
#[must_use]
pub fn is_signed(token: &str, algorithm: Algorithm, key: &DecodingKey) -> bool {
    ready();
    let Some((message, signature)) = token.rsplit_once('.') else { return false };
    algorithm.family() == key.family()
        && jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, algorithm)
            .unwrap_or(false)
}

/// Whoever embeds this library may have chosen another provider, which will do as well.
fn ready() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = PROVIDER.install_default();
    });
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| unsupported(),
        rsa_pub_components_from_public_key: |_| unsupported(),
        ec_pub_components_from_private_key: |_, _| unsupported(),
        ed_pub_components_from_private_key: |_, _| unsupported(),
        compute_digest: |_, _| unsupported(),
    },
};

fn unsupported<T>() -> Result<T> {
    Err(ErrorKind::UnsupportedAlgorithm.into())
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    match algorithm {
        Algorithm::ES256 => {
            let random = SystemRandom::new();
            let pair =
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_bytes(), &random);
            let pair = pair.map_err(|_| ErrorKind::InvalidEcdsaKey)?;
            Ok(Box::new(Es256 { pair, random }))
        }
        _ => Ok(Box::new(hs256(algorithm, key.as_bytes())?)),
    }
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    if algorithm.family() == AlgorithmFamily::Hmac {
        return Ok(Box::new(hs256(algorithm, key.try_get_as_bytes()?)?));
    }
    let key = match (key.kind(), rsa(*algorithm)) {
        (DecodingKeyKind::RsaModulusExponent { n, e }, Some(parameters)) => {
            // Leading zeros are allowed in key sets, but not in ring.
            let zeros = n.iter().take_while(|byte| **byte == 0).count();
            Public::Rsa(RsaPublicKeyComponents { n: n[zeros..].to_vec(), e: e.clone() }, parameters)
        }
        (DecodingKeyKind::SecretOrDer(bytes), None) if *algorithm == Algorithm::EdDSA => {
            Public::Ed25519(UnparsedPublicKey::new(&signature::ED25519, bytes.clone()))
        }
        _ => return unsupported(),
    };
    Ok(Box::new(Foreign { algorithm: *algorithm, key }))
}

fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::RS256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

/// An HMAC with SHA-256.
struct Hs256(hmac::Key);

fn hs256(algorithm: &Algorithm, secret: &[u8]) -> Result<Hs256> {
    match algorithm {
        Algorithm::HS256 => Ok(Hs256(hmac::Key::new(hmac::HMAC_SHA256, secret))),
        _ => unsupported(),
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Refused> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], tag: &Vec<u8>) -> std::result::Result<(), Refused> {
        hmac::verify(&self.0, message, tag).map_err(|_| Refused::new())
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

/// ECDSA on P-256 with SHA-256.
struct Es256 {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Signer<Vec<u8>> for Es256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Refused> {
        let signature = self.pair.sign(&self.random, message).map_err(|_| Refused::new())?;
        Ok(signature.as_ref().to_vec())
    }
}

impl JwtSigner for Es256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::ES256
    }
}

/// A public key of somebody else.
struct Foreign {
    algorithm: Algorithm,
    key: Public,
}

enum Public {
    Rsa(RsaPublicKeyComponents<Vec<u8>>, &'static RsaParameters),
    Ed25519(UnparsedPublicKey<Vec<u8>>),
}

impl Verifier<Vec<u8>> for Foreign {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Refused> {
        match &self.key {
            Public::Rsa(key, parameters) => key.verify(parameters, message, signature),
            Public::Ed25519(key) => key.verify(message, signature),
        }
        .map_err(|_| Refused::new())
    }
}

impl JwtVerifier for Foreign {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
