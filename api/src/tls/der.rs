//! The two things that must be read from DER: when a certificate is valid, and a key in the older of its two wrappings.
//!
//! Total: any bytes give a value or `None`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When a certificate is valid, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: u64,
    pub(super) not_after: u64,
}

impl Validity {
    pub(super) fn contains(self, time: SystemTime) -> bool {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        at(self.not_before) <= time && time < at(self.not_after)
    }

    /// When it should be renewed: 30 days or a third of its life before its end, whatever is less.
    pub(super) fn renew_at(self) -> SystemTime {
        let third = self.not_after.saturating_sub(self.not_before) / 3;
        UNIX_EPOCH
            + Duration::from_secs(self.not_after - third.min(30 * 86_400).min(self.not_after))
    }
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;

/// Splits off one element: its tag, its content, the rest.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let n_bytes = usize::from(first & 0x7f);
        if !(1..=4).contains(&n_bytes) {
            return None;
        }
        let (bytes, rest) = rest.split_at_checked(n_bytes)?;
        (bytes.iter().fold(0usize, |len, byte| len << 8 | usize::from(*byte)), rest)
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

fn inside(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(der)?;
    (tag == wanted).then_some((content, rest))
}

/// When a DER certificate is valid.
pub(super) fn validity(certificate: &[u8]) -> Option<Validity> {
    let (certificate, _) = inside(certificate, SEQUENCE)?;
    let (mut rest, _) = inside(certificate, SEQUENCE)?;
    if let Some((_, after)) = inside(rest, VERSION) {
        rest = after;
    }
    let (_, rest) = inside(rest, INTEGER)?;
    let (_, rest) = inside(rest, SEQUENCE)?;
    let (_, rest) = inside(rest, SEQUENCE)?;
    let (times, _) = inside(rest, SEQUENCE)?;
    let (tag, from, times) = element(times)?;
    let not_before = seconds(tag, from)?;
    let (tag, to, _) = element(times)?;
    Some(Validity { not_before, not_after: seconds(tag, to)? })
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`.
fn seconds(tag: u8, text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest): (u64, &str) = match (tag, text.len()) {
        (UTC_TIME, 12) => {
            let year: u64 = text.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text.get(2..)?)
        }
        (GENERALIZED_TIME, 14) => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<u64>().ok();
    let (month, day) = (part(0)?, part(2)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1970 {
        return None;
    }
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, yoe) = (y / 400, y % 400);
    let doy = (153 * m + 2) / 5 + day - 1;
    let days = (era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy).checked_sub(719_468)?;
    Some(days * 86_400 + part(4)? * 3600 + part(6)? * 60 + part(8)?)
}

/// A P-256 key as Go writes it (SEC 1) in the wrapping that ACME wants (PKCS #8).
pub(super) fn pkcs8_of_sec1(sec1: &[u8]) -> Vec<u8> {
    /// Version 0; the algorithm: an EC public key on prime256v1.
    const HEAD: &[u8] = &[
        0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
        0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
    ];
    let mut content = HEAD.to_vec();
    wrap(&mut content, OCTETS, sec1);
    let mut out = Vec::with_capacity(content.len() + 4);
    wrap(&mut out, SEQUENCE, &content);
    out
}

fn wrap(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    let len = content.len().to_be_bytes();
    match content.len() {
        0..0x80 => out.push(len[len.len() - 1]),
        0x80..0x100 => out.extend_from_slice(&[0x81, len[len.len() - 1]]),
        _ => {
            out.push(0x84);
            out.extend_from_slice(&len[len.len() - 4..]);
        }
    }
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (tag, text, want) in [
            (UTC_TIME, "261123185600Z", Some(1_795_460_160)),
            (UTC_TIME, "700101000000Z", Some(0)),
            (GENERALIZED_TIME, "20991231235959Z", Some(4_102_444_799)),
            (UTC_TIME, "261323185600Z", None),
            (UTC_TIME, "x", None),
            (INTEGER, "261123185600Z", None),
        ] {
            assert_eq!(seconds(tag, text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn of_a_certificate() {
        let key = rcgen::KeyPair::generate().expect("key");
        let params = rcgen::CertificateParams::new(vec!["a.com".to_owned()]).expect("params");
        let certificate = params.self_signed(&key).expect("certificate");
        let found = validity(certificate.der()).expect("validity");
        assert!(found.not_before < found.not_after && found.contains(SystemTime::now()));
        for len in 0..certificate.der().len().min(200) {
            assert_eq!(validity(&certificate.der()[..len]), None);
        }
    }

    #[test]
    fn renewal() {
        let day = 86_400;
        for (days, left) in [(90, 30), (9, 3), (400, 30)] {
            let validity = Validity { not_before: 1000, not_after: 1000 + days * day };
            let want = UNIX_EPOCH + Duration::from_secs(1000 + (days - left) * day);
            assert_eq!(validity.renew_at(), want);
        }
    }
}
