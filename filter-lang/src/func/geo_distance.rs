//! `geoDistance(lonA, latA, lonB, latB)`: kilometers between two points (spec filter-language §3.3).

use super::{Function, Meaning, Parameter, Takes};
use crate::prim::{Prim, Type};

pub(super) const FUNCTION: Function = Function::new(
    "geoDistance",
    &[degrees("lonA"), degrees("latA"), degrees("lonB"), degrees("latB")],
    Type::Real,
    Meaning::Is(Prim::Distance),
)
.described("kilometers between two points");

const fn degrees(name: &'static str) -> Parameter {
    Parameter::new(name, Takes::Number).failure("failed to resolve argument {}").alone().unguarded()
}
