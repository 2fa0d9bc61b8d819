//! Values as expressions of scripts.

use std::fmt::Write as _;

use super::script;
use crate::{format::plain, value::Value};

/// An expression; with spaces around it where it would grow together with its neighbors.
pub(crate) fn script(value: &Value) -> String {
    let mut text = String::new();
    if let Err(message) = write(&mut text, value) {
        let message = message.replace("*/", "* /");
        return format!(" /* {message} */null ");
    }
    let text = text.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    let joins = |c: Option<char>| c.is_some_and(script::is_word);
    if joins(text.chars().next()) || joins(text.chars().next_back()) {
        return format!(" {text} ");
    }
    text
}

fn write(out: &mut String, value: &Value) -> Result<(), String> {
    match value {
        Value::Nil => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(n) | Value::Plain(n) => {
            let _ = write!(out, "{n}");
        }
        Value::Rune(n) => {
            let _ = write!(out, "{n}");
        }
        Value::Float(n) => out.push_str(&number(*n)?),
        Value::String(text) | Value::Safe(_, text) => string(out, text),
        Value::Bytes(bytes) => string(out, &base64(bytes)),
        Value::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write(out, item)?;
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (i, (key, entry)) in entries.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                string(out, key);
                out.push(':');
                write(out, entry)?;
            }
            out.push('}');
        }
        Value::Host(host) => match host.json() {
            Some(json) => out.push_str(&escaped(&json)),
            None => string(out, &host.print()),
        },
        Value::Function(_) => {
            return Err(format!("json: unsupported type: {}", value.type_name()));
        }
    }
    Ok(())
}

/// JSON that may stand in a page.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

fn string(out: &mut String, text: &str) {
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
            '<' | '>' | '&' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn number(n: f64) -> Result<String, String> {
    if !n.is_finite() {
        return Err(format!("json: unsupported value: {}", plain(&Value::Float(n))));
    }
    let size = n.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{n:e}");
        return Ok(match text.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => {
                format!("{digits}e+{exponent}")
            }
            _ => text,
        });
    }
    Ok(format!("{n}"))
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for part in bytes.chunks(3) {
        let byte = |i: usize| u32::from(part.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i)) as usize & 63];
            out.push(if i <= part.len() { char::from(letter) } else { '=' });
        }
    }
    out
}
