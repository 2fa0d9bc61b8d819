//! Upstreams of the gateway as they are outside: streams of events as the spec says, TLS with HTTP/2, certificates that nobody
//! should trust, and this very server.

use std::{
    convert::Infallible,
    io::{BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use serde_json::{Value, json};

use crate::{
    gateway::{Upstream, chunk, get, made, open, server, user},
    support::{Answer, Client, PASSWORD, Server, free_port, multipart},
};

/// Spec extensions 4.14.5.
#[test]
fn twenty_events_beyond_the_time_limit() {
    let server = server(&[]);
    let root = server.superuser();
    let (sent, sendings) = mpsc::channel::<Instant>();
    let events = Upstream::new(move |head, stream| {
        if head.first.contains("/silent") {
            return stream.read(&mut [0]).is_ok_and(|n| n > 0);
        }
        let start = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.get_mut().write_all(start.as_bytes()).expect("write");
        for n in 0..20 {
            std::thread::sleep(Duration::from_millis(300));
            let event = format!("data: {n}\n\n");
            sent.send(Instant::now()).ok();
            let piece = format!("{:x}\r\n{event}\r\n", event.len());
            if stream.get_mut().write_all(piece.as_bytes()).is_err() {
                return false;
            }
        }
        stream.get_mut().write_all(b"0\r\n\r\n").is_ok()
    });
    let record =
        json!({"path": "/-/sse", "upstream": events.url(""), "accessRule": "true", "timeout": 2});
    made(&server, &root, &record);
    let started = Instant::now();
    let (status, mut stream) = open(server.port, "/-/sse/events");
    assert_eq!(status, 200);
    let mut late = Vec::new();
    for n in 0..20 {
        assert_eq!(chunk(&mut stream).as_deref(), Some(format!("data: {n}\n\n").as_bytes()));
        late.push(sendings.recv().expect("it was sent").elapsed());
    }
    assert_eq!(chunk(&mut stream), None, "the end is told");
    assert!(started.elapsed() >= Duration::from_secs(6), "no cut after the time limit");
    late.sort_unstable();
    // the machine may be busy; whatever waits for more to send would make all of them late
    assert!(late[0] < Duration::from_millis(100), "{late:?}");
    println!("events were late by {:?} (median), {:?} (most)", late[10], late[19]);
    let asked = Instant::now();
    let silent = get(&server, "/-/sse/silent", &[]);
    assert_eq!(silent.status, 504);
    assert!(asked.elapsed() >= Duration::from_secs(2), "it has had its time");
}

/// An authority that signs certificates.
struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut ca = rcgen::CertificateParams::new(Vec::<String>::new()).expect("parameters");
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = ca.self_signed(&key).expect("a certificate").pem();
        Self { issuer: rcgen::Issuer::new(ca, key), pem }
    }
    /// A server with a certificate for a name; gives its port.
    fn serve(&self, name: &str, is_expired: bool, protocols: &[&str]) -> u16 {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut leaf = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        if is_expired {
            leaf.not_after = rcgen::date_time_ymd(2020, 1, 1);
        }
        let leaf: CertificateDer<'static> =
            leaf.signed_by(&key, &self.issuer).expect("a certificate").der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![leaf], key)
            .expect("a configuration");
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let listener = TcpListener::bind(("127.0.0.1", free_port())).expect("bind");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || accept(listener, config));
        port
    }
}

/// Serves TLS until the test ends.
fn accept(listener: TcpListener, config: ServerConfig) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async move {
        listener.set_nonblocking(true).expect("a listener");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let builder = auto::Builder::new(TokioExecutor::new());
                let io = TokioIo::new(stream);
                builder.serve_connection(io, service_fn(told)).await.ok();
            });
        }
    });
}

/// Tells what it was asked, and how.
async fn told(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let told = json!({
        "version": format!("{:?}", request.version()),
        "path": request.uri().path(),
        "upgrade": request.headers().contains_key("upgrade"),
    });
    Ok(Response::new(Full::new(told.to_string().into())))
}

#[test]
fn upstreams_over_tls() {
    let (trusted, other) = (Authority::new(), Authority::new());
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("root.pem");
    std::fs::write(&file, &trusted.pem).expect("a file");
    let server = server(&[("SSL_CERT_FILE", path_text(&file))]);
    let root = server.superuser();
    let both = ["h2", "http/1.1"];
    // neither TLS nor anything else
    let mute = TcpListener::bind(("127.0.0.1", free_port())).expect("bind");
    let mute_port = mute.local_addr().expect("an address").port();
    let plain = Upstream::echo();
    for (path, host, port, want) in [
        ("/-/two", "127.0.0.1", trusted.serve("127.0.0.1", false, &both), Ok("HTTP/2.0")),
        ("/-/one", "localhost", trusted.serve("localhost", false, &["http/1.1"]), Ok("HTTP/1.1")),
        ("/-/stranger", "127.0.0.1", other.serve("127.0.0.1", false, &both), Err(502)),
        ("/-/name", "127.0.0.1", trusted.serve("other.example", false, &both), Err(502)),
        ("/-/expired", "127.0.0.1", trusted.serve("127.0.0.1", true, &both), Err(502)),
        ("/-/plain", "127.0.0.1", plain.port, Err(502)),
        ("/-/mute", "127.0.0.1", mute_port, Err(504)),
    ] {
        let record = json!({"path": path, "upstream": format!("https://{host}:{port}"),
            "accessRule": "true", "timeout": if want == Err(504) { 1 } else { 30 }});
        made(&server, &root, &record);
        let answer = get(&server, &format!("{path}/a"), &[]);
        match want {
            Ok(version) => {
                let want = json!({"version": version, "path": "/a", "upgrade": false});
                assert_eq!((answer.status, answer.json()), (200, want), "{path}");
            }
            Err(status) => {
                assert_eq!(answer.status, status, "{path}");
                let details = answer.json()["details"].clone();
                let want = match path {
                    "/-/mute" => "timeout",
                    // it closes, or answers what is no TLS
                    "/-/plain" if details == "connection closed" => "connection closed",
                    _ => "tls failure",
                };
                assert_eq!(details, want, "{path}");
            }
        }
    }
    // what becomes something else needs HTTP/1.1
    let upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "x")];
    let answer = get(&server, "/-/two/b", &upgrade);
    let want = json!({"version": "HTTP/1.1", "path": "/b", "upgrade": true});
    assert_eq!((answer.status, answer.json()), (200, want));
}

fn path_text(path: &Path) -> &str {
    path.to_str().expect("a path")
}

/// One request through the gateway to the server behind it.
fn through(outer: &Server, method: &str, path: &str, token: &str, body: &Value) -> Answer {
    outer.send(method, &format!("/-/inner{path}"), token, body)
}

#[test]
fn this_server_behind_itself() {
    let (inner, outer) = (server(&[]), server(&[]));
    let (inner_root, outer_root) = (inner.superuser(), outer.superuser());
    let docs = json!({"name": "docs", "type": "base", "listRule": "@request.auth.id != ''", "viewRule": "",
        "createRule": "@request.auth.id != ''", "fields": [{"name": "title", "type": "text"},
        {"name": "file", "type": "file", "maxSelect": 1, "maxSize": 10 << 20}]});
    assert_eq!(inner.send("POST", "/api/collections", &inner_root, &docs).status, 200);
    user(&inner, &inner_root, "ann");
    let url = format!("http://127.0.0.1:{}", inner.port);
    let record = json!({"path": "/-/inner", "upstream": url, "accessRule": "true", "passHeaders": ["Authorization"]});
    made(&outer, &outer_root, &record);
    // REST, with a token of the server behind
    let login = json!({"identity": "ann@example.com", "password": PASSWORD});
    let answer = through(&outer, "POST", "/api/collections/users/auth-with-password", "", &login);
    let token = answer.json()["token"].as_str().expect("a token").to_owned();
    let list = "/api/collections/docs/records?sort=-title&perPage=5";
    let guest = through(&outer, "GET", list, "", &Value::Null).json();
    assert_eq!(guest["totalItems"], 0);
    // the superuser of the server in front is nobody behind it
    assert_eq!(through(&outer, "GET", "/api/collections", &outer_root, &Value::Null).status, 401);
    // events
    let (status, mut events) = open(outer.port, "/-/inner/api/realtime");
    assert_eq!(status, 200);
    let hello = event(&mut events, "PB_CONNECT");
    let id = hello.split("\"clientId\":\"").nth(1).and_then(|rest| rest.split('"').next());
    let subscription = json!({"clientId": id.expect("an id"), "subscriptions": ["docs/*"]});
    assert_eq!(through(&outer, "POST", "/api/realtime", &token, &subscription).status, 204);
    // a file up and down, in parts too
    let content: Vec<u8> = (0..1_500_000_u32).flat_map(|n| n.to_le_bytes()).collect();
    let (kind, body) = multipart(&[("title", "a")], ("file", "a.bin", &content));
    let made = Client::connect(outer.port)
        .and_then(|mut c| {
            c.send("POST", "/-/inner/api/collections/docs/records", &token, &kind, &body)
        })
        .expect("an answer");
    assert_eq!(made.status, 200, "{}", made.json());
    let told = event(&mut events, "docs/*");
    assert!(told.contains("\"action\":\"create\"") && told.contains("\"title\":\"a\""), "{told}");
    let (id, name) = (made.json()["id"].clone(), made.json()["file"].clone());
    let at = format!(
        "/-/inner/api/files/docs/{}/{}",
        id.as_str().expect("an id"),
        name.as_str().expect("a name")
    );
    let whole = get(&outer, &at, &[]);
    assert!(whole.status == 200 && whole.body == content, "{} bytes", whole.body.len());
    let part = get(&outer, &at, &[("Range", "bytes=1000-1999")]);
    assert_eq!(part.status, 206);
    assert_eq!(part.header("content-range"), Some("bytes 1000-1999/6000000"));
    assert_eq!(part.body, content[1000..2000]);
    let beyond = get(&outer, &at, &[("Range", "bytes=9000000-")]);
    assert_eq!(beyond.status, 416);
    let tag = whole.header("etag").or_else(|| whole.header("last-modified")).is_some();
    assert!(tag, "what caches need comes along: {:?}", whole.headers);
    let all = through(&outer, "GET", list, &token, &Value::Null).json();
    assert_eq!((&all["totalItems"], &all["items"][0]["title"]), (&json!(1), &json!("a")));
}

/// Reads a stream up to the end of the event that has this text.
fn event(stream: &mut BufReader<TcpStream>, wanted: &str) -> String {
    let mut all = String::new();
    loop {
        let piece = chunk(stream).expect("the stream goes on");
        all.push_str(&String::from_utf8_lossy(&piece));
        if let Some(at) = all.find(wanted)
            && all[at..].contains("\n\n")
        {
            return all;
        }
    }
}
