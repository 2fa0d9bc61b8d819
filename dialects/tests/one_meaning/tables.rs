//! Random schemas and their rows.

use std::{collections::BTreeMap, sync::Arc};

use dialects::Value;
use filter_lang::schema::{Class, Collection, CollectionKind, Field};

use crate::{
    rng::Rng,
    samples::{DATES, NUMBERS, OPTIONS, POINTS, SENTENCES, TEXTS, json_text},
    support::common::{Memory, Record},
};

/// The collections: `people` are accounts, `watch` is a view.
pub(crate) const NAMES: &[&str] = &["alpha", "beta", "gamma", "people", "watch"];

/// Collections that point at each other, with few rows each.
pub(crate) fn tables(rng: &mut Rng) -> Memory {
    let collections = schema(rng);
    let sizes: BTreeMap<String, usize> = NAMES
        .iter()
        .map(|name| ((*name).to_owned(), [0, 1, 4, 5, 6, 7][rng.below(6)].max(rng.below(3))))
        .collect();
    let tables = collections.into_iter().map(|collection| {
        let unique = !collection.unique_fields.is_empty();
        let rows = (0..sizes[&collection.name]).map(|at| -> Record {
            let mut row: Record = collection
                .fields
                .iter()
                .map(|f| (f.name.clone(), cell(rng, f, at, &sizes, unique)))
                .collect();
            // Ids of a view are not unique.
            let at = if collection.kind == CollectionKind::View { at * 2 / 3 } else { at };
            row.insert("id".into(), Value::from(row_id(&collection.name, at)));
            row
        });
        let rows = rows.collect();
        (Arc::new(collection), rows)
    });
    Memory { tables: tables.collect() }
}

fn collection_id(name: &str) -> String {
    format!("{name}_id")
}

fn schema(rng: &mut Rng) -> Vec<Collection> {
    NAMES
        .iter()
        .map(|name| {
            let kind = match *name {
                "people" => CollectionKind::Auth,
                "watch" => CollectionKind::View,
                _ => CollectionKind::Base,
            };
            let field = |name: &str, class| Field::new(name, class);
            let target = |rng: &mut Rng| collection_id(NAMES[rng.below(5)]);
            let mut fields = vec![
                field("id", Class::Text),
                field("t", Class::Text),
                field("u", Class::Text),
                field("n", Class::Number),
                field("m", Class::Number),
                field("b", Class::Bool),
                field("d", Class::Text),
                field("s", Class::Select),
                field("sm", Class::Select).several(),
                field("fm", Class::File).several(),
                field("j", Class::Json),
                field("g", Class::GeoPoint),
                field("r", Class::Relation).to(target(rng)),
                field("q", Class::Relation).to(target(rng)),
                field("rm", Class::Relation).to(target(rng)).several(),
                field("secret", Class::Text).hidden(),
            ];
            if kind == CollectionKind::Auth {
                fields.push(field("email", Class::Text));
                fields.push(field("emailVisibility", Class::Bool));
                fields.push(field("verified", Class::Bool));
            }
            let list_rule = match rng.below(6) {
                0 => None,
                1 | 2 => Some(String::new()),
                3 => Some("t != 'a'".into()),
                4 => Some("n > 0 || b = true".into()),
                _ => Some(
                    (*rng.pick(&["r.t != 'x'", "sm:each ?= 'a'", "rm.n > 0 || t = ''"])).into(),
                ),
            };
            let mut table =
                Collection::new(*name).id(collection_id(name)).kind(kind).with_all(fields);
            table.list_rule = list_rule;
            if rng.chance(50) {
                table = table.unique("q");
            }
            if rng.chance(50) {
                table = table.index("r").index("t");
            }
            match rng.below(3) {
                _ if kind == CollectionKind::View => table,
                0 => table,
                1 => table.full_text(["t"]),
                _ => table.full_text(["u", "t"]),
            }
        })
        .collect()
}

fn number(value: f64) -> Value {
    #[allow(clippy::cast_possible_truncation)]
    if value.fract() == 0.0 && value.abs() < 9e18 {
        Value::Int(value as i64)
    } else {
        Value::Real(value)
    }
}

pub(crate) fn row_id(collection: &str, at: usize) -> String {
    format!("{collection}{at}")
}

fn cell(
    rng: &mut Rng,
    field: &Field,
    at: usize,
    sizes: &BTreeMap<String, usize>,
    unique: bool,
) -> Value {
    let related = |rng: &mut Rng| -> String {
        let target = field.target.as_deref().unwrap();
        let name = target.trim_end_matches("_id");
        match rng.below(10) {
            0 => String::new(),
            1 => "gone".into(),
            _ => row_id(name, rng.below(sizes[name].max(1))),
        }
    };
    let list = |items: Vec<String>| Value::Text(serde_json::to_string(&items).unwrap().into());
    match field.class {
        _ if field.name == "d" => Value::from(*rng.pick(DATES)),
        Class::Text if rng.chance(35) => Value::from(*rng.pick(SENTENCES)),
        Class::Text => Value::from(*rng.pick(TEXTS)),
        Class::Number => number(*rng.pick(NUMBERS)),
        Class::Bool => Value::from(rng.chance(50)),
        Class::Select | Class::File if field.multiple => {
            let mut items: Vec<String> = OPTIONS.iter().map(ToString::to_string).collect();
            items.retain(|_| rng.chance(35));
            list(items)
        }
        Class::Select | Class::File => {
            Value::from(if rng.chance(25) { "" } else { *rng.pick(OPTIONS) })
        }
        Class::Relation if field.multiple => {
            let mut items = Vec::new();
            for _ in 0..rng.below(4) {
                let item = related(rng);
                if !item.is_empty() && !items.contains(&item) {
                    items.push(item);
                }
            }
            list(items)
        }
        Class::Relation if unique && field.name == "q" => {
            let target = field.target.as_deref().unwrap();
            Value::from(if rng.chance(30) {
                String::new()
            } else {
                row_id(target.trim_end_matches("_id"), at)
            })
        }
        Class::Relation => Value::from(related(rng)),
        Class::GeoPoint => Value::from(*rng.pick(POINTS)),
        Class::Json => match json_text(rng) {
            "null" => Value::Null,
            // What a column of NUMERIC affinity makes of a number.
            text => match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(n), _) => Value::Int(n),
                (_, Ok(n)) => number(n),
                _ => Value::from(text),
            },
        },
    }
}
