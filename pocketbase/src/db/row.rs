//! Rows as values of Rust: structs, tuples and scalars by serde, lenient where databases have fewer types than Rust.

use std::{fmt, sync::Arc};

use engine::store::{self, OwnedRows, Rows, Value};
use serde::{
    de::{
        self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor,
    },
    forward_to_deserialize_any,
};
use serde_json::Value as Json;

use crate::error::{Error, Result};

/// A row: values by column.
///
/// ```
/// # use pocketbase::{db::Row, testing::TestApp};
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let test = TestApp::new().await?;
/// # let app = test.app();
/// let row: Row = app.db().query("SELECT 1 AS n, 'a' AS t, NULL AS x, '[1,2]' AS list").one().await?;
/// assert_eq!(row.columns(), ["n", "t", "x", "list"]);
/// assert_eq!((row.get::<i64>("n")?, row.get::<String>("t")?), (1, "a".to_owned()));
/// assert_eq!(row.get::<Option<i64>>("x")?, None);
/// assert_eq!(row.get::<Vec<i64>>("list")?, [1, 2]);
/// let pair: (bool, String) = app.db().query("SELECT 1, 2").one().await?;
/// assert_eq!(pair, (true, "2".to_owned()));
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

/// What a row can become: anything that serde can deserialize from a map or a list, a scalar (the first column), or [`Row`].
pub trait FromRow: Sized {
    /// Reads a row.
    ///
    /// # Errors
    /// When it does not fit.
    fn from_row(row: Row) -> Result<Self>;
}

impl FromRow for Row {
    fn from_row(row: Row) -> Result<Self> {
        Ok(row)
    }
}

impl<T: DeserializeOwned> FromRow for T {
    fn from_row(row: Row) -> Result<Self> {
        row.to()
    }
}

pub(super) fn read(rows: &mut Rows<'_>) -> store::Result<Vec<Row>> {
    rows.collect().map(owned)
}

pub(super) fn owned(rows: OwnedRows) -> Vec<Row> {
    let columns: Arc<[String]> = rows.columns.into();
    rows.rows.into_iter().map(|values| Row { columns: columns.clone(), values }).collect()
}

impl Row {
    /// The names of the columns.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }
    fn index(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|name| name == column)
    }
    /// The value of a column.
    ///
    /// # Errors
    /// When there is none of that name, or it does not fit.
    pub fn get<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        let at = self.index(column);
        self.at(at.ok_or_else(|| Error::other(format!("there is no column {column:?}")))?)
    }
    /// The value of a column by its place.
    ///
    /// # Errors
    /// When there is none, or it does not fit.
    pub fn at<T: DeserializeOwned>(&self, index: usize) -> Result<T> {
        let value = self.values.get(index);
        let value = value.ok_or_else(|| Error::other(format!("there is no column {index}")))?;
        T::deserialize(Cell(value)).map_err(|error| {
            let name = self.columns.get(index).map_or("", String::as_str);
            Error::other(format!("column {name:?}: {error}"))
        })
    }
    /// The row as a type of yours.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(T::deserialize(Whole(self))?)
    }
    /// The row as JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Map<String, Json> {
        let cells = self.columns.iter().zip(&self.values);
        cells.map(|(name, value)| (name.clone(), json(value))).collect()
    }
}

pub(super) fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Int(n) => (*n).into(),
        Value::Real(n) => (*n).into(),
        Value::Text(text) => Json::String(text.as_ref().to_owned()),
    }
}

impl serde::Serialize for Row {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

/// Why a row does not fit.
#[derive(Debug)]
struct Unfit(String);

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

/// A row for serde: a map, a list, or its only column.
#[derive(Clone, Copy)]
struct Whole<'r>(&'r Row);

struct Cells<'r> {
    row: &'r Row,
    at: usize,
}

impl<'r> Whole<'r> {
    fn cells(self) -> Cells<'r> {
        Cells { row: self.0, at: 0 }
    }
    fn first(self) -> Result<Cell<'r>, Unfit> {
        self.0.values.first().map(Cell).ok_or_else(|| Unfit("the row has no columns".into()))
    }
}

macro_rules! first_column {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
            self.first()?.$method(visitor)
        }
    )*};
}

impl<'de> serde::Deserializer<'de> for Whole<'_> {
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
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_seq(self.cells())
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.first()?.deserialize_option(visitor)
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        self.first()?.deserialize_enum(name, variants, visitor)
    }
    first_column! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf
    }
    forward_to_deserialize_any! { unit unit_struct map struct identifier ignored_any }
}

impl<'de> MapAccess<'de> for Cells<'_> {
    type Error = Unfit;
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unfit> {
        match self.row.columns.get(self.at) {
            Some(name) => seed.deserialize(name.as_str().into_deserializer()).map(Some),
            None => Ok(None),
        }
    }
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unfit> {
        let at = self.at;
        self.at += 1;
        let value = self.row.values.get(at).unwrap_or(&Value::Null);
        let name = self.row.columns.get(at).map_or("", String::as_str);
        seed.deserialize(Cell(value)).map_err(|error| Unfit(format!("column {name:?}: {error}")))
    }
}

impl<'de> SeqAccess<'de> for Cells<'_> {
    type Error = Unfit;
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unfit> {
        let value = self.row.values.get(self.at);
        self.at += 1;
        value.map(|value| seed.deserialize(Cell(value))).transpose()
    }
}

/// One value for serde. Bools may be numbers, numbers texts, texts numbers; lists and objects are JSON texts.
struct Cell<'v>(&'v Value);

impl Cell<'_> {
    fn float(&self) -> Option<f64> {
        match self.0 {
            Value::Int(n) => Some(precise(*n)),
            Value::Real(n) => Some(*n),
            Value::Text(text) => text.trim().parse().ok(),
            Value::Null => None,
        }
    }
    fn int(&self) -> Option<i64> {
        match self.0 {
            Value::Int(n) => Some(*n),
            Value::Real(n) if n.fract() == 0.0 => format!("{n:.0}").parse().ok(),
            Value::Text(text) => text.trim().parse().ok(),
            Value::Real(_) | Value::Null => None,
        }
    }
    fn text(&self) -> String {
        match self.0 {
            Value::Null => String::new(),
            Value::Int(n) => n.to_string(),
            Value::Real(n) => engine::json::format_g(*n),
            Value::Text(text) => text.as_ref().to_owned(),
        }
    }
    fn parsed(&self) -> Result<Json, Unfit> {
        match self.0 {
            Value::Text(text) => {
                serde_json::from_str(text).map_err(|error| Unfit(error.to_string()))
            }
            other => Ok(json(other)),
        }
    }
    fn unfit(&self, wanted: &str) -> Unfit {
        Unfit(format!("{:?} is no {wanted}", self.text()))
    }
}

#[allow(clippy::cast_precision_loss)]
fn precise(n: i64) -> f64 {
    n as f64
}

macro_rules! integers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
            match self.int() {
                Some(n) => visitor.visit_i64(n),
                None => Err(self.unfit("integer")),
            }
        }
    )*};
}
macro_rules! json_texts {
    ($($method:ident($($arg:ident: $ty:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(self, $($arg: $ty,)* visitor: V) -> Result<V::Value, Unfit> {
            let json = self.parsed()?;
            json.$method($($arg,)* visitor).map_err(|error| Unfit(error.to_string()))
        }
    )*};
}

impl<'de> serde::Deserializer<'de> for Cell<'_> {
    type Error = Unfit;
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Int(n) => visitor.visit_i64(*n),
            Value::Real(n) => visitor.visit_f64(*n),
            Value::Text(text) => visitor.visit_str(text),
        }
    }
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self.0 {
            Value::Int(n) => visitor.visit_bool(*n != 0),
            Value::Real(n) => visitor.visit_bool(*n != 0.0),
            Value::Text(text) => match &**text {
                "true" | "t" | "1" => visitor.visit_bool(true),
                "false" | "f" | "0" | "" => visitor.visit_bool(false),
                _ => Err(self.unfit("bool")),
            },
            Value::Null => Err(self.unfit("bool")),
        }
    }
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.deserialize_f64(visitor)
    }
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self.float() {
            Some(n) => visitor.visit_f64(n),
            None => Err(self.unfit("number")),
        }
    }
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self.0 {
            Value::Null => Err(self.unfit("text: it is NULL")),
            _ => visitor.visit_string(self.text()),
        }
    }
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.deserialize_str(visitor)
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
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
    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32
        deserialize_u64
    }
    json_texts! {
        deserialize_seq() deserialize_tuple(len: usize) deserialize_map()
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
    }
    forward_to_deserialize_any! { char bytes byte_buf unit unit_struct identifier ignored_any }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    fn row(cells: &[(&str, Value)]) -> Row {
        Row {
            columns: cells.iter().map(|(name, _)| (*name).to_owned()).collect(),
            values: cells.iter().map(|(_, value)| value.clone()).collect(),
        }
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Big,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct All {
        on: bool,
        n: u8,
        f: f64,
        t: String,
        none: Option<i64>,
        some: Option<i64>,
        list: Vec<String>,
        map: BTreeMap<String, i32>,
        kind: Kind,
        #[serde(default)]
        missing: String,
    }

    #[test]
    fn structs() {
        let text = |text: &str| Value::Text(text.into());
        let row = row(&[
            ("on", Value::Int(1)),
            ("n", Value::Real(7.0)),
            ("f", Value::Int(2)),
            ("t", Value::Int(5)),
            ("none", Value::Null),
            ("some", text("3")),
            ("list", text(r#"["a","b"]"#)),
            ("map", text(r#"{"a":1}"#)),
            ("kind", text("big")),
            ("extra", Value::Null),
        ]);
        let all: All = row.to().expect("fits");
        assert_eq!((all.on, all.n, all.f, all.t.as_str()), (true, 7, 2.0, "5"));
        assert_eq!((all.none, all.some, all.list.len(), all.map["a"]), (None, Some(3), 2, 1));
        assert_eq!((all.kind, all.missing.as_str()), (Kind::Big, ""));
        assert!(row.get::<u8>("list").is_err() && row.get::<u8>("nothing").is_err());
        assert_eq!(row.to_json()["n"], 7.0);
    }

    #[test]
    fn scalars_and_tuples() {
        let row = row(&[("a", Value::Int(300)), ("b", Value::Text("x".into()))]);
        assert_eq!(row.to::<(i64, String)>().expect("fits"), (300, "x".to_owned()));
        assert_eq!(row.to::<i64>().expect("fits"), 300);
        assert_eq!(row.to::<Option<i64>>().expect("fits"), Some(300));
        assert!(row.to::<u8>().is_err(), "300 is no u8");
    }
}
