//! What is wrong with JSON, in the words of Go's decoder.

use serde_json::{Value, error::Category};

use crate::bind::{Fail, Res};

/// Longer texts are not looked at a second time: what they are made of takes many times their memory.
const MAX: usize = 1 << 20;

/// Why a text is no JSON object; `None` if it is one, or too long to say.
pub(crate) fn of_object(text: &[u8]) -> Option<String> {
    if text.len() > MAX {
        return None;
    }
    let into = "into Go map[string]interface {}";
    match serde_json::from_slice::<Value>(text) {
        Ok(Value::Object(_) | Value::Null) => None,
        Ok(Value::Array(_)) => Some(format!("json: unable to unmarshal JSON array {into}")),
        Ok(Value::String(_)) => Some(format!("json: unable to unmarshal JSON string {into}")),
        Ok(Value::Number(_)) => Some(format!("json: unable to unmarshal JSON number {into}")),
        Ok(Value::Bool(_)) => Some(format!("json: unable to unmarshal JSON boolean {into}")),
        Err(error) if error.classify() == Category::Eof => Some("unexpected EOF".to_owned()),
        Err(error) => Some(syntax(text, &error)),
    }
}

/// A JSON value.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn parsed(text: &[u8]) -> Res<Value> {
    serde_json::from_slice(text).map_err(|error| {
        Fail::other(match error.classify() {
            Category::Eof => "jsontext: unexpected EOF".to_owned(),
            _ => syntax(text, &error),
        })
    })
}

/// `true`, `false` or `null`, misspelled.
fn literal(text: &[u8], at: usize) -> Option<String> {
    let begin =
        text[..at].iter().rposition(|byte| !byte.is_ascii_lowercase()).map_or(0, |at| at + 1);
    let known = ["true", "false", "null"];
    let word = known.into_iter().find(|word| text.get(begin) == word.as_bytes().first())?;
    let wrong = (0..word.len()).find(|n| text.get(begin + n) != word.as_bytes().get(*n))?;
    let found = shown(text.get(begin + wrong).copied());
    let wanted = char::from(word.as_bytes()[wrong]);
    let place = format!("in literal {word} (expecting '{wanted}')");
    Some(format!("jsontext: invalid character {found} {place} after offset {}", begin + wrong))
}

fn shown(byte: Option<u8>) -> String {
    match byte.unwrap_or(b' ') {
        byte if byte < b' ' => format!("'\\x{byte:02x}'"),
        byte => format!("'{}'", char::from(byte)),
    }
}

fn syntax(text: &[u8], error: &serde_json::Error) -> String {
    let line: usize =
        text.split_inclusive(|byte| *byte == b'\n').take(error.line() - 1).map(<[u8]>::len).sum();
    let at = (line + error.column()).saturating_sub(1);
    let words = error.to_string();
    if words.starts_with("expected ident")
        && let Some(said) = literal(text, at.min(text.len()))
    {
        return said;
    }
    let found = shown(text.get(at).copied());
    let place = [
        ("key must be a string", "at start of string (expecting '\"')"),
        ("expected `:`", "after object name (expecting ':')"),
        ("expected `,` or `}`", "after object value (expecting ',' or '}')"),
        ("expected `,` or `]`", "after array element (expecting ',' or ']')"),
        ("trailing characters", "after top-level value"),
    ];
    let place = place.iter().find(|(known, _)| words.starts_with(known));
    let place = place.map_or("at start of value", |(_, place)| place);
    let after = if at == 0 { String::new() } else { format!(" after offset {at}") };
    format!("jsontext: invalid character {found} {place}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (text, words) in [
            ("{}", None),
            ("[1,2]", Some("json: unable to unmarshal JSON array into Go map[string]interface {}")),
            (
                "{bad",
                Some(
                    "jsontext: invalid character 'b' at start of string (expecting '\"') after offset 1",
                ),
            ),
            ("{\"a\"", Some("unexpected EOF")),
        ] {
            assert_eq!(of_object(text.as_bytes()).as_deref(), words, "{text}");
        }
    }
}
