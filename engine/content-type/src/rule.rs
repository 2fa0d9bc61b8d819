//! What a kind of content is recognized by: tests as data, and the walk over them.
//!
//! Must not know any kind: those are in [`tree`](crate::tree).

use crate::{head::Head, markup, script};

/// A kind of content; those that are also of a narrower kind are found by the inner ones.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// With its dot; may be empty.
    pub(crate) extension: &'static str,
    pub(crate) aliases: &'static [&'static str],
    test: Test,
    inner: &'static [Kind],
}

/// A condition on the head of a content.
#[derive(Debug)]
pub(crate) enum Test {
    /// One of these stands at a place.
    At(usize, &'static [&'static [u8]]),
    /// The byte at a place lies between these two.
    Within(usize, u8, u8),
    /// There are more bytes than this.
    Over(usize),
    All(&'static [Test]),
    Any(&'static [Test]),
    /// An XML document with one of these elements, in one of these name spaces (either may be empty).
    Xml(&'static [(&'static str, &'static str)]),
    /// A script that one of these interpreters is named for in the first line.
    Script(&'static [script::Interpreter]),
    Code(fn(Head<'_>) -> bool),
}

impl Kind {
    pub(crate) const fn new(name: &'static str, extension: &'static str, test: Test) -> Self {
        Self { name, extension, aliases: &[], test, inner: &[] }
    }
    /// Other names of the kind.
    pub(crate) const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
    pub(crate) const fn with(mut self, inner: &'static [Self]) -> Self {
        self.inner = inner;
        self
    }
    /// The narrowest kind: of each list the first whose test holds.
    pub(crate) fn find(kinds: &'static [Self], head: Head<'_>) -> Option<&'static Self> {
        let found = kinds.iter().find(|kind| kind.test.holds(head))?;
        Some(Self::find(found.inner, head).unwrap_or(found))
    }
}

impl Test {
    fn holds(&self, head: Head<'_>) -> bool {
        let bytes = head.bytes;
        match self {
            Self::At(place, marks) => bytes
                .get(*place..)
                .is_some_and(|rest| marks.iter().any(|mark| rest.starts_with(mark))),
            Self::Within(place, low, high) => {
                bytes.get(*place).is_some_and(|byte| (low..=high).contains(&byte))
            }
            Self::Over(count) => bytes.len() > *count,
            Self::All(tests) => tests.iter().all(|test| test.holds(head)),
            Self::Any(tests) => tests.iter().any(|test| test.holds(head)),
            Self::Xml(roots) => markup::is_xml_of(bytes, roots),
            Self::Script(interpreters) => script::names_any(bytes, interpreters),
            Self::Code(test) => test(head),
        }
    }
}
