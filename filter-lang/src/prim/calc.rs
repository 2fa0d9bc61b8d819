//! Arithmetic on doubles. What a double cannot hold is NULL, like a division by zero: databases disagree about the rest.

use super::Arg;
use crate::value::Value;

/// An operation on two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
}

impl Arithmetic {
    /// How it is written.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
        }
    }

    /// The operation of a sign.
    #[must_use]
    pub fn of(sign: &str) -> Option<Self> {
        [Self::Add, Self::Subtract, Self::Multiply, Self::Divide]
            .into_iter()
            .find(|operation| operation.sign() == sign)
    }
}

pub(super) fn eval(operation: Arithmetic, args: &[Arg<'_>]) -> Value {
    let [left, right] = args else { return Value::Null };
    let (Some(left), Some(right)) = (left.number(), right.number()) else { return Value::Null };
    let result = match operation {
        Arithmetic::Add => left + right,
        Arithmetic::Subtract => left - right,
        Arithmetic::Multiply => left * right,
        Arithmetic::Divide if right == 0.0 => return Value::Null,
        Arithmetic::Divide => left / right,
    };
    if result.is_finite() { Value::Real(result) } else { Value::Null }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results() {
        use Arithmetic::{Add, Divide, Multiply, Subtract};
        let text = |text: &'static str| Arg::Text(text.into());
        for (operation, left, right, result) in [
            (Add, Arg::Int(1), Arg::Real(0.5), Some(1.5)),
            (Subtract, text(" 12 "), text("2"), Some(10.0)),
            (Multiply, text("12 apples"), Arg::Int(2), None),
            (Divide, Arg::Int(1), Arg::Int(4), Some(0.25)),
            (Divide, Arg::Int(1), Arg::Real(0.0), None),
            (Multiply, Arg::Real(1e300), Arg::Real(1e300), None),
            (Multiply, Arg::Real(1e-300), Arg::Real(1e-300), Some(0.0)),
            (Add, Arg::Null, Arg::Int(1), None),
        ] {
            let found = eval(operation, &[left.clone(), right.clone()]);
            assert_eq!(found, result.map_or(Value::Null, Value::Real), "{operation:?}");
        }
        assert_eq!(Arithmetic::of("/"), Some(Divide));
        assert_eq!(Arithmetic::of("%"), None);
    }
}
