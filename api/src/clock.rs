//! Time limits of one connection: a deadline that moves with what the connection does, and the stream that keeps it.
//!
//! Waiting for a request, reading its head and serving it have limits of their own. Nothing is scheduled per request:
//! one sleeping timer per connection looks at the deadline when it wakes. Knows no HTTP.
//! Source: spec server-settings-operations §1.4.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// How long a connection may take for what.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// From the first byte of a request to the end of its head; also the TLS handshake.
    pub header: Duration,
    /// From the first byte of a request to the last of its answer. Event streams have no limit.
    pub request: Duration,
    /// Between requests.
    pub idle: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(60),
            request: Duration::from_secs(300),
            idle: Duration::from_secs(300),
        }
    }
}

const NEVER: u64 = u64::MAX;

fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(NEVER / 4).min(NEVER / 4)
}

fn now_ms() -> u64 {
    millis(epoch().elapsed())
}

/// The deadline of one connection, shared by its stream and its requests.
#[derive(Debug)]
pub(crate) struct Clock {
    times: Times,
    /// Milliseconds since [`epoch`].
    deadline: AtomicU64,
    /// When the head that is being read began.
    head_start: AtomicU64,
    in_head: AtomicBool,
    n_open: AtomicU32,
    /// HTTP/2: bytes between requests are not the beginning of one.
    multiplexed: AtomicBool,
}

impl Clock {
    /// A connection that was just accepted: its first head has begun.
    pub(crate) fn new(times: Times) -> Arc<Self> {
        let now = now_ms();
        Arc::new(Self {
            times,
            deadline: AtomicU64::new(now + millis(times.header)),
            head_start: AtomicU64::new(now),
            in_head: AtomicBool::new(true),
            n_open: AtomicU32::new(0),
            multiplexed: AtomicBool::new(false),
        })
    }

    /// Says that several requests share the connection.
    pub(crate) fn multiplex(&self) {
        self.multiplexed.store(true, Relaxed);
        self.in_head.store(false, Relaxed);
        self.deadline.store(now_ms() + millis(self.times.idle), Relaxed);
    }

    /// A request begins; it ends when the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> Guard {
        let start = if self.in_head.swap(false, Relaxed) {
            self.head_start.load(Relaxed)
        } else {
            now_ms()
        };
        let deadline = start + millis(self.times.request);
        if self.n_open.fetch_add(1, Relaxed) == 0 {
            self.deadline.store(deadline, Relaxed);
        } else {
            self.deadline.fetch_max(deadline, Relaxed);
        }
        Guard(self.clone())
    }

    /// Gives the open request more time from now on; `None` for as long as it wants.
    pub(crate) fn extend(&self, time: Option<Duration>) {
        let deadline = time.map_or(NEVER, |time| now_ms() + millis(time));
        self.deadline.fetch_max(deadline, Relaxed);
    }

    /// Something has moved: the open request has its whole time again, counted from now.
    pub(crate) fn moved(&self) {
        self.extend(Some(self.times.request));
    }

    /// How long the server waits for a request.
    pub(crate) fn request_time(&self) -> Duration {
        self.times.request
    }

    /// True if an open request of the connection may take as long as it wants.
    pub(crate) fn is_unlimited(&self) -> bool {
        self.deadline.load(Relaxed) == NEVER
    }

    fn bytes_arrived(&self) {
        if self.n_open.load(Relaxed) == 0
            && !self.in_head.load(Relaxed)
            && !self.multiplexed.load(Relaxed)
        {
            let now = now_ms();
            self.head_start.store(now, Relaxed);
            self.in_head.store(true, Relaxed);
            self.deadline.store(now + millis(self.times.header), Relaxed);
        }
    }
}

/// An open request.
#[derive(Debug)]
pub(crate) struct Guard(Arc<Clock>);

impl Guard {
    pub(crate) fn clock(&self) -> &Arc<Clock> {
        &self.0
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.0.n_open.fetch_sub(1, Relaxed) == 1 {
            self.0.deadline.store(now_ms() + millis(self.0.times.idle), Relaxed);
        }
    }
}

/// A stream that fails once the deadline of its connection has passed.
#[derive(Debug)]
pub(crate) struct Timed<S> {
    io: S,
    clock: Arc<Clock>,
    sleep: Pin<Box<Sleep>>,
    armed: u64,
}

impl<S> Timed<S> {
    pub(crate) fn new(io: S, clock: Arc<Clock>) -> Self {
        let armed = clock.deadline.load(Relaxed);
        let sleep = Box::pin(sleep_until(epoch() + Duration::from_millis(armed)));
        Self { io, clock, sleep, armed }
    }

    /// To be called whenever the stream would wait.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            let deadline = self.clock.deadline.load(Relaxed);
            if deadline < self.armed {
                self.arm(deadline);
            }
            if self.sleep.as_mut().poll(cx).is_pending() {
                return Ok(());
            }
            if deadline <= now_ms() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.arm(deadline);
        }
    }

    fn arm(&mut self, deadline: u64) {
        // an hour at most: no timer is set for ever, and one wake-up an hour costs nothing
        let at = deadline.min(now_ms() + 3_600_000).max(now_ms() + 1);
        self.armed = at;
        self.sleep.as_mut().reset(epoch() + Duration::from_millis(at));
    }

    fn guarded<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if poll.is_pending()
            && let Err(error) = self.check(cx)
        {
            return Poll::Ready(Err(error));
        }
        poll
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.io).poll_read(cx, buf);
        if poll.is_ready() {
            self.clock.bytes_arrived();
        }
        self.guarded(cx, poll)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.io).poll_write(cx, buf);
        self.guarded(cx, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.guarded(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.io).poll_flush(cx);
        self.guarded(cx, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.io).poll_shutdown(cx);
        self.guarded(cx, poll)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    fn times(header_ms: u64, request_ms: u64, idle_ms: u64) -> Times {
        let ms = Duration::from_millis;
        Times { header: ms(header_ms), request: ms(request_ms), idle: ms(idle_ms) }
    }

    const LONG: u64 = 3_600_000;

    #[tokio::test]
    async fn a_head_that_never_ends() {
        let (mut far, near) = duplex(64);
        let mut timed = Timed::new(near, Clock::new(times(20, LONG, LONG)));
        far.write_all(b"GET").await.expect("write");
        let mut buf = [0; 3];
        timed.read_exact(&mut buf).await.expect("bytes");
        let error = timed.read_exact(&mut buf).await.expect_err("too slow");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn an_answer_that_nobody_reads() {
        let (_far, near) = duplex(8);
        let clock = Clock::new(times(LONG, 20, LONG));
        let mut timed = Timed::new(near, clock.clone());
        let guard = clock.begin();
        let error = timed.write_all(&[0; 64]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(guard);
    }

    #[tokio::test]
    async fn the_deadline_follows_the_requests() {
        let clock = Clock::new(times(1000, 5000, 9000));
        let left =
            |clock: &Clock| clock.deadline.load(Relaxed).saturating_sub(now_ms()).div_ceil(1000);
        assert_eq!(left(&clock), 1);
        let first = clock.begin();
        assert_eq!(left(&clock), 5);
        clock.extend(Some(Duration::from_secs(600)));
        assert_eq!(left(&clock), 600);
        drop(first);
        assert_eq!(left(&clock), 9);
        clock.bytes_arrived();
        assert_eq!(left(&clock), 1);
        let stream = clock.begin();
        clock.extend(None);
        let second = clock.begin();
        drop(second);
        assert_eq!(clock.deadline.load(Relaxed), NEVER);
        drop(stream);
        assert_eq!(left(&clock), 9);
    }
}
