//! Every allowed pair of algorithms, sealed by the same primitives; RFC 7518's own examples; what is refused.

use aes_gcm::aead::AeadInOut;
use cbc::cipher::BlockModeEncrypt as _;

use super::*;

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn seal(header: &str, wrapped: &[u8], enc: Enc, key: &[u8], plain: &[u8]) -> String {
    let head = text(header.as_bytes());
    let (iv, content, tag) = match enc {
        Enc::Gcm128 => seal_gcm::<Aes128>(key, &head, plain),
        Enc::Gcm192 => seal_gcm::<Aes192>(key, &head, plain),
        Enc::Gcm256 => seal_gcm::<Aes256>(key, &head, plain),
        Enc::Cbc128 => {
            let content = cbc::Encryptor::<Aes128>::new_from_slices(&key[16..], &[7; 16])
                .expect("a key")
                .encrypt_padded_vec::<Pkcs7>(plain);
            let tag = mac::<Hmac<Sha256>>(&key[..16], &head, &content);
            (vec![7; 16], content, tag)
        }
        Enc::Cbc256 => {
            let content = cbc::Encryptor::<Aes256>::new_from_slices(&key[32..], &[7; 16])
                .expect("a key")
                .encrypt_padded_vec::<Pkcs7>(plain);
            let tag = mac::<Hmac<Sha512>>(&key[..32], &head, &content);
            (vec![7; 16], content, tag)
        }
    };
    [head, text(wrapped), text(&iv), text(&content), text(&tag)].join(".")
}

fn seal_gcm<C>(key: &[u8], head: &str, plain: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<u8>)
where
    AesGcm<C, U12>: AeadInOut + KeyInit,
{
    let cipher = AesGcm::<C, U12>::new_from_slice(key).expect("a key");
    let iv = vec![7; 12];
    let mut content = plain.to_vec();
    let nonce = iv.as_slice().try_into().expect("a nonce");
    let sealed =
        cipher.encrypt_inout_detached(nonce, head.as_bytes(), content.as_mut_slice().into());
    let tag = sealed.expect("sealed").to_vec();
    (iv, content, tag)
}

fn mac<M: Mac + hmac::KeyInit>(key: &[u8], head: &str, content: &[u8]) -> Vec<u8> {
    let mut mac = <M as hmac::KeyInit>::new_from_slice(key).expect("a key");
    mac.update(head.as_bytes());
    mac.update(&[7; 16]);
    mac.update(content);
    mac.update(&(head.len() as u64 * 8).to_be_bytes());
    mac.finalize().into_bytes()[..key.len()].to_vec()
}

fn key(len: usize) -> Vec<u8> {
    (0..len).map(|n| u8::try_from(n % 251).expect("small")).collect()
}

const ENCS: &[(&str, Enc)] = &[
    ("A128GCM", Enc::Gcm128),
    ("A192GCM", Enc::Gcm192),
    ("A256GCM", Enc::Gcm256),
    ("A128CBC-HS256", Enc::Cbc128),
    ("A256CBC-HS512", Enc::Cbc256),
];

#[test]
fn all_that_is_allowed() {
    for (name, enc) in ENCS {
        let own = key(enc.key_len());
        let header = format!(r#"{{"alg":"dir","enc":"{name}"}}"#);
        let token = seal(&header, &[], *enc, &own, b"hello");
        assert_eq!(open(&token, &own).as_deref(), Ok(&b"hello"[..]), "dir {name}");
        for len in [16, 24, 32] {
            let outer = key(len);
            let mut wrapped = vec![0; own.len() + 8];
            match len {
                16 => AesKw::<Aes128>::new_from_slice(&outer)
                    .expect("a key")
                    .wrap_key(&own, &mut wrapped)
                    .map(drop),
                24 => AesKw::<Aes192>::new_from_slice(&outer)
                    .expect("a key")
                    .wrap_key(&own, &mut wrapped)
                    .map(drop),
                _ => AesKw::<Aes256>::new_from_slice(&outer)
                    .expect("a key")
                    .wrap_key(&own, &mut wrapped)
                    .map(drop),
            }
            .expect("wrapped");
            let header = format!(r#"{{"alg":"A{}KW","enc":"{name}"}}"#, len * 8);
            let token = seal(&header, &wrapped, *enc, &own, b"hello");
            assert_eq!(open(&token, &outer).as_deref(), Ok(&b"hello"[..]), "A{len} {name}");
            // a key of another length is refused, never cut
            for other in [8, 16, 24, 32, 64].into_iter().filter(|other| *other != len) {
                assert_eq!(open(&token, &key(other)), Err(Sealed), "{other} for {len}");
            }
            let mut other = outer.clone();
            other[0] ^= 1;
            assert_eq!(open(&token, &other), Err(Sealed));
        }
    }
}

#[test]
fn every_changed_byte_is_noticed() {
    for (name, enc) in ENCS {
        let own = key(enc.key_len());
        let token = seal(&format!(r#"{{"alg":"dir","enc":"{name}"}}"#), &[], *enc, &own, b"hello");
        for (part, _) in token.split('.').enumerate().filter(|(part, _)| *part != 1) {
            let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
            let mut bytes = URL_SAFE_NO_PAD.decode(&parts[part]).expect("base64");
            bytes[0] ^= 1;
            parts[part] = text(&bytes);
            assert_eq!(open(&parts.join("."), &own), Err(Sealed), "{name} {part}");
            bytes.pop();
            parts[part] = text(&bytes);
            assert_eq!(open(&parts.join("."), &own), Err(Sealed), "{name} {part} shorter");
        }
        assert_eq!(open(&format!("{token}="), &own), Err(Sealed));
    }
}

/// RFC 7518 appendix B.1, with the header as its additional data is made from text here.
#[test]
fn the_mac_is_that_of_the_standard() {
    let key: Vec<u8> = (0..32).collect();
    let iv = [
        0x1a, 0xf3, 0x8c, 0x2d, 0xc2, 0xb9, 0x6f, 0xfd, 0xd8, 0x66, 0x94, 0x09, 0x23, 0x41, 0xbc,
        0x04,
    ];
    let head = b"The second principle of Auguste Kerckhoffs";
    let plain = b"A cipher system must not be required to be secret, and it must be able to fall into the hands of the enemy without inconvenience";
    let content = cbc::Encryptor::<Aes128>::new_from_slices(&key[16..], &iv)
        .expect("a key")
        .encrypt_padded_vec::<Pkcs7>(plain);
    assert_eq!(content[..4], [0xc8, 0x0e, 0xdf, 0xa3]);
    let tag = [
        0x65, 0x2c, 0x3f, 0xa3, 0x6b, 0x0a, 0x7c, 0x5b, 0x32, 0x19, 0xfa, 0xb3, 0xa3, 0x0b, 0xc1,
        0xc4,
    ];
    assert_eq!(check::<Hmac<Sha256>>(&key[..16], &iv, head, &content, &tag), Ok(()));
    assert_eq!(cbc::<Aes128>(&key[16..], &iv, content).as_deref(), Ok(&plain[..]));
}

#[test]
fn what_is_refused_before_any_work() {
    let own = key(32);
    let with = |header: &str| open(&seal(header, &[], Enc::Gcm256, &own, b"x"), &own);
    assert!(with(r#"{"alg":"dir","enc":"A256GCM"}"#).is_ok());
    for header in [
        r#"{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2c":100000000,"p2s":"AAAA"}"#,
        r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#,
        r#"{"alg":"none","enc":"A256GCM"}"#,
        r#"{"alg":"DIR","enc":"A256GCM"}"#,
        r#"{"alg":"dir","enc":"A192CBC-HS384"}"#,
        r#"{"alg":"dir","enc":"A256GCM","zip":"DEF"}"#,
        r#"{"alg":"dir","enc":"A256GCM","crit":["exp"],"exp":1}"#,
        r#"{"alg":"dir"}"#,
        r#"{"enc":"A256GCM"}"#,
        r#"["dir","A256GCM"]"#,
        "{",
        "",
    ] {
        assert_eq!(with(header), Err(Sealed), "{header}");
    }
    for token in ["", ".", "....", "a.b.c", "a.b.c.d.e.f", "\u{fc}.b.c.d.e"] {
        assert_eq!(open(token, &own), Err(Sealed), "{token}");
    }
    let long = seal(r#"{"alg":"dir","enc":"A256GCM"}"#, &[], Enc::Gcm256, &own, &[b'x'; MAX]);
    assert_eq!(open(&long, &own), Err(Sealed));
    let key_beside = seal(r#"{"alg":"dir","enc":"A256GCM"}"#, &[1; 8], Enc::Gcm256, &own, b"x");
    assert_eq!(open(&key_beside, &own), Err(Sealed));
}
