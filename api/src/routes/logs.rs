//! `GET /api/logs`, `/api/logs/stats`, `/api/logs/{id}`, `DELETE /api/logs`.
//!
//! Source: spec server-settings-operations §5.1, upstream-0.40 §5.1.

use engine::{
    Error,
    log_reading::{self, Query},
};
use serde::Serialize;
use serde_json::Map;

use crate::{
    describe::operations::op,
    error::{ApiError, Result},
    guard,
    paging::Paging,
    request::Req,
    response::Response,
    route::Endpoint,
    routes::h,
};

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("GET /api/logs", h!(list))
        .op(op("listLogs", "Logs", "Entries of the activity log").paged().gives("LogList"))
        .quiet(),
    Endpoint::new("DELETE /api/logs", h!(clear))
        .op(op("clearLogs", "Logs", "Empty the activity log"))
        .quiet(),
    Endpoint::new("GET /api/logs/stats", h!(stats))
        .op(op("countLogs", "Logs", "Entries per hour").query(&["filter"]).gives("LogHours"))
        .quiet(),
    Endpoint::new("GET /api/logs/{id}", h!(view))
        .op(op("viewLog", "Logs", "One entry").query(&["fields"]).gives("LogEntry"))
        .quiet(),
];

async fn list(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let head = req.head.clone();
    let query = head.query();
    let paging = Paging::read(query)?;
    let wanted = Query {
        page: paging.page,
        per_page: paging.per_page,
        skip_total: paging.skip_total,
        filter: query.get("filter").unwrap_or_default().into_owned(),
        sort: query.get("sort").unwrap_or_default().into_owned(),
    };
    let page =
        log_reading::list(&req.ctx(Map::new()), &wanted).await.map_err(ApiError::wrap_400(""))?;
    Ok(Response::json(200, page))
}

async fn clear(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    log_reading::clear(&req.ctx(Map::new())).await.map_err(ApiError::wrap_400(""))?;
    Ok(Response::no_content())
}

async fn view(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let found = log_reading::view(&req.ctx(Map::new()), &req.param("id")).await;
    Ok(Response::json(
        200,
        found.map_err(|error| match error {
            Error::NotFound => ApiError::not_found(""),
            other => ApiError::not_found("").with_detail(other.to_string()),
        })?,
    ))
}

#[derive(Debug, Serialize)]
struct Hour {
    date: String,
    total: i64,
}

async fn stats(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let head = req.head.clone();
    let filter = head.query().get("filter").unwrap_or_default();
    let found =
        log_reading::hours(&req.ctx(Map::new()), &filter).await.map_err(|error| match error {
            Error::Filter(_) => ApiError::wrap(400, "Invalid filter format.", error),
            _ => ApiError::wrap(400, "Failed to generate logs stats.", error),
        })?;
    let hours: Vec<Hour> =
        found.into_iter().map(|hour| Hour { date: hour.date, total: hour.total }).collect();
    Response::of(200, &hours)
}
