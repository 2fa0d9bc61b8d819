//! `POST /api/collections/meta/dry-run` (superusers): what saving a collection would change and break. Nothing is written.
//!
//! Not part of the reference. Source: spec dashboard §8 A6.

use engine::{
    Error,
    collections::{self, dry_run},
    schema::diff::Change,
};
use serde_json::{Map, Value, json};

use crate::{
    describe::operations::op,
    error::{ApiError, Result, write_fields},
    guard,
    request::Req,
    response::Response,
    route::Endpoint,
    routes::h,
};

pub(crate) const ROUTES: &[Endpoint] =
    &[Endpoint::new("POST /api/collections/meta/dry-run", h!(run))
        .op(op("tryCollection", "Collections", "What saving a collection would change and break")
            .takes("Any")
            .gives("Any"))
        .quiet()];

async fn run(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let mut body = req.payload().await?.into_map()?;
    let wanted = body.remove("collection").filter(Value::is_object);
    let wanted = wanted.ok_or_else(|| ApiError::bad_request("A collection must be given."))?;
    let key = ["id", "name"].iter().find_map(|key| wanted[*key].as_str().filter(|k| !k.is_empty()));
    let stored = key.and_then(|key| req.app().snapshot().find(key).cloned());
    let draft = match &stored {
        Some(stored) => collections::draft_over(stored, &wanted),
        None => collections::draft(&wanted),
    };
    let draft = draft.map_err(|error| ApiError::bad_request(error.to_string()))?;
    let ctx = req.ctx(Map::new());
    let found = dry_run::dry_run(&ctx, &draft, stored.as_ref()).await?;
    let errors = match collections::validate(&ctx, &draft).await {
        Ok(()) => json!({}),
        Err(Error::Invalid(fields)) => {
            let mut out = Vec::new();
            write_fields(&mut out, &fields);
            serde_json::from_slice(&out).unwrap_or_default()
        }
        Err(error) => return Err(error.into()),
    };
    let references: Vec<Value> = found
        .references
        .iter()
        .map(|r| json!({"collection": r.collection, "where": r.place, "text": r.text, "error": r.error}))
        .collect();
    let changes: Vec<Value> = found.changes.iter().map(shown).collect();
    let answer = json!({"changes": changes, "warnings": found.warnings, "references": references,
        "values": found.values, "errors": errors});
    Response::of(200, &answer)
}

fn shown(change: &Change) -> Value {
    match change {
        Change::Create => json!({"type": "create"}),
        Change::DropIndexes(names) => json!({"type": "dropIndexes", "names": names}),
        Change::Rename { from, to } | Change::RenameCase { from, to } => {
            json!({"type": "rename", "from": from, "to": to})
        }
        Change::DropColumn(field) => json!({"type": "dropField", "field": field}),
        Change::AddColumn { name, .. } => json!({"type": "addField", "field": name}),
        Change::RenameColumn { from, to } => json!({"type": "renameField", "from": from, "to": to}),
        Change::ToMultiple(field) => json!({"type": "toMultiple", "field": field}),
        Change::ToSingle(field) => json!({"type": "toSingle", "field": field}),
        Change::CreateIndexes => json!({"type": "createIndexes"}),
        Change::DropFullText => json!({"type": "dropFullText"}),
        Change::CreateFullText => json!({"type": "createFullText"}),
    }
}
