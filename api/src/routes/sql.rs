//! `POST /api/sql`: the superusers' console. Source: spec server-settings-operations §6.

use std::time::{Duration, Instant};

use engine::{FieldError, FieldErrors, store::raw};
use serde::Serialize;
use serde_json::Value;

use crate::{
    error::{ApiError, Result},
    guard::{self, Superuser},
    pipeline::Row,
    request::Req,
    response::Response,
    routes::{INVALID, h, meta_query},
};

pub(crate) const ROUTES: &[Row] = &[Row::new("POST /api/sql", h!(run))];

const MAX_ROWS: usize = 1000;
const LIMIT: Duration = Duration::from_secs(180);

#[derive(Debug, Default, Serialize)]
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
    let superuser = guard::superuser(req)?;
    let query = meta_query(req, &superuser).await?;
    let app = req.app().clone();
    let body = req.payload().await?.into_map()?;
    if body.get("readOnly") == Some(&Value::Bool(true))
        && raw::console(app.dialect(), &query).1.any_writes
    {
        let mut errors = FieldErrors::default();
        errors.set("query", FieldError::new("validation_read_only", "a statement may write"));
        return Err(ApiError::bad_request(INVALID).with_fields(errors));
    }
    // independent of the client's connection
    let work = tokio::spawn(async move { execute(&app, &superuser, query).await });
    let answer = work.await.map_err(|e| ApiError::internal(e.to_string()))?.map_err(|error| {
        ApiError::bad_request(format!("Failed to execute query. Raw error:\n{error}"))
    })?;
    Response::of(200, &answer)
}

async fn execute(app: &engine::App, _: &Superuser, query: String) -> engine::store::Result<Answer> {
    let (sql, statements) = raw::console(app.dialect(), &query);
    if statements.first_writes {
        let started = Instant::now();
        let affected_rows = raw::write(&app.db(), sql, LIMIT).await?;
        let exec_time = millis(started.elapsed());
        engine::cluster::anything_changed(app).await;
        return Ok(Answer { affected_rows, exec_time, ..Answer::default() });
    }
    let mut found = raw::read(&app.db(), sql, MAX_ROWS, LIMIT).await?;
    raw::name_columns(&query, &mut found);
    if statements.any_writes {
        engine::cluster::anything_changed(app).await;
    }
    let columns = found
        .columns
        .into_iter()
        .map(|column| Column {
            name: column.name,
            kind: column.decl_type,
            nullable: column.nullable,
        })
        .collect();
    Ok(Answer { columns, rows: found.rows, exec_time: millis(found.took), ..Answer::default() })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
