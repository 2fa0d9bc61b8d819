//! JSON text as the wire wants it: `<`, `>`, `&`, U+2028/9 escaped, numbers as Go prints them.
//!
//! Only for small answers of this crate; records are written by the engine.
//! Source: spec records-files-realtime-batch §0.

use std::io::Write as _;

use serde::Serialize;
use serde_json::{Map, Value};

/// Appends a JSON string.
pub fn write_str(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut start = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0x08 => b"\\b",
            0x0c => b"\\f",
            b'<' => b"\\u003c",
            b'>' => b"\\u003e",
            b'&' => b"\\u0026",
            0xe2 if bytes[at..].starts_with("\u{2028}".as_bytes()) => b"\\u2028",
            0xe2 if bytes[at..].starts_with("\u{2029}".as_bytes()) => b"\\u2029",
            0..=0x1f => {
                out.extend_from_slice(&bytes[start..at]);
                start = at + 1;
                // writing to a Vec cannot fail
                let _ = write!(out, "\\u{byte:04x}");
                continue;
            }
            _ => continue,
        };
        out.extend_from_slice(&bytes[start..at]);
        out.extend_from_slice(escape);
        start = at + if *byte == 0xe2 { 3 } else { 1 };
    }
    out.extend_from_slice(&bytes[start..]);
    out.push(b'"');
}

/// Appends a number: integers in full, otherwise the shortest text that reads back the same; exponents as Go has them.
pub fn write_f64(out: &mut Vec<u8>, number: f64) {
    if !number.is_finite() {
        out.extend_from_slice(b"null");
        return;
    }
    let size = number.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{number:e}");
        match text.split_once('e') {
            Some((mantissa, exponent)) if !exponent.starts_with('-') => {
                let _ = write!(out, "{mantissa}e+{exponent}");
            }
            _ => out.extend_from_slice(text.as_bytes()),
        }
        return;
    }
    let _ = write!(out, "{number}");
}

/// Appends any value; objects keep their order.
pub fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_str(out, text),
        Value::Array(items) => {
            out.push(b'[');
            for (idx, item) in items.iter().enumerate() {
                if idx > 0 {
                    out.push(b',');
                }
                write_value(out, item);
            }
            out.push(b']');
        }
        Value::Object(map) => {
            out.push(b'{');
            for (idx, (key, item)) in map.iter().enumerate() {
                if idx > 0 {
                    out.push(b',');
                }
                write_str(out, key);
                out.push(b':');
                write_value(out, item);
            }
            out.push(b'}');
        }
    }
}

fn write_number(out: &mut Vec<u8>, number: &serde_json::Number) {
    if let Some(int) = number.as_i64() {
        let _ = write!(out, "{int}");
    } else if let Some(int) = number.as_u64() {
        let _ = write!(out, "{int}");
    } else {
        write_f64(out, number.as_f64().unwrap_or(0.0));
    }
}

/// Appends an object with its keys in byte order (nested objects keep theirs).
pub fn write_sorted(out: &mut Vec<u8>, map: &Map<String, Value>) {
    let mut keys: Vec<&String> = map.keys().collect();
    keys.sort_unstable();
    out.push(b'{');
    for (idx, key) in keys.into_iter().enumerate() {
        if idx > 0 {
            out.push(b',');
        }
        write_str(out, key);
        out.push(b':');
        write_value(out, &map[key]);
    }
    out.push(b'}');
}

/// Appends any serialisable value (structs keep their declared order).
pub fn write<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), serde_json::Error> {
    let mut serializer = serde_json::Serializer::with_formatter(out, Wire);
    value.serialize(&mut serializer)
}

/// serde_json's compact output with the wire's escapes and numbers.
struct Wire;

impl serde_json::ser::Formatter for Wire {
    fn write_string_fragment<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, fragment: &str) -> std::io::Result<()> {
        let mut quoted = Vec::with_capacity(fragment.len() + 2);
        write_str(&mut quoted, fragment);
        writer.write_all(&quoted[1..quoted.len() - 1])
    }

    fn write_f64<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, value: f64) -> std::io::Result<()> {
        let mut out = Vec::with_capacity(24);
        write_f64(&mut out, value);
        writer.write_all(&out)
    }
}

/// Decodes the first JSON value of a text; what follows is ignored, as a stream decoder does.
///
/// # Errors
/// When there is no valid value at the start.
pub fn first_value(text: &[u8]) -> Result<Value, serde_json::Error> {
    let mut stream = serde_json::Deserializer::from_slice(text).into_iter::<Value>();
    match stream.next() {
        Some(value) => value,
        None => serde_json::from_slice(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_numbers() {
        let mut out = Vec::new();
        write_value(&mut out, &serde_json::json!(["<a>&\u{2028}\"\\\n\u{1}é", 1.0, 1e21, 1e-7, 0.000001, -0.0, 12, 1.5]));
        assert_eq!(
            String::from_utf8(out).expect("utf-8"),
            r#"["\u003ca\u003e\u0026\u2028\"\\\n\u0001é",1,1e+21,1e-7,0.000001,-0,12,1.5]"#
        );
    }

    #[test]
    fn first_value_ignores_the_rest() {
        assert_eq!(first_value(b" {\"a\":1} x").expect("value"), serde_json::json!({"a":1}));
        assert!(first_value(b"").is_err());
        assert!(first_value(b"{\"a\"").is_err());
    }
}
