//! `json`: any JSON, kept as text.

use std::borrow::Cow;

use filter_lang::{schema::Class, value::Affinity};
use serde_json::Value;

use super::{
    ColumnType, Corrupt, DbCheck, Field, FieldType, RecordCheck, SettingsCheck, Val, cell_text,
    editor::exceeds, field_type_basics,
};
use crate::{
    check::{self, MAX_SAFE},
    error::{FieldError, FieldErrors},
    json,
    store::ValueRef,
    wire,
};

/// The wire name.
pub const KIND: &str = "json";
const DEFAULT_MAX_BYTES: i64 = 1 << 20;

wire! {
    /// Options of `json`.
    #[derive(Default)]
    pub struct Json {
        /// Greatest size in bytes, 0 for 1 MiB.
        max_size: i64 = "maxSize",
    }
}

pub(super) fn blank() -> Json {
    Json::default()
}

impl Json {
    fn max_bytes(&self) -> i64 {
        if self.max_size > 0 { self.max_size } else { DEFAULT_MAX_BYTES }
    }
}

/// Well-formed; whether it may be stored is another question ([`json::read::is_sound`]).
fn is_json(text: &str) -> bool {
    json::is_raw(text)
}

/// True for strings that are taken as JSON if they are some (spec §3.9).
fn may_be_json(text: &str) -> bool {
    matches!(text, "null" | "true" | "false")
        || matches!(text.as_bytes(), [b'0'..=b'9' | b'-' | b'"' | b'[' | b'{', ..])
}

/// A submitted string as JSON text: JSON stays verbatim, anything else is quoted.
#[must_use]
pub fn text_to_json(text: &str) -> Cow<'_, str> {
    if may_be_json(text) && is_json(text) { Cow::Borrowed(text) } else { Cow::Owned(quote(text)) }
}

/// Shows a stored text: JSON in its shortest form, anything else as a string.
fn show(text: &str, out: &mut Vec<u8>) {
    if !(may_be_json(text) && json::write_raw(out, text)) {
        json::write_str(out, text);
    }
}

/// Go's string quoting; control characters make text that is not JSON, as in the reference.
fn quote(text: &str) -> String {
    use std::fmt::Write as _;

    let mut out = String::with_capacity(text.len() + 2);
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
            '\u{7}' => out.push_str("\\a"),
            '\u{b}' => out.push_str("\\v"),
            c if u32::from(c) < 0x20 || c == '\u{7f}' => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn raw(val: &Val) -> Option<&str> {
    if let Val::Json(raw) = val { raw.as_deref() } else { None }
}

impl FieldType for Json {
    field_type_basics!(KIND);

    fn class(&self) -> Class {
        Class::Json
    }

    fn affinity(&self) -> Affinity {
        Affinity::Num
    }

    fn column(&self) -> ColumnType {
        ColumnType::Json
    }

    fn max_body_bytes(&self) -> u64 {
        self.max_bytes().unsigned_abs()
    }

    fn zero(&self) -> Val {
        Val::Json(None)
    }

    fn is_empty(&self, val: &Val) -> bool {
        raw(val).is_none_or(|text| matches!(text.trim(), "" | "null" | "\"\"" | "[]" | "{}"))
    }

    fn normalize(&self, json: &Value) -> Val {
        Val::Json(match json {
            Value::Null => None,
            Value::String(text) => Some(text_to_json(text).into_owned()),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                let mut out = Vec::new();
                json::write_sorted(&mut out, json);
                Some(String::from_utf8_lossy(&out).into_owned())
            }
        })
    }

    fn read(&self, cell: ValueRef<'_>) -> Result<Val, Corrupt> {
        if cell == ValueRef::Null {
            return Ok(Val::Json(None));
        }
        let text = cell_text(cell);
        if may_be_json(&text) && is_json(&text) {
            return Ok(Val::Json(Some(text.into_owned())));
        }
        let mut out = Vec::with_capacity(text.len() + 2);
        json::write_str(&mut out, &text);
        Ok(Val::Json(Some(String::from_utf8(out).unwrap_or_default())))
    }

    fn to_db(&self, val: &Val) -> dialects::Value {
        raw(val).map_or(dialects::Value::Null, |text| dialects::Value::Text(text.into()))
    }

    fn write_json(&self, cell: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        if cell == ValueRef::Null {
            out.extend_from_slice(b"null");
        } else {
            show(&cell_text(cell), out);
        }
        Ok(())
    }

    fn write_val_json(&self, val: &Val, out: &mut Vec<u8>) {
        match raw(val) {
            Some(text) if json::write_raw(out, text) => {}
            // Not JSON: `check` refuses to store it.
            Some(text) => json::write_str(out, text),
            None => out.extend_from_slice(b"null"),
        }
    }

    fn check(
        &self,
        field: &Field,
        val: &Val,
        _: &RecordCheck<'_>,
    ) -> Result<Option<DbCheck>, FieldError> {
        let text = raw(val).unwrap_or("null");
        let max = self.max_bytes();
        // no value has no size
        if raw(val).is_some() && exceeds(text, max) {
            return Err(FieldError::new(
                "validation_json_size_limit",
                format!("The maximum allowed JSON size is {max} bytes"),
            )
            .param("maxSize", max));
        }
        // what is stored already, too: a record stays as it is until the value is replaced (spec upstream-0.40 §2.12)
        if !json::read::is_sound(text) {
            return Err(FieldError::new("validation_invalid_json", "Must be a valid json value"));
        }
        check::required(field.required && self.is_empty(val)).map_or(Ok(None), Err)
    }

    fn check_settings(&self, _: &Field, _: &SettingsCheck<'_>, errors: &mut FieldErrors) {
        if let Some(error) = check::range(self.max_size, 0, MAX_SAFE) {
            errors.set("maxSize", error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_become_json() {
        for (text, want) in [
            ("", r#""""#),
            ("null", "null"),
            ("true", "true"),
            ("1.10", "1.10"),
            ("01", r#""01""#),
            (r#"{"b":1, "a":2}"#, r#"{"b":1, "a":2}"#),
            ("{bad", r#""{bad""#),
            (" 1", r#"" 1""#),
            ("a\"b\n", r#""a\"b\n""#),
            ("\u{1}", "\"\\x01\""),
            (r#"{"a":1,"a":2}"#, r#"{"a":1,"a":2}"#),
            ("1e400", "1e400"),
        ] {
            assert_eq!(text_to_json(text), want);
        }
        for (levels, is_kept) in [(10_000, true), (10_001, false)] {
            let text = "[".repeat(levels) + &"]".repeat(levels);
            let want = if is_kept { text.clone() } else { format!("\"{text}\"") };
            assert_eq!(blank().normalize(&Value::String(text)), Val::Json(Some(want)));
        }
    }

    #[test]
    fn cells_and_checks() {
        let json = blank();
        for (cell, want) in [
            (ValueRef::Null, "null"),
            (ValueRef::Int(3), "3"),
            (ValueRef::Real(1e-7), "1e-07"),
            (ValueRef::Text("{\"a\": \"<\"}"), r#"{"a":"<"}"#),
            (ValueRef::Text(r#"{"b":"\u00e9\u003c\/","a":1.50}"#), r#"{"b":"é</","a":1.50}"#),
            (ValueRef::Blob(b"\"\xff\\u003c\""), "\"\u{fffd}<\""),
            (ValueRef::Text("x"), r#""x""#),
            (ValueRef::Text(""), "\"\""),
            (ValueRef::Text(" 1"), r#"" 1""#),
            (ValueRef::Text("\u{1}\u{7f}"), "\"\\u0001\u{7f}\""),
        ] {
            let mut out = Vec::new();
            json.write_json(cell, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), want);
            let mut out = Vec::new();
            json.write_val_json(&json.read(cell).unwrap(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
        for (given, stored) in [
            (
                serde_json::json!({"b": "<b>&", "a": "\u{2028}"}),
                "{\"a\":\"\u{2028}\",\"b\":\"<b>&\"}",
            ),
            (serde_json::json!(r#"{"b": "\u003c"}"#), r#"{"b": "\u003c"}"#),
            (serde_json::json!("<\u{2028}"), "\"<\u{2028}\""),
        ] {
            assert_eq!(json.normalize(&given), Val::Json(Some(stored.to_owned())));
        }
        let mut field = Field::new("j", blank());
        field.required = true;
        let cx = RecordCheck { is_new: true, old: None, uploads: &[] };
        for (text, ok) in [
            (None, false),
            (Some("[]"), false),
            (Some("\"\\x01\""), false),
            (Some("0"), true),
            (Some(r#"{"a":1,"a":1}"#), false),
            (Some("[1e400]"), false),
            (Some(r#"{"a":"\ud800"}"#), true),
        ] {
            let val = Val::Json(text.map(str::to_owned));
            assert_eq!(field.check(&val, &cx).is_ok(), ok, "{text:?}");
        }
        let field = Field::new("j", Json { max_size: 3 });
        for (text, ok) in [(None, true), (Some("null"), false), (Some("100"), true)] {
            let val = Val::Json(text.map(str::to_owned));
            assert_eq!(field.check(&val, &cx).is_ok(), ok, "{text:?}");
        }
    }
}
