//! Query strings: the first value of a name without building a map, and the whole as an ordered form when needed.
//!
//! Source: spec records-files-realtime-batch §1.3 (only the first value of a repeated parameter counts).

use std::borrow::Cow;

use crate::error::{ApiError, Result};

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
    Cow::Owned(engine::json::lossy(&bytes).into_owned())
}

/// True if a form has no semicolons and every `%` is one of an escape.
pub(crate) fn is_well_formed(form: &[u8]) -> bool {
    memchr::memchr(b';', form).is_none() && is_escaped_well(form)
}

/// True if every `%` stands before two hexadecimal digits.
pub(crate) fn is_escaped_well(text: &[u8]) -> bool {
    memchr::memchr_iter(b'%', text)
        .all(|at| text.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)))
}

/// Reads an integer parameter; missing or empty is `None`.
///
/// # Errors
/// 400 when it is not an integer.
pub fn integer(value: Option<&str>) -> Result<Option<i64>> {
    match value {
        None | Some("") => Ok(None),
        Some(text) => {
            text.strip_prefix('+').unwrap_or(text).parse().map(Some).map_err(|_| {
                ApiError::bad_request("").with_detail("invalid integer query parameter")
            })
        }
    }
}

/// Reads a bool the way Go's `strconv.ParseBool` does; missing or empty is false.
///
/// # Errors
/// 400 when it is not a bool.
pub fn boolean(value: Option<&str>) -> Result<bool> {
    match value {
        None | Some("" | "0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some(_) => Err(ApiError::bad_request("").with_detail("invalid bool query parameter")),
    }
}

/// The paging parameters of every list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// 1 or more.
    pub page: i64,
    /// 1 to 1000.
    pub per_page: i64,
    /// No totals wanted.
    pub skip_total: bool,
}

impl Paging {
    /// Reads `page`, `perPage` and `skipTotal`.
    ///
    /// # Errors
    /// 400 when one of them cannot be read.
    pub fn read(query: Query<'_>) -> Result<Self> {
        let page = integer(query.get("page").as_deref())?.unwrap_or(1);
        let per_page = integer(query.get("perPage").as_deref())?.unwrap_or(30);
        Ok(Self {
            page: if page <= 0 { 1 } else { page },
            per_page: if per_page <= 0 { 30 } else { per_page.min(1000) },
            skip_total: boolean(query.get("skipTotal").as_deref())?,
        })
    }
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

    #[test]
    fn paging() {
        for (raw, want) in [
            ("", Some((1, 30, false))),
            ("page=-1&perPage=0&skipTotal=T", Some((1, 30, true))),
            ("page=2&perPage=5000", Some((2, 1000, false))),
            ("page=a", None),
            ("skipTotal=yes", None),
        ] {
            let got =
                Paging::read(Query::new(raw)).ok().map(|p| (p.page, p.per_page, p.skip_total));
            assert_eq!(got, want, "{raw}");
        }
    }
}
