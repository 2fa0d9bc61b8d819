//! Who attacks a reverse proxy, and how: clients that take all the time there is, requests with two readings, headers that are
//! not theirs to set, shapes of smugglers, upstreams that answer with anything, addresses behind the wall.

use std::{
    io::{BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    gateway::{Head, Upstream, get, made, open, reply, seen, server, tell},
    support::{Answer, Client, Server, eventually},
};

/// Sends bytes as they are, and gives all that comes back until the server closes.
fn raw(port: u16, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connect");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    // the server may have closed before all is sent
    stream.write_all(bytes).ok();
    let mut all = vec![0];
    let n = stream.read(&mut all).unwrap_or(0);
    all.truncate(n);
    // an end that comes with a request would end the connection before there is an answer
    if !bytes.windows(17).any(|at| at == b"Connection: close") {
        stream.shutdown(Shutdown::Write).ok();
    }
    stream.read_to_end(&mut all).ok();
    String::from_utf8_lossy(&all).into_owned()
}

/// The status codes of all answers in a text.
fn statuses(text: &str) -> Vec<u16> {
    let lines = text.split("HTTP/1.").skip(1);
    lines.filter_map(|line| line.get(2..5)?.parse().ok()).collect()
}

#[test]
fn clients_that_do_not_read_lose_their_place() {
    let server = server(&[]);
    let root = server.superuser();
    let is_let_go = Arc::new(AtomicBool::new(false));
    let let_go = is_let_go.clone();
    let upstream = Upstream::new(move |head, stream| {
        if !head.first.contains("/endless") {
            reply(stream, 200, "{}");
            return true;
        }
        let kind = if head.first.contains("/events") { "text/event-stream" } else { "text/plain" };
        let start = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        let mut piece = b"10000\r\n".to_vec();
        piece.resize(piece.len() + (1 << 16), b'x');
        piece.extend(b"\r\n");
        let mut sent = stream.get_mut().write_all(start.as_bytes());
        while sent.is_ok() {
            sent = stream.get_mut().write_all(&piece);
        }
        let_go.store(true, Relaxed);
        false
    });
    // whoever waits for the upstream for ever does not wait for clients
    let times = json!({"response_header": 0, "client": 1});
    let record = json!({"path": "/-/one", "upstream": upstream.url(""), "accessRule": "true",
        "maxConcurrent": 1, "timeoutConfig": times});
    made(&server, &root, &record);
    for path in ["/-/one/endless", "/-/one/endless/events"] {
        is_let_go.store(false, Relaxed);
        let (status, _never_read) = eventually("the place is free", || {
            let opened = open(server.port, path);
            (opened.0 != 429).then_some(opened)
        });
        assert_eq!(status, 200);
        eventually("the upstream is let go", || is_let_go.load(Relaxed).then_some(()));
        eventually("the place is free again", || {
            (get(&server, "/-/one/x", &[]).status == 200).then_some(())
        });
    }
}

#[test]
fn bodies_drop_by_drop() {
    let server = server(&[]);
    let (root, upstream) = (server.superuser(), Upstream::echo());
    for (path, rule) in [("/-/any", "true"), ("/-/judged", "@request.body.ok = true")] {
        let record = json!({"path": path, "upstream": upstream.url(""), "accessRule": rule,
            "timeout": 1, "maxConcurrent": 1, "timeoutConfig": {"response_header": 0}});
        made(&server, &root, &record);
    }
    for (path, length, drips) in [
        ("/-/any", "Content-Length: 1000", true),
        ("/-/any", "Content-Length: 1000", false),
        ("/-/any", "Transfer-Encoding: chunked", true),
        ("/-/judged", "Content-Length: 1000", true),
    ] {
        let stream = TcpStream::connect(("127.0.0.1", server.port)).expect("connect");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
        let mut writer = stream.try_clone().expect("a second end");
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n");
        writer.write_all(head.as_bytes()).expect("write");
        let drop = if length.contains("chunked") { &b"1\r\nx\r\n"[..] } else { b"x" };
        let dripping = std::thread::spawn(move || {
            while drips && writer.write_all(drop).is_ok() {
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        let mut reader = BufReader::new(stream);
        let head = Head::read(&mut reader).expect("an answer");
        assert!(head.first.contains(" 408 "), "{path} {length} {drips}: {}", head.first);
        reader.get_ref().shutdown(Shutdown::Both).ok();
        dripping.join().expect("a thread");
    }
    eventually("the place is free again", || {
        (get(&server, "/-/any", &[]).status == 200).then_some(())
    });
}

#[test]
fn what_can_be_read_twice_is_not_judged() {
    let server = server(&[]);
    let (root, upstream) = (server.superuser(), Upstream::echo());
    for (path, rule) in [
        ("/-/header", "@request.headers.x_role = 'admin'"),
        ("/-/query", "@request.query.debug:isset = false"),
        ("/-/body", "@request.body.admin != true"),
        ("/-/cookie", "@request.headers.cookie ~ 'b=2'"),
    ] {
        made(
            &server,
            &root,
            &json!({"path": path, "upstream": upstream.url(""), "accessRule": rule}),
        );
    }
    for (target, lines, want) in [
        ("/-/header", &[("X-Role", "admin")][..], 200),
        ("/-/header", &[("X_ROLE", "admin")], 200),
        ("/-/header", &[("X-Role", "admin"), ("X-Role", "user")], 400),
        ("/-/header", &[("X_Role", "admin"), ("X-Role", "user")], 400),
        ("/-/header", &[("X-Role", "admin"), ("Connection", "x-role")], 400),
        ("/-/header", &[("X-Role", "admin, user")], 401),
        ("/-/query?a=1&a=2", &[], 200),
        ("/-/query?debug=1", &[], 401),
        ("/-/query?Debug=1", &[], 400),
        ("/-/query?debug[]=1", &[], 400),
        ("/-/query?a=1;debug=1", &[], 400),
        ("/-/query?debug=%zz", &[], 400),
        ("/-/cookie", &[("Cookie", "a=1"), ("Cookie", "b=2")], 200),
    ] {
        assert_eq!(get(&server, target, lines).status, want, "{target} {lines:?}");
    }
    let echo = get(&server, "/-/cookie", &[("Cookie", "a=1"), ("Cookie", "b=2")]).json();
    assert_eq!(seen(&echo, "cookie"), Some("a=1; b=2"));
    for (body, want) in [
        (r#"{"name": 1, "NAME": 2}"#, 200),
        (r#"{"admin": true}"#, 401),
        (r#"{"admin": false, "admin": true}"#, 400),
        (r#"{"ADMIN": true}"#, 400),
        (r#"{"admin": false, "Admin": true}"#, 400),
        (r#"{"\u0061dmin": true}"#, 401),
    ] {
        let mut client = Client::connect(server.port).expect("connect");
        let sent = client.send("POST", "/-/body", "", "application/json", body.as_bytes());
        assert_eq!(sent.expect("an answer").status, want, "{body}");
    }
}

#[test]
fn only_proxies_say_who_asks() {
    let server = server(&[]);
    let (root, upstream) = (server.superuser(), Upstream::echo());
    let add = |path: &str, pass: Value| {
        let record = json!({"path": path, "upstream": upstream.url(""), "accessRule": "true", "passHeaders": pass});
        server.send("POST", "/api/collections/_proxies/records", &root, &record)
    };
    assert_eq!(add("/-/strict", Value::Null).status, 200);
    assert_eq!(add("/-/named", json!(["X-Forwarded-User", "Authorization"])).status, 200);
    for bad in [json!(["X-Forwarded-For"]), json!(["Connection"]), json!("X-A"), json!([1])] {
        let told = add("/-/bad", bad.clone());
        let code = &told.json()["data"]["passHeaders"]["code"];
        assert_eq!((told.status, code), (400, &json!("validation_invalid_proxy_config")), "{bad}");
    }
    let names = [
        "X-Forwarded-User",
        "X_Forwarded_User",
        "X-Remote-User",
        "Remote-User",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-HTTP-Method-Override",
        "Forwarded",
        "X-Forwarded-Prefix",
        "X-Auth-Request-Email",
        "Proxy",
    ];
    let mut lines: Vec<(&str, &str)> = names.iter().map(|name| (*name, "forged")).collect();
    lines.push(("X-Mine", "1"));
    let strict = get(&server, "/-/strict", &lines).json();
    assert!(!strict.to_string().contains("forged"), "{strict}");
    assert_eq!(seen(&strict, "x-mine"), Some("1"));
    let named = get(&server, "/-/named", &lines).json();
    assert_eq!(seen(&named, "x-forwarded-user"), Some("forged"));
    assert_eq!(named.to_string().matches("forged").count(), 1, "{named}");
    // a token that means something here stays here, whatever passes
    let echo = get(&server, "/-/named", &[("Authorization", &root)]).json();
    assert_eq!(seen(&echo, "authorization"), None);
}

/// What is sent, which statuses are right, and whether the upstream may be asked.
type Shape = (&'static str, &'static [u16], bool);

const SHAPES: &[Shape] = &[
    (
        "POST /-/x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /-/x/b HTTP/1.1\r\nHost: h\r\n\r\n",
        &[400],
        false,
    ),
    (
        "POST /-/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        &[400],
        false,
    ),
    (
        "POST /-/x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        &[400],
        false,
    ),
    ("POST /-/x HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 6\r\n\r\nhello!", &[400], false),
    ("POST /-/x HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nhello", &[400], false),
    ("POST /-/x HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\nhello", &[400], false),
    ("POST /-/x HTTP/1.1\r\nHost: h\r\nContent-Length: 0x5\r\n\r\nhello", &[400], false),
    ("POST /-/x HTTP/1.1\r\nHost: h\r\nContent-Length : 5\r\n\r\nhello", &[400], false),
    (
        "POST /-/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        &[400],
        false,
    ),
    (
        "POST /-/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        &[400],
        false,
    ),
    (
        "POST /-/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        &[400],
        false,
    ),
    (
        "POST /-/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        &[400],
        false,
    ),
    ("POST /-/x HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &[400], false),
    ("POST /-/x HTTP/1.1\r\nHost: h\r\nX: 1\r\n Content-Length: 5\r\n\r\n", &[400], false),
    ("POST /-/x HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", &[400], false),
    ("GET /-/x HTTP/1.1\r\nHost: h\r\nX: a\rY: b\r\n\r\n", &[400], false),
    (
        "POST /-/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n",
        &[400],
        true,
    ),
    (
        "POST /-/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nab\r\n0\r\n\r\n",
        &[400],
        true,
    ),
    (
        "POST /-/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nab",
        &[400],
        true,
    ),
    (
        "POST /-/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
        &[400],
        true,
    ),
    ("GET /-/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", &[400], false),
    ("GET /-/x HTTP/1.1\r\n\r\n", &[400], false),
    ("GET /-/x HTTP/1.1\r\nHost: h\r\nExpect: evil\r\n\r\n", &[417], false),
    ("GET /-/x\r\n\r\n", &[400], false),
    ("GET /-/x HTTP/9.9\r\nHost: h\r\n\r\n", &[400, 505], false),
    ("TRACE /-/x HTTP/1.1\r\nHost: h\r\n\r\n", &[400, 404, 405], false),
    ("CONNECT /-/x HTTP/1.1\r\nHost: h\r\n\r\n", &[400, 404, 405], false),
    ("CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: h\r\n\r\n", &[400, 404, 405], false),
    ("PROPFIND /-/x HTTP/1.1\r\nHost: h\r\n\r\n", &[400, 404, 405], false),
    ("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", &[200, 204, 307, 400, 404, 405], false),
    ("GET http://127.0.0.1:1/other HTTP/1.1\r\nHost: h\r\n\r\n", &[404], false),
    ("GET /-/x/..%2f..%2fother HTTP/1.1\r\nHost: h\r\n\r\n", &[400], false),
    ("GET /-/x/..;/y HTTP/1.1\r\nHost: h\r\n\r\n", &[400], false),
    ("GET /-/x\\..\\y HTTP/1.1\r\nHost: h\r\n\r\n", &[400, 404], false),
];

#[test]
fn shapes_of_smugglers() {
    let server = server(&[]);
    let root = server.superuser();
    let was_asked = Arc::new(AtomicBool::new(false));
    let asked = was_asked.clone();
    let upstream = Upstream::new(move |head, stream| {
        asked.fetch_or(head.first.contains("never"), Relaxed);
        tell(head, stream)
    });
    made(
        &server,
        &root,
        &json!({"path": "/-/x", "upstream": upstream.url(""), "accessRule": "true"}),
    );
    for (shape, right, may_ask) in SHAPES {
        let shape = if *may_ask { (*shape).into() } else { shape.replace("/-/x", "/-/x/never") };
        let told = raw(server.port, shape.as_bytes());
        let got = statuses(&told);
        // a connection that is closed at once is a refusal, too
        assert!(got.len() <= 1 && got.iter().all(|s| right.contains(s)), "{shape:?}: {told}");
        assert!(!was_asked.load(Relaxed), "{shape:?} was sent on");
    }
    // one of two requests, never three
    let hidden = "GET /-/x/hidden HTTP/1.1\r\nHost: h\r\n\r\n";
    let both = format!(
        "POST /-/x/a HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{hidden}GET /-/x/b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        hidden.len()
    );
    let told = raw(server.port, both.as_bytes());
    assert_eq!(statuses(&told), [200, 200], "{told}");
    assert!(!told.contains(r#""path":"/hidden""#), "{told}");
    // the target's host counts for nobody but `X-Forwarded-Host`
    let told = raw(
        server.port,
        b"GET http://evil.example/-/x/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    );
    assert!(told.contains(r#""path":"/a""#) && told.contains("evil.example"), "{told}");
    assert!(told.contains(&format!("127.0.0.1:{}", upstream.port)), "{told}");
    // nothing of the connection is sent on, trailers and other protocols included
    let tricks = "POST /-/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings, Host, Content-Length, X-Real-IP\r\n\
         Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nTE: trailers;q=1\r\nTrailer: X-Late\r\n\
         Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-Late: 1\r\nContent-Length: 9\r\n\r\n";
    let told = raw(server.port, tricks.as_bytes());
    assert_eq!(statuses(&told), [200], "{told}");
    let lower = told.to_lowercase();
    for name in ["h2c", "http2-settings", "x-late", "[\"trailer\"", "[\"connection\""] {
        assert!(!lower.contains(name), "{name} in {told}");
    }
    assert!(told.contains("x-real-ip") && told.contains(r#""body":"ab""#), "{told}");
    // a body of GET in chunks is not left out
    let chunked = "GET /-/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    let told = raw(server.port, chunked.as_bytes());
    assert!(told.contains(r#""body":"ab""#), "{told}");
    // large heads
    let large = format!("GET /-/x HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(2 << 20));
    let got = statuses(&raw(server.port, large.as_bytes()));
    assert!(got.iter().all(|status| *status == 431), "{got:?}");
    let many = format!("GET /-/x HTTP/1.1\r\nHost: h\r\n{}\r\n", "X: 1\r\n".repeat(5000));
    let got = statuses(&raw(server.port, many.as_bytes()));
    assert!(got.iter().all(|status| *status == 431), "{got:?}");
}

/// Answers as no upstream should, by the last step of the path.
fn misbehave(head: &Head, stream: &mut BufReader<TcpStream>) -> bool {
    let path = head.first.split(' ').nth(1).and_then(|path| path.rsplit('/').next()).unwrap_or("");
    let text: String = match path {
        "unasked" => "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".into(),
        "two-lengths" => "HTTP/1.1 200 X\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".into(),
        "lengths" => "HTTP/1.1 200 X\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\nhello".into(),
        "split" => "HTTP/1.1 200 X\r\nX-A: a\0\r\nContent-Length: 0\r\n\r\n".into(),
        "folded" => "HTTP/1.1 200 X\r\nX-A: a\r\n b\r\nContent-Length: 0\r\n\r\n".into(),
        "no-http" => "220 mail.example ESMTP\r\n".into(),
        "old" => "HTTP/0.9 200\r\n\r\n".into(),
        "head" => format!("HTTP/1.1 200 X\r\nX-A: {}\r\n\r\n", "x".repeat(2 << 20)),
        "many" => format!("HTTP/1.1 200 X\r\n{}\r\n", "X: 1\r\n".repeat(5000)),
        "extra" => "HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 X\r\nContent-Length: 6\r\n\r\npoison".into(),
        "elsewhere" => "HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:1/x\r\nContent-Length: 0\r\n\r\n".into(),
        "packed" => "HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\nAlt-Svc: h3=\":1\"\r\nContent-Length: 4\r\n\r\nbomb".into(),
        "short" => "HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nhello".into(),
        "flood" => {
            while stream.get_mut().write_all(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n").is_ok() {}
            return false;
        }
        "half-head" => {
            stream.get_mut().write_all(b"HTTP/1.1 200 X\r\nX-A").ok();
            // until the other side gives up
            return stream.read(&mut [0]).is_ok_and(|n| n > 0);
        }
        "half-body" => {
            stream.get_mut().write_all(b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nabc").ok();
            return stream.read(&mut [0]).is_ok_and(|n| n > 0);
        }
        "silent" => return stream.read(&mut [0]).is_ok_and(|n| n > 0),
        _ => "HTTP/1.1 200 X\r\nContent-Length: 4\r\n\r\nfine".into(),
    };
    stream.get_mut().write_all(text.as_bytes()).is_ok() && !matches!(path, "short" | "no-http")
}

#[test]
fn upstreams_that_answer_anything() {
    let server = server(&[]);
    let (root, upstream) = (server.superuser(), Upstream::new(misbehave));
    let record =
        json!({"path": "/-/x", "upstream": upstream.url(""), "accessRule": "true", "timeout": 1});
    made(&server, &root, &record);
    let told = |path: &str| -> Answer { get(&server, &format!("/-/x/{path}"), &[]) };
    for (path, want) in [
        ("unasked", 502),
        ("lengths", 502),
        ("split", 502),
        ("no-http", 502),
        ("old", 502),
        ("head", 502),
        ("many", 502),
        ("flood", 504),
        ("half-head", 504),
        ("silent", 504),
    ] {
        let answer = told(path);
        assert_eq!(answer.status, want, "{path}: {}", String::from_utf8_lossy(&answer.body));
        assert!(answer.json()["details"].as_str().is_some_and(|d| d.len() < 40), "{path}");
        assert_eq!(told("").body, b"fine", "after {path}");
    }
    for (path, status, body) in [
        ("two-lengths", 200, "hello"),
        ("extra", 200, "ok"),
        ("elsewhere", 302, ""),
        ("packed", 200, "bomb"),
    ] {
        let answer = told(path);
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(String::from_utf8_lossy(&answer.body), body, "{path}");
        assert!(answer.header("alt-svc").is_none(), "{path}");
        assert_eq!(told("").body, b"fine", "after {path}");
    }
    let folded = told("folded");
    assert!(folded.status == 502 || folded.header("x-a") == Some("a b"), "{folded:?}");
    // what broke off is not told as whole
    for path in ["/-/x/half-body", "/-/x/short"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let text = raw(server.port, request.as_bytes());
        // the connection may end before its head was written
        let (head, rest) = text.split_once("\r\n\r\n").unwrap_or_default();
        assert!(text.is_empty() || head.starts_with("HTTP/1.1 200"), "{path}: {text}");
        assert!(matches!(rest, "" | "abc" | "hello"), "{path}: {text}");
    }
    assert_eq!(get(&server, "/api/health", &[]).status, 200);
}

#[test]
fn private_addresses() {
    let server: Server = server(&[("PB_GATEWAY_DENY_PRIVATE", "1")]);
    let (root, upstream) = (server.superuser(), Upstream::echo());
    let port = upstream.port;
    let hosts = [
        "127.0.0.1",
        "localhost",
        "localhost.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "2130706433",
        "0x7f.1",
        "127.1",
        "0",
        "0.0.0.0",
        "169.254.169.254",
    ];
    let mut n_saved = 0;
    for (at, host) in hosts.iter().enumerate() {
        let path = format!("/-/{at}");
        let record = json!({"path": path, "upstream": format!("http://{host}:{port}"), "accessRule": "true"});
        let saved = server.send("POST", "/api/collections/_proxies/records", &root, &record);
        if saved.status != 200 {
            continue;
        }
        n_saved += 1;
        let answer = get(&server, &path, &[]);
        assert_eq!(answer.status, 502, "{host}");
        let details = answer.json()["details"].clone();
        assert!(details == "address not allowed" || details == "dns failure", "{host}: {details}");
        let upgrade =
            [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "x")];
        assert_eq!(get(&server, &path, &upgrade).status, 502, "{host}");
    }
    assert!(n_saved >= 4, "only {n_saved} were saved");
    assert_eq!(upstream.n(), 0, "nobody got through");
}
