//! Collections: list, view, create, update, delete, truncate, import, scaffolds, dry runs of views.
//!
//! Source: spec collections-and-fields §4.

use std::sync::Arc;

use engine::{
    Error, FieldError, FieldErrors,
    collections::{self, BadBody, CollectionRef, Page, Query},
    ctx::Ctx,
    event::{CollectionRequestEvent, CollectionsImportEvent, CollectionsListEvent, Hooks, no_ext},
    hook::{Hook, Slot},
    schema::{Collection, Loaded, import, view::dry_run_json},
};
use serde_json::{Map, Value};

use crate::{
    bind,
    body::Fault,
    describe::operations::op,
    error::{ApiError, Result},
    guard::{self, Superuser},
    paging::Paging,
    request::Req,
    response::Response,
    route::Endpoint,
    routes::{INVALID, UNREADABLE, h, meta_query},
};

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("GET /api/collections", h!(list)).op(op(
        "listCollections",
        "Collections",
        "All collections",
    )
    .paged()
    .gives("CollectionList")),
    Endpoint::new("POST /api/collections", h!(create)).op(op(
        "createCollection",
        "Collections",
        "A new collection",
    )
    .takes("Collection")
    .gives("Collection")),
    Endpoint::new("GET /api/collections/{collection}", h!(view)).op(op(
        "viewCollection",
        "Collections",
        "One collection",
    )
    .query(&["fields"])
    .gives("Collection")),
    Endpoint::new("PATCH /api/collections/{collection}", h!(update))
        .op(op("changeCollection", "Collections", "Change a collection")
            .takes("Collection")
            .gives("Collection"))
        .long_running(),
    Endpoint::new("DELETE /api/collections/{collection}", h!(remove))
        .op(op("deleteCollection", "Collections", "Delete a collection with its records"))
        .long_running(),
    Endpoint::new("DELETE /api/collections/{collection}/truncate", h!(truncate))
        .op(op("truncateCollection", "Collections", "Delete all records"))
        .long_running(),
    Endpoint::new("PUT /api/collections/import", h!(import_all))
        .op(op("importCollections", "Collections", "Replace or add many collections")
            .takes("Import"))
        .long_running(),
    Endpoint::new("GET /api/collections/meta/scaffolds", h!(scaffolds)).op(op(
        "scaffolds",
        "Collections",
        "New collections of each type",
    )
    .gives("Any")),
    Endpoint::new("POST /api/collections/meta/dry-run-view", h!(dry_run)).op(op(
        "tryView",
        "Collections",
        "What a view would hold",
    )
    .takes("SqlQuery")
    .gives("Any")),
];

const BAD_TYPE: &str = "Failed to load the collection type data due to invalid formatting.";
const BAD_DATA: &str = "Failed to load the submitted data due to invalid formatting.";

fn find(req: &Req) -> Result<Arc<Loaded>> {
    req.named_collection().ok_or_else(|| ApiError::not_found(""))
}

fn render(collection: &CollectionRef) -> Response {
    let mut out = Vec::with_capacity(4096);
    collection.lock().write_json(&mut out);
    Response::json(200, out)
}

async fn list(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let query = req.query();
    let paging = Paging::read(query)?;
    let wanted = Query {
        page: paging.page,
        per_page: paging.per_page,
        skip_total: paging.skip_total,
        filter: query.get("filter").unwrap_or_default().into_owned(),
        sort: query.get("sort").unwrap_or_default().into_owned(),
    };
    let ctx = req.ctx(Map::new());
    let page = collections::list(&ctx, &wanted).await?;
    let hook = &req.app().hooks().collections_list_request;
    let event = CollectionsListEvent {
        ctx,
        collections: Slot::new(page.items.clone()),
        numbers: [page.page, page.per_page, page.total_items, page.total_pages],
        ext: no_ext(),
    };
    let answered = req.through(hook, event, move |event| async move {
        Ok(event.collections.with(|items| render_page(&page, items)))
    });
    Ok(answered.await?)
}

fn render_page(page: &Page, items: &[Arc<Loaded>]) -> Response {
    let mut out = Vec::with_capacity(4096 * items.len() + 64);
    out.extend_from_slice(b"{\"items\":[");
    for (idx, item) in items.iter().enumerate() {
        if idx > 0 {
            out.push(b',');
        }
        item.write_json(&mut out);
    }
    out.extend_from_slice(
        format!(
            "],\"page\":{},\"perPage\":{},\"totalItems\":{},\"totalPages\":{}}}",
            page.page, page.per_page, page.total_items, page.total_pages
        )
        .as_bytes(),
    );
    Response::json(200, out)
}

/// What happens inside a request hook on one collection.
#[derive(Debug, Clone, Copy)]
enum What {
    View,
    Create,
    Update,
    Delete,
}

impl What {
    fn hook(self, hooks: &Hooks) -> &Hook<CollectionRequestEvent> {
        match self {
            Self::View => &hooks.collection_view_request,
            Self::Create => &hooks.collection_create_request,
            Self::Update => &hooks.collection_update_request,
            Self::Delete => &hooks.collection_delete_request,
        }
    }

    fn failed(self, ctx: &Ctx, collection: &CollectionRef, error: Error) -> ApiError {
        let (plain, raw) = match self {
            Self::View => return error.into(),
            Self::Create => {
                ("Failed to create collection.", "Failed to create collection. Raw error: \n")
            }
            Self::Update => {
                ("Failed to update collection.", "Failed to update collection. Raw error: \n")
            }
            Self::Delete => {
                return match error {
                    error @ Error::Stopped(_) => {
                        ApiError::wrap_all(400, "Failed to delete collection.", error)
                    }
                    error => ApiError::bad_request(collections::refusal(ctx, &collection.lock()))
                        .with_detail(error.to_string()),
                };
            }
        };
        match error {
            error @ Error::Invalid(_) => ApiError::wrap(400, plain, error),
            // a changed id that is nobody's
            error @ Error::NotFound => error.into(),
            error if error.is_outage() => ApiError::wrap(400, plain, error),
            other => ApiError::bad_request(format!("{raw}{other}")),
        }
    }

    async fn run(self, ctx: &Ctx, collection: &CollectionRef) -> Result<Response> {
        let done = match self {
            Self::View => Ok(()),
            Self::Create | Self::Update => collections::save(ctx, collection).await,
            Self::Delete => collections::delete(ctx, collection).await,
        };
        done.map_err(|error| self.failed(ctx, collection, error))?;
        Ok(if matches!(self, Self::Delete) { Response::no_content() } else { render(collection) })
    }
}

async fn one(req: &Req, _: &Superuser, what: What, collection: CollectionRef) -> Result<Response> {
    let event = CollectionRequestEvent { ctx: req.ctx(Map::new()), collection, ext: no_ext() };
    let answered = req.through(what.hook(req.app().hooks()), event, move |event| async move {
        Ok(what.run(&event.ctx, &event.collection).await?)
    });
    Ok(answered.await?)
}

async fn view(req: &mut Req) -> Result<Response> {
    let superuser = guard::superuser(req)?;
    let collection = find(req)?;
    one(req, &superuser, What::View, CollectionRef::stored(&collection)).await
}

/// The body as JSON. Names match exactly; dotted keys of forms reach nested members.
async fn body(req: &mut Req, message: &'static str) -> Result<Value> {
    let payload = req
        .payload()
        .await
        .map_err(|e| ApiError::bad_request(message).with_detail(e.to_string()))?;
    // DIFFERENCE: rules that a form does not name keep being null (superusers only); in the reference any form makes
    // them empty, which opens the collection to everybody.
    bind::nested(payload, Collection::member)
        .map_err(|e| ApiError::bad_request(BAD_DATA).with_detail(e.detail.unwrap_or_default()))
}

async fn create(req: &mut Req) -> Result<Response> {
    let superuser = guard::superuser(req)?;
    let body = body(req, BAD_TYPE).await?;
    let draft = collections::draft(&body).map_err(|error| {
        let message = if matches!(error, BadBody::Type(_)) { BAD_TYPE } else { BAD_DATA };
        ApiError::bad_request(message).with_detail(error.to_string())
    })?;
    one(req, &superuser, What::Create, draft).await
}

async fn update(req: &mut Req) -> Result<Response> {
    let superuser = guard::superuser(req)?;
    let collection = find(req)?;
    let body = body(req, BAD_DATA).await?;
    let draft = collections::draft_over(&collection, &body)
        .map_err(|error| ApiError::bad_request(BAD_DATA).with_detail(error.to_string()))?;
    one(req, &superuser, What::Update, draft).await
}

async fn remove(req: &mut Req) -> Result<Response> {
    let superuser = guard::superuser(req)?;
    let collection = find(req)?;
    one(req, &superuser, What::Delete, CollectionRef::stored(&collection)).await
}

async fn truncate(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let collection = find(req)?;
    if collection.is_view() {
        return Err(ApiError::bad_request(
            "View collections cannot be truncated since they don't store their own records.",
        ));
    }
    collections::truncate(&req.ctx(Map::new()), &collection).await.map_err(ApiError::wrap_400(
        "Failed to truncate collection (most likely due to required cascade delete record references).",
    ))?;
    Ok(Response::no_content())
}

async fn import_all(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let payload = req.payload().await.map_err(|fault| match fault {
        Fault::Malformed(detail) => ApiError::bad_request(UNREADABLE).with_detail(detail),
        other => other.into(),
    })?;
    let body = bind::shaped(payload, import::BODY)?;
    let (items, delete_missing) = import::decode_body(body)
        .map_err(|e| ApiError::bad_request(UNREADABLE).with_detail(e.to_string()))?;
    if items.is_empty() {
        let mut errors = FieldErrors::default();
        errors.set("collections", FieldError::new("validation_required", "cannot be blank"));
        return Err(ApiError::bad_request(INVALID).with_fields(errors));
    }
    let ctx = req.ctx(Map::new());
    let hook = &req.app().hooks().collections_import_request;
    let items = items
        .into_iter()
        .map(|item| match item {
            Value::Object(map) => map,
            _ => Map::new(),
        })
        .collect();
    let event = CollectionsImportEvent {
        ctx,
        collections: Slot::new(items),
        delete_missing,
        ext: no_ext(),
    };
    let answered = req.through(hook, event, move |event| async move {
        let items: Vec<Value> =
            event.take(|event| &event.collections).into_iter().map(Value::Object).collect();
        let done = Box::pin(collections::import(&event.ctx, &items, delete_missing)).await;
        done.map_err(ApiError::wrap_400("Failed to import collections."))?;
        Ok(Response::no_content())
    });
    Ok(answered.await?)
}

async fn scaffolds(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    Ok(Response::json(200, collections::scaffolds()))
}

async fn dry_run(req: &mut Req) -> Result<Response> {
    let superuser = guard::superuser(req)?;
    let query = meta_query(req, &superuser).await?;
    let ctx = req.ctx(Map::new());
    match collections::dry_run_view(&ctx, &query).await {
        Ok(run) => Ok(Response::json(200, dry_run_json(&run).into_bytes())),
        Err(error) => {
            Err(ApiError::bad_request(format!("Invalid view query. Raw error: \n{error}")))
        }
    }
}
