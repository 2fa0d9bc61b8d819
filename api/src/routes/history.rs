//! `…/history` (superusers): whether the changes of a collection are kept, those of a record, and taking them back.
//!
//! Not part of the reference. Source: spec dashboard §8 A17.

use std::collections::BTreeMap;

use engine::{
    Error, history,
    record::{Submission, expand::Paths, find},
};
use serde_json::{Map, Value, json};

use crate::{
    describe::operations::op,
    error::{ApiError, Result},
    guard,
    request::Req,
    response::Response,
    route::Endpoint,
    routes::{
        collection_of, h,
        records::{self, Call, Write, check_writable},
    },
};

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("GET /api/collections/{collection}/history", h!(show))
        .op(op("historySwitch", "History", "Whether changes are kept").gives("Any"))
        .quiet(),
    Endpoint::new("PATCH /api/collections/{collection}/history", h!(switch)).op(op(
        "switchHistory",
        "History",
        "Keep changes, or no longer",
    )
    .takes("Any")
    .gives("Any")),
    Endpoint::new("GET /api/collections/{collection}/records/{id}/history", h!(list))
        .op(op("history", "History", "The changes of a record").gives("Any"))
        .quiet(),
    Endpoint::new("POST /api/collections/{collection}/records/{id}/history/{entry}", h!(restore))
        .op(op("restoreRecord", "History", "Make a record what it was before a change")
            .gives("Any")),
];

fn days() -> u64 {
    history::KEPT.as_secs() / (24 * 3600)
}

async fn show(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let collection = collection_of(req)?;
    let enabled = history::wanted(req.app()).await?.contains(&collection.id);
    Response::of(200, &json!({"enabled": enabled, "days": days()}))
}

async fn switch(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let collection = collection_of(req)?;
    check_writable(&collection)?;
    let body = req.payload().await?.into_map()?;
    let Some(Value::Bool(enabled)) = body.get("enabled") else {
        return Err(ApiError::bad_request("It must be enabled or not."));
    };
    history::switch(&req.ctx(Map::new()), &collection, *enabled).await?;
    Response::of(200, &json!({"enabled": enabled, "days": days()}))
}

async fn list(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let collection = collection_of(req)?;
    let entries = history::of(&req.ctx(Map::new()), &collection, &req.param("id")).await?;
    let items: Vec<Value> = entries
        .into_iter()
        .map(|entry| {
            let (collection, id) = entry.by;
            let by = (!id.is_empty()).then(|| json!({"collection": collection, "id": id}));
            json!({"id": entry.id, "action": entry.action, "at": entry.at, "by": by,
                "before": entry.before, "after": entry.after})
        })
        .collect();
    Response::of(200, &json!({ "items": items }))
}

/// Makes a record what it was before a change, as an update or, where it is gone, a creation.
async fn restore(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let collection = collection_of(req)?;
    check_writable(&collection)?;
    let (id, entry) = (req.param("id").into_owned(), req.param("entry").into_owned());
    let ctx = req.ctx(Map::new());
    let state = history::before(&ctx, &collection, &id, &entry).await?;
    let Some(mut body) = state else {
        return Err(ApiError::bad_request("The record was not there before this change."));
    };
    let is_there = match find::by_id_or_404(&ctx, &collection, &id).await {
        Ok(_) => true,
        Err(Error::NotFound) => false,
        Err(error) => return Err(error.into()),
    };
    if is_there {
        body.shift_remove("id");
    } else {
        body.insert("id".into(), id.clone().into());
    }
    let what = if is_there { Write::Update { id } } else { Write::Create };
    let submission = Submission { body, files: BTreeMap::new() };
    let exchange = req.exchange();
    let call = Call { ctx, collection, submission, expand: Paths::default(), exchange };
    let (response, _) = records::write(call, what, None).await?;
    Ok(response)
}
