//! What several spellings need. Must not know which of them asks.

use filter_lang::{
    form::{Seat, Side},
    plan::Expr,
    value::{Affinity, Value},
};

use crate::quote::push_json_text;

/// True if one side is a text column and the other a non-empty text of the caller's record.
pub(crate) fn plain_text(left: Side<'_>, right: Side<'_>) -> bool {
    let column = |side: Side<'_>| {
        side.operand.affinity == Affinity::Text && matches!(side.operand.expr, Expr::Column { .. })
    };
    let caller = |side: Side<'_>| {
        side.seat != Seat::Value
            && side.operand.affinity == Affinity::Text
            && matches!(&side.operand.expr, Expr::AuthColumn(Value::Text(t)) if !t.is_empty())
    };
    (column(left) && caller(right)) || (caller(left) && column(right))
}

/// Submitted list items as JSON.
pub(crate) fn json_items(items: &[Value]) -> String {
    let mut out = String::from("[");
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        match item {
            Value::Null => out.push_str("null"),
            Value::Text(text) => push_json_text(&mut out, text),
            Value::Int(number) => out.push_str(&number.to_string()),
            Value::Real(number) if number.is_finite() => {
                out.push_str(&filter_lang::value::real_text(*number))
            }
            Value::Real(_) => out.push_str("null"),
        }
    }
    out.push(']');
    out
}

/// Which words must be there, in the syntax of an index: alternatives of words.
pub(crate) fn wanted_words(
    alternatives: &[Vec<String>],
    quote: &str,
    and: &str,
    or: &str,
) -> String {
    let one = |words: &Vec<String>| {
        let words: Vec<String> = words.iter().map(|w| format!("{quote}{w}{quote}")).collect();
        format!("({})", words.join(and))
    };
    alternatives.iter().map(one).collect::<Vec<_>>().join(or)
}
