//! Full-text search: both databases cut words as `filter_lang::prim::words` says, and their indexes only narrow it.

#![allow(clippy::unwrap_used, clippy::print_stderr, unreachable_pub, reason = "a test")]

mod support;

use std::sync::Arc;

use dialects::{
    Dialect, Sql, Value, ddl,
    statement::{self, ColumnList, Select},
};
use filter_lang::{
    Flags, Resolver, parse,
    plan::Plan,
    prim::words,
    schema::{Class, Collection, Field, Schema},
    scope::Scope,
};
use support::{
    common::{Memory, Record},
    fill_postgres, full_text, pg, run_postgres, run_sqlite, sqlite,
};

fn field(name: &str, target: Option<&str>) -> Field {
    match target {
        Some(target) => Field::new(name, Class::Relation).to(target),
        None => Field::new(name, Class::Text),
    }
}

fn collection(name: &str, fields: Vec<Field>, full_text: &[&str]) -> Arc<Collection> {
    let table = Collection::new(name).id(format!("{name}_id")).with_all(fields);
    Arc::new(table.full_text(full_text.iter().copied()))
}

/// `posts` with an index over two fields and `notes` that name posts, `n` rows each.
fn memory(n: usize) -> Memory {
    let posts = collection(
        "posts",
        vec![field("id", None), field("title", None), field("body", None)],
        &["title", "body"],
    );
    let notes = collection(
        "notes",
        vec![field("id", None), field("text", None), field("post", Some("posts_id"))],
        &["text"],
    );
    let row = |cells: &[(&str, String)]| -> Record {
        cells.iter().map(|(name, text)| ((*name).to_owned(), Value::from(text.as_str()))).collect()
    };
    let posts_rows = (0..n).map(|at| {
        let title = format!(
            "Post number{at} {}",
            if at % 97 == 3 { "Quick Brown fox" } else { "lazy dog" }
        );
        row(&[
            ("id", format!("p{at}")),
            ("title", title),
            ("body", format!("word{} filler text", at % 10)),
        ])
    });
    let notes_rows = (0..n).map(|at| {
        row(&[
            ("id", format!("n{at}")),
            ("text", format!("note{at}")),
            ("post", format!("p{}", at / 2)),
        ])
    });
    Memory { tables: vec![(posts, posts_rows.collect()), (notes, notes_rows.collect())] }
}

fn plan(memory: &Memory, on: &str, filter: &str) -> Plan {
    let scope = Scope { now_ms: 0, ..Scope::default() };
    let resolver = Resolver::new(memory, memory.collection(on).unwrap(), &scope);
    resolver.filter(&parse(filter).unwrap(), Flags::RULE).unwrap().finish()
}

fn page(d: Dialect, plan: &Plan) -> Sql {
    statement::page(d, plan, &Select { limit: Some(30), ..Select::all(&ColumnList::new(&["id"])) })
}

/// Code points with letters, marks, signs and pictures; the planes above hold nothing but ideographs.
fn characters() -> impl Iterator<Item = char> {
    (1..0x2_0000).filter_map(char::from_u32)
}

#[test]
fn sqlite_never_misses_a_word() {
    let db = sqlite(&Memory::default());
    db.execute_batch("CREATE TABLE t (id TEXT PRIMARY KEY, a TEXT)").unwrap();
    for text in ddl::create_full_text(Dialect::SQLITE, "t", "t", &["a"]) {
        db.execute_batch(&text).unwrap();
    }
    // Many characters in one row: each between letters and on its own.
    // Separators and letters that lose their case; anything else is the same to every index.
    let all: Vec<char> = characters()
        .filter(|c| !words::is_word(*c) || words::fold(*c) != *c || u32::from(*c) < 0x500)
        .collect();
    let docs: Vec<String> = all
        .chunks(256)
        .map(|chunk| chunk.iter().map(|c| format!("x{c}y {c} ")).collect())
        .collect();
    for (at, doc) in docs.iter().enumerate() {
        db.execute("INSERT INTO t VALUES (?1, ?2)", (format!("{at}"), doc)).unwrap();
    }
    let index = ddl::full_text_name("t");
    let mut find = db
        .prepare(&format!(
            "SELECT count(*) FROM `{index}` f JOIN `{index}_ids` k ON k.n = f.rowid WHERE k.id = ?1 AND f.`{index}` MATCH ?2"
        ))
        .unwrap();
    for (at, chunk) in all.chunks(256).enumerate() {
        for c in chunk {
            for query in [
                format!("x{c}y"),
                format!("\"x{c}y\""),
                c.to_string(),
                c.to_lowercase().to_string(),
            ] {
                let query = words::query(&query);
                let Some(needed) = words::needed(&query) else { continue };
                if !words::matches(&query, [docs[at].as_str()]) {
                    continue;
                }
                let text: Vec<String> = needed[0].iter().map(|w| format!("\"{w}\"")).collect();
                let text = text.join(" AND ");
                let found: i64 = find.query_row((at.to_string(), &text), |row| row.get(0)).unwrap();
                assert_eq!(found, 1, "{:04x} {text}", u32::from(*c));
            }
        }
    }
}

#[test]
fn postgres_cuts_words_alike() {
    let Some(server) = pg::Server::start() else { return };
    let db = server.connect();
    for chunk in characters().collect::<Vec<_>>().chunks(512) {
        let text: String = chunk.iter().map(|c| format!("A{c}b{c} ")).collect();
        let sql = Sql {
            text: "SELECT pb_words($1::text)".into(),
            params: vec![Value::from(text.as_str())],
        };
        let got = run_postgres(&db, &sql).unwrap().remove(0);
        let squeeze = |text: &str| {
            text.split(' ').filter(|w| !w.is_empty()).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(squeeze(&got), squeeze(&words::words(&text)), "{:04x}", u32::from(chunk[0]));
        assert!(!got.trim().contains("  "));
    }
    // More words than a tsvector holds, and words longer than its lexemes.
    let long: String =
        (0..200_000).map(|n| format!("w{n:x} ")).collect::<String>() + &"y".repeat(5000);
    for (text, query, hit) in [
        (long.as_str(), "'w1' & 'w2'", "false"),
        (long.as_str(), "'w1' & 'w2' | '*'", "true"),
        (&long[long.len() - 5000..], &format!("'{}'", "y".repeat(words::INDEXED_CHARS)), "true"),
        ("", "'a'", "false"),
    ] {
        let sql = Sql {
            text: "SELECT (pb_tsvector($1::text) @@ ($2::text)::tsquery)::text".into(),
            params: vec![Value::from(text), Value::from(query)],
        };
        assert_eq!(run_postgres(&db, &sql).unwrap(), [hit]);
    }
}

#[test]
fn texts_of_searches() {
    let memory = memory(1);
    let index = "\"_fts_posts_id\"";
    let search = plan(&memory, "posts", "fts(title, body, 'Fox \"brown bear\" -x') = true");
    let sql = page(Dialect::SQLITE, &search);
    assert_eq!(
        sql.text,
        format!(
            "SELECT b.\"id\" FROM \"posts\" AS b WHERE b.\"id\" IN (SELECT k.\"id\" FROM {index} AS f JOIN \
             \"_fts_posts_id_ids\" AS k ON k.\"n\" = f.rowid WHERE f.{index} MATCH ?1) AND \
             pb_fts(?2, b.\"title\", b.\"body\") IS 1 ORDER BY b._rowid_ LIMIT ?3"
        )
    );
    assert_eq!(
        sql.params,
        [
            Value::from("(\"fox\" AND \"brown\" AND \"bear\")"),
            Value::from("+ fox \t+ brown bear \t- x "),
            Value::Int(30)
        ]
    );
    let sql = page(Dialect::POSTGRES, &search);
    assert_eq!(
        sql.text,
        "SELECT b.\"id\" FROM \"posts\" AS b WHERE pb_tsvector(b.\"title\" || chr(10) || b.\"body\") @@ ($1::text)::tsquery \
         AND pb_fts($2::text, b.\"title\", b.\"body\") IS NOT DISTINCT FROM 1 ORDER BY b._rowid_ LIMIT $3::int8"
    );
    assert_eq!(sql.params[0], Value::from("('fox' & 'brown' & 'bear') | '*'"));
    // The index cannot help: nothing must be there, a field is not in it, the answer may be false.
    for filter in
        ["fts(title, '-x') = true", "fts(title, id, 'x') = true", "fts(title, 'x') = false"]
    {
        for d in [Dialect::SQLITE, Dialect::POSTGRES] {
            let text = page(d, &plan(&memory, "posts", filter)).text;
            assert!(!text.contains("MATCH") && !text.contains("@@"), "{text}");
        }
    }
    for (args, why) in [
        ("title", "expected at least 2 arguments, got 1"),
        ("title, body", "the query must be a text or a value of the request"),
        ("'x', 'y'", "only fields can be searched"),
        ("title, 'x', 'german'", "the only search configuration is 'simple'"),
    ] {
        let scope = Scope::default();
        let resolver = Resolver::new(&memory, memory.collection("posts").unwrap(), &scope);
        let ast = parse(&format!("fts({args}) = true")).unwrap();
        let error = resolver.filter(&ast, Flags::RULE).unwrap_err();
        assert!(error.to_string().ends_with(&format!("[fts] {why}")), "{error}");
    }
}

#[test]
fn indexes_are_used() {
    let memory = memory(3000);
    let filters = [
        ("posts", "fts(title, body, 'fox word3') = true"),
        ("notes", "post.id != '' && fts(text, 'note77') = true"),
        ("notes", "fts(post.title, 'number77') = true"),
    ];
    let lite = sqlite(&memory);
    let explain = |sql: Sql| Sql { text: format!("EXPLAIN QUERY PLAN {}", sql.text), ..sql };
    for (on, filter) in filters {
        let sql = explain(page(Dialect::SQLITE, &plan(&memory, on, filter)));
        let mut statement = lite.prepare(&sql.text).unwrap();
        for (at, value) in sql.params.iter().enumerate() {
            statement.raw_bind_parameter(at + 1, value.text().as_deref()).unwrap();
        }
        let mut rows = statement.raw_query();
        let mut lines = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            lines.push(row.get::<_, String>(3).unwrap());
        }
        let lines = lines.join("\n");
        assert!(lines.contains("f VIRTUAL TABLE INDEX"), "{filter}\n{lines}");
        assert!(
            on == "notes" && filter.contains("post.title") || !lines.contains("SCAN b"),
            "{filter}\n{lines}"
        );
    }
    if let Some(server) = pg::Server::start() {
        let db = server.connect();
        fill_postgres(&db, &memory);
        db.batch("ANALYZE");
        for (on, filter) in filters {
            let sql = page(Dialect::POSTGRES, &plan(&memory, on, filter));
            let lines =
                run_postgres(&db, &Sql { text: format!("EXPLAIN {}", sql.text), ..sql }).unwrap();
            assert!(
                lines.iter().any(|line| line.contains("_fts_")),
                "{filter}\n{}",
                lines.join("\n")
            );
        }
    }
}

#[test]
fn a_trigram_index_serves_contains() {
    let Some(server) = pg::Server::start() else { return };
    let (db, memory) = (server.connect(), memory(3000));
    fill_postgres(&db, &memory);
    db.batch("CREATE EXTENSION pg_trgm SCHEMA public");
    db.batch(r#"CREATE INDEX "trgm" ON "posts" USING gin ("title" gin_trgm_ops)"#);
    // Whether it can, not whether it pays on so few rows.
    db.batch("ANALYZE; SET enable_seqscan = off");
    for (filter, column) in
        [("title ~ 'brown'", "title"), ("title ~ 'number29%'", "title"), ("body ~ 'word'", "body")]
    {
        let sql = page(Dialect::POSTGRES, &plan(&memory, "posts", filter));
        let lines = run_postgres(&db, &Sql { text: format!("EXPLAIN {}", sql.text), ..sql })
            .unwrap()
            .join("\n");
        assert_eq!(lines.contains("on trgm"), column == "title", "{filter}\n{lines}");
    }
}

#[test]
fn the_sqlite_index_follows_every_write() {
    let memory = memory(5);
    let db = sqlite(&memory);
    let found = |query: &str| {
        let plan = plan(&memory, "posts", &format!("fts(title, body, '{query}') = true"));
        run_sqlite(&db, &page(Dialect::SQLITE, &plan)).unwrap()
    };
    assert_eq!(found("fox"), ["p3"]);
    for (write, query, ids) in [
        ("UPDATE posts SET title = 'a cat' WHERE id = 'p3'", "fox", vec![]),
        ("SELECT 1", "cat", vec!["p3"]),
        ("INSERT OR REPLACE INTO posts VALUES ('p3', 'a cow', '')", "cat", vec![]),
        (
            "INSERT INTO posts VALUES ('p3', 'x', '') ON CONFLICT DO UPDATE SET title = 'hen'",
            "hen",
            vec!["p3"],
        ),
        ("UPDATE posts SET id = 'q' WHERE id = 'p3'", "hen", vec!["q"]),
        ("DELETE FROM posts WHERE id IN ('q', 'p0')", "hen or number0", vec![]),
        // Row ids change: the index has numbers of its own.
        ("VACUUM", "number4", vec!["p4"]),
        ("BEGIN; INSERT INTO posts VALUES ('r', 'gone', ''); ROLLBACK", "gone", vec![]),
        (
            "ALTER TABLE posts RENAME COLUMN body TO text; ALTER TABLE posts RENAME TO p2; INSERT INTO p2 VALUES ('s', '', 'elk'); \
          ALTER TABLE p2 RENAME TO posts; ALTER TABLE posts RENAME COLUMN text TO body",
            "elk",
            vec!["s"],
        ),
        ("DELETE FROM posts", "filler", vec![]),
    ] {
        db.execute_batch(write).unwrap();
        assert_eq!(found(query), ids, "{write}");
    }
    for text in ddl::drop_full_text(Dialect::SQLITE, "posts_id") {
        db.execute_batch(&text).unwrap();
    }
    let left = "SELECT name FROM sqlite_master WHERE name LIKE '\\_fts\\_posts%' ESCAPE '\\'";
    assert_eq!(run_sqlite(&db, &Sql::plain(left)).unwrap(), Vec::<String>::new());
    assert_eq!(full_text(&memory.collection("notes").unwrap(), Dialect::POSTGRES).len(), 1);
}

/// With and without the index the same is found. Prints query times; those of docs/full-text-search.md are of
/// `FULL_TEXT_ROWS=20000`.
#[test]
fn an_index_changes_times_only() {
    let n_rows = std::env::var("FULL_TEXT_ROWS").ok().and_then(|n| n.parse().ok()).unwrap_or(400);
    let text = |at: usize| {
        let words =
            (0..60).map(|n| format!("word{}", (at * 7919 + n * n * 104_729 + n * 13) % 5000));
        words.collect::<Vec<_>>().join(" ")
    };
    let mut memory = memory(n_rows);
    for (at, row) in memory.tables[0].1.iter_mut().enumerate() {
        row.insert("body".into(), Value::from(text(at)));
    }
    let mut bare = Memory { tables: memory.tables.clone() };
    let mut posts = Collection::clone(&bare.tables[0].0);
    posts.full_text.clear();
    bare.tables[0].0 = Arc::new(posts);
    let server = pg::Server::start();
    let best = |run: &dyn Fn() -> Vec<String>| {
        let mut best = f64::MAX;
        let mut found = Vec::new();
        for _ in 0..5 {
            let start = std::time::Instant::now();
            found = run();
            best = best.min(start.elapsed().as_secs_f64() * 1e3);
        }
        (best, found)
    };
    let filters = [
        "fts(title, body, 'word77 word1234') = true",
        "fts(title, body, 'quick or \"brown fox\"') = true",
    ];
    let mut known = std::collections::HashMap::new();
    for (name, memory) in [("with", &memory), ("without", &bare)] {
        let start = std::time::Instant::now();
        let lite = sqlite(memory);
        eprintln!("SQLite {name}: filled in {:?}", start.elapsed());
        let db = server.as_ref().map(pg::Server::connect);
        if let Some(db) = &db {
            let start = std::time::Instant::now();
            fill_postgres(db, memory);
            db.batch("ANALYZE");
            eprintln!("PostgreSQL {name}: filled in {:?}", start.elapsed());
        }
        for filter in filters {
            let plan = plan(memory, "posts", filter);
            for (what, sql) in
                [("count", statement::count as fn(Dialect, &Plan) -> Sql), ("page", page)]
            {
                let (ms, found) =
                    best(&|| run_sqlite(&lite, &sql(Dialect::SQLITE, &plan)).unwrap());
                eprintln!("SQLite {name} the index, {what}, {filter}: {ms:.2} ms");
                assert_eq!(*known.entry((what, filter)).or_insert_with(|| found.clone()), found);
                if let Some(db) = &db {
                    let (ms, found) =
                        best(&|| run_postgres(db, &sql(Dialect::POSTGRES, &plan)).unwrap());
                    eprintln!("PostgreSQL {name} the index, {what}, {filter}: {ms:.2} ms");
                    assert_eq!(known[&(what, filter)].len(), found.len());
                }
            }
        }
    }
    assert!(known.values().any(|found| found.len() > 1), "pages with records: {known:?}");
}
