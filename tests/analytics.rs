//! Analytics: what is counted, kept, merged over nodes, and shown; servers that end between writes.

use std::{
    io::Read,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use crate::support::{
    Answer, Client, EMAIL, PASSWORD, Server, eventually, postgres::Postgres, run,
};

const DAY: i64 = 86_400_000;
const FAST: (&str, &str) = ("PB_ANALYTICS_FLUSH_INTERVAL", "1");

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time");
    i64::try_from(since.as_millis()).expect("a time")
}

/// A server that counts, and its superuser's token.
struct Rig {
    server: Server,
    token: String,
    postgres: Option<Postgres>,
}

impl Rig {
    fn sqlite(env: &[(&str, &str)]) -> Self {
        Self::hooked(env, "")
    }
    fn hooked(env: &[(&str, &str)], hooks: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        if !hooks.is_empty() {
            std::fs::create_dir(dir.path().join("pb_hooks")).expect("made");
            std::fs::write(dir.path().join("pb_hooks/a.pb.js"), hooks).expect("written");
        }
        let made = run(dir.path(), &["superuser", "upsert", EMAIL, PASSWORD, "--dir", "pb_data"]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self::of(Server::on_with(dir, &[], &[&[FAST], env].concat()), None)
    }
    fn postgres(env: &[(&str, &str)]) -> Option<Self> {
        let postgres = Postgres::start(&[], &[])?;
        let env = [&[FAST], env].concat();
        let server = postgres.serve_with(&postgres.dsn("postgres"), &[], &env);
        Some(Self::of(server, Some(postgres)))
    }
    fn of(server: Server, postgres: Option<Postgres>) -> Self {
        let token = server.superuser();
        Self { server, token, postgres }
    }
    fn get(&self, path: &str) -> Value {
        let answer = self.server.send("GET", path, &self.token, &Value::Null);
        assert_eq!(answer.status, 200, "{path} {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }
    fn stats(&self, range: &str) -> Value {
        self.get(&format!("/api/analytics/stats?range={range}"))
    }
    fn send(&self, events: &[Value]) -> Answer {
        self.server.send("POST", "/api/analytics/events", "", &json!({ "events": events }))
    }
    /// Sends events that are all accepted.
    fn count(&self, events: &[Value]) {
        let answer = self.send(events);
        assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.json(), json!({"accepted": events.len(), "total": events.len()}));
    }
    /// Sends with headers, as lines without the last line's end.
    fn post(&self, headers: &str, body: &str) -> Answer {
        let mut client = Client::connect(self.server.port).expect("connected");
        let sent = client.send("POST", "/api/analytics/events", "", headers, body.as_bytes());
        sent.expect("an answer")
    }
    /// Waits until so many views are stored.
    fn until_views(&self, n: u64) -> Value {
        eventually("the views are stored", || {
            Some(self.stats("90d")).filter(|stats| stats["summary"]["totalPV"] == n)
        })
    }
}

impl Rig {
    fn auxiliary(&self) -> rusqlite::Connection {
        let path = self.server.data_dir().join("auxiliary.db");
        let db = rusqlite::Connection::open(path).expect("opened");
        db.busy_timeout(std::time::Duration::from_secs(30)).expect("set");
        db
    }
    /// Runs a statement beside the server.
    fn execute(&self, text: &str) {
        match &self.postgres {
            Some(postgres) => postgres.execute("postgres", text),
            None => self.auxiliary().execute_batch(text).expect("executed"),
        }
    }
    /// A number beside the server.
    fn value(&self, text: &str) -> String {
        match &self.postgres {
            Some(postgres) => postgres.value("postgres", text),
            None => {
                let read = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
                self.auxiliary().query_row(text, [], read).expect("read").to_string()
            }
        }
    }
}

/// On both databases; PostgreSQL is left out, with a line, where there is none.
fn on_both(env: &[(&str, &str)], test: fn(&mut Rig)) {
    test(&mut Rig::sqlite(env));
    if let Some(mut rig) = Rig::postgres(env) {
        test(&mut rig);
    }
}

fn view(path: &str, sid: &str) -> Value {
    json!({"event": "page_view", "path": path, "sid": sid})
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn views_of_one_path_and_visitor() {
    on_both(&[], |rig| {
        rig.count(&[view("/a?x=1", "s"), view("/a#h", "s"), view("/a/", "s")]);
        rig.until_views(3);
        let pages = rig.get("/api/analytics/top-pages");
        assert_eq!(pages["pages"], json!([{"path": "/a", "pv": 3, "visitors": 1}]));
        assert_eq!(keys(&pages), ["pages", "startDate", "endDate"]);

        // again, and another one
        rig.count(&[view("/a", "s"), view("/b", "t")]);
        let stats = rig.until_views(5);
        assert_eq!(keys(&stats), ["summary", "daily", "startDate", "endDate"]);
        assert_eq!(keys(&stats["summary"]), ["totalPV", "totalUV", "bounceRate", "avgDur"]);
        assert_eq!(stats["summary"]["totalUV"], 2);
        let pages = &rig.get("/api/analytics/top-pages?limit=1")["pages"];
        assert_eq!(pages, &json!([{"path": "/a", "pv": 4, "visitors": 1}]));

        let metrics = rig.server.send("GET", "/api/metrics", &rig.token, &Value::Null);
        let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
        assert!(metrics.contains("analytics_events_total 5"), "{metrics}");
    });
}

#[test]
fn two_days_one_visitor() {
    on_both(&[], |rig| {
        // the last moment of yesterday is never more than a day ago
        let yesterday = now() / DAY * DAY - 1;
        rig.count(&[
            json!({"event": "page_view", "path": "/a", "sid": "s", "ts": yesterday, "dur": 1000}),
            json!({"event": "page_view", "path": "/a", "sid": "s", "dur": 2000}),
            json!({"event": "page_view", "path": "/b", "sid": "s"}),
        ]);
        let stats = rig.until_views(3);
        assert_eq!(
            stats["summary"],
            json!({"totalPV": 3, "totalUV": 1, "bounceRate": 0, "avgDur": 1500})
        );
        let daily = stats["daily"].as_array().expect("days");
        assert_eq!(daily.len(), 91);
        let seen: Vec<_> = daily.iter().filter(|day| day["pv"] != 0).collect();
        assert_eq!(seen.len(), 2);
        assert!(seen.iter().all(|day| day["uv"] == 1), "{seen:?}");
        assert!(daily.is_sorted_by_key(|day| day["date"].as_str().expect("a date").to_owned()));
        assert_eq!(daily[0]["date"], stats["startDate"]);
        assert_eq!(daily[90]["date"], stats["endDate"]);
        for (range, n) in [("today", 1), ("7d", 8), ("30d", 31), ("nonsense", 8)] {
            assert_eq!(rig.stats(range)["daily"].as_array().expect("days").len(), n, "{range}");
        }
    });
}

#[test]
fn ten_thousand_visitors_within_three_percent() {
    on_both(&[("PB_ANALYTICS_MAX_EVENTS", "1000")], |rig| {
        for thousand in 0..10 {
            let events: Vec<Value> =
                (0..1_000).map(|n| view("/a", &format!("s{thousand}-{n}"))).collect();
            rig.count(&events);
        }
        let stats = rig.until_views(10_000);
        let visitors = stats["summary"]["totalUV"].as_f64().expect("a number");
        assert!((visitors - 10_000.0).abs() < 300.0, "{visitors}");
        assert_eq!(
            stats["summary"]["totalUV"],
            rig.get("/api/analytics/top-pages")["pages"][0]["visitors"]
        );
    });
}

#[test]
fn killed_between_writes() {
    on_both(&[], |rig| {
        rig.count(&[view("/a", "s"), view("/a", "t")]);
        rig.until_views(2);
        rig.server.kill_and_restart();
        rig.count(&[view("/a", "t"), view("/a", "u")]);
        assert_eq!(rig.until_views(4)["summary"]["totalUV"], 3);
    });
}

#[test]
fn a_server_that_ends_writes_first() {
    let mut rig = Rig::sqlite(&[("PB_ANALYTICS_FLUSH_INTERVAL", "3600")]);
    rig.count(&[view("/a", "s")]);
    rig.server.terminate();
    rig.server.wait();
    rig.server.kill_and_restart();
    rig.until_views(1);
}

#[test]
fn who_is_not_counted() {
    let rig = Rig::sqlite(&[("PB_ANALYTICS_PATHS", "!/admin")]);
    let body = json!({"events": [view("/a", "s")]}).to_string();
    for (agent, counts) in [
        ("Googlebot/2.1", false),
        ("curl/8.5", false),
        ("HeadlessChrome/1", false),
        ("Mozilla/5.0 (Windows NT 10.0) baidubrowser/8", true),
    ] {
        let answer = rig.post(&format!("application/json\r\nUser-Agent: {agent}"), &body);
        assert_eq!(answer.status, 202);
        let want = match counts {
            true => json!({"accepted": 1, "total": 1}),
            false => json!({"accepted": 0, "message": "bot traffic ignored"}),
        };
        assert_eq!(answer.json(), want, "{agent}");
    }
    for header in ["DNT: 1", "Sec-GPC: 1"] {
        let answer = rig.post(&format!("application/json\r\n{header}"), &body);
        assert_eq!((answer.status, &answer.json()["accepted"]), (202, &json!(0)), "{header}");
    }
    assert_eq!(rig.post("application/json\r\nDNT: 0", &body).json()["accepted"], 1);
    assert_eq!(rig.send(&[view("/admin/x", "s")]).json(), json!({"accepted": 0, "total": 1}));
    let full = Rig::sqlite(&[("PB_ANALYTICS_MODE", "FULL")]);
    assert_eq!(full.post("application/json\r\nDNT: 1", &body).json()["accepted"], 1);
    assert_eq!(full.get("/api/analytics/config")["mode"], "full");
}

#[test]
fn off_means_off() {
    for (env, mode) in
        [(("PB_ANALYTICS_MODE", "off"), "off"), (("PB_ANALYTICS_ENABLED", "false"), "conditional")]
    {
        let rig = Rig::sqlite(&[env]);
        let config = rig.get("/api/analytics/config");
        assert_eq!((&config["enabled"], &config["mode"]), (&json!(false), &json!(mode)));
        for (method, path) in [
            ("POST", "events"),
            ("GET", "stats"),
            ("GET", "top-pages"),
            ("GET", "raw-logs"),
            ("GET", "raw-logs/2026-12-01"),
        ] {
            let body = json!({"events": [view("/a", "s")]});
            let answer =
                rig.server.send(method, &format!("/api/analytics/{path}"), &rig.token, &body);
            assert_eq!(answer.status, 404, "{path}");
            assert_eq!(answer.json()["message"], "Analytics is disabled.", "{path}");
        }
        let crons = rig.get("/api/crons").to_string();
        assert!(!crons.contains("Analytics"), "{crons}");
    }
}

#[test]
fn config_and_who_may_ask() {
    let rig = Rig::sqlite(&[("PB_ANALYTICS_MODE", "nonsense"), ("PB_ANALYTICS_RETENTION", "7")]);
    let config = rig.get("/api/analytics/config");
    assert_eq!(
        config.to_string(),
        r#"{"enabled":true,"retention":7,"flushInterval":1,"hasS3":false,"mode":"conditional"}"#
    );
    for path in ["stats", "top-pages", "top-sources", "devices", "raw-logs", "raw-logs/x", "config"]
    {
        let path = format!("/api/analytics/{path}");
        let answer = rig.server.send("GET", &path, "", &Value::Null);
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(
            answer.json()["message"],
            "The request requires valid record authorization token."
        );
    }
    let document = rig.get("/api/openapi.json");
    for path in ["events", "stats", "top-pages", "top-sources", "devices", "raw-logs", "config"] {
        assert!(document["paths"][format!("/api/analytics/{path}")].is_object(), "{path}");
    }
}

#[test]
fn what_is_accepted() {
    let rig = Rig::sqlite(&[("PB_ANALYTICS_MAX_EVENTS", "3")]);
    let empty = |body: &str, message: &str| {
        let answer = rig.post("application/json", body);
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.json(), json!({"data": {}, "message": message, "status": 400}), "{body}");
    };
    for body in [r#"{"events":[]}"#, "{}", r#"{"events":null}"#] {
        empty(body, "No events provided.");
    }
    for body in ["{", "[]", "7", r#"{"events":5}"#, "<script>"] {
        empty(body, "Invalid request body.");
    }
    // the SDK's shape, as a beacon sends it
    let sdk = json!({"events": [{"event": "page_view", "path": "/sdk", "sessionId": "s", "timestamp": now(), "perfMs": 12}]});
    let beacon = rig.post("text/plain;charset=UTF-8", &sdk.to_string());
    assert_eq!((beacon.status, beacon.json()), (202, json!({"accepted": 1, "total": 1})));
    // a year ahead is today
    rig.count(&[json!({"event": "e", "path": "/ahead", "sid": "s", "ts": now() + 365 * DAY})]);
    // what is invalid is skipped
    let mixed = rig.send(&[json!({"event": "e"}), json!(5), view("/ok", "s")]);
    assert_eq!(mixed.json(), json!({"accepted": 1, "total": 3}));
    // what is beyond the limit, too
    let many: Vec<Value> = (0..5).map(|_| view("/ok", "s")).collect();
    assert_eq!(rig.send(&many).json(), json!({"accepted": 3, "total": 5}));
    let today = eventually("all is stored", || {
        Some(rig.stats("today")).filter(|stats| stats["summary"]["totalPV"] == 6)
    });
    assert_eq!(today["daily"][0]["pv"], 6);
    let large = json!({"events": [{"event": "e", "sid": "s", "title": "x".repeat(256 << 10)}]});
    assert_eq!(rig.post("application/json", &large.to_string()).status, 413);
}

#[test]
fn sources_and_devices() {
    on_both(&[], |rig| {
        let from = |referrer: &str, sid: &str| {
            let mut event = view("/a", sid);
            event["referrer"] = json!(referrer);
            event
        };
        let events = json!({"events": [
            from("https://Google.com:443/search?q=x", "a"),
            from("https://google.com/", "b"),
            from("", "c"),
            from("http://localhost:1234/other", "d"),
        ]});
        let chrome = "application/json\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/120";
        assert_eq!(rig.post(chrome, &events.to_string()).json()["accepted"], 4);
        rig.count(&[view("/a", "e")]);
        rig.until_views(5);
        let sources = rig.get("/api/analytics/top-sources");
        assert_eq!(keys(&sources), ["sources", "startDate", "endDate"]);
        assert_eq!(
            sources["sources"],
            json!([{"source": "direct", "visitors": 2}, {"source": "google.com", "visitors": 2}])
        );
        let devices = rig.get("/api/analytics/devices");
        assert_eq!(keys(&devices), ["browsers", "os", "devices", "startDate", "endDate"]);
        let named =
            |a: &str, b: &str| json!([{"name": a, "visitors": 4}, {"name": b, "visitors": 1}]);
        assert_eq!(devices["browsers"], named("Chrome", "Unknown"));
        assert_eq!(devices["os"], named("Linux", "Unknown"));
        assert_eq!(devices["devices"], named("desktop", "unknown"));
    });
}

#[test]
fn paths_beyond_the_limit_of_a_day() {
    on_both(&[("PB_ANALYTICS_MAX_PATHS", "5")], |rig| {
        for n in 0..20 {
            rig.count(&[view(&format!("/p{n}"), "s")]);
        }
        rig.until_views(20);
        rig.count(&[view("/p0", "s"), view("/new", "s")]);
        rig.until_views(22);
        let pages = rig.get("/api/analytics/top-pages?limit=100");
        let pages = pages["pages"].as_array().expect("pages");
        assert_eq!(pages.len(), 6, "{pages:?}");
        assert_eq!(pages[0], json!({"path": "(other)", "pv": 16, "visitors": 1}));
    });
}

#[test]
fn old_days_are_deleted() {
    on_both(&[("PB_ANALYTICS_RETENTION", "1")], |rig| {
        rig.count(&[view("/a", "s")]);
        rig.until_views(1);
        let old = "INSERT INTO _analytics_daily (id, date, path, total_pv) VALUES \
            ('2000-01-01|/a', '2000-01-01', '/a', 1), ('2001-01-01|/a', '2001-01-01', '/a', 1)";
        rig.execute(old);
        let n_rows = || rig.value("SELECT count(*) FROM _analytics_daily");
        assert_eq!(n_rows(), "3");
        let started =
            rig.server.send("POST", "/api/crons/__pbAnalyticsPrune__", &rig.token, &Value::Null);
        assert_eq!(started.status, 204);
        eventually("old rows are gone", || (n_rows() == "1").then_some(()));
        assert_eq!(rig.stats("7d")["summary"]["totalPV"], 1);
    });
}

#[test]
fn stored_visitors_that_nobody_can_read() {
    on_both(&[], |rig| {
        rig.count(&[view("/a", "s"), view("/a", "t")]);
        rig.until_views(2);
        rig.execute("UPDATE _analytics_daily SET total_uv = 'rubbish'");
        rig.count(&[view("/a", "u")]);
        rig.until_views(3);
        let pages = rig.get("/api/analytics/top-pages");
        assert_eq!(pages["pages"], json!([{"path": "/a", "pv": 3, "visitors": 1}]));
        assert_eq!(rig.value("SELECT visitors FROM _analytics_daily"), "1");
    });
}

#[test]
fn two_nodes_add_up() {
    let Some(mut one) = Rig::postgres(&[]) else { return };
    let postgres = one.postgres.as_ref().expect("it was started");
    let server = postgres.serve_with(&postgres.dsn("postgres"), &[], &[FAST]);
    let two = Rig::of(server, None);
    // the superuser was made again, with which earlier tokens end
    one.token = one.server.superuser();
    for n in 0..10 {
        one.count(&[view("/a", &format!("one{n}")), view("/a", "both")]);
        two.count(&[view("/a", &format!("two{n}")), view("/a", "both")]);
    }
    one.until_views(40);
    assert_eq!(two.until_views(40)["summary"]["totalUV"], 21);
    let pages = two.get("/api/analytics/top-pages");
    assert_eq!(pages["pages"], json!([{"path": "/a", "pv": 40, "visitors": 21}]));
}

#[test]
fn raw_logs() {
    let rig = Rig::sqlite(&[("PB_ANALYTICS_RAW", "true")]);
    let started = now();
    assert_eq!(rig.get("/api/analytics/raw-logs"), json!({"dates": []}));
    rig.count(&[
        json!({"event": "e", "path": "/a", "sid": "s", "uid": "forged", "props": {"k": [1]}}),
    ]);
    rig.until_views(1);
    rig.count(&[view("/b", "s")]);
    rig.until_views(2);
    let date = rig.get("/api/analytics/raw-logs")["dates"][0].as_str().expect("a date").to_owned();
    let path = format!("/api/analytics/raw-logs/{date}");
    let answer = rig.server.send("GET", &path, &rig.token, &Value::Null);
    assert_eq!(answer.status, 200);
    let disposition = answer.header("content-disposition").expect("an attachment");
    assert!(disposition.starts_with("attachment") && disposition.contains(&date), "{disposition}");
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(&answer.body[..]).read_to_string(&mut text).expect("gzip");
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    // unless the day ended between both
    if now() / DAY == started / DAY {
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["props"]["k"][0], &lines[1]["path"]), (&json!(1), &json!("/b")));
    }
    assert_eq!(lines[0]["uid"], "");
    assert!(lines[0].get("ip").is_none(), "{}", lines[0]);
    for missing in ["1999-01-01", "2026-99-99", "nonsense", "..%2F..%2Fdata.db"] {
        let path = format!("/api/analytics/raw-logs/{missing}");
        let answer = rig.server.send("GET", &path, &rig.token, &Value::Null);
        assert_eq!(answer.status, 404, "{missing}");
    }
}

#[test]
fn from_scripts() {
    let hooks = r#"
        routerAdd("POST", "/track", (e) => e.json(200, [
            $analytics.track({event: "signup", path: "/js/", sid: "s", userAgent: "Mozilla/5.0 (iPhone) Safari"}),
            $analytics.track({event: "signup"}),
        ]))
    "#;
    let rig = Rig::hooked(&[], hooks);
    let answer = rig.server.send("POST", "/track", "", &Value::Null);
    assert_eq!(answer.json(), json!([true, false]));
    rig.until_views(1);
    assert_eq!(rig.get("/api/analytics/devices")["os"][0]["name"], "iOS");
}
