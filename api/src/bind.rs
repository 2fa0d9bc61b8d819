//! Bodies read member by member into typed values: JSON must have the member's type, a form's text becomes it.
//!
//! Knows no form of any endpoint. Record bodies do not come here: their values are inferred ([`Payload::data`]).
//! Source: spec records-files-realtime-batch §1.4, §1.5; auth §0.

use engine::wire::{self, DecodeError, Shape};
use serde_json::{Map, Value};

use crate::{
    body::{Fault, Payload},
    error::{ApiError, Result, UNREADABLE},
    request::Req,
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
    /// Names of forms, and of JSON inside them, match exactly; in JSON case, `_` and `-` do not count.
    form: bool,
}

enum Found<'a> {
    Nothing,
    Json(&'a Value),
    Texts(&'a [String]),
}

impl Found<'_> {
    fn text(self, name: &str) -> Result<String> {
        match self {
            Self::Nothing | Self::Json(Value::Null) => Ok(String::new()),
            Self::Texts(texts) => Ok(texts.first().cloned().unwrap_or_default()),
            Self::Json(value) => {
                text_of(value).ok_or_else(|| unreadable(format!("{name} must be a string")))
            }
        }
    }
}

impl Members {
    /// Reads a request's body; an empty one has no members.
    ///
    /// # Errors
    /// 400 for what cannot be decoded or is no object; 413 beyond the limit.
    pub(crate) async fn of(req: &mut Req) -> Result<Self> {
        let payload = req.payload().await.map_err(|fault| match fault {
            Fault::Malformed(detail) => unreadable(detail),
            other => other.into(),
        })?;
        Self::of_payload(payload)
    }

    /// The same for endpoints that say of every body they cannot read that they cannot, also of one beyond the limit.
    ///
    /// # Errors
    /// 400.
    pub(crate) async fn or_unreadable(req: &mut Req) -> Result<Self> {
        Self::of_payload(req.payload().await.map_err(|fault| unreadable(fault.to_string()))?)
    }

    /// The members of a decoded body.
    ///
    /// # Errors
    /// 400 for arrays and scalars.
    pub(crate) fn of_payload(mut payload: Payload) -> Result<Self> {
        let texts = std::mem::take(&mut payload.texts);
        let form = payload.form;
        let map = payload.into_map().map_err(|fault| unreadable(fault.to_string()))?;
        Ok(Self { map, texts, form })
    }

    /// What `@request.body.*` and hooks see.
    pub(crate) fn into_map(self) -> Map<String, Value> {
        self.map
    }

    fn exact(&self, name: &str) -> Found<'_> {
        match self.texts.iter().find(|(key, _)| key == name) {
            Some((_, texts)) => Found::Texts(texts),
            None => self.map.get(name).map_or(Found::Nothing, Found::Json),
        }
    }

    fn find(&self, name: &str) -> Result<Found<'_>> {
        if self.form {
            return Ok(self.exact(name));
        }
        let found = wire::member(&self.map, name).map_err(|e| unreadable(e.to_string()))?;
        Ok(found.map_or(Found::Nothing, Found::Json))
    }

    /// A text; absent and null are empty.
    ///
    /// # Errors
    /// 400 for JSON that is no string, and for two members that mean this one.
    pub(crate) fn text(&self, name: &str) -> Result<String> {
        self.find(name)?.text(name)
    }

    /// A text of either of two members whose names differ in case only; the first one counts.
    ///
    /// # Errors
    /// 400 for JSON that is no string, and for names that could mean both.
    pub(crate) fn twin_text(&self, twins: [&str; 2]) -> Result<String> {
        let means_both = |key: &String| wire::is_name(twins[0], key) && !twins.contains(&&**key);
        if !self.form && self.map.keys().any(means_both) {
            return Err(unreadable(format!("{} or {}", twins[0], twins[1])));
        }
        let first = self.exact(twins[0]).text(twins[0])?;
        if first.is_empty() { self.exact(twins[1]).text(twins[1]) } else { Ok(first) }
    }

    /// A whole number; absent, null and empty text are 0.
    ///
    /// # Errors
    /// 400 for anything else.
    pub(crate) fn integer(&self, name: &str) -> Result<i64> {
        let found = match self.find(name)? {
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
        match self.find(name)? {
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
        match self.find(name)? {
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

/// A body of a known shape. Names in JSON match as those of [`Members`] do.
///
/// # Errors
/// 400 for two members that mean one, and as [`nested`].
pub(crate) fn shaped(payload: Payload, shape: &Shape) -> Result<Value> {
    if payload.form {
        return nested(payload, |name| shape.member(name));
    }
    wire::fold(payload.data, shape).map_err(|e: DecodeError| unreadable(e.to_string()))
}

/// A body for a nested structure: JSON as it is; texts of forms reach members through dotted keys and become what the
/// member is, which `member` knows. Texts for objects and lists of objects say nothing; nor do members of other names.
///
/// # Errors
/// 400 for a text that is no number or bool where one is needed.
pub(crate) fn nested(
    mut payload: Payload,
    member: impl Fn(&str) -> Option<&'static Shape>,
) -> Result<Value> {
    let texts = std::mem::take(&mut payload.texts);
    let Value::Object(mut out) = payload.data else { return Ok(payload.data) };
    if !payload.form {
        return Ok(Value::Object(out));
    }
    out.retain(|key, _| member(key).is_some() && !texts.iter().any(|(text, _)| text == key));
    for (key, texts) in &texts {
        let path: Vec<&str> = key.split('.').collect();
        let mut parts = path.iter();
        let first = parts.next().and_then(|part| member(part));
        let shape = parts.try_fold(first, |at, part| Some(at?.member(part))).flatten();
        let Some(value) = shape.map(|shape| typed(shape, texts)).transpose()?.flatten() else {
            continue;
        };
        put(&mut out, &path, value);
    }
    Ok(Value::Object(out))
}

/// The texts as a value of a shape.
fn typed(shape: &Shape, texts: &[String]) -> Result<Option<Value>> {
    let first = || texts.first().map_or("", String::as_str);
    Ok(match shape {
        Shape::Object(_) | Shape::Any => None,
        Shape::List(Shape::Text) => {
            Some(texts.iter().map(|text| Value::from(text.as_str())).collect())
        }
        Shape::List(_) => None,
        Shape::Text => Some(Value::from(first())),
        Shape::Bool => {
            Some(flag_of(texts).ok_or_else(|| unreadable("a bool was expected"))?.into())
        }
        Shape::Integer => {
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
        assert_eq!(json(json!({"new_email": "x"})).text("newEmail").ok().as_deref(), Some("x"));
        assert!(json(json!({"a": "x", "A": "x"})).text("a").is_err());
        assert!(json(json!({"a": "x", "b": 1, "B": 2})).text("a").is_ok());
        assert_eq!(json(json!({"a": null})).text("a").ok().as_deref(), Some(""));
        assert!(json(json!({"a": 1})).text("a").is_err());
        for (body, want) in [
            (json!({"xURL": "a", "xUrl": "b"}), Some("a")),
            (json!({"xURL": "", "xUrl": "b"}), Some("b")),
            (json!({}), Some("")),
            (json!({"xurl": "a"}), None),
            (json!({"xURL": 1}), None),
        ] {
            assert_eq!(json(body).twin_text(["xURL", "xUrl"]).ok().as_deref(), want);
        }
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
        assert_eq!(members.text("N").ok().as_deref(), Some(""), "of exact names");
    }

    const SHAPE: &Shape = &Shape::Object(&[
        (
            "meta",
            &Shape::Object(&[("name", &Shape::Text), ("n", &Shape::Integer), ("on", &Shape::Bool)]),
        ),
        ("ips", &Shape::List(&Shape::Text)),
        ("rules", &Shape::List(&Shape::Object(&[("a", &Shape::Integer)]))),
    ]);

    #[test]
    fn dotted_keys_become_what_the_member_is() {
        let read = |json, texts: &[(&str, &[&str])]| shaped(form(json, texts), SHAPE);
        for (texts, want) in [
            (&[("meta.name", &["12"][..])][..], json!({"meta": {"name": "12"}})),
            (
                &[("meta.n", &["12"]), ("meta.on", &["true"])],
                json!({"meta": {"n": 12, "on": true}}),
            ),
            (&[("ips", &["a", "b"])], json!({"ips": ["a", "b"]})),
            (&[("meta", &["x"]), ("rules", &["x"]), ("no.such", &["x"])], json!({})),
            (&[("Meta.name", &["x"]), ("meta.na_me", &["x"]), ("rules.0.a", &["1"])], json!({})),
        ] {
            assert_eq!(read(json!({}), texts).ok(), Some(want), "{texts:?}");
        }
        assert!(read(json!({}), &[("meta.n", &["x"])]).is_err());
        let said = read(json!({"meta": {"name": "json"}}), &[("meta.name", &["text"])]);
        assert_eq!(said.ok(), Some(json!({"meta": {"name": "json"}})));
        let said = read(json!({"Meta": {"name": "json"}, "no": 1}), &[]);
        assert_eq!(said.ok(), Some(json!({})), "names of JSON inside a form are exact");
        assert_eq!(read(Value::Null, &[]).ok(), Some(Value::Null));
    }

    #[test]
    fn names_in_json() {
        let read = |data| shaped(Payload { data, ..Payload::default() }, SHAPE).ok();
        let want = json!({"meta": {"name": "x"}, "rules": [{"a": 1}]});
        assert_eq!(
            read(json!({"ME_TA": {"Name": "x"}, "rules": [{"A": 1}], "x": 1, "X": 2})),
            Some(want)
        );
        assert_eq!(read(json!({"meta": {"n": 1, "N": 1}})), None);
        assert_eq!(read(json!([])), Some(json!([])));
        assert_eq!(read(Value::Null), Some(Value::Null));
    }
}
