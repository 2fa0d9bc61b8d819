//! What goes through as it comes: bodies of requests, bodies of any origin as answers, and connections that stop being HTTP.
//!
//! Nothing is kept here, so memory does not grow with what goes through. Must not know who hands things on, or why.

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body::{Body as _, Frame, SizeHint};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;

use crate::{body::Source, clock::Clock};

/// The body of a request, as it comes, up to a limit. As long as something comes, the request may take its time.
#[derive(Debug)]
pub struct Streamed {
    source: Source,
    limit: u64,
    n_read: u64,
    clock: Option<Arc<Clock>>,
}

impl Streamed {
    pub(crate) fn new(source: Source, limit: u64, clock: Option<Arc<Clock>>) -> Self {
        Self { source, limit, n_read: 0, clock }
    }
}

/// True for the error of a [`Streamed`] body that is longer than it may be.
#[must_use]
pub fn is_too_large(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::FileTooLarge
}

impl http_body::Body for Streamed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        loop {
            let piece = match &mut this.source {
                Source::Bytes(bytes) => {
                    let piece = std::mem::take(bytes);
                    if piece.is_empty() {
                        return Poll::Ready(None);
                    }
                    piece
                }
                Source::Wire(body) => match ready!(Pin::new(body).poll_frame(cx)) {
                    None => return Poll::Ready(None),
                    Some(Err(error)) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(piece) => piece,
                        // trailers of strangers are nobody's headers
                        Err(_) => continue,
                    },
                },
            };
            this.n_read = this.n_read.saturating_add(piece.len() as u64);
            if this.n_read > this.limit {
                return Poll::Ready(Some(Err(io::ErrorKind::FileTooLarge.into())));
            }
            if let Some(clock) = &this.clock {
                clock.moved();
            }
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Bytes(bytes) => bytes.is_empty(),
            Source::Wire(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Wire(body) => body.size_hint(),
        }
    }
}

type Foreign = dyn http_body::Body<Data = Bytes, Error = io::Error> + Send + Sync;

/// A body of any origin, trailers included. Each piece is sent when it is there; an `Err` cuts the connection. As long as
/// something goes out, the answer may take its time.
pub struct AnyBody(Pin<Box<Foreign>>);

impl fmt::Debug for AnyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyBody").field(&self.0.size_hint()).finish()
    }
}

impl AnyBody {
    /// Takes a body in.
    pub fn new(
        body: impl http_body::Body<Data = Bytes, Error = io::Error> + Send + Sync + 'static,
    ) -> Self {
        Self(Box::pin(body))
    }
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.as_mut().poll_frame(cx)
    }
    pub(crate) fn is_done(&self) -> bool {
        self.0.is_end_stream()
    }
    pub(crate) fn size(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// A connection that is no longer HTTP.
pub type Upgraded = TokioIo<hyper::upgrade::Upgraded>;

type Run = Box<dyn FnOnce(Upgraded) -> BoxFuture<'static, ()> + Send>;

/// What is done with a connection once a 101 has been sent on it. HTTP/1.1 only. The connection counts as open until that
/// is done, and nobody but that limits its time; it is dropped when the server stops.
pub struct Upgrade(Mutex<Option<Run>>);

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upgrade")
    }
}

impl Upgrade {
    /// Runs this with the connection.
    pub fn new<F, Fut>(run: F) -> Self
    where
        F: FnOnce(Upgraded) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self(Mutex::new(Some(Box::new(move |io| Box::pin(run(io))))))
    }
    pub(crate) async fn run(self, io: hyper::upgrade::Upgraded) {
        if let Some(run) = self.0.into_inner() {
            run(TokioIo::new(io)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn bodies_up_to_their_limit() {
        for (limit, fits) in [(3, true), (2, false)] {
            let source = Source::Bytes(Bytes::from_static(b"abc"));
            match Streamed::new(source, limit, None).collect().await {
                Ok(all) => assert!(fits && all.to_bytes() == "abc"),
                Err(error) => assert!(!fits && is_too_large(&error)),
            }
        }
    }
}
