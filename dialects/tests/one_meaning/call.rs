//! Random calls of the functions of the language.

use std::{fmt::Write, sync::Arc};

use filter_lang::schema::{Collection, CollectionKind};

use crate::{expression::Gen, samples::QUERIES};

impl Gen<'_> {
    pub(crate) fn function(&mut self, at: &Arc<Collection>) -> String {
        if self.rng.chance(35) { self.geo_distance() } else { self.strftime(at) }
    }

    fn geo_distance(&mut self) -> String {
        let mut args: Vec<String> = Vec::new();
        let place = *self.rng.pick(&["g", "g", "r.g", "rm.g"]);
        for part in ["lon", "lat"] {
            args.push(if self.rng.chance(60) {
                format!("{place}.{part}")
            } else {
                (*self.rng.pick(&["10", "2.5", "n", "t", "null"])).into()
            });
        }
        for _ in 0..2 {
            args.push(
                (*self.rng.pick(&["23.32", "42.69", "10", "2.5", "g.lat", "n", "u", "0"])).into(),
            );
        }
        format!("geoDistance({})", args.join(", "))
    }

    fn strftime(&mut self, at: &Arc<Collection>) -> String {
        let format = *self.rng.pick(&[
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
        ]);
        let mut call = format!("strftime('{format}'");
        if self.rng.chance(90) {
            let value = match self.rng.below(6) {
                0 | 1 => "d".to_owned(),
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
            };
            call.push_str(", ");
            call.push_str(&value);
            for _ in 0..[0, 0, 1, 1, 2][self.rng.below(5)] {
                let modifier = *self.rng.pick(&[
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
                ]);
                let _ = write!(call, ", '{modifier}'");
            }
        }
        call + ")"
    }

    /// A full-text search in the texts of one record.
    pub(crate) fn search(&mut self, at: &Arc<Collection>) -> String {
        let hops = *self.rng.pick(&[0, 0, 0, 1, 1, 2, 3]);
        let (place, at) = self.place(at, hops, 100);
        let mut fields = Vec::new();
        for _ in 0..*self.rng.pick(&[1, 1, 2, 2, 3]) {
            let name = match self.rng.below(12) {
                0 => "n",
                1 => "s",
                2 if at.kind == CollectionKind::Auth => "email",
                3 => "d",
                4 => "@request.body.t",
                5..=8 => "t",
                _ => "u",
            };
            fields.push(if name.starts_with('@') { name.into() } else { format!("{place}{name}") });
        }
        let query = match self.rng.below(20) {
            0 => "@request.query.k".into(),
            1 => "@request.body.t".into(),
            _ => format!("'{}'", self.rng.pick(QUERIES)),
        };
        let config = *self.rng.pick(&["", "", ", 'simple'"]);
        format!("fts({}, {query}{config})", fields.join(", "))
    }
}
