//! What authors of hook files are helped with: restarts on changes, `hooks check`, times of handlers, types, hints in errors.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use crate::support::{Client, binary, eventually, free_port, run};

/// A server of a directory with hook files, and what it prints.
struct Watched {
    dir: tempfile::TempDir,
    child: Child,
    port: u16,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Watched {
    fn start(files: &[(&str, &str)], flags: &[&str]) -> Self {
        let dir = project(files);
        let port = free_port();
        let mut child = Command::new(binary())
            .args(["serve", "--dir", "pb_data", "--http", &format!("127.0.0.1:{port}")])
            .args(flags)
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the executable starts");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (out, printed) = (child.stdout.take().expect("its output"), lines.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                printed.lock().expect("lines").push(line);
            }
        });
        Self { dir, child, port, lines }
    }
    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    fn printed(&self) -> String {
        self.lines.lock().expect("lines").join("\n")
    }
    fn get(&self, path: &str) -> Option<Value> {
        let answer = Client::connect(self.port).ok()?.get(path, &[]).ok()?;
        Some(answer.json())
    }
    /// Waits until a path is answered so.
    fn answers(&self, path: &str, expected: &Value) {
        eventually(&format!("{path} answers {expected}: {}", self.printed()), || {
            (self.get(path).as_ref() == Some(expected)).then_some(())
        });
    }
    fn prints(&self, part: &str) {
        eventually(&format!("{part:?} is printed"), || self.printed().contains(part).then_some(()));
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    dir
}

#[cfg(unix)]
#[test]
fn changes_restart_in_place() {
    let server = Watched::start(
        &[
            (
                "pb_hooks/main.pb.js",
                "routerAdd('GET', '/pid', (e) => e.json(200, { v: require(`${__hooks}/lib/v.js`) }))\nonTerminate((e) => { console.log('ends, again: ' + e.isRestart); e.next() })\nrouterAdd('GET', '/slow', (e) => { sleep(700); return e.json(200, 'done') })",
            ),
            ("pb_hooks/lib/v.js", "module.exports = 1"),
            ("pb_hooks/node_modules/x/index.js", ""),
        ],
        &[],
    );
    server.answers("/pid", &json!({"v": 1}));
    // packages are not watched, modules are
    fs::write(server.file("pb_hooks/node_modules/x/index.js"), "1").expect("a file");
    let port = server.port;
    let slow = std::thread::spawn(move || {
        Client::connect(port).ok()?.get("/slow", &[]).ok().map(|answer| answer.json())
    });
    std::thread::sleep(std::time::Duration::from_millis(100));
    fs::write(server.file("pb_hooks/lib/v.js"), "module.exports = 2").expect("a file");
    assert_eq!(slow.join().expect("an answer"), Some(json!("done")), "requests get their time");
    server.answers("/pid", &json!({"v": 2}));
    let printed = server.printed();
    assert!(printed.contains("lib/v.js changed, restarting..."), "{printed}");
    assert!(printed.contains("ends, again: true"), "{printed}");
    assert!(!printed.contains("node_modules"), "{printed}");
    assert!(
        Path::new(&format!("/proc/{}", server.child.id())).exists() || !cfg!(target_os = "linux")
    );

    // a file that does not load: the others do, and its author is told where it fails
    fs::write(server.file("pb_hooks/b.pb.js"), "const fine = 1\nconst x = = 2\n").expect("a file");
    server.prints("failed to execute b.pb.js:");
    server.answers("/pid", &json!({"v": 2}));
    let printed = server.printed();
    assert!(printed.contains("b.pb.js:2:11"), "{printed}");
    assert!(printed.contains("    2 | const x = = 2\n                  ^"), "{printed}");
    fs::write(server.file("pb_hooks/b.pb.js"), "routerAdd('GET', '/b', (e) => e.json(200, 'b'))")
        .expect("a file");
    server.answers("/b", &json!("b"));
}

#[test]
fn check_loads_everything() {
    let good = project(&[
        ("pb_hooks/a.pb.js", "routerAdd('GET', '/a', (e) => e.next())"),
        ("pb_migrations/1_a.js", "migrate((app) => {})"),
    ]);
    let done = run(good.path(), &["hooks", "check", "--dir", "pb_data"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stdout).contains("All hook and migration files load."));
    let bad = project(&[
        ("pb_hooks/a.pb.js", "onRecordBeforeCreateRequest((e) => {})"),
        ("pb_hooks/b.pb.js", "\n\nthrow new Error('boom')"),
        ("pb_migrations/1_a.js", "migrate((db) => {"),
    ]);
    let done = run(bad.path(), &["hooks", "check", "--dir", "pb_data"]);
    let out = String::from_utf8_lossy(&done.stdout);
    assert_eq!(done.status.code(), Some(1), "{out}");
    for part in [
        "a.pb.js:1:",
        "onRecordBeforeCreateRequest is gone since PocketBase 0.23: use onRecordCreateRequest",
        "Error: boom at ",
        "b.pb.js:3:",
        "failed to execute 1_a.js",
        "1_a.js:1:",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let error = String::from_utf8_lossy(&done.stderr);
    assert!(error.contains("3 files do not load"), "{error}");
    // without watching, errors of hook files end every command; all are told
    let done = run(bad.path(), &["hooks", "check", "--dir", "pb_data", "--hooksWatch=false"]);
    let error = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1));
    assert!(error.contains("a.pb.js") && error.contains("boom"), "{error}");
}

#[cfg(unix)]
#[test]
fn times_of_handlers() {
    let mut server = Watched::start(
        &[("pb_hooks/main.pb.js", "routerAdd('GET', '/x', (e) => e.json(200, 1))")],
        &["--hooksProfile"],
    );
    server.answers("/x", &json!(1));
    let sent = Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()));
    assert!(server.child.wait().expect("it ends").success());
    server.prints("longest ms  handler");
    server.prints("GET /x (");
}

#[test]
fn types_are_written() {
    let dir = project(&[]);
    let path = dir.path().join("pb_data/types.d.ts");
    let written = || {
        assert!(
            run(dir.path(), &["superuser", "list", "--dir", "pb_data"]).status.code().is_some()
        );
        fs::read_to_string(&path).expect("types.d.ts")
    };
    let text = written();
    assert!(text.contains("declare function onRecordCreate("), "{}", &text[..200]);
    // the first line tells whether it is the present one
    fs::write(&path, format!("{}\nmine", &text[..13])).expect("a file");
    assert!(written().ends_with("mine"));
    fs::write(&path, "// 0000000000\nold").expect("a file");
    assert_eq!(written(), text);
}

#[test]
fn names_of_the_past_and_constants() {
    let server = Watched::start(
        &[(
            "pb_hooks/main.pb.js",
            "const LIMIT = 5\nrouterAdd('GET', '/x', (e) => e.json(200, LIMIT))\nrouterAdd('GET', '/dao', (e) => {\n  const user = $app.dao().findRecordById('users', 'x')\n})\nrouterAdd('GET', '/schema', (e) => { new Collection({ name: 'a', schema: [] }) })\nrouterAdd('GET', '/ok', (e) => e.json(200, 1))\nonRecordCreate((e) => {}, 'users')\nrouterAdd('GET', '/save', (e) => { $app.save(new Record($app.findCollectionByNameOrId('users'), { email: 'a@example.com', password: '1234567890' })); return e.json(200, $app.countRecords('users')) })",
        )],
        &["--dev"],
    );
    server.answers("/ok", &json!(1));
    for path in ["/x", "/dao", "/schema"] {
        assert_eq!(server.get(path).expect("an answer")["status"], 400, "{path}");
    }
    assert_eq!(server.get("/save"), Some(json!(0)), "nothing is saved");
    server.prints("A JavaScript handler did not call e.next()");
    server.prints("move LIMIT into the handler");
    server.prints("dao() is gone since PocketBase 0.23");
    server.prints("name it `fields`");
}
