//! `/_/…`: the dashboard, its headers, and the scripts of its extensions.
//!
//! Nothing can register extensions yet, so that their script is empty. Without the feature `dashboard` all files are
//! missing. Source: spec server-settings-operations §2.3, dashboard §8 A14.

use engine::oauth2;
use http::{HeaderValue, header};

use crate::{
    error::{ApiError, Result},
    request::Req,
    response::{Body, Response},
    route::Endpoint,
    routes::h,
};

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("GET /_/extensions.js", h!(extensions)).quiet().compress(),
    Endpoint::new("GET /_/{path...}", h!(file)).quiet().compress(),
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
    let path = req.param("path").into_owned();
    if let Some(response) = embedded(req, &path) {
        return Ok(response);
    }
    own_headers(req);
    let name = path.strip_prefix("images/oauth2/").and_then(|name| name.strip_suffix(".svg"));
    match name.and_then(oauth2::find) {
        Some(provider) => Ok(Response::text(200, "image/svg+xml", provider.logo())),
        None => Err(ApiError::no_file()),
    }
}

/// A file of the dashboard, under its own policy.
#[cfg(feature = "dashboard")]
fn embedded(req: &mut Req, path: &str) -> Option<Response> {
    /// No script but ours, nothing inline; maps and the names of places come from `OpenStreetMap`.
    const STRICT: HeaderValue = HeaderValue::from_static(
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
         img-src 'self' data: blob: https://tile.openstreetmap.org; \
         connect-src 'self' https://nominatim.openstreetmap.org; media-src 'self' blob:; \
         worker-src 'self'; frame-src 'self' blob:; font-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
    );
    use std::borrow::Cow;

    use dashboard::Content;
    let file = dashboard::file(path)?;
    let cached = if file.is_immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = &mut req.response_headers;
    headers.insert(header::CONTENT_SECURITY_POLICY, STRICT);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cached));
    headers.insert(header::ETAG, HeaderValue::from_static(file.etag));
    if crate::range::has_tag(&req.head.headers, file.etag) {
        return Some(Response::empty(304));
    }
    let made = match file.content {
        Content::Plain(_) => None,
        Content::Small { br, gz } => crate::compress::made(&req.head.headers, br, gz),
    };
    Some(match made {
        Some((encoding, bytes)) => Response::text(200, file.content_type, bytes)
            .with_header(header::CONTENT_ENCODING, encoding),
        None => match file.content.plain() {
            Cow::Borrowed(bytes) => Response::text(200, file.content_type, bytes),
            Cow::Owned(bytes) => Response::text(200, file.content_type, bytes),
        },
    })
}

#[cfg(not(feature = "dashboard"))]
fn embedded(_: &mut Req, _: &str) -> Option<Response> {
    None
}
