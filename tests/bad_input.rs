//! Hostile and broken requests: a compatible 4xx, nothing written, nothing leaked, and the server goes on.

use serde_json::{Value, json};

use crate::support::{Answer, Client, Server, encode};

const RECORDS: &str = "/api/collections/things/records";

fn things() -> (Server, String) {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    let collection = json!({"name": "things", "type": "base", "listRule": "", "viewRule": "", "createRule": "",
        "updateRule": "", "deleteRule": "", "fields": [{"name": "title", "type": "text"},
        {"name": "n", "type": "number"}, {"name": "tags", "type": "select", "values": ["a", "b"], "maxSelect": 2}]});
    let made = server.send("POST", "/api/collections", &token, &collection);
    assert_eq!(made.status, 200, "{}", String::from_utf8_lossy(&made.body));
    let first = server.send("POST", RECORDS, "", &json!({"title": "one", "n": 1, "tags": ["a"]}));
    assert_eq!(first.status, 200);
    (server, token)
}

fn list(server: &Server, filter: &str) -> Answer {
    server.send("GET", &format!("{RECORDS}?filter={}", encode(filter)), "", &Value::Null)
}

/// The envelope and nothing more: no SQL, no path, no driver message.
fn envelope(answer: &Answer, status: u16) {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, status, "{text}");
    let body = answer.json();
    let keys: Vec<&String> = body.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["data", "message", "status"], "{text}");
    assert_eq!(body["status"], json!(status));
    for leak in ["SELECT", "sqlite", "/tmp", "pb_data", "panicked"] {
        assert!(!text.contains(leak), "{leak} leaks: {text}");
    }
}

#[test]
fn absurd_filters() {
    let (server, _) = things();
    let many = |n: usize| vec!["n=1"; n].join("||");
    assert_eq!(list(&server, &many(200)).status, 200);
    envelope(&list(&server, &many(201)), 400);
    let long = |bytes: usize| format!("title='{}'", "x".repeat(bytes - 8));
    assert_eq!(list(&server, &long(3500)).status, 200);
    envelope(&list(&server, &long(3501)), 400);
    let nested = |n: usize| format!("{}n=1{}", "(".repeat(n), ")".repeat(n));
    let deep = list(&server, &nested(1700));
    assert_eq!((deep.status, deep.json()["totalItems"].as_i64()), (200, Some(1)));
    for filter in [
        "(n=1",
        "n=1)",
        "((n=1)",
        "n=",
        "=1",
        "n==1",
        "nope=1",
        "n=1 &&",
        "title='a",
        "x.y.z=1",
        "n ~",
        "@request.auth.id=''",
        "@collection.things.n=1",
        "\u{0}",
        "n=1\r&&n=2",
        "tags.x=1",
        "things_via_x.n=1",
        "geoDistance(1)=1",
        "title:nope='a'",
    ] {
        let status = if filter.starts_with('@') { 403 } else { 400 };
        envelope(&list(&server, filter), status);
    }
    let not_utf8 =
        server.send("GET", &format!("{RECORDS}?filter=title%3D%27%ff%fe%27"), "", &Value::Null);
    assert!(not_utf8.status == 200 || not_utf8.status == 400, "{}", not_utf8.status);
    for query in ["page=x", "perPage=1e3", "skipTotal=maybe", "sort=nope", "sort=n,", "sort=-"] {
        envelope(&server.send("GET", &format!("{RECORDS}?{query}"), "", &Value::Null), 400);
    }
}

#[test]
fn broken_bodies_change_nothing() {
    let (server, _) = things();
    let raw = |content_type: &str, body: &[u8]| {
        Client::connect(server.port)
            .and_then(|mut c| c.send("POST", RECORDS, "", content_type, body))
            .expect("an answer")
    };
    for body in
        [&b"{"[..], b"[1]", b"\"x\"", b"{\"title\":", b"nonsense", b"\xff\xfe", b"\xef\xbb\xbf{}"]
    {
        envelope(&raw("application/json", body), 400);
    }
    envelope(&raw("text/plain", b"title=x"), 400);
    envelope(&raw("application/xml", b"<a/>"), 400);
    envelope(&raw("multipart/form-data", b"--x--"), 400);
    envelope(&raw("multipart/form-data; boundary=x", b"--x\r\nbroken"), 400);
    envelope(
        &raw("application/json", format!("{{\"title\":\"{}\"}}", "x".repeat(5001)).as_bytes()),
        400,
    );
    let deep = format!("{{\"title\":{}1{}}}", "[".repeat(20_000), "]".repeat(20_000));
    envelope(&raw("application/json", deep.as_bytes()), 400);
    let all = server.send("GET", RECORDS, "", &Value::Null);
    assert_eq!(all.json()["totalItems"], 1, "nothing was written");
}

/// As deep and as many as a request can hold: an answer in bounded time, and the process lives.
#[test]
fn depth_and_number() {
    let (server, token) = things();
    let deep = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
    let send = |path: &str, kind: &str, body: String| {
        let mut client = Client::connect(server.port).expect("connect");
        let method = if path.ends_with("import") { "PUT" } else { "POST" };
        client.send(method, path, &token, kind, body.as_bytes()).expect("an answer").status
    };
    const JSON: &str = "application/json";
    for n in [1000, 200_000] {
        // a list in a list is no list of texts, and so no value
        let status = send(RECORDS, JSON, format!("{{\"tags\":{}}}", deep(n)));
        assert_eq!(status, if n > 10_000 { 400 } else { 200 }, "{n}");
        for (path, body) in [
            ("/api/batch", format!("{{\"requests\":{}}}", deep(n))),
            ("/api/realtime", format!("{{\"clientId\":{}}}", deep(n))),
            ("/api/collections", format!("{{\"name\":\"x\",\"fields\":{}}}", deep(n))),
            ("/api/collections/import", format!("{{\"collections\":{}}}", deep(n))),
        ] {
            assert!((400..500).contains(&send(path, JSON, body)), "{path} {n}");
        }
        let form = (0..n).map(|i| format!("k{i}=1&")).collect();
        assert_eq!(send(RECORDS, "application/x-www-form-urlencoded", form), 200, "{n} keys");
        let path = format!("{}a{}", "(".repeat(n), ")".repeat(n));
        let view = json!({"name": "v", "type": "view", "viewQuery": format!("select id, {path} x from things")});
        assert_eq!(send("/api/collections", JSON, view.to_string()), 400, "a view of depth {n}");
    }
    for query in [
        format!("expand={}", vec!["self"; 10_000].join(".")),
        format!("fields={}", vec!["a"; 20_000].join(".")),
        format!("fields={}", "a:excerpt(".repeat(3000)),
        format!("sort={}", vec!["n"; 20_000].join(".")),
        format!("filter={}%3D1", vec!["n"; 20_000].join(".")),
        format!("page={}&perPage={}", i64::MAX, i64::MIN),
    ] {
        let status = server.send("GET", &format!("{RECORDS}?{query}"), "", &Value::Null).status;
        assert!(status == 200 || status == 400, "{status}: {}", &query[..20]);
    }
    let fields: Vec<Value> =
        (0..1000).map(|n| json!({"name": format!("f{n}"), "type": "text"})).collect();
    let wide = json!({"collections": [{"name": "wide", "type": "base", "fields": fields}]});
    assert_eq!(send("/api/collections/import", JSON, wide.to_string()), 204);
    assert_eq!(server.send("GET", "/api/health", "", &Value::Null).status, 200);
}

#[test]
fn oversize_bodies_are_refused_before_reading() {
    use std::io::{Read, Write};
    let (server, _) = things();
    let mut stream =
        std::net::TcpStream::connect(("127.0.0.1", server.port)).expect("a connection");
    let head = format!(
        "POST {RECORDS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999999999\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).expect("a write");
    stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).expect("a time limit");
    let mut answer = [0; 4096];
    let n = stream.read(&mut answer).expect("an answer");
    let text = String::from_utf8_lossy(&answer[..n]);
    assert!(text.starts_with("HTTP/1.1 413"), "{text}");
}

#[test]
fn unknown_places() {
    let (server, token) = things();
    envelope(&server.send("GET", "/api/collections/nope/records", "", &Value::Null), 404);
    envelope(&server.send("GET", &format!("{RECORDS}/nope"), "", &Value::Null), 404);
    envelope(&server.send("PUT", RECORDS, "", &json!({})), 404);
    envelope(&server.send("GET", "/api/nope", "", &Value::Null), 404);
    // an unclean path is redirected to the clean one, which is not there
    let redirect = server.send("GET", "/../../etc/passwd", "", &Value::Null);
    assert_eq!((redirect.status, redirect.header("location")), (307, Some("/etc/passwd")));
    envelope(&server.send("GET", "/etc/passwd", "", &Value::Null), 404);
    envelope(&server.send("GET", "/%2e%2e/%2e%2e/etc/passwd", "", &Value::Null), 404);
    envelope(&server.send("GET", "/api/collections", "", &Value::Null), 401);
    envelope(&server.send("GET", "/api/collections", "not.a.token", &Value::Null), 401);
    envelope(&server.send("GET", "/api/collections/nope", &token, &Value::Null), 404);
    envelope(
        &server.send("POST", "/api/collections", &token, &json!({"name": "x y", "type": "base"})),
        400,
    );
    envelope(
        &server.send("POST", "/api/collections", &token, &json!({"name": "x", "type": "odd"})),
        400,
    );
    assert_eq!(server.send("GET", "/api/health", "", &Value::Null).status, 200);
}
