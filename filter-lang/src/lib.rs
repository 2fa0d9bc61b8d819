//! The filter language: text → AST → typed plan, and evaluation in memory.
#![allow(missing_docs)]

pub mod ast;
mod civil;
mod compute;
pub mod date_macro;
pub mod error;
pub mod eval;
mod fold;
pub mod form;
pub mod func;
mod json;
pub mod judge;
mod lex;
mod parse;
mod placeholder;
pub mod plan;
mod resolve;
pub mod schema;
pub mod scope;
mod sort;
pub mod value;

pub use crate::{
    ast::Ast,
    error::{Error, ErrorKind},
    eval::{Row, Unsupported, eval},
    parse::parse,
    placeholder::bind_placeholders,
    resolve::{Flags, Resolver, resolve, resolve_simple},
};

/// Longest client filter (spec §1.6); rules have no limit.
pub const MAX_FILTER_BYTES: usize = 3500;
/// Most comparisons in one filter or rule; groups share the count.
pub const MAX_EXPRESSIONS: usize = 200;
/// Most fields in one sort parameter.
pub const MAX_SORT: usize = 8;
/// Longest name in a sort parameter.
pub const MAX_SORT_FIELD_BYTES: usize = 255;
