//! From headers to an identity: signature, time, token. Source: spec extensions 6.2, 6.3.
//!
//! Errors name one of a few reasons and never a value. Must not know HTTP, accounts, or what has been seen before.

use pocketbase::{parse_date_time, security::constant_time_eq};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::{config::TofConfig, jwe};

/// How far clocks may differ, and how long an identity counts after its end, in milliseconds.
const TOLERANCE_MS: i64 = 180_000;

/// Who somebody is, as the gateway says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TofIdentity {
    /// The login name.
    pub loginname: String,
    /// The number of the person.
    pub staffid: i64,
    /// When it ends, as it was written; empty when it does not.
    pub expiration: String,
    /// A ticket of the gateway.
    pub ticket: Option<String>,
}

impl TofIdentity {
    /// When it ends; `None` if it does not.
    pub(crate) fn ends_ms(&self) -> Option<i64> {
        parse_date_time(&self.expiration).map(|end| end.millis())
    }
    /// As answers show it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "loginname": self.loginname,
            "staffid": self.staffid,
            "expiration": self.expiration,
            "ticket": self.ticket,
        })
    }
}

/// Why a request is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It was not signed with the token.
    Signature,
    /// Its time is none.
    Timestamp,
    /// It is too old, or of the future.
    Late,
    /// The identity cannot be opened, or is none.
    Identity,
    /// The identity has ended.
    Expired,
    /// It came before.
    Replayed,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Signature => "invalid signature",
            Self::Timestamp => "invalid timestamp",
            Self::Late => "timestamp expired",
            Self::Identity => "invalid identity token",
            Self::Expired => "token expired",
            Self::Replayed => "replayed request",
        })
    }
}

/// The headers of the gateway.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Signed<'a> {
    pub(crate) identity: &'a str,
    pub(crate) timestamp: &'a str,
    pub(crate) signature: &'a str,
    pub(crate) seq: &'a str,
    /// Those of compatibility mode.
    pub(crate) staffid: &'a str,
    pub(crate) staffname: &'a str,
    pub(crate) ext_data: &'a str,
}

impl Signed<'_> {
    /// True if one of the four is missing.
    pub(crate) fn is_incomplete(&self) -> bool {
        [self.identity, self.timestamp, self.signature, self.seq].iter().any(|one| one.is_empty())
    }

    /// The identity of a request that was signed just now.
    pub(crate) fn verify(&self, config: &TofConfig, now_ms: i64) -> Result<TofIdentity, Reason> {
        let want = self.signature_with(config);
        let given = self.signature.to_ascii_lowercase();
        if !constant_time_eq(given.as_bytes(), want.as_bytes()) {
            return Err(Reason::Signature);
        }
        if config.checks_timestamp() {
            let seconds: i64 = self.timestamp.parse().map_err(|_| Reason::Timestamp)?;
            let millis = seconds.checked_mul(1000).ok_or(Reason::Timestamp)?;
            // whole seconds are compared
            if (now_ms.div_euclid(1000) * 1000).abs_diff(millis) > TOLERANCE_MS.unsigned_abs() {
                return Err(Reason::Late);
            }
        }
        match jwe::open(self.identity, config.app_token.as_bytes()) {
            Ok(bytes) => self::read(&bytes, config, now_ms),
            Err(_) if !config.is_safe() => self.plain(),
            Err(_) => Err(Reason::Identity),
        }
    }

    fn signature_with(&self, config: &TofConfig) -> String {
        let mut hash = Sha256::new();
        hash.update(self.timestamp);
        hash.update(&config.app_token);
        hash.update(self.seq);
        if config.is_safe() {
            hash.update(",,,");
        } else {
            for part in [self.staffid, self.staffname, self.ext_data] {
                hash.update(",");
                hash.update(part);
            }
        }
        hash.update(self.timestamp);
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Compatibility mode: the signature covers these headers.
    fn plain(&self) -> Result<TofIdentity, Reason> {
        // it joins them by commas: with some in them it would be that of others, too
        if [self.seq, self.staffid, self.staffname].iter().any(|part| part.contains(',')) {
            return Err(Reason::Signature);
        }
        let staffid = self.staffid.parse().map_err(|_| Reason::Identity)?;
        let identity = TofIdentity {
            loginname: self.staffname.to_owned(),
            staffid,
            expiration: String::new(),
            ticket: None,
        };
        checked(identity)
    }
}

fn checked(identity: TofIdentity) -> Result<TofIdentity, Reason> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name = &identity.loginname;
    let is_name = (1..=64).contains(&name.len()) && name.chars().all(is_allowed);
    // nobody has the number 0: accounts are found by it
    if is_name && identity.staffid > 0 { Ok(identity) } else { Err(Reason::Identity) }
}

fn read(bytes: &[u8], config: &TofConfig, now_ms: i64) -> Result<TofIdentity, Reason> {
    let Ok(Value::Object(map)) = serde_json::from_slice(bytes) else {
        return Err(Reason::Identity);
    };
    let text = |name| match member(&map, name)? {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Reason::Identity),
    };
    let staffid = member(&map, "staffid")?.and_then(Value::as_i64).ok_or(Reason::Identity)?;
    let expiration = text("expiration")?.unwrap_or_default();
    let identity = checked(TofIdentity {
        loginname: text("loginname")?.unwrap_or_default(),
        staffid,
        ticket: text("ticket")?,
        expiration,
    })?;
    if identity.expiration.is_empty() {
        let is_fine = !config.is_safe() || config.allow_no_exp;
        return if is_fine { Ok(identity) } else { Err(Reason::Identity) };
    }
    let end = parse_date_time(&identity.expiration).ok_or(Reason::Identity)?;
    if end.millis().saturating_add(TOLERANCE_MS) < now_ms {
        return Err(Reason::Expired);
    }
    Ok(identity)
}

/// A member by its name in any case; two of one name are refused. Null is as good as none.
fn member<'m>(map: &'m Map<String, Value>, name: &str) -> Result<Option<&'m Value>, Reason> {
    let mut found = map.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    let first = found.next().map(|(_, value)| value);
    if found.next().is_some() {
        return Err(Reason::Identity);
    }
    Ok(first.filter(|value| !value.is_null()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    const SIGNATURE: &str = "1bcef555eb2b9f26f37cfbe713814d478928eece0073b1f59b3904030c4e8720";
    const IDENTITY: &str = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAECAwQFBgcICQoL.VsfXE75xvMLJsRScS-2waI9rZqUQngf_Qbrd3dwHlrWPmBo8LM1neeNEzzW1wuEADtmtyDGdpfMFcwUaLCslTp04VAFsAXeJKQArdpwFLgImo6lSOQ.IJhJd010CcinW14DIEP3ZQ";
    const NOW: i64 = 1_700_000_000_000;

    fn config() -> TofConfig {
        TofConfig { app_token: TOKEN.into(), ..TofConfig::default() }
    }
    fn signed() -> Signed<'static> {
        Signed {
            identity: IDENTITY,
            timestamp: "1700000000",
            signature: SIGNATURE,
            seq: "seq1",
            ..Signed::default()
        }
    }

    #[test]
    fn the_vectors_of_the_specification() {
        let alice = signed().verify(&config(), NOW).expect("alice");
        assert_eq!(
            alice.to_json().to_string(),
            r#"{"loginname":"alice","staffid":123,"expiration":"2099-01-01T00:00:00Z","ticket":"tk"}"#
        );
        let upper = SIGNATURE.to_ascii_uppercase();
        assert_eq!(Signed { signature: &upper, ..signed() }.verify(&config(), NOW), Ok(alice));
    }

    #[test]
    fn what_is_not_believed() {
        let late = |seconds: i64| signed().verify(&config(), NOW + seconds * 1000).err();
        for (seconds, want) in
            [(180, None), (-180, None), (181, Some(Reason::Late)), (-181, Some(Reason::Late))]
        {
            assert_eq!(late(seconds), want, "{seconds}");
        }
        let unchecked = TofConfig { check_timestamp: Some(false), ..config() };
        assert!(signed().verify(&unchecked, 0).is_ok());
        for (what, signed) in [
            ("another", Signed { signature: &SIGNATURE[1..], ..signed() }),
            ("none", Signed { signature: "", ..signed() }),
            ("another time", Signed { timestamp: "1700000001", ..signed() }),
            ("another seq", Signed { seq: "seq2", ..signed() }),
        ] {
            assert_eq!(signed.verify(&config(), NOW), Err(Reason::Signature), "{what}");
        }
        let broken = Signed { identity: &IDENTITY[..IDENTITY.len() - 1], ..signed() };
        assert_eq!(broken.verify(&config(), NOW), Err(Reason::Identity));
    }

    #[test]
    fn what_identities_may_say() {
        let of = |text: &str| read(text.as_bytes(), &config(), NOW);
        let ends = |end: &str| {
            of(&format!(r#"{{"loginname":"a","staffid":1,"expiration":"{end}"}}"#)).err()
        };
        // NOW is 22:13:20
        for (end, want) in [
            ("2023-11-14T22:11:20Z", None),
            ("2023-11-15T06:11:20+08:00", None),
            ("2023-11-14T22:10:20Z", None),
            ("2023-11-14T22:10:19Z", Some(Reason::Expired)),
            ("2023-11-14T22:09:20Z", Some(Reason::Expired)),
            ("", Some(Reason::Identity)),
            ("soon", Some(Reason::Identity)),
        ] {
            assert_eq!(ends(end), want, "{end}");
        }
        let fine = of(
            r#"{"LoginName":"a.b-c_D","StaffId":7,"Expiration":"2099-01-01T00:00:00Z","Ticket":null}"#,
        );
        assert_eq!(fine.map(|identity| (identity.staffid, identity.ticket)), Ok((7, None)));
        for text in [
            "",
            "[]",
            "eyJhbGciOiJkaXIifQ....",
            r#"{"loginname":"a b","staffid":1,"expiration":"2099-01-01T00:00:00Z"}"#,
            r#"{"loginname":"a@b","staffid":1,"expiration":"2099-01-01T00:00:00Z"}"#,
            r#"{"loginname":"","staffid":1,"expiration":"2099-01-01T00:00:00Z"}"#,
            r#"{"loginname":"a","staffid":0,"expiration":"2099-01-01T00:00:00Z"}"#,
            r#"{"loginname":"a","staffid":"1","expiration":"2099-01-01T00:00:00Z"}"#,
            r#"{"loginname":"a","staffid":1.5,"expiration":"2099-01-01T00:00:00Z"}"#,
            r#"{"loginname":"a","expiration":"2099-01-01T00:00:00Z"}"#,
            r#"{"loginname":"a","LOGINNAME":"b","staffid":1,"expiration":"2099-01-01T00:00:00Z"}"#,
        ] {
            assert_eq!(of(text), Err(Reason::Identity), "{text}");
        }
        let long = "a".repeat(65);
        assert!(
            of(&format!(
                r#"{{"loginname":"{long}","staffid":1,"expiration":"2099-01-01T00:00:00Z"}}"#
            ))
            .is_err()
        );
        let endless = r#"{"loginname":"a","staffid":1}"#.as_bytes();
        let may = TofConfig { allow_no_exp: true, ..config() };
        assert!(read(endless, &may, NOW).is_ok());
        let unsafe_mode = TofConfig { safe_mode: Some(false), ..config() };
        assert!(read(endless, &unsafe_mode, NOW).is_ok());
    }

    #[test]
    fn compatibility_mode_signs_the_plain_headers() {
        let config = TofConfig { safe_mode: Some(false), ..config() };
        let mut plain = Signed {
            identity: "x",
            timestamp: "1700000000",
            seq: "s",
            staffid: "42",
            staffname: "bob",
            ext_data: "e",
            ..Signed::default()
        };
        let signature = plain.signature_with(&config);
        plain.signature = &signature;
        let bob = plain.verify(&config, NOW).expect("bob");
        assert_eq!((bob.loginname.as_str(), bob.staffid), ("bob", 42));
        for changed in [
            Signed { staffid: "43", ..plain },
            Signed { staffname: "eve", ..plain },
            Signed { ext_data: "", ..plain },
        ] {
            assert_eq!(changed.verify(&config, NOW), Err(Reason::Signature));
        }
        let safe = TofConfig { safe_mode: Some(true), ..config };
        let signature = plain.signature_with(&safe);
        let plain = Signed { signature: &signature, ..plain };
        assert_eq!(plain.verify(&safe, NOW), Err(Reason::Identity));
    }
}
