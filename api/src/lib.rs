//! HTTP: routes, request context, error envelope. Contains no SQL and no rule logic.

pub mod error;
mod excerpt;
pub mod fields;
pub mod json;
pub mod query;
pub mod response;
pub mod router;

pub use error::{ApiError, Result};
pub use response::{Body, Response};
