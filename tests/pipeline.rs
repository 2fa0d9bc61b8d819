//! The HTTP pipeline as clients meet it: limits, proxies, compression, slow clients, shutdown, metrics.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{Answer, Client, EMAIL, PASSWORD, Server};

/// A request with headers of the test's own, as bytes on the wire.
fn raw(port: u16, request: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time limit");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut bytes = Vec::new();
    // a reset after the answer is an end, too
    let _ = stream.read_to_end(&mut bytes);
    let at = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(bytes.len());
    let head = String::from_utf8_lossy(&bytes[..at]).to_lowercase();
    (head, bytes.get(at + 4..).unwrap_or_default().to_vec())
}

fn get(port: u16, path: &str, headers: &[(&str, &str)]) -> (u16, String, Vec<u8>) {
    let lines: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n");
    let (head, body) = raw(port, &request);
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    (status, head, body)
}

fn set(server: &Server, token: &str, settings: &Value) {
    let answer = server.send("PATCH", "/api/settings", token, settings);
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
}

fn sign_in(server: &Server, collection: &str, identity: &str, password: &str) -> Answer {
    let body = json!({"identity": identity, "password": password});
    server.send("POST", &format!("/api/collections/{collection}/auth-with-password"), "", &body)
}

#[test]
fn rate_limits_by_label_and_audience() {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    let user = json!({"email": "u@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD});
    assert_eq!(server.send("POST", "/api/collections/users/records", &token, &user).status, 200);
    let user = sign_in(&server, "users", "u@example.com", PASSWORD).json()["token"]
        .as_str()
        .expect("a token")
        .to_owned();
    // an hour long: no window ends during the test
    let rule = |label: &str, audience: &str, max: i64| json!({"label": label, "audience": audience, "duration": 3600, "maxRequests": max});
    let rules = json!({"rateLimits": {"enabled": true, "rules": [
        rule("users:list", "@guest", 1),
        rule("users:list", "@auth", 2),
        rule("*:auth", "", 3),
        rule("GET /api/health", "", 2),
        rule("/api/collections/", "@guest", 1),
    ]}});
    set(&server, &token, &rules);
    let statuses = |path: &str, token: &str, n: usize| -> Vec<u16> {
        (0..n).map(|_| server.send("GET", path, token, &Value::Null).status).collect()
    };
    let list = "/api/collections/users/records";
    assert_eq!(statuses(list, "", 3), [200, 429, 429], "guests");
    assert_eq!(statuses(list, &user, 3), [200, 200, 429], "users have a bucket of their own");
    assert_eq!(statuses(list, &token, 4), [200; 4], "superusers are not counted");
    assert_eq!(statuses("/api/health", "", 3), [200, 200, 429], "method and path");
    assert_eq!(server.send("HEAD", "/api/health", "", &Value::Null).status, 200, "another method");
    let other = "/api/collections/users/auth-methods";
    assert_eq!(statuses(other, "", 2), [200, 429], "a prefix, guests only");
    assert_eq!(statuses(other, &user, 2), [200, 200]);
    let tries: Vec<u16> = (0..4)
        .map(|_| sign_in(&server, "users", "u@example.com", "wrong password").status)
        .collect();
    assert_eq!(tries, [400, 400, 400, 429], "a tag of any collection");
    let refused = sign_in(&server, "users", "u@example.com", PASSWORD);
    assert_eq!(
        String::from_utf8_lossy(&refused.body).trim_end(),
        r#"{"data":{},"message":"Too Many Requests.","status":429}"#
    );
    assert_eq!(refused.header("x-frame-options"), Some("SAMEORIGIN"));
    set(&server, &token, &json!({}));
    assert_eq!(statuses("/api/health", "", 3), [200, 200, 429], "a save drops the counters");
    let crons = server.send("GET", "/api/crons", &token, &Value::Null).json().to_string();
    assert!(crons.contains("__pbRateLimitersCleanup__"), "{crons}");
    set(&server, &token, &json!({"rateLimits": {"excludedIPs": ["127.0.0.0/8"]}}));
    assert_eq!(statuses("/api/health", "", 4), [200; 4], "excluded addresses");
}

#[test]
fn trusted_proxies_and_superuser_addresses() {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    let real_ip = |headers: &[(&str, &str)]| {
        let mut all = vec![("Authorization", token.as_str())];
        all.extend_from_slice(headers);
        let (status, _, body) = get(server.port, "/api/health", &all);
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        (status, body["data"]["realIP"].as_str().unwrap_or_default().to_owned())
    };
    let ok = |ip: &str| (200, ip.to_owned());
    let forwarded = ("X-Forwarded-For", "1.1.1.1, nonsense, 2.2.2.2:80, 3.3.3.3");
    assert_eq!(real_ip(&[forwarded]), ok("127.0.0.1"), "nothing is trusted by itself");
    let headers = [("Authorization", token.as_str()), forwarded];
    let (_, _, body) = get(server.port, "/api/health", &headers);
    let body: Value = serde_json::from_slice(&body).expect("json");
    assert_eq!(body["data"]["possibleProxyHeader"], "X-Forwarded-For");
    set(&server, &token, &json!({"trustedProxy": {"headers": ["X-Real-IP", "X-Forwarded-For"]}}));
    assert_eq!(real_ip(&[forwarded]), ok("3.3.3.3"));
    assert_eq!(
        real_ip(&[forwarded, ("X-Real-IP", "9.9.9.9")]),
        ok("9.9.9.9"),
        "first header first"
    );
    assert_eq!(real_ip(&[forwarded, ("X-Real-IP", "?")]), ok("3.3.3.3"), "none in it: the next");
    assert_eq!(real_ip(&[forwarded, ("X-Forwarded-For", "4.4.4.4")]), ok("4.4.4.4"), "last line");
    assert_eq!(real_ip(&[("X-Real-IP", "::1")]), ok("0000:0000:0000:0000:0000:0000:0000:0001"));
    assert_eq!(real_ip(&[]), ok("127.0.0.1"));
    set(&server, &token, &json!({"trustedProxy": {"useLeftmostIP": true}}));
    assert_eq!(real_ip(&[forwarded]), ok("1.1.1.1"));
    set(&server, &token, &json!({"superuserIPs": ["127.0.0.1", "10.0.0.0/8"]}));
    assert_eq!(real_ip(&[("X-Real-IP", "10.1.2.3")]), ok("10.1.2.3"), "in the network");
    assert_eq!(real_ip(&[("X-Real-IP", "11.1.2.3")]).0, 403, "even public routes");
    assert_eq!(get(server.port, "/api/health", &[("X-Real-IP", "11.1.2.3")]).0, 200, "guests");
    let body = json!({"identity": EMAIL, "password": PASSWORD}).to_string();
    let login = |ip: &str| {
        let request = format!(
            "POST /api/collections/_superusers/auth-with-password HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Real-IP: {ip}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        raw(server.port, &request).0.split(' ').nth(1).map(str::to_owned)
    };
    assert_eq!(login("10.1.1.1").as_deref(), Some("200"));
    assert_eq!(login("11.1.1.1").as_deref(), Some("403"));
}

/// Nothing after the value, and no escapes but those that JSON needs.
#[test]
fn json_on_the_wire() {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    let body = json!({"name": "t", "type": "base", "listRule": "", "createRule": "", "fields": [
        {"name": "title", "type": "text"}, {"name": "js", "type": "json"}, {"name": "at", "type": "email"}]});
    let made = server.send("POST", "/api/collections", &token, &body);
    let text = String::from_utf8(made.body).expect("utf-8");
    assert!(
        text.contains(r#""exceptDomains":[],"#) && text.contains(r#""onlyDomains":[],"#),
        "{text}"
    );
    let send = |content_type: &str, body: &[u8]| {
        let mut client = Client::connect(server.port).expect("connect");
        let path = "/api/collections/t/records?fields=js,title";
        let answer = client.send("POST", path, "", content_type, body).expect("an answer");
        String::from_utf8(answer.body).expect("utf-8")
    };
    for (content_type, body, want) in [
        (
            "application/json",
            &br#"{"title":"<b>&'\u2028\t\u0001","js":{"b":"<\u00e9","a":[1.0,1e2]}}"#[..],
            "{\"js\":{\"a\":[1,100],\"b\":\"<é\"},\"title\":\"<b>&'\u{2028}\\t\\u0001\"}",
        ),
        (
            "application/json",
            br#"{"js":"{\"b\": \"\\u00e9\\u003c\\/\\ud800\"}"}"#,
            "{\"js\":{\"b\":\"é</\u{fffd}\"},\"title\":\"\"}",
        ),
        (
            "application/x-www-form-urlencoded",
            b"title=a%e2%80x%ff+%3C",
            "{\"js\":null,\"title\":\"a\u{fffd}\u{fffd}x\u{fffd} <\"}",
        ),
    ] {
        assert_eq!(send(content_type, body), want);
    }
    // Shown as stored: order and numbers stay, blanks and needless escapes do not.
    let form = b"js=%7B%22b%22%3A%20%22%5Cu003c%22%2C%22a%22%3A%5B1.50%2C-0%2C1e2%5D%7D";
    send("application/x-www-form-urlencoded", form);
    let list = |filter: &str| {
        let path = format!("/api/collections/t/records?skipTotal=1&filter={filter}");
        String::from_utf8(server.send("GET", &path, "", &Value::Null).body).expect("utf-8")
    };
    let shown = list("js.b='%3C'");
    assert!(shown.contains(r#","js":{"b":"<","a":[1.50,-0,1e2]},"title":""}],"#), "{shown}");
    assert!(shown.ends_with("}"), "{shown}");
    assert_eq!(list("js~'%3C'").matches("\"id\"").count(), 1, "what came as JSON has no escapes");
    assert_eq!(list("js~'u003c'").matches("\"id\"").count(), 2, "what came as text keeps them");
    let health = server.send("GET", "/api/health", "", &Value::Null);
    assert_eq!(health.header("content-length"), Some("50"));
    let wrong = server.send("GET", "/api/collections/<b>&/records", "", &Value::Null);
    assert!(wrong.body.ends_with(b"}"), "{:?}", wrong.json());
    for path in ["/api/health", "/api/none", "/none"] {
        let answer = server.send("HEAD", path, "", &Value::Null);
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"), "{path}");
    }
}

/// `"`, `<`, `>` and bytes that are no UTF-8 need no escaping: plain `curl` sends them as they are typed.
#[test]
fn targets_as_people_type_them() {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    let list = |filter: &str| {
        let path = format!("/api/collections/users/records?filter={filter}&fields=email");
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n").into_bytes()
    };
    let end = b"\r\n".to_vec();
    let user = json!({"email": "u@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD,
        "name": "<\"GET /\">"})
    .to_string();
    let create = format!(
        "POST /api/collections/users/records?a=<> HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{user}",
        user.len()
    );
    let close = b"Connection: close\r\n\r\n".to_vec();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time limit");
    let mut answers = Vec::new();
    for request in [
        [list("email>\"a\""), end.clone()].concat(),
        create.into_bytes(),
        [list("email>\"a\"&&email<'z\u{e9}'"), end].concat(),
        [list("email!=\""), b"X: \"\r\n".to_vec(), close].concat(),
    ] {
        stream.write_all(&request).expect("sent");
        let mut answer = vec![0; 64 << 10];
        let n = stream.read(&mut answer).expect("an answer");
        answers.push(String::from_utf8_lossy(&answer[..n]).into_owned());
    }
    let [none, made, one, bad] = &answers[..] else { panic!("four answers") };
    assert!(none.contains(" 200 ") && none.contains("\"items\":[]"), "{none}");
    assert!(made.contains(" 200 "), "{made}");
    assert!(one.contains("\"items\":[{\"email\":\"u@example.com\"}]"), "{one}");
    assert!(bad.contains(" 400 ") && bad.contains("\"status\":400"), "{bad}");
    let latin = b"GET /api/health?a=\xe9 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("a connection");
    stream.write_all(latin).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains(" 200 "), "{answer}");
}

#[test]
fn what_is_no_request_is_refused_before_any_route() {
    let server = Server::fresh(&[]);
    for (request, status, text) in [
        ("GET /api/health HTTP/1.1\r\n", 400, "400 Bad Request: missing required Host header"),
        ("GET /api/health HTTP/1.1\r\nHost: a\r\nHost: a\r\n", 400, "400 Bad Request"),
        (
            "GET /api/health HTTP/1.1\r\nHost: a/b\r\n",
            400,
            "400 Bad Request: malformed Host header",
        ),
        ("GET /api/health% HTTP/1.1\r\nHost: a\r\n", 400, "400 Bad Request"),
        ("GET * HTTP/1.1\r\nHost: a\r\n", 400, "400 Bad Request"),
        ("GET /api/health HTTP/1.1\r\nHost: a\r\nExpect: more\r\n", 417, ""),
        ("GET /api/health HTTP/1.0\r\n", 200, ""),
    ] {
        let (head, body) = raw(server.port, &format!("{request}\r\n"));
        assert_eq!(head.split(' ').nth(1), Some(status.to_string().as_str()), "{request}");
        if status != 200 {
            assert_eq!(String::from_utf8_lossy(&body), text, "{request}");
            assert!(head.contains("connection: close"), "{head}");
        }
    }
}

#[test]
fn compression_where_it_is_asked_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let public = dir.path().join("public");
    fs::create_dir(&public).expect("a directory");
    fs::write(public.join("long.txt"), "long ".repeat(5000)).expect("a file");
    fs::write(public.join("short.txt"), "short").expect("a file");
    fs::write(public.join("picture.png"), "x".repeat(5000)).expect("a file");
    let public = public.to_str().expect("a path");
    let plain = Server::fresh(&["--publicDir", public]);
    let (_, head, body) = get(plain.port, "/long.txt", &[("Accept-Encoding", "gzip, br")]);
    assert!(!head.contains("content-encoding") && body.len() == 25_000, "off by default: {head}");
    let server = Server::fresh(&["--publicDir", public, "--compress"]);
    for (accept, want) in [
        ("gzip", "gzip"),
        ("gzip, deflate, br", "br"),
        ("gzip, br, zstd", "zstd"),
        ("zstd;q=0, gzip", "gzip"),
    ] {
        let (status, head, body) = get(server.port, "/long.txt", &[("Accept-Encoding", accept)]);
        assert_eq!(status, 200);
        assert!(head.contains(&format!("content-encoding: {want}\r\n")), "{accept}: {head}");
        assert!(head.contains("vary: accept-encoding"), "{head}");
        assert!(body.len() < 5000, "{accept}: {} bytes", body.len());
    }
    for (path, range) in [("/short.txt", ""), ("/picture.png", ""), ("/long.txt", "bytes=0-2000")] {
        let mut headers = vec![("Accept-Encoding", "gzip, br, zstd")];
        if !range.is_empty() {
            headers.push(("Range", range));
        }
        let (_, head, _) = get(server.port, path, &headers);
        assert!(!head.contains("content-encoding"), "{path} {range}: {head}");
    }
}

#[test]
fn slow_and_greedy_clients() {
    let server = Server::fresh(&["--headerTimeout=2", "--requestTimeout=3"]);
    let mut client = Client::connect(server.port).expect("a connection");
    assert_eq!(client.send("GET", "/api/health", "", "", b"").expect("an answer").status, 200);
    // both would wait for ever: what is tested is that the server ends them at all
    let (head, _) = raw(server.port, "GET /api/health HTTP/1.1\r\nX-Slow: ");
    assert!(!head.contains(" 200 "), "a head that never ends: {head}");
    let (head, _) = raw(
        server.port,
        "POST /api/collections/users/auth-with-password HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
    );
    assert!(!head.contains(" 200 "), "a body that never ends: {head}");
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-Many: 1\r\n".repeat(200));
    assert!(raw(server.port, &long).0.starts_with("http/1.1 431"));
    let answer = client.send("GET", "/api/health", "", "", b"").expect("idle is not slow");
    assert_eq!(answer.status, 200);
    assert_eq!(server.send("GET", "/api/health", "", &Value::Null).status, 200);
}

#[test]
fn what_the_size_of_the_data_decides_has_time() {
    // a login on a busy machine takes less, packing what follows takes a debug build many times as long
    let server = Server::fresh(&["--requestTimeout=3"]);
    let mut state = 1u64;
    let noise: Vec<u8> = (0..24 << 20)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    let storage = server.data_dir().join("storage");
    fs::create_dir_all(&storage).expect("a directory");
    fs::write(storage.join("noise.bin"), noise).expect("a file");
    let body = json!({ "name": "noise.zip" });
    let made = server.send("POST", "/api/backups", &server.superuser(), &body);
    assert_eq!(made.status, 204);
}

#[test]
fn an_answer_that_nobody_reads_ends() {
    let dir = tempfile::tempdir().expect("a directory");
    // more than the buffers of both sockets
    fs::write(dir.path().join("big.bin"), vec![b'x'; 64 << 20]).expect("a file");
    let public = dir.path().to_str().expect("a path").to_owned();
    let server = Server::fresh(&["--requestTimeout=10", "--publicDir", &public]);
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("a connection");
    stream.write_all(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
    let token = server.superuser();
    let in_flight = || {
        let text = server.send("GET", "/api/metrics", &token, &Value::Null).body;
        let text = String::from_utf8_lossy(&text).into_owned();
        let line =
            text.lines().find(|line| line.starts_with("pocketbase_http_requests_in_flight "));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).expect("the gauge")
    };
    let end = Instant::now() + Duration::from_secs(60);
    while in_flight() > 1.5 {
        assert!(Instant::now() < end, "the stalled download is still open");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn body_limits() {
    let server = Server::fresh(&[]);
    let declared = |method: &str, path: &str, size: u64| {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
        );
        let (head, body) = raw(server.port, &request);
        (head, String::from_utf8_lossy(&body).trim_end().to_owned())
    };
    for path in ["/nope", "/api/collections/users/auth-with-password"] {
        let (head, body) = declared("POST", path, (32 << 20) + 1);
        assert!(head.starts_with("http/1.1 413"), "{path}: {head}");
        assert_eq!(body, r#"{"data":{},"message":"Request entity too large.","status":413}"#);
        assert!(head.contains("x-frame-options"), "{head}");
    }
    let small = json!({"name": "x"});
    assert_eq!(server.send("POST", "/nope", "", &small).status, 404);
    let mut client = Client::connect(server.port).expect("a connection");
    let body = vec![b' '; 1 << 20];
    let answer = client.send("POST", "/nope", "", "application/json", &body).expect("an answer");
    assert_eq!(answer.status, 404, "a body below the limit");
}

#[test]
fn metrics_for_those_who_may() {
    let server = Server::fresh(&["--metricsToken=a-token"]);
    let token = server.superuser();
    assert_eq!(server.send("GET", "/api/metrics", "", &Value::Null).status, 401);
    assert_eq!(server.send("GET", "/api/metrics", "a-tokem", &Value::Null).status, 401);
    assert_eq!(server.send("GET", "/api/metrics", &token, &Value::Null).status, 200);
    for _ in 0..3 {
        server.send("GET", "/api/health", "", &Value::Null);
    }
    server.send("GET", "/api/collections/nope/records/secret-id", "", &Value::Null);
    let answer = server.send("GET", "/api/metrics", "Bearer a-token", &Value::Null);
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("content-type")
            .is_some_and(|t| t.starts_with("application/openmetrics-text"))
    );
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    for line in [
        r#"pocketbase_http_request_duration_seconds_count{route="GET /api/health",status="2xx"} 3"#,
        r#"route="GET /api/collections/{collection}/records/{id}",status="4xx""#,
        "pocketbase_http_requests_in_flight 1",
        "pocketbase_http_connections ",
        r#"pocketbase_db_size_bytes{database="data"}"#,
        r#"pocketbase_db_writer_queue{database="data"} 0"#,
        r#"pocketbase_db_commits_total{database="data"}"#,
        r#"pocketbase_lane_queue{lane="password"} 0"#,
        "pocketbase_log_dropped_total 0",
        "pocketbase_process_resident_memory_bytes ",
        "pocketbase_process_cpu_seconds_total ",
        "pocketbase_process_open_fds ",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("secret-id"), "labels are patterns, not paths");
}

#[test]
fn www_goes_to_the_name() {
    let server = Server::fresh(&[]);
    let (head, _) =
        raw(server.port, "GET /a?b HTTP/1.1\r\nHost: www.127.0.0.1\r\nConnection: close\r\n\r\n");
    assert!(head.starts_with("http/1.1 307"), "{head}");
    assert!(head.contains("location: http://127.0.0.1/a?b"), "{head}");
    assert!(!head.contains("vary"), "before every middleware: {head}");
}

#[cfg(unix)]
#[test]
fn a_stopping_server_finishes_what_is_open() {
    let mut server = Server::fresh(&["--shutdownTimeout=20"]);
    let body = json!({"identity": EMAIL, "password": PASSWORD}).to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time limit");
    let head = format!(
        "POST /api/collections/_superusers/auth-with-password HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).expect("the server reads the body");
    assert!(asked.starts_with(b"HTTP/1.1 100"));
    server.terminate();
    stream.write_all(body.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"token\""), "{answer}");
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn the_dashboard_is_served_under_a_strict_policy() {
    let server = Server::fresh(&[]);
    let mut client = Client::connect(server.port).expect("a connection");
    let page = client.get("/_/", &[]).expect("the page");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"));
    let text = String::from_utf8(page.body).expect("UTF-8");
    assert!(!text.contains("<script>") && !text.contains(" onload="), "nothing inline");
    let script = text.split("src=\"./").nth(2).and_then(|rest| rest.split('"').next());
    let path = format!("/_/{}", script.expect("a script"));
    let script = client.get(&path, &[("Accept-Encoding", "gzip")]).expect("the script");
    assert_eq!(script.status, 200);
    assert_eq!(script.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(script.header("content-encoding"), Some("gzip"));
    let etag = script.header("etag").expect("a tag").to_owned();
    let again = client.get(&path, &[("If-None-Match", &etag)]).expect("an answer");
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(client.get("/_", &[]).expect("an answer").header("location"), Some("/_/"));
    assert_eq!(client.get("/_/nope.js", &[]).expect("an answer").status, 404);
    let logo = client.get("/_/images/oauth2/google.svg", &[]).expect("a drawing");
    assert_eq!((logo.status, logo.header("content-type")), (200, Some("image/svg+xml")));
}
