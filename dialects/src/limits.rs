//! What a database cannot hold although it is text or JSON. Must not know what to say about it.
//!
//! PostgreSQL stores neither U+0000 nor, in JSON, halves of surrogate pairs; SQLite stores anything.

use std::borrow::Cow;

use crate::idiom::Dialect;
pub use crate::idiom::Unfit;

/// What keeps a text out.
#[must_use]
pub fn unfit_text(d: Dialect, text: &str) -> Option<Unfit> {
    d.0.unfit_text(text)
}

/// What keeps a valid JSON text out: escapes of characters that cannot be stored.
#[must_use]
pub fn unfit_json(d: Dialect, text: &str) -> Option<Unfit> {
    d.0.unfit_json(text)
}

/// A text with everything that cannot be stored replaced by U+FFFD, for what must be kept somehow (logs).
#[must_use]
pub fn mend_text(d: Dialect, text: &str) -> Cow<'_, str> {
    match unfit_text(d, text) {
        None => Cow::Borrowed(text),
        Some(_) => Cow::Owned(text.replace('\0', "\u{fffd}")),
    }
}

/// The same for valid JSON.
#[must_use]
pub fn mend_json(d: Dialect, text: &str) -> Cow<'_, str> {
    match unfit_json(d, text) {
        None => Cow::Borrowed(text),
        Some(_) => mend_escapes(mend_text(d, text), |_| true),
    }
}

/// JSON in which halves of surrogate pairs, which are no text, are replaced by U+FFFD.
#[must_use]
pub fn mend_half_pairs(text: &str) -> Cow<'_, str> {
    mend_escapes(Cow::Borrowed(text), |why| why == Unfit::HalfPair)
}

fn mend_escapes(mut text: Cow<'_, str>, is_bad: impl Fn(Unfit) -> bool) -> Cow<'_, str> {
    let mut done = 0;
    while let Some((at, why)) = text.get(done..).and_then(bad_escape) {
        let at = done + at;
        if is_bad(why) {
            text.to_mut().replace_range(at..at + 6, "\\ufffd");
        }
        done = at + 6;
    }
    text
}

/// The first escape of U+0000 or of half a pair, and where it begins.
pub(crate) fn bad_escape(text: &str) -> Option<(usize, Unfit)> {
    let bytes = text.as_bytes();
    let unit = |at: usize| {
        let digits = bytes.get(at..)?.strip_prefix(b"\\u")?.get(..4)?;
        digits.iter().try_fold(0, |n: u32, b| Some(n * 16 + char::from(*b).to_digit(16)?))
    };
    let mut at = 0;
    while let Some(n) = bytes.get(at..)?.iter().position(|b| *b == b'\\') {
        let start = at + n;
        at = start + 2;
        let Some(code) = unit(start) else { continue };
        at = start + 6;
        match code {
            0 => return Some((start, Unfit::Nul)),
            0xDC00..=0xDFFF => return Some((start, Unfit::HalfPair)),
            0xD800..=0xDBFF => match unit(at) {
                Some(0xDC00..=0xDFFF) => at += 6,
                _ => return Some((start, Unfit::HalfPair)),
            },
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postgres_refuses() {
        let pg = Dialect::POSTGRES;
        for good in [r#""\\u0000""#, r#""\ud83d\ude00""#, r#""\u0001\n""#, "1", r#""\"#] {
            assert_eq!(unfit_json(pg, good), None, "{good}");
            assert_eq!(mend_json(pg, good), good);
        }
        for (bad, why, mended) in [
            (r#""\u0000""#, Unfit::Nul, r#""\ufffd""#),
            (r#""\\\u0000a""#, Unfit::Nul, r#""\\\ufffda""#),
            (r#""\ud83d""#, Unfit::HalfPair, r#""\ufffd""#),
            (r#""\uDE00\ud83d""#, Unfit::HalfPair, r#""\ufffd\ufffd""#),
            (r#""\ud83dx\ud83d\ude00""#, Unfit::HalfPair, r#""\ufffdx\ud83d\ude00""#),
        ] {
            assert_eq!(unfit_json(pg, bad), Some(why), "{bad}");
            assert_eq!(mend_json(pg, bad), mended);
            assert_eq!(unfit_json(Dialect::SQLITE, bad), None);
        }
        assert_eq!(
            mend_half_pairs(r#""\u0000\udc00\ud800\udc00""#),
            r#""\u0000\ufffd\ud800\udc00""#
        );
        assert_eq!(unfit_text(pg, "a\0"), Some(Unfit::Nul));
        assert_eq!(mend_text(pg, "a\0b"), "a\u{fffd}b");
        assert_eq!(mend_text(Dialect::SQLITE, "a\0b"), "a\0b");
    }
}
