//! What children print: the last lines of each in memory, and a bounded part of it in the app log.
//!
//! A child is never waited for and never made to wait longer than it takes to split its lines: when it prints more than the
//! log can take, the log gets less and the ring still has the last lines. Source: spec extensions 5.5. Must not know
//! how processes are started.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use parking_lot::Mutex;
use pocketbase::{App, text::cut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::hidden::Hidden;

/// Lines that are kept of each process.
pub(crate) const RING: usize = 1000;
/// Bytes that are kept of each process: fewer lines when they are long.
const RING_BYTES: usize = 3 << 20;
/// Longer lines are split.
pub(crate) const MAX_LINE: usize = 64 << 10;
/// What the app log keeps of a line.
const MAX_LOGGED: usize = 8_000;
/// Lines that the app log takes at once, and then each second, from all processes together.
const BURST: f64 = 2_000.0;
const PER_SECOND: f64 = 200.0;
/// The same in bytes.
const BURST_BYTES: f64 = 1_048_576.0;
const BYTES_PER_SECOND: f64 = 131_072.0;

/// How often it is told that lines were left out.
const TELL: Duration = Duration::from_secs(10);

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `stdout`.
    Out,
    /// `stderr`.
    Err,
}

impl Source {
    /// Its name in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Out => "stdout",
            Self::Err => "stderr",
        }
    }
}

/// A line that a process printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it was read.
    pub time: SystemTime,
    /// Where it came from.
    pub source: Source,
    /// Without its end; bytes that are no UTF-8 are U+FFFD.
    pub content: Arc<str>,
}

/// The last lines of a process.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    lines: VecDeque<Line>,
    n_bytes: usize,
}

impl Ring {
    fn push(&mut self, line: Line) {
        self.n_bytes += line.content.len();
        self.lines.push_back(line);
        while self.lines.len() > RING || self.n_bytes > RING_BYTES {
            let Some(first) = self.lines.pop_front() else { break };
            self.n_bytes -= first.content.len();
        }
    }
    /// The last lines, oldest first.
    pub(crate) fn last(&self, n: usize) -> Vec<Line> {
        self.lines.iter().skip(self.lines.len().saturating_sub(n)).cloned().collect()
    }
}

/// What the app log may still take. Shared by all processes.
#[derive(Debug)]
pub(crate) struct Budget {
    left: Mutex<Left>,
    dropped: AtomicU64,
}

#[derive(Debug)]
struct Left {
    lines: f64,
    bytes: f64,
    since: Instant,
    /// Lines that were dropped and not told of.
    untold: u64,
    /// When that was told.
    told: Option<Instant>,
}

impl Default for Budget {
    fn default() -> Self {
        let since = Instant::now();
        let left = Left { lines: BURST, bytes: BURST_BYTES, since, untold: 0, told: None };
        Self { left: Mutex::new(left), dropped: AtomicU64::new(0) }
    }
}

impl Budget {
    /// Lines that the app log did not get.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
    fn drop_lines(&self, n: u64) {
        if n > 0 {
            self.left.lock().untold += n;
            self.dropped.fetch_add(n, Relaxed);
        }
    }
    /// Takes room for a line, if there is any; with the number of lines that had none before.
    fn take(&self, n_bytes: usize, now: Instant) -> Option<u64> {
        let mut left = self.left.lock();
        let seconds = now.saturating_duration_since(left.since).as_secs_f64();
        // another reader may have looked at the clock later
        left.since = left.since.max(now);
        left.lines = seconds.mul_add(PER_SECOND, left.lines).min(BURST);
        left.bytes = seconds.mul_add(BYTES_PER_SECOND, left.bytes).min(BURST_BYTES);
        #[allow(clippy::cast_precision_loss, reason = "at most MAX_LOGGED")]
        let bytes = n_bytes as f64;
        if left.lines < 1.0 || left.bytes < bytes {
            left.untold += 1;
            drop(left);
            self.dropped.fetch_add(1, Relaxed);
            return None;
        }
        left.lines -= 1.0;
        left.bytes -= bytes;
        if left.told.is_some_and(|told| now.saturating_duration_since(told) < TELL) {
            return Some(0);
        }
        if left.untold > 0 {
            left.told = Some(now);
        }
        Some(std::mem::take(&mut left.untold))
    }
}

/// Where the lines of one process go.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    pub(crate) app: App,
    pub(crate) id: Arc<str>,
    pub(crate) ring: Arc<Mutex<Ring>>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) hidden: Hidden,
}

impl Sink {
    fn take(&self, source: Source, line: &[u8], time: SystemTime, now: Instant) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let content: Arc<str> = self.hidden.shown(String::from_utf8_lossy(line)).into();
        self.ring.lock().push(Line { time, source, content: content.clone() });
        let logged = cut(&content, MAX_LOGGED);
        let Some(n_dropped) = self.budget.take(logged.len(), now) else { return };
        let logger = self.app.logger().with("process", &*self.id);
        if n_dropped > 0 {
            let attrs = [("lines", n_dropped.into())];
            logger.warn("Lines of processes were left out of the log.", &attrs);
        }
        // no database keeps NUL characters
        let logged = logged.replace('\0', "\u{fffd}");
        match source {
            Source::Out => logger.info(&logged, &[("source", "STDOUT".into())]),
            Source::Err => logger.error(&logged, &[("source", "STDERR".into())]),
        }
    }
}

/// Reads what a process prints until it closes it.
pub(crate) async fn read(mut from: impl AsyncRead + Unpin, source: Source, sink: Sink) {
    let mut buffer = Vec::with_capacity(MAX_LINE);
    loop {
        // lines are at most as long as the buffer, so there is always room for more
        match from.read_buf(&mut bounded(&mut buffer)).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        split(&mut buffer, source, &sink);
    }
    if !buffer.is_empty() {
        sink.take(source, &buffer, SystemTime::now(), Instant::now());
    }
}

fn bounded(buffer: &mut Vec<u8>) -> impl bytes::BufMut + '_ {
    use bytes::BufMut as _;
    let room = MAX_LINE - buffer.len();
    buffer.limit(room)
}

/// Hands the complete lines over; a line that fills the buffer is cut, but not within a character.
fn split(buffer: &mut Vec<u8>, source: Source, sink: &Sink) {
    let (time, now) = (SystemTime::now(), Instant::now());
    let n_lines = memchr::memchr_iter(b'\n', buffer).count();
    // more lines at once than the ring keeps: nobody would see the first of them
    let n_skipped = n_lines.saturating_sub(RING);
    sink.budget.drop_lines(n_skipped as u64);
    let mut start = 0;
    for (at, end) in memchr::memchr_iter(b'\n', buffer).enumerate() {
        if at >= n_skipped {
            sink.take(source, &buffer[start..end], time, now);
        }
        start = end + 1;
    }
    buffer.drain(..start);
    if buffer.len() >= MAX_LINE {
        let end = buffer.len() - unfinished(buffer);
        sink.take(source, &buffer[..end], time, now);
        buffer.drain(..end);
    }
}

/// How many bytes at the end begin a character that is not complete.
fn unfinished(bytes: &[u8]) -> usize {
    for back in 1..=3.min(bytes.len()) {
        let n = match bytes[bytes.len() - back] {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            0x80..=0xbf => continue,
            _ => return 0,
        };
        return if n > back { back } else { 0 };
    }
    0
}

/// How long what a process has printed is read after its end: others may hold the ends of its pipes.
pub(crate) const DRAIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn sink() -> Sink {
        Sink {
            app: App::new(),
            id: "x".into(),
            ring: Arc::default(),
            budget: Arc::default(),
            hidden: Hidden::default(),
        }
    }

    async fn lines(bytes: &[u8]) -> Vec<String> {
        let sink = sink();
        read(bytes, Source::Out, sink.clone()).await;
        let ring = sink.ring.lock();
        ring.last(RING).iter().map(|line| line.content.to_string()).collect()
    }

    #[tokio::test]
    async fn lines_are_split() {
        assert_eq!(lines(b"a\r\n\nb\xff\nend").await, ["a", "", "b\u{fffd}", "end"]);
        assert!(lines(b"").await.is_empty());
        let long = lines(&[b'x'; 3 * MAX_LINE / 2]).await;
        assert_eq!(long.iter().map(String::len).collect::<Vec<_>>(), [MAX_LINE, MAX_LINE / 2]);
        let text = "ü".repeat(MAX_LINE);
        assert_eq!(lines(format!("x{text}").as_bytes()).await.concat(), format!("x{text}"));
        assert_eq!(lines(&[0xff; MAX_LINE + 1]).await.len(), 2, "bytes that are no text");
    }

    #[tokio::test]
    async fn the_ring_has_the_last_lines_and_bounded_bytes() {
        let many: String = (0..20_000).map(|n| format!("{n}\n")).collect();
        let kept = lines(many.as_bytes()).await;
        assert_eq!(
            (kept.len(), kept[0].as_str(), kept[RING - 1].as_str()),
            (RING, "19000", "19999")
        );
        let kept = lines(&vec![0; 16 << 20]).await;
        assert!(kept.iter().map(String::len).sum::<usize>() <= RING_BYTES);
    }

    #[test]
    fn the_log_takes_what_it_can() {
        let budget = Budget::default();
        let now = Instant::now();
        let taken = (0..10_000).filter(|_| budget.take(10, now).is_some()).count();
        assert_eq!((taken, budget.dropped()), (2_000, 8_000));
        assert_eq!(budget.take(10, now + Duration::from_secs(1)), Some(8_000), "and tells");
        assert_eq!(budget.take(10, now + Duration::from_secs(1)), Some(0));
        // readers look at the clock before they ask
        for ago in [0, 1000, 0, 1000, 0, 1000] {
            let now = now + Duration::from_millis(2000 - ago);
            while budget.take(10, now).is_some() {}
        }
        assert!(budget.dropped() >= 8_006);
        assert_eq!(budget.take(10, now + Duration::from_secs(2)), None);
        let later = now + Duration::from_secs(60);
        let taken = (0..10_000).filter(|_| budget.take(MAX_LOGGED, later).is_some()).count();
        assert!(taken < 200, "{taken} long lines");
    }
}
