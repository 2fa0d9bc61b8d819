//! `GET /api/crons`, `POST /api/crons/{id}`. Source: spec server-settings-operations §5.4.

use serde::Serialize;

use crate::{
    error::{ApiError, Result},
    guard,
    pipeline::Row,
    request::Req,
    response::Response,
    routes::h,
};

pub(crate) const ROUTES: &[Row] =
    &[Row::new("GET /api/crons", h!(list)), Row::new("POST /api/crons/{id}", h!(run))];

#[derive(Debug, Serialize)]
struct Item {
    id: String,
    expression: String,
}

async fn list(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let jobs = req.app().crons().list().into_iter();
    let items: Vec<Item> =
        jobs.map(|job| Item { id: job.id, expression: job.expression }).collect();
    Response::of(200, &items)
}

/// Starts a job; the answer does not wait for it.
async fn run(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let app = req.app();
    if !app.crons().run(app, &req.param("id")) {
        return Err(ApiError::not_found("Missing or invalid cron job."));
    }
    Ok(Response::no_content())
}
