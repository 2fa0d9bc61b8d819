//! What PostgreSQL makes of values: a model of `jsonb` and of columns that are never NULL.

use std::{collections::BTreeMap, sync::Arc};

use dialects::Value;
use filter_lang::{
    Row,
    schema::{Class, Collection, Field},
    value::Affinity,
};
use serde_json::value::RawValue;

use super::common::Memory;

/// The tables as a fresh installation stores them: what PostgreSQL can hold.
pub(crate) fn fresh(memory: &Memory) -> Memory {
    let tables = memory.tables.iter().map(|(collection, rows)| {
        let mut collection = Collection::clone(collection);
        for field in &mut collection.fields {
            if is_json(field) {
                field.affinity = Affinity::Num;
            }
        }
        let rows = rows
            .iter()
            .map(|row| {
                collection
                    .fields
                    .iter()
                    .map(|f| (f.name.clone(), normal(f, Row::get(row, &f.name))))
                    .collect()
            })
            .collect();
        (Arc::new(collection), rows)
    });
    Memory { tables: tables.collect() }
}

/// Whether a column holds JSON.
pub(crate) fn is_json(field: &Field) -> bool {
    matches!(field.class, Class::Json | Class::GeoPoint) || field.multiple
}

fn normal(field: &Field, value: Value) -> Value {
    let json = is_json(field);
    match value {
        #[allow(clippy::cast_possible_truncation)]
        Value::Real(n) if field.class == Class::Number && n.fract() == 0.0 && n.abs() < 9e18 => {
            Value::Int(n as i64)
        }
        // A point has an order and a spelling of its own.
        Value::Text(text) if field.class == Class::GeoPoint => Value::Text(text),
        Value::Text(text) if json => match jsonb(&text).as_deref() {
            Some("null") => Value::Null,
            Some(spelled) => Value::Text(spelled.into()),
            None => Value::Text(text),
        },
        Value::Null if !json => match field.class {
            Class::Number | Class::Bool => Value::Int(0),
            _ => Value::Text("".into()),
        },
        other => other,
    }
}

/// A JSON text as `jsonb` spells it: keys by length, then by bytes, the last of equal ones; numbers in full.
fn jsonb(text: &str) -> Option<String> {
    let raw: &RawValue = serde_json::from_str(text.trim()).ok()?;
    let raw = raw.get();
    let each = |raw: &RawValue| jsonb(raw.get());
    Some(match raw.as_bytes()[0] {
        b'{' => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(raw).ok()?;
            let mut members: Vec<(String, &RawValue)> = members.into_iter().collect();
            members.sort_by(|a, b| (a.0.len(), &a.0).cmp(&(b.0.len(), &b.0)));
            let members: Option<Vec<String>> = members
                .into_iter()
                .map(|(key, raw)| {
                    Some(format!("{}:{}", serde_json::to_string(&key).ok()?, each(raw)?))
                })
                .collect();
            format!("{{{}}}", members?.join(","))
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
            let items: Option<Vec<String>> = items.into_iter().map(each).collect();
            format!("[{}]", items?.join(","))
        }
        b'"' => serde_json::to_string(&serde_json::from_str::<String>(raw).ok()?).ok()?,
        b'-' | b'0'..=b'9' => numeric(raw),
        _ => raw.to_owned(),
    })
}

/// A JSON number written out, without exponent.
fn numeric(raw: &str) -> String {
    let (mantissa, exponent) = raw.split_once(['e', 'E']).unwrap_or((raw, "0"));
    let exponent: i64 = exponent.parse().unwrap();
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("-", m));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    let mut point = i64::try_from(whole.len()).unwrap() + exponent;
    while point < 1 {
        digits.insert(0, '0');
        point += 1;
    }
    let point = usize::try_from(point).unwrap();
    while digits.len() < point {
        digits.push('0');
    }
    let sign = if digits.bytes().all(|b| b == b'0') { "" } else { sign };
    let (whole, fraction) = digits.split_at(point);
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{dot}{fraction}")
}
