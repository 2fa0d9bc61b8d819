//! What a backup costs those who write meanwhile: latencies of single-row writes without one, and while one is made.
//!
//! `cargo bench -p benches --bench backup_under_load`; `MIB=2048` sets the size of the database. The target: the 99th
//! percentile stays below twice that without a backup. The copy in the archive must be whole and hold every write that was
//! acknowledged before the backup began.

#![allow(clippy::print_stdout, reason = "the figures")]

use std::{
    fs::File,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use engine::{
    App,
    app::Config,
    backup,
    event::Hooks,
    store::{Job, Sql, Value},
};

fn sql(text: &str, params: Vec<Value>) -> Sql {
    Sql { text: text.into(), params }
}

/// Writes until told to stop; the latencies in microseconds.
async fn write(app: App, stop: Arc<AtomicBool>) -> Vec<u128> {
    let mut latencies = Vec::new();
    let text = "INSERT INTO load (pad) VALUES (?1)";
    while !stop.load(Ordering::Relaxed) {
        let job = Job::from(sql(text, vec![Value::Text("x".repeat(500).into())]));
        let started = Instant::now();
        app.db().write(job).await.expect("written");
        latencies.push(started.elapsed().as_micros());
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
    latencies
}

async fn during<F: Future<Output = ()>>(app: &App, name: &str, work: F) -> u128 {
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4).map(|_| tokio::spawn(write(app.clone(), stop.clone()))).collect();
    let started = Instant::now();
    work.await;
    let took = started.elapsed();
    stop.store(true, Ordering::Relaxed);
    let mut all = Vec::new();
    for writer in writers {
        all.extend(writer.await.expect("a writer"));
    }
    all.sort_unstable();
    let at = |share: usize| all[(all.len() - 1) * share / 1000];
    println!(
        "{name:>8}: {:.1} s, {} writes, p50 {} µs, p99 {} µs, p99.9 {} µs, max {} µs",
        took.as_secs_f64(),
        all.len(),
        at(500),
        at(990),
        at(999),
        at(1000)
    );
    at(990)
}

async fn run(mib: i64) {
    let dir = tempfile::tempdir().expect("a directory");
    let app = App::bootstrap(Config::new(dir.path()), Hooks::default()).await.expect("an app");
    let db = app.db();
    let write = |text: String, params| db.write(Job::from(sql(&text, params)));
    write("CREATE TABLE load (id INTEGER PRIMARY KEY, pad TEXT)".into(), vec![])
        .await
        .expect("table");
    for _ in 0..mib.div_euclid(16).max(1) {
        let text = "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 4096) \
                    INSERT INTO load (pad) SELECT hex(randomblob(2000)) FROM s";
        write(text.into(), vec![]).await.expect("filled");
    }
    let size = std::fs::metadata(dir.path().join("data.db")).map_or(0, |stat| stat.len());
    println!("database: {} MiB", size >> 20);
    let without = during(&app, "without", tokio::time::sleep(Duration::from_secs(10))).await;
    let before = AtomicI64::new(0);
    let with = during(&app, "with", async {
        before.store(newest(&dir.path().join("data.db")), Ordering::Relaxed);
        backup::create(&app, "bench.zip").await.expect("a backup");
    })
    .await;
    println!("p99 with / without: {:.2}", with as f64 / without.max(1) as f64);
    app.shutdown(false).await.expect("closed");
    check(dir.path(), before.into_inner());
}

/// The newest row that was committed; rows are numbered in the order of their commits.
fn newest(path: &Path) -> i64 {
    let conn = rusqlite::Connection::open(path).expect("a database");
    conn.query_row("SELECT max(id) FROM load", [], |row| row.get(0)).expect("rows")
}

/// The copy in the archive is whole and holds all rows up to `before`.
fn check(dir: &Path, before: i64) {
    let file = File::open(dir.join("backups/bench.zip")).expect("the backup");
    let mut zip = zip::ZipArchive::new(file).expect("a zip file");
    let path = dir.join("restored.db");
    let mut copy = File::create(&path).expect("a file");
    std::io::copy(&mut zip.by_name("data.db").expect("data.db"), &mut copy).expect("extracted");
    let conn = rusqlite::Connection::open(&path).expect("a database");
    let verdict: String =
        conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checked");
    let held: i64 = conn
        .query_row("SELECT count(*) FROM load WHERE id <= ?1", [before], |row| row.get(0))
        .expect("counted");
    println!(
        "restored copy: integrity_check {verdict}, {held} of {before} writes before the backup"
    );
    assert!(verdict == "ok" && held == before, "the copy is not complete");
}

fn main() {
    let mib = std::env::var("MIB").ok().and_then(|text| text.parse().ok()).unwrap_or(256);
    tokio::runtime::Runtime::new().expect("a runtime").block_on(run(mib));
}
