//! Cross-origin answers.
//!
//! Source: spec server-settings-operations §2.4.

use http::{HeaderMap, HeaderValue, header};

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
        let text = origin.to_str().ok()?;
        let exact = self.rules.iter().any(|rule| rule == text);
        let allowed = exact
            || self.rules.iter().any(|rule| subdomain(rule, text))
            || (text.len() <= 261
                && text.contains("://")
                && self.rules.iter().any(|rule| glob(rule.as_bytes(), text.as_bytes())));
        allowed.then(|| origin.clone())
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

/// `https://*.b.com`: same scheme, labels compared from the right, `*` covers the rest.
fn subdomain(rule: &str, origin: &str) -> bool {
    let (Some((rule_scheme, rule_host)), Some((scheme, host))) =
        (rule.split_once("://"), origin.split_once("://"))
    else {
        return false;
    };
    if rule_scheme != scheme || host.len() > 253 {
        return false;
    }
    let mut labels = host.rsplit('.');
    for wanted in rule_host.rsplit('.') {
        match labels.next() {
            None => return false,
            Some(_) if wanted == "*" => return true,
            Some(label) if label == wanted => {}
            Some(_) => return false,
        }
    }
    false
}

/// `*` is any text, `?` any character.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(b'?') => (p, t) = (p + 1, t + 1),
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
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        for (rules, origin, want) in [
            ("*", "http://a.com", Some("*")),
            ("http://a.com", "http://a.com", Some("http://a.com")),
            ("http://a.com", "http://b.com", None),
            ("https://*.b.com", "https://x.y.b.com", Some("https://x.y.b.com")),
            ("https://*.b.com", "https://b.com", None),
            ("https://*.b.com", "http://x.b.com", None),
            ("http://c?.com:*", "http://cd.com:80", Some("http://cd.com:80")),
        ] {
            let cors = Cors::new(rules.split(',').map(str::to_owned).collect());
            let got = cors.allow(Some(&HeaderValue::from_static(origin)));
            assert_eq!(got.as_ref().map(|v| v.to_str().expect("text")), want, "{rules} {origin}");
            assert_eq!(cors.allow(None), None, "{rules}: no origin, nothing to allow");
        }
    }
}
