//! Compression of answers: which encoding a client gets, and a body that compresses piece by piece.
//!
//! Runs on the dashboard's routes, on routes that ask for it, and everywhere with `--compress`. Never touches event
//! streams, ranges, empty or encoded answers and types that are compressed already.
//! Source: spec server-settings-operations §2.5.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use async_compression::{
    Level,
    tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use http_body::{Body as _, Frame};
use tokio::io::AsyncWrite;

use crate::response::{Body, Foreign, Response};

/// Smaller answers are sent as they are where compression is not the reference's.
const LEAST: u64 = 1024;

/// An encoding of the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Zstd,
    Brotli,
    Gzip,
}

impl Encoding {
    fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The dashboard: every body, as the reference does.
    Always,
    /// Everything else: bodies that are worth it.
    Worthwhile,
}

/// The encoding a client prefers among ours: the best weight, then the best compression.
fn negotiate(accept: &str) -> Option<Encoding> {
    let weight = |name: &str| {
        let part = accept.split(',').find_map(|part| {
            let (token, weight) = part.split_once(';').unwrap_or((part, ""));
            token.trim().eq_ignore_ascii_case(name).then_some(weight)
        })?;
        let weight =
            part.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>).unwrap_or(0.0);
        (weight > 0.0).then_some(weight)
    };
    let candidates = [Encoding::Zstd, Encoding::Brotli].into_iter();
    let mut best: Option<(Encoding, f32)> = None;
    for (encoding, weight) in candidates.filter_map(|e| Some((e, weight(e.name())?))) {
        if best.is_none_or(|(_, highest)| weight > highest) {
            best = Some((encoding, weight));
        }
    }
    // spec §2.5: a plain substring test, `gzip;q=0` compresses too
    let gzip = accept.contains("gzip").then(|| weight("gzip").unwrap_or(0.0));
    match (best, gzip) {
        (Some((encoding, weight)), gzip) if gzip.is_none_or(|gzip| weight >= gzip) => {
            Some(encoding)
        }
        (_, Some(_)) => Some(Encoding::Gzip),
        (best, None) => best.map(|(encoding, _)| encoding),
    }
}

/// True for content types that get smaller.
fn is_compressible(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if kind == "text/event-stream" {
        return false;
    }
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || matches!(
            kind.as_str(),
            "application/json"
                | "application/javascript"
                | "application/xml"
                | "application/wasm"
                | "application/manifest+json"
                | "application/openmetrics-text"
                | "image/bmp"
                | "image/vnd.microsoft.icon"
                | "font/ttf"
                | "font/otf"
        )
}

/// Which of two encodings that are there already a client prefers; `None` if it reads neither.
#[cfg(feature = "dashboard")]
pub(crate) fn made<T>(request: &HeaderMap, br: T, gz: T) -> Option<(&'static str, T)> {
    let accept = request.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or("");
    // of those two only: what is made while it is sent costs more than it saves
    let only = |name: &str| {
        let parts = accept.split(',').filter(|part| {
            part.split(';').next().is_some_and(|token| token.trim().eq_ignore_ascii_case(name))
        });
        parts.collect::<Vec<_>>().join(",")
    };
    match negotiate(&format!("{},{}", only("br"), only("gzip")))? {
        Encoding::Gzip => Some((Encoding::Gzip.name(), gz)),
        Encoding::Zstd | Encoding::Brotli => Some((Encoding::Brotli.name(), br)),
    }
}

/// Compresses an answer if that is right for it and the client can read it.
pub(crate) fn apply(scope: Scope, request: &HeaderMap, response: &mut Response) {
    let size = response.body.size_hint().exact();
    let content_type =
        response.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    let fits = !matches!(response.status, 204 | 206 | 304)
        && !matches!(response.body, Body::Any(_))
        && size != Some(0)
        && !response.headers.contains_key(header::CONTENT_ENCODING)
        && !response.headers.contains_key(header::CONTENT_RANGE)
        && is_compressible(content_type)
        && (scope == Scope::Always || size.is_none_or(|size| size >= LEAST));
    if !fits && scope == Scope::Worthwhile {
        return;
    }
    response.headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    let accept = request.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or("");
    let Some(encoding) = negotiate(accept).filter(|_| fits) else {
        return;
    };
    let body = std::mem::replace(&mut response.body, Body::Empty);
    response.body = Body::Encoded(Foreign::new(Encoded::new(encoding, body)));
    response.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
    response.headers.remove(header::CONTENT_LENGTH);
    response.headers.remove(header::ACCEPT_RANGES);
}

enum Encoder {
    Zstd(ZstdEncoder<Vec<u8>>),
    Brotli(Box<BrotliEncoder<Vec<u8>>>),
    Gzip(GzipEncoder<Vec<u8>>),
}

impl Encoder {
    fn new(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Zstd => Self::Zstd(ZstdEncoder::with_quality(Vec::new(), Level::Precise(3))),
            // more would cost more than the network does
            Encoding::Brotli => {
                let quality = Level::Precise(4);
                Self::Brotli(Box::new(BrotliEncoder::with_quality(Vec::new(), quality)))
            }
            Encoding::Gzip => Self::Gzip(GzipEncoder::new(Vec::new())),
        }
    }

    fn writer(&mut self) -> Pin<&mut (dyn AsyncWrite + Unpin)> {
        match self {
            Self::Zstd(encoder) => Pin::new(encoder),
            Self::Brotli(encoder) => Pin::new(&mut **encoder),
            Self::Gzip(encoder) => Pin::new(encoder),
        }
    }

    fn take(&mut self) -> Bytes {
        let out = match self {
            Self::Zstd(encoder) => encoder.get_mut(),
            Self::Brotli(encoder) => encoder.get_mut(),
            Self::Gzip(encoder) => encoder.get_mut(),
        };
        std::mem::take(out).into()
    }
}

/// A body on its way through an encoder. Holds one piece at a time.
struct Encoded {
    encoder: Encoder,
    inner: Body,
    piece: Bytes,
    is_done: bool,
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoded").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// Most bytes encoded before the task gives way.
const PIECE: usize = 64 * 1024;

impl Encoded {
    fn new(encoding: Encoding, inner: Body) -> Self {
        Self { encoder: Encoder::new(encoding), inner, piece: Bytes::new(), is_done: false }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        while !self.is_done {
            if self.piece.is_empty() {
                match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                    Some(Ok(frame)) => self.piece = frame.into_data().unwrap_or_default(),
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => {
                        ready!(self.encoder.writer().poll_shutdown(cx))?;
                        self.is_done = true;
                    }
                }
            }
            let mut n_left = PIECE;
            while !self.piece.is_empty() && n_left > 0 {
                let part = &self.piece[..self.piece.len().min(n_left)];
                let n_written = ready!(self.encoder.writer().poll_write(cx, part))?;
                if n_written == 0 {
                    return Poll::Ready(Some(Err(io::ErrorKind::WriteZero.into())));
                }
                self.piece = self.piece.slice(n_written..);
                n_left = n_left.saturating_sub(n_written);
            }
            let out = self.encoder.take();
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(out)));
            }
        }
        Poll::Ready(None)
    }
}

impl http_body::Body for Encoded {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.get_mut().poll(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.is_done
    }
}

#[cfg(test)]
mod tests {
    use async_compression::tokio::write::{BrotliDecoder, GzipDecoder, ZstdDecoder};
    use http_body_util::BodyExt as _;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[test]
    fn preferences() {
        for (accept, want) in [
            ("", None),
            ("identity", None),
            ("gzip", Some(Encoding::Gzip)),
            ("gzip;q=0", Some(Encoding::Gzip)),
            ("gzip, deflate, br, zstd", Some(Encoding::Zstd)),
            ("gzip, br", Some(Encoding::Brotli)),
            ("br;q=0.5, gzip", Some(Encoding::Gzip)),
            ("zstd;q=0, br;q=0.1", Some(Encoding::Brotli)),
            ("br;q=x", None),
            ("x-gzip", Some(Encoding::Gzip)),
        ] {
            assert_eq!(negotiate(accept), want, "{accept}");
        }
    }

    fn answer(content_type: &'static str, text: &str) -> Response {
        Response::text(200, content_type, text.to_owned())
    }

    #[tokio::test]
    async fn every_encoding_reads_back() {
        let text = "compress me ".repeat(20_000);
        for name in ["gzip", "br", "zstd"] {
            let mut request = HeaderMap::new();
            request.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(name));
            let mut response = answer("text/plain", &text);
            apply(Scope::Worthwhile, &request, &mut response);
            assert_eq!(response.headers[header::CONTENT_ENCODING], name);
            assert_eq!(response.headers[header::VARY], "Accept-Encoding");
            let bytes = response.body.collect().await.expect("a body").to_bytes();
            assert!(bytes.len() < text.len() / 20, "{name}: {}", bytes.len());
            let mut plain = Vec::new();
            match name {
                "gzip" => decode(GzipDecoder::new(&mut plain), &bytes).await,
                "br" => decode(BrotliDecoder::new(&mut plain), &bytes).await,
                _ => decode(ZstdDecoder::new(&mut plain), &bytes).await,
            }
            assert!(plain == text.as_bytes(), "{name}");
        }
    }

    async fn decode(mut decoder: impl AsyncWrite + Unpin, bytes: &[u8]) {
        decoder.write_all(bytes).await.expect("decoded");
        decoder.shutdown().await.expect("complete");
    }

    #[test]
    fn what_is_left_alone() {
        let mut request = HeaderMap::new();
        request.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let long = "x".repeat(5000);
        for (scope, content_type, status, text, compressed, vary) in [
            (Scope::Worthwhile, "application/json", 200, long.as_str(), true, true),
            (Scope::Worthwhile, "application/json", 200, "{}", false, false),
            (Scope::Always, "application/json", 200, "{}", true, true),
            (Scope::Worthwhile, "image/png", 200, &long, false, false),
            (Scope::Always, "image/png", 200, &long, false, true),
            (Scope::Worthwhile, "text/event-stream", 200, &long, false, false),
            (Scope::Worthwhile, "text/plain", 206, &long, false, false),
            (Scope::Always, "text/plain", 304, "", false, true),
        ] {
            let mut response = answer(content_type, text);
            response.status = status;
            apply(scope, &request, &mut response);
            let what = format!("{scope:?} {content_type} {status} {}", text.len());
            assert_eq!(
                response.headers.contains_key(header::CONTENT_ENCODING),
                compressed,
                "{what}"
            );
            assert_eq!(response.headers.contains_key(header::VARY), vary, "{what}");
        }
    }
}
