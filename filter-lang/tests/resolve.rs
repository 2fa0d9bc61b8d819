//! Names → plans: what each kind of path, modifier and request value becomes, and how it is refused.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::sync::Arc;

use common::{Memory, fixture};
use filter_lang::{
    Error, Flags, Resolver, parse,
    schema::Schema,
    scope::{Auth, Datum, Request, Scope},
    value::Value,
};

/// 2023-02-03 04:05:06.007Z
const NOW_MS: i64 = 1_675_397_106_007;

fn text(text: &str) -> Datum {
    Datum::Text(text.into())
}

fn request() -> Request {
    let body = [
        ("text", text("x")),
        ("bool", Datum::Bool(true)),
        ("number", Datum::Number(5.0)),
        ("json", Datum::Json("{\"a\":1}".into())),
        ("select_one", text("")),
        ("select_many", Datum::List(vec![text("optionB"), text("optionA")])),
        ("rel_one", text("84nmscqy84lsi1t")),
        ("rel_many", Datum::List(vec![])),
        ("file_many", Datum::Null),
        (
            "extra",
            Datum::List(vec![Datum::Number(1.0), Datum::Map([("k".into(), text("v"))].into())]),
        ),
        ("nothing", Datum::Null),
    ];
    Request {
        context: "default".into(),
        method: "PATCH".into(),
        query: [("q".into(), "5".into()), ("number".into(), "0x1p4".into())].into(),
        headers: [("x_token".into(), "T".into())].into(),
        body: body.map(|(name, datum)| (name.to_owned(), datum)).into(),
        auth: Some(Auth {
            id: Arc::from("4q1xlclmfloku33"),
            collection_id: Arc::from("_pb_users_auth_"),
            collection_name: Arc::from("users"),
            columns: [
                ("email".to_owned(), Value::from("test@example.com")),
                ("verified".to_owned(), Value::Int(0)),
                ("emailVisibility".to_owned(), Value::Int(1)),
                ("name".to_owned(), Value::from("test1")),
                ("rel".to_owned(), Value::from("llvuca81nly1qls")),
                ("file".to_owned(), Value::from("[]")),
            ]
            .into(),
        }),
    }
}

fn scope(request: Option<Request>) -> Scope {
    Scope {
        hidden_allowed: true,
        request: request.map(Arc::new),
        now_ms: NOW_MS,
        ..Scope::default()
    }
}

fn plan(
    memory: &Memory,
    on: &str,
    filter: &str,
    scope: &Scope,
    flags: Flags,
) -> Result<String, Error> {
    let base = memory.collection(on).unwrap();
    let resolver = Resolver::new(memory, base, scope).filter(&parse(filter)?, flags)?;
    Ok(resolver.finish().to_string())
}

fn check(on: &str, scope: &Scope, flags: Flags, cases: &[(&str, &str)]) {
    let memory = fixture();
    let mut wrong = Vec::new();
    for (filter, expected) in cases {
        let got = match plan(&memory, on, filter, scope, flags) {
            Ok(plan) => {
                plan.split_once('\n').unwrap().1.trim().replace("\n  ", " ; ").replace('\n', " ; ")
            }
            Err(error) => format!("! {error}"),
        };
        if got != *expected {
            wrong.push(format!("{filter}\n   want: {expected}\n    got: {got}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn own_paths() {
    check(
        "demo1",
        &scope(None),
        Flags::RULE,
        &[
            ("text = 'a'", "where base.text:t = 'a'"),
            ("number > 1 || bool = true", "where (base.number:n > 1.0 || base.bool:n = TRUE)"),
            ("json.a.0.b:lower = Null", "where base.json->$.a[0].blower^ = NULL"),
            ("json:lower = 1", "where lower(base.json->$)^ = 1.0"),
            (
                "point = '' && point.lat > 1",
                "where (base.point:n = '' && base.point->$.lat^ > 1.0)",
            ),
            (
                "text:length = 4 && text:isset = true",
                "where (base.text:t = 4.0 && base.text:t = TRUE)",
            ),
            ("select_many:length > 0", "where length(base.select_many) > 0.0"),
            ("select_many:each ?= 'a'", "n1: element of base.select_many multi ; where n1* ?= 'a'"),
            ("select_one:each = 'a'", "n1: element of base.select_one ; where n1 = 'a'"),
            ("rel_one.id = 'x'", "where base.rel_one:t = 'x'"),
            ("rel_one.id:lower = 'x'", "n1: demo1 id = base.rel_one ; where lower(n1.id) = 'x'"),
            (
                "rel_many.rel.title = rel_many.name",
                "n1: users id in base.rel_many multi ; n2: demo2 id = n1.rel multi ; where n2.title*:t = n1.name*:t",
            ),
            (
                "demo1_via_rel_one.text ~ 'x'",
                "n1: demo1 rel_one = base.id multi ; where n1.text*:t ~ 'x'",
            ),
            (
                "@collection.demo2.title ?= 'a' && @collection.DEMO2:x.id = @collection.demo2.id",
                "n1: demo2 any multi ; n2: demo2 any as x multi ; where (n1.title*:t ?= 'a' && n2.id*:t = n1.id*:t)",
            ),
            (
                "@collection.demo2:x.id = 1 && @collection.demo3:x.id = 1",
                "n1: demo2 any as x multi ; n2: demo3 any as x multi ; where (n1.id*:t = 1.0 && n2.id*:t = 1.0) ; broken: alias used for two collections",
            ),
            (
                "strftime('%Y', rel_many.created, '+1 day') = '2022'",
                "n1: users id in base.rel_many multi ; where strftime('%Y', n1.created, '+1 day')*! = '2022'",
            ),
            (
                "created > strftime('%Y-%m-%d', @now, '-1 day')",
                "where base.created:t > '2023-02-02'!",
            ),
            (
                "geoDistance(point.lon, point.lat, 1, null) < 5",
                "where geoDistance(base.point->$.lon, base.point->$.lat, 1.0, NULL)^ < 5.0",
            ),
            (
                "created > @todayStart && number = @year",
                "where (base.created:t > '2023-02-03 00:00:00.000Z' && base.number:n = 2023)",
            ),
            ("1 = 1 && ('a' = 'b' || text = 'x') && null = ''", "where base.text:t = 'x'"),
            ("true = 1 && true = '1'", "where false"),
            ("'a' = null || 1 = null", "where false"),
        ],
    );
}

#[test]
fn refused_paths() {
    let left =
        |cause: &str, literal: &str| format!("! invalid left operand \"{literal}\" - {cause}");
    let cases = [
        ("nope", r#"unknown field "nope""#),
        ("nope.x", r#"failed to resolve field "nope""#),
        ("text.x", r#"field "text" is not a valid relation"#),
        ("text:foo", r#"unknown modifier in "text:foo""#),
        ("text:lower:each", r#"unknown field "text:lower:each""#),
        ("rel_many:each.name", r#"failed to resolve field "rel_many:each""#),
        ("a..b", r#"failed to resolve field "a""#),
        ("#text", r##"failed to resolve field "#text""##),
        ("demo1_via_rel_one", r#"unknown field "demo1_via_rel_one""#),
        (
            "zzz_via_rel_one.id",
            r#"failed to load back relation field "zzz_via_rel_one" collection"#,
        ),
        ("demo1_via_zzz.id", r#"missing back relation field "zzz""#),
        ("demo1_via_text.id", r#"invalid back relation field "text""#),
        (
            "demo1_via_rel_many.id",
            r#"invalid collection reference of a back relation field "rel_many""#,
        ),
        ("@collection.demo2", r#"failed to resolve field "@collection.demo2""#),
        (
            "@collection.zzz.id",
            r#"failed to load collection "zzz" from field path "@collection.zzz.id""#,
        ),
        ("@request.foo.id", r#"failed to resolve field "@request.foo.id""#),
        ("@request.method:lower", r#"failed to resolve field "@request.method:lower""#),
        ("@request.query.q:length", "invalid modifier sequence q:length"),
        ("@request.body.zzz:changed", "invalid modifier sequence zzz:changed"),
        ("@request.body.text:each", r#"field "text" doesn't support multivalue operations"#),
        ("@request.auth.name.foo", r#"field "name" is not a valid relation"#),
        (
            "rel_one.rel_one.rel_one.rel_one.rel_one.rel_one.rel_one.text",
            r#"max nested relations reached for field "rel_one""#,
        ),
    ];
    let cases: Vec<(String, String)> =
        cases.iter().map(|(name, cause)| (format!("{name} = 1"), left(cause, name))).collect();
    let cases: Vec<(&str, &str)> = cases.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    check("demo1", &scope(Some(request())), Flags::RULE, &cases);
    check(
        "demo1",
        &scope(None),
        Flags::RULE,
        &[
            ("1 = nope(1)", r#"! invalid right operand "nope" - unknown function "nope""#),
            (
                "geoDistance(1) = 1",
                r#"! invalid left operand "geoDistance" - [geoDistance] expected 4 arguments, got 1"#,
            ),
            (
                "geoDistance(1,2,'x',4) = 1",
                r#"! invalid left operand "geoDistance" - [geoDistance] argument 2 must be an identifier or number"#,
            ),
            (
                "geoDistance(1,zzz,3,4) = 1",
                r#"! invalid left operand "geoDistance" - [geoDistance] failed to resolve argument 1: unknown field "zzz""#,
            ),
            (
                "strftime() = 1",
                r#"! invalid left operand "strftime" - [strftime] expected at least 1 arguments, got 0"#,
            ),
            (
                "strftime(1) = 1",
                r#"! invalid left operand "strftime" - [strftime] expects the first argument to be a format string"#,
            ),
            (
                "strftime('%Y',strftime('x')) = 1",
                r#"! invalid left operand "strftime" - [strftime] expects the second argument to be of a valid time-value type"#,
            ),
            (
                "strftime('%Y',zzz) = 1",
                r#"! invalid left operand "strftime" - [strftime] failed to resolve time-value argument: unknown field "zzz""#,
            ),
            (
                "strftime('%Y','now','utc',5) = 1",
                r#"! invalid left operand "strftime" - [strftime] invalid modifier argument 1 - can be only string"#,
            ),
            (
                "strftime('',2,'','','','','','','','','') = 1",
                r#"! invalid left operand "strftime" - [strftime] too many arguments (max allowed 10, got 11)"#,
            ),
        ],
    );
}

#[test]
fn request_values() {
    check(
        "demo1",
        &scope(Some(request())),
        Flags::RULE,
        &[
            (
                "text = @request.method && text = @request.context",
                "where (base.text:t = 'PATCH' && base.text:t = 'default')",
            ),
            ("text = @request.query.q", "where base.text:t = '5'"),
            ("text = @request.query.number", "where base.text:t = 16.0"),
            ("text = @request.query.zzz", "where base.text:t = NULL"),
            ("text = @request.query.q.deeper", "where base.text:t = NULL"),
            ("text = @request.headers.x_token:lower", "where base.text:t = lower('T')"),
            ("@request.headers.zzz:isset = false && text = 1", "where base.text:t = 1.0"),
            ("text = @request.body.text", "where base.text:t = 'x'"),
            ("text = @request.body.bool", "where base.text:t = bool true"),
            ("text = @request.body.json", "where base.text:t = '{\"a\":1}'"),
            ("text = @request.body.json.a", "where base.text:t = 1.0"),
            ("text = @request.body.extra.1.k", "where base.text:t = 'v'"),
            ("text = @request.body.extra.7.k", "where base.text:t = NULL"),
            ("text = @request.body.select_many", "where base.text:t = '[\"optionB\",\"optionA\"]'"),
            ("@request.body.nothing:isset = true && text = 1", "where base.text:t = 1.0"),
            ("@request.body.extra.1.z:isset = true && text = 1", "where false"),
            ("number = @request.body.select_many:length", "where base.number:n = INT 2"),
            ("number = @request.body.select_one:length", "where base.number:n = INT 1"),
            ("number = @request.body.file_many:length", "where base.number:n = INT 0"),
            (
                "@request.body.select_many:each ?= text",
                "n1: element of body.select_many (2 items) multi ; where n1* ?= base.text:t",
            ),
            (
                "text ~ @request.body.select_many:each",
                "n1: element of body.select_many (2 items) multi ; where base.text:t ~ n1* ; broken: malformed JSON",
            ),
            ("@request.body.text:changed = true", "where changed('x' != base.text:t)^ = TRUE"),
            ("@request.body.url:changed = true && text = 1", "where false"),
            ("@request.body.select_many:lower = text", "where lower('') = base.text:t"),
            (
                "@request.body.rel_one.text = 'x'",
                "n1: demo1 body.rel_one (1 ids) ; where n1.text:t = 'x'",
            ),
            (
                "@request.body.rel_one.zzz = text",
                "n1: demo1 body.rel_one (1 ids) ; where NULL = base.text:t",
            ),
            ("@request.body.rel_many.zzz.y = text", "where NULL = base.text:t"),
            (
                "text = @request.auth.id && text = @request.auth.collectionName",
                "where (base.text:t = '4q1xlclmfloku33' && base.text:t = 'users')",
            ),
            ("bool = @request.auth.verified", "where base.bool:n = bool false"),
            ("text = @request.auth.name", "where base.text:t = caller 'test1':t"),
            ("text = @request.auth.name:lower", "where base.text:t = lower(caller 'test1')"),
            ("text = @request.auth.rel.id", "where base.text:t = caller 'llvuca81nly1qls':t"),
            ("@request.auth.name = 'test1' && text = 1", "where base.text:t = 1.0"),
            ("text = @request.auth.zzz", "where base.text:t = NULL"),
            ("text = @request.auth.zzz_via_x.y", "n1: users caller ; where base.text:t = NULL"),
            (
                "text = @request.auth.rel.title",
                "n1: users caller ; n2: demo2 id = n1.rel ; where base.text:t = n2.title:t",
            ),
            ("@request.auth.file:length > 0", "n1: users caller ; where length(n1.file) > 0.0"),
        ],
    );
    let guest = Request { auth: None, ..request() };
    check(
        "demo1",
        &scope(Some(guest)),
        Flags::RULE,
        &[
            ("@request.auth.verified = false", "where false"),
            ("@request.auth.verified != true", "where true"),
            ("@request.auth.zzz = ''", "where true"),
            ("@request.auth.id ~ ''", "where false"),
            ("@request.auth.id != ''", "where false"),
            ("@request.auth.id.x.y = text", "where NULL = base.text:t"),
        ],
    );
    check(
        "demo1",
        &scope(None),
        Flags::RULE,
        &[("text = @request.body.text", "where base.text:t = NULL")],
    );
}

#[test]
fn visibility() {
    check(
        "nologin",
        &scope(None),
        Flags::CLIENT,
        &[
            (
                "password = 'x'",
                r#"! invalid left operand "password" - non-filterable field "password""#,
            ),
            ("email != 'x'", "where (base.email:t != 'x' && base.emailVisibility:n = TRUE)"),
            (
                "email:lower ~ 'x' || id = 1",
                "where ((lower(base.email) ~ 'x' && base.emailVisibility:n = TRUE) || base.id:t = 1.0)",
            ),
        ],
    );
    check(
        "demo2",
        &scope(None),
        Flags::CLIENT,
        &[(
            "users_via_rel.id != ''",
            r#"! invalid left operand "users_via_rel.id" - "users" fields can be accessed only when allowHiddenFields is enabled or by superusers"#,
        )],
    );
    check(
        "demo4",
        &scope(None),
        Flags::CLIENT,
        &[(
            "rel_one_cascade.title = 'x' || title = 'y'",
            "n1: demo3 id = base.rel_one_cascade ; where ((n1.title:t = 'x' || base.title:t = 'y') && n1.id:t = '')",
        )],
    );
}

/// spec §10.3: inside a joined list rule, paths are relative to the joined row.
#[test]
fn list_rules_have_their_own_root() {
    let mut memory = fixture();
    for (collection, _) in &mut memory.tables {
        if collection.name == "users" {
            Arc::make_mut(collection).list_rule =
                Some("rel.title = 'x' && id = @request.auth.id".into());
        }
    }
    let base = memory.collection("demo1").unwrap();
    let scope = scope(Some(request()));
    let resolver = Resolver::new(&memory, base, &scope)
        .filter(&parse("rel_many.name = 'a'").unwrap(), Flags::CLIENT)
        .and_then(|resolver| resolver.sort("-rel_many.name,@random,-@rowid", Flags::CLIENT))
        .unwrap();
    assert_eq!(
        resolver.finish().to_string(),
        "from demo1\n  n1: users id in base.rel_many multi\n  n2: demo2 id = n1.rel under n1\n\
         where (n1.name*:t = 'a' && (n1.id:t = '' || (n2.title:t = 'x' && n1.id:t = '4q1xlclmfloku33')))\n\
         sort n1.name desc\nsort random\nsort rowid desc"
    );
}

#[test]
fn sort_fields() {
    let memory = fixture();
    let scope = scope(Some(request()));
    for (on, sort, ok) in [
        ("demo1", "text,-number", true),
        ("demo1", "rel_one.text,json.a,select_many:length,text:lower,select_many:each", true),
        ("demo1", "@request.auth.rel.title,@request.auth.name", true),
        ("demo1", "@random,-@rowid", true),
        ("view1", "@rowid", false),
        ("demo1", "text,", false),
        ("demo1", ",", false),
        ("demo1", "@now", false),
        ("demo1", "null", false),
        ("demo1", "@request.auth.id", false),
        ("demo1", "@request.query.zzz", false),
        ("demo1", "@request.body.select_many:length", false),
        ("demo1", "@request.body.text:changed", false),
        ("demo1", "zzz", false),
    ] {
        let resolver = Resolver::new(&memory, memory.collection(on).unwrap(), &scope);
        assert_eq!(resolver.sort(sort, Flags::RULE).is_ok(), ok, "{sort}");
    }
}

#[test]
fn limits() {
    let memory = fixture();
    let scope = scope(None);
    let count = |n: usize| {
        let filter =
            format!("{}text=1{}", "(text=1&&(text=2||".repeat(n / 2 - 1), "))".repeat(n / 2 - 1));
        plan(&memory, "demo1", &filter, &scope, Flags::RULE).map(|_| ())
    };
    assert_eq!(count(200), Ok(()));
    assert_eq!(count(204).unwrap_err().to_string(), "max filter expressions limit reached");
    let deep = format!("{}text='x'{}", "(".repeat(1_740), ")".repeat(1_740));
    assert_eq!(
        plan(&memory, "demo1", &deep, &scope, Flags::RULE).unwrap(),
        "from demo1\nwhere base.text:t = 'x'"
    );
}

#[test]
fn the_simple_resolver() {
    let memory = fixture();
    let base = memory.collection("demo1").unwrap();
    let scope = scope(None);
    let run = |filter: &str| {
        let ast = parse(filter).unwrap();
        filter_lang::resolve_simple(Arc::clone(&base), &ast, &["id", "text"], Some("json"), &scope)
            .map_or_else(|error| error.to_string(), |plan| plan.cond.to_string())
    };
    for (filter, expected) in [
        ("id ~ 'x' && json.a.0:x = 1", "(base.id:t ~ 'x' && base.json->$.a.0x^ = 1.0)"),
        ("text != @now", "base.text:t != '2023-02-03 04:05:06.007Z'"),
        ("url = 1", r#"invalid left operand "url" - failed to resolve field "url""#),
        ("json = 1", r#"invalid left operand "json" - failed to resolve field "json""#),
        (
            "rel_one.text = 1",
            r#"invalid left operand "rel_one.text" - failed to resolve field "rel_one.text""#,
        ),
    ] {
        assert_eq!(run(filter), expected, "{filter}");
    }
}
