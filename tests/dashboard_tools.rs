//! Tools of the dashboard beside the reference's API: statements that can be ended, migrations that are named, services
//! that are looked at before they are trusted. `docs/dashboard-api.md`.

use std::thread;

use serde_json::{Value, json};

use crate::support::{Answer, Client, Server, eventually, oidc::Idp, postgres::Postgres};

fn sql(server: &Server, token: &str, body: &Value) -> Answer {
    server.send("POST", "/api/sql", token, body)
}

/// What differs between the databases.
struct Texts {
    marks: &'static str,
    endless_read: &'static str,
    endless_write: &'static str,
}

const SQLITE: Texts = Texts {
    marks: "SELECT ? AS a, ? AS b",
    endless_read: "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s) SELECT count(*) FROM s",
    endless_write: "INSERT INTO notes (id) SELECT i FROM (WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL \
        SELECT i + 1 FROM s) SELECT i FROM s WHERE i < 0)",
};
const POSTGRES: Texts = Texts {
    marks: "SELECT $1::text AS a, $2::text AS b",
    endless_read: "SELECT pg_sleep(900)",
    endless_write: "UPDATE notes SET title = (SELECT 'x' || pg_sleep(900)::text)",
};

/// A statement that runs until it is ended by its id.
fn ends(server: &Server, token: &str, text: &str) {
    thread::scope(|scope| {
        let runs = scope.spawn(|| sql(server, token, &json!({"query": text, "id": "long one"})));
        eventually("the end of a statement", || {
            let answer = server.send("DELETE", "/api/sql/long%20one", token, &Value::Null);
            (answer.status == 204).then_some(())
        });
        let answer = runs.join().expect("an answer");
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()["data"]["query"]["code"], "validation_cancelled");
    });
    // the name is free again, and nothing holds the database
    let after =
        sql(server, token, &json!({"query": "UPDATE notes SET title = 'free'", "id": "long one"}));
    assert_eq!((after.status, &after.json()["affectedRows"]), (200, &json!(1)));
}

fn statements(server: &Server, texts: &Texts) {
    let token = server.superuser();
    let notes =
        json!({"name": "notes", "type": "base", "fields": [{"name": "title", "type": "text"}]});
    assert_eq!(server.send("POST", "/api/collections", &token, &notes).status, 200);
    let record = server.send("POST", "/api/collections/notes/records", &token, &json!({}));
    assert_eq!(record.status, 200);

    let found = sql(server, &token, &json!({"query": texts.marks, "params": ["it's ?", null]}));
    assert_eq!(found.json()["rows"], json!([["it's ?", null]]), "{}", found.json());
    for (body, key) in [
        (json!({"query": "SELECT 1", "params": "x"}), "params"),
        (json!({"query": "SELECT 1", "id": 7}), "id"),
        (json!({"query": "SELECT 1", "id": "x".repeat(65)}), "id"),
    ] {
        let answer = sql(server, &token, &body);
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()["data"][key]["code"], "validation_invalid_value");
    }

    // a mistake has a place for who asks in our way, and the reference's answer for others
    let wrong = "SELECT id,\n  '😀', bogus FROM notes";
    let reference = sql(server, &token, &json!({"query": wrong}));
    assert_eq!((reference.status, &reference.json()["data"]), (400, &json!({})));
    let placed = sql(server, &token, &json!({"query": wrong, "readOnly": true}));
    assert_eq!(placed.json()["message"], reference.json()["message"]);
    let error = &placed.json()["data"]["query"];
    assert_eq!(error["code"], "validation_invalid_sql", "{}", placed.json());
    assert_eq!(error["params"], json!({"start": 19, "end": 24, "line": 2, "column": 9}));

    assert_eq!(server.send("DELETE", "/api/sql/none", &token, &Value::Null).status, 404);
    assert_eq!(server.send("DELETE", "/api/sql/none", "", &Value::Null).status, 401);
    ends(server, &token, texts.endless_read);
    ends(server, &token, texts.endless_write);
}

#[test]
fn statements_are_ended_and_refused_at_their_place() {
    statements(&Server::fresh(&[]), &SQLITE);
}

#[test]
fn statements_are_ended_and_refused_at_their_place_on_postgres() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let server = postgres.serve("app", &[]);
    statements(&server, &POSTGRES);
    let left = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(900)%' \
        AND state = 'active' AND pid <> pg_backend_pid()";
    eventually("no statement that sleeps", || (postgres.value("app", left) == "0").then_some(()));
}

#[test]
fn migrations_are_named() {
    let server = Server::fresh(&["--automigrate"]);
    let token = server.superuser();
    let applied = || {
        let found = server.send("GET", "/api/system/migrations", &token, &Value::Null).json();
        found["applied"].as_array().cloned().unwrap_or_default()
    };
    let mut named = Vec::new();
    for (method, path, body) in [
        ("POST", "/api/collections", json!({"name": "notes", "type": "base"})),
        ("PATCH", "/api/collections/notes", json!({"listRule": ""})),
        ("DELETE", "/api/collections/notes", Value::Null),
    ] {
        let answer = server.send(method, path, &token, &body);
        let file = answer.header("x-migration").expect("the name of a file").to_owned();
        assert!(applied().contains(&json!(file)), "{file}");
        named.push(file);
    }
    for (file, action) in named.iter().zip(["created", "updated", "deleted"]) {
        assert!(file.ends_with(&format!("_{action}_notes.js")), "{file}");
    }
    // what changes nothing writes nothing
    let same = server.send("PATCH", "/api/collections/users", &token, &json!({}));
    assert_eq!((same.status, same.header("x-migration")), (200, None));
    let plain = Server::fresh(&[]);
    let answer =
        plain.send("POST", "/api/collections", &plain.superuser(), &json!({"name": "notes"}));
    assert_eq!((answer.status, answer.header("x-migration")), (200, None));
}

#[test]
fn services_are_looked_at_before_they_are_trusted() {
    let (server, idp) = (Server::fresh(&[]), Idp::start());
    let token = server.superuser();
    let discover = |issuer: &str| {
        let path = "/api/collections/meta/oauth2-discover";
        server.send("POST", path, &token, &json!({"issuer": issuer}))
    };
    for issuer in [idp.url.clone(), format!("{}/.well-known/openid-configuration", idp.url)] {
        let found = discover(&issuer).json();
        assert_eq!(found["authURL"], format!("{}/authorize", idp.url), "{found}");
        assert_eq!(found["tokenURL"], format!("{}/token", idp.url));
        assert_eq!((&found["pkce"], &found["scopes"][0]), (&json!(true), &json!("openid")));
        assert_eq!(found["keys"], json!([{"kid": "k1", "kty": "OKP", "alg": "EdDSA"}]));
    }
    for (issuer, code) in [
        ("", "validation_is_url"),
        ("file:///etc/passwd", "validation_is_url"),
        ("http://127.0.0.1:1", "validation_unreachable"),
        (&format!("{}/other", idp.url), "validation_unreachable"),
        (&idp.url.replace("127.0.0.1", "localhost"), "validation_invalid_issuer"),
    ] {
        let answer = discover(issuer);
        assert_eq!(answer.status, 400, "{issuer}");
        assert_eq!(answer.json()["data"]["issuer"]["code"], code, "{issuer}: {}", answer.json());
    }

    let users = "/api/collections/users";
    let oauth2 = json!({"oauth2": {"enabled": true, "providers": [idp.config(&json!({}))],
        "mappedFields": {"name": "name"}}});
    assert_eq!(server.send("PATCH", users, &token, &oauth2).status, 200);
    let test = |token: &str, code: &str| {
        let body = json!({"provider": "oidc", "code": code, "redirectURL": "http://localhost/r"});
        server.send("POST", &format!("{users}/oauth2-test"), token, &body)
    };
    let count = || {
        let path = format!("{users}/records");
        server.send("GET", &path, &token, &Value::Null).json()["totalItems"].clone()
    };
    let found = test(&token, &idp.code(""));
    let seen = found.json();
    assert_eq!((found.status, &seen["user"]["email"]), (200, &json!("ann@example.com")), "{seen}");
    assert_eq!((&seen["isNew"], &seen["record"]), (&json!(true), &Value::Null));
    assert_eq!(seen["fields"], json!({"name": "Ann Lee"}));
    assert_eq!(seen["user"]["accessToken"], "");
    assert_eq!(count(), 0, "nothing is stored");
    assert_eq!(test(&token, "wrong").status, 400);
    assert_eq!(test("", &idp.code("")).status, 401);
    let ann = json!({"email": "ann@example.com", "password": "1234567890", "passwordConfirm": "1234567890"});
    let record = server.send("POST", &format!("{users}/records"), &token, &ann).json();
    let seen = test(&token, &idp.code("")).json();
    assert_eq!((&seen["isNew"], &seen["record"]), (&json!(false), &record["id"]));
    assert_eq!(seen["isLinked"], false);
}

#[test]
fn the_dashboard_is_compressed_when_it_is_built() {
    let server = Server::fresh(&[]);
    let mut client = Client::connect(server.port).expect("a connection");
    let plain = client.get("/_/", &[]).expect("the page");
    let text = String::from_utf8(plain.body).expect("UTF-8");
    let script = text.split("src=\"./").nth(2).and_then(|rest| rest.split('"').next());
    let path = format!("/_/{}", script.expect("a script"));
    let mut get = |accept: &str| client.get(&path, &[("Accept-Encoding", accept)]).expect("it");
    let plain = get("identity");
    assert_eq!(
        (plain.header("content-encoding"), plain.header("vary")),
        (None, Some("Accept-Encoding"))
    );
    for (accept, want) in [
        ("gzip, deflate, br, zstd", Some("br")),
        ("gzip, deflate", Some("gzip")),
        ("br;q=0.1, gzip;q=0.9", Some("gzip")),
        ("br;q=0, gzip", Some("gzip")),
        ("zstd", Some("zstd")),
        ("", None),
    ] {
        let answer = get(accept);
        assert_eq!(answer.header("content-encoding"), want, "{accept}");
        assert_eq!(answer.header("etag"), plain.header("etag"));
        if want.is_some_and(|encoding| encoding != "zstd") {
            // known beforehand, as it is made beforehand
            let length = answer.header("content-length").and_then(|n| n.parse::<usize>().ok());
            assert_eq!(length, Some(answer.body.len()), "{accept}");
            assert!(answer.body.len() * 2 < plain.body.len(), "{accept}");
        }
        if want.is_none() {
            assert_eq!(answer.body, plain.body);
        }
    }
}
