//! Schema, storage, records, rules, hooks, settings: everything a server does, without HTTP.

pub mod check;
pub mod collections;
pub mod crypto;
pub mod error;
pub mod field;
pub mod id;
pub mod json;
pub mod lanes;
pub mod log;
pub mod schema;
pub mod store;
pub mod time;
pub mod wire;

pub use error::{Error, FieldError, FieldErrors, Result};
