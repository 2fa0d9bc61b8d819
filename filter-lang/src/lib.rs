//! The filter language: text → AST → typed plan, and evaluation in memory.
#![allow(missing_docs)]

pub mod ast;
pub mod error;
pub mod form;
mod lex;
mod parse;
pub mod plan;
pub mod schema;
pub mod scope;
pub mod value;

pub use crate::{ast::Ast, error::Error, parse::parse};
