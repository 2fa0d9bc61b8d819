//! `DynamicModel` and nullable cells (spec extending §7.6): typed shapes that rows and JSON are read into.

use std::sync::Arc;

use parking_lot::Mutex;
use rquickjs::{Array, Ctx, Value};
use serde_json::Value as Json;

use super::hosted;
use crate::bind::{
    Args, Dynamic, Fail, Held, MapRef, Native, Res, Shared, ToJs as _, Type, Val, as_host, export,
    native, new_map, table,
};

/// What a member holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Float,
    Text,
    Bool,
    List,
    Map,
    Time,
    Any,
}

struct Column {
    /// In rows and JSON.
    key: String,
    /// In scripts.
    name: String,
    kind: Kind,
    nullable: bool,
}

/// A typed shape with values.
pub(crate) struct Model {
    columns: Vec<Column>,
    values: Mutex<Vec<Val>>,
}

/// A nullable value: a shape's member, and what `.row()` fills.
pub(crate) struct NullCell {
    kind: Kind,
    value: Mutex<Val>,
}

/// A JSON object of a model: `get` and `set`.
pub(crate) struct JsonMap(pub(crate) MapRef);

native!(NullCell = NULL_CELL, JsonMap = JSON_MAP);
hosted!(JsonMap);

impl Native for Model {
    fn kind(&self) -> &'static Type {
        &MODEL
    }
    fn any(&self) -> &dyn std::any::Any {
        self
    }
    fn dynamic(&self) -> Option<&dyn Dynamic> {
        Some(self)
    }
}

table! {
    pub(crate) static MODEL: Model = "DynamicModel", "A shape that rows and JSON are read into." {
    }
    json |m| m.json();
}

table! {
    pub(crate) static NULL_CELL: NullCell = "sql.Null", "A value that may be null." {
    }
    text |n| shown(&n.value.lock());
    json |n| n.value.lock().clone();
    value |n| n.value.lock().clone();
}

table! {
    pub(crate) static JSON_MAP: JsonMap = "types.JSONMap", "A JSON object." {
        fn "get" "(key: string): any" "A value; `null` if there is none." => |cx, m, a| m.0.lock().get(&a.str(0)?).cloned();
        fn "set" "(key: string, value: any): void" "Changes a value." => |cx, m, a| {
            let (key, value) = (a.str(0)?, a.val(1)?);
            m.0.lock().insert(key, value);
        };
        fn "string" "(): string" "As JSON." => |cx, m, a| Val::Map(m.0.clone()).into_json().to_string();
    }
    text |m| Val::Map(m.0.clone()).into_json().to_string();
    json |m| Val::Map(m.0.clone());
}

fn shown(value: &Val) -> String {
    match value.clone().into_json() {
        Json::Null => String::new(),
        Json::String(text) => text,
        other => other.to_string(),
    }
}

/// `URL` → `url`, `userID` stays, `Cap` → `cap` (spec §2.1).
pub(crate) fn script_name(key: &str) -> String {
    let mut chars = key.chars();
    let upper: String = match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => return String::new(),
    };
    let letters: Vec<char> = upper.chars().collect();
    let run = letters.iter().take_while(|c| c.is_uppercase() || c.is_ascii_digit()).count();
    if run == letters.len() {
        return upper.to_lowercase();
    }
    let lowered = if run > 1 { run - 1 } else { run };
    letters
        .iter()
        .enumerate()
        .map(|(at, c)| if at < lowered { c.to_ascii_lowercase() } else { *c })
        .collect()
}

impl Kind {
    fn zero(self) -> Val {
        match self {
            Self::Int => Val::Int(0),
            Self::Float => Val::Float(0.0),
            Self::Text => Val::Str(String::new()),
            Self::Bool => Val::Bool(false),
            Self::List => Val::List(Vec::new()),
            Self::Map => Val::Map(new_map([])),
            Self::Time => super::date_time(None),
            Self::Any => Val::Null,
        }
    }
    /// Its type in messages.
    fn go_name(self) -> &'static str {
        match self {
            Self::Int => "int64",
            Self::Float => "float64",
            Self::Bool => "bool",
            _ => "string",
        }
    }
    /// A value of the database or of JSON as this kind.
    fn fit(self, json: Json, name: &str, at: usize) -> Res<Val> {
        let parsed = |json: Json| match json {
            Json::String(text) => serde_json::from_str(&text).map_err(|error| {
                Fail::other(format!("sql: Scan error on column index {at}, name {name:?}: {error}"))
            }),
            other => Ok(other),
        };
        let wrong = |json: &Json| {
            let (is, shown) = match json {
                Json::String(text) => ("string", text.clone()),
                Json::Number(n) if n.is_f64() => ("float64", n.to_string()),
                Json::Number(n) => ("int64", n.to_string()),
                other => ("string", other.to_string()),
            };
            let into = self.go_name();
            Err(Fail::other(format!(
                "sql: Scan error on column index {at}, name {name:?}: converting driver.Value type {is} ({shown:?}) to a {into}: invalid syntax"
            )))
        };
        Ok(match (self, json) {
            (Self::Int, Json::Number(n)) => {
                match n.as_i64().or_else(|| n.as_f64().filter(|n| n.fract() == 0.0).map(whole)) {
                    Some(int) => Val::Int(int),
                    None => return wrong(&Json::Number(n)),
                }
            }
            (Self::Float, Json::Number(n)) => Val::Float(n.as_f64().unwrap_or_default()),
            (Self::Int | Self::Float, Json::Bool(on)) => Val::Int(i64::from(on)),
            (Self::Int, Json::String(text)) => match text.trim().parse() {
                Ok(int) => Val::Int(int),
                Err(_) => return wrong(&text.into()),
            },
            (Self::Float, Json::String(text)) => match text.trim().parse() {
                Ok(n) => Val::Float(n),
                Err(_) => return wrong(&text.into()),
            },
            (Self::Text, Json::String(text)) => Val::Str(text),
            (Self::Text, Json::Null) => Val::Null,
            (Self::Text, other) => Val::Str(other.to_string()),
            (Self::Bool, Json::Bool(on)) => Val::Bool(on),
            (Self::Bool, Json::Number(n)) => Val::Bool(n.as_f64() != Some(0.0)),
            (Self::Bool, Json::String(text)) => {
                Val::Bool(matches!(&*text, "1" | "t" | "T" | "true" | "TRUE" | "True"))
            }
            (Self::List, Json::String(text)) if text.is_empty() => Val::List(Vec::new()),
            (Self::Map, Json::String(text)) if text.is_empty() => Val::Map(new_map([])),
            (Self::List, json) => match parsed(json)? {
                Json::Array(items) => Val::from(Json::Array(items)),
                Json::Null => Val::List(Vec::new()),
                other => return wrong(&other),
            },
            (Self::Map, json) => match parsed(json)? {
                Json::Object(map) => Val::from(map),
                Json::Null => Val::Map(new_map([])),
                other => return wrong(&other),
            },
            (_, json) => Val::from(json),
        })
    }
}

#[allow(clippy::cast_possible_truncation, reason = "it has no fraction")]
fn whole(n: f64) -> i64 {
    n as i64
}

impl Model {
    /// `new DynamicModel(shape)`.
    pub(crate) fn of_shape(args: &Args<'_, '_>) -> Res<Self> {
        let fatal = |text: &str| Fail::Fatal(text.to_owned());
        let Val::Map(shape) = args.val(0)? else { return Err(fatal("a shape is expected")) };
        let shape = shape.lock().clone();
        if shape.is_empty() {
            return Err(fatal("the shape of a DynamicModel must have members"));
        }
        let (mut columns, mut values) = (Vec::new(), Vec::new());
        for (key, value) in shape {
            if key.starts_with('_') || key.contains(char::is_whitespace) {
                return Err(fatal("members of a DynamicModel begin with a letter"));
            }
            let (kind, nullable, first) = match value {
                Val::Int(_) => (Kind::Int, false, value),
                Val::Float(n) => (Kind::Float, false, Val::Float(if n == 0.0 { 0.0 } else { n })),
                Val::Str(_) => (Kind::Text, false, value),
                Val::Bool(_) => (Kind::Bool, false, value),
                Val::List(_) => (Kind::List, false, value),
                Val::Map(_) => (Kind::Map, false, value),
                Val::Time(_) => (Kind::Time, false, value),
                Val::Host(host) => match host.get::<NullCell>() {
                    Some(cell) => (cell.kind, true, Val::Null),
                    None => (Kind::Any, false, Val::Host(host.clone())),
                },
                _ => return Err(fatal("members of a DynamicModel have a value")),
            };
            columns.push(Column { name: script_name(&key), key, kind, nullable });
            values.push(first);
        }
        Ok(Self { columns, values: Mutex::new(values) })
    }
    /// One more of the same shape, as it was at first.
    pub(crate) fn another(&self) -> Self {
        let columns = self.columns.iter().map(|column| Column {
            key: column.key.clone(),
            name: column.name.clone(),
            kind: column.kind,
            nullable: column.nullable,
        });
        let values = self.values.lock().clone().into_iter().map(|value| match value {
            Val::Map(map) => Val::Map(new_map(map.lock().clone())),
            other => other,
        });
        Self { columns: columns.collect(), values: Mutex::new(values.collect()) }
    }
    fn json(&self) -> Val {
        let values = self.values.lock().clone();
        let pairs =
            self.columns.iter().zip(values).map(|(column, value)| (column.key.clone(), value));
        Val::Map(new_map(pairs))
    }
    fn at(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
    /// Takes the values of a row or a JSON object; `strict`: nulls need nullable members, as in the database.
    pub(crate) fn fill(&self, row: serde_json::Map<String, Json>, strict: bool) -> Res<()> {
        for (index, (key, json)) in row.into_iter().enumerate() {
            let Some(at) = self.columns.iter().position(|column| column.key == key) else {
                continue;
            };
            let column = &self.columns[at];
            let value = match json {
                Json::Null if column.nullable => Val::Null,
                Json::Null
                    if strict && !matches!(column.kind, Kind::List | Kind::Map | Kind::Time) =>
                {
                    let into = column.kind.go_name();
                    return Err(Fail::other(format!(
                        "sql: Scan error on column index {index}, name {key:?}: converting NULL to {into} is unsupported"
                    )));
                }
                Json::Null => column.kind.zero(),
                json => column.kind.fit(json, &key, index)?,
            };
            self.values.lock()[at] = value;
        }
        Ok(())
    }
    /// Members that a form has not sent get their zero values.
    pub(crate) fn zero_nulls(&self) {
        let mut values = self.values.lock();
        for (at, column) in self.columns.iter().enumerate() {
            if column.nullable && values[at].is_null() {
                values[at] = column.kind.zero();
            }
        }
    }
}

fn unfit(value: &Val, wanted: &str) -> Fail {
    let value = shown(value);
    Fail::Type(format!(
        "Go struct conversion error: could not convert {value} to types.{wanted}[interface {{}}]"
    ))
}
/// `Number(value)`, 0 for what is none.
fn number_of(value: &Val) -> f64 {
    match value {
        Val::Bool(on) => f64::from(*on),
        Val::Str(text) => {
            text.trim().parse::<f64>().ok().filter(|n| n.is_finite()).unwrap_or_default()
        }
        _ => 0.0,
    }
}

impl Dynamic for Model {
    /// Scripts see their own names; `e.json` those of the columns.
    fn has_json(&self) -> bool {
        false
    }
    fn names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }
    fn read(&self, name: &str) -> Option<Val> {
        let at = self.at(name)?;
        let value = self.values.lock()[at].clone();
        Some(match value {
            Val::Map(map) => Val::Host(Arc::new(JsonMap(map))),
            value
                if self.columns[at].nullable
                    && !value.is_null()
                    && !matches!(value, Val::List(_)) =>
            {
                Val::Boxed(Box::new(value))
            }
            value => value,
        })
    }
    fn write(&self, name: &str, value: Val) -> Res<bool> {
        let Some(at) = self.at(name) else { return Ok(false) };
        let column = &self.columns[at];
        let value = match (column.kind, value) {
            (_, Val::Null) if column.nullable => Val::Null,
            (kind, Val::Null) => kind.zero(),
            (Kind::Int, Val::Float(n)) => Val::Int(whole(n.trunc())),
            (Kind::Float, Val::Int(n)) => {
                #[allow(clippy::cast_precision_loss)]
                let n = n as f64;
                Val::Float(n)
            }
            (Kind::Map, Val::Host(host)) => match host.get::<JsonMap>() {
                Some(map) => Val::Map(map.0.clone()),
                None => Val::Host(host),
            },
            (Kind::Text, value @ (Val::Int(_) | Val::Float(_) | Val::Bool(_))) => {
                Val::Str(shown(&value))
            }
            (Kind::Int, value @ (Val::Str(_) | Val::Bool(_))) => {
                Val::Int(whole(number_of(&value).trunc()))
            }
            (Kind::Float, value @ (Val::Str(_) | Val::Bool(_))) => Val::Float(number_of(&value)),
            (Kind::Bool, Val::Str(text)) => Val::Bool(!text.is_empty()),
            (Kind::Bool, Val::Int(n)) => Val::Bool(n != 0),
            (Kind::Bool, Val::Float(n)) => Val::Bool(n != 0.0 && !n.is_nan()),
            (Kind::List, value @ (Val::Str(_) | Val::Bool(_) | Val::Int(_) | Val::Float(_))) => {
                return Err(unfit(&value, "JSONArray"));
            }
            (Kind::Map, value @ (Val::Str(_) | Val::Bool(_) | Val::Int(_) | Val::Float(_))) => {
                return Err(unfit(&value, "JSONMap"));
            }
            (_, value) => value,
        };
        self.values.lock()[at] = value;
        Ok(true)
    }
}

/// `nullString()` and its like.
pub(crate) fn null_cell(kind: Kind) -> Shared {
    Arc::new(NullCell { kind, value: Mutex::new(Val::Null) })
}

impl NullCell {
    pub(crate) fn fill(&self, json: Json) -> Res<()> {
        let value = if json.is_null() { Val::Null } else { self.kind.fit(json, "", 0)? };
        *self.value.lock() = value;
        Ok(())
    }
}

/// `arrayOf(model)`: a list that knows what its items are.
pub(crate) fn array_of<'js>(cx: &Ctx<'js>, of: &Value<'js>) -> Res<Value<'js>> {
    let array = Array::new(cx.clone())?;
    array.as_object().prop("itemOf", rquickjs::object::Property::from(of.clone()))?;
    Ok(array.into_value())
}

/// What a list of [`array_of`] is for.
pub(crate) fn item_of<'js>(list: &Value<'js>) -> Option<Value<'js>> {
    let array = list.as_array()?;
    array
        .as_object()
        .get::<_, Option<Value<'js>>>("itemOf")
        .ok()
        .flatten()
        .filter(|of| !of.is_undefined())
}

/// Fills a list with rows.
pub(crate) fn fill_list<'js>(
    cx: &Ctx<'js>,
    list: &Value<'js>,
    rows: Vec<serde_json::Map<String, Json>>,
) -> Res<()> {
    let pointer = || {
        Fail::other(
            "Invalid variable type: must be a pointer to a slice of struct or NullStringMap",
        )
    };
    let of = item_of(list).ok_or_else(pointer)?;
    let model = as_host(&of).and_then(Held::<Model>::of).ok_or_else(pointer)?;
    let array = list.as_array().ok_or_else(pointer)?;
    let first = array.len();
    for (at, row) in rows.into_iter().enumerate() {
        let item = model.another();
        item.fill(row, true)?;
        let item: Shared = Arc::new(item);
        array.set(first + at, item.to_js(cx)?)?;
    }
    Ok(())
}

/// Fills a list with the values of a column.
pub(crate) fn fill_column<'js>(cx: &Ctx<'js>, list: &Value<'js>, values: Vec<Json>) -> Res<()> {
    let of = item_of(list)
        .ok_or_else(|| Fail::other("Invalid variable type: must be a pointer to a slice"))?;
    let kind = match export(cx, &of)? {
        Val::Int(_) => Kind::Int,
        Val::Float(_) => Kind::Float,
        Val::Bool(_) => Kind::Bool,
        Val::Str(_) => Kind::Text,
        _ => Kind::Any,
    };
    let array = list
        .as_array()
        .ok_or_else(|| Fail::other("Invalid variable type: must be a pointer to a slice"))?;
    for (at, value) in values.into_iter().enumerate() {
        array.set(at, kind.fit(value, "", 0)?.to_js(cx)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_in_scripts() {
        for (key, name) in [
            ("title", "title"),
            ("Cap", "cap"),
            ("URL", "url"),
            ("userID", "userID"),
            ("snake_case", "snake_case"),
            ("JSONField", "jsonField"),
            ("MD5", "md5"),
            ("Note", "note"),
        ] {
            assert_eq!(super::script_name(key), name);
        }
    }
}
