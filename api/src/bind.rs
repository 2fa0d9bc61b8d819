//! Bodies read member by member into typed values: JSON must have the member's type, a form's text becomes it.
//!
//! Knows no form of any endpoint. Record bodies do not come here: their values are inferred ([`Payload::data`]).
//! Source: spec records-files-realtime-batch §1.4, §1.5; auth §0.

use serde_json::{Map, Value};

use crate::{
    body::Payload,
    error::{ApiError, Result},
    request::Req,
    routes::UNREADABLE,
};

fn unreadable(detail: impl Into<Box<str>>) -> ApiError {
    ApiError::bad_request(UNREADABLE).with_detail(detail)
}

/// A body whose members are read by name.
#[derive(Debug, Default)]
pub(crate) struct Members {
    map: Map<String, Value>,
    /// Form values as sent, without those that a `@jsonPayload` replaces.
    texts: Vec<(String, Vec<String>)>,
}

enum Found<'a> {
    Nothing,
    Json(&'a Value),
    Texts(&'a [String]),
}

impl Members {
    /// Reads a request's body; an empty one has no members.
    ///
    /// # Errors
    /// 400 for what cannot be decoded or is no object; 413 beyond the limit.
    pub(crate) async fn of(req: &mut Req) -> Result<Self> {
        let refused = |error: ApiError| match error.message.starts_with("Unsupported") {
            true => error,
            false => unreadable(error.to_string()),
        };
        Self::of_payload(req.payload().await.map_err(refused)?).map_err(refused)
    }

    /// The members of a decoded body.
    ///
    /// # Errors
    /// 400 for arrays and scalars.
    pub(crate) fn of_payload(mut payload: Payload) -> Result<Self> {
        let texts = std::mem::take(&mut payload.texts);
        Ok(Self { map: payload.into_map()?, texts })
    }

    /// What `@request.body.*` and hooks see.
    pub(crate) fn into_map(self) -> Map<String, Value> {
        self.map
    }

    /// Names of JSON match ignoring case, those of forms as they are.
    fn find(&self, name: &str) -> Found<'_> {
        if let Some((_, texts)) = self.texts.iter().find(|(key, _)| key == name) {
            return Found::Texts(texts);
        }
        let of_form = |key: &str| self.texts.iter().any(|(text, _)| text == key);
        let same = |key: &str| key.eq_ignore_ascii_case(name) && !of_form(key);
        // of two spellings the later one counts, as if decoded one after the other
        match self.map.iter().rev().find(|(key, _)| same(key)) {
            Some((_, value)) => Found::Json(value),
            None => Found::Nothing,
        }
    }

    /// A text; absent and null are empty.
    ///
    /// # Errors
    /// 400 for JSON that is no string.
    pub(crate) fn text(&self, name: &str) -> Result<String> {
        match self.find(name) {
            Found::Nothing | Found::Json(Value::Null) => Ok(String::new()),
            Found::Texts(texts) => Ok(texts.first().cloned().unwrap_or_default()),
            Found::Json(value) => {
                text_of(value).ok_or_else(|| unreadable(format!("{name} must be a string")))
            }
        }
    }

    /// A whole number; absent, null and empty text are 0.
    ///
    /// # Errors
    /// 400 for anything else.
    pub(crate) fn integer(&self, name: &str) -> Result<i64> {
        let found = match self.find(name) {
            Found::Nothing | Found::Json(Value::Null) => Some(0),
            Found::Json(value) => value.as_i64(),
            Found::Texts(texts) => integer_of(texts),
        };
        found.ok_or_else(|| unreadable(format!("{name} must be an integer")))
    }

    /// A list of texts; absent and null are empty.
    ///
    /// # Errors
    /// 400 for JSON that is no list of strings.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>> {
        let refused = || unreadable(format!("{name} must be a list of strings"));
        match self.find(name) {
            Found::Nothing | Found::Json(Value::Null) => Ok(Vec::new()),
            Found::Texts(texts) => Ok(texts.to_vec()),
            Found::Json(Value::Array(items)) => {
                items.iter().map(|item| text_of(item).ok_or_else(refused)).collect()
            }
            Found::Json(_) => Err(refused()),
        }
    }

    /// An object; absent and null are empty, and so is a form's text.
    ///
    /// # Errors
    /// 400 for other JSON.
    pub(crate) fn object(&self, name: &str) -> Result<Map<String, Value>> {
        match self.find(name) {
            Found::Nothing | Found::Json(Value::Null) | Found::Texts(_) => Ok(Map::new()),
            Found::Json(Value::Object(map)) => Ok(map.clone()),
            Found::Json(_) => Err(unreadable(format!("{name} must be an object"))),
        }
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// A form's number: digits with at most a minus, empty is 0.
fn integer_of(texts: &[String]) -> Option<i64> {
    match texts.first().map_or("", String::as_str) {
        "" => Some(0),
        text if text.starts_with('+') => None,
        text => text.parse().ok(),
    }
}

fn flag_of(texts: &[String]) -> Option<bool> {
    match texts.first().map_or("", String::as_str) {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A body for a nested structure, of which `shape` is a complete value: JSON as it is; texts of forms reach members
/// through dotted keys and become what the member is. Texts for objects and lists of objects say nothing.
///
/// # Errors
/// 400 for a text that is no number or bool where one is needed.
pub(crate) fn nested(mut payload: Payload, shape: &Value) -> Result<Value> {
    let texts = std::mem::take(&mut payload.texts);
    if !payload.form {
        return Ok(payload.data);
    }
    let mut out = payload.into_map()?;
    for (key, _) in &texts {
        out.remove(key);
    }
    for (key, texts) in &texts {
        let path: Vec<&str> = key.split('.').collect();
        let member = path.iter().try_fold(shape, |at, part| at.get(part));
        let Some(value) = member.map(|member| typed(member, texts)).transpose()?.flatten() else {
            continue;
        };
        put(&mut out, &path, value);
    }
    Ok(Value::Object(out))
}

/// The texts as a value like `member`.
fn typed(member: &Value, texts: &[String]) -> Result<Option<Value>> {
    let strings = || texts.iter().map(|text| Value::from(text.as_str())).collect();
    Ok(match member {
        Value::Object(_) | Value::Null => None,
        Value::Array(items) => items.iter().all(Value::is_string).then(|| Value::Array(strings())),
        Value::String(_) => Some(Value::from(texts.first().map_or("", String::as_str))),
        Value::Bool(_) => {
            Some(flag_of(texts).ok_or_else(|| unreadable("a bool was expected"))?.into())
        }
        Value::Number(_) => {
            Some(integer_of(texts).ok_or_else(|| unreadable("a number was expected"))?.into())
        }
    })
}

/// Sets a value below nested objects; what `@jsonPayload` says wins.
fn put(out: &mut Map<String, Value>, path: &[&str], value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    let slot = out.entry(*first).or_insert(Value::Null);
    if rest.is_empty() {
        if slot.is_null() {
            *slot = value;
        }
        return;
    }
    if slot.is_null() {
        *slot = Value::Object(Map::new());
    }
    if let Value::Object(inner) = slot {
        put(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(json: Value, texts: &[(&str, &[&str])]) -> Payload {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let mut data = json;
        for (key, values) in texts {
            data[*key] = json!(values[0]);
        }
        let texts = texts.iter().map(|(key, values)| ((*key).to_owned(), own(values))).collect();
        Payload { data, files: Vec::new(), form: true, texts }
    }

    #[test]
    fn json_has_the_type_and_text_becomes_it() {
        let of = |payload| Members::of_payload(payload).expect("an object");
        let json = |data| of(Payload { data, ..Payload::default() });
        assert_eq!(json(json!({"A": "x"})).text("a").ok().as_deref(), Some("x"));
        assert_eq!(json(json!({"a": null})).text("a").ok().as_deref(), Some(""));
        assert!(json(json!({"a": 1})).text("a").is_err());
        assert_eq!(json(json!({"a": 5})).integer("a").ok(), Some(5));
        for refused in [json!({"a": "5"}), json!({"a": 1.5}), json!({"a": true})] {
            assert!(json(refused.clone()).integer("a").is_err(), "{refused}");
        }
        for (text, want) in [
            ("5", Some(5)),
            ("-5", Some(-5)),
            ("", Some(0)),
            ("+5", None),
            ("1e3", None),
            ("a", None),
        ] {
            let members = of(form(json!({}), &[("a", &[text])]));
            assert_eq!(members.integer("a").ok(), want, "{text}");
            assert_eq!(members.text("a").ok().as_deref(), Some(text));
        }
        let members = of(form(json!({"n": 1}), &[("A", &["x"]), ("b", &["1", "2"])]));
        assert_eq!(members.text("a").ok().as_deref(), Some(""), "names of forms match exactly");
        assert_eq!(members.text("b").ok().as_deref(), Some("1"));
        assert_eq!(members.texts("b").ok(), Some(vec!["1".to_owned(), "2".to_owned()]));
        assert!(members.text("n").is_err(), "a payload inside a form is JSON");
    }

    #[test]
    fn dotted_keys_become_what_the_member_is() {
        let shape =
            json!({"meta": {"name": "", "n": 1, "on": false}, "ips": [], "rules": [{"a": 1}]});
        let read = |json, texts: &[(&str, &[&str])]| nested(form(json, texts), &shape);
        for (texts, want) in [
            (&[("meta.name", &["12"][..])][..], json!({"meta": {"name": "12"}})),
            (
                &[("meta.n", &["12"]), ("meta.on", &["true"])],
                json!({"meta": {"n": 12, "on": true}}),
            ),
            (&[("ips", &["a", "b"])], json!({"ips": ["a", "b"]})),
            (&[("meta", &["x"]), ("rules", &["x"]), ("no.such", &["x"])], json!({})),
        ] {
            assert_eq!(read(json!({}), texts).ok(), Some(want), "{texts:?}");
        }
        assert!(read(json!({}), &[("meta.n", &["x"])]).is_err());
        let said = read(json!({"meta": {"name": "json"}}), &[("meta.name", &["text"])]);
        assert_eq!(said.ok(), Some(json!({"meta": {"name": "json"}})));
    }
}
