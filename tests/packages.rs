//! What comes in from outside: licences, bans, duplicates and sources as `deny.toml` has them (cargo-deny's own form).

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use serde_json::Value;

/// A package of the lock file, for any platform.
struct Package {
    name: String,
    version: String,
    licence: String,
    source: String,
}

fn packages() -> Vec<Package> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut metadata = Command::new(env!("CARGO"));
    metadata.current_dir(root).args(["metadata", "--format-version=1", "--locked"]);
    let out = metadata.output().expect("cargo metadata");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    packages
        .iter()
        .map(|p| Package {
            name: text(&p["name"]),
            version: text(&p["version"]),
            licence: text(&p["license"]),
            source: text(&p["source"]),
        })
        .collect()
}

/// The texts of one list of `deny.toml`: one entry a line; of tables what they call `crate`.
fn list(name: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml");
    let text = fs::read_to_string(file).expect("deny.toml");
    let (_, rest) = text.split_once(&format!("\n{name} = [")).expect("the list");
    let (entries, _) = rest.split_once(']').expect("its end");
    let entry = |line: &str| Some(line.split('"').nth(1)?.to_owned());
    let entries: Vec<String> = entries.split('\n').filter_map(entry).collect();
    let one_line = || rest.split_once(']').and_then(|(one, _)| entry(one)).into_iter().collect();
    if entries.is_empty() { one_line() } else { entries }
}

/// True if the licence can be chosen so that all its parts are allowed.
fn is_allowed(licence: &str, allowed: &[String]) -> bool {
    let licence = licence.trim();
    if let Some(parts) = split(licence, " OR ").or_else(|| split(licence, "/")) {
        return parts.iter().any(|part| is_allowed(part, allowed));
    }
    if let Some(parts) = split(licence, " AND ") {
        return parts.iter().all(|part| is_allowed(part, allowed));
    }
    match licence.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => is_allowed(inner, allowed),
        None => allowed.iter().any(|one| one == licence),
    }
}

/// The parts between an operator outside of parentheses, if there is one.
fn split<'t>(text: &'t str, operator: &str) -> Option<Vec<&'t str>> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && at >= start && text[at..].starts_with(operator) => {
                parts.push(&text[start..at]);
                start = at + operator.len();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (parts.len() > 1).then_some(parts)
}

#[test]
fn choices_of_licences() {
    let allowed = ["MIT".to_owned(), "ISC".to_owned()];
    for (licence, ok) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT OR GPL-3.0", true),
        ("GPL-3.0/MIT", true),
        ("GPL-3.0 / MIT", true),
        ("MIT AND GPL-3.0", false),
        ("MIT AND ISC", true),
        ("(MIT OR GPL-3.0) AND ISC", true),
        ("(MIT OR ISC) AND GPL-3.0", false),
        ("GPL-3.0 OR (MIT AND ISC)", true),
        ("", false),
    ] {
        assert_eq!(is_allowed(licence, &allowed), ok, "{licence}");
    }
}

#[test]
fn packages_are_as_deny_toml_says() {
    let (allowed, denied) = (list("allow"), list("deny"));
    let (skipped, registries) = (list("skip"), list("allow-registry"));
    let packages = packages();
    let mut faults = Vec::new();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Package { name, version, licence, source } in &packages {
        versions.entry(name).or_default().push(version);
        if !is_allowed(licence, &allowed) {
            faults.push(format!("{name} {version}: licence {licence:?}"));
        }
        if denied.contains(name) {
            faults.push(format!("{name} {version} is banned"));
        }
        let is_known = |url: &String| source.strip_prefix("registry+") == Some(url);
        if !source.is_empty() && !registries.iter().any(is_known) {
            faults.push(format!("{name} {version} comes from {source}"));
        }
    }
    let is_of = |skip: &str, name: &str, version: &str| {
        skip.split_once('@').is_some_and(|(skipped, start)| {
            let rest = version.strip_prefix(start);
            skipped == name && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    for (name, versions) in &versions {
        let left = versions.iter().filter(|v| !skipped.iter().any(|skip| is_of(skip, name, v)));
        if left.count() > 1 {
            faults.push(format!("{name} comes in several versions: {versions:?}"));
        }
    }
    for skip in &skipped {
        let is_needed = versions
            .iter()
            .any(|(name, all)| all.len() > 1 && all.iter().any(|v| is_of(skip, name, v)));
        if !is_needed {
            faults.push(format!("{skip} needs no exception any more"));
        }
    }
    assert!(faults.is_empty(), "see deny.toml:\n{}", faults.join("\n"));
}
