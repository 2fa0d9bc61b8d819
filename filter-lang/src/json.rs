//! Just enough JSON: validity, extraction, elements and length, on text, keeping key order and number spelling.
//!
//! Behaves like SQLite's `json_extract`, `json_each` and `json_array_length` with the guards of
//! spec filter-language §6.4 and §7: text that is not JSON counts as a JSON string.

use crate::{plan::JsonSeg, scope::Datum, value::Value};

const MAX_DEPTH: usize = 1_000;

/// Extracts a path from a column value. An empty path extracts the whole value.
pub(crate) fn extract(column: &Value, path: &[JsonSeg]) -> Value {
    let Value::Text(text) = column else {
        return if path.is_empty() { column.clone() } else { Value::Null };
    };
    match document(text) {
        Some(raw) => locate(raw, path).map_or(Value::Null, scalar),
        None if path.is_empty() => column.clone(),
        None => Value::Null,
    }
}

/// The elements `:each` sees; empty for NULL and an empty array, one element for anything that is no array.
pub(crate) fn elements(column: &Value) -> Vec<Value> {
    match column {
        Value::Null => Vec::new(),
        Value::Text(text) => match document(text).filter(|raw| raw.starts_with('[')) {
            Some(raw) => Items::new(raw).map(|(_, raw)| scalar(raw)).collect(),
            None => vec![column.clone()],
        },
        Value::Int(_) | Value::Real(_) => vec![column.clone()],
    }
}

/// Number of elements `:length` sees: 0 for NULL and `''`, 1 for anything that is no array.
pub(crate) fn length(column: &Value) -> i64 {
    match column {
        Value::Null => 0,
        Value::Text(text) => match document(text).filter(|raw| raw.starts_with('[')) {
            Some(raw) => i64::try_from(Items::new(raw).count()).unwrap_or(i64::MAX),
            None => i64::from(!text.is_empty()),
        },
        Value::Int(_) | Value::Real(_) => 1,
    }
}

/// A part of a JSON text as a typed value; [`Datum::Null`] if it is missing.
pub(crate) fn datum(text: &str, path: &[JsonSeg]) -> Datum {
    let Some(raw) = document(text).and_then(|raw| locate(raw, path)) else { return Datum::Null };
    match raw.as_bytes().first() {
        Some(b'"') => Datum::Text(unescape(raw)),
        Some(b't') => Datum::Bool(true),
        Some(b'f') => Datum::Bool(false),
        Some(b'{' | b'[') => Datum::Json(minify(raw)),
        Some(b'-' | b'0'..=b'9') => raw.parse().map_or(Datum::Null, Datum::Number),
        _ => Datum::Null,
    }
}

/// The elements of a JSON array text, `None` if it is no array.
pub(crate) fn array(text: &str) -> Option<Vec<Datum>> {
    let raw = document(text).filter(|raw| raw.starts_with('['))?;
    Some(Items::new(raw).map(|(_, raw)| datum(raw, &[])).collect())
}

/// Removes blanks outside of strings.
pub(crate) fn minify(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(c) = rest.chars().next() {
        let len = match c {
            '"' => string_len(rest.as_bytes()).unwrap_or(rest.len()),
            _ => c.len_utf8(),
        };
        let (piece, after) = rest.split_at(len.min(rest.len()));
        if !is_blank(c) {
            out.push_str(piece);
        }
        rest = after;
    }
    out
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// The text without surrounding blanks if all of it is one valid JSON value.
fn document(text: &str) -> Option<&str> {
    let raw = text.trim_matches(is_blank);
    (value_len(raw.as_bytes(), 0)? == raw.len()).then_some(raw)
}

fn locate<'a>(mut raw: &'a str, path: &[JsonSeg]) -> Option<&'a str> {
    for seg in path {
        raw = match seg {
            JsonSeg::Key(key) if raw.starts_with('{') => {
                Items::new(raw).find(|(name, _)| name.is_some_and(|name| unescape(name) == *key))?.1
            }
            JsonSeg::Index(index) if raw.starts_with('[') => {
                Items::new(raw).nth(usize::try_from(*index).ok()?)?.1
            }
            JsonSeg::Key(_) | JsonSeg::Index(_) => return None,
        };
    }
    Some(raw)
}

fn scalar(raw: &str) -> Value {
    match raw.as_bytes().first() {
        Some(b'"') => Value::from(unescape(raw)),
        Some(b't') => Value::Int(1),
        Some(b'f') => Value::Int(0),
        Some(b'{' | b'[') => Value::from(minify(raw)),
        Some(b'-' | b'0'..=b'9') => match raw.parse() {
            Ok(int) => Value::Int(int),
            Err(_) => raw.parse().map_or(Value::Null, Value::Real),
        },
        _ => Value::Null,
    }
}

/// Iterates the members of a valid container: raw key (objects only) and raw value.
struct Items<'a> {
    rest: &'a str,
    keyed: bool,
}

impl<'a> Items<'a> {
    fn new(raw: &'a str) -> Self {
        Self {
            rest: raw.get(1..raw.len().saturating_sub(1)).unwrap_or(""),
            keyed: raw.starts_with('{'),
        }
    }

    fn take(&mut self, len: usize) -> &'a str {
        let (piece, after) = self.rest.split_at(len);
        self.rest = after.trim_start_matches(is_blank);
        piece
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = (Option<&'a str>, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.take(0);
        if self.rest.is_empty() {
            return None;
        }
        let key = if self.keyed {
            let len = string_len(self.rest.as_bytes())?;
            let key = self.take(len);
            self.take(1);
            Some(key)
        } else {
            None
        };
        let len = value_len(self.rest.as_bytes(), 0)?;
        let value = self.take(len);
        if self.rest.starts_with(',') {
            self.take(1);
        }
        Some((key, value))
    }
}

/// Length of the valid JSON value at the start of `bytes`.
fn value_len(bytes: &[u8], depth: usize) -> Option<usize> {
    match bytes.first()? {
        b'"' => string_len(bytes),
        b'{' | b'[' => container_len(bytes, depth),
        b't' => bytes.starts_with(b"true").then_some(4),
        b'f' => bytes.starts_with(b"false").then_some(5),
        b'n' => bytes.starts_with(b"null").then_some(4),
        _ => number_len(bytes),
    }
}

fn container_len(bytes: &[u8], depth: usize) -> Option<usize> {
    if depth >= MAX_DEPTH {
        return None;
    }
    let keyed = bytes.first() == Some(&b'{');
    let close = if keyed { b'}' } else { b']' };
    let mut at = 1 + blanks(&bytes[1..]);
    if bytes.get(at) == Some(&close) {
        return Some(at + 1);
    }
    loop {
        if keyed {
            at += string_len(&bytes[at..])?;
            at += blanks(&bytes[at..]);
            if bytes.get(at) != Some(&b':') {
                return None;
            }
            at += 1;
            at += blanks(&bytes[at..]);
        }
        at += value_len(&bytes[at..], depth + 1)?;
        at += blanks(&bytes[at..]);
        match bytes.get(at)? {
            b',' => at += 1,
            byte if *byte == close => return Some(at + 1),
            _ => return None,
        }
        at += blanks(&bytes[at..]);
    }
}

fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| is_blank(char::from(**byte))).count()
}

fn string_len(bytes: &[u8]) -> Option<usize> {
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let mut at = 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => {
                at += match bytes.get(at + 1)? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
                    b'u' if bytes.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) => 6,
                    _ => return None,
                };
            }
            0..=0x1f => return None,
            _ => at += 1,
        }
    }
}

fn number_len(bytes: &[u8]) -> Option<usize> {
    let digits = |at: usize| {
        bytes
            .get(at..)
            .map_or(0, |rest| rest.iter().take_while(|byte| byte.is_ascii_digit()).count())
    };
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits(at);
    if whole == 0 || (whole > 1 && bytes.get(at) == Some(&b'0')) {
        return None;
    }
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
        let exponent = digits(at);
        if exponent == 0 {
            return None;
        }
        at += exponent;
    }
    Some(at)
}

/// Decodes a valid JSON string with its quotes.
fn unescape(raw: &str) -> String {
    let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or("");
    if !inner.contains('\\') {
        return inner.to_owned();
    }
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let (c, len) = escape(&rest[at..]);
        out.push(c);
        rest = &rest[(at + len).min(rest.len())..];
    }
    out.push_str(rest);
    out
}

/// The character of the escape at the start of `text`, and its length.
fn escape(text: &str) -> (char, usize) {
    let unit = |at: usize| text.get(at..at + 4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    match text.as_bytes().get(1) {
        Some(b'b') => ('\x08', 2),
        Some(b'f') => ('\x0c', 2),
        Some(b'n') => ('\n', 2),
        Some(b'r') => ('\r', 2),
        Some(b't') => ('\t', 2),
        Some(b'u') => {
            let high = unit(2).unwrap_or(0xFFFD);
            if (0xD800..0xDC00).contains(&high)
                && text.get(6..8) == Some("\\u")
                && let Some(low @ 0xDC00..0xE000) = unit(8)
            {
                let code = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                return (char::from_u32(code).unwrap_or('\u{FFFD}'), 12);
            }
            (char::from_u32(high).unwrap_or('\u{FFFD}'), 6)
        }
        Some(other) => (char::from(*other), 2),
        None => ('\\', 1),
    }
}

/// Encodes a datum the way the reference does for values without a string form: compact, sorted keys.
pub(crate) fn encode(datum: &Datum) -> String {
    let mut out = String::new();
    write(&mut out, datum);
    out
}

fn write(out: &mut String, datum: &Datum) {
    match datum {
        Datum::Null => out.push_str("null"),
        Datum::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Datum::Number(number) => out.push_str(&number_text(*number)),
        Datum::Text(text) => write_string(out, text),
        Datum::Json(text) if document(text).is_some() => out.push_str(&minify(text)),
        Datum::Json(text) => write_string(out, text),
        Datum::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(out, item);
            }
            out.push(']');
        }
        Datum::Map(members) => {
            out.push('{');
            for (at, (key, value)) in members.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_string(out, key);
                out.push(':');
                write(out, value);
            }
            out.push('}');
        }
    }
}

fn number_text(number: f64) -> String {
    let size = number.abs();
    if number == 0.0 || (1e-6..1e21).contains(&size) {
        return number.to_string();
    }
    if !number.is_finite() {
        return "null".to_owned();
    }
    let text = format!("{number:e}");
    if text.contains("e-") { text } else { text.replace('e', "e+") }
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\x1f' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> JsonSeg {
        JsonSeg::Key(name.into())
    }

    #[test]
    fn extraction() {
        let text =
            r#"{"a":{"b":[1, 2.50,"x\n\ud83d\ude00"]},"c":null,"d":true,"5":"five","e\u0041":0}"#;
        for (path, expected) in [
            (vec![key("a"), key("b"), JsonSeg::Index(0)], Value::Int(1)),
            (vec![key("a"), key("b"), JsonSeg::Index(1)], Value::Real(2.5)),
            (vec![key("a"), key("b"), JsonSeg::Index(2)], Value::from("x\n😀")),
            (vec![key("a")], Value::from(r#"{"b":[1,2.50,"x\n\ud83d\ude00"]}"#)),
            (vec![key("c")], Value::Null),
            (vec![key("d")], Value::Int(1)),
            (vec![key("eA")], Value::Int(0)),
            (vec![JsonSeg::Index(5)], Value::Null),
            (vec![key("zzz")], Value::Null),
        ] {
            assert_eq!(extract(&Value::from(text), &path), expected, "{path:?}");
        }
        assert_eq!(extract(&Value::Int(5), &[]), Value::Int(5));
        assert_eq!(extract(&Value::from("plain text"), &[]), Value::from("plain text"));
        assert_eq!(extract(&Value::from("plain text"), &[key("a")]), Value::Null);
        assert_eq!(extract(&Value::from("null"), &[]), Value::Null);
        assert_eq!(extract(&Value::from(r#""hello""#), &[]), Value::from("hello"));
    }

    #[test]
    fn validity() {
        for (text, valid) in [
            ("[]", true),
            (" {\"a\" : [ 1 , -2e+3 ] } ", true),
            ("", false),
            ("01", false),
            ("[1,]", false),
            ("{a:1}", false),
            ("1.", false),
            ("'x'", false),
            ("\"\\x\"", false),
            ("[1] 2", false),
            ("tru", false),
        ] {
            assert_eq!(document(text).is_some(), valid, "{text:?}");
        }
        assert!(document(&"[".repeat(100_000)).is_none());
        for (depth, valid) in [(1000, true), (1001, false)] {
            let text = "[".repeat(depth) + &"]".repeat(depth);
            assert_eq!(document(&text).is_some(), valid, "{depth}");
        }
    }

    #[test]
    fn elements_and_length() {
        for (column, items, len) in [
            (Value::Null, vec![], 0),
            (Value::from(""), vec![Value::from("")], 0),
            (Value::from("a"), vec![Value::from("a")], 1),
            (Value::from("[]"), vec![], 0),
            (Value::from(r#"["a",1,null]"#), vec![Value::from("a"), Value::Int(1), Value::Null], 3),
        ] {
            assert_eq!(elements(&column), items);
            assert_eq!(length(&column), len);
        }
    }

    #[test]
    fn encoding_is_compact() {
        let map = Datum::Map([("k".to_owned(), Datum::Text("<\"\n".into()))].into());
        let list = Datum::List(vec![Datum::Number(1.0), Datum::Number(1e21), Datum::Null, map]);
        assert_eq!(encode(&list), r#"[1,1e+21,null,{"k":"<\"\n"}]"#);
    }
}
