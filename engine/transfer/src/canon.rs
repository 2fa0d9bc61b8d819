//! JSON as a value: validity, what PostgreSQL cannot store, and one byte string for everything that means the same.

use std::collections::BTreeMap;

use dialects::{
    Dialect,
    limits::{self, Unfit},
};

/// Why a value cannot be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault(pub(super) &'static str);

/// Deepest nesting; SQLite's own limit.
const DEPTH: usize = 1000;

const DEEP: Fault = Fault("JSON that is nested too deeply");

/// True for JSON text.
pub(super) fn is_json(text: &str) -> Result<bool, Fault> {
    let mut walk = Walk { bytes: text.as_bytes(), at: 0, deep: false };
    let good = walk.value(0).is_some() && walk.end();
    if walk.deep { Err(DEEP) } else { Ok(good) }
}

/// Appends the canonical form: keys sorted, the last of equal keys, numbers by value, no escapes, no white space.
/// Nothing for text that is not JSON.
pub(super) fn write(text: &str, out: &mut Vec<u8>) {
    let mut walk = Walk { bytes: text.as_bytes(), at: 0, deep: false };
    if let Some(value) = walk.value(0) {
        value.write(out);
    }
}

/// A JSON value, parsed.
enum Value {
    Word(&'static str),
    Number(f64),
    Int(i64),
    Text(Vec<u8>),
    List(Vec<Value>),
    Map(BTreeMap<Vec<u8>, Value>),
}

impl Value {
    fn write(&self, out: &mut Vec<u8>) {
        let sized = |out: &mut Vec<u8>, tag: u8, n: usize| {
            out.push(tag);
            out.extend_from_slice(&(n as u64).to_be_bytes());
        };
        match self {
            Self::Word(word) => out.extend_from_slice(word.as_bytes()),
            Self::Number(x) => {
                out.push(b'#');
                out.extend_from_slice(&x.to_bits().to_be_bytes());
            }
            Self::Int(n) => {
                out.push(b'i');
                out.extend_from_slice(&n.to_be_bytes());
            }
            Self::Text(text) => {
                sized(out, b'"', text.len());
                out.extend_from_slice(text);
            }
            Self::List(items) => {
                sized(out, b'[', items.len());
                for item in items {
                    item.write(out);
                }
            }
            Self::Map(map) => {
                sized(out, b'{', map.len());
                for (key, item) in map {
                    sized(out, b'"', key.len());
                    out.extend_from_slice(key);
                    item.write(out);
                }
            }
        }
    }
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    deep: bool,
}

impl Walk<'_> {
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }
    fn end(&mut self) -> bool {
        self.peek().is_none()
    }
    fn word(&mut self, word: &'static str) -> Option<Value> {
        self.bytes[self.at..].starts_with(word.as_bytes()).then(|| {
            self.at += word.len();
            Value::Word(word)
        })
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEPTH {
            self.deep = true;
            return None;
        }
        match self.peek()? {
            b'n' => self.word("null"),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'"' => self.text().map(Value::Text),
            b'[' => self.list(depth),
            b'{' => self.map(depth),
            _ => self.number(),
        }
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        self.at += 1;
        let mut items = Vec::new();
        if self.eat(b']') {
            return Some(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.eat(b']') {
                return Some(Value::List(items));
            }
            if !self.eat(b',') {
                return None;
            }
        }
    }

    fn map(&mut self, depth: usize) -> Option<Value> {
        self.at += 1;
        let mut map = BTreeMap::new();
        if self.eat(b'}') {
            return Some(Value::Map(map));
        }
        loop {
            if self.peek()? != b'"' {
                return None;
            }
            let key = self.text()?;
            if !self.eat(b':') {
                return None;
            }
            map.insert(key, self.value(depth + 1)?);
            if self.eat(b'}') {
                return Some(Value::Map(map));
            }
            if !self.eat(b',') {
                return None;
            }
        }
    }

    fn number(&mut self) -> Option<Value> {
        let from = self.at;
        let digits = |walk: &mut Self| {
            let start = walk.at;
            while walk.bytes.get(walk.at).is_some_and(u8::is_ascii_digit) {
                walk.at += 1;
            }
            walk.at > start
        };
        self.at += usize::from(self.bytes.get(from) == Some(&b'-'));
        let zero = self.bytes.get(self.at) == Some(&b'0');
        let start = self.at;
        if !digits(self) || (zero && self.at > start + 1) {
            return None;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            if !digits(self) {
                return None;
            }
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.bytes.get(self.at), Some(b'+' | b'-')));
            if !digits(self) {
                return None;
            }
        }
        let text = std::str::from_utf8(&self.bytes[from..self.at]).ok()?;
        Some(number(text))
    }

    /// The bytes of a string; escapes resolved, halves of surrogate pairs kept as three bytes each.
    fn text(&mut self) -> Option<Vec<u8>> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            let rest = &self.bytes[self.at..];
            let n = rest.iter().position(|b| matches!(b, b'"' | b'\\') || *b < 0x20)?;
            out.extend_from_slice(&rest[..n]);
            self.at += n + 1;
            match rest[n] {
                b'"' => return Some(out),
                b'\\' => self.escape(&mut out)?,
                _ => return None,
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        out.push(match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let code = self.unit()?;
                let low = self.bytes[self.at..].starts_with(b"\\u").then(|| {
                    let mut ahead = Walk { bytes: self.bytes, at: self.at + 2, deep: false };
                    ahead.unit()
                });
                let pair = match low.flatten() {
                    Some(low) if is_high(code) && is_low(low) => {
                        self.at += 6;
                        0x1_0000 + ((code - 0xD800) << 10) + (low - 0xDC00)
                    }
                    _ => code,
                };
                push_code(out, pair);
                return Some(());
            }
            _ => return None,
        });
        Some(())
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().try_fold(0, |n, b| Some(n * 16 + char::from(*b).to_digit(16)?))
    }
}

fn is_high(code: u32) -> bool {
    (0xD800..0xDC00).contains(&code)
}

fn is_low(code: u32) -> bool {
    (0xDC00..0xE000).contains(&code)
}

fn push_code(out: &mut Vec<u8>, code: u32) {
    if let Some(c) = char::from_u32(code) {
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        let [_, _, high, low] = code.to_be_bytes();
        out.extend_from_slice(&[0xED, high, low]);
    }
}

/// A number by its value: `1`, `1.0` and `10e-1` are the same.
fn number(text: &str) -> Value {
    if let Ok(n) = text.parse::<i64>() {
        return Value::Int(n);
    }
    let x: f64 = text.parse().unwrap_or(f64::NAN);
    #[allow(clippy::cast_possible_truncation)]
    if x.fract() == 0.0 && x.abs() < 9.2e18 { Value::Int(x as i64) } else { Value::Number(x) }
}

/// Valid JSON without white space between tokens.
pub(super) fn compact(text: &str) -> String {
    let has_space = text.bytes().any(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'));
    if !has_space {
        return text.to_owned();
    }
    let (mut out, mut quoted, mut escaped) = (String::with_capacity(text.len()), false, false);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ' ' | '\t' | '\n' | '\r' if !quoted => continue,
            _ => {}
        }
        out.push(c);
    }
    out
}

/// A JSON string.
pub(super) fn quote(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

/// Finds escapes in valid JSON that PostgreSQL refuses: U+0000 and halves of surrogate pairs.
pub(super) fn check_escapes(text: &str) -> Result<(), Fault> {
    match limits::unfit_json(Dialect::POSTGRES, text) {
        None => Ok(()),
        Some(Unfit::Nul) => {
            Err(Fault("JSON with a NUL character (\\u0000), which PostgreSQL cannot store"))
        }
        Some(Unfit::HalfPair) => Err(Fault(
            "JSON with half of a surrogate pair (\\ud800 to \\udfff), which PostgreSQL cannot store",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        write(text, &mut out);
        out
    }

    #[test]
    fn same_values() {
        for (a, b) in [
            ("1", "1.0"),
            ("1e2", "100"),
            ("1e17", "100000000000000000"),
            ("0.0000001", "1e-7"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("1e400", "1e999"),
            (r#"{"b":1,"a":[true,null]}"#, r#"{ "a" : [true, null], "b" : 1.00 }"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            (r#""\u00e4\ud83d\ude00\/""#, "\"ä😀/\""),
        ] {
            assert_eq!(canonical(a), canonical(b), "{a} {b}");
        }
        for (a, b) in [
            ("1", "\"1\""),
            ("[1,2]", "[2,1]"),
            ("[]", "{}"),
            ("null", "\"null\""),
            ("9007199254740993", "9007199254740992"),
            (r#"["a","b"]"#, r#"["ab"]"#),
            ("0.1", "0.2"),
        ] {
            assert_ne!(canonical(a), canonical(b), "{a} {b}");
        }
    }

    #[test]
    fn validity() {
        for good in ["1", "-1.5e+3", " [ ] ", "{\"a\":{}}", "\"\\u0041\"", "true"] {
            assert_eq!(is_json(good), Ok(true), "{good}");
        }
        for bad in
            ["", "01", "1.", ".5", "+1", "[1,]", "{a:1}", "\"\n\"", "tru", "1 2", "\"\\x\"", "NaN"]
        {
            assert_eq!(is_json(bad), Ok(false), "{bad}");
        }
        assert_eq!(is_json(&"[".repeat(100_000)), Err(DEEP));
    }

    #[test]
    fn white_space() {
        assert_eq!(compact(r#"{ "a b" : [ 1 , "\" x" ] }"#), r#"{"a b":[1,"\" x"]}"#);
    }
}
