//! `GET /api/metrics`: the server's numbers for Prometheus, for superusers and whoever has the metrics token.

use http::header;

use crate::{
    describe::operations::op,
    error::{ApiError, Result},
    guard, metrics,
    pipeline::token_of,
    request::Req,
    response::Response,
    route::Endpoint,
    routes::h,
};

pub(crate) const ROUTES: &[Endpoint] = &[Endpoint::new("GET /api/metrics", h!(show))
    .op(op("metrics", "Server", "Figures for Prometheus").gives("Text").as_type("text/plain"))
    .quiet()];

const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

async fn show(req: &mut Req) -> Result<Response> {
    if !req.api.metrics().is_token(token_of(req.head.header(header::AUTHORIZATION))) {
        guard::superuser(req)?;
    }
    let text = metrics::render(req.api.metrics(), req.app())
        .map_err(|e| ApiError::internal(e.to_string()))?;
    Ok(Response::text(200, FORMAT, text))
}
