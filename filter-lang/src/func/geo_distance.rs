//! `geoDistance(lonA, latA, lonB, latB)`: the haversine-free great circle distance in km.
//!
//! Source: spec filter-language §3.3, upstream-0.40 §6.2. The order of operations is part of the contract; what rounding
//! leaves outside of the domain of `acos` counts as its end. A point is at no distance from itself, whatever the digits of
//! the platform's sine say.

use super::{Arguments, Func, Function};
use crate::{
    ast::{Term, TermKind},
    error::ErrorKind,
    plan::{Expr, NullPref, Operand},
    value::{Affinity, Value},
};

pub(super) const FUNCTION: Function =
    Function { name: "geoDistance", help: ["lonA, latA, lonB, latB", "number", "kilometers between two points"], build, eval, cost: 12, strict: true, params: true };

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

/// The distance, NULL if an argument is not numeric.
fn eval(args: &[Value], _: i64) -> Value {
    let degrees = |at: usize| args.get(at).and_then(Value::number);
    let (Some(lon_a), Some(lat_a), Some(lon_b), Some(lat_b)) =
        (degrees(0), degrees(1), degrees(2), degrees(3))
    else {
        return Value::Null;
    };
    distance((lon_a, lat_a), (lon_b, lat_b)).map_or(Value::Null, Value::Real)
}

/// Kilometres between two points of (longitude, latitude) in degrees; `None` where a degree is not finite.
#[must_use]
pub fn distance(a: (f64, f64), b: (f64, f64)) -> Option<f64> {
    let [(lon_a, lat_a), (lon_b, lat_b)] = [a, b].map(|(x, y)| (x.to_radians(), y.to_radians()));
    let cosine = lat_a.cos() * lat_b.cos() * (lon_b - lon_a).cos() + lat_a.sin() * lat_b.sin();
    if cosine.is_nan() {
        return None;
    }
    Some(if a == b { 0.0 } else { EARTH_KM * cosine.clamp(-1.0, 1.0).acos() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_at_no_distance_from_itself() {
        for (lon, lat) in [
            (45.2593, -78.2048),
            (178.4321, -5.3526),
            (136.7922, 87.6445),
            (12.5, 41.9),
            (0.0, 8.0),
            (10.0, 2.5),
            (0.0, 90.0),
        ] {
            let args = [lon, lat, lon, lat].map(Value::Real);
            assert_eq!(eval(&args, 0), Value::Real(0.0), "{lon} {lat}");
        }
        // Rounding may lead out of the domain of the arc cosine for others, too.
        let near = distance((45.2593, -78.2048), (45.259_300_000_1, -78.2048));
        assert!(near.is_some_and(|km| (0.0..1e-3).contains(&km)), "{near:?}");
        let half = std::f64::consts::PI * EARTH_KM;
        for (a, b) in [((0.0, 0.0), (180.0, 0.0)), ((0.0, 2.5), (180.0, -2.5))] {
            assert!(distance(a, b).is_some_and(|km| (km - half).abs() < 1e-3), "{a:?} {b:?}");
        }
        assert_eq!(distance((f64::INFINITY, 0.0), (f64::INFINITY, 0.0)), None);
    }

    #[test]
    fn numeric_text_converts() {
        let one = eval(&[Value::from("10"), Value::Int(0), Value::Int(11), Value::Int(0)], 0);
        let Value::Real(km) = one else { panic!("{one:?}") };
        assert!((km - 111.19).abs() < 0.1, "{km}");
        assert_eq!(
            eval(&[Value::from("x"), Value::Int(0), Value::Int(1), Value::Int(1)], 0),
            Value::Null
        );
        assert_eq!(
            eval(&[Value::Null, Value::Int(0), Value::Int(1), Value::Int(1)], 0),
            Value::Null
        );
    }
}
