//! Hook files in JavaScript: the executable with files of ours, and the recorded cases that pass so far.

use std::{fs, path::Path, process::Command};

use serde_json::json;

use crate::support::{Server, binary, postgres::Postgres};

/// The recorded cases but `files` (names of unsaved files cannot be set yet), and how many of their requests may still differ: a number here only sinks (`tests/known_gaps.toml`).
/// Those of the shared directory first, then ours, recorded from PocketBase 0.40.6 in the same form.
const SHARED_CASES: &[(&str, usize)] = &[
    ("auth-flows", 1),
    ("console-commands", 0),
    ("cron-store-realtime", 0),
    ("db-queries", 0),
    ("errors-mapping", 0),
    ("files", 0),
    ("http-client", 0),
    ("isolation-modules", 0),
    ("mailer-hooks", 0),
    ("migrations-js", 0),
    ("record-hooks", 0),
    ("record-proxies", 0),
    ("routes-basics", 0),
    ("system-api-hooks", 0),
    ("templates-html", 0),
];
const OWN_CASES: &[(&str, usize)] = &[
    ("db-more", 0),
    ("enrich-expand", 2),
    // mails race with the end of their hook, here and there: one to three requests
    ("hooks-order", 3),
    ("middlewares", 0),
    ("new-records", 0),
    ("new-users", 0),
    ("odd-arguments", 0),
    ("records-more", 3),
    // bodies are read again as the shared recordings have it, which 0.40.6 differs from
    ("request-event", 8),
    ("request-faults", 0),
    ("times", 0),
    ("transactions", 2),
    ("unsaved-files", 0),
    ("utils-globals", 7),
];

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

/// Host values behave as the reference's: one object each, lists that reach where they are from, members in its order.
#[test]
fn host_values() {
    let server = with_hooks(
        r#"
        routerAdd("POST", "/same", (e) => e.json(200, [e.request === e.request, e.request.url === e.request.url,
            e.requestInfo() === e.requestInfo(), e.request.body === e.request.body, $os.getenv === $os.getenv,
            toString(e.request.body, 3), toString(e.request.body), toString(e.request.body).length]))
        routerAdd("GET", "/lists", (e) => {
            const collection = new Collection({ type: "base", name: "lists", fields: [
                { type: "select", name: "tags", maxSelect: 3, values: ["a", "b", "c"] } ] })
            $app.save(collection)
            const record = new Record(collection, { tags: ["a", "b"] })
            const tags = record.get("tags")
            tags[0] = "c"
            tags.push("x")
            const model = new DynamicModel({ list: [] })
            model.list.push(1)
            model.list.push("x")
            return e.json(200, [record.get("tags"), Array.isArray(tags), JSON.stringify(tags), toString(tags), model])
        })
        routerAdd("GET", "/order", (e) => e.json(200, [
            JSON.stringify(new BoolField({ name: "a" })), Object.keys(new Cookie({})).slice(0, 3), JSON.stringify($app.settings().batch) !== "",
            JSON.stringify($app.settings()).startsWith('{"superuserIPs":[],"smtp":{"enabled":false,"port":587,'), new ApiError(409).message]))
        routerAdd("GET", "/queries", (e) => {
            const db = $app.db()
            const rows = arrayOf(new DynamicModel({ id: "" }))
            db.select("id").from("users").union(db.newQuery("SELECT {:x}").bind({ x: "u" })).all(rows)
            let missing = ""
            try { $app.findAllRecords(123) } catch (err) { missing = err.message }
            return e.json(200, [rows, db.select("a").from("t").where($dbx.hashExp({ on: true })).build().params(),
                db.select("a").from("t").join("CROSS JOIN", "u").preFragment("WITH x AS (SELECT 1)").build().sql(), missing])
        })
        routerAdd("GET", "/forms", (e) => {
            const told = []
            const attempt = (form) => { try { form.submit() } catch (err) { told.push(err.message) } }
            attempt(new TestEmailSendForm($app))
            attempt(new TestS3FilesystemForm($app))
            attempt(new AppleClientSecretCreateForm($app))
            const form = new RecordUpsertForm($app, new Record($app.findCollectionByNameOrId("users")))
            form.load({ email: "form@example.com" })
            attempt(form)
            form.load({ password: "1234567890", passwordConfirm: "1234567890" })
            attempt(form)
            const files = $app.newFilesystem()
            const writer = files.newWriter("written/a.txt")
            writer.write("one ")
            writer.write(toBytes("two"))
            writer.close()
            return e.json(200, [told, $app.countRecords("users"), toString(files.getReader("written/a.txt"))])
        })
        routerAdd("GET", "/commands", (e) => {
            const cat = $os.cmd("cat")
            const to = cat.stdinPipe(), from = cat.stdoutPipe()
            cat.start()
            to.write("piped")
            to.close()
            const printed = toString(from)
            cat.wait()
            const failing = $os.cmd("sh", "-c", "exit 3")
            try { failing.run() } catch (err) { }
            return e.json(200, [printed, cat.processState.exitCode(), failing.processState.exitCode(), failing.processState.success()])
        })
        "#,
    );
    for (method, path, want) in [
        ("POST", "/same", json!([true, true, true, true, true, "{\"k", "\":1}", 7])),
        (
            "GET",
            "/lists",
            json!([["c", "b"], true, r#"["c","b","x"]"#, r#"["c","b","x"]"#, {"list": [1, "x"]}]),
        ),
        (
            "GET",
            "/order",
            json!([
                r#"{"name":"a","id":"","system":false,"hidden":false,"presentable":false,"help":"","required":false}"#,
                ["name", "value", "quoted"],
                true,
                true,
                "Conflict."
            ]),
        ),
        (
            "GET",
            "/queries",
            json!([
                [{"id": "u"}],
                {"p0": true},
                "WITH x AS (SELECT 1) SELECT `a` FROM `t` CROSS JOIN `u`",
                "context canceled; failed query: SELECT `@@__invalidCollectionModelOrIdentifier`.* FROM `@@__invalidCollectionModelOrIdentifier`"
            ]),
        ),
        (
            "GET",
            "/forms",
            json!([
                [
                    "email: cannot be blank; template: cannot be blank.",
                    "filesystem: cannot be blank.",
                    "clientId: cannot be blank; duration: cannot be blank; keyId: cannot be blank; privateKey: cannot be blank; teamId: cannot be blank.",
                    "password: cannot be blank; passwordConfirm: cannot be blank."
                ],
                1,
                "one two"
            ]),
        ),
        ("GET", "/commands", json!(["piped", 0, 3, false])),
    ] {
        let answer = server.send(method, path, "", &json!({"k": 1}));
        assert_eq!((answer.status, answer.json()), (200, want), "{path}");
    }
}

/// What projects do that must not be in their way.
#[test]
fn what_projects_do() {
    let server = with_hooks(
        r#"
        // a text is not looked at before its hook runs
        onRecordCreate("tasks", (e) => { e.next() })
        // a route that only this server has
        routerAdd("GET", "/api/openapi.json", (e) => e.json(200, { mine: true }))
        routerAdd("GET", "api/hello", (e) => e.string(200, "of the host"))
        routerAdd("GET", "/spa/{path...}", (e) => $apis.static("missing", true)(e))
        // who has stopped early is gone on behind
        routerAdd("GET", "/behind", (e) => e.json(200, "handler"), (e) => { e.next(); return e.next() }, (e) => { e.set("stopped", 1) })
        routerAdd("GET", "/caught", (e) => { throw new TypeError("plain") }, (e) => {
            try { e.next() } catch (err) { return e.json(200, [err.name, err.message, String(err), "value" in err]) }
        })
        routerAdd("GET", "/written", (e) => { e.response.write("part") })
        routerAdd("GET", "/headers", (e) => {
            e.request.header.set("x-new", "1")
            e.request.setPathValue("id", "2")
            return e.json(200, [e.request.header.get("X-New"), e.request.pathValue("id"), e.request.url.parse("../y").string()])
        })
        routerAdd("GET", "/expand", (e) => {
            const tags = new Collection({ type: "base", name: "tags", fields: [{ name: "secret", type: "text", hidden: true }] })
            $app.save(tags)
            const posts = new Collection({ type: "base", name: "posts", fields: [{ name: "tag", type: "relation", collectionId: tags.id }] })
            $app.save(posts)
            const tag = new Record(tags, { secret: "s" })
            $app.save(tag)
            const post = new Record(posts, { tag: tag.id })
            $app.save(post)
            const failed = $app.expandRecord(post, ["tag", "nope"], null)
            const shown = Object.keys(JSON.parse(JSON.stringify(post)).expand.tag).includes("secret")
            const asked = []
            const other = $app.findRecordById("posts", post.id)
            $app.expandRecord(other, ["tag"], (c, ids) => { asked.push(c.name, ids.length); return $app.findRecordsByIds(c, ids) })
            const info = new RequestInfo({ query: { a: "1" } })
            return e.json(200, [Object.keys(failed), shown, asked, other.expandedOne("tag").id == tag.id, $app.canAccessRecord(post, info, "@request.query.a = '1'")])
        })
        "#,
    );
    for (path, status, body) in [
        ("/api/openapi.json", 200, json!({"mine": true})),
        ("/spa/x", 404, json!({"data": {}, "message": "File not found.", "status": 404})),
        ("/behind", 200, json!("handler")),
        ("/caught", 200, json!(["TypeError", "plain", "TypeError: plain", false])),
        ("/headers", 200, json!(["1", "2", "/y"])),
        ("/expand", 200, json!([["nope"], false, ["tags", 1], true, true])),
    ] {
        let answer = server.send("GET", path, "", &json!(null));
        assert_eq!((answer.status, answer.json()), (status, body), "{path}");
    }
    let answer = server.send("GET", "/written", "", &json!(null));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
}

/// More migrations than a task of the runtime may wait for at once.
#[test]
fn many_migrations() {
    let dir = tempfile::tempdir().expect("a directory");
    let folder = dir.path().join("pb_migrations");
    fs::create_dir_all(&folder).expect("a folder");
    for at in 0..300 {
        fs::write(folder.join(format!("{at:04}_empty.js")), "migrate((app) => {})")
            .expect("a file");
    }
    let folder = folder.display().to_string();
    let server = Server::on(dir, &["--migrationsDir", &folder, "--automigrate=false"]);
    assert_eq!(server.send("GET", "/api/health", "", &json!(null)).status, 200);
}

#[test]
fn transactions_and_what_hooks_are_told() {
    let server = with_hooks(
        r#"
        onRecordCreate((e) => {
            if (e.record.get("name") === "deep") throw new RangeError("too deep")
            if (e.record.get("name") === "no") throw new ForbiddenError("not this one")
            if (e.record.get("name") !== "inside") return e.next()
            e.app.runInTransaction((tx) => {
                e.app = tx
                e.next()
                throw new BadRequestError("after all")
            })
        }, "users")
        onRecordAfterCreateError((e) => {
            const l = e.app.store().get("log") || []
            l.push(String(e.error).split("\n")[0])
            e.app.store().set("log", l)
            e.next()
        }, "users")
        onRecordAfterUpdateSuccess((e) => {
            e.app.store().set("change", [e.record.original().get("name"), e.record.get("name"), e.app.isTransactional()])
            e.next()
        }, "users")
        routerAdd("GET", "/errors", (e) => {
            const out = []
            for (const name of ["deep", "no", "inside"]) {
                const user = new Record($app.findCollectionByNameOrId("users"), { email: name + "@example.com", password: "1234567890", name })
                try { $app.save(user) } catch (err) { out.push([err.name, err.message]) }
            }
            return e.json(200, { out, log: e.app.store().get("log"), users: $app.countRecords("users") })
        })
        routerAdd("GET", "/change", (e) => {
            $app.save(new Record($app.findCollectionByNameOrId("users"), { email: "a@example.com", password: "1234567890", name: "a" }))
            const user = $app.findAuthRecordByEmail("users", "a@example.com")
            user.set("name", "b")
            $app.save(user)
            return e.json(200, e.app.store().get("change"))
        })
        routerAdd("GET", "/nested", (e) => {
            const out = []
            $app.runInTransaction((tx) => {
                tx.txInfo().onComplete((err) => { out.push(err) })
                tx.runInTransaction((inner) => { out.push(inner === tx, inner.isTransactional()) })
            })
            try {
                $app.runInTransaction((tx) => {
                    tx.txInfo().onComplete((err) => { out.push(err.message) })
                    throw new BadRequestError("undone")
                })
            } catch (err) { out.push(err.status) }
            return e.json(200, out.concat([$app.txInfo(), $app.isTransactional()]))
        })
        routerAdd("GET", "/aux", (e) => {
            const out = []
            const count = (app) => { const n = nullInt(); app.auxDB().select("count(*)").from("notes").row(n); return n == 1 }
            $app.auxDB().newQuery("CREATE TABLE notes (id TEXT)").execute()
            const add = (tx) => { tx.auxDB().newQuery("INSERT INTO notes VALUES ('a')").execute(); out.push(tx.isTransactional(), count(tx)) }
            try { $app.auxRunInTransaction((tx) => { add(tx); throw new Error("undone") }) } catch (err) { out.push(count($app)) }
            $app.auxRunInTransaction(add)
            out.push(count($app))
            return e.json(200, out)
        })
        routerAdd("GET", "/without", (e) => {
            $app.unsafeWithoutHooks().save(new Record($app.findCollectionByNameOrId("users"), { email: "n@example.com", password: "1234567890", name: "no" }))
            return e.json(200, true)
        })
        "#,
    );
    let errors = json!({
        "out": [["RangeError", "too deep"], ["GoError", "Not this one."], ["GoError", "After all."]],
        "log": ["RangeError: too deep", "Not this one.", "After all."],
        "users": 0,
    });
    for (path, body) in [
        ("/errors", errors),
        ("/change", json!(["a", "b", false])),
        ("/nested", json!([true, true, null, "Undone.", 400, null, false])),
        ("/aux", json!([true, true, false, true, true, true])),
        ("/without", json!(true)),
    ] {
        let answer = server.send("GET", path, "", &json!(null));
        assert_eq!((answer.status, answer.json()), (200, body), "{path}");
    }
}

#[test]
fn recorded_cases() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = root.join("../shared/conformance/js-hooks");
    let runner = shared.join("run.py");
    if !runner.exists() {
        assert!(std::env::var_os("CI").is_none(), "no recordings at {}", runner.display());
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    for (from, cases) in [(shared, SHARED_CASES), (root.join("tests/recorded-js"), OWN_CASES)] {
        for (case, _) in cases {
            copy(&from.join(case), &dir.path().join(case));
        }
    }
    // it looks for the cases beside itself
    fs::copy(&runner, dir.path().join("run.py")).expect("the runner");
    let mut worse = Vec::new();
    for (case, n_known) in SHARED_CASES.iter().chain(OWN_CASES) {
        let port = crate::support::free_port().to_string();
        let mut run = Command::new("python3");
        run.arg(dir.path().join("run.py")).args(["verify", binary(), case]).env("CONF_PORT", port);
        let done = run.output().expect("python3");
        let said = String::from_utf8_lossy(&done.stdout);
        let n_failed = said.lines().filter(|line| line.starts_with("FAIL ")).count();
        if n_failed > *n_known || !said.contains(" requests") {
            worse.push(format!(
                "{case}: {n_failed} for {n_known}\n{said}{}",
                String::from_utf8_lossy(&done.stderr)
            ));
        }
    }
    assert!(worse.is_empty(), "{}", worse.join("\n"));
}

/// What transactions roll back on PostgreSQL is gone for scripts, too, tables among it.
#[test]
fn rolled_back_on_postgres() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let hooks = dir.path().display().to_string();
    fs::write(
        dir.path().join("main.pb.js"),
        r#"
        routerAdd("GET", "/rolled-back", (e) => {
            const out = []
            try {
                $app.runInTransaction((tx) => {
                    tx.save(new Collection({ type: "base", name: "temp", fields: [{ name: "x", type: "text" }] }))
                    tx.save(new Record(tx.findCollectionByNameOrId("temp"), { x: "1" }))
                    out.push(tx.countRecords("temp"), tx.hasTable("temp"))
                    throw new Error("drop it")
                })
            } catch (err) { out.push(err.message) }
            out.push($app.hasTable("temp"), $app.hasTable("users"))
            return e.json(200, out)
        })
        "#,
    )
    .expect("a file");
    let server = postgres.serve("hooks", &["--hooksDir", &hooks, "--hooksWatch=false"]);
    let answer = server.send("GET", "/rolled-back", "", &json!(null));
    assert_eq!((answer.status, answer.json()), (200, json!([1, true, "drop it", false, true])));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::write(&to, fs::read(entry.path()).expect("a file")).expect("a file");
        }
    }
}
