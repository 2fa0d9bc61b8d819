//! What the dashboard asks of the server beyond the reference's API: `docs/dashboard-api.md`.

use serde_json::{Value, json};

use crate::support::{Server, encode, eventually, on_both, postgres::Postgres};

pub(crate) fn ok(server: &Server, method: &str, path: &str, token: &str, body: &Value) -> Value {
    let answer = server.send(method, path, token, body);
    assert!(
        answer.status < 300,
        "{method} {path} {body}: {}",
        String::from_utf8_lossy(&answer.body)
    );
    if answer.status == 204 { Value::Null } else { answer.json() }
}

/// People and their notes: relations both ways, lists, numbers, hidden fields.
pub(crate) fn seed(server: &Server, token: &str) -> Vec<String> {
    let users = json!({"name": "people", "type": "auth", "listRule": "", "viewRule": "",
        "fields": [{"name": "role", "type": "select", "values": ["reader", "editor"], "maxSelect": 1},
            {"name": "level", "type": "number"}]});
    let people = ok(server, "POST", "/api/collections", token, &users);
    let notes = json!({"name": "notes", "type": "base", "fields": [
        {"name": "title", "type": "text", "required": true}, {"name": "views", "type": "number"},
        {"name": "open", "type": "bool"},
        {"name": "tags", "type": "select", "values": ["a", "b", "c"], "maxSelect": 3},
        {"name": "meta", "type": "json"},
        {"name": "owner", "type": "relation", "collectionId": people["id"], "maxSelect": 1},
        {"name": "readers", "type": "relation", "collectionId": people["id"], "maxSelect": 9}]});
    ok(server, "POST", "/api/collections", token, &notes);
    let mut ids = Vec::new();
    for n in 0..4 {
        let id = format!("person{n:09}");
        let body = json!({"id": id, "email": format!("p{n}@example.com"), "password": "1234567890",
            "passwordConfirm": "1234567890", "role": if n % 2 == 0 { "editor" } else { "reader" },
            "level": n, "verified": n < 2, "emailVisibility": n != 1});
        ok(server, "POST", "/api/collections/people/records", token, &body);
        ids.push(id);
    }
    for n in 0..8usize {
        let mut tags = vec![["a", "b", "c"][n % 3]];
        if n % 2 == 1 && n % 3 != 0 {
            tags.push("a");
        }
        let owner = if n == 7 { "" } else { ids[n % 4].as_str() };
        let body = json!({"id": format!("note{n:011}"), "title": format!("Note {n}"), "views": n * 10,
            "open": n % 3 == 0, "tags": tags, "meta": {"stars": n % 4, "by": {"name": format!("x{n}")}},
            "owner": owner, "readers": ids[..n % 4]});
        ok(server, "POST", "/api/collections/notes/records", token, &body);
    }
    ids
}

#[test]
fn expressions_are_refused_at_their_place() {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    seed(&server, &token);
    let path = "/api/collections/notes/explain";
    for (at, body, field, place) in [
        (path, json!({"filter": "title = 'ä😀' && bogus = 1"}), "filter", [17, 22, 1, 18]),
        (
            path,
            json!({"rule": "open = true\n&& owner.nope = 1", "plan": false}),
            "rule",
            [15, 25, 2, 4],
        ),
        (path, json!({"filter": "title ==  1"}), "filter", [6, 8, 1, 7]),
        (path, json!({"sort": "-title,nope"}), "sort", [7, 11, 1, 8]),
        (
            "/api/logs/explain",
            json!({"filter": "level > 0 && nope = 1"}),
            "filter",
            [13, 17, 1, 14],
        ),
        ("/api/collections/meta/explain", json!({"filter": "nope = 1"}), "filter", [0, 4, 1, 1]),
    ] {
        let answer = server.send("POST", at, &token, &body);
        assert_eq!(answer.status, 400, "{body}");
        let error = answer.json()["data"][field].clone();
        let params = &error["params"];
        let got =
            ["start", "end", "line", "column"].map(|name| params[name].as_i64().unwrap_or(-1));
        assert_eq!(got, place, "{body}: {error}");
    }
    // A field that is not saved yet counts; nothing is run on it.
    let draft = json!({"fields": [{"name": "fresh", "type": "number"}]});
    let body = json!({"rule": "fresh > 1", "collection": draft, "run": true});
    let drafted = ok(&server, "POST", path, &token, &body);
    assert_eq!(drafted["queryPlan"], json!([]));
    let body =
        json!({"rule": "a_via_b.x = 1 || id != ''", "collection": {"name": "new", "type": "base"}});
    assert_eq!(server.send("POST", "/api/collections/new/explain", &token, &body).status, 400);
    let body = json!({"rule": "new_via_self.id = ''", "plan": false, "collection": {"id": "draft0000000000", "name": "new", "type": "base",
        "fields": [{"name": "self", "type": "relation", "collectionId": "draft0000000000", "maxSelect": 1}]}});
    ok(&server, "POST", "/api/collections/new/explain", &token, &body);
    let ran = ok(
        &server,
        "POST",
        path,
        &token,
        &json!({"filter": "views >= 30", "sort": "-views", "run": true}),
    );
    assert_eq!((&ran["run"]["count"], &ran["run"]["rows"]), (&json!(5), &json!(5)));
    let step = &ran["queryPlan"][0];
    assert!(step["id"].is_i64() && step["parent"].is_i64() && step["detail"].is_string(), "{step}");
    for (at, sql) in
        [("/api/logs/explain", "_logs"), ("/api/collections/meta/explain", "_collections")]
    {
        let explained =
            ok(&server, "POST", at, &token, &json!({"filter": "id != ''", "sort": "-created"}));
        assert!(explained["sql"].as_str().is_some_and(|text| text.contains(sql)), "{explained}");
        assert!(explained["queryPlan"][0]["detail"].is_string(), "{explained}");
        assert_eq!(server.send("POST", at, "", &json!({})).status, 401);
    }
}

/// The same on both databases: what touches SQL.
fn many_at_once(server: &Server) {
    let token = server.superuser();
    seed(server, &token);
    let path = "/api/collections/notes";
    let post = |at: &str, body: &Value| ok(server, "POST", &format!("{path}/{at}"), &token, body);
    // nothing is meant by accident
    for body in [
        json!({"set": {"views": 1}}),
        json!({"filter": ""}),
        json!({"filter": "", "set": {}}),
        json!({"filter": "", "ids": ["x"], "delete": true, "set": {"views": 1}}),
        json!({"filter": "open = true", "ids": ["x"], "delete": true}),
    ] {
        assert_eq!(
            server.send("POST", &format!("{path}/bulk"), &token, &body).status,
            400,
            "{body}"
        );
    }
    let tried = post(
        "bulk",
        &json!({"filter": "views > 20 // big\n", "set": {"title": ""}, "dryRun": true}),
    );
    assert_eq!((&tried["matched"], &tried["failed"]), (&json!(5), &json!(5)), "{tried}");
    assert_eq!(tried["errors"][0]["data"]["title"]["code"], "validation_required");
    let done = post("bulk", &json!({"filter": "views > 20", "set": {"views+": 1, "tags+": "c"}}));
    assert_eq!(
        (&done["done"], &done["failed"], &done["more"]),
        (&json!(5), &json!(0), &json!(false)),
        "{done}"
    );
    let ids = ["note00000000000", "nobody", "note00000000007"];
    let some = post("bulk", &json!({"ids": ids, "set": {"title": "Same"}}));
    assert_eq!((&some["done"], &some["errors"][0]["id"]), (&json!(2), &json!("nobody")), "{some}");
    // all or none
    let atomic = json!({"ids": ids, "set": {"title": "None"}, "atomic": true});
    let refused = server.send("POST", &format!("{path}/bulk"), &token, &atomic);
    assert_eq!((refused.status, &refused.json()["data"]["record"]["id"]), (404, &json!("nobody")));
    let titles =
        ok(server, "GET", &format!("{path}/records?filter=title%3D'None'"), &token, &Value::Null);
    assert_eq!(titles["totalItems"], 0);
    let gone = post("bulk", &json!({"filter": "title = 'Same'", "delete": true, "atomic": true}));
    assert_eq!((&gone["done"], &gone["matched"]), (&json!(2), &json!(2)));
    // a required text may hold anything that a spreadsheet fears
    post("records", &json!({"id": "aaaaaaaaaaaaaaa", "title": "=1+1, \"x\"\ny", "meta": {"n": 1}}));
    let export = |query: &str| {
        let answer = server.send("GET", &format!("{path}/export?{query}"), &token, &Value::Null);
        assert_eq!(answer.status, 200, "{query}");
        String::from_utf8(answer.body).expect("text")
    };
    let csv = export("format=csv&fields=id,title,views,tags&guard=1&filter=id%3D'aaaaaaaaaaaaaaa'");
    assert_eq!(csv, "id,title,views,tags\r\naaaaaaaaaaaaaaa,\"'=1+1, \"\"x\"\"\ny\",0,[]\r\n");
    let lines = export("format=ndjson");
    assert_eq!(lines.lines().count(), 7);
    let list: Value =
        serde_json::from_str(&export("format=json&sort=-views&fields=views")).expect("JSON");
    assert_eq!(list[0]["views"], 61);
    assert_eq!(
        server.send("GET", &format!("{path}/export?filter=bogus%3D1"), &token, &Value::Null).status,
        400
    );
    // what was exported comes back as it was
    let import = |query: &str, body: &str| {
        let mut client = crate::support::Client::connect(server.port).expect("connect");
        let answer = client.send(
            "POST",
            &format!("{path}/import?{query}"),
            &token,
            "application/x-ndjson",
            body.as_bytes(),
        );
        let answer = answer.expect("an answer");
        let text = String::from_utf8(answer.body).expect("text");
        assert_eq!(answer.status, 200, "{text}");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<Value>>()
    };
    let told = import("mode=upsert", &lines);
    assert_eq!(
        told.last(),
        Some(&json!({"rows": 7, "created": 0, "updated": 7, "failed": 0})),
        "{told:?}"
    );
    assert_eq!(export("format=ndjson"), lines);
    let rows = "{\"title\":\"A\"}\n\n{\"title\":\"\"}\n{\"title\"\n[1]\n{\"title\":\"Note 3\",\"views\":1}\n";
    let dry = import("mode=upsert&match=title&dryRun=1", rows);
    let statuses: Vec<&Value> = dry.iter().map(|line| &line["status"]).collect();
    assert_eq!(json!(statuses), json!([200, 400, 400, 400, 200, null]), "{dry:?}");
    assert_eq!(
        (&dry[0]["action"], &dry[4]["action"], &dry[4]["id"]),
        (&json!("create"), &json!("update"), &json!("note00000000003"))
    );
    assert_eq!(export("format=ndjson"), lines, "nothing was written");
    let list = import(
        "mode=create",
        "[{\"title\": \"B\"}, {\"title\": \"C\", \"id\": \"aaaaaaaaaaaaaaa\"}]",
    );
    assert_eq!((&list[0]["status"], &list[1]["status"]), (&json!(200), &json!(400)), "{list:?}");
    let missing = import("mode=update&match=title", "{\"title\":\"nowhere\"}");
    assert_eq!(missing[0]["status"], 404);
}

on_both! { many_records_at_once, many_records_at_once_on_postgres = many_at_once }

/// More than one page, while somebody writes: none twice, none of the old ones missing.
#[test]
fn exports_are_whole() {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    let body = json!({"name": "many", "type": "base", "createRule": "", "fields": [{"name": "n", "type": "number"}]});
    ok(&server, "POST", "/api/collections", &token, &body);
    let rows: String = (0..2500).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let mut client = crate::support::Client::connect(server.port).expect("connect");
    let path = "/api/collections/many/import";
    client.send("POST", path, &token, "application/x-ndjson", rows.as_bytes()).expect("an answer");
    let (port, stop) =
        (server.port, std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let stopped = stop.clone();
    let writer = std::thread::spawn(move || {
        let mut client = crate::support::Client::connect(port).expect("connect");
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            let answer = client.send(
                "POST",
                "/api/collections/many/records",
                "",
                "application/json",
                b"{\"n\":-1}",
            );
            assert_eq!(answer.expect("an answer").status, 200);
        }
    });
    for _ in 0..5 {
        let answer =
            server.send("GET", "/api/collections/many/export?fields=id,n", &token, &Value::Null);
        let text = String::from_utf8(answer.body).expect("text");
        let rows: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let ids: std::collections::BTreeSet<&str> =
            rows.iter().filter_map(|row| row["id"].as_str()).collect();
        assert_eq!(ids.len(), rows.len(), "a record came twice");
        assert_eq!(rows.iter().filter(|row| row["n"].as_f64() >= Some(0.0)).count(), 2500);
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    writer.join().expect("the writer");
}

fn state_is_kept(server: &Server) {
    let token = server.superuser();
    let path = "/api/dashboard/state";
    assert_eq!(ok(server, "GET", path, &token, &Value::Null), json!({"own": {}, "shared": {}}));
    let change = json!({"own": {"views": [1, 2], "pins": ["a"]}, "shared": {"folders": {"x": 1}}});
    assert_eq!(ok(server, "PATCH", path, &token, &change), change);
    let changed =
        ok(server, "PATCH", path, &token, &json!({"own": {"views": null, "zone": "UTC"}}));
    assert_eq!(
        changed,
        json!({"own": {"pins": ["a"], "zone": "UTC"}, "shared": {"folders": {"x": 1}}})
    );
    // another superuser has her own, and the same shared ones
    let body = json!({"email": "two@example.com", "password": "1234567890", "passwordConfirm": "1234567890"});
    ok(server, "POST", "/api/collections/_superusers/records", &token, &body);
    let login = json!({"identity": "two@example.com", "password": "1234567890"});
    let two = ok(server, "POST", "/api/collections/_superusers/auth-with-password", "", &login);
    let two = two["token"].as_str().expect("a token");
    assert_eq!(
        ok(server, "GET", path, two, &Value::Null),
        json!({"own": {}, "shared": {"folders": {"x": 1}}})
    );
    // members set at the same time are all kept
    let writers: Vec<_> = (0..8)
        .map(|n| {
            let (port, token) = (server.port, token.clone());
            std::thread::spawn(move || {
                let body = json!({"shared": {format!("m{n}"): n}}).to_string();
                let mut client = crate::support::Client::connect(port).expect("connect");
                let answer = client.send(
                    "PATCH",
                    "/api/dashboard/state",
                    &token,
                    "application/json",
                    body.as_bytes(),
                );
                assert_eq!(answer.expect("an answer").status, 200);
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().expect("a writer"));
    let shared = ok(server, "GET", path, &token, &Value::Null)["shared"].clone();
    assert_eq!(shared.as_object().map(serde_json::Map::len), Some(9), "{shared}");
    for (body, field) in
        [(json!({"own": 5}), "own"), (json!({"shared": {"x": "y".repeat(300_000)}}), "shared")]
    {
        let answer = server.send("PATCH", path, &token, &body);
        assert_eq!(answer.status, 400);
        assert!(answer.json()["data"][field]["code"].is_string());
    }
    assert_eq!(server.send("GET", path, "", &Value::Null).status, 401);
    // the settings beside them are still read
    assert_eq!(server.send("GET", "/api/settings", &token, &Value::Null).status, 200);
}

on_both! { state_of_the_dashboard, state_of_the_dashboard_on_postgres = state_is_kept }

fn describes_itself(server: &Server, engine: &str) {
    let token = server.superuser();
    seed(server, &token);
    let get = |path: &str| ok(server, "GET", path, &token, &Value::Null);
    let system = get("/api/system");
    assert_eq!(system["engine"], engine);
    assert!(
        system["engineVersion"]
            .as_str()
            .is_some_and(|text| text.starts_with(|c: char| c.is_ascii_digit())),
        "{system}"
    );
    assert!(
        system["warnings"]
            .as_array()
            .is_some_and(|list| list.iter().any(|w| w["code"] == "no_backups")),
        "{system}"
    );
    let health = get("/api/health?details=1");
    assert_eq!(health["data"]["instanceId"], system["instanceId"]);
    assert_eq!(
        get("/api/health")["data"]["instanceId"],
        Value::Null,
        "the compatible answer stays what it is"
    );
    let stats = get("/api/collections/meta/stats");
    let notes = stats["items"]
        .as_array()
        .expect("items")
        .iter()
        .find(|item| item["name"] == "notes")
        .expect("notes");
    assert_eq!(notes["rows"], 8);
    assert!(
        notes["tableBytes"].as_u64() > Some(0) && notes["indexBytes"].as_u64() > Some(0),
        "{notes}"
    );
    let language = get("/api/collections/meta/filter-language");
    let names: Vec<&Value> =
        language["functions"].as_array().expect("functions").iter().map(|f| &f["name"]).collect();
    assert_eq!(json!(names), json!(["geoDistance", "strftime", "fts"]));
    assert_eq!(language["types"]["relation"]["modifiers"], json!(["length", "each", "lower"]));
    ok(server, "POST", "/api/crons/__pbDBOptimize__", &token, &Value::Null);
    eventually("the job has run", || {
        let crons = get("/api/crons?details=1");
        let job = crons.as_array()?.iter().find(|job| job["id"] == "__pbDBOptimize__")?.clone();
        (job["lastRun"].is_string() && job["running"] == 0).then_some(job)
    });
    assert_eq!(get("/api/crons")[0].as_object().map(serde_json::Map::len), Some(2));
    assert_eq!(get("/api/realtime/clients"), json!({"total": 0, "items": []}));
    for path in [
        "/api/system",
        "/api/collections/meta/stats",
        "/api/collections/meta/filter-language",
        "/api/realtime/clients",
    ] {
        assert_eq!(server.send("GET", path, "", &Value::Null).status, 401, "{path}");
    }
}

#[test]
fn the_server_describes_itself() {
    describes_itself(&Server::fresh(&[]), "sqlite");
}

#[test]
fn the_server_describes_itself_on_postgres() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    describes_itself(&postgres.serve("described", &[]), "postgresql");
}

#[test]
fn tokens_stay_out_of_the_log_and_requests_are_grouped() {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    for path in ["/api/nope/a?token=SECRET&x=1", "/api/nope/a?x=2", "/api/nope/b?Token=SECRET"] {
        server.send("GET", path, "", &Value::Null);
    }
    let top = eventually("all are in the log", || {
        let filter = encode("data.url ~ '/api/nope/'");
        let path = format!("/api/logs/top?by=path&filter={filter}");
        Some(ok(&server, "GET", &path, &token, &Value::Null)).filter(|top| top["seen"] == 3)
    });
    let items: Vec<Value> = top["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| json!([item["key"], item["count"], item["errors"]]))
        .collect();
    assert_eq!(json!(items), json!([["GET /api/nope/a", 2, 2], ["GET /api/nope/b", 1, 1]]));
    let log = server.send("GET", "/api/logs?perPage=1000", &token, &Value::Null);
    let text = String::from_utf8(log.body).expect("text");
    assert!(!text.contains("SECRET") && text.contains("/api/nope/a?token=***&x=1"), "{text}");
    assert_eq!(server.send("GET", "/api/logs/top?by=colour", &token, &Value::Null).status, 400);
}

#[test]
fn superusers_are_invited() {
    let sink = crate::support::smtp::Sink::start();
    let server = Server::fresh(&[]);
    let token = server.superuser();
    ok(&server, "PATCH", "/api/settings", &token, &json!({"smtp": sink.settings()}));
    let path = "/api/dashboard/invite";
    let invited = ok(&server, "POST", path, &token, &json!({"email": "new@example.com"}));
    assert_eq!(invited["email"], "new@example.com");
    let mail = eventually("a mail", || {
        sink.wait(0)
            .into_iter()
            .find(|mail| mail.to.iter().any(|to| to.contains("new@example.com")))
    });
    let html = mail.part("text/html");
    let start =
        html.find("confirm-password-reset/").expect("a link") + "confirm-password-reset/".len();
    let reset: String = html[start..]
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
        .collect();
    let body = json!({"token": reset, "password": "0987654321", "passwordConfirm": "0987654321"});
    ok(&server, "POST", "/api/collections/_superusers/confirm-password-reset", "", &body);
    let login = json!({"identity": "new@example.com", "password": "0987654321"});
    ok(&server, "POST", "/api/collections/_superusers/auth-with-password", "", &login);
    let twice = server.send("POST", path, &token, &json!({"email": "new@example.com"}));
    assert_eq!(
        (twice.status, &twice.json()["data"]["email"]["code"]),
        (400, &json!("validation_not_unique"))
    );
    assert_eq!(server.send("POST", path, "", &json!({"email": "x@example.com"})).status, 401);
}
