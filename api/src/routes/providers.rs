//! `GET /api/collections/meta/oauth2-providers`: names, display names and drawings of the known OAuth2 providers.
//!
//! The drawings are our own: a colored tile with one or two letters.
//! Source: spec collections-and-fields §4.

use engine::oauth2;

use crate::{
    describe::operations::op, error::Result, guard, json, request::Req, response::Response,
    route::Endpoint, routes::h,
};

pub(crate) const ROUTES: &[Endpoint] = &[Endpoint::new(
    "GET /api/collections/meta/oauth2-providers",
    h!(list),
)
.op(op("listProviders", "Collections", "Known OAuth2 services").gives("Providers"))];

async fn list(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let mut out = Vec::with_capacity(16 << 10);
    out.push(b'[');
    for (idx, provider) in oauth2::ALL.iter().enumerate() {
        if idx > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"name\":");
        json::write_str(&mut out, provider.name);
        out.extend_from_slice(b",\"displayName\":");
        json::write_str(&mut out, provider.display_name);
        out.extend_from_slice(b",\"logo\":");
        json::write_str(&mut out, &provider.logo());
        out.push(b'}');
    }
    out.push(b']');
    Ok(Response::json(200, out))
}
