//! Read replicas: a node reads what it wrote, uses replicas that know it, and serves on when they end.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use serde_json::{Value, json};

use crate::support::{Client, Server, eventually, postgres::Postgres};

const RECORDS: &str = "/api/collections/items/records";

fn collection(server: &Server) {
    let body = json!({ "name": "items", "type": "base", "listRule": "", "viewRule": "", "createRule": "",
        "updateRule": "", "deleteRule": "", "fields": [{ "name": "title", "type": "text" }] });
    let made = server.send("POST", "/api/collections", &server.superuser(), &body);
    assert_eq!(made.status, 200, "{}", made.json());
}

fn create(server: &Server, title: &str) -> String {
    let made = server.send("POST", RECORDS, "", &json!({ "title": title }));
    assert_eq!(made.status, 200, "{}", made.json());
    made.json()["id"].as_str().expect("an id").to_owned()
}

fn title(server: &Server, id: &str) -> Option<String> {
    let answer = server.send("GET", &format!("{RECORDS}/{id}"), "", &Value::Null);
    (answer.status == 200).then(|| answer.json()["title"].as_str().unwrap_or_default().to_owned())
}

fn total(server: &Server, id: &str) -> Value {
    let path = format!("{RECORDS}?filter=id%3D%27{id}%27");
    server.send("GET", &path, "", &Value::Null).json()["totalItems"].clone()
}

/// Connections of the server on which records were read.
fn readers(postgres: &Postgres, database: &str) -> Vec<u32> {
    let ask = format!(
        "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE datname = '{database}' \
         AND query LIKE 'SELECT%\"items\"%' AND pid <> pg_backend_pid()"
    );
    postgres.value("postgres", &ask).split(' ').filter_map(|pid| pid.parse().ok()).collect()
}

/// Reads until a replica has answered.
fn until_used(server: &Server, replica: &Postgres, database: &str) {
    eventually("reads go to the replica", || {
        let page = server.send("GET", RECORDS, "", &Value::Null);
        assert_eq!(page.status, 200);
        (!readers(replica, database).is_empty()).then_some(())
    });
}

#[test]
fn own_writes_are_read() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    postgres.execute("postgres", "CREATE DATABASE own");
    let replica = postgres.standby(&["recovery_min_apply_delay=60ms"]);
    let flags = ["--pgReplica", &replica.dsn("own"), "--pgReplica", "host=127.0.0.1 port=1"];
    let server = postgres.serve_existing(&postgres.dsn("own"), &flags);
    collection(&server);
    create(&server, "first");
    until_used(&server, &replica, "own");
    let mut misses = 0;
    for n in 0..150 {
        let id = create(&server, &n.to_string());
        misses += usize::from(title(&server, &id) != Some(n.to_string()));
        let path = format!("{RECORDS}/{id}");
        server.send("PATCH", &path, "", &json!({ "title": "changed" }));
        misses += usize::from(title(&server, &id).as_deref() != Some("changed"));
        misses += usize::from(total(&server, &id) != 1);
        if n % 3 == 0 {
            assert_eq!(server.send("DELETE", &path, "", &Value::Null).status, 204);
            misses += usize::from(title(&server, &id).is_some() || total(&server, &id) != 0);
        }
        // between being behind and being used again
        std::thread::sleep(std::time::Duration::from_millis(n % 10 * 20));
    }
    assert_eq!(misses, 0);

    // a replica that stands still is not asked, however long it does
    replica.execute("postgres", "SELECT pg_wal_replay_pause()");
    let id = create(&server, "unseen");
    for _ in 0..50 {
        assert_eq!(title(&server, &id).as_deref(), Some("unseen"));
        assert_eq!(total(&server, &id), 1);
    }
    assert_eq!(replica.value("own", &format!("SELECT count(*) FROM items WHERE id = '{id}'")), "0");
    // a schema change is known, too
    let field = json!({ "fields": [{ "name": "title", "type": "text" }, { "name": "n", "type": "number" }] });
    let changed = server.send("PATCH", "/api/collections/items", &server.superuser(), &field);
    assert_eq!(changed.status, 200, "{}", changed.json());
    let page = server.send("GET", &format!("{RECORDS}?sort=n"), "", &Value::Null).json();
    assert_eq!(page["items"][0]["n"], 0, "{page}");
    replica.execute("postgres", "SELECT pg_wal_replay_resume()");
    replica.execute(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'own'",
    );
    until_used(&server, &replica, "own");
}

#[test]
fn writes_of_other_nodes_are_read_once_heard_of() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    postgres.execute("postgres", "CREATE DATABASE news");
    let replica = postgres.standby(&["recovery_min_apply_delay=500ms"]);
    let flags = ["--pgReplica", &replica.dsn("news")];
    let (one, two) = (
        postgres.serve_existing(&postgres.dsn("news"), &flags),
        postgres.serve_existing(&postgres.dsn("news"), &[]),
    );
    collection(&two);
    eventually("the collection is known", || {
        (one.send("GET", RECORDS, "", &Value::Null).status == 200).then_some(())
    });
    until_used(&one, &replica, "news");
    for n in 0..10 {
        let id = create(&two, &n.to_string());
        // the news arrive within milliseconds, half a second before the record does
        eventually("the record is seen", || title(&one, &id));
        assert_eq!(title(&one, &id), Some(n.to_string()));
    }
}

#[test]
fn a_replica_that_ends_fails_nobody() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    postgres.execute("postgres", "CREATE DATABASE ends");
    let mut replica = postgres.standby(&[]);
    let server =
        postgres.serve_existing(&postgres.dsn("ends"), &["--pgReplica", &replica.dsn("ends")]);
    collection(&server);
    let id = create(&server, "one");
    until_used(&server, &replica, "ends");
    let (ended, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = Client::connect(server.port).expect("connect");
                let path = format!("{RECORDS}/{id}");
                while !ended.load(Relaxed) {
                    for path in [&path, RECORDS] {
                        let answer = client.send("GET", path, "", "", &[]).expect("an answer");
                        assert_eq!(answer.status, 200, "{}", answer.json());
                        done.fetch_add(1, Relaxed);
                    }
                }
            });
        }
        let more = |n: usize| {
            let from = done.load(Relaxed);
            eventually("requests are answered", || (done.load(Relaxed) > from + n).then_some(()));
        };
        for _ in 0..3 {
            more(50);
            replica.crash();
            more(50);
            replica.resume();
            eventually("reads come back to the replica", || {
                (!readers(&replica, "ends").is_empty()).then_some(())
            });
        }
        ended.store(true, Relaxed);
    });
}

#[test]
fn policies_act_on_replicas() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    postgres.execute("postgres", "CREATE ROLE app LOGIN");
    postgres.execute("postgres", "CREATE DATABASE guarded OWNER app");
    let replica = postgres.standby(&[]);
    let dsn = |server: &Postgres| server.dsn("guarded").replace("user=postgres", "user=app");
    let server = postgres.serve_existing(&dsn(&postgres), &["--pgReplica", &dsn(&replica)]);
    collection(&server);
    let (shown, hidden) = (create(&server, "shown"), create(&server, "hidden"));
    postgres.execute(
        "guarded",
        "ALTER TABLE items ENABLE ROW LEVEL SECURITY; ALTER TABLE items FORCE ROW LEVEL SECURITY; \
         CREATE POLICY p ON items USING (title <> 'hidden' OR current_setting('pb.auth.collection', true) = '_superusers')",
    );
    // a write of its own, so that the node looks for policies
    let token = server.superuser();
    let field = json!({ "listRule": "id != ''" });
    assert_eq!(server.send("PATCH", "/api/collections/items", &token, &field).status, 200);
    let sees = |token: &str, id: &str| {
        server.send("GET", &format!("{RECORDS}/{id}"), token, &Value::Null).status == 200
    };
    eventually("policies are noticed", || (!sees("", &hidden)).then_some(()));
    let read = || {
        let ask = "SELECT xact_commit FROM pg_stat_database WHERE datname = 'guarded'";
        replica.value("postgres", ask).parse::<u64>().expect("a number")
    };
    let from = read();
    eventually("reads go to the replica", || {
        assert!(sees("", &shown) && !sees("", &hidden) && sees(&token, &hidden));
        (read() > from + 100).then_some(())
    });
}

#[test]
fn what_is_no_replica_is_left_out() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    postgres.execute("postgres", "CREATE DATABASE app");
    postgres.execute("postgres", "CREATE DATABASE other");
    let standby = postgres.standby(&[]);
    // the primary itself, another database, nobody
    let replicas = [postgres.dsn("app"), standby.dsn("other"), "host=127.0.0.1 port=1".to_owned()];
    let server = postgres.serve_with(
        &postgres.dsn("app"),
        &[],
        &[("PB_POSTGRES_REPLICA", replicas.join("\n").as_str())],
    );
    collection(&server);
    let id = create(&server, "one");
    for _ in 0..50 {
        assert_eq!(title(&server, &id).as_deref(), Some("one"));
    }
    assert_eq!(readers(&standby, "other"), [] as [u32; 0]);

    let dir = tempfile::tempdir().expect("a directory");
    let flags = [
        "serve",
        "--dir",
        "pb_data",
        "--pg",
        &postgres.dsn("app"),
        "--pgReplica",
        "password=geheim nonsense",
    ];
    let refused = crate::support::run(dir.path(), &flags);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("--pgReplica"), "{said}");
    assert!(!said.contains("geheim"), "{said}");
}
