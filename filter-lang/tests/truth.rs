//! The measured tables of spec filter-language §14, through the judge and, where it applies, `eval`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod common;

use std::sync::Arc;

use common::{Memory, Record, fixture, scratch};
use filter_lang::{
    Error, Flags, Resolver, Row, Unsupported, eval, judge, parse,
    plan::Plan,
    schema::Schema,
    scope::{Auth, Request, Scope},
    value::Value,
};

/// 2026-01-01.
const NOW_MS: i64 = 1_767_225_600_000;

fn id(row: &Record) -> String {
    Row::get(row, "id").text().unwrap().into_owned()
}

/// Runs a plan: ids in order. Checks that `eval` agrees wherever it supports the plan.
fn run(memory: &Memory, plan: &Plan) -> Vec<String> {
    let rows = memory.rows_of(&plan.base.name);
    let selected = judge::select(plan, memory);
    for (at, row) in rows.iter().enumerate() {
        match eval(plan, row) {
            Ok(hit) => {
                assert_eq!(hit, selected.contains(&at), "eval differs on {}: {plan:?}", id(row))
            }
            Err(Unsupported(_)) => assert!(plan.nodes.len() > 1, "must be supported: {plan:?}"),
        }
    }
    selected.into_iter().map(|at| id(&rows[at])).collect()
}

fn request(memory: &Memory, caller: &str) -> Request {
    let (collection, id) = match caller {
        "user" => ("users", "4q1xlclmfloku33"),
        "client" => ("clients", "gk390qegs4y47wn"),
        _ => {
            return Request {
                method: "GET".into(),
                context: "default".into(),
                ..Request::default()
            };
        }
    };
    let rows = memory.rows_of(collection);
    let row = rows.iter().find(|row| self::id(row) == id).unwrap();
    let collection = memory.collection(collection).unwrap();
    Request {
        method: "GET".into(),
        context: "default".into(),
        auth: Some(Auth {
            id: Arc::from(id),
            collection_id: Arc::from(collection.id.as_str()),
            collection_name: Arc::from(collection.name.as_str()),
            columns: row.clone(),
        }),
        ..Request::default()
    }
}

/// What a list request does, without HTTP: the rows, or the status it is refused with.
fn list(
    memory: &Memory,
    on: &str,
    caller: &str,
    filter: &str,
    sort: &str,
) -> Result<Vec<String>, String> {
    let base = memory.collection(on).unwrap();
    let scope = Scope {
        request: Some(Arc::new(request(memory, caller))),
        now_ms: NOW_MS,
        ..Scope::default()
    };
    let is_super = caller == "superuser";
    let flags = if is_super { Flags::RULE } else { Flags::CLIENT };
    let mut resolver = Resolver::new(memory, Arc::clone(&base), &scope);
    if !is_super {
        let rule = base.list_rule.as_deref().ok_or("403")?;
        if [filter, sort]
            .iter()
            .any(|text| text.contains("@collection.") || text.contains("@request."))
        {
            return Err("403".into());
        }
        if !rule.is_empty() {
            resolver = resolver.filter(&parse(rule).unwrap(), Flags::RULE).unwrap();
        }
    }
    let build = || -> Result<Plan, Error> {
        if !filter.is_empty() {
            resolver = resolver.filter(&parse(filter)?, flags)?;
        }
        Ok(resolver.sort(sort, flags)?.finish())
    };
    let plan = build().map_err(|error| format!("400 {error}"))?;
    assert_eq!(plan.broken, None);
    Ok(run(memory, &plan))
}

#[test]
fn the_fixture_tables() {
    let memory = fixture();
    let mut wrong = Vec::new();
    for line in include_str!("cases/truth.tsv").lines().filter(|line| !line.starts_with('#')) {
        let [on, caller, filter, sort, expected] =
            line.split('\t').collect::<Vec<_>>().try_into().expect(line);
        let got = match list(&memory, on, caller, filter, sort) {
            Err(status) => status,
            Ok(mut ids) => {
                for id in &mut ids {
                    id.truncate(4);
                }
                if sort.is_empty() {
                    ids.sort_unstable();
                }
                ids.join(" ")
            }
        };
        let expected = match expected {
            "none" => String::new(),
            "all" => {
                let mut ids: Vec<String> = memory
                    .rows_of(on)
                    .iter()
                    .map(|row| id(row).chars().take(4).collect())
                    .collect();
                ids.sort_unstable();
                ids.join(" ")
            }
            ids if sort.is_empty() => {
                let mut ids: Vec<&str> = ids.split(' ').collect();
                ids.sort_unstable();
                ids.join(" ")
            }
            ids => ids.to_owned(),
        };
        if got != expected && !(expected == "400" && got.starts_with("400 ")) {
            wrong.push(format!("{line}\n      got: {got}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_scratch_table() {
    let memory = scratch();
    let all = "123456789a";
    let mut wrong = Vec::new();
    for line in include_str!("cases/scratch.tsv").lines().filter(|line| !line.starts_with('#')) {
        let (text, expected) = line.split_once('\t').unwrap();
        let (filter, sort) = match text.strip_prefix("sort ") {
            Some(sort) => ("", sort),
            None => (text, ""),
        };
        let got = list(&memory, "z", "superuser", filter, sort).unwrap().concat();
        let expected = match expected {
            "none" => String::new(),
            "all" => all.to_owned(),
            "all but 3" => all.replace('3', ""),
            "3 – a" => "3456789a".to_owned(),
            "2 – a" => "23456789a".to_owned(),
            ids => ids.replace(' ', ""),
        };
        if got != expected {
            wrong.push(format!("{line}\n      got: {got}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// spec §5.4: a submitted row has no affinities, and its numbers are reals.
#[test]
fn the_same_record_as_a_draft() {
    let memory = scratch();
    let base = memory.collection("z").unwrap();
    let draft: Record = [
        ("t".to_owned(), Value::from("1.0")),
        ("n".to_owned(), Value::Real(1.0)),
        ("sm".to_owned(), Value::from("[\"a\"]")),
    ]
    .into();
    let scope = Scope { draft: true, hidden_allowed: true, now_ms: NOW_MS, ..Scope::default() };
    for (filter, expected) in [
        ("n = '1'", false),
        ("n = 1", true),
        ("n > '9'", false),
        ("t = 1", false),
        ("t = true", false),
        ("'1.0x' ~ n", true),
        ("'1x' ~ n", false),
        ("sm:each ?= 'a'", true),
        ("sm:length = 1", true),
    ] {
        let plan =
            filter_lang::resolve(&memory, Arc::clone(&base), &parse(filter).unwrap(), &scope)
                .unwrap();
        assert_eq!(eval(&plan, &draft), Ok(expected), "{filter}");
        assert_eq!(judge::matches(&plan, &memory, &draft), expected, "{filter}");
    }
}
