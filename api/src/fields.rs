//! `?fields=`: picks parts of a JSON answer.
//!
//! Source: spec records-files-realtime-batch §1.6.

use serde_json::{Map, Value};

use crate::{excerpt::excerpt, json};

/// Why a picker could not be applied; the text is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PickError(String);

/// A parsed `fields` parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Picker {
    picks: Vec<Pick>,
}

#[derive(Debug, Clone, PartialEq)]
struct Pick {
    path: String,
    modifier: Option<Excerpt>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Excerpt {
    max: usize,
    ellipsis: bool,
}

impl Picker {
    /// Parses the parameter.
    ///
    /// # Errors
    /// Unbalanced quotes or parentheses, unknown modifiers, bad arguments.
    pub fn parse(raw: &str) -> Result<Self, PickError> {
        let mut picks: Vec<Pick> = Vec::new();
        for token in split(raw)? {
            let (path, modifier) = match token.split_once(':') {
                Some((path, call)) => (path, Some(modifier(call)?)),
                None => (token, None),
            };
            match picks.iter_mut().find(|pick| pick.path == path) {
                Some(pick) => pick.modifier = modifier,
                None => picks.push(Pick { path: path.to_owned(), modifier }),
            }
        }
        Ok(Self { picks })
    }

    /// Applies the picks to JSON text; `None` leaves the text as it is.
    ///
    /// # Errors
    /// When an array begins with an object and holds something else too.
    pub fn apply(&self, text: &[u8]) -> Result<Option<Vec<u8>>, PickError> {
        if self.picks.is_empty() {
            return Ok(None);
        }
        let Ok(mut value) = serde_json::from_slice::<Value>(text) else {
            return Ok(None);
        };
        let picks: Vec<(&str, Option<Excerpt>)> =
            self.picks.iter().map(|p| (p.path.as_str(), p.modifier)).collect();
        match &mut value {
            Value::Object(map) if is_list(map) => {
                if let Some(items) = map.get_mut("items") {
                    pick(items, &picks)?;
                }
            }
            other => pick(other, &picks)?,
        }
        let mut out = Vec::with_capacity(text.len());
        write_sorted(&mut out, &value);
        Ok(Some(out))
    }
}

fn is_list(map: &Map<String, Value>) -> bool {
    map.len() == 5
        && map.get("items").is_some_and(Value::is_array)
        && ["page", "perPage", "totalItems", "totalPages"].iter().all(|key| map.contains_key(*key))
}

fn pick(value: &mut Value, picks: &[(&str, Option<Excerpt>)]) -> Result<(), PickError> {
    match value {
        Value::Object(map) => pick_object(map, picks),
        Value::Array(items) if items.first().is_some_and(Value::is_object) => {
            for item in items {
                match item {
                    Value::Object(map) => pick_object(map, picks)?,
                    _ => {
                        return Err(PickError(
                            "invalid data type inside an array of objects".into(),
                        ));
                    }
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn pick_object(
    map: &mut Map<String, Value>,
    picks: &[(&str, Option<Excerpt>)],
) -> Result<(), PickError> {
    let star = picks.iter().find(|(path, _)| *path == "*");
    let old = std::mem::take(map);
    for (key, mut value) in old {
        let mut whole = picks.iter().find(|(path, _)| *path == key).map(|(_, modifier)| *modifier);
        let deeper: Vec<(&str, Option<Excerpt>)> = picks
            .iter()
            .filter_map(|(path, modifier)| {
                Some((path.strip_prefix(key.as_str())?.strip_prefix('.')?, *modifier))
            })
            .collect();
        if whole.is_none() && deeper.is_empty() {
            whole = star.map(|(_, modifier)| *modifier);
        }
        match whole {
            Some(Some(modifier)) => modifier.apply(&mut value),
            Some(None) => {}
            None if deeper.is_empty() => continue,
            None => pick(&mut value, &deeper)?,
        }
        map.insert(key, value);
    }
    Ok(())
}

impl Excerpt {
    fn apply(self, value: &mut Value) {
        if let Value::String(text) = value {
            *text = excerpt(text, self.max, self.ellipsis);
        }
    }
}

/// Splits at commas outside quotes and parentheses; trims; drops empties.
fn split(raw: &str) -> Result<Vec<&str>, PickError> {
    let (mut depth, mut quote, mut start) = (0usize, None, 0);
    let mut out = Vec::new();
    for (at, c) in raw.char_indices() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => {
                depth = depth
                    .checked_sub(1)
                    .ok_or_else(|| PickError("unbalanced parenthesis".into()))?;
            }
            (None, ',') if depth == 0 => {
                out.push(raw[start..at].trim());
                start = at + 1;
            }
            (None, _) => {}
        }
    }
    if depth > 0 || quote.is_some() {
        return Err(PickError("unbalanced parenthesis or quotes".into()));
    }
    out.push(raw[start..].trim());
    out.retain(|token| !token.is_empty());
    Ok(out)
}

fn modifier(call: &str) -> Result<Excerpt, PickError> {
    let mut words = call.split(['(', ')', ',', ' ']).map(str::trim).filter(|word| !word.is_empty());
    match words.next() {
        Some("excerpt") => {}
        Some(other) => return Err(PickError(format!("missing or invalid modifier {other:?}"))),
        None => return Err(PickError("missing modifier".into())),
    }
    let args: Vec<&str> = words.collect();
    if args.is_empty() || args.len() > 2 {
        return Err(PickError("excerpt expects 1 or 2 arguments".into()));
    }
    match args[0].parse::<usize>() {
        Ok(max) if max > 0 => {
            let ellipsis = args
                .get(1)
                .is_some_and(|a| matches!(*a, "1" | "t" | "T" | "true" | "TRUE" | "True"));
            Ok(Excerpt { max, ellipsis })
        }
        _ => Err(PickError("excerpt max must be > 0".into())),
    }
}

/// Everything sorted, numbers through a double, as a decode into maps gives.
fn write_sorted(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            out.push(b'{');
            for (idx, key) in keys.into_iter().enumerate() {
                if idx > 0 {
                    out.push(b',');
                }
                json::write_str(out, key);
                out.push(b':');
                write_sorted(out, &map[key]);
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for (idx, item) in items.iter().enumerate() {
                if idx > 0 {
                    out.push(b',');
                }
                write_sorted(out, item);
            }
            out.push(b']');
        }
        Value::Number(number) => json::write_f64(out, number.as_f64().unwrap_or(0.0)),
        other => json::write_value(out, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(fields: &str, text: &str) -> String {
        match Picker::parse(fields).and_then(|p| p.apply(text.as_bytes())) {
            Ok(Some(out)) => String::from_utf8(out).expect("utf-8"),
            Ok(None) => "same".into(),
            Err(error) => format!("error {error}"),
        }
    }

    #[test]
    fn picks() {
        let record = r#"{"b":"<p>hello world</p>","a":{"y":1,"x":[{"k":2,"j":1}]},"c":12345678901234567890}"#;
        for (fields, text, want) in [
            (",, ", record, "same"),
            ("a", record, r#"{"a":{"x":[{"j":1,"k":2}],"y":1}}"#),
            ("a.x.k", record, r#"{"a":{"x":[{"k":2}]}}"#),
            ("c,zz", record, r#"{"c":12345678901234567000}"#),
            ("b:excerpt(5,true)", record, r#"{"b":"hello..."}"#),
            ("*,a.y,b:excerpt(3)", record, r#"{"a":{"y":1},"b":"hel","c":12345678901234567000}"#),
            (
                "id",
                r#"{"items":[{"id":1,"x":2}],"page":1,"perPage":1,"totalItems":1,"totalPages":1}"#,
                r#"{"items":[{"id":1}],"page":1,"perPage":1,"totalItems":1,"totalPages":1}"#,
            ),
            ("id", "[1,2]", "[1,2]"),
            ("id", r#"[{"id":1},2]"#, "error invalid data type inside an array of objects"),
            ("id:nope", record, "error missing or invalid modifier \"nope\""),
            ("id:excerpt(0)", record, "error excerpt max must be > 0"),
            ("a(", record, "error unbalanced parenthesis or quotes"),
        ] {
            assert_eq!(run(fields, text), want, "{fields}");
        }
    }
}
