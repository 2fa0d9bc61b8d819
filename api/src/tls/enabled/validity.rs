//! When a certificate is valid, and when it should be renewed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_cert::{Certificate, der::Decode as _};

/// When a certificate is valid, since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: Duration,
    pub(super) not_after: Duration,
}

impl Validity {
    /// That of a DER certificate.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let validity = Certificate::from_der(certificate).ok()?.tbs_certificate.validity;
        Some(Self {
            not_before: validity.not_before.to_unix_duration(),
            not_after: validity.not_after.to_unix_duration(),
        })
    }

    pub(super) fn contains(self, time: SystemTime) -> bool {
        UNIX_EPOCH + self.not_before <= time && time < UNIX_EPOCH + self.not_after
    }

    /// 30 days or a third of its life before its end, whatever is less.
    pub(super) fn renew_at(self) -> SystemTime {
        const DAYS_30: Duration = Duration::from_secs(30 * 86_400);
        let third = self.not_after.saturating_sub(self.not_before) / 3;
        UNIX_EPOCH + self.not_after.saturating_sub(third.min(DAYS_30))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_certificate() {
        let key = rcgen::KeyPair::generate().expect("key");
        // 2049 is the last year that is written with two digits.
        for (from, to, seconds) in [
            ((1970, 1, 1), (2026, 11, 23), (0, 1_795_392_000)),
            ((2024, 2, 29), (2099, 12, 31), (1_709_164_800, 4_102_358_400)),
        ] {
            let mut params =
                rcgen::CertificateParams::new(vec!["a.com".to_owned()]).expect("params");
            params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
            params.not_after = rcgen::date_time_ymd(to.0, to.1, to.2);
            let certificate = params.self_signed(&key).expect("certificate");
            let found = Validity::of(certificate.der()).expect("validity");
            assert_eq!((found.not_before.as_secs(), found.not_after.as_secs()), seconds);
            assert!(found.contains(UNIX_EPOCH + found.not_before));
            assert!(!found.contains(UNIX_EPOCH + found.not_after));
            for len in 0..certificate.der().len() {
                assert_eq!(Validity::of(&certificate.der()[..len]), None);
            }
        }
    }

    #[test]
    fn renewal() {
        let day = Duration::from_secs(86_400);
        let not_before = Duration::from_secs(1000);
        for (days, left) in [(90, 30), (9, 3), (400, 30)] {
            let validity = Validity { not_before, not_after: not_before + days * day };
            assert_eq!(validity.renew_at(), UNIX_EPOCH + not_before + (days - left) * day);
        }
    }
}
