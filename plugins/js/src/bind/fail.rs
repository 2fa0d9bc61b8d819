//! [`Fail`]: why a binding failed, and how errors cross the border in both directions (spec §1.7 to §1.9).

use std::{
    fmt,
    sync::{Arc, atomic::AtomicBool},
};

use pocketbase::Error;
use rquickjs::{Ctx, Exception, Function, Object, Value};

use super::{ToJs as _, as_host, errors, export, object, text};
use crate::run::Local;

/// The result of a binding.
pub(crate) type Res<T> = std::result::Result<T, Fail>;

/// Why a binding failed.
pub(crate) enum Fail {
    /// The script has thrown, or the engine.
    Js(rquickjs::Error),
    /// The host's error: a `GoError` for the script.
    Host(Error),
    /// A `TypeError`.
    Type(String),
    /// A `TypeError`, after which the handler ends with a 500 even if it catches it: what the reference cannot go on from.
    Fatal(String),
}

impl From<rquickjs::Error> for Fail {
    fn from(error: rquickjs::Error) -> Self {
        Self::Js(error)
    }
}
impl From<Error> for Fail {
    fn from(error: Error) -> Self {
        Self::Host(error)
    }
}
impl From<std::io::Error> for Fail {
    fn from(error: std::io::Error) -> Self {
        Self::Host(error.into())
    }
}
impl Fail {
    /// A host error with that text, which clients are not told.
    pub(crate) fn other(text: impl Into<String>) -> Self {
        Self::Host(Error::other(text.into()))
    }
}

/// An exception that has left its context: its text and where it was thrown.
#[derive(Debug, Clone)]
pub(crate) struct Thrown {
    /// What another context is shown of it.
    pub(crate) shape: Shape,
    /// `Error: message`.
    pub(crate) message: String,
    /// The frames, one a line.
    pub(crate) stack: String,
    /// What helps, if it is a common error.
    pub(crate) hint: Option<String>,
    /// Whether its author was told; copies share it.
    pub(crate) is_logged: Arc<AtomicBool>,
}

/// What is left of a thrown value outside of its context.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    Error { name: String, message: String },
    Value(serde_json::Value),
}

impl Thrown {
    /// The text, and the place in a line of its own.
    fn in_full(&self) -> String {
        match self.place() {
            Some(place) => format!("{}\n\tat {place}", self.message),
            None => self.message.clone(),
        }
    }
    /// `file:line:column` of the innermost frame in a script.
    pub(crate) fn place(&self) -> Option<&str> {
        let frame = self
            .stack
            .lines()
            .map(str::trim)
            .find(|line| line.contains(".js:") || line.contains(".ts:"))?;
        let place =
            frame.rsplit_once('(').map_or_else(|| frame.trim_start_matches("at "), |(_, at)| at);
        Some(place.trim_end_matches(')'))
    }
    /// The same as file, line and column.
    pub(crate) fn spot(&self) -> Option<(&str, usize, usize)> {
        let (rest, column) = self.place()?.rsplit_once(':')?;
        let (file, line) = rest.rsplit_once(':')?;
        Some((file, line.parse().ok()?, column.parse().ok()?))
    }
    fn with_hint(mut self, cx: &Ctx<'_>) -> Self {
        let (path, line, _) = self.spot().unwrap_or_default();
        self.hint = Local::of(cx).js.hint(&self.message, path, line);
        self
    }
}

impl fmt::Display for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(place) = self.place() {
            write!(f, " at {place}")?;
        }
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}
impl std::error::Error for Thrown {}

/// A host error as scripts read it.
pub(crate) fn text_of(error: &Error) -> String {
    match error {
        Error::NotFound => "sql: no rows in result set".to_owned(),
        Error::Api(api) => api.sentence().into_owned(),
        Error::Validation(errors) => errors::plain(errors),
        Error::Filter(text)
            if !text.starts_with("invalid filter") && !text.starts_with("invalid sort") =>
        {
            format!("invalid filter expression: {text}")
        }
        other => match other.downcast_ref::<Thrown>() {
            Some(thrown) => thrown.in_full(),
            None => other.to_string(),
        },
    }
}

/// Throws what failed.
pub(crate) fn throw(cx: &Ctx<'_>, fail: Fail) -> rquickjs::Error {
    match fail {
        Fail::Js(error) => error,
        Fail::Type(text) => Exception::throw_type(cx, &text),
        Fail::Fatal(text) => {
            let error = Exception::throw_type(cx, &text);
            *Local::of(cx).fatal.borrow_mut() = Some(text);
            error
        }
        Fail::Host(error) => match thrown_again(cx, error) {
            Ok(thrown) => cx.throw(thrown),
            Err(error) => error,
        },
    }
}

/// What a handler of another context has thrown, and a `GoError` for every other error.
fn thrown_again<'js>(cx: &Ctx<'js>, error: Error) -> rquickjs::Result<Value<'js>> {
    let Some(thrown) = error.downcast_ref::<Thrown>() else { return go_error(cx, error) };
    match &thrown.shape {
        Shape::Value(value) => value.clone().to_js(cx),
        Shape::Error { name, message } => {
            // of another context, so it is no instance of this context's Error
            let proto = Local::of(cx).foreign_proto.clone();
            let object = Object::new_proto(cx.clone(), Some(&proto))?;
            object.set("name", name.as_str())?;
            object.set("message", message.as_str())?;
            object.set("stack", thrown.stack.as_str())?;
            Ok(object.into_value())
        }
    }
}

fn go_error<'js>(cx: &Ctx<'js>, error: Error) -> rquickjs::Result<Value<'js>> {
    let message = text_of(&error);
    let value = object(cx, errors::of_error(error))?;
    let class = Local::of(cx).go_error.clone();
    class.call((message, value))
}

/// The class of exceptions that bindings raise.
pub(crate) struct GoError;

impl GoError {
    /// Defines the class and gives back what makes one.
    pub(crate) fn define<'js>(cx: &Ctx<'js>) -> rquickjs::Result<Function<'js>> {
        cx.eval(
            "(() => { class GoError extends Error { constructor(message, value) { super(message); this.value = value } }
            Object.defineProperty(GoError.prototype, 'name', { value: 'GoError', writable: true, configurable: true });
            Object.defineProperty(globalThis, 'GoError', { value: GoError, writable: true, configurable: true });
            return (message, value) => new GoError(message, value) })()",
        )
    }
}

/// What a thrown value is for the host.
pub(crate) fn error_of<'js>(cx: &Ctx<'js>, thrown: &Value<'js>) -> Error {
    if let Some(error) = as_host(thrown).and_then(|host| errors::to_error(&host)) {
        return error;
    }
    let Some(object) = thrown.as_object() else {
        return Error::other(Thrown {
            shape: Shape::Value(exported(cx, thrown)),
            message: shown(cx, thrown),
            stack: String::new(),
            hint: None,
            is_logged: Arc::default(),
        });
    };
    let is_go = || {
        let class: Object<'js> = cx.globals().get("GoError").ok()?;
        object.is_instance_of(class).then_some(())?;
        as_host(&object.get::<_, Value<'js>>("value").ok()?)
    };
    if let Some(error) = is_go().and_then(|host| errors::to_error(&host)) {
        return error;
    }
    let stack = object.get::<_, Option<String>>("stack").ok().flatten().unwrap_or_default();
    let member = |name: &str| object.get::<_, Option<String>>(name).ok().flatten();
    let shape = match (member("name"), member("message")) {
        (Some(name), Some(message)) => Shape::Error { name, message },
        _ => Shape::Value(exported(cx, thrown)),
    };
    let error =
        Thrown { shape, message: shown(cx, thrown), stack, hint: None, is_logged: Arc::default() };
    Error::other(error.with_hint(cx))
}

fn exported<'js>(cx: &Ctx<'js>, value: &Value<'js>) -> serde_json::Value {
    export(cx, value).map(super::Val::into_json).unwrap_or_else(|fail| {
        if let Fail::Js(_) = fail {
            cx.catch();
        }
        serde_json::Value::Null
    })
}

/// `String(v)` that cannot fail.
fn shown<'js>(cx: &Ctx<'js>, value: &Value<'js>) -> String {
    if value.is_null() {
        return "null".to_owned();
    }
    let shown = text(cx, value).unwrap_or_else(|_| {
        cx.catch();
        "an exception".to_owned()
    });
    // a thrown plain object says nothing by its text
    if shown == "[object Object]" {
        let json = cx.json_stringify(value.clone()).ok().flatten();
        if let Some(json) = json.and_then(|json| json.to_string().ok()) {
            return json;
        }
        cx.catch();
    }
    shown
}
