//! `GET /api/crons`, `POST /api/crons/{id}`. Source: spec server-settings-operations §5.4.

use engine::cron_jobs::Listed;
use serde::Serialize;

use crate::{
    describe::operations::op,
    error::{ApiError, Result},
    guard,
    request::Req,
    response::Response,
    route::Endpoint,
    routes::h,
};

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("GET /api/crons", h!(list)).op(op(
        "listCrons",
        "Crons",
        "The jobs that run at times",
    )
    .gives("Crons")),
    Endpoint::new("POST /api/crons/{id}", h!(run)).op(op("runCron", "Crons", "Start a job now")),
];

#[derive(Debug, Serialize)]
struct Item {
    id: String,
    expression: String,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

/// What is told to those who ask with `?details=1`. Not part of the reference.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    /// Of this process.
    last_run: Option<String>,
    last_ms: Option<u64>,
    last_error: Option<String>,
    running: usize,
    /// Which of several nodes says so.
    node: Option<String>,
}

fn item(job: Listed, detailed: bool, node: Option<&String>) -> Item {
    let details = detailed.then(|| {
        let last = job.last.as_ref();
        Details {
            last_run: last.map(|last| last.at.to_string()),
            last_ms: last.map(|last| u64::try_from(last.took.as_millis()).unwrap_or(u64::MAX)),
            last_error: last.and_then(|last| last.error.clone()),
            running: job.running,
            node: node.cloned(),
        }
    });
    Item { id: job.id, expression: job.expression, details }
}

async fn list(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let jobs = req.app().crons().list().into_iter();
    let detailed = req.query().get("details").as_deref() == Some("1");
    let node = engine::cluster::node_id(req.app());
    let items: Vec<Item> = jobs.map(|job| item(job, detailed, node.as_ref())).collect();
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
