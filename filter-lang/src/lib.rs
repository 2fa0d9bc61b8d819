//! The filter language: `title ~ 'x' && author.name = 'y'` as text, as a typed plan, and as an answer.
//!
//! **What.** Users write filters, you decide what they may name; out comes a plan that is evaluated in memory here, or
//! spelled as SQL by the crate `dialects`. Names are resolved against your schema, relations become joins, `?=` and the
//! plain operators say whether one related row is enough or all must match, and values never become part of SQL text.
//!
//! **Why.** One expression means the same in memory, on SQLite and on PostgreSQL, NULL, affinities, `LIKE` and JSON
//! included: random expressions are compared with [`judge`], which is slow and obviously right.
//!
//! ```
//! use std::{collections::BTreeMap, sync::Arc};
//! use filter_lang::{eval, parse, resolve, schema::*, scope::Scope, value::Value};
//!
//! let books = Collection::new("books")
//!     .with(Field::new("title", Class::Text))
//!     .with(Field::new("pages", Class::Number));
//! let tables = vec![Arc::new(books)];
//! let ast = parse("title ~ 'rust' && pages > 100")?;
//! let plan = resolve(&tables, tables[0].clone(), &ast, &Scope::default())?;
//! let row = BTreeMap::from([("title".into(), Value::from("Rust in Action")), ("pages".into(), Value::Int(456))]);
//! assert!(eval(&plan, &row)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | stage | type | module |
//! |---|---|---|
//! | parse | `&str` → [`Ast`] | `parse` (tokens: `grammar.pest`, `lex`) |
//! | resolve | [`Ast`] + [`schema::Schema`] + [`scope::Scope`] → [`plan::Plan`] | `resolve` |
//! | evaluate | [`plan::Plan`] × one row → `bool`, or [`Unsupported`] | [`mod@eval`] |
//! | judge | [`plan::Plan`] × tables → rows, slow and obviously right | [`judge`] |
//! | lower | [`plan::Plan`] → [`semijoin::Lowered`]: where joins, EXISTS and sets go | [`semijoin`] |
//! | execute | [`semijoin::Lowered`] → SQL | another crate; it asks [`form`] what a comparison means |
//!
//! Every stage has a `Display`. The plan is where meaning lives: every subtle rule is decided while resolving, and a back
//! end only spells it. The crate knows no SQL, HTTP, I/O or clock.
//!
//! **Limits.** [`MAX_EXPRESSIONS`] comparisons in a filter, [`MAX_SORT`] sort keys; [`MAX_FILTER_BYTES`] is for the caller
//! to check. No arithmetic, no `NOT`, no aggregates: the language is a published one and is not extended here but by
//! functions ([`func`]). A relation points to a column `id`. [`eval()`] answers for one row only; what reads others is
//! [`Unsupported`], never guessed.
//!
//! **Costs.** Parsing, resolving and lowering a filter of four comparisons with a join takes microseconds each
//! (`cargo bench -p benches --bench hot_paths`); keep the [`Ast`] of texts that come again. Depth of parentheses costs
//! no stack.

#![deny(missing_docs)]

pub mod ast;
pub mod civil;
mod compute;
pub mod date_macro;
mod display;
pub mod error;
pub mod eval;
mod fold;
pub mod form;
pub mod func;
pub mod hint;
mod json;
pub mod judge;
pub mod language;
mod lex;
mod op;
mod parse;
mod placeholder;
pub mod plan;
pub mod prim;
mod resolve;
pub mod schema;
pub mod scope;
pub mod semijoin;
mod sort;
pub mod value;
mod walk;

pub use crate::{
    ast::Ast,
    error::{Error, ErrorKind},
    eval::{Row, Unsupported, eval},
    parse::parse,
    placeholder::bind_placeholders,
    resolve::{Flags, Resolver, Sides, reached, resolve, resolve_simple},
};

/// Longest client filter (spec §1.6); rules have no limit.
pub const MAX_FILTER_BYTES: usize = 3500;
/// Most comparisons in one filter or rule; groups share the count.
pub const MAX_EXPRESSIONS: usize = 200;
/// Most fields in one sort parameter.
pub const MAX_SORT: usize = 8;
/// Longest name in a sort parameter.
pub const MAX_SORT_FIELD_BYTES: usize = 255;
