//! The validation vocabulary: one function per rule, `None` when it passes.
//!
//! Codes, messages and skipped zero values are those of spec collections-and-fields §0.2 and
//! server-settings-operations §3.2. Chain rules with `or_else`: the first failure of a property wins.

use std::sync::LazyLock;

use regex::Regex;

use crate::{error::FieldError, re2};

/// The outcome of a rule.
pub type Check = Option<FieldError>;

/// The largest integer a client can represent.
pub const MAX_SAFE: i64 = 9_007_199_254_740_991;

/// Compiles a constant pattern.
macro_rules! pattern {
    ($text:expr) => {{
        static RE: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| {
            regex::Regex::new($text).expect("constant pattern compiles")
        });
        &*RE
    }};
}
pub(crate) use pattern;

fn fail(code: &str, message: &str) -> Check {
    Some(FieldError::new(code, message))
}

/// Fails if `blank`.
#[must_use]
pub fn required(blank: bool) -> Check {
    if blank { fail("validation_required", "cannot be blank") } else { None }
}

/// Fails unless `empty`.
#[must_use]
pub fn empty(empty: bool) -> Check {
    if empty { None } else { fail("validation_empty", "must be blank") }
}

/// Fails if there is a value, even an empty one.
#[must_use]
pub fn nil<T>(value: Option<&T>) -> Check {
    if value.is_none() { None } else { fail("validation_nil", "must be blank") }
}

/// Fails for `Some("")`.
#[must_use]
pub fn nil_or_not_empty(value: Option<&str>) -> Check {
    if value == Some("") {
        fail("validation_nil_or_not_empty_required", "cannot be blank")
    } else {
        None
    }
}

/// Byte length between `min` and `max`; empty passes.
#[must_use]
pub fn length(text: &str, min: usize, max: usize) -> Check {
    if text.is_empty() || (min..=max).contains(&text.len()) {
        return None;
    }
    let (code, message) = if min == max {
        ("validation_length_invalid", format!("the length must be exactly {min}"))
    } else if min == 0 {
        ("validation_length_too_long", format!("the length must be no more than {max}"))
    } else {
        ("validation_length_out_of_range", format!("the length must be between {min} and {max}"))
    };
    Some(FieldError::new(code, message).param("min", min).param("max", max))
}

/// Not below `threshold`; zero passes.
#[must_use]
pub fn min(value: i64, threshold: i64) -> Check {
    if value == 0 || value >= threshold {
        return None;
    }
    Some(
        FieldError::new(
            "validation_min_greater_equal_than_required",
            format!("must be no less than {threshold}"),
        )
        .param("threshold", threshold),
    )
}

/// Not above `threshold`; zero passes.
#[must_use]
pub fn max(value: i64, threshold: i64) -> Check {
    if value == 0 || value <= threshold {
        return None;
    }
    Some(
        FieldError::new(
            "validation_max_less_equal_than_required",
            format!("must be no greater than {threshold}"),
        )
        .param("threshold", threshold),
    )
}

/// `min` and `max` of one value.
#[must_use]
pub fn range(value: i64, low: i64, high: i64) -> Check {
    min(value, low).or_else(|| max(value, high))
}

/// Matches a pattern; empty passes.
#[must_use]
pub fn matches(text: &str, pattern: &Regex) -> Check {
    if text.is_empty() || pattern.is_match(text) {
        None
    } else {
        fail("validation_match_invalid", "must be in a valid format")
    }
}

/// Is one of `allowed`; empty passes.
#[must_use]
pub fn one_of(text: &str, allowed: &[&str]) -> Check {
    if text.is_empty() || allowed.contains(&text) {
        None
    } else {
        fail("validation_in_invalid", "must be a valid value")
    }
}

/// Is none of `denied`; empty passes.
#[must_use]
pub fn none_of(text: &str, denied: &[&str]) -> Check {
    if text.is_empty() || !denied.contains(&text) {
        None
    } else {
        fail("validation_not_in_invalid", "must not be in list")
    }
}

/// Both values are the same.
#[must_use]
pub fn same(equal: bool) -> Check {
    if equal { None } else { fail("validation_values_mismatch", "Values don't match.") }
}

/// Contains no `_via_` in any case.
#[must_use]
pub fn no_via(text: &str) -> Check {
    if text.to_ascii_lowercase().contains("_via_") {
        fail("validation_found_via", "The value cannot contain \"_via_\".")
    } else {
        None
    }
}

/// ASCII word characters only.
#[must_use]
pub fn word(text: &str) -> Check {
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        None
    } else {
        fail("validation_match_invalid", "must be in a valid format")
    }
}

/// A DNS name with at least two labels; empty passes.
#[must_use]
pub fn domain(text: &str) -> Check {
    let re = pattern!(
        r"^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-zA-Z]{1,63}| xn--[a-z0-9]{1,59})$"
    );
    if text.is_empty() || (text.len() <= 255 && re.is_match(text)) {
        None
    } else {
        fail("validation_is_domain", "must be a valid domain")
    }
}

/// An e-mail address; empty passes.
#[must_use]
pub fn email(text: &str) -> Check {
    if text.is_empty() || is_email(text) {
        None
    } else {
        fail("validation_is_email", "must be a valid email address")
    }
}

/// True for e-mail addresses, quoted ones excepted; no MX lookup.
#[must_use]
pub fn is_email(text: &str) -> bool {
    const U: &str = r"\x{00A0}-\x{D7FF}\x{F900}-\x{FDCF}\x{FDF0}-\x{FFEF}";
    static RE: LazyLock<Regex> = LazyLock::new(|| {
        let atom = format!(r"[a-zA-Z0-9!#$%&'*+\-/=?^_`{{|}}~{U}]+");
        let label = format!(r"(?:[a-zA-Z0-9{U}]|[a-zA-Z0-9{U}][a-zA-Z0-9\-._~{U}]*[a-zA-Z0-9{U}])");
        let tld = format!(r"(?:[a-zA-Z{U}]|[a-zA-Z{U}][a-zA-Z0-9\-_~{U}]*[a-zA-Z{U}])");
        Regex::new(&format!(r"^{atom}(?:\.{atom})*@(?:{label}\.)+{tld}\.?$"))
            .expect("constant pattern compiles")
    });
    RE.is_match(text)
}

/// A URL; empty passes.
#[must_use]
pub fn url(text: &str) -> Check {
    if text.is_empty() || is_url(text) {
        None
    } else {
        fail("validation_is_url", "must be a valid URL")
    }
}

const IPV4: &str = r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";

/// True for URLs; a scheme is not required (spec §0.2).
#[must_use]
pub fn is_url(text: &str) -> bool {
    static RE: LazyLock<Regex> = LazyLock::new(|| {
        let ip = format!(r"(?:{IPV4}|[0-9a-fA-F:]*:[0-9a-fA-F:]*(?:{IPV4})?)");
        let sub = r"(?:(?:www\.)|(?:[a-zA-Z0-9]+(?:[-_\.]?[a-zA-Z0-9])*[a-zA-Z0-9]\.[a-zA-Z0-9]+))";
        let host = format!(
            concat!(
                r"(?:(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-_]+)?[a-zA-Z0-9](?:[-\.][a-zA-Z0-9]+)*)|(?:{sub}?))?",
                r"(?:(?:[a-zA-Z\x{{00a1}}-\x{{ffff}}0-9]+-?-?)*[a-zA-Z\x{{00a1}}-\x{{ffff}}0-9]+)",
                r"(?:\.(?:[a-zA-Z\x{{00a1}}-\x{{ffff}}]{{1,}}))?)"
            ),
            sub = sub
        );
        Regex::new(&format!(
            r"^(?:(?:ftp|tcp|udp|wss?|https?)://)?(?:\S+(?::\S*)?@)?(?:{ip}|\[{ip}\]|{host})\.?(?::\d{{1,5}})?(?:[/?#]\S*)?$"
        ))
        .expect("constant pattern compiles")
    });
    if text.len() <= 3 || text.starts_with('.') || text.chars().count() >= 2083 {
        return false;
    }
    let with_scheme = if text.contains(':') && !text.contains("://") {
        format!("http://{text}")
    } else {
        text.to_owned()
    };
    let (host, path) = url_parts(&with_scheme);
    if host.starts_with('.') || (host.is_empty() && !path.is_empty() && !path.contains('.')) {
        return false;
    }
    RE.is_match(text)
}

/// Host (with port) and path as a lenient URL parser sees them; no scheme means no host.
#[must_use]
pub fn url_parts(text: &str) -> (&str, &str) {
    let Some((_, rest)) = text.split_once("://") else {
        let end = text.find(['?', '#']).unwrap_or(text.len());
        return match text.strip_prefix("//") {
            Some(rest) => url_parts_after_scheme(rest),
            None => ("", &text[..end]),
        };
    };
    url_parts_after_scheme(rest)
}

fn url_parts_after_scheme(rest: &str) -> (&str, &str) {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let path = &tail[..tail.find(['?', '#']).unwrap_or(tail.len())];
    (host, path)
}

/// An IP address or DNS name without port; empty passes.
#[must_use]
pub fn host(text: &str) -> Check {
    let dns = pattern!(
        r"^([a-zA-Z0-9_]{1}[a-zA-Z0-9_-]{0,62}){1}(\.[a-zA-Z0-9_]{1}[a-zA-Z0-9_-]{0,62})*[\._]?$"
    );
    let is_ip = text.parse::<std::net::IpAddr>().is_ok();
    let is_dns = !text.is_empty() && text.replace('.', "").len() <= 255 && dns.is_match(text);
    if text.is_empty() || is_ip || is_dns {
        None
    } else {
        fail("validation_is_host", "must be a valid IP address or DNS name")
    }
}

/// `#rgb` or `#rrggbb`, `#` optional; empty passes.
#[must_use]
pub fn hex_color(text: &str) -> Check {
    let re = pattern!("^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$");
    if text.is_empty() || re.is_match(text) {
        None
    } else {
        fail("validation_is_hex_color", "must be a valid hexadecimal color code")
    }
}

/// An IP address or a CIDR subnet; empty is required elsewhere.
#[must_use]
pub fn ip_or_subnet(text: &str) -> Check {
    let ok = primitives::subnet::Subnet::parse(text).is_some();
    if text.is_empty() || ok {
        None
    } else {
        // Sic: the misspelled code is a wire contract (spec server-settings-operations §3.2).
        fail("validation_invlaid_ip_or_subnet", "invalid IP or CIDR subnet")
    }
}

/// At most the first `max` bytes, on a character boundary.
#[must_use]
pub fn cut(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A user pattern that compiles; empty passes.
#[must_use]
pub fn regex(text: &str) -> Check {
    match re2::compile(text) {
        Ok(_) => None,
        Err(message) => Some(FieldError::new("validation_invalid_regex", message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains() {
        for (text, ok) in [
            ("example.com", true),
            ("a.b", true),
            ("a-b.example.com", true),
            ("", true),
            ("EXAMPLE.COM", false),
            ("localhost", false),
            ("-a.com", false),
            ("exa mple.com", false),
        ] {
            assert_eq!(domain(text).is_none(), ok, "{text}");
        }
    }

    #[test]
    fn emails() {
        for (text, ok) in [
            ("test@example.com", true),
            ("a.b+c@sub.example.co", true),
            ("\"a b\"@example.com", false),
            ("\"ab\"@example.com", false),
            ("тест@пример.рф", true),
            ("a@b.c.", true),
            ("a@localhost", false),
            (".a@example.com", false),
            ("a..b@example.com", false),
            ("a@example.c0", false),
            ("a@@example.com", false),
            ("a", false),
        ] {
            assert_eq!(is_email(text), ok, "{text}");
        }
    }

    #[test]
    fn urls() {
        for (text, ok) in [
            ("https://example.com/a?b#c", true),
            ("example.com", true),
            ("localhost:8090", true),
            ("127.0.0.1", true),
            ("http://localhost", true),
            ("http://user:pass@example.com:99/x", true),
            ("http://[::1]:80/", true),
            ("localhost", false),
            ("a.b", false),
            ("/x.y", false),
            ("//x.y", false),
            (".example.com", false),
            ("http://a b.com", false),
            ("invalid", false),
        ] {
            assert_eq!(is_url(text), ok, "{text}");
        }
    }

    #[test]
    fn hosts_and_subnets() {
        for (text, ok) in [
            ("a_b", true),
            ("smtp.example.com", true),
            ("::1", true),
            ("a:1", false),
            ("[::1]", false),
        ] {
            assert_eq!(host(text).is_none(), ok, "{text}");
        }
        for (text, ok) in [
            ("10.0.0.1", true),
            ("10.0.0.0/8", true),
            ("::/64", true),
            ("10.0.0.0/33", false),
            ("x", false),
        ] {
            assert_eq!(ip_or_subnet(text).is_none(), ok, "{text}");
        }
    }
}
