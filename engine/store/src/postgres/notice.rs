//! The payloads that nodes send each other (spec extensions §1.13): writing them in portions, reading them.
//!
//! Anybody who may connect to the database may send one, too: what cannot be read is ignored. Pure.

use serde_json::{Value, json};

use super::plain::{Change, Notice};
use crate::Note;

/// Bytes of a payload; the server refuses 8,000.
const MAX: usize = 7_900;
/// The event of a payload with several changes.
const MANY: &str = "many";

impl Change {
    pub(super) fn of(note: &Note, kept: Option<i64>) -> Self {
        Self {
            event: note.event.to_owned(),
            collection: note.collection.clone(),
            record: note.record.clone(),
            kept,
        }
    }
    fn to_json(&self) -> Value {
        json!([self.event, self.collection, self.record, self.kept])
    }
    fn from_json(value: &Value) -> Option<Self> {
        let text = |at: usize| value.get(at)?.as_str().map(str::to_owned);
        let kept = value.get(3).and_then(Value::as_i64);
        Some(Self { event: text(0)?, collection: text(1)?, record: text(2)?, kept })
    }
}

/// One payload.
pub(super) fn payload(node: &str, event: &str, change: (&str, &str), data: &Value) -> String {
    json!({
        "node_id": node,
        "event": event,
        "collection": change.0,
        "record_id": change.1,
        "timestamp": primitives::time::now().to_string(),
        "data": data,
    })
    .to_string()
}

/// The changes of one channel in as few payloads as fit.
pub(super) fn payloads(node: &str, changes: &[Change]) -> Vec<String> {
    if let [one] = changes {
        let data = one.kept.map_or(json!({}), |id| json!({ "kept": id }));
        return vec![payload(node, &one.event, (&one.collection, &one.record), &data)];
    }
    let head = payload(node, MANY, ("", ""), &json!({ "changes": [] })).len();
    let (mut out, mut open, mut size) = (Vec::new(), Vec::new(), head);
    let close = |open: &mut Vec<Value>| {
        payload(node, MANY, ("", ""), &json!({ "changes": std::mem::take(open) }))
    };
    for change in changes {
        let item = change.to_json();
        let len = item.to_string().len() + 1;
        if size + len > MAX && !open.is_empty() {
            out.push(close(&mut open));
            size = head;
        }
        size += len;
        open.push(item);
    }
    if !open.is_empty() {
        out.push(close(&mut open));
    }
    out
}

impl Notice {
    /// Reads a payload.
    pub(super) fn parse(channel: &str, text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let word = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
        let data = value.get("data").cloned().unwrap_or_default();
        let changes = match word("event") {
            "" => return None,
            MANY => {
                let list = data.get("changes").and_then(Value::as_array)?;
                list.iter().filter_map(Change::from_json).collect()
            }
            event => vec![Change {
                event: event.to_owned(),
                collection: word("collection").to_owned(),
                record: word("record_id").to_owned(),
                kept: data.get("kept").and_then(Value::as_i64),
            }],
        };
        Some(Self { channel: channel.to_owned(), from: word("node_id").to_owned(), changes, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(n: usize) -> Change {
        Change {
            event: "record.update".into(),
            collection: "pbc_1234567890".into(),
            record: format!("{n:0>15}"),
            kept: n.is_multiple_of(3).then_some(7),
        }
    }

    #[test]
    fn there_and_back() {
        for n in [1, 2, 100, 1_000] {
            let changes: Vec<Change> = (0..n).map(change).collect();
            let texts = payloads("node-a", &changes);
            assert!(texts.iter().all(|text| text.len() < MAX), "{n}");
            assert!(texts.len() <= n / 100 + 1, "{n} changes in {} payloads", texts.len());
            let back: Vec<Change> = texts
                .iter()
                .map(|text| Notice::parse("c", text).unwrap())
                .inspect(|notice| assert_eq!(notice.from, "node-a"))
                .flat_map(|notice| notice.changes)
                .collect();
            assert_eq!(back, changes);
        }
    }

    #[test]
    fn payloads_of_others() {
        let text = r#"{"event":"record.create","collection":"posts","record_id":"a"}"#;
        let notice = Notice::parse("pb_record_changes", text).unwrap();
        assert_eq!((notice.from.as_str(), notice.changes.len()), ("", 1));
        assert_eq!(notice.changes[0].collection, "posts");
        for bad in ["", "x", "[]", "{}", r#"{"event":1}"#, r#"{"event":"many"}"#, "null"] {
            assert_eq!(Notice::parse("c", bad), None, "{bad}");
        }
        let odd = r#"{"event":"many","data":{"changes":[1,[],["a","b","c"],{"x":1}]}}"#;
        assert_eq!(Notice::parse("c", odd).unwrap().changes.len(), 1);
    }
}
