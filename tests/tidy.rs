//! Structure as data: who may import whom, where SQL, HTTP and the environment may appear.
//!
//! A change of the tables below is a design change: edit ARCHITECTURE.md in the same commit.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Folder of a crate → the crates of ours that it may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("filter-lang", &[]),
    ("dialects", &["filter-lang"]),
    ("engine/content-type", &[]),
    ("engine/primitives", &["filter-lang", "dialects"]),
    ("engine/outbound", &[]),
    ("engine/sql-text", &[]),
    ("engine/store", &["filter-lang", "dialects", "primitives", "outbound", "sql-text"]),
    (
        "engine/model",
        &["content-type", "filter-lang", "dialects", "primitives", "sql-text", "store"],
    ),
    ("engine/files", &["content-type", "primitives", "model"]),
    ("engine/oauth2", &["primitives", "model", "outbound"]),
    ("engine/transfer", &["dialects", "primitives", "store", "model"]),
    ("engine/activity-log", &["primitives", "store"]),
    (
        "engine",
        &[
            "filter-lang",
            "dialects",
            "primitives",
            "outbound",
            "store",
            "model",
            "files",
            "oauth2",
            "transfer",
            "activity-log",
        ],
    ),
    ("dashboard/embed", &[]),
    ("api/syntax", &["primitives"]),
    ("api", &["engine", "http-syntax", "dashboard"]),
    ("pocketbase", &["engine", "api", "filter-lang", "dialects"]),
    ("plugins/js/template", &[]),
    ("plugins/js/migrations", &["pocketbase"]),
    ("plugins/js", &["pocketbase", "go-template", "js-migrations"]),
    ("plugins/secrets", &["pocketbase"]),
    ("plugins/jobs", &["pocketbase"]),
    ("plugins/gateway", &["pocketbase"]),
    ("plugins/processman", &["pocketbase"]),
    ("plugins/tof", &["pocketbase"]),
    ("plugins/analytics", &["pocketbase"]),
    ("examples", &["pocketbase"]),
    ("benches", &["filter-lang", "dialects", "engine", "api", "pocketbase"]),
    (".", &["pocketbase", "js", "secrets", "jobs", "gateway", "processman", "tof", "analytics"]),
];

/// Where SQL text may be written, as path prefixes.
const SQL_ROOMS: &[&str] = &[
    "dialects/",
    "engine/sql-text/",
    "engine/store/",
    "engine/transfer/",
    "plugins/secrets/src/store",
    "plugins/jobs/src/store",
    "plugins/analytics/src/store",
    "plugins/tof/src/store",
    "examples/",
    "tests/",
    "benches/",
    "fuzz/",
];
/// How SQL statements begin.
const SQL_WORDS: &[&str] = &[
    "SELECT",
    "INSERT INTO",
    "INSERT OR",
    "UPDATE",
    "DELETE FROM",
    "CREATE TABLE",
    "CREATE VIEW",
    "CREATE TRIGGER",
    "ALTER",
    "DROP",
    "WITH",
    "PRAGMA",
    "SAVEPOINT",
    "BEGIN",
    "VACUUM",
    "ANALYZE",
    "TRUNCATE",
];
/// The definitions of indexes are data of collections: they are written in one more room.
const INDEX_WORDS: &[&str] = &["CREATE INDEX", "CREATE UNIQUE INDEX"];
/// See [`INDEX_WORDS`].
const INDEX_ROOMS: &[&str] = &["engine/model/src/schema/"];
/// Where HTTP types may appear: what serves, and the engine's outgoing requests.
const HTTP_ROOMS: &[&str] = &[
    "api/",
    "engine/outbound/",
    "engine/files/src/s3/enabled/http.rs",
    "engine/oauth2/",
    "engine/src/oauth2/",
    "pocketbase/src/web/",
    "pocketbase/src/serve.rs",
    "plugins/gateway/",
    "examples/",
    "tests/",
    "benches/",
    "fuzz/",
];
/// Where the process environment may be read.
const ENV_ROOMS: &[&str] = &[
    "pocketbase/src/cli/",
    "pocketbase/src/environment.rs",
    // how cargo talks to it
    "dashboard/embed/build.rs",
    // `process.env` and `$os` of scripts
    "plugins/js/",
    "examples/",
    "tests/",
    "benches/",
    "fuzz/",
    "dialects/tests/",
    "filter-lang/tests/",
];

/// Where the wall clock may be read. Everybody else asks `time::now`, which tests can move.
const CLOCK_ROOMS: &[&str] = &[
    "engine/primitives/src/time.rs",
    // names of files that nobody else has
    "engine/files/src/local.rs",
    // certificates hold as long as others say
    "api/src/tls/",
    // processes and what they write are not the app's
    "plugins/processman/",
    "plugins/jobs/",
    "plugins/analytics/",
    "plugins/gateway/",
    "plugins/secrets/",
    "plugins/tof/",
    "tests/",
    "benches/",
    "fuzz/",
];

/// Where one database may be meant by name. Everybody else has a `Dialect` and asks it: it cannot be compared.
const DIALECT_ROOMS: &[&str] = &[
    "dialects/src/sqlite/",
    "dialects/src/postgres/",
    "dialects/src/lib.rs",
    "dialects/examples/",
    "engine/store/src/sqlite/",
    "engine/store/src/postgres/",
    // both ends of a move
    "engine/transfer/src/",
    // `pocketbase filter --dialect`
    "pocketbase/src/cli/commands/filter.rs",
    "tests/",
    "benches/",
    "fuzz/",
];
/// Where users' SQL, which is written for SQLite, is turned into a database's own. These match without a wildcard.
const SYNTAX_ROOMS: &[&str] = &[
    "dialects/src/sqlite/",
    "dialects/src/postgres/",
    "engine/store/src/raw.rs",
    "engine/model/src/schema/index.rs",
    "engine/model/src/schema/view.rs",
    "engine/model/src/schema/view_query.rs",
    "engine/model/src/schema/view_tree.rs",
    "tests/",
];
/// Where backends are told apart.
const BACKEND_ROOMS: &[&str] = &["engine/store/src/backend.rs", "tests/"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust source of the workspace as (path relative to the root, text).
pub(crate) fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for room in [
        "src",
        "filter-lang",
        "dialects",
        "engine",
        "dashboard/embed",
        "api",
        "pocketbase",
        "plugins",
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

/// The lines of production code with their numbers: items under `#[cfg(test)]` and comments are left out, wherever they
/// stand. Relies on rustfmt: an item ends at the line that closes at its indentation, or with a semicolon at its first.
pub(crate) fn production(text: &str) -> Vec<(usize, &str)> {
    let mut kept = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let code = line.trim_start();
        if code.starts_with("#[cfg(test)]") {
            let indent = &line[..line.len() - code.len()];
            let ends = |line: &str| {
                let rest = line.strip_prefix(indent).unwrap_or_default();
                rest.starts_with('}') || (!rest.starts_with(['#', ' ']) && rest.ends_with(';'))
            };
            for (_, line) in lines.by_ref() {
                if ends(line) {
                    break;
                }
            }
        } else if !code.starts_with("//") {
            kept.push((at + 1, line));
        }
    }
    kept
}

#[test]
fn production_reads_on_behind_tests() {
    let text = "a\n#[cfg(test)]\nmod tests;\nb\n#[cfg(test)]\nmod more {\n    x;\n}\n// c\nd\n";
    assert_eq!(production(text), [(1, "a"), (4, "b"), (10, "d")]);
}

fn allowed(path: &str, rooms: &[&str]) -> bool {
    path.contains("/tests/")
        || path.ends_with("/tests.rs")
        || rooms.iter().any(|room| path.starts_with(room))
}

/// The names in every table of dependencies of a manifest, those of tests and benchmarks left out.
fn dependencies(manifest: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_table = false;
    let holds = |table: &str| {
        table == "dependencies"
            || table == "build-dependencies"
            || (table.starts_with("target.") && table.ends_with(".dependencies"))
    };
    for line in manifest.lines() {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            is_table = holds(table);
            // `[dependencies.name]`
            if let Some((_, name)) = table.rsplit_once('.').filter(|(table, _)| holds(table)) {
                names.push(name);
            }
        } else if is_table {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if !name.is_empty() && !name.starts_with('#') {
                names.push(name);
            }
        }
    }
    names
}

fn manifest(folder: &str) -> String {
    fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("manifest")
}

#[test]
fn arrows_point_one_way() {
    let name = |folder: &str| {
        let manifest = manifest(folder);
        let line = manifest.lines().find(|line| line.starts_with("name = ")).expect("a name");
        line.split('"').nth(1).expect("a name in quotes").to_owned()
    };
    let ours: Vec<String> = ARROWS.iter().map(|(folder, _)| name(folder)).collect();
    let is_ours = |key: &str| ours.iter().any(|name| name == key);
    for (at, (folder, may)) in ARROWS.iter().enumerate() {
        for target in may.iter() {
            let below = ours[..at].iter().any(|name| name == target);
            assert!(below, "{folder} -> {target}: an arrow of the table points up");
        }
        let manifest = manifest(folder);
        assert!(*folder == "." || !manifest.contains("package = "), "{folder}: a renamed crate");
        for key in dependencies(&manifest) {
            if is_ours(key) {
                assert!(may.contains(&key), "undeclared arrow: {folder} -> {key}");
            }
        }
    }
    let members = manifest(".");
    let members = members.split("members = [").nth(1).and_then(|list| list.split(']').next());
    let members = members.expect("a list of members");
    for (folder, _) in ARROWS.iter().filter(|(folder, _)| *folder != ".") {
        assert!(members.contains(&format!("\"{folder}\"")), "{folder} is no member");
    }
}

#[test]
fn dependencies_are_used() {
    let mut unused = Vec::new();
    for (folder, _) in ARROWS {
        let dirs: &[&str] = if *folder == "benches" {
            &["benches"]
        } else {
            &["src", "build.rs", "examples", "tests"]
        };
        let mut sources = Vec::new();
        for dir in dirs {
            let at = if *folder == "benches" { root() } else { root().join(folder) };
            walk(&at.join(dir), &mut sources);
        }
        for key in dependencies(&manifest(folder)) {
            let name = match key {
                "md-5" => "md5".to_owned(),
                key => key.replace('-', "_"),
            };
            let is_word = |text: &str, at: usize| {
                !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
                    && !text[at + name.len()..]
                        .starts_with(|c: char| c.is_alphanumeric() || c == '_')
            };
            let named = sources
                .iter()
                .any(|(_, text)| text.match_indices(&name).any(|(at, _)| is_word(text, at)));
            if !named {
                unused.push(format!("{folder}: {key}"));
            }
        }
    }
    assert!(unused.is_empty(), "declared, and named by no source: {unused:?}");
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

/// True if a text of this line begins with one of the words, in braces or behind blanks, too; `opened`: the line above
/// has opened the text.
fn begins_text(code: &str, opened: bool, words: &[&str]) -> bool {
    let begins = |text: &str| {
        let text = text.trim_start_matches(['(', ' ']);
        words.iter().any(|word| text.strip_prefix(word).is_some_and(|rest| rest.starts_with(' ')))
    };
    opened && begins(code) || code.match_indices('"').any(|(at, _)| begins(&code[at + 1..]))
}

/// SQL as some write it.
fn is_low_sql(code: &str) -> bool {
    code.contains("\"select ") && code.contains(" from ")
        || ["insert into ", "delete from ", "create table "]
            .iter()
            .any(|begin| code.contains(&format!("\"{begin}")))
}

/// True if a line names one of the crates as the root of a path, or takes it in whole.
fn names_crate(code: &str, names: &[&str]) -> bool {
    names.iter().any(|name| {
        let is_root = |at: usize| {
            let before = code[..at].strip_suffix("::").unwrap_or(&code[..at]);
            let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | ':' | '>');
            !before.ends_with(is_part)
        };
        code.match_indices(&format!("{name}::")).any(|(at, _)| is_root(at))
            || ["use ", "pub use "].iter().any(|word| {
                let rest = code.strip_prefix(word).and_then(|rest| rest.strip_prefix(name));
                rest.is_some_and(|rest| rest.starts_with([' ', ';']))
            })
    })
}

#[test]
fn words_and_crates_are_found() {
    for (code, opened, found) in [
        ("f(\"SELECT a\")", false, true),
        ("f(\"(SELECT a\")", false, true),
        ("SELECT a FROM b\"", true, true),
        ("SELECT a FROM b\"", false, false),
        ("\"SELECTED a\"", false, false),
    ] {
        assert_eq!(begins_text(code, opened, &["SELECT"]), found, "{code}");
    }
    for (code, found) in [
        ("use http::A;", true),
        ("use http as h;", true),
        ("fn a(_: ::http::A) {}", true),
        ("use crate::http::A;", false),
        ("\"https://a\", my_http::B", false),
    ] {
        assert_eq!(names_crate(code, &["http"]), found, "{code}");
    }
}

#[test]
fn sql_http_and_environment_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let mut opened = false;
        for (number, line) in production(&text) {
            let code = line.trim_start();
            let above = std::mem::replace(
                &mut opened,
                [" \"", "(\"", " \"\\", "(\"\\"].iter().any(|end| line.ends_with(end)),
            );
            let has = |words: &[&str]| begins_text(code, above, words) || is_low_sql(code);
            let is_wrong = has(SQL_WORDS) || has(INDEX_WORDS) && !allowed(&path, INDEX_ROOMS);
            if is_wrong && !allowed(&path, SQL_ROOMS) {
                wrong.push(format!("{path}:{number}: SQL outside its rooms"));
            }
            if names_crate(code, &["hyper", "http", "hyper_util"]) && !allowed(&path, HTTP_ROOMS) {
                wrong.push(format!("{path}:{number}: HTTP outside its rooms"));
            }
            let is_env = code.contains("env::var")
                || (code.starts_with("use ") && code.contains("env::{") && code.contains("var"));
            if is_env && !allowed(&path, ENV_ROOMS) {
                wrong.push(format!("{path}:{number}: environment outside the executable"));
            }
            if code.contains("SystemTime::now") && !allowed(&path, CLOCK_ROOMS) {
                wrong.push(format!("{path}:{number}: a clock that tests cannot move"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn databases_are_told_apart_in_their_rooms() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let rules: [(&[&str], &[&str]); 3] = [
            (&["Dialect::SQLITE", "Dialect::POSTGRES"], DIALECT_ROOMS),
            (&["Syntax::Sqlite", "Syntax::Postgres"], SYNTAX_ROOMS),
            (&["AnyBackend::", "AnyTx::"], BACKEND_ROOMS),
        ];
        for (number, line) in production(&text) {
            for (words, rooms) in rules {
                if words.iter().any(|word| line.contains(word)) && !allowed(&path, rooms) {
                    wrong.push(format!("{path}:{number}: asks which database it is"));
                }
            }
            let is_silent = line.contains("matches!(") && line.contains("Syntax::")
                || line.contains("if let Syntax::");
            if is_silent && !allowed(&path, &["tests/"]) {
                wrong.push(format!("{path}:{number}: is silent about a new syntax"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The texts of a line that are whole sentences, as clients are told them.
fn sentences(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2).filter(|text| {
        text.starts_with(|c: char| c.is_ascii_uppercase())
            && text.contains(' ')
            && text.ends_with('.')
    })
}

#[test]
fn a_sentence_of_api_stands_in_one_file() {
    let found: Vec<&str> = sentences(r#"f("No file.", "no.", "One", "Two \"x\" a.")"#).collect();
    assert_eq!(found, ["No file."]);
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in sources().into_iter().filter(|(path, _)| path.starts_with("api/src/")) {
        // descriptions of routes are no answers
        if path.starts_with("api/src/describe/") || path.ends_with("tests.rs") {
            continue;
        }
        for sentence in production(&text).into_iter().flat_map(|(_, line)| sentences(line)) {
            let files = places.entry(sentence.to_owned()).or_default();
            if !files.contains(&path) {
                files.push(path.clone());
            }
        }
    }
    places.retain(|_, files| files.len() > 1);
    assert!(places.is_empty(), "what several say belongs to api/src/error.rs: {places:#?}");
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
