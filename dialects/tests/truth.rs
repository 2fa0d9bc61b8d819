//! The measured tables of spec filter-language §14 through both databases.

#![allow(clippy::unwrap_used, clippy::print_stderr, unreachable_pub, reason = "a test")]

mod support;

use std::sync::Arc;

use dialects::Dialect;
use filter_lang::{
    Flags, Resolver, parse,
    plan::Plan,
    schema::Schema,
    scope::{Auth, Request, Scope},
};
use support::{
    check,
    common::{Memory, fixture, scratch},
    fill_postgres, fresh, id, pg, run_postgres, run_sqlite, sqlite,
};

/// 2026-01-01.
const NOW_MS: i64 = 1_767_225_600_000;

fn request(memory: &Memory, caller: &str) -> Request {
    let base = Request { method: "GET".into(), context: "default".into(), ..Request::default() };
    let (collection, caller) = match caller {
        "user" => ("users", "4q1xlclmfloku33"),
        "client" => ("clients", "gk390qegs4y47wn"),
        _ => return base,
    };
    let row = memory.rows_of(collection).iter().find(|row| id(row) == caller).unwrap();
    let collection = memory.collection(collection).unwrap();
    Request {
        auth: Some(Auth {
            id: Arc::from(caller),
            collection_id: Arc::from(collection.id.as_str()),
            collection_name: Arc::from(collection.name.as_str()),
            columns: row.clone(),
        }),
        ..base
    }
}

/// The plan of a list request, `None` where it is refused.
fn plan(memory: &Memory, on: &str, caller: &str, filter: &str, sort: &str) -> Option<Plan> {
    let base = memory.collection(on)?;
    let scope = Scope {
        request: Some(Arc::new(request(memory, caller))),
        now_ms: NOW_MS,
        ..Scope::default()
    };
    let is_super = caller == "superuser";
    let flags = if is_super { Flags::RULE } else { Flags::CLIENT };
    let mut resolver = Resolver::new(memory, Arc::clone(&base), &scope);
    if !is_super && !base.list_rule.as_deref()?.is_empty() {
        resolver = resolver.filter(&parse(base.list_rule.as_deref()?).ok()?, Flags::RULE).ok()?;
    }
    if !filter.is_empty() {
        resolver = resolver.filter(&parse(filter).ok()?, flags).ok()?;
    }
    Some(resolver.sort(sort, flags).ok()?.finish())
}

fn run(memory: &Memory, cases: &[(String, String, String, String)], server: Option<&pg::Server>) {
    let on_sqlite = sqlite(memory);
    let modern = fresh(memory);
    let on_sqlite_fresh = sqlite(&modern);
    let postgres = server.map(pg::Server::connect);
    if let Some(db) = &postgres {
        fill_postgres(db, &modern);
    }
    let mut wrong = Vec::new();
    let mut count = 0;
    for (on, caller, filter, sort) in cases {
        let Some(old) = plan(memory, on, caller, filter, sort) else { continue };
        count += 1;
        let lite = |sql: &_| run_sqlite(&on_sqlite, sql);
        let mut report = |result: Result<_, String>| {
            if let Err(error) = result {
                wrong.push(format!("{on} as {caller}: {filter} sort {sort}\n  {error}"));
            }
        };
        report(check(memory, &old, &[(Dialect::SQLITE, &lite)]));
        let new = plan(&modern, on, caller, filter, sort).unwrap();
        let lite = |sql: &_| run_sqlite(&on_sqlite_fresh, sql);
        report(check(&modern, &new, &[(Dialect::SQLITE, &lite)]));
        if let Some(db) = &postgres {
            report(check(&modern, &new, &[(Dialect::POSTGRES, &|sql| run_postgres(db, sql))]));
        }
    }
    assert!(count > 40, "{count} cases ran");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

fn cases(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect())
}

#[test]
fn the_measured_tables() {
    let server = pg::Server::start();
    let listed: Vec<_> = cases(include_str!("../../filter-lang/tests/cases/truth.tsv"))
        .map(|c| (c[0].to_owned(), c[1].to_owned(), c[2].to_owned(), c[3].to_owned()))
        .filter(|c| c.0 != "numeric_id_view")
        .collect();
    run(&fixture(), &listed, server.as_ref());
    let scratched: Vec<_> = cases(include_str!("../../filter-lang/tests/cases/scratch.tsv"))
        .map(|c| {
            let (filter, sort) = match c[0].strip_prefix("sort ") {
                Some(sort) => ("", sort),
                None => (c[0], ""),
            };
            ("z".to_owned(), "superuser".to_owned(), filter.to_owned(), sort.to_owned())
        })
        .collect();
    run(&scratch(), &scratched, server.as_ref());
}
