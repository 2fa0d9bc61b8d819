//! `GET /api/openapi.json` and `GET /api/types?lang=…` (superusers): the API as it is at this moment, for programs.
//!
//! Not part of the reference. Source: spec dashboard §8 A9.

use crate::{
    describe::{self, Described, operations::op},
    error::{ApiError, Result},
    guard,
    request::Req,
    response::Response,
    route::Endpoint,
    routes::h,
};

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("GET /api/openapi.json", h!(openapi))
        .op(op("openapi", "Descriptions", "This document").query(&["collections"]).gives("Any"))
        .quiet(),
    Endpoint::new("GET /api/types", h!(types))
        .op(op("types", "Descriptions", "Types of all records for a language")
            .query(&["lang", "collections"])
            .gives("Text")
            .as_type("text/plain"))
        .quiet(),
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
    Response::of(
        200,
        &describe::openapi::write(
            &wanted(req),
            super::operations(),
            &req.api.described(),
            &settings,
        )?,
    )
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

    use crate::routes;

    #[test]
    fn every_endpoint_says_what_it_is_for() {
        for row in routes::all(true).filter(|row| row.pattern.contains(" /api/")) {
            assert!(row.op.is_some(), "{}: `.op(…)` is missing", row.pattern);
        }
        let ids: Vec<&str> = routes::operations().map(|(_, op)| op.id).collect();
        let several: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), several.len(), "two endpoints have one id");
    }
}
