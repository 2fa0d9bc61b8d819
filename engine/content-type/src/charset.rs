//! The encoding of a text: by its byte order mark, what it declares, or its bytes.

use crate::{markup, text};

/// How much is looked at.
const LOOKED_AT: usize = 1024;

/// The encoding of a content of one of the three kinds that are shown with one.
pub(crate) fn of(kind: &str, bytes: &[u8]) -> Option<String> {
    let bytes = &bytes[..bytes.len().min(LOOKED_AT)];
    let declared = || match kind {
        "text/html" => in_html(bytes),
        "text/xml" => in_xml(bytes),
        _ => None,
    };
    let known = text::mark(bytes).map(str::to_owned).or_else(declared);
    known.or_else(|| by_bytes(bytes).map(str::to_owned))
}

fn by_bytes(bytes: &[u8]) -> Option<&'static str> {
    if bytes.is_empty() {
        return None;
    }
    if std::str::from_utf8(without_cut_character(bytes)).is_ok() {
        return Some("utf-8");
    }
    let is_odd = bytes.iter().any(|b| matches!(b, 0x7F..=0x84 | 0x86..=0x9F));
    let has_nel = bytes.contains(&0x85);
    let is_high = bytes.iter().any(|b| *b >= 0xA0);
    match (is_odd, has_nel, is_high) {
        (true, ..) => None,
        (_, true, _) => Some("windows-1252"),
        (_, _, true) => Some("iso-8859-1"),
        _ => None,
    }
}

/// Without the last bytes if they may be the beginning of a character.
fn without_cut_character(bytes: &[u8]) -> &[u8] {
    for back in 1..=3.min(bytes.len()) {
        let end = bytes.len() - back;
        match bytes[end] {
            0x80..=0xBF => {}
            0xC0.. => return &bytes[..end],
            _ => break,
        }
    }
    bytes
}

/// `encoding` of an XML declaration.
fn in_xml(bytes: &[u8]) -> Option<String> {
    let mut rest = bytes;
    loop {
        let at = memchr::memmem::find(rest, b"<?xml")?;
        let mut tag = markup::attributes(&rest[at + 5..]);
        let is_wanted =
            |(name, value): &(&[u8], &[u8])| name.starts_with(b"encoding") && !value.is_empty();
        if let Some((_, value)) = tag.find(is_wanted) {
            return Some(named(value));
        }
        rest = tag.rest;
    }
}

/// `charset`, or `content` beside `http-equiv`, of a `meta` element outside of comments: nearly the algorithm that
/// browsers use (HTML Living Standard §13.2.3.2, prescan).
fn in_html(bytes: &[u8]) -> Option<String> {
    let mut rest = bytes;
    while !rest.is_empty() {
        if let Some(after) = markup::after_comment(rest) {
            rest = after;
        } else if let Some(after) = text::after(rest, "<META") {
            let is_tag = |byte: &&u8| text::is_blank(**byte) || **byte == b'/';
            after.first().filter(is_tag)?;
            let mut tag = markup::attributes(after);
            match declared(&mut tag) {
                Declared::Known(charset) => return charset,
                Declared::Nothing => rest = tag.rest,
            }
        } else {
            rest = &rest[1..];
        }
    }
    None
}

/// What an element `meta` says.
enum Declared {
    /// Without a name the search ends, too.
    Known(Option<String>),
    Nothing,
}

fn declared(tag: &mut markup::Attributes<'_>) -> Declared {
    let (mut is_pragma, mut needs_pragma, mut charset) = (false, None, Vec::new());
    let mut seen: Vec<Vec<u8>> = Vec::new();
    for (name, value) in tag {
        let name = name.to_ascii_lowercase();
        if seen.contains(&name) {
            continue;
        }
        match name.as_slice() {
            b"http-equiv" => is_pragma = text::after(value, "CONTENT-TYPE").is_some(),
            b"charset" => (charset, needs_pragma) = (value.to_vec(), Some(false)),
            b"content" => {
                charset = after_charset(value).unwrap_or_default().to_vec();
                if !charset.is_empty() {
                    needs_pragma = Some(true);
                }
            }
            _ => {}
        }
        seen.push(name);
    }
    if needs_pragma.is_none_or(|needed| needed && !is_pragma) {
        return Declared::Nothing;
    }
    Declared::Known(Some(named(&charset)).filter(|name| !name.is_empty()))
}

/// What follows `charset=` in the value of `content`, without quotes around it.
fn after_charset(value: &[u8]) -> Option<&[u8]> {
    let mut rest = value;
    loop {
        rest = text::trim_start(&rest[memchr::memmem::find(rest, b"charset")? + 7..]);
        match rest.split_first()? {
            (b'=', after) => {
                rest = text::trim_start(after);
                break;
            }
            (_, after) => rest = after,
        }
    }
    let (quote, inner) = rest.split_first()?;
    Some(match quote {
        b'"' | b'\'' => inner[..memchr::memchr(*quote, inner).unwrap_or(inner.len())].trim_ascii(),
        _ => {
            let end = rest.iter().position(|byte| text::is_blank(*byte) || *byte == b';');
            &rest[..end.unwrap_or(rest.len())]
        }
    })
}

fn named(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}
