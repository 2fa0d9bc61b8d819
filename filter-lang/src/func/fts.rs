//! `fts(field[, field…], query[, 'simple'])`: 1 if the texts of one record hold the words of a query, else 0
//! (docs/full-text-search.md; what words are is said in `prim/words.rs`).

use super::{Function, Meaning, Parameter, Takes, Times};
use crate::{
    plan::{Expr, NodeId, Operand},
    prim::{Prim, Type, words},
    value::Value,
    walk::is_constant,
};

pub(super) const FUNCTION: Function =
    Function::new("fts", PARAMETERS, Type::Truth, Meaning::Is(Prim::HasWords))
        .described("whether the words of the query are in one of the fields")
        .checked(check)
        // The query is no text of the filter any more: it must not become a pattern.
        .without_params();

/// The only configuration: no stemming, no stop words.
const CONFIG: &str = "simple";

const PARAMETERS: &[Parameter] = &[
    Parameter::new("field", Takes::Field).times(Times::Many),
    Parameter::new("query", Takes::Query).refusal(QUERY),
    Parameter::new("config", Takes::Literal).times(Times::Optional).examples(&[CONFIG]),
];

const QUERY: &str = "the query must be a text or a value of the request";

/// Puts the query first, as an index reads it; the fields must be plain ones of one record.
fn check(args: &mut Vec<Operand>) -> Result<(), &'static str> {
    let is_text = |operand: &Operand| matches!(operand.expr, Expr::Bound(Value::Text(_)));
    let with_config = |config: &Operand, query: &Operand| {
        config.expr == Expr::Bound(Value::from(CONFIG)) || is_text(config) && is_text(query)
    };
    if let [_, .., query, config] = &args[..]
        && with_config(config, query)
    {
        if config.expr != Expr::Bound(Value::from(CONFIG)) {
            return Err("the only search configuration is 'simple'");
        }
        args.pop();
    }
    let text = match args.pop().map(|query| query.expr) {
        Some(Expr::Bound(value) | Expr::AuthColumn(value)) => {
            value.text().map(std::borrow::Cow::into_owned).unwrap_or_default()
        }
        Some(Expr::Literal(_)) => String::new(),
        _ => return Err(QUERY),
    };
    let mut row: Option<NodeId> = None;
    for field in &*args {
        if let Expr::Column { node, .. } = field.expr {
            if *row.get_or_insert(node) != node {
                return Err("all fields must be of the same record");
            }
        } else if !is_constant(&field.expr) {
            return Err("only plain fields can be searched");
        }
    }
    args.insert(0, super::signature::bound(Value::from(words::query(&text))));
    Ok(())
}
