//! The texts of migration files, from collections as JSON. Pure.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The first line: editors find the declarations of the globals by it.
const HEAD: &str = "/// <reference path=\"../pb_data/types.d.ts\" />\n";

/// Parts of token options that no file may hold.
const SECRET: &str = "secret";

/// To be written by hand.
#[must_use]
pub fn blank() -> String {
    file("  // add up queries...\n", "  // add down queries...\n")
}

/// All collections as they are.
#[must_use]
pub fn snapshot(collections: &[Value]) -> String {
    let list = Value::Array(collections.iter().map(public).collect());
    let up = format!(
        "  const snapshot = {};\n\n  return app.importCollections(snapshot, false);\n",
        indented(&list)
    );
    file(&up, "  return null;\n")
}

/// A collection that is new.
#[must_use]
pub fn created(collection: &Value) -> String {
    file(&saving(collection), &deleting(collection))
}

/// A collection that is gone.
#[must_use]
pub fn deleted(collection: &Value) -> String {
    file(&deleting(collection), &saving(collection))
}

/// What has changed; `None` if that is nothing a file could tell.
#[must_use]
pub fn updated(old: &Value, new: &Value) -> Option<String> {
    let (old, new) = (public(old), public(new));
    let mut parts = Parts::default();
    parts.data(&old, &new);
    parts.fields(&fields(&old), &fields(&new));
    if parts.up.is_empty() {
        return None;
    }
    Some(file(&changing(&new, &parts.up), &changing(&old, &parts.down)))
}

fn file(up: &str, down: &str) -> String {
    format!("{HEAD}migrate((app) => {{\n{up}}}, (app) => {{\n{down}}})\n")
}

fn saving(collection: &Value) -> String {
    let json = indented(&public(collection));
    format!("  const collection = new Collection({json});\n\n  return app.save(collection);\n")
}

fn deleting(collection: &Value) -> String {
    let id = &collection["id"];
    format!(
        "  const collection = app.findCollectionByNameOrId({id});\n\n  return app.delete(collection);\n"
    )
}

fn changing(collection: &Value, parts: &str) -> String {
    let id = &collection["id"];
    format!(
        "  const collection = app.findCollectionByNameOrId({id})\n\n{parts}  return app.save(collection)\n"
    )
}

/// The statements of both ways.
#[derive(Default)]
struct Parts {
    up: String,
    down: String,
}

impl Parts {
    fn data(&mut self, old: &Value, new: &Value) {
        for (into, from, to) in [(&mut self.up, old, new), (&mut self.down, new, old)] {
            let changes = changes(from, to);
            if !changes.is_empty() {
                let json = indented(&Value::Object(changes));
                let statement = format!("unmarshal({json}, collection)");
                push(into, "update collection data", &statement);
            }
        }
    }

    fn fields(&mut self, old: &[&Value], new: &[&Value]) {
        let place =
            |list: &[&Value], field: &Value| list.iter().position(|f| f["id"] == field["id"]);
        for (at, field) in old.iter().enumerate().filter(|(_, f)| place(new, f).is_none()) {
            remove(&mut self.up, field);
            put(&mut self.down, "add field", at, field);
        }
        for (at, field) in new.iter().enumerate().filter(|(_, f)| place(old, f).is_none()) {
            put(&mut self.up, "add field", at, field);
            remove(&mut self.down, field);
        }
        for (at, field) in new.iter().enumerate() {
            let Some(before) = place(old, field) else { continue };
            if old[before] != *field {
                put(&mut self.up, "update field", at, field);
                put(&mut self.down, "update field", before, old[before]);
            }
        }
    }
}

fn push(into: &mut String, comment: &str, statement: &str) {
    // Writing to a string cannot fail.
    let _ = write!(into, "  // {comment}\n  {statement}\n\n");
}

fn remove(into: &mut String, field: &Value) {
    push(into, "remove field", &format!("collection.fields.removeById({})", field["id"]));
}

fn put(into: &mut String, comment: &str, at: usize, field: &Value) {
    let json = indented(field);
    push(into, comment, &format!("collection.fields.addAt({at}, new Field({json}))"));
}

fn fields(collection: &Value) -> Vec<&Value> {
    collection["fields"].as_array().map(|list| list.iter().collect()).unwrap_or_default()
}

/// What turns one object into the other, its fields left out: changed members, nested objects reduced to what changed in
/// them, `null` for what is gone.
fn changes(from: &Value, to: &Value) -> Map<String, Value> {
    let (Some(from), Some(to)) = (from.as_object(), to.as_object()) else { return Map::new() };
    let mut out = Map::new();
    for (key, value) in to.iter().filter(|(key, _)| *key != "fields") {
        match from.get(key) {
            Some(before) if before == value => {}
            Some(before) if before.is_object() && value.is_object() => {
                let inner = changes(before, value);
                if !inner.is_empty() {
                    out.insert(key.clone(), Value::Object(inner));
                }
            }
            _ => {
                out.insert(key.clone(), value.clone());
            }
        }
    }
    for key in from.keys().filter(|key| *key != "fields" && !to.contains_key(*key)) {
        out.insert(key.clone(), Value::Null);
    }
    out
}

/// A collection without what changes by itself and what must stay secret.
fn public(collection: &Value) -> Value {
    let mut collection = collection.clone();
    if let Some(members) = collection.as_object_mut() {
        members.retain(|key, _| key != "created" && key != "updated");
        for option in members.values_mut().filter_map(Value::as_object_mut) {
            option.remove(SECRET);
        }
        if let Some(oauth2) = members.get_mut("oauth2").and_then(Value::as_object_mut) {
            oauth2.remove("providers");
        }
    }
    collection
}

/// JSON with sorted keys, indented as an argument within a function.
fn indented(value: &Value) -> String {
    let text = serde_json::to_string_pretty(&sorted(value)).unwrap_or_default();
    text.replace('\n', "\n  ")
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut keys: Vec<&String> = members.keys().collect();
            keys.sort_unstable();
            Value::Object(
                keys.into_iter().map(|key| (key.clone(), sorted(&members[key]))).collect(),
            )
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const UPDATED: &str = include_str!("../tests/updated.js");
    const CREATED: &str = include_str!("../tests/created.js");
    const SNAPSHOT: &str = include_str!("../tests/snapshot.js");

    fn posts() -> Value {
        json!({
            "id": "pbc_posts000001", "name": "posts", "type": "base", "system": false, "created": "1", "updated": "2",
            "listRule": "a != \"\" && b ~ \"<é\\\\u0041>\"", "viewRule": null,
            "indexes": ["CREATE INDEX idx ON posts (title)"],
            "authToken": { "duration": 5, "secret": "x" },
            "oauth2": { "enabled": false, "providers": [{ "name": "google" }], "mappedFields": { "id": "", "name": "" } },
            "fields": [
                { "type": "text", "id": "text1", "name": "title", "max": 10 },
                { "type": "select", "id": "sel1", "name": "sel", "values": ["a", "b"] },
                { "type": "bool", "id": "bool1", "name": "flag" },
            ],
        })
    }

    #[test]
    fn whole_collections() {
        assert_eq!(created(&posts()), CREATED);
        assert_eq!(snapshot(&[posts(), json!({ "id": "b", "fields": [] })]), SNAPSHOT);
        let gone = deleted(&posts());
        let (up, down) = gone.split_once("}, (app) => {\n").expect("two ways");
        assert!(up.ends_with("  const collection = app.findCollectionByNameOrId(\"pbc_posts000001\");\n\n  return app.delete(collection);\n"));
        assert!(down.starts_with("  const collection = new Collection({\n    \"authToken\": {"));
    }

    #[test]
    fn what_changed() {
        let mut new = posts();
        new["listRule"] = Value::Null;
        new["viewRule"] = "".into();
        new["indexes"] = json!([]);
        new["oauth2"]["enabled"] = true.into();
        new["oauth2"]["providers"] = json!([]);
        new["oauth2"]["mappedFields"]["name"] = "title".into();
        new["viewQuery"] = "select 1".into();
        let mut fields = vec![
            json!({ "id": "num1", "name": "n", "type": "number", "min": null }),
            new["fields"][0].clone(),
            new["fields"][2].clone(),
        ];
        fields[1]["max"] = 20.into();
        new["fields"] = fields.into();
        assert_eq!(updated(&posts(), &new).as_deref(), Some(UPDATED));
    }

    #[test]
    fn nothing_to_tell() {
        let mut new = posts();
        new["updated"] = "3".into();
        new["authToken"]["secret"] = "y".into();
        new["oauth2"]["providers"] = json!([]);
        new["fields"].as_array_mut().expect("a list").reverse();
        assert_eq!(updated(&posts(), &new), None);
        assert!(blank().contains("  // add up queries...\n}, (app) => {\n"));
    }
}
