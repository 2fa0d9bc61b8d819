//! Commands as people type them: exit codes, streams, one clear line when something is wrong.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::support::{EMAIL, PASSWORD, Server, binary, eventually, run};

/// What was said on stderr, without the time in front.
fn stderr(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let is_time = |c: char| c.is_ascii_digit() || matches!(c, '/' | ':' | ' ');
    match said.get(..20) {
        Some(time) if time.chars().all(is_time) => said[20..].to_owned(),
        _ => said,
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Fails with exit code 1, nothing on stdout, and exactly one line that contains each of `words`.
fn refused(dir: &Path, args: &[&str], words: &[&str]) {
    let output = run(dir, args);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {}", stderr(&output));
    let line = stderr(&output);
    assert_eq!(line.lines().count(), 1, "{args:?}: {line}");
    for word in words {
        assert!(line.contains(word), "{args:?} should mention {word:?}: {line}");
    }
}

#[test]
fn superuser_commands() {
    let dir = tempfile::tempdir().expect("a directory");
    let said = |args: &[&str]| {
        let output = run(dir.path(), args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        stdout(&output)
    };
    let create = ["superuser", "create", EMAIL, PASSWORD, "--dir", "d"];
    assert_eq!(said(&create), format!("Successfully created new superuser \"{EMAIL}\"!"));
    refused(dir.path(), &create, &["email: Value must be unique."]);
    refused(
        dir.path(),
        &["superuser", "create", "x@example.com", "short", "--dir", "d"],
        &["at least 8 character(s)"],
    );
    refused(dir.path(), &["superuser", "create", "nonsense", PASSWORD, "--dir", "d"], &["email"]);
    assert_eq!(
        said(&["superuser", "upsert", EMAIL, "another password", "--dir", "d"]),
        format!("Successfully saved superuser \"{EMAIL}\"!")
    );
    assert_eq!(
        said(&["superuser", "update", EMAIL, PASSWORD, "--dir", "d"]),
        format!("Successfully changed superuser \"{EMAIL}\" password!")
    );
    refused(
        dir.path(),
        &["superuser", "update", "no@example.com", PASSWORD, "--dir", "d"],
        &["doesn't exist"],
    );
    refused(
        dir.path(),
        &["superuser", "delete", EMAIL, "--dir", "d"],
        &["only existing superuser"],
    );
    said(&["superuser", "create", "second@example.com", PASSWORD, "--dir", "d"]);
    assert_eq!(
        said(&["superuser", "delete", EMAIL, "--dir", "d"]),
        format!("Successfully deleted superuser \"{EMAIL}\"!")
    );
}

#[test]
fn what_another_process_changes_holds_at_once() {
    let server = Server::fresh(&[]);
    let root = server.superuser();
    let dir = server.data_dir();
    let home = dir.parent().expect("a parent");
    let ips = |addresses: &[&str]| {
        let mut args = vec!["superuser", "ips"];
        args.extend_from_slice(addresses);
        args.extend_from_slice(&["--dir", "pb_data"]);
        assert!(run(home, &args).status.success());
    };
    let login = json!({"identity": EMAIL, "password": PASSWORD});
    let sign_in = || {
        let path = "/api/collections/_superusers/auth-with-password";
        server.send("POST", path, "", &login).status
    };
    let settings = || server.send("GET", "/api/settings", &root, &Value::Null);
    for _ in 0..5 {
        ips(&["9.9.9.9"]);
        assert_eq!(settings().status, 403);
        ips(&[]);
        assert_eq!(settings().status, 200);
        ips(&["9.9.9.9", "10.0.0.0/8"]);
        assert_eq!(sign_in(), 403);
        ips(&["127.0.0.1"]);
        assert_eq!(sign_in(), 200);
    }
    // whatever writes
    let db = rusqlite::Connection::open(dir.join("data.db")).expect("the database");
    db.busy_timeout(std::time::Duration::from_secs(10)).expect("a timeout");
    let set = |path: &str, value: &str| {
        let text =
            "UPDATE _params SET value = CAST(json_set(CAST(value AS TEXT), ?1, json(?2)) AS BLOB)";
        assert_eq!(db.execute(text, [path, value]).expect("an update"), 1);
    };
    set("$.meta.appName", "\"another\"");
    assert_eq!(settings().json()["meta"]["appName"], "another");
    // without a superuser's request, a moment later
    let list = || server.send("GET", "/api/collections/users/records", "", &Value::Null).status;
    db.execute("UPDATE _collections SET listRule = NULL, updated = '2099-01-01 00:00:00.000Z' WHERE name = 'users'", [])
        .expect("an update");
    eventually("the rule is gone", || (list() == 403).then_some(()));
    let rule = r#"[{"label":"GET /api/health","duration":3600,"maxRequests":1}]"#;
    set("$.rateLimits", &format!(r#"{{"enabled":true,"rules":{rule}}}"#));
    let health = || server.send("GET", "/api/health", "", &Value::Null).status;
    eventually("the limit holds", || (health() == 429).then_some(()));
}

#[test]
fn unusable_directories_are_named() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("foreign")).expect("a directory");
    fs::write(
        dir.path().join("foreign/data.db"),
        "this is not a database, but it is long enough to have a header".repeat(40),
    )
    .expect("a file");
    refused(dir.path(), &["serve", "--dir", "foreign", "--http", "127.0.0.1:0"], &["data.db"]);
    fs::write(dir.path().join("a-file"), "").expect("a file");
    refused(
        dir.path(),
        &["serve", "--dir", "a-file/pb_data", "--http", "127.0.0.1:0"],
        &["a-file"],
    );
    let kept = fs::read_to_string(dir.path().join("foreign/data.db")).expect("the file");
    assert!(kept.starts_with("this is not a database"), "a foreign file is left alone");
}

#[test]
fn a_taken_port_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    refused(dir.path(), &["serve", "--dir", "d", "--http", &address], &[&address]);
}

#[test]
fn a_hook_file_that_does_not_load_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("pb_hooks")).expect("a directory");
    fs::write(dir.path().join("pb_hooks/main.pb.js"), "const a = 1\nconst b =\n").expect("a file");
    refused(
        dir.path(),
        &["serve", "--dir", "pb_data", "--http", "127.0.0.1:0", "--hooksWatch=false"],
        &["main.pb.js", "SyntaxError"],
    );
}

/// The reference's sentences, without the time in front.
#[test]
fn failures_are_one_line_on_stderr() {
    let dir = tempfile::tempdir().expect("a directory");
    assert!(
        run(dir.path(), &["superuser", "create", "a@example.com", "1234567890"]).status.success()
    );
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address").to_string();
    let in_use = format!("listen tcp {taken}: bind: address already in use");
    let parse = "invalid argument \"abc\" for \"--queryTimeout\" flag: strconv.ParseInt: parsing \"abc\": invalid syntax";
    let huge = "invalid argument \"99999999999999999999\" for \"--queryTimeout\" flag: strconv.ParseInt: parsing \"99999999999999999999\": value out of range";
    let switch = "invalid argument \"maybe\" for \"--dev\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax";
    for (args, said) in [
        (
            &["superuser", "create", "a@example.com", "1234567890"][..],
            "failed to create new superuser account: email: Value must be unique.",
        ),
        (&["superuser", "create", "nope", "1234567890"], "missing or invalid email address"),
        (
            &["superuser", "create", "b@example.com", "123"],
            "failed to create new superuser account: password: Must be at least 8 character(s).",
        ),
        (&["superuser", "create"], "missing email and password arguments"),
        (&["superuser", "create", "a", "b", "c"], "missing email and password arguments"),
        (
            &["superuser", "update", "zz@example.com", "1234567890"],
            "superuser with email \"zz@example.com\" doesn't exist",
        ),
        (
            &["superuser", "otp", "zz@example.com"],
            "superuser with email \"zz@example.com\" doesn't exist",
        ),
        (
            &["superuser", "delete", "a@example.com"],
            "failed to delete superuser \"a@example.com\": You can't delete the only existing superuser.",
        ),
        (&["superuser", "ips", "nope"], "superuserIPs: (0: invalid IP or CIDR subnet.)."),
        (&["nope"], "unknown command \"nope\" for \"pocketbase\""),
        (&["nope", "x"], "unknown command \"nope\" for \"pocketbase\""),
        (&["serve", "--nope"], "unknown flag: --nope"),
        (&["serve", "-x"], "unknown shorthand flag: 'x' in -x"),
        (&["serve", "--dir"], "flag needs an argument: --dir"),
        (&["serve", "--queryTimeout=abc"], parse),
        (&["serve", "--queryTimeout=99999999999999999999"], huge),
        (&["serve", "--dev=maybe"], switch),
        (&["serve", "--durability=x"], "invalid argument \"x\" for \"--durability\" flag"),
        (&["serve", "--http", &taken], &in_use),
        (&["db", "copy"], "missing arguments: --from <DIR|DSN>, --to <DIR|DSN>"),
    ] {
        let output = run(dir.path(), args);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{args:?}");
        assert_eq!(stderr(&output), said, "{args:?}");
    }
    for (args, said) in [
        (
            &["superuser", "delete", "zz@example.com"][..],
            "superuser \"zz@example.com\" is missing or already deleted",
        ),
        (&["superuser", "nope"], "Manage superusers"),
        (&["superuser"], "Manage superusers"),
        (&["--help"], "pocketbase CLI"),
    ] {
        let output = run(dir.path(), args);
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""), "{args:?}");
        assert_eq!(stdout(&output).lines().next(), Some(said), "{args:?}");
    }
}

/// `cargo clean` must not delete data; anywhere else it lies beside the executable, as the reference has it.
#[test]
fn where_data_lies() {
    let dir = tempfile::tempdir().expect("a directory");
    let (work, bin) = (dir.path().join("work"), dir.path().join("bin"));
    fs::create_dir(&work).expect("a directory");
    fs::create_dir(&bin).expect("a directory");
    let create = ["superuser", "create", "a@example.com", "1234567890"];
    assert!(run(&work, &create).status.success());
    assert!(work.join("pb_data/data.db").exists(), "Cargo has built it: the working directory");
    fs::remove_dir_all(work.join("pb_data")).expect("removed");
    let installed = bin.join("pb");
    if fs::hard_link(binary(), &installed).is_err() {
        fs::copy(binary(), &installed).expect("a copy");
    }
    let output = Command::new(&installed).args(create).current_dir(&work).output().expect("starts");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(bin.join("pb_data/data.db").exists() && !work.join("pb_data").exists());
}

#[test]
fn filter_compile_prints_every_stage() {
    let server = Server::fresh(&[]);
    let data = server.data_dir();
    let dir = data.parent().expect("a parent");
    let filter = "name ~ 'ann' && verified = true";
    for (dialect, placeholder) in [("sqlite", "?1"), ("postgres", "$1")] {
        let args = [
            "filter",
            "compile",
            "--dir",
            "pb_data",
            "--collection",
            "users",
            "--dialect",
            dialect,
            filter,
        ];
        let output = run(dir, &args);
        assert!(output.status.success(), "{}", stderr(&output));
        let said = stdout(&output);
        for word in ["AST", "plan", "SQL", "%ann%", placeholder] {
            assert!(
                said.to_lowercase().contains(&word.to_lowercase()),
                "{dialect} lacks {word}: {said}"
            );
        }
    }
    let wrong =
        run(dir, &["filter", "compile", "--dir", "pb_data", "--collection", "users", "nope = 1"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stderr(&wrong).contains('^'), "a caret shows the place: {}", stderr(&wrong));
    let compile = |filter: &str| {
        run(dir, &["filter", "compile", "--dir", "pb_data", "--collection", "users", filter])
    };
    assert!(stderr(&compile("name == 'a'")).contains("hint: `=` compares"));
    assert!(!stdout(&compile("name = 'a'")).contains("HINTS"));
    let hinted = stdout(&compile("@collection.users.name = 'a'"));
    assert!(hinted.contains("HINTS\n`@collection.users.name = …`"), "{hinted}");
    // over HTTP, and nowhere else
    let root = server.superuser();
    let explain = |filter: &str| {
        server
            .send("POST", "/api/collections/users/explain", &root, &json!({"filter": filter}))
            .json()
    };
    assert_eq!(explain("name = 'a'")["hints"], json!([]));
    assert_eq!(explain("@collection.users.name = 'a'")["hints"].as_array().map(Vec::len), Some(1));
    let refused = explain("name == 'a'")["message"].as_str().expect("a message").to_owned();
    assert!(refused.ends_with("Hint: `=` compares."), "{refused}");
    let list =
        server.send("GET", "/api/collections/users/records?filter=name==1", &root, &Value::Null);
    assert_eq!(
        list.json(),
        json!({"data": {}, "message": "Something went wrong while processing your request.", "status": 400})
    );
}
