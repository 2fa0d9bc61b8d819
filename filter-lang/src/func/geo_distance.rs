//! `geoDistance(lonA, latA, lonB, latB)`: the haversine-free great circle distance in km.
//!
//! Source: spec filter-language §3.3. The order of operations is part of the contract: rounding above 1 before
//! `acos` gives NULL.

use super::{Arguments, Func, Function};
use crate::{
    ast::{Term, TermKind},
    error::ErrorKind,
    plan::{Expr, NullPref, Operand},
    value::{Affinity, Value},
};

pub(super) const FUNCTION: Function =
    Function { name: "geoDistance", build, eval, cost: 12, strict: true, params: true };

const EARTH_KM: f64 = 6371.0;

fn build(arguments: &mut dyn Arguments, args: &[Term]) -> Result<Operand, ErrorKind> {
    let [lon_a, lat_a, lon_b, lat_b] = args else { return Err(ErrorKind::GeoArity(args.len())) };
    let mut resolve = |index: usize, term: &Term| match term.kind {
        TermKind::Identifier(_) | TermKind::Number(_) => arguments
            .argument(term)
            .map(|operand| operand.expr)
            .map_err(|cause| ErrorKind::GeoResolve(index, Box::new(cause))),
        TermKind::Text(_) | TermKind::Function { .. } => Err(ErrorKind::GeoArgument(index)),
    };
    let args = vec![resolve(0, lon_a)?, resolve(1, lat_a)?, resolve(2, lon_b)?, resolve(3, lat_b)?];
    Ok(Operand {
        expr: Expr::Call { func: Func::GeoDistance, args },
        pref: NullPref::Disabled,
        affinity: Affinity::None,
        multi: false,
    })
}

/// The distance, NULL if an argument is not numeric or `acos` is out of its domain.
fn eval(args: &[Value], _: i64) -> Value {
    let radians = |at: usize| args.get(at).and_then(Value::number).map(f64::to_radians);
    let (Some(lon_a), Some(lat_a), Some(lon_b), Some(lat_b)) =
        (radians(0), radians(1), radians(2), radians(3))
    else {
        return Value::Null;
    };
    let cosine =
        lat_a.cos() * lat_b.cos() * (lon_b - lon_a).cos() + lat_a.sin() * lat_b.sin();
    let distance = EARTH_KM * cosine.acos();
    if distance.is_nan() { Value::Null } else { Value::Real(distance) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identical_points_may_have_no_distance() {
        let at = |lat: f64| {
            eval(&[Value::Real(10.0), Value::Real(lat), Value::Real(10.0), Value::Real(lat)], 0)
        };
        for lat in [2.5, 2.6, 5.5, 5.7, 8.0, 12.0] {
            assert_eq!(at(lat), Value::Null, "{lat}");
        }
        assert_eq!(at(0.0), Value::Real(0.0));
    }

    #[test]
    fn numeric_text_converts() {
        let one = eval(&[Value::from("10"), Value::Int(0), Value::Int(11), Value::Int(0)], 0);
        let Value::Real(km) = one else { panic!("{one:?}") };
        assert!((km - 111.19).abs() < 0.1, "{km}");
        assert_eq!(eval(&[Value::from("x"), Value::Int(0), Value::Int(1), Value::Int(1)], 0), Value::Null);
        assert_eq!(eval(&[Value::Null, Value::Int(0), Value::Int(1), Value::Int(1)], 0), Value::Null);
    }
}
