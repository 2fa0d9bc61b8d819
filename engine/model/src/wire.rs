//! Structs that travel as JSON: decoding *over* an existing value and encoding in declared key order.
//!
//! The rules are those of spec collections-and-fields §0.1: keys match ignoring case, unknown keys are
//! skipped, `null` on a scalar or struct changes nothing, lists merge by index, a wrong type rejects the
//! whole body. Must not know what the structs mean.

use serde_json::Value;

/// A value of the wrong JSON type; the whole body is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: expected {expected}")]
pub struct DecodeError {
    /// Where, in dots.
    pub path: String,
    /// What was expected there.
    pub expected: &'static str,
}

impl DecodeError {
    /// An error at the current place.
    #[must_use]
    pub fn new(expected: &'static str) -> Self {
        Self { path: String::new(), expected }
    }
    /// The same error seen from one level up.
    #[must_use]
    pub fn within(mut self, key: &str) -> Self {
        self.path =
            if self.path.is_empty() { key.to_owned() } else { format!("{key}.{}", self.path) };
        self
    }
}

/// Who will read the encoded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// A client: secrets are absent.
    Api,
    /// The database: secrets are kept.
    Db,
}

/// A value with a JSON form.
pub trait Wire {
    /// Merges a JSON value into this one.
    ///
    /// # Errors
    /// When the JSON type does not fit.
    fn decode(&mut self, json: &Value) -> Result<(), DecodeError>;
    /// Appends the compact JSON form.
    fn encode(&self, out: &mut Vec<u8>, audience: Audience);
    /// True for the empty string or list, and for false.
    fn is_blank(&self) -> bool {
        false
    }
}

/// A struct made by `wire!`: its keys one by one.
pub trait WireStruct {
    /// Decodes one key; false when the key is not known.
    ///
    /// # Errors
    /// When the JSON type does not fit.
    fn decode_key(&mut self, key: &str, json: &Value) -> Result<bool, DecodeError>;
    /// Shows every key and value the audience may see, in declared order.
    fn visit<'a>(&'a self, audience: Audience, see: &mut dyn FnMut(&'static str, &'a dyn Wire));
}

/// Encodes any value to a string.
#[must_use]
pub fn to_string(value: &dyn Wire, audience: Audience) -> String {
    let mut out = Vec::with_capacity(256);
    value.encode(&mut out, audience);
    String::from_utf8(out).expect("encoders write UTF-8")
}

/// Decodes every key of an object over a struct.
///
/// # Errors
/// When `json` is neither an object nor null, or a member does not fit.
pub fn decode_struct(target: &mut dyn WireStruct, json: &Value) -> Result<(), DecodeError> {
    match json {
        Value::Null => Ok(()),
        Value::Object(map) => {
            for (key, item) in map {
                target.decode_key(key, item).map_err(|e| e.within(key))?;
            }
            Ok(())
        }
        _ => Err(DecodeError::new("object")),
    }
}

/// Encodes a struct as an object in declared key order.
pub fn encode_struct(source: &dyn WireStruct, out: &mut Vec<u8>, audience: Audience) {
    out.push(b'{');
    let mut first = true;
    source.visit(audience, &mut |key, value| {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":");
        value.encode(out, audience);
    });
    out.push(b'}');
}

/// Whether a key is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// To everybody.
    Always,
    /// To the database only.
    Secret,
    /// To the database only, and there only when not empty.
    SecretUnlessBlank,
    /// To everybody, when not empty.
    UnlessBlank,
}

impl Show {
    /// Decides for one value.
    #[must_use]
    pub fn allows(self, audience: Audience, value: &dyn Wire) -> bool {
        match self {
            Self::Always => true,
            Self::Secret => audience == Audience::Db,
            Self::SecretUnlessBlank => audience == Audience::Db && !value.is_blank(),
            Self::UnlessBlank => !value.is_blank(),
        }
    }
}

/// Declares a struct with a JSON form: `name: Type = "key"`, optionally followed by a [`Show`] variant.
#[macro_export]
#[doc(hidden)]
macro_rules! wire {
    (@show) => { $crate::wire::Show::Always };
    (@show $show:ident) => { $crate::wire::Show::$show };
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$fmeta:meta])* $field:ident : $ty:ty = $key:literal $([$show:ident])? ),* $(,)?
        }
    )+) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $( $(#[$fmeta])* pub $field: $ty, )*
        }
        impl $crate::wire::WireStruct for $name {
            fn decode_key(
                &mut self,
                key: &str,
                json: &serde_json::Value,
            ) -> Result<bool, $crate::wire::DecodeError> {
                let _ = (key, json);
                $( if key.eq_ignore_ascii_case($key) {
                    $crate::wire::Wire::decode(&mut self.$field, json)?;
                    return Ok(true);
                } )*
                Ok(false)
            }
            fn visit<'a>(
                &'a self,
                audience: $crate::wire::Audience,
                see: &mut dyn FnMut(&'static str, &'a dyn $crate::wire::Wire),
            ) {
                let _ = (audience, &see);
                $( if $crate::wire!(@show $($show)?).allows(audience, &self.$field) {
                    see($key, &self.$field);
                } )*
            }
        }
        impl $crate::wire::Wire for $name {
            fn decode(&mut self, json: &serde_json::Value) -> Result<(), $crate::wire::DecodeError> {
                $crate::wire::decode_struct(self, json)
            }
            fn encode(&self, out: &mut Vec<u8>, audience: $crate::wire::Audience) {
                $crate::wire::encode_struct(self, out, audience);
            }
        }
    )+ };
}

impl Wire for String {
    fn decode(&mut self, json: &Value) -> Result<(), DecodeError> {
        match json {
            Value::Null => Ok(()),
            Value::String(text) => {
                self.clone_from(text);
                Ok(())
            }
            _ => Err(DecodeError::new("string")),
        }
    }
    fn encode(&self, out: &mut Vec<u8>, _: Audience) {
        crate::json::write_str(out, self);
    }
    fn is_blank(&self) -> bool {
        self.is_empty()
    }
}

impl Wire for bool {
    fn decode(&mut self, json: &Value) -> Result<(), DecodeError> {
        match json {
            Value::Null => Ok(()),
            Value::Bool(value) => {
                *self = *value;
                Ok(())
            }
            _ => Err(DecodeError::new("bool")),
        }
    }
    fn encode(&self, out: &mut Vec<u8>, _: Audience) {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
    }
    fn is_blank(&self) -> bool {
        !*self
    }
}

impl Wire for i64 {
    fn decode(&mut self, json: &Value) -> Result<(), DecodeError> {
        match json {
            Value::Null => Ok(()),
            Value::Number(number) => {
                *self = number.as_i64().ok_or_else(|| DecodeError::new("integer"))?;
                Ok(())
            }
            _ => Err(DecodeError::new("integer")),
        }
    }
    fn encode(&self, out: &mut Vec<u8>, _: Audience) {
        out.extend_from_slice(itoa::Buffer::new().format(*self).as_bytes());
    }
}

impl Wire for f64 {
    fn decode(&mut self, json: &Value) -> Result<(), DecodeError> {
        match json {
            Value::Null => Ok(()),
            Value::Number(number) => {
                *self = number
                    .as_f64()
                    .filter(|n| n.is_finite())
                    .ok_or_else(|| DecodeError::new("number"))?;
                Ok(())
            }
            _ => Err(DecodeError::new("number")),
        }
    }
    fn encode(&self, out: &mut Vec<u8>, _: Audience) {
        crate::json::write_f64(out, *self);
    }
}

impl<T: Wire + Default> Wire for Option<T> {
    fn decode(&mut self, json: &Value) -> Result<(), DecodeError> {
        if json.is_null() {
            *self = None;
            return Ok(());
        }
        self.get_or_insert_with(T::default).decode(json)
    }
    fn encode(&self, out: &mut Vec<u8>, audience: Audience) {
        match self {
            Some(value) => value.encode(out, audience),
            None => out.extend_from_slice(b"null"),
        }
    }
    fn is_blank(&self) -> bool {
        self.as_ref().is_none_or(Wire::is_blank)
    }
}

impl<T: Wire + Default> Wire for Vec<T> {
    /// Merges by index; a shorter list truncates, `null` clears.
    fn decode(&mut self, json: &Value) -> Result<(), DecodeError> {
        let items = match json {
            Value::Null => {
                self.clear();
                return Ok(());
            }
            Value::Array(items) => items,
            _ => return Err(DecodeError::new("list")),
        };
        self.resize_with(items.len(), T::default);
        for (index, (slot, item)) in self.iter_mut().zip(items).enumerate() {
            slot.decode(item).map_err(|e| e.within(&index.to_string()))?;
        }
        Ok(())
    }
    fn encode(&self, out: &mut Vec<u8>, audience: Audience) {
        out.push(b'[');
        for (index, item) in self.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            item.encode(out, audience);
        }
        out.push(b']');
    }
    fn is_blank(&self) -> bool {
        self.is_empty()
    }
}

impl Wire for serde_json::Map<String, Value> {
    /// Adds or replaces the given keys, `null` clears; numbers become floats.
    fn decode(&mut self, json: &Value) -> Result<(), DecodeError> {
        match json {
            Value::Null => {
                self.clear();
                Ok(())
            }
            Value::Object(map) => {
                self.extend(map.iter().map(|(k, v)| (k.clone(), v.clone())));
                Ok(())
            }
            _ => Err(DecodeError::new("object")),
        }
    }
    fn encode(&self, out: &mut Vec<u8>, _: Audience) {
        crate::json::write_sorted(out, &Value::Object(self.clone()));
    }
    fn is_blank(&self) -> bool {
        self.is_empty()
    }
}

#[cfg(test)]
#[allow(unreachable_pub)]
mod tests {
    use super::*;
    use serde_json::json;

    wire! {
        /// Inner.
        #[derive(Default)]
        pub struct Inner { name: String = "name", secret: String = "secret" [SecretUnlessBlank], n: i64 = "n" }
        /// Outer.
        #[derive(Default)]
        pub struct Outer {
            list: Vec<Inner> = "list", flag: Option<bool> = "flag", inner: Inner = "inner",
            rate: f64 = "rate", extra: serde_json::Map<String, Value> = "extra",
        }
    }

    #[test]
    fn merges_like_the_reference() {
        let mut outer = Outer::default();
        let steps = [
            (
                json!({"LIST":[{"name":"a","secret":"s","n":1},{"name":"b"}],"flag":true,"x":1}),
                r#"{"list":[{"name":"a","secret":"s","n":1},{"name":"b","n":0}],"flag":true,"inner":{"name":"","n":0},"rate":0,"extra":{}}"#,
            ),
            (
                json!({"list":[{"name":"c"}],"flag":null,"inner":null,"rate":1e21,"extra":{"z":1,"a":"<"}}),
                r#"{"list":[{"name":"c","secret":"s","n":1}],"flag":null,"inner":{"name":"","n":0},"rate":1e+21,"extra":{"a":"<","z":1}}"#,
            ),
        ];
        for (body, want) in steps {
            outer.decode(&body).unwrap();
            assert_eq!(to_string(&outer, Audience::Db), want);
        }
        assert!(to_string(&outer, Audience::Api).contains(r#"{"name":"c","n":1}"#));
    }

    #[test]
    fn wrong_types_are_errors() {
        for (body, path) in [
            (json!([]), ""),
            (json!({"list":{}}), "list"),
            (json!({"list":[{"n":1.5}]}), "list.0.n"),
            (json!({"list":[{"n":"1"}]}), "list.0.n"),
            (json!({"flag":1}), "flag"),
            (json!({"inner":{"name":1}}), "inner.name"),
        ] {
            assert_eq!(Outer::default().decode(&body).unwrap_err().path, path, "{body}");
        }
    }
}
