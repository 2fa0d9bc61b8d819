//! The helper functions as text to install: all of them, or those that a statement calls.

use std::collections::BTreeSet;

/// Version of [`HELPERS`]; reinstall them when the stored mark differs.
pub const HELPERS_VERSION: u32 = 4;

/// `CREATE OR REPLACE FUNCTION` statements that texts rely on (`pb_…`). Run as one simple query,
/// in the schema of the tables, before any other statement of this crate.
pub const HELPERS: &str = concat!(include_str!("helpers.sql"), include_str!("helpers_views.sql"));

/// What begins each statement of [`HELPERS`].
const CREATE: &str = "CREATE OR REPLACE FUNCTION ";

/// The statements of [`HELPERS`] that a text needs, with what those call in turn; empty where it calls none.
///
/// ```
/// let needed = dialects::postgres::helpers_for(r#"SELECT pb_geo_distance(1, 2, "x", pb_float("y"))"#);
/// assert!(needed.contains("FUNCTION pb_geo_distance(") && needed.contains("FUNCTION pb_float("));
/// assert!(!needed.contains("FUNCTION pb_strftime("));
/// assert_eq!(dialects::postgres::helpers_for("SELECT 1"), "");
/// ```
#[must_use]
pub fn helpers_for(text: &str) -> String {
    let all = || HELPERS.split(CREATE).skip(1).map(|body| (name(body), body));
    let mut needed: BTreeSet<&str> = BTreeSet::new();
    let mut fresh: BTreeSet<&str> = called(text);
    while !fresh.is_empty() {
        needed.append(&mut fresh);
        let bodies = all().filter(|(name, _)| needed.contains(name));
        let next: BTreeSet<&str> = bodies.flat_map(|(_, body)| called(body)).collect();
        fresh = next.difference(&needed).copied().collect();
    }
    let kept = all().filter(|(name, _)| needed.contains(name));
    kept.map(|(_, body)| [CREATE, body].concat()).collect()
}

fn name(body: &str) -> &str {
    body.split('(').next().unwrap_or(body).trim()
}

/// The helpers that a text calls.
fn called(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c: char| !is_name(c)).filter(|word| word.starts_with("pb_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_helper_that_is_called_is_there() {
        let known: BTreeSet<&str> = HELPERS.split(CREATE).skip(1).map(name).collect();
        for (name, body) in HELPERS.split(CREATE).skip(1).map(|body| (name(body), body)) {
            let code = body.lines().filter(|line| !line.trim_start().starts_with("--"));
            for called in code.flat_map(|line| called(line)) {
                assert!(known.contains(called), "{name} calls {called}");
            }
        }
        assert_eq!(helpers_for(HELPERS).matches(CREATE).count(), HELPERS.matches(CREATE).count());
    }
}
