//! JSON text as the wire wants it, over the engine's writer: ordered objects, serializable structs, first values.
//!
//! Only for small answers of this crate; records are written by the engine.
//! Source: spec records-files-realtime-batch §0.

use serde::Serialize;
use serde_json::{Map, Value};

pub use engine::json::{write_f64, write_str};

/// Appends any value; objects keep their order.
pub fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => match number.as_i64() {
            Some(int) => engine::json::write_i64(out, int),
            None => write_f64(out, number.as_f64().unwrap_or(0.0)),
        },
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
        Value::Object(map) => write_object(out, map.iter()),
    }
}

fn write_object<'v>(out: &mut Vec<u8>, entries: impl Iterator<Item = (&'v String, &'v Value)>) {
    out.push(b'{');
    for (idx, (key, item)) in entries.enumerate() {
        if idx > 0 {
            out.push(b',');
        }
        write_str(out, key);
        out.push(b':');
        write_value(out, item);
    }
    out.push(b'}');
}

/// Appends an object with its keys in byte order (nested objects keep theirs).
pub fn write_sorted(out: &mut Vec<u8>, map: &Map<String, Value>) {
    let mut entries: Vec<(&String, &Value)> = map.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    write_object(out, entries.into_iter());
}

/// Appends any serializable value; structs keep their declared order.
///
/// # Errors
/// When the value cannot be represented.
pub fn write<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), serde_json::Error> {
    let mut serializer = serde_json::Serializer::with_formatter(out, Wire);
    value.serialize(&mut serializer)
}

/// serde_json's compact output with the wire's numbers.
struct Wire;

impl serde_json::ser::Formatter for Wire {
    fn write_f64<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        value: f64,
    ) -> std::io::Result<()> {
        let mut out = Vec::with_capacity(24);
        write_f64(&mut out, value);
        writer.write_all(&out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_structs_look_alike() {
        let value = serde_json::json!({"b": ["<a>&\u{2028}\"\\\n\u{1}é", 1.0, 1e21, 1e-7, -0.0, 12], "a": 1.5});
        let want = "{\"b\":[\"<a>&\u{2028}\\\"\\\\\\n\\u0001é\",1,1e+21,1e-7,-0,12],\"a\":1.5}";
        let (mut by_value, mut by_serde) = (Vec::new(), Vec::new());
        write_value(&mut by_value, &value);
        write(&mut by_serde, &value).expect("json");
        assert_eq!(String::from_utf8(by_value).expect("utf-8"), want);
        assert_eq!(String::from_utf8(by_serde).expect("utf-8"), want);
    }
}
