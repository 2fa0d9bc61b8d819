//! Records: list, view, create, update, delete. Each parses, makes one engine call and renders.
//!
//! The order of checks is that of spec records-files-realtime-batch §1.2.

use std::{collections::BTreeMap, sync::Arc};

use engine::{
    Error,
    ctx::Ctx,
    event::{RecordRequestEvent, no_ext},
    hook::{BoxFuture, Hook, Slot},
    record::{
        self, Draft, RecordRef, Submission, delete,
        expand::Paths,
        read::{self, ListOutcome, ListQuery, ViewOutcome},
        save,
    },
    schema::Loaded,
};
use http::header;

use crate::{
    body::Payload,
    describe::operations::op,
    error::{ApiError, Result},
    paging::Paging,
    query::Query,
    request::{Exchange, Req},
    response::Response,
    route::{Endpoint, Limit, Rate},
    routes::{collection_of, h, precondition, record_events},
};

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("GET /api/collections/{collection}/records", h!(list))
        .op(op("list", "Records", "A page of records")
            .ruled_by("listRule")
            .for_all()
            .listed()
            .gives("@List"))
        .rate(Rate::Handler),
    Endpoint::new("GET /api/collections/{collection}/records/{id}", h!(view))
        .op(op("view", "Records", "One record").ruled_by("viewRule").for_all().shown().gives("@"))
        .rate(Rate::Handler),
    Endpoint::new("POST /api/collections/{collection}/records", h!(create))
        .op(op("create", "Records", "A new record")
            .ruled_by("createRule")
            .for_writable()
            .shown()
            .takes("@Create")
            .form()
            .gives("@"))
        .rate(Rate::Handler)
        .limit(Limit::Record),
    Endpoint::new("PATCH /api/collections/{collection}/records/{id}", h!(update))
        .op(op("update", "Records", "Change a record")
            .ruled_by("updateRule")
            .for_writable()
            .shown()
            .takes("@Update")
            .form()
            .gives("@"))
        .rate(Rate::Handler)
        .limit(Limit::Record),
    Endpoint::new("DELETE /api/collections/{collection}/records/{id}", h!(remove))
        .op(op("delete", "Records", "Delete a record").ruled_by("deleteRule").for_writable())
        .rate(Rate::Handler),
];

/// What a write does.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    Create,
    Update { id: String },
    Delete { id: String },
}

impl Write {
    /// The rate limit tag.
    pub(crate) fn tag(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update { .. } => "update",
            Self::Delete { .. } => "delete",
        }
    }

    fn failed(&self) -> &'static str {
        match self {
            Self::Create => "Failed to create record.",
            Self::Update { .. } => "Failed to update record.",
            Self::Delete { .. } => {
                "Failed to delete record. Make sure that the record is not part of a required relation reference."
            }
        }
    }

    fn hook<'h>(&self, ctx: &'h Ctx) -> &'h Hook<RecordRequestEvent> {
        let hooks = ctx.app.hooks();
        match self {
            Self::Create => &hooks.record_create_request,
            Self::Update { .. } => &hooks.record_update_request,
            Self::Delete { .. } => &hooks.record_delete_request,
        }
    }
}

/// Work that runs inside the request hook once the record is written (the next item of a batch).
pub(crate) type Then = Box<dyn FnOnce(Ctx) -> BoxFuture<engine::Result<()>> + Send>;

/// A write, ready to run.
pub(crate) struct Call {
    pub(crate) ctx: Ctx,
    pub(crate) collection: Arc<Loaded>,
    pub(crate) submission: Submission,
    /// The `expand` parameter.
    pub(crate) expand: Paths,
    pub(crate) exchange: Arc<Exchange>,
}

/// A decoded body as the engine takes it.
pub(crate) fn submission(payload: Payload) -> Result<Submission> {
    let mut files: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (key, upload) in &payload.files {
        files.entry(key.clone()).or_default().push(upload.clone());
    }
    Ok(Submission { body: payload.into_map()?, files })
}

/// The parsed `expand` parameter.
pub(crate) fn expand_of(query: Query<'_>) -> Paths {
    query.get("expand").map_or_else(Paths::default, |text| Paths::parse(&text))
}

async fn list(req: &mut Req) -> Result<Response> {
    let collection = collection_of(req)?;
    req.count(&collection, &["list"])?;
    let payload = req.payload().await?.into_map()?;
    let superuser = req.caller.is_superuser();
    if collection.list_rule.is_none() && !superuser {
        return Err(ApiError::superusers_only());
    }
    let head = req.head.clone();
    let query = head.query();
    let filter = query.get("filter").unwrap_or_default();
    let sort = query.get("sort").unwrap_or_default();
    if !superuser {
        no_request_data(&filter)?;
        no_request_data(&sort)?;
    }
    let paging = Paging::read(query)?;
    let narrow = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    let guessing = !superuser && !filter.is_empty();
    let wanted = ListQuery {
        page: paging.page,
        per_page: narrow(paging.per_page),
        skip_total: paging.skip_total,
        filter: filter.into_owned(),
        sort: sort.into_owned(),
        expand: expand_of(query),
    };
    let ctx = req.ctx(payload);
    match read::list(&ctx, &collection, &wanted).await? {
        ListOutcome::Json { body, n_items } => {
            if n_items == 0 && guessing {
                record_events::slow_down(req, &collection).await;
            }
            Ok(Response::json(200, body))
        }
        ListOutcome::Page(page) => {
            record_events::list(req, ctx, collection, page, wanted.expand, guessing).await
        }
    }
}

/// Clients may not filter by what only rules should see: a plain substring test, as the reference does it.
pub(crate) fn no_request_data(text: &str) -> Result<()> {
    for name in ["@collection.", "@request."] {
        if text.contains(name) {
            return Err(ApiError::forbidden(format!("Only superusers can filter by {name}")));
        }
    }
    Ok(())
}

async fn view(req: &mut Req) -> Result<Response> {
    let collection = collection_of(req)?;
    req.count(&collection, &["view"])?;
    let payload = req.payload().await?.into_map()?;
    if collection.view_rule.is_none() && !req.caller.is_superuser() {
        return Err(ApiError::superusers_only());
    }
    let head = req.head.clone();
    let expand = expand_of(head.query());
    let ctx = req.ctx(payload);
    let id = req.param("id").into_owned();
    match read::view(&ctx, &collection, &id, &expand).await.map_err(not_found)? {
        ViewOutcome::Json(body) => Ok(Response::json(200, body)),
        ViewOutcome::Record(record) => {
            record_events::view(req, ctx, collection, record, expand).await
        }
    }
}

/// Whatever stops a view is a 404, but for what says nothing of the record.
pub(crate) fn not_found(error: Error) -> ApiError {
    match error {
        error @ (Error::Stopped(_) | Error::Unexpanded { .. }) => ApiError::from(error),
        error if error.is_outage() => ApiError::from(error),
        other => ApiError::not_found("").with_detail(other.to_string()),
    }
}

async fn create(req: &mut Req) -> Result<Response> {
    write_route(req, Write::Create).await
}

async fn update(req: &mut Req) -> Result<Response> {
    let id = req.param("id").into_owned();
    write_route(req, Write::Update { id }).await
}

async fn remove(req: &mut Req) -> Result<Response> {
    let id = req.param("id").into_owned();
    write_route(req, Write::Delete { id }).await
}

/// A form of parts without even its last boundary.
fn is_cut_short(req: &Req) -> bool {
    req.body_len() == Some(0)
        && req.head.header(header::CONTENT_TYPE).starts_with("multipart/form-data")
}

async fn write_route(req: &mut Req, what: Write) -> Result<Response> {
    let collection = collection_of(req)?;
    check_writable(&collection)?;
    req.count(&collection, &[what.tag()])?;
    if !matches!(what, Write::Delete { .. }) && is_cut_short(req) {
        return Err(ApiError::bad_request("Failed to read the submitted data."));
    }
    let submission = submission(req.payload().await?)?;
    let ctx = req.ctx(submission.body.clone());
    let exchange = req.exchange();
    let expand = expand_of(req.query());
    let call = Call { ctx, collection, submission, expand, exchange };
    let wanted = match &what {
        Write::Update { .. } => precondition::of(&req.head.headers)?,
        Write::Create | Write::Delete { .. } => None,
    };
    if let (Write::Update { id }, Some(wanted)) = (&what, wanted) {
        return Box::pin(precondition::update(call, id.clone(), wanted)).await;
    }
    // its many steps in one place of memory, not moved with each of the futures around it
    let (response, _) = Box::pin(write(call, what, None)).await?;
    Ok(response)
}

/// Views cannot be written.
pub(crate) fn check_writable(collection: &Loaded) -> Result<()> {
    if collection.is_view() {
        return Err(ApiError::bad_request("Unsupported collection type."));
    }
    Ok(())
}

/// Runs a write with its request hook; `then` runs inside the hook, after the write.
///
/// Where nobody listens there is no inside: `then` is handed back, for the caller to run after the write. So a batch
/// nests as deep as its hooks do, not as its items are many.
pub(crate) async fn write(
    call: Call,
    what: Write,
    then: Option<Then>,
) -> Result<(Response, Option<Then>)> {
    let step = prepare(&call, &what).await?;
    proceed(call, what, step, then).await
}

/// Runs a write whose rule was checked; `then` as in [`write`].
pub(crate) async fn proceed(
    call: Call,
    what: Write,
    step: Submitted,
    then: Option<Then>,
) -> Result<(Response, Option<Then>)> {
    let Call { ctx, collection, expand, exchange, .. } = call;
    let hook = what.hook(&ctx);
    if !hook.is_bound_to(&*collection) {
        return Ok((finish(&ctx, &collection, step, &what, &expand).await?, then));
    }
    let record = Slot::new(step.record().clone());
    let event = RecordRequestEvent { ctx: ctx.clone(), collection, record, ext: no_ext() };
    let inside = what.clone();
    let answered = exchange.through(hook, event, move |event| async move {
        let mut step = step;
        step.set_record(event.record.get());
        let response = finish(&event.ctx, &event.collection, step, &inside, &expand).await?;
        if let Some(then) = then {
            then(event.ctx.clone()).await?;
        }
        Ok(response)
    });
    // what the operation refuses has its sentence already; what hooks raise has none of the operation's
    Ok((answered.await?, None))
}

/// A write that passed its rule.
#[derive(Debug)]
pub(crate) enum Submitted {
    Save(Draft),
    Delete(RecordRef),
}

impl Submitted {
    fn record(&self) -> &RecordRef {
        match self {
            Self::Save(draft) => &draft.record,
            Self::Delete(record) => record,
        }
    }
    fn set_record(&mut self, record: RecordRef) {
        match self {
            Self::Save(draft) => draft.record = record,
            Self::Delete(old) => *old = record,
        }
    }
}

/// Decodes a write and checks its rule.
pub(crate) async fn prepare(call: &Call, what: &Write) -> Result<Submitted> {
    let Call { ctx, collection, submission, .. } = call;
    let prepared = match what {
        Write::Create => {
            save::prepare_create(ctx, collection, submission).await.map(Submitted::Save)
        }
        Write::Update { id } => {
            save::prepare_update(ctx, collection, id, submission).await.map(Submitted::Save)
        }
        Write::Delete { id } => delete::prepare(ctx, collection, id).await.map(Submitted::Delete),
    };
    prepared.map_err(|error| match (error, what) {
        (Error::Refused { locked: true }, _) => ApiError::superusers_only(),
        (Error::Refused { locked: false }, Write::Create) => {
            ApiError::bad_request(Write::Create.failed()).with_detail("create rule failure")
        }
        (error @ Error::Stopped(_), _) => error.into(),
        (error, Write::Create) => ApiError::wrap(400, Write::Create.failed(), error),
        (error, _) => not_found(error),
    })
}

/// Why a write that passed its rule failed.
pub(crate) fn refused(what: &Write, error: Error) -> ApiError {
    match error {
        // Somebody's write took the row out of the rule in the meantime: as if it had come first.
        Error::Refused { locked: false } if !matches!(what, Write::Create) => {
            ApiError::not_found("")
        }
        Error::Message(text) => ApiError::bad_request(text),
        other => ApiError::wrap(400, what.failed(), other),
    }
}

async fn finish(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    step: Submitted,
    what: &Write,
    expand: &Paths,
) -> Result<Response> {
    let failed = |error| refused(what, error);
    match step {
        Submitted::Save(draft) => {
            draft.commit(ctx).await.map_err(failed)?;
            record::enrich_done(ctx, collection, &draft.record, expand).await?;
            Ok(written(&draft.record))
        }
        Submitted::Delete(record) => {
            delete::delete_record(ctx, &record).await.map_err(failed)?;
            Ok(Response::no_content())
        }
    }
}

/// One record as its reader may see it.
pub(crate) async fn render(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    record: &RecordRef,
    expand: &Paths,
) -> Result<Response> {
    record::enrich(ctx, collection, std::slice::from_ref(record), expand).await?;
    Ok(written(record))
}

fn written(record: &RecordRef) -> Response {
    let mut out = Vec::with_capacity(512);
    record::export::write_json(record, &mut out);
    Response::json(200, out)
}
