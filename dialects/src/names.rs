//! Names as a database stores them. Must not know what a name is for.

use std::borrow::Cow;

use crate::idiom::Dialect;

/// A name as the database has it. Names that differ in the case of ASCII letters only stay so.
#[must_use]
pub fn stored(d: Dialect, name: &str) -> Cow<'_, str> {
    d.0.stored(name)
}

/// Whether a database that has a name `found` means `name`, ignoring ASCII case.
#[must_use]
pub fn is_stored_as(d: Dialect, found: &str, name: &str) -> bool {
    found.eq_ignore_ascii_case(&stored(d, name))
}

/// What the database itself makes of a name that is too long for it.
#[must_use]
pub fn truncated(d: Dialect, name: &str) -> &str {
    d.0.truncated(name)
}
