//! The filter language: `title ~ 'x' && author.name = 'y'` as text, as a typed plan, and as an answer.
//!
//! | stage | type | module |
//! |---|---|---|
//! | parse | `&str` → [`Ast`] | `parse` (tokens: `grammar.pest`, `lex`) |
//! | resolve | [`Ast`] + [`schema::Schema`] + [`scope::Scope`] → [`plan::Plan`] | `resolve` |
//! | evaluate | [`plan::Plan`] × one row → `bool`, or [`Unsupported`] | [`mod@eval`] |
//! | judge | [`plan::Plan`] × tables → rows, slow and obviously right | [`judge`] |
//! | execute | [`plan::Plan`] → SQL | another crate; it asks [`form`] what a comparison means |
//!
//! The plan is where meaning lives: every subtle rule is decided while resolving, and a back end only spells it.
//! The crate knows no SQL, HTTP, I/O or clock.
//!
//! ```
//! use std::{collections::BTreeMap, sync::Arc};
//! use filter_lang::{eval, parse, resolve, schema::*, scope::Scope, value::{Affinity, Value}};
//!
//! struct Books(Arc<Collection>);
//! impl Schema for Books {
//!     fn collection(&self, name: &str) -> Option<Arc<Collection>> {
//!         (name == self.0.name).then(|| self.0.clone())
//!     }
//! }
//! let field = |name: &str, class, affinity| Field {
//!     name: name.into(), class, hidden: false, multiple: false, target: None, affinity,
//! };
//! let books = Arc::new(Collection {
//!     id: "b".into(), name: "books".into(), kind: CollectionKind::Base, list_rule: None,
//!     fields: vec![field("title", Class::Text, Affinity::Text), field("pages", Class::Number, Affinity::Num)],
//!     unique_fields: vec![], indexed_fields: vec![], full_text: vec![],
//! });
//! let ast = parse("title ~ 'rust' && pages > 100")?;
//! let plan = resolve(&Books(books.clone()), books, &ast, &Scope::default())?;
//! let row = BTreeMap::from([("title".into(), Value::from("Rust in Action")), ("pages".into(), Value::Int(456))]);
//! assert!(eval(&plan, &row)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
mod parse;
mod placeholder;
pub mod plan;
mod resolve;
pub mod schema;
pub mod scope;
pub mod semijoin;
mod sort;
pub mod value;

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
