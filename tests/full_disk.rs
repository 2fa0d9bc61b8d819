//! A full disk: requests that need room fail with an ordinary answer, everything else goes on, and nothing that was
//! acknowledged is lost.
//!
//! The server's directory is a small tmpfs of its own, which takes the right to mount (root; CI has it).

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::support::{Answer, Client, EMAIL, PASSWORD, Server, eventually, multipart, run};

/// The whole disk.
const SIZE: &str = "size=96m";
/// What lies on it for nothing, and makes room when it goes.
const BALLAST: usize = 40 << 20;
/// Bytes of an uploaded file that fits into the form's memory.
const SMALL: usize = 100_000;
/// Bytes of an uploaded file that goes through the spool.
const LARGE: usize = 17 << 20;
/// Refusals in a row after which the disk counts as full.
const REFUSALS: usize = 5;

const NOTES: &str = "/api/collections/notes/records";
const DOCS: &str = "/api/collections/docs/records";

/// A tmpfs that is gone with its value.
struct Disk(PathBuf);

impl Disk {
    /// `None` where this user may not mount.
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().expect("a directory").keep();
        let mut mount = Command::new("mount");
        let mount = mount.args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(&dir).output();
        if mount.as_ref().is_ok_and(|done| done.status.success()) {
            return Some(Self(dir));
        }
        fs::remove_dir(&dir).expect("removed");
        assert!(std::env::var_os("CI").is_none(), "CI may mount: {mount:?}");
        println!("no tmpfs can be mounted: the full disk is not tested ({mount:?})");
        None
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // nothing to be done about what cannot be cleaned up
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}

/// What was acknowledged.
#[derive(Default)]
struct Acknowledged {
    /// (id, text)
    notes: Vec<(String, String)>,
    /// (id, file name, content)
    docs: Vec<(String, String, Vec<u8>)>,
}

/// A refusal says so as all errors do, and tells nothing of the machine.
fn check_refusal(answer: &Answer, what: &str) {
    check_envelope(answer, what);
    let text = String::from_utf8_lossy(&answer.body).to_lowercase();
    for secret in ["sqlite", "database", "disk", "space", "os error"] {
        assert!(!text.contains(secret), "{what} tells {secret:?}: {text}");
    }
}

/// The shape of every error. Superusers are told what the database said, but neither statements nor paths.
fn check_envelope(answer: &Answer, what: &str) {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!((400..600).contains(&answer.status), "{what}: {} {text}", answer.status);
    let body = answer.json();
    let keys: Vec<&str> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["data", "message", "status"], "{what}: {text}");
    assert_eq!(body["status"], answer.status, "{what}: {text}");
    assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{what}: {text}");
    for secret in ["INSERT", "UPDATE ", "CREATE TABLE", "pb_data", "pb_upload", "/tmp", ".tmp"] {
        assert!(!text.contains(secret), "{what} tells {secret:?}: {text}");
    }
}

fn prepare(server: &Server) -> String {
    let root = server.superuser();
    let open = |name: &str, field: Value| {
        json!({"name": name, "type": "base", "fields": [field], "listRule": "", "viewRule": "",
            "createRule": "", "updateRule": "", "deleteRule": ""})
    };
    let text = json!({"name": "text", "type": "text", "max": 100_000});
    let file = json!({"name": "file", "type": "file", "maxSelect": 1, "maxSize": 2 * LARGE});
    for body in [open("notes", text), open("docs", file)] {
        let made = server.send("POST", "/api/collections", &root, &body);
        assert_eq!(made.status, 200, "{}", made.json());
    }
    root
}

fn string(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// One note of that length; false if it was refused.
fn write(server: &Server, len: usize, done: &mut Acknowledged) -> bool {
    let text = format!("{}-", done.notes.len()).repeat(len)[..len].to_owned();
    let answer = server.send("POST", NOTES, "", &json!({ "text": text }));
    if answer.status == 200 {
        done.notes.push((string(&answer.json()["id"]), text));
        return true;
    }
    check_refusal(&answer, "a create");
    false
}

/// One upload of that length; false if it was refused.
fn upload(server: &Server, len: usize, done: &mut Acknowledged) -> bool {
    let content = format!("{} ", done.docs.len()).into_bytes().repeat(len)[..len].to_vec();
    let (kind, body) = multipart(&[], ("file", "doc.bin", &content));
    let mut client = Client::connect(server.port).expect("a connection");
    let answer = client.send("POST", DOCS, "", &kind, &body).expect("an answer");
    if answer.status == 200 {
        let made = answer.json();
        done.docs.push((string(&made["id"]), string(&made["file"]), content));
        return true;
    }
    check_refusal(&answer, "an upload");
    false
}

/// Writes until nothing finds room any more: large things first, then what fits into the gaps.
fn fill(server: &Server, done: &mut Acknowledged) {
    let until_refused = |times: usize, attempt: &mut dyn FnMut() -> bool| {
        let mut refused = 0;
        for _ in 0..5000 {
            refused = if attempt() { 0 } else { refused + 1 };
            if refused == times {
                return;
            }
        }
        panic!("the disk does not fill up");
    };
    until_refused(1, &mut || upload(server, LARGE, done));
    until_refused(REFUSALS, &mut || upload(server, SMALL, done));
    until_refused(REFUSALS, &mut || write(server, 20_000, done));
    until_refused(REFUSALS, &mut || write(server, 10, done));
    assert!(!upload(server, SMALL, done), "the disk is full for files");
    assert!(!upload(server, LARGE, done), "and for what is spooled first");
}

/// Everything acknowledged is served, and nothing else.
fn check_served(server: &Server, done: &Acknowledged) {
    let list = |path: &str| {
        let (mut items, mut page) = (Vec::new(), 1);
        loop {
            let path = format!("{path}?perPage=1000&page={page}&skipTotal=1");
            let answer = server.send("GET", &path, "", &Value::Null);
            assert_eq!(answer.status, 200, "{}", answer.json());
            let found = answer.json()["items"].as_array().expect("items").clone();
            let is_last = found.len() < 1000;
            items.extend(found);
            page += 1;
            if is_last {
                return items;
            }
        }
    };
    let mut found: Vec<_> =
        list(NOTES).iter().map(|note| (string(&note["id"]), string(&note["text"]))).collect();
    let mut notes = done.notes.clone();
    found.sort();
    notes.sort();
    assert_eq!(found.len(), notes.len());
    assert!(found == notes, "a note has changed");
    assert_eq!(list(DOCS).len(), done.docs.len());
    for (id, name, content) in &done.docs {
        let answer = server.send("GET", &format!("/api/files/docs/{id}/{name}"), "", &Value::Null);
        assert_eq!(answer.status, 200, "{id}/{name}");
        assert!(&answer.body == content, "{id}/{name} has changed");
    }
}

/// The names of all files below a directory.
fn files_below(dir: &Path) -> Vec<PathBuf> {
    let (mut left, mut files) = (vec![dir.to_owned()], Vec::new());
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                left.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files
}

/// The databases are whole, and no file lies about that no record has.
fn check_files(disk: &Path, done: &Acknowledged) {
    let data = disk.join("pb_data");
    for name in ["data.db", "auxiliary.db"] {
        let db = rusqlite::Connection::open(data.join(name)).expect("a database");
        let verdict: String =
            db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checked");
        assert_eq!(verdict, "ok", "{name}");
    }
    let is_expected = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.starts_with(data.join("storage")) {
            let name = name.strip_suffix(".attrs").unwrap_or(&name);
            return done.docs.iter().any(|(_, file, _)| file == name);
        }
        let known = ["log", "data.db", "auxiliary.db", "types.d.ts"];
        known.iter().any(|known| name == *known || name.starts_with(&format!("{known}-")))
    };
    let left: Vec<_> = files_below(disk).into_iter().filter(|path| !is_expected(path)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_full_disk_refuses_writes_and_loses_nothing() {
    let Some(disk) = Disk::mount() else { return };
    let dir = tempfile::Builder::new().tempdir_in(&disk.0).expect("a directory");
    let (root_dir, ballast) = (dir.path().to_owned(), disk.0.join("ballast"));
    let temp = disk.0.join("tmp");
    fs::create_dir(&temp).expect("a directory");
    let made = run(dir.path(), &["superuser", "upsert", EMAIL, PASSWORD, "--dir", "pb_data"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    fs::write(&ballast, vec![0; BALLAST]).expect("there is room");
    let env = [("TMPDIR", temp.to_str().expect("a plain name"))];
    let mut server = Server::on_with(dir, &[], &env);
    let (root, pid) = (prepare(&server), server.pid());
    let mut done = Acknowledged::default();
    for _ in 0..10 {
        assert!(write(&server, 100, &mut done) && upload(&server, 1000, &mut done));
    }

    fill(&server, &mut done);
    println!("full after {} notes and {} files", done.notes.len(), done.docs.len());

    // Nothing else that needs room gets through half, whatever it is.
    let (id, _) = done.notes[0].clone();
    let longer = "y".repeat(90_000);
    let changed = server.send("PATCH", &format!("{NOTES}/{id}"), "", &json!({ "text": longer }));
    check_refusal(&changed, "an update");
    let field = json!({"name": "n", "type": "number"});
    let body = json!({"name": "more", "type": "base", "fields": [field]});
    let made = server.send("POST", "/api/collections", &root, &body);
    if made.status != 200 {
        check_envelope(&made, "a collection");
    }
    let backup = server.send("POST", "/api/backups", &root, &json!({"name": "full.zip"}));
    check_envelope(&backup, "a backup");
    // Who only reads does not notice.
    check_served(&server, &done);
    assert_eq!(server.send("GET", "/api/health", "", &Value::Null).status, 200);
    assert_eq!(server.send("GET", "/api/collections", &root, &Value::Null).status, 200);
    assert_eq!(server.send("GET", "/api/logs", &root, &Value::Null).status, 200);

    // As soon as there is room again, everything works.
    fs::remove_file(&ballast).expect("removed");
    eventually("a note finds room", || write(&server, 1000, &mut done).then_some(()));
    assert!(upload(&server, SMALL, &mut done), "files find room, too");
    let changed = server.send("PATCH", &format!("{NOTES}/{id}"), "", &json!({"text": "changed"}));
    assert_eq!(changed.status, 200, "{}", changed.json());
    done.notes[0].1 = "changed".to_owned();
    assert_eq!(server.pid(), pid);
    check_served(&server, &done);

    // And what was acknowledged is on the disk.
    server.kill_and_restart();
    check_served(&server, &done);
    let log = fs::read_to_string(root_dir.join("log")).expect("the log");
    assert!(!log.contains("panicked"), "{log}");
    server.terminate();
    server.wait();
    check_files(&root_dir, &done);
    assert_eq!(files_below(&temp), Vec::<PathBuf>::new(), "nothing is left of uploads");
}
