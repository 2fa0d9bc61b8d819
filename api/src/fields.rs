//! `?fields=`: picks parts of a JSON answer.
//!
//! Source: spec records-files-realtime-batch §1.6.

use engine::json;
use serde_json::{Map, Value};

use http_syntax::excerpt::excerpt;

/// Why a picker cannot be read; the text is for the log.
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
    /// Quotes and parentheses that do not end, unknown modifiers, bad arguments.
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
    #[must_use]
    pub fn apply(&self, text: &[u8]) -> Option<Vec<u8>> {
        if self.picks.is_empty() {
            return None;
        }
        let mut value = json::read::own(text).ok()?;
        let picks: Vec<(&str, Option<Excerpt>)> =
            self.picks.iter().map(|p| (p.path.as_str(), p.modifier)).collect();
        match &mut value {
            Value::Object(map) if is_list(map) => {
                if let Some(items) = map.get_mut("items") {
                    pick(items, &picks);
                }
            }
            other => pick(other, &picks),
        }
        let mut out = Vec::with_capacity(text.len());
        json::write_sorted(&mut out, &value);
        Some(out)
    }
}

fn is_list(map: &Map<String, Value>) -> bool {
    map.len() == 5
        && map.get("items").is_some_and(Value::is_array)
        && ["page", "perPage", "totalItems", "totalPages"].iter().all(|key| map.contains_key(*key))
}

/// What is no object stays as it is, also among objects.
fn pick(value: &mut Value, picks: &[(&str, Option<Excerpt>)]) {
    match value {
        Value::Object(map) => pick_object(map, picks),
        Value::Array(items) if items.first().is_some_and(Value::is_object) => {
            items
                .iter_mut()
                .filter_map(Value::as_object_mut)
                .for_each(|map| pick_object(map, picks));
        }
        _ => {}
    }
}

fn pick_object(map: &mut Map<String, Value>, picks: &[(&str, Option<Excerpt>)]) {
    if json::deep::text_of(map).is_some() {
        return;
    }
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
            None => pick(&mut value, &deeper),
        }
        map.insert(key, value);
    }
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
            (None, ')') => depth = depth.saturating_sub(1),
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
    let is_between = |c: char| matches!(c, '(' | ')' | ',') || c.is_whitespace();
    let mut words = call.split(is_between).filter(|word| !word.is_empty());
    match words.next() {
        Some("excerpt") => {}
        Some(other) => return Err(PickError(format!("missing or invalid modifier {other:?}"))),
        None => return Err(PickError("missing modifier".into())),
    }
    let args: Vec<&str> = words.collect();
    if args.is_empty() || args.len() > 2 {
        return Err(PickError("excerpt expects 1 or 2 arguments".into()));
    }
    match whole_number(args[0]).and_then(|max| usize::try_from(max).ok()) {
        Some(max) if max > 0 => {
            let ellipsis = args
                .get(1)
                .is_some_and(|a| matches!(*a, "1" | "t" | "T" | "true" | "TRUE" | "True"));
            Ok(Excerpt { max, ellipsis })
        }
        _ => Err(PickError("excerpt max must be > 0".into())),
    }
}

/// A whole number as the reference casts text: an optional fraction is cut off; `0x`, `0o`, `0b` and a leading zero choose the
/// base; single underscores may stand between digits and after the prefix of a base.
fn whole_number(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let unsigned = whole.strip_prefix('+').unwrap_or(whole);
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() < text.len() && !(are_digits(unsigned) && are_digits(fraction)) {
        return None;
    }
    let lower = unsigned.to_ascii_lowercase();
    let prefixes = [("0x", 16), ("0o", 8), ("0b", 2), ("0", 8)];
    let (digits, base) = prefixes
        .iter()
        .find_map(|(prefix, base)| Some((lower.strip_prefix(prefix)?, *base)))
        .filter(|(digits, _)| !digits.is_empty())
        .unwrap_or((&lower, 10));
    let plain = match base {
        10 => digits,
        _ => digits.strip_prefix('_').unwrap_or(digits),
    };
    if plain.split('_').any(str::is_empty) || plain.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(&plain.replace('_', ""), base).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(fields: &str, text: &str) -> String {
        match Picker::parse(fields).map(|p| p.apply(text.as_bytes())) {
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
            ("id", r#"[{"id":1,"x":2},2]"#, r#"[{"id":1},2]"#),
            ("a", r#"{"a":{"b":1,"c":{"x":1,"x":2},"b":3}}"#, r#"{"a":{"b":3,"c":{"x":2}}}"#),
            ("b),a.y", record, r#"{"a":{"y":1}}"#),
            (":excerpt(2)", record, "{}"),
            ("b:excerpt( 4 , true )", record, r#"{"b":"hell..."}"#),
            ("id:nope", record, "error missing or invalid modifier \"nope\""),
            ("id:excerpt(0)", record, "error excerpt max must be > 0"),
            ("a(", record, "error unbalanced parenthesis or quotes"),
        ] {
            assert_eq!(run(fields, text), want, "{fields}");
        }
    }

    #[test]
    fn modifiers() {
        let text = r#"{"t":"abcdefghijklmnopqrst"}"#;
        for (call, n) in [
            ("excerpt(2)", Some(2)),
            ("excerpt 2", Some(2)),
            ("excerpt(2)x", Some(2)),
            (" excerpt(\n2\t)", Some(2)),
            ("excerpt(2,maybe)", Some(2)),
            ("excerpt(2,)", Some(2)),
            ("excerpt(,2)", Some(2)),
            ("excerpt((2))", Some(2)),
            ("(excerpt)2", Some(2)),
            ("excerpt(2):", Some(2)),
            ("excerpt(1.5)", Some(1)),
            ("excerpt(1.)", Some(1)),
            ("excerpt(+2)", Some(2)),
            ("excerpt(010)", Some(8)),
            ("excerpt(010.5)", Some(8)),
            ("excerpt(0x0a)", Some(10)),
            ("excerpt(0B11)", Some(3)),
            ("excerpt(0o17)", Some(15)),
            ("excerpt(0_1)", Some(1)),
            ("excerpt(1_0)", Some(10)),
            ("excerpt", None),
            ("excerpt()", None),
            ("excerpt(abc)", None),
            ("excerpt(0)", None),
            ("excerpt(00)", None),
            ("excerpt(-1)", None),
            ("excerpt(.5)", None),
            ("excerpt(1.x)", None),
            ("excerpt(1.5.5)", None),
            ("excerpt(1e1)", None),
            ("excerpt(08)", None),
            ("excerpt(0x)", None),
            ("excerpt(0x1.8)", None),
            ("excerpt(1__0)", None),
            ("excerpt(_1)", None),
            ("excerpt(++1)", None),
            ("excerpt(99999999999999999999)", None),
            ("excerpt(2,true,3)", None),
            ("excerpt(2", None),
            ("excerpt((2)", None),
            ("EXCERPT(2)", None),
            (":excerpt(2)", None),
            ("excerpt(2):excerpt(1)", None),
            ("nope", None),
            ("nope(1)", None),
            ("", None),
        ] {
            let got = run(&format!("t:{call}"), text);
            let want = n.map(|n| format!(r#"{{"t":"{}"}}"#, &text[6..6 + n]));
            assert_eq!((!got.starts_with("error")).then_some(got), want, "{call}");
        }
    }

    #[test]
    fn deep_values() {
        let js = "[".repeat(9_999) + &"]".repeat(9_999);
        let record = format!(r#"{{"id":"a","js":{js},"x":1}}"#);
        assert_eq!(run("id", &record), r#"{"id":"a"}"#);
        assert_eq!(run("id,js", &record), format!(r#"{{"id":"a","js":{js}}}"#));
        assert_eq!(run("js.a", &record), format!(r#"{{"js":{js}}}"#));
    }
}
