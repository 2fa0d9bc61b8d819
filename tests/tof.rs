//! Sign-in with TOF identities, by a gateway of ours that signs and encrypts itself.

use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{aead, digest};
use serde_json::{Value, json};

use crate::support::{
    Answer, Client, EMAIL, PASSWORD, Server, eventually, postgres::Postgres, run,
};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const USERS: &str = "/api/collections/users/auth-with-tof";
const ROOTS: &str = "/api/collections/_superusers/auth-with-tof";

fn serve(flags: &[&str], env: &[(&str, &str)]) -> Server {
    let dir = tempfile::tempdir().expect("a directory");
    let made = run(dir.path(), &["superuser", "upsert", EMAIL, PASSWORD, "--dir", "pb_data"]);
    assert!(made.status.success());
    Server::on_with(dir, flags, env)
}

/// The same on SQLite and on PostgreSQL.
fn on_both(check: impl Fn(&Server)) {
    let env = [("TOF_APP_TOKEN", TOKEN)];
    check(&serve(&[], &env));
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    postgres.execute("postgres", "CREATE DATABASE tof");
    check(&postgres.serve_with(&postgres.dsn("tof"), &[], &env));
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("a time")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A JWE with `dir` and `A256GCM`.
fn jwe(payload: &Value, key: &str) -> String {
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"dir","enc":"A256GCM"}"#);
    let key = aead::UnboundKey::new(&aead::AES_256_GCM, key.as_bytes()).expect("a key");
    let nonce = [9; 12];
    let mut content = payload.to_string().into_bytes();
    let tag = aead::LessSafeKey::new(key)
        .seal_in_place_separate_tag(
            aead::Nonce::assume_unique_for_key(nonce),
            aead::Aad::from(head.as_bytes()),
            &mut content,
        )
        .expect("sealed");
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!("{head}..{}.{}.{}", text(&nonce), text(&content), text(tag.as_ref()))
}

fn payload(name: &str, staffid: i64) -> Value {
    json!({"loginname": name, "staffid": staffid, "expiration": "2099-01-01T00:00:00Z", "ticket": "tk"})
}

/// The headers of a request.
#[derive(Clone)]
struct Headers {
    identity: String,
    timestamp: String,
    signature: String,
    seq: String,
    more: Vec<(&'static str, String)>,
}

/// As the gateway makes them, in safe mode.
fn signed(payload: &Value) -> Headers {
    signed_at(payload, now())
}

fn signed_at(payload: &Value, time: i64) -> Headers {
    static SEQ: AtomicU64 = AtomicU64::new(0);
    let seq = format!("seq{}", SEQ.fetch_add(1, Relaxed));
    let mut headers = Headers {
        identity: jwe(payload, TOKEN),
        timestamp: time.to_string(),
        signature: String::new(),
        seq,
        more: Vec::new(),
    };
    headers.sign(",,,");
    headers
}

impl Headers {
    fn sign(&mut self, rest: &str) {
        let (time, seq) = (&self.timestamp, &self.seq);
        let text = format!("{time}{TOKEN}{seq}{rest}{time}");
        self.signature = hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    }
    fn lines(&self) -> String {
        format!(
            "x-tai-identity: {}\r\ntimestamp: {}\r\nsignature: {}\r\nx-rio-seq: {}\r\n",
            self.identity, self.timestamp, self.signature, self.seq
        )
    }
    fn get(&self, server: &Server, path: &str) -> Answer {
        let mut list = vec![
            ("x-tai-identity", self.identity.as_str()),
            ("timestamp", &self.timestamp),
            ("signature", &self.signature),
            ("x-rio-seq", &self.seq),
        ];
        list.extend(self.more.iter().map(|(name, value)| (*name, value.as_str())));
        get(server, path, &list)
    }
}

fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Answer {
    Client::connect(server.port).and_then(|mut c| c.get(path, headers)).expect("an answer")
}

fn refused(answer: &Answer, status: u16, message: &str) {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let found = (answer.status, answer.json()["message"].as_str().map(str::to_owned));
    assert_eq!(found, (status, Some(message.to_owned())), "{text}");
}

fn failed(answer: &Answer, reason: &str) {
    refused(answer, 401, &format!("TOF identity verification failed: {reason}."));
}

fn total(server: &Server, root: &str, collection: &str) -> i64 {
    let path = format!("/api/collections/{collection}/records");
    let page = server.send("GET", &path, root, &Value::Null).json();
    page["totalItems"].as_i64().expect("a number")
}

#[test]
fn accounts_are_made_once_and_found_again() {
    on_both(|server| {
        let root = server.superuser();
        let answer = signed(&payload("alice", 123)).get(server, USERS);
        let first = answer.json();
        assert_eq!(answer.status, 200, "{first}");
        let identity = &first["meta"]["tofIdentity"];
        assert_eq!(
            identity.to_string(),
            r#"{"loginname":"alice","staffid":123,"expiration":"2099-01-01T00:00:00Z","ticket":"tk"}"#
        );
        let record = &first["record"];
        assert_eq!(record["email"], "alice@tencent.com");
        assert_eq!((&record["name"], &record["verified"]), (&json!("alice"), &json!(true)));
        let token = first["token"].as_str().expect("a token");
        let refresh = "/api/collections/users/auth-refresh";
        assert_eq!(server.send("POST", refresh, token, &Value::Null).status, 200);

        let second = signed(&payload("alice", 123)).get(server, USERS).json();
        assert_eq!(second["record"]["id"], record["id"]);
        // the number counts, whatever the name has become
        let renamed = signed(&payload("alice.b", 123)).get(server, USERS).json();
        assert_eq!(renamed["record"]["id"], record["id"]);
        assert_eq!(total(server, &root, "users"), 1);
        assert_eq!(total(server, &root, "_externalAuths"), 1);
        let link = server
            .send("GET", "/api/collections/_externalAuths/records", &root, &Value::Null)
            .json()["items"][0]
            .clone();
        assert_eq!((&link["provider"], &link["providerId"]), (&json!("tof"), &json!("123")));

        // a name that somebody else has now does not inherit the account
        failed(&signed(&payload("alice", 124)).get(server, USERS), "invalid identity token");
        assert_eq!(total(server, &root, "users"), 1);

        // POST, too
        let headers = signed(&payload("bob", 5));
        assert_eq!(post(server, USERS, &headers.lines(), ""), 200);
        assert_eq!(total(server, &root, "users"), 2);
    });
}

/// The status of a POST with headers of its own.
fn post(server: &Server, path: &str, lines: &str, body: &str) -> u16 {
    use std::io::{Read as _, Write as _};
    let mut stream =
        std::net::TcpStream::connect(("127.0.0.1", server.port)).expect("a connection");
    let n_bytes = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {n_bytes}\r\n{lines}\r\n{body}"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

#[test]
fn what_is_not_believed() {
    let server = serve(&[], &[("TOF_APP_TOKEN", TOKEN)]);
    let fresh = || signed(&payload("alice", 1));
    refused(&get(&server, USERS, &[]), 401, "Missing TOF params in http header.");
    for missing in 0..4 {
        let mut headers = fresh();
        [&mut headers.identity, &mut headers.timestamp, &mut headers.signature, &mut headers.seq]
            [missing]
            .clear();
        refused(&headers.get(&server, USERS), 401, "Missing TOF params in http header.");
    }
    let mut wrong = fresh();
    wrong.signature = "abc".into();
    let answer = wrong.get(&server, USERS);
    failed(&answer, "invalid signature");
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let digests = text.split(|c: char| !c.is_ascii_hexdigit()).filter(|word| word.len() == 64);
    assert_eq!(digests.count(), 0, "{text}");
    for seconds in [-200, 400] {
        let late = signed_at(&payload("alice", 1), now() + seconds);
        failed(&late.get(&server, USERS), "timestamp expired");
    }
    let mut odd = Headers { timestamp: "soon".into(), ..fresh() };
    odd.sign(",,,");
    failed(&odd.get(&server, USERS), "invalid timestamp");

    let head = |header: &str| format!("{}.AAAA.AAAA.AAAA.AAAA", URL_SAFE_NO_PAD.encode(header));
    for identity in [
        jwe(&payload("alice", 1), "fedcba9876543210fedcba9876543210"),
        "a.b.c".to_owned(),
        head(r#"{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2c":2147483647,"p2s":"AAAA"}"#),
        head(r#"{"alg":"A128KW","enc":"A256GCM"}"#),
        head(r#"{"alg":"dir","enc":"A256GCM","zip":"DEF"}"#),
        jwe(&json!(jwe(&payload("alice", 1), TOKEN)), TOKEN),
        jwe(&payload(&"x".repeat(15 << 10), 1), TOKEN),
        jwe(&payload("a@b", 1), TOKEN),
        jwe(&json!({"loginname": "alice", "staffid": 1}), TOKEN),
    ] {
        let answer = Headers { identity, ..fresh() }.get(&server, USERS);
        failed(&answer, "invalid identity token");
    }

    let ends = |seconds: i64| {
        // minutes before now as RFC 3339, by the calendar of PostgreSQL-free arithmetic
        let time = engine::time::Timestamp::from_millis((now() + seconds) * 1000).to_string();
        let end = time.replacen(' ', "T", 1);
        let identity =
            json!({"loginname": "carol", "staffid": 9, "expiration": end, "ticket": null});
        signed(&identity).get(&server, USERS)
    };
    failed(&ends(-240), "token expired");
    let answer = ends(-120);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["meta"]["tofIdentity"]["ticket"], Value::Null);

    let nowhere = "/api/collections/nope/auth-with-tof";
    refused(&fresh().get(&server, nowhere), 404, "Collection 'nope' not found.");
    let root = server.superuser();
    assert_eq!(total(&server, &root, "users"), 1, "only carol");
    // nothing of the token in the log
    eventually("the log has the requests", || {
        let page = server.send("GET", "/api/logs?perPage=500", &root, &Value::Null).json();
        let text = page.to_string();
        assert!(!text.contains(TOKEN));
        text.contains("auth-with-tof").then_some(())
    });
}

#[test]
fn what_came_before_does_not_count_again() {
    on_both(|server| {
        let headers = signed(&payload("alice", 123));
        assert_eq!(headers.get(server, USERS).status, 200);
        failed(&headers.get(server, USERS), "replayed request");
        let upper = Headers { signature: headers.signature.to_uppercase(), ..headers.clone() };
        failed(&upper.get(server, USERS), "replayed request");
        assert_eq!(signed(&payload("alice", 123)).get(server, USERS).status, 200);
    });
    let mut server = serve(&[], &[("TOF_APP_TOKEN", TOKEN)]);
    let headers = signed(&payload("alice", 123));
    assert_eq!(headers.get(&server, USERS).status, 200);
    server.kill_and_restart();
    failed(&headers.get(&server, USERS), "replayed request");
    let server = serve(&[], &[("TOF_APP_TOKEN", TOKEN), ("TOF_ALLOW_REPLAY", "1")]);
    let headers = signed(&payload("alice", 123));
    for _ in 0..2 {
        assert_eq!(headers.get(&server, USERS).status, 200);
    }
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    postgres.execute("postgres", "CREATE DATABASE tof");
    let node = || postgres.serve_with(&postgres.dsn("tof"), &[], &[("TOF_APP_TOKEN", TOKEN)]);
    let (one, other) = (node(), node());
    assert_eq!(headers.get(&one, USERS).status, 200);
    failed(&headers.get(&other, USERS), "replayed request");
}

#[test]
fn superusers_and_other_collections() {
    on_both(|server| {
        let root = server.superuser();
        let missing = signed(&payload("alice", 1)).get(server, ROOTS);
        let message = "_superusers does not contain user with email: alice@tencent.com.";
        refused(&missing, 400, message);
        let alice = json!({"email": "alice@tencent.com", "password": PASSWORD, "passwordConfirm": PASSWORD});
        let path = "/api/collections/_superusers/records";
        assert_eq!(server.send("POST", path, &root, &alice).status, 200);
        let answer = signed(&payload("alice", 1)).get(server, ROOTS);
        assert_eq!(answer.status, 200, "{}", answer.json());
        let token = answer.json()["token"].as_str().expect("a token").to_owned();
        assert_eq!(server.send("GET", "/api/tof/status", &token, &Value::Null).status, 200);
        failed(&signed(&payload("alice", 2)).get(server, ROOTS), "invalid identity token");

        let base = json!({"name": "people", "type": "base", "fields": [
            {"name": "email", "type": "text"}, {"name": "name", "type": "text"}]});
        assert_eq!(server.send("POST", "/api/collections", &root, &base).status, 200);
        let answer =
            signed(&payload("alice", 1)).get(server, "/api/collections/people/auth-with-tof");
        refused(&answer, 400, "The collection is not an auth collection.");
        assert_eq!(total(server, &root, "people"), 0);

        // an account that cannot be made, and one that may not sign in
        let strict = json!({"name": "strict", "type": "auth", "authRule": "verified = false", "fields": [
            {"name": "must", "type": "text", "required": true}]});
        assert_eq!(server.send("POST", "/api/collections", &root, &strict).status, 200);
        let path = "/api/collections/strict/auth-with-tof";
        let answer = signed(&payload("alice", 1)).get(server, path);
        refused(&answer, 400, "Failed to create new user.");
        assert_eq!(answer.json()["data"]["must"]["code"], "validation_required");
        assert_eq!(total(server, &root, "strict"), 0);
        let dave = json!({"email": "dave@tencent.com", "must": "x", "verified": true,
            "password": PASSWORD, "passwordConfirm": PASSWORD});
        let records = "/api/collections/strict/records";
        assert_eq!(server.send("POST", records, &root, &dave).status, 200);
        let answer = signed(&payload("dave", 4)).get(server, path);
        let message = "The request doesn't satisfy the collection requirements to authenticate.";
        refused(&answer, 403, message);
    });
}

#[test]
fn a_second_factor_is_asked_for() {
    let server = serve(&[], &[("TOF_APP_TOKEN", TOKEN)]);
    let root = server.superuser();
    let mfa = json!({"mfa": {"enabled": true, "duration": 1800}, "otp": {"enabled": true}});
    assert_eq!(server.send("PATCH", "/api/collections/users", &root, &mfa).status, 200);
    let account = json!({"email": "alice@tencent.com", "verified": true, "password": PASSWORD, "passwordConfirm": PASSWORD});
    let made = server.send("POST", "/api/collections/users/records", &root, &account);
    assert_eq!(made.status, 200);
    let first = signed(&payload("alice", 123)).get(&server, USERS);
    assert_eq!(first.status, 401);
    let id = first.json()["mfaId"].as_str().expect("a session").to_owned();
    let again = signed(&payload("alice", 123)).get(&server, &format!("{USERS}?mfaId={id}"));
    refused(&again, 400, "A different authentication method is required.");
    let password = json!({"identity": "alice@tencent.com", "password": PASSWORD, "mfaId": id});
    let path = "/api/collections/users/auth-with-password";
    assert_eq!(server.send("POST", path, "", &password).status, 200);
    // the other way round, with the session in the body
    let password = json!({"identity": "alice@tencent.com", "password": PASSWORD});
    let first = server.send("POST", path, "", &password);
    assert_eq!(first.status, 401);
    let headers = signed(&payload("alice", 123));
    let body = json!({"mfaId": first.json()["mfaId"]}).to_string();
    assert_eq!(post(&server, USERS, &headers.lines(), &body), 200);
}

#[test]
fn an_account_that_nobody_confirmed_loses_its_password() {
    on_both(|server| {
        let account = json!({"email": "alice@tencent.com", "password": PASSWORD, "passwordConfirm": PASSWORD});
        let made = server.send("POST", "/api/collections/users/records", "", &account).json();
        let root = server.superuser();
        let users = server.send("GET", "/api/collections/users", &root, &Value::Null).json();
        let link = json!({"collectionRef": users["id"], "recordRef": made["id"], "provider": "google", "providerId": "mallory"});
        let links = "/api/collections/_externalAuths/records";
        assert_eq!(server.send("POST", links, &root, &link).status, 200);
        let sign_in = json!({"identity": "alice@tencent.com", "password": PASSWORD});
        let path = "/api/collections/users/auth-with-password";
        let before = server.send("POST", path, "", &sign_in);
        assert_eq!(before.status, 200);
        let answer = signed(&payload("alice", 123)).get(server, USERS).json();
        assert_eq!(answer["record"]["id"], made["id"]);
        assert_eq!(answer["record"]["verified"], true);
        assert_eq!(server.send("POST", path, "", &sign_in).status, 400);
        let old = before.json()["token"].as_str().expect("a token").to_owned();
        let refresh = "/api/collections/users/auth-refresh";
        assert_eq!(server.send("POST", refresh, &old, &Value::Null).status, 401);

        // nor does it keep the ways in that its maker has
        let left = server.send("GET", links, &root, &Value::Null).json();
        assert_eq!(
            (&left["totalItems"], &left["items"][0]["provider"]),
            (&json!(1), &json!("tof"))
        );

        // a confirmed one keeps it
        let account = json!({"email": "bob@tencent.com", "verified": true, "password": PASSWORD, "passwordConfirm": PASSWORD});
        assert_eq!(
            server.send("POST", "/api/collections/users/records", &root, &account).status,
            200
        );
        assert_eq!(signed(&payload("bob", 5)).get(server, USERS).status, 200);
        let sign_in = json!({"identity": "bob@tencent.com", "password": PASSWORD});
        assert_eq!(server.send("POST", path, "", &sign_in).status, 200);
    });
}

#[test]
fn redirects_lead_where_they_may() {
    let listed = [
        ("TOF_APP_TOKEN", TOKEN),
        ("TOF_APP_KEY", "myapp-key-12345"),
        ("TOF_ALLOWED_REDIRECTS", "https://ok.example, http://localhost:3000"),
        ("TOF_PASSPORT_URL", "https://passport.example/"),
    ];
    let server = serve(&[], &listed);
    let ok = "/api/tof/redirect?url=https%3A%2F%2Fok.example%2F%2Fa%3Fb%3Dc";
    let location = |answer: &Answer| answer.header("location").unwrap_or_default().to_owned();
    let answer = signed(&payload("alice", 1)).get(&server, ok);
    assert_eq!((answer.status, location(&answer).as_str()), (307, "https://ok.example/a?b=c"));
    let mut wrong = signed(&payload("alice", 1));
    wrong.signature = "0".repeat(64);
    let answer = wrong.get(&server, ok);
    assert_eq!(answer.status, 307);
    assert_eq!(
        location(&answer),
        "https://passport.example/modules/passport/signin.ashx?oauth=true&appkey=myapp-key-12345&url=https%3A%2F%2Fok.example%2Fa%3Fb%3Dc"
    );
    let message = "Missing x-tai-identity/timestamp/signature/x-rio-seq in request header.";
    refused(&get(&server, ok, &[]), 400, message);
    for route in ["redirect", "logout"] {
        let path = format!("/api/tof/{route}");
        let headers = || signed(&payload("alice", 1));
        refused(&headers().get(&server, &path), 400, "Missing url param in query string.");
        for evil in [
            "https%3A%2F%2Fevil.example",
            "%2F%2Fevil.example",
            "http%3A%2F%2Flocalhost%3A8090",
            "javascript:1",
        ] {
            let answer = headers().get(&server, &format!("{path}?url={evil}"));
            assert_eq!((answer.status, answer.header("location")), (400, None), "{route} {evil}");
        }
    }
    let answer =
        get(&server, "/api/tof/logout?url=http%3A%2F%2Flocalhost%3A3000%2Fx&appkey=k%26x", &[]);
    assert_eq!((answer.status, answer.header("cache-control")), (307, Some("no-cache")));
    assert_eq!(
        location(&answer),
        "https://passport.example/modules/passport/signout.ashx?oauth=true&appkey=k%26x&nosignin=1&url=http%3A%2F%2Flocalhost%3A3000%2Fx"
    );
    let root = server.superuser();
    let status = server.send("GET", "/api/tof/status", &root, &Value::Null);
    assert_eq!(
        String::from_utf8_lossy(&status.body).trim(),
        r#"{"enabled":true,"appKey":"myap****2345","appToken":"0123****cdef"}"#
    );
    let guest = server.send("GET", "/api/tof/status", "", &Value::Null);
    refused(&guest, 401, "The request requires valid record authorization token.");

    // by default: this server, and the app's URL
    let server = serve(&[], &[("TOF_APP_TOKEN", TOKEN)]);
    let headers = || signed(&payload("alice", 1));
    let app = headers().get(&server, "/api/tof/redirect?url=http%3A%2F%2Flocalhost%3A8090%2Fx");
    assert_eq!((app.status, location(&app).as_str()), (307, "http://localhost:8090/x"));
    let path = headers().get(&server, "/api/tof/redirect?url=%2Fx");
    assert_eq!((path.status, location(&path).as_str()), (307, "/x"));
    let answer = get(&server, "/api/tof/logout?url=%2Fx", &[]);
    assert!(
        location(&answer).starts_with("https://passport.woa.com/modules/passport/signout.ashx?")
    );
}

#[test]
fn without_a_token_there_is_nothing() {
    let server = serve(&["--dev"], &[("TOF_DEV_MOCK_USER", "mocky")]);
    let root = server.superuser();
    for path in [USERS, "/api/tof/status", "/api/tof/redirect?url=/", "/api/tof/logout?url=/"] {
        assert_eq!(signed(&payload("alice", 1)).get(&server, path).status, 404, "{path}");
    }
    assert_eq!(server.send("GET", "/api/tof/status", &root, &Value::Null).status, 404);
    let tables = json!({"query": "SELECT name FROM sqlite_master WHERE name LIKE '%tof%'"});
    let found = server.send("POST", "/api/sql", &root, &tables);
    assert!(!String::from_utf8_lossy(&found.body).contains("tofReplays"));
}

#[test]
fn the_mock_user_is_for_development_on_this_machine() {
    let env = [("TOF_APP_TOKEN", TOKEN), ("TOF_DEV_MOCK_USER", "mocky")];
    let message = "Missing TOF params in http header.";
    let server = serve(&[], &env);
    refused(&get(&server, USERS, &[]), 401, message);
    assert_eq!(get(&server, "/api/tof/redirect?url=/x", &[]).status, 400);

    let server = serve(&["--dev"], &env);
    let answer = get(&server, USERS, &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json()["meta"]["tofIdentity"].to_string(),
        r#"{"loginname":"mocky","staffid":9999999,"expiration":"2099-12-31T23:59:59Z","ticket":"MOCK_TICKET"}"#
    );
    assert_eq!(get(&server, "/api/tof/redirect?url=/x", &[]).header("location"), Some("/x"));
    let root = server.superuser();
    let mocky =
        json!({"email": "mocky@tencent.com", "password": PASSWORD, "passwordConfirm": PASSWORD});
    let made = server.send("POST", "/api/collections/_superusers/records", &root, &mocky);
    assert_eq!(made.status, 200);
    refused(&get(&server, ROOTS, &[]), 401, message);
    for name in ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"] {
        refused(&get(&server, USERS, &[(name, "127.0.0.1")]), 401, message);
    }
    for (name, value) in [("Origin", "https://evil.example"), ("Origin", "null")] {
        refused(&get(&server, USERS, &[(name, value)]), 401, message);
    }
    assert_eq!(post(&server, USERS, "", ""), 401, "of a host that is not this machine");
    assert_eq!(get(&server, USERS, &[("Origin", "http://localhost:5173")]).status, 200);
    // headers that are there are checked
    let mut wrong = signed(&payload("alice", 1));
    wrong.signature = "abc".into();
    failed(&wrong.get(&server, USERS), "invalid signature");
    let status = server.send("GET", "/api/tof/status", &root, &Value::Null).json();
    assert_eq!(status["devMockUser"], "mocky");
}

#[test]
fn compatibility_mode_reads_plain_headers() {
    let server = serve(&[], &[("TOF_APP_TOKEN", TOKEN), ("TOF_SAFE_MODE", "false")]);
    let plain = |name: &str, signed_name: &str| {
        let mut headers = signed(&payload("alice", 1));
        headers.identity = "x".into();
        headers.more =
            vec![("staffid", "42".into()), ("staffname", name.into()), ("x-ext-data", "e".into())];
        headers.sign(&format!(",42,{signed_name},e"));
        headers
    };
    let answer = plain("bob", "bob").get(&server, USERS);
    assert_eq!(answer.status, 200);
    let identity = &answer.json()["meta"]["tofIdentity"];
    assert_eq!((&identity["loginname"], &identity["staffid"]), (&json!("bob"), &json!(42)));
    failed(&plain("eve", "bob").get(&server, USERS), "invalid signature");
    let server = serve(&[], &[("TOF_APP_TOKEN", TOKEN)]);
    failed(&plain("bob", "bob").get(&server, USERS), "invalid signature");
}

#[test]
fn scripts_read_identities() {
    let hook = r#"
        routerAdd("GET", "/who", (e) => {
            const of = (name) => e.request.header.get(name)
            const seconds = of("x-number") ? parseInt(of("timestamp")) : of("timestamp")
            return e.json(200, $tof.getTofIdentity(of("x-tai-identity"), seconds, of("signature"), of("x-rio-seq")))
        })
        routerAdd("GET", "/caught", (e) => {
            try { $tof.getTofIdentity("a", "b", "c", "d") } catch (error) { return e.json(200, String(error)) }
        })
    "#;
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("main.pb.js"), hook).expect("a file");
    let hooks = dir.path().display().to_string();
    let server = serve(&["--hooksDir", &hooks, "--hooksWatch=false"], &[("TOF_APP_TOKEN", TOKEN)]);
    let mut headers = signed(&payload("alice", 123));
    for _ in 0..2 {
        let answer = headers.get(&server, "/who");
        assert_eq!(answer.json(), payload("alice", 123));
        headers.more = vec![("x-number", "1".into())];
    }
    assert_eq!(headers.get(&server, USERS).status, 200, "scripts do not remember");
    let mut wrong = headers.clone();
    wrong.signature = "abc".into();
    failed(&wrong.get(&server, "/who"), "invalid signature");
    let caught = get(&server, "/caught", &[]).json().to_string();
    assert!(caught.contains("invalid signature"), "{caught}");
}

/// A request whose time is not checked is remembered as long as it would be believed.
#[test]
fn without_times_requests_count_once_all_the_same() {
    let env = [("TOF_APP_TOKEN", TOKEN), ("TOF_CHECK_TIMESTAMP", "0"), ("TOF_ALLOW_NO_EXP", "1")];
    let server = serve(&[], &env);
    let root = server.superuser();
    let late = signed_at(&payload("alice", 123), 1);
    let endless = signed_at(&json!({"loginname": "bob", "staffid": 5}), 2);
    for headers in [&late, &endless] {
        assert_eq!(headers.get(&server, USERS).status, 200);
        failed(&headers.get(&server, USERS), "replayed request");
    }
    // long after the window of times, and after old ones were removed
    let ask = json!({"query": "SELECT min(expires) AS first FROM _tofReplays"});
    let found = server.send("POST", "/api/sql", &root, &ask);
    let text = String::from_utf8_lossy(&found.body).into_owned();
    // the end of alice's identity, in 2099
    assert!(text.contains("4070909220000"), "{text}");
}

/// In compatibility mode a signed text can be cut into headers at other commas.
#[test]
fn a_request_that_is_cut_otherwise_is_the_same() {
    let server = serve(&[], &[("TOF_APP_TOKEN", TOKEN), ("TOF_SAFE_MODE", "0")]);
    let mut headers = signed(&payload("alice", 123));
    let seq = headers.seq.clone();
    headers.more =
        vec![("staffid", "1".into()), ("staffname", "a".into()), ("x-ext-data", "e,f".into())];
    headers.sign(",1,a,e,f");
    assert_eq!(headers.get(&server, USERS).status, 200);
    headers.seq = format!("{seq},1");
    headers.more =
        vec![("staffid", "a".into()), ("staffname", "e".into()), ("x-ext-data", "f".into())];
    failed(&headers.get(&server, USERS), "replayed request");
}

#[test]
fn only_the_collections_that_are_named() {
    let server = serve(&[], &[("TOF_APP_TOKEN", TOKEN), ("TOF_COLLECTIONS", "staff, users")]);
    let root = server.superuser();
    for name in ["staff", "customers"] {
        let made = json!({"name": name, "type": "auth"});
        assert_eq!(server.send("POST", "/api/collections", &root, &made).status, 200);
    }
    let of = |name: &str| {
        signed(&payload("alice", 123))
            .get(&server, &format!("/api/collections/{name}/auth-with-tof"))
    };
    assert_eq!((of("staff").status, of("users").status), (200, 200));
    let message = "The collection is not configured to allow TOF authentication.";
    for name in ["customers", "_superusers"] {
        refused(&of(name), 403, message);
    }
    assert_eq!(total(&server, &root, "customers"), 0);
}

/// The link keeps an account from whoever gets its login name next, so its owner does not remove it.
#[test]
fn links_are_removed_by_superusers_only() {
    let server = serve(&[], &[("TOF_APP_TOKEN", TOKEN)]);
    let root = server.superuser();
    let answer = signed(&payload("alice", 123)).get(&server, USERS).json();
    let token = answer["token"].as_str().expect("a token");
    let links = "/api/collections/_externalAuths/records";
    let link = server.send("GET", links, token, &Value::Null).json()["items"][0]["id"].clone();
    let path = format!("{links}/{}", link.as_str().expect("an id"));
    let own = server.send("DELETE", &path, token, &Value::Null);
    refused(&own, 403, "The link to a TOF identity cannot be removed.");
    failed(&signed(&payload("alice", 124)).get(&server, USERS), "invalid identity token");
    assert_eq!(server.send("DELETE", &path, &root, &Value::Null).status, 204);
}
