//! What documents hold, in words that their GIN indexes answer (`@>`). Must not decide what a comparison means.
//!
//! Containment compares numbers digit by digit, filters compare doubles. So a document with a number that is not what
//! its double says (`0.10000000000000001`) is marked by `pb_odd`, for which a JSON column has a small index, too.

use filter_lang::{
    plan::JsonSeg,
    semijoin::{Holds, What},
    value::Value,
};

use super::Postgres;
use crate::{
    emit::{Half, Spell as _, Walk},
    quote::push_json_text,
};

/// `holds`, for PostgreSQL.
pub(super) fn holds(spell: &Postgres, w: &mut Walk<'_>, holds: &Holds<'_>) {
    match &holds.what {
        What::Element(element) => {
            column(w, holds);
            w.push(" @> to_jsonb(");
            spell.value(w, element);
            w.push(")");
        }
        What::At(path, value) => {
            let documents = documents(path, value);
            let is_number = !matches!(value, Value::Text(_));
            w.push(if is_number { "(" } else { "" });
            for (at, document) in documents.into_iter().enumerate() {
                w.push(if at > 0 { " OR " } else { "" });
                column(w, holds);
                w.push(" @> ");
                spell.value(w, &Value::Text(document.into()));
                w.push("::jsonb");
                and_test(w, holds);
            }
            if is_number {
                w.push(" OR ");
                w.test(&holds.test, true);
                w.push(" AND pb_odd(");
                column(w, holds);
                w.push(") = 1)");
            }
            return;
        }
    }
    and_test(w, holds);
}

/// What is left to test.
fn and_test(w: &mut Walk<'_>, holds: &Holds<'_>) {
    if !holds.says_all {
        w.push(" AND ");
        w.test(&holds.test, true);
    }
}

fn column(w: &mut Walk<'_>, holds: &Holds<'_>) {
    if !w.column(w.alias(holds.node, Half::Left), holds.column) {
        w.push("NULL::jsonb");
    }
}

/// The smallest documents that have the value at the end of the path.
fn documents(path: &[JsonSeg], value: &Value) -> Vec<String> {
    let mut texts = vec![scalar(value)];
    match value.number() {
        Some(number) if number == 1.0 && !matches!(value, Value::Text(_)) => {
            texts.push("true".to_owned())
        }
        Some(number) if number == 0.0 && !matches!(value, Value::Text(_)) => {
            texts.push("false".to_owned())
        }
        _ => {}
    }
    texts
        .into_iter()
        .map(|text| path.iter().rev().fold(text, |inner, step| wrapped(&inner, step)))
        .collect()
}

fn wrapped(inner: &str, step: &JsonSeg) -> String {
    match step {
        JsonSeg::Index(_) => format!("[{inner}]"),
        JsonSeg::Key(key) => {
            let mut out = String::from("{");
            push_json_text(&mut out, key);
            out.push(':');
            out.push_str(inner);
            out.push('}');
            out
        }
    }
}

fn scalar(value: &Value) -> String {
    /// From here on doubles are whole, and integers of 64 bits keep digits that the shortest text leaves out.
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Null => "null".to_owned(),
        Value::Int(number) => number.to_string(),
        #[allow(clippy::cast_possible_truncation, reason = "the plan asks for no larger ones")]
        Value::Real(number) if number.abs() >= WHOLE => (*number as i64).to_string(),
        Value::Real(number) => format!("{number:e}"),
        Value::Text(text) => {
            let mut out = String::new();
            push_json_text(&mut out, text);
            out
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smallest_documents() {
        let key = |name: &str| JsonSeg::Key(name.to_owned());
        for (path, value, want) in [
            (vec![], Value::from("x"), vec!["\"x\""]),
            (vec![key("a"), key("b\"")], Value::from("1"), vec![r#"{"a":{"b\"":"1"}}"#]),
            (vec![key("a"), JsonSeg::Index(3)], Value::Real(0.1), vec![r#"{"a":[1e-1]}"#]),
            (vec![key("a")], Value::Real(1.0), vec![r#"{"a":1e0}"#, r#"{"a":true}"#]),
            (vec![key("a")], Value::Int(0), vec![r#"{"a":0}"#, r#"{"a":false}"#]),
            (
                vec![key("a")],
                Value::Real(-1_152_921_504_606_846_976.0),
                vec![r#"{"a":-1152921504606846976}"#],
            ),
        ] {
            assert_eq!(documents(&path, &value), want, "{path:?} {value:?}");
        }
    }
}
