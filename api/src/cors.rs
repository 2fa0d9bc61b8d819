//! Cross-origin answers.
//!
//! Source: spec server-settings-operations §2.4, upstream-0.40 §5.3.

use http::{HeaderMap, HeaderValue, header};

/// The longest origin that patterns are compared with.
const MAX_MATCHED: usize = 261;

/// The allowed origins, in the order given.
#[derive(Debug, Clone)]
pub(crate) struct Cors {
    rules: Vec<String>,
    any: bool,
}

impl Default for Cors {
    fn default() -> Self {
        Self::new(vec!["*".into()])
    }
}

impl Cors {
    /// Rules as given to `--origins`.
    #[must_use]
    pub(crate) fn new(rules: Vec<String>) -> Self {
        let any = rules.iter().any(|rule| rule == "*");
        Self { rules, any }
    }

    /// The value of `Access-Control-Allow-Origin` for a request's origin, if it is allowed.
    #[must_use]
    pub(crate) fn allow(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        let origin = origin.filter(|origin| !origin.is_empty())?;
        if self.any {
            return Some(HeaderValue::from_static("*"));
        }
        let text = std::str::from_utf8(origin.as_bytes()).ok()?;
        let may_match = text.len() <= MAX_MATCHED && text.contains("://");
        let is_allowed =
            |rule: &String| rule == text || (may_match && glob(rule.as_bytes(), text.as_bytes()));
        self.rules.iter().any(is_allowed).then(|| origin.clone())
    }

    /// Headers of a preflight answer besides those of every answer.
    pub(crate) fn preflight(&self, request: &HeaderMap, out: &mut HeaderMap) {
        out.append(header::VARY, HeaderValue::from_static("Access-Control-Request-Method"));
        out.append(header::VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
        out.insert(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE"),
        );
        if let Some(wanted) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS)
            && !wanted.is_empty()
        {
            out.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
    }
}

/// True if a pattern is the whole text: `*` is any run of characters, `?` one, everything else itself.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(b'?') => (p, t) = (p + 1, t + width(text[t])),
            Some(byte) if *byte == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((sp, st)) => {
                    star = Some((sp, st + 1));
                    (p, t) = (sp + 1, st + 1);
                }
                None => return false,
            },
        }
    }
    t == text.len() && pattern[p..].iter().all(|b| *b == b'*')
}

/// The bytes of the character that begins with this one.
fn width(first: u8) -> usize {
    match first {
        0xF0.. => 4,
        0xE0.. => 3,
        0xC0.. => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        let long = |n: usize| format!("https://{}.b.com", "a".repeat(n - 14));
        for (rules, origin, is_allowed) in [
            ("http://a.com", "http://a.com", true),
            ("http://a.com", "http://b.com", false),
            ("http://a.com", "http://a.com.evil.com", false),
            ("https://foo.*.com", "https://a.example.com", false),
            ("https://foo.*.com", "https://evil.com", false),
            ("https://foo.*.com", "https://x.foo.bar.com", false),
            ("https://foo.*.com", "https://foo.bar.com", true),
            ("https://foo.*.com", "https://foo.a.b.com", true),
            ("https://foo.*", "https://example.com", false),
            ("https://foo.*", "https://foo.com", true),
            ("https://*.*.com", "https://example.com", false),
            ("https://*.*.com", "https://a.example.com", true),
            ("https://*.b.com", "https://a.b.com", true),
            ("https://*.b.com", "https://x.y.b.com", true),
            ("https://*.b.com", "https://b.com", false),
            ("https://*.b.com", "http://x.b.com", false),
            ("https://*.b.com", "https://a.b.com:8080", false),
            ("https://*.b.com", "https://a.b.com.evil.com", false),
            ("https://*.b.com", "https://A.B.com", false),
            ("https://*.b.com", "https://a/b?c.b.com", true),
            ("https://*.b.com", &long(261), true),
            ("https://*.b.com", &long(262), false),
            ("http://localhost:*", "http://localhost:3000", true),
            ("http://localhost:*", "http://localhost:", true),
            ("https://?.b.com", "https://x.b.com", true),
            ("https://?.b.com", "https://é.b.com", true),
            ("https://?.b.com", "https://xy.b.com", false),
            ("http://a.com,http://c?.com:*", "http://cd.com:80", true),
            ("*.com", "a.com", false),
            ("null", "null", true),
            ("n*", "null", false),
        ] {
            let cors = Cors::new(rules.split(',').map(str::to_owned).collect());
            let origin = HeaderValue::from_bytes(origin.as_bytes()).expect("a value");
            let want = is_allowed.then(|| origin.clone());
            assert_eq!(cors.allow(Some(&origin)), want, "{rules} {origin:?}");
            assert_eq!(cors.allow(None), None, "{rules}: no origin, nothing to allow");
        }
        let any = Cors::default().allow(Some(&HeaderValue::from_static("http://a.com")));
        assert_eq!(any, Some(HeaderValue::from_static("*")));
    }
}
