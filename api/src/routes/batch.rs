//! `POST /api/batch`: several record writes in one transaction, each inside the request hook of the one before.
//!
//! Source: spec records-files-realtime-batch §3.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use engine::{
    Error, FieldError, FieldErrors,
    ctx::{Caller, Ctx, RequestInfo},
    event::{BatchEvent, BatchItem, no_ext},
    files::Upload,
    hook::{BoxFuture, Slot},
    record::{Submission, find, hold},
    schema::Loaded,
    wire::Shape,
};
use http::{HeaderName, HeaderValue, Method, Uri, header};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::{
    api::Api,
    bind,
    body::infer,
    describe::operations::op,
    error::{ApiError, Data, Result},
    fields::{PickError, Picker},
    json as text,
    query::Query,
    rate_limit::{Action, Who},
    request::{Exchange, Head, Req},
    response::{Body, Response},
    route::{Endpoint, Limit},
    routes::{
        h,
        records::{Call, Then, Write, check_writable, expand_of, write},
    },
};

pub(crate) const ROUTES: &[Endpoint] = &[Endpoint::new("POST /api/batch", h!(run))
    .op(op("batch", "Records", "Several writes, all or none")
        .everybody()
        .takes("Batch")
        .gives("BatchAnswers"))
    .limit(Limit::Batch)];

/// Longest URL of an item in bytes.
const MAX_URL: usize = 2000;
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
const UNREADABLE: &str = "Failed to read the submitted batch data.";

type Files = BTreeMap<String, Vec<Arc<Upload>>>;

async fn run(req: &mut Req) -> Result<Response> {
    let settings = req.app().settings();
    let batch = &settings.batch;
    if !batch.enabled || batch.max_requests <= 0 {
        return Err(ApiError::forbidden("Batch requests are not allowed."));
    }
    let unreadable = |detail: Box<str>| ApiError::bad_request(UNREADABLE).with_detail(detail);
    let mut payload = req.payload().await.map_err(|fault| unreadable(fault.to_string().into()))?;
    let files = std::mem::take(&mut payload.files);
    let body = bind::shaped(payload, BODY).map_err(|e| unreadable(e.detail.unwrap_or_default()))?;
    let items = items_of(body)?;
    let files = files_of(files, items.len())?;
    check(&items, batch.max_requests)?;
    let limit =
        Duration::from_secs(if batch.timeout > 0 { batch.timeout.unsigned_abs() } else { 3 });
    let ctx = req.ctx(Map::new()).in_context("batch");
    let ctx = about(ctx, &items);
    let shared = Shared {
        api: req.api.clone(),
        head: req.head.clone(),
        caller: req.caller.clone(),
        files,
        limit,
    };
    let hook = &req.app().hooks().batch_request;
    let event = BatchEvent { ctx, batch: Slot::new(items), ext: no_ext() };
    let answered = req.through(hook, event, move |event| async move {
        Ok(shared.run(event.ctx.clone(), event.take(|event| &event.batch)).await?)
    });
    Ok(answered.await?)
}

/// A batch counts for the collection that it begins with.
fn about(ctx: Ctx, items: &[BatchItem]) -> Ctx {
    let first = items.first().and_then(|item| wanted(&item.method, &item.url));
    match first.and_then(|(name, _)| ctx.snapshot().find(name).map(|c| c.id.clone())) {
        Some(id) => ctx.about(&id),
        None => ctx,
    }
}

/// What a batch is sent as.
const BODY: &Shape = &Shape::Object(&[(
    "requests",
    &Shape::List(&Shape::Object(&[
        ("method", &Shape::Text),
        ("url", &Shape::Text),
        ("headers", &Shape::Any),
        ("body", &Shape::Any),
    ])),
)]);

/// The items of a body.
fn items_of(body: Value) -> Result<Vec<BatchItem>> {
    let unreadable = || ApiError::bad_request(UNREADABLE);
    let requests = match body {
        Value::Object(mut map) => map.swap_remove("requests").unwrap_or_default(),
        Value::Null => Value::Null,
        _ => return Err(unreadable()),
    };
    let items = match requests {
        Value::Null => Vec::new(),
        Value::Array(items) => items,
        _ => return Err(unreadable()),
    };
    items
        .into_iter()
        .map(|item| match item {
            Value::Object(map) => item_of(map).ok_or_else(unreadable),
            // the reference fails on it with a recovered panic
            Value::Null => Err(ApiError::internal("null batch item")),
            _ => Err(unreadable()),
        })
        .collect()
}

fn item_of(mut map: Map<String, Value>) -> Option<BatchItem> {
    let text = |value| match value {
        None | Some(Value::Null) => Some(String::new()),
        Some(Value::String(text)) => Some(text),
        Some(_) => None,
    };
    let object = |value| match value {
        None | Some(Value::Null) => Some(Map::new()),
        Some(Value::Object(map)) => Some(map),
        Some(_) => None,
    };
    let headers = object(map.swap_remove("headers"))?;
    let headers = headers.into_iter().map(|(name, value)| Some((name, text(Some(value))?)));
    Some(BatchItem {
        method: text(map.swap_remove("method"))?,
        url: text(map.swap_remove("url"))?,
        headers: headers.collect::<Option<_>>()?,
        body: object(map.swap_remove("body"))?,
    })
}

/// The files of each item, named anew as a second upload would be.
fn files_of(uploads: Vec<(String, Arc<Upload>)>, n_items: usize) -> Result<Vec<Files>> {
    let mut files: Vec<Files> = vec![Files::new(); n_items];
    for (key, upload) in uploads {
        let Some((idx, field)) = file_key(&key) else { continue };
        let Some(slot) = files.get_mut(idx) else { continue };
        let again = upload.again().map_err(|e| {
            ApiError::bad_request("Failed to read the submitted batch files data.")
                .with_detail(e.to_string())
        })?;
        slot.entry(field.to_owned()).or_default().push(Arc::new(again));
    }
    Ok(files)
}

/// The index and field of a file key: `requests.0.avatar` or `requests[0].avatar`.
fn file_key(key: &str) -> Option<(usize, &str)> {
    let rest = key.strip_prefix("requests")?;
    let (index, field) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once("].")?,
        None => rest.strip_prefix('.')?.split_once('.')?,
    };
    if field.is_empty() || !index.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((index.parse().ok()?, field))
}

fn check(items: &[BatchItem], max: i64) -> Result<()> {
    let mut errors = FieldErrors::default();
    let required = || FieldError::new("validation_required", "cannot be blank");
    let too_long = |max: i64| {
        FieldError::new(
            "validation_length_too_long",
            format!("the length must be no more than {max}"),
        )
        .param("max", max)
        .param("min", 0)
    };
    if items.is_empty() {
        errors.set("requests", required());
    } else if i64::try_from(items.len()).unwrap_or(i64::MAX) > max {
        errors.set("requests", too_long(max));
    } else {
        for (idx, item) in items.iter().enumerate() {
            let idx = idx.to_string();
            if item.method.is_empty() {
                errors.set_at(&["requests", &idx, "method"], required());
            } else if !METHODS.contains(&item.method.as_str()) {
                let error = FieldError::new("validation_in_invalid", "must be a valid value");
                errors.set_at(&["requests", &idx, "method"], error);
            }
            if item.url.is_empty() {
                errors.set_at(&["requests", &idx, "url"], required());
            } else if item.url.len() > MAX_URL {
                errors.set_at(&["requests", &idx, "url"], too_long(2000));
            }
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(ApiError::bad_request("Invalid batch request data.").with_fields(errors))
}

/// What all items share.
struct Shared {
    api: Api,
    head: Arc<Head>,
    caller: Caller,
    files: Vec<Files>,
    limit: Duration,
}

/// A batch in its transaction.
struct Batch {
    shared: Shared,
    items: Vec<BatchItem>,
    answers: Mutex<Vec<Option<Response>>>,
    /// The first item that failed, and how.
    failed: Mutex<Option<(usize, ApiError)>>,
}

impl Shared {
    async fn run(self, ctx: Ctx, items: Vec<BatchItem>) -> Result<Response> {
        let limit = self.limit;
        let answers = Mutex::new((0..items.len()).map(|_| None).collect());
        let batch = Arc::new(Batch { shared: self, items, answers, failed: Mutex::new(None) });
        // Of all attempts together, from when the first one has its transaction.
        let until = OnceLock::new();
        let work = |ctx| {
            let inside = batch.clone();
            inside.reset();
            let until = *until.get_or_init(|| Instant::now() + limit);
            async move {
                let work = async {
                    inside.hold(&ctx).await?;
                    process(inside, 0, ctx).await
                };
                tokio::time::timeout_at(until, work)
                    .await
                    .unwrap_or_else(|_| Err(Error::Message("batch transaction timeout".into())))
            }
        };
        // Files are moved to where they belong, and hooks may have told others: neither is done twice.
        let names = batch.items.iter().filter_map(|item| Some(wanted(&item.method, &item.url)?.0));
        let may_repeat =
            batch.shared.files.iter().all(Files::is_empty) && !ctx.has_watchers(&names);
        let done = if may_repeat {
            ctx.run_retrying(work).await
        } else {
            ctx.run_in_transaction(work).await
        };
        match done {
            Ok(()) => Ok(batch.render()),
            Err(error) => Err(batch.failure(error)),
        }
    }
}

/// Runs the items from `at` on. One whose request hook is bound takes the following ones inside it.
fn process(batch: Arc<Batch>, mut at: usize, ctx: Ctx) -> BoxFuture<engine::Result<()>> {
    Box::pin(roomy(async move {
        while at < batch.items.len() {
            let following = batch.clone();
            let then: Then = Box::new(move |ctx| process(following, at + 1, ctx));
            match batch.one(at, &ctx, then).await {
                Ok((response, inside)) => {
                    batch.answers.lock()[at] = Some(response);
                    if inside == Inside::Hook {
                        break;
                    }
                }
                Err(error) => {
                    batch.failed.lock().get_or_insert((at, error.clone()));
                    return Err(error.into());
                }
            }
            at += 1;
        }
        Ok(())
    }))
}

/// Where the items after one ran.
#[derive(Debug, PartialEq, Eq)]
enum Inside {
    Hook,
    /// Nowhere yet.
    Nothing,
}

/// Polls with room on the stack: hooks nest as deep as a batch has items.
async fn roomy<T>(work: impl Future<Output = T>) -> T {
    /// Enough for one item with its hooks, by far.
    const NEEDED: usize = 256 << 10;
    const SEGMENT: usize = 2 << 20;
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|cx| stacker::maybe_grow(NEEDED, SEGMENT, || work.as_mut().poll(cx))).await
}

/// What an item asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted<'u> {
    Create,
    Upsert,
    Update(&'u str),
    Delete(&'u str),
}

/// Recognizes the allowed actions; names are taken raw, without percent-decoding.
fn wanted<'u>(method: &str, url: &'u str) -> Option<(&'u str, Wanted<'u>)> {
    let path = url.split('?').next()?;
    let mut parts = path.strip_prefix("/api/collections/")?.split('/');
    let collection = parts.next().filter(|part| !part.is_empty())?;
    if parts.next() != Some("records") {
        return None;
    }
    let id = parts.next();
    if parts.next().is_some() || id == Some("") {
        return None;
    }
    let wanted = match (method, id) {
        ("POST", None) => Wanted::Create,
        ("PUT", None) => Wanted::Upsert,
        ("PATCH", Some(id)) => Wanted::Update(id),
        ("DELETE", Some(id)) => Wanted::Delete(id),
        _ => return None,
    };
    Some((collection, wanted))
}

impl Batch {
    async fn one(&self, at: usize, ctx: &Ctx, then: Then) -> Result<(Response, Inside)> {
        let item = &self.items[at];
        // as recorded: some faults are a 400 as the first item, and a 500 inside another one's hook
        let status = if at == 0 { 400 } else { 500 };
        let (name, wanted) =
            wanted(&item.method, &item.url).ok_or_else(|| ApiError::new(status, ""))?;
        let collection = collection(ctx, name)?;
        let what = match wanted {
            Wanted::Create => Write::Create,
            Wanted::Update(id) => Write::Update { id: id.to_owned() },
            Wanted::Delete(id) => Write::Delete { id: id.to_owned() },
            Wanted::Upsert => upsert(ctx, &collection, &item.body).await?,
        };
        check_writable(&collection)?;
        let head = Arc::new(self.head_of(item, &what));
        let who = Who {
            limiter: self.shared.api.limiter(),
            app: self.shared.api.app(),
            head: &self.shared.head,
            caller: &self.shared.caller,
        };
        let action = Action {
            tags: &[what.tag()],
            method: head.method.as_str(),
            path: head.uri.path(),
            route: "",
        };
        who.check(&collection, &action)?;
        let query = Query::new(item.url.split_once('?').map_or("", |(_, query)| query));
        let body = merged(query, &item.body);
        let facts_head = head.clone();
        let facts_body = body.clone();
        let info =
            RequestInfo::lazy(move || facts_head.facts(facts_body.clone())).in_context("batch");
        let files = self.shared.files.get(at).cloned().unwrap_or_default();
        let mut submission = Submission { body, files };
        for field in submission.files.keys() {
            submission.body.remove(field);
        }
        let call = Call {
            ctx: ctx.with_request(info),
            collection,
            submission,
            expand: expand_of(query),
            exchange: Arc::new(Exchange::part(head, self.shared.caller.clone())),
        };
        let (response, unused) = write(call, what, Some(then)).await?;
        let inside = if unused.is_some() { Inside::Nothing } else { Inside::Hook };
        let picked =
            pick(response, query).map_err(|e| ApiError::new(status, "").with_detail(e.to_string()));
        Ok((picked?, inside))
    }

    /// Takes the rows that the items name before any of them is written, whatever the order of the items.
    async fn hold(&self, ctx: &Ctx) -> engine::Result<()> {
        let snapshot = ctx.snapshot();
        let rows = self.items.iter().filter_map(|item| {
            let (name, wanted) = wanted(&item.method, &item.url)?;
            let id = match wanted {
                Wanted::Create => return None,
                Wanted::Upsert => item.body.get("id")?.as_str()?,
                Wanted::Update(id) | Wanted::Delete(id) => id,
            };
            Some((snapshot.find(name)?, id))
        });
        hold::hold(ctx, rows).await
    }

    /// The request that an item stands for: the outer headers under its own.
    fn head_of(&self, item: &BatchItem, what: &Write) -> Head {
        let outer = &self.shared.head;
        let mut headers = outer.headers.clone();
        for (name, value) in &item.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value))
                && name != header::AUTHORIZATION
            {
                headers.insert(name, value);
            }
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("multipart/form-data"));
        let method = match what {
            Write::Create => Method::POST,
            Write::Update { .. } => Method::PATCH,
            Write::Delete { .. } => Method::DELETE,
        };
        Head {
            method,
            uri: item.url.parse::<Uri>().unwrap_or_default(),
            headers,
            remote: outer.remote,
        }
    }

    /// Forgets an attempt.
    fn reset(&self) {
        self.answers.lock().iter_mut().for_each(|answer| *answer = None);
        *self.failed.lock() = None;
    }

    fn render(&self) -> Response {
        let mut out = Vec::with_capacity(512);
        out.push(b'[');
        for (idx, answer) in self.answers.lock().iter().enumerate() {
            if idx > 0 {
                out.push(b',');
            }
            out.extend_from_slice(b"{\"body\":");
            let body = answer
                .as_ref()
                .and_then(|answer| answer.body.as_bytes())
                .map(|body| body.trim_ascii_end());
            out.extend_from_slice(body.filter(|body| !body.is_empty()).unwrap_or(b"null"));
            out.extend_from_slice(b",\"status\":");
            let status = answer.as_ref().map_or(200, |answer| answer.status);
            out.extend_from_slice(status.to_string().as_bytes());
            out.push(b'}');
        }
        out.push(b']');
        Response::json(200, out)
    }

    fn failure(&self, error: Error) -> ApiError {
        const MESSAGE: &str = "Batch transaction failed.";
        let Some((idx, cause)) = self.failed.lock().take() else {
            return ApiError::wrap(400, MESSAGE, error);
        };
        if cause.status == 503 || cause.retry_after_s.is_some() {
            return cause;
        }
        let mut response = Vec::new();
        cause.write(&mut response);
        let response: Value = serde_json::from_slice(&response).unwrap_or_default();
        let item = json!({ "code": "batch_request_failed", "message": "Batch request failed.", "response": response });
        let mut requests = Map::new();
        requests.insert(idx.to_string(), item);
        let mut failure = ApiError::bad_request(MESSAGE);
        failure.data = Data::Raw(Box::new(json!({ "requests": requests })));
        failure.detail = Some(
            format!("item {idx}: {}", cause.detail.as_deref().unwrap_or(&cause.message)).into(),
        );
        failure
    }
}

fn collection(ctx: &Ctx, name: &str) -> Result<Arc<Loaded>> {
    let found = ctx.snapshot().find(name).cloned();
    found.ok_or_else(ApiError::no_collection)
}

/// A `PUT` updates the record of its body's id if there is one.
async fn upsert(ctx: &Ctx, collection: &Arc<Loaded>, body: &Map<String, Value>) -> Result<Write> {
    let id = match body.get("id") {
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(number)) => {
            let mut out = Vec::new();
            text::write_value(&mut out, &Value::Number(number.clone()));
            String::from_utf8(out).unwrap_or_default()
        }
        Some(Value::Bool(flag)) => flag.to_string(),
        _ => String::new(),
    };
    if !id.is_empty() && find::by_id(ctx, collection, &id).await?.is_some() {
        return Ok(Write::Update { id });
    }
    Ok(Write::Create)
}

/// The URL's parameters under the body, as a form with `@jsonPayload` gives it.
fn merged(query: Query<'_>, body: &Map<String, Value>) -> Map<String, Value> {
    let mut out = Map::new();
    for (key, value) in query.pairs() {
        let value = infer(&value);
        match out.get_mut(&*key) {
            None => {
                out.insert(key.into_owned(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    out.extend(body.clone());
    out
}

/// Applies an item's own `fields`.
fn pick(mut response: Response, query: Query<'_>) -> Result<Response, PickError> {
    let Some(fields) = query.get("fields").filter(|fields| !fields.is_empty()) else {
        return Ok(response);
    };
    let Body::Full(bytes) = &response.body else {
        return Ok(response);
    };
    if let Some(text) = Picker::parse(&fields)?.apply(bytes) {
        response.body = Body::Full(text.into());
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions() {
        for (method, url, want) in [
            ("POST", "/api/collections/a/records?x=1", Some(("a", Wanted::Create))),
            ("PUT", "/api/collections/a/records", Some(("a", Wanted::Upsert))),
            ("PATCH", "/api/collections/a/records/b%20c", Some(("a", Wanted::Update("b%20c")))),
            ("DELETE", "/api/collections/a/records/b", Some(("a", Wanted::Delete("b")))),
            ("GET", "/api/collections/a/records", None),
            ("POST", "/api/collections/a/records/", None),
            ("POST", "/api/collections/a/records/b", None),
            ("POST", "http://x/api/collections/a/records", None),
            ("POST", "/api/health", None),
        ] {
            assert_eq!(wanted(method, url), want, "{method} {url}");
        }
    }

    #[test]
    fn file_keys() {
        for (key, want) in [
            ("requests.0.a", Some((0, "a"))),
            ("requests[12].a+", Some((12, "a+"))),
            ("requests.x.a", None),
            ("requests.0.", None),
            ("a", None),
        ] {
            assert_eq!(file_key(key), want, "{key}");
        }
    }

    #[test]
    fn query_under_body() {
        let body = json!({"b": 1}).as_object().cloned().expect("map");
        let got = merged(Query::new("a=1&a=x&b=2"), &body);
        assert_eq!(Value::Object(got), json!({"a": [1, "x"], "b": 1}));
    }
}
