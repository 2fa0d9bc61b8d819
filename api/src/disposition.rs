//! The `Content-Disposition` of a part of a form: its name and the name of its file.
//!
//! Browsers quote names, others send tokens or `filename*=UTF-8''…` (RFC 6266, RFC 8187), old ones whole Windows paths with
//! single backslashes. What cannot be read has no name, and the part is left out: so does the reference.

use percent_encoding::percent_decode;

/// What a part says about itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Disposition {
    /// Of the field; never empty.
    pub(crate) name: String,
    /// Of the file, if it is one.
    pub(crate) file_name: Option<String>,
}

impl Disposition {
    /// Reads a header's value; `None` unless it is `form-data` with a name.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        let (kind, mut rest) = value.split_at(end);
        if !kind.trim_ascii().eq_ignore_ascii_case(b"form-data") {
            return None;
        }
        let (mut plain, mut extended) = (Names::default(), Names::default());
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
                Some(key) => _ = encoded(&text).map(|text| extended.put(key, text)),
                None => plain.put(&key, text)?,
            }
        }
        if !rest.is_empty() {
            return None;
        }
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let name = extended.name.or(plain.name).map(text).filter(|name| !name.is_empty())?;
        let file_name = extended.file_name.or(plain.file_name).map(text);
        Some(Self { name, file_name: file_name.filter(|name| !name.is_empty()) })
    }
}

/// The parameters that count.
#[derive(Default)]
struct Names {
    name: Option<Vec<u8>>,
    file_name: Option<Vec<u8>>,
}

impl Names {
    /// `None` if the parameter was there before with another value.
    fn put(&mut self, key: &[u8], text: Vec<u8>) -> Option<()> {
        let slot = match key {
            b"name" => &mut self.name,
            b"filename" => &mut self.file_name,
            _ => return Some(()),
        };
        if slot.as_ref().is_some_and(|known| *known != text) {
            return None;
        }
        *slot = Some(text);
        Some(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (value, want) in [
            (r#"form-data; name="a""#, Some(("a", None))),
            (r#"form-data;name=a;filename=b.txt"#, Some(("a", Some("b.txt")))),
            (r#"FORM-Data ; NAME="a" ; FileName="b c.txt";"#, Some(("a", Some("b c.txt")))),
            (r#"form-data; name="a"; filename="x\"y;z.txt""#, Some(("a", Some("x\"y;z.txt")))),
            (r#"form-data; name="a"; filename="C:\x\y.txt""#, Some(("a", Some(r"C:\x\y.txt")))),
            (r#"form-data; name="a"; filename="C:\\x""#, Some(("a", Some(r"C:\x")))),
            ("form-data; name=a; filename=b; filename*=UTF-8''%e2%82%ac", Some(("a", Some("€")))),
            ("form-data; name=a; filename=b; filename*=latin1''%e2", Some(("a", Some("b")))),
            ("form-data; name=a; filename=b; filename*=utf-8''%zz", Some(("a", Some("b")))),
            ("form-data; name*=utf-8'en'a", Some(("a", None))),
            (r#"form-data; name="é"; filename="""#, Some(("é", None))),
            (r#"form-data; name="a"; name="a""#, Some(("a", None))),
            (r#"form-data; name="a"; name="b""#, None),
            (r#"attachment; name="a""#, None),
            ("form-data", None),
            ("", None),
            (r#"form-data; name="""#, None),
            (r#"form-data; name="a"#, None),
            ("form-data; name=a b", None),
            ("form-data; name", None),
            ("form-data; filename=b", None),
        ] {
            let want = want.map(|(name, file): (&str, Option<&str>)| Disposition {
                name: name.to_owned(),
                file_name: file.map(str::to_owned),
            });
            assert_eq!(Disposition::parse(value.as_bytes()), want, "{value}");
        }
    }
}
