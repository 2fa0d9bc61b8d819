//! Time per page of the workloads of architecture §9 on 20,000 posts and comments, in memory: compile and run.
//!
//! `cargo run --release -p dialects --example measure`; any argument prints texts and query plans.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool")]

use std::{sync::Arc, time::Instant};

use dialects::{
    Dialect, Value, ddl,
    ddl::ColumnType,
    statement::{self, ColumnList, Select},
};
use filter_lang::{
    Flags, Resolver, parse,
    schema::{Class, Collection, Field, Schema},
    scope::{Auth, Request, Scope},
};
use rusqlite::{Connection, config::DbConfig};

const ROWS: usize = 20_000;
const WORDS: &[&str] =
    &["alpha", "beta", "gamma", "delta", "iota", "kappa", "xi", "omicron", "rho", "sigma"];

struct Tables(Vec<Arc<Collection>>);

impl Schema for Tables {
    fn collection(&self, name: &str) -> Option<Arc<Collection>> {
        self.0.iter().find(|c| c.name == name || c.id == name).cloned()
    }
}

/// Fields as `name:class[:target]`.
fn collection(name: &str, fields: &str, indexed: &[&str]) -> Arc<Collection> {
    let field = |text: &str| {
        let mut parts = text.split(':');
        let (name, class) = (parts.next().unwrap(), parts.next().unwrap());
        let class = match class {
            "num" => Class::Number,
            "json" => Class::Json,
            "list" => Class::Select,
            "rel" => Class::Relation,
            _ => Class::Text,
        };
        let field = Field::new(name, class);
        let field = if class == Class::Select { field.several() } else { field };
        match parts.next() {
            Some(target) => field.to(target),
            None => field,
        }
    };
    let table = Collection::new(name).list_rule("").with_all(fields.split(' ').map(field));
    Arc::new(indexed.iter().fold(table, |table, column| table.index(*column)))
}

fn tables() -> Tables {
    let posts = "id:text title:text body:text views:num status:text labels:list author:rel:people \
                 meta:json created:text";
    Tables(vec![
        collection("users", "id:text email:text", &["email"]),
        collection("people", "id:text name:text owner:rel:users", &[]),
        collection("posts", posts, &["status", "author"]),
        collection(
            "comments",
            "id:text post:rel:posts text:text likes:num created:text",
            &["post"],
        ),
    ])
}

fn create(db: &Connection, tables: &Tables) {
    for c in &tables.0 {
        let column = |f: &Field| match f.class {
            _ if f.name == "id" => ColumnType::TextPk,
            Class::Number => ColumnType::Number,
            Class::Json => ColumnType::Json,
            _ if f.multiple => ColumnType::JsonList,
            _ => ColumnType::Text,
        };
        let columns: Vec<_> = c.fields.iter().map(|f| (f.name.as_str(), column(f))).collect();
        db.execute_batch(&ddl::create_table(Dialect::SQLITE, &c.name, &columns)[0]).unwrap();
    }
    db.execute_batch(
        "CREATE INDEX idx_posts_status ON posts (status, created);
         CREATE INDEX idx_posts_author ON posts (author);
         CREATE INDEX idx_comments_post ON comments (post);
         CREATE UNIQUE INDEX idx_email ON users (email);",
    )
    .unwrap();
}

fn seed(db: &Connection) {
    let mut state = 1u64;
    let mut random = |limit: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % limit
    };
    let text = |n: usize, random: &mut dyn FnMut(usize) -> usize| {
        (0..n).map(|_| WORDS[random(10)]).collect::<Vec<_>>().join(" ")
    };
    let key = |letter: char, at: usize| format!("{letter}{at:014}");
    let time = |at: usize| {
        let (h, m, s) = (at / 3600, at / 60 % 60, at % 60);
        format!("2024-01-01 {h:02}:{m:02}:{s:02}.{:03}Z", at % 7)
    };
    let put = |sql: &str, row: &[&dyn rusqlite::ToSql]| {
        db.prepare_cached(sql).unwrap().execute(row).unwrap();
    };
    db.execute_batch("BEGIN").unwrap();
    for at in 0..20 {
        put(
            "INSERT INTO users (id, email) VALUES (?, ?)",
            &[&key('u', at), &format!("u{at}@example.com")],
        );
    }
    for at in 0..200 {
        let owner = key('u', random(20));
        put(
            "INSERT INTO people (id, name, owner) VALUES (?, ?, ?)",
            &[&key('e', at), &WORDS[random(10)], &owner],
        );
    }
    for at in 0..ROWS {
        let labels: Vec<&str> =
            ["\"a\"", "\"b\"", "\"c\"", "\"d\""].into_iter().filter(|_| random(3) == 0).collect();
        put(
            "INSERT INTO posts (id, title, body, views, status, labels, author, meta, created) \
             VALUES (?,?,?,?,?,?,?,?,?)",
            &[
                &key('p', at),
                &text(5, &mut random),
                &text(40, &mut random),
                &i64::try_from(random(1000)).unwrap(),
                &["draft", "active", "archived"][random(3)],
                &format!("[{}]", labels.join(",")),
                &key('e', random(200)),
                &format!("{{\"k\":{}}}", random(50)),
                &time(at),
            ],
        );
        let likes = i64::try_from(random(10)).unwrap();
        put(
            "INSERT INTO comments (id, post, text, likes, created) VALUES (?,?,?,?,?)",
            &[&key('c', at), &key('p', random(ROWS)), &text(10, &mut random), &likes, &time(at)],
        );
    }
    db.execute_batch("COMMIT").unwrap();
}

const WORKLOADS: &[(&str, &str, &str, &str, u64)] = &[
    ("newest, page 11", "posts", "", "-created", 300),
    ("on an index", "posts", "status = 'active' && views > 950", "-created", 0),
    ("text scan", "posts", "title ~ 'alpha beta'", "-created", 0),
    (
        "two relations",
        "posts",
        "author.owner.email = 'u3@example.com' || author.name = 'alpha'",
        "-views",
        0,
    ),
    ("back relation", "posts", "comments_via_post.likes ?> 7 && status = 'active'", "-created", 0),
    (
        "rule, page 5",
        "comments",
        "post.author.owner = @request.auth.id || likes > 5",
        "-created",
        120,
    ),
    ("multi-value + JSON", "posts", "labels:each ?= 'a' && meta.k = 7", "", 0),
];

fn main() {
    let db = Connection::open_in_memory().unwrap();
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
    let tables = tables();
    create(&db, &tables);
    seed(&db);
    let explain = std::env::args().nth(1).is_some();
    let auth =
        Auth { id: "u00000000000003".into(), collection_name: "users".into(), ..Auth::default() };
    let request = Request { auth: Some(auth), ..Request::default() };
    let scope = Scope { request: Some(Arc::new(request)), ..Scope::default() };
    for (name, on, filter, sort, offset) in WORKLOADS {
        let base = tables.collection(on).unwrap();
        let names: Vec<&str> = base.fields.iter().map(|f| f.name.as_str()).collect();
        let columns = ColumnList::new(&names);
        let compile = || {
            let mut resolver = Resolver::new(&tables, Arc::clone(&base), &scope);
            if !filter.is_empty() {
                resolver = resolver.filter(&parse(filter).unwrap(), Flags::RULE).unwrap();
            }
            let resolver = resolver.sort(sort, Flags::RULE).unwrap();
            let select = Select { limit: Some(30), offset: *offset, ..Select::all(&columns) };
            statement::page(Dialect::SQLITE, &resolver.finish(), &select)
        };
        let start = Instant::now();
        (0..1000).for_each(|_| drop(std::hint::black_box(compile())));
        let compiled = start.elapsed().as_secs_f64() * 1e3;
        let sql = compile();
        let mut best = f64::MAX;
        for _ in 0..30 {
            let start = Instant::now();
            let mut statement = db.prepare_cached(&sql.text).unwrap();
            for (at, value) in sql.params.iter().enumerate() {
                match value {
                    Value::Null => statement.raw_bind_parameter(at + 1, rusqlite::types::Null),
                    Value::Int(n) => statement.raw_bind_parameter(at + 1, n),
                    Value::Real(n) => statement.raw_bind_parameter(at + 1, n),
                    Value::Text(text) => statement.raw_bind_parameter(at + 1, &**text),
                }
                .unwrap();
            }
            let mut rows = statement.raw_query();
            while rows.next().unwrap().is_some() {}
            best = best.min(start.elapsed().as_secs_f64() * 1e3);
        }
        println!("{name:20} {best:8.3} ms to run, {compiled:6.1} µs to compile");
        if explain {
            println!("  {}", sql.text);
            let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {}", sql.text)).unwrap();
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next().unwrap() {
                println!("    {}", row.get::<_, String>(3).unwrap());
            }
        }
    }
}
