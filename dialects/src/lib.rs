//! Plan → SQL text and parameters, for SQLite and PostgreSQL. Knows no connection.
//!
//! | module | holds |
//! |---|---|
//! | [`statement`] | the statements we issue: page, count, exists, select, insert, update, delete |
//! | [`claim`] | taking rows of a queue |
//! | [`ddl`] | tables, columns, indexes, views |
//! | [`catalog`] | introspection queries |
//! | [`transfer`] | whole tables from one database to another |
//! | [`limits`] | values that a database cannot hold |
//! | [`names`] | names as a database stores them |
//! | `emit` | one walk over the lowered plan, and `Spell`: what a dialect spells for it |
//! | `idiom` | [`Dialect`] and [`Idiom`]: all that differs between databases |
//! | [`sqlite`], [`postgres`] | the implementations, and what one of them alone has |
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
//!     Dialect::SQLITE,
//!     "posts",
//!     &[("id", Value::Text("p1".into())), ("views", Value::Int(3))],
//! );
//! assert_eq!(sql.text, r#"INSERT INTO "posts" ("id","views") VALUES (?1,?2)"#);
//! assert_eq!(sql.params.len(), 2);
//! ```

#![deny(missing_docs)]

pub mod catalog;
pub mod claim;
pub mod ddl;
mod emit;
mod full_text;
pub mod idiom;
pub mod limits;
pub mod names;
pub mod postgres;
mod quote;
mod sql;
pub mod sqlite;
pub mod statement;
pub mod transfer;

pub use emit::{Alias, Half, Part, Spell, Walk};
pub use idiom::{Dialect, Fault, Idiom, Syntax};
pub use postgres::{HELPERS as POSTGRES_HELPERS, HELPERS_VERSION as POSTGRES_HELPERS_VERSION};
pub use quote::ident;
pub use sql::{Sql, Value};
pub use sqlite::{FUNCTIONS as SQLITE_FUNCTIONS, Function as SqliteFunction};

pub use filter_lang::prim::Arg;

/// Every dialect there is.
pub const DIALECTS: [Dialect; 2] = [Dialect::SQLITE, Dialect::POSTGRES];
