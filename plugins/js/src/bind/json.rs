//! [`encode`]: exported values as JSON text, as the reference's encoder writes them.
//!
//! Source: spec extending §2.5, upstream-0.40 §7.3: keys sorted, no HTML escapes, bytes as base64, `NaN` and functions fail.

use std::fmt::Write as _;

use pocketbase::{Error, Result};

use super::Val;

/// The JSON text of a value.
pub(crate) fn encode(value: &Val) -> Result<Vec<u8>> {
    let mut text = String::with_capacity(128);
    write(&mut text, value)?;
    Ok(text.into_bytes())
}

fn write(out: &mut String, value: &Val) -> Result<()> {
    match value {
        Val::Null => out.push_str("null"),
        Val::Bool(on) => out.push_str(if *on { "true" } else { "false" }),
        Val::Int(int) => {
            let _ = write!(out, "{int}");
        }
        Val::Float(n) => number(out, *n)?,
        Val::Str(text) => string(out, text),
        Val::Boxed(value) => write(out, value)?,
        Val::Bytes(bytes) => {
            out.push('"');
            base64(out, bytes);
            out.push('"');
        }
        Val::Raw(text) => out.push_str(if text.is_empty() { "null" } else { text }),
        Val::Time(millis) => {
            out.push('"');
            out.push_str(&rfc3339(*millis));
            out.push('"');
        }
        Val::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(out, item)?;
            }
            out.push(']');
        }
        Val::Map(map) => {
            let map = map.lock().clone();
            out.push('{');
            for (at, (key, value)) in map.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                string(out, key);
                out.push(':');
                write(out, value)?;
            }
            out.push('}');
        }
        Val::Host(host) => match (host.kind().json, host.kind().text) {
            (Some(json), _) => match json(host) {
                value if host.kind().order.is_empty() => write(out, &value)?,
                Val::Raw(text) => out.push_str(&text),
                value => out.push_str(&super::order::text(host.kind().order, &value.into_json())),
            },
            (None, Some(text)) => string(out, &text(host)),
            (None, None) => out.push_str("{}"),
        },
        Val::Opaque => return Err(Error::other("json: unsupported type: func")),
    }
    Ok(())
}

/// The shortest form; exponents from 1e21 and below 1e-6.
fn number(out: &mut String, n: f64) -> Result<()> {
    if !n.is_finite() {
        return Err(Error::other(format!("json: unsupported value: {n}")));
    }
    let size = n.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{n:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let sign = if exponent.starts_with('-') { "" } else { "+" };
        let _ = write!(out, "{digits}e{sign}{exponent}");
    } else {
        let _ = write!(out, "{n}");
    }
    Ok(())
}

pub(crate) fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn base64(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i) & 63) as usize];
            out.push(if i > chunk.len() { '=' } else { char::from(letter) });
        }
    }
}

/// `2024-01-02T03:04:05.678Z`, without a fraction that is zero.
fn rfc3339(millis: i64) -> String {
    let text = pocketbase::DateTime::from_millis(millis).to_string().replacen(' ', "T", 1);
    let Some((whole, fraction)) = text.trim_end_matches('Z').split_once('.') else { return text };
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { format!("{whole}Z") } else { format!("{whole}.{fraction}Z") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bind::new_map;

    #[test]
    fn as_the_reference_writes_them() {
        for (value, text) in [
            (Val::Float(1e21), "1e+21"),
            (Val::Float(1e-7), "1e-7"),
            (Val::Float(-0.0), "-0"),
            (Val::Float(1.5), "1.5"),
            (Val::Str("<a&b>\u{2028}\"\u{1}".into()), "\"<a&b>\u{2028}\\\"\\u0001\""),
            (Val::Bytes(vec![1, 2, 3]), "\"AQID\""),
            (Val::Bytes(vec![1]), "\"AQ==\""),
            (Val::Bytes(vec![1, 2]), "\"AQI=\""),
            (Val::Time(1_704_164_645_678), "\"2024-01-02T03:04:05.678Z\""),
            (Val::Time(1_704_164_645_000), "\"2024-01-02T03:04:05Z\""),
            (
                Val::Map(new_map([
                    ("b".into(), Val::Int(1)),
                    ("a".into(), Val::List(vec![Val::Null])),
                ])),
                "{\"a\":[null],\"b\":1}",
            ),
        ] {
            assert_eq!(
                String::from_utf8(encode(&value).expect("it can be written")).expect("text"),
                text
            );
        }
        assert!(encode(&Val::Float(f64::NAN)).is_err() && encode(&Val::Opaque).is_err());
    }
}
