//! The date macros (`@now`, `@todayStart`, `@year`, …) as values of a given moment.
//!
//! Source: spec filter-language §3.2. The clock is an argument.

use crate::{
    civil::{DAY_MS, civil_from_days, days_from_civil, wire_text},
    value::Value,
};

/// The names of all macros.
pub const NAMES: &[&str] = &[
    "@now",
    "@yesterday",
    "@tomorrow",
    "@second",
    "@minute",
    "@hour",
    "@day",
    "@month",
    "@year",
    "@weekday",
    "@todayStart",
    "@todayEnd",
    "@monthStart",
    "@monthEnd",
    "@yearStart",
    "@yearEnd",
];

/// The value of a macro at `now_ms` (milliseconds since the Unix epoch, UTC); `None` if it is not one.
/// Names are case-sensitive.
#[must_use]
pub fn value(name: &str, now_ms: i64) -> Option<Value> {
    let today = now_ms.div_euclid(DAY_MS);
    let time = now_ms.rem_euclid(DAY_MS);
    let (year, month, day) = civil_from_days(today);
    let start = |year, month, day| text(days_from_civil(year, month, day) * DAY_MS);
    let end = |year, month, day| text(days_from_civil(year, month, day) * DAY_MS - 1);
    Some(match name {
        "@now" => text(now_ms),
        "@yesterday" => text(now_ms - DAY_MS),
        "@tomorrow" => text(now_ms + DAY_MS),
        "@second" => Value::Int(time / 1_000 % 60),
        "@minute" => Value::Int(time / 60_000 % 60),
        "@hour" => Value::Int(time / 3_600_000),
        "@day" => Value::Int(day),
        "@month" => Value::Int(month),
        "@year" => Value::Int(year),
        // 1970-01-01 was a Thursday.
        "@weekday" => Value::Int((today + 4).rem_euclid(7)),
        "@todayStart" => start(year, month, day),
        "@todayEnd" => end(year, month, day + 1),
        "@monthStart" => start(year, month, 1),
        "@monthEnd" => end(year, month + 1, 1),
        "@yearStart" => start(year, 1, 1),
        "@yearEnd" => end(year + 1, 1, 1),
        _ => return None,
    })
}

fn text(ms: i64) -> Value {
    Value::from(wire_text(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_spec() {
        let now = 1_675_397_106_000;
        for (name, expected) in [
            ("@now", Value::from("2023-02-03 04:05:06.000Z")),
            ("@yesterday", Value::from("2023-02-02 04:05:06.000Z")),
            ("@tomorrow", Value::from("2023-02-04 04:05:06.000Z")),
            ("@second", Value::Int(6)),
            ("@minute", Value::Int(5)),
            ("@hour", Value::Int(4)),
            ("@day", Value::Int(3)),
            ("@month", Value::Int(2)),
            ("@weekday", Value::Int(5)),
            ("@year", Value::Int(2023)),
            ("@todayStart", Value::from("2023-02-03 00:00:00.000Z")),
            ("@todayEnd", Value::from("2023-02-03 23:59:59.999Z")),
            ("@monthStart", Value::from("2023-02-01 00:00:00.000Z")),
            ("@monthEnd", Value::from("2023-02-28 23:59:59.999Z")),
            ("@yearStart", Value::from("2023-01-01 00:00:00.000Z")),
            ("@yearEnd", Value::from("2023-12-31 23:59:59.999Z")),
        ] {
            assert_eq!(value(name, now), Some(expected), "{name}");
        }
        assert_eq!(value("@NOW", now), None);
        let december = 1_702_000_000_000;
        assert_eq!(value("@monthEnd", december), Some(Value::from("2023-12-31 23:59:59.999Z")));
    }
}
