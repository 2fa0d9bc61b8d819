//! SQL that users write: index expressions, view queries, statements of the console. What it says is read from
//! sqlparser's tree; what databases get is written again from it. Knows no connection, no collection, no HTTP.
//!
//! | module | |
//! |---|---|
//! | [`index`] | `CREATE INDEX` → its parts → the statement for SQLite or PostgreSQL |
//! | [`view`] | a view's query → its columns with types and sources, the tables it reads, its text for PostgreSQL |
//! | [`statement`] | which statements of a text write |
//! | [`names`] | where a text names columns |
//! | [`marks`] | the reference's own quotes, `[[column]]` and `{{table}}` |
//!
//! It is a crate of its own so that sqlparser is compiled beside everything else: nothing but `engine` waits for it.
//! Where sqlparser refuses what a database takes, each module has a fallback; none of them panics or refuses by itself.

pub mod index;
pub mod marks;
pub mod names;
pub mod statement;
mod tokens;
pub mod uses;
pub mod view;

/// Runs what recurses over trees with a stack of its own: sqlparser limits how deep parentheses nest, not how long a
/// chain of operators is.
pub(crate) fn with_stack<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(bytes / 2, bytes, work)
}

/// A name in back quotes.
#[must_use]
pub fn tick(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A name in double quotes.
#[must_use]
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
