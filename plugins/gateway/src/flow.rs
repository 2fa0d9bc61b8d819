//! Bodies on their way through: to the upstream, with what is known of their progress; to the client, with a limit for
//! silence. Nothing is kept but the piece at hand.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pocketbase::web::{Streamed, is_too_large, is_too_slow};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::held::Held;

/// How far a request has come.
#[derive(Debug)]
pub(crate) struct Progress {
    start: Instant,
    last_ms: AtomicU64,
    too_large: AtomicBool,
    too_slow: AtomicBool,
    client_gone: AtomicBool,
    waiting: AtomicBool,
    /// All of the body has been taken.
    done: AtomicBool,
    /// The upstream has begun to answer: whatever follows is a stream in both directions.
    answered: AtomicBool,
}

impl Progress {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            last_ms: AtomicU64::new(0),
            too_large: AtomicBool::new(false),
            too_slow: AtomicBool::new(false),
            client_gone: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
            done: AtomicBool::new(false),
            answered: AtomicBool::new(false),
        })
    }
    /// When something has last moved.
    pub(crate) fn last(&self) -> Instant {
        self.start + Duration::from_millis(self.last_ms.load(Relaxed))
    }
    fn moved(&self) {
        let ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(ms, Relaxed);
    }
    /// The client owes nothing any more.
    pub(crate) fn is_done(&self) -> bool {
        self.done.load(Relaxed)
    }
    /// The body is longer than it may be.
    pub(crate) fn is_too_large(&self) -> bool {
        self.too_large.load(Relaxed)
    }
    /// The body has come too slowly.
    pub(crate) fn is_too_slow(&self) -> bool {
        self.too_slow.load(Relaxed)
    }
    /// It is the client's turn.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.load(Relaxed)
    }
    /// The body may come as slowly as it likes from now on.
    pub(crate) fn answered(&self) {
        self.answered.store(true, Relaxed);
    }
    /// The client has broken off.
    pub(crate) fn is_client_gone(&self) -> bool {
        self.client_gone.load(Relaxed)
    }
}

/// A body for the upstream.
#[derive(Debug)]
pub(crate) struct Upload {
    source: Source,
    progress: Arc<Progress>,
}

#[derive(Debug)]
enum Source {
    Streamed(Box<Streamed>),
    Held(Held),
}

impl Upload {
    pub(crate) fn streamed(body: Streamed, progress: &Arc<Progress>) -> Self {
        progress.done.store(body.is_end_stream(), Relaxed);
        Self { source: Source::Streamed(Box::new(body)), progress: progress.clone() }
    }
    pub(crate) fn held(held: Held, progress: &Arc<Progress>) -> Self {
        progress.done.store(true, Relaxed);
        Self { source: Source::Held(held), progress: progress.clone() }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let frame = match &mut this.source {
            Source::Held(held) => {
                let bytes = std::mem::take(&mut held.bytes);
                return Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))));
            }
            Source::Streamed(body) => {
                if this.progress.answered.load(Relaxed) {
                    body.at_any_pace();
                }
                Pin::new(&mut **body).poll_frame(cx)
            }
        };
        this.progress.waiting.store(frame.is_pending(), Relaxed);
        match &frame {
            Poll::Ready(Some(Err(error))) if is_too_large(error) => {
                this.progress.too_large.store(true, Relaxed);
            }
            Poll::Ready(Some(Err(error))) if is_too_slow(error) => {
                this.progress.too_slow.store(true, Relaxed);
            }
            Poll::Ready(Some(Err(_))) => this.progress.client_gone.store(true, Relaxed),
            Poll::Ready(more) => {
                this.progress.moved();
                let is_end = match &this.source {
                    Source::Streamed(body) => body.is_end_stream(),
                    Source::Held(_) => true,
                };
                this.progress.done.fetch_or(more.is_none() || is_end, Relaxed);
            }
            Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Held(held) => held.bytes.is_empty(),
            Source::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Held(held) => SizeHint::with_exact(held.bytes.len() as u64),
            Source::Streamed(body) => body.size_hint(),
        }
    }
}

/// Who is told that a body has broken off.
type Failed = Box<dyn FnOnce(&io::Error) + Send + Sync>;

/// A body for the client. What it holds is held until it ends.
pub(crate) struct Download<H> {
    body: Incoming,
    silence: Duration,
    /// Since when the upstream is waited for.
    waiting: Option<Pin<Box<Sleep>>>,
    failed: Option<Failed>,
    _held: H,
}

impl<H> Download<H> {
    /// `failed` is told if the upstream breaks off or is silent for too long.
    pub(crate) fn new(
        body: Incoming,
        silence: Duration,
        held: H,
        failed: impl FnOnce(&io::Error) + Send + Sync + 'static,
    ) -> Self {
        Self { body, silence, waiting: None, failed: Some(Box::new(failed)), _held: held }
    }
}

impl<H: Unpin> Body for Download<H> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let error = match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(Some(Err(error))) => io::Error::other(error),
            Poll::Ready(frame) => {
                this.waiting = None;
                return Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)));
            }
            Poll::Pending => {
                let silence = this.silence;
                let waiting = this
                    .waiting
                    .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + silence)));
                if waiting.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                io::ErrorKind::TimedOut.into()
            }
        };
        if let Some(failed) = this.failed.take() {
            failed(&error);
        }
        Poll::Ready(Some(Err(error)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
