//! Importing a list of collections: what each item becomes, and the errors an import reports.
//!
//! Pure; `collections::import` runs it.
//! Source: spec collections-and-fields §4.10.

use serde_json::Value;

use super::{
    Collection, Kind, Snapshot,
    collection::{add_field, decode_fields},
    normalize::import_scaffold,
};
use crate::{
    error::{FieldError, FieldErrors},
    wire::{DecodeError, Shape, Wire},
};

/// What an import will do.
#[derive(Debug, Clone, Default)]
pub struct Import {
    /// Stored collections to delete.
    pub delete: Vec<Collection>,
    /// Collections to save with the stored one, if there is one; tables first.
    pub save: Vec<(Collection, Option<Collection>)>,
}

/// Decodes the items of an import over the stored collections.
///
/// # Errors
/// When an item does not decode; the whole body is rejected.
pub fn plan(
    items: &[Value],
    delete_missing: bool,
    snapshot: &Snapshot,
) -> Result<Import, DecodeError> {
    let mut import = Import::default();
    for (at, item) in items.iter().enumerate() {
        let pair =
            plan_item(item, delete_missing, snapshot).map_err(|e| e.within(&at.to_string()))?;
        import.save.push(pair);
    }
    if delete_missing {
        let kept = |c: &Collection| import.save.iter().any(|(draft, _)| draft.id == c.id);
        import.delete = snapshot
            .iter()
            .map(|c| &c.collection)
            .filter(|c| !c.system && !kept(c))
            .cloned()
            .collect();
    }
    // Views read tables, so they come last; the order of their creation lets views read views.
    import.save.sort_by(|(a, _), (b, _)| {
        (a.is_view(), &a.created, &a.updated).cmp(&(b.is_view(), &b.created, &b.updated))
    });
    Ok(import)
}

fn plan_item(
    item: &Value,
    delete_missing: bool,
    snapshot: &Snapshot,
) -> Result<(Collection, Option<Collection>), DecodeError> {
    let text = |key| item.get(key).and_then(Value::as_str).unwrap_or_default();
    // An item with an id is about nothing else, whatever its name is.
    let key = if text("id").is_empty() { text("name") } else { text("id") };
    let Some(stored) = snapshot.find(key).filter(|_| !key.is_empty()) else {
        let mut fresh = import_scaffold(Kind::parse(text("type")));
        fresh.decode_over(item)?;
        return Ok((fresh, None));
    };
    let old = stored.collection.clone();
    let mut draft = old.clone();
    draft.decode_over(item)?;
    let fields = match item.get("fields") {
        Some(fields) => decode_fields(fields)?,
        None if delete_missing => Vec::new(),
        None => draft.fields.clone(),
    };
    draft.fields = merge_fields(fields, &old, delete_missing);
    Ok((draft, Some(old)))
}

/// Stored fields that the import does not name by id take part by name, or are kept (spec §4.10).
fn merge_fields(
    mut fields: Vec<crate::field::Field>,
    old: &Collection,
    delete_missing: bool,
) -> Vec<crate::field::Field> {
    for stored in &old.fields {
        if fields.iter().any(|f| f.id == stored.id) || (delete_missing && !stored.system) {
            continue;
        }
        let twin = fields
            .iter_mut()
            .find(|f| f.name == stored.name && f.type_name() == stored.type_name());
        match twin {
            // The stored definition wins; only the position is the imported one's.
            Some(twin) => twin.clone_from(stored),
            None => add_field(&mut fields, stored.clone()),
        }
    }
    fields
}

/// The error for something that went wrong while saving.
pub fn failure(reason: &str) -> crate::Error {
    wrap(format!("Failed to import the collections configuration. Raw error:\n{reason}"))
}

/// The error for a saved collection that does not validate.
pub fn invalid(collection: &Collection, errors: &FieldErrors) -> crate::Error {
    wrap(format!(
        "Data validations failed for collection {:?} ({}):\n{}",
        collection.name,
        collection.id,
        pretty(errors, 0)
    ))
}

fn wrap(message: String) -> crate::Error {
    let mut errors = FieldErrors::default();
    errors.set("collections", FieldError::new("validation_collections_import_failure", message));
    crate::Error::Invalid(errors)
}

/// Errors as 2-space indented JSON of plain messages.
fn pretty(errors: &FieldErrors, depth: usize) -> String {
    let indent = "  ".repeat(depth + 1);
    let quoted = |text: &str| {
        let mut out = Vec::new();
        crate::json::write_str(&mut out, text);
        String::from_utf8_lossy(&out).into_owned()
    };
    let items: Vec<String> = errors
        .0
        .iter()
        .map(|(key, error)| {
            let value = match error {
                FieldError::Item { message, .. } | FieldError::Other(message) => quoted(message),
                FieldError::Nested(inner) => pretty(inner, depth + 1),
            };
            format!("{indent}{}: {value}", quoted(key))
        })
        .collect();
    format!("{{\n{}\n{}}}", items.join(",\n"), "  ".repeat(depth))
}

/// The body of the import route.
pub const BODY: &Shape =
    &Shape::Object(&[("collections", &Shape::List(&Shape::Any)), ("deleteMissing", &Shape::Bool)]);

/// Decodes the body of the import route, a form of the shape [`BODY`]: the items and `deleteMissing`.
///
/// # Errors
/// When something has the wrong JSON type.
pub fn decode_body(body: Value) -> Result<(Vec<Value>, bool), DecodeError> {
    let mut map = match body {
        Value::Null => return Ok((Vec::new(), false)),
        Value::Object(map) => map,
        _ => return Err(DecodeError::new("object")),
    };
    let mut delete_missing = false;
    if let Some(value) = map.get("deleteMissing") {
        delete_missing.decode(value).map_err(|e| e.within("deleteMissing"))?;
    }
    let items = match map.swap_remove("collections") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) if items.iter().all(|i| i.is_object() || i.is_null()) => items,
        Some(_) => return Err(DecodeError::new("list of objects").within("collections")),
    };
    Ok((items, delete_missing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::normalize::{new_collection, normalize};
    use serde_json::json;

    fn stored() -> Snapshot {
        let mut c = new_collection(Kind::Base, "demo");
        c.decode_over(&json!({"id":"d1","fields":[{"name":"id","type":"text"},
            {"id":"f1","name":"title","type":"text","max":5},{"id":"f2","name":"n","type":"number"}]}))
            .unwrap();
        normalize(&mut c, None, &Snapshot::default(), "now");
        Snapshot::build(vec![c])
    }

    fn names(import: &Import) -> Vec<(String, String)> {
        import.save[0].0.fields.iter().map(|f| (f.name.clone(), f.id.clone())).collect()
    }

    #[test]
    fn fields_by_name_and_id() {
        let snapshot = stored();
        let item = json!({"name":"DEMO","fields":[{"name":"n","type":"number","max":3},{"id":"x","name":"new","type":"bool"}]});
        let kept = plan(std::slice::from_ref(&item), false, &snapshot).unwrap();
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            names(&kept),
            [pair("n", "f2"), pair("new", "x"), pair("id", "text3208210256"), pair("title", "f1")]
        );
        // Matched by name without id: the stored options stay.
        assert!(
            crate::wire::to_string(&kept.save[0].0.fields[0], crate::wire::Audience::Db)
                .contains("\"max\":null")
        );
        let strict = plan(&[item], true, &snapshot).unwrap();
        assert_eq!(names(&strict).len(), 3);
        assert_eq!(names(&strict)[2], pair("id", "text3208210256"));
        assert!(strict.delete.is_empty());
        let other = plan(&[json!({"name":"else"})], true, &snapshot).unwrap();
        assert_eq!(other.delete.len(), 1);
    }

    #[test]
    fn an_id_names_the_stored_collection() {
        let snapshot = stored();
        for (item, old, deleted) in [
            (json!({"id":"d1","name":"other"}), Some("d1"), 0),
            (json!({"name":"demo"}), Some("d1"), 0),
            (json!({"id":"","name":"demo"}), Some("d1"), 1),
            (json!({"id":"d2","name":"demo"}), None, 1),
            (json!({"id":"demo","name":"x"}), Some("d1"), 1),
            (json!({"id":"D1","name":"demo"}), None, 1),
        ] {
            let import = plan(std::slice::from_ref(&item), true, &snapshot).unwrap();
            let found = import.save[0].1.as_ref().map(|old| old.id.as_str());
            assert_eq!((found, import.delete.len()), (old, deleted), "{item}");
        }
    }

    #[test]
    fn bodies() {
        assert_eq!(
            decode_body(json!({"collections":[{}],"deleteMissing":true})).unwrap(),
            (vec![json!({})], true)
        );
        assert_eq!(decode_body(Value::Null).unwrap(), (vec![], false));
        assert_eq!(decode_body(json!({"Collections":[{}]})).unwrap(), (vec![], false));
        for refused in [json!({"collections":{}}), json!({"deleteMissing":1}), json!([]), json!("")]
        {
            assert!(decode_body(refused).is_err());
        }
    }
}
