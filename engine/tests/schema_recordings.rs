//! Recorded answers of the reference about collections, replayed against `schema` without HTTP.
//!
//! Needs the recordings beside the project; skips, visibly, where they are absent.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use engine::{
    Error, FieldError, FieldErrors,
    schema::{
        self, Collection, Kind, Snapshot, Validation, import, migrate,
        normalize::{new_collection, normalize},
        sync, view,
    },
    settings::{Key, Settings},
    store::{Db, Store, StoreConfig},
};
use regex::Regex;
use serde_json::{Value, json, value::RawValue};

fn recordings() -> Option<PathBuf> {
    let root = std::env::var_os("CONFORMANCE_DIR")
        .map_or_else(|| PathBuf::from("/work/shared/conformance"), PathBuf::from);
    if root.is_dir() {
        return Some(root);
    }
    eprintln!("skipped: no recordings at {}", root.display());
    None
}

fn unpack(archive: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let status = std::process::Command::new("tar")
        .args(["-xzf".as_ref(), archive.as_os_str(), "-C".as_ref(), dir.path().as_os_str()])
        .status()
        .unwrap();
    assert!(status.success());
    dir
}

/// The directory with `data.db`, wherever the archive put it.
fn data_dir(root: &Path) -> PathBuf {
    if root.join("data.db").exists() {
        return root.to_owned();
    }
    let entries = std::fs::read_dir(root).unwrap();
    entries.map(|e| e.unwrap().path()).find(|p| p.join("data.db").exists()).unwrap()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(future)
}

/// Recorded JSON without escapes that need not be: older recordings have those of 0.39.
fn shortest(text: &str) -> String {
    let mut out = Vec::new();
    assert!(text.is_empty() || engine::json::write_raw(&mut out, text), "{text}");
    String::from_utf8(out).unwrap()
}

#[test]
fn listed_collections_are_the_same_bytes() {
    let Some(root) = recordings() else { return };
    let dir = unpack(&root.join("http/fixtures/base.tar.gz"));
    let store = Store::open(&StoreConfig::new(data_dir(dir.path()))).unwrap();
    let db = Db::Pool(store.data().clone());
    let snapshot = block_on(Snapshot::load(&db, &std::sync::Arc::default())).unwrap();
    let mut n_compared = 0;
    for file in ["CollectionsList", "CollectionView"] {
        for line in lines(&root.join(format!("http/{file}.jsonl"))) {
            if line["status"] != 200 || line["url"].as_str().unwrap().contains('?') {
                continue;
            }
            let body = line["response_body"]["text"].as_str().unwrap();
            let items: Vec<Box<RawValue>> =
                match serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(body) {
                    Ok(map) if map.contains_key("items") => {
                        serde_json::from_str(map["items"].get()).unwrap()
                    }
                    _ => vec![serde_json::from_str(body).unwrap()],
                };
            for item in items {
                let id = serde_json::from_str::<Value>(item.get()).unwrap()["id"].clone();
                let ours = snapshot.by_id(id.as_str().unwrap()).unwrap().to_json();
                assert_eq!(ours, shortest(item.get()));
                n_compared += 1;
            }
        }
    }
    assert!(n_compared >= 17, "{n_compared}");
}

#[test]
fn old_directories_need_no_migration() {
    let Some(root) = recordings() else { return };
    for archive in ["http/fixtures/base.tar.gz", "diff/fixtures/rich.tar.gz"] {
        let dir = unpack(&root.join(archive));
        let store = Store::open(&StoreConfig::new(data_dir(dir.path()))).unwrap();
        let db = Db::Pool(store.data().clone());
        let before = block_on(schema::snapshot::load_collections(&db)).unwrap();
        let report = block_on(migrate::run(&store)).unwrap();
        assert!(!report.fresh);
        let again = block_on(migrate::run(&store)).unwrap();
        assert_eq!(again, migrate::Report::default());
        let after = block_on(schema::snapshot::load_collections(&db)).unwrap();
        assert_eq!(before.len(), after.len(), "{archive}");
        if report.applied.is_empty() {
            assert!(before == after, "{archive}");
        }
    }
}

#[test]
fn fresh_directories_have_the_known_tables() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreConfig::new(dir.path())).unwrap();
    let db = Db::Pool(store.data().clone());
    let report = block_on(migrate::run(&store)).unwrap();
    assert!(report.fresh && report.applied.len() == 8);
    assert_eq!(block_on(migrate::applied(&db)).unwrap(), migrate::SYSTEM_MIGRATIONS);
    let snapshot = block_on(Snapshot::load(&db, &std::sync::Arc::default())).unwrap();
    let names: Vec<_> = snapshot.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["_mfas", "_otps", "_externalAuths", "_authOrigins", "_superusers", "users"]);
    // A fresh directory validates against itself.
    for collection in snapshot.iter() {
        let cx = Validation {
            old: Some(&collection.collection),
            snapshot: &snapshot,
            db: &db,
            is_provider: engine::oauth2::is_registered,
            is_stored: false,
        };
        block_on(schema::validate(&collection.collection, &cx)).unwrap();
    }
}

/// `data` of an error answer.
fn error_data(errors: &FieldErrors) -> Value {
    let sentence = |text: &str| {
        let text = text.trim();
        let mut chars = text.chars();
        let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
        let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
        format!("{first}{}{end}", chars.as_str())
    };
    let items = errors.0.iter().map(|(key, error)| {
        let value = match error {
            FieldError::Item { code, message, params } if params.is_empty() => {
                json!({"code": code, "message": sentence(message)})
            }
            FieldError::Item { code, message, params } => {
                json!({"code": code, "message": sentence(message), "params": params})
            }
            FieldError::Nested(inner) => error_data(inner),
            FieldError::Other(_) => {
                json!({"code": "validation_invalid_value", "message": "Invalid value."})
            }
        };
        (key.clone(), value)
    });
    Value::Object(items.collect())
}

/// Dates and the ids of cloned fields differ on every run.
fn masked(text: &str) -> String {
    static VARYING: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z|_clone_[A-Za-z0-9]{4}|",
            r#""collectionId":"pbc_\d+","collectionName":"temp_view_\w+"|temp_view_\w+"#
        ))
        .unwrap()
    });
    VARYING.replace_all(text, "VARIES").into_owned()
}

async fn save(store: &Store, body: &Value, old: Option<&Collection>) -> Result<Collection, String> {
    let verb = if old.is_some() { "update" } else { "create" };
    let db = Db::Pool(store.data().clone());
    let snapshot = Snapshot::load(&db, &std::sync::Arc::default()).await.unwrap();
    let mut draft = match old {
        Some(old) => old.clone(),
        None => new_collection(
            Kind::parse(body["type"].as_str().unwrap_or_default()),
            body["name"].as_str().unwrap_or_default(),
        ),
    };
    if draft.decode_over(body).is_err() {
        return Err("Failed to load the submitted data due to invalid formatting.|{}".into());
    }
    schema::prepare(&db, &snapshot, &mut draft, old).await;
    let cx = Validation {
        old,
        snapshot: &snapshot,
        db: &db,
        is_provider: engine::oauth2::is_registered,
        is_stored: false,
    };
    let mut result = schema::validate(&draft, &cx).await;
    if result.is_ok() {
        let tx = store.data().begin().await.unwrap();
        result = sync::apply(&tx, &snapshot, &mut draft, old).await;
        if result.is_ok() {
            let after =
                Snapshot::load(&Db::Tx(tx.clone()), &std::sync::Arc::default()).await.unwrap();
            sync::refresh_views(&tx, &after, &draft.id).await.unwrap();
            tx.commit().await.unwrap();
        } else {
            tx.rollback().await;
        }
    }
    match result {
        Ok(()) => Ok(draft),
        Err(Error::Invalid(errors)) => {
            Err(format!("Failed to {verb} collection.|{}", error_data(&errors)))
        }
        Err(error) => Err(format!("Failed to {verb} collection. Raw error: \n{error}.|{{}}")),
    }
}

async fn remove(store: &Store, old: &Collection) -> Result<(), String> {
    let snapshot =
        Snapshot::load(&Db::Pool(store.data().clone()), &std::sync::Arc::default()).await.unwrap();
    let references = sync::references(&snapshot, old);
    if !references.is_empty() {
        let names = references.join(", ");
        return Err(format!(
            "Failed to delete collection probably due to existing reference in {names}.|{{}}"
        ));
    }
    if old.system {
        return Err("Failed to delete collection.|{}".into());
    }
    let tx = store.data().begin().await.unwrap();
    match sync::remove(&tx, &snapshot, old).await {
        Ok(()) => {
            tx.commit().await.unwrap();
            Ok(())
        }
        Err(_) => {
            tx.rollback().await;
            Err("Failed to delete collection.|{}".into())
        }
    }
}

/// Runs one recorded step; the difference, if there is one.
async fn step(store: &Store, step: &Value) -> Option<String> {
    let (method, url) = (step["method"].as_str()?, step["url"].as_str()?);
    let path = url.strip_prefix("/api/collections")?;
    let target = path.trim_start_matches('/');
    if target.contains('/') || target.contains('?') {
        return None;
    }
    let body: Value = match step["body"]["text"].as_str() {
        Some(text) if !text.is_empty() => serde_json::from_str(text).ok()?,
        _ => json!({}),
    };
    let want_status = step["expected_status"].as_i64().or(step["status"].as_i64())?;
    if matches!(want_status, 401 | 403) {
        return None;
    }
    let snapshot =
        Snapshot::load(&Db::Pool(store.data().clone()), &std::sync::Arc::default()).await.unwrap();
    let old = snapshot.find(target).map(|c| c.collection.clone());
    let result = match (method, &old) {
        ("POST", _) if target.is_empty() => save(store, &body, None).await.map(|c| c.to_json()),
        ("PATCH" | "DELETE" | "GET", None) if !target.is_empty() => {
            Err("The requested resource wasn't found.|{}".into())
        }
        ("PATCH", Some(old)) => save(store, &body, Some(old)).await.map(|c| c.to_json()),
        ("DELETE", Some(old)) => remove(store, old).await.map(|()| String::new()),
        ("GET", Some(old)) => Ok(old.to_json()),
        _ => return None,
    };
    let want = &shortest(step["response_body"]["text"].as_str().unwrap_or_default());
    let ours = match result {
        Ok(json) => masked(&json),
        Err(error) => {
            let (message, data) = error.split_once('|').unwrap();
            let data: Value = serde_json::from_str(data).unwrap();
            let mut want: Value = serde_json::from_str(want).unwrap_or_default();
            if let Some(map) = want.as_object_mut() {
                map.remove("status");
            }
            let ours = json!({"data": data, "message": message});
            return (ours != want)
                .then(|| format!("{method} {url} {body}\n want {want}\n ours {ours}"));
        }
    };
    let want = masked(want);
    (ours != want).then(|| format!("{method} {url} {body}\n want {want}\n ours {ours}"))
}

/// Runs one flow on a copy of a directory; the differences.
fn run_flow(flow: &Value, source: &Path) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(source.join("data.db"), dir.path().join("data.db")).unwrap();
    let store = Store::open(&StoreConfig::new(dir.path())).unwrap();
    let differences = block_on(async {
        let mut out = Vec::new();
        for recorded in flow["steps"].as_array().unwrap() {
            if let Some(difference) = step(&store, recorded).await {
                out.push(format!("{}: {difference}", flow["id"]));
            }
        }
        out
    });
    store.close();
    differences
}

#[test]
fn recorded_flows_of_schema_changes() {
    let Some(root) = recordings() else { return };
    let template = unpack(&root.join("diff/fixtures/rich.tar.gz"));
    let source = data_dir(template.path());
    let flows = lines(&root.join("diff/Flow-schema.jsonl"));
    let differences: Vec<String> = std::thread::scope(|scope| {
        let parts: Vec<_> = flows
            .chunks(flows.len().div_ceil(4))
            .map(|part| {
                let source = &source;
                scope.spawn(move || {
                    part.iter().flat_map(|flow| run_flow(flow, source)).collect::<Vec<_>>()
                })
            })
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    let n = differences.len();
    assert!(differences.is_empty(), "{n}:\n{}", differences.join("\n"));
}

#[test]
fn recorded_single_exchanges() {
    let Some(root) = recordings() else { return };
    let mut differences = Vec::new();
    for file in ["CollectionCreate", "CollectionUpdate", "CollectionDelete"] {
        for exchange in lines(&root.join(format!("http/{file}.jsonl"))) {
            let archive = root
                .join(format!("http/fixtures/{}.tar.gz", exchange["fixture"].as_str().unwrap()));
            let dir = unpack(&archive);
            let store = Store::open(&StoreConfig::new(data_dir(dir.path()))).unwrap();
            if let Some(difference) = block_on(step(&store, &exchange)) {
                differences.push(format!("{file} {}: {difference}", exchange["name"]));
            }
        }
    }
    let n = differences.len();
    assert!(differences.is_empty(), "{n}:\n{}", differences.join("\n"));
}

/// Opens the fixture of an exchange.
fn fixture(root: &Path, exchange: &Value) -> (tempfile::TempDir, Store) {
    let name = exchange["fixture"].as_str().unwrap();
    let dir = unpack(&root.join(format!("http/fixtures/{name}.tar.gz")));
    let store = Store::open(&StoreConfig::new(data_dir(dir.path()))).unwrap();
    (dir, store)
}

/// The exchanges of a file that got past the guards and have a body.
fn exchanges(root: &Path, file: &str) -> Vec<(Value, Value)> {
    let all = lines(&root.join(format!("http/{file}.jsonl")));
    all.into_iter()
        .filter(|e| !matches!(e["status"].as_i64(), Some(401 | 403)))
        .map(|e| {
            let text = e["body"]["text"].as_str().unwrap_or_default();
            let body = serde_json::from_str(if text.is_empty() { "{}" } else { text }).unwrap();
            (e, body)
        })
        .collect()
}

#[test]
fn recorded_dry_runs() {
    let Some(root) = recordings() else { return };
    for (exchange, body) in exchanges(&root, "CollectionTestView") {
        let query = body["query"].as_str().unwrap_or_default();
        if query.is_empty() || query.len() > 5000 {
            continue;
        }
        let (_dir, store) = fixture(&root, &exchange);
        let db = Db::Pool(store.data().clone());
        let ours = block_on(async {
            let snapshot = Snapshot::load(&db, &std::sync::Arc::default()).await.unwrap();
            match view::dry_run(&db, &snapshot, query, 10).await {
                Ok(run) => view::dry_run_json(&run),
                Err(error) => {
                    let message = format!("Invalid view query. Raw error: \n{error}.");
                    format!("{{\"data\":{{}},\"message\":{},\"status\":400}}", json!(message))
                }
            }
        });
        let want = &shortest(exchange["response_body"]["text"].as_str().unwrap());
        assert_eq!(masked(&ours), masked(want));
    }
}

#[test]
fn recorded_imports() {
    let Some(root) = recordings() else { return };
    let mut n_rows = Vec::new();
    for (exchange, body) in exchanges(&root, "CollectionsImport") {
        assert_eq!(exchange["status"], 204);
        let (_dir, store) = fixture(&root, &exchange);
        let db = Db::Pool(store.data().clone());
        let (before, after) = block_on(async {
            let snapshot = Snapshot::load(&db, &std::sync::Arc::default()).await.unwrap();
            let (items, delete_missing) = import::decode_body(body.clone()).unwrap();
            let plan = import::plan(&items, delete_missing, &snapshot).unwrap();
            let tx = store.data().begin().await.unwrap();
            for collection in &plan.delete {
                sync::drop_collection(&tx, collection).await.unwrap();
            }
            for (mut draft, old) in plan.save {
                let current =
                    Snapshot::load(&Db::Tx(tx.clone()), &std::sync::Arc::default()).await.unwrap();
                normalize(&mut draft, old.as_ref(), &current, "2026-01-01 00:00:00.000Z");
                sync::apply(&tx, &current, &mut draft, old.as_ref()).await.unwrap();
            }
            tx.commit().await.unwrap();
            (
                snapshot.iter().count(),
                Snapshot::load(&db, &std::sync::Arc::default()).await.unwrap().iter().count(),
            )
        });
        let want = exchange["rows_changed"]["_collections"].as_i64().unwrap_or_default();
        let ours = i64::try_from(after).unwrap() - i64::try_from(before).unwrap();
        assert_eq!(ours, want, "{}", exchange["name"]);
        n_rows.push(ours);
    }
    assert_eq!(n_rows, [3, -8]);
}

#[test]
fn recorded_settings() {
    let Some(root) = recordings() else { return };
    for (exchange, body) in exchanges(&root, "SettingsSet") {
        let (_dir, store) = fixture(&root, &exchange);
        let db = Db::Pool(store.data().clone());
        let result = block_on(async {
            let key = Key::default();
            let mut settings =
                Settings::load(&db, &Settings::default(), &key).await.unwrap().unwrap();
            settings.merge(&body).unwrap();
            settings.validate(&|_| Ok(()))?;
            db.write(settings.save_job(db.dialect(), &key).unwrap()).await.unwrap();
            let again = Settings::load(&db, &Settings::default(), &key).await.unwrap().unwrap();
            assert_eq!(again, settings);
            Ok(again.to_json())
        });
        let want = &shortest(exchange["response_body"]["text"].as_str().unwrap());
        // The recorder switched the log off in memory; the directory still says 5 days.
        let want = &want.replace("\"maxDays\":0", "\"maxDays\":5");
        match result {
            Ok(ours) => assert_eq!(ours, *want),
            Err(Error::Invalid(errors)) => {
                let want: Value = serde_json::from_str(want).unwrap();
                assert_eq!(error_data(&errors), want["data"]);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn fresh_tables_are_spelled_as_the_references() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreConfig::new(dir.path())).unwrap();
    block_on(migrate::run(&store)).unwrap();
    store.close();
    let db = rusqlite::Connection::open(dir.path().join("data.db")).unwrap();
    let sql = |name: &str| -> String {
        let query = "SELECT sql FROM sqlite_master WHERE name = ?1";
        db.query_row(query, [name], |row| row.get(0)).unwrap()
    };
    let id = "`id` TEXT PRIMARY KEY DEFAULT ('r'||lower(hex(randomblob(7)))) NOT NULL";
    let text = |name: &str| format!("`{name}` TEXT DEFAULT '' NOT NULL");
    let texts = |names: &[&str]| names.iter().map(|n| text(n)).collect::<Vec<_>>().join(", ");
    assert_eq!(
        sql("_mfas"),
        format!(
            "CREATE TABLE `_mfas` ({}, {id}, {})",
            texts(&["collectionRef", "created"]),
            texts(&["method", "recordRef", "updated"])
        )
    );
    assert_eq!(
        sql("idx_otps_collectionRef_recordRef"),
        "CREATE INDEX `idx_otps_collectionRef_recordRef` ON `_otps` (\n  `collectionRef`,\n  `recordRef`\n)"
    );
    assert_eq!(
        sql("idx_email__pb_users_auth_"),
        "CREATE UNIQUE INDEX `idx_email__pb_users_auth_` ON `users` (`email`) WHERE `email` != ''"
    );
    let stored: String = db
        .query_row("SELECT indexes FROM _collections WHERE name = '_mfas'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(
        stored,
        "[\"CREATE INDEX `idx_mfas_collectionRef_recordRef` ON `_mfas` (collectionRef,recordRef)\"]"
    );
}
