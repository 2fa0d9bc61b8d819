//! Changes as the dashboard makes them: on what is expected, foreseen, and kept; `docs/dashboard-api.md`.

use serde_json::{Value, json};

use crate::{
    dashboard_api::{ok, seed},
    support::{Server, on_both, postgres::Postgres},
};

/// One request with headers of its own.
fn with_headers(
    server: &Server,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> (u16, Value) {
    use std::io::{Read as _, Write as _};
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let lines: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{lines}\r\n{body}",
        body.len()
    );
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", server.port)).expect("connect");
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|text| text.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body.trim()).unwrap_or(Value::Null))
}

fn says_what_it_expects(server: &Server) {
    let token = server.superuser();
    let people = seed(server, &token);
    let list = "/api/collections/people/records";
    let expect = ("x-expect", "superuser");
    assert_eq!(with_headers(server, "GET", list, &[], &Value::Null).0, 200);
    assert_eq!(with_headers(server, "GET", list, &[expect], &Value::Null).0, 401);
    assert_eq!(
        with_headers(server, "GET", list, &[expect, ("Authorization", "dead")], &Value::Null).0,
        401
    );
    assert_eq!(
        with_headers(server, "GET", list, &[expect, ("Authorization", &token)], &Value::Null).0,
        200
    );
    let made = ok(
        server,
        "POST",
        &format!("/api/collections/people/impersonate/{}", people[0]),
        &token,
        &json!({}),
    );
    let person = made["token"].as_str().expect("a token");
    assert_eq!(
        with_headers(server, "GET", list, &[expect, ("Authorization", person)], &Value::Null).0,
        401
    );

    let one = "/api/collections/notes/records/note00000000002";
    let patch = |unchanged: &str, body: &Value| {
        with_headers(
            server,
            "PATCH",
            one,
            &[("Authorization", &token), ("x-if-unchanged", unchanged)],
            body,
        )
    };
    let (status, done) = patch("views=20;title=Note 2", &json!({"views": 21}));
    assert_eq!((status, &done["views"]), (200, &json!(21)));
    let (status, refused) = patch("views=20", &json!({"views": 22}));
    assert_eq!(
        (status, &refused["status"], &refused["data"]["views"]),
        (409, &json!(409), &json!(21)),
        "{refused}"
    );
    assert_eq!(patch("bogus=1", &json!({"views": 22})).0, 400);
    assert_eq!(patch("broken", &json!({"views": 22})).0, 400);
    // who may not change it learns nothing
    let (status, _) =
        with_headers(server, "PATCH", one, &[("x-if-unchanged", "views=0")], &json!({"views": 1}));
    assert_eq!(status, 403);
    // of many who saw the same, one wins
    let start = ok(server, "GET", one, &token, &Value::Null)["views"].clone();
    let wins: usize = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..8)
            .map(|n| {
                let (start, patch) = (format!("views={start}"), &patch);
                scope.spawn(move || usize::from(patch(&start, &json!({"views": 100 + n})).0 == 200))
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().expect("a racer")).sum()
    });
    assert_eq!(wins, 1);
}

on_both! { requests_say_what_they_expect, requests_say_what_they_expect_on_postgres = says_what_it_expects }

fn changes_are_foreseen(server: &Server) {
    let token = server.superuser();
    seed(server, &token);
    let path = "/api/collections/meta/dry-run";
    let notes = ok(server, "GET", "/api/collections/notes", &token, &Value::Null);
    let rule = json!({"viewRule": "notes_via_owner.views ?> 5", "listRule": "notes_via_owner.title ?~ 'x'"});
    ok(server, "PATCH", "/api/collections/people", &token, &rule);
    let view = json!({"name": "seen", "type": "view", "viewQuery": "SELECT id, views FROM notes"});
    ok(server, "POST", "/api/collections", &token, &view);
    let mut fields = notes["fields"].as_array().expect("fields").clone();
    fields.retain(|field| field["name"] != "views");
    let title = fields.iter_mut().find(|field| field["name"] == "title").expect("title");
    title["name"] = json!("heading");
    let tags = fields.iter_mut().find(|field| field["name"] == "tags").expect("tags");
    tags["maxSelect"] = json!(1);
    fields.push(json!({"name": "fresh", "type": "number"}));
    let draft = json!({"collection": {"id": notes["id"], "fields": fields, "updateRule": ""}});
    let found = ok(server, "POST", path, &token, &draft);
    let kinds: Vec<&str> = found["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .filter_map(|c| c["type"].as_str())
        .collect();
    for kind in ["dropField", "renameField", "toSingle", "addField"] {
        assert!(kinds.contains(&kind), "{kind}: {found}");
    }
    assert_eq!(found["values"], json!({"tags": 8, "views": 7}));
    let places: Vec<(&str, &str)> = found["references"]
        .as_array()
        .expect("references")
        .iter()
        .map(|r| (r["collection"].as_str().expect("a name"), r["where"].as_str().expect("a place")))
        .collect();
    assert_eq!(
        places,
        [("people", "listRule"), ("people", "viewRule"), ("seen", "viewQuery")],
        "{found}"
    );
    assert!(
        found["warnings"]
            .as_array()
            .is_some_and(|list| list.iter().any(|w| w == "The updateRule lets everybody.")),
        "{found}"
    );
    assert_eq!(found["errors"], json!({}));
    let sql = found["sql"].as_array().expect("statements");
    let has =
        |start: &str| sql.iter().any(|text| text.as_str().is_some_and(|t| t.starts_with(start)));
    for start in
        [r#"ALTER TABLE "notes" DROP COLUMN "views""#, r#"ALTER TABLE "notes" ADD COLUMN "fresh"#]
    {
        assert!(has(&start.replace('"', &quote(sql))), "{start}: {found}");
    }
    let bad = json!({"collection": {"id": notes["id"], "listRule": "bogus = 1"}});
    let found = ok(server, "POST", path, &token, &bad);
    assert!(found["errors"]["listRule"]["code"].is_string(), "{found}");
    assert_eq!(found["sql"], json!([]), "what is refused runs nothing");
    let new =
        ok(server, "POST", path, &token, &json!({"collection": {"name": "new", "type": "base"}}));
    assert_eq!(new["changes"][0]["type"], "create");
    assert_eq!(
        ok(server, "GET", "/api/collections/notes", &token, &Value::Null),
        notes,
        "nothing was written"
    );
    assert_eq!(server.send("POST", path, "", &draft).status, 401);
}

on_both! { changes_of_collections_are_foreseen, changes_of_collections_are_foreseen_on_postgres = changes_are_foreseen }

/// The character around names.
fn quote(sql: &[Value]) -> String {
    let first = sql.iter().filter_map(Value::as_str).find(|text| text.starts_with("ALTER TABLE "));
    first.and_then(|text| text.chars().nth(12)).expect("a statement").to_string()
}

/// What is shown is what runs: two servers become equal, one by saving, one by the statements alone.
#[test]
fn statements_of_changes_are_those_that_run() {
    let (saved, told) = (Server::fresh(&[]), Server::fresh(&[]));
    let drafts = [
        json!({"name": "shelf", "type": "base", "indexes": ["CREATE INDEX `by_title` ON `shelf` (`title`)"], "fields": [
            {"name": "title", "type": "text", "id": "text0000001", "fullText": true}, {"name": "n", "type": "number", "id": "number00001"},
            {"name": "tags", "type": "select", "id": "select00001", "maxSelect": 2, "values": ["a", "b"]},
            {"name": "one", "type": "select", "id": "select00002", "maxSelect": 1, "values": ["a", "b"]}]}),
        // renamed, with a field renamed, one gone, one new, both conversions
        json!({"name": "shelves", "indexes": ["CREATE UNIQUE INDEX `by_heading` ON `shelves` (`heading`, lower(`fresh`))"], "fields": [
            {"name": "heading", "type": "text", "id": "text0000001", "fullText": true}, {"name": "fresh", "type": "text", "id": "text0000002"},
            {"name": "tags", "type": "select", "id": "select00001", "maxSelect": 1, "values": ["a", "b"]},
            {"name": "one", "type": "select", "id": "select00002", "maxSelect": 2, "values": ["a", "b"]}]}),
        // letter case only
        json!({"name": "Shelves"}),
    ];
    let schema = |server: &Server, token: &str| {
        let query = "SELECT name, sql FROM sqlite_master WHERE name LIKE '%shel%' OR tbl_name LIKE '%shel%' OR name LIKE '%fts%' ORDER BY name";
        ok(server, "POST", "/api/sql", token, &json!({"query": query}))["rows"].clone()
    };
    let (a, b) = (saved.superuser(), told.superuser());
    let id = "pbc_shelf000001";
    for (at, mut draft) in drafts.into_iter().enumerate() {
        draft["id"] = json!(id);
        let found =
            ok(&saved, "POST", "/api/collections/meta/dry-run", &a, &json!({"collection": draft}));
        let statements = found["sql"].as_array().expect("statements").clone();
        assert!(!statements.is_empty(), "{found}");
        let path = format!("/api/collections/{id}");
        let (method, path) =
            if at == 0 { ("POST", "/api/collections") } else { ("PATCH", path.as_str()) };
        ok(&saved, method, path, &a, &draft);
        for text in &statements {
            let text = text.as_str().expect("a statement");
            ok(&told, "POST", "/api/sql", &b, &json!({"query": text}));
        }
        assert_eq!(schema(&told, &b), schema(&saved, &a), "{statements:?}");
    }
}

fn history_is_kept(server: &Server) {
    let token = server.superuser();
    let people = seed(server, &token);
    let (switch, one) =
        ("/api/collections/notes/history", "/api/collections/notes/records/note00000000002");
    assert_eq!(
        ok(server, "GET", switch, &token, &Value::Null),
        json!({"enabled": false, "days": 90})
    );
    assert_eq!(server.send("GET", &format!("{one}/history"), &token, &Value::Null).status, 404);
    ok(server, "PATCH", switch, &token, &json!({"enabled": true}));
    ok(
        server,
        "PATCH",
        "/api/collections/notes",
        &token,
        &json!({"updateRule": "@request.auth.id != ''", "viewRule": ""}),
    );
    let made = ok(
        server,
        "POST",
        &format!("/api/collections/people/impersonate/{}", people[0]),
        &token,
        &json!({}),
    );
    let person = made["token"].as_str().expect("a token");
    ok(server, "PATCH", one, person, &json!({"title": "Second", "views+": 1}));
    ok(server, "PATCH", one, &token, &json!({"title": "Third", "tags": ["a", "b"]}));
    ok(server, "PATCH", one, &token, &json!({"title": "Third"}));
    let items = ok(server, "GET", &format!("{one}/history"), &token, &Value::Null)["items"].clone();
    let seen: Vec<Value> = items
        .as_array()
        .expect("items")
        .iter()
        .map(|i| json!([i["action"], i["by"]["id"], i["before"]["title"], i["after"]["title"]]))
        .collect();
    let root = items[0]["by"]["id"].clone();
    assert_eq!(
        json!(seen),
        json!([["update", root, "Second", "Third"], ["update", people[0], "Note 2", "Second"]]),
        "{items}"
    );
    assert_eq!(
        (&items[1]["before"]["views"], &items[1]["after"]["views"]),
        (&json!(20), &json!(21))
    );
    assert!(items[1]["before"]["open"].is_null(), "only what changed");
    // as it was before the first change
    let first = items[1]["id"].as_str().expect("an id");
    let restored = ok(server, "POST", &format!("{one}/history/{first}"), &token, &Value::Null);
    assert_eq!(
        json!([restored["title"], restored["views"], restored["tags"]]),
        json!(["Note 2", 20, ["c"]])
    );
    // gone and back
    ok(server, "DELETE", one, &token, &Value::Null);
    let items = ok(server, "GET", &format!("{one}/history"), &token, &Value::Null)["items"].clone();
    assert_eq!(items[0]["action"], "delete");
    let entry = items[0]["id"].as_str().expect("an id");
    let back = ok(server, "POST", &format!("{one}/history/{entry}"), &token, &Value::Null);
    assert_eq!(
        (&back["id"], &back["title"], &back["owner"]),
        (&json!("note00000000002"), &json!("Note 2"), &json!(people[2]))
    );
    // credentials are in none of it
    ok(server, "PATCH", "/api/collections/people/history", &token, &json!({"enabled": true}));
    let who = format!("/api/collections/people/records/{}", people[1]);
    let change = json!({"password": "abcdefgh123", "passwordConfirm": "abcdefgh123", "level": 9});
    ok(server, "PATCH", &who, &token, &change);
    let items = ok(server, "GET", &format!("{who}/history"), &token, &Value::Null)["items"].clone();
    let keys: Vec<&String> = items[0]["after"]
        .as_object()
        .expect("values")
        .keys()
        .filter(|key| *key != "updated")
        .collect();
    assert_eq!(keys, ["level"], "{items}");
    for (token, status) in [("", 401), (person, 403)] {
        assert_eq!(
            server.send("GET", &format!("{one}/history"), token, &Value::Null).status,
            status
        );
        assert_eq!(server.send("PATCH", switch, token, &json!({"enabled": false})).status, status);
    }
    // off: what was kept goes
    ok(server, "PATCH", switch, &token, &json!({"enabled": false}));
    assert_eq!(server.send("GET", &format!("{one}/history"), &token, &Value::Null).status, 404);
    ok(server, "PATCH", switch, &token, &json!({"enabled": true}));
    assert_eq!(
        ok(server, "GET", &format!("{one}/history"), &token, &Value::Null),
        json!({"items": []})
    );
}

#[test]
fn changes_of_records_are_kept() {
    let mut server = Server::fresh(&[]);
    history_is_kept(&server);
    // also after another start
    server.kill_and_restart();
    let token = server.superuser();
    let one = "/api/collections/notes/records/note00000000002";
    ok(&server, "PATCH", one, &token, &json!({"title": "Again"}));
    let items =
        ok(&server, "GET", &format!("{one}/history"), &token, &Value::Null)["items"].clone();
    assert_eq!(items[0]["after"]["title"], "Again");
}

#[test]
fn changes_of_records_are_kept_on_postgres() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    history_is_kept(&postgres.serve("history", &[]));
}
