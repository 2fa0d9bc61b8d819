//! The text of a `sort` parameter: names with directions (spec filter-language §2.3, §1.6).
//!
//! Meaning of the names is resolved by [`crate::Resolver::sort`].

use crate::{
    MAX_SORT, MAX_SORT_FIELD_BYTES,
    ast::Span,
    error::{Error, ErrorKind},
};

/// One comma-separated piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Term<'t> {
    pub(crate) name: &'t str,
    pub(crate) desc: bool,
    pub(crate) span: Span,
}

/// Splits the parameter; an empty text has no terms.
pub(crate) fn parse(text: &str) -> Result<Vec<Term<'_>>, Error> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut terms = Vec::new();
    let mut start = 0;
    for piece in text.split(',') {
        let span = Span { start, end: start + piece.len() };
        start = span.end + 1;
        let piece = piece.trim();
        let (name, desc) = match piece.strip_prefix('-') {
            Some(name) => (name, true),
            None => (piece.strip_prefix('+').unwrap_or(piece), false),
        };
        terms.push(Term { name, desc, span });
    }
    if terms.len() > MAX_SORT {
        return Err(Error::new(ErrorKind::TooManySorts, Span { start: 0, end: text.len() }));
    }
    match terms.iter().find(|term| term.name.len() > MAX_SORT_FIELD_BYTES) {
        Some(term) => Err(Error::new(ErrorKind::SortTooLong, term.span)),
        None => Ok(terms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces() {
        let names = |text| -> Vec<(&str, bool)> {
            parse(text).unwrap().into_iter().map(|term| (term.name, term.desc)).collect()
        };
        assert_eq!(names("-a, +b ,--c"), [("a", true), ("b", false), ("-c", true)]);
        assert_eq!(names("a,"), [("a", false), ("", false)]);
        assert_eq!(
            parse("a,a,a,a,a,a,a,a,a").unwrap_err().to_string(),
            "max sort expressions limit reached"
        );
        assert_eq!(
            parse(&"x".repeat(256)).unwrap_err().to_string(),
            "max sort field length limit reached"
        );
    }
}
