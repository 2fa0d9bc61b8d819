//! The filter language and the types of fields as data, for editors. Source: spec dashboard §8 A3.

use filter_lang::{language, schema::Class, value::Value as Filtered};
use serde_json::{Map, Value, json};

use crate::field;

/// Everything that completion needs besides the collections.
#[must_use]
pub fn language() -> Value {
    let operators: Vec<Value> = language::operators()
        .into_iter()
        .map(|op| json!({"sign": op.sign, "any": op.any, "doc": op.doc}))
        .collect();
    let macros: Vec<Value> = language::macros(crate::time::now().millis())
        .into_iter()
        .map(|(name, value)| json!({"name": name, "value": shown(&value)}))
        .collect();
    let functions: Vec<Value> = language::functions()
        .into_iter()
        .map(|[name, params, result, doc]| {
            json!({"name": name, "params": params, "result": result, "doc": doc})
        })
        .collect();
    let types: Map<String, Value> = field::KINDS
        .iter()
        .filter_map(|kind| {
            let class = field::by_kind(kind)?.class();
            let list = matches!(class, Class::Select | Class::File | Class::Relation);
            let (own, body) = language::modifiers(class, list);
            let value = json!({"class": name(class), "modifiers": own, "bodyModifiers": body});
            Some(((*kind).to_owned(), value))
        })
        .collect();
    json!({
        "operators": operators,
        "macros": macros,
        "functions": functions,
        "types": types,
        "request": ["auth", "body", "context", "headers", "method", "query"],
        "limits": {"filterBytes": filter_lang::MAX_FILTER_BYTES, "expressions": filter_lang::MAX_EXPRESSIONS,
            "sorts": filter_lang::MAX_SORT},
    })
}

fn shown(value: &Filtered) -> Value {
    match value {
        Filtered::Int(number) => (*number).into(),
        other => other.text().map_or(Value::Null, |text| text.into_owned().into()),
    }
}

fn name(class: Class) -> &'static str {
    match class {
        Class::Text => "text",
        Class::Number => "number",
        Class::Bool => "bool",
        Class::Json => "json",
        Class::GeoPoint => "geoPoint",
        Class::Select => "select",
        Class::File => "file",
        Class::Relation => "relation",
    }
}
