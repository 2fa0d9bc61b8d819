//! `POST /api/sql`: the superusers' console. Source: spec server-settings-operations §6.

use std::time::Instant;

use serde::Serialize;

use crate::{
    error::{ApiError, Result},
    guard,
    pipeline::Row,
    request::Req,
    response::Response,
    routes::{h, meta_query},
};

pub(crate) const ROUTES: &[Row] = &[Row::new("POST /api/sql", h!(run))];

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    exec_time: u64,
    affected_rows: u64,
    columns: Vec<Column>,
    rows: Vec<Vec<Option<String>>>,
}

#[derive(Debug, Serialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    nullable: bool,
}

async fn run(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let query = meta_query(req).await?;
    let started = Instant::now();
    let done = engine::console::run(req.app(), &query).await.map_err(|error| {
        ApiError::bad_request(format!("Failed to execute query. Raw error:\n{error}"))
    })?;
    let columns = done
        .columns
        .into_iter()
        .map(|column| Column { name: column.name, kind: column.decl_type, nullable: column.nullable })
        .collect();
    let exec_time = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Response::of(200, &Answer { exec_time, affected_rows: done.affected_rows, columns, rows: done.rows })
}
