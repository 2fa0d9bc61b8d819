//! Plan → SQL text and parameters, for SQLite and PostgreSQL. Knows no connection.

pub use filter_lang::value::Value;

/// Which database the text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

/// A statement and its parameters, in placeholder order (`?1…` / `$1…`).
#[derive(Debug, Clone, PartialEq)]
pub struct Sql {
    /// The statement; depends on shape only, so prepared-statement caches hit.
    pub text: String,
    /// Bound values.
    pub params: Vec<Value>,
}
