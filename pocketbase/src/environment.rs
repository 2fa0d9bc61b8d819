//! What the environment says to plugins: a variable that is set wins over code (spec extensions 0.2).
//!
//! Values are trimmed; one that is empty counts as not set. Must not know any variable by name.

use std::ffi::OsString;

use crate::{Error, Result};

/// Variables that open what the server guards: programs and servers beside it do not get them by themselves.
pub const GUARDED: &[&str] = &[
    "PB_MASTER_KEY",
    "PB_MASTER_KEY_PREVIOUS",
    "PB_POSTGRES_DSN",
    "PB_POSTGRES_REPLICA",
    "PB_METRICS_TOKEN",
    "TOF_APP_TOKEN",
    "PB_ANALYTICS_S3_ACCESS_KEY",
    "PB_ANALYTICS_S3_SECRET_KEY",
];

/// The value of a variable; `None` if it is not set, empty, or no UTF-8.
#[must_use]
pub fn text(name: &str) -> Option<String> {
    let value = std::env::var(name).ok()?;
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// The items of a list, which commas separate; empty ones do not count.
#[must_use]
pub fn list(name: &str) -> Option<Vec<String>> {
    text(name).map(|value| read_list(&value))
}

/// All variables, for programs that are started.
#[must_use]
pub fn all() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

/// A switch: `true` and `1`, `false` and `0`, in any case.
///
/// # Errors
/// For any other value; the message names the variable, not its value.
pub fn switch(name: &str) -> Result<Option<bool>> {
    text(name).map(|value| read_switch(name, &value)).transpose()
}

/// A positive whole number; 0 and negative ones count as not set, as the fork has it.
///
/// # Errors
/// For what is no whole number; the message names the variable, not its value.
pub fn positive(name: &str) -> Result<Option<u64>> {
    Ok(text(name).map(|value| read_positive(name, &value)).transpose()?.flatten())
}

fn read_list(value: &str) -> Vec<String> {
    let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(str::to_owned).collect()
}

fn read_switch(name: &str, value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Error::other(format!("{name} must be true or false"))),
    }
}

fn read_positive(name: &str, value: &str) -> Result<Option<u64>> {
    let n: i64 =
        value.parse().map_err(|_| Error::other(format!("{name} must be a whole number")))?;
    Ok(u64::try_from(n).ok().filter(|n| *n > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_all() {
        let path = std::env::var_os("PATH");
        let found = all().into_iter().find(|(name, _)| name == "PATH");
        assert_eq!(found.map(|(_, value)| value), path);
    }

    #[test]
    fn lists() {
        assert_eq!(read_list(" a, b,, c d ,"), ["a", "b", "c d"]);
        assert!(read_list(" , ").is_empty());
    }

    #[test]
    fn switches() {
        for (value, want) in [("true", true), ("TRUE", true), ("1", true), ("False", false)] {
            assert_eq!(read_switch("PB_X", value).ok(), Some(want), "{value}");
        }
        let error = read_switch("PB_X", "geheim").expect_err("no switch").to_string();
        assert!(error.contains("PB_X") && !error.contains("geheim"), "{error}");
    }

    #[test]
    fn numbers() {
        for (value, want) in [("7", Some(7)), ("0", None), ("-3", None)] {
            assert_eq!(read_positive("PB_X", value).ok(), Some(want), "{value}");
        }
        assert!(read_positive("PB_X", "1.5").is_err());
    }
}
