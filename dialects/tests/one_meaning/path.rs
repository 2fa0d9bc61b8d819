//! Random paths: over relations and back, into the request, `@collection` and macros.

use std::{fmt::Write, sync::Arc};

use filter_lang::schema::{Class, Collection, Field, Schema};

use crate::{expression::Gen, tables::NAMES};

impl Gen<'_> {
    pub(crate) fn identifier(&mut self, at: &Arc<Collection>) -> String {
        match self.rng.below(20) {
            0..=9 => self.path(at, 2),
            10..=12 => self.deep(at),
            13 | 14 => {
                let name = *self.rng.pick(NAMES);
                let next = self.collection(name);
                let alias = *self.rng.pick(&["", "", ":x", ":y"]);
                // One alias must not stand for two collections.
                let alias = if alias.is_empty() { String::new() } else { format!("{alias}{name}") };
                format!("@collection.{name}{alias}.{}", self.path(&next, 1))
            }
            15 => (*self.rng.pick(&[
                "@now",
                "@yesterday",
                "@tomorrow",
                "@second",
                "@minute",
                "@hour",
                "@day",
                "@month",
                "@weekday",
                "@year",
                "@todayStart",
                "@todayEnd",
                "@monthStart",
                "@monthEnd",
                "@yearStart",
                "@yearEnd",
            ]))
            .into(),
            _ => self.request(at),
        }
    }

    /// A path starting at a row of `at`.
    pub(crate) fn path(&mut self, at: &Arc<Collection>, hops: usize) -> String {
        self.path_by(at, hops, 40)
    }

    /// A path of exactly three hops.
    fn deep(&mut self, at: &Arc<Collection>) -> String {
        self.path_by(at, 3, 100)
    }

    /// `more`: how likely (in percent) each further hop is.
    fn path_by(&mut self, at: &Arc<Collection>, hops: usize, more: usize) -> String {
        let (place, at) = self.place(at, hops, more);
        format!("{place}{}", self.leaf(&at))
    }

    /// The start of a path up to and with its last dot, and the collection it leads to.
    pub(crate) fn place(
        &mut self,
        at: &Arc<Collection>,
        hops: usize,
        more: usize,
    ) -> (String, Arc<Collection>) {
        let (mut text, mut at) = (String::new(), Arc::clone(at));
        for _ in 0..hops {
            if !self.rng.chance(more) {
                break;
            }
            let mut back = Vec::new();
            for (collection, _) in &self.memory.tables {
                for f in &collection.fields {
                    if f.target.as_deref() == Some(at.id.as_str()) {
                        back.push((Arc::clone(collection), f.name.clone()));
                    }
                }
            }
            if self.rng.chance(40) && !back.is_empty() {
                let (collection, name) = self.rng.pick(&back).clone();
                let _ = write!(text, "{}_via_{name}.", collection.name);
                at = collection;
                continue;
            }
            let relations: Vec<&Field> = at.fields.iter().filter(|f| f.target.is_some()).collect();
            let f = *self.rng.pick(&relations);
            let _ = write!(text, "{}.", f.name);
            at = self.collection(f.target.as_deref().unwrap());
        }
        (text, at)
    }

    /// The end of a path: a field with what may follow it.
    fn leaf(&mut self, at: &Arc<Collection>) -> String {
        let json = self.rng.chance(12).then(|| at.fields.iter().find(|f| f.class == Class::Json));
        let f = json.flatten().unwrap_or_else(|| self.rng.pick(&at.fields)).clone();
        let mut text = f.name.clone();
        match f.class {
            Class::Json => text.push_str(self.json_path()),
            Class::GeoPoint => {
                let tail = *self.rng.pick(&["", ".lat", ".lon", ".foo"]);
                text.push_str(tail);
            }
            _ => {}
        }
        let modifier = match f.class {
            Class::Json | Class::GeoPoint if text.contains('.') => "",
            Class::Select | Class::File | Class::Relation => {
                *self.rng.pick(&["", ":each", ":each", ":length", ":lower", ":isset"])
            }
            _ => *self.rng.pick(&["", "", "", "", ":lower", ":length", ":each", ":isset"]),
        };
        text + modifier
    }

    /// What may follow the name of a JSON field.
    pub(crate) fn json_path(&mut self) -> &'static str {
        const PATHS: &[&str] = &[
            "",
            "",
            ".a",
            ".a",
            ".b",
            ".n",
            ".b.c",
            ".0",
            ".1",
            ".a.0",
            ".5",
            ".a.b.c",
            ".3.k",
            ".a.b",
            ".A",
            ".0.0",
            ".0.a.0.a",
            ".a.1.1.a.0",
            ".a.a.a.a.a",
            ".4",
        ];
        PATHS[self.rng.below(PATHS.len())]
    }

    fn request(&mut self, at: &Arc<Collection>) -> String {
        match self.rng.below(12) {
            0 => "@request.context".into(),
            1 => "@request.method".into(),
            2 => format!(
                "@request.query.{}",
                self.rng.pick(&["k", "n", "nope", "k:isset", "k:lower"])
            ),
            3 => {
                format!("@request.headers.{}", self.rng.pick(&["x_token", "nope", "x_token:isset"]))
            }
            4 | 5 => {
                let people = self.collection("people");
                format!("@request.auth.{}", self.path(&people, 2))
            }
            6 => format!(
                "@request.auth.{}",
                self.rng.pick(&["id", "collectionName", "email", "verified", "zzz", "t"])
            ),
            7 => {
                let f = self.rng.pick(&at.fields).clone();
                format!(
                    "@request.body.{}{}",
                    f.name,
                    self.rng.pick(&["", ":isset", ":changed", ":lower"])
                )
            }
            8 => format!(
                "@request.body.{}{}",
                self.rng.pick(&["sm", "rm", "r", "s"]),
                self.rng.pick(&[":each", ":each", ":length"])
            ),
            9 | 10 => {
                let name = *self.rng.pick(&["r", "rm"]);
                let target =
                    at.fields.iter().find(|f| f.name == name).and_then(|f| f.target.clone());
                let next = self.collection(&target.unwrap());
                format!("@request.body.{name}.{}", self.path(&next, 1))
            }
            _ => format!(
                "@request.body.{}",
                self.rng.pick(&["zzz", "j.a", "zzz:isset", "deep.x.0", "j.0"])
            ),
        }
    }

    fn collection(&self, id: &str) -> Arc<Collection> {
        self.memory.collection(id).unwrap()
    }
}
