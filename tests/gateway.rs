//! The gateway: streams, WebSocket, rules, headers, limits, upstreams that misbehave.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{
    Answer, Client, EMAIL, PASSWORD, Server, eventually, free_port, postgres, run,
};

/// A server with a superuser and these variables.
pub(crate) fn server(env: &[(&str, &str)]) -> Server {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let made = run(dir.path(), &["superuser", "upsert", EMAIL, PASSWORD, "--dir", "pb_data"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Server::on_with(dir, &[], env)
}

/// A head: the first line and the fields.
pub(crate) struct Head {
    pub(crate) first: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn read(from: &mut impl BufRead) -> Option<Self> {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let (first, mut fields) = (line.trim_end().to_owned(), Vec::new());
        loop {
            line.clear();
            from.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Some(Self { first, fields })
    }
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
    pub(crate) fn body(&self, from: &mut impl BufRead) -> Vec<u8> {
        let mut body = Vec::new();
        if let Some(n) = self.get("content-length").and_then(|n| n.parse().ok()) {
            body.resize(n, 0);
            from.read_exact(&mut body).expect("a body");
        } else if self.get("transfer-encoding").is_some() {
            while let Some(piece) = chunk(from) {
                body.extend(piece);
            }
        }
        body
    }
}

/// The next chunk; `None` at the end.
pub(crate) fn chunk(from: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = String::new();
    from.read_line(&mut line).ok()?;
    let size = usize::from_str_radix(line.trim(), 16).ok()?;
    let mut piece = vec![0; size + 2];
    from.read_exact(&mut piece).ok()?;
    piece.truncate(size);
    (size > 0).then_some(piece)
}

/// An upstream: each connection is served by the function until it says that it is done.
pub(crate) struct Upstream {
    pub(crate) port: u16,
    n_requests: Arc<AtomicUsize>,
}

impl Upstream {
    pub(crate) fn new(
        answer: impl Fn(&Head, &mut BufReader<TcpStream>) -> bool + Send + Sync + 'static,
    ) -> Self {
        let port = free_port();
        Self::on(port, answer)
    }
    pub(crate) fn on(
        port: u16,
        answer: impl Fn(&Head, &mut BufReader<TcpStream>) -> bool + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("bind");
        let (answer, n_requests) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
        let n = n_requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, n) = (answer.clone(), n.clone());
                std::thread::spawn(move || {
                    let mut stream = BufReader::new(stream);
                    while let Some(head) = Head::read(&mut stream) {
                        n.fetch_add(1, Relaxed);
                        if !answer(&head, &mut stream) {
                            break;
                        }
                    }
                });
            }
        });
        Self { port, n_requests }
    }
    /// Tells what it was asked.
    pub(crate) fn echo() -> Self {
        Self::new(tell)
    }
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
    pub(crate) fn n(&self) -> usize {
        self.n_requests.load(Relaxed)
    }
}

/// Answers with what was asked.
pub(crate) fn tell(head: &Head, stream: &mut BufReader<TcpStream>) -> bool {
    let body = head.body(stream);
    let mut first = head.first.split(' ');
    let told = json!({
        "method": first.next(),
        "path": first.next(),
        "headers": head.fields,
        "body": String::from_utf8_lossy(&body),
    });
    reply(stream, 200, &told.to_string());
    true
}

pub(crate) fn reply(stream: &mut BufReader<TcpStream>, status: u16, text: &str) {
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nAccess-Control-Allow-Origin: evil\r\nX-Own: 1\r\n\
         Connection: X-Hop\r\nX-Hop: 1\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    );
    // whoever has gone away is not told
    let _ = stream.get_mut().write_all(head.as_bytes());
}

/// What an echo was told of a header.
pub(crate) fn seen<'a>(echo: &'a Value, name: &str) -> Option<&'a str> {
    let fields = echo["headers"].as_array()?;
    fields.iter().find(|field| field[0] == name).and_then(|field| field[1].as_str())
}

pub(crate) fn made(server: &Server, root: &str, record: &Value) -> String {
    let answer = server.send("POST", "/api/collections/_proxies/records", root, record);
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()["id"].as_str().expect("an id").to_owned()
}

/// A user with a role, and a token of theirs.
pub(crate) fn user(server: &Server, root: &str, name: &str) -> String {
    let email = format!("{name}@example.com");
    let body =
        json!({"email": email, "password": PASSWORD, "passwordConfirm": PASSWORD, "name": name});
    assert_eq!(server.send("POST", "/api/collections/users/records", root, &body).status, 200);
    let body = json!({"identity": email, "password": PASSWORD});
    let answer = server.send("POST", "/api/collections/users/auth-with-password", "", &body);
    answer.json()["token"].as_str().expect("a token").to_owned()
}

pub(crate) fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Answer {
    Client::connect(server.port).and_then(|mut c| c.get(path, headers)).expect("an answer")
}

#[test]
fn the_customer_example() {
    let server = server(&[("OPENAI_KEY", "sk-test")]);
    let (root, upstream) = (server.superuser(), Upstream::echo());
    let record = json!({
        "path": "/-/openai/", "upstream": upstream.url(""), "accessRule": "@request.auth.id != ''",
        "headers": {"Authorization": "Bearer {env.OPENAI_KEY}", "X-User": "@request.auth.name", "X-Gone": "@request.auth.nope"},
    });
    made(&server, &root, &record);
    let token = user(&server, &root, "ann");
    let body = json!({"model": "gpt", "messages": [{"role": "user", "content": "héllo"}]});
    let answer = server.send("POST", "/-/openai/v1/chat/completions?a=1&b=%20", &token, &body);
    assert_eq!(answer.status, 200);
    let echo = answer.json();
    assert_eq!(echo["method"], "POST");
    assert_eq!(echo["path"], "/v1/chat/completions?a=1&b=%20");
    assert_eq!(echo["body"], body.to_string());
    assert_eq!(seen(&echo, "content-length"), Some(body.to_string().len().to_string().as_str()));
    assert_eq!(seen(&echo, "authorization"), Some("Bearer sk-test"));
    assert_eq!(seen(&echo, "host"), Some(format!("127.0.0.1:{}", upstream.port).as_str()));
    assert_eq!((seen(&echo, "x-user"), seen(&echo, "x-gone")), (Some("ann"), None));
    assert!(!echo.to_string().contains(&token), "the token stays here");
    // what comes back
    let cors: Vec<_> = answer
        .headers
        .iter()
        .filter(|(n, _)| n.eq_ignore_ascii_case("access-control-allow-origin"))
        .collect();
    assert!(cors.iter().all(|(_, value)| value != "evil"), "{cors:?}");
    assert_eq!((answer.header("x-own"), answer.header("x-hop")), (Some("1"), None));
}

#[test]
fn rules_and_paths() {
    let server = server(&[]);
    let (root, upstream) = (server.superuser(), Upstream::echo());
    let add = |path: &str, rule: &str, more: Value| {
        let mut record =
            json!({"path": path, "upstream": upstream.url("/base/"), "accessRule": rule});
        for (name, value) in more.as_object().into_iter().flatten() {
            record[name] = value.clone();
        }
        made(&server, &root, &record)
    };
    let (ann, bob) = (user(&server, &root, "ann"), user(&server, &root, "bob"));
    add("/-/role", "@request.auth.name = 'ann'", json!({}));
    add("/-/super", "", json!({}));
    add("/-/pub", "true", json!({}));
    add("/-/nobody", "false", json!({}));
    add("/-/guests", "@request.auth.id = ''", json!({}));
    add("/-/rows", "@collection.users.name ?= 'bob' && @request.method = 'GET'", json!({}));
    add("/-/body", "@request.body.ok = true", json!({}));
    add("/-/full", "true", json!({"stripPath": false}));
    add("/-/pub/deep", "true", json!({"upstream": upstream.url("/deep")}));
    add("/-/off", "true", json!({"active": false}));
    add("/app", "true", json!({}));
    let status = |path: &str, token: &str| server.send("GET", path, token, &Value::Null).status;
    for (path, by_root, by_ann, by_bob, by_guest) in [
        ("/-/role", 200, 200, 403, 401),
        ("/-/super", 200, 403, 403, 401),
        ("/-/pub", 200, 200, 200, 200),
        ("/-/nobody", 403, 403, 403, 401),
        ("/-/guests", 200, 403, 403, 200),
        ("/-/rows", 200, 200, 200, 200),
        ("/-/off", 404, 404, 404, 404),
        ("/-/openaix", 404, 404, 404, 404),
    ] {
        let got = [&root, &ann, &bob, ""].map(|token| status(path, token));
        assert_eq!(got, [by_root, by_ann, by_bob, by_guest], "{path}");
    }
    let told = server.send("GET", "/-/role", "", &Value::Null).json();
    assert_eq!(told, json!({"data": {}, "message": "Authentication required.", "status": 401}));
    let told = server.send("GET", "/-/role", &bob, &Value::Null).json();
    assert_eq!(told, json!({"data": {}, "message": "Access denied.", "status": 403}));
    let told = server.send("GET", "/-/missing/x", "", &Value::Null).json();
    assert_eq!(told, json!({"data": {}, "message": "No matching proxy found.", "status": 404}));
    // the body is read by the rule, and sent whole
    for (ok, want) in [(true, 200), (false, 401)] {
        let body = json!({"ok": ok, "n": 1});
        let answer = server.send("POST", "/-/body/x", "", &body);
        assert_eq!(answer.status, want);
        let sent = body.to_string();
        assert!(!ok || answer.json()["body"].as_str() == Some(&sent));
    }
    // what cannot be judged does not pass, whatever it says it is
    for (kind, body) in [
        ("text/plain", "ok"),
        ("application/json", r#"{"ok":false,"ok":true}"#),
        ("application/json", "[1]"),
    ] {
        let mut client = Client::connect(server.port).expect("connect");
        let answer =
            client.send("POST", "/-/body/x", "", kind, body.as_bytes()).expect("an answer");
        assert_eq!(answer.status, 400, "{body}");
    }
    for (path, want) in [
        ("/-/pub", "/base"),
        ("/-/pub/", "/base/"),
        ("/-/pub/a%2Fb/%E4?x=%20", "/base/a%2Fb/%E4?x=%20"),
        ("/-/pub/a//b", "/base/a//b"),
        ("/-/full/x", "/base/-/full/x"),
        ("/-/pub/deep/x", "/deep/x"),
        ("/-/pub/deeper", "/base/deeper"),
        ("/app/x", "/base/x"),
        ("/-/super/%2e%2e/pub/x", "/base/x"),
    ] {
        let answer = server.send("GET", path, "", &Value::Null);
        assert_eq!((answer.status, &answer.json()["path"]), (200, &want.into()), "{path}");
    }
    let n = upstream.n();
    for path in ["/apple", "/-/pub/..%2f..%2fapi", "/-/pub/%2e%2e/super/x", "/-/pub/x%5c..%5cy"] {
        let got = status(path, "");
        assert!(matches!(got, 400 | 401 | 404), "{path}: {got}");
    }
    assert_eq!(status("/-/pub/../super/x", ""), 307);
    assert_eq!(server.send("OPTIONS", "/-/pub", "", &Value::Null).status, 204);
    assert_eq!(upstream.n(), n, "nothing was forwarded");
}

#[test]
fn what_may_be_saved() {
    let server = server(&[]);
    let root = server.superuser();
    let save =
        |record: Value| server.send("POST", "/api/collections/_proxies/records", &root, &record);
    for (field, code, record) in [
        (
            "path",
            "validation_invalid_proxy_path",
            json!({"path": "/api/x", "upstream": "http://h"}),
        ),
        ("path", "validation_invalid_proxy_path", json!({"path": "/_/x", "upstream": "http://h"})),
        ("path", "validation_invalid_proxy_path", json!({"path": "/", "upstream": "http://h"})),
        (
            "path",
            "validation_invalid_proxy_path",
            json!({"path": "/-/a/../b", "upstream": "http://h"}),
        ),
        ("path", "validation_required", json!({"upstream": "http://h"})),
        (
            "upstream",
            "validation_invalid_proxy_upstream",
            json!({"path": "/-/a", "upstream": "ftp://x.com"}),
        ),
        (
            "accessRule",
            "validation_invalid_rule",
            json!({"path": "/-/a", "upstream": "http://h.com", "accessRule": "nope = 1"}),
        ),
        (
            "accessRule",
            "validation_invalid_rule",
            json!({"path": "/-/a", "upstream": "http://h.com", "accessRule": "((("}),
        ),
        (
            "headers",
            "validation_invalid_proxy_config",
            json!({"path": "/-/a", "upstream": "http://h.com", "headers": {"Connection": "x"}}),
        ),
    ] {
        let answer = save(record.clone());
        assert_eq!(
            (answer.status, &answer.json()["data"][field]["code"]),
            (400, &code.into()),
            "{record} {}",
            answer.json()
        );
    }
    let told = save(json!({"path": "/api/x", "upstream": "http://h"})).json();
    let want = "Path cannot start with /api/ (reserved for data API).";
    assert_eq!(told["data"]["path"]["message"], want);
    let kept = save(json!({"path": "/-/a/", "upstream": "http://h.com"})).json();
    assert_eq!(
        (&kept["path"], &kept["stripPath"], &kept["active"], &kept["timeout"]),
        (&json!("/-/a"), &json!(true), &json!(true), &json!(30))
    );
    assert_eq!(save(json!({"path": "/-/a", "upstream": "http://h.com"})).status, 400);
    let gone = server.send("DELETE", "/api/collections/_proxies", &root, &Value::Null);
    assert_eq!(gone.status, 400);
    let renamed = server.send("PATCH", "/api/collections/_proxies", &root, &json!({"name": "x"}));
    let code = &renamed.json()["data"]["name"]["code"];
    assert_eq!((renamed.status, code), (400, &json!("validation_collection_system_name_change")));
}

#[test]
fn headers_that_are_not_the_clients() {
    let server = server(&[("EMPTY", ""), ("K", "v")]);
    let (root, upstream) = (server.superuser(), Upstream::echo());
    let add = |path: &str, headers: Value| {
        made(
            &server,
            &root,
            &json!({"path": path, "upstream": upstream.url(""), "accessRule": "true", "headers": headers}),
        )
    };
    add("/-/plain", json!(null));
    add(
        "/-/set",
        json!({"X-User-Id": "@request.auth.id", "X-K": "a{env.K}b", "Host": "other.example"}),
    );
    add("/-/broken", json!({"X-K": "{env.MISSING_ONE}"}));
    add("/-/secret", json!({"X-K": "{secret.MISSING_TWO}"}));
    let root_token = root.as_str();
    let sent = [
        ("Authorization", "Bearer sk-mine"),
        ("Cookie", "a=1; pb_auth=t; b=2"),
        ("X-Forwarded-For", "9.9.9.9"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "for=9.9.9.9"),
        ("X-Real-IP", "9.9.9.9"),
        ("Connection", "X-Named"),
        ("X-Named", "1"),
        ("X-User-Id", "forged"),
        ("X_User_Id", "forged"),
        ("Accept-Encoding", "gzip"),
    ];
    let echo = get(&server, "/-/plain/x", &sent).json();
    for (name, want) in [
        ("authorization", Some("Bearer sk-mine")),
        ("cookie", Some("a=1; b=2")),
        ("x-forwarded-for", Some("127.0.0.1")),
        ("x-forwarded-proto", Some("http")),
        ("x-forwarded-host", Some("localhost")),
        ("x-real-ip", Some("127.0.0.1")),
        ("forwarded", None),
        ("x-named", None),
        ("accept-encoding", None),
        ("x-user-id", Some("forged")),
    ] {
        assert_eq!(seen(&echo, name), want, "{name}");
    }
    assert!(seen(&echo, "x-request-id").is_some() && seen(&echo, "traceparent").is_some());
    let echo = get(&server, "/-/set/x", &sent).json();
    for (name, want) in [
        ("x-user-id", None),
        ("x_user_id", None),
        ("x-k", Some("avb")),
        ("host", Some("other.example")),
    ] {
        assert_eq!(seen(&echo, name), want, "{name}");
    }
    let echo = get(&server, "/-/plain", &[("Authorization", root_token)]).json();
    assert_eq!(seen(&echo, "authorization"), None);
    let n = upstream.n();
    for (path, name) in [("/-/broken", "env.MISSING_ONE"), ("/-/secret", "secret.MISSING_TWO")] {
        let answer = get(&server, path, &[]);
        let told = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 500);
        assert!(
            told.starts_with(r#"{"error":"Gateway Configuration Error","details":""#),
            "{told}"
        );
        assert!(told.contains(name), "{told}");
    }
    assert_eq!(upstream.n(), n, "nothing was forwarded");
    // behind a trusted proxy
    let settings = json!({"trustedProxy": {"headers": ["X-Forwarded-For"], "useLeftmostIP": true}});
    assert_eq!(server.send("PATCH", "/api/settings", &root, &settings).status, 200);
    let echo = get(&server, "/-/plain", &[("X-Forwarded-For", "1.2.3.4, 5.6.7.8")]).json();
    assert_eq!(seen(&echo, "x-forwarded-for"), Some("1.2.3.4, 5.6.7.8, 127.0.0.1"));
    assert_eq!(seen(&echo, "x-real-ip"), Some("1.2.3.4"));
}

#[test]
fn limits_and_the_breaker() {
    let server = server(&[]);
    let root = server.superuser();
    let (arrived, arrivals) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = std::sync::Mutex::new(may_go);
    let slow = Upstream::new(move |_, stream| {
        arrived.send(()).ok();
        may_go.lock().expect("a lock").recv().ok();
        reply(stream, 200, "{}");
        true
    });
    let record = json!({"path": "/-/slow", "upstream": slow.url(""), "accessRule": "true", "maxConcurrent": 1});
    made(&server, &root, &record);
    let port = server.port;
    let first = std::thread::spawn(move || {
        Client::connect(port).and_then(|mut c| c.get("/-/slow", &[])).expect("an answer").status
    });
    arrivals.recv().expect("the first one is there");
    let second = get(&server, "/-/slow", &[]);
    assert_eq!((second.status, second.header("retry-after")), (429, Some("30")));
    let want =
        r#"{"error":"Too Many Requests","details":"AI Engine is at capacity, please retry later"}"#;
    assert_eq!(String::from_utf8_lossy(&second.body), want);
    go.send(()).expect("it goes on");
    assert_eq!(first.join().expect("a thread"), 200);

    let is_ill = Arc::new(AtomicUsize::new(1));
    let ill = is_ill.clone();
    let upstream = Upstream::new(move |_, stream| {
        reply(stream, if ill.load(Relaxed) == 1 { 500 } else { 200 }, "{}");
        true
    });
    let breaker = json!({"enabled": true, "failure_threshold": 2, "recovery_timeout": 1});
    let record = json!({"path": "/-/ill", "upstream": upstream.url(""), "accessRule": "true", "circuitBreaker": breaker});
    let id = made(&server, &root, &record);
    let status = || get(&server, "/-/ill", &[]).status;
    assert_eq!([status(), status()], [500, 500]);
    let n = upstream.n();
    let open = get(&server, "/-/ill", &[]);
    assert_eq!(
        (open.status, open.header("x-circuit-breaker"), open.header("retry-after")),
        (503, Some("open"), Some("1"))
    );
    let want = r#"{"error":"Service Unavailable","details":"Circuit breaker is open, upstream service is experiencing issues"}"#;
    assert_eq!(
        (String::from_utf8_lossy(&open.body).into_owned(), upstream.n()),
        (want.to_owned(), n)
    );
    is_ill.store(0, Relaxed);
    eventually("the breaker closes", || (status() == 200).then_some(()));
    let told = server.send("GET", "/api/gateway/metrics", &root, &Value::Null);
    let text = String::from_utf8_lossy(&told.body).into_owned();
    for line in [
        format!("gateway_requests_total{{proxy=\"{id}\",path=\"/-/ill\",status=\"500\"}} 2"),
        format!("gateway_circuit_breaker_state{{proxy=\"{id}\",path=\"/-/ill\"}} 0"),
    ] {
        assert!(text.contains(&line), "{line} in {text}");
    }
    assert_eq!(server.send("GET", "/api/gateway/metrics", "", &Value::Null).status, 401);
    // nobody is there
    let record = json!({"path": "/-/dead", "upstream": format!("http://127.0.0.1:{}", free_port()), "accessRule": "true"});
    made(&server, &root, &record);
    let dead = get(&server, "/-/dead", &[]);
    let want = r#"{"error":"Upstream Unavailable","details":"connection refused"}"#;
    assert_eq!(
        (dead.status, String::from_utf8_lossy(&dead.body).into_owned()),
        (502, want.to_owned())
    );
}

/// An answer in chunks: the head and what is left to read.
pub(crate) fn open(port: u16, path: &str) -> (u16, BufReader<TcpStream>) {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("connect");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    let mut stream = BufReader::new(stream);
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.get_mut().write_all(head.as_bytes()).expect("write");
    let head = Head::read(&mut stream).expect("a head");
    (head.first.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status"), stream)
}

#[test]
fn events_come_one_by_one() {
    let server = server(&[]);
    let root = server.superuser();
    let (go, may_go) = mpsc::channel::<&'static str>();
    let may_go = std::sync::Mutex::new(may_go);
    let events = Upstream::new(move |head, stream| {
        if head.first.contains("/silent") {
            return stream.read(&mut [0]).is_ok_and(|n| n > 0);
        }
        let start = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.get_mut().write_all(start.as_bytes()).expect("write");
        while let Ok(event) = may_go.lock().expect("a lock").recv() {
            if event.is_empty() {
                return false;
            }
            let piece = format!("{:x}\r\n{event}\r\n", event.len());
            if stream.get_mut().write_all(piece.as_bytes()).is_err() {
                return false;
            }
        }
        false
    });
    let record =
        json!({"path": "/-/sse", "upstream": events.url(""), "accessRule": "true", "timeout": 2});
    made(&server, &root, &record);
    let (status, mut stream) = open(server.port, "/-/sse/events");
    assert_eq!(status, 200);
    // each is here before the next is sent, halves of events too
    for event in ["data: 1\n\n", "data: hal", "f\n\n", "data: 3\n\n"] {
        go.send(event).expect("the upstream is there");
        assert_eq!(chunk(&mut stream).as_deref(), Some(event.as_bytes()));
    }
    // an upstream that closes in mid-stream: the connection ends without the last chunk
    go.send("").expect("the upstream is there");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).ok();
    assert!(!rest.ends_with(b"0\r\n\r\n"), "{rest:?}");
    let late = get(&server, "/-/sse/silent", &[]);
    let want = r#"{"error":"Gateway Timeout","details":"timeout"}"#;
    assert_eq!(
        (late.status, String::from_utf8_lossy(&late.body).into_owned()),
        (504, want.to_owned())
    );
    assert_eq!(get(&server, "/api/health", &[]).status, 200);
}

#[test]
fn websockets_both_ways() {
    let server = server(&[]);
    let root = server.superuser();
    let upstream = Upstream::new(|head, stream| {
        if head.get("upgrade") != Some("websocket") || head.get("sec-websocket-key").is_none() {
            reply(stream, 400, "{}");
            return true;
        }
        let start = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";
        stream.get_mut().write_all(start.as_bytes()).expect("write");
        let mut piece = [0; 1024];
        while let Ok(n @ 1..) = stream.read(&mut piece) {
            if stream.get_mut().write_all(&piece[..n]).is_err() {
                break;
            }
        }
        false
    });
    made(
        &server,
        &root,
        &json!({"path": "/-/ws", "upstream": upstream.url(""), "accessRule": "true", "maxConcurrent": 1}),
    );
    let connect = |rest: &str| {
        let mut stream =
            BufReader::new(TcpStream::connect(("127.0.0.1", server.port)).expect("connect"));
        stream.get_mut().set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
        let head = format!(
            "GET /-/ws HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
             Sec-WebSocket-Key: abc\r\nSec-WebSocket-Version: 13\r\n\r\n{rest}"
        );
        stream.get_mut().write_all(head.as_bytes()).expect("write");
        let head = Head::read(&mut stream).expect("a head");
        (head, stream)
    };
    let (head, mut stream) = connect("");
    assert!(head.first.contains(" 101 "), "{}", head.first);
    assert_eq!(head.get("sec-websocket-accept"), Some("x"));
    // bytes that look like a request line with characters that a server would encode
    for frame in [&b"\x81\x05hello"[..], b"GET /\"<>` HTTP/1.1\r\n", &[0xff; 300]] {
        stream.get_mut().write_all(frame).expect("write");
        let mut back = vec![0; frame.len()];
        stream.read_exact(&mut back).expect("an echo");
        assert_eq!(back, frame);
    }
    assert_eq!(get(&server, "/-/ws", &[]).status, 429, "it is one of the requests at a time");
    drop(stream);
    eventually("the place is free again", || {
        (get(&server, "/-/ws", &[]).status == 400).then_some(())
    });
}

#[test]
fn bodies_of_any_length() {
    let server = server(&[]);
    let root = server.superuser();
    // counts what comes
    let upstream = Upstream::new(|head, stream| {
        let mut n = 0;
        if head.get("transfer-encoding").is_some() {
            while let Some(piece) = chunk(stream) {
                n += piece.len();
            }
        } else {
            n = head.body(stream).len();
        }
        reply(stream, 200, &json!({"n": n}).to_string());
        true
    });
    let add = |path: &str, size: Value| {
        made(
            &server,
            &root,
            &json!({"path": path, "upstream": upstream.url(""), "accessRule": "true", "maxBodySize": size}),
        );
    };
    add("/-/big", json!(100 << 20));
    add("/-/small", json!(1000));
    let send = |path: &str, n_pieces: usize, size: usize| {
        let mut stream =
            BufReader::new(TcpStream::connect(("127.0.0.1", server.port)).expect("connect"));
        stream.get_mut().set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        stream.get_mut().write_all(head.as_bytes()).expect("write");
        let mut piece = format!("{size:x}\r\n").into_bytes();
        piece.resize(piece.len() + size, b'x');
        piece.extend(b"\r\n");
        for _ in 0..n_pieces {
            if stream.get_mut().write_all(&piece).is_err() {
                break;
            }
        }
        stream.get_mut().write_all(b"0\r\n\r\n").ok();
        let head = Head::read(&mut stream).expect("an answer");
        (head.first.clone(), String::from_utf8_lossy(&head.body(&mut stream)).into_owned())
    };
    let before = memory(server.pid());
    let (first, body) = send("/-/big", 1024, 1 << 16);
    assert!(first.contains(" 200 "), "{first}");
    assert_eq!(body, r#"{"n":67108864}"#);
    if let (Some(before), Some(after)) = (before, memory(server.pid())) {
        assert!(after < before + (24 << 10), "{before} KiB before, {after} KiB at the most");
    }
    let (first, _) = send("/-/small", 1, 1500);
    assert!(first.contains(" 413 "), "{first}");
    assert_eq!(server.send("POST", "/-/small", "", &json!({"a": "x".repeat(2000)})).status, 413);
    assert_eq!(server.send("POST", "/-/small", "", &json!({"a": 1})).json(), json!({"n": 7}));
}

/// The most memory a process has had, in KiB; `None` where that is not known.
fn memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn changes_are_seen_at_once() {
    let server = server(&[]);
    let (root, a, b) = (server.superuser(), Upstream::echo(), Upstream::echo());
    let id = made(
        &server,
        &root,
        &json!({"path": "/-/x", "upstream": a.url("/a"), "accessRule": "true"}),
    );
    let path = || get(&server, "/-/x/1", &[]);
    assert_eq!(path().json()["path"], "/a/1");
    let at = format!("/api/collections/_proxies/records/{id}");
    assert_eq!(server.send("PATCH", &at, &root, &json!({"upstream": b.url("/b")})).status, 200);
    assert_eq!(path().json()["path"], "/b/1");
    assert_eq!(server.send("DELETE", &at, &root, &Value::Null).status, 204);
    assert_eq!(path().status, 404);
}

#[test]
fn all_nodes_follow() {
    let Some(postgres) = postgres::Postgres::start(&[], &[]) else { return };
    let (here, there) =
        (postgres.serve("gateway", &[]), postgres.serve_existing(&postgres.dsn("gateway"), &[]));
    let (root, a, b) = (here.superuser(), Upstream::echo(), Upstream::echo());
    let rule = "@collection.users.name = 'nobody' || @request.headers.x_ok = 'yes'";
    let id =
        made(&here, &root, &json!({"path": "/-/x", "upstream": a.url("/a"), "accessRule": rule}));
    let path = |server: &Server| {
        let answer = get(server, "/-/x/1", &[("X-Ok", "yes")]);
        (answer.status == 200).then(|| answer.json()["path"].clone())
    };
    for server in [&here, &there] {
        eventually("the node knows the proxy", || (path(server)? == "/a/1").then_some(()));
        assert_eq!(get(server, "/-/x", &[]).status, 401);
    }
    let at = format!("/api/collections/_proxies/records/{id}");
    assert_eq!(there.send("PATCH", &at, &root, &json!({"upstream": b.url("/b")})).status, 200);
    for server in [&here, &there] {
        eventually("the node follows", || (path(server)? == "/b/1").then_some(()));
    }
    assert_eq!(there.send("DELETE", &at, &root, &Value::Null).status, 204);
    eventually("it is gone here", || (get(&here, "/-/x", &[]).status == 404).then_some(()));
}

#[test]
fn off_is_off() {
    let server = server(&[("PB_GATEWAY_DISABLED", "1")]);
    let root = server.superuser();
    assert_eq!(server.send("GET", "/api/gateway/metrics", &root, &Value::Null).status, 404);
    let missing = get(&server, "/-/x", &[]);
    assert_eq!(missing.status, 404);
    assert_ne!(missing.json()["message"], "No matching proxy found.");
    let collection = server.send("GET", "/api/collections/_proxies", &root, &Value::Null);
    assert_eq!(collection.status, 404);
}
