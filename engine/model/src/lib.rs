//! What collections, fields and settings are: types, wire forms, checks, the schema snapshot and how it is brought into a database.
//!
//! Must not know records, callers, rules, hooks or HTTP.

pub mod check;
pub mod error;
pub mod field;
pub mod re2;
pub mod schema;
pub mod settings;
pub mod wire;

use ::store;
use primitives::{crypto, id, json, time};

pub use error::{Error, FieldError, FieldErrors, Result};
