//! Row-level security of PostgreSQL: policies see who asks, over HTTP, in batches and in realtime.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    realtime::Stream,
    support::{Answer, Server, postgres::Postgres},
};

const DOCS: &str = "/api/collections/docs/records";
const POLICIES: &str = "ALTER TABLE docs ENABLE ROW LEVEL SECURITY; ALTER TABLE docs FORCE ROW LEVEL SECURITY; \
    CREATE POLICY own ON docs USING (owner = current_setting('pb.auth.id', true) \
        AND current_setting('pb.auth.collection', true) = 'users' AND current_setting('pb.auth.role', true) = 'user'); \
    CREATE POLICY team ON docs FOR SELECT USING (title = 'team ' || current_setting('pb.claim.name', true)); \
    CREATE POLICY work ON docs USING (current_setting('pb.auth.role', true) IN ('system', 'superuser'))";

fn ok(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

fn titles(server: &Server, token: &str) -> Vec<String> {
    let list = ok(&server.send("GET", &format!("{DOCS}?sort=title"), token, &Value::Null));
    let items = list["items"].as_array().expect("items");
    let titles: Vec<String> =
        items.iter().map(|item| item["title"].as_str().expect("a title").to_owned()).collect();
    assert_eq!(list["totalItems"], titles.len());
    titles
}

/// A user's id and token.
fn user(server: &Server, root: &str, name: &str) -> (String, String) {
    let email = format!("{name}@example.com");
    let body = json!({ "email": email, "password": "12345678", "passwordConfirm": "12345678", "name": name });
    let made = ok(&server.send("POST", "/api/collections/users/records", root, &body));
    let body = json!({ "identity": email, "password": "12345678" });
    let path = "/api/collections/users/auth-with-password";
    let token =
        ok(&server.send("POST", path, "", &body))["token"].as_str().expect("a token").to_owned();
    (made["id"].as_str().expect("an id").to_owned(), token)
}

#[test]
fn policies_see_who_asks() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    postgres.execute("postgres", "CREATE ROLE app LOGIN");
    postgres.execute("postgres", "CREATE DATABASE guarded OWNER app");
    let dsn = postgres.dsn("guarded").replace("user=postgres", "user=app");
    let mut server = postgres.serve_with(&dsn, &[], &[("PB_PG_RLS_CLAIMS", "name, verified")]);
    let root = server.superuser();
    let body = json!({ "name": "docs", "type": "base", "listRule": "", "viewRule": "", "createRule": "",
        "updateRule": "", "deleteRule": "", "fields": [
            { "name": "title", "type": "text" }, { "name": "owner", "type": "text" }] });
    ok(&server.send("POST", "/api/collections", &root, &body));
    let batch = json!({ "batch": { "enabled": true, "maxRequests": 50, "timeout": 30 } });
    ok(&server.send("PATCH", "/api/settings", &root, &batch));
    let (a, b) = (user(&server, &root, "ann"), user(&server, &root, "bob"));
    let create = |server: &Server, token: &str, owner: &str, title: &str| {
        server.send("POST", DOCS, token, &json!({ "title": title, "owner": owner }))
    };
    ok(&create(&server, "", &a.0, "anybody may, without policies"));
    postgres.execute("guarded", "DELETE FROM docs");
    postgres.execute("guarded", POLICIES);
    server.kill_and_restart();

    let of_a = ok(&create(&server, &a.1, &a.0, "of ann"));
    ok(&create(&server, &b.1, &b.0, "of bob"));
    ok(&create(&server, &root, "nobody", "team bob"));
    assert_eq!(create(&server, &b.1, &a.0, "forged").status, 400);
    assert_eq!(create(&server, "", &a.0, "forged").status, 400);
    assert_eq!(titles(&server, &a.1), ["of ann"]);
    assert_eq!(titles(&server, &b.1), ["of bob", "team bob"]);
    assert_eq!(titles(&server, ""), [""; 0]);
    assert_eq!(titles(&server, &root), ["of ann", "of bob", "team bob"]);
    let path = format!("{DOCS}/{}", of_a["id"].as_str().expect("an id"));
    for (method, body) in
        [("GET", Value::Null), ("PATCH", json!({ "title": "taken" })), ("DELETE", Value::Null)]
    {
        for token in [b.1.as_str(), ""] {
            assert_eq!(server.send(method, &path, token, &body).status, 404, "{method}");
        }
    }
    ok(&server.send("PATCH", &path, &a.1, &json!({ "title": "of ann, changed" })));

    // in one transaction
    let item = |title: &str, owner: &str| json!({ "method": "POST", "url": DOCS, "body": { "title": title, "owner": owner } });
    let batch = |token: &str, items: Value| {
        server.send("POST", "/api/batch", token, &json!({ "requests": items })).status
    };
    assert_eq!(batch(&b.1, json!([item("batch", &b.0)])), 200);
    assert_eq!(batch(&b.1, json!([item("batch", &b.0), item("forged", &a.0)])), 400);
    assert_eq!(titles(&server, &b.1), ["batch", "of bob", "team bob"]);

    // subscribers get what they could list
    let mut streams = [&a.1, &b.1, &String::new()].map(|token| {
        let stream = Stream::open(&server);
        stream.subscribe(&server, token, &["docs/*", "users/*"]);
        stream
    });
    let made = ok(&create(&server, &a.1, &a.0, "event"));
    let path = format!("{DOCS}/{}", made["id"].as_str().expect("an id"));
    assert_eq!(server.send("DELETE", &path, &a.1, &Value::Null).status, 204);
    ok(&create(&server, &b.1, &b.0, "last of bob"));
    ok(&create(&server, &a.1, &a.0, "last of ann"));
    let mut seen = |at: usize, last: &str| {
        let mut seen = Vec::new();
        loop {
            let event = streams[at].next().expect("an event");
            let title = event.data["record"]["title"].as_str().unwrap_or_default().to_owned();
            seen.push(format!("{} {title}", event.data["action"].as_str().unwrap_or_default()));
            if title == last {
                return seen;
            }
        }
    };
    assert_eq!(seen(0, "last of ann"), ["create event", "delete event", "create last of ann"]);
    assert_eq!(seen(1, "last of bob"), ["create last of bob"]);

    // a backup has all rows, and refuses to have some
    let back_up = |name: &str| server.send("POST", "/api/backups", &root, &json!({ "name": name }));
    assert_eq!(back_up("good.zip").status, 204);
    let zip = std::fs::File::open(server.data_dir().join("backups/good.zip")).expect("the backup");
    let mut zip = zip::ZipArchive::new(zip).expect("a zip");
    let dir = tempfile::tempdir().expect("dir");
    let mut file = std::fs::File::create(dir.path().join("data.db")).expect("a file");
    std::io::copy(&mut zip.by_name("data.db").expect("data.db"), &mut file).expect("bytes");
    let rows: i64 = rusqlite::Connection::open(dir.path().join("data.db"))
        .and_then(|db| db.query_row("SELECT count(*) FROM docs", [], |row| row.get(0)))
        .expect("rows");
    assert_eq!(rows.to_string(), postgres.value("guarded", "SELECT count(*) FROM docs"));
    postgres.execute(
        "guarded",
        "DROP POLICY work ON docs; CREATE POLICY partly ON docs USING \
         (title <> 'secret' AND current_setting('pb.auth.role', true) = 'system')",
    );
    assert_eq!(back_up("refused.zip").status, 400);
    let warnings =
        "SELECT count(*) FROM _logs WHERE level = 4 AND message LIKE 'row-level security%docs'";
    assert_eq!(postgres.value("guarded", warnings), "0");
    postgres.execute("guarded", "ALTER TABLE docs NO FORCE ROW LEVEL SECURITY");
    server.kill_and_restart();
    let end = Instant::now() + Duration::from_secs(20);
    while postgres.value("guarded", warnings) == "0" {
        assert!(Instant::now() < end, "no warning");
        std::thread::sleep(Duration::from_millis(100));
    }
}
