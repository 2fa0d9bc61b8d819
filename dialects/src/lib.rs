//! Plan → SQL text and parameters, for SQLite and PostgreSQL. Knows no connection.
//!
//! **What.** [`filter_lang`] makes a plan of a user's filter; this crate makes statements of plans: pages, counts, checks of
//! one row. It writes text, you run it with any driver. Also here: the DDL, introspection and transfer statements of the
//! server that this crate was made for.
//!
//! **Why.** The same rows come from both databases, whatever users write, and the text depends on the shape of a plan and
//! on the class {null, empty, set} of its values, never on the values: statement caches hit, nothing can be injected.
//!
//! ```
//! use std::sync::Arc;
//! use dialects::{Dialect, statement::{ColumnList, Select}};
//! use filter_lang::{Flags, Resolver, parse, schema::*, scope::Scope};
//!
//! let books = Collection::new("books")
//!     .with(Field::new("isbn", Class::Text))
//!     .with(Field::new("title", Class::Text))
//!     .tie_break("isbn");
//! let (tables, scope) = (vec![Arc::new(books)], Scope::default());
//! let plan = Resolver::new(&tables, tables[0].clone(), &scope)
//!     .filter(&parse("title ~ 'rust'")?, Flags::CLIENT)?
//!     .sort("-title", Flags::CLIENT)?
//!     .finish();
//! let columns = ColumnList::new(&["isbn", "title"]);
//! let sql = Dialect::POSTGRES.query(&plan).page(&Select { limit: Some(20), ..Select::all(&columns) });
//! assert!(sql.text.starts_with(r#"SELECT b."isbn",b."title" FROM "books" AS b WHERE b."title""#));
//! assert_eq!(dialects::postgres::helpers_for(&sql.text), "");
//! # Ok::<(), filter_lang::Error>(())
//! ```
//!
//! `examples/own_sqlite.rs` and `examples/own_postgres.rs` run such statements with rusqlite and tokio-postgres.
//!
//! # On your own tables
//!
//! - Say a unique column as the tie-break of a collection ([`tie_break`](filter_lang::schema::Collection::tie_break)). Without
//!   one, PostgreSQL pages are ordered by a column `_rowid_` that tables of [`ddl`] have.
//! - Column types are those of [`ddl::ColumnType`]: text (`COLLATE "C"` for the order of bytes), `float8`, `boolean`, `jsonb`;
//!   on SQLite TEXT, NUMERIC, BOOLEAN, JSON. Dates are text in the form `2024-02-29 13:14:15.678Z`.
//! - A relation holds the text of a column `id` of its target, several of them as a JSON array.
//! - SQLite connections register [`sqlite::FUNCTIONS`] if `geoDistance` or `fts` is to be used.
//! - PostgreSQL needs helper functions for what it has no words for; install [`postgres::HELPERS`], or what one statement
//!   calls ([`postgres::helpers_for`]):
//!
//! | expression | helpers |
//! |---|---|
//! | texts with texts, numbers with numbers, bools, relations, `:lower` | none |
//! | a number column with a text | `pb_numeric`, `pb_exact`, `pb_cmp` |
//! | a number as text (`pages ~ '4'`) | `pb_number_text`, `pb_real_text` |
//! | JSON fields and paths | `pb_scalar`, `pb_at`, `pb_odd` and the ones above |
//! | a list as text | `pb_json` |
//! | sorting by JSON | `pb_scalar`, `pb_rank`, `pb_sort_number`, `pb_sort_text` |
//! | `:each` and `:length` of views, geo points | `pb_list`, `pb_length`, `pb_point` |
//! | `geoDistance`, `strftime`, `fts` | `pb_geo_distance`, `pb_strftime`, `pb_fts` |
//!
//! # Binding
//!
//! Values travel in [`Sql::params`], in placeholder order. On PostgreSQL every placeholder inside an expression carries a
//! cast (`$1::text`, `$2::float8`); elsewhere (INSERT, UPDATE) its type is the column's: bind [`Value`]s by the statement's
//! parameter type.
//!
//! # Another database, or another spelling
//!
//! [`Spell`] is a method per construct and open to implement; [`statement::Query::new`] takes any. To wrap one of ours,
//! hand what you do not change to `Dialect::SQLITE` (`tests/library.rs` does). [`Idiom`] adds what only the server needs.
//!
//! # Limits and costs
//!
//! Two databases, statements over one base table, no aggregates beside counts. A statement is printed in microseconds;
//! a [`statement::Query`] lowers its plan once, however many statements it is asked for.
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

pub use emit::{Alias, Half, Spell, Walk};
pub use idiom::{Dialect, Fault, Idiom, Syntax};
pub use postgres::{HELPERS as POSTGRES_HELPERS, HELPERS_VERSION as POSTGRES_HELPERS_VERSION};
pub use quote::ident;
pub use sql::{Sql, Value};
pub use sqlite::{FUNCTIONS as SQLITE_FUNCTIONS, Function as SqliteFunction};

pub use filter_lang::prim::Arg;

/// Every dialect there is.
pub const DIALECTS: [Dialect; 2] = [Dialect::SQLITE, Dialect::POSTGRES];
