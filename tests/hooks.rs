//! Hook files in JavaScript: the executable with files of ours, and the recorded cases that pass so far.

use std::{fs, path::Path, process::Command};

use serde_json::json;

use crate::support::{Server, binary};

/// The recorded cases that pass. The list only grows.
const CASES: &[&str] = &[];

/// A server with one hook file.
fn with_hooks(source: &str) -> Server {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(dir.path().join("pb_hooks")).expect("a folder");
    fs::write(dir.path().join("pb_hooks/main.pb.js"), source).expect("a file");
    let hooks = dir.path().join("pb_hooks").display().to_string();
    Server::on(dir, &["--hooksDir", &hooks, "--hooksWatch=false"])
}

#[test]
fn routes_hooks_and_errors() {
    let server = with_hooks(
        r#"
        routerAdd("GET", "/hello/{name}", (e) => e.json(200, { hello: e.request.pathValue("name") }))
        routerAdd("GET", "/make", (e) => {
            const users = $app.findCollectionByNameOrId("users")
            const user = new Record(users, { email: "a@example.com", password: "1234567890", name: "Ann" })
            $app.save(user)
            return e.json(200, { id: user.id.length, name: user.get("name") })
        })
        onRecordCreate((e) => { e.record.set("name", e.record.get("name") + "!"); e.next() }, "users")
        routerAdd("GET", "/missing", (e) => { $app.findRecordById("users", "nope") })
        routerAdd("GET", "/teapot", (e) => { throw new ApiError(418, "no coffee") })
        routerAdd("GET", "/endless", (e) => { const f = () => f(); f() })
        routerAdd("GET", "/caught", (e) => {
            try { $app.findRecordById("users", "nope") } catch (err) {
                return e.json(200, { name: err.name, message: err.message })
            }
        })
        routerAdd("GET", "/rollback", (e) => {
            const before = $app.countRecords("users")
            const mine = new Error("mine")
            let same = false
            try {
                $app.runInTransaction((tx) => {
                    tx.delete(tx.findRecordsByFilter("users", "", "", 1, 0)[0])
                    throw mine
                })
            } catch (err) { same = err === mine }
            return e.json(200, { same, kept: $app.countRecords("users") === before })
        })
        "#,
    );
    for (path, status, body) in [
        ("/hello/Bob", 200, json!({"hello": "Bob"})),
        ("/make", 200, json!({"id": 15, "name": "Ann!"})),
        (
            "/missing",
            404,
            json!({"data": {}, "message": "The requested resource wasn't found.", "status": 404}),
        ),
        ("/teapot", 418, json!({"data": {}, "message": "No coffee.", "status": 418})),
        (
            "/endless",
            400,
            json!({"data": {}, "message": "Something went wrong while processing your request.", "status": 400}),
        ),
        ("/caught", 200, json!({"name": "GoError", "message": "sql: no rows in result set"})),
        ("/rollback", 200, json!({"same": true, "kept": true})),
    ] {
        let answer = server.send("GET", path, "", &json!(null));
        assert_eq!((answer.status, answer.json()), (status, body), "{path}");
    }
}

#[test]
fn recorded_cases() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance/js-hooks");
    if !cases.exists() || CASES.is_empty() {
        return;
    }
    let port = crate::support::free_port().to_string();
    let mut run = Command::new("python3");
    run.arg(cases.join("run.py")).args(["verify", binary()]).args(CASES).env("CONF_PORT", port);
    let done = run.output().expect("python3");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
}
