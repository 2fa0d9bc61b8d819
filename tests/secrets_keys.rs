//! Master keys: rotation that is all or nothing, nodes with different keys, no key, backups that go elsewhere, and who is
//! told what a secret field holds. Spec extensions 2.2, 2.10; what users reported.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::{
    realtime::Stream,
    secrets::{ONE, PLAIN, Root, TWO, directory, stored, vault, with_key},
    support::{Server, eventually, postgres::Postgres},
};

const WITH_BOTH: [(&str, &str); 2] = [("PB_MASTER_KEY", TWO), ("PB_MASTER_KEY_PREVIOUS", ONE)];
const HELLO_OF_THE_FORK: &str = "AAECAwQFBgcICQoLL2e6d6onl/81O4oEbSgjbc2dBXu7";

fn database(server: &Server) -> Connection {
    Connection::open(server.data_dir().join("data.db")).expect("the database")
}

fn has_warned(root: &Root<'_>, of: &str) {
    eventually("the log says so", || {
        let (_, logs) = root.get("/api/logs?perPage=200&sort=-created");
        let items = logs["items"].as_array()?.clone();
        let text = "There are secrets that cannot be decrypted.";
        let found = items.iter().find(|item| item["message"] == text)?;
        found["data"]["error"].as_str().filter(|error| error.contains(of)).map(str::to_owned)
    });
}

#[test]
fn keys_are_rotated() {
    let mut server = with_key(&[]);
    let root = Root::of(&server);
    root.ok("POST", "/api/collections", &vault());
    let made =
        root.ok("POST", "/api/collections/vault/records", &json!({"title": "t", "open": "plain"}));
    root.ok("POST", "/api/secrets", &json!({"key": "STRIPE", "value": PLAIN}));
    let path = format!("/api/collections/vault/records/{}", made["id"].as_str().expect("an id"));

    let needed = json!({"name": "needed", "type": "base",
        "fields": [{"name": "s", "type": "secret", "required": true}, {"name": "title", "type": "text"}]});
    root.ok("POST", "/api/collections", &needed);
    let kept = root.ok("POST", "/api/collections/needed/records", &json!({"s": "kept"}));
    let needed = format!("/api/collections/needed/records/{}", kept["id"].as_str().expect("an id"));

    // another key: names are known, values are not, and nothing is overwritten
    server.restart_with(&[("PB_MASTER_KEY", TWO)]);
    let root = Root::of(&server);
    let list = root.get("/api/secrets").1;
    assert_eq!(list["items"][0]["error"], "decryption_failed", "{list}");
    assert_eq!(list["items"][0]["masked_value"], "***", "{list}");
    let (status, failed) = root.get("/api/secrets/STRIPE");
    assert_eq!((status, &failed["message"]), (500, &json!("Failed to get secret.")));
    assert_eq!(root.get(&path).1["open"], "");
    root.ok("PATCH", &path, &json!({"title": "changed"}));
    // nor does a field that must have a value keep others from being saved
    root.ok("PATCH", &needed, &json!({"title": "changed"}));
    root.ok("PATCH", &needed, &json!({"title": "changed again", "s": ""}));
    has_warned(&root, "630dcd29");
    let before = stored(&server, "SELECT open || (SELECT value FROM _secrets) FROM vault");
    server.stop();
    let rotated =
        server.run_with(&["secrets", "rotate", "--dir", "pb_data"], &[("PB_MASTER_KEY", TWO)]);
    assert_eq!(rotated.status.code(), Some(1));
    let said = String::from_utf8_lossy(&rotated.stderr).into_owned();
    assert!(said.contains("630dcd29") && said.contains("nothing was changed"), "{said}");
    assert_eq!(stored(&server, "SELECT open || (SELECT value FROM _secrets) FROM vault"), before);

    // both keys: everything opens, and is encrypted anew
    let rotated = server.run_with(&["secrets", "rotate", "--dir", "pb_data"], &WITH_BOTH);
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    let said = String::from_utf8_lossy(&rotated.stdout).into_owned();
    assert_eq!(said, "Encrypted again: 1 secrets, 2 field values.\n");
    server.restart_with(&[("PB_MASTER_KEY", TWO)]);
    let root = Root::of(&server);
    assert_eq!(root.get("/api/secrets/STRIPE").1["value"], PLAIN);
    assert_eq!(root.get(&path).1["open"], "plain");
    assert_eq!(root.get(&path).1["title"], "changed");
    assert_eq!(root.get(&needed).1["s"], "kept");
    assert_eq!(root.send("PATCH", &needed, &json!({"s": ""})).0, 400);
}

#[test]
fn one_value_that_does_not_open_stops_a_rotation() {
    let mut server = with_key(&[]);
    let root = Root::of(&server);
    for key in ["A", "B", "C"] {
        root.ok("POST", "/api/secrets", &json!({"key": key, "value": PLAIN}));
    }
    // B as the fork wrote it; C as A, which does not open there
    let db = database(&server);
    let set = "UPDATE _secrets SET value = ?1 WHERE key = ?2";
    db.execute(set, [HELLO_OF_THE_FORK, "B"]).expect("an update");
    assert_eq!(root.get("/api/secrets/B").1["value"], "hello");
    let good = stored(&server, "SELECT value FROM _secrets WHERE key = 'C'");
    db.execute(set, [&stored(&server, "SELECT value FROM _secrets WHERE key = 'A'"), "C"])
        .expect("an update");
    server.stop();
    let all = "SELECT group_concat(value) FROM (SELECT value FROM _secrets ORDER BY key)";
    let before = stored(&server, all);
    let rotate = ["secrets", "rotate", "--dir", "pb_data"];
    let refused = server.run_with(&rotate, &WITH_BOTH);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("_secrets.value") && !said.contains(PLAIN) && !said.contains("pbv1"));
    assert_eq!(stored(&server, all), before);
    db.execute(set, [&good, "C"]).expect("an update");
    assert!(server.run_with(&rotate, &WITH_BOTH).status.success());
    assert!(!stored(&server, all).contains("630dcd29"));
    server.restart_with(&[("PB_MASTER_KEY", TWO)]);
    let root = Root::of(&server);
    assert_eq!(root.get("/api/secrets/B").1["value"], "hello");
    assert_eq!(root.get("/api/secrets/C").1["value"], PLAIN);
}

#[test]
fn without_its_key_nothing_is_lost() {
    let mut server = with_key(&[]);
    let root = Root::of(&server);
    root.ok("POST", "/api/collections", &vault());
    let made = root.ok("POST", "/api/collections/vault/records", &json!({"open": "plain"}));
    root.ok("POST", "/api/secrets", &json!({"key": "STRIPE", "value": PLAIN}));
    let path = format!("/api/collections/vault/records/{}", made["id"].as_str().expect("an id"));
    // one that is no key is told, not shown
    server.restart_with(&[("PB_MASTER_KEY", "geheim")]);
    let said = fs::read_to_string(server.data_dir().with_file_name("log")).expect("stderr");
    let reason = "master key must be exactly 64 hex characters (32 bytes)";
    assert!(said.contains(reason) && !said.contains("geheim"), "{said}");
    let root = Root::of(&server);
    has_warned(&root, "PB_MASTER_KEY not set");
    assert_eq!(root.get("/api/secrets").0, 503);
    assert_eq!(root.get(&path).1["open"], "");
    root.ok("PATCH", &path, &json!({"title": "changed"}));
    let (status, refused) = root.send("PATCH", &path, &json!({"open": "new"}));
    assert_eq!(status, 400, "{refused}");
    assert_eq!(refused["data"]["open"]["code"], "validation_crypto_disabled");
    root.ok("PATCH", "/api/collections/vault", &json!({"name": "safe"}));
    let rotated = server.run_with(&["secrets", "rotate", "--dir", "pb_data"], &[]);
    assert_eq!(rotated.status.code(), Some(1));
    server.restart_with(&[("PB_MASTER_KEY", ONE)]);
    let root = Root::of(&server);
    let found = root.get(&path.replace("vault", "safe")).1;
    assert_eq!((&found["open"], &found["title"]), (&json!("plain"), &json!("changed")));
    assert_eq!(root.get("/api/secrets/STRIPE").1["value"], PLAIN);
}

#[test]
fn nodes_with_old_and_new_keys_read_each_other() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    postgres.execute("postgres", "CREATE DATABASE app");
    let dsn = postgres.dsn("app");
    let old = [("PB_MASTER_KEY", ONE), ("PB_MASTER_KEY_PREVIOUS", TWO)];
    let (a, b) = (postgres.serve_with(&dsn, &[], &old), postgres.serve_with(&dsn, &[], &WITH_BOTH));
    let (on_a, on_b) = (Root::of(&a), Root::of(&b));
    on_a.ok("POST", "/api/collections", &vault());
    for (writes, reads, value) in [(&on_a, &on_b, "from a"), (&on_b, &on_a, "from b")] {
        writes.ok("PUT", "/api/secrets/SHARED", &json!({"value": value}));
        assert_eq!(reads.get("/api/secrets/SHARED").1["value"], value);
        let records = "/api/collections/vault/records";
        // the other node hears of the collection
        eventually("the collection is there", || (reads.get(records).0 == 200).then_some(()));
        let made = writes.ok("POST", records, &json!({"open": value}));
        let path = format!("{records}/{}", made["id"].as_str().expect("an id"));
        assert_eq!(reads.get(&path).1["open"], value);
    }
    let args = ["secrets", "rotate", "--dir", "pb_data", "--pg", &dsn];
    let rotated = a.run_with(&args, &WITH_BOTH);
    let said = String::from_utf8_lossy(&rotated.stdout).into_owned();
    assert_eq!(said, "Encrypted again: 1 secrets, 2 field values.\n");
    let sealed = postgres.value("app", "SELECT value FROM _secrets");
    assert!(sealed.starts_with("pbv1:") && !sealed.contains("630dcd29"), "{sealed}");
    assert_eq!(on_a.get("/api/secrets/SHARED").1["value"], "from b");
}

#[test]
fn views_on_postgres_take_no_rows_with_secrets() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    postgres.execute("postgres", "CREATE DATABASE app");
    let server = postgres.serve_with(&postgres.dsn("app"), &[], &WITH_BOTH);
    let root = Root::of(&server);
    root.ok("POST", "/api/collections", &vault());
    root.ok("POST", "/api/collections/vault/records", &json!({"open": PLAIN}));
    for query in [
        "SELECT v.id, v::text AS x FROM vault v",
        "SELECT id, to_json(vault) AS x FROM vault",
        "SELECT v.id, row_to_json(v) AS x FROM vault AS v",
        "SELECT v.id, (SELECT json_agg(w) FROM vault w) AS x FROM vault v",
        "SELECT v.id, x FROM (TABLE vault) AS v(id, x)",
        "SELECT v.a AS id, upper(v.b) AS x FROM vault AS v(a, b, c, d)",
        "SELECT id, ARRAY[upper(open)] AS x FROM vault",
        "SELECT id, upper(U&\"op\\0065n\") AS x FROM vault",
        "SELECT id, E'\\'' || open || E'\\'' AS x FROM vault",
    ] {
        let view = json!({"name": "leak", "type": "view", "viewQuery": query});
        let (status, refused) = root.send("POST", "/api/collections", &view);
        assert_eq!(status, 400, "{query} {refused}");
        let dry = root.send("POST", "/api/collections/meta/dry-run-view", &json!({"query": query}));
        assert!(!dry.1.to_string().contains("pbv1"), "{query} {}", dry.1);
    }
    let query = "SELECT v.id, v.open, json_build_object('a', v.id) AS x FROM vault AS v";
    let view = json!({"name": "fine", "type": "view", "viewQuery": query});
    root.ok("POST", "/api/collections", &view);
    let page = root.get("/api/collections/fine/records").1.to_string();
    // nor do views that were there before the secret
    let fields = json!([{"name": "k", "type": "text"}]);
    let plain = json!({"name": "plain", "type": "base", "fields": fields});
    root.ok("POST", "/api/collections", &plain);
    let query = "SELECT id, to_json(plain) AS x FROM plain";
    let rows = json!({"name": "rows", "type": "view", "viewQuery": query});
    root.ok("POST", "/api/collections", &rows);
    let fields = json!([{"name": "k", "type": "text"}, {"name": "s", "type": "secret"}]);
    let changed = root.send("PATCH", "/api/collections/plain", &json!({"fields": fields}));
    assert!(changed.0 == 400 && changed.1["message"].to_string().contains("rows"), "{changed:?}");
    assert!(page.contains("\"a\"") && !page.contains("pbv1") && !page.contains(PLAIN), "{page}");
}

/// The files of a server's backup, in a directory of their own.
fn restored(server: &Server, root: &Root<'_>) -> tempfile::TempDir {
    root.ok("POST", "/api/backups", &json!({"name": "one.zip"}));
    let token = root.ok("POST", "/api/files/token", &Value::Null);
    let token = token["token"].as_str().expect("a token");
    let path = format!("/api/backups/one.zip?token={token}");
    let archive = server.send("GET", &path, "", &Value::Null).body;
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(archive)).expect("a zip");
    let dir = tempfile::tempdir().expect("a directory");
    for at in 0..zip.len() {
        let mut entry = zip.by_index(at).expect("an entry");
        let name = entry.name().expect("a name").into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("its bytes");
        for plain in [PLAIN, "zyxgeheim", &ONE[..16]] {
            assert!(!has(&bytes, plain), "{plain} in {name}");
        }
        let to = dir.path().join("pb_data").join(&name);
        if entry.is_file() {
            fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
            fs::write(to, bytes).expect("a file");
        }
    }
    dir
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn backups_go_elsewhere_with_the_key_only() {
    let server = with_key(&[]);
    let root = Root::of(&server);
    root.ok("POST", "/api/collections", &vault());
    root.ok("POST", "/api/collections/vault/records", &json!({"open": "zyxgeheim"}));
    root.ok("POST", "/api/secrets", &json!({"key": "STRIPE", "value": PLAIN}));
    let mut elsewhere = Server::on_with(restored(&server, &root), &[], &[("PB_MASTER_KEY", ONE)]);
    let there = Root::of(&elsewhere);
    assert_eq!(there.get("/api/secrets/STRIPE").1["value"], PLAIN);
    let list = there.get("/api/collections/vault/records").1;
    assert_eq!(list["items"][0]["open"], "zyxgeheim");
    elsewhere.restart_with(&[("PB_MASTER_KEY", TWO)]);
    has_warned(&Root::of(&elsewhere), "no master key with the id 630dcd29");
}

#[test]
fn realtime_and_exports_show_what_their_reader_may_see() {
    let server = with_key(&[]);
    let root = Root::of(&server);
    root.ok("POST", "/api/collections", &vault());
    let (mut guest, mut superuser) = (Stream::open(&server), Stream::open(&server));
    guest.subscribe(&server, "", &["vault/*"]);
    superuser.subscribe(&server, &root.1, &["vault/*"]);
    let body = json!({"title": "t", "open": "all", "shut": "few"});
    root.ok("POST", "/api/collections/vault/records", &body);
    let seen = guest.next().expect("an event").data["record"].clone();
    assert_eq!((&seen["open"], seen.get("shut")), (&json!("all"), None), "{seen}");
    let seen = superuser.next().expect("an event").data["record"].clone();
    assert_eq!((&seen["open"], &seen["shut"]), (&json!("all"), &json!("few")), "{seen}");
    let explain =
        root.send("POST", "/api/collections/vault/explain", &json!({"filter": "title='t'"}));
    assert!(!explain.1.to_string().contains("few"), "{explain:?}");
    for format in ["csv", "json", "ndjson"] {
        let path = format!("/api/collections/vault/export?format={format}");
        let answer = server.send("GET", &path, &root.1, &Value::Null);
        assert!(!has(&answer.body, "pbv1"), "{}", String::from_utf8_lossy(&answer.body));
    }
}

#[test]
fn scripts_without_a_key() {
    let dir = directory();
    fs::create_dir(dir.path().join("pb_hooks")).expect("a folder");
    let hooks = "routerAdd('GET', '/js', (e) => {
  const failed = (f) => { try { f(); return '' } catch (error) { return String(error.message) } }
  return e.json(200, { on: [$secrets.isEnabled(), $app.crypto().isEnabled()],
    get: failed(() => $secrets.get('K')), seal: failed(() => $app.crypto().encrypt('x')),
    other: $secrets.getWithDefault('K', 'other') })
})";
    fs::write(dir.path().join("pb_hooks/main.pb.js"), hooks).expect("a file");
    let answer = Server::on(dir, &[]).send("GET", "/js", "", &Value::Null).json();
    let off = "crypto engine not enabled: PB_MASTER_KEY not set";
    for part in ["get", "seal"] {
        let said = answer[part].as_str().expect("a message").to_lowercase();
        assert!(said.contains(&off.to_lowercase()), "{answer}");
    }
    assert_eq!((&answer["on"], &answer["other"]), (&json!([false, false]), &json!("other")));
}

/// An upstream that answers with the heads that it is sent, as many connections as come.
fn echo() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { return };
            let (mut head, mut piece) = (Vec::new(), [0; 4_096]);
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                match socket.read(&mut piece) {
                    Ok(n) if n > 0 => head.extend_from_slice(&piece[..n]),
                    _ => break,
                }
            }
            let answer = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                head.len()
            );
            let _ = socket.write_all(&[answer.as_bytes(), &head].concat());
        }
    });
    port
}

#[test]
fn headers_of_the_gateway_take_secrets() {
    let mut server = with_key(&[]);
    let root = Root::of(&server);
    root.ok("POST", "/api/secrets", &json!({"key": "API_KEY", "value": PLAIN}));
    let proxy = json!({"path": "/-/echo", "upstream": format!("http://127.0.0.1:{}", echo()),
        "headers": {"X-Key": "Bearer {secret.API_KEY}"}, "active": true});
    root.ok("POST", "/api/collections/_proxies/records", &proxy);
    let sent = eventually("the proxy is there", || {
        let answer = server.send("GET", "/-/echo/x", &root.1, &Value::Null);
        (answer.status == 200).then_some(answer.body)
    });
    let sent = String::from_utf8_lossy(&sent).into_owned();
    assert!(sent.to_lowercase().contains(&format!("x-key: bearer {PLAIN}")), "{sent}");
    // nothing is forwarded without it
    server.restart_with(&[("PB_MASTER_KEY", TWO)]);
    let root = Root::of(&server);
    let refused = eventually("the proxy is there", || {
        let answer = server.send("GET", "/-/echo/x", &root.1, &Value::Null);
        (answer.status == 500).then_some(answer.json())
    });
    assert_eq!(refused["error"], "Gateway Configuration Error", "{refused}");
    assert!(refused["details"].as_str().is_some_and(|text| text.contains("API_KEY")), "{refused}");
}
