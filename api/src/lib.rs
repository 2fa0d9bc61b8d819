//! HTTP: routes, request context, error envelope. Contains no SQL and no rule logic.

mod activity;
pub mod api;
mod bind;
pub mod body;
mod compress;
mod content;
mod cors;
mod describe;
mod disposition;
pub mod downloads;
pub mod error;
mod excerpt;
mod fault;
pub mod fields;
pub mod guard;
pub mod json;
mod media;
mod metrics;
mod multipart;
mod pace;
pub mod pipeline;
mod process;
pub mod query;
mod quoted_printable;
pub mod range;
pub mod rate_limit;
pub mod request;
pub mod response;
pub mod router;
mod routes;
pub mod server;
pub mod sse;
pub mod static_files;
pub mod streaming;
pub mod testing;
mod through;
pub mod tls;
#[cfg(test)]
mod transport_tests;
pub mod www;

pub use describe::added::Description;
pub use error::{ApiError, Result};
pub use metrics::{MetricKind, Sample};
pub use response::{Body, Response};
pub use routes::auth_response::record_auth_response;
