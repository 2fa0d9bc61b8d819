//! JSON that others wrote, read strictly: no key twice, no half of a surrogate pair, no bytes that are not UTF-8, no
//! number beyond doubles, at most [`MAX_DEPTH`] levels (spec upstream-0.40 §2), not more values than [`count`] allows.
//!
//! A value never nests deeper than a stack bears, whatever a client sent: what lies below the first `TREE` levels is
//! kept as text (`deep.rs`). Must not know what the values mean.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Value, map::Entry, value::RawValue};

use super::{count, deep};

/// What stops a reader; for the log.
pub type Fault = serde_json::Error;

/// Most levels of arrays and objects.
pub const MAX_DEPTH: usize = 10_000;
/// Levels of our own answers around a stored value.
const ENVELOPE: usize = 1000;
/// Levels that are kept as a tree. Below serde_json's own limit of 128.
const TREE: usize = 100;

/// What a second member of the same key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Twice {
    /// A fault.
    Refused,
    /// The one that counts.
    Wins,
}

impl Twice {
    /// Most levels in what is read so.
    pub(super) fn max_depth(self) -> usize {
        match self {
            Self::Refused => MAX_DEPTH,
            Self::Wins => MAX_DEPTH + ENVELOPE,
        }
    }
}

/// The first value of a body; what follows is ignored, as a stream decoder does.
///
/// # Errors
/// When there is no sound value at the start, or it is of too many.
pub fn first(text: &[u8]) -> Result<Value, Fault> {
    if !count::fits(text) {
        return Err(too_many());
    }
    let mut value = Value::Null;
    Slot::new(&mut value, Twice::Refused)
        .deserialize(&mut serde_json::Deserializer::from_slice(text))?;
    Ok(value)
}

/// The value that is all of a text.
///
/// # Errors
/// When it is not sound, or something follows.
pub fn whole(text: &str) -> Result<Value, Fault> {
    let (value, fault) = until_fault(text);
    fault.map_or(Ok(value), Err)
}

/// What was read before the first fault, and the fault.
#[must_use]
pub fn until_fault(text: &str) -> (Value, Option<Fault>) {
    if !count::fits(text.as_bytes()) {
        return (Value::Null, Some(too_many()));
    }
    let mut value = Value::Null;
    let mut source = serde_json::Deserializer::from_str(text);
    let read = Slot::new(&mut value, Twice::Refused).deserialize(&mut source);
    (value, read.and_then(|()| source.end()).err())
}

/// A text of a shape that is known; a type of serde decides what is strict.
///
/// # Errors
/// When it has another shape, or is of too many values.
pub fn typed<'t, T: Deserialize<'t>>(text: &'t [u8]) -> Result<T, Fault> {
    if !count::fits(text) {
        return Err(too_many());
    }
    serde_json::from_slice(text)
}

fn too_many() -> Fault {
    Fault::custom("too many values")
}

/// A text of our own making, which stored JSON stands in: of a key that comes twice the last one counts, and halves of
/// surrogate pairs are U+FFFD.
///
/// # Errors
/// When it is not JSON.
pub fn own(text: &[u8]) -> Result<Value, Fault> {
    let read = |text: &[u8]| {
        let mut value = Value::Null;
        let mut source = serde_json::Deserializer::from_slice(text);
        Slot::new(&mut value, Twice::Wins).deserialize(&mut source)?;
        source.end().map(|()| value)
    };
    read(text).or_else(|fault| match std::str::from_utf8(text).map(super::mend_half_pairs) {
        Ok(Cow::Owned(mended)) => read(mended.as_bytes()),
        _ => Err(fault),
    })
}

/// True for JSON that may be stored: no key twice, no number beyond doubles, not too deep. Halves of surrogate pairs may
/// stand in it.
#[must_use]
pub fn is_sound(text: &str) -> bool {
    let check = |text: &str| {
        let mut source = serde_json::Deserializer::from_str(text);
        Sound { depth: 0 }.deserialize(&mut source).and_then(|()| source.end()).is_ok()
    };
    check(text)
        || match super::mend_half_pairs(text) {
            Cow::Owned(mended) => check(&mended),
            Cow::Borrowed(_) => false,
        }
}

/// A value being read into its place, so that what came before a fault stays there.
struct Slot<'a> {
    into: &'a mut Value,
    twice: Twice,
    depth: usize,
}

impl<'a> Slot<'a> {
    fn new(into: &'a mut Value, twice: Twice) -> Self {
        Self { into, twice, depth: 0 }
    }

    fn fill<'de, A: MapAccess<'de>>(
        map: &mut Map<String, Value>,
        members: &mut A,
        twice: Twice,
        depth: usize,
    ) -> Result<(), A::Error> {
        while let Some(key) = members.next_key::<String>()? {
            if deep::is_mark(&key) {
                return Err(A::Error::custom("a key that is not for clients"));
            }
            let mut item = Value::Null;
            let slot = Slot { into: &mut item, twice, depth };
            let read = match map.entry(key) {
                Entry::Vacant(place) => {
                    let read = members.next_value_seed(slot);
                    place.insert(item);
                    read
                }
                Entry::Occupied(mut place) if twice == Twice::Wins => {
                    let read = members.next_value_seed(slot);
                    place.insert(item);
                    read
                }
                Entry::Occupied(place) => Err(deep::twice(place.key())),
            };
            read?;
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Slot<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        if self.depth < TREE {
            return source.deserialize_any(self);
        }
        let raw = <&RawValue>::deserialize(source)?;
        *self.into = deep::read(raw.get(), self.twice, self.depth)?;
        Ok(())
    }
}

impl<'de> Visitor<'de> for Slot<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        *self.into = Value::Null;
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        *self.into = Value::Bool(value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        *self.into = value.into();
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        *self.into = value.into();
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        *self.into = value.into();
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        *self.into = Value::String(value.to_owned());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut list = Vec::new();
        let depth = self.depth + 1;
        let read = loop {
            let mut item = Value::Null;
            match items.next_element_seed(Slot { into: &mut item, twice: self.twice, depth }) {
                Ok(Some(())) => list.push(item),
                Ok(None) => break Ok(()),
                Err(fault) => {
                    list.push(item);
                    break Err(fault);
                }
            }
        };
        *self.into = Value::Array(list);
        read
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut map = Map::new();
        let read = Self::fill(&mut map, &mut members, self.twice, self.depth + 1);
        *self.into = Value::Object(map);
        read
    }
}

/// A value that is only looked at.
#[derive(Clone, Copy)]
struct Sound {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Sound {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        if self.depth < TREE {
            return source.deserialize_any(self);
        }
        let raw = <&RawValue>::deserialize(source)?;
        deep::read(raw.get(), Twice::Refused, self.depth).map(drop)
    }
}

impl<'de> Visitor<'de> for Sound {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Self { depth: self.depth + 1 })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut keys = Keys::default();
        while let Some(key) = members.next_key_seed(Key)? {
            if let Some(key) = keys.add(key) {
                return Err(deep::twice(&key));
            }
            members.next_value_seed(Self { depth: self.depth + 1 })?;
        }
        Ok(())
    }
}

/// A key, borrowed where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Self::Value, D::Error> {
        source.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// The keys of one object: compared one by one while they are few.
#[derive(Default)]
struct Keys<'de> {
    few: smallvec::SmallVec<[Cow<'de, str>; 8]>,
    many: HashSet<Cow<'de, str>>,
}

impl<'de> Keys<'de> {
    /// Gives the key back if it was there before.
    fn add(&mut self, key: Cow<'de, str>) -> Option<Cow<'de, str>> {
        if self.few.contains(&key) || self.many.contains(&key) {
            return Some(key);
        }
        if self.few.len() < 8 {
            self.few.push(key);
        } else {
            self.many.insert(key);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::value_sorted, *};

    /// Text, what a body becomes, and whether a json field takes the text.
    #[test]
    fn sound_and_unsound() {
        for (text, body, sound) in [
            (
                r#" {"a":1,"b":[true,null,"x\n\ud83d\ude00"]} "#,
                Some(json!({"a":1,"b":[true,null,"x\n\u{1F600}"]})),
                true,
            ),
            (
                r#"[1,-1,1.5,1e3,18446744073709551615,-0.0,0]"#,
                Some(json!([1, -1, 1.5, 1e3, u64::MAX, -0.0, 0])),
                true,
            ),
            (r#"{"a":1} trailing"#, Some(json!({"a":1})), false),
            ("nullx", Some(Value::Null), false),
            (r#"{"a":1,"a":1}"#, None, false),
            (r#"{"a":1,"\u0061":1}"#, None, false),
            (r#"{"":1,"":2}"#, None, false),
            (r#"[{"b":{"c":1,"c":2}}]"#, None, false),
            (r#"{"a":1,"A":2}"#, Some(json!({"a":1,"A":2})), true),
            (r#"{"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"9":0}"#, None, false),
            (r#"{"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"1":0}"#, None, false),
            (r#""\ud800""#, None, true),
            (r#"{"a":"\udc00\ud800"}"#, None, true),
            ("1e400", None, false),
            ("[-1e999]", None, false),
            ("1e-999", Some(json!(0.0)), true),
            ("", None, false),
            ("  ", None, false),
            ("\u{feff}{}", None, false),
            ("{\"a\":1 /* c */}", None, false),
            ("{\"a\":1,}", None, false),
            ("{'a':1}", None, false),
            ("{\"a\"", None, false),
            ("\"a\nb\"", None, false),
            ("01", None, false),
            ("{\"\\u0000kept\":1}", None, true),
        ] {
            assert_eq!(first(text.as_bytes()).ok(), body, "{text}");
            assert_eq!(is_sound(text), sound, "{text}");
        }
        assert!(first(b"{\"a\":\"\xff\"}").is_err());
        assert!(first(b"{\"\xff\":1}").is_err());
        assert!(first(b"{\"a\":1}\xff").is_ok());
        assert!(whole("{} ").is_ok() && whole("{} x").is_err());
    }

    #[test]
    fn too_many_values() {
        let list = |n: usize, levels: usize| {
            let (open, close) = ("[".repeat(levels), "]".repeat(levels));
            format!("{open}{}0{close}", "0,".repeat(n - levels - 1))
        };
        for (n, levels, fits) in [
            (count::MAX_VALUES, 1, true),
            (count::MAX_VALUES, TREE + 50, true),
            (count::MAX_VALUES + 1, 1, false),
            (count::MAX_VALUES + TREE + 1, TREE + 50, false),
        ] {
            let text = list(n, levels);
            assert_eq!(first(text.as_bytes()).is_ok(), fits, "{n} {levels}");
            assert_eq!(until_fault(&text).1.is_none(), fits, "{n} {levels}");
            // a value that is only looked at takes no memory, unless it is deep
            assert_eq!(is_sound(&text), fits || levels == 1, "{n} {levels}");
        }
        let more = format!("[] {}", list(count::MAX_VALUES * 2, 1));
        assert!(first(more.as_bytes()).is_ok(), "what follows is not counted");
    }

    #[test]
    fn what_was_read_before_the_fault() {
        for (text, want) in [
            (r#"{"a":1,"a":2,"b":3}"#, json!({"a":1})),
            (r#"{"a":{"b":1,"b":2},"c":3}"#, json!({"a":{"b":1}})),
            (r#"{"a":{"b":[1,2"#, json!({"a":{"b":[1,2,null]}})),
            (r#"{"a":1} x"#, json!({"a":1})),
            (r#"{"a":1,"b":"x"#, json!({"a":1,"b":null})),
            (r#"{"a":1,"z":"\ud800","b":2}"#, json!({"a":1,"z":null})),
            ("x", Value::Null),
        ] {
            let (value, fault) = until_fault(text);
            assert_eq!(value, want, "{text}");
            assert!(fault.is_some(), "{text}");
        }
        assert_eq!(own(br#"{"a":1,"b":2,"a":{"c":1,"c":2}}"#).unwrap(), json!({"a":{"c":2},"b":2}));
        assert_eq!(own(br#"["\ud800x"]"#).unwrap(), json!(["\u{fffd}x"]));
    }

    fn nested(levels: usize, open: &str, inner: &str, close: &str) -> String {
        format!("{}{inner}{}", open.repeat(levels), close.repeat(levels))
    }

    #[test]
    fn deep_values_stay_whole() {
        for levels in [1, TREE - 1, TREE, TREE + 1, 127, 128, 129, 1000, MAX_DEPTH] {
            for (open, inner, close) in [
                ("[", "", "]"),
                ("[", "1", "]"),
                ("{\"a\":", "\"<\\n\"", "}"),
                ("[1,", "[2]", ",{}]"),
            ] {
                let levels = levels - usize::from(inner == "[2]");
                let text = nested(levels, open, inner, close);
                let value = first(text.as_bytes()).unwrap();
                // the writer still escapes `<` where the trees do
                assert_eq!(value_sorted(&value).replace("\\u003c", "<"), text, "{levels}");
                let shown = format!("[{text}]");
                let around = format!("[{}]", value_sorted(&value));
                assert_eq!(value_sorted(&own(shown.as_bytes()).unwrap()), around);
                assert!(is_sound(&text), "{levels}");
            }
        }
        for text in [nested(MAX_DEPTH + 1, "[", "", "]"), nested(MAX_DEPTH, "{\"a\":", "[]", "}")] {
            assert!(first(text.as_bytes()).is_err() && !is_sound(&text));
        }
        let quoted = format!("[\"{}\\\"\"]", "[".repeat(MAX_DEPTH + 1));
        assert!(is_sound(&quoted));
    }

    #[test]
    fn deep_values_are_read_strictly_and_sorted() {
        let deep = |inner: &str| nested(TREE + 5, "[", inner, "]");
        for (inner, want, own_want) in [
            (r#"{"b":1.50,"a":[{"d":"\u00e9","c":1e400}]}"#, None, None),
            (
                r#"{ "b" : 1.50, "a":[ {"d":"\u00e9","c":null} ], "":true }"#,
                Some(r#"{"":true,"a":[{"c":null,"d":"é"}],"b":1.5}"#),
                None,
            ),
            (r#"{"b":{"x":1,"x":2},"a":0}"#, None, Some(r#"{"a":0,"b":{"x":2}}"#)),
            (r#"["\ud800"]"#, None, Some("[\"\u{fffd}\"]")),
            (r#"{"a\"}":"]","b":"\\"}"#, Some(r#"{"a\"}":"]","b":"\\"}"#), None),
        ] {
            let text = deep(inner);
            let shown = |value: Result<Value, Fault>| value.ok().map(|value| value_sorted(&value));
            assert_eq!(shown(first(text.as_bytes())), want.map(deep), "{inner}");
            assert_eq!(is_sound(&text), want.is_some() || inner.contains("ud800"), "{inner}");
            assert_eq!(shown(own(text.as_bytes())), own_want.or(want).map(deep), "{inner}");
        }
        // nothing may recurse over such values: dropping, copying and comparing them included
        let value = first(nested(MAX_DEPTH, "{\"a\":", "1", "}").as_bytes()).unwrap();
        let copy = value.clone();
        std::thread::Builder::new()
            .stack_size(256 << 10)
            .spawn(move || assert_eq!(value, copy))
            .unwrap()
            .join()
            .unwrap();
    }
}
