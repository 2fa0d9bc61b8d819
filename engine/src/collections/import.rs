//! Importing a list of collections in one transaction (spec collections-and-fields §4.10).

use std::{collections::HashSet, sync::Arc, time::Instant};

use serde_json::{Map, Value};

use super::{CollectionRef, delete, save, views};
use crate::{
    Error, FieldError, FieldErrors, Result,
    ctx::Ctx,
    schema::{
        Collection, Loaded,
        Validation, import::merge,
    },
};

const SAVE: save::Steps = save::Steps { validate: false, settle: false };

/// One imported collection and what it was.
struct Item {
    handle: CollectionRef,
    old: Option<Arc<Loaded>>,
}

/// Creates and updates the given collections; with `delete_missing` deletes all others that are not system collections.
///
/// # Errors
/// [`Error::Invalid`] with the item `collections` (empty list, first failure as text) or `indexes`; nothing is kept.
pub async fn import(ctx: &Ctx, items: &[Map<String, Value>], delete_missing: bool) -> Result<()> {
    if items.is_empty() {
        return Err(invalid("validation_required", "cannot be blank"));
    }
    let started = Instant::now();
    tracing::info!(count = items.len(), delete_missing, "importing collections");
    let items = items.to_vec();
    let done = ctx
        .run_long_transaction(move |ctx| async move { import_all(&ctx, &items, delete_missing).await })
        .await;
    match done {
        Ok(()) => {
            tracing::info!(elapsed = ?started.elapsed(), "collections imported");
            Ok(())
        }
        Err(error) => Err(failure(error)),
    }
}

fn invalid(code: &str, message: impl Into<String>) -> Error {
    let mut errors = FieldErrors::default();
    errors.set("collections", FieldError::new(code, message));
    Error::Invalid(errors)
}

/// Index errors keep their place, everything else is one text.
fn failure(error: Error) -> Error {
    match error {
        Error::Invalid(_) => error,
        Error::Message(text) if text.starts_with(VALIDATION) => invalid("validation_collections_import_failure", text),
        other => invalid(
            "validation_collections_import_failure",
            format!("Failed to import the collections configuration. Raw error:\n{other}"),
        ),
    }
}

const VALIDATION: &str = "Data validations failed for collection ";

async fn import_all(ctx: &Ctx, items: &[Map<String, Value>], delete_missing: bool) -> Result<()> {
    let snapshot = ctx.snapshot();
    let mut drafts = Vec::with_capacity(items.len());
    for item in items {
        let (draft, old) = merge(item, &snapshot, delete_missing).map_err(|e| Error::Message(e.to_string()))?;
        drafts.push((draft, old));
    }
    if delete_missing {
        let kept: HashSet<&str> = drafts.iter().filter_map(|(_, old)| old.as_ref().map(|o| o.id.as_str())).collect();
        delete_others(ctx, &kept).await?;
    }
    let items = in_order(drafts);
    save_all(ctx, &items).await?;
    validate_all(ctx, &items).await
}

async fn delete_others(ctx: &Ctx, kept: &HashSet<&str>) -> Result<()> {
    let snapshot = ctx.snapshot();
    for collection in snapshot.iter().filter(|c| !c.system && !kept.contains(c.id.as_str())) {
        let handle = CollectionRef::stored(collection);
        handle.set_integrity_checks(false);
        delete::delete(ctx, &handle).await.map_err(|e| {
            Error::Message(format!("failed to delete collection \"{}\": {e}", collection.name))
        })?;
    }
    ctx.reload_schema().await
}

/// Tables before views, then by age.
fn in_order(mut drafts: Vec<(Collection, Option<Arc<Loaded>>)>) -> Vec<Item> {
    drafts.sort_by(|(a, _), (b, _)| {
        let key = |c: &Collection| (c.is_view(), c.created.clone(), c.updated.clone());
        key(a).cmp(&key(b))
    });
    drafts
        .into_iter()
        .map(|(draft, old)| {
            let handle = match &old {
                Some(old) => CollectionRef::stored(old),
                None => CollectionRef::new(Collection::default()),
            };
            handle.set(draft);
            Item { handle, old }
        })
        .collect()
}

async fn save_all(ctx: &Ctx, items: &[Item]) -> Result<()> {
    let mut stale = false;
    for item in items {
        let (name, is_view) = {
            let draft = item.handle.lock();
            (draft.name.clone(), draft.is_view())
        };
        if is_view && stale {
            // Views are computed from what was saved before them.
            ctx.reload_schema().await?;
        }
        Box::pin(save::run(ctx, &item.handle, SAVE)).await.map_err(|error| match error {
            Error::Invalid(_) => error,
            other => Error::Message(format!("failed to save collection \"{name}\": {other}")),
        })?;
        stale = true;
        tracing::info!(collection = name, "imported");
    }
    ctx.reload_schema().await?;
    views::refresh(ctx, "").await
}

async fn validate_all(ctx: &Ctx, items: &[Item]) -> Result<()> {
    let snapshot = ctx.snapshot();
    for item in items {
        let draft = item.handle.snapshot();
        // A collection that was created just now is stored: only its own row may have its id and name.
        let old = item.old.as_deref().map_or(&draft, |l| &l.collection);
        let checked = crate::schema::validate(&draft, &Validation { old: Some(old), snapshot: &snapshot, db: &ctx.db }).await;
        match checked {
            Err(Error::Invalid(errors)) => {
                let text = indented(&errors);
                return Err(Error::Message(format!("{VALIDATION}\"{}\" ({}):\n{text}", draft.name, draft.id)));
            }
            other => other?,
        }
    }
    Ok(())
}

/// Errors as JSON with plain messages, two spaces per level.
fn indented(errors: &FieldErrors) -> String {
    fn plain(errors: &FieldErrors) -> Value {
        let item = |error: &FieldError| match error {
            FieldError::Nested(inner) => plain(inner),
            other => Value::String(other.to_string()),
        };
        Value::Object(errors.0.iter().map(|(key, error)| (key.clone(), item(error))).collect())
    }
    let text = serde_json::to_string_pretty(&plain(errors)).unwrap_or_default();
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_become_indented_json() {
        let mut errors = FieldErrors::default();
        errors.set("name", FieldError::new("x", "cannot be blank"));
        errors.set_at(&["fields", "1", "max"], FieldError::new("x", "must be <5"));
        let want = "{\n  \"fields\": {\n    \"1\": {\n      \"max\": \"must be \\u003c5\"\n    }\n  },\n  \"name\": \"cannot be blank\"\n}";
        assert_eq!(indented(&errors), want);
    }

    #[test]
    fn failures_keep_index_errors() {
        let mut errors = FieldErrors::default();
        errors.set_at(&["indexes", "0"], FieldError::new("c", "m"));
        assert!(matches!(failure(Error::Invalid(errors.clone())), Error::Invalid(e) if e == errors));
        let text = failure(Error::Message("boom".into())).to_string();
        assert_eq!(text, "collections: Failed to import the collections configuration. Raw error:\nboom.");
    }
}
