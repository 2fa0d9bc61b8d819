//! HTML, XML and SVG by their first tags.

use memchr::memmem;

use crate::{head::Head, text};

/// What an HTML document may begin with, in any case.
const HTML: &[&str] = &[
    "<!DOCTYPE HTML",
    "<HTML",
    "<HEAD",
    "<SCRIPT",
    "<IFRAME",
    "<H1",
    "<DIV",
    "<FONT",
    "<TABLE",
    "<A",
    "<STYLE",
    "<TITLE",
    "<B",
    "<BODY",
    "<BR",
    "<P",
    "<!--",
];

pub(crate) fn is_html(head: Head<'_>) -> bool {
    begins_with_tag(head.bytes, HTML)
}

pub(crate) fn is_xml(head: Head<'_>) -> bool {
    begins_with_tag(head.bytes, &["<?XML"])
}

/// Behind the tag stands a blank or its end.
fn begins_with_tag(bytes: &[u8], tags: &[&str]) -> bool {
    let text = text::trim_start(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes));
    tags.iter().any(|tag| {
        let next = text::after(text, tag).and_then(<[u8]>::first);
        next.is_some_and(|byte| text::is_blank(*byte) || *byte == b'>')
    })
}

/// An element and a name space (either may be empty) stand in this order near the beginning.
pub(crate) fn is_xml_of(bytes: &[u8], roots: &[(&str, &str)]) -> bool {
    let text = text::trim_start(bytes);
    let text = &text[..text.len().min(512)];
    let find = |part: &str| memmem::find(text, part.as_bytes());
    roots.iter().any(|(element, space)| match (find(element), find(space)) {
        _ if element.is_empty() => find(space).is_some_and(|at| at > 0),
        (element, _) if space.is_empty() => element.is_some_and(|at| at > 0),
        (Some(element), Some(space)) => element < space,
        _ => false,
    })
}

pub(crate) fn is_xhtml(head: Head<'_>) -> bool {
    let bytes = &head.bytes[..head.bytes.len().min(1024)];
    memchr::memchr_iter(b'<', bytes).any(|at| {
        ["<!DOCTYPE HTML", "<HTML XMLNS="]
            .iter()
            .any(|start| text::after_words(&bytes[at..], start).is_some())
    })
}

const SVG: &[u8] = b"http://www.w3.org/2000/svg";

/// An `svg` element of its name space behind comments, or anywhere behind an XML declaration.
pub(crate) fn is_svg(head: Head<'_>) -> bool {
    let mut text = text::trim_start(head.bytes);
    if text.starts_with(b"<?xml") {
        let mut tag = attributes(text);
        return tag.any(|(name, _)| name == b"version")
            && memmem::find(tag.rest, b"<svg").is_some();
    }
    while let Some(rest) = after_comment(text) {
        text = rest;
    }
    text.starts_with(b"<svg")
        && attributes(text).any(|(name, value)| name == b"xmlns" && value == SVG)
}

/// What follows a comment. The dashes of its beginning may be those of its end.
pub(crate) fn after_comment(bytes: &[u8]) -> Option<&[u8]> {
    let inner = bytes.starts_with(b"<!--").then(|| &bytes[2..])?;
    Some(&inner[memmem::find(inner, b"-->")? + 3..])
}

/// The attributes of a tag, each with its value; the name of a tag that begins here is the first of them.
pub(crate) fn attributes(tag: &[u8]) -> Attributes<'_> {
    Attributes { rest: tag, is_done: false }
}

/// See [`attributes`].
pub(crate) struct Attributes<'a> {
    /// What was not read yet.
    pub(crate) rest: &'a [u8],
    is_done: bool,
}

impl<'a> Attributes<'a> {
    fn skip(&mut self, is_skipped: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| !is_skipped(*byte));
        let (skipped, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        skipped
    }

    /// A value that does not end is none.
    fn value(&mut self) -> Option<&'a [u8]> {
        let inner = self.rest;
        let (value, rest) = match inner.first()? {
            quote @ (b'"' | b'\'') => {
                let end = memchr::memchr(*quote, &inner[1..])? + 1;
                (&inner[1..end], &inner[end + 1..])
            }
            _ => {
                let end = inner.iter().position(|byte| text::is_blank(*byte) || *byte == b'>')?;
                inner.split_at(end)
            }
        };
        self.rest = rest;
        Some(value)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a [u8], &'a [u8]);

    /// HTML Living Standard §13.2.3.2, "get an attribute", but that a name which ends with the tag or `/` is the last.
    fn next(&mut self) -> Option<Self::Item> {
        self.skip(|byte| text::is_blank(byte) || byte == b'/');
        if self.is_done || self.rest.first().is_none_or(|byte| *byte == b'>') {
            return None;
        }
        let ends_name = |byte: u8| text::is_blank(byte) || matches!(byte, b'/' | b'>' | b'=');
        let whole = self.rest;
        if whole[0] == b'=' {
            self.rest = &whole[1..];
        }
        self.skip(|byte| !ends_name(byte));
        let name = &whole[..whole.len() - self.rest.len()];
        self.is_done = matches!(self.rest.first(), None | Some(b'/' | b'>'));
        self.skip(text::is_blank);
        let Some(rest) = self.rest.strip_prefix(b"=").filter(|_| !self.is_done) else {
            return Some((name, b""));
        };
        self.rest = text::trim_start(rest);
        let value = self.value().unwrap_or_else(|| {
            self.rest = b"";
            b""
        });
        Some((name, value))
    }
}
