//! Jobs: at least once, in order, over several nodes, with servers that end at any moment.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{Answer, EMAIL, PASSWORD, Server, eventually, postgres::Postgres, run};

/// Handlers of all tests: what they have seen goes into a table of its own.
const HOOKS: &str = r#"
onBootstrap((e) => {
    e.next()
    $app.db().newQuery("CREATE TABLE IF NOT EXISTS seen (job TEXT, topic TEXT, said TEXT)").execute()
})
$jobs.register("note", (job) => {
    $app.db().newQuery("INSERT INTO seen (job, topic, said) VALUES ({:job}, {:topic}, {:said})")
        .bind({job: job.id, topic: job.topic, said: JSON.stringify(job.payload)}).execute()
})
$jobs.register("fail", (job) => { throw new Error("no " + job.retries) })
$jobs.register("slow", (job) => {
    job.progress(0.5)
    $app.db().newQuery("INSERT INTO seen (job, topic, said) VALUES ({:job}, 'slow', '')").bind({job: job.id}).execute()
    sleep(job.payload)
})
$jobs.register("one", (job) => { sleep(20) }, {concurrency: 1})
$jobs.register("late", (job) => { sleep(5000) }, {deadline: 0.2})
routerAdd("POST", "/tx/{end}", (e) => {
    let id = ""
    try {
        $app.runInTransaction((tx) => {
            id = $jobs.enqueue("nobody", {a: [1]}).id
            if (e.request.pathValue("end") == "rollback") throw new Error("back")
        })
    } catch (_) {}
    return e.json(200, {id})
})
routerAdd("POST", "/js", (e) => {
    const made = $jobs.enqueueWithOptions("nobody", {b: {c: [1, "x"]}}, {priority: 3, maxRetries: 7, uniqueKey: "js"})
    const again = $jobs.enqueueWithOptions("nobody", 1, {uniqueKey: "js"})
    const later = $jobs.enqueueAt("nobody", "t", "2099-01-02T03:04:05.678Z")
    const many = $jobs.enqueueMany([{topic: "nobody", payload: null}, {topic: "nobody", payload: 2}])
    const got = $jobs.get(made.id)
    const list = $jobs.list({topic: "nobody"})
    const stats = $jobs.stats()
    let refused = ""
    try { $jobs.requeue(made.id) } catch (err) { refused = String(err) }
    let missing = ""
    try { $jobs.enqueue("", 1) } catch (err) { missing = String(err) }
    $jobs.delete(later.id)
    let gone = ""
    try { $jobs.get(later.id) } catch (err) { gone = String(err) }
    return e.json(200, {
        same: made.id == again.id, later: later.runAt, many: many.length, payload: got.payload.b.c[1], own: Object.keys(got.payload),
        priority: got.priority, maxRetries: got.maxRetries, total: list.total, pending: stats.pending, refused, missing, gone,
    })
})
"#;

/// How long a lock lasts and how often nodes look.
const ENV: [(&str, &str); 2] =
    [("PB_JOBS_LOCK_DURATION", "2s"), ("PB_JOBS_POLL_INTERVAL", "100ms")];

/// A server with the hooks, on SQLite or PostgreSQL.
struct Rig {
    server: Server,
    postgres: Option<Postgres>,
    token: String,
}

fn hooked() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("pb_hooks")).expect("made");
    fs::write(dir.path().join("pb_hooks/jobs.pb.js"), HOOKS).expect("written");
    dir
}

impl Rig {
    fn sqlite() -> Self {
        Self::with(None, &ENV)
    }
    fn with(postgres: Option<Postgres>, env: &[(&str, &str)]) -> Self {
        let dir = hooked();
        let dsn = postgres.as_ref().map(|postgres| postgres.dsn("postgres"));
        let flags: Vec<&str> = dsn.iter().flat_map(|dsn| ["--pg", dsn]).collect();
        let made =
            [&["superuser", "upsert", EMAIL, PASSWORD, "--dir", "pb_data"][..], &flags].concat();
        let made = run(dir.path(), &made);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let server = Server::on_with(dir, &flags, env);
        let token = server.superuser();
        Self { server, postgres, token }
    }
    fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.server.send(method, path, &self.token, body)
    }
    fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.send(method, path, body);
        assert_eq!(answer.status, 200, "{path} {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }
    fn refused(&self, method: &str, path: &str, body: &Value, status: u16, message: &str) {
        let answer = self.send(method, path, body);
        let found = answer.json();
        assert_eq!((answer.status, &found["message"]), (status, &json!(message)), "{path}");
    }
    fn enqueue(&self, body: &Value) -> Value {
        self.ok("POST", "/api/jobs/enqueue", body)
    }
    fn get(&self, id: &Value) -> Value {
        self.ok("GET", &format!("/api/jobs/{}", id.as_str().expect("an id")), &Value::Null)
    }
    /// Waits until a job satisfies a condition.
    fn until(&self, id: &Value, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        eventually(what, || Some(self.get(id)).filter(&holds))
    }
    fn sql(&self, text: &str) -> Value {
        self.ok("POST", "/api/sql", &json!({ "query": text }))
    }
}

/// A test on both databases; PostgreSQL is left out, with a line, where there is none.
fn on_both(test: fn(&Rig)) {
    test(&Rig::sqlite());
    if let Some(postgres) = Postgres::start(&[], &[]) {
        test(&Rig::with(Some(postgres), &ENV));
    }
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

const KEYS: [&str; 10] = [
    "id",
    "topic",
    "payload",
    "status",
    "run_at",
    "locked_until",
    "retries",
    "max_retries",
    "created",
    "updated",
];

#[test]
fn over_http() {
    on_both(|rig| {
        // 3.9.1, the shape of a job
        let made = rig.enqueue(&json!({"topic": "note", "payload": {"to": "x", "a": [1.5, null]}}));
        assert_eq!(keys(&made), KEYS);
        let id = made["id"].as_str().expect("an id");
        assert!(id.len() == 36 && id.as_bytes()[14] == b'7', "{id}");
        assert_eq!((&made["status"], &made["locked_until"]), (&json!("pending"), &json!("")));
        assert_eq!((&made["retries"], &made["max_retries"]), (&json!(0), &json!(3)));
        let time = made["run_at"].as_str().expect("a time");
        assert!(time.len() == 24 && time.ends_with('Z') && time.as_bytes()[10] == b' ', "{time}");
        let done = rig.until(&made["id"], "done", |job| job["status"] == "completed");
        assert_eq!(done["payload"].to_string(), r#"{"to":"x","a":[1.5,null]}"#);
        assert_eq!((&done["locked_until"], &done["created"]), (&json!(""), &made["created"]));

        // 3.9.8 payloads come back as they were
        for payload in [json!(1), json!("x\u{0}y"), json!([]), json!(null), json!({"z": 1, "a": 2})]
        {
            let made = rig.enqueue(&json!({"topic": "nobody", "payload": payload}));
            assert_eq!(rig.get(&made["id"])["payload"].to_string(), payload.to_string());
        }
        assert_eq!(rig.enqueue(&json!({"topic": "nobody"}))["payload"], json!({}));
        let fits = "x".repeat((1 << 20) - 2);
        let made = rig.enqueue(&json!({"topic": "nobody", "payload": fits}));
        assert_eq!(rig.get(&made["id"])["payload"].as_str().map(str::len), Some((1 << 20) - 2));
        let path = "/api/jobs/enqueue";
        let large = json!({"topic": "nobody", "payload": format!("{fits}x")});
        rig.refused("POST", path, &large, 400, "Payload too large (max 1MB).");
        rig.refused("POST", path, &json!({"payload": 1}), 400, "Topic is required.");
        for bad in [
            json!({"topic": "t", "run_at": "soon"}),
            json!({"topic": "t", "run_at": "2026-01-01 00:00:00.000Z"}),
            json!({"topic": 1}),
            json!({"topic": "t", "max_retries": "3"}),
            json!([]),
        ] {
            rig.refused("POST", path, &bad, 400, "Invalid request body.");
        }
        let later = json!({"topic": "note", "run_at": "2099-01-02T03:04:05.678+01:00", "max_retries": -1, "priority": 2});
        let later = rig.enqueue(&later);
        assert_eq!(later["run_at"], "2099-01-02 02:04:05.678Z");
        assert_eq!((&later["max_retries"], &later["priority"]), (&json!(3), &json!(2)));

        // 3.9.9 deleting, requeueing, guests
        let of = |job: &Value| format!("/api/jobs/{}", job["id"].as_str().expect("an id"));
        assert_eq!(rig.ok("DELETE", &of(&later), &Value::Null), json!({"ok": true}));
        rig.refused("GET", &of(&later), &Value::Null, 404, "Job not found.");
        rig.refused("DELETE", &of(&later), &Value::Null, 404, "Job not found.");
        let kept = "Job cannot be deleted (must be in 'pending' or 'failed' status).";
        rig.refused("DELETE", &of(&done), &Value::Null, 400, kept);
        let requeue = format!("{}/requeue", of(&done));
        let failed_only = "Job cannot be requeued (must be in 'failed' status).";
        rig.refused("POST", &requeue, &Value::Null, 400, failed_only);
        rig.refused("POST", "/api/jobs/x/requeue", &Value::Null, 404, "Job not found.");
        let guest = rig.server.send("GET", "/api/jobs/stats", "", &Value::Null);
        let message = "The request requires valid record authorization token.";
        assert_eq!((guest.status, guest.json()["message"].as_str()), (401, Some(message)));

        // the list
        let list = rig.ok("GET", "/api/jobs?topic=nobody&limit=2&offset=1", &Value::Null);
        assert_eq!(keys(&list), ["items", "total", "limit", "offset"]);
        assert_eq!(
            (&list["limit"], &list["offset"], &list["total"]),
            (&json!(2), &json!(1), &json!(7))
        );
        let created: Vec<&str> = list["items"]
            .as_array()
            .expect("items")
            .iter()
            .filter_map(|j| j["created"].as_str())
            .collect();
        assert!(created.len() == 2 && created[0] >= created[1], "{created:?}");
        for (given, limit) in
            [("limit=x&offset=-1", 20), ("limit=501", 500), ("limit=-5", 20), ("", 20)]
        {
            let list = rig.ok("GET", &format!("/api/jobs?{given}"), &Value::Null);
            assert_eq!((&list["limit"], &list["offset"]), (&json!(limit), &json!(0)), "{given}");
        }
        let stats = rig.ok("GET", "/api/jobs/stats", &Value::Null);
        assert_eq!(
            keys(&stats),
            ["pending", "processing", "completed", "failed", "total", "success_rate"]
        );
        assert_eq!(
            (&stats["pending"], &stats["completed"], &stats["total"]),
            (&json!(7), &json!(1), &json!(8))
        );
        assert_eq!(stats["success_rate"], json!(1));
    });
}

#[test]
fn failures_wait_and_end_as_dead_letters() {
    on_both(|rig| {
        let made = rig.enqueue(&json!({"topic": "fail", "payload": 1, "max_retries": 3}));
        for (retries, minutes) in [(1, 1.0), (2, 4.0)] {
            let job = rig.until(&made["id"], "a retry", |job| {
                job["retries"] == retries && job["status"] == "pending"
            });
            assert!(
                job["last_error"]
                    .as_str()
                    .is_some_and(|text| text.contains(&format!("no {}", retries - 1))),
                "{job}"
            );
            let time = |name: &str| {
                engine::time::parse(job[name].as_str().expect("a time")).expect("a time").millis()
            };
            let wait = time("run_at") - time("updated");
            let want = minutes * 60_000.0;
            #[allow(clippy::cast_precision_loss, reason = "minutes")]
            let off = (wait as f64 - want).abs();
            assert!(off < 1_000.0, "{wait} ms");
            rig.sql("UPDATE _jobs SET run_at = created WHERE status = 'pending'");
        }
        let job = rig.until(&made["id"], "a dead letter", |job| job["status"] == "failed");
        assert_eq!(job["retries"], 3);
        assert!(job["last_error"].as_str().is_some_and(|text| text.contains("no 2")), "{job}");
        let stats = rig.ok("GET", "/api/jobs/stats", &Value::Null);
        assert_eq!((&stats["failed"], &stats["success_rate"]), (&json!(1), &json!(0)));
        let requeue = format!("/api/jobs/{}/requeue", made["id"].as_str().expect("an id"));
        let job = rig.ok("POST", &requeue, &Value::Null);
        assert_eq!((&job["status"], &job["retries"]), (&json!("pending"), &json!(0)));
        assert!(job.get("last_error").is_none(), "{job}");

        // an attempt that takes too long is a failed one
        let late = rig.enqueue(&json!({"topic": "late", "max_retries": 1}));
        let job = rig.until(&late["id"], "late", |job| job["status"] == "failed");
        assert_eq!(job["last_error"], "deadline exceeded");
    });
}

#[test]
fn a_job_that_is_due_later_waits() {
    on_both(|rig| {
        let at = engine::time::now().plus(Duration::from_secs(3));
        let begun = Instant::now();
        let text = at.to_string().replace(' ', "T");
        let made = rig.enqueue(&json!({"topic": "note", "run_at": text}));
        let done = rig.until(&made["id"], "done", |job| job["status"] == "completed");
        assert!(begun.elapsed() >= Duration::from_millis(2_900));
        let started =
            engine::time::parse(done["started"].as_str().expect("a time")).expect("a time");
        assert!(started.millis() >= at.millis(), "{done}");
    });
}

#[test]
fn transactions_and_scripts() {
    on_both(|rig| {
        for (end, status) in [("commit", 200), ("rollback", 404)] {
            let id = rig.ok("POST", &format!("/tx/{end}"), &Value::Null)["id"].clone();
            let path = format!("/api/jobs/{}", id.as_str().expect("an id"));
            assert_eq!(rig.send("GET", &path, &Value::Null).status, status, "{end}");
        }
        let said = rig.ok("POST", "/js", &Value::Null);
        let refused = "job cannot be requeued (must be in 'failed' status)";
        for (name, text) in
            [("refused", refused), ("missing", "opic cannot be empty"), ("gone", "ob not found")]
        {
            let found = said[name].as_str().unwrap_or_default().to_lowercase();
            assert!(found.contains(&text.to_lowercase()), "{said}");
        }
        assert_eq!(
            [
                &said["same"],
                &said["later"],
                &said["many"],
                &said["payload"],
                &said["own"],
                &said["priority"],
                &said["maxRetries"],
                &said["total"],
                &said["pending"]
            ],
            [
                &json!(true),
                &json!("2099-01-02 03:04:05.678Z"),
                &json!(2),
                &json!("x"),
                &json!(["b"]),
                &json!(3),
                &json!(7),
                &json!(5),
                &json!(5)
            ],
            "{said}"
        );
    });
}
