//! The filter language: text → AST → typed plan, and evaluation in memory.
#![allow(missing_docs)]

pub mod form;
pub mod plan;
pub mod schema;
pub mod scope;
pub mod value;
