//! PostgreSQL going wrong under a serving process: what clients are told, and that nothing is lost or done twice.

use std::{
    collections::HashSet,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{Answer, Client, Server, eventually, postgres::Postgres, run};

const RECORDS: &str = "/api/collections/items/records";

/// A server with a collection `items` that everybody may use. Rows titled `slow…` take `seconds` to be written.
fn served(postgres: &Postgres, database: &str, flags: &[&str], seconds: f32) -> Server {
    let server = postgres.serve(database, flags);
    prepare(&server);
    postgres.execute(
        database,
        &format!(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF NEW.title LIKE 'slow%' THEN PERFORM pg_sleep({seconds}); END IF; RETURN NEW; END $$; \
             CREATE TRIGGER slow BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION slow()"
        ),
    );
    server
}

fn prepare(server: &Server) {
    let token = server.superuser();
    let field = |name: &str, kind: &str| json!({ "name": name, "type": kind });
    let body = json!({ "name": "items", "type": "base", "listRule": "", "viewRule": "", "createRule": "",
        "updateRule": "", "deleteRule": "", "fields": [field("title", "text"), field("n", "number"),
            field("data", "json"), field("mail", "email"), field("html", "editor"), field("link", "url"),
            { "name": "kind", "type": "select", "values": ["a", "b"] },
            { "name": "kinds", "type": "select", "values": ["a", "b"], "maxSelect": 2 }] });
    let made = server.send("POST", "/api/collections", &token, &body);
    assert_eq!(made.status, 200, "{}", made.json());
    let batch = json!({ "batch": { "enabled": true, "maxRequests": 50, "timeout": 30 } });
    assert_eq!(server.send("PATCH", "/api/settings", &token, &batch).status, 200);
}

fn create(server: &Server, title: &str) -> Answer {
    server.send("POST", RECORDS, "", &json!({ "title": title }))
}

fn count(postgres: &Postgres, database: &str, title: &str) -> String {
    postgres.value(database, &format!("SELECT count(*) FROM items WHERE title = '{title}'"))
}

/// The process ids of the server that are in the middle of a slow statement.
fn asleep(postgres: &Postgres, database: &str) -> Option<String> {
    let sql = format!(
        "SELECT pid FROM pg_stat_activity WHERE datname = '{database}' AND wait_event = 'PgSleep'"
    );
    Some(postgres.value(database, &sql)).filter(|pid| !pid.is_empty())
}

const KILL_ALL: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
    WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[test]
fn refused_with_one_line() {
    let hba = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
    let Some(postgres) = Postgres::start(&[("pg_hba.conf", hba)], &[]) else { return };
    postgres.execute("postgres", "CREATE ROLE app LOGIN PASSWORD 'richtig'");
    postgres.execute(
        "postgres",
        "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
    );
    let dir = tempfile::tempdir().expect("a directory");
    let port = postgres.port;
    for (dsn, word) in [
        (format!("postgres://app:falsch@127.0.0.1:{port}/postgres"), "password"),
        (format!("postgres://app:richtig@127.0.0.1:{port}/nothing"), "\"nothing\" does not exist"),
        (format!("postgres://app:richtig@127.0.0.1:{port}/latin"), "UTF8"),
    ] {
        let done = run(dir.path(), &["serve", "--http", "127.0.0.1:0", "--pg", &dsn]);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success() && said.contains(word), "{said}");
        assert!(said.lines().count() == 1 && !said.contains("falsch"), "{said}");
        assert!(!said.contains("richtig"), "{said}");
    }
}

#[test]
fn killed_connections_are_replaced() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let server = served(&postgres, "killed", &[], 1.5);
    for round in 0..5 {
        postgres.execute("killed", KILL_ALL);
        assert_eq!(server.send("GET", RECORDS, "", &Value::Null).status, 200, "round {round}");
        postgres.execute("killed", KILL_ALL);
        assert_eq!(create(&server, "quick").status, 200, "round {round}");
        postgres.execute("killed", KILL_ALL);
        let batch = json!({ "requests": [{ "method": "POST", "url": RECORDS, "body": { "title": "batch" } }] });
        assert_eq!(server.send("POST", "/api/batch", "", &batch).status, 200, "round {round}");
    }
    assert_eq!(
        (count(&postgres, "killed", "quick"), count(&postgres, "killed", "batch")),
        ("5".into(), "5".into())
    );

    // In the middle of a statement: the server says that it ended it, so it is done again, once.
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| create(&server, "slow"));
        eventually("the statement runs", || asleep(&postgres, "killed"));
        postgres.execute("killed", KILL_ALL);
        assert_eq!(answer.join().expect("an answer").status, 200);
    });
    assert_eq!(count(&postgres, "killed", "slow"), "1");

    // In the middle of a transaction: nothing of it is kept.
    std::thread::scope(|scope| {
        let item =
            |title: &str| json!({ "method": "POST", "url": RECORDS, "body": { "title": title } });
        let batch = json!({ "requests": [item("first"), item("slow too")] });
        let server = &server;
        let answer = scope.spawn(move || server.send("POST", "/api/batch", "", &batch));
        eventually("the statement runs", || asleep(&postgres, "killed"));
        postgres.execute("killed", KILL_ALL);
        let answer = answer.join().expect("an answer");
        assert_eq!(answer.status, 503, "{}", answer.json());
        assert_eq!(answer.header("retry-after"), Some("1"));
    });
    assert_eq!(count(&postgres, "killed", "first"), "0");

    // A process that is killed says nothing: whether it had committed cannot be known, and it is not done again.
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| create(&server, "slow as well"));
        let pid = eventually("the statement runs", || asleep(&postgres, "killed"));
        std::process::Command::new("kill").args(["-9", &pid]).status().expect("kill");
        assert_eq!(answer.join().expect("an answer").status, 503);
    });
    eventually("the server recovers", || {
        Some(()).filter(|()| create(&server, "after").status == 200)
    });
    assert_eq!(count(&postgres, "killed", "slow as well"), "0");
}

/// Writes until told to stop; the ids that were acknowledged, and every status seen.
fn write_on(port: u16, stop: &AtomicBool) -> (Vec<String>, HashSet<u16>) {
    let (mut ids, mut statuses) = (Vec::new(), HashSet::new());
    let body = json!({ "title": "load" }).to_string();
    while !stop.load(Relaxed) {
        let Ok(mut client) = Client::connect(port) else { continue };
        while !stop.load(Relaxed) {
            let sent = client.send("POST", RECORDS, "", "application/json", body.as_bytes());
            let Ok(answer) = sent else { break };
            statuses.insert(answer.status);
            if answer.status == 200 {
                ids.push(answer.json()["id"].as_str().expect("an id").to_owned());
            }
        }
    }
    (ids, statuses)
}

#[test]
fn a_restart_under_load_loses_nothing() {
    let Some(mut postgres) = Postgres::start(&[], &[]) else { return };
    let server = served(&postgres, "restarted", &[], 0.0);
    let (port, stop) = (server.port, AtomicBool::new(false));
    let (ids, statuses) = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4).map(|_| scope.spawn(|| write_on(port, &stop))).collect();
        let rows = |postgres: &Postgres| count(postgres, "restarted", "load").parse().unwrap_or(0);
        eventually("there is load", || Some(()).filter(|()| rows(&postgres) > 100));
        postgres.pause(Duration::from_secs(3));
        let before = rows(&postgres);
        eventually("there is load again", || Some(()).filter(|()| rows(&postgres) > before + 100));
        stop.store(true, Relaxed);
        let mut all = (Vec::new(), HashSet::new());
        for writer in writers {
            let (ids, statuses) = writer.join().expect("a writer");
            all.0.extend(ids);
            all.1.extend(statuses);
        }
        all
    });
    assert!(statuses.is_subset(&HashSet::from([200, 503])), "{statuses:?}");
    let list: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    let sql = format!("SELECT count(*) FROM items WHERE id IN ({})", list.join(","));
    assert_eq!(postgres.value("restarted", &sql), ids.len().to_string(), "acknowledged writes");
    assert_eq!(server.send("GET", RECORDS, "", &Value::Null).status, 200);
}

#[test]
fn an_outage_makes_nobody_a_guest() {
    let Some(mut postgres) = Postgres::start(&[], &[]) else { return };
    let server = served(&postgres, "outage", &[], 0.0);
    let token = server.superuser();
    let made =
        |title: &str| create(&server, title).json()["id"].as_str().expect("an id").to_owned();
    let (id, doomed) = (made("here"), made("doomed"));
    std::thread::scope(|scope| {
        let (server, token) = (&server, &token);
        let paused = scope.spawn(|| postgres.pause(Duration::from_secs(14)));
        std::thread::sleep(Duration::from_millis(500));
        let asked = [
            ("GET", format!("{RECORDS}/{id}")),
            ("GET", RECORDS.to_owned()),
            ("PATCH", format!("{RECORDS}/{id}")),
            ("DELETE", format!("{RECORDS}/{doomed}")),
            ("GET", "/api/collections".to_owned()),
        ];
        let asked = asked.map(|(method, path)| {
            scope.spawn(move || {
                let body = if method == "PATCH" { json!({ "n": 1 }) } else { Value::Null };
                (format!("{method} {path}"), server.send(method, &path, token, &body))
            })
        });
        for answer in asked {
            let (what, answer) = answer.join().expect("an answer");
            assert!(
                matches!(answer.status, 200 | 204 | 503),
                "{what}: {} {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
        }
        paused.join().expect("it comes back");
    });
    eventually("it is served again", || {
        let path = format!("{RECORDS}/{id}");
        Some(()).filter(|()| server.send("GET", &path, "", &Value::Null).status == 200)
    });
}

#[test]
fn an_exhausted_pool_says_so() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let server = served(&postgres, "exhausted", &["--dataMaxOpenConns", "2"], 13.0);
    let one = format!("{RECORDS}/000000000000001");
    std::thread::scope(|scope| {
        let slow: Vec<_> = (0..2).map(|_| scope.spawn(|| create(&server, "slow"))).collect();
        let busy = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        eventually("all are busy", || {
            Some(()).filter(|()| postgres.value("exhausted", busy) == "2")
        });
        let asks =
            [("GET", RECORDS), ("POST", RECORDS), ("GET", &one), ("PATCH", &one), ("DELETE", &one)];
        let answers = asks.map(|(method, path)| {
            let server = &server;
            (method, scope.spawn(move || server.send(method, path, "", &json!({}))))
        });
        for (method, answer) in answers {
            let answer = answer.join().expect("an answer");
            assert_eq!(answer.status, 429, "{method}: {}", String::from_utf8_lossy(&answer.body));
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
        for slow in slow {
            assert_eq!(slow.join().expect("an answer").status, 200);
        }
    });
    assert_eq!(server.send("GET", RECORDS, "", &Value::Null).status, 200);
}

#[test]
fn deadlocks_are_resolved() {
    let Some(postgres) = Postgres::start(&[], &["deadlock_timeout=100ms"]) else { return };
    let server = served(&postgres, "deadlocks", &[], 0.4);
    // What is written beside the records that a batch names cannot be known before.
    postgres.execute(
        "deadlocks",
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         UPDATE items SET kind = 'b' WHERE 'touch ' || id = NEW.title; RETURN NEW; END $$; \
         CREATE TRIGGER touch AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION touch()",
    );
    let id = |title: &str| create(&server, title).json()["id"].as_str().expect("an id").to_owned();
    let (a, b) = (id("slow a"), id("slow b"));
    let update = |id: &str| json!({ "method": "PATCH", "url": format!("{RECORDS}/{id}"), "body": { "n": 1 } });
    let touch = |id: &str| json!({ "method": "POST", "url": RECORDS, "body": { "title": format!("touch {id}") } });
    std::thread::scope(|scope| {
        let batches = [
            json!({ "requests": [update(&a), touch(&b)] }),
            json!({ "requests": [update(&b), touch(&a)] }),
        ];
        let server = &server;
        let answers =
            batches.map(|batch| scope.spawn(move || server.send("POST", "/api/batch", "", &batch)));
        for answer in answers {
            let answer = answer.join().expect("an answer");
            assert_eq!(answer.status, 200, "{}", answer.json());
        }
    });
    let deadlocks = "SELECT deadlocks > 0 FROM pg_stat_database WHERE datname = 'deadlocks'";
    eventually("there was a deadlock", || {
        Some(()).filter(|()| postgres.value("deadlocks", deadlocks) == "t")
    });
    let both = "SELECT string_agg(n::text || kind, ',') FROM items WHERE title LIKE 'slow%'";
    assert_eq!(postgres.value("deadlocks", both), "1b,1b");
}

#[test]
fn batches_over_the_same_records_take_turns() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let server = served(&postgres, "turns", &[], 0.0);
    let limits = json!({ "batch": { "enabled": true, "maxRequests": 50, "timeout": 10 } });
    assert_eq!(server.send("PATCH", "/api/settings", &server.superuser(), &limits).status, 200);
    let ids: Vec<String> = (0..8)
        .map(|_| create(&server, "x").json()["id"].as_str().expect("an id").to_owned())
        .collect();
    let add = |id: &String| json!({ "method": "PATCH", "url": format!("{RECORDS}/{id}"), "body": { "n+": 1 } });
    std::thread::scope(|scope| {
        for client in 0..10 {
            let (server, ids, add) = (&server, &ids, &add);
            scope.spawn(move || {
                for round in 0..3 {
                    let mut items: Vec<Value> = ids.iter().map(add).collect();
                    if (client + round) % 2 == 1 {
                        items.reverse();
                    }
                    let started = Instant::now();
                    let answer =
                        server.send("POST", "/api/batch", "", &json!({ "requests": items }));
                    assert_eq!(answer.status, 200, "{}", answer.json());
                    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
                }
            });
        }
    });
    assert_eq!(
        postgres.value("turns", "SELECT string_agg(n::text, ' ') FROM items"),
        ["30"; 8].join(" ")
    );
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = 'turns'";
    assert_eq!(postgres.value("turns", deadlocks), "0");

    // The limit is that of all attempts together, also where a lock is waited for.
    let limits = json!({ "batch": { "enabled": true, "maxRequests": 50, "timeout": 2 } });
    assert_eq!(server.send("PATCH", "/api/settings", &server.superuser(), &limits).status, 200);
    let held = postgres.hold("turns", &format!("UPDATE items SET n = 0 WHERE id = '{}'", ids[3]));
    let started = Instant::now();
    let items: Vec<Value> = ids.iter().map(add).collect();
    let answer = server.send("POST", "/api/batch", "", &json!({ "requests": items }));
    assert_eq!(answer.status, 400, "{}", answer.json());
    assert!((2.0..20.0).contains(&started.elapsed().as_secs_f64()), "{:?}", started.elapsed());
    drop(held);
    let answer =
        server.send("POST", "/api/batch", "", &json!({ "requests": [add(&ids[0]), add(&ids[3])] }));
    assert_eq!(answer.status, 200, "{}", answer.json());
}

#[test]
fn serialization_failures_are_resolved() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    postgres.execute("postgres", "CREATE DATABASE serializable");
    let dsn =
        format!("{} default_transaction_isolation=serializable", postgres.dsn("serializable"));
    let server = postgres.serve_existing(&dsn, &[]);
    prepare(&server);
    let id = create(&server, "counter").json()["id"].as_str().expect("an id").to_owned();
    let path = format!("{RECORDS}/{id}");
    std::thread::scope(|scope| {
        for step in 0..4 {
            let (server, path) = (&server, &path);
            scope.spawn(move || {
                for _ in 0..10 {
                    let item = json!({ "method": "PATCH", "url": path, "body": { "n": step } });
                    let more =
                        json!({ "method": "POST", "url": RECORDS, "body": { "title": "one" } });
                    let batch = json!({ "requests": [item, more] });
                    let answer = server.send("POST", "/api/batch", "", &batch);
                    assert_eq!(answer.status, 200, "{}", answer.json());
                }
            });
        }
    });
    assert_eq!(count(&postgres, "serializable", "one"), "40");
}

#[test]
fn what_postgres_cannot_store_is_a_field_error() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let server = served(&postgres, "nul", &[], 0.0);
    let token = server.superuser();
    let id = create(&server, "here").json()["id"].as_str().expect("an id").to_owned();
    for (field, value) in [
        ("title", json!("a\0b")),
        ("data", json!("a\0b")),
        ("data", json!({ "k": ["a\0"] })),
        ("data", json!({ "a\0": 1 })),
        ("html", json!("<p>\0</p>")),
        ("mail", json!("a\0@example.com")),
        ("link", json!("https://example.com/\0")),
        ("kind", json!("a\0")),
        ("kinds", json!(["a", "\0"])),
        ("id", json!("abc\0efghijklmno")),
    ] {
        let answer = server.send("POST", RECORDS, &token, &json!({ field: value }));
        assert_eq!(answer.status, 400, "{field} {value}: {}", answer.json());
        assert!(answer.json()["data"][field]["code"].is_string(), "{field}: {}", answer.json());
        let path = format!("{RECORDS}/{id}");
        let answer = server.send("PATCH", &path, &token, &json!({ field: value }));
        assert_eq!(answer.status, 400, "{field} {value}: {}", answer.json());
    }
    // Halves of surrogate pairs are refused, as in the reference; whole ones are one character.
    for (body, status, want) in [
        (r#"{"title":"\ud800"}"#, 400, json!({})),
        (r#"{"data":"\ud800"}"#, 400, json!({})),
        (r#"{"data":{"k":"\udc00x"}}"#, 400, json!({})),
        (r#"{"data":"\ud83d\ude00"}"#, 200, json!("\u{1F600}")),
    ] {
        let mut client = Client::connect(server.port).expect("connect");
        let answer = client
            .send("POST", RECORDS, "", "application/json", body.as_bytes())
            .expect("an answer");
        assert_eq!((answer.status, &answer.json()["data"]), (status, &want), "{body}");
    }
    for (method, path, body) in [
        ("GET", format!("{RECORDS}/a%00b"), Value::Null),
        ("PATCH", format!("{RECORDS}/a%00b"), json!({ "n": 1 })),
        ("DELETE", format!("{RECORDS}/a%00b"), Value::Null),
        ("GET", format!("{RECORDS}?filter=title%3D'a%00'"), Value::Null),
        ("GET", format!("{RECORDS}?filter=title!~'a%00'%26%26data.k%3D'%00'"), Value::Null),
        ("GET", format!("{RECORDS}?filter=kinds%3F%3D'%00'"), Value::Null),
        ("GET", format!("{RECORDS}?sort=%00"), Value::Null),
        ("GET", format!("{RECORDS}?expand=%00&fields=%00"), Value::Null),
        ("GET", "/api/collections/a%00b/records".into(), Value::Null),
        ("GET", "/api/collections/a%00b".into(), Value::Null),
        ("GET", "/api/files/items/a%00/b%00".into(), Value::Null),
        ("GET", "/api/logs?filter=data.url%3D'%00'".into(), Value::Null),
        ("GET", "/api/logs/a%00b".into(), Value::Null),
        (
            "POST",
            "/api/collections/users/auth-with-password".into(),
            json!({ "identity": "a\0", "password": "a\0" }),
        ),
        ("POST", "/api/collections/users/request-otp".into(), json!({ "email": "a\0@b.cd" })),
        (
            "POST",
            "/api/collections/users/auth-with-otp".into(),
            json!({ "otpId": "a\0", "password": "a\0" }),
        ),
        (
            "POST",
            "/api/collections/users/request-password-reset".into(),
            json!({ "email": "a\0@b.cd" }),
        ),
        (
            "POST",
            "/api/collections/users/records".into(),
            json!({ "email": "a@b.cd", "password": "a\u{0}12345678", "passwordConfirm": "a\u{0}12345678", "name": "\0" }),
        ),
        ("POST", "/api/collections".into(), json!({ "name": "x\0", "type": "base" })),
        (
            "POST",
            "/api/collections".into(),
            json!({ "name": "rule", "type": "base", "listRule": "id = 'a\0'" }),
        ),
        (
            "POST",
            "/api/collections".into(),
            json!({ "name": "opts", "type": "base", "fields": [{ "name": "s", "type": "select", "values": ["a\0"] }] }),
        ),
        (
            "POST",
            "/api/collections".into(),
            json!({ "name": "vie", "type": "view", "viewQuery": "SELECT id, '\0' AS t FROM items" }),
        ),
        (
            "POST",
            "/api/collections".into(),
            json!({ "name": "ind", "type": "base", "indexes": ["CREATE INDEX `a\0` ON `ind` (`id`)"] }),
        ),
        ("PATCH", "/api/settings".into(), json!({ "meta": { "appName": "a\0" } })),
        ("POST", "/api/backups".into(), json!({ "name": "a\0.zip" })),
        ("POST", "/api/sql".into(), json!({ "query": "SELECT '\0'" })),
        (
            "POST",
            "/api/batch".into(),
            json!({ "requests": [{ "method": "POST", "url": RECORDS, "body": { "title": "\0" } }] }),
        ),
    ] {
        let answer = server.send(method, &path, &token, &body);
        let said = String::from_utf8_lossy(&answer.body);
        assert!((200..500).contains(&answer.status), "{method} {path}: {said}");
        assert!(!said.contains("reached"), "{method} {path} {body}: {said}");
    }
    // The log takes what it can: entries with NUL do not keep others out.
    server.send("GET", "/api/collections/none/records?x=%00nul", "", &Value::Null);
    server.send("GET", "/api/collections/none/records?x=other", "", &Value::Null);
    for part in ["nul", "other"] {
        eventually("the entry is stored", || {
            let path = format!("/api/logs?filter=message~'none'%26%26message~'{part}'");
            Some(()).filter(|()| {
                server.send("GET", &path, &token, &Value::Null).json()["totalItems"] == 1
            })
        });
    }
}

fn peak_memory_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
}

#[test]
fn huge_values_are_refused() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let server = served(&postgres, "huge", &[], 0.0);
    let answer = server.send("POST", RECORDS, "", &json!({ "data": "x".repeat(2 << 20) }));
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["data"]["data"]["code"], "validation_json_size_limit");
    let deep = format!("{{\"data\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
    let mut client = Client::connect(server.port).expect("connect");
    let answer =
        client.send("POST", RECORDS, "", "application/json", deep.as_bytes()).expect("an answer");
    assert!((200..500).contains(&answer.status), "{}", answer.status);

    let before = peak_memory_kib(&server);
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("connect");
    let head = format!(
        "POST {RECORDS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("the head");
    let mut piece = format!("{:x}\r\n", 1 << 20).into_bytes();
    piece.resize(piece.len() + (1 << 20), b' ');
    piece.extend_from_slice(b"\r\n");
    let sent = (0..200).take_while(|_| stream.write_all(&piece).is_ok()).count();
    let mut said = String::new();
    // A connection that is closed while we write may lose the answer.
    let _ = stream.read_to_string(&mut said);
    assert!(sent < 200 && (said.is_empty() || said.contains(" 413 ")), "{sent} {said}");
    let grown = peak_memory_kib(&server).saturating_sub(before);
    assert!(grown < 100 << 10, "{grown} KiB");
    assert_eq!(create(&server, "after").status, 200);
}

#[test]
fn an_update_writes_what_changes() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let server = served(&postgres, "changes", &[], 0.0);
    let made = create(&server, "x").json();
    let path = format!("{RECORDS}/{}", made["id"].as_str().expect("an id"));
    let update = |body: &Value| server.send("PATCH", &path, "", body);
    let row = || postgres.value("changes", "SELECT xmin FROM items");
    postgres.execute(
        "changes",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a key was written'; END $$; \
         CREATE TRIGGER refuse BEFORE UPDATE OF id ON items FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    let before = row();
    for body in
        [json!({}), json!({ "title": "x" }), json!({ "id": made["id"] }), json!({ "n+": 0 })]
    {
        let answer = update(&body);
        assert_eq!((answer.status, answer.json()), (200, made.clone()), "{body}");
    }
    assert_eq!(row(), before, "no new version of the row");
    let answer = update(&json!({ "id": made["id"], "title": "y" }));
    assert_eq!((answer.status, &answer.json()["title"]), (200, &json!("y")));
    assert_ne!(row(), before);
}

#[test]
fn the_part_of_a_table_that_refuses_a_value_is_no_name() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let server = served(&postgres, "parts", &[], 0.0);
    // As servers say it that keep a table in parts.
    postgres.execute(
        "parts",
        "CREATE UNIQUE INDEX items_title ON items (title); \
         CREATE FUNCTION part() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         RAISE unique_violation USING CONSTRAINT = NEW.link, TABLE = 'items_102025'; END $$; \
         CREATE TRIGGER part BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION part()",
    );
    for (constraint, field) in [("items_pkey_102025", "id"), ("items_title_7", "title")] {
        postgres.execute(
            "parts",
            &format!(
                "CREATE OR REPLACE FUNCTION part() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         RAISE unique_violation USING CONSTRAINT = '{constraint}', TABLE = 'items_102025'; END $$"
            ),
        );
        let answer = create(&server, "x");
        assert_eq!(answer.status, 400);
        assert_eq!(
            answer.json()["data"][field]["code"],
            "validation_not_unique",
            "{}",
            answer.json()
        );
    }
}

#[test]
fn a_relation_that_the_database_refuses_is_no_empty_one() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let server = served(&postgres, "refused", &[], 0.0);
    let token = server.superuser();
    let items = server.send("GET", "/api/collections/items", &token, &Value::Null).json();
    let body = json!({ "name": "notes", "type": "base", "listRule": "", "viewRule": "", "createRule": "",
        "fields": [{ "name": "item", "type": "relation", "collectionId": items["id"], "maxSelect": 1 },
            { "name": "items", "type": "relation", "collectionId": items["id"], "maxSelect": 5 }] });
    assert_eq!(server.send("POST", "/api/collections", &token, &body).status, 200);
    let item = create(&server, "x").json()["id"].clone();
    let notes = "/api/collections/notes/records";
    let note = json!({ "item": item, "items": [item] });
    let made = server.send("POST", notes, "", &note);
    assert_eq!(made.status, 200, "{}", made.json());
    let note_path = format!("{notes}/{}", made.json()["id"].as_str().expect("an id"));
    let asks = [
        (format!("{RECORDS}?expand=notes_via_item"), "notes_via_item"),
        (
            format!("{RECORDS}/{}?expand=notes_via_items", item.as_str().expect("an id")),
            "notes_via_items",
        ),
        (format!("{notes}?expand=item.notes_via_item"), "item.notes_via_item"),
        (format!("{note_path}?expand=items"), "items"),
    ];
    for (path, _) in &asks {
        assert_eq!(server.send("GET", path, "", &Value::Null).status, 200, "{path}");
    }
    // What a rule or a path does not allow stays left out.
    let locked = json!({ "viewRule": null });
    assert_eq!(server.send("PATCH", "/api/collections/notes", &token, &locked).status, 200);
    for path in [&asks[0].0, &format!("{RECORDS}?expand=nothing_via_item")] {
        let answer = server.send("GET", path, "", &Value::Null);
        assert!(
            answer.status == 200 && answer.json()["items"][0]["expand"].is_null(),
            "{}",
            answer.json()
        );
    }
    assert_eq!(
        server.send("PATCH", "/api/collections/notes", &token, &json!({ "viewRule": "" })).status,
        200
    );
    // A view that cannot be read in one kind of query stands for what a server cannot do.
    postgres.execute(
        "refused",
        "CREATE FUNCTION fails(id text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN \
         IF current_query() LIKE '%jsonb_array_elements_text%' THEN RAISE feature_not_supported; END IF; RETURN true; END $$; \
         ALTER TABLE notes RENAME TO notes_kept; CREATE VIEW notes AS SELECT * FROM notes_kept WHERE fails(id)",
    );
    for (path, relation) in &asks[..2] {
        let answer = server.send("GET", path, "", &Value::Null);
        assert_eq!(answer.status, 400, "{path}: {}", answer.json());
        assert_eq!(
            answer.json()["message"],
            format!("Failed to expand {relation}."),
            "{}",
            answer.json()
        );
    }
    let answer = server.send("GET", &asks[2].0, "", &Value::Null);
    assert_eq!(
        answer.json()["message"],
        "Failed to expand item.notes_via_item.",
        "{}",
        answer.json()
    );
    // What was written stays written.
    let path = format!("{RECORDS}/{}?expand=notes_via_item", item.as_str().expect("an id"));
    let answer = server.send("PATCH", &path, "", &json!({ "title": "z" }));
    assert_eq!((answer.status, &answer.json()["title"]), (200, &json!("z")));
}

#[test]
fn a_locked_table_leaves_connections_for_others() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let server = served(&postgres, "shared_out", &["--dataMaxOpenConns", "12"], 0.0);
    let token = server.superuser();
    let body = json!({ "name": "others", "type": "base", "listRule": "", "createRule": "", "updateRule": "",
        "fields": [{ "name": "n", "type": "number" }] });
    assert_eq!(server.send("POST", "/api/collections", &token, &body).status, 200);
    let path = "/api/collections/others/records";
    let id = server.send("POST", path, "", &json!({ "n": 1 })).json()["id"].clone();
    let one = format!("{path}/{}", id.as_str().expect("an id"));
    let held = postgres.hold("shared_out", "LOCK TABLE items");
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'shared_out' AND wait_event_type = 'Lock'";
    std::thread::scope(|scope| {
        let stuck: Vec<_> = (0..60)
            .map(|n| {
                let server = &server;
                let batch = json!({ "requests": [{ "method": "POST", "url": RECORDS, "body": { "n": n } }] });
                scope.spawn(move || match n % 3 {
                    0 => server.send("GET", RECORDS, "", &Value::Null).status,
                    1 => create(server, "x").status,
                    _ => server.send("POST", "/api/batch", "", &batch).status,
                })
            })
            .collect();
        eventually("many wait for the table", || {
            let n: u32 = postgres.value("shared_out", waits).parse().ok()?;
            (n >= 8).then_some(())
        });
        let started = Instant::now();
        for n in 0..30 {
            let add = json!({ "n+": 1 });
            let batch = json!({ "requests": [{ "method": "PATCH", "url": one, "body": add }] });
            for (method, path, body) in [
                ("GET", path, &Value::Null),
                ("PATCH", &one, &add),
                ("POST", path, &json!({ "n": n })),
                ("POST", "/api/batch", &batch),
                ("GET", "/api/collections/_superusers/auth-methods", &Value::Null),
            ] {
                let answer = server.send(method, path, "", body);
                assert_eq!(answer.status, 200, "{method} {path}: {}", answer.json());
            }
        }
        assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
        assert!(postgres.value("shared_out", waits).parse::<u32>().expect("a number") >= 8);
        drop(held);
        let answers: HashSet<u16> =
            stuck.into_iter().map(|s| s.join().expect("an answer")).collect();
        assert!(answers.is_subset(&HashSet::from([200, 429])), "{answers:?}");
    });
}
