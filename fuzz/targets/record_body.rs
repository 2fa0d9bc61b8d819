//! Any JSON body: every field type normalises, modifies and validates it without a panic, and writes valid JSON.
#![no_main]

use engine::field::{Field, Modifier, RecordCheck};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

thread_local! {
    static FIELDS: Vec<Field> = [
        json!({"type": "text", "name": "text", "min": 2, "max": 9, "autogeneratePattern": "[a-z]{3}"}),
        json!({"type": "number", "name": "number", "min": -3, "onlyInt": true}),
        json!({"type": "bool", "name": "bool", "required": true}),
        json!({"type": "email", "name": "email", "onlyDomains": ["a.com"]}),
        json!({"type": "url", "name": "url", "exceptDomains": ["a.com"]}),
        json!({"type": "editor", "name": "editor", "maxSize": 40}),
        json!({"type": "date", "name": "date", "min": "2020-01-01 00:00:00.000Z"}),
        json!({"type": "select", "name": "select", "values": ["a", "b"], "maxSelect": 1}),
        json!({"type": "select", "name": "selects", "values": ["a", "b"], "maxSelect": 2}),
        json!({"type": "json", "name": "json", "maxSize": 60}),
        json!({"type": "geoPoint", "name": "geo"}),
        json!({"type": "password", "name": "password", "min": 2}),
        json!({"type": "relation", "name": "relations", "collectionId": "x", "maxSelect": 3, "minSelect": 2}),
        json!({"type": "file", "name": "files", "maxSelect": 2, "mimeTypes": ["text/plain"]}),
    ].iter().map(|f| Field::from_json(f).expect("a field")).collect();
}

fuzz_target!(|data: &[u8]| {
    let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(data) else { return };
    FIELDS.with(|fields| {
        for field in fields {
            for (key, value) in &body {
                let (name, modifier) = Modifier::split(key);
                let known = name == field.name || name.is_empty();
                if !known {
                    continue;
                }
                let mut val = field.kind.normalize(value);
                if let Some(changed) = modifier.and_then(|m| field.kind.modify(m, &val, value)) {
                    val = changed;
                }
                field.kind.to_db(&val);
                let facts = RecordCheck { is_new: true, old: None, uploads: &[] };
                let valid = field.check(&val, &facts).is_ok();
                let mut out = Vec::new();
                field.kind.write_val_json(&val, &mut out);
                // A json field quotes unknown text the way the reference does, which validation then refuses.
                if let (true, Err(e)) = (valid, serde_json::from_slice::<Value>(&out)) {
                    panic!("{}: {e}: {}", field.name, String::from_utf8_lossy(&out));
                }
            }
        }
    });
});
