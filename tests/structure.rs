//! The structure as the imports have it: rooms (crates, and the top modules of a crate), the arrows between them, and that no
//! circle runs through more than one room. `check structure` prints the table.
//!
//! Reads `use crate::…` and paths that begin with `crate::` in production code; what tests import does not count.

use std::collections::{BTreeMap, BTreeSet};

use super::tidy::{self, production};

/// Crates whose rooms are looked at.
const CRATES: &[&str] = &[
    "filter-lang/src",
    "dialects/src",
    "engine/content-type/src",
    "engine/primitives/src",
    "engine/outbound/src",
    "engine/sql-text/src",
    "engine/store/src",
    "engine/model/src",
    "engine/files/src",
    "engine/oauth2/src",
    "engine/transfer/src",
    "engine/activity-log/src",
    "engine/src",
    "api/syntax/src",
    "api/src",
    "pocketbase/src",
    "src",
];

/// Names at the root of a crate that are re-exported from one of its rooms.
const ALIASES: &[(&str, &str, &str)] = &[
    ("engine/src", "ctx", "app"),
    ("engine/src", "event", "app"),
    ("engine/src", "Ctx", "app"),
    ("engine/src", "Caller", "app"),
    ("engine/src", "App", "app"),
    ("api/src", "api", "request"),
    ("api/src", "route", "request"),
];

/// Circles that are there on purpose, with the reason.
const ALLOWED: &[(&str, &[&str], &str)] = &[(
    "pocketbase/src",
    &[
        "app",
        "cli",
        "command",
        "cron",
        "db",
        "event",
        "hooks",
        "migration",
        "plugin",
        "serve",
        "web",
    ],
    "a face: `App` has a method of every room, and every room takes an `App`",
)];

/// Most lines of production code of a crate.
const MAX_LINES: usize = 16_000;

#[derive(Default)]
struct Crate {
    /// Lines of production code by room.
    lines: BTreeMap<String, usize>,
    /// Room -> rooms that it names.
    arrows: BTreeMap<String, BTreeSet<String>>,
}

/// The room of a file: the first component below the crate's sources.
fn room(below: &str) -> String {
    below.split('/').next().unwrap_or(below).trim_end_matches(".rs").to_owned()
}

/// The first names of all paths that begin with `crate::`, groups of `use` taken apart.
fn named(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = text;
    while let Some(at) = rest.find("crate::") {
        let is_own = !rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
        rest = &rest[at + "crate::".len()..];
        if !is_own {
            continue;
        }
        if let Some(group) = rest.strip_prefix('{') {
            let (mut depth, mut name) = (0, String::new());
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => _ = found.insert(std::mem::take(&mut name)),
                    c if depth == 0 => name.push(c),
                    _ => {}
                }
            }
            found.insert(name);
        } else {
            found.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    let first = |name: String| {
        name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
    };
    found.into_iter().map(first).filter(|name| !name.is_empty()).collect()
}

fn read(folder: &str, sources: &[(String, String)]) -> Crate {
    let mut found = Crate::default();
    let prefix = format!("{folder}/");
    for (path, text) in sources {
        let Some(below) = path.strip_prefix(&prefix) else { continue };
        if below.ends_with("tests.rs") || below.contains("/tests/") {
            continue;
        }
        let room = room(below);
        let lines = production(text);
        *found.lines.entry(room.clone()).or_default() += lines.len();
        let code: Vec<&str> = lines.into_iter().map(|(_, line)| line).collect();
        found.arrows.entry(room).or_default().extend(named(&code.join("\n")));
    }
    let rooms: BTreeSet<String> = found.lines.keys().cloned().collect();
    for (room, targets) in &mut found.arrows {
        let of = |name: String| {
            let alias = ALIASES.iter().find(|(at, from, _)| *at == folder && *from == name);
            alias.map_or(name, |(.., to)| (*to).to_owned())
        };
        *targets = std::mem::take(targets).into_iter().map(of).collect();
        targets.retain(|target| target != room && rooms.contains(target));
    }
    // the root re-exports: it is the door of the crate, not a room
    for root in ["lib", "main"] {
        found.arrows.remove(root);
    }
    found
}

/// Rooms that reach themselves, grouped: the strongly connected components of more than one room.
fn circles(arrows: &BTreeMap<String, BTreeSet<String>>) -> Vec<BTreeSet<String>> {
    let reach = |from: &str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(room) = open.pop() {
            for next in arrows.get(&room).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<String>> =
        arrows.keys().map(|room| (room, reach(room))).collect();
    let mut found: Vec<BTreeSet<String>> = Vec::new();
    for (room, seen) in &reached {
        if seen.contains(*room) && !found.iter().any(|circle| circle.contains(*room)) {
            let back = |other: &&String| reached.get(other).is_some_and(|r| r.contains(*room));
            found.push(seen.iter().filter(back).cloned().collect());
        }
    }
    found
}

#[test]
fn rooms_have_no_circles() {
    let sources = tidy::sources();
    let mut wrong = Vec::new();
    println!("{:24} {:>6} {:>6} {:>7}  largest room", "crate", "rooms", "lines", "arrows");
    for folder in CRATES {
        let found = read(folder, &sources);
        let lines: usize = found.lines.values().sum();
        let n_arrows: usize = found.arrows.values().map(BTreeSet::len).sum();
        let largest = found.lines.iter().max_by_key(|(_, lines)| **lines);
        let largest = largest.map_or(String::new(), |(room, lines)| format!("{room} {lines}"));
        println!("{folder:24} {:6} {lines:6} {n_arrows:7}  {largest}", found.lines.len());
        if lines > MAX_LINES {
            wrong.push(format!("{folder}: {lines} lines of production code, at most {MAX_LINES}"));
        }
        for circle in circles(&found.arrows) {
            let is_allowed = ALLOWED.iter().any(|(at, rooms, _)| {
                at == folder && circle.iter().all(|room| rooms.contains(&room.as_str()))
            });
            println!("    circle{}: {circle:?}", if is_allowed { " (allowed)" } else { "" });
            if !is_allowed {
                wrong.push(format!("{folder}: a circle of {circle:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn circles_are_found() {
    let names = |text: &str| named(text).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(names("use crate::{a::{b, c}, d as e, f};\nlet x = crate::g::h();"), "a d f g");
    assert_eq!(names("$crate::x; mycrate::y"), "");
    let arrow = |from: &str, to: &[&str]| {
        (from.to_owned(), to.iter().map(|room| (*room).to_owned()).collect())
    };
    let arrows = [arrow("a", &["b"]), arrow("b", &["c"]), arrow("c", &["b"]), arrow("d", &["a"])];
    let found = circles(&BTreeMap::from(arrows));
    assert_eq!(found, [["b", "c"].map(str::to_owned).into()]);
}
