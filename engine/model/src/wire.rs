//! Structs that travel as JSON: decoding *over* an existing value and encoding in declared key order.
//!
//! The rules are those of spec collections-and-fields §0.1 and upstream-0.40 §2: keys match exactly, unknown keys are
//! skipped, `null` sets the empty value, items of lists start empty, a wrong type rejects the whole body. Forms are
//! read more loosely: [`fold`] gives their members the names of a [`Shape`] first. Must not know what the structs mean.

use serde_json::{Map, Value};

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
    /// Merges a JSON value into this one; null empties it.
    ///
    /// # Errors
    /// When the JSON type does not fit.
    fn decode(&mut self, json: &Value) -> Result<(), DecodeError>;
    /// Sets the empty value, in all members: `""`, 0, false, no items.
    fn clear(&mut self);
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
/// When `json` is no object, or a member does not fit.
pub fn decode_struct(target: &mut dyn WireStruct, json: &Value) -> Result<(), DecodeError> {
    match json {
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

/// The members of a value, and what they are.
#[derive(Debug)]
pub enum Shape {
    /// An object with these members.
    Object(&'static [(&'static str, &'static Self)]),
    /// A list of such items.
    List(&'static Self),
    /// A text.
    Text,
    /// A bool.
    Bool,
    /// A whole number.
    Integer,
    /// Not described further.
    Any,
}

/// A type whose values have one shape.
pub trait Shaped {
    /// It.
    const SHAPE: &'static Shape;
}

impl Shape {
    /// The member of that name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&'static Self> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(key, _)| *key == name).map(|(_, shape)| *shape)
    }
}

/// True if a name sent in a form means `name`: case, `_` and `-` do not count, and two letters beyond ASCII have lower
/// case letters in it.
#[must_use]
pub fn is_name(name: &str, sent: &str) -> bool {
    fn folded(text: &str) -> impl Iterator<Item = char> {
        text.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| match c {
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            c => c.to_ascii_lowercase(),
        })
    }
    name == sent || folded(name).eq(folded(sent))
}

/// The member of a form that means `name`.
///
/// # Errors
/// When two members do.
pub fn member<'m>(
    map: &'m Map<String, Value>,
    name: &str,
) -> Result<Option<&'m Value>, DecodeError> {
    let mut found = map.iter().filter(|(key, _)| is_name(name, key)).map(|(_, item)| item);
    match (found.next(), found.next()) {
        (_, Some(_)) => Err(DecodeError::new("one value").within(name)),
        (found, None) => Ok(found),
    }
}

/// Gives the members of a form the names of its shape; others are left out.
///
/// # Errors
/// When two members mean one.
pub fn fold(form: Value, shape: &Shape) -> Result<Value, DecodeError> {
    match (form, shape) {
        (Value::Object(map), Shape::Object(members)) => {
            let mut out = Map::with_capacity(map.len());
            for (key, item) in map {
                let known = members.iter().find(|(name, _)| is_name(name, &key));
                let Some((name, shape)) = known else { continue };
                let item = fold(item, shape).map_err(|e| e.within(name))?;
                let key = if key == *name { key } else { (*name).to_owned() };
                if out.insert(key, item).is_some() {
                    return Err(DecodeError::new("one value").within(name));
                }
            }
            Ok(Value::Object(out))
        }
        (Value::Array(items), Shape::List(shape)) => {
            let folded = items
                .into_iter()
                .enumerate()
                .map(|(index, item)| fold(item, shape).map_err(|e| e.within(&index.to_string())));
            folded.collect::<Result<_, _>>().map(Value::Array)
        }
        (form, _) => Ok(form),
    }
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
                $( if key == $key {
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
        impl $crate::wire::Shaped for $name {
            const SHAPE: &'static $crate::wire::Shape = &$crate::wire::Shape::Object(&[
                $( ($key, <$ty as $crate::wire::Shaped>::SHAPE), )*
            ]);
        }
        impl $crate::wire::Wire for $name {
            fn decode(&mut self, json: &serde_json::Value) -> Result<(), $crate::wire::DecodeError> {
                if json.is_null() {
                    $crate::wire::Wire::clear(self);
                    return Ok(());
                }
                $crate::wire::decode_struct(self, json)
            }
            fn clear(&mut self) {
                $( $crate::wire::Wire::clear(&mut self.$field); )*
            }
            fn encode(&self, out: &mut Vec<u8>, audience: $crate::wire::Audience) {
                $crate::wire::encode_struct(self, out, audience);
            }
        }
    )+ };
}

impl Shaped for String {
    const SHAPE: &'static Shape = &Shape::Text;
}

impl Wire for String {
    fn decode(&mut self, json: &Value) -> Result<(), DecodeError> {
        match json {
            Value::Null => {
                self.clear();
                Ok(())
            }
            Value::String(text) => {
                self.clone_from(text);
                Ok(())
            }
            _ => Err(DecodeError::new("string")),
        }
    }
    fn clear(&mut self) {
        self.clear();
    }
    fn encode(&self, out: &mut Vec<u8>, _: Audience) {
        crate::json::write_str(out, self);
    }
    fn is_blank(&self) -> bool {
        self.is_empty()
    }
}

impl Shaped for bool {
    const SHAPE: &'static Shape = &Shape::Bool;
}

impl Wire for bool {
    fn decode(&mut self, json: &Value) -> Result<(), DecodeError> {
        *self = match json {
            Value::Null => false,
            Value::Bool(value) => *value,
            _ => return Err(DecodeError::new("bool")),
        };
        Ok(())
    }
    fn clear(&mut self) {
        *self = false;
    }
    fn encode(&self, out: &mut Vec<u8>, _: Audience) {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
    }
    fn is_blank(&self) -> bool {
        !*self
    }
}

impl Shaped for i64 {
    const SHAPE: &'static Shape = &Shape::Integer;
}

impl Wire for i64 {
    fn decode(&mut self, json: &Value) -> Result<(), DecodeError> {
        let number = if json.is_null() { Some(0) } else { json.as_i64() };
        *self = number.ok_or_else(|| DecodeError::new("integer"))?;
        Ok(())
    }
    fn clear(&mut self) {
        *self = 0;
    }
    fn encode(&self, out: &mut Vec<u8>, _: Audience) {
        out.extend_from_slice(itoa::Buffer::new().format(*self).as_bytes());
    }
}

impl Shaped for f64 {
    const SHAPE: &'static Shape = &Shape::Any;
}

impl Wire for f64 {
    fn decode(&mut self, json: &Value) -> Result<(), DecodeError> {
        let number = if json.is_null() { Some(0.0) } else { json.as_f64() };
        *self = number.filter(|n| n.is_finite()).ok_or_else(|| DecodeError::new("number"))?;
        Ok(())
    }
    fn clear(&mut self) {
        *self = 0.0;
    }
    fn encode(&self, out: &mut Vec<u8>, _: Audience) {
        crate::json::write_f64(out, *self);
    }
}

impl<T: Shaped> Shaped for Option<T> {
    const SHAPE: &'static Shape = T::SHAPE;
}

impl<T: Wire + Default> Wire for Option<T> {
    fn decode(&mut self, json: &Value) -> Result<(), DecodeError> {
        if json.is_null() {
            *self = None;
            return Ok(());
        }
        self.get_or_insert_with(T::default).decode(json)
    }
    fn clear(&mut self) {
        *self = None;
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

impl<T: Shaped> Shaped for Vec<T> {
    const SHAPE: &'static Shape = &Shape::List(T::SHAPE);
}

/// Decodes a list; `blank` is what an item is laid over.
///
/// # Errors
/// When it is neither a list nor null, or an item does not fit.
pub fn decode_list<T: Wire>(
    json: &Value,
    blank: impl Fn(&Value) -> T,
) -> Result<Vec<T>, DecodeError> {
    let items = match json {
        Value::Null => &[][..],
        Value::Array(items) => items,
        _ => return Err(DecodeError::new("list")),
    };
    let decoded = items.iter().enumerate().map(|(index, item)| {
        let mut slot = blank(item);
        slot.decode(item).map_err(|e| e.within(&index.to_string()))?;
        Ok(slot)
    });
    decoded.collect()
}

impl<T: Wire + Default> Wire for Vec<T> {
    /// Replaces all items: nothing is taken from the old one at the same position.
    fn decode(&mut self, json: &Value) -> Result<(), DecodeError> {
        *self = decode_list(json, |_| T::default())?;
        Ok(())
    }
    fn clear(&mut self) {
        self.clear();
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

impl Shaped for Map<String, Value> {
    const SHAPE: &'static Shape = &Shape::Any;
}

impl Wire for Map<String, Value> {
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
    fn clear(&mut self) {
        self.clear();
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
                json!({"list":[{"name":"a","secret":"s","n":1},{"name":"b"}],"flag":true,"rate":2,"x":1}),
                r#"{"list":[{"name":"a","secret":"s","n":1},{"name":"b","n":0}],"flag":true,"inner":{"name":"","n":0},"rate":2,"extra":{}}"#,
            ),
            // an item begins empty; names match exactly
            (
                json!({"list":[{"name":"c","N":7}],"FLAG":false,"inner":{"name":"i","n":3},"extra":{"z":1,"a":"b"}}),
                r#"{"list":[{"name":"c","n":0}],"flag":true,"inner":{"name":"i","n":3},"rate":2,"extra":{"a":"b","z":1}}"#,
            ),
            // null empties
            (
                json!({"list":[{"name":null},null],"flag":null,"inner":{"n":null},"rate":null,"extra":{"y":2}}),
                r#"{"list":[{"name":"","n":0},{"name":"","n":0}],"flag":null,"inner":{"name":"i","n":0},"rate":0,"extra":{"a":"b","y":2,"z":1}}"#,
            ),
        ];
        for (body, want) in steps {
            outer.decode(&body).unwrap();
            assert_eq!(to_string(&outer, Audience::Db), want);
        }
        let shown = to_string(&outer, Audience::Api);
        outer.decode(&json!({"list":null,"inner":null,"extra":null})).unwrap();
        assert_eq!(outer, Outer::default(), "{shown}");
        outer.decode(&json!({"inner":{"name":"i","secret":"s"}})).unwrap();
        outer.decode(&Value::Null).unwrap();
        assert_eq!(outer, Outer::default());
    }

    #[test]
    fn names_of_forms() {
        for (name, sent, same) in [
            ("appName", "appName", true),
            ("appName", "APPNAME", true),
            ("appName", "app_name", true),
            ("appName", "-a-p-p_Name_", true),
            ("appName", "app.name", false),
            ("appName", " appName", false),
            ("appName", "appNam", false),
            ("password", "pa\u{17f}\u{17f}word", true),
            ("maxBodyKB", "maxBody\u{212a}b", true),
            ("identity", "\u{130}dentity", false),
        ] {
            assert_eq!(is_name(name, sent), same, "{sent}");
        }
        for (form, want) in [
            (
                json!({"LIST":[{"N_ame":"a"}],"In-ner":{"N":1}}),
                Some(json!({"list":[{"name":"a"}],"inner":{"n":1}})),
            ),
            (json!({"x":1,"X":2,"extra":{"A":1,"a":2}}), Some(json!({"extra":{"A":1,"a":2}}))),
            (json!({"list":null,"inner":[1]}), Some(json!({"list":null,"inner":[1]}))),
            (json!(5), Some(json!(5))),
            (json!({"flag":true,"Flag":true}), None),
            (json!({"list":[{},{"name":"a","NAME":"a"}]}), None),
        ] {
            assert_eq!(fold(form.clone(), Outer::SHAPE).ok(), want, "{form}");
        }
        let map = json!({"a_b":1,"C":2,"c":2});
        let map = map.as_object().unwrap();
        assert_eq!(member(map, "ab").unwrap(), Some(&json!(1)));
        assert_eq!(member(map, "d").unwrap(), None);
        assert!(member(map, "c").is_err());
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
