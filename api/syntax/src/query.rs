//! Query strings: the first value of a name without building a map, and the whole as an ordered form when needed.
//!
//! Source: spec records-files-realtime-batch §1.3 (only the first value of a repeated parameter counts).

use std::borrow::Cow;

/// A raw query string.
#[derive(Debug, Clone, Copy, Default)]
pub struct Query<'q>(&'q str);

impl<'q> Query<'q> {
    /// Wraps the part of a URL after `?`.
    #[must_use]
    pub fn new(raw: &'q str) -> Self {
        Self(raw)
    }

    /// The first value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'q, str>> {
        if self.0.is_empty() {
            return None;
        }
        self.pairs().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// All parameters in order. Pairs that are not well-formed are dropped, as Go does.
    pub fn pairs(&self) -> impl Iterator<Item = (Cow<'q, str>, Cow<'q, str>)> + use<'q> {
        self.0.split('&').filter(|pair| !pair.is_empty() && is_well_formed(pair.as_bytes())).map(
            |pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (unescaped(key), unescaped(value))
            },
        )
    }

    /// True if no pair is dropped.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        is_well_formed(self.0.as_bytes())
    }
}

/// A key or a value of a form; bytes of no character become U+FFFD one by one.
fn unescaped(text: &str) -> Cow<'_, str> {
    if memchr::memchr2(b'%', b'+', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let text = text.replace('+', " ");
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(&text).collect();
    Cow::Owned(primitives::json::lossy(&bytes).into_owned())
}

/// True if a form has no semicolons and every `%` is one of an escape.
pub fn is_well_formed(form: &[u8]) -> bool {
    memchr::memchr(b';', form).is_none() && is_escaped_well(form)
}

/// True if every `%` stands before two hexadecimal digits.
pub fn is_escaped_well(text: &[u8]) -> bool {
    memchr::memchr_iter(b'%', text)
        .all(|at| text.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads() {
        let query = Query::new("a=1&b=x+y%20z&a=2&;=c&empty&d=%zz&d=%4&d=%31");
        assert_eq!(query.get("a").as_deref(), Some("1"));
        assert_eq!(query.get("b").as_deref(), Some("x y z"));
        assert_eq!(query.get("empty").as_deref(), Some(""));
        assert_eq!(query.get("c"), None);
        assert_eq!(query.get("d").as_deref(), Some("1"));
    }
}
