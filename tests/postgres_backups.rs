//! Backups while serving from PostgreSQL: made, restored, restored on the other engine, refused, interrupted.

use std::{
    fs,
    io::{Read as _, Write as _},
};

use serde_json::{Value, json};

use crate::support::{Client, Server, eventually, multipart, postgres::Postgres};

const LIST: &str = "/api/collections/items/records?sort=title";

fn get(server: &Server, path: &str, token: &str) -> Option<Value> {
    let answer = Client::connect(server.port).ok()?.send("GET", path, token, "", &[]).ok()?;
    (answer.status == 200).then(|| answer.json())
}

fn collection(server: &Server, token: &str) {
    let field = |name: &str, kind: &str| json!({ "name": name, "type": kind });
    let body = json!({ "name": "items", "type": "base", "listRule": "", "viewRule": "", "fields": [
        field("title", "text"), field("n", "number"), field("on", "bool"), field("data", "json"),
        field("at", "geoPoint"), field("day", "date"), field("doc", "file"),
        { "name": "tags", "type": "select", "values": ["a", "b"], "maxSelect": 2 },
    ], "indexes": ["CREATE UNIQUE INDEX `idx_items` ON `items` (`title` COLLATE NOCASE) WHERE `title` != ''"] });
    let made = server.send("POST", "/api/collections", token, &body);
    assert_eq!(made.status, 200, "{}", made.json());
    let view = json!({ "name": "sums", "type": "view", "listRule": "",
        "viewQuery": "SELECT (ROW_NUMBER() OVER()) as id, day, sum(n) as total FROM items GROUP BY day" });
    let made = server.send("POST", "/api/collections", token, &view);
    assert_eq!(made.status, 200, "{}", made.json());
}

/// A record with a file.
fn add(server: &Server, token: &str, title: &str) -> Value {
    let fields = [
        ("title", title),
        ("n", "1.5"),
        ("on", "true"),
        ("data", r#"{"k":[1,"ä",null]}"#),
        ("at", r#"{"lon":1,"lat":-2}"#),
        ("day", "2024-02-29 10:00:00.123Z"),
        ("tags", "a"),
        ("tags", "b"),
    ];
    let (kind, body) = multipart(&fields, ("doc", "doc.txt", title.as_bytes()));
    let path = "/api/collections/items/records";
    let mut client = Client::connect(server.port).expect("connect");
    let answer = client.send("POST", path, token, &kind, &body).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

fn back_up(server: &Server, token: &str, name: &str) {
    let made = server.send("POST", "/api/backups", token, &json!({ "name": name }));
    assert_eq!(made.status, 204, "{}", String::from_utf8_lossy(&made.body));
}

fn bytes_of(server: &Server, name: &str) -> Vec<u8> {
    let token = server.superuser();
    let access = server.send("POST", "/api/files/token", &token, &Value::Null).json();
    let access = access["token"].as_str().expect("a token");
    let path = format!("/api/backups/{name}?token={access}");
    let answer = server.send("GET", &path, "", &Value::Null);
    assert_eq!(answer.status, 200);
    answer.body
}

fn upload(server: &Server, name: &str, content: &[u8]) {
    let (kind, body) = multipart(&[], ("file", name, content));
    let mut client = Client::connect(server.port).expect("connect");
    let token = server.superuser();
    let answer =
        client.send("POST", "/api/backups/upload", &token, &kind, &body).expect("an answer");
    assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
}

fn restore(server: &Server, name: &str) {
    let path = format!("/api/backups/{name}/restore");
    assert_eq!(server.send("POST", &path, &server.superuser(), &Value::Null).status, 204);
}

/// Waits until the list has so many records, on a server that restarts meanwhile.
fn until_listed(server: &Server, total: usize) -> Value {
    eventually("the records of the backup are served", || {
        get(server, LIST, "").filter(|page| page["totalItems"] == total)
    })
}

fn file_of(server: &Server, record: &Value) -> Vec<u8> {
    let (id, name) = (record["id"].as_str().expect("id"), record["doc"].as_str().expect("doc"));
    let path = format!("/api/files/items/{id}/{name}");
    server.send("GET", &path, "", &Value::Null).body
}

#[test]
fn out_and_back() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let server = postgres.serve("out_and_back", &[]);
    let token = server.superuser();
    collection(&server, &token);
    let kept = add(&server, &token, "kept");
    postgres.execute(
        "out_and_back",
        "CREATE TABLE strange (n int); INSERT INTO strange VALUES (7); \
         ALTER TABLE items ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY \"it's\" ON items FOR SELECT TO PUBLIC USING (title <> 'it''s')",
    );
    back_up(&server, &token, "one.zip");
    let before = get(&server, LIST, "").expect("a list");
    let sums = get(&server, "/api/collections/sums/records", "").expect("a list");
    let mut zip =
        zip::ZipArchive::new(std::io::Cursor::new(bytes_of(&server, "one.zip"))).expect("a zip");
    let mut data = Vec::new();
    zip.by_name("data.db").expect("data.db").read_to_end(&mut data).expect("bytes");
    assert!(data.starts_with(b"SQLite format 3\0") && zip.by_name("auxiliary.db").is_ok());

    // an automatic name, then the deletion of everything
    assert_eq!(server.send("POST", "/api/backups", &token, &Value::Null).status, 204);
    for name in ["sums", "items"] {
        let path = format!("/api/collections/{name}");
        assert_eq!(server.send("DELETE", &path, &token, &Value::Null).status, 204);
    }
    assert!(get(&server, LIST, "").is_none());
    restore(&server, "one.zip");
    assert_eq!(until_listed(&server, 1), before);
    assert_eq!(get(&server, "/api/collections/sums/records", ""), Some(sums));
    assert_eq!(file_of(&server, &kept), b"kept");
    // still a database to work with: unique, numbered, and other people's tables are there
    let token = server.superuser();
    let twice = json!({ "title": "KEPT" });
    let refused = server.send("POST", "/api/collections/items/records", &token, &twice);
    assert_eq!(refused.json()["data"]["title"]["code"], "validation_not_unique");
    add(&server, &token, "later");
    assert_eq!(postgres.value("out_and_back", "SELECT n FROM strange"), "7");
    assert!(!server.data_dir().join("data.db").exists());
    let health = get(&server, "/api/health", &token).expect("health");
    assert_eq!(health["data"]["canBackup"], true);
    assert_eq!(health["data"]["databaseType"], "PostgreSQL");

    // tables that are replaced keep their policies
    postgres.execute(
        "out_and_back",
        "ALTER TABLE items ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY \"it's\" ON items FOR SELECT TO PUBLIC USING (title <> 'it''s')",
    );
    restore(&server, "one.zip");
    until_listed(&server, 1);
    let policies = "SELECT relrowsecurity::text || (SELECT qual FROM pg_policies WHERE policyname = 'it''s') \
         FROM pg_class WHERE relname = 'items'";
    assert_eq!(postgres.value("out_and_back", policies), "true(title <> 'it''s'::text)");
}

#[test]
fn one_archive_for_both_engines() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let (on_postgres, on_sqlite) = (postgres.serve("both_engines", &[]), Server::fresh(&[]));
    for (server, title) in [(&on_postgres, "postgres"), (&on_sqlite, "sqlite")] {
        let token = server.superuser();
        collection(server, &token);
        add(server, &token, title);
        add(server, &token, "2");
        back_up(server, &token, "own.zip");
    }
    let lists = [&on_postgres, &on_sqlite].map(|server| get(server, LIST, "").expect("a list"));
    let sums = get(&on_postgres, "/api/collections/sums/records", "");
    let archives = [&on_postgres, &on_sqlite].map(|server| bytes_of(server, "own.zip"));
    for (server, archive, list) in
        [(&on_sqlite, &archives[0], &lists[0]), (&on_postgres, &archives[1], &lists[1])]
    {
        add(server, &server.superuser(), "3");
        upload(server, "other.zip", archive);
        restore(server, "other.zip");
        assert_eq!(&until_listed(server, 2), list);
        assert_eq!(get(server, "/api/collections/sums/records", ""), sums);
        for record in list["items"].as_array().expect("items") {
            assert_eq!(
                file_of(server, record),
                record["title"].as_str().expect("title").as_bytes()
            );
        }
        add(server, &server.superuser(), "3");
    }
}

/// An archive as another server would have made it, its `data.db` changed by SQL.
fn tampered(archive: &[u8], sql: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("dir");
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(archive)).expect("a zip");
    let path = dir.path().join("data.db");
    let mut file = fs::File::create(&path).expect("a file");
    std::io::copy(&mut zip.by_name("data.db").expect("data.db"), &mut file).expect("bytes");
    drop(file);
    rusqlite::Connection::open(&path).and_then(|db| db.execute_batch(sql)).expect("sql");
    let mut out = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    out.start_file("data.db", zip::write::SimpleFileOptions::default()).expect("an entry");
    out.write_all(&fs::read(&path).expect("bytes")).expect("written");
    out.start_file("storage/new", zip::write::SimpleFileOptions::default()).expect("an entry");
    out.finish().expect("a zip").into_inner()
}

#[test]
fn what_cannot_be_served_changes_nothing() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let server = postgres.serve("unchanged", &[]);
    let token = server.superuser();
    collection(&server, &token);
    let kept = add(&server, &token, "kept");
    back_up(&server, &token, "good.zip");
    let good = bytes_of(&server, "good.zip");
    let failures = "/api/logs?filter=message%3D'Failed%20to%20restore%20backup'&sort=-created";
    for (count, (name, sql, why)) in [
        ("nul.zip", "UPDATE items SET title = 'a' || char(0)", "NUL"),
        ("settings.zip", "UPDATE _params SET value = 'sealed' WHERE id = 'settings'", "settings"),
        ("foreign.zip", "DROP TABLE _collections", "_collections"),
    ]
    .into_iter()
    .enumerate()
    {
        upload(&server, name, &tampered(&good, sql));
        restore(&server, name);
        let said = eventually("the failure is logged", || {
            get(&server, failures, &token).filter(|page| page["totalItems"] == count + 1)
        });
        let said = said["items"][0]["data"]["error"].to_string();
        assert!(said.contains(why), "{name}: {said}");
        assert_eq!(until_listed(&server, 1)["items"][0]["id"], kept["id"]);
        assert_eq!(file_of(&server, &kept), b"kept");
        assert!(!server.data_dir().join("storage/new").exists());
    }
    back_up(&server, &token, "not_blocked.zip");
}

/// The process ends between the commit and its own bookkeeping: the commit decides.
#[test]
fn the_commit_is_the_moment() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let mut server = postgres.serve("the_moment", &[]);
    let temp = server.data_dir().join(".pb_temp_to_delete");
    postgres.execute("the_moment", "COMMENT ON TABLE _params IS 'pocketbase copy old_1'");
    for (old, is_new) in [("old_1", true), ("old_2", false)] {
        fs::create_dir_all(temp.join(old)).expect("a directory");
        fs::write(temp.join(old).join("mine"), "old").expect("a file");
        fs::write(server.data_dir().join("mine"), "new").expect("a file");
        let journal = json!({ "phase": "trying", "staged": "staged", "old": old,
            "exclude": ["backups", "data.db"], "why": "" });
        fs::write(temp.join("restore.json"), journal.to_string()).expect("a file");
        server.kill_and_restart();
        let mine = fs::read_to_string(server.data_dir().join("mine")).expect("a file");
        assert_eq!(mine, if is_new { "new" } else { "old" });
        eventually("the journal is gone", || Some(()).filter(|()| !temp.exists()));
    }
}

/// Whoever copies the whole database, on whichever node, does so alone.
#[test]
fn one_at_a_time_over_all_nodes() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let first = postgres.serve("alone", &[]);
    let second = postgres.serve_existing(&postgres.dsn("alone"), &[]);
    let token = first.superuser();
    collection(&first, &token);
    back_up(&first, &token, "before.zip");
    back_up(&second, &token, "theirs.zip");
    // A table that is locked makes the first node's backup wait in its middle.
    let make = |server: &Server, name: &str| {
        server.send("POST", "/api/backups", &token, &json!({ "name": name }))
    };
    let hold = postgres.hold("alone", "LOCK TABLE items IN ACCESS EXCLUSIVE MODE");
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| make(&first, "slow.zip"));
        // Its copy of the table waits, so it has what only one of the nodes can have.
        let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND NOT granted";
        eventually("the backup is in its middle", || {
            (postgres.value("alone", waits) != "0").then_some(())
        });
        assert_eq!(get(&first, "/api/health", &token).expect("health")["data"]["canBackup"], false);
        let refused = make(&second, "second.zip");
        assert_eq!(refused.status, 400);
        let here = make(&first, "third.zip");
        assert_eq!((refused.status, refused.json()), (here.status, here.json()));
        let path = "/api/backups/theirs.zip/restore";
        let restored = second.send("POST", path, &token, &Value::Null);
        assert_eq!((restored.status, restored.json()), (here.status, here.json()));
        let dir = tempfile::tempdir().expect("a directory");
        let dsn = postgres.dsn("alone");
        let copied =
            crate::support::run(dir.path(), &["db", "copy", "--from", &dsn, "--to", "there"]);
        let said = String::from_utf8_lossy(&copied.stderr).into_owned();
        assert!(!copied.status.success() && said.contains("is running"), "{said}");
        drop(hold);
        assert_eq!(slow.join().expect("an answer").status, 204);
    });
    back_up(&second, &token, "after.zip");
}

/// What a restore takes away is gone on the nodes that did not restore.
#[test]
fn other_nodes_hear_of_a_restore() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let first = postgres.serve("restored", &[]);
    let second = postgres.serve_existing(&postgres.dsn("restored"), &[]);
    let token = first.superuser();
    collection(&first, &token);
    add(&first, &token, "kept");
    back_up(&first, &token, "before.zip");
    let extra = json!({ "name": "extra", "type": "base", "listRule": "" });
    assert_eq!(first.send("POST", "/api/collections", &token, &extra).status, 200);
    let path = "/api/collections/extra/records";
    eventually("the collection is everywhere", || get(&second, path, ""));
    restore(&first, "before.zip");
    eventually("the collection is nowhere", || {
        (second.send("GET", path, "", &Value::Null).status == 404).then_some(())
    });
    until_listed(&second, 1);
}
