//! Routes of one's own: handlers with typed arguments, middlewares, requests and answers.
//!
//! A thin face over `api`, which routes, limits, logs and writes. The only room of this crate that knows HTTP.

mod event;
mod extract;
mod handler;
mod incoming;
mod info;
pub mod middleware;
mod outgoing;
mod respond;
mod router;
mod streaming;
mod texts;

pub use self::{
    event::RequestEvent,
    extract::{
        AuthRecord, Bytes, Form, FromRequest, Headers, Json, Path, Query, SuperuserAuth,
        UploadedFiles, read_json, unreadable,
    },
    handler::Handler,
    incoming::Incoming,
    info::{RequestInfo, header_key},
    middleware::Middleware,
    outgoing::{Fetched, Outgoing},
    respond::{Html, IntoResponse, NoContent, Redirect, Stream, Xml},
    router::{RouteRef, Router},
    streaming::{
        AnyBody, Streamed, Upgrade, Upgraded, is_too_large, is_too_slow, piped, read_body, upgraded,
    },
};

/// What `on_serve` events know besides the app.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) base_url: String,
    /// The socket of the server; none where somebody else's server calls.
    pub(crate) local: Option<std::net::SocketAddr>,
}
