//! Logs, crons and backups of the running executable.

use std::{
    fs,
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{Answer, Client, Server, eventually, multipart};

fn try_send(
    server: &Server,
    method: &str,
    path: &str,
    token: &str,
    body: &Value,
) -> Option<Answer> {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    Client::connect(server.port).ok()?.send(method, path, token, "application/json", &body).ok()
}

/// A collection `notes` that everybody may use.
fn notes(server: &Server, token: &str) {
    let body = json!({
        "name": "notes", "type": "base",
        "fields": [{"name": "text", "type": "text"}],
        "listRule": "", "viewRule": "", "createRule": "",
    });
    let answer = server.send("POST", "/api/collections", token, &body);
    assert_eq!(answer.status, 200, "{}", answer.json());
}

fn note(server: &Server, text: &str) -> u16 {
    server.send("POST", "/api/collections/notes/records", "", &json!({ "text": text })).status
}

fn texts(server: &Server) -> Vec<String> {
    let path = "/api/collections/notes/records?sort=text&perPage=1000&skipTotal=1";
    let list = server.send("GET", path, "", &Value::Null).json();
    let items = list["items"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["text"].as_str().unwrap_or_default().to_owned()).collect()
}

fn backups(server: &Server, token: &str) -> Vec<String> {
    let list = server.send("GET", "/api/backups", token, &Value::Null).json();
    let items = list.as_array().expect("a list").iter();
    items.map(|item| item["key"].as_str().expect("a key").to_owned()).collect()
}

fn file_token(server: &Server) -> String {
    let token = server.superuser();
    let answer = server.send("POST", "/api/files/token", &token, &Value::Null);
    answer.json()["token"].as_str().expect("a token").to_owned()
}

fn upload(server: &Server, token: &str, name: &str, content: &[u8]) -> Answer {
    let (content_type, body) = multipart(&[], ("file", name, content));
    let mut client = Client::connect(server.port).expect("connect");
    client.send("POST", "/api/backups/upload", token, &content_type, &body).expect("an answer")
}

#[test]
fn logs_are_listed_shown_and_counted() {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    server.send("GET", "/api/health", "", &Value::Null);
    server.send("GET", "/api/collections/none/records?x=%C3%A4", "", &Value::Null);
    let ask = |path: &str| server.send("GET", path, &token, &Value::Null);
    let failed = "/api/logs?filter=data.status%3D404%26%26level%3E0&sort=-created";
    let page = eventually("the entry is stored", || {
        Some(ask(failed).json()).filter(|page| page["totalItems"] == 1)
    });
    let item = &page["items"][0];
    assert_eq!(item["message"], "GET /api/collections/none/records?x=ä");
    assert_eq!(item["level"], 8);
    let data = &item["data"];
    assert_eq!(data["url"], "/api/collections/none/records?x=%C3%A4");
    assert_eq!(
        (&data["method"], &data["status"], &data["type"]),
        (&json!("GET"), &json!(404), &json!("request"))
    );
    assert_eq!(data["userIP"], "127.0.0.1");
    assert_eq!(data["auth"], "");
    let keys: Vec<_> = item.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["id", "created", "data", "message", "level"]);
    let id = item["id"].as_str().expect("an id");
    assert_eq!(&ask(&format!("/api/logs/{id}")).json(), item);
    let all = ask("/api/logs?perPage=1&fields=totalItems").json()["totalItems"].as_i64();
    let stats = ask("/api/logs/stats").json();
    let counted: i64 =
        stats.as_array().expect("hours").iter().filter_map(|hour| hour["total"].as_i64()).sum();
    assert_eq!(Some(counted), all, "reading the log is not logged");
    assert!(stats[0]["date"].as_str().is_some_and(|date| date.ends_with(":00:00.000Z")));
    let few = ask("/api/logs/stats?filter=level%3E0").json();
    assert_eq!(few[0]["total"], 1);
    for (path, status, message) in [
        ("/api/logs/missing", 404, "The requested resource wasn't found."),
        ("/api/logs?filter=x%3D1", 400, "Something went wrong while processing your request."),
        ("/api/logs?sort=x", 400, "Something went wrong while processing your request."),
        ("/api/logs/stats?filter=x%3D1", 400, "Invalid filter format."),
    ] {
        let answer = ask(path);
        assert_eq!((answer.status, &answer.json()["message"]), (status, &json!(message)), "{path}");
    }
}

#[test]
fn what_is_logged_follows_the_settings() {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    let set = |logs: Value| {
        let answer = server.send("PATCH", "/api/settings", &token, &json!({ "logs": logs }));
        assert_eq!(answer.status, 200, "{}", answer.json());
    };
    let find = |filter: &str| {
        let path = format!("/api/logs?filter={filter}&sort=-@rowid");
        server.send("GET", &path, &token, &Value::Null).json()["items"].clone()
    };
    set(json!({"logIP": false, "logAuthId": true}));
    server.send("GET", "/api/collections?one=1", &token, &Value::Null);
    let items = eventually("an entry without addresses", || {
        Some(find("message~'one=1'")).filter(|items| !items[0].is_null())
    });
    let data = items[0]["data"].as_object().expect("data");
    assert!(!data.contains_key("userIP") && !data.contains_key("remoteIP"), "{data:?}");
    assert_eq!(data["auth"], "_superusers");
    assert!(data["authId"].as_str().is_some_and(|id| id.len() == 15));
    // Saving a minimum prunes what is below it and stores no more of it.
    set(json!({"minLevel": 4}));
    server.send("GET", "/api/collections?two=2", &token, &Value::Null);
    server.send("GET", "/api/collections/none?two=2", &token, &Value::Null);
    eventually("the failure is stored", || {
        Some(find("message~'two=2'")).filter(|items| !items[0].is_null())
    });
    let left = find("level%3C4");
    assert_eq!(left, json!([]), "nothing below the minimum is kept");
    set(json!({"maxDays": 0}));
    assert_eq!(find("id!=''"), json!([]), "nothing is kept");
}

#[test]
fn the_log_can_be_emptied_and_its_lines_have_limits() {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    let ask =
        |method: &str, path: &str, token: &str| server.send(method, path, token, &Value::Null);
    let lines = || {
        let items = ask("GET", "/api/logs?filter=message~'zz'&sort=@rowid", &token).json();
        items["items"].as_array().cloned().unwrap_or_default()
    };
    let get = |path: &str, agent: &str| {
        let mut client = Client::connect(server.port).expect("connect");
        client.get(path, &[("User-Agent", agent)]).expect("an answer");
    };
    // Cut by bytes, with a mark; bytes of no character are U+FFFD.
    get(&format!("/zz1?q={}", "q".repeat(3_100)), "café 😀");
    get("/zz2?q=%C3%A9%ff", &"é".repeat(1_001));
    let found = eventually("both lines", || Some(lines()).filter(|lines| lines.len() == 2));
    let url = format!("/zz1?q={}...", "q".repeat(2_993));
    assert_eq!(found[0]["message"], format!("GET {url}"));
    assert_eq!(
        (&found[0]["data"]["url"], &found[0]["data"]["userAgent"]),
        (&json!(url), &json!("café 😀"))
    );
    assert_eq!(found[1]["message"], "GET /zz2?q=é\u{fffd}");
    assert_eq!(found[1]["data"]["userAgent"], format!("{}...", "é".repeat(1_000)));

    let settings = |logs: Value| {
        server.send("PATCH", "/api/settings", &token, &json!({ "logs": logs })).json()
    };
    let logs = settings(json!({"maxDataSize": 150, "logIP": false}))["logs"].to_string();
    assert_eq!(
        logs,
        r#"{"maxDataSize":150,"maxDays":5,"minLevel":0,"logIP":false,"logAuthId":false}"#
    );
    assert_eq!(
        settings(json!({"maxDataSize": -1}))["data"]["logs"]["maxDataSize"],
        json!({"code": "validation_min_greater_equal_than_required", "message": "Must be no less than 0.", "params": {"threshold": 0}})
    );
    get("/zz3", &"U".repeat(500));
    let found = eventually("a third line", || Some(lines()).filter(|lines| lines.len() == 3));
    let data = found[2]["data"].as_object().expect("data");
    assert_eq!(data["__pb_truncated__"], true);
    assert_eq!(data.keys().next().map(String::as_str), Some("__pb_truncated__"));
    assert!(!data.contains_key("userIP") && data["method"] == "GET", "{data:?}");

    assert_eq!(ask("DELETE", "/api/logs", "").status, 401);
    assert_eq!(ask("DELETE", "/api/logs/x", &token).status, 404);
    get("/zz4", "waits");
    let gone = ask("DELETE", "/api/logs", &token);
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    assert_eq!(lines(), Vec::<Value>::new());
    // Not even what waited, and not the deletion.
    get("/zz5", "");
    let found = eventually("a line after", || Some(lines()).filter(|lines| !lines.is_empty()));
    assert_eq!((found.len(), &found[0]["message"]), (1, &json!("GET /zz5")));
    let all = ask("GET", "/api/logs?filter=message~'DELETE'", &token).json();
    assert_eq!(all["items"], json!([]));
}

#[test]
fn crons_are_listed_and_run() {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    let ask = |method: &str, path: &str| server.send(method, path, &token, &Value::Null);
    let ids = |list: &Value| {
        let items = list.as_array().expect("a list").iter();
        items.map(|job| job["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    let list = ask("GET", "/api/crons").json();
    assert_eq!(list[0], json!({"id": "__pbDBOptimize__", "expression": "0 0 * * *"}));
    for job in ids(&list) {
        assert_eq!(ask("POST", &format!("/api/crons/{job}")).status, 204, "{job}");
    }
    assert_eq!(ask("POST", "/api/crons/none").status, 404);
    assert_eq!(ask("POST", "/api/crons/__pbAutoBackup__").status, 404);
    let body = json!({"backups": {"cron": "0 3 * * *", "cronMaxKeep": 1}});
    assert_eq!(server.send("PATCH", "/api/settings", &token, &body).status, 200);
    assert!(ids(&ask("GET", "/api/crons").json()).contains(&"__pbAutoBackup__".to_owned()));
    assert_eq!(
        server.send("POST", "/api/backups", &token, &json!({"name": "manual.zip"})).status,
        204
    );
    let run = || {
        let before = backups(&server, &token);
        eventually("no backup runs", || {
            let health = ask("GET", "/api/health").json();
            Some(()).filter(|()| health["data"]["canBackup"] == true)
        });
        // Names tell seconds.
        std::thread::sleep(Duration::from_millis(1100));
        assert_eq!(ask("POST", "/api/crons/__pbAutoBackup__").status, 204);
        eventually("a new backup, the one before removed", || {
            let now = backups(&server, &token);
            let done = now != before && now.len() == 2 && now[1] == "manual.zip";
            Some(now).filter(|_| done)
        })
    };
    let (first, second) = (run(), run());
    assert!(
        first[0].starts_with("@auto_pb_backup_acme") && first[0] < second[0],
        "{first:?} {second:?}"
    );
    let body = json!({"backups": {"cron": ""}});
    assert_eq!(server.send("PATCH", "/api/settings", &token, &body).status, 200);
    assert_eq!(ask("POST", "/api/crons/__pbAutoBackup__").status, 404);
}

#[test]
fn a_backup_goes_out_and_comes_back() {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    notes(&server, &token);
    assert_eq!(note(&server, "before"), 200);
    let create = |name: &str| server.send("POST", "/api/backups", &token, &json!({ "name": name }));
    assert_eq!(create("one.zip").status, 204);
    assert_eq!(create("one.zip").json()["data"]["name"]["code"], "validation_backup_name_exists");
    assert_eq!(create("One.zip").json()["data"]["name"]["code"], "validation_match_invalid");
    assert_eq!(create("").status, 204);
    assert_eq!(backups(&server, &token).len(), 2);

    // Out: whole, in parts, and to nobody else.
    let access = file_token(&server);
    let path = format!("/api/backups/one.zip?token={access}");
    let whole = server.send("GET", &path, "", &Value::Null);
    assert_eq!(whole.status, 200);
    assert_eq!(whole.header("content-disposition"), Some(r#"attachment; filename="one.zip""#));
    assert_eq!(whole.header("content-type"), Some("application/zip"));
    assert!(whole.body.starts_with(b"PK\x03\x04"));
    for (path, status) in [
        ("/api/backups/one.zip".to_owned(), 403),
        (format!("/api/backups/one.zip?token={token}"), 403),
        (format!("/api/backups/none.zip?token={access}"), 404),
        (format!("/api/backups/..%2Fdata.db?token={access}"), 404),
    ] {
        assert_eq!(server.send("GET", &path, &token, &Value::Null).status, status, "{path}");
    }

    // Back in, under a name of its own.
    assert_eq!(upload(&server, &token, "dir/My Upload.zip", &whole.body).status, 204);
    assert_eq!(upload(&server, &token, "My Upload.zip", &whole.body).status, 400);
    let refused = upload(&server, &token, "text.zip", b"hello").json();
    assert_eq!(refused["data"]["file"]["code"], "validation_invalid_mime_type");
    assert!(backups(&server, &token).contains(&"My Upload.zip".to_owned()));
    assert_eq!(server.send("DELETE", "/api/backups/one.zip", &token, &Value::Null).status, 204);
    assert_eq!(server.send("DELETE", "/api/backups/one.zip", &token, &Value::Null).status, 400);

    // Restored: the same process serves the old records on the same port.
    assert_eq!(note(&server, "after"), 200);
    assert_eq!(texts(&server), ["after", "before"]);
    let pid = server.pid();
    let restore = "/api/backups/My%20Upload.zip/restore";
    assert_eq!(server.send("POST", restore, &token, &Value::Null).status, 204);
    let list = "/api/collections/notes/records?sort=text";
    eventually("the records of the backup are served", || {
        let answer = try_send(&server, "GET", list, "", &Value::Null)?;
        Some(()).filter(|()| answer.status == 200 && answer.json()["totalItems"] == 1)
    });
    assert_eq!(texts(&server), ["before"]);
    assert_eq!(server.pid(), pid);
    assert_eq!(note(&server, "later"), 200);
    assert!(backups(&server, &token).contains(&"My Upload.zip".to_owned()), "backups stay");
    let health = server.send("GET", "/api/health", &token, &Value::Null).json();
    assert_eq!(health["data"]["canBackup"], true);
}

#[test]
fn a_bad_archive_changes_nothing() {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    notes(&server, &token);
    assert_eq!(note(&server, "kept"), 200);
    let empty = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    assert_eq!(upload(&server, &token, "empty.zip", empty).status, 204);
    let restore = |name: &str| {
        server.send("POST", &format!("/api/backups/{name}/restore"), &token, &Value::Null).status
    };
    assert_eq!(restore("none.zip"), 400);
    assert_eq!(restore("empty.zip"), 204);
    let filter = "/api/logs?filter=message%3D'Failed%20to%20restore%20backup'";
    let page = eventually("the refusal is logged", || {
        let page = server.send("GET", filter, &token, &Value::Null).json();
        Some(page).filter(|page| page["totalItems"] == 1)
    });
    assert!(
        page["items"][0]["data"]["error"].as_str().is_some_and(|e| e.contains("data.db")),
        "{page}"
    );
    assert_eq!(texts(&server), ["kept"]);
    assert_eq!(
        server.send("POST", "/api/backups", &token, &Value::Null).status,
        204,
        "not blocked"
    );
}

/// Writers go on; the copy is sound and holds every write that was acknowledged before the backup began.
#[test]
fn a_backup_while_writers_run_is_complete() {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    notes(&server, &token);
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..3)
        .map(|_| {
            let (stop, acknowledged, port) = (stop.clone(), acknowledged.clone(), server.port);
            std::thread::spawn(move || {
                let mut client = Client::connect(port).expect("connect");
                let body = json!({ "text": "x".repeat(2000) }).to_string().into_bytes();
                let path = "/api/collections/notes/records";
                while !stop.load(Ordering::Relaxed) {
                    let answer = client.send("POST", path, "", "application/json", &body);
                    assert_eq!(answer.expect("an answer").status, 200);
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    eventually("some records", || Some(()).filter(|()| acknowledged.load(Ordering::Relaxed) > 300));
    let before = acknowledged.load(Ordering::Relaxed);
    assert_eq!(
        server.send("POST", "/api/backups", &token, &json!({"name": "live.zip"})).status,
        204
    );
    let after = acknowledged.load(Ordering::Relaxed);
    stop.store(true, Ordering::Relaxed);
    writers.into_iter().for_each(|writer| writer.join().expect("a writer"));
    assert!(after > before, "writers did not wait for the backup");

    let dir = tempfile::tempdir().expect("dir");
    let file = fs::File::open(server.data_dir().join("backups/live.zip")).expect("the backup");
    let mut zip = zip::ZipArchive::new(file).expect("a zip file");
    let mut copy = fs::File::create(dir.path().join("data.db")).expect("a file");
    std::io::copy(&mut zip.by_name("data.db").expect("data.db"), &mut copy).expect("extracted");
    copy.flush().expect("flushed");
    let conn = rusqlite::Connection::open(dir.path().join("data.db")).expect("a database");
    let verdict: String =
        conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checked");
    assert_eq!(verdict, "ok");
    let n: i64 = conn.query_row("SELECT count(*) FROM notes", [], |row| row.get(0)).expect("count");
    assert!(u64::try_from(n).is_ok_and(|n| n >= before), "{n} of {before}");
}
