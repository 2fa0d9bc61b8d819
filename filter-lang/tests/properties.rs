//! Properties of generated expressions: printing parses back, nothing panics, `eval` agrees with the judge.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::sync::Arc;

use common::{fixture, scratch};
use filter_lang::{
    Flags, Resolver, eval, judge, parse,
    schema::Schema,
    scope::{Datum, Request, Scope},
};
use proptest::prelude::*;

fn operand(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let name = || prop::sample::select(names).prop_map(str::to_owned);
    let text = prop::sample::select(
        &[
            "",
            "a",
            "1",
            "1.0",
            "b",
            "%a",
            "a_",
            r"\\",
            "null",
            "true",
            "x y",
            "2022-01-01 10:00:00.000Z",
            "optionB",
            "test",
            "[]",
            "[\"a\"]",
            " 1 ",
            "10",
            "abc%",
        ][..],
    );
    prop_oneof![
        6 => name(),
        3 => text.prop_map(|text| format!("'{text}'")),
        2 => prop::sample::select(&["0", "1", "-1.5", "2", "10", "1000000"][..]).prop_map(str::to_owned),
        2 => prop::sample::select(&["null", "true", "FALSE", "@now", "@year", "@todayStart"][..])
            .prop_map(str::to_owned),
        1 => name().prop_map(|name| format!("strftime('%Y', {name})")),
        1 => name().prop_map(|name| format!("geoDistance({name}, 1, 2, {name})")),
    ]
}

fn filter(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let signs = &["=", "!=", "~", "!~", ">", ">=", "<", "<="][..];
    let cmp = (operand(names), any::<bool>(), prop::sample::select(signs), operand(names))
        .prop_map(|(left, any, sign, right)| {
            format!("{left} {}{sign} {right}", if any { "?" } else { "" })
        });
    cmp.prop_recursive(3, 8, 3, |inner| {
        (prop::collection::vec((inner, any::<bool>()), 1..4), any::<bool>()).prop_map(
            |(items, grouped)| {
                let mut text = String::new();
                for (at, (item, and)) in items.iter().enumerate() {
                    if at > 0 {
                        text.push_str(if *and { " && " } else { " || " });
                    }
                    text.push_str(item);
                }
                if grouped { format!("({text})") } else { text }
            },
        )
    })
}

const SCRATCH: &[&str] = &[
    "id",
    "t",
    "n",
    "j",
    "sm",
    "t:lower",
    "n:lower",
    "j.a",
    "j.1",
    "j:lower",
    "sm:each",
    "sm:length",
    "sm:each",
    "@request.body.sm:each",
    "@request.body.t:changed",
    "@request.body.n",
    "@request.auth.id",
    "@request.body.sm:length",
    "@request.query.n",
    "@request.body.b:isset",
];

const FIXTURE: &[&str] = &[
    "text",
    "bool",
    "number",
    "select_many",
    "select_many:each",
    "json",
    "json.0",
    "rel_one",
    "rel_one.text",
    "rel_many.name",
    "rel_many.rel.title",
    "rel_many.id",
    "demo1_via_rel_one.number",
    "rel_many.file:each",
    "point.lat",
    "datetime",
    "created",
    "@collection.demo5.select_many:each",
    "email",
    "rel_many.email",
];

fn scope(draft: bool) -> Scope {
    let list = Datum::List(vec![Datum::Text("a".into()), Datum::Null, Datum::Text(String::new())]);
    let body = [
        ("sm", list),
        ("t", Datum::Text("hello".into())),
        ("n", Datum::Number(2.0)),
        ("b", Datum::Bool(false)),
    ];
    let request = Request {
        method: "GET".into(),
        query: [("n".to_owned(), "10".to_owned())].into(),
        body: body.map(|(name, datum)| (name.to_owned(), datum)).into(),
        ..Request::default()
    };
    Scope {
        hidden_allowed: true,
        request: Some(Arc::new(request)),
        now_ms: 1_700_000_000_000,
        draft,
        ..Scope::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, ..ProptestConfig::default() })]

    #[test]
    fn printing_parses_back(text in filter(SCRATCH)) {
        let ast = parse(&text).unwrap();
        let printed = ast.to_string();
        prop_assert_eq!(parse(&printed).unwrap(), ast, "{}", printed);
    }

    #[test]
    fn any_quoted_text_prints_back(content in any::<String>()) {
        let content = content.replace('\0', "");
        let text = format!("a = '{}'", content.replace('\\', "\\\\").replace('\'', "\\'"));
        let ast = parse(&text).unwrap();
        prop_assert_eq!(parse(&ast.to_string()).unwrap(), ast);
    }

    #[test]
    fn any_text_parses_or_fails(text in any::<String>()) {
        if let Err(error) = parse(&text) {
            let _ = error.render(&text);
        }
    }

    #[test]
    fn any_tokens_parse_or_fail(text in "([(),'\"&|=~!?<>/#@._:0-9a \\\\\n-]|&&|\\|\\||f\\()*") {
        match parse(&text) {
            Err(error) => {
                let _ = error.render(&text);
            }
            Ok(ast) => prop_assert_eq!(parse(&ast.to_string()).unwrap(), ast),
        }
    }

    #[test]
    fn eval_agrees_with_the_judge(text in filter(SCRATCH), draft in any::<bool>()) {
        let memory = scratch();
        let scope = scope(draft);
        let base = memory.collection("z").unwrap();
        let plan = filter_lang::resolve(&memory, base, &parse(&text).unwrap(), &scope).unwrap();
        for row in memory.rows_of("z") {
            if let Ok(hit) = eval(&plan, row) {
                prop_assert_eq!(hit, judge::matches(&plan, &memory, row), "{}\n{}", text, plan);
            } else {
                prop_assert!(plan.broken.is_some());
            }
        }
    }

    #[test]
    fn the_judge_takes_any_plan(text in filter(FIXTURE), sort in prop::sample::select(FIXTURE)) {
        let memory = fixture();
        let scope = scope(false);
        let base = memory.collection("demo1").unwrap();
        let resolve = || Resolver::new(&memory, Arc::clone(&base), &scope);
        let filtered = || resolve().filter(&parse(&text).unwrap(), Flags::RULE).unwrap();
        let plan = filtered().sort(sort, Flags::RULE).unwrap_or_else(|_| filtered()).finish();
        let found = judge::select(&plan, &memory);
        prop_assert!(found.len() <= 3);
    }
}
