//! The values of templates: what data and results of functions are made of.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::funcs::Function;

/// A value.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Value {
    /// Nothing: Go's `nil`.
    #[default]
    Nil,
    /// True or false.
    Bool(bool),
    /// A whole number of data: Go's `int64`.
    Int(i64),
    /// A whole number of a template's text, or a length: Go's `int`.
    Plain(i64),
    /// A letter of a template's text: Go's `int32`.
    Rune(i32),
    /// Any other number: Go's `float64`.
    Float(f64),
    /// A text.
    String(Arc<str>),
    /// Text that is known to be safe where it stands.
    Safe(Safe, Arc<str>),
    /// Bytes, which print as a list of numbers.
    Bytes(Arc<[u8]>),
    /// A list: Go's `[]interface {}`.
    List(Arc<Vec<Value>>),
    /// A map: Go's `map[string]interface {}`.
    Map(Arc<BTreeMap<String, Value>>),
    /// What `call` may call.
    Function(Function),
    /// Anything else of the host.
    Host(Arc<dyn Host>),
}

/// The language in which a [`Value::Safe`] is known to be safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Safe {
    /// A fragment of HTML.
    Html,
    /// An attribute of HTML.
    Attribute,
    /// An expression of JavaScript.
    Js,
    /// What stands between the quotes of a JavaScript string.
    JsString,
    /// A part of a style sheet.
    Css,
    /// An address.
    Url,
    /// A `srcset` attribute.
    Srcset,
}

/// A value of the host with fields and methods, which have Go's names in templates.
pub trait Host: fmt::Debug + Send + Sync {
    /// The name of its type, for messages: `*core.Record`.
    fn type_name(&self) -> String;
    /// A field.
    fn field(&self, name: &str) -> Option<Value>;
    /// Calls a method; `None` if it has none of that name.
    fn call(&self, name: &str, args: &[Value]) -> Option<Result<Value, String>>;
    /// How it prints.
    fn print(&self) -> String;
    /// Its JSON for scripts; without, it stands there as the text that it prints.
    fn json(&self) -> Option<String> {
        None
    }
}

impl Value {
    /// A map.
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Map(Arc::new(entries.into_iter().map(|(k, v)| (k.into(), v)).collect()))
    }
    /// A list.
    pub fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self::List(Arc::new(items.into_iter().collect()))
    }
    /// A fragment of HTML that is not escaped again.
    pub fn html(text: impl Into<Arc<str>>) -> Self {
        Self::Safe(Safe::Html, text.into())
    }

    /// The name of the type in Go.
    pub(crate) fn type_name(&self) -> String {
        match self {
            Self::Nil => "<nil>".into(),
            Self::Bool(_) => "bool".into(),
            Self::Int(_) => "int64".into(),
            Self::Plain(_) => "int".into(),
            Self::Rune(_) => "int32".into(),
            Self::Float(_) => "float64".into(),
            Self::String(_) => "string".into(),
            Self::Safe(kind, _) => format!("template.{}", kind.type_name()),
            Self::Bytes(_) => "[]uint8".into(),
            Self::List(_) => "[]interface {}".into(),
            Self::Map(_) => "map[string]interface {}".into(),
            Self::Function(_) => "func(...interface {}) interface {}".into(),
            Self::Host(host) => host.type_name(),
        }
    }

    /// What conditions take it for.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(b) => *b,
            Self::Int(n) | Self::Plain(n) => *n != 0,
            Self::Rune(n) => *n != 0,
            Self::Float(n) => *n != 0.0,
            Self::String(text) | Self::Safe(_, text) => !text.is_empty(),
            Self::Bytes(bytes) => !bytes.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Function(_) | Self::Host(_) => true,
        }
    }

    pub(crate) fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(n) | Self::Plain(n) => Some(*n),
            Self::Rune(n) => Some(i64::from(*n)),
            _ => None,
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::Safe(_, text) => Some(text),
            _ => None,
        }
    }
}

impl Safe {
    fn type_name(self) -> &'static str {
        match self {
            Self::Html => "HTML",
            Self::Attribute => "HTMLAttr",
            Self::Js => "JS",
            Self::JsString => "JSStr",
            Self::Css => "CSS",
            Self::Url => "URL",
            Self::Srcset => "Srcset",
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}
impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}
impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}
impl From<f64> for Value {
    fn from(n: f64) -> Self {
        Self::Float(n)
    }
}
