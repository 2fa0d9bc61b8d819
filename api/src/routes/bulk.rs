//! `POST …/bulk` and `POST …/import` (superusers): many records at once. Each is written as a request of its own would write
//! it, with all checks and record hooks; request hooks do not run.
//!
//! Not part of the reference. Source: spec dashboard §8 A7.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use engine::{
    Error,
    ctx::Ctx,
    record::{self, Submission, delete, expand::Paths, find},
    schema::Loaded,
    trial,
};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use crate::{
    describe::operations::op,
    error::{ApiError, Data, Result, write_fields},
    guard,
    paging::boolean,
    request::{Exchange, Req},
    response::{Body, Response},
    route::Endpoint,
    routes::{
        collection_of, h,
        records::{self, Submitted, Write},
    },
};

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("POST /api/collections/{collection}/bulk", h!(bulk))
        .op(op("bulk", "Bulk", "Change or delete many records").takes("Bulk").gives("BulkReport"))
        .long_running(),
    Endpoint::new("POST /api/collections/{collection}/import", h!(import))
        .op(op("importRecords", "Bulk", "Create or change records from NDJSON or a JSON list")
            .query(&["mode", "match", "dryRun"])
            .takes("Any")
            .gives("Text")
            .as_type("application/x-ndjson"))
        .long_running(),
];

/// Most records of one call.
const MAX_ROWS: usize = 10_000;
/// Most failures that are told one by one.
const MAX_TOLD: usize = 1000;
/// When a call stops and says where.
const MAX_TIME: Duration = Duration::from_secs(60);
/// Most records of one transaction.
const MAX_ATOMIC: usize = 1000;

/// Who writes what into which collection.
#[derive(Clone)]
struct Writer {
    ctx: Ctx,
    collection: Arc<Loaded>,
    exchange: Arc<Exchange>,
    dry: bool,
}

impl Writer {
    fn of(req: &Req, collection: Arc<Loaded>, dry: bool) -> Self {
        let (ctx, exchange) = (req.ctx(Map::new()), req.exchange());
        Self { ctx, collection, exchange, dry }
    }

    /// Writes one record, or checks as far as that is possible without.
    async fn write(&self, what: &Write, body: Map<String, Value>) -> Result<String> {
        let call = records::Call {
            ctx: self.ctx.clone(),
            collection: self.collection.clone(),
            submission: Submission { body, files: BTreeMap::new() },
            expand: Paths::default(),
            exchange: self.exchange.clone(),
        };
        let failed = |error| records::refused(what, error);
        match records::prepare(&call, what).await? {
            Submitted::Save(draft) if self.dry => {
                trial::check(&self.ctx, &draft).await.map_err(failed)?;
                Ok(draft.record.id())
            }
            Submitted::Save(draft) => {
                draft.commit(&self.ctx).await.map_err(failed)?;
                Ok(draft.record.id())
            }
            Submitted::Delete(record) => {
                let id = record.id();
                if !self.dry {
                    delete::delete_record(&self.ctx, &record).await.map_err(failed)?;
                }
                Ok(id)
            }
        }
    }
}

/// What a caller is told of a failure.
fn told(error: &ApiError) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("status".into(), error.status.into());
    out.insert("message".into(), error.sentence().into_owned().into());
    if let Data::Fields(fields) = &error.data {
        let mut text = Vec::new();
        write_fields(&mut text, fields);
        out.insert("data".into(), serde_json::from_slice(&text).unwrap_or(Value::Null));
    }
    out
}

/// What is done to each record.
#[derive(Clone)]
enum Change {
    Set(Map<String, Value>),
    Delete,
}

struct Asked {
    change: Change,
    ids: Option<Vec<String>>,
    filter: String,
    /// Only records whose ids come after it: where a call before this one stopped.
    after: String,
    dry: bool,
    atomic: bool,
}

impl Asked {
    fn read(mut body: Map<String, Value>) -> Result<Self> {
        let refused = |text: &'static str| ApiError::bad_request(text);
        let is = |name: &str| body.get(name) == Some(&Value::Bool(true));
        let (dry, atomic, deletes) = (is("dryRun"), is("atomic"), is("delete"));
        let change = match (body.remove("set"), deletes) {
            (Some(Value::Object(set)), false) if !set.is_empty() => Change::Set(set),
            (None | Some(Value::Null), true) => Change::Delete,
            _ => return Err(refused("Either values to set or a deletion must be asked for.")),
        };
        let text = |value: Option<Value>| match value {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let ids = match body.remove("ids") {
            None | Some(Value::Null) => None,
            Some(Value::Array(ids)) if ids.len() <= MAX_ROWS => {
                Some(ids.into_iter().map(|id| text(Some(id))).collect())
            }
            Some(Value::Array(_)) => return Err(refused("Too many ids.")),
            Some(_) => return Err(refused("The ids must be a list.")),
        };
        // All records are meant only where that is said.
        let filter = match body.remove("filter") {
            Some(Value::String(filter)) => filter,
            None | Some(Value::Null) if ids.is_some() => String::new(),
            _ => {
                return Err(refused(
                    "Either ids or a filter must be given; an empty filter is all.",
                ));
            }
        };
        if ids.is_some() && !filter.is_empty() {
            return Err(refused("Either ids or a filter must be given, not both."));
        }
        Ok(Self { change, ids, filter, after: text(body.remove("after")), dry, atomic })
    }
}

async fn bulk(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let collection = collection_of(req)?;
    records::check_writable(&collection)?;
    let asked = Asked::read(req.payload().await?.into_map()?)?;
    let writer = Writer::of(req, collection, asked.dry);
    let limit = if asked.atomic { MAX_ATOMIC } else { MAX_ROWS };
    let (ids, total) = match asked.ids {
        Some(ids) => (ids, None),
        None => {
            let filter = after(&asked.filter, &asked.after);
            let limit = u32::try_from(limit).unwrap_or(u32::MAX);
            let parts = (&*filter, "id");
            let seen = trial::list(&writer.ctx, &writer.collection, parts, (0, limit)).await?;
            (seen.ids, Some(seen.total))
        }
    };
    if asked.atomic && ids.len() > limit {
        return Err(ApiError::bad_request("Too many records for one transaction."));
    }
    let matched = total.unwrap_or_else(|| i64::try_from(ids.len()).unwrap_or(i64::MAX));
    let done = match asked.atomic && !asked.dry {
        true => together(&writer, &asked.change, ids.clone()).await?,
        false => apart(&writer, &asked.change, &ids).await,
    };
    let is_over = usize::try_from(matched).is_ok_and(|n| n <= done.seen);
    Response::of(
        200,
        &json!({"matched": matched, "done": done.done, "failed": done.failed, "errors": done.errors,
            "more": !is_over, "last": done.last}),
    )
}

#[derive(Default)]
struct Done {
    seen: usize,
    done: usize,
    failed: usize,
    errors: Vec<Value>,
    last: String,
}

async fn one(writer: &Writer, change: &Change, id: &str) -> Result<String> {
    let id = id.to_owned();
    match change {
        Change::Set(set) => writer.write(&Write::Update { id }, set.clone()).await,
        Change::Delete => writer.write(&Write::Delete { id }, Map::new()).await,
    }
}

/// Each by itself: what fails does not stop the rest.
async fn apart(writer: &Writer, change: &Change, ids: &[String]) -> Done {
    let (mut out, started) = (Done::default(), Instant::now());
    for id in ids {
        if started.elapsed() > MAX_TIME {
            break;
        }
        out.seen += 1;
        out.last.clone_from(id);
        match one(writer, change, id).await {
            Ok(_) => out.done += 1,
            Err(error) => {
                out.failed += 1;
                if out.errors.len() < MAX_TOLD {
                    let mut error = told(&error);
                    error.insert("id".into(), id.clone().into());
                    out.errors.push(error.into());
                }
            }
        }
    }
    out
}

/// All or none.
async fn together(writer: &Writer, change: &Change, ids: Vec<String>) -> Result<Done> {
    let (inner, change) = (writer.clone(), change.clone());
    let last = ids.last().cloned().unwrap_or_default();
    let seen = ids.len();
    let done = writer.ctx.run_in_transaction(move |ctx| async move {
        let writer = Writer { ctx, ..inner };
        for id in &ids {
            one(&writer, &change, id).await.map_err(|error| {
                let mut told = told(&error);
                told.insert("id".into(), id.clone().into());
                let message = format!("{id}: {}", error.sentence());
                let mut outer = ApiError::new(error.status, message);
                outer.data = Data::Raw(Box::new(json!({"record": told})));
                Error::from(outer)
            })?;
        }
        Ok(())
    });
    done.await?;
    Ok(Done { seen, done: seen, last, ..Done::default() })
}

/// A filter and a key that comes before.
pub(crate) fn after(filter: &str, id: &str) -> String {
    if id.is_empty() {
        return filter.to_owned();
    }
    let id = id.replace('\\', "\\\\").replace('\'', "\\'");
    // a comment at the end of the filter must not take the bracket away
    if filter.is_empty() {
        format!("id > '{id}'")
    } else {
        format!("(\n{filter}\n) && id > '{id}'")
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Create,
    Update,
    Upsert,
}

async fn import(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let collection = collection_of(req)?;
    records::check_writable(&collection)?;
    let query = req.query();
    let mode = match query.get("mode").as_deref() {
        None | Some("" | "create") => Mode::Create,
        Some("update") => Mode::Update,
        Some("upsert") => Mode::Upsert,
        Some(_) => return Err(ApiError::bad_request("The mode must be create, update or upsert.")),
    };
    let key = query
        .get("match")
        .filter(|name| !name.is_empty())
        .map_or("id".into(), |name| name.into_owned());
    if collection.field(&key).is_none() {
        return Err(ApiError::bad_request("There is no such field to match by."));
    }
    let dry = boolean(query.get("dryRun").as_deref())?;
    let text = req.bytes().await?;
    let writer = Writer::of(req, collection, dry);
    let (out, pieces) = mpsc::channel(16);
    tokio::spawn(async move { run_import(&writer, (mode, &key), &text, &out).await });
    let mut response = Response::text(200, "application/x-ndjson", Bytes::new());
    response.body = Body::Stream(pieces);
    Ok(response)
}

type Out = mpsc::Sender<std::io::Result<Bytes>>;

/// One line for each row, and one for all. Whoever goes away stops it.
async fn run_import(writer: &Writer, by: (Mode, &str), text: &Bytes, out: &Out) {
    let (mut created, mut updated, mut failed) = (0u64, 0u64, 0u64);
    let mut rows = Rows::of(text);
    let mut number = 0u64;
    while let Some(row) = rows.next() {
        let result = match row {
            Ok(row) => import_row(writer, by, row).await,
            Err(message) => Err(ApiError::bad_request(message)),
        };
        let line = match &result {
            Ok((is_new, id)) => {
                let count = if *is_new { &mut created } else { &mut updated };
                *count += 1;
                json!({"row": number, "status": 200, "action": if *is_new { "create" } else { "update" }, "id": id})
            }
            Err(error) => {
                failed += 1;
                let mut line = Map::from_iter([("row".to_owned(), Value::from(number))]);
                line.extend(told(error));
                line.into()
            }
        };
        number += 1;
        if send(out, &line).await.is_err() {
            return;
        }
    }
    let line = json!({"rows": number, "created": created, "updated": updated, "failed": failed});
    let _ = send(out, &line).await;
}

async fn send(out: &Out, line: &Value) -> std::result::Result<(), ()> {
    let mut text = line.to_string().into_bytes();
    text.push(b'\n');
    out.send(Ok(text.into())).await.map_err(|_| ())
}

/// True for a new record, and its id.
async fn import_row(
    writer: &Writer,
    (mode, key): (Mode, &str),
    mut row: Map<String, Value>,
) -> Result<(bool, String)> {
    if writer.collection.is_auth()
        && let Some(password) = row.get("password").filter(|p| !p.is_null()).cloned()
    {
        row.entry("passwordConfirm").or_insert(password);
    }
    let found = match (mode, row.get(key)) {
        (Mode::Create, _) => None,
        (_, None | Some(Value::Null)) => None,
        (_, Some(value)) => {
            let value = engine::json::to_string(value).into_owned();
            if value.is_empty() { None } else { matching(writer, key, value).await? }
        }
    };
    match found {
        Some(id) => {
            row.shift_remove("id");
            Ok((false, writer.write(&Write::Update { id }, row).await?))
        }
        None if mode == Mode::Update => Err(ApiError::not_found("No record matches.")),
        None => Ok((true, writer.write(&Write::Create, row).await?)),
    }
}

async fn matching(writer: &Writer, key: &str, value: String) -> Result<Option<String>> {
    let found = match key {
        "id" => find::by_id(&writer.ctx, &writer.collection, &value).await?,
        _ => {
            let value = engine::store::Value::Text(value.into());
            record::search::by_data(&writer.ctx, &writer.collection, key, value).await?
        }
    };
    Ok(found.map(|record| record.id().to_owned()))
}

/// The rows of a list, or of lines.
enum Rows<'t> {
    List(std::vec::IntoIter<Value>),
    Lines(std::slice::Split<'t, u8, fn(&u8) -> bool>),
    Broken(Option<String>),
}

impl<'t> Rows<'t> {
    fn of(text: &'t Bytes) -> Self {
        let is_list = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
        if !is_list {
            return Self::Lines(text.split(|byte| *byte == b'\n'));
        }
        match serde_json::from_slice::<Vec<Value>>(text) {
            Ok(rows) => Self::List(rows.into_iter()),
            Err(error) => Self::Broken(Some(error.to_string())),
        }
    }

    fn next(&mut self) -> Option<std::result::Result<Map<String, Value>, String>> {
        let row = match self {
            Self::List(rows) => Ok(rows.next()?),
            Self::Lines(lines) => {
                let line = lines.find(|line| !line.trim_ascii().is_empty())?;
                serde_json::from_slice(line).map_err(|error| error.to_string())
            }
            Self::Broken(why) => Err(why.take()?),
        };
        Some(row.and_then(|row| match row {
            Value::Object(row) => Ok(row),
            _ => Err("A row must be an object.".into()),
        }))
    }
}
