//! What collections, fields and settings are: types, wire forms, checks, the schema snapshot and how it is brought into a database.
//!
//! Must not know records, callers, rules, hooks or HTTP.

pub mod check;
pub mod error;
pub mod field;
pub mod schema;
pub mod settings;
pub mod wire;

use ::store;
use primitives::{crypto, future::BoxFutureRef, id, json, re2, time};

pub use error::{Error, FieldError, FieldErrors, Result};
