//! Secrets and the field type: values that nobody can read from the files, rotation, wrong keys. Spec extensions 2.10.

use std::fs;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{EMAIL, PASSWORD, Server, encode, postgres::Postgres, run};

pub(crate) const ONE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
pub(crate) const TWO: &str = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
pub(crate) const PLAIN: &str = "sk_live_1234567890";

pub(crate) fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let made = run(dir.path(), &["superuser", "upsert", EMAIL, PASSWORD, "--dir", "pb_data"]);
    assert!(made.status.success());
    dir
}

pub(crate) fn with_key(env: &[(&str, &str)]) -> Server {
    Server::on_with(directory(), &[], &[&[("PB_MASTER_KEY", ONE)], env].concat())
}

/// A server, a token of a superuser, and requests with it.
pub(crate) struct Root<'s>(pub(crate) &'s Server, pub(crate) String);

impl<'s> Root<'s> {
    pub(crate) fn of(server: &'s Server) -> Self {
        Self(server, server.superuser())
    }
    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.0.send(method, path, &self.1, body);
        let json = if answer.body.is_empty() { Value::Null } else { answer.json() };
        (answer.status, json)
    }
    pub(crate) fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, json) = self.send(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {json}");
        json
    }
    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, &Value::Null)
    }
}

/// The first cell of a query on a directory's database.
pub(crate) fn stored(server: &Server, sql: &str) -> String {
    let db = Connection::open(server.data_dir().join("data.db")).expect("the database");
    db.query_row(sql, [], |row| row.get(0)).expect("a row")
}

pub(crate) fn vault() -> Value {
    json!({"name": "vault", "type": "base", "listRule": "", "viewRule": "", "createRule": "", "updateRule": "",
        "fields": [{"name": "title", "type": "text"}, {"name": "open", "type": "secret", "hidden": false},
            {"name": "shut", "type": "secret", "maxSize": 10}]})
}

#[test]
fn without_a_key() {
    let server = Server::on(directory(), &[]);
    let root = Root::of(&server);
    let disabled = json!({"message": "Secrets feature is disabled. Please set PB_MASTER_KEY environment variable."});
    assert_eq!(root.get("/api/secrets"), (503, disabled.clone()));
    let guest = server.send("GET", "/api/secrets/x", "", &Value::Null);
    assert_eq!((guest.status, guest.json()), (503, disabled));
    let (status, refused) = root.send("POST", "/api/collections", &vault());
    assert_eq!(status, 400, "{refused}");
    assert_eq!(refused["data"]["fields"]["2"]["code"], "validation_crypto_disabled", "{refused}");
    assert_eq!(
        refused["data"]["fields"]["2"]["message"],
        "Secret field requires PB_MASTER_KEY to be configured."
    );
    root.ok("POST", "/api/collections", &json!({"name": "plain", "type": "base", "fields": []}));
    let db = Connection::open(server.data_dir().join("data.db")).expect("the database");
    let n: i64 = db
        .query_row("SELECT count(*) FROM sqlite_master WHERE name = '_secrets'", [], |r| r.get(0))
        .expect("a number");
    assert_eq!(n, 0, "off is off");
}

#[test]
fn a_key_that_is_none_is_told_and_ignored() {
    let dir = directory();
    let server = Server::on_with(dir, &[], &[("PB_MASTER_KEY", "geheim")]);
    assert_eq!(server.send("GET", "/api/secrets", "", &Value::Null).status, 503);
    assert_eq!(server.send("GET", "/api/health", "", &Value::Null).status, 200);
}

fn secrets_over_http(server: &Server) {
    let root = Root::of(server);
    assert_eq!(root.get("/api/secrets"), (200, json!({"items": [], "total": 0})));
    for (token, want) in [("", 401), ("nonsense", 401)] {
        assert_eq!(server.send("GET", "/api/secrets", token, &Value::Null).status, want);
    }
    let made = root.ok(
        "POST",
        "/api/secrets",
        &json!({"key": "STRIPE", "value": PLAIN, "description": "d"}),
    );
    let want = json!({"key": "STRIPE", "env": "global", "message": "Secret created successfully"});
    assert_eq!(made, want);
    assert_eq!(
        root.get("/api/secrets/STRIPE"),
        (200, json!({"key": "STRIPE", "value": PLAIN, "env": "global"}))
    );
    let list = root.get("/api/secrets").1;
    let item = &list["items"][0];
    assert_eq!(
        (&item["masked_value"], &item["description"], &list["total"]),
        (&json!("sk_l***"), &json!("d"), &json!(1))
    );
    assert!(item["created"].as_str().is_some_and(|at| at.contains('T')), "{item}");
    assert_eq!(item["id"].as_str().map(str::len), Some(15));
    let raw = server.send("GET", "/api/secrets", &root.1, &Value::Null).body;
    let raw = String::from_utf8_lossy(&raw).into_owned();
    assert!(raw.starts_with("{\"items\":[{\"id\":") && raw.ends_with("],\"total\":1}"), "{raw}");
    let answer = server.send("GET", "/api/secrets/STRIPE", &root.1, &Value::Null);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    // what is not given stays, what is given empty is empty
    root.ok("PUT", "/api/secrets/STRIPE", &json!({"description": "more"}));
    assert_eq!(root.get("/api/secrets/STRIPE").1["value"], PLAIN);
    assert_eq!(root.get("/api/secrets").1["items"][0]["description"], "more");
    root.ok("PUT", "/api/secrets/STRIPE", &json!({"value": PLAIN, "description": "d"}));
    root.ok("PUT", "/api/secrets/STRIPE", &json!({"value": "short"}));
    assert_eq!(root.get("/api/secrets").1["items"][0]["description"], "d");
    assert_eq!(root.get("/api/secrets").1["items"][0]["masked_value"], "***");
    root.ok("PUT", "/api/secrets/STRIPE", &json!({"value": "", "description": ""}));
    assert_eq!(root.get("/api/secrets").1["items"][0]["description"], "");
    assert_eq!(root.get("/api/secrets/STRIPE").1["value"], "");
    // environments
    for (env, value) in [("dev", "in dev"), ("prod", "in prod"), ("global", "everywhere")] {
        root.ok("POST", "/api/secrets", &json!({"key": "API_KEY", "value": value, "env": env}));
    }
    for (env, want) in
        [("dev", "in dev"), ("prod", "in prod"), ("test", "everywhere"), ("", "everywhere")]
    {
        assert_eq!(root.get(&format!("/api/secrets/API_KEY?env={env}")).1["value"], want);
    }
    let (status, missing) = root.get("/api/secrets/NONE");
    assert_eq!((status, &missing["message"]), (404, &json!("Secret not found.")));
    let envs: Vec<Value> = root.get("/api/secrets").1["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| json!([item["key"], item["env"]]))
        .collect();
    assert_eq!(
        json!(envs),
        json!([
            ["API_KEY", "dev"],
            ["API_KEY", "global"],
            ["API_KEY", "prod"],
            ["STRIPE", "global"]
        ])
    );
    assert_eq!(root.send("DELETE", "/api/secrets/API_KEY?env=prod", &Value::Null).0, 204);
    assert_eq!(root.get("/api/secrets/API_KEY?env=prod").1["value"], "everywhere");
    assert_eq!(root.send("DELETE", "/api/secrets/NONE", &Value::Null).0, 204);
    // limits
    let longest = "k".repeat(256);
    for (key, value, want) in [
        (String::new(), "x".to_owned(), "Secret key cannot be empty."),
        (format!("{longest}k"), "x".to_owned(), "Secret key too long."),
        (
            "a\0".to_owned(),
            "x".to_owned(),
            "Secret key and environment cannot contain NUL characters.",
        ),
        ("big".to_owned(), "v".repeat(4_097), "Secret value too large."),
    ] {
        let (status, refused) =
            root.send("POST", "/api/secrets", &json!({"key": key, "value": value}));
        assert_eq!((status, &refused["message"]), (400, &json!(want)));
    }
    root.ok("POST", "/api/secrets", &json!({"key": longest, "value": "v".repeat(4_096)}));
    let (status, refused) =
        root.send("PUT", "/api/secrets/big", &json!({"value": "v".repeat(4_097)}));
    assert_eq!((status, &refused["message"]), (400, &json!("Secret value too large.")));
    let (status, refused) = root.send("POST", "/api/secrets", &json!([1]));
    assert_eq!((status, &refused["message"]), (400, &json!("Invalid request body.")));
    // any text is a key
    let odd = "a/b c";
    root.ok("PUT", &format!("/api/secrets/{}", encode(odd)), &json!({"value": "odd"}));
    assert_eq!(root.get(&format!("/api/secrets/{}", encode(odd))).1["key"], odd);
    let user = root.ok(
        "POST",
        "/api/collections/users/records",
        &json!({"email": "u@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD}),
    );
    assert!(user["id"].is_string());
    let login = json!({"identity": "u@example.com", "password": PASSWORD});
    let token = server.send("POST", "/api/collections/users/auth-with-password", "", &login).json();
    let token = token["token"].as_str().expect("a token");
    assert_eq!(server.send("GET", "/api/secrets", token, &Value::Null).status, 403);
}

#[test]
fn secrets() {
    let server = with_key(&[]);
    secrets_over_http(&server);
    let root = Root::of(&server);
    let sql = "SELECT value FROM _secrets WHERE key = 'WRITTEN'";
    root.ok("POST", "/api/secrets", &json!({"key": "WRITTEN", "value": PLAIN}));
    let first = stored(&server, sql);
    root.ok("POST", "/api/secrets", &json!({"key": "WRITTEN", "value": PLAIN}));
    let second = stored(&server, sql);
    assert!(first.starts_with("pbv1:") && first != second, "{first} {second}");
    // what is moved to another row does not open there
    let db = Connection::open(server.data_dir().join("data.db")).expect("the database");
    db.execute("UPDATE _secrets SET value = ?1 WHERE key = 'API_KEY' AND env = 'dev'", [&second])
        .expect("an update");
    let (status, failed) = root.get("/api/secrets/API_KEY?env=dev");
    assert_eq!((status, &failed["message"]), (500, &json!("Failed to get secret.")));
    let metrics = server.send("GET", "/api/metrics", &root.1, &Value::Null).body;
    let metrics = String::from_utf8_lossy(&metrics).into_owned();
    let line = "pocketbase_secrets_unreadable_total 1";
    assert!(metrics.contains(line) && metrics.contains("operation=\"set\""), "{metrics}");
    let document = root.get("/api/openapi.json").1;
    assert_eq!(document["paths"]["/api/secrets/{key}"]["put"]["tags"], json!(["Secrets"]));
}

#[test]
fn secrets_on_postgres() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    postgres.execute("postgres", "CREATE DATABASE app");
    let server = postgres.serve_with(&postgres.dsn("app"), &[], &[("PB_MASTER_KEY", ONE)]);
    secrets_over_http(&server);
    fields_over_http(&server);
}

fn fields_over_http(server: &Server) {
    let root = Root::of(server);
    root.ok("POST", "/api/collections", &vault());
    let records = "/api/collections/vault/records";
    let made = root.ok("POST", records, &json!({"title": "t", "open": "plain", "shut": 12.5}));
    assert_eq!((&made["open"], &made["shut"]), (&json!("plain"), &json!("12.5")));
    let path = format!("{records}/{}", made["id"].as_str().expect("an id"));
    let guest = server.send("GET", &path, "", &Value::Null).json();
    assert_eq!((&guest["open"], guest.get("shut")), (&json!("plain"), None));
    let list = server.send("GET", records, "", &Value::Null).json();
    assert_eq!((&list["items"][0]["open"], list["items"][0].get("shut")), (&json!("plain"), None));
    // guests can neither set nor change what is hidden from them
    let ignored = server.send("PATCH", &path, "", &json!({"title": "u", "shut": "x"}));
    assert_eq!(ignored.status, 200, "{}", ignored.json());
    assert_eq!(root.get(&path).1["shut"], "12.5");
    assert_eq!(root.get(&path).1["open"], "plain", "kept when another field changes");
    root.ok("PATCH", &path, &json!({"open": ""}));
    assert_eq!(root.get(&path).1["open"], "");
    root.ok("PATCH", &path, &json!({"open": "zyxgeheim"}));
    // limits
    let (status, refused) = root.send("PATCH", &path, &json!({"shut": "eleven char"}));
    assert_eq!(status, 400);
    let error = &refused["data"]["shut"];
    assert_eq!(
        (&error["code"], &error["message"]),
        (&json!("validation_max_size"), &json!("Value exceeds maximum size limit."))
    );
    // no question can be asked about it
    for query in [
        "filter=open='zyxgeheim'",
        "filter=open~'a'",
        "sort=open",
        "filter=title='u'%26%26shut!=''",
    ] {
        let asked = root.get(&format!("{records}?{}", query.replace('\'', "%27"))).0;
        assert_eq!(asked, 400, "{query}");
    }
    for change in [
        json!({"indexes": ["CREATE INDEX i ON vault (open)"]}),
        json!({"indexes": ["CREATE UNIQUE INDEX i ON vault (title, `shut`)"]}),
        json!({"listRule": "open = 'again'"}),
        json!({"viewRule": "@collection.vault.shut = 'x'"}),
    ] {
        assert_eq!(root.send("PATCH", "/api/collections/vault", &change).0, 400, "{change}");
    }
    let (status, refused) = root.send(
        "POST",
        "/api/collections",
        &json!({"name": "big", "type": "base", "fields": [{"name": "s", "type": "secret", "maxSize": 4097}]}),
    );
    assert_eq!(status, 400);
    let code = &refused["data"]["fields"]["1"]["maxSize"]["code"];
    assert_eq!(code, "validation_max_less_equal_than_required", "{refused}");
    let needed = json!({"name": "needed", "type": "base",
        "fields": [{"name": "s", "type": "secret", "required": true}]});
    root.ok("POST", "/api/collections", &needed);
    for body in [json!({}), json!({"s": ""})] {
        let (status, refused) = root.send("POST", "/api/collections/needed/records", &body);
        let want = json!({"code": "validation_required", "message": "Cannot be blank."});
        assert_eq!((status, &refused["data"]["s"]), (400, &want));
    }
    root.ok("POST", "/api/collections/needed/records", &json!({"s": true}));
    // a view over it shows nothing
    root.ok(
        "POST",
        "/api/collections",
        &json!({"name": "seen", "type": "view", "listRule": "", "viewQuery": "SELECT id, open FROM vault"}),
    );
    let seen = server.send("GET", "/api/collections/seen/records", "", &Value::Null);
    let text = String::from_utf8_lossy(&seen.body).into_owned();
    assert!(!text.contains("zyxgeheim") && !text.contains("pbv1"), "{text}");
    root.ok(
        "POST",
        "/api/collections",
        &json!({"name": "seen2", "type": "base", "fields": [{"name": "open", "type": "text"}]}),
    );
    // and nothing is made of what is stored
    for query in [
        "SELECT id, upper(open) AS x FROM vault",
        "SELECT id, open || '' AS open FROM vault",
        "SELECT id, (open) AS x FROM vault WHERE `open` > 'a'",
        "SELECT id, x FROM (SELECT id, open AS x FROM vault)",
        "WITH c(id, x) AS (SELECT * FROM vault) SELECT id, x FROM c",
        "SELECT id, substr(open, 1, 3) AS x FROM seen",
        "SELECT id, title FROM vault ORDER BY open",
        "SELECT id, [[open]] || '' AS x FROM {{vault}}",
        // shown once, used under another name
        "WITH c AS (SELECT id, open AS y FROM vault) SELECT id, upper(y) AS x, y FROM c",
        // called as a collection without secrets
        "SELECT seen2.id, upper(seen2.open) AS x FROM vault AS seen2",
        // whole rows, and columns under other names, as PostgreSQL has them
        "SELECT v.id, to_json(v) AS x FROM vault v",
        "SELECT v.id, v::text AS x FROM vault AS v",
        "SELECT id, vault AS x FROM vault",
        "SELECT v.a AS id, upper(v.c) AS x FROM vault AS v(a, b, c, d)",
        "SELECT id, ARRAY[upper(open)] AS x FROM vault",
        "SELECT id, U&\"op\\0065n\" AS x FROM vault",
    ] {
        let view = json!({"name": "leak", "type": "view", "viewQuery": query});
        let (status, refused) = root.send("POST", "/api/collections", &view);
        assert_eq!(status, 400, "{query} {refused}");
        let dry = root.send("POST", "/api/collections/meta/dry-run-view", &json!({"query": query}));
        assert!(!dry.1.to_string().contains("pbv1"), "{query} {}", dry.1);
    }
    for query in [
        "SELECT id, vault.open AS x, count(*) AS n FROM vault GROUP BY id",
        "SELECT id, title FROM vault",
        "SELECT v.id, v.open, seen2.open AS y FROM vault AS v LEFT JOIN seen2 ON seen2.id = v.id",
    ] {
        let view = json!({"name": "fine", "type": "view", "viewQuery": query});
        root.ok("POST", "/api/collections", &view);
        let page = root.get("/api/collections/fine/records").1.to_string();
        assert!(!page.contains("pbv1") && !page.contains("zyxgeheim"), "{page}");
        assert_eq!(root.send("DELETE", "/api/collections/fine", &Value::Null).0, 204);
    }
    // nor is anything made of a secret that takes the place of a text
    let plain = json!({"name": "plain", "type": "base", "fields": [{"name": "k", "type": "text"}]});
    root.ok("POST", "/api/collections", &plain);
    let query = "SELECT id, upper(k) AS x FROM plain";
    root.ok(
        "POST",
        "/api/collections",
        &json!({"name": "uppers", "type": "view", "viewQuery": query}),
    );
    let fields = json!([{"name": "k", "type": "secret"}]);
    let changed = root.send("PATCH", "/api/collections/plain", &json!({"fields": fields}));
    assert_eq!(changed.0, 400, "{changed:?}");
    // renamed, it still opens
    root.ok("PATCH", "/api/collections/vault", &json!({"name": "safe"}));
    let path = path.replace("vault", "safe");
    assert_eq!(root.get(&path).1["open"], "zyxgeheim");
    // in batches and with its relations
    let collection = root.get("/api/collections/safe").1;
    let fields = collection["fields"].as_array().expect("fields");
    assert_eq!(fields.iter().filter(|f| f["type"] == "secret" && f["hidden"] == true).count(), 1);
    root.ok(
        "POST",
        "/api/collections",
        &json!({"name": "holders", "type": "base", "listRule": "",
            "fields": [{"name": "of", "type": "relation", "collectionId": collection["id"], "maxSelect": 1}]}),
    );
    let id = path.rsplit('/').next().expect("an id");
    root.ok("POST", "/api/collections/holders/records", &json!({"of": id}));
    let held = server.send("GET", "/api/collections/holders/records?expand=of", "", &Value::Null);
    let held = held.json();
    assert_eq!(held["items"][0]["expand"]["of"]["open"], "zyxgeheim", "{held}");
    let history = root.get(&format!("/api/collections/safe/records/{id}/history"));
    assert!(!history.1.to_string().contains("zyxgeheim"), "{history:?}");
}

#[test]
fn secret_fields() {
    let server = with_key(&[]);
    fields_over_http(&server);
    let cell = stored(&server, "SELECT open FROM safe");
    assert!(cell.starts_with("pbv1:"), "{cell}");
    for entry in fs::read_dir(server.data_dir()).expect("files") {
        let path = entry.expect("a file").path();
        let bytes = fs::read(&path).unwrap_or_default();
        assert!(!bytes.windows(9).any(|w| w == b"zyxgeheim"), "{}", path.display());
    }
}

#[test]
fn scripts() {
    let dir = directory();
    fs::create_dir(dir.path().join("pb_hooks")).expect("a folder");
    let hooks = "routerAdd('GET', '/js', (e) => {
  $secrets.set('K', 'one', { env: 'dev', description: 'd' })
  $secrets.set('K', 'all')
  const read = [$secrets.getForEnv('K', 'dev'), $secrets.get('K'), $secrets.getWithDefault('none', 'else')]
  let failed = ''
  try { $secrets.get('none') } catch (error) { failed = 'failed' }
  let undone = ''
  try {
    $app.runInTransaction((tx) => {
      $secrets.set('K', 'never')
      undone = $secrets.get('K')
      throw new Error('back')
    })
  } catch (_) {}
  $secrets.deleteForEnv('K', 'dev')
  const sealed = $app.crypto().encrypt('x')
  return e.json(200, { read, failed, undone, kept: $secrets.get('K'), n: $secrets.list().length,
    exists: $secrets.exists('K'), on: $secrets.isEnabled(), crypto: $app.crypto().isEnabled(),
    x: $app.crypto().decrypt(sealed), field: new SecretField({ name: 's' }).type() })
})";
    fs::write(dir.path().join("pb_hooks/main.pb.js"), hooks).expect("a file");
    let server = Server::on_with(dir, &[], &[("PB_MASTER_KEY", ONE)]);
    let answer = server.send("GET", "/js", "", &Value::Null);
    let want = json!({"read": ["one", "all", "else"], "failed": "failed", "undone": "never", "kept": "all",
        "n": 1, "exists": true, "on": true, "crypto": true, "x": "x", "field": "secret"});
    assert_eq!(answer.json(), want);
}

#[test]
fn environments_can_be_one() {
    let env = [
        ("PB_SECRETS_ENV_ISOLATION", "false"),
        ("PB_SECRETS_DEFAULT_ENV", "only"),
        ("PB_SECRETS_MAX_VALUE_SIZE", "3"),
    ];
    let server = with_key(&env);
    let root = Root::of(&server);
    let made = root.ok("POST", "/api/secrets", &json!({"key": "K", "value": "abc", "env": "prod"}));
    assert_eq!(made["env"], "only");
    assert_eq!(root.get("/api/secrets/K?env=dev").1["value"], "abc");
    assert_eq!(root.send("POST", "/api/secrets", &json!({"key": "K", "value": "abcd"})).0, 400);
    let off = with_key(&[("PB_SECRETS_HTTP_ENABLED", "0")]);
    assert_eq!(off.send("GET", "/api/secrets", "", &Value::Null).status, 404);
}

#[test]
fn nothing_of_a_secret_is_logged() {
    let server = with_key(&[]);
    let root = Root::of(&server);
    root.ok(
        "PATCH",
        "/api/settings",
        &json!({"logs": {"minLevel": -4, "maxDays": 1, "logAuthId": true}}),
    );
    root.ok("POST", "/api/secrets", &json!({"key": "STRIPE", "value": PLAIN, "env": "prod"}));
    root.get("/api/secrets/STRIPE?env=prod");
    let logs = crate::support::eventually("the log has it", || {
        let logs = root.get("/api/logs?perPage=200&sort=-created").1.to_string();
        (logs.contains("Secret set") && logs.contains("Secret read")).then_some(logs)
    });
    assert!(
        !logs.contains(PLAIN) && !logs.contains(&PLAIN[..7]) && !logs.contains(&ONE[..32]),
        "{logs}"
    );
}
