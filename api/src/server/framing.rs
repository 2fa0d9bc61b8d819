//! Where an HTTP/1 message is: which fields of a head say how long its body is, and where a body in chunks ends.
//!
//! As strict as can be: whatever a decoder may read in another way ends the knowledge. Must not know requests.

/// Longest name that is of interest.
const LONGEST: usize = 17;

/// The fields of one head, line by line.
#[derive(Debug, Default)]
pub(super) struct Fields {
    name: Vec<u8>,
    is_named: bool,
    has_length: bool,
    has_coding: bool,
    has_upgrade: bool,
}

impl Fields {
    /// Reads a part of a line. `Some` is where the name ends that makes it two lengths of one body.
    pub(super) fn read(&mut self, part: &[u8]) -> Option<usize> {
        let first = part.first().filter(|_| !self.is_named)?;
        // Most names are told from those by their first letter.
        if self.name.is_empty() && !matches!(first | 0x20, b'c' | b't' | b'u') {
            self.is_named = true;
            return None;
        }
        let colon = memchr::memchr(b':', part);
        let name = &part[..colon.unwrap_or(part.len())];
        if colon.is_none() || !self.name.is_empty() {
            // one byte more tells a longer name
            let room = (LONGEST + 1).saturating_sub(self.name.len());
            self.name.extend_from_slice(&name[..name.len().min(room)]);
        }
        let colon = colon?;
        self.is_named = true;
        let name = if self.name.is_empty() { name } else { &self.name };
        let is = |wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
        let (is_length, is_coding) = (is(b"content-length"), is(b"transfer-encoding"));
        let is_upgrade = is(b"upgrade");
        self.has_upgrade |= is_upgrade;
        self.has_length |= is_length;
        self.has_coding |= is_coding;
        let is_both = self.has_length && self.has_coding;
        (is_both && (is_length || is_coding)).then_some(colon)
    }

    pub(super) fn end_of_line(&mut self) {
        self.name.clear();
        self.is_named = false;
    }

    /// The head has ended; true if a body in chunks follows.
    pub(super) fn end(&mut self) -> bool {
        let has_ended = std::mem::take(self);
        has_ended.has_coding && !has_ended.has_upgrade
    }
}

/// Where in a body in chunks the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunks {
    /// In the size of a chunk, as far as it was read.
    Size(Option<u64>),
    /// Behind it.
    Extension(u64),
    SizeLf(u64),
    Data(u64),
    DataCr,
    DataLf,
    /// Where a line of trailers may begin, or the end.
    EndCr,
    Trailer,
    TrailerLf,
    EndLf,
    End,
}

impl Chunks {
    /// Follows the next bytes, of which there are some: how many it has followed, and where it is then. `None` for what is
    /// no body in chunks, or one that not everybody reads in the same way.
    pub(super) fn follow(self, bytes: &[u8]) -> Option<(usize, Self)> {
        let byte = *bytes.first()?;
        if let Self::Data(left) = self {
            let n = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            let left = left - n as u64;
            return Some((n, if left == 0 { Self::DataCr } else { Self::Data(left) }));
        }
        let next = match (self, byte) {
            (Self::Size(so_far), _) if byte.is_ascii_hexdigit() => {
                let so_far = so_far.unwrap_or(0);
                let digit = char::from(byte).to_digit(16)?;
                Self::Size(Some(so_far.checked_mul(16)?.checked_add(digit.into())?))
            }
            (Self::Size(Some(size)) | Self::Extension(size), b'\r') => Self::SizeLf(size),
            (Self::Size(Some(size)), b';') => Self::Extension(size),
            (Self::Extension(size), _) if byte != b'\n' => Self::Extension(size),
            (Self::SizeLf(0), b'\n') => Self::EndCr,
            (Self::SizeLf(size), b'\n') => Self::Data(size),
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::Size(None),
            (Self::EndCr, b'\r') => Self::EndLf,
            (Self::Trailer, b'\r') => Self::TrailerLf,
            (Self::EndCr | Self::Trailer, _) if byte != b'\n' => Self::Trailer,
            (Self::TrailerLf, b'\n') => Self::EndCr,
            (Self::EndLf, b'\n') => Self::End,
            _ => return None,
        };
        Some((1, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bytes a body has; `None` if it has no certain end.
    fn len(body: &[u8]) -> Option<usize> {
        let (mut at, mut chunks) = (0, Chunks::Size(None));
        while chunks != Chunks::End {
            let (n, next) = chunks.follow(&body[at..])?;
            (at, chunks) = (at + n, next);
        }
        Some(at)
    }

    #[test]
    fn ends_of_chunks() {
        for (body, is_certain) in [
            ("0\r\n\r\n", true),
            ("5\r\nhello\r\n0\r\n\r\n", true),
            ("1F;a=\"b\"\r\n0123456789012345678901234567890\r\n00\r\nX: 1\r\nY: 2\r\n\r\n", true),
            ("5\nhello\r\n0\r\n\r\n", false),
            ("5 \r\nhello\r\n0\r\n\r\n", false),
            ("0x5\r\nhello\r\n0\r\n\r\n", false),
            ("4\r\nhello\r\n0\r\n\r\n", false),
            ("\r\n", false),
            ("5;a\nb\r\nhello\r\n0\r\n\r\n", false),
            ("0\r\nX: 1\n\r\n", false),
            ("0\r\n\n", false),
            ("fffffffffffffffff\r\n", false),
            ("5\r\nhel", false),
        ] {
            assert_eq!(len(body.as_bytes()), is_certain.then_some(body.len()), "{body:?}");
        }
    }

    #[test]
    fn lengths_of_one_body() {
        for (head, is_fault, is_chunked) in [
            ("Content-Length: 1\nContent-Length: 1\n", false, false),
            ("transfer-ENCODING: chunked\n", false, true),
            ("Content-Length: 1\nTransfer-Encoding: chunked\n", true, true),
            ("Transfer-Encoding: chunked\nX: 1\nCONTENT-LENGTH: 1\n", true, true),
            ("Transfer-Encodings: a\nContent-Length-X: 1\nX-Content-Length: 1\n", false, false),
            ("X: Content-Length: 1\nTransfer-Encoding: chunked\n", false, true),
            ("Transfer-Encoding: chunked\nUpgrade: x\n", false, false),
        ] {
            for size in 1..4 {
                let mut fields = Fields::default();
                let mut is_found = false;
                for line in head.split_terminator('\n') {
                    for part in line.as_bytes().chunks(size) {
                        is_found |= fields.read(part).is_some_and(|at| part[at] == b':');
                    }
                    fields.end_of_line();
                }
                assert_eq!((is_found, fields.end()), (is_fault, is_chunked), "{head}");
            }
        }
    }
}
