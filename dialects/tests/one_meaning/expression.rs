//! Random filters and sorts over given tables, as text: comparisons and what joins them.

use std::{collections::BTreeSet, fmt::Write, sync::Arc};

use filter_lang::schema::Collection;

use crate::{
    rng::Rng,
    samples::{HELD_NUMBERS, HELD_TEXTS, OPTIONS, POINTS, TEXTS},
    support::common::Memory,
    tables::{NAMES, row_id},
};

/// Writes expressions over the collections of `memory`. Paths are in `path.rs`, function calls in `call.rs`.
pub(crate) struct Gen<'a> {
    pub(crate) rng: &'a mut Rng,
    pub(crate) memory: &'a Memory,
    /// What was written, for the coverage.
    pub(crate) seen: BTreeSet<String>,
}

impl Gen<'_> {
    pub(crate) fn expression(&mut self, at: &Arc<Collection>, depth: usize) -> String {
        let parts = [1, 1, 1, 2, 2, 3][self.rng.below(6)];
        let mut out = String::new();
        let mut used: Vec<String> = Vec::new();
        for index in 0..parts {
            if index > 0 {
                out.push_str(if self.rng.chance(55) { " && " } else { " || " });
            }
            if depth > 0 && self.rng.chance(25) {
                let inner = self.expression(at, depth - 1);
                let _ = write!(out, "({inner})");
            } else {
                let mut text = self.comparison(at);
                // Conditions on the same path are where sharing a row matters.
                if let Some(before) = used.last()
                    && self.rng.chance(50)
                    && !text.contains('(')
                    && !before.contains('(')
                    && let (Some((path, _)), Some((_, rest))) =
                        (before.split_once(' '), text.split_once(' '))
                {
                    let path = match path.rsplit_once('.') {
                        Some((head, _)) if self.rng.chance(50) && !head.starts_with('@') => {
                            format!("{head}.{}", self.rng.pick(&["t", "n", "id", "sm:each"]))
                        }
                        _ => path.to_owned(),
                    };
                    text = format!("{path} {rest}");
                }
                used.push(text.clone());
                out.push_str(&text);
            }
        }
        out
    }

    fn comparison(&mut self, at: &Arc<Collection>) -> String {
        if self.rng.chance(8) {
            let call = self.test(at);
            let rest = *self.rng.pick(&[
                "= true", "= true", "= true", "= true", "?= true", "?= true", "= 1", "!= true",
                "= false", "?= false", "> 0", "~ 1", "= b", "= u",
            ]);
            self.seen.insert(format!("test {rest}"));
            return match self.rng.below(8) {
                0 if rest.starts_with('=') => format!("{} = {call}", &rest[2..]),
                _ => format!("{call} {rest}"),
            };
        }
        if self.rng.chance(12) {
            return self.held(at);
        }
        let op = *self.rng.pick(&[
            "=", "!=", "~", "!~", ">", ">=", "<", "<=", "?=", "?!=", "?~", "?!~", "?>", "?>=",
            "?<", "?<=",
        ]);
        let (left, right) = match self.rng.below(20) {
            0..=12 => (self.operand(at), self.literal()),
            13..=17 => (self.operand(at), self.operand(at)),
            18 => (self.literal(), self.operand(at)),
            _ => (self.literal(), self.literal()),
        };
        self.seen.insert(format!("op {op}"));
        format!("{left} {op} {right}")
    }

    /// A comparison with what a document holds.
    fn held(&mut self, at: &Arc<Collection>) -> String {
        let (place, at) = self.place(at, 1, 30);
        let list = self.rng.chance(35);
        let op = *self.rng.pick(&["=", "=", "?=", "?=", "!=", "?!="]);
        self.seen.insert(format!("held {op}{}", if list { " in a list" } else { "" }));
        if list {
            let field = *self.rng.pick(&["sm", "fm", "rm"]);
            let item = match field {
                "rm" => {
                    let target = at.fields.iter().find(|f| f.name == "rm").unwrap();
                    let target =
                        target.target.as_deref().unwrap().trim_end_matches("_id").to_owned();
                    row_id(&target, self.rng.below(4))
                }
                _ => (*self.rng.pick(OPTIONS)).to_owned(),
            };
            let path = if field == "rm" && self.rng.chance(50) { "rm.id" } else { "" };
            let path = if path.is_empty() { format!("{field}:each") } else { path.to_owned() };
            return format!("{place}{path} {op} '{item}'");
        }
        if self.rng.chance(15) {
            let point = *self.rng.pick(POINTS);
            let (op, text) = match self.rng.below(4) {
                0 => ("~", &point[..point.len() / 2]),
                1 => ("<", point),
                _ => (op, point),
            };
            return format!("{place}g {op} '{text}'");
        }
        let path = self.json_path();
        let value = match self.rng.below(6) {
            0 => (*self.rng.pick(&["true", "false", "null"])).to_owned(),
            1 | 2 => (*self.rng.pick(HELD_NUMBERS)).to_owned(),
            3 => format!("'{}'", self.rng.pick(HELD_NUMBERS)),
            _ => format!("'{}'", self.rng.pick(HELD_TEXTS)),
        };
        match self.rng.below(6) {
            0 if !value.starts_with("'%") => format!("{value} {op} {place}j{path}"),
            _ => format!("{place}j{path} {op} {value}"),
        }
    }

    fn operand(&mut self, at: &Arc<Collection>) -> String {
        if self.rng.chance(7) { self.function(at) } else { self.identifier(at) }
    }

    fn literal(&mut self) -> String {
        match self.rng.below(11) {
            0..=2 => (*self.rng.pick(&["0", "1", "2", "-1", "1.5", "10", "5", "45", "007", "-.5"]))
                .into(),
            10 => (*self.rng.pick(&[
                "0.1",
                "9007199254740992",
                "9007199254740993",
                "9223372036854775807",
                "18446744073709551616",
                "100",
                "'0.1'",
                "'1.0e+308'",
                "'9007199254740993'",
                "'9223372036854775807'",
                "'Inf'",
                "'[[]]'",
                "'%e+%'",
                "'{\"a\":[]}'",
                "'deep'",
                "'%\"a\":%'",
                "'ä'",
            ]))
            .into(),
            3 => (*self.rng.pick(&["true", "false", "null", "NULL"])).into(),
            4 => "''".into(),
            5 => {
                let text = *self.rng.pick(&[
                    "a%", "%b", "%", "_", "a_%", r"100\\%", r"%\\", r"a\\%b%", "[\"a\"]", "{",
                    "1e0", "2024",
                ]);
                format!("'{text}'")
            }
            6 => format!("'{}'", self.rng.pick(OPTIONS)),
            7 => {
                let name = *self.rng.pick(NAMES);
                let at = self.rng.below(4);
                format!("'{}'", row_id(name, at))
            }
            _ => format!("'{}'", self.rng.pick(TEXTS).replace('\\', r"\\")),
        }
    }

    pub(crate) fn sort(&mut self, at: &Arc<Collection>) -> String {
        let mut keys = Vec::new();
        for _ in 0..1 + self.rng.below(2) {
            let key = match self.rng.below(8) {
                0 => "@rowid".to_owned(),
                1..=3 => self.path(at, 0),
                _ => self.path(at, 2),
            };
            keys.push(format!("{}{key}", self.rng.pick(&["", "-", "+"])));
        }
        keys.join(",")
    }
}
