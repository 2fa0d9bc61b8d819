//! Plan → SQL text and parameters, for SQLite and PostgreSQL. Knows no connection.
//!
//! | module | holds |
//! |---|---|
//! | [`statement`] | the statements we issue: page, count, exists, select, insert, update, delete |
//! | [`claim`] | taking rows of a queue |
//! | [`ddl`] | tables, columns, indexes, views |
//! | [`catalog`] | introspection queries |
//! | [`transfer`] | whole tables from one database to another |
//! | [`fault`] | driver codes and messages → facts |
//! | [`limits`] | values that a database cannot hold |
//! | [`names`] | names as a database stores them |
//! | `emit`, `spell`, `sqlite`, `postgres` | one walk over the lowered plan, and its two spellings |
//!
//! The text of a statement depends on the shape of a plan and on the class {null, empty, set} of its values,
//! never on the values, so prepared-statement caches hit. Values travel in [`Sql::params`], in placeholder
//! order. On PostgreSQL every placeholder inside an expression carries a cast (`$1::text`, `$2::float8`);
//! elsewhere (INSERT, UPDATE, LIMIT) its type is the column's: bind [`Value`]s by the statement's parameter type.
//!
//! ```
//! use dialects::{Dialect, Value, statement};
//!
//! let sql = statement::insert(
//!     Dialect::Sqlite,
//!     "posts",
//!     &[("id", Value::Text("p1".into())), ("views", Value::Int(3))],
//! );
//! assert_eq!(sql.text, r#"INSERT INTO "posts" ("id","views") VALUES (?1,?2)"#);
//! assert_eq!(sql.params.len(), 2);
//! ```

pub mod catalog;
pub mod claim;
pub mod ddl;
mod emit;
pub mod fault;
mod full_text;
pub mod limits;
pub mod names;
mod postgres;
mod quote;
pub mod row_id;
mod spell;
mod sqlite;
pub mod statement;
pub mod transfer;

use filter_lang::prim::{Arithmetic, Prim};
pub use filter_lang::{prim::Arg, value::Value};
pub use quote::ident;

/// Which database the text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite, the default store.
    Sqlite,
    /// PostgreSQL 14 and later.
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

impl Sql {
    /// A statement without parameters.
    #[must_use]
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), params: Vec::new() }
    }
}

/// A scalar function that SQLite texts may call and SQLite does not have.
#[derive(Debug, Clone, Copy)]
pub struct SqliteFunction {
    /// Its name in SQL.
    pub name: &'static str,
    /// How many arguments it takes; -1: any number.
    pub args: i32,
    /// What it computes.
    pub call: fn(&[Arg<'_>]) -> Value,
}

/// What a connection to SQLite registers before it runs texts of this crate (as deterministic functions).
pub const SQLITE_FUNCTIONS: &[SqliteFunction] = &[
    SqliteFunction { name: "pb_fts", args: -1, call: |args| Prim::HasWords.eval(args, 0) },
    SqliteFunction { name: "pb_geo_distance", args: 4, call: |args| Prim::Distance.eval(args, 0) },
    SqliteFunction {
        name: "pb_calc",
        args: 3,
        call: |args| {
            let [sign, numbers @ ..] = args else { return Value::Null };
            let operation = sign.text().and_then(|sign| Arithmetic::of(&sign));
            operation.map_or(Value::Null, |operation| Prim::Calc(operation).eval(numbers, 0))
        },
    },
];

/// Version of [`POSTGRES_HELPERS`]; reinstall them when the stored mark differs.
pub const POSTGRES_HELPERS_VERSION: u32 = 4;

/// `CREATE OR REPLACE FUNCTION` statements that PostgreSQL texts rely on (`pb_…`). Run as one simple query,
/// in the schema of the tables, before any other statement of this crate.
pub const POSTGRES_HELPERS: &str =
    concat!(include_str!("helpers.sql"), include_str!("helpers_views.sql"));
