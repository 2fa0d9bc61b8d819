//! `db copy`: there and back without a difference, all or nothing, and what is served afterwards.

use std::{collections::BTreeMap, path::Path, process::Command};

use rusqlite::{Connection, types::Value as Cell};
use serde_json::{Value, json};

use crate::support::{Server, postgres::Postgres, run};

const RICH: &str = "/work/shared/conformance/diff/fixtures/rich.tar.gz";

/// Runs `db copy`; what it said, or the one line of its failure.
fn copy(dir: &Path, from: &str, to: &str, more: &[&str]) -> Result<String, String> {
    let args = [&["db", "copy", "--from", from, "--to", to], more].concat();
    let done = run(dir, &args);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    if done.status.success() { Ok(said) } else { Err(String::from_utf8_lossy(&done.stderr).into()) }
}

/// A value by what it means in a column of that type.
fn meaning(ty: &str, cell: Cell) -> Value {
    let text = match cell {
        Cell::Null => String::new(),
        Cell::Integer(n) => n.to_string(),
        Cell::Real(x) => x.to_string(),
        Cell::Text(text) => text,
        Cell::Blob(bytes) => String::from_utf8(bytes).expect("text"),
    };
    match ty {
        "JSON" => match serde_json::from_str(&text) {
            Ok(Value::Array(list)) if list.is_empty() => Value::Null,
            Ok(value) => value,
            Err(_) if text.is_empty() => Value::Null,
            Err(_) => json!(text),
        },
        "NUMERIC" | "INTEGER" => json!(text.parse::<f64>().unwrap_or(0.0)),
        "BOOLEAN" => json!(text == "1" || text == "true"),
        _ => json!(text),
    }
}

/// All tables as (name, rows in order); columns and their types are those of `like`.
fn dump(file: &Path, like: &Path) -> BTreeMap<String, Vec<Vec<Value>>> {
    let (db, like) =
        (Connection::open(file).expect("a file"), Connection::open(like).expect("a file"));
    let names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
    let mut names = like.prepare(names).expect("a statement");
    let names: Vec<String> =
        names.query_map([], |row| row.get(0)).expect("rows").map(Result::unwrap).collect();
    let mut out = BTreeMap::new();
    for name in names {
        let mut columns =
            like.prepare("SELECT name, type FROM pragma_table_info(?1)").expect("sql");
        let columns: Vec<(String, String)> = columns
            .query_map([&name], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("rows")
            .map(Result::unwrap)
            .collect();
        let list: Vec<String> = columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let order = if name == "_migrations" { "file" } else { "rowid" };
        let sql = format!("SELECT {} FROM \"{name}\" ORDER BY {order}", list.join(","));
        let mut rows = db.prepare(&sql).expect("a statement");
        let rows = rows.query_map([], |row| {
            let cells = columns.iter().enumerate();
            cells.map(|(at, (_, ty))| Ok(meaning(ty, row.get(at)?))).collect()
        });
        out.insert(name, rows.expect("rows").map(Result::unwrap).collect());
    }
    out
}

/// A directory with every kind of field, a view over it, and values at the edges.
fn generated() -> Server {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    let field = |name: &str, kind: &str, more: Value| {
        let mut field = json!({ "name": name, "type": kind });
        field
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().cloned().unwrap_or_default());
        field
    };
    let several = json!({ "values": ["a", "b", "c"], "maxSelect": 3 });
    let collections = [
        json!({ "name": "items", "type": "base", "listRule": "", "fields": [
            field("title", "text", json!({})), field("n", "number", json!({})),
            field("on", "bool", json!({})), field("data", "json", json!({})),
            field("tags", "select", several), field("at", "geoPoint", json!({})),
            field("day", "date", json!({})), field("created", "autodate", json!({"onCreate": true})),
        ], "indexes": [
            "CREATE UNIQUE INDEX `idx_items_title` ON `items` (`title` COLLATE NOCASE) WHERE `title` != ''",
            "CREATE INDEX `idx_items_n` ON `items` (`n` DESC, `day`)",
        ]}),
        json!({ "name": "totals", "type": "view", "listRule": "",
            "viewQuery": "SELECT (ROW_NUMBER() OVER()) as id, `on`, count(id) as total FROM items GROUP BY `on`" }),
    ];
    for body in &collections {
        let answer = server.send("POST", "/api/collections", &token, body);
        assert_eq!(answer.status, 200, "{}", answer.json());
    }
    let data = [
        json!(null),
        json!("text"),
        json!(1),
        json!(1.5e300),
        json!(true),
        json!([]),
        json!({"b": {"y": [1, null]}, "a": "\u{1F600} <&> \" \\"}),
        json!("5"),
        json!([[], {}, 0.1]),
    ];
    for (at, data) in data.iter().cycle().take(40).enumerate() {
        let tags = &["a", "b", "c"][..at % 4];
        let n = [0.0, -1.5, 1e15, 0.1, 123_456_789.0][at % 5];
        let body = json!({ "title": format!("Ünï {at}\n\t'\""), "n": n, "on": at % 2 == 0,
            "data": data, "tags": tags, "at": { "lon": 179.5, "lat": -0.25 }, "day": "2024-02-29 10:00:00.123Z" });
        let answer = server.send("POST", "/api/collections/items/records", &token, &body);
        assert_eq!(answer.status, 200, "{}", answer.json());
    }
    let lists = server.send(
        "DELETE",
        &format!("/api/collections/items/records/{}", first(&server)),
        &token,
        &Value::Null,
    );
    assert_eq!(lists.status, 204);
    server
}

fn first(server: &Server) -> String {
    let list = server.send("GET", "/api/collections/items/records?perPage=1", "", &Value::Null);
    list.json()["items"][0]["id"].as_str().expect("an id").to_owned()
}

fn there_and_back(server: &Postgres, source: &Path, database: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    server.execute("postgres", &format!("CREATE DATABASE {database}"));
    let dsn = server.dsn(database);
    let said = copy(dir.path(), &source.display().to_string(), &dsn, &[]).expect("the copy works");
    assert!(said.contains("Verified"), "{said}");
    copy(dir.path(), &dsn, "back", &[]).expect("the way back works");
    for file in ["data.db", "auxiliary.db"] {
        let back = dir.path().join("back").join(file);
        let (before, after) = (dump(&source.join(file), &back), dump(&back, &back));
        for (table, rows) in &before {
            assert_eq!(rows, &after[table], "{table}");
        }
        assert!(file != "data.db" || before.len() > 5);
    }
}

#[test]
fn there_and_back_without_a_difference() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let server = generated();
    there_and_back(&postgres, &server.data_dir(), "generated");
    if Path::new(RICH).exists() {
        let dir = tempfile::tempdir().expect("a directory");
        let done = Command::new("tar").arg("xzf").arg(RICH).current_dir(dir.path()).status();
        assert!(done.is_ok_and(|status| status.success()));
        there_and_back(&postgres, dir.path(), "rich");
    }
}

#[test]
fn what_was_copied_is_served() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let sqlite = generated();
    let (dir, dsn) = (tempfile::tempdir().expect("a directory"), postgres.dsn("postgres"));
    copy(dir.path(), &sqlite.data_dir().display().to_string(), &dsn, &[]).expect("the copy works");
    let server = Server::on(dir, &["--pg", &dsn]);
    for path in [
        "items/records?perPage=100",
        "items/records?sort=-n,title&filter=(n%3E0)",
        "totals/records?sort=total,on",
    ] {
        let get = |server: &Server| {
            server.send("GET", &format!("/api/collections/{path}"), "", &Value::Null).json()
        };
        assert_eq!(get(&server), get(&sqlite), "{path}");
    }
    let token = server.superuser();
    let made =
        server.send("POST", "/api/collections/items/records", &token, &json!({ "title": "new" }));
    assert_eq!(made.status, 200, "{}", made.json());
}

#[test]
fn all_or_nothing() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let server = generated();
    let (dir, dsn) = (tempfile::tempdir().expect("a directory"), postgres.dsn("postgres"));
    let from = server.data_dir().display().to_string();
    let count = || postgres.value("postgres", "SELECT count(*) FROM items");
    copy(dir.path(), &from, &dsn, &[]).expect("the first copy works");
    let said = copy(dir.path(), &from, &dsn, &[]).expect_err("a target with data");
    assert!(said.contains("--overwrite") && said.lines().count() == 1, "{said}");
    copy(dir.path(), &from, &dsn, &["--overwrite"]).expect("it may be replaced");
    assert_eq!(count(), "39");
    // PostgreSQL cannot store NUL: the row is named, the target stays
    let id = first(&server);
    let db = Connection::open(server.data_dir().join("data.db")).expect("a file");
    db.execute("UPDATE items SET title = 'a' || char(0) WHERE id = ?1", [&id]).expect("an update");
    db.execute("DELETE FROM items WHERE rowid > 20", []).expect("a deletion");
    let said = copy(dir.path(), &from, &dsn, &["--overwrite"]).expect_err("a NUL");
    assert!(said.contains("items") && said.contains(&id) && said.contains("NUL"), "{said}");
    assert_eq!(count(), "39");
    // directories
    copy(dir.path(), &dsn, "back", &[]).expect("the way back works");
    let before = dump(&dir.path().join("back/data.db"), &dir.path().join("back/data.db"));
    let said = copy(dir.path(), &dsn, "back", &[]).expect_err("a target with data");
    assert!(said.contains("--overwrite"), "{said}");
    postgres.execute("postgres", "ALTER TABLE items DROP COLUMN _rowid_");
    copy(dir.path(), &dsn, "back", &["--overwrite"]).expect_err("a broken source");
    let back = dir.path().join("back/data.db");
    assert_eq!(dump(&back, &back), before);
    let left: Vec<_> = std::fs::read_dir(dir.path().join("back")).expect("a directory").collect();
    assert_eq!(left.len(), 2, "{left:?}");
    copy(dir.path(), &from, "third", &[]).expect("directory to directory");
    let said = copy(dir.path(), &dsn, &from, &["--overwrite"]).expect_err("a directory in use");
    assert!(said.contains("in use"), "{said}");
}

#[test]
fn bad_places_are_named() {
    let dir = tempfile::tempdir().expect("a directory");
    for (from, to, word) in [
        ("nothing", "x", "there is no data.db"),
        ("postgres://u:geheim@h/d?sslmode=maybe", "x", "sslmode"),
        ("postgres://u:geheim@127.0.0.1:1/d", "x", "127.0.0.1:1"),
    ] {
        let said = copy(dir.path(), from, to, &[]).expect_err(from);
        assert!(said.contains(word) && said.lines().count() == 1, "{said}");
        assert!(!said.contains("geheim"), "{said}");
    }
}
