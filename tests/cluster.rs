//! Several nodes over one PostgreSQL: what is changed on one is seen on the others, nothing that was acknowledged is lost,
//! nothing runs twice.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use engine::{
    App,
    app::Config,
    event::Hooks,
    store::postgres::{Dsn, PostgresConfig},
};
use serde_json::{Value, json};

use crate::{
    realtime::{Stream, encoded},
    support::{Answer, Client, EMAIL, PASSWORD, Server, postgres::Postgres, run},
};

/// Longest wait for news from another node.
const SEEN: Duration = Duration::from_secs(5);

fn ok(answer: &Answer) -> Value {
    assert!(answer.status < 300, "{} {}", answer.status, String::from_utf8_lossy(&answer.body));
    if answer.status == 204 { Value::Null } else { answer.json() }
}

/// Waits until something holds; how long that took.
fn wait_until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
        thread::sleep(Duration::from_millis(2));
    }
    start.elapsed()
}

/// Some nodes over one database.
struct Nodes {
    postgres: Postgres,
    nodes: Vec<Server>,
    root: String,
}

impl Nodes {
    /// `n` nodes that start at the same time on an empty database.
    fn start(n: usize) -> Option<Self> {
        let postgres = Postgres::start(&[], &[])?;
        let dsn = postgres.dsn("postgres");
        let nodes: Vec<Server> = thread::scope(|scope| {
            let started: Vec<_> = (0..n).map(|_| scope.spawn(|| node(&dsn))).collect();
            started.into_iter().map(|node| node.join().expect("a node")).collect()
        });
        let dir = tempfile::tempdir().expect("a directory");
        upsert(dir.path(), &dsn);
        let root = nodes[0].superuser();
        Some(Self { postgres, nodes, root })
    }

    fn send(&self, node: usize, method: &str, path: &str, body: &Value) -> Answer {
        self.nodes[node].send(method, path, &self.root, body)
    }

    fn collection(&self, name: &str, rule: &str, fields: &Value) -> Value {
        let kind = if name == "members" { "auth" } else { "base" };
        let body = json!({
            "name": name, "type": kind, "fields": fields,
            "listRule": rule, "viewRule": rule, "createRule": "", "updateRule": "", "deleteRule": "",
        });
        ok(&self.send(0, "POST", "/api/collections", &body))
    }

    fn create(&self, node: usize, collection: &str, body: &Value) -> String {
        let path = format!("/api/collections/{collection}/records");
        let made = ok(&self.send(node, "POST", &path, body));
        made["id"].as_str().expect("an id").to_owned()
    }

    /// The last node but the first knows a collection as the first one does.
    fn settle(&self, name: &str) {
        let path = format!("/api/collections/{name}");
        for node in 1..self.nodes.len() {
            wait_until("a collection", SEEN, || {
                self.send(node, "GET", &path, &Value::Null).status == 200
            });
        }
    }
}

fn node(dsn: &str) -> Server {
    Server::on(tempfile::tempdir().expect("a directory"), &["--pg", dsn])
}

fn upsert(dir: &Path, dsn: &str) {
    let made = run(dir, &["superuser", "upsert", EMAIL, PASSWORD, "--dir", "pb_data", "--pg", dsn]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn title() -> Value {
    json!([{"name": "title", "type": "text"}])
}

fn brief(stream: &mut Stream) -> String {
    let event = stream.next().expect("an event");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{} {}", text(&event.data["action"]), text(&event.data["record"]["title"]))
}

#[test]
fn schema_and_settings_travel() {
    let Some(nodes) = Nodes::start(3) else { return };
    let migrations =
        nodes.postgres.value("postgres", "SELECT count(*) - count(DISTINCT file) FROM _migrations");
    assert_eq!(migrations, "0", "each migration once");
    nodes.collection("posts", "", &title());
    nodes.settle("posts");
    // a field, added on the last node
    let fields =
        json!({"fields": [{"name": "title", "type": "text"}, {"name": "extra", "type": "bool"}]});
    ok(&nodes.send(2, "PATCH", "/api/collections/posts", &fields));
    for node in [0, 1] {
        let took = wait_until("a field", SEEN, || {
            let found = nodes.send(node, "GET", "/api/collections/posts", &Value::Null).json();
            found["fields"].as_array().expect("fields").iter().any(|f| f["name"] == "extra")
        });
        println!("schema change seen on node {node} after {took:?}");
    }
    let change = json!({"meta": {"appName": "Together"}});
    ok(&nodes.send(1, "PATCH", "/api/settings", &change));
    for node in [0, 2] {
        let took = wait_until("settings", SEEN, || {
            let found = nodes.send(node, "GET", "/api/settings", &Value::Null).json();
            found["meta"]["appName"] == "Together"
        });
        println!("settings change seen on node {node} after {took:?}");
    }
    // rate limits are settings
    let limit = json!({"rateLimits": {"enabled": true, "rules": [{"label": "/api/health", "maxRequests": 1, "duration": 1000}]}});
    ok(&nodes.send(0, "PATCH", "/api/settings", &limit));
    wait_until("a rate limit", SEEN, || {
        nodes.nodes[1].send("GET", "/api/health", "", &Value::Null).status == 429
    });
    ok(&nodes.send(0, "DELETE", "/api/collections/posts", &Value::Null));
    for node in [1, 2] {
        wait_until("a deletion", SEEN, || {
            nodes.send(node, "GET", "/api/collections/posts", &Value::Null).status == 404
        });
    }
    // a collection that nobody has told of is looked for
    nodes.postgres.execute("postgres", "UPDATE _collections SET name = 'persons' WHERE name = 'users'; ALTER TABLE users RENAME TO persons");
    wait_until("an unknown collection", SEEN, || {
        nodes.send(1, "GET", "/api/collections/persons/records", &Value::Null).status == 200
    });
}

#[test]
fn record_events_travel() {
    let Some(nodes) = Nodes::start(2) else { return };
    let rooms = nodes.collection("rooms", "", &json!([{"name": "open", "type": "bool"}]));
    let fields = json!([
        {"name": "title", "type": "text"},
        {"name": "room", "type": "relation", "collectionId": rooms["id"], "maxSelect": 1},
    ]);
    nodes.collection("talks", "room.open = true", &fields);
    nodes.collection("posts", "", &title());
    nodes.settle("posts");
    let open = nodes.create(0, "rooms", &json!({"open": true}));
    let closed = nodes.create(0, "rooms", &json!({"open": false}));
    let there = &nodes.nodes[1];
    let (mut posts, mut talks) = (Stream::open(there), Stream::open(there));
    posts.subscribe(there, "", &["posts/*"]);
    talks.subscribe(there, "", &["talks"]);

    let start = Instant::now();
    let id = nodes.create(0, "posts", &json!({"title": "one"}));
    assert_eq!(brief(&mut posts), "create one");
    println!("record event on the other node after {:?}, request included", start.elapsed());
    let path = format!("/api/collections/posts/records/{id}");
    ok(&nodes.send(0, "PATCH", &path, &json!({"title": "two"})));
    assert_eq!(brief(&mut posts), "update two");
    ok(&nodes.send(0, "DELETE", &path, &Value::Null));
    assert_eq!(brief(&mut posts), "delete two");

    // a rule that looks at other rows, also when the row itself is gone
    for room in [&closed, &open] {
        let id = nodes.create(0, "talks", &json!({"title": "talk", "room": room}));
        if *room == open {
            assert_eq!(brief(&mut talks), "create talk");
        }
        ok(&nodes.send(0, "DELETE", &format!("/api/collections/talks/records/{id}"), &Value::Null));
    }
    nodes.create(0, "talks", &json!({"title": "last", "room": open}));
    assert_eq!([brief(&mut talks), brief(&mut talks)], ["delete talk", "create last"]);

    // one transaction, many records; what is rolled back is nobody's news
    let item = |title: &str| json!({"method": "POST", "url": "/api/collections/posts/records", "body": {"title": title}});
    ok(&nodes.send(
        0,
        "PATCH",
        "/api/settings",
        &json!({"batch": {"enabled": true, "maxRequests": 500, "timeout": 30}}),
    ));
    let bad = json!({"requests": [item("lost"), {"method": "PATCH", "url": "/api/collections/posts/records/nobody", "body": {}}]});
    assert_eq!(nodes.send(0, "POST", "/api/batch", &bad).status, 400);
    let items: Vec<Value> = (0..200).map(|n| item(&format!("b{n}"))).collect();
    ok(&nodes.send(0, "POST", "/api/batch", &json!({"requests": items})));
    for n in 0..200 {
        assert_eq!(brief(&mut posts), format!("create b{n}"));
    }

    // none is lost, in either direction
    let (mut here, first) = (Stream::open(&nodes.nodes[0]), &nodes.nodes[0]);
    here.subscribe(first, "", &["posts/*"]);
    let start = Instant::now();
    for n in 0..300 {
        nodes.create(n % 2, "posts", &json!({"title": format!("s{n}")}));
    }
    for stream in [&mut posts, &mut here] {
        let mut seen: Vec<String> = (0..300).map(|_| brief(stream)).collect();
        let order: Vec<String> = (0..300).map(|n| format!("create s{n}")).collect();
        seen.sort_unstable();
        let mut all = order.clone();
        all.sort_unstable();
        assert_eq!(seen, all);
    }
    println!("300 records over two nodes, seen by both, in {:?}", start.elapsed());
}

#[test]
fn records_leave_on_every_node() {
    let Some(nodes) = Nodes::start(2) else { return };
    let fields = json!([{"name": "title", "type": "text"}, {"name": "n", "type": "number"}]);
    nodes.collection("posts", "n > 0", &fields);
    nodes.settle("posts");
    let there = &nodes.nodes[1];
    let (mut asks, mut silent) = (Stream::open(there), Stream::open(there));
    let leave = encoded(&json!({"query": {"filter": "title != 'x'"}, "leave": true}));
    asks.subscribe(there, "", &[&format!("posts/*{leave}")]);
    silent.subscribe(there, "", &["posts/*"]);
    let kept = || nodes.postgres.value("postgres", "SELECT count(*)::text FROM \"_pb_events\"");
    // Until the first node has heard of it, nobody keeps what it overwrites.
    let mut last = String::new();
    wait_until("the other node keeps rows", SEEN, || {
        let id = nodes.create(0, "posts", &json!({"title": "one", "n": 1}));
        let before = kept();
        let path = format!("/api/collections/posts/records/{id}");
        ok(&nodes.send(0, "PATCH", &path, &json!({"n": 0})));
        last = id;
        kept() != before
    });
    loop {
        let event = asks.next().expect("an event");
        if event.data["action"] == "leave" {
            assert_eq!(event.data, json!({"action": "leave", "record": {"id": last}}));
            break;
        }
        assert_eq!(event.data["action"], "create");
    }
    // made and taken away in one transaction, hidden all the time, out of the filter
    let id = "b".repeat(15);
    let change = |method: &str, path: &str, body: Value| json!({"method": method, "url": format!("/api/collections/posts/records{path}"), "body": body});
    let path = format!("/{id}");
    let settings = json!({"batch": {"enabled": true, "maxRequests": 50, "timeout": 10}});
    ok(&nodes.send(0, "PATCH", "/api/settings", &settings));
    let requests = json!([
        change("POST", "", json!({"id": id, "n": 1})),
        change("PATCH", &path, json!({"n": 0}))
    ]);
    ok(&nodes.send(0, "POST", "/api/batch", &json!({"requests": requests})));
    // a node that hears late of a change sees the record as it is by then: each is heard of before the next
    let heard = |asks: &mut Stream, marker: &str| {
        nodes.create(0, "posts", &json!({"title": marker, "n": 1}));
        assert_eq!(brief(asks), format!("create {marker}"));
    };
    let path = format!("/api/collections/posts/records/{id}");
    heard(&mut asks, "after the batch");
    ok(&nodes.send(0, "PATCH", &path, &json!({"title": "y"})));
    heard(&mut asks, "after the title");
    ok(&nodes.send(0, "PATCH", &path, &json!({"n": 5})));
    assert_eq!(brief(&mut asks), "update y");
    ok(&nodes.send(0, "PATCH", &path, &json!({"title": "x"})));
    let event = asks.next().expect("an event");
    assert_eq!(event.data, json!({"action": "leave", "record": {"id": id}}));
    // who does not ask hears as ever
    while brief(&mut silent) != "update y" {}
    assert_eq!(brief(&mut silent), "update x");
    // nobody asks any more: nothing is kept
    drop(asks);
    let (id, mut n) = (nodes.create(0, "posts", &json!({"title": "z", "n": 1})), 1);
    wait_until("nothing is kept any more", 6 * SEEN, || {
        n += 1;
        let before = kept();
        ok(&nodes.send(
            0,
            "PATCH",
            &format!("/api/collections/posts/records/{id}"),
            &json!({"n": n}),
        ));
        kept() == before
    });
}

#[test]
fn a_logout_travels() {
    let Some(nodes) = Nodes::start(2) else { return };
    nodes.collection("members", "", &json!([]));
    nodes.collection("secrets", "@request.auth.id != ''", &title());
    nodes.settle("secrets");
    let body = json!({"email": "a@example.com", "password": "1234567890", "passwordConfirm": "1234567890"});
    let id = nodes.create(0, "members", &body);
    let login = json!({"identity": "a@example.com", "password": "1234567890"});
    let answer =
        nodes.nodes[1].send("POST", "/api/collections/members/auth-with-password", "", &login);
    let token = ok(&answer)["token"].as_str().expect("a token").to_owned();
    let there = &nodes.nodes[1];
    let refresh =
        || there.send("POST", "/api/collections/members/auth-refresh", &token, &Value::Null).status;
    assert_eq!(refresh(), 200);
    let (mut member, mut root) = (Stream::open(there), Stream::open(there));
    member.subscribe(there, &token, &["secrets", "marks"]);
    root.subscribe(there, &nodes.root, &["secrets"]);
    nodes.create(0, "secrets", &json!({"title": "before"}));
    assert_eq!(brief(&mut member), "create before");

    let path = format!("/api/collections/members/records/{id}");
    ok(&nodes.send(
        0,
        "PATCH",
        &path,
        &json!({"password": "0987654321", "passwordConfirm": "0987654321"}),
    ));
    let took = wait_until("a logout", SEEN, || refresh() == 401);
    println!("logout seen on the other node after {took:?}");
    // the stream is a guest's now: it sees what everybody sees
    nodes.collection("marks", "", &title());
    nodes.create(0, "secrets", &json!({"title": "after"}));
    nodes.create(0, "marks", &json!({"title": "mark"}));
    assert_eq!(brief(&mut member), "create mark");
    assert_eq!([brief(&mut root), brief(&mut root)], ["create before", "create after"]);
}

#[test]
fn concurrent_counting_forgets_none() {
    let Some(nodes) = Nodes::start(2) else { return };
    let fields = json!([
        {"name": "n", "type": "number"},
        {"name": "tags", "type": "select", "maxSelect": 50, "values": (0..50).map(|n| format!("t{n}")).collect::<Vec<_>>()},
    ]);
    nodes.collection("counts", "", &fields);
    nodes.settle("counts");
    let id = nodes.create(0, "counts", &json!({"n": 0}));
    let path = format!("/api/collections/counts/records/{id}");
    let mut seen: Vec<i64> = thread::scope(|scope| {
        let tasks: Vec<_> = (0..50)
            .map(|n| {
                let (path, nodes) = (&path, &nodes);
                scope.spawn(move || {
                    let body = json!({"n+": 1, "tags+": format!("t{n}")});
                    loop {
                        let answer = nodes.send(n % 2, "PATCH", path, &body);
                        // A busy machine may let somebody wait too long for a connection: nothing was done then.
                        if answer.status != 503 {
                            return ok(&answer)["n"].as_i64().expect("n");
                        }
                    }
                })
            })
            .collect();
        tasks.into_iter().map(|task| task.join().expect("an answer")).collect()
    });
    let end = ok(&nodes.send(1, "GET", &path, &Value::Null));
    assert_eq!(end["n"], 50);
    assert_eq!(end["tags"].as_array().map(Vec::len), Some(50));
    seen.sort_unstable();
    assert_eq!(seen, (1..=50).collect::<Vec<i64>>(), "every answer is a state that was");
}

/// Writes through a node until told to stop; keeps what was acknowledged.
fn write_on(port: u16, token: &str, name: &str, stop: &AtomicBool, kept: &Mutex<Vec<String>>) {
    let mut n = 0;
    while !stop.load(Relaxed) {
        let Ok(mut client) = Client::connect(port) else {
            thread::sleep(Duration::from_millis(20));
            continue;
        };
        while !stop.load(Relaxed) {
            n += 1;
            let title = format!("{name}-{n}");
            let body = json!({"title": title}).to_string();
            let path = "/api/collections/posts/records";
            match client.send("POST", path, token, "application/json", body.as_bytes()) {
                Ok(answer) if answer.status == 200 => kept.lock().expect("kept").push(title),
                Ok(_) => thread::sleep(Duration::from_millis(5)),
                Err(_) => break,
            }
        }
    }
}

#[test]
fn faults_lose_nothing_acknowledged() {
    let Some(mut nodes) = Nodes::start(3) else { return };
    nodes.collection("posts", "", &title());
    nodes.settle("posts");
    let (stop, kept) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
    let writers: Vec<_> = nodes
        .nodes
        .iter()
        .enumerate()
        .map(|(n, node)| {
            let (port, token) = (node.port, nodes.root.clone());
            let (stop, kept) = (stop.clone(), kept.clone());
            thread::spawn(move || write_on(port, &token, &format!("w{n}"), &stop, &kept))
        })
        .collect();
    let n_kept = || kept.lock().expect("kept").len();
    let more = |n: usize| {
        let start = n_kept();
        wait_until("writes", Duration::from_secs(60), || n_kept() >= start + n);
    };
    more(100);
    nodes.nodes[2].kill_and_restart();
    more(100);
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IS NOT NULL AND pid <> pg_backend_pid()";
    nodes.postgres.execute("postgres", kill);
    more(100);
    nodes.postgres.restart();
    more(100);
    nodes.nodes[1].kill_and_restart();
    more(100);
    stop.store(true, Relaxed);
    for writer in writers {
        writer.join().expect("a writer");
    }
    let kept = std::mem::take(&mut *kept.lock().expect("kept"));
    let found = nodes.postgres.value("postgres", "SELECT string_agg(title, ',') FROM posts");
    let found: std::collections::HashSet<&str> = found.split(',').collect();
    let lost: Vec<&String> = kept.iter().filter(|title| !found.contains(title.as_str())).collect();
    println!("{} acknowledged, {} stored, {} lost", kept.len(), found.len(), lost.len());
    assert!(lost.is_empty(), "{lost:?}");

    // all of them hear each other again
    ok(&nodes.send(0, "PATCH", "/api/settings", &json!({"meta": {"appName": "After"}})));
    for node in [1, 2] {
        let took = wait_until("settings after the faults", Duration::from_secs(40), || {
            let found = nodes.send(node, "GET", "/api/settings", &Value::Null);
            found.status == 200 && found.json()["meta"]["appName"] == "After"
        });
        println!("settings change seen on node {node} after {took:?}");
    }
    let there = &nodes.nodes[2];
    let mut stream = Stream::open(there);
    stream.subscribe(there, "", &["posts/*"]);
    nodes.create(0, "posts", &json!({"title": "again"}));
    assert_eq!(brief(&mut stream), "create again");
}

#[test]
fn a_cron_runs_once() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let dsn = Dsn::parse_with(&postgres.dsn("postgres"), &|_| None).expect("a connection string");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let runs = Arc::new(AtomicUsize::new(0));
        let local = Arc::new(AtomicUsize::new(0));
        let mut apps = Vec::new();
        let dirs = [(); 3].map(|()| tempfile::tempdir().expect("a directory"));
        for dir in &dirs {
            let mut config = Config::new(dir.path());
            config.postgres = Some(PostgresConfig::new(dsn.clone()));
            let app = App::bootstrap(config, Hooks::default()).await.expect("an app");
            app.crons().remove_all();
            let count = |counter: &Arc<AtomicUsize>| {
                let counter = counter.clone();
                move |_| {
                    counter.fetch_add(1, Relaxed);
                    std::future::ready(Ok(()))
                }
            };
            app.crons().add("each", "* * * * *", count(&runs)).expect("a job");
            app.crons().add("other", "*/2 * * * *", count(&runs)).expect("a job");
            app.crons().add_local("here", "* * * * *", count(&local)).expect("a job");
            apps.push(app);
        }
        let at = |minute: i64| {
            engine::time::parse(&format!(
                "2026-01-01 {:02}:{:02}:00.000Z",
                minute / 60,
                minute % 60
            ))
            .expect("a time")
        };
        let end = Instant::now() + Duration::from_secs(60);
        let reach = async |counter: &AtomicUsize, n: usize| {
            while counter.load(Relaxed) < n {
                assert!(Instant::now() < end, "{} of {n} runs", counter.load(Relaxed));
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let (mut n_runs, mut n_local) = (0, 0);
        // the third node's clock is late by a quarter of an hour
        for minute in 0..60 {
            n_runs += if minute % 2 == 0 { 2 } else { 1 };
            n_local += if minute >= 15 { 3 } else { 2 };
            apps[0].crons().run_due(&apps[0], at(minute));
            apps[1].crons().run_due(&apps[1], at(minute));
            if minute >= 15 {
                apps[2].crons().run_due(&apps[2], at(minute - 15));
            }
            reach(&runs, n_runs).await;
            reach(&local, n_local).await;
        }
        for app in &apps {
            app.shutdown(false).await.expect("an end");
        }
        assert_eq!(runs.load(Relaxed), 60 + 30, "none ran twice");
        assert_eq!(local.load(Relaxed), 60 + 60 + 45, "each node looks after itself");
    });
    assert_eq!(postgres.value("postgres", "SELECT count(*) FROM _pb_crons"), "90");
}
