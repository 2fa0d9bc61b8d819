//! `GET /api/collections/meta/filter-language` (superusers): what the filter language has, for completion.
//!
//! Not part of the reference. Source: spec dashboard §8 A3.

use engine::explain;

use crate::{
    describe::operations::op, error::Result, guard, request::Req, response::Response,
    route::Endpoint, routes::h,
};

pub(crate) const ROUTES: &[Endpoint] =
    &[Endpoint::new("GET /api/collections/meta/filter-language", h!(show))
        .op(op("filterLanguage", "Rules", "Operators, macros, functions and modifiers")
            .gives("Any"))
        .quiet()];

async fn show(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    Response::of(200, &explain::language())
}
