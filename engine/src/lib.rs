//! Schema, storage, records, rules, hooks, settings: everything a server does, without HTTP.

pub mod error;
pub mod field;
pub mod schema;
pub mod store;

pub use error::{Error, FieldError, FieldErrors, Result};
