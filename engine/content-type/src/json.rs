//! JSON, also where it is cut short, and the formats in it by their members.

use crate::{head::Head, text};

/// How deep values may nest.
const DEPTH: usize = 4096;

pub(crate) fn is_json(head: Head<'_>) -> bool {
    is_document(head, b"{[", true, |_| false)
}

pub(crate) fn is_geo(head: Head<'_>) -> bool {
    const TYPES: &[&[u8]] = &[
        b"\"Feature\"",
        b"\"FeatureCollection\"",
        b"\"Point\"",
        b"\"LineString\"",
        b"\"Polygon\"",
        b"\"MultiPoint\"",
        b"\"MultiLineString\"",
        b"\"MultiPolygon\"",
        b"\"GeometryCollection\"",
    ];
    has_member(head, &[&["type"]], TYPES)
}

/// A log of HTTP exchanges.
pub(crate) fn is_http_archive(head: Head<'_>) -> bool {
    has_member(head, &[&["log", "version"], &["log", "creator"], &["log", "entries"]], &[])
}

pub(crate) fn is_gltf(head: Head<'_>) -> bool {
    has_member(head, &[&["asset", "version"]], &[b"\"1.0\"", b"\"2.0\""])
}

pub(crate) fn is_cyclonedx(head: Head<'_>) -> bool {
    has_member(head, &[&["bomFormat"]], &[b"\"CycloneDX\""])
}

/// An object with one of these members; its value is one of those, if any are given.
fn has_member(head: Head<'_>, paths: &[&[&str]], values: &[&[u8]]) -> bool {
    let is_wanted = |member: &Member<'_>| {
        paths.iter().any(|path| {
            path.len() == member.path.len()
                && path.iter().zip(member.path).all(|(wanted, key)| wanted.as_bytes() == *key)
        }) && (values.is_empty() || values.contains(&member.value))
    };
    is_document(head, b"{", false, is_wanted)
}

/// JSON lines: the last one may be cut short.
pub(crate) fn is_lines(head: Head<'_>) -> bool {
    let (mut count, mut containers) = (0, 0);
    let mut lines = text::lines(head.bytes).peekable();
    while let Some(line) = lines.next() {
        let end = Parser::new(line).document(|_| ());
        let is_last = lines.peek().is_none();
        if !line.is_empty() && !end.is_right(is_last) {
            return false;
        }
        count += 1;
        containers += usize::from(matches!(trimmed(line).first(), Some(b'{' | b'[')));
    }
    count > 1 && containers > 0
}

/// A document that begins with one of these bytes and has a member that is wanted, if one is.
fn is_document(
    head: Head<'_>,
    first: &[u8],
    mut found: bool,
    wanted: impl Fn(&Member<'_>) -> bool,
) -> bool {
    if !text::trim_start(head.bytes).first().is_some_and(|byte| first.contains(byte)) {
        return false;
    }
    let end = Parser::new(head.bytes).document(|member| found = found || wanted(member));
    found && end.is_right(head.cut)
}

/// A value, and the keys that lead to it. Empty where it begins.
struct Member<'a> {
    path: &'a [&'a [u8]],
    value: &'a [u8],
}

/// How reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    /// Whole, if the rest of a broken string is taken for something else.
    Mended,
    /// There was nothing wrong, but more to come.
    Early,
    Wrong,
}

impl End {
    fn is_right(self, may_be_cut: bool) -> bool {
        match self {
            Self::Whole => true,
            Self::Mended => !may_be_cut,
            Self::Early => may_be_cut,
            Self::Wrong => false,
        }
    }
}

/// What a reader stops with: [`End::Early`] or [`End::Wrong`].
type Read<T> = Result<T, End>;

/// More lenient than JSON, as the reference: a comma may stand before the end of a container, numbers may have leading
/// zeros and begin or end with their point, strings may hold anything, and what opens a value is one by itself where
/// it goes on behind it only so.
struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    path: Vec<&'a [u8]>,
    is_mended: bool,
}

/// An array or object that is being read.
struct Open {
    /// Its closing bracket.
    close: u8,
    start: usize,
}

/// Stands in the path for an array. No key is looked for that looks so.
const ELEMENT: &[u8] = b"[";

impl<'a> Parser<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, path: Vec::new(), is_mended: false }
    }

    /// Reads one value and tells of each that is complete.
    fn document(&mut self, mut tell: impl FnMut(&Member<'_>)) -> End {
        let read = self.value(&mut tell);
        self.blanks();
        let is_opener = |bytes: &[u8]| matches!(bytes, [b'{' | b'[' | b'"']);
        match read {
            Ok(()) if self.at < self.bytes.len() => End::Wrong,
            Ok(()) if self.is_mended => End::Mended,
            Ok(()) => End::Whole,
            Err(_) if is_opener(trimmed(self.bytes)) => End::Whole,
            Err(_) if self.is_mended => End::Wrong,
            Err(end) => end,
        }
    }

    fn value(&mut self, tell: &mut impl FnMut(&Member<'_>)) -> Read<()> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            self.blanks();
            let start = self.at;
            let outer = open.last().map(|outer| outer.close);
            self.peek()?;
            tell(&Member { path: &self.path, value: b"" });
            let mut is_fresh = self.opens(&mut open)?;
            if is_fresh
                && self.goes_on_behind(outer)
                && self.peek() != Ok(open[open.len() - 1].close)
            {
                self.close(&mut open);
                is_fresh = false;
                self.told(start, &open, tell);
            } else if !is_fresh {
                self.scalar(outer)?;
                self.told(start, &open, tell);
            }
            loop {
                let Some(inner) = open.last() else {
                    return Ok(());
                };
                if self.goes_on(inner.close, is_fresh)? {
                    break;
                }
                let start = inner.start;
                self.close(&mut open);
                is_fresh = false;
                self.told(start, &open, tell);
            }
        }
    }

    /// Reads the bracket of a container.
    fn opens(&mut self, open: &mut Vec<Open>) -> Read<bool> {
        let close = match self.peek()? {
            b'{' => b'}',
            b'[' => b']',
            _ => return Ok(false),
        };
        if open.len() == DEPTH {
            return Err(End::Wrong);
        }
        if close == b']' {
            self.path.push(ELEMENT);
        }
        open.push(Open { close, start: self.at });
        self.at += 1;
        Ok(true)
    }

    fn close(&mut self, open: &mut Vec<Open>) {
        if open.pop().is_some_and(|inner| inner.close == b']') {
            self.path.pop();
        }
    }

    /// What stands here can only follow a value in the container around.
    fn goes_on_behind(&self, outer: Option<u8>) -> bool {
        let here = self.bytes.get(self.at).copied();
        outer.is_some() && (here == Some(b',') || here == outer)
    }

    /// A value ends here.
    fn told(&mut self, start: usize, open: &[Open], tell: &mut impl FnMut(&Member<'_>)) {
        tell(&Member { path: &self.path, value: &self.bytes[start..self.at] });
        if open.last().is_some_and(|inner| inner.close == b'}') {
            self.path.pop();
        }
    }

    /// To the next value of a container, or behind its end.
    fn goes_on(&mut self, close: u8, is_fresh: bool) -> Read<bool> {
        self.blanks();
        if !is_fresh && self.peek()? != close {
            self.expect(b',')?;
            self.blanks();
        }
        if self.peek()? == close {
            self.at += 1;
            return Ok(false);
        }
        if close == b'}' {
            let start = self.at;
            self.string()?;
            self.path.push(&self.bytes[start + 1..self.at - 1]);
            self.blanks();
            self.expect(b':')?;
        }
        Ok(true)
    }

    fn scalar(&mut self, outer: Option<u8>) -> Read<()> {
        match self.peek()? {
            b'"' => {
                let start = self.at;
                self.string().or_else(|end| {
                    self.at = start + 1;
                    self.is_mended = self.goes_on_behind(outer);
                    if self.is_mended { Ok(()) } else { Err(end) }
                })
            }
            b't' => self.exactly(b"true"),
            b'f' => self.exactly(b"false"),
            b'n' => self.exactly(b"null"),
            _ => self.number(),
        }
    }

    fn string(&mut self) -> Read<()> {
        self.expect(b'"')?;
        loop {
            let byte = self.next()?;
            match byte {
                b'"' => return Ok(()),
                b'\\' => match self.next()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        for _ in 0..4 {
                            if !self.next()?.is_ascii_hexdigit() {
                                return Err(End::Wrong);
                            }
                        }
                    }
                    _ => return Err(End::Wrong),
                },
                _ => {}
            }
        }
    }

    fn number(&mut self) -> Read<()> {
        if self.peek()? == b'-' {
            self.at += 1;
        }
        if self.peek()? != b'.' {
            self.digits()?;
            if self.bytes.get(self.at) == Some(&b'.') {
                self.at += 1;
                self.any_digits();
            }
        } else {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek()?, b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Read<()> {
        if !self.peek()?.is_ascii_digit() {
            return Err(End::Wrong);
        }
        self.any_digits();
        Ok(())
    }

    fn any_digits(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
    }

    fn exactly(&mut self, word: &[u8]) -> Read<()> {
        word.iter().try_for_each(|byte| self.expect(*byte))
    }

    fn expect(&mut self, wanted: u8) -> Read<()> {
        if self.next()? == wanted { Ok(()) } else { Err(End::Wrong) }
    }

    fn next(&mut self) -> Read<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    fn peek(&self) -> Read<u8> {
        self.bytes.get(self.at).copied().ok_or(End::Early)
    }

    fn blanks(&mut self) {
        self.at = self.bytes.len() - trimmed(&self.bytes[self.at..]).len();
    }
}

/// Without the blanks of JSON in front, which are fewer than those of other texts.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    &bytes[start.unwrap_or(bytes.len())..]
}
