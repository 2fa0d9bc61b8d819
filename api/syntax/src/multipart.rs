//! Multipart forms as a stream of parts (RFC 2046 §5.1).
//!
//! Lines end with CRLF; when the first boundary line ends with a bare LF, so do all that separate parts. Quoted-printable parts
//! are decoded. Must not know what becomes of a part.

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use memchr::memmem;

use crate::{
    fault::Fault,
    media::Media,
    quoted_printable::{Broken, Decoder},
};

/// Longest line before the first part, and longest boundary line.
const MAX_LINE: usize = 4096;
/// Most bytes of the headers of a part.
const MAX_HEADERS: usize = 1 << 20;

/// The boundary of a `multipart/form-data` content type.
pub fn boundary(content_type: &str) -> Option<Vec<u8>> {
    let media = Media::parse(content_type.as_bytes())?;
    let boundary = media.get(b"boundary").filter(|boundary| !boundary.is_empty())?;
    media.kind.eq_ignore_ascii_case(b"multipart/form-data").then(|| boundary.to_vec())
}

/// What a part says about itself.
#[derive(Debug, Default)]
pub struct Head {
    /// `Content-Disposition`; empty when there is none.
    pub disposition: Vec<u8>,
}

/// A form being read.
pub struct Parts<S> {
    source: S,
    /// More bytes than these are refused.
    room: u64,
    buffer: BytesMut,
    is_ended: bool,
    /// A line end, two hyphens, the boundary.
    delimiter: Vec<u8>,
    n_parts: usize,
    place: Place,
    decoder: Option<Decoder>,
}

/// Where the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Between,
    /// A boundary may follow right here, without a line end.
    Start,
    Inside,
}

/// What stands where a delimiter could.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Delimiter,
    Content,
    /// Too little to tell.
    Unclear,
}

fn broken(why: &str) -> Fault {
    Fault::Malformed(format!("multipart: {why}").into())
}

impl<S> std::fmt::Debug for Parts<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("n_parts", &self.n_parts).finish_non_exhaustive()
    }
}

impl<S, E> Parts<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::fmt::Display,
{
    /// A form of at most `room` bytes.
    pub fn new(source: S, boundary: &[u8], room: u64) -> Self {
        Self {
            source,
            room,
            buffer: BytesMut::new(),
            is_ended: false,
            delimiter: [b"\r\n--", boundary].concat(),
            n_parts: 0,
            place: Place::Between,
            decoder: None,
        }
    }

    /// The next part, `None` after the last one.
    ///
    /// # Errors
    /// What is not well-formed, too large, or cut off.
    pub async fn next(&mut self) -> Result<Option<Head>, Fault> {
        while self.chunk().await?.is_some() {}
        let mut is_due = false;
        loop {
            let line = self.line().await?;
            if self.is_last(&line) {
                return Ok(None);
            }
            if !line.ends_with(b"\n") {
                return Err(broken("unexpected end"));
            }
            if self.is_boundary(&line) {
                self.n_parts += 1;
                return self.head().await;
            }
            if self.n_parts > 0 {
                if is_due || line != self.line_end() {
                    return Err(broken("a boundary was expected"));
                }
                is_due = true;
            }
        }
    }

    /// More of the part's content, `None` at its end.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        let raw = self.raw_chunk().await?;
        let undecodable = |Broken| broken("invalid quoted-printable text");
        Ok(match (&mut self.decoder, raw) {
            (None, raw) => raw,
            (Some(decoder), Some(raw)) => Some(decoder.feed(&raw).map_err(undecodable)?.into()),
            (Some(decoder), None) => {
                let rest = decoder.finish().map_err(undecodable)?;
                self.decoder = None;
                (!rest.is_empty()).then(|| rest.into())
            }
        })
    }

    async fn raw_chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        while self.place != Place::Between {
            let hyphens = self.line_end().len();
            if self.place == Place::Start {
                match self.at(0, hyphens) {
                    Found::Delimiter => {
                        self.place = Place::Between;
                        break;
                    }
                    Found::Content => self.place = Place::Inside,
                    Found::Unclear => self.need().await?,
                }
                continue;
            }
            let content = match self.find() {
                Ok(end) => {
                    self.place = Place::Between;
                    end
                }
                Err(safe) => safe,
            };
            if content > 0 {
                return Ok(Some(self.buffer.split_to(content).freeze()));
            }
            if self.place == Place::Inside {
                self.need().await?;
            }
        }
        Ok(None)
    }

    /// Where the content ends, or how much of the buffer is content in any case.
    fn find(&self) -> Result<usize, usize> {
        let mut from = 0;
        while let Some(n) = memmem::find(&self.buffer[from..], &self.delimiter) {
            let at = from + n;
            match self.at(at, 0) {
                Found::Delimiter => return Ok(at),
                Found::Content => from = at + self.delimiter.len(),
                Found::Unclear => return Err(at),
            }
        }
        // the beginning of a delimiter may stand at the end
        let tail = self.buffer.len().saturating_sub(self.delimiter.len() - 1).max(from);
        let begins = |at: &usize| self.delimiter.starts_with(&self.buffer[*at..]);
        Err((tail..self.buffer.len()).find(begins).unwrap_or(self.buffer.len()))
    }

    /// Tells whether a delimiter, without its first bytes, stands at a place.
    fn at(&self, at: usize, skipped: usize) -> Found {
        let (text, wanted) = (&self.buffer[at..], &self.delimiter[skipped..]);
        if text.len() < wanted.len() {
            let may_be = wanted.starts_with(text) && !self.is_ended;
            return if may_be { Found::Unclear } else { Found::Content };
        }
        match text.strip_prefix(wanted) {
            None => Found::Content,
            Some([b' ' | b'\t' | b'\r' | b'\n', ..] | [b'-', b'-', ..]) => Found::Delimiter,
            Some([]) if self.is_ended => Found::Delimiter,
            Some([] | [b'-']) if !self.is_ended => Found::Unclear,
            Some(_) => Found::Content,
        }
    }

    /// Reads on; the end is a fault.
    async fn need(&mut self) -> Result<(), Fault> {
        if self.is_ended {
            return Err(broken("unexpected end"));
        }
        self.more().await
    }

    async fn more(&mut self) -> Result<(), Fault> {
        match self.source.next().await {
            None => self.is_ended = true,
            Some(Err(error)) => return Err(Fault::Malformed(error.to_string().into())),
            Some(Ok(piece)) => {
                self.room = self.room.checked_sub(piece.len() as u64).ok_or(Fault::TooLarge)?;
                self.buffer.extend_from_slice(&piece);
            }
        }
        Ok(())
    }

    /// A line with its end, or what is left.
    async fn line(&mut self) -> Result<BytesMut, Fault> {
        let max = if self.place == Place::Between { MAX_LINE } else { MAX_HEADERS };
        let mut seen = 0;
        loop {
            let found = memchr::memchr(b'\n', &self.buffer[seen..]).map(|n| seen + n + 1);
            seen = self.buffer.len();
            if found.unwrap_or(seen) > max {
                return Err(broken("a line is too long"));
            }
            match found {
                Some(len) => return Ok(self.buffer.split_to(len)),
                None if self.is_ended => return Ok(self.buffer.split()),
                None => self.more().await?,
            }
        }
    }

    fn line_end(&self) -> &[u8] {
        if self.delimiter.starts_with(b"\r") { b"\r\n" } else { b"\n" }
    }

    /// What follows two hyphens and the boundary on a line, without blanks.
    fn after_boundary<'l>(&self, line: &'l [u8], more: &[u8]) -> Option<&'l [u8]> {
        let rest = line.strip_prefix(&self.delimiter[self.line_end().len()..])?;
        let rest = rest.strip_prefix(more)?;
        Some(&rest[rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()..])
    }

    fn is_last(&self, line: &[u8]) -> bool {
        self.after_boundary(line, b"--")
            .is_some_and(|rest| rest.is_empty() || rest == self.line_end())
    }

    /// Tells whether a line begins a part; the first one decides how lines end.
    fn is_boundary(&mut self, line: &[u8]) -> bool {
        let Some(rest) = self.after_boundary(line, b"") else { return false };
        let is_bare = rest == b"\n";
        if is_bare && self.n_parts == 0 && self.delimiter.starts_with(b"\r") {
            self.delimiter.remove(0);
            return true;
        }
        rest == self.line_end()
    }

    /// The headers of a part; a form that ends in them has no more parts.
    async fn head(&mut self) -> Result<Option<Head>, Fault> {
        self.place = Place::Start;
        let mut fields: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut n_bytes = 0;
        loop {
            let line = self.line().await?;
            n_bytes += line.len();
            if n_bytes > MAX_HEADERS {
                return Err(broken("the headers of a part are too large"));
            }
            let Some(text) = line.strip_suffix(b"\n") else {
                if !line.is_empty() {
                    add_header(&mut fields, &line)?;
                }
                self.place = Place::Between;
                return Ok(None);
            };
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if text.is_empty() {
                break;
            }
            add_header(&mut fields, text)?;
        }
        let mut named = |name: &[u8]| {
            let found = fields.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| std::mem::take(value)).unwrap_or_default()
        };
        let encoding = named(b"content-transfer-encoding");
        self.decoder = encoding.eq_ignore_ascii_case(b"quoted-printable").then(Decoder::default);
        Ok(Some(Head { disposition: named(b"content-disposition") }))
    }
}

/// Adds a line to the headers; one that begins with a blank belongs to the header before.
fn add_header(fields: &mut Vec<(Vec<u8>, Vec<u8>)>, line: &[u8]) -> Result<(), Fault> {
    let is_text = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
    if !line.iter().all(is_text) {
        return Err(broken("a header has control characters"));
    }
    if line.starts_with(b" ") || line.starts_with(b"\t") {
        let (_, value) = fields.last_mut().ok_or_else(|| broken("a header begins with a blank"))?;
        value.push(b' ');
        value.extend_from_slice(line.trim_ascii());
        return Ok(());
    }
    let colon = memchr::memchr(b':', line).filter(|at| *at > 0);
    let (name, value) = line.split_at(colon.ok_or_else(|| broken("a header without a name"))?);
    // blanks in names are let through, as in the reference; such a header says nothing
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b" !#$%&'*+-.^_`|~".contains(byte);
    if !name.iter().all(is_name) {
        return Err(broken("a header has an invalid name"));
    }
    fields.push((name.to_vec(), value[1..].trim_ascii().to_vec()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TITLE: &str = "Content-Disposition: form-data; name=\"title\"";

    /// Dispositions and contents, or the fault; fed in pieces of every size, the result must be the same.
    fn read(body: &str) -> Result<Vec<(String, String)>, String> {
        let of = |size: usize| {
            let pieces: Vec<Result<Bytes, String>> = body
                .as_bytes()
                .chunks(size)
                .map(|piece| Ok(Bytes::copy_from_slice(piece)))
                .collect();
            let mut parts = Parts::new(futures_util::stream::iter(pieces), b"X", 1 << 20);
            let work = async {
                let mut out = Vec::new();
                while let Some(head) = parts.next().await? {
                    let mut content = Vec::new();
                    while let Some(piece) = parts.chunk().await? {
                        content.extend_from_slice(&piece);
                    }
                    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
                    out.push((text(head.disposition), text(content)));
                }
                Ok(out)
            };
            futures_util::FutureExt::now_or_never(work)
                .expect("nothing to wait for")
                .map_err(|fault: Fault| fault.to_string())
        };
        let whole = of(body.len().max(1));
        for size in 1..12 {
            assert_eq!(of(size), whole, "{body:?} by {size}");
        }
        whole
    }

    #[test]
    fn forms() {
        let part = |text: &str| format!("--X\r\n{TITLE}\r\n\r\n{text}\r\n");
        let bare = |text: &str| format!("--X\n{TITLE}\n\n{text}\n");
        for (body, want) in [
            (part("abc") + "--X--\r\n", Some(&["abc"][..])),
            (part("abc") + "--X--", Some(&["abc"])),
            (part("a") + &part("b") + "--X--\r\nepilogue", Some(&["a", "b"])),
            (bare("l1\nl2\r\nl3") + &bare("b") + "--X--\n", Some(&["l1\nl2\r\nl3", "b"])),
            (bare("abc\r") + "--X--", Some(&["abc\r"])),
            ("hello\r\n\r\nworld\n".to_owned() + &part("abc") + "--X--\r\n", Some(&["abc"])),
            (format!("--X \t\r\n{TITLE}\n\nabc\r\n--X-- \r\n"), Some(&["abc"])),
            (format!("--X\n{TITLE}\r\n\r\nabc\n--X--\n"), Some(&["abc"])),
            (
                part("abc\r\n--Xy\r\n--X-\r\n --X--\r\n-\n--X\n") + "--X--\r\n",
                Some(&["abc\r\n--Xy\r\n--X-\r\n --X--\r\n-\n--X\n"]),
            ),
            (format!("--X\r\n{TITLE}\r\n\r\n--X--\r\n"), Some(&[""])),
            (format!("--X\n{TITLE}\n\n--X--\n"), Some(&[""])),
            (part("") + "--X--\r\n", Some(&[""])),
            ("--X--".to_owned(), Some(&[])),
            ("--X\r\n".to_owned() + TITLE, Some(&[])),
            (format!("--X\r\n{TITLE}\r\n"), Some(&[])),
            (
                format!(
                    "--X\r\n{TITLE}\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\na=3Db=\r\nc\r\n--X--"
                ),
                Some(&["a=bc"]),
            ),
            ("--X\r\nbroken".to_owned(), None),
            (part("abc"), None),
            (format!("--X\r\n{TITLE}\r\n\r\nabc"), None),
            (part("abc") + "--X", None),
            (part("abc") + "--X-", None),
            (part("abc") + "--X--foo", None),
            (format!("--X\n{TITLE}\r\n\r\nabc\r\n--X--\r\n"), None),
            (format!("--X\r\n{TITLE}\n\nabc\n--X--\n"), None),
            ("\r\n".to_owned(), None),
            (String::new(), None),
            ("--X\r\n".to_owned() + &part("abc") + "--X--\r\n", None),
            ("p".repeat(6000) + "\r\n" + &part("abc") + "--X--\r\n", None),
        ] {
            let got = read(&body)
                .map(|parts| parts.into_iter().map(|(_, text)| text).collect::<Vec<_>>());
            assert_eq!(
                got.as_deref().ok(),
                want.map(|w| w.iter().map(ToString::to_string).collect::<Vec<_>>()).as_deref(),
                "{body:?}"
            );
        }
    }

    #[test]
    fn headers() {
        for (lines, want) in [
            ("CONTENT-disposition:  a ", Some("a")),
            ("X: y\r\nContent-Disposition: a;\r\n  b\r\n\tc", Some("a; b c")),
            ("Content-Disposition: a\r\nContent-Disposition: b", Some("a")),
            ("Content-Disposition : a", Some("")),
            ("X-a:\r\nX-b: \u{e9}\ta", Some("")),
            ("foo", None),
            (": a", None),
            (" Content-Disposition: a", None),
            ("X-a: \u{1}", None),
            ("X-a: b\rc", None),
            ("X-\u{e9}: a", None),
        ] {
            let got = read(&format!("--X\r\n{lines}\r\n\r\nabc\r\n--X--\r\n"));
            assert_eq!(got.ok().map(|parts| parts[0].0.clone()).as_deref(), want, "{lines:?}");
        }
    }

    #[test]
    fn boundaries() {
        for (content_type, want) in [
            ("multipart/form-data; boundary=X", Some("X")),
            ("multipart/form-data ;charset=utf-8;Boundary=\"a b\";", Some("a b")),
            ("multipart/form-data; boundary*=utf-8''X", Some("X")),
            ("multipart/form-data; boundary=X; boundary=Y", None),
            ("multipart/form-data; boundary=X; foo", None),
            ("multipart/form-data; boundary=X y", None),
            ("multipart/form-data; boundary=\"\"", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data", None),
            ("multipart/form-dataX; boundary=X", None),
            ("multipart/form-data, boundary=X", None),
        ] {
            assert_eq!(
                boundary(content_type).as_deref(),
                want.map(str::as_bytes),
                "{content_type}"
            );
        }
    }
}
