//! JSON as a value: validity, what PostgreSQL cannot store, and one byte string for everything that means the same.

use std::{collections::BTreeMap, ops::Range};

use dialects::{
    Dialect,
    limits::{self, Unfit},
};
use primitives::json::raw::{self, Listener};

/// Why a value cannot be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault(pub(super) &'static str);

/// Deepest nesting; SQLite's own limit.
const DEPTH: usize = 1000;

const DEEP: Fault = Fault("JSON that is nested too deeply");

/// True for JSON text.
pub(super) fn is_json(text: &str) -> Result<bool, Fault> {
    Ok(value_of(text)?.is_some())
}

/// Appends the canonical form: keys sorted, the last of equal keys, numbers by value, no escapes, no white space.
/// Nothing for text that is not JSON.
pub(super) fn write(text: &str, out: &mut Vec<u8>) {
    if let Ok(Some(value)) = value_of(text) {
        value.write(out);
    }
}

fn value_of(text: &str) -> Result<Option<Value>, Fault> {
    let mut building = Building::default();
    let is_good = raw::walk(text, DEPTH + 2, &mut building);
    match building.is_deep {
        true => Err(DEEP),
        false => Ok(building.whole.filter(|_| is_good)),
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

/// A value that is being built by a walk.
#[derive(Default)]
struct Building {
    /// Lists and maps that are not closed yet.
    open: Vec<Value>,
    /// Names of members whose values are not there yet.
    keys: Vec<Vec<u8>>,
    whole: Option<Value>,
    is_deep: bool,
}

impl Building {
    fn may_hold(&mut self) -> Option<()> {
        self.is_deep = self.open.len() > DEPTH;
        (!self.is_deep).then_some(())
    }

    fn add(&mut self, value: Value) -> Option<()> {
        match self.open.last_mut() {
            None => self.whole = Some(value),
            Some(Value::List(items)) => items.push(value),
            Some(Value::Map(map)) => {
                map.insert(self.keys.pop()?, value);
            }
            Some(_) => return None,
        }
        Some(())
    }
}

impl Listener for Building {
    fn open(&mut self, is_map: bool) -> Option<()> {
        self.may_hold()?;
        self.open.push(match is_map {
            true => Value::Map(BTreeMap::new()),
            false => Value::List(Vec::new()),
        });
        Some(())
    }
    fn close(&mut self) -> Option<()> {
        let value = self.open.pop()?;
        self.add(value)
    }
    fn key(&mut self, text: &str, range: Range<usize>) -> Option<()> {
        self.keys.push(raw::bytes_of(&text[range]));
        Some(())
    }
    fn scalar(&mut self, text: &str, range: Range<usize>) -> Option<()> {
        self.may_hold()?;
        let token = &text[range];
        let value = match token.as_bytes().first()? {
            b'"' => Value::Text(raw::bytes_of(token)),
            b'n' => Value::Word("null"),
            b't' => Value::Word("true"),
            b'f' => Value::Word("false"),
            _ => number(token),
        };
        self.add(value)
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
    let shorter = if has_space { raw::compact(text) } else { None };
    shorter.unwrap_or_else(|| text.to_owned())
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
        let nested = |levels: usize, inner: &str| {
            format!("{}{inner}{}", "[".repeat(levels), "]".repeat(levels))
        };
        assert_eq!(is_json(&nested(DEPTH, "1")), Ok(true));
        for deep in [nested(DEPTH + 1, "1"), nested(DEPTH + 2, ""), "[".repeat(100_000)] {
            assert_eq!(is_json(&deep), Err(DEEP));
        }
        for (a, b) in [("\\ud800", "\\udbff"), ("\\ud800", "\\ufffd")] {
            let quoted = |escape: &str| canonical(&format!("\"{escape}\""));
            assert_ne!(quoted(a), quoted(b), "{a} {b}");
        }
    }

    #[test]
    fn white_space() {
        assert_eq!(compact(r#"{ "a b" : [ 1 , "\" x" ] }"#), r#"{"a b":[1,"\" x"]}"#);
    }
}
