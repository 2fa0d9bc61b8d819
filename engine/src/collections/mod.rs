//! Operations on collections: list, save, delete, truncate, import, with hooks and transactions.
//!
//! The pure parts (normalising, validating, comparing, statements) are in `schema`; this room decides the order of
//! steps, what wraps them and what follows the commit. Source: spec collections-and-fields §4, server-settings §8.2.
//!
//! Request hooks are the caller's: draft, trigger, then save.

mod chain;
mod delete;
pub mod dry_run;
mod import;
pub mod list;
mod save;
mod views;

use std::sync::Arc;

use serde_json::Value;

use crate::{
    Error, FieldErrors, Result, check,
    ctx::Ctx,
    schema::{
        Collection, Kind, Loaded,
        normalize::new_collection,
        view::{self, DryRun},
    },
    wire::{self, DecodeError, Wire},
};

pub use crate::app::CollectionRef;
pub use delete::{delete, refusal, truncate};
pub use import::import;
pub use list::{Page, Query, list};
pub use save::{save, save_no_validate, validate};

/// A body that could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    /// Already its `type` or `name`.
    #[error("type or name: {0}")]
    Type(DecodeError),
    /// Something else in it.
    #[error("{0}")]
    Data(DecodeError),
}

/// A collection by id or by name ignoring case.
///
/// # Errors
/// [`Error::NotFound`].
pub fn find(ctx: &Ctx, name_or_id: &str) -> Result<Arc<Loaded>> {
    ctx.snapshot().find(name_or_id).cloned().ok_or(Error::NotFound)
}

/// A new collection from a request body, not yet saved (spec §4.1 steps 1–3). Its type and name are read as those of
/// forms are; everything else has its exact name.
///
/// # Errors
/// [`BadBody`] when something has the wrong JSON type.
pub fn draft(body: &Value) -> Result<CollectionRef, BadBody> {
    let (mut kind, mut name) = (String::new(), String::new());
    if let Some(map) = body.as_object() {
        for (key, slot) in [("type", &mut kind), ("name", &mut name)] {
            if let Some(value) = wire::member(map, key).map_err(BadBody::Type)? {
                slot.decode(value).map_err(|e| BadBody::Type(e.within(key)))?;
            }
        }
    } else if !body.is_null() {
        return Err(BadBody::Type(DecodeError::new("object")));
    }
    let mut collection = new_collection(Kind::parse(&kind), &name);
    if !body.is_null() {
        collection.decode_over(body).map_err(BadBody::Data)?;
    }
    Ok(collection.into())
}

/// A stored collection with a request body decoded over it, not yet saved (spec §4.4).
///
/// # Errors
/// [`BadBody::Data`] when something has the wrong JSON type.
pub fn draft_over(stored: &Loaded, body: &Value) -> Result<CollectionRef, BadBody> {
    let handle = CollectionRef::stored(stored);
    handle.lock().decode_over(body).map_err(BadBody::Data)?;
    Ok(handle)
}

/// What a draft would be stored as: system fields, ids and defaults filled in. Nothing is checked or written.
#[must_use]
pub fn completed(ctx: &Ctx, draft: &CollectionRef, stored: Option<&Loaded>) -> Collection {
    save::prepare(ctx, draft, stored);
    draft.lock().clone()
}

/// Creates a collection from a request body, without request hooks.
///
/// # Errors
/// As [`draft`] (as a message) and [`save`].
pub async fn create(ctx: &Ctx, body: &Value) -> Result<CollectionRef> {
    let handle = draft(body).map_err(|e| Error::Message(e.to_string()))?;
    save(ctx, &handle).await?;
    Ok(handle)
}

/// Updates a collection from a request body, without request hooks.
///
/// # Errors
/// [`Error::NotFound`]; as [`draft_over`] (as a message) and [`save`].
pub async fn update(ctx: &Ctx, name_or_id: &str, body: &Value) -> Result<CollectionRef> {
    let stored = find(ctx, name_or_id)?;
    let handle = draft_over(&stored, body).map_err(|e| Error::Message(e.to_string()))?;
    save(ctx, &handle).await?;
    Ok(handle)
}

/// The default new collection of each type, as a JSON object (spec §4).
#[must_use]
pub fn scaffolds() -> Vec<u8> {
    let mut out = Vec::with_capacity(8192);
    for (at, (key, kind)) in
        [("auth", Kind::Auth), ("base", Kind::Base), ("view", Kind::View)].into_iter().enumerate()
    {
        out.push(if at == 0 { b'{' } else { b',' });
        crate::json::write_str(&mut out, key);
        out.push(b':');
        new_collection(kind, "").write_json(&mut out);
    }
    out.push(b'}');
    out
}

/// Tries a view query without keeping anything; [`view::dry_run_json`] is the answer.
///
/// # Errors
/// [`Error::Invalid`] for a blank or too long query; [`Error::Message`] with the raw reason.
pub async fn dry_run_view(ctx: &Ctx, query: &str) -> Result<DryRun> {
    let mut errors = FieldErrors::default();
    if let Some(error) = check::required(query.is_empty()).or_else(|| check::length(query, 0, 5000))
    {
        errors.set("query", error);
    }
    errors.into_result()?;
    view::dry_run(&ctx.db, &ctx.snapshot(), query, 10).await.map_err(Error::Message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bodies() {
        assert!(draft(&Value::Null).is_ok());
        let made = draft(&json!({"N_AME": "a", "Type": "auth", "ListRule": ""})).unwrap();
        assert!(made.is_new() && made.lock().is_auth() && made.lock().name == "a");
        assert_eq!(made.lock().list_rule, None);
        for refused in [json!({"type": 1}), json!({"name": "a", "Name": "b"}), json!([])] {
            assert!(matches!(draft(&refused), Err(BadBody::Type(_))), "{refused}");
        }
        assert!(matches!(draft(&json!({"fields": [{"type": "nope"}]})), Err(BadBody::Data(_))));
    }

    #[test]
    fn scaffold_map() {
        let map: Value = serde_json::from_slice(&scaffolds()).unwrap();
        let keys: Vec<_> = map.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["auth", "base", "view"]);
        for kind in ["auth", "base", "view"] {
            assert_eq!(map[kind]["id"], "");
            assert_eq!(map[kind]["type"], kind);
        }
    }
}
