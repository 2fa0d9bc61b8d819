//! Header values of the form `type; name=value; …`: content types and dispositions.
//!
//! Browsers quote values, others send tokens or `name*=UTF-8''…` (RFC 6266, RFC 8187), old ones whole Windows paths with
//! single backslashes. Must not know which parameters count.

use percent_encoding::percent_decode;

/// A value with its parameters.
#[derive(Debug)]
pub struct Media<'v> {
    /// What stands before the first semicolon.
    pub kind: &'v [u8],
    /// Names in lower case; `name*` counts as `name`, before the plain one.
    parameters: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<'v> Media<'v> {
    /// Reads a value; `None` when it is not well-formed or a parameter comes twice with different values.
    pub fn parse(value: &'v [u8]) -> Option<Self> {
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        let (kind, mut rest) = value.split_at(end);
        let (mut plain, mut extended) = (Vec::new(), Vec::new());
        loop {
            rest = rest.trim_ascii_start();
            let Some(after) = rest.strip_prefix(b";") else { break };
            let (key, after) = token(after.trim_ascii_start());
            if key.is_empty() && after.is_empty() {
                // a semicolon too many
                rest = after;
                break;
            }
            let after = after.trim_ascii_start().strip_prefix(b"=")?;
            let (text, after) = parameter(after.trim_ascii_start())?;
            rest = after;
            let key = key.to_ascii_lowercase();
            match key.strip_suffix(b"*") {
                // in an unknown character set: as if it were not there
                Some(key) => extended.extend(encoded(&text).map(|text| (key.to_vec(), text))),
                None if plain.iter().any(|(known, old)| *known == key && *old != text) => {
                    return None;
                }
                None => plain.push((key, text)),
            }
        }
        extended.append(&mut plain);
        rest.is_empty().then(|| Self { kind: kind.trim_ascii(), parameters: extended })
    }

    /// A parameter.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, text)| text.as_slice())
    }
}

/// What ends a token and may be escaped in a quoted text (RFC 2045 §5.1).
fn is_special(byte: u8) -> bool {
    b"()<>@,;:\\\"/[]?=".contains(&byte)
}

fn token(text: &[u8]) -> (&[u8], &[u8]) {
    let is_end = |byte: &u8| !byte.is_ascii_graphic() || is_special(*byte);
    text.split_at(text.iter().position(is_end).unwrap_or(text.len()))
}

/// A token or a quoted text, and what follows it.
fn parameter(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let Some(mut rest) = text.strip_prefix(b"\"") else {
        let (token, rest) = token(text);
        return (!token.is_empty()).then(|| (token.to_vec(), rest));
    };
    let mut out = Vec::with_capacity(rest.len());
    loop {
        match rest {
            [b'"', after @ ..] => return Some((out, after)),
            // the backslash of a path stays
            [b'\\', byte, after @ ..] if is_special(*byte) => {
                out.push(*byte);
                rest = after;
            }
            [b'\r' | b'\n', ..] | [] => return None,
            [byte, after @ ..] => {
                out.push(*byte);
                rest = after;
            }
        }
    }
}

/// `charset'language'percent-encoded`
fn encoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut parts = text.splitn(3, |byte| *byte == b'\'');
    let (charset, _language, value) = (parts.next()?, parts.next()?, parts.next()?);
    let known = [&b"utf-8"[..], b"us-ascii"].iter().any(|c| charset.eq_ignore_ascii_case(c));
    (known && crate::query::is_escaped_well(value)).then(|| percent_decode(value).collect())
}
