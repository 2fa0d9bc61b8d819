//! Random calls of the functions of the language, drawn from what they say they take. Names no function.

use std::sync::Arc;

use filter_lang::{
    func::{self, Func, Parameter, Takes, Times},
    prim::Type,
    schema::{Collection, CollectionKind},
};

use crate::{expression::Gen, samples::QUERIES};

impl Gen<'_> {
    /// A call that yields a text or a number.
    pub(crate) fn function(&mut self, at: &Arc<Collection>) -> String {
        self.call(at, |func| func.returns() != Type::Truth)
    }

    /// A call that yields whether something holds.
    pub(crate) fn test(&mut self, at: &Arc<Collection>) -> String {
        self.call(at, |func| func.returns() == Type::Truth)
    }

    fn call(&mut self, at: &Arc<Collection>, fits: fn(&Func) -> bool) -> String {
        let all: Vec<Func> = func::all().filter(fits).collect();
        let func = *self.rng.pick(&all);
        // The fields of a call are those of one record.
        let hops = *self.rng.pick(&[0, 0, 0, 1, 1, 2, 3]);
        let (place, record) = self.place(at, hops, 100);
        let mut args = Vec::new();
        for parameter in func.parameters() {
            let times = match parameter.times {
                Times::Once => 1,
                Times::Optional => usize::from(self.rng.chance(70)),
                Times::Many => *self.rng.pick(&[1, 1, 2, 2, 3]),
                Times::UpTo(_) => [0, 0, 1, 1, 2][self.rng.below(5)],
            };
            let left_out = times == 0;
            for _ in 0..times {
                args.push(match parameter.takes {
                    Takes::Field => format!("{place}{}", self.field(&record)),
                    _ => self.argument(at, parameter),
                });
            }
            // What is repeated stands behind what it belongs to.
            if left_out && parameter.times == Times::Optional {
                break;
            }
        }
        format!("{}({})", func.name(), args.join(", "))
    }

    fn argument(&mut self, at: &Arc<Collection>, parameter: &Parameter) -> String {
        match parameter.takes {
            Takes::Literal => format!("'{}'", self.rng.pick(parameter.examples)),
            Takes::Number => self.number(),
            Takes::Time => self.time(at),
            Takes::Query => match self.rng.below(20) {
                0 => "@request.query.k".into(),
                1 => "@request.body.t".into(),
                _ => format!("'{}'", self.rng.pick(QUERIES)),
            },
            Takes::Field => self.path(at, 1),
        }
    }

    fn number(&mut self) -> String {
        let place = *self.rng.pick(&["g", "g", "g", "g", "r.g", "rm.g"]);
        match self.rng.below(10) {
            0..=1 => format!("{place}.lon"),
            2..=3 => format!("{place}.lat"),
            4 => (*self.rng.pick(&["n", "t", "u", "j.a", "null", "r.n", "rm.n"])).into(),
            _ => (*self.rng.pick(&["23.32", "42.69", "10", "2.5", "0", "-0.5"])).into(),
        }
    }

    fn time(&mut self, at: &Arc<Collection>) -> String {
        match self.rng.below(6) {
            0 | 1 => "d".into(),
            2 => (*self.rng.pick(&["r.d", "rm.d", "t", "n", "j.a", "@now", "b"])).into(),
            3 => (*self.rng.pick(&[
                "'now'",
                "'2024-02-29'",
                "'12:30'",
                "'2023-05-06T07:08:09.5+02:00'",
                "1700000000",
                "2460000.5",
            ]))
            .into(),
            _ => self.path(at, 1),
        }
    }

    fn field(&mut self, record: &Arc<Collection>) -> &'static str {
        match self.rng.below(12) {
            0 => "n",
            1 => "s",
            2 if record.kind == CollectionKind::Auth => "email",
            3 => "d",
            5..=8 => "t",
            _ => "u",
        }
    }
}
