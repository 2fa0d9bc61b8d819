//! Comma and tab separated values: rows of equally many fields.

use crate::head::Head;

/// So many rows are enough.
const ROWS: usize = 10;

pub(crate) fn is_table(head: Head<'_>, separator: u8) -> bool {
    let mut rows = Rows { rest: head.bytes, separator };
    let Some(width) = rows.next().filter(|width| *width > 1) else {
        return false;
    };
    let mut count = 1;
    while count < ROWS {
        match rows.next() {
            Some(fields) if fields == width => count += 1,
            // a last row that is cut short tells nothing
            Some(fields) if !(head.cut && fields < width && rows.rest.is_empty()) => return false,
            _ => break,
        }
    }
    count > 1
}

/// The number of fields of each row. Blank lines and those that begin with `#` are none.
struct Rows<'a> {
    rest: &'a [u8],
    separator: u8,
}

impl<'a> Rows<'a> {
    /// A line without its end, as long as there is one.
    fn line(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.rest);
        let (line, rest) = match end {
            Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
            None => (self.rest, &self.rest[..0]),
        };
        self.rest = rest;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// What follows a field in quotes in its last line; `None` at the end. Quotes that neither end it nor stand for
    /// one belong to it.
    fn quoted(&mut self, mut line: &'a [u8]) -> Option<&'a [u8]> {
        loop {
            match memchr::memchr(b'"', line) {
                None => line = self.line()?,
                Some(at) => {
                    line = &line[at + 1..];
                    match line.first() {
                        None => return None,
                        Some(byte) if *byte == self.separator => return Some(&line[1..]),
                        Some(b'"') => line = &line[1..],
                        Some(_) => {}
                    }
                }
            }
        }
    }
}

impl Iterator for Rows<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let mut line = loop {
            let line = self.line()?;
            if !line.is_empty() && line[0] != b'#' {
                break line;
            }
        };
        let mut fields = 1;
        loop {
            let rest = match line.strip_prefix(b"\"") {
                Some(field) => self.quoted(field),
                None => memchr::memchr(self.separator, line).map(|at| &line[at + 1..]),
            };
            let Some(rest) = rest else {
                return Some(fields);
            };
            line = rest;
            fields += 1;
        }
    }
}
