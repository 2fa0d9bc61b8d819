//! HTTP: routes, request context, error envelope. Contains no SQL and no rule logic.

mod activity;
mod assembly;
mod bind;
pub mod body;
mod clock;
mod compress;
mod content;
mod cors;
mod describe;
pub mod downloads;
pub mod error;
pub mod fields;
pub mod guard;
pub mod head;
pub mod json;
mod metrics;
mod pace;
pub mod paging;
pub mod pipeline;
mod process;
pub mod rate_limit;
pub mod request;
pub mod response;
mod routes;
mod running;
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
pub use http_syntax::{query, range, router};
pub use metrics::{MetricKind, Sample};
pub use request::{api, route};
pub use response::{Body, Response};
pub use routes::auth_response::record_auth_response;
