//! Path, query and form values as types of Rust: everything comes as text and is read as what is wanted.

use std::fmt;

use serde::{
    de::{
        self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor,
    },
    forward_to_deserialize_any,
};

/// Names with their values, in order; a name may come several times.
pub(super) type Pairs = Vec<(String, String)>;

/// Why texts do not fit.
#[derive(Debug)]
pub(super) struct Unfit(String);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for Unfit {}
impl de::Error for Unfit {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self(text.to_string())
    }
}

/// Reads pairs as a struct or map, a tuple or list, or a single value.
pub(super) fn read<T: DeserializeOwned>(pairs: &Pairs) -> Result<T, Unfit> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, value) in pairs {
        match groups.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => values.push(value),
            None => groups.push((name, vec![value])),
        }
    }
    T::deserialize(Whole(&groups))
}

struct Whole<'p>(&'p [(&'p str, Vec<&'p str>)]);

struct Cells<'p> {
    groups: &'p [(&'p str, Vec<&'p str>)],
    at: usize,
}

impl<'p> Whole<'p> {
    fn cells(self) -> Cells<'p> {
        Cells { groups: self.0, at: 0 }
    }
    fn first(self) -> Result<Texts<'p>, Unfit> {
        self.0.first().map(|(_, values)| Texts(values)).ok_or_else(|| Unfit("no value".into()))
    }
}

macro_rules! single {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
            self.first()?.$method(visitor)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Whole<'_> {
    type Error = Unfit;
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_map(self.cells())
    }
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_seq(self.cells())
    }
    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_seq(self.cells())
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        self.first()?.deserialize_enum(name, variants, visitor)
    }
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_unit()
    }
    single! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_option
    }
    forward_to_deserialize_any! {
        bytes byte_buf unit_struct tuple_struct map struct identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Cells<'_> {
    type Error = Unfit;
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unfit> {
        match self.groups.get(self.at) {
            Some((name, _)) => seed.deserialize((*name).into_deserializer()).map(Some),
            None => Ok(None),
        }
    }
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unfit> {
        let (name, values) = &self.groups[self.at];
        self.at += 1;
        seed.deserialize(Texts(values)).map_err(|error| Unfit(format!("{name}: {error}")))
    }
}

impl<'de> SeqAccess<'de> for Cells<'_> {
    type Error = Unfit;
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unfit> {
        let group = self.groups.get(self.at);
        self.at += 1;
        group.map(|(_, values)| seed.deserialize(Texts(values))).transpose()
    }
}

/// The values of one name.
struct Texts<'p>(&'p [&'p str]);

impl Texts<'_> {
    fn text(&self) -> &str {
        self.0.first().copied().unwrap_or_default()
    }
}

macro_rules! parsed {
    ($($method:ident $visit:ident $ty:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
            match self.text().trim().parse::<$ty>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(Unfit(format!("{:?} is no {}", self.text(), stringify!($ty)))),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Texts<'_> {
    type Error = Unfit;
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_str(self.text())
    }
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self.text() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" | "on" => visitor.visit_bool(true),
            "" | "0" | "f" | "F" | "false" | "FALSE" | "False" | "off" => visitor.visit_bool(false),
            other => Err(Unfit(format!("{other:?} is no bool"))),
        }
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        if self.text().is_empty() { visitor.visit_none() } else { visitor.visit_some(self) }
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_enum(self.text().into_deserializer())
    }
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_seq(List(self.0))
    }
    parsed! {
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_f32 visit_f32 f32;
        deserialize_f64 visit_f64 f64;
        deserialize_char visit_char char;
    }
    forward_to_deserialize_any! {
        str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}

struct List<'p>(&'p [&'p str]);

impl<'de> SeqAccess<'de> for List<'_> {
    type Error = Unfit;
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unfit> {
        let Some((_, rest)) = self.0.split_first() else { return Ok(None) };
        let first = &self.0[..1];
        self.0 = rest;
        seed.deserialize(Texts(first)).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Pairs {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Page {
        page: u32,
        #[serde(default)]
        tag: Vec<String>,
        sort: Option<String>,
        on: bool,
    }

    #[test]
    fn shapes() {
        let given =
            pairs(&[("page", "2"), ("tag", "a"), ("on", "true"), ("tag", "b"), ("sort", "")]);
        let page: Page = read(&given).expect("fits");
        assert_eq!(page, Page { page: 2, tag: vec!["a".into(), "b".into()], sort: None, on: true });
        let one = pairs(&[("id", "7")]);
        assert_eq!(read::<u8>(&one).expect("fits"), 7);
        assert_eq!(read::<String>(&one).expect("fits"), "7");
        let two = pairs(&[("a", "x"), ("b", "-1")]);
        assert_eq!(read::<(String, i32)>(&two).expect("fits"), ("x".into(), -1));
        assert_eq!(read::<BTreeMap<String, String>>(&two).expect("fits")["a"], "x");
        assert_eq!(read::<u8>(&pairs(&[("id", "x")])).unwrap_err().to_string(), "\"x\" is no u8");
    }
}
