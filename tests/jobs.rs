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
$jobs.register("spin", (job) => { for (;;) try { for (;;) { } } catch (_) { } }, {deadline: 0.2})
$jobs.register("doze", (job) => { for (;;) sleep(3600 * 1000) }, {deadline: 0.2})
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
    /// Ends after the server.
    _postgres: Option<Postgres>,
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
        Self { server, _postgres: postgres, token }
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
    /// The only number that a statement gives.
    fn number(&self, text: &str) -> i64 {
        let found = self.sql(text);
        let cell = &found["rows"][0][0];
        let text = cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
        text.parse().unwrap_or_else(|_| panic!("{found}"))
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
        for nul in [json!({"topic": "a\0"}), json!({"topic": "nobody", "unique_key": "\0"})] {
            rig.refused("POST", path, &nul, 400, "Topic and key have no NUL characters.");
        }
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

/// What is past its deadline is ended, whatever it does: it keeps no thread.
#[test]
#[cfg(target_os = "linux")]
fn scripts_past_their_deadline_are_ended() {
    let rig = Rig::sqlite();
    let pid = rig.server.pid();
    // (threads of scripts, the time that they have computed)
    let threads = || {
        let dir = fs::read_dir(format!("/proc/{pid}/task")).expect("threads");
        let stats = dir.filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok());
        let times = stats.filter_map(|stat| {
            let rest = stat.split_once("(js)")?.1.split_whitespace().collect::<Vec<_>>();
            rest[11].parse::<u64>().ok()
        });
        let times: Vec<u64> = times.collect();
        (times.len(), times.iter().sum::<u64>())
    };
    for topic in ["spin", "doze"] {
        let made: Vec<Value> = (0..20)
            .map(|_| rig.enqueue(&json!({"topic": topic, "max_retries": 1}))["id"].clone())
            .collect();
        for id in &made {
            let job = rig.until(id, topic, |job| job["status"] == "failed");
            assert_eq!(job["last_error"], "deadline exceeded", "{topic}");
        }
    }
    // some are kept for scripts to come, fewer than have slept here
    eventually("no script computes or sleeps", || {
        let (n, before) = threads();
        std::thread::sleep(Duration::from_millis(300));
        (n < 20 && threads() == (n, before)).then_some(())
    });
}

/// Spec 3.9.5.
#[test]
fn five_hundred_jobs_are_done_exactly_once() {
    // locks that do not run out on a busy machine
    let env = [("PB_JOBS_LOCK_DURATION", "10m"), ENV[1], ("PB_JOBS_WORKERS", "10")];
    let once = |rig: &Rig| {
        let jobs: Vec<Value> = (0..500).map(|n| json!({"topic": "note", "payload": n})).collect();
        rig.ok("POST", "/api/jobs/batch", &json!({ "jobs": jobs }));
        eventually_long("all done", Duration::from_secs(120), || {
            let stats = rig.ok("GET", "/api/jobs/stats", &Value::Null);
            assert_eq!(stats["failed"], 0);
            (stats["completed"] == 500).then_some(())
        });
        assert_eq!(rig.number("SELECT count(*) AS n FROM seen"), 500);
        assert_eq!(rig.number("SELECT count(DISTINCT job) AS n FROM seen"), 500);
        assert_eq!(rig.number("SELECT count(*) AS n FROM _jobs WHERE retries > 0"), 0);
    };
    once(&Rig::with(None, &env));
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let dsn = postgres.dsn("postgres");
    let rig = Rig::with(Some(postgres), &env);
    let other = Server::on_with(hooked(), &["--pg", &dsn], &env);
    once(&rig);
    drop(other);
}

#[test]
fn batches_of_millions_are_refused_before_they_are_read() {
    let rig = Rig::sqlite();
    let jobs = format!(r#"{{"jobs":[{}0]}}"#, "0,".repeat(14_000_000));
    let one = format!(r#"{{"topic":"nobody","payload":[{}0]}}"#, "0,".repeat(14_000_000));
    for (path, body, message) in [
        ("/api/jobs/batch", &jobs, "Too many jobs (max 1000)."),
        ("/api/jobs/enqueue", &one, "Invalid request body."),
        ("/api/jobs/batch", &format!(r#"{{"jobs":[{one}]}}"#), "Invalid request body."),
    ] {
        let answer = crate::support::Client::connect(rig.server.port)
            .and_then(|mut c| c.send("POST", path, &rig.token, "application/json", body.as_bytes()))
            .expect("an answer");
        assert_eq!((answer.status, &answer.json()["message"]), (400, &json!(message)), "{path}");
    }
    let full = json!({"topic": "nobody", "payload": vec![0; 500_000]});
    assert_eq!(rig.send("POST", "/api/jobs/enqueue", &full).status, 200);
    #[cfg(target_os = "linux")]
    {
        let status = fs::read_to_string(format!("/proc/{}/status", rig.server.pid()));
        let status = status.expect("its memory");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        assert!(kib < 500 << 10, "{kib} KiB");
    }
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

fn of(job: &Value) -> &str {
    job["id"].as_str().expect("an id")
}

#[test]
fn killed_workers() {
    on_both_owned(|mut rig| {
        // 3.9.4: one that is killed counts, and is done again when its lock has run out
        let made = rig.enqueue(&json!({"topic": "slow", "payload": 60_000, "max_retries": 2}));
        rig.until(&made["id"], "it runs", |job| {
            job["status"] == "processing" && job["progress"] == 0.5
        });
        rig.server.kill_and_restart();
        let job = rig.until(&made["id"], "again", |job| {
            job["retries"] == 1 && job["status"] == "processing"
        });
        let why = "lock expired: worker crashed or timed out";
        assert_eq!(job["last_error"], why);
        let kept = "Job cannot be deleted (must be in 'pending' or 'failed' status).";
        rig.refused("DELETE", &format!("/api/jobs/{}", of(&made)), &Value::Null, 400, kept);
        rig.server.kill_and_restart();
        let job = rig.until(&made["id"], "a dead letter", |job| job["status"] == "failed");
        assert_eq!((&job["retries"], &job["last_error"]), (&json!(2), &json!(why)));
        assert_eq!(job["locked_until"], "");
    });
}

#[test]
fn a_job_longer_than_its_lock_is_done_once() {
    on_both(|rig| {
        let made = rig.enqueue(&json!({"topic": "slow", "payload": 5_000}));
        let job = rig.until(&made["id"], "done", |job| job["status"] == "completed");
        assert_eq!((job["retries"].as_i64(), job["progress"].as_f64()), (Some(0), Some(1.0)));
        assert_eq!(rig.number("SELECT count(*) AS n FROM seen WHERE topic = 'slow'"), 1);
    });
}

#[test]
fn unique_keys_and_batches() {
    on_both(|rig| {
        let keyed = json!({"topic": "nobody", "payload": 1, "unique_key": "k"});
        let first = rig.enqueue(&keyed);
        assert_eq!(first["unique_key"], "k");
        assert_eq!(of(&rig.enqueue(&keyed)), of(&first));
        let listed = rig.ok("GET", "/api/jobs?unique_key=k", &Value::Null);
        assert_eq!(listed["total"], 1);
        // a dead letter lets go of its key, and cannot come back while another one has it
        rig.sql("UPDATE _jobs SET status = 'failed'");
        let second = rig.enqueue(&keyed);
        assert_ne!(of(&second), of(&first));
        let taken = "Job cannot be requeued (another one has its unique key).";
        rig.refused("POST", &format!("/api/jobs/{}/requeue", of(&first)), &Value::Null, 400, taken);

        let jobs: Vec<Value> = (0..1_000).map(|n| json!({"topic": "many", "payload": n})).collect();
        let made = rig.ok("POST", "/api/jobs/batch", &json!({ "jobs": jobs }));
        let made = made["items"].as_array().expect("items").clone();
        assert!(made.len() == 1_000 && made[999]["payload"] == 999);
        assert!(made.windows(2).all(|two| of(&two[0]) < of(&two[1])), "ids grow");
        for bad in
            [json!({"jobs": [{"topic": "ok"}, {"topic": ""}]}), json!({"jobs": 1}), json!([])]
        {
            assert_eq!(rig.send("POST", "/api/jobs/batch", &bad).status, 400, "{bad}");
        }
        let topics = rig.ok("GET", "/api/jobs/topics", &Value::Null);
        let topics = topics["items"].as_array().expect("items");
        let of = |name: &str| topics.iter().find(|topic| topic["topic"] == name).expect("a topic");
        assert_eq!(
            (&of("many")["pending"], &of("many")["handled"]),
            (&json!(1_000), &json!(false))
        );
        assert_eq!((&of("note")["pending"], &of("note")["handled"]), (&json!(0), &json!(true)));
    });
}

#[test]
fn the_important_first_and_one_at_a_time() {
    let rig = Rig::with(None, &[("PB_JOBS_WORKERS", "1"), ("PB_JOBS_BATCH_SIZE", "1")]);
    let busy = rig.enqueue(&json!({"topic": "slow", "payload": 2_000}));
    rig.until(&busy["id"], "it runs", |job| job["status"] == "processing");
    let jobs: Vec<Value> = [1, 0, 3, 2, 3]
        .iter()
        .enumerate()
        .map(|(n, priority)| json!({"topic": "note", "payload": n, "priority": priority}))
        .collect();
    rig.ok("POST", "/api/jobs/batch", &json!({ "jobs": jobs }));
    let seen = eventually("five", || {
        let found = rig.sql("SELECT group_concat(said, ',') AS said FROM (SELECT said FROM seen WHERE topic = 'note' ORDER BY rowid)").to_string();
        found
            .matches(',')
            .count()
            .ge(&4)
            .then_some(found)
            .filter(|found| found.contains('1') && found.contains('0') && found.contains('3'))
    });
    assert!(seen.contains("2,4,3,0,1"), "{seen}");
    // a topic's own limit
    let rig = Rig::sqlite();
    let jobs: Vec<Value> = (0..8).map(|_| json!({"topic": "one"})).collect();
    let made = rig.ok("POST", "/api/jobs/batch", &json!({ "jobs": jobs }));
    let mut spans: Vec<(String, String)> = made["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|made| {
            let done = rig.until(&made["id"], "done", |job| job["status"] == "completed");
            (
                done["started"].as_str().expect("a time").to_owned(),
                done["finished"].as_str().expect("a time").to_owned(),
            )
        })
        .collect();
    spans.sort();
    assert!(spans.windows(2).all(|two| two[0].1 <= two[1].0), "{spans:?}");
}

#[test]
fn a_graceful_stop_gives_back_what_does_not_end() {
    let mut rig = Rig::sqlite();
    let short = rig.enqueue(&json!({"topic": "slow", "payload": 1_000}));
    let long = rig.enqueue(&json!({"topic": "slow", "payload": 60_000}));
    for made in [&short, &long] {
        rig.until(&made["id"], "it runs", |job| job["status"] == "processing");
    }
    rig.server.terminate();
    assert_eq!(rig.server.wait(), Some(0));
    let listed = run(
        rig.server.data_dir().parent().expect("a directory"),
        &["jobs", "list", "--dir", "pb_data"],
    );
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let line =
        |id: &str| text.lines().find(|line| line.starts_with(id)).unwrap_or_default().to_owned();
    assert!(line(of(&short)).contains("completed"), "{text}");
    assert!(line(of(&long)).contains("pending") && line(of(&long)).contains("0/3"), "{text}");
    assert!(text.ends_with("2 of 2\n"), "{text}");
}

#[test]
fn commands() {
    let rig = Rig::sqlite();
    let dir = rig.server.data_dir();
    let dir = dir.parent().expect("a directory");
    let jobs = |args: &[&str]| {
        let done = run(dir, &[&["jobs"], args, &["--dir", "pb_data"]].concat());
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        );
        (done.status.success(), text)
    };
    let made = rig.enqueue(&json!({"topic": "fail", "max_retries": 1}));
    let note = rig.enqueue(&json!({"topic": "note"}));
    rig.until(&made["id"], "failed", |job| job["status"] == "failed");
    rig.until(&note["id"], "done", |job| job["status"] == "completed");
    let (_, text) = jobs(&["list", "--status", "failed"]);
    assert!(text.contains(of(&made)) && text.contains("1 of 1"), "{text}");
    rig.sql("UPDATE _jobs SET topic = 'nobody' WHERE topic = 'fail'");
    assert!(!jobs(&["requeue", of(&note)]).0);
    assert!(jobs(&["requeue", "--all"]).1.contains("1 requeued"));
    assert_eq!(rig.get(&made["id"])["status"], "pending");
    assert!(jobs(&["purge"]).1.contains("1 removed"));
    assert!(!jobs(&["purge", "--status", "processing"]).0);
    rig.refused("GET", &format!("/api/jobs/{}", of(&note)), &Value::Null, 404, "Job not found.");
    let metrics = rig.send("GET", "/api/metrics", &Value::Null);
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(metrics.contains("jobs_attempts_total{result=\"failed\"} 1"), "{metrics}");
}

#[test]
fn off_is_off() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::on_with(dir, &[], &[("PB_JOBS_DISABLED", "true")]);
    let data = fs::read(server.data_dir().join("data.db")).expect("a database");
    assert!(!data.windows(5).any(|name| name == b"_jobs"), "no table");
    let dir = server.data_dir();
    let dir = dir.parent().expect("a directory");
    let made = run(dir, &["superuser", "upsert", EMAIL, PASSWORD, "--dir", "pb_data"]);
    assert!(made.status.success());
    let token = server.superuser();
    assert_eq!(server.send("GET", "/api/jobs/stats", &token, &Value::Null).status, 404);
}

/// A test on both databases that may restart its server.
fn on_both_owned(test: fn(Rig)) {
    test(Rig::sqlite());
    if let Some(postgres) = Postgres::start(&[], &[]) {
        test(Rig::with(Some(postgres), &ENV));
    }
}

/// Three nodes, one of which is killed now and then, do all jobs at least once, and those twice only whose worker was killed.
/// `JOBS` says how many (10,000 for the figure of the release notes), `KILL_SECONDS` how often.
#[test]
fn three_nodes_that_are_killed_do_every_job() {
    let number = |name: &str, or: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(or)
    };
    let (n, kill_every) = (number("JOBS", 600), Duration::from_secs(number("KILL_SECONDS", 2)));
    let Some(postgres) = Postgres::start(&[], &["max_connections=300"]) else { return };
    let dsn = postgres.dsn("postgres");
    let mut rig = Rig::with(Some(postgres), &ENV);
    let mut others: Vec<Server> =
        (0..2).map(|_| Server::on_with(hooked(), &["--pg", &dsn], &ENV)).collect();
    let mut left = n;
    while left > 0 {
        let some = left.min(1_000);
        let jobs: Vec<Value> = (0..some)
            .map(|n| json!({"topic": "note", "payload": n, "max_retries": 20, "priority": n % 3}))
            .collect();
        rig.ok("POST", "/api/jobs/batch", &json!({ "jobs": jobs }));
        left -= some;
    }
    let mut killed = Instant::now();
    let mut n_kills = 0;
    eventually_long("all done", Duration::from_secs(120 + n / 20), || {
        if killed.elapsed() >= kill_every {
            match n_kills % 3 {
                0 => rig.server.kill_and_restart(),
                at => others[at - 1].kill_and_restart(),
            }
            n_kills += 1;
            killed = Instant::now();
        }
        let stats = rig.ok("GET", "/api/jobs/stats", &Value::Null);
        let is_done = stats["completed"] == n;
        assert_eq!(stats["failed"], 0);
        (is_done && n_kills > 0).then_some(())
    });
    // every job was done
    let missing = "SELECT count(*) AS n FROM _jobs j WHERE NOT EXISTS (SELECT 1 FROM seen s WHERE s.job = j.id)";
    assert_eq!(rig.number(missing), 0);
    // none twice that was not taken from a dead worker
    let twice = "SELECT count(*) AS n FROM (SELECT job FROM seen GROUP BY job HAVING count(*) > 1) d \
                 JOIN _jobs j ON j.id = d.job WHERE j.retries = 0";
    assert_eq!(rig.number(twice), 0);
    // of those that were there together, a claim takes the most important that no other claim is taking just now; there are
    // three nodes, ten jobs a claim, and claims that a kill has undone
    if n <= 1_000 {
        let overtaken = "SELECT coalesce(max(n), 0) AS n FROM (SELECT count(*) AS n FROM _jobs low JOIN _jobs high \
             ON high.priority > low.priority AND high.started > low.started \
             WHERE low.retries = 0 AND high.retries = 0 GROUP BY low.id) d";
        assert!(rig.number(overtaken) <= 60, "by {}", rig.number(overtaken));
    }
    println!("{n} jobs, {n_kills} kills");
}

fn eventually_long<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn completed_jobs_go_and_rows_of_the_fork_are_read() {
    let env = [ENV[0], ENV[1], ("PB_JOBS_RETENTION", "1ms")];
    let mut rig = Rig::with(None, &env);
    let note = rig.enqueue(&json!({"topic": "note"}));
    let fail = rig.enqueue(&json!({"topic": "fail", "max_retries": 1}));
    rig.until(&note["id"], "done", |job| job["status"] == "completed");
    rig.until(&fail["id"], "failed", |job| job["status"] == "failed");
    let cleaned = rig.send("POST", "/api/crons/__pbJobsCleanup__", &Value::Null);
    assert_eq!(cleaned.status, 204);
    let path = format!("/api/jobs/{}", of(&note));
    eventually("it is removed", || {
        (rig.send("GET", &path, &Value::Null).status == 404).then_some(())
    });
    assert_eq!(rig.get(&fail["id"])["status"], "failed");
    // what the fork has written
    rig.sql(
        "INSERT INTO _jobs (id, topic, payload, status, run_at, retries, max_retries, created, updated) VALUES \
         ('old', 'nobody', '{\"a\":1}', 'pending', '2026-11-23T19:02:44Z', 0, 3, '2026-11-23T19:02:44Z', '2026-11-23T19:02:44Z')",
    );
    rig.server.kill_and_restart();
    let job = rig.get(&json!("old"));
    assert_eq!(
        (&job["run_at"], &job["payload"]),
        (&json!("2026-11-23 19:02:44.000Z"), &json!({"a": 1}))
    );
    assert_eq!((&job["locked_until"], &job["retries"]), (&json!(""), &json!(0)));
}
