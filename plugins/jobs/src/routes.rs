//! `/api/jobs`, for superusers (spec extensions §3.6). Must not know SQL.

use std::{collections::HashMap, sync::Arc};

use pocketbase::{
    ApiError, App, Bytes, Description, Json, Path, Query, Result, Setup, middleware, parse_rfc3339,
    read_json, unreadable,
};
use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{Filter, Job, JobStore, NewJob, Shared, Status, get_job_store, job::TOO_LARGE};

/// Most jobs of one batch.
const BATCH: usize = 1_000;

pub(crate) fn add(setup: &Setup, shared: &Arc<Shared>) {
    let api = setup.router().group("/api/jobs");
    api.bind(middleware::require_superuser_auth());
    let (one, many) = (shared.clone(), shared.clone());
    let enqueue = move |app: App, body: Bytes| enqueue(one.clone(), app, body);
    let batch = move |app: App, body: Bytes| batch(many.clone(), app, body);
    let job = || {
        json!({"type": "object", "properties": {
            "id": {"type": "string"}, "topic": {"type": "string"}, "payload": {}, "status": {"type": "string"},
            "run_at": {"type": "string"}, "locked_until": {"type": "string"}, "retries": {"type": "integer"},
            "max_retries": {"type": "integer"}, "last_error": {"type": "string"}, "created": {"type": "string"},
            "updated": {"type": "string"}, "priority": {"type": "integer"}, "progress": {"type": "number"},
            "unique_key": {"type": "string"}, "started": {"type": "string"}, "finished": {"type": "string"},
        }})
    };
    let new = || {
        json!({"type": "object", "required": ["topic"], "properties": {
            "topic": {"type": "string"}, "payload": {}, "run_at": {"type": "string", "format": "date-time"},
            "max_retries": {"type": "integer"}, "priority": {"type": "integer"}, "unique_key": {"type": "string"},
        }})
    };
    let items = |of: Value| json!({"type": "object", "properties": {"items": {"type": "array", "items": of}}});
    let about = |text: &str| Description::new("Jobs", text);
    api.post("/enqueue", enqueue).describe(about("Enqueues a job").takes(new()).gives(job()));
    let jobs = json!({"type": "object", "properties": {"jobs": {"type": "array", "items": new()}}});
    api.post("/batch", batch)
        .describe(about("Enqueues up to 1000 jobs, all or none").takes(jobs).gives(items(job())));
    let page = about("Lists jobs, the newest first").gives(items(job()));
    api.get("", list).describe(
        page.query("topic", "only of this topic")
            .query("status", "only of this status")
            .query("unique_key", "only with this key")
            .query("limit", "at most so many, 20 to 500")
            .query("offset", "after skipping so many"),
    );
    let object = || json!({"type": "object"});
    api.get("/stats", stats).describe(about("Counts jobs by status").gives(object()));
    api.get("/topics", topics).describe(about("Counts jobs by topic").gives(items(object())));
    api.get("/{id}", view).describe(about("One job").gives(job()));
    api.post("/{id}/requeue", requeue).describe(about("Lets a failed job begin anew").gives(job()));
    api.delete("/{id}", delete)
        .describe(about("Removes a job that waits or has failed").gives(object()));
}

async fn enqueue(shared: Arc<Shared>, app: App, body: Bytes) -> Result<Json<Value>> {
    let job = read(&shared, read_json(&body.0)?)?;
    Ok(Json(store(&app)?.enqueue_with_options(job).await?.to_json()))
}
async fn batch(shared: Arc<Shared>, app: App, body: Bytes) -> Result<Json<Value>> {
    let jobs = read_batch(&shared, &body.0)?;
    let made = app.run_in_transaction(|tx| async move { store(&tx)?.enqueue_many(jobs).await });
    Ok(Json(json!({"items": all(&made.await?)})))
}
async fn stats(app: App) -> Result<Json<Value>> {
    Ok(Json(store(&app)?.stats().await?.to_json("success_rate")))
}
async fn view(app: App, Path(id): Path<String>) -> Result<Json<Value>> {
    Ok(Json(found(&store(&app)?, &id).await?.to_json()))
}

fn store(app: &App) -> Result<JobStore> {
    get_job_store(app).ok_or_else(|| ApiError::not_found("").into())
}
fn refused(sentence: &'static str) -> pocketbase::Error {
    ApiError::bad_request(sentence).into()
}
async fn found(store: &JobStore, id: &str) -> Result<Job> {
    Ok(store.get(id).await?.ok_or_else(|| ApiError::not_found("Job not found."))?)
}
fn all(jobs: &[Job]) -> Vec<Value> {
    jobs.iter().map(Job::to_json).collect()
}

/// A job of a body.
fn read(shared: &Shared, body: Value) -> Result<NewJob> {
    let Value::Object(mut body) = body else { return Err(unreadable()) };
    let topic = text(&mut body, "topic")?;
    let payload = body.remove("payload").unwrap_or_else(|| json!({}));
    let run_at = match text(&mut body, "run_at")?.as_str() {
        "" => None,
        time => Some(parse_rfc3339(time).ok_or_else(unreadable)?),
    };
    let max_retries = number(&mut body, "max_retries")?;
    let priority = number(&mut body, "priority")?;
    let unique_key = text(&mut body, "unique_key")?;
    if topic.is_empty() {
        return Err(refused("Topic is required."));
    }
    let allowed = &shared.config.allowed_topics;
    if !allowed.is_empty() && !allowed.contains(&topic) {
        return Err(refused("Topic not allowed."));
    }
    let mut job = NewJob::new(topic, payload).max_retries(max_retries).priority(priority);
    if let Some(time) = run_at {
        job = job.run_at(time);
    }
    let job = job.unique_key(unique_key);
    job.checked(shared.config.max_payload).map_err(|error| match error.to_string() {
        text if text == TOO_LARGE => refused("Payload too large (max 1MB)."),
        _ => error,
    })?;
    Ok(job)
}

/// The jobs of a batch, as texts: they are read one by one when it is known how many there are.
#[derive(serde::Deserialize)]
struct Batch<'b> {
    #[serde(borrow)]
    jobs: Few<'b>,
}

/// At most one more than a batch may have.
struct Few<'b>(Vec<&'b RawValue>);

impl<'de: 'b, 'b> Deserialize<'de> for Few<'b> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Few<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("jobs")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut jobs: A) -> Result<Few<'de>, A::Error> {
                let mut few = Vec::new();
                while few.len() <= BATCH {
                    let Some(job) = jobs.next_element()? else { return Ok(Few(few)) };
                    few.push(job);
                }
                while jobs.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Few(few))
            }
        }
        source.deserialize_seq(Reader)
    }
}

fn read_batch(shared: &Shared, body: &[u8]) -> Result<Vec<NewJob>> {
    // each job is read for itself, so that what is in all of them is bounded by the bytes of the body
    let batch: Batch<'_> = serde_json::from_slice(body).map_err(|_| unreadable())?;
    if batch.jobs.0.len() > BATCH {
        return Err(refused("Too many jobs (max 1000)."));
    }
    let read_one = |job: &RawValue| read(shared, read_json(job.get().as_bytes())?);
    batch.jobs.0.into_iter().map(read_one).collect()
}

fn text(body: &mut Map<String, Value>, name: &str) -> Result<String> {
    match body.remove(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(unreadable()),
    }
}
fn number(body: &mut Map<String, Value>, name: &str) -> Result<i64> {
    match body.remove(name) {
        None | Some(Value::Null) => Ok(0),
        Some(value) => value.as_i64().ok_or_else(unreadable),
    }
}

async fn list(app: App, Query(query): Query<HashMap<String, String>>) -> Result<Json<Value>> {
    let word = |name: &str| query.get(name).cloned().unwrap_or_default();
    // what is no number, or a negative one, counts as not given
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<i64>().ok());
    let number = |name: &str| number(name).filter(|n| *n >= 0).unwrap_or_default();
    let limit = match number("limit") {
        0 => 20,
        n => n.min(500),
    };
    let filter = Filter {
        topic: word("topic"),
        status: word("status"),
        unique_key: word("unique_key"),
        limit,
        offset: number("offset"),
    };
    let offset = filter.offset;
    let (jobs, total) = store(&app)?.list(filter).await?;
    Ok(Json(json!({"items": all(&jobs), "total": total, "limit": limit, "offset": offset})))
}

/// The topics that there are, with the numbers of their jobs, and whether this node has a handler for them.
async fn topics(app: App) -> Result<Json<Value>> {
    let store = store(&app)?;
    let handled = store.registered_topics();
    let mut topics: Vec<(String, Map<String, Value>)> = Vec::new();
    let blank = |topic: &str| {
        let mut row = Map::new();
        row.insert("topic".into(), json!(topic));
        row.insert("handled".into(), json!(handled.iter().any(|known| known == topic)));
        for status in [Status::Pending, Status::Processing, Status::Completed, Status::Failed] {
            row.insert(status.name().into(), json!(0));
        }
        row
    };
    for (topic, status, n) in store.store()?.topics().await? {
        if topics.last().is_none_or(|(last, _)| *last != topic) {
            topics.push((topic.clone(), blank(&topic)));
        }
        if let Some((_, row)) = topics.last_mut() {
            row.insert(status, json!(n));
        }
    }
    for topic in &handled {
        if !topics.iter().any(|(known, _)| known == topic) {
            topics.push((topic.clone(), blank(topic)));
        }
    }
    topics.sort_by(|a, b| a.0.cmp(&b.0));
    let items: Vec<Value> = topics.into_iter().map(|(_, row)| Value::Object(row)).collect();
    Ok(Json(json!({ "items": items })))
}

async fn requeue(app: App, Path(id): Path<String>) -> Result<Json<Value>> {
    let store = store(&app)?;
    if let Some(job) = store.requeue(&id).await? {
        return Ok(Json(job.to_json()));
    }
    let job = found(&store, &id).await?;
    Err(refused(match job.status {
        Status::Failed => "Job cannot be requeued (another one has its unique key).",
        _ => "Job cannot be requeued (must be in 'failed' status).",
    }))
}

async fn delete(app: App, Path(id): Path<String>) -> Result<Json<Value>> {
    let store = store(&app)?;
    if store.delete(&id).await? {
        return Ok(Json(json!({"ok": true})));
    }
    found(&store, &id).await?;
    Err(refused("Job cannot be deleted (must be in 'pending' or 'failed' status)."))
}
