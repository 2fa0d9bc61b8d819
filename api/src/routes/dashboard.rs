//! `/_/…`: the dashboard's place, its headers, and the scripts of its extensions.
//!
//! The dashboard itself is not embedded yet: all its files are missing. Nothing can register extensions yet either, so
//! that their script is empty.
//! Source: spec server-settings-operations §2.3.

use http::{HeaderValue, header};

use crate::{
    error::{ApiError, Result},
    pipeline::Row,
    request::Req,
    response::{Body, Response},
    routes::h,
};

pub(crate) const ROUTES: &[Row] = &[
    Row::new("GET /_/extensions.js", h!(extensions)).quiet().compress(),
    Row::new("GET /_/{path...}", h!(file)).quiet().compress(),
];

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' http://127.0.0.1:* https://tile.openstreetmap.org data: blob:; \
     connect-src 'self' http://127.0.0.1:* https://nominatim.openstreetmap.org; \
     script-src 'self' http://127.0.0.1:*; frame-ancestors 'none'",
);
const CACHED: HeaderValue =
    HeaderValue::from_static("max-age=1209600, stale-while-revalidate=86400");

/// On every answer below `/_/`, errors too.
fn own_headers(req: &mut Req) {
    let cached = !req.app().config().dev && req.head.uri.path() != "/_/";
    let headers = &mut req.response_headers;
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(POLICY);
    if cached {
        headers.entry(header::CACHE_CONTROL).or_insert(CACHED);
    }
}

async fn extensions(req: &mut Req) -> Result<Response> {
    own_headers(req);
    let mut response = Response::no_content();
    response.status = 200;
    response.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript"));
    response.body = Body::Empty;
    Ok(response)
}

async fn file(req: &mut Req) -> Result<Response> {
    own_headers(req);
    Err(ApiError::not_found("File not found."))
}
