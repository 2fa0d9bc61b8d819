//! `{:name}` placeholders of programmatic filters: replaced in the text, before parsing.
//!
//! Source: spec filter-language §2.7, upstream-0.40 §7.2: all in one pass, so what a value contains is never replaced, and an
//! empty text is the empty text.

use crate::{error::quote, json, scope::Datum};

/// Replaces every `{:name}` that has a value; others stay as they are.
///
/// ```
/// use filter_lang::{bind_placeholders, scope::Datum};
/// let text = bind_placeholders(
///     "title = {:title} && views > {:min}",
///     &[("title", Datum::Text("it's".into())), ("min", Datum::Number(5.0))],
/// );
/// assert_eq!(text, "title = \"it's\" && views > 5");
/// ```
#[must_use]
pub fn bind_placeholders(text: &str, params: &[(&str, Datum)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{:") {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let bound = from.find('}').and_then(|end| {
            let name = from.get(2..end)?;
            let (_, value) = params.iter().find(|(known, _)| *known == name)?;
            Some((value, end + 1))
        });
        match bound {
            Some((value, end)) => {
                out.push_str(&literal(value));
                rest = &from[end..];
            }
            None => {
                out.push_str("{:");
                rest = &from[2..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn literal(value: &Datum) -> String {
    match value {
        Datum::Null => "null".to_owned(),
        Datum::Bool(value) => value.to_string(),
        Datum::Number(number) => number.to_string(),
        Datum::Text(text) | Datum::Json(text) => quote(text),
        Datum::List(_) | Datum::Map(_) => quote(&json::encode(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        for (value, text) in [
            (Datum::Null, "null"),
            (Datum::Bool(true), "true"),
            (Datum::Number(1.5), "1.5"),
            (Datum::Text("a\"\n\x01".into()), r#""a\"\n\x01""#),
            (Datum::Text(String::new()), r#""""#),
            (Datum::Text("{:a}".into()), r#""{:a}""#),
            (Datum::List(vec![Datum::Number(1.0)]), "\"[1]\""),
        ] {
            assert_eq!(bind_placeholders("x={:a}", &[("a", value)]), format!("x={text}"));
        }
        assert_eq!(bind_placeholders("{:b}{:a", &[("a", Datum::Null)]), "{:b}{:a");
    }
}
