//! The small languages of HTTP: patterns of routes, query strings, header values, forms in parts, ranges, excerpts of HTML.
//!
//! Must not know a server, a request or what anybody is told about a fault.

pub mod disposition;
pub mod excerpt;
pub mod fault;
pub mod media;
pub mod multipart;
pub mod query;
pub mod quoted_printable;
pub mod range;
pub mod router;
