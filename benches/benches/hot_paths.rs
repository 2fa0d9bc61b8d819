//! The hot paths, alone: the compiler's stages, and view, list and create through the whole pipeline in process.
//!
//! `cargo bench -p benches`; the twin of the same requests over sockets is `benches/compare`.

use std::{collections::BTreeMap, hint::black_box, sync::Arc};

use api::{
    api::{Api, Options},
    testing,
};
use criterion::{Criterion, criterion_group, criterion_main};
use dialects::{
    Dialect,
    statement::{self, ColumnList, Select},
};
use engine::{App, Ctx, app::Config, event::Hooks};
use filter_lang::{
    Flags, Resolver,
    schema::{Class, Collection, Field, Schema},
    scope::Scope,
    value::Value,
};
use serde_json::json;

const FILTER: &str = "status = 'active' && (views > 10 || title ~ 'al') && author.name != 'x'";
const OWN: &str = "status = 'active' && (views > 10 || title ~ 'al')";

struct Blog(Vec<Arc<Collection>>);

impl Schema for Blog {
    fn collection(&self, name_or_id: &str) -> Option<Arc<Collection>> {
        self.0.iter().find(|c| c.name.eq_ignore_ascii_case(name_or_id)).cloned()
    }
}

fn field(name: &str, class: Class, target: Option<&str>) -> Field {
    let field = Field::new(name, class);
    match target {
        Some(target) => field.to(target),
        None => field,
    }
}

fn blog() -> Blog {
    let table = |name: &str, fields: Vec<Field>| {
        Arc::new(Collection::new(name).list_rule("").with_all(fields).unique("id").index("id"))
    };
    let id = || field("id", Class::Text, None);
    let posts = vec![
        id(),
        field("title", Class::Text, None),
        field("status", Class::Select, None),
        field("views", Class::Number, None),
        field("author", Class::Relation, Some("people")),
    ];
    Blog(vec![table("posts", posts), table("people", vec![id(), field("name", Class::Text, None)])])
}

fn compiler(c: &mut Criterion) {
    let (blog, scope, columns) = (blog(), Scope::default(), ColumnList::new(&["id", "title"]));
    let base = blog.0[0].clone();
    let resolve = |text: &str| {
        let ast = filter_lang::parse(text).expect("the filter parses");
        let resolver = Resolver::new(&blog, base.clone(), &scope);
        resolver.filter(&ast, Flags::RULE).expect("the filter resolves").finish()
    };
    c.bench_function("parse", |b| b.iter(|| filter_lang::parse(black_box(FILTER))));
    let ast = filter_lang::parse(FILTER).expect("the filter parses");
    c.bench_function("resolve", |b| {
        b.iter(|| filter_lang::resolve(&blog, base.clone(), black_box(&ast), &scope));
    });
    let plan = resolve(FILTER);
    for (name, dialect) in [("sqlite", Dialect::SQLITE), ("postgres", Dialect::POSTGRES)] {
        c.bench_function(&format!("lower and print, {name}"), |b| {
            b.iter(|| statement::page(dialect, black_box(&plan), &Select::all(&columns)));
        });
    }
    let own = resolve(OWN);
    let row = BTreeMap::from([
        ("status".to_owned(), Value::Text("active".into())),
        ("views".to_owned(), Value::Int(3)),
        ("title".to_owned(), Value::Text("gamma alpha".into())),
    ]);
    c.bench_function("evaluate", |b| b.iter(|| filter_lang::eval(black_box(&own), &row)));
}

/// An application in a temporary directory with 1,000 posts.
async fn served(dir: &std::path::Path) -> Api {
    let app = App::bootstrap(Config::new(dir), Hooks::default()).await.expect("a fresh directory");
    let ctx = Ctx::system(&app);
    engine::settings_ops::update(&ctx, &json!({"logs": {"maxDays": 0}})).await.expect("settings");
    let posts = json!({"name": "posts", "type": "base", "listRule": "", "viewRule": "", "createRule": "",
        "fields": [{"name": "title", "type": "text"}, {"name": "views", "type": "number"},
        {"name": "status", "type": "select", "values": ["draft", "active"], "maxSelect": 1}],
        "indexes": ["CREATE INDEX idx_posts_status ON posts (status, views)"]});
    engine::collections::create(&ctx, &posts).await.expect("a collection");
    let api = Api::new(&app, Options::default()).expect("the built-in routes");
    for n in 0..1000 {
        let body = json!({"id": format!("p{n:014}"), "title": "alpha beta", "views": n, "status": "active"});
        create(&api, &body.to_string()).await;
    }
    api
}

async fn create(api: &Api, body: &str) {
    let json = [("content-type", "application/json")];
    let answer = testing::send(api, "POST", "/api/collections/posts/records", &json, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn requests(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a directory");
    let api = runtime.block_on(served(dir.path()));
    let get = |url: &str| {
        let answer = runtime.block_on(testing::send(&api, "GET", url, &[], ""));
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    let records = "/api/collections/posts/records";
    c.bench_function("view", |b| b.iter(|| get(&format!("{records}/p00000000000007"))));
    let list =
        format!("{records}?filter=status%3D%22active%22%26%26views%3E500&sort=-views&skipTotal=1");
    c.bench_function("list 30", |b| b.iter(|| get(&list)));
    c.bench_function("create", |b| {
        b.iter(|| {
            runtime.block_on(create(&api, r#"{"title":"alpha","views":7,"status":"draft"}"#))
        });
    });
}

/// What it costs to know who asks: the same view as a guest and with a token; the difference is the check.
fn token_check(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a directory");
    let api = runtime.block_on(served(dir.path()));
    let token = runtime.block_on(async {
        let ctx = Ctx::system(api.app());
        let users = ctx.snapshot().find("users").cloned().expect("the default collection");
        let user = engine::record::RecordRef::new(&users);
        user.set("email", "a@example.com").set("password", "1234567890");
        engine::record::save::save(&ctx, &user).await.expect("a user");
        engine::auth::new_auth_token(&user.snapshot(), 0, true).expect("a token")
    });
    let url = "/api/collections/posts/records/p00000000000007";
    let mut group = c.benchmark_group("token_check");
    for (name, headers) in
        [("guest", vec![]), ("signed in", vec![("authorization", token.as_str())])]
    {
        group.bench_function(name, |b| {
            b.iter(|| {
                let answer = runtime.block_on(testing::send(&api, "GET", url, &headers, ""));
                assert_eq!(answer.status, 200, "{}", answer.text());
            });
        });
    }
}

criterion_group!(hot_paths, compiler, requests, token_check);
criterion_main!(hot_paths);
