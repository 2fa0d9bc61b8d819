//! `GET /api/openapi.json` and `GET /api/types?lang=…` (superusers): the API as it is at this moment, for programs.
//!
//! Not part of the reference. Source: spec dashboard §8 A9.

use crate::{
    describe::{self, Described},
    error::{ApiError, Result},
    guard,
    request::Req,
    response::Response,
    route::Endpoint,
    routes::h,
};

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("GET /api/openapi.json", h!(openapi)).quiet(),
    Endpoint::new("GET /api/types", h!(types)).quiet(),
];

/// The collections that are asked for: all, or those of `?collections=a,b`.
fn wanted(req: &Req) -> Vec<Described> {
    let mut all = describe::all(&req.app().snapshot());
    if let Some(names) = req.query().get("collections").filter(|names| !names.is_empty()) {
        let names: Vec<&str> = names.split(',').map(str::trim).collect();
        all.retain(|described| {
            let collection = &described.collection;
            names
                .iter()
                .any(|name| collection.id == *name || collection.name.eq_ignore_ascii_case(name))
        });
        let kept: Vec<String> = all.iter().map(|described| described.name.clone()).collect();
        for described in &mut all {
            described.relations.retain(|relation| kept.contains(&relation.target));
        }
    }
    all
}

async fn openapi(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let settings = req.app().settings();
    Response::of(200, &describe::openapi::write(&wanted(req), &req.api.described(), &settings)?)
}

async fn types(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let lang = req.query().get("lang").unwrap_or_default().into_owned();
    let all = wanted(req);
    let text = match lang.as_str() {
        "" | "ts" => describe::typescript(&all),
        "rust" => describe::rust(&all),
        "dart" => describe::dart(&all),
        _ => return Err(ApiError::bad_request("The language must be ts, rust or dart.")),
    };
    Ok(Response::text(200, "text/plain; charset=utf-8", text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::{describe::operations::OPERATIONS, routes};

    #[test]
    fn every_route_has_its_row() {
        let routes: BTreeSet<&str> = routes::all(true)
            .map(|row| row.pattern)
            .filter(|pattern| pattern.contains(" /api/"))
            .collect();
        let rows: BTreeSet<&str> = OPERATIONS.iter().map(|op| op.route).collect();
        assert_eq!(routes, rows, "api/src/describe/operations.rs");
        assert_eq!(rows.len(), OPERATIONS.len(), "a route has two rows");
        let ids: BTreeSet<&str> = OPERATIONS.iter().map(|op| op.id).collect();
        assert_eq!(ids.len(), OPERATIONS.len(), "two rows have one id");
    }
}
