//! Structure as data: who may import whom, where SQL, HTTP and the environment may appear.
//!
//! A change of the tables below is a design change: edit ARCHITECTURE.md in the same commit.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Crate → the crates of ours that it may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("filter-lang", &[]),
    ("dialects", &["filter-lang"]),
    ("engine", &["filter-lang", "dialects"]),
    ("api", &["engine"]),
    ("pocketbase", &["engine", "api", "filter-lang", "dialects"]),
    (".", &["pocketbase"]),
    ("examples", &["pocketbase"]),
];

/// Where SQL text may be written, as path prefixes.
const SQL_ROOMS: &[&str] =
    &["dialects/", "engine/src/store/", "examples/", "tests/", "benches/", "fuzz/"];
/// Where HTTP types may appear: what serves, and the engine's outgoing requests.
const HTTP_ROOMS: &[&str] = &[
    "api/",
    "engine/src/outbound.rs",
    "engine/src/files/s3_http.rs",
    "engine/src/oauth2/",
    "pocketbase/src/http/",
    "pocketbase/src/serve.rs",
    "examples/",
    "tests/",
    "benches/",
    "fuzz/",
];
/// Where the process environment may be read.
const ENV_ROOMS: &[&str] = &[
    "pocketbase/src/cli/",
    "examples/",
    "tests/",
    "benches/",
    "fuzz/",
    "dialects/tests/",
    "filter-lang/tests/",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust source of the workspace as (path relative to the root, text).
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for room in [
        "src",
        "filter-lang",
        "dialects",
        "engine",
        "api",
        "pocketbase",
        "examples",
        "tests",
        "benches",
        "fuzz",
    ] {
        walk(&root().join(room), &mut found);
    }
    assert!(found.len() > 20, "the walk found only {} sources", found.len());
    found
}

fn walk(dir: &Path, found: &mut Vec<(String, String)>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|n| n != "target") {
                walk(&path, found);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            let name =
                path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
            found.push((name, fs::read_to_string(&path).expect("sources are UTF-8")));
        }
    }
}

/// The lines before the test module, where the rules for production code hold.
fn production(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

fn allowed(path: &str, rooms: &[&str]) -> bool {
    path.contains("/tests/")
        || path.ends_with("/tests.rs")
        || rooms.iter().any(|room| path.starts_with(room))
}

#[test]
fn arrows_point_one_way() {
    let ours: Vec<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    for (name, may) in ARROWS {
        let manifest = fs::read_to_string(root().join(name).join("Cargo.toml")).expect("manifest");
        let dependencies = manifest
            .split("\n[dependencies]")
            .nth(1)
            .map(|rest| rest.split("\n[").next().unwrap_or(rest))
            .unwrap_or_default();
        for line in dependencies.lines() {
            let key = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if ours.contains(&key) {
                assert!(may.contains(&key), "undeclared arrow: {name} -> {key}");
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!") && !text.starts_with("#!"))
        .map(|(path, _)| path)
        .collect();
    assert!(silent.is_empty(), "files without a module doc: {silent:?}");
}

#[test]
fn sql_http_and_environment_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (number, line) in production(&text).lines().enumerate() {
            let code = line.trim_start();
            if code.starts_with("//") {
                continue;
            }
            let sql = [
                "\"SELECT ",
                "\"INSERT ",
                "\"UPDATE ",
                "\"DELETE FROM ",
                "\"CREATE TABLE ",
                "\"ALTER ",
                "\"DROP ",
            ];
            if sql.iter().any(|word| code.contains(word)) && !allowed(&path, SQL_ROOMS) {
                wrong.push(format!("{path}:{}: SQL outside its rooms", number + 1));
            }
            if ["hyper::", "http::", "hyper_util::"]
                .iter()
                .any(|word| code.starts_with(&format!("use {word}")))
                && !allowed(&path, HTTP_ROOMS)
            {
                wrong.push(format!("{path}:{}: HTTP outside its rooms", number + 1));
            }
            if code.contains("env::var") && !allowed(&path, ENV_ROOMS) {
                wrong.push(format!("{path}:{}: environment outside the executable", number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_is_left_open() {
    let words = ["#[ign", "todo!", "unimplemented!", "#[should_p"].map(|w| match w {
        "#[ign" => "#[ignore".to_owned(),
        "#[should_p" => "#[should_panic".to_owned(),
        other => format!("{other}("),
    });
    let mut open = Vec::new();
    for (path, text) in sources() {
        if path == "tests/tidy.rs" {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word.as_str())) {
                open.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(open.is_empty(), "{open:#?}");
}

#[test]
fn differences_are_listed() {
    let list =
        fs::read_to_string(root().join("tests/known_gaps.toml")).expect("tests/known_gaps.toml");
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (path, text) in sources() {
        let n = text.lines().filter(|line| line.trim_start().starts_with("// DIFFERENCE:")).count();
        if n > 0 && path != "tests/tidy.rs" {
            places.insert(path, n);
        }
    }
    for path in places.keys() {
        assert!(
            list.contains(&format!("\"{path}\"")),
            "{path} has a DIFFERENCE that tests/known_gaps.toml does not list"
        );
    }
    for line in list.lines().filter(|line| line.starts_with("where = ")) {
        let path = line.trim_start_matches("where = ").trim().trim_matches('"');
        assert!(
            places.contains_key(path),
            "tests/known_gaps.toml lists {path}, which has no DIFFERENCE comment"
        );
    }
}
