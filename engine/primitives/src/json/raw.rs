//! The one walk over JSON text: it checks, writes, and tells a [`Listener`] of the parts.
//!
//! Stored JSON on its way to a client: blanks between tokens go, strings take their shortest form, all else stays as it is.
//! Keys keep their order and may repeat, numbers keep their spelling (spec upstream-0.40 §1.4). One pass checks and writes,
//! and copies what needs no change in runs. Must not build values: a row's JSON is never decoded to be shown.

use std::{fmt, ops::Range};

use serde::{
    Deserializer as _,
    de::{Error, Visitor},
};

use smallvec::SmallVec;

use super::{find_special, read::MAX_DEPTH, write_inner};

/// Appends a JSON text. False, and nothing appended, if it is not exactly one value.
pub fn write_raw(out: &mut Vec<u8>, text: &str) -> bool {
    let start = out.len();
    out.reserve(text.len());
    let done = Pass::new(text, Some(out), &mut ()).document();
    if done.is_none() {
        out.truncate(start);
    }
    done.is_some()
}

/// True for what [`write_raw`] writes.
#[must_use]
pub fn is_raw(text: &str) -> bool {
    Pass::new(text, None, &mut ()).document().is_some()
}

/// The text without blanks between its tokens, which stay as they are; `None` if it is not exactly one value.
#[must_use]
pub fn compact(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut nobody = ();
    let mut pass = Pass::new(text, Some(&mut out), &mut nobody);
    pass.keeps_escapes = true;
    pass.document()?;
    String::from_utf8(out).ok()
}

/// Tells a listener of the parts of a text; false if it is not exactly one value, nests deeper than `max_depth`, or the
/// listener does not want to go on.
pub fn walk(text: &str, max_depth: usize, listener: &mut impl Listener) -> bool {
    let mut pass = Pass::new(text, None, listener);
    pass.max_depth = max_depth;
    pass.document().is_some()
}

/// Hears of the parts of a JSON text in their order; with `None` the walk ends.
pub trait Listener {
    /// A list or a map begins.
    fn open(&mut self, is_map: bool) -> Option<()>;
    /// The innermost one ends.
    fn close(&mut self) -> Option<()>;
    /// The name of the member that comes next, with its quotes.
    fn key(&mut self, text: &str, range: Range<usize>) -> Option<()>;
    /// A text (with its quotes), number or word.
    fn scalar(&mut self, text: &str, range: Range<usize>) -> Option<()>;
}

/// Nobody listens.
impl Listener for () {
    #[inline]
    fn open(&mut self, _: bool) -> Option<()> {
        Some(())
    }
    #[inline]
    fn close(&mut self) -> Option<()> {
        Some(())
    }
    #[inline]
    fn key(&mut self, _: &str, _: Range<usize>) -> Option<()> {
        Some(())
    }
    #[inline]
    fn scalar(&mut self, _: &str, _: Range<usize>) -> Option<()> {
        Some(())
    }
}

/// The bytes of a JSON string that a walk told of: escapes resolved, halves of surrogate pairs as three bytes each.
#[must_use]
pub fn bytes_of(quoted: &str) -> Vec<u8> {
    struct Bytes;
    impl Visitor<'_> for Bytes {
        type Value = Vec<u8>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }
        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }
    }
    let mut source = serde_json::Deserializer::from_str(quoted);
    source.deserialize_bytes(Bytes).unwrap_or_default()
}

struct Pass<'t, 'o, L> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// What stands before it is written.
    from: usize,
    /// Nowhere, if the text is only to be checked.
    out: Option<&'o mut Vec<u8>>,
    keeps_escapes: bool,
    max_depth: usize,
    listener: &'o mut L,
}

impl<'t, 'o, L: Listener> Pass<'t, 'o, L> {
    fn new(text: &'t str, out: Option<&'o mut Vec<u8>>, listener: &'o mut L) -> Self {
        let bytes = text.as_bytes();
        let (keeps_escapes, max_depth) = (false, MAX_DEPTH);
        Self { text, bytes, at: 0, from: 0, out, keeps_escapes, max_depth, listener }
    }

    fn document(&mut self) -> Option<()> {
        // The brackets that are waited for.
        let mut open: SmallVec<[u8; 32]> = SmallVec::new();
        loop {
            self.blanks();
            let start = self.at;
            if let Some(close) = self.value()? {
                self.blanks();
                // deeper JSON counts as text, as in the reference
                if open.len() == self.max_depth {
                    return None;
                }
                self.listener.open(close == b'}')?;
                if self.peek()? == close {
                    self.at += 1;
                    self.listener.close()?;
                } else {
                    open.push(close);
                    if close == b'}' {
                        self.key()?;
                    }
                    continue;
                }
            } else {
                self.listener.scalar(self.text, start..self.at)?;
            }
            loop {
                self.blanks();
                let Some(&close) = open.last() else {
                    self.copy();
                    return (self.at == self.bytes.len()).then_some(());
                };
                match self.peek()? {
                    b',' => {
                        self.at += 1;
                        if close == b'}' {
                            self.key()?;
                        }
                        break;
                    }
                    byte if byte == close => {
                        self.at += 1;
                        open.pop();
                        self.listener.close()?;
                    }
                    _ => return None,
                }
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Writes what was passed since the last time.
    fn copy(&mut self) {
        if let Some(out) = &mut self.out {
            out.extend_from_slice(&self.bytes[self.from..self.at]);
        }
        self.from = self.at;
    }

    /// Drops blanks.
    #[inline]
    fn blanks(&mut self) {
        if matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.copy();
            while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
                self.at += 1;
            }
            self.from = self.at;
        }
    }

    /// Passes a scalar, or an opening bracket, whose counterpart it gives.
    fn value(&mut self) -> Option<Option<u8>> {
        match self.peek()? {
            b'"' => self.string()?,
            b'{' => {
                self.at += 1;
                return Some(Some(b'}'));
            }
            b'[' => {
                self.at += 1;
                return Some(Some(b']'));
            }
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            b'n' => self.word(b"null")?,
            _ => self.number()?,
        }
        Some(None)
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.bytes[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn digits(&mut self) -> Option<()> {
        let rest = &self.bytes[self.at..];
        let n = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += n;
        (n > 0).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek()? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    /// A member's name and its colon.
    fn key(&mut self) -> Option<()> {
        self.blanks();
        if self.peek()? != b'"' {
            return None;
        }
        let start = self.at;
        self.string()?;
        self.listener.key(self.text, start..self.at)?;
        self.blanks();
        (self.peek()? == b':').then(|| self.at += 1)
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            self.at = find_special(self.bytes, self.at)?;
            match self.bytes[self.at] {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
    }

    /// An escape; one that need not be becomes what it stands for.
    fn escape(&mut self) -> Option<()> {
        let shown = match self.bytes.get(self.at + 1)? {
            b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => {
                self.at += 2;
                return Some(());
            }
            b'/' => ('/', 2),
            b'u' => self.unicode()?,
            _ => return None,
        };
        if self.keeps_escapes {
            self.at += shown.1;
            return Some(());
        }
        self.copy();
        self.at += shown.1;
        self.from = self.at;
        if let Some(out) = &mut self.out {
            write_inner(out, shown.0.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Some(())
    }

    /// The character of `\uXXXX` or of a pair of them, and the length. Half a pair is U+FFFD.
    fn unicode(&self) -> Option<(char, usize)> {
        let first = self.unit(self.at)?;
        if let 0xD800..0xDC00 = first
            && let Some(second @ 0xDC00..0xE000) = self.unit(self.at + 6)
        {
            let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            return Some((char::from_u32(code)?, 12));
        }
        Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6))
    }

    fn unit(&self, at: usize) -> Option<u32> {
        let digits = self.bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |n, byte| Some(n * 16 + char::from(*byte).to_digit(16)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        let mut out = b"x".to_vec();
        let is_json = write_raw(&mut out, text);
        assert!(is_json || out == b"x", "{text}");
        assert_eq!(is_raw(text), is_json, "{text}");
        is_json.then(|| String::from_utf8(out).expect("utf-8")[1..].to_owned())
    }

    /// Values of the reference.
    #[test]
    fn strings_are_shortest_and_all_else_stays() {
        for (text, want) in [
            (
                "{ \"a\" : [ 1.50 , \"x  y\" ] ,\n\t\"b\" : null }",
                r#"{"a":[1.50,"x  y"],"b":null}"#,
            ),
            (r#"{"a":1,"a":2,"\u0061":3}"#, r#"{"a":1,"a":2,"a":3}"#),
            ("[1.50, -0, 1e2 , 1E+2,1e400]", "[1.50,-0,1e2,1E+2,1e400]"),
            (r#"{"k<":"a & b","q":"\" \\"}"#, r#"{"k<":"a & b","q":"\" \\"}"#),
            (r#"{"a":"\u00e9\u003c\/"}"#, r#"{"a":"é</"}"#),
            (r#""\u2028\u2029""#, "\"\u{2028}\u{2029}\""),
            (
                r#""\u0000\u001F\u007f\u0008\b\u000a\u0009\u0022\u005C\u000d\u000c""#,
                "\"\\u0000\\u001f\u{7f}\\b\\b\\n\\t\\\"\\\\\\r\\f\"",
            ),
            (
                r#""\ud800 \udc00\ud800 \ud83d\ude00 \uDE00 \ud83d\u0041 \ud83d\\""#,
                "\"\u{fffd} \u{fffd}\u{fffd} \u{1f600} \u{fffd} \u{fffd}A \u{fffd}\\\\\"",
            ),
            ("  12 ", "12"),
            ("[ ]", "[]"),
            (" { } ", "{}"),
            (r#"[[],{},[{"a":[]}]]"#, r#"[[],{},[{"a":[]}]]"#),
            ("true", "true"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(want), "{text}");
        }
    }

    /// Accepts what serde_json accepts, and shows the same value.
    #[test]
    fn agrees_with_a_parser() {
        let pieces = [
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "\"a\"",
            "\"\\u0041\\n\"",
            "1",
            "-0",
            "1.5e3",
            "01",
            ".5",
            "1.",
            "-",
            "1e",
            "true",
            "nul",
            " ",
            "\"\u{1}\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"",
            "\t\n",
        ];
        let mut state = 7u64;
        let mut accepted = 0;
        for _ in 0..60_000 {
            let mut text = String::new();
            for _ in 0..1 + state % 7 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
            }
            let parsed = serde_json::from_str::<serde::de::IgnoredAny>(&text);
            let shown = shown(&text);
            assert_eq!(shown.is_some(), parsed.is_ok(), "{text}");
            // Some numbers are no doubles.
            let value = serde_json::from_str::<serde_json::Value>(&text);
            if let (Some(shown), Ok(value)) = (shown, value) {
                accepted += 1;
                assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
            }
        }
        assert!(accepted > 1000, "{accepted}");
    }

    #[test]
    fn depth_is_limited_without_recursion() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        for (n, ok) in [(127, true), (MAX_DEPTH, true), (MAX_DEPTH + 1, false)] {
            assert_eq!(shown(&nested(n)).is_some(), ok, "{n}");
        }
    }

    #[test]
    fn compaction_keeps_tokens() {
        for (text, want) in [
            (r#"{ "a b" : [ 1 , "\" x" ] }"#, Some(r#"{"a b":[1,"\" x"]}"#)),
            (" [ 1.0e2,\t\"\\u00e4\\/ \" ]\n", Some("[1.0e2,\"\\u00e4\\/ \"]")),
            ("[1,]", None),
        ] {
            assert_eq!(compact(text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn listeners_hear_all_parts() {
        #[derive(Default)]
        struct Heard(Vec<String>);
        impl Listener for Heard {
            fn open(&mut self, is_map: bool) -> Option<()> {
                self.0.push(if is_map { "{" } else { "[" }.to_owned());
                Some(())
            }
            fn close(&mut self) -> Option<()> {
                self.0.push("end".to_owned());
                Some(())
            }
            fn key(&mut self, text: &str, range: Range<usize>) -> Option<()> {
                self.0.push(format!("{}:", &text[range]));
                Some(())
            }
            fn scalar(&mut self, text: &str, range: Range<usize>) -> Option<()> {
                self.0.push(text[range.clone()].to_owned());
                (&text[range] != "\"stop\"").then_some(())
            }
        }
        let mut heard = Heard::default();
        assert!(walk(r#" {"a" : [ 1, {}, [ ] ], "ä": "x\u0041" } "#, 3, &mut heard));
        let want = r#"{ "a": [ 1 { end [ end end "ä": "x\u0041" end"#;
        assert_eq!(heard.0.join(" "), want);
        assert!(!walk("[[1]]", 1, &mut Heard::default()));
        assert!(!walk(r#"[1,"stop"]"#, 9, &mut Heard::default()));
        assert!(!walk("[1", 9, &mut Heard::default()));
    }

    #[test]
    fn bytes_of_strings() {
        for (quoted, want) in [
            (r#""a\n\u00e4\ud83d\ude00""#, "a\nä😀".as_bytes()),
            (r#""\ud800x""#, &[0xED, 0xA0, 0x80, b'x'][..]),
            (r#""\udc00\ud800""#, &[0xED, 0xB0, 0x80, 0xED, 0xA0, 0x80]),
            (r#""""#, b""),
        ] {
            assert_eq!(bytes_of(quoted), want, "{quoted}");
        }
    }
}
