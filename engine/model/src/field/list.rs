//! What select, file and relation share: unique lists of strings, single values as their last item.

use std::borrow::Cow;

use serde_json::Value;

use super::{Modifier, Val, cell_text};
use crate::{json, store::ValueRef};

/// Makes a value of the right shape; a single one keeps the last item (spec §3.8).
pub(super) fn to_val(items: Vec<String>, multiple: bool) -> Val {
    if multiple {
        Val::List(items)
    } else {
        Val::Text(items.into_iter().next_back().unwrap_or_default())
    }
}

/// Normalizes a submitted value.
pub(super) fn normalize(json: &Value, multiple: bool) -> Val {
    to_val(json::to_unique_strings(json), multiple)
}

/// Applies `f+`, `+f` and `f-`.
pub(super) fn modify(
    modifier: Modifier,
    current: &Val,
    json: &Value,
    multiple: bool,
) -> Option<Val> {
    let given = json::to_unique_strings(json);
    let old = current.items();
    let merged = match modifier {
        Modifier::Append => unique(old.iter().cloned().chain(given)),
        Modifier::Prepend => unique(given.into_iter().chain(old.iter().cloned())),
        Modifier::Remove => old.iter().filter(|item| !given.contains(item)).cloned().collect(),
        Modifier::Autogenerate => return None,
    };
    Some(to_val(merged, multiple))
}

/// Drops blanks and duplicates, keeping order.
pub(super) fn unique(items: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for item in items {
        if !item.is_empty() && !out.contains(&item) {
            out.push(item);
        }
    }
    out
}

/// Reads a stored cell.
pub(super) fn read(cell: ValueRef<'_>, multiple: bool) -> Val {
    let text = cell_text(cell);
    if !multiple && !text.contains('[') {
        return Val::Text(text.into_owned());
    }
    if let Some(items) = plain_items(&text) {
        return to_val(items.into_iter().map(str::to_owned).collect(), multiple);
    }
    to_val(json::to_unique_strings(&Value::String(text.into_owned())), multiple)
}

/// The value to store.
pub(super) fn to_db(val: &Val, multiple: bool) -> dialects::Value {
    if !multiple {
        return dialects::Value::Text(val.items().last().map_or("", String::as_str).into());
    }
    let mut out = Vec::new();
    write_items(val.items().iter().map(String::as_str), &mut out);
    dialects::Value::Text(String::from_utf8_lossy(&out).as_ref().into())
}

/// Writes a stored cell as JSON.
pub(super) fn write_json(cell: ValueRef<'_>, multiple: bool, out: &mut Vec<u8>) {
    let text: Cow<'_, str> = cell_text(cell);
    if !multiple && !text.contains('[') {
        json::write_str(out, &text);
    } else if multiple && text == "[]" {
        out.extend_from_slice(b"[]");
    } else if let Some(items) = plain_items(&text) {
        write_borrowed(&items, multiple, out);
    } else {
        let items = json::to_unique_strings(&Value::String(text.into_owned()));
        let items: Vec<&str> = items.iter().map(String::as_str).collect();
        write_borrowed(&items, multiple, out);
    }
}

fn write_borrowed(items: &[&str], multiple: bool, out: &mut Vec<u8>) {
    if multiple {
        write_items(items.iter().copied(), out);
    } else {
        json::write_str(out, items.last().copied().unwrap_or_default());
    }
}

/// Writes a value as JSON.
pub(super) fn write_val_json(val: &Val, multiple: bool, out: &mut Vec<u8>) {
    if multiple {
        write_items(val.items().iter().map(String::as_str), out);
    } else {
        json::write_str(out, val.items().last().map_or("", String::as_str));
    }
}

fn write_items<'a>(items: impl Iterator<Item = &'a str>, out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json::write_str(out, item);
    }
    out.push(b']');
}

/// The items of a compact JSON array of distinct, non-blank strings without escapes; `None` for anything else.
fn plain_items(text: &str) -> Option<smallvec::SmallVec<[&str; 8]>> {
    let inner = text.strip_prefix("[\"")?.strip_suffix("\"]")?;
    if inner.bytes().any(|b| b == b'\\' || b < 0x20) {
        return None;
    }
    let mut items = smallvec::SmallVec::new();
    for item in inner.split("\",\"") {
        if item.is_empty() || item.contains('"') || items.len() == 32 || items.contains(&item) {
            return None;
        }
        items.push(item);
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn submitted_values() {
        for (given, single, many) in [
            (json!(null), "", vec![]),
            (json!("a"), "a", vec!["a"]),
            (json!(["a", "b", "a", ""]), "b", vec!["a", "b"]),
            (json!("[\"a\",\"b\"]"), "b", vec!["a", "b"]),
            (json!(5), "5", vec!["5"]),
        ] {
            assert_eq!(normalize(&given, false).as_str(), single);
            assert_eq!(normalize(&given, true).items(), many);
        }
    }

    #[test]
    fn modifiers() {
        let old = Val::List(vec!["a".into(), "b".into()]);
        for (modifier, given, want) in [
            (Modifier::Append, json!(["c", "a"]), vec!["a", "b", "c"]),
            (Modifier::Prepend, json!("c"), vec!["c", "a", "b"]),
            (Modifier::Remove, json!(["a", "x"]), vec!["b"]),
        ] {
            assert_eq!(modify(modifier, &old, &given, true).unwrap().items(), want);
        }
        assert_eq!(modify(Modifier::Autogenerate, &old, &json!(1), true), None);
    }

    #[test]
    fn cells() {
        for (cell, single, many) in [
            ("", r#""""#, "[]"),
            ("[]", r#""""#, "[]"),
            ("a<b", r#""a<b""#, r#"["a<b"]"#),
            (r#"["a","b"]"#, r#""b""#, r#"["a","b"]"#),
            (r#"["a", "b","a"]"#, r#""b""#, r#"["a","b"]"#),
            (r#"["a\"","b"]"#, r#""b""#, r#"["a\"","b"]"#),
        ] {
            for (multiple, want) in [(false, single), (true, many)] {
                let mut out = Vec::new();
                write_json(ValueRef::Text(cell), multiple, &mut out);
                assert_eq!(String::from_utf8(out).unwrap(), want, "{cell}");
                let mut out = Vec::new();
                write_val_json(&read(ValueRef::Text(cell), multiple), multiple, &mut out);
                assert_eq!(String::from_utf8(out).unwrap(), want, "{cell}");
            }
        }
    }
}
