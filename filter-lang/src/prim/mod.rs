//! The primitives: scalar operations that every execution knows. Functions of the language are made of them, so a new
//! function needs no new spelling; a new primitive is a file here, its line in each dialect, and its value in memory.
//!
//! Must not know functions, plans or SQL.

mod calc;
pub mod distance;
mod time;
pub mod words;

use std::{borrow::Cow, fmt};

pub use self::calc::Arithmetic;
use crate::value::{Value, real_text, text_number};

/// One primitive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Prim {
    /// Two numbers or texts that read as such → a number; NULL where the result is none.
    Calc(Arithmetic),
    /// Longitude and latitude of two points, in degrees → kilometers; NULL where one is no number.
    Distance,
    /// A format, a moment, modifiers → text, as SQLite's `strftime` has it; NULL where they are none. Texts and numbers
    /// are moments; nothing here reads the clock of a database.
    FormatTime,
    /// A query in the form of [`words::query`], texts → 1 if they hold its words, else 0.
    HasWords,
}

/// What a primitive or a function yields, beside NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// Text.
    Text,
    /// A double.
    Real,
    /// 0 or 1.
    Truth,
}

/// An argument: a [`Value`] that need not own its text.
#[derive(Debug, Clone, PartialEq)]
pub enum Arg<'a> {
    /// NULL.
    Null,
    /// An integer.
    Int(i64),
    /// A double.
    Real(f64),
    /// A text.
    Text(Cow<'a, str>),
}

impl Arg<'_> {
    /// As text; `None` for NULL.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null => None,
            Self::Int(number) => Some(Cow::Owned(number.to_string())),
            Self::Real(number) => Some(Cow::Owned(real_text(*number))),
            Self::Text(text) => Some(Cow::Borrowed(text)),
        }
    }

    /// As a double, if it is a number or text that fully reads as one.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Null => None,
            #[allow(clippy::cast_precision_loss, reason = "what SQLite does")]
            Self::Int(number) => Some(*number as f64),
            Self::Real(number) => Some(*number),
            Self::Text(text) => text_number(text).and_then(|value| value.number()),
        }
    }
}

impl<'a> From<&'a Value> for Arg<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Int(number) => Self::Int(*number),
            Value::Real(number) => Self::Real(*number),
            Value::Text(text) => Self::Text(Cow::Borrowed(text)),
        }
    }
}

impl Prim {
    /// Its value. `now_ms` is what a moment `'now'` means.
    #[must_use]
    pub fn eval(self, args: &[Arg<'_>], now_ms: i64) -> Value {
        match self {
            Self::Calc(operation) => calc::eval(operation, args),
            Self::Distance => distance::eval(args),
            Self::FormatTime => time::eval(args, now_ms),
            Self::HasWords => words::eval(args),
        }
    }

    /// What it yields.
    #[must_use]
    pub fn returns(self) -> Type {
        match self {
            Self::Calc(_) | Self::Distance => Type::Real,
            Self::FormatTime => Type::Text,
            Self::HasWords => Type::Truth,
        }
    }

    /// NULL if an argument is.
    pub(crate) fn is_strict(self) -> bool {
        match self {
            Self::Calc(_) | Self::Distance | Self::FormatTime => true,
            Self::HasWords => false,
        }
    }

    /// Rough cost beside 1 for a column, for ordering only.
    pub(crate) fn cost(self) -> u32 {
        match self {
            Self::Calc(_) => 4,
            Self::Distance | Self::FormatTime => 12,
            Self::HasWords => 20,
        }
    }
}

impl fmt::Display for Prim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calc(operation) => write!(f, "calc '{}'", operation.sign()),
            Self::Distance => f.write_str("distance"),
            Self::FormatTime => f.write_str("format_time"),
            Self::HasWords => f.write_str("has_words"),
        }
    }
}
