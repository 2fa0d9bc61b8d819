//! What goes through as it comes: bodies of requests, bodies of any origin as answers, and connections that stop being HTTP.
//!
//! Nothing is kept here, so memory does not grow with what goes through. Must not know who hands things on, or why.

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body::{Body as _, Frame, SizeHint};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::{
    task::AbortHandle,
    time::{Instant, sleep_until},
};

use crate::{
    body::Source,
    clock::{Clock, Times},
    pace::Pace,
};

/// The body of a request, as it comes, up to a limit. As long as something comes, the request may take its time; what comes
/// drop by drop ends in an error (see [`is_too_slow`]).
#[derive(Debug)]
pub struct Streamed {
    source: Source,
    limit: u64,
    n_read: u64,
    clock: Option<Arc<Clock>>,
    /// `None` if it may come as slowly as it likes.
    pace: Option<Pace>,
}

impl Streamed {
    pub(crate) fn new(source: Source, limit: u64, clock: Option<Arc<Clock>>) -> Self {
        let pace = clock.as_ref().map(|clock| Pace::new(clock.request_time()));
        Self { source, limit, n_read: 0, clock, pace }
    }
    /// The client may be waited for so long in all, and a second more for each 500 bytes that come, but never longer at a
    /// time. Only waiting counts. Without this it is the server's time for requests.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.pace = Some(Pace::new(patience));
        self
    }
    /// From now on it may come as slowly as it likes.
    pub fn at_any_pace(&mut self) {
        self.pace = None;
    }
}

/// True for the error of a [`Streamed`] body that has come too slowly.
#[must_use]
pub fn is_too_slow(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut
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
                Source::Wire(body) => match Pin::new(body).poll_frame(cx) {
                    Poll::Pending => {
                        let late = this.pace.as_mut().map(|pace| pace.poll_late(cx));
                        return match late {
                            Some(Poll::Ready(())) => {
                                Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())))
                            }
                            _ => Poll::Pending,
                        };
                    }
                    Poll::Ready(None) => return Poll::Ready(None),
                    Poll::Ready(Some(Err(error))) => {
                        return Poll::Ready(Some(Err(io::Error::other(error))));
                    }
                    Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
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
            if let Some(pace) = &mut this.pace {
                pace.moved(piece.len());
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
/// something goes out, the answer may take its time. It is dropped when the client does not take what is there, and everything
/// that it holds with it.
pub struct AnyBody {
    given: Arc<Given>,
    watch: Option<AbortHandle>,
}

struct Given(Mutex<Taking>);

/// What the connection and whoever watches it share. A connection that is full is not driven by its body, and in HTTP/2 one
/// answer may be stuck where others are not: somebody else must see it.
struct Taking {
    /// `None` after the client was too slow.
    body: Option<Pin<Box<Foreign>>>,
    pace: Pace,
    /// Of the last piece.
    n_given: usize,
}

impl fmt::Debug for AnyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyBody").field(&self.size()).finish()
    }
}

impl Drop for AnyBody {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
    }
}

impl AnyBody {
    /// Takes a body in.
    pub fn new(
        body: impl http_body::Body<Data = Bytes, Error = io::Error> + Send + Sync + 'static,
    ) -> Self {
        let pace = Pace::new(Times::default().request);
        let taking = Taking { body: Some(Box::pin(body)), pace, n_given: 0 };
        Self { given: Arc::new(Given(Mutex::new(taking))), watch: None }
    }
    /// The client may leave what is there for so long in all, and a second more for each 500 bytes that it takes, but never
    /// longer at a time. Waiting for the body does not count. Without this it is the server's time for requests.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        self.given.0.lock().pace = Pace::new(patience);
        self
    }
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let mut taking = self.given.0.lock();
        let Taking { body: Some(body), pace, n_given } = &mut *taking else {
            return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
        };
        pace.moved(std::mem::take(n_given));
        let frame = body.as_mut().poll_frame(cx);
        if let Poll::Ready(Some(Ok(piece))) = &frame {
            *n_given = piece.data_ref().map_or(0, Bytes::len);
            let is_last = body.is_end_stream();
            if !is_last {
                pace.wait();
            }
            drop(taking);
            if !is_last && self.watch.is_none() {
                let watch = watch(Arc::downgrade(&self.given));
                self.watch = Some(tokio::spawn(watch).abort_handle());
            }
        }
        frame
    }
    pub(crate) fn is_done(&self) -> bool {
        self.given.0.lock().body.as_ref().is_some_and(|body| body.is_end_stream())
    }
    pub(crate) fn size(&self) -> SizeHint {
        self.given.0.lock().body.as_ref().map(|body| body.size_hint()).unwrap_or_default()
    }
}

/// Waits until the client of a body is too late, and drops the body then.
async fn watch(given: Weak<Given>) {
    /// How much later that may be seen.
    const SOON: Duration = Duration::from_secs(1);
    loop {
        let Some(shared) = given.upgrade() else { return };
        let (end, gone) = {
            let mut taking = shared.0.lock();
            let now = Instant::now();
            match taking.pace.end() {
                Some(end) if end <= now => (end, taking.body.take()),
                Some(end) => (end, None),
                // its turn has yet to come
                None => (now + taking.pace.left().max(SOON), None),
            }
        };
        if gone.is_some() {
            tracing::debug!("dropped an answer that its client does not take");
            return;
        }
        drop(shared);
        sleep_until(end).await;
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
    use std::convert::Infallible;

    use http_body_util::{BodyExt as _, StreamBody};
    use tokio::sync::oneshot;

    use super::*;

    /// Tells that it is gone.
    struct Told(Option<oneshot::Sender<Infallible>>);

    #[tokio::test]
    async fn what_nobody_takes_is_dropped() {
        let (told, mut gone) = oneshot::channel();
        let told = Told(Some(told));
        let pieces = futures_util::stream::repeat_with(move || {
            assert!(told.0.is_some());
            Ok(Frame::data(Bytes::from_static(b"abc")))
        });
        let mut body =
            AnyBody::new(StreamBody::new(pieces)).with_patience(Duration::from_millis(50));
        let next = async |body: &mut AnyBody| std::future::poll_fn(|cx| body.poll(cx)).await;
        assert!(next(&mut body).await.is_some_and(|piece| piece.is_ok()));
        assert!(gone.try_recv().is_err_and(|e| e == oneshot::error::TryRecvError::Empty));
        // the sender is dropped, and nothing else: that is the body
        assert!(gone.await.is_err());
        assert!(!body.is_done());
        assert!(next(&mut body).await.is_some_and(|piece| piece.is_err()));
    }

    #[tokio::test]
    async fn origins_may_take_their_time() {
        let pieces = futures_util::stream::unfold(0, |n| async move {
            tokio::time::sleep(Duration::from_millis(60)).await;
            (n < 4).then(|| (Ok(Frame::data(Bytes::from_static(b"a"))), n + 1))
        });
        let body = AnyBody::new(StreamBody::new(Box::pin(pieces)));
        let mut body = body.with_patience(Duration::from_millis(50));
        let mut all = 0;
        while let Some(piece) = std::future::poll_fn(|cx| body.poll(cx)).await {
            all += usize::from(piece.is_ok());
        }
        assert_eq!(all, 4);
    }

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
