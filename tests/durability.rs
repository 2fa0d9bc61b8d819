//! `kill -9` in the middle of writes: what was acknowledged is there afterwards, and the files are whole.
//!
//! Every worker keeps what it was told. An operation whose answer did not arrive may or may not have
//! happened; everything else must be exactly as acknowledged. `DURABILITY_KILLS` (default 4) sets the rounds,
//! `DURABILITY_OPS` (default 250) the acknowledged operations each round waits for.

use std::{
    collections::BTreeMap,
    io::Read,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{Client, Server, multipart};

const WORKERS: usize = 8;

/// What a worker knows of one record: the values it may have, `None` = gone.
#[derive(Debug, Default, Clone)]
struct Known {
    may_be: Vec<Option<i64>>,
    file: Option<(String, Vec<u8>)>,
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

#[test]
fn acknowledged_writes_survive_kill_9() {
    let mut server = Server::fresh(&[]);
    prepare(&server);
    let mut known: Vec<BTreeMap<String, Known>> = vec![BTreeMap::new(); WORKERS];
    let mut acknowledged = 0;
    for round in 0..setting("DURABILITY_KILLS", 4) {
        let stop = Arc::new(AtomicBool::new(false));
        let count = Arc::new(AtomicUsize::new(0));
        let port = server.port;
        let workers: Vec<_> = known
            .into_iter()
            .enumerate()
            .map(|(n, mine)| {
                let (stop, count) = (stop.clone(), count.clone());
                std::thread::spawn(move || work(n, round, port, mine, &stop, &count))
            })
            .collect();
        let end = Instant::now() + Duration::from_secs(60);
        while count.load(Ordering::Relaxed) < setting("DURABILITY_OPS", 250) {
            assert!(
                Instant::now() < end,
                "only {} operations in a minute",
                count.load(Ordering::Relaxed)
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        server.kill_and_restart();
        stop.store(true, Ordering::Relaxed);
        known = workers.into_iter().map(|w| w.join().expect("a worker")).collect();
        acknowledged += count.load(Ordering::Relaxed);
        check(&server, &known);
    }
    println!("durability: {acknowledged} acknowledged operations, 0 lost");
}

/// How often the server synced a file while `work` ran; `None` where strace is missing.
fn syncs_during(server: &Server, work: impl FnOnce()) -> Option<usize> {
    let log = tempfile::NamedTempFile::new().expect("a file");
    let mut tracer = Command::new("strace")
        .args(["-f", "-e", "trace=fsync,fdatasync", "-p", &server.pid().to_string(), "-o"])
        .arg(log.path())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    // strace says so on stderr once it is attached
    let mut said = [0; 1];
    tracer.stderr.as_mut().expect("a pipe").read_exact(&mut said).expect("strace attaches");
    work();
    Command::new("kill").arg(tracer.id().to_string()).status().expect("kill runs");
    tracer.wait().expect("strace ends");
    let text = std::fs::read_to_string(log.path()).expect("the log");
    Some(text.lines().filter(|line| line.contains("sync(") && !line.contains("resumed")).count())
}

#[test]
fn full_durability_syncs_every_group_and_normal_none() {
    const WRITES: i64 = 40;
    for (mode, flags) in [("normal", &[][..]), ("full", &["--durability=full"][..])] {
        let server = Server::fresh(flags);
        prepare(&server);
        let mut client = Client::connect(server.port).expect("a connection");
        let syncs = syncs_during(&server, || {
            for n in 0..WRITES {
                let body = json!({"n": n});
                post(&mut client, "POST", "/api/collections/things/records", &body)
                    .expect("an answer");
            }
        });
        let Some(syncs) = syncs else {
            assert!(std::env::var_os("CI").is_none(), "CI installs strace");
            println!("no strace on this machine: the number of syncs is not checked");
            return;
        };
        println!("durability {mode}: {syncs} syncs for {WRITES} sequential writes");
        match mode {
            "full" => {
                assert!(syncs >= WRITES as usize, "{syncs} syncs for {WRITES} acknowledged writes")
            }
            _ => assert!(syncs < WRITES as usize / 4, "{syncs} syncs for {WRITES} writes"),
        }
    }
}

fn prepare(server: &Server) {
    let token = server.superuser();
    let batch =
        json!({"batch": {"enabled": true, "maxRequests": 100, "timeout": 30, "maxBodySize": 0}});
    assert_eq!(server.send("PATCH", "/api/settings", &token, &batch).status, 200);
    let collection = json!({"name": "things", "type": "base", "listRule": "", "viewRule": "", "createRule": "",
        "updateRule": "", "deleteRule": "", "fields": [{"name": "n", "type": "number"},
        {"name": "doc", "type": "file", "maxSelect": 1}]});
    let made = server.send("POST", "/api/collections", &token, &collection);
    assert_eq!(made.status, 200, "{}", String::from_utf8_lossy(&made.body));
}

/// Writes until the server dies; returns what must and may be there.
fn work(
    n: usize,
    round: usize,
    port: u16,
    mut known: BTreeMap<String, Known>,
    stop: &AtomicBool,
    count: &AtomicUsize,
) -> BTreeMap<String, Known> {
    let Ok(mut client) = Client::connect(port) else { return known };
    let mut step = 0_i64;
    while !stop.load(Ordering::Relaxed) {
        step += 1;
        let ids: Vec<String> = (0..3)
            .map(|i| format!("w{n}r{round:03}s{step:07}{i}"))
            .map(|s| format!("{s:0<15}"))
            .collect();
        let done = match step % 5 {
            0 => batch(&mut client, &ids, step, &mut known),
            1 => upload(&mut client, &ids[0], step, &mut known),
            2 => change(&mut client, step, &mut known),
            3 if step % 2 == 0 => remove(&mut client, &mut known),
            _ => create(&mut client, &ids[0], step, &mut known),
        };
        match done {
            Ok(true) => count.fetch_add(1, Ordering::Relaxed),
            Ok(false) => continue,
            Err(_) => return known,
        };
    }
    known
}

type Step = std::io::Result<bool>;

fn post(
    client: &mut Client,
    method: &str,
    path: &str,
    body: &serde_json::Value,
) -> std::io::Result<()> {
    let answer = client.send(method, path, "", "application/json", body.to_string().as_bytes())?;
    assert!(
        (200..300).contains(&answer.status),
        "{method} {path}: {} {}",
        answer.status,
        String::from_utf8_lossy(&answer.body)
    );
    Ok(())
}

/// Notes that `id` may become `value`; after the acknowledgement it must be.
fn expect(known: &mut BTreeMap<String, Known>, id: &str, value: Option<i64>) {
    let entry =
        known.entry(id.to_owned()).or_insert_with(|| Known { may_be: vec![None], file: None });
    entry.may_be.push(value);
}

fn settle(known: &mut BTreeMap<String, Known>, id: &str) {
    if let Some(entry) = known.get_mut(id) {
        entry.may_be.drain(..entry.may_be.len() - 1);
    }
}

fn create(client: &mut Client, id: &str, value: i64, known: &mut BTreeMap<String, Known>) -> Step {
    expect(known, id, Some(value));
    post(client, "POST", "/api/collections/things/records", &json!({"id": id, "n": value}))?;
    settle(known, id);
    Ok(true)
}

fn change(client: &mut Client, value: i64, known: &mut BTreeMap<String, Known>) -> Step {
    let Some(id) = existing(known) else { return Ok(false) };
    expect(known, &id, Some(value));
    post(client, "PATCH", &format!("/api/collections/things/records/{id}"), &json!({"n": value}))?;
    settle(known, &id);
    Ok(true)
}

fn remove(client: &mut Client, known: &mut BTreeMap<String, Known>) -> Step {
    let Some(id) = existing(known) else { return Ok(false) };
    expect(known, &id, None);
    let answer =
        client.send("DELETE", &format!("/api/collections/things/records/{id}"), "", "", b"")?;
    assert_eq!(answer.status, 204);
    settle(known, &id);
    Ok(true)
}

fn batch(
    client: &mut Client,
    ids: &[String],
    value: i64,
    known: &mut BTreeMap<String, Known>,
) -> Step {
    let requests: Vec<_> = ids
        .iter()
        .map(|id| json!({"method": "POST", "url": "/api/collections/things/records", "body": {"id": id, "n": value}}))
        .collect();
    for id in ids {
        expect(known, id, Some(value));
    }
    post(client, "POST", "/api/batch", &json!({ "requests": requests }))?;
    for id in ids {
        settle(known, id);
    }
    Ok(true)
}

fn upload(client: &mut Client, id: &str, value: i64, known: &mut BTreeMap<String, Known>) -> Step {
    let content = format!("{id} {value}").repeat(200).into_bytes();
    expect(known, id, Some(value));
    let (kind, body) =
        multipart(&[("id", id), ("n", &value.to_string())], ("doc", "note.txt", &content));
    let answer = client.send("POST", "/api/collections/things/records", "", &kind, &body)?;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let name = answer.json()["doc"].as_str().expect("a file name").to_owned();
    settle(known, id);
    known.get_mut(id).expect("just settled").file = Some((name, content));
    Ok(true)
}

/// Some record that is certainly there.
fn existing(known: &BTreeMap<String, Known>) -> Option<String> {
    known
        .iter()
        .rev()
        .find(|(_, k)| matches!(k.may_be.as_slice(), [Some(_)]))
        .map(|(id, _)| id.clone())
}

fn check(server: &Server, known: &[BTreeMap<String, Known>]) {
    let db = rusqlite::Connection::open(server.data_dir().join("data.db")).expect("data.db");
    let whole: String =
        db.query_row("PRAGMA integrity_check", [], |r| r.get(0)).expect("integrity_check");
    assert_eq!(whole, "ok");
    let mut rows = BTreeMap::new();
    let mut statement = db.prepare("SELECT id, n, doc FROM things").expect("things");
    let found = statement.query_map([], |r| {
        Ok((r.get::<_, String>(0)?, (r.get::<_, i64>(1)?, r.get::<_, String>(2)?)))
    });
    for row in found.expect("rows") {
        let (id, value) = row.expect("a row");
        rows.insert(id, value);
    }
    let collection: String = db
        .query_row("SELECT id FROM _collections WHERE name = 'things'", [], |r| r.get(0))
        .expect("things");
    for (id, entry) in known.iter().flatten() {
        let is = rows.get(id).map(|(n, _)| *n);
        assert!(entry.may_be.contains(&is), "{id} is {is:?}, should be one of {:?}", entry.may_be);
        if let (Some((name, content)), Some((_, doc))) = (&entry.file, rows.get(id)) {
            assert_eq!(doc, name);
            let path = server.data_dir().join("storage").join(&collection).join(id).join(name);
            assert_eq!(&std::fs::read(&path).unwrap_or_default(), content, "{}", path.display());
        }
    }
}
