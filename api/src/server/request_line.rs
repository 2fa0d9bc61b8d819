//! Request lines as people type them: `"`, `<`, `>`, `` ` ``, `#` and bytes that are no UTF-8 stand in targets, the reference
//! takes them as they are, and hyper refuses them or ends the target there. They are percent-encoded on the way in, so that
//! `curl '…?filter=created>"2026"'` works.
//!
//! Nothing but request lines is changed, so it must be certain where one begins: after a head whose end was seen and a body of
//! the length that hyper found or in plain chunks, no sooner and no later. After anything else (bytes that came ahead of their
//! turn) the rest of the connection passes as it is. Knows no routes.
//!
//! A head with two lengths for one body (`Content-Length` and `Transfer-Encoding`) is how requests are hidden in others, and
//! hyper drops one of them before anybody could see it: such a head is spoiled on the way in, so that hyper refuses it.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use percent_encoding::percent_encode_byte;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::{Chunks, Fields};

/// Nobody has said how long the body is.
const UNTOLD: u64 = u64::MAX;
/// The length is not known before the end.
const OPEN: u64 = u64::MAX - 1;

/// The length of the body of the request that is being read, as hyper has found it.
#[derive(Debug)]
pub(super) struct BodyLength(AtomicU64);

impl BodyLength {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(UNTOLD))
    }

    /// To be called with every head, before more of the stream is read.
    pub(super) fn tell(&self, length: Option<u64>) {
        self.0.store(length.map_or(OPEN, |length| length.min(OPEN)), Relaxed);
    }
}

/// Where in the stream the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before a request line.
    Start,
    /// In it.
    Line,
    /// In the fields of the head; the flag says that the line has no text yet.
    Fields(bool),
    /// So far behind the head.
    Body(u64),
    /// In a body in chunks.
    Chunks(Chunks),
    /// Nobody knows.
    Unknown,
}

/// A stream of HTTP/1 requests whose targets hyper accepts.
#[derive(Debug)]
pub(super) struct Encoded<S> {
    io: S,
    length: Arc<BodyLength>,
    at: At,
    fields: Fields,
    /// What did not fit into the reader's buffer.
    rest: Vec<u8>,
}

impl<S> Encoded<S> {
    pub(super) fn new(io: S, length: Arc<BodyLength>) -> Self {
        Self { io, length, at: At::Start, fields: Fields::default(), rest: Vec::new() }
    }

    /// Follows the stream over its next bytes; `Some` is what they become.
    fn take(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        if let At::Body(n) = self.at {
            self.at = match self.length.0.load(Relaxed) {
                UNTOLD => self.at,
                length if length == n => {
                    self.length.0.store(UNTOLD, Relaxed);
                    At::Start
                }
                length if length == OPEN || length < n => At::Unknown,
                _ => self.at,
            };
        }
        let (mut changed, mut spoiled, mut done) = (None, None, 0);
        while done < bytes.len() {
            let left = &bytes[done..];
            done += match self.at {
                At::Start => match left.iter().position(|b| !matches!(b, b'\r' | b'\n')) {
                    Some(empty) => {
                        self.at = At::Line;
                        empty
                    }
                    None => left.len(),
                },
                At::Line => {
                    let end = memchr::memchr(b'\n', left);
                    let line = &left[..end.unwrap_or(left.len())];
                    if end.is_some() {
                        self.at = At::Fields(true);
                    }
                    if let Some(line) = encode(line) {
                        let mut all = bytes[..done].to_vec();
                        all.extend(line);
                        changed = Some((all, done + end.unwrap_or(left.len())));
                    }
                    end.map_or(left.len(), |end| end + 1)
                }
                At::Fields(is_blank) => {
                    let end = memchr::memchr(b'\n', left);
                    let line = &left[..end.unwrap_or(left.len())];
                    if let Some(colon) = self.fields.read(line) {
                        spoiled = Some(done + colon);
                        self.at = At::Unknown;
                        break;
                    }
                    if end.is_some() {
                        self.fields.end_of_line();
                    }
                    let is_blank = is_blank && matches!(line, b"" | b"\r");
                    self.at = match end {
                        Some(_) if is_blank && self.fields.end() => At::Chunks(Chunks::Size(None)),
                        Some(_) if is_blank => At::Body(0),
                        Some(_) => At::Fields(true),
                        None => At::Fields(is_blank),
                    };
                    end.map_or(left.len(), |end| end + 1)
                }
                At::Body(n) => {
                    self.at = At::Body(n + left.len() as u64);
                    left.len()
                }
                At::Chunks(chunks) => match chunks.follow(left) {
                    Some((n, Chunks::End)) => {
                        self.length.0.store(UNTOLD, Relaxed);
                        self.at = if n < left.len() { At::Unknown } else { At::Start };
                        n
                    }
                    Some((n, chunks)) => {
                        self.at = At::Chunks(chunks);
                        n
                    }
                    None => {
                        self.at = At::Unknown;
                        left.len()
                    }
                },
                At::Unknown => left.len(),
            };
        }
        if let Some(at) = spoiled {
            // DIFFERENCE: the reference takes such a request by its chunks.
            // no name has such a byte
            let (mut all, unchanged_from) = changed.unwrap_or_default();
            let offset: usize = all.len();
            all.extend_from_slice(&bytes[unchanged_from..]);
            all[offset + at - unchanged_from] = 0;
            return Some(all);
        }
        changed.map(|(mut all, unchanged_from): (Vec<u8>, usize)| {
            all.extend_from_slice(&bytes[unchanged_from..]);
            all
        })
    }
}

/// A part of a request line with its unwelcome bytes percent-encoded, if it has any.
fn encode(line: &[u8]) -> Option<Vec<u8>> {
    // of a character that goes on in the next part both halves are encoded
    let is_text = std::str::from_utf8(line).is_ok();
    let is_unwelcome = |byte: u8| {
        matches!(byte, b'"' | b'<' | b'>' | b'`' | b'#') || (!is_text && !byte.is_ascii())
    };
    if !line.iter().any(|byte| is_unwelcome(*byte)) {
        return None;
    }
    let mut out = Vec::with_capacity(line.len() + 32);
    for byte in line {
        if is_unwelcome(*byte) {
            out.extend_from_slice(percent_encode_byte(*byte).as_bytes());
        } else {
            out.push(*byte);
        }
    }
    Some(out)
}

impl<S: AsyncRead + Unpin> AsyncRead for Encoded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            let before = buf.filled().len();
            std::task::ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
            let Some(changed) = this.take(&buf.filled()[before..]) else {
                return Poll::Ready(Ok(()));
            };
            buf.set_filled(before);
            this.rest = changed;
        }
        let n = this.rest.len().min(buf.remaining());
        buf.put_slice(&this.rest[..n]);
        this.rest.drain(..n);
        if this.rest.is_empty() {
            this.rest = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Encoded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What hyper reads when the stream comes in these pieces; before some it has found the length of a body.
    fn read(pieces: &[(Option<Option<u64>>, &[u8])]) -> Vec<u8> {
        let length = Arc::new(BodyLength::new());
        let mut stream = Encoded::new(tokio::io::empty(), length.clone());
        let mut out = Vec::new();
        for (found, piece) in pieces {
            if let Some(found) = found {
                length.tell(*found);
            }
            out.extend(stream.take(piece).unwrap_or_else(|| piece.to_vec()));
        }
        out
    }

    const NONE: Option<Option<u64>> = Some(Some(0));

    #[test]
    fn lines() {
        for (line, want) in [
            ("/a?b=c", "/a?b=c"),
            ("/a?x=1>2&y=\"é\"", "/a?x=1%3E2&y=%22é%22"),
            ("/`<", "/%60%3C"),
            ("/?c='#fff'", "/?c='%23fff'"),
        ] {
            let request = |line| format!("GET {line} HTTP/1.1\r\nX: \"<\r\n\r\n").into_bytes();
            assert_eq!(read(&[(None, &request(line))]), request(want));
            for cut in 1..request(line).len() {
                let whole = request(line);
                let (head, tail) = whole.split_at(cut);
                let cut = read(&[(None, head), (None, tail)]);
                let decoded: Vec<u8> = percent_encoding::percent_decode(&cut).collect();
                assert_eq!(decoded, whole, "cut at {}", head.len());
                assert!(std::str::from_utf8(&cut).is_ok_and(|t| !t.contains("/`")));
            }
        }
        // what makes two lengths does not go on, wherever it is cut
        let both = b"POST /< HTTP/1.1\r\nTransfer-Encoding: chunked\r\nX: 1\r\nContent-Length: 4\r\n\r\n0\r\n\r\n";
        for cut in 1..both.len() {
            let (head, tail) = both.split_at(cut);
            let spoiled = read(&[(None, head), (None, tail)]);
            assert_eq!(spoiled.iter().filter(|byte| **byte == 0).count(), 1, "cut at {cut}");
            assert!(memchr::memmem::find(&spoiled, b"Content-Length\0 4").is_some());
        }
        let latin = b"GET /?a=\xe9\xff> HTTP/1.1\r\n\r\n";
        assert_eq!(read(&[(None, latin)]), b"GET /?a=%E9%FF%3E HTTP/1.1\r\n\r\n");
    }

    #[test]
    fn only_where_a_request_certainly_begins() {
        let get = |body: &str| format!("GET /{body} HTTP/1.1\r\n\r\n").into_bytes();
        let (raw, done) = (get("<"), get("%3C"));
        let both = |a: &[u8], b: &[u8]| [a, b].concat();
        assert_eq!(read(&[(None, &raw), (NONE, &raw)]), both(&done, &done));
        assert_eq!(
            read(&[(None, &raw), (NONE, &both(b"\r\n", &raw))]),
            [&done[..], b"\r\n", &done].concat()
        );
        assert_eq!(read(&[(None, &raw), (None, &raw)]), both(&done, &raw), "no head was found yet");
        assert_eq!(read(&[(None, &both(&raw, &raw))]), both(&done, &raw), "ahead of its turn");
        assert_eq!(
            read(&[(None, &both(&raw, &raw)), (NONE, &raw)]),
            [&done[..], &raw, &raw].concat()
        );
        // bodies
        let post = b"POST / HTTP/1.1\nContent-Length: 4\n\n";
        let all = |tail: &[u8]| both(post, tail);
        let told = Some(Some(4));
        assert_eq!(read(&[(None, &all(b"<<<<")), (told, &raw)]), all(&both(b"<<<<", &done)));
        assert_eq!(
            read(&[(None, post), (told, b"<<"), (None, b"<<"), (None, &raw)]),
            all(&both(b"<<<<", &done))
        );
        assert_eq!(read(&[(None, post), (told, b"<<"), (None, &raw)]), all(&both(b"<<", &raw)));
        assert_eq!(
            read(&[(None, post), (Some(None), b"<<<<"), (None, &raw)]),
            all(&both(b"<<<<", &raw))
        );
        assert_eq!(
            read(&[(None, post), (told, b"<<<<<"), (None, &raw)]),
            all(&both(b"<<<<<", &raw))
        );
    }

    #[test]
    fn after_chunks() {
        let (raw, done) = (&b"GET /< HTTP/1.1\r\n\r\n"[..], &b"GET /%3C HTTP/1.1\r\n\r\n"[..]);
        let post = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n<\r\n\r\n0\r\n\r\n";
        for cut in 1..post.len() {
            let (head, tail) = post.split_at(cut);
            let all = read(&[(None, head), (Some(None), tail), (None, raw), (NONE, raw)]);
            assert_eq!(all, [&post[..], done, done].concat(), "cut at {cut}");
        }
        let ahead = [&post[..], raw].concat();
        assert_eq!(read(&[(None, &ahead), (NONE, raw)]), [&ahead[..], raw].concat());
    }

    #[tokio::test]
    async fn small_buffers() {
        use tokio::io::AsyncReadExt as _;
        let length = Arc::new(BodyLength::new());
        let mut stream = Encoded::new(&b"GET /<<<< HTTP/1.1\r\n\r\n"[..], length);
        let (mut out, mut buf) = (Vec::new(), [0; 7]);
        loop {
            let n = stream.read(&mut buf).await.expect("bytes");
            if n == 0 {
                break;
            }
            out.extend_from_slice(&buf[..n]);
        }
        assert_eq!(out, b"GET /%3C%3C%3C%3C HTTP/1.1\r\n\r\n");
    }
}
