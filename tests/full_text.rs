//! Full-text search and PostgreSQL's own indexes, from the option of a field to what a client gets.

use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{Server, postgres::Postgres, run};

const POSTS: &str = "/api/collections/posts";

/// Titles of the posts that a filter finds, in order.
fn titles(server: &Server, token: &str, filter: &str) -> Vec<String> {
    let filter: String = filter.bytes().map(|b| format!("%{b:02x}")).collect();
    let path = format!("{POSTS}/records?perPage=100&sort=title&filter={filter}");
    let answer = server.send("GET", &path, token, &Value::Null);
    assert_eq!(answer.status, 200, "{}", answer.json());
    let items = answer.json()["items"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["title"].as_str().unwrap_or_default().to_owned()).collect()
}

fn add(server: &Server, token: &str, title: &str, body: &str) -> String {
    let record = json!({ "title": title, "body": body });
    let answer = server.send("POST", &format!("{POSTS}/records"), token, &record);
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()["id"].as_str().expect("an id").to_owned()
}

/// A server with searchable posts.
fn posts(server: &Server) -> String {
    let token = server.superuser();
    let fields = json!([
        { "name": "title", "type": "text", "fullText": true },
        { "name": "body", "type": "editor", "fullText": true },
        { "name": "note", "type": "text" },
    ]);
    let body = json!({ "name": "posts", "type": "base", "listRule": "", "fields": fields });
    let answer = server.send("POST", "/api/collections", &token, &body);
    assert_eq!(answer.status, 200, "{}", answer.json());
    let field = |name: &str| {
        let made = answer.json();
        made["fields"].as_array().and_then(|f| f.iter().find(|f| f["name"] == name).cloned())
    };
    assert_eq!(field("title").expect("a field")["fullText"], json!(true));
    assert!(field("note").expect("a field").get("fullText").is_none());
    add(server, &token, "a Quick fox", "<p>jumps over</p>");
    add(server, &token, "b lazy dog", "the QUICK-brown one");
    add(server, &token, "c Ärger", "fox_trot");
    token
}

/// What every engine answers, while records and the collection change.
fn searches(server: &Server) {
    let token = posts(server);
    let find = |query: &str| titles(server, "", &format!("fts(title, body, '{query}') = true"));
    assert_eq!(find("quick"), ["a Quick fox", "b lazy dog"]);
    assert_eq!(find("\"quick brown\" or ärger"), ["b lazy dog", "c Ärger"]);
    assert_eq!(find("fox -jumps"), ["c Ärger"]);
    let id = add(server, &token, "d new", "zebra");
    assert_eq!(find("zebra"), ["d new"]);
    let record = format!("{POSTS}/records/{id}");
    let change = |method: &str, path: &str, body: &Value| {
        let answer = server.send(method, path, &token, body);
        assert!(answer.status < 300, "{}", answer.json());
    };
    change("PATCH", &record, &json!({ "body": "horse" }));
    assert_eq!((find("zebra").len(), find("horse").len()), (0, 1));
    change("DELETE", &record, &Value::Null);
    assert_eq!(find("horse").len(), 0);
    // The index follows a rename, and a change of its fields.
    let made = server.send("GET", POSTS, &token, &Value::Null).json();
    let mut fields = made["fields"].clone();
    let list = fields.as_array_mut().expect("fields");
    list.iter_mut().filter(|f| f["name"] == "body").for_each(|f| f["name"] = json!("text"));
    change("PATCH", POSTS, &json!({ "fields": fields, "name": "articles" }));
    change("PATCH", "/api/collections/articles", &json!({ "name": "posts" }));
    let find = |query: &str| titles(server, "", &format!("fts(title, text, '{query}') = true"));
    assert_eq!(find("quick").len(), 2);
    let list = fields.as_array_mut().expect("fields");
    list.retain(|f| f["name"] != "text");
    change("PATCH", POSTS, &json!({ "fields": fields }));
    assert_eq!(titles(server, "", "fts(title, 'quick') = true"), ["a Quick fox"]);
    change("DELETE", &format!("{POSTS}/truncate"), &Value::Null);
    add(server, &token, "quick", "");
    assert_eq!(titles(server, "", "fts(title, 'quick') = true"), ["quick"]);
}

#[test]
fn both_engines_find_the_same() {
    searches(&Server::fresh(&[]));
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    searches(&on_postgres(&postgres, "searches"));
}

/// A server with a superuser on a database of its own.
fn on_postgres(postgres: &Postgres, database: &str) -> Server {
    postgres.execute("postgres", &format!("CREATE DATABASE {database}"));
    let dsn = postgres.dsn(database);
    let dir = tempfile::tempdir().expect("a directory");
    let args =
        ["superuser", "upsert", crate::support::EMAIL, crate::support::PASSWORD, "--pg", &dsn];
    let made = run(dir.path(), &args);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Server::on(dir, &["--pg", &dsn])
}

/// Names of what is left of full-text indexes.
fn parts(dir: &Path) -> i64 {
    let db = Connection::open(dir.join("data.db")).expect("a file");
    let count = "SELECT count(*) FROM sqlite_master WHERE name LIKE '\\_fts\\_%' ESCAPE '\\' AND sql IS NOT NULL";
    db.query_row(count, [], |row| row.get(0)).expect("a count")
}

#[test]
fn other_programs_may_write_the_directory() {
    let mut server = Server::fresh(&[]);
    let token = posts(&server);
    let find =
        |server: &Server, query: &str| titles(server, "", &format!("fts(title, '{query}') = true"));
    let db = || Connection::open(server.data_dir().join("data.db")).expect("a file");
    // A plain SQLite, as any other program has: no function of ours.
    db().execute("INSERT INTO posts (id, title) VALUES ('foreign00000001', 'e foreign')", [])
        .expect("an insert");
    db().execute("UPDATE posts SET title = 'b tired dog' WHERE title = 'b lazy dog'", [])
        .expect("an update");
    db().execute_batch("VACUUM").expect("a vacuum");
    assert_eq!(find(&server, "foreign"), ["e foreign"]);
    assert_eq!((find(&server, "lazy").len(), find(&server, "tired").len()), (0, 1));
    // A program that does not know the option drops it and leaves the index behind.
    db().execute("UPDATE _collections SET fields = replace(fields, '\"fullText\":true,', '') WHERE name = 'posts'", [])
        .expect("an update");
    assert!(parts(&server.data_dir()) > 0);
    server.kill_and_restart();
    assert_eq!(parts(&server.data_dir()), 0);
    assert_eq!(find(&server, "tired"), ["b tired dog"]);
    let mut fields = server.send("GET", POSTS, &token, &Value::Null).json()["fields"].clone();
    let list = fields.as_array_mut().expect("fields");
    list.iter_mut().filter(|f| f["name"] == "title").for_each(|f| f["fullText"] = json!(true));
    let saved = server.send("PATCH", POSTS, &token, &json!({ "fields": fields }));
    assert_eq!(saved.status, 200, "{}", saved.json());
    // A table that was made again has no triggers.
    let db = Connection::open(server.data_dir().join("data.db")).expect("a file");
    db.execute_batch(
        "CREATE TABLE t2 AS SELECT * FROM posts; DROP TABLE posts; ALTER TABLE t2 RENAME TO posts; \
         INSERT INTO posts (id, title) VALUES ('foreign00000002', 'f late')",
    )
    .expect("a table");
    drop(db);
    server.kill_and_restart();
    assert_eq!(find(&server, "late"), ["f late"]);
    let gone = server.send("DELETE", POSTS, &token, &Value::Null);
    assert_eq!(gone.status, 204);
    assert_eq!(parts(&server.data_dir()), 0);
}

#[test]
fn indexes_move_with_the_data() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let sqlite = Server::fresh(&[]);
    let token = posts(&sqlite);
    let trigram = "CREATE INDEX `idx_title_trgm` ON `posts` USING gin (`title` gin_trgm_ops)";
    let refused = sqlite.send("PATCH", POSTS, &token, &json!({ "indexes": [trigram] }));
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json()["data"]["indexes"]["0"]["code"],
        json!("validation_invalid_index_expression")
    );
    let (dir, dsn) = (tempfile::tempdir().expect("a directory"), postgres.dsn("postgres"));
    let copy = |from: &str, to: &str| {
        let done = run(dir.path(), &["db", "copy", "--from", from, "--to", to]);
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        );
        assert!(done.status.success(), "{said}");
        said
    };
    let said = copy(&sqlite.data_dir().display().to_string(), &dsn);
    assert!(!said.contains("_fts_"), "{said}");
    postgres.execute("postgres", "CREATE EXTENSION pg_trgm");
    let home = tempfile::tempdir().expect("a directory");
    let server = Server::on(home, &["--pg", &dsn]);
    let token = server.superuser();
    assert_eq!(titles(&server, "", "fts(title, body, 'fox') = true"), ["a Quick fox", "c Ärger"]);
    let indexes = "SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%pb_tsvector(%' OR indexdef LIKE '%gin_trgm_ops%'";
    assert_eq!(postgres.value("postgres", indexes), "1");
    let saved = server.send("PATCH", POSTS, &token, &json!({ "indexes": [trigram] }));
    assert_eq!(saved.status, 200, "{}", saved.json());
    assert_eq!(saved.json()["indexes"], json!([trigram]));
    assert_eq!(postgres.value("postgres", indexes), "2");
    assert_eq!(titles(&server, "", "title ~ 'quick'"), ["a Quick fox"]);
    let said = copy(&dsn, "back");
    assert!(said.contains("idx_title_trgm") && said.contains("cannot be created"), "{said}");
    assert!(parts(&dir.path().join("back")) > 0);
}
