//! [`Val`]: values on their way out of a context (spec §2.4) and into one (§2.2). Nothing in it belongs to a context.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use pocketbase::DateTime;
use rquickjs::{Array, Ctx, Object, Result, TypedArray, Value};

use super::{Fail, Host, Res, Shared, live_map, object, object::host_of_object, throw};
use crate::run::Local;

/// A map that several handlers may see.
pub(crate) type MapRef = Arc<Mutex<BTreeMap<String, Val>>>;

/// A value of no context.
#[derive(Clone)]
pub(crate) enum Val {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    Bytes(Vec<u8>),
    /// JSON text as stored: bytes whose text form is the JSON.
    Raw(String),
    /// A point in time, in milliseconds.
    Time(i64),
    List(Vec<Val>),
    Map(MapRef),
    Host(Shared),
    /// A scalar as an object: true even if it is empty (spec §2.7).
    Boxed(Box<Val>),
    /// A function or a symbol: may be kept, not written.
    Opaque,
}

pub(crate) fn new_map(items: impl IntoIterator<Item = (String, Val)>) -> MapRef {
    Arc::new(Mutex::new(items.into_iter().collect()))
}

impl From<serde_json::Value> for Val {
    fn from(json: serde_json::Value) -> Self {
        use serde_json::Value as J;
        match json {
            J::Null => Self::Null,
            J::Bool(on) => Self::Bool(on),
            J::Number(n) => match n.as_i64() {
                Some(int) => Self::Int(int),
                None => Self::Float(n.as_f64().unwrap_or_default()),
            },
            J::String(text) => Self::Str(text),
            J::Array(items) => Self::List(items.into_iter().map(Into::into).collect()),
            J::Object(map) => Self::Map(new_map(map.into_iter().map(|(k, v)| (k, v.into())))),
        }
    }
}
impl From<serde_json::Map<String, serde_json::Value>> for Val {
    fn from(map: serde_json::Map<String, serde_json::Value>) -> Self {
        serde_json::Value::Object(map).into()
    }
}
impl From<&str> for Val {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}
impl From<String> for Val {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}
impl From<bool> for Val {
    fn from(on: bool) -> Self {
        Self::Bool(on)
    }
}
impl From<i64> for Val {
    fn from(int: i64) -> Self {
        Self::Int(int)
    }
}
impl From<f64> for Val {
    fn from(n: f64) -> Self {
        of_number(n)
    }
}

#[allow(clippy::cast_possible_truncation, reason = "it was looked at")]
fn of_number(n: f64) -> Val {
    let whole = n.fract() == 0.0 && n.abs() < 9.2e18 && !(n == 0.0 && n.is_sign_negative());
    if whole { Val::Int(n as i64) } else { Val::Float(n) }
}

impl Val {
    /// As JSON, for the library: host values in their own form.
    pub(crate) fn into_json(self) -> serde_json::Value {
        use serde_json::Value as J;
        match self {
            Self::Null | Self::Opaque => J::Null,
            Self::Bool(on) => on.into(),
            Self::Int(int) => int.into(),
            Self::Float(n) => serde_json::Number::from_f64(n).map_or(J::Null, J::Number),
            Self::Str(text) => text.into(),
            Self::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
            Self::Raw(text) => serde_json::from_str(&text).unwrap_or(J::Null),
            Self::Boxed(value) => value.into_json(),
            Self::Time(millis) => DateTime::from_millis(millis).to_string().into(),
            Self::List(items) => items.into_iter().map(Self::into_json).collect(),
            Self::Map(map) => {
                let map = map.lock().clone();
                J::Object(map.into_iter().map(|(key, value)| (key, value.into_json())).collect())
            }
            Self::Host(host) => match (host.library_json(), host.kind().json, host.kind().text) {
                (Some(json), ..) => json,
                (None, Some(json), _) => json(&host).into_json(),
                (None, None, Some(text)) => text(&host).into(),
                (None, None, None) => J::Object(serde_json::Map::new()),
            },
        }
    }
    /// As the members of an object; none if it is none.
    pub(crate) fn into_object(self) -> serde_json::Map<String, serde_json::Value> {
        match self.into_json() {
            serde_json::Value::Object(map) => map,
            _ => serde_json::Map::new(),
        }
    }
    /// As bytes: of a text, of a list of numbers.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "modulo 256, as typed arrays"
    )]
    pub(crate) fn into_bytes(self) -> Option<Vec<u8>> {
        Some(match self {
            Self::Null => Vec::new(),
            Self::Bytes(bytes) => bytes,
            Self::Str(text) | Self::Raw(text) => text.into_bytes(),
            Self::List(items) => items
                .into_iter()
                .map(|item| match item {
                    Self::Int(n) => Some(n as u8),
                    Self::Float(n) => Some(n as i64 as u8),
                    _ => None,
                })
                .collect::<Option<_>>()?,
            _ => return None,
        })
    }
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

const DEEPEST: usize = 200;

/// A value as the host keeps it (spec §2.4).
pub(crate) fn export<'js>(cx: &Ctx<'js>, value: &Value<'js>) -> Res<Val> {
    exported(cx, value, 0)
}

fn exported<'js>(cx: &Ctx<'js>, value: &Value<'js>, depth: usize) -> Res<Val> {
    if depth > DEEPEST {
        return Err(Fail::Type("the value is nested too deeply or refers to itself".into()));
    }
    Ok(if let Some(text) = value.as_string() {
        Val::Str(text.to_string()?)
    } else if let Some(int) = value.as_int() {
        Val::Int(i64::from(int))
    } else if let Some(n) = value.as_float() {
        of_number(n)
    } else if let Some(on) = value.as_bool() {
        Val::Bool(on)
    } else if value.is_big_int() {
        let text = super::text(cx, value)?;
        text.parse().map_or_else(|_| Val::Float(text.parse().unwrap_or_default()), Val::Int)
    } else if value.is_function() || value.is_symbol() {
        Val::Opaque
    } else if let Some(array) = value.as_array() {
        list(cx, array, depth)?
    } else if let Some(array) = target_of(value)? {
        list(cx, &array, depth)?
    } else if let Some(object) = value.as_object() {
        of_object(cx, object, depth)?
    } else {
        Val::Null
    })
}

/// The list behind a live one.
fn target_of<'js>(value: &Value<'js>) -> Result<Option<Array<'js>>> {
    let target = value.as_proxy().map(rquickjs::Proxy::target).transpose()?;
    Ok(target.and_then(|target| target.into_array()))
}

fn list<'js>(cx: &Ctx<'js>, array: &Array<'js>, depth: usize) -> Res<Val> {
    let local = Local::of(cx);
    let proto = array.as_object().get_prototype();
    let mut items = Vec::with_capacity(array.len());
    for item in array.iter::<Value<'js>>() {
        items.push(exported(cx, &item?, depth + 1)?);
    }
    let list = Val::List(items);
    if proto.as_ref() == Some(&local.bytes_proto) {
        return Ok(Val::Bytes(list.into_bytes().unwrap_or_default()));
    }
    if proto.as_ref() == Some(&local.raw_proto) {
        let bytes = list.into_bytes().unwrap_or_default();
        return Ok(Val::Raw(String::from_utf8_lossy(&bytes).into_owned()));
    }
    Ok(list)
}

fn of_object<'js>(cx: &Ctx<'js>, object: &Object<'js>, depth: usize) -> Res<Val> {
    let local = Local::of(cx);
    let is_plain = object.get_prototype().is_none_or(|proto| proto == local.object_proto);
    if !is_plain {
        match host_of_object(object) {
            Some(Host::Typed(host)) => return Ok(Val::Host(host)),
            Some(Host::Map(map)) => return Ok(Val::Map(map)),
            None => {}
        }
        if let Some(special) = special(cx, object, depth)? {
            return Ok(special);
        }
    }
    let mut map = BTreeMap::new();
    for entry in object.props::<String, Value<'js>>() {
        let (key, value) = entry?;
        map.insert(key, exported(cx, &value, depth + 1)?);
    }
    Ok(Val::Map(Arc::new(Mutex::new(map))))
}

/// Objects of built-in classes.
#[allow(clippy::cast_possible_truncation, reason = "milliseconds")]
fn special<'js>(cx: &Ctx<'js>, object: &Object<'js>, depth: usize) -> Res<Option<Val>> {
    let globals = cx.globals();
    let is = |class: &str| -> Result<bool> {
        Ok(object.is_instance_of(globals.get::<_, Value<'js>>(class)?))
    };
    if is("Date")? {
        let time: rquickjs::Function<'js> = object.get("getTime")?;
        let millis: f64 = time.call((rquickjs::function::This(object.clone()),))?;
        return Ok(Some(if millis.is_nan() { Val::Null } else { Val::Time(millis as i64) }));
    }
    if is("Map")? || is("Set")? {
        let items = super::items(cx, object.as_value())?;
        let items: Res<Vec<Val>> = items.iter().map(|item| exported(cx, item, depth + 1)).collect();
        return Ok(Some(Val::List(items?)));
    }
    if let Ok(bytes) = TypedArray::<u8>::from_object(object.clone()) {
        return Ok(Some(Val::Bytes(copied(bytes.as_object())?)));
    }
    if object.is_array_buffer() {
        let view: Object<'js> = globals
            .get::<_, rquickjs::function::Constructor<'js>>("Uint8Array")?
            .construct((object.clone(),))?;
        return Ok(Some(Val::Bytes(copied(&view)?)));
    }
    for class in ["String", "Number", "Boolean"] {
        if is(class)? {
            let value: rquickjs::Function<'js> = object.get("valueOf")?;
            let value: Value<'js> = value.call((rquickjs::function::This(object.clone()),))?;
            return Ok(Some(exported(cx, &value, depth + 1)?));
        }
    }
    Ok(None)
}

/// The bytes of a typed array. Element by element: the engine's slice is only safe while no script runs.
fn copied(view: &Object<'_>) -> Result<Vec<u8>> {
    let n: usize = view.get("length")?;
    (0..n).map(|at| view.get::<_, u8>(u32::try_from(at).unwrap_or(u32::MAX))).collect()
}

/// What can be given to a script.
pub(crate) trait ToJs {
    fn to_js<'js>(self, cx: &Ctx<'js>) -> Result<Value<'js>>
    where
        Self: Sized;
}

impl ToJs for () {
    fn to_js<'js>(self, cx: &Ctx<'js>) -> Result<Value<'js>> {
        Ok(Value::new_undefined(cx.clone()))
    }
}
impl ToJs for bool {
    fn to_js<'js>(self, cx: &Ctx<'js>) -> Result<Value<'js>> {
        Ok(Value::new_bool(cx.clone(), self))
    }
}
macro_rules! numbers {
    ($($ty:ty),*) => {$(
        impl ToJs for $ty {
            #[allow(clippy::cast_precision_loss, clippy::cast_lossless, reason = "numbers of scripts are doubles")]
            fn to_js<'js>(self, cx: &Ctx<'js>) -> Result<Value<'js>> {
                Ok(Value::new_number(cx.clone(), self as f64))
            }
        }
    )*};
}
numbers!(i32, u16, u32, i64, u64, usize, f64);
impl ToJs for &str {
    fn to_js<'js>(self, cx: &Ctx<'js>) -> Result<Value<'js>> {
        Ok(rquickjs::String::from_str(cx.clone(), self)?.into_value())
    }
}
impl ToJs for String {
    fn to_js<'js>(self, cx: &Ctx<'js>) -> Result<Value<'js>> {
        self.as_str().to_js(cx)
    }
}
impl<T: ToJs> ToJs for Option<T> {
    fn to_js<'js>(self, cx: &Ctx<'js>) -> Result<Value<'js>> {
        match self {
            Some(value) => value.to_js(cx),
            None => Ok(Value::new_null(cx.clone())),
        }
    }
}
impl<T: ToJs> ToJs for Vec<T> {
    fn to_js<'js>(self, cx: &Ctx<'js>) -> Result<Value<'js>> {
        let array = Array::new(cx.clone())?;
        for (at, item) in self.into_iter().enumerate() {
            array.set(at, item.to_js(cx)?)?;
        }
        Ok(array.into_value())
    }
}
impl<A: ToJs, B: ToJs> ToJs for (A, B) {
    fn to_js<'js>(self, cx: &Ctx<'js>) -> Result<Value<'js>> {
        let array = Array::new(cx.clone())?;
        array.set(0, self.0.to_js(cx)?)?;
        array.set(1, self.1.to_js(cx)?)?;
        Ok(array.into_value())
    }
}
impl ToJs for Shared {
    fn to_js<'js>(self, cx: &Ctx<'js>) -> Result<Value<'js>> {
        object(cx, self)
    }
}
impl ToJs for MapRef {
    fn to_js<'js>(self, cx: &Ctx<'js>) -> Result<Value<'js>> {
        live_map(cx, self)
    }
}
impl<T: ToJs> ToJs for Res<T> {
    fn to_js<'js>(self, cx: &Ctx<'js>) -> Result<Value<'js>> {
        self.map_err(|fail| throw(cx, fail))?.to_js(cx)
    }
}
impl<T: ToJs> ToJs for pocketbase::Result<T> {
    fn to_js<'js>(self, cx: &Ctx<'js>) -> Result<Value<'js>> {
        self.map_err(|error| throw(cx, Fail::Host(error)))?.to_js(cx)
    }
}
impl ToJs for serde_json::Value {
    fn to_js<'js>(self, cx: &Ctx<'js>) -> Result<Value<'js>> {
        Val::from(self).to_js(cx)
    }
}
impl ToJs for Val {
    fn to_js<'js>(self, cx: &Ctx<'js>) -> Result<Value<'js>> {
        match self {
            Self::Null | Self::Opaque => Ok(Value::new_null(cx.clone())),
            Self::Bool(on) => on.to_js(cx),
            Self::Int(int) => int.to_js(cx),
            Self::Float(n) => Ok(Value::new_float(cx.clone(), n)),
            Self::Str(text) => text.to_js(cx),
            Self::Bytes(bytes) => bytes_of(cx, &bytes, &Local::of(cx).bytes_proto),
            Self::Raw(text) => bytes_of(cx, text.as_bytes(), &Local::of(cx).raw_proto),
            Self::Time(millis) => object(cx, crate::host::moment(millis)),
            Self::List(items) => items.to_js(cx),
            Self::Map(map) => live_map(cx, map),
            Self::Host(host) => object(cx, host),
            Self::Boxed(value) => boxed(cx, *value),
        }
    }
}

/// `new String(v)` and its like.
fn boxed<'js>(cx: &Ctx<'js>, value: Val) -> Result<Value<'js>> {
    let class = match value {
        Val::Str(_) => "String",
        Val::Int(_) | Val::Float(_) => "Number",
        Val::Bool(_) => "Boolean",
        other => return other.to_js(cx),
    };
    let class: rquickjs::function::Constructor<'js> = cx.globals().get(class)?;
    class.construct((value.to_js(cx)?,))
}

fn bytes_of<'js>(cx: &Ctx<'js>, bytes: &[u8], proto: &Object<'js>) -> Result<Value<'js>> {
    let array = Array::new(cx.clone())?;
    for (at, byte) in bytes.iter().enumerate() {
        array.set(at, Value::new_int(cx.clone(), i32::from(*byte)))?;
    }
    array.as_object().set_prototype(Some(proto))?;
    Ok(array.into_value())
}

/// A value of the context itself.
pub(crate) struct Own<'js>(pub(crate) Value<'js>);
