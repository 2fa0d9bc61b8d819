//! `strftime(format [, time [, modifier…]])` with SQLite's meaning (spec filter-language §3.4). Without a time, and for
//! the time `'now'`, it reads the clock of the plan.

use super::{Function, Meaning, Parameter, Takes, Times};
use crate::{
    civil::wire_text,
    plan::Expr,
    prim::{Arg, Prim, Type},
    value::Value,
};

pub(super) const FUNCTION: Function =
    Function::new("strftime", PARAMETERS, Type::Text, Meaning::Of { eval, lower })
        .described("a date as text in the given format");

const PARAMETERS: &[Parameter] = &[
    Parameter::new("format", Takes::Literal)
        .refusal("expects the first argument to be a format string")
        .examples(&[
            "%Y",
            "%Y-%m-%d",
            "%d %e %f",
            "%F %T",
            "%G-%V %g",
            "%H:%M:%S",
            "%I %l %k %p %P",
            "%j",
            "%J",
            "%m",
            "%R",
            "%s",
            "%u %w",
            "%U %W",
            "%%",
            "%q",
            "x",
        ]),
    Parameter::new("time", Takes::Time)
        .refusal("expects the second argument to be of a valid time-value type")
        .failure("failed to resolve time-value argument")
        .times(Times::Optional)
        .unguarded(),
    Parameter::new("modifier", Takes::Literal)
        .refusal("invalid modifier argument {} - can be only string")
        .times(Times::UpTo(10))
        .examples(&[
            "+1 day",
            "-2 months",
            "+1 year",
            "1.5 hours",
            "start of month",
            "start of year",
            "start of day",
            "weekday 1",
            "weekday 0",
            "unixepoch",
            "auto",
            "julianday",
            "+01:30",
            "-00:15:30",
            "+0001-02-03",
            "utc",
            "floor",
            "ceiling",
            "subsec",
            "bogus",
            "+13 months",
            "-90 seconds",
            "+2.5 months",
        ]),
];

fn eval(args: &[Value], now_ms: i64) -> Value {
    Prim::FormatTime.eval(&args.iter().map(Arg::from).collect::<Vec<_>>(), now_ms)
}

fn lower(args: &[Expr], now_ms: i64) -> Expr {
    let now = || Expr::Bound(Value::from(wire_text(now_ms)));
    let mut args = args.to_vec();
    match args.get_mut(1) {
        None => args.push(now()),
        Some(time) => {
            if matches!(time, Expr::Bound(Value::Text(text)) if text.eq_ignore_ascii_case("now")) {
                *time = now();
            }
        }
    }
    Expr::Apply { prim: Prim::FormatTime, args }
}
