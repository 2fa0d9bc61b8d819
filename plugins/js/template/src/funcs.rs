//! The functions that every template may call.

use std::{cmp::Ordering, collections::BTreeMap, fmt, sync::Arc};

use crate::{
    escape::escapers,
    format::{sprint, sprintf, sprintln},
    value::Value,
};

type Call = Arc<dyn Fn(&[Value]) -> Result<Value, String> + Send + Sync>;

/// A function that templates may call.
#[derive(Clone)]
pub struct Function {
    /// How many arguments it needs at least.
    pub(crate) least: usize,
    /// True if it takes more than that.
    pub(crate) variadic: bool,
    /// How many of its first arguments must be texts.
    pub(crate) texts: usize,
    pub(crate) call: Call,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function").field("args", &self.least).finish_non_exhaustive()
    }
}

impl Function {
    /// A function of exactly `args` arguments.
    pub fn new(
        args: usize,
        call: impl Fn(&[Value]) -> Result<Value, String> + Send + Sync + 'static,
    ) -> Self {
        Self { least: args, variadic: false, texts: 0, call: Arc::new(call) }
    }
    /// It takes more arguments than that, too.
    #[must_use]
    pub fn variadic(mut self) -> Self {
        self.variadic = true;
        self
    }
    /// Its first `n` arguments must be texts.
    #[must_use]
    pub fn texts(mut self, n: usize) -> Self {
        self.texts = n;
        self
    }
}

/// Functions that the language itself evaluates: `and` and `or` stop at the first that decides.
pub(crate) const LAZY: [&str; 2] = ["and", "or"];

pub(crate) fn builtin() -> BTreeMap<String, Function> {
    let text = |make: fn(&[Value]) -> String| {
        Function::new(0, move |args| Ok(make(args).into())).variadic()
    };
    let order = |holds: fn(Ordering) -> bool| {
        Function::new(2, move |args| {
            compare(&args[0], &args[1]).map(|o| Value::Bool(o.is_some_and(holds)))
        })
    };
    [
        ("and", Function::new(1, |_| Ok(Value::Nil)).variadic()),
        ("or", Function::new(1, |_| Ok(Value::Nil)).variadic()),
        ("not", Function::new(1, |args| Ok(Value::Bool(!args[0].is_true())))),
        ("len", Function::new(1, |args| length(&args[0]).map(Value::Plain))),
        ("index", Function::new(1, index).variadic()),
        ("slice", Function::new(1, slice).variadic()),
        ("call", Function::new(1, call).variadic()),
        ("print", text(sprint)),
        ("println", text(sprintln)),
        (
            "printf",
            Function::new(1, |args| {
                Ok(sprintf(args[0].as_text().unwrap_or_default(), &args[1..]).into())
            })
            .texts(1)
            .variadic(),
        ),
        ("html", text(|args| escapers::html_text(&sprint(args)))),
        ("js", text(|args| escapers::js_plain(&sprint(args)))),
        ("urlquery", text(|args| escapers::query(&sprint(args)))),
        (
            "eq",
            Function::new(1, |args| {
                if args.len() == 1 {
                    return Err("missing argument for comparison".into());
                }
                for other in &args[1..] {
                    if equal(&args[0], other)? {
                        return Ok(Value::Bool(true));
                    }
                }
                Ok(Value::Bool(false))
            })
            .variadic(),
        ),
        ("ne", Function::new(2, |args| Ok(Value::Bool(!equal(&args[0], &args[1])?)))),
        ("lt", order(Ordering::is_lt)),
        ("le", order(Ordering::is_le)),
        ("gt", order(Ordering::is_gt)),
        ("ge", order(Ordering::is_ge)),
    ]
    .into_iter()
    .map(|(name, function)| (name.to_owned(), function))
    .collect()
}

fn length(value: &Value) -> Result<i64, String> {
    let n = match value {
        Value::String(text) | Value::Safe(_, text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Nil => return Err("len of nil pointer".into()),
        other => return Err(format!("len of type {}", other.type_name())),
    };
    i64::try_from(n).map_err(|_| "length out of range".to_owned())
}

/// A whole number as a place in something of `len` parts; `slack` is 1 where the end itself is one, too.
fn place(value: &Value, len: usize, slack: usize) -> Result<usize, String> {
    let n = match value {
        Value::Nil => return Err("cannot index slice/array with nil".into()),
        value => value
            .as_int()
            .ok_or_else(|| format!("cannot index slice/array with type {}", value.type_name()))?,
    };
    usize::try_from(n)
        .ok()
        .filter(|at| *at < len + slack)
        .ok_or_else(|| format!("index out of range: {n}"))
}

fn index(args: &[Value]) -> Result<Value, String> {
    let mut found = args[0].clone();
    if matches!(found, Value::Nil) {
        return Err("index of untyped nil".into());
    }
    for key in &args[1..] {
        found = match &found {
            Value::List(list) => list[place(key, list.len(), 0)?].clone(),
            Value::Bytes(bytes) => Value::Plain(bytes[place(key, bytes.len(), 0)?].into()),
            Value::String(text) | Value::Safe(_, text) => {
                let bytes = text.as_bytes();
                Value::Plain(bytes[place(key, bytes.len(), 0)?].into())
            }
            Value::Map(map) => match key {
                Value::String(key) | Value::Safe(_, key) => {
                    map.get(&**key).cloned().unwrap_or_default()
                }
                Value::Nil => return Err("value is nil; should be of type string".into()),
                other => {
                    return Err(format!("value has type {}; should be string", other.type_name()));
                }
            },
            Value::Nil => return Err("index of nil pointer".into()),
            other => return Err(format!("can't index item of type {}", other.type_name())),
        };
    }
    Ok(found)
}

fn slice(args: &[Value]) -> Result<Value, String> {
    let item = &args[0];
    let len = match item {
        Value::Nil => return Err("slice of untyped nil".into()),
        _ if args.len() > 4 => return Err(format!("too many slice indexes: {}", args.len() - 1)),
        Value::String(text) | Value::Safe(_, text) => {
            if args.len() == 4 {
                return Err("cannot 3-index slice a string".into());
            }
            text.len()
        }
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    let mut bounds = [0, len, len];
    for (bound, arg) in bounds.iter_mut().zip(&args[1..]) {
        *bound = place(arg, len, 1)?;
    }
    let [from, to, most] = bounds;
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    if args.len() == 4 && to > most {
        return Err(format!("invalid slice index: {to} > {most}"));
    }
    Ok(match item {
        Value::String(text) | Value::Safe(_, text) => {
            String::from_utf8_lossy(&text.as_bytes()[from..to]).into_owned().into()
        }
        Value::Bytes(bytes) => Value::Bytes(bytes[from..to].into()),
        Value::List(list) => Value::list(list[from..to].iter().cloned()),
        _ => Value::Nil,
    })
}

fn call(args: &[Value]) -> Result<Value, String> {
    match &args[0] {
        Value::Function(function) => {
            let given = args.len() - 1;
            if given < function.least || (given > function.least && !function.variadic) {
                return Err(format!(
                    "wrong number of args: got {given} want {}{}",
                    if function.variadic { "at least " } else { "" },
                    function.least
                ));
            }
            (function.call)(&args[1..])
        }
        Value::Nil => Err("call of nil".into()),
        other => Err(format!("non-function of type {}", other.type_name())),
    }
}

/// What may be compared with what.
#[derive(PartialEq)]
enum Basic<'a> {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
}

fn basic(value: &Value) -> Option<Basic<'_>> {
    Some(match value {
        Value::Bool(b) => Basic::Bool(*b),
        Value::Int(n) | Value::Plain(n) => Basic::Int(*n),
        Value::Rune(n) => Basic::Int(i64::from(*n)),
        Value::Float(n) => Basic::Float(*n),
        Value::String(text) | Value::Safe(_, text) => Basic::Text(text),
        _ => return None,
    })
}

fn incompatible(a: &Value, b: &Value) -> String {
    let (a, b) = (a.type_name(), b.type_name());
    format!("incompatible types for comparison: {a} and {b}")
}

fn not_comparable(value: &Value) -> String {
    let shown = sprintf("%s", std::slice::from_ref(value));
    format!("non-comparable type {shown}: {}", value.type_name())
}

fn equal(a: &Value, b: &Value) -> Result<bool, String> {
    match (basic(a), basic(b)) {
        (Some(x), Some(y)) if std::mem::discriminant(&x) == std::mem::discriminant(&y) => {
            return Ok(x == y);
        }
        (None, None) => {}
        _ if matches!(a, Value::Nil) || matches!(b, Value::Nil) => return Ok(false),
        _ => return Err(incompatible(a, b)),
    }
    match (a, b) {
        (Value::Nil, other) | (other, Value::Nil) => Ok(matches!(other, Value::Nil)),
        (Value::List(_) | Value::Map(_) | Value::Bytes(_) | Value::Function(_), _) => {
            Err(not_comparable(a))
        }
        (_, Value::List(_) | Value::Map(_) | Value::Bytes(_) | Value::Function(_)) => {
            Err(not_comparable(b))
        }
        (Value::Host(a), Value::Host(b)) => Ok(Arc::ptr_eq(a, b)),
        _ => Err(incompatible(a, b)),
    }
}

fn compare(left: &Value, right: &Value) -> Result<Option<Ordering>, String> {
    match (basic(left), basic(right)) {
        (None, _) | (_, None) => Err("invalid type for comparison".into()),
        (Some(Basic::Int(a)), Some(Basic::Int(b))) => Ok(Some(a.cmp(&b))),
        (Some(Basic::Float(a)), Some(Basic::Float(b))) => Ok(a.partial_cmp(&b)),
        (Some(Basic::Text(a)), Some(Basic::Text(b))) => Ok(Some(a.cmp(b))),
        (Some(Basic::Bool(_)), Some(Basic::Bool(_))) => Err("invalid type for comparison".into()),
        _ => Err(incompatible(left, right)),
    }
}
