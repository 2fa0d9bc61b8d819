//! A random request and caller.

use std::{collections::BTreeMap, sync::Arc};

use filter_lang::{
    schema::{Class, Schema},
    scope::{Auth, Datum, Request, Scope},
};

use crate::{
    rng::Rng,
    samples::{OPTIONS, TEXTS, json_text},
    support::{common::Memory, id},
    tables::{NAMES, row_id},
};

/// 2024-02-29 13:14:15.678.
const NOW_MS: i64 = 1_709_212_455_678;

/// Who asks, and with what in the request; now and then nobody, now and then about a draft.
pub(crate) fn scope(rng: &mut Rng, memory: &Memory) -> Scope {
    let people = memory.collection("people").unwrap();
    let rows = memory.rows_of("people");
    let auth = (!rows.is_empty() && rng.chance(70)).then(|| {
        let row = rng.pick(rows);
        // Columns that were not fetched need a join.
        let all = rng.chance(50);
        let columns = row
            .iter()
            .filter(|(name, _)| {
                all || ["email", "verified", "emailVisibility"].contains(&name.as_str())
            })
            .filter(|(name, _)| {
                people.fields.iter().any(|f| {
                    f.name == **name
                        && !f.multiple
                        && !matches!(f.class, Class::Json | Class::GeoPoint)
                })
            })
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Auth {
            id: id(row).into(),
            collection_id: people.id.as_str().into(),
            collection_name: "people".into(),
            columns,
        }
    });
    let text = |rng: &mut Rng| (*rng.pick(TEXTS)).to_owned();
    let mut body = BTreeMap::new();
    let ids = |rng: &mut Rng| -> Vec<Datum> {
        (0..rng.below(3))
            .map(|_| {
                let name = *rng.pick(NAMES);
                Datum::Text(row_id(name, rng.below(5)))
            })
            .collect()
    };
    for (name, value) in [
        ("t", Datum::Text(text(rng))),
        ("n", Datum::Number(*rng.pick(&[0.0, 1.0, 1.5, 10.0]))),
        ("b", Datum::Bool(rng.chance(50))),
        ("s", Datum::Text((*rng.pick(OPTIONS)).into())),
        (
            "sm",
            Datum::List(vec![Datum::Text("a".into()), Datum::Text((*rng.pick(OPTIONS)).into())]),
        ),
        ("r", ids(rng).pop().unwrap_or(Datum::Text(String::new()))),
        ("rm", Datum::List(ids(rng))),
        ("j", Datum::Json(json_text(rng).into())),
        (
            "deep",
            Datum::Map(BTreeMap::from([("x".to_owned(), Datum::List(vec![Datum::Number(1.0)]))])),
        ),
        ("u", Datum::Null),
    ] {
        if rng.chance(60) {
            body.insert(name.to_owned(), value);
        }
    }
    let request = Request {
        context: "default".into(),
        method: "GET".into(),
        query: BTreeMap::from([("k".into(), text(rng)), ("n".into(), "5".into())]),
        headers: BTreeMap::from([("x_token".into(), text(rng))]),
        body,
        auth,
    };
    Scope {
        request: rng.chance(95).then(|| Arc::new(request)),
        now_ms: NOW_MS,
        draft: rng.chance(10),
        ..Scope::default()
    }
}
