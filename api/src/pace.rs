//! How long a client is waited for: a grace, and a second more for each few hundred bytes that it moves.
//!
//! Only the time counts in which it is the client's turn, so slow origins cost it nothing. Knows no HTTP.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// Bytes that are worth a second.
const RATE: u64 = 500;

/// The account of one client.
#[derive(Debug)]
pub(crate) struct Pace {
    grace: Duration,
    left: Duration,
    /// Since when it is the client's turn.
    since: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    pub(crate) fn new(grace: Duration) -> Self {
        // far away, not endless: sums must not overflow
        let grace = grace.min(Duration::from_secs(24 * 60 * 60));
        Self { grace, left: grace, since: None, sleep: None }
    }

    /// It is the client's turn, until then.
    pub(crate) fn wait(&mut self) -> Instant {
        *self.since.get_or_insert_with(Instant::now) + self.left
    }

    /// The client has moved so many bytes, and it is not its turn any more.
    pub(crate) fn moved(&mut self, n_bytes: usize) {
        if let Some(since) = self.since.take() {
            self.left = self.left.saturating_sub(since.elapsed());
        }
        let earned = Duration::from_millis(n_bytes as u64 * 1000 / RATE);
        self.left = (self.left + earned).min(self.grace);
    }

    /// When the client is too late if nothing moves; `None` if it is not its turn.
    pub(crate) fn end(&self) -> Option<Instant> {
        self.since.map(|since| since + self.left)
    }

    /// What the client could be waited for at least, were it its turn now.
    pub(crate) fn left(&self) -> Duration {
        self.left
    }

    /// Waits for the client, for as long as that may take; ready when it is too late.
    pub(crate) fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let end = self.wait();
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(end)));
        loop {
            // it is never set back: ends only move away
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if end <= Instant::now() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(60);

    /// As if a client had been waited for that long.
    fn waited(pace: &mut Pace, seconds: u64) {
        pace.since = Instant::now().checked_sub(Duration::from_secs(seconds));
    }

    #[tokio::test]
    async fn drops_do_not_keep_a_connection() {
        let mut pace = Pace::new(GRACE);
        for (seconds, n_bytes, left) in
            [(20, 1, 40), (20, 1, 20), (10, 5000, 20), (15, 100_000, 60), (59, 1, 1), (5, 1, 0)]
        {
            waited(&mut pace, seconds);
            pace.moved(n_bytes);
            let got = pace.left();
            assert!(got.abs_diff(Duration::from_secs(left)) < Duration::from_secs(1), "{got:?}");
            assert_eq!(pace.end(), None);
        }
    }

    #[tokio::test]
    async fn only_the_turn_of_the_client_counts() {
        let mut pace = Pace::new(GRACE);
        pace.moved(1);
        assert_eq!(pace.left(), GRACE);
        let late = async |pace: &mut Pace| {
            std::future::poll_fn(|cx| Poll::Ready(pace.poll_late(cx))).await
        };
        assert!(late(&mut pace).await.is_pending());
        waited(&mut pace, 61);
        pace.sleep = None;
        assert!(late(&mut pace).await.is_ready());
        let mut short = Pace::new(Duration::from_millis(20));
        std::future::poll_fn(|cx| short.poll_late(cx)).await;
    }
}
