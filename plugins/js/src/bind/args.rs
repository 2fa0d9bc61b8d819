//! [`Args`]: the arguments of a call, converted as the parameter wants them.
//!
//! Source: spec extending §2.3: missing, `undefined` and `null` are the zero value; texts are `String(v)`.

use rquickjs::{Coerced, Ctx, FromJs as _, Function, Value, function::Params};

use super::{Fail, Held, Res, Tabled, Val, as_host, export};

/// The arguments of a call.
pub(crate) struct Args<'a, 'js>(pub(crate) &'a Params<'a, 'js>);

pub(crate) fn is_nil(value: &Value<'_>) -> bool {
    value.is_null() || value.is_undefined()
}

/// `String(v)`, `""` for nothing.
pub(crate) fn text<'js>(cx: &Ctx<'js>, value: &Value<'js>) -> Res<String> {
    if let Some(text) = value.as_string() {
        return Ok(text.to_string()?);
    }
    if is_nil(value) {
        return Ok(String::new());
    }
    Ok(Coerced::<String>::from_js(cx, value.clone())?.0)
}

/// `Number(v)`, 0 for nothing.
pub(crate) fn number<'js>(cx: &Ctx<'js>, value: &Value<'js>) -> Res<f64> {
    if let Some(number) = value.as_number() {
        return Ok(number);
    }
    if is_nil(value) {
        return Ok(0.0);
    }
    Ok(Coerced::<f64>::from_js(cx, value.clone())?.0)
}

/// A number modulo 256, 0 for what is none.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what ToUint8 does")]
fn to_byte(number: f64) -> u8 {
    number as i64 as u8
}

/// Truthiness.
pub(crate) fn truth<'js>(cx: &Ctx<'js>, value: &Value<'js>) -> Res<bool> {
    Ok(Coerced::<bool>::from_js(cx, value.clone())?.0)
}

/// The items of an array or of anything that can be iterated.
pub(crate) fn items<'js>(cx: &Ctx<'js>, value: &Value<'js>) -> Res<Vec<Value<'js>>> {
    if is_nil(value) {
        return Ok(Vec::new());
    }
    if let Some(array) = value.as_array() {
        return Ok(array.iter::<Value<'js>>().collect::<rquickjs::Result<_>>()?);
    }
    if value.is_object() {
        let from: Function<'js> =
            cx.globals().get::<_, rquickjs::Object<'js>>("Array")?.get("from")?;
        let list: rquickjs::Array<'js> = from.call((value.clone(),))?;
        return Ok(list.iter::<Value<'js>>().collect::<rquickjs::Result<_>>()?);
    }
    Err(Fail::Type("could not convert the value to a list".into()))
}

impl<'js> Args<'_, 'js> {
    pub(crate) fn cx(&self) -> &Ctx<'js> {
        self.0.ctx()
    }
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
    /// The value at a place, `undefined` beyond the end.
    pub(crate) fn at(&self, at: usize) -> Value<'js> {
        self.0.arg(at).unwrap_or_else(|| Value::new_undefined(self.cx().clone()))
    }
    pub(crate) fn is_nil(&self, at: usize) -> bool {
        self.0.arg(at).is_none_or(|value| is_nil(&value))
    }
    pub(crate) fn str(&self, at: usize) -> Res<String> {
        text(self.cx(), &self.at(at))
    }
    pub(crate) fn num(&self, at: usize) -> Res<f64> {
        number(self.cx(), &self.at(at))
    }
    #[allow(clippy::cast_possible_truncation, reason = "what ToInt does")]
    pub(crate) fn int(&self, at: usize) -> Res<i64> {
        Ok(self.num(at)? as i64)
    }
    pub(crate) fn bool(&self, at: usize) -> Res<bool> {
        truth(self.cx(), &self.at(at))
    }
    /// Exported: what parameters of any type get.
    pub(crate) fn val(&self, at: usize) -> Res<Val> {
        export(self.cx(), &self.at(at))
    }
    pub(crate) fn json(&self, at: usize) -> Res<serde_json::Value> {
        Ok(self.val(at)?.into_json())
    }
    /// The arguments from there on.
    pub(crate) fn rest(&self, from: usize) -> Vec<Value<'js>> {
        (from..self.len()).map(|at| self.at(at)).collect()
    }
    pub(crate) fn texts(&self, from: usize) -> Res<Vec<String>> {
        self.rest(from).iter().map(|value| text(self.cx(), value)).collect()
    }
    /// A list of texts in one argument.
    pub(crate) fn list(&self, at: usize) -> Res<Vec<String>> {
        items(self.cx(), &self.at(at))?.iter().map(|value| text(self.cx(), value)).collect()
    }
    /// A host value of a type.
    pub(crate) fn host<T: Tabled + 'static>(&self, at: usize) -> Res<Held<T>> {
        self.opt_host(at)?.ok_or_else(|| self.inconvertible(at, T::table().name))
    }
    /// What is said when an argument is of another type.
    pub(crate) fn inconvertible(&self, at: usize, wanted: &str) -> Fail {
        let given = text(self.cx(), &self.at(at)).unwrap_or_default();
        self.inconvertible_text(at, &given, wanted)
    }
    /// The same, of an argument that is shown in a form of its own.
    pub(crate) fn inconvertible_text(&self, at: usize, given: &str, wanted: &str) -> Fail {
        Fail::Type(format!(
            "could not convert function call parameter {at}: could not convert {given} to {wanted}"
        ))
    }
    /// A host value of a type, `None` for nothing; anything else is told to be no `wanted`.
    pub(crate) fn known<T: 'static>(&self, at: usize, wanted: &str) -> Res<Option<Held<T>>> {
        match self.opt_host(at)? {
            None if !self.is_nil(at) => Err(self.inconvertible(at, wanted)),
            found => Ok(found),
        }
    }
    /// The members of an object of any kind, none for nothing; other values are told to be no `wanted`.
    pub(crate) fn object(
        &self,
        at: usize,
        wanted: &str,
    ) -> Res<serde_json::Map<String, serde_json::Value>> {
        let given = self.at(at);
        if given.is_object() || is_nil(&given) {
            return Ok(export(self.cx(), &given)?.into_object());
        }
        Err(self.inconvertible(at, wanted))
    }
    /// A host value of a type, or `None` for anything else.
    #[allow(clippy::unnecessary_wraps, reason = "as its siblings")]
    pub(crate) fn opt_host<T: 'static>(&self, at: usize) -> Res<Option<Held<T>>> {
        Ok(as_host(&self.at(at)).and_then(Held::of))
    }
    /// A function.
    pub(crate) fn function(&self, at: usize) -> Res<Function<'js>> {
        self.at(at).into_function().ok_or_else(|| {
            Fail::Type(format!(
                "could not convert function call parameter {at}: a function is expected"
            ))
        })
    }
    /// Bytes: of a text, of numbers, of a typed array.
    pub(crate) fn bytes(&self, at: usize) -> Res<Vec<u8>> {
        let given = self.at(at);
        if let Some(bytes) = export(self.cx(), &given)?.into_bytes() {
            return Ok(bytes);
        }
        if given.is_array() {
            let number = |item: &Value<'js>| Ok(to_byte(number(self.cx(), item)?));
            return items(self.cx(), &given)?.iter().map(number).collect();
        }
        if !given.is_object() {
            return Err(self.inconvertible(at, "[]uint8"));
        }
        let given = text(self.cx(), &given).unwrap_or_default();
        Err(Fail::Type(format!(
            "could not convert function call parameter {at}: cannot convert {given} to []uint8: not an array or iterable"
        )))
    }
}
