//! `GET /api/health`. Source: spec server-settings-operations §5.3, upstream-0.40 §5.4.

use crate::{
    describe::operations::op,
    error::Result,
    json,
    request::{Req, ip_text},
    response::Response,
    route::Endpoint,
    routes::h,
};

pub(crate) const ROUTES: &[Endpoint] = &[Endpoint::new("GET /api/health", h!(show)).op(op(
    "health",
    "Server",
    "Whether the server is well",
)
.everybody()
.gives("Health"))];

/// Headers that proxies set, in the order they are looked for.
const PROXY_HEADERS: [&str; 3] = ["CF-Connecting-IP", "Fly-Client-IP", "X-Forwarded-For"];

const GUEST: &[u8] = b"{\"message\":\"API is healthy.\",\"code\":200,\"data\":{}}";

async fn show(req: &mut Req) -> Result<Response> {
    if !req.caller.is_superuser() {
        return Ok(Response::json_bytes(200, bytes::Bytes::from_static(GUEST), true));
    }
    let settings = req.app().settings();
    let mut names = settings.trusted_proxy.headers.iter().map(String::as_str).chain(PROXY_HEADERS);
    let is_sent = |name: &&str| req.head.headers.get(*name).is_some_and(|value| !value.is_empty());
    let header = names.find(is_sent).unwrap_or("").to_owned();
    let mut out = Vec::with_capacity(160);
    out.extend_from_slice(
        b"{\"message\":\"API is healthy.\",\"code\":200,\"data\":{\"canBackup\":",
    );
    let is_file = req.app().store().data().path().is_some();
    let idle = req.app().backups().active().is_none();
    out.extend_from_slice(if idle { b"true" } else { b"false" });
    // The reference has no other database and says nothing.
    if !is_file {
        out.extend_from_slice(b",\"databaseType\":\"PostgreSQL\"");
    }
    let detailed = req.query().get("details").as_deref() == Some("1");
    if detailed {
        out.extend_from_slice(b",\"instanceId\":");
        json::write_str(&mut out, &req.api.instance().id);
    }
    out.extend_from_slice(b",\"possibleProxyHeader\":");
    json::write_str(&mut out, &header);
    out.extend_from_slice(b",\"realIP\":");
    json::write_str(&mut out, &ip_text(req.real_ip()));
    if detailed {
        out.extend_from_slice(b",\"startedAt\":");
        json::write_str(&mut out, &req.api.instance().started.to_string());
    }
    out.extend_from_slice(b"}}");
    Ok(Response::json(200, out))
}
