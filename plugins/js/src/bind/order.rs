//! The order of members: as the reference's structs declare them, which is the order of `Object.keys` and of JSON.
//!
//! What is not named in a list comes last, by name.

use serde_json::Value;

use super::json::string;

/// The names of members, the first one first.
pub(crate) type Order = &'static [&'static str];

/// Puts names into an order.
pub(crate) fn sort(order: Order, names: &mut [String]) {
    if !order.is_empty() {
        names.sort_by(|a, b| rank(order, a).cmp(&rank(order, b)));
    }
}

fn rank(order: Order, name: &str) -> (usize, &str) {
    (order.iter().position(|known| *known == name).unwrap_or(usize::MAX), name)
}

/// JSON text with its members in an order, at every depth.
pub(crate) fn text(order: Order, json: &Value) -> String {
    let mut out = String::new();
    write(order, json, &mut out);
    out
}

fn write(order: Order, json: &Value, out: &mut String) {
    match json {
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(order, item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by(|a, b| rank(order, a).cmp(&rank(order, b)));
            out.push('{');
            for (at, key) in keys.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                string(out, key);
                out.push(':');
                write(order, &map[key], out);
            }
            out.push('}');
        }
        Value::String(text) => string(out, text),
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_in_order() {
        const ORDER: Order = &["name", "id", "list"];
        let json = json!({"z": 1, "id": "\"", "a": null, "name": [{"id": 1.5, "name": true}]});
        assert_eq!(
            text(ORDER, &json),
            r#"{"name":[{"name":true,"id":1.5}],"id":"\"","a":null,"z":1}"#
        );
        let mut names = ["z", "id", "a", "name"].map(str::to_owned);
        sort(ORDER, &mut names);
        assert_eq!(names, ["name", "id", "a", "z"]);
        sort(&[], &mut names);
        assert_eq!(names, ["name", "id", "a", "z"], "no order changes nothing");
    }
}
