//! Stored JSON on its way to a client: blanks between tokens go, strings take their shortest form, all else stays as it is.
//!
//! Keys keep their order and may repeat, numbers keep their spelling (spec upstream-0.40 §1.4). One pass checks and writes,
//! and copies what needs no change in runs. Must not build values: a row's JSON is never decoded to be shown.

use smallvec::SmallVec;

use super::{find_special, read::MAX_DEPTH, write_inner};

/// Appends a JSON text. False, and nothing appended, if it is not exactly one value.
pub fn write_raw(out: &mut Vec<u8>, text: &str) -> bool {
    let start = out.len();
    out.reserve(text.len());
    let done = Pass { bytes: text.as_bytes(), at: 0, from: 0, out: Some(out) }.document();
    if done.is_none() {
        out.truncate(start);
    }
    done.is_some()
}

/// True for what [`write_raw`] writes.
#[must_use]
pub fn is_raw(text: &str) -> bool {
    Pass { bytes: text.as_bytes(), at: 0, from: 0, out: None }.document().is_some()
}

struct Pass<'t, 'o> {
    bytes: &'t [u8],
    at: usize,
    /// What stands before it is written.
    from: usize,
    /// Nowhere, if the text is only to be checked.
    out: Option<&'o mut Vec<u8>>,
}

impl Pass<'_, '_> {
    fn document(&mut self) -> Option<()> {
        // The brackets that are waited for.
        let mut open: SmallVec<[u8; 32]> = SmallVec::new();
        loop {
            self.blanks();
            if let Some(close) = self.value()? {
                self.blanks();
                // deeper JSON counts as text, as in the reference
                if open.len() == MAX_DEPTH {
                    return None;
                } else if self.peek()? == close {
                    self.at += 1;
                } else {
                    open.push(close);
                    if close == b'}' {
                        self.key()?;
                    }
                    continue;
                }
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
        self.string()?;
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
}
