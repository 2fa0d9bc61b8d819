//! The process manager: supervision, groups, logs, children that misbehave.

#![cfg(target_os = "linux")]

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use serde_json::{Value, json};

use crate::support::{Client, EMAIL, PASSWORD, Server, eventually, run};

/// A server with these processes and these files in its data directory.
fn serve(config: &Value, files: &[(&str, &str)], flags: &[&str], env: &[(&str, &str)]) -> Server {
    let dir = tempfile::tempdir().expect("a directory");
    let made = run(dir.path(), &["superuser", "upsert", EMAIL, PASSWORD, "--dir", "pb_data"]);
    assert!(made.status.success());
    for (name, text) in files {
        write(&dir.path().join("pb_data").join(name), text);
    }
    let text = config.as_str().map_or_else(|| config.to_string(), str::to_owned);
    if !config.is_null() {
        write(&dir.path().join("pb_processes.json"), &text);
    }
    Server::on_with(dir, flags, env)
}

/// A file that may be executed.
fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("permissions");
}

struct Pm {
    server: Server,
    token: String,
}

impl Pm {
    fn of(server: Server) -> Self {
        let token = server.superuser();
        Self { server, token }
    }
    fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.server.send("GET", path, &self.token, &Value::Null);
        (answer.status, answer.json())
    }
    fn order(&self, id: &str, order: &str) -> (u16, Value) {
        let path = format!("/api/pm/{id}/{order}");
        let answer = self.server.send("POST", &path, &self.token, &Value::Null);
        (answer.status, answer.json())
    }
    fn state(&self, id: &str) -> Value {
        let (status, list) = self.get("/api/pm/list");
        assert_eq!(status, 200, "{list}");
        let list = list.as_array().expect("a list");
        list.iter().find(|state| state["id"] == id).cloned().unwrap_or_default()
    }
    /// Waits until a process runs; gives its pid.
    fn runs(&self, id: &str) -> u64 {
        eventually("it runs", || {
            let state = self.state(id);
            (state["status"] == "running").then(|| state["pid"].as_u64())?
        })
    }
    fn lines(&self, id: &str) -> Vec<String> {
        let (status, list) = self.get(&format!("/api/pm/{id}/logs?lines=1000"));
        assert_eq!(status, 200, "{list}");
        let list = list.as_array().expect("a list");
        list.iter().map(|line| line["content"].as_str().unwrap_or_default().to_owned()).collect()
    }
    fn says(&self, id: &str, what: &str) -> String {
        eventually(what, || self.lines(id).into_iter().find(|line| line.contains(what)))
    }
}

/// True if a process is there and not only waits to be waited for.
fn lives(pid: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn gone(pid: u64) {
    eventually("it is gone", || (!lives(pid)).then_some(()));
}

fn number(text: &str) -> u64 {
    text.rsplit(' ').next().and_then(|n| n.parse().ok()).expect("a number")
}

const SLEEPER: &str = "import os,sys,time
print('hello', os.environ['GREET'], flush=True)
for name in ['PB_PORT','PB_URL','PB_DATA_DIR','PB_PROCESS_ID','PB_MASTER_KEY','OURS','ENCKEY','GIVEN']:
    print(name, os.environ.get(name, '-'), flush=True)
print('trouble', file=sys.stderr, flush=True)
time.sleep(1000)
";

#[test]
fn a_process_runs_and_is_shown() {
    let config = json!([
        {"id": "w", "script": "w.py", "args": ["--token", "t1"], "maxRetries": 3, "backoff": "500ms",
            "env": {"GREET": "hi $OURS/${OURS}", "API_KEY": "k", "GIVEN": "$PB_MASTER_KEY"}},
        {"id": "w", "command": "sh"},
        {"id": "none", "command": "no-such-program", "maxRetries": 0},
    ]);
    let env = [
        ("OURS", "x"),
        ("PB_MASTER_KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="),
        ("ENCKEY", "01234567890123456789012345678901"),
    ];
    let flags = ["--encryptionEnv", "ENCKEY"];
    let pm = Pm::of(serve(&config, &[("w.py", SLEEPER)], &flags, &env));
    let pid = pm.runs("w");
    assert!(lives(pid));
    pm.says("w", "trouble");
    let port = pm.server.port;
    let dir = pm.server.data_dir().canonicalize().expect("a directory");
    let lines = pm.lines("w");
    for want in [
        "hello hi x/x".to_owned(),
        format!("PB_PORT {port}"),
        format!("PB_URL http://127.0.0.1:{port}"),
        format!("PB_DATA_DIR {}", dir.display()),
        "PB_PROCESS_ID w".into(),
        "PB_MASTER_KEY -".into(),
        "ENCKEY -".into(),
        "OURS x".into(),
        "GIVEN MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=".into(),
    ] {
        assert!(lines.contains(&want), "{want} in {lines:?}");
    }
    let state = pm.state("w");
    let keys: Vec<&String> = state.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["id", "pid", "status", "startTime", "uptime", "restartCount", "config"]);
    assert_eq!(
        state["config"].to_string(),
        r#"{"id":"w","script":"w.py","args":["--token","****"],"cwd":".","env":{"GREET":"hi $OURS/${OURS}","API_KEY":"****","GIVEN":"$PB_MASTER_KEY"},"maxRetries":3,"backoff":"500ms"}"#
    );
    assert!(state["startTime"].as_str().is_some_and(|time| time.contains('T')), "{state}");
    assert_eq!(pm.get("/api/pm/list").1.as_array().map(Vec::len), Some(2), "no second w");
    let failed = eventually("it gives up", || {
        Some(pm.state("none")).filter(|state| state["status"] == "stopped")
    });
    assert_eq!(failed["lastError"], "max retries exceeded");

    let (_, lines) = pm.get("/api/pm/w/logs?lines=1");
    assert_eq!(lines.as_array().map(Vec::len), Some(1));
    let (_, lines) = pm.get("/api/pm/w/logs?lines=0");
    let lines = lines.as_array().expect("a list");
    let line = lines.iter().find(|line| line["content"] == "trouble").expect("trouble");
    let keys: Vec<&String> = line.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["timestamp", "processId", "stream", "content"]);
    assert_eq!((&line["processId"], &line["stream"]), (&json!("w"), &json!("stderr")));
    // what it prints is in the app log, too
    let filter = "/api/logs?filter=data.process='w'%26%26data.source!=''&sort=%2B@rowid";
    let logged = eventually("the log has it", || {
        let (_, page) = pm.get(filter);
        let items = page["items"].as_array().cloned().unwrap_or_default();
        (items.len() >= 10).then_some(items)
    });
    let trouble = logged.iter().find(|item| item["message"] == "trouble").expect("trouble");
    assert_eq!((&trouble["level"], &trouble["data"]["source"]), (&json!(8), &json!("STDERR")));
    let hello = logged.iter().find(|item| item["message"] == "hello hi x/x").expect("hello");
    assert_eq!((&hello["level"], &hello["data"]["source"]), (&json!(0), &json!("STDOUT")));

    // for superusers only
    let user = json!({"email": "u@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD});
    let made = pm.server.send("POST", "/api/collections/users/records", &pm.token, &user);
    assert_eq!(made.status, 200);
    let sign_in = json!({"identity": "u@example.com", "password": PASSWORD});
    let path = "/api/collections/users/auth-with-password";
    let token = pm.server.send("POST", path, "", &sign_in).json()["token"].clone();
    for (method, path) in [
        ("GET", "/api/pm/list"),
        ("GET", "/api/pm/w/logs"),
        ("POST", "/api/pm/w/stop"),
        ("POST", "/api/pm/w/start"),
        ("POST", "/api/pm/w/restart"),
    ] {
        let guest = pm.server.send(method, path, "", &Value::Null);
        let message = "The request requires valid record authorization token.";
        assert_eq!((guest.status, &guest.json()["message"]), (401, &json!(message)));
        let user = pm.server.send(method, path, token.as_str().expect("a token"), &Value::Null);
        let message = "The authorized record is not allowed to perform this action.";
        assert_eq!((user.status, &user.json()["message"]), (403, &json!(message)));
    }
    assert_eq!(pm.runs("w"), pid);
}

#[test]
fn who_ends_too_often_is_given_up() {
    let config = json!([{"id": "x", "command": "sh", "args": ["-c", "echo run; exit 3"],
        "maxRetries": 2, "backoff": "300ms"}]);
    let pm = Pm::of(serve(&config, &[], &[], &[]));
    let state = eventually("it gives up", || {
        Some(pm.state("x")).filter(|state| state["status"] == "stopped")
    });
    assert_eq!(state["lastError"], "max retries exceeded");
    assert_eq!(state["restartCount"], 2);
    assert_eq!((&state["pid"], &state["uptime"]), (&json!(0), &json!("")));
    assert_eq!(pm.lines("x"), ["run", "run", "run"]);
    // by hand it gets the same number of tries again
    let told = json!({"id": "x", "message": "Process start initiated"});
    assert_eq!(pm.order("x", "start"), (200, told));
    eventually("it gives up again", || (pm.lines("x").len() == 6).then_some(()));
}

#[test]
fn why_it_ended_is_told() {
    let config = json!([
        {"id": "missing", "command": "no-such-program", "backoff": "1h"},
        {"id": "nowhere", "command": "true", "cwd": "no-such-folder", "backoff": "1h"},
        {"id": "file", "script": "plain.txt", "backoff": "1h"},
        {"id": "status", "command": "sh", "args": ["-c", "exit 3"], "backoff": "1h"},
        {"id": "killed", "command": "sh", "args": ["-c", "kill -9 $$"], "backoff": "1h"},
        {"id": "fine", "command": "true", "backoff": "1h"},
    ]);
    let server = serve(&config, &[], &[], &[]);
    fs::write(server.data_dir().join("plain.txt"), "").expect("a file");
    let pm = Pm::of(server);
    for (id, want) in [
        ("missing", "No such file or directory (os error 2)"),
        ("nowhere", "No such file or directory (os error 2)"),
        ("status", "exit status 3"),
        ("killed", "signal: killed"),
    ] {
        let state = eventually("it waits", || {
            Some(pm.state(id)).filter(|state| state["status"] == "backoff")
        });
        assert_eq!((&state["lastError"], &state["pid"]), (&json!(want), &json!(0)), "{id}");
        assert_eq!(state["restartCount"], 0);
    }
    eventually("it waits", || (pm.state("fine")["status"] == "backoff").then_some(()));
    assert_eq!(pm.state("fine")["lastError"], Value::Null);
    // by hand at once, with all tries anew
    assert_eq!(pm.order("fine", "restart").0, 200);
    eventually("it ran again", || (pm.state("fine")["restartCount"] == 1).then_some(()));
    assert_eq!(pm.order("file", "restart").0, 200);
    eventually("it may not be executed", || {
        (pm.state("file")["lastError"] == "Permission denied (os error 13)").then_some(())
    });
    assert_eq!(pm.order("missing", "stop").0, 200);
    assert_eq!(pm.state("missing")["status"], "stopped");
}

#[test]
fn a_restarted_server_starts_its_processes_again() {
    let config = json!([{"id": "w", "command": "sleep", "args": ["1000"]}]);
    let dir = tempfile::tempdir().expect("a directory");
    write(&dir.path().join("main.pb.js"), "// one");
    let hooks = dir.path().display().to_string();
    let flags = ["--hooksDir", hooks.as_str()];
    let pm = Pm::of(serve(&config, &[], &flags, &[]));
    let first = pm.runs("w");
    // a new image of the same process
    write(&dir.path().join("main.pb.js"), "// another");
    gone(first);
    let path = "/api/pm/list";
    let second = eventually("the server is there again", || {
        let mut client = Client::connect(pm.server.port).ok()?;
        let answer = client.get(path, &[("Authorization", &pm.token)]).ok()?;
        answer.json()[0]["pid"].as_u64().filter(|pid| *pid > 0)
    });
    assert_ne!(first, second);
    assert!(lives(second));
}

#[test]
fn stopped_stays_stopped() {
    let config = json!([
        {"id": "w", "command": "sleep", "args": ["1000"]},
        {"id": "clock", "command": "true", "backoff": "50ms"},
    ]);
    let pm = Pm::of(serve(&config, &[], &[], &[]));
    let first = pm.runs("w");
    let already = json!({"data": {}, "message": "Process is already running.", "status": 400});
    assert_eq!(pm.order("w", "start"), (400, already));
    assert_eq!(pm.order("w", "stop"), (200, json!({"id": "w", "message": "Process stopped"})));
    assert!(!lives(first));
    let ticks = |n: u64| {
        let restarts = || pm.state("clock")["restartCount"].as_u64().unwrap_or_default();
        let before = restarts();
        eventually("the clock ticks", || (restarts() >= before + n).then_some(()));
    };
    ticks(3);
    let state = pm.state("w");
    assert_eq!((&state["status"], &state["restartCount"]), (&json!("stopped"), &json!(0)));
    assert_eq!(pm.order("w", "stop").0, 200, "once more changes nothing");
    assert_eq!(pm.order("w", "start").0, 200);
    let second = pm.runs("w");
    let told = json!({"id": "w", "message": "Process restart initiated"});
    assert_eq!(pm.order("w", "restart"), (200, told));
    let third = eventually("another pid", || Some(pm.runs("w")).filter(|pid| *pid != second));
    assert!(first != second && !lives(second) && lives(third));
    assert_eq!(pm.state("w")["restartCount"], 1);
    // from every state
    assert_eq!(pm.order("w", "stop").0, 200);
    assert_eq!(pm.order("w", "restart").0, 200);
    pm.runs("w");
    assert_eq!(pm.order("clock", "stop").0, 200);
    assert_eq!(pm.state("clock")["status"], "stopped");
    for (id, order) in [("nope", "start"), ("nope", "stop"), ("nope", "restart")] {
        let missing = json!({"data": {}, "message": "Process not found.", "status": 404});
        assert_eq!(pm.order(id, order), (404, missing));
    }
    assert_eq!(pm.get("/api/pm/nope/logs").0, 404);
}

const PARENT: &str = "import os,subprocess,time
child = subprocess.Popen(['sleep', '1000'])
print('child', child.pid, flush=True)
time.sleep(1000)
";
const DEAF: &str = "import signal,time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('deaf', flush=True)
time.sleep(1000)
";

#[test]
fn groups_end_as_a_whole() {
    let config = json!([
        {"id": "parent", "script": "parent.py"},
        {"id": "deaf", "script": "deaf.py"},
        {"id": "forks", "command": "sh", "args": ["-c", "sleep 1000 & echo child $!"], "backoff": "50ms"},
    ]);
    let files = [("parent.py", PARENT), ("deaf.py", DEAF)];
    let mut pm = Pm::of(serve(&config, &files, &[], &[]));
    let (parent, child) = (pm.runs("parent"), number(&pm.says("parent", "child")));
    assert!(lives(parent) && lives(child));
    assert_eq!(pm.order("parent", "stop").0, 200);
    assert!(!lives(parent) && !lives(child));
    pm.says("deaf", "deaf");
    let deaf = pm.runs("deaf");
    assert_eq!(pm.order("deaf", "stop").0, 200);
    assert!(!lives(deaf), "killed");
    // who leaves others behind finds none of them when it starts again
    let left: Vec<u64> = eventually("it ran three times", || {
        let lines = pm.lines("forks");
        (lines.len() > 2).then(|| lines.iter().map(|line| number(line)).collect())
    });
    assert!(left[..2].iter().all(|pid| !lives(*pid)));

    for id in ["parent", "deaf"] {
        assert_eq!(pm.order(id, "start").0, 200);
    }
    let parent = pm.runs("parent");
    let children =
        eventually("another child", || Some(pm.lines("parent")).filter(|lines| lines.len() == 2));
    let child = number(&children[1]);
    eventually("it is deaf", || (pm.lines("deaf").len() == 2).then_some(()));
    let deaf = pm.runs("deaf");
    pm.server.terminate();
    assert_eq!(pm.server.wait(), Some(0));
    assert!([parent, child, deaf].iter().all(|pid| !lives(*pid)));
}

#[test]
fn a_killed_server_leaves_nobody() {
    let config = json!([{"id": "deaf", "script": "deaf.py"}]);
    let mut pm = Pm::of(serve(&config, &[("deaf.py", DEAF)], &[], &[]));
    pm.says("deaf", "deaf");
    let pid = pm.runs("deaf");
    pm.server.kill_and_restart();
    gone(pid);
    assert_ne!(pm.runs("deaf"), pid);
}

#[test]
fn virtual_environments_come_first() {
    let python = |name: &str| format!("#!/bin/sh\necho {name} $1\nexec sleep 1000\n");
    let config = json!([
        {"id": "both", "script": "w.py", "cwd": "both"},
        {"id": "one", "script": "w.py", "cwd": "one"},
        {"id": "none", "script": "w.py", "cwd": "none"},
        {"id": "direct", "script": "run.sh", "cwd": "none"},
        {"id": "given", "script": "w.py", "cwd": "none", "interpreter": "cat"},
    ]);
    let (hidden, plain) = (python("hidden"), python("plain"));
    let real = "print('real', flush=True)\nimport time; time.sleep(1000)\n";
    let files = [
        ("both/.venv/bin/python", hidden.as_str()),
        ("both/venv/bin/python", &plain),
        ("one/venv/bin/python", &plain),
        ("none/w.py", real),
        ("none/run.sh", "#!/bin/sh\necho direct; exec sleep 1000\n"),
    ];
    let pm = Pm::of(serve(&config, &files, &[], &[]));
    for (id, want) in [
        ("both", "hidden w.py"),
        ("one", "plain w.py"),
        ("none", "real"),
        ("direct", "direct"),
        ("given", "print('real', flush=True)"),
    ] {
        assert_eq!(pm.says(id, want), want);
    }
}

#[test]
fn a_burst_of_changes_is_one_restart() {
    let config = json!([
        {"id": "w", "script": "w/w.py", "devMode": true},
        {"id": "stopped", "script": "w/w.py", "devMode": true},
    ]);
    let source = "import time\nprint('run', flush=True)\ntime.sleep(1000)\n";
    let pm = Pm::of(serve(&config, &[("w/w.py", source)], &[], &[]));
    pm.says("w", "run");
    assert_eq!(pm.order("stopped", "stop").0, 200);
    let touch = |text: &str| {
        let path = pm.server.data_dir().join("w/w.py");
        fs::write(path, format!("{source}# {text}\n")).expect("a file");
    };
    for n in 1..3_usize {
        touch(&format!("a{n}"));
        touch(&format!("bb{n}"));
        eventually("it runs again", || (pm.lines("w").len() == n + 1).then_some(()));
        assert_eq!(pm.state("w")["restartCount"], n);
    }
    assert_eq!(pm.state("stopped")["status"], "stopped");
    assert_eq!(pm.state("w")["config"]["devMode"], true);
}

#[test]
fn without_processes_the_server_is_what_it_was() {
    let pm = Pm::of(serve(&json!("[{"), &[], &[], &[]));
    assert_eq!(pm.get("/api/health").0, 200);
    assert_eq!(pm.get("/api/pm/list"), (200, json!([])));
    let pm = Pm::of(serve(&Value::Null, &[], &["--pmConfig", "missing.json"], &[]));
    assert_eq!(pm.get("/api/pm/list"), (200, json!([])));
    // nobody has asked for any
    let pm = Pm::of(serve(&Value::Null, &[], &[], &[]));
    assert_eq!(pm.get("/api/pm/list"), (200, json!([])));
    assert_eq!(pm.order("x", "start").0, 404);
    let tasks = fs::read_dir(format!("/proc/{}/task", pm.server.pid())).expect("threads");
    let names = tasks.flatten().map(|task| fs::read_to_string(task.path().join("comm")));
    assert!(names.flatten().all(|name| name.trim() != "processman"), "no thread");
    let named = r#"[{"id":"x","command":"sleep","args":["1000"]}]"#;
    let pm = Pm::of(serve(&Value::Null, &[("pb_processes.json", named)], &[], &[]));
    pm.runs("x");
}

/// Writes 512 MiB, waits for a file, and writes 1 GiB.
const FLOOD: &str = "import os,sys,time
line = (b'x' * 1023 + b'\\n') if sys.argv[1] == 'text' else bytes(range(256)) * 4
block = line * 1024
def flood(left):
    while left > 0: left -= os.write(1, block)
flood(512 << 20)
os.write(1, b'\\nwarm\\n')
while not os.path.exists('go'): time.sleep(0.05)
flood(1 << 30)
os.write(1, b'\\ndone\\n')
time.sleep(1000)
";

fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
    line.split_ascii_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
}

#[test]
fn a_gigabyte_of_logs_in_flat_memory() {
    let config = json!([
        {"id": "text", "script": "flood.py", "args": ["text"]},
        {"id": "binary", "script": "flood.py", "args": ["binary"]},
    ]);
    let pm = Pm::of(serve(&config, &[("flood.py", FLOOD)], &[], &[]));
    let last = |id: &str, what: &str| {
        eventually(what, || {
            let (_, lines) = pm.get(&format!("/api/pm/{id}/logs?lines=1"));
            (lines[0]["content"] == what).then_some(())
        });
    };
    last("text", "warm");
    last("binary", "warm");
    let before = memory(pm.server.pid());
    fs::write(pm.server.data_dir().join("go"), "").expect("a file");
    last("text", "done");
    last("binary", "done");
    let after = memory(pm.server.pid());
    assert!(after < before + 10 * 1024, "{before} kB before, {after} kB after");
    // the ring has the last lines, whatever the log could take
    let lines = pm.lines("text");
    assert_eq!(lines.len(), 1000);
    assert!(lines[..998].iter().all(|line| line.len() == 1023));
    assert_eq!(pm.get("/api/health").0, 200);
    let metrics = pm.server.send("GET", "/api/metrics", &pm.token, &Value::Null);
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(metrics.contains("pocketbase_pm_processes_running 2"), "{metrics}");
}

#[test]
fn scripts_have_the_processes() {
    let hook = r#"
        routerAdd("GET", "/pm/{what}", (e) => {
            const what = e.request.pathValue("what")
            if (what == "list") return e.json(200, $pm.list().map((one) => one.id + " " + one.status))
            if (what == "logs") return e.json(200, $pm.logs("w", 1).map((one) => one.content))
            $pm[what](e.request.url.query().get("id"))
            return e.json(200, what)
        })
    "#;
    let config = json!([{"id": "w", "command": "sh", "args": ["-c", "echo hi; exec sleep 1000"]}]);
    let dir = tempfile::tempdir().expect("a directory");
    let hooks = dir.path().display().to_string();
    write(&dir.path().join("main.pb.js"), hook);
    let flags = ["--hooksDir", hooks.as_str(), "--hooksWatch=false"];
    let pm = Pm::of(serve(&config, &[], &flags, &[]));
    let first = pm.runs("w");
    pm.says("w", "hi");
    assert_eq!(pm.get("/pm/list").1, json!(["w running"]));
    assert_eq!(pm.get("/pm/logs").1, json!(["hi"]));
    assert_eq!(pm.get("/pm/start?id=w").0, 400);
    assert_eq!(pm.get("/pm/stop?id=nope").1["message"], "Process not found.");
    assert_eq!(pm.get("/pm/stop?id=w").0, 200);
    assert_eq!(pm.get("/pm/list").1, json!(["w stopped"]));
    assert_eq!(pm.get("/pm/restart?id=w").0, 200);
    assert_ne!(pm.runs("w"), first);
}

/// Nothing of the launcher is seen by what it has started.
#[test]
fn a_child_gets_only_what_is_its_own() {
    let script = "import os
links = [os.readlink('/proc/self/fd/' + fd) for fd in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + fd)]
print('fds', [link for link in links if link.startswith('socket:')], flush=True)
print('stdin', os.read(0, 1), flush=True)
print('group', os.getpgrp() == os.getpid(), flush=True)
import time; time.sleep(1000)
";
    let pm = Pm::of(serve(&json!([{"id": "w", "script": "w.py"}]), &[("w.py", script)], &[], &[]));
    assert_eq!(pm.says("w", "fds"), "fds []");
    assert_eq!(pm.says("w", "stdin"), "stdin b''");
    assert_eq!(pm.says("w", "group"), "group True");
    let line = fs::read(format!("/proc/{}/cmdline", pm.runs("w"))).expect("a command line");
    assert!(!String::from_utf8_lossy(&line).contains("pm-child"));
}

/// What is executed is not written over HTTP, and what is secret is not in its output.
#[test]
fn scripts_do_not_come_with_a_backup() {
    let script = |word: &str| {
        format!(
            "import os, time\nprint('{word}', os.environ['API_KEY'], flush=True)\ntime.sleep(1000)\n"
        )
    };
    let config =
        json!([{"id": "w", "script": "w.py", "cwd": "work", "env": {"API_KEY": "zyx-geheim-1"}}]);
    let pm = Pm::of(serve(&config, &[("work/w.py", &script("old"))], &[], &[]));
    assert_eq!(pm.says("w", "old"), "old ****");
    let send = |path: &str, body: &Value| pm.server.send("POST", path, &pm.token, body).status;
    assert_eq!(send("/api/backups", &json!({"name": "one.zip"})), 204);
    let path = pm.server.data_dir().join("work/w.py");
    write(&path, &script("new"));
    assert_eq!(send("/api/backups/one.zip/restore", &Value::Null), 204);
    // the processes of before end, and are started again
    eventually("the server is back", || {
        let mut client = Client::connect(pm.server.port).ok()?;
        let answer = client.send("GET", "/api/pm/w/logs", &pm.token, "", b"").ok()?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        (answer.status == 200 && text.contains("new ****")).then_some(())
    });
    assert_eq!(fs::read_to_string(&path).expect("a script"), script("new"));
}
