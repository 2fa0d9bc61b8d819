//! `POST /api/sql`: the superusers' console.
//!
//! Source: spec server-settings-operations §6, dashboard §8 A8.

use std::time::{Duration, Instant};

use engine::{
    FieldError, FieldErrors,
    store::{Value as Sent, raw},
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    describe::operations::op,
    error::{ApiError, Result},
    guard::{self, Superuser},
    request::Req,
    response::Response,
    route::Endpoint,
    routes::{INVALID, h, meta_query, running_sql::Named, text_place::Utf16},
};

pub(crate) const ROUTES: &[Endpoint] =
    &[Endpoint::new("POST /api/sql", h!(run))
        .op(op("runSql", "SQL", "Run statements").takes("SqlQuery").gives("SqlAnswer"))];

const MAX_ROWS: usize = 1000;
const MAX_ID: usize = 64;
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

/// What is asked beyond the reference's `query`.
#[derive(Debug, Default)]
struct Asked {
    id: String,
    params: Vec<Sent>,
    /// The reference's clients get the reference's refusals.
    is_ours: bool,
}

impl Asked {
    fn of(body: &Map<String, Value>) -> Result<Self> {
        let mut errors = FieldErrors::default();
        let mut out = Self {
            is_ours: ["id", "params", "readOnly"].iter().any(|key| body.contains_key(*key)),
            ..Self::default()
        };
        match body.get("id").unwrap_or(&Value::Null) {
            Value::Null => {}
            Value::String(id) if id.len() <= MAX_ID => id.clone_into(&mut out.id),
            _ => {
                let message = format!("a text of at most {MAX_ID} characters");
                errors.set("id", FieldError::new("validation_invalid_value", message));
            }
        }
        match body.get("params").unwrap_or(&Value::Null) {
            Value::Null => {}
            Value::Array(list) => out.params = list.iter().map(sent).collect(),
            _ => {
                errors.set("params", FieldError::new("validation_invalid_value", "a list"));
            }
        }
        if errors.is_empty() {
            Ok(out)
        } else {
            Err(ApiError::bad_request(INVALID).with_fields(errors))
        }
    }
}

/// A value for a placeholder; lists and objects as their text.
fn sent(value: &Value) -> Sent {
    match value {
        Value::Null => Sent::Null,
        Value::Bool(is) => Sent::Int(i64::from(*is)),
        Value::Number(number) => number
            .as_i64()
            .map_or_else(|| Sent::Real(number.as_f64().unwrap_or_default()), Sent::Int),
        Value::String(text) => Sent::Text(text.as_str().into()),
        other => Sent::Text(other.to_string().into()),
    }
}

async fn run(req: &mut Req) -> Result<Response> {
    let superuser = guard::superuser(req)?;
    let query = meta_query(req, &superuser).await?;
    let app = req.app().clone();
    let body = req.payload().await?.into_map()?;
    let asked = Asked::of(&body)?;
    let fault = |code: &'static str, message: &str| FieldError::new(code, message.to_owned());
    let refused = |key: &'static str, error: FieldError| {
        let mut errors = FieldErrors::default();
        errors.set(key, error);
        ApiError::bad_request(INVALID).with_fields(errors)
    };
    if body.get("readOnly") == Some(&Value::Bool(true))
        && raw::console(app.dialect(), &query).1.any_writes
    {
        return Err(refused("query", fault("validation_read_only", "a statement may write")));
    }
    let key = (superuser.record().id().to_owned(), asked.id);
    let (text, params, api) = (query.clone(), asked.params, req.api.clone());
    let own = app.clone();
    // independent of the client's connection
    let work = tokio::spawn(async move { execute(&own, &superuser, text, params).await });
    let named = if key.1.is_empty() {
        None
    } else if let Some(named) = Named::new(&api, key, work.abort_handle()) {
        Some(named)
    } else {
        work.abort();
        let message = "a statement of this id runs";
        return Err(refused("id", fault("validation_not_unique", message)));
    };
    // as is the name: it ends with the statement
    let watch = tokio::spawn(async move {
        let ended = work.await;
        drop(named);
        ended
    });
    let ended = watch.await.map_err(|e| ApiError::internal(e.to_string()))?;
    let error = match ended {
        Ok(Ok(answer)) => return Response::of(200, &answer),
        Ok(Err(error)) => error,
        Err(stopped) if stopped.is_cancelled() => {
            return Err(refused("query", fault("validation_cancelled", "it was cancelled")));
        }
        Err(broken) => return Err(ApiError::internal(broken.to_string())),
    };
    let said = ApiError::bad_request(format!("Failed to execute query. Raw error:\n{error}"));
    Err(match place(&app, &query, &error).await.filter(|_| asked.is_ours) {
        Some(at) => {
            let mut errors = FieldErrors::default();
            let mut found = FieldError::new("validation_invalid_sql", error.to_string());
            for (name, number) in Utf16::of(&query).range(at, at + word(&query[at..])) {
                found = found.param(&name, number);
            }
            errors.set("query", found);
            said.with_fields(errors)
        }
        None => said,
    })
}

/// Where the database sees the mistake.
async fn place(app: &engine::App, query: &str, error: &engine::store::Error) -> Option<usize> {
    let (sql, _) = raw::console(app.dialect(), query);
    // what is sent has other places where marks were rewritten
    if sql.text != query {
        return None;
    }
    let found = raw::place(&app.db(), sql.text, error.to_string()).await;
    found.ok().flatten().filter(|at| query.is_char_boundary(*at))
}

/// The length of the word that a text begins with, at least that of one character.
fn word(text: &str) -> usize {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    if end > 0 { end } else { text.chars().next().map_or(0, char::len_utf8) }
}

async fn execute(
    app: &engine::App,
    _: &Superuser,
    query: String,
    params: Vec<Sent>,
) -> engine::store::Result<Answer> {
    let (mut sql, statements) = raw::console(app.dialect(), &query);
    sql.params = params;
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
