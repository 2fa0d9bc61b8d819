//! What requests may say in their bodies, and how they are refused: strict JSON, names, null, forms, limits, `?fields=`.
//!
//! The tables of single rules lie beside the code that has them; here is what a client sees of them.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::support::{Answer, Client, PASSWORD, Server, encode};

const RECORDS: &str = "/api/collections/notes/records";
const UNREADABLE: &str = "An error occurred while loading the submitted data.";
const WRONG: &str = "Something went wrong while processing your request.";

fn notes() -> (Server, String) {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    let collection = json!({"name": "notes", "type": "base", "listRule": "", "viewRule": "", "createRule": "",
        "updateRule": "", "deleteRule": "", "fields": [{"name": "title", "type": "text"}, {"name": "js", "type": "json"},
        {"name": "geo", "type": "geoPoint"}, {"name": "doc", "type": "file"}]});
    assert_eq!(server.send("POST", "/api/collections", &token, &collection).status, 200);
    (server, token)
}

fn raw(server: &Server, method: &str, path: &str, token: &str, kind: &str, body: &[u8]) -> Answer {
    Client::connect(server.port)
        .and_then(|mut c| c.send(method, path, token, kind, body))
        .expect("an answer")
}

fn post(server: &Server, path: &str, token: &str, body: &str) -> Answer {
    raw(server, "POST", path, token, "application/json", body.as_bytes())
}

fn refused(answer: &Answer, status: u16, message: &str) {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(
        (answer.status, answer.json()["message"].as_str()),
        (status, Some(message)),
        "{text}"
    );
}

#[test]
fn json_is_read_strictly() {
    let (server, token) = notes();
    for body in [
        r#"{"title":"a","title":"b"}"#,
        r#"{"title":"a","zzz":[{"b":1,"b":2}]}"#,
        r#"{"title":"\ud800"}"#,
        r#"{"js":1e400}"#,
    ] {
        refused(&post(&server, RECORDS, "", body), 400, WRONG);
        refused(
            &post(&server, "/api/batch", "", &format!(r#"{{"requests":[],"x":{body}}}"#)),
            403,
            "Batch requests are not allowed.",
        );
        let sign_in =
            format!(r#"{{"identity":"root@example.com","password":"{PASSWORD}","x":{body}}}"#);
        refused(
            &post(&server, "/api/collections/_superusers/auth-with-password", "", &sign_in),
            400,
            UNREADABLE,
        );
        let made = format!(r#"{{"name":"twice","type":"base","x":{body}}}"#);
        let message = "Failed to load the collection type data due to invalid formatting.";
        refused(&post(&server, "/api/collections", &token, &made), 400, message);
    }
    for text in [r#"{"a":1,"a":2}"#, "1e400"] {
        let answer = server.send("POST", RECORDS, "", &json!({"js": text}));
        assert_eq!(answer.json()["data"]["js"]["code"], "validation_invalid_json", "{text}");
    }
    let all = server.send("GET", RECORDS, "", &Value::Null).json();
    assert_eq!(all["totalItems"], 0, "nothing was written");
    assert_eq!(post(&server, RECORDS, "", r#"{"title":"a"} and more"#).status, 200);
}

/// Values that other programs stored: shown as they are, and kept until they are replaced.
#[test]
fn stored_json_with_a_key_twice() {
    let (server, token) = notes();
    let made = server.send("POST", RECORDS, "", &json!({"id": "storedtwice0000"}));
    assert_eq!(made.status, 200);
    let path = format!("{RECORDS}/storedtwice0000");
    let sql = |text: &str| {
        let query = json!({"query": format!("update notes set {text}")});
        assert_eq!(server.send("POST", "/api/sql", &token, &query).status, 200);
    };
    sql(r#"js = '{"b":1,"a":1,"a":2}'"#);
    let shown = server.send("GET", &path, "", &Value::Null);
    assert!(String::from_utf8_lossy(&shown.body).contains(r#"{"b":1,"a":1,"a":2}"#));
    let picked = server.send("GET", &format!("{path}?fields=js"), "", &Value::Null);
    assert_eq!(picked.json(), json!({"js": {"a": 2, "b": 1}}));
    let other = server.send("PATCH", &path, "", &json!({"title": "x"}));
    assert_eq!(other.json()["data"]["js"]["code"], "validation_invalid_json");
    assert_eq!(server.send("PATCH", &path, "", &json!({"js": [1]})).status, 200);
    sql(r#"geo = '{"lon":1,"lat":2,"lat":3}'"#);
    assert_eq!(server.send("GET", &path, "", &Value::Null).status, 404);
    assert_eq!(server.send("GET", RECORDS, "", &Value::Null).status, 400);
    sql(r#"geo = '{"LON":1,"lat":2}'"#);
    let shown = server.send("GET", &path, "", &Value::Null).json();
    assert_eq!(shown["geo"], json!({"lon": 0, "lat": 2}));
}

#[test]
fn json_of_ten_thousand_levels() {
    let (server, _) = notes();
    let nested = |levels: usize, open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(levels), close.repeat(levels))
    };
    for (id, js) in [
        ("deeparrays00000", nested(9_999, "[", "", "]")),
        ("deepobjects0000", nested(9_999, r#"{"a":"#, "1", "}")),
    ] {
        let body = format!(r#"{{"id":"{id}","js":{js},"unknown":{js}}}"#);
        let made = post(&server, RECORDS, "", &body);
        assert_eq!(made.status, 200, "{id}");
        let path = format!("{RECORDS}/{id}");
        let read = |query: &str| {
            let answer = server.send("GET", &format!("{path}?fields={query}"), "", &Value::Null);
            (answer.status, String::from_utf8_lossy(&answer.body).trim_end().to_owned())
        };
        assert_eq!(read("id"), (200, format!(r#"{{"id":"{id}"}}"#)));
        assert_eq!(read("id,js"), (200, format!(r#"{{"id":"{id}","js":{js}}}"#)));
        let whole = server.send("GET", &path, "", &Value::Null);
        assert!(String::from_utf8_lossy(&whole.body).contains(&js));
        let again = server.send("PATCH", &path, "", &json!({"title": "again"}));
        assert!(again.status == 200 && String::from_utf8_lossy(&again.body).contains(&js));
        let as_text = server.send("PATCH", &path, "", &json!({"js": js}));
        assert!(as_text.status == 200 && String::from_utf8_lossy(&as_text.body).contains(&js));
    }
    let filtered = format!("{RECORDS}?fields=items.id,id&filter={}", encode("js.a.a != 5"));
    assert_eq!(server.send("GET", &filtered, "", &Value::Null).status, 200);
    let too_deep = format!(r#"{{"js":{}}}"#, nested(10_000, "[", "", "]"));
    refused(&post(&server, RECORDS, "", &too_deep), 400, WRONG);
    assert_eq!(server.send("GET", "/api/health", "", &Value::Null).status, 200);
}

/// Spec upstream-0.40 §2.15: the secret of a provider never comes from the one that stood at its position.
#[test]
fn provider_secrets_stay_with_their_names() {
    let (server, token) = notes();
    let providers = |list: Value| {
        server.send(
            "PATCH",
            "/api/collections/users",
            &token,
            &json!({"oauth2": {"enabled": true, "providers": list}}),
        )
    };
    let stored = || {
        let query = json!({"query": "select options from _collections where name = 'users'"});
        let rows = server.send("POST", "/api/sql", &token, &query).json()["rows"].clone();
        let options: Value =
            serde_json::from_str(rows[0][0].as_str().expect("text")).expect("JSON");
        let list = options["oauth2"]["providers"].as_array().cloned().unwrap_or_default();
        let one = |p: &Value| {
            format!("{}:{}:{}", p["name"], p["clientId"], p["clientSecret"]).replace('"', "")
        };
        list.iter().map(one).collect::<Vec<_>>()
    };
    let both = json!([{"name": "gitlab", "clientId": "gl", "clientSecret": "gls"},
        {"name": "google", "clientId": "go", "clientSecret": "gos"}]);
    assert_eq!(providers(both).status, 200);
    assert_eq!(providers(json!([{"name": "google"}, {"name": "gitlab"}])).status, 200);
    assert_eq!(stored(), ["google:go:gos", "gitlab:gl:gls"]);
    let other = providers(json!([{"name": "apple", "clientId": "a"}]));
    let error = &other.json()["data"]["oauth2"]["providers"]["0"]["clientSecret"];
    assert_eq!((other.status, error["code"].as_str()), (400, Some("validation_required")));
    assert_eq!(providers(json!([{"name": "gitlab", "clientId": "new"}])).status, 200);
    assert_eq!(stored(), ["gitlab:new:gls"]);
}

#[test]
fn names_and_null() {
    let (server, token) = notes();
    let patch = |path: &str, body: Value| server.send("PATCH", path, &token, &body);
    let settings =
        patch("/api/settings?fields=meta.appName", json!({"Me_ta": {"APP-name": "folded"}}));
    assert_eq!(settings.json(), json!({"meta": {"appName": "folded"}}));
    refused(&patch("/api/settings", json!({"meta": {}, "META": {}})), 400, UNREADABLE);
    let null = raw(&server, "PATCH", "/api/settings", &token, "application/json", b"null");
    refused(&null, 500, WRONG);
    let rules = json!({"rateLimits": {"rules": [{"label": "*:auth"}]}});
    let rules = patch("/api/settings", rules).json()["data"]["rateLimits"]["rules"]["0"].clone();
    assert_eq!(rules["duration"]["code"], "validation_required");
    let emptied = patch("/api/settings?fields=smtp.port,smtp.host", json!({"smtp": null}));
    assert_eq!(emptied.json(), json!({"smtp": {"host": "", "port": 0}}));

    let path = "/api/collections/notes?fields=name,listRule";
    let same = json!({"listRule": "", "name": "notes"});
    for ignored in [json!({"Name": "x"}), json!({"listrule": null}), json!({"Fields": []})] {
        assert_eq!(patch(path, ignored.clone()).json(), same, "{ignored}");
    }
    let null = raw(&server, "PATCH", path, &token, "application/json", b"null");
    assert_eq!(null.json()["data"]["name"]["code"], "validation_required");
    refused(&patch(path, json!({"id": null})), 404, "The requested resource wasn't found.");
}

/// A form does not open a collection whose rules it does not name.
#[test]
fn forms_of_collections() {
    let (server, token) = notes();
    const FORM: &str = "application/x-www-form-urlencoded";
    let form = |method: &str, path: &str, body: &str| {
        raw(&server, method, path, &token, FORM, body.as_bytes())
    };
    let made = form(
        "POST",
        "/api/collections",
        "name=12&type=base&listRule=&Name=x&fields=y&created=2020-01-01",
    );
    assert_eq!(made.status, 200, "{}", String::from_utf8_lossy(&made.body));
    let made = made.json();
    let rules = ["listRule", "viewRule", "createRule", "updateRule", "deleteRule"]
        .map(|key| made[key].clone());
    assert_eq!(rules, [json!(""), Value::Null, Value::Null, Value::Null, Value::Null]);
    assert_eq!((&made["name"], made["fields"].as_array().map(Vec::len)), (&json!("12"), Some(1)));
    let off =
        form("PATCH", "/api/collections/users", "passwordAuth.enabled=false&otp.length=9").json();
    assert_eq!(
        (&off["passwordAuth"]["enabled"], &off["otp"]["length"]),
        (&json!(false), &json!(9))
    );
    assert_eq!(form("PATCH", "/api/collections/users", "otp.length=x").status, 400);
}

#[test]
fn multipart_with_bare_line_feeds() {
    let (server, _) = notes();
    let body = b"--X\nContent-Disposition: form-data; name=\"title\"\n\nabc\n\
        --X\nContent-Disposition: form-data; name=\"doc\"; filename=\"a.bin\"\n\nl1\nl2\r\nl3\n--X--\n";
    let kind = "multipart/form-data; boundary=X";
    let made = raw(&server, "POST", RECORDS, "", kind, body);
    assert_eq!(made.status, 200, "{}", String::from_utf8_lossy(&made.body));
    let made = made.json();
    let text = |key: &str| made[key].as_str().unwrap_or_default().to_owned();
    assert_eq!(text("title"), "abc");
    let path = format!("/api/files/notes/{}/{}", text("id"), text("doc"));
    assert_eq!(server.send("GET", &path, "", &Value::Null).body, b"l1\nl2\r\nl3");
    let quoted = b"--X\r\nContent-Disposition: form-data; name=\"title\"\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\r\na=3Db=C3=A9 =\r\nnext\r\n--X--\r\n";
    assert_eq!(raw(&server, "POST", RECORDS, "", kind, quoted).json()["title"], "a=b\u{e9} next");
}

/// A body whose length is not announced is measured while it is read.
#[test]
fn chunked_bodies_beyond_the_limit() {
    let (server, token) = notes();
    let send = |method: &str, path: &str, start: &str, size: usize| {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", server.port)).expect("connect");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        let body = format!("{start}\"x\":\"{}\"}}", "a".repeat(size - start.len() - 7));
        let mut all = head.into_bytes();
        all.extend_from_slice(format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).as_bytes());
        // the server may answer, and close, before it has everything
        let _ = stream.write_all(&all);
        let mut answer = Vec::new();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).expect("a time limit");
        let mut buffer = [0; 4096];
        while !answer.ends_with(b"}") && !answer.ends_with(b"\n\r\n") {
            match std::io::Read::read(&mut stream, &mut buffer) {
                Ok(n) if n > 0 => answer.extend_from_slice(&buffer[..n]),
                _ => break,
            }
            if answer.ends_with(b"}\n") {
                break;
            }
        }
        String::from_utf8_lossy(&answer).split(' ').nth(1).and_then(|s| s.parse::<u16>().ok())
    };
    const LIMIT: usize = 32 << 20;
    for (method, path, start, status) in [
        ("POST", "/api/collections/users/auth-with-password", "{", 413),
        (
            "POST",
            "/api/collections/users/request-verification",
            r#"{"email":"a@example.com","#,
            413,
        ),
        ("PUT", "/api/collections/import", r#"{"collections":[],"#, 413),
        ("POST", "/api/sql", r#"{"query":"select 1","#, 413),
        ("PATCH", "/api/settings", "{", 400),
        ("PATCH", "/api/collections/notes", "{", 400),
        ("POST", "/api/collections/users/confirm-password-reset", "{", 400),
    ] {
        assert_eq!(send(method, path, start, LIMIT + 1), Some(status), "{path}");
    }
    let path = "/api/collections/users/request-verification";
    assert_eq!(send("POST", path, r#"{"email":"a@example.com","#, LIMIT), Some(204));
}

#[test]
fn fields_that_cannot_be_read() {
    let (server, token) = notes();
    let made =
        server.send("POST", &format!("{RECORDS}?fields=title:nope"), "", &json!({"title": "kept"}));
    refused(&made, 400, WRONG);
    let all =
        server.send("GET", &format!("{RECORDS}?fields=title)%2Citems.x%2Ctitle"), "", &Value::Null);
    assert_eq!(all.json()["items"], json!([{"title": "kept"}]));
    for fields in ["title:excerpt", "title:excerpt(-1)", "title:", "title:excerpt(2", "title%22"] {
        let answer = server.send("GET", &format!("{RECORDS}?fields={fields}"), "", &Value::Null);
        refused(&answer, 400, WRONG);
    }
    assert_eq!(
        server.send("GET", &format!("{RECORDS}?fields=title)"), "", &Value::Null).json()["items"],
        json!([{}])
    );
    let beyond = format!("{RECORDS}?page={}&perPage=1000", i64::MAX);
    let beyond = server.send("GET", &beyond, "", &Value::Null).json();
    assert_eq!((&beyond["items"], &beyond["page"]), (&json!([]), &json!(i64::MAX)));
    let batch = json!({"batch": {"enabled": true}});
    assert_eq!(server.send("PATCH", "/api/settings", &token, &batch).status, 200);
    let item = |fields: &str| json!({"method": "POST", "url": format!("{RECORDS}?fields={fields}"), "body": {"title": "rolled back"}});
    let failed = server.send(
        "POST",
        "/api/batch",
        "",
        &json!({"requests": [item("id"), item("title:nope")]}),
    );
    let response = &failed.json()["data"]["requests"]["1"]["response"];
    assert_eq!((failed.status, &response["status"]), (400, &json!(500)));
    assert_eq!(server.send("GET", RECORDS, "", &Value::Null).json()["totalItems"], 1);
}

/// Thirty megabytes of the shortest values would be gigabytes of them in memory.
#[test]
fn bodies_of_millions_of_values() {
    let (server, _) = notes();
    let zeros = "0,".repeat(15_000_000);
    let deep = format!("{}{zeros}0{}", "[".repeat(200), "]".repeat(200));
    for body in [
        format!(r#"{{"js":[{zeros}0]}}"#),
        format!(r#"{{"js":{deep}}}"#),
        format!(r#"{{"js":[{}0]}}"#, r#"{"":0},"#.repeat(4_000_000)),
    ] {
        refused(&post(&server, RECORDS, "", &body), 400, WRONG);
    }
    let text = format!(r#"{{"geo":"[{zeros}0]"}}"#);
    // what is no place is none, as ever
    let answer = post(&server, RECORDS, "", &text);
    assert_eq!((answer.status, &answer.json()["geo"]), (200, &json!({"lon": 0, "lat": 0})));
    let form = "a=&".repeat(3_000_000);
    let kind = "application/x-www-form-urlencoded";
    refused(&raw(&server, "POST", RECORDS, "", kind, form.as_bytes()), 400, WRONG);
    let full = format!(r#"{{"js":[{}0]}}"#, "0,".repeat(400_000));
    assert_eq!(post(&server, RECORDS, "", &full).status, 200, "what a field may hold");
    is_lean(&server);
}

/// Scripts ask for bodies in ways of their own.
#[test]
fn bodies_of_millions_of_values_for_scripts() {
    let dir = tempfile::tempdir().expect("a directory");
    let hook = r#"
        routerAdd("POST", "/info", (e) => e.json(200, Object.keys(e.requestInfo().body)))
        routerAdd("POST", "/bind", (e) => { const data = new DynamicModel({js: []}); e.bindBody(data); return e.json(200, data) })
    "#;
    std::fs::write(dir.path().join("main.pb.js"), hook).expect("a file");
    let hooks = dir.path().display().to_string();
    let server = Server::fresh(&["--hooksDir", &hooks, "--hooksWatch=false"]);
    let body = format!(r#"{{"js":[{}0]}}"#, "0,".repeat(15_000_000));
    for path in ["/info", "/bind"] {
        assert_eq!(post(&server, path, "", &body).status, 400, "{path}");
    }
    is_lean(&server);
}

/// The server never took as much memory as millions of values would.
fn is_lean(server: &Server) {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{}/status", server.pid())) else {
        return;
    };
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(kib < 700 << 10, "{kib} KiB");
}
