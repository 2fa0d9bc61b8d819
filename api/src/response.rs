//! Bytes out: [`Response`], its [`Body`], JSON answers with the field picker.
//!
//! Must not build content: handlers hand over finished JSON or a file.
//! Source: spec records-files-realtime-batch §0, §1.6.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body::{Frame, SizeHint};
use tokio::{io::AsyncRead, sync::mpsc};

use crate::{
    error::{ApiError, Result},
    sse::EventStream,
    streaming::{AnyBody, Upgrade},
};

/// What a handler answers.
#[derive(Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers; the pipeline adds its own.
    pub headers: HeaderMap,
    /// The bytes.
    pub body: Body,
    /// True when the body is a JSON document to which `?fields=` applies.
    pub pick: bool,
}

impl Response {
    /// An answer without body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: HeaderMap::new(), body: Body::Empty, pick: false }
    }

    /// 204.
    #[must_use]
    pub fn no_content() -> Self {
        Self::empty(204)
    }

    /// JSON text.
    #[must_use]
    pub fn json(status: u16, text: Vec<u8>) -> Self {
        Self::json_bytes(status, Bytes::from(text), true)
    }

    /// JSON text that may be shared; `pick` as in [`Response::pick`].
    #[must_use]
    pub fn json_bytes(status: u16, text: Bytes, pick: bool) -> Self {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { status, headers, body: Body::Full(text), pick }
    }

    /// A serializable value as JSON.
    ///
    /// # Errors
    /// 500 when the value cannot be serialized.
    pub fn of<T: serde::Serialize + ?Sized>(status: u16, value: &T) -> Result<Self> {
        let mut text = Vec::with_capacity(256);
        crate::json::write(&mut text, value).map_err(|e| ApiError::internal(e.to_string()))?;
        Ok(Self::json(status, text))
    }

    /// Text of a given type.
    #[must_use]
    pub fn text(status: u16, content_type: &'static str, text: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: HeaderMap::from_iter([(
                header::CONTENT_TYPE,
                HeaderValue::from_static(content_type),
            )]),
            body: Body::Full(text.into()),
            pick: false,
        }
    }

    /// A redirect.
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::empty(status).with_header(header::LOCATION, location)
    }

    /// The error envelope.
    #[must_use]
    pub fn error(error: &ApiError) -> Self {
        let mut text = Vec::with_capacity(128);
        error.write(&mut text);
        let response = Self::json_bytes(error.status, Bytes::from(text), false);
        match error.retry_after_s {
            None => response,
            Some(seconds) => response.with_header(header::RETRY_AFTER, &seconds.to_string()),
        }
    }

    /// Sets a header; values that are no header text are ignored.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

/// A response body that needs no boxing.
#[derive(Debug)]
pub enum Body {
    /// Nothing.
    Empty,
    /// All of it.
    Full(Bytes),
    /// A part of a file.
    File(FileBody),
    /// Pieces sent by a task; an `Err` cuts the connection.
    Stream(mpsc::Receiver<std::io::Result<Bytes>>),
    /// Another body on its way through an encoder.
    Encoded(Foreign),
    /// A realtime client's events.
    Events(Box<EventStream>),
    /// Somebody else's body, as it comes; never compressed.
    Any(AnyBody),
    /// Nothing; with a 101, what becomes of the connection.
    Upgrade(Upgrade),
}

/// A body that is made of another one.
pub struct Foreign(Pin<Box<dyn http_body::Body<Data = Bytes, Error = std::io::Error> + Send>>);

impl std::fmt::Debug for Foreign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Foreign")
    }
}

impl Foreign {
    pub(crate) fn new(
        body: impl http_body::Body<Data = Bytes, Error = std::io::Error> + Send + 'static,
    ) -> Self {
        Self(Box::pin(body))
    }
}

/// The rest of a file from where it is positioned, read in bounded pieces.
#[derive(Debug)]
pub struct FileBody {
    file: tokio::fs::File,
    left: u64,
    buffer: BytesMut,
}

const PIECE: usize = 64 * 1024;

impl FileBody {
    /// `len` bytes from the current position.
    #[must_use]
    pub fn new(file: tokio::fs::File, len: u64) -> Self {
        Self { file, left: len, buffer: BytesMut::new() }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<std::io::Result<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let want = usize::try_from(self.left).unwrap_or(PIECE).min(PIECE);
        self.buffer.resize(want, 0);
        let mut read = tokio::io::ReadBuf::new(&mut self.buffer);
        match Pin::new(&mut self.file).poll_read(cx, &mut read) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Some(Err(error))),
            Poll::Ready(Ok(())) => {
                let n_read = read.filled().len();
                if n_read == 0 {
                    return Poll::Ready(Some(Err(std::io::ErrorKind::UnexpectedEof.into())));
                }
                self.left -= n_read as u64;
                let mut piece = std::mem::take(&mut self.buffer);
                piece.truncate(n_read);
                Poll::Ready(Some(Ok(piece.freeze())))
            }
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let piece = match this {
            Self::Empty | Self::Upgrade(_) => return Poll::Ready(None),
            Self::Any(body) => return body.poll(cx),
            Self::Encoded(body) => return body.0.as_mut().poll_frame(cx),
            Self::Full(_) => {
                let Self::Full(bytes) = std::mem::replace(this, Self::Empty) else {
                    return Poll::Ready(None);
                };
                return Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))));
            }
            Self::File(file) => file.poll(cx),
            Self::Stream(pieces) => pieces.poll_recv(cx),
            Self::Events(events) => events.poll(cx).map(|piece| piece.map(Ok)),
        };
        piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty | Self::Upgrade(_) => true,
            Self::Any(body) => body.is_done(),
            Self::Encoded(body) => body.0.is_end_stream(),
            Self::Full(bytes) => bytes.is_empty(),
            Self::File(file) => file.left == 0,
            Self::Stream(_) | Self::Events(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty | Self::Upgrade(_) => SizeHint::with_exact(0),
            Self::Any(body) => body.size(),
            Self::Encoded(body) => body.0.size_hint(),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::File(file) => SizeHint::with_exact(file.left),
            Self::Stream(_) | Self::Events(_) => SizeHint::new(),
        }
    }
}

impl Body {
    /// The whole body as bytes where it is in memory.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Full(bytes) => Some(bytes),
            _ => None,
        }
    }
}
