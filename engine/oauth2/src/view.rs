//! Reading foreign JSON strictly: a missing or null member is empty, a member of another type is a [`Mismatch`]
//! (spec auth §9.1).

use serde_json::Value;

/// The answer does not have the documented shape, or refuses the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mismatch(pub(super) &'static str);

/// What reading gives.
pub(super) type Read<T> = Result<T, Mismatch>;

/// One place in a JSON value; missing places read as empty.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'v>(Option<&'v Value>);

impl<'v> View<'v> {
    pub(super) fn of(value: &'v Value) -> Self {
        Self(Some(value))
    }

    fn member(self, key: &str) -> Option<&'v Value> {
        self.0?.get(key).filter(|value| !value.is_null())
    }

    /// A nested object.
    pub(super) fn at(self, key: &str) -> Read<Self> {
        match self.member(key) {
            None => Ok(Self(None)),
            Some(value) if value.is_object() => Ok(Self(Some(value))),
            Some(_) => Err(Mismatch("an object was expected")),
        }
    }

    /// The objects of a list.
    pub(super) fn list(self, key: &str) -> Read<Vec<Self>> {
        match self.member(key) {
            None => Ok(Vec::new()),
            Some(value) => Self::of(value).items(),
        }
    }

    /// The objects of this list.
    pub(super) fn items(self) -> Read<Vec<Self>> {
        let items = self.0.and_then(Value::as_array).ok_or(Mismatch("a list was expected"))?;
        if items.iter().any(|item| !item.is_object() && !item.is_null()) {
            return Err(Mismatch("a list of objects was expected"));
        }
        Ok(items.iter().map(|item| Self(Some(item))).collect())
    }

    pub(super) fn text(self, key: &str) -> Read<String> {
        match self.member(key) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(Mismatch("a text was expected")),
        }
    }

    /// A list of texts.
    pub(super) fn texts(self, key: &str) -> Read<Vec<String>> {
        let Some(value) = self.member(key) else { return Ok(Vec::new()) };
        let items = value.as_array().ok_or(Mismatch("a list was expected"))?;
        let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
        texts.collect::<Option<_>>().ok_or(Mismatch("a list of texts was expected"))
    }

    pub(super) fn int(self, key: &str) -> Read<i64> {
        match self.member(key) {
            None => Ok(0),
            Some(value) => value.as_i64().ok_or(Mismatch("an integer was expected")),
        }
    }

    pub(super) fn flag(self, key: &str) -> Read<bool> {
        match self.member(key) {
            None => Ok(false),
            Some(value) => value.as_bool().ok_or(Mismatch("true or false was expected")),
        }
    }

    /// True, a non-zero number, or a text that says true.
    pub(super) fn truthy(self, key: &str) -> bool {
        match self.member(key) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::Number(n)) => n.as_f64().is_some_and(|n| n != 0.0),
            Some(Value::String(text)) => {
                matches!(text.as_str(), "1" | "t" | "T" | "TRUE" | "true" | "True")
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn strict() {
        let value = json!({"a":"x","n":5,"f":1.5,"b":true,"o":{"a":null},"l":[{"a":"y"}],"t":"T"});
        let view = View::of(&value);
        assert_eq!(view.text("a"), Ok("x".into()));
        assert_eq!(view.text("none"), Ok(String::new()));
        assert!(view.text("n").is_err() && view.int("a").is_err() && view.int("f").is_err());
        assert!(view.flag("n").is_err() && view.at("a").is_err() && view.list("o").is_err());
        assert_eq!(view.int("n"), Ok(5));
        assert_eq!(view.at("o").unwrap().text("a"), Ok(String::new()));
        assert_eq!(view.at("none").unwrap().int("deep"), Ok(0));
        assert_eq!(view.list("l").unwrap()[0].text("a"), Ok("y".into()));
        assert!(view.truthy("t") && view.truthy("n") && view.truthy("b") && !view.truthy("a"));
    }
}
