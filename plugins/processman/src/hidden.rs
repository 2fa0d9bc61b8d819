//! What is not shown of a process: which values are secrets by their names or looks, and those values in what it prints.
//!
//! Must not know where things are shown.

use std::{borrow::Cow, sync::Arc};

pub(crate) use pocketbase::text::MASK;

/// Parts of names whose values are not shown.
const SECRETS: &[&str] =
    &["KEY", "SECRET", "PASSWORD", "PASS", "TOKEN", "CREDENTIAL", "AUTH", "DSN"];

pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRETS.iter().any(|part| name.contains(part))
}

/// True if a text has an URL with a name or password before its host.
pub(crate) fn has_userinfo(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        let rest = &text[at + 3..];
        let authority = rest.find(['/', '?', '#', ' ']).map_or(rest, |end| &rest[..end]);
        authority.contains('@')
    })
}

/// Shorter values stand in too many words to be hidden.
const LEAST: usize = 8;

/// The secrets that a process was given, which it may print.
#[derive(Clone, Default)]
pub(crate) struct Hidden(Arc<[String]>);

/// They are secrets.
impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hidden({})", self.0.len())
    }
}

impl Hidden {
    /// Of variables: those whose names say so.
    pub(crate) fn of<'v>(variables: impl Iterator<Item = (&'v str, String)>) -> Self {
        let secrets = variables.filter(|(name, value)| is_secret(name) && value.len() >= LEAST);
        let mut secrets: Vec<String> = secrets.map(|(_, value)| value).collect();
        // one may begin another
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(secrets.into())
    }
    /// A line without them.
    pub(crate) fn shown<'l>(&self, line: Cow<'l, str>) -> Cow<'l, str> {
        let mut line = line;
        for secret in &*self.0 {
            if memchr::memmem::find(line.as_bytes(), secret.as_bytes()).is_some() {
                line = line.replace(secret.as_str(), MASK).into();
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_lines() {
        let pairs = [
            ("API_KEY", "geheim-1234"),
            ("TOKEN", "geheim-1234-lang"),
            ("PIN_SECRET", "1234"),
            ("PLAIN", "nothing special"),
        ];
        let hidden = Hidden::of(pairs.into_iter().map(|(name, value)| (name, value.to_owned())));
        for (line, want) in [
            ("", ""),
            ("nothing special 1234", "nothing special 1234"),
            ("a geheim-1234 b geheim-1234-lang", "a **** b ****"),
        ] {
            assert_eq!(hidden.shown(line.into()), want);
        }
        assert!(!format!("{hidden:?}").contains("geheim"));
    }
}
