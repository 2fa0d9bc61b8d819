//! Who has the writer connection: nobody, a caller's thread, a transaction, or the writer thread draining the queue.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::conn::Conn;
use super::read::{Database, Inner};
use super::write::{Pending, run_group};
use super::{Error, Result, holding};

/// Waiting jobs and leases; more are refused as busy.
const QUEUE: usize = 4096;
/// Jobs per commit group.
const GROUP: usize = 64;

/// What waits for the writer connection.
pub(super) enum Item {
    Job(Pending),
    Lease(oneshot::Sender<Held>),
}

/// The writer connection and its queue.
pub(super) struct Writer {
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    conn: Option<Box<Conn>>,
    queue: VecDeque<Item>,
    closed: bool,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn new(conn: Conn) -> Self {
        Self {
            state: Mutex::new(State {
                conn: Some(Box::new(conn)),
                queue: VecDeque::new(),
                closed: false,
                thread: None,
            }),
            wake: Condvar::new(),
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.state.lock().queue.len()
    }
}

/// The writer connection, given back when dropped; a transaction left open is rolled back.
pub(super) struct Held {
    conn: Option<Box<Conn>>,
    inner: Arc<Inner>,
}

impl Held {
    pub(super) fn conn(&mut self) -> Result<&mut Conn> {
        self.conn.as_deref_mut().ok_or(Error::Ended)
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(conn) = self.conn.take() else { return };
        conn.guard.arm(0, None);
        if !conn.raw.is_autocommit() {
            // If even ROLLBACK fails, the next BEGIN reports it.
            let _ = conn.control("ROLLBACK");
        }
        if self.inner.checkpoint.is_due(conn.wal_frames.load(Relaxed)) {
            Database(self.inner.clone()).checkpoint_soon();
        }
        let mut state = self.inner.writer.state.lock();
        state.conn = Some(conn);
        if !state.queue.is_empty() || state.closed {
            self.inner.writer.wake.notify_all();
        }
    }
}

impl Database {
    pub(super) fn refuse_nested(&self) -> Result<()> {
        if holding::holds(self.0.id) { Err(Error::Held) } else { Ok(()) }
    }

    /// The writer, if nobody has it or waits for it.
    pub(super) fn try_hold(&self) -> Option<Held> {
        let mut state = self.0.writer.state.lock();
        if state.closed || !state.queue.is_empty() {
            return None;
        }
        self.take(&mut state)
    }

    fn take(&self, state: &mut MutexGuard<'_, State>) -> Option<Held> {
        let mut conn = state.conn.take()?;
        conn.refresh(self.0.generation.load(Relaxed));
        Some(Held { conn: Some(conn), inner: self.0.clone() })
    }

    /// The writer, waiting for it in line.
    ///
    /// # Errors
    /// [`Error::Held`] when it is not given back within `wait`, or the calling task holds it itself.
    pub(super) async fn hold(&self, wait: Duration) -> Result<Held> {
        self.refuse_nested()?;
        if let Some(held) = self.try_hold() {
            return Ok(held);
        }
        let (lend, lent) = oneshot::channel();
        self.enqueue(Item::Lease(lend))?;
        match tokio::time::timeout(wait, lent).await {
            Ok(Ok(held)) => Ok(held),
            Ok(Err(_)) => Err(Error::Busy),
            Err(_) => Err(Error::Held),
        }
    }

    /// As [`hold`](Self::hold) on a thread that may block; `None` when it takes longer than `wait`.
    pub(super) fn hold_blocking(&self, wait: Duration) -> Option<Held> {
        if let Some(held) = self.try_hold() {
            return Some(held);
        }
        let until = Instant::now() + wait;
        let (lend, mut lent) = oneshot::channel();
        self.enqueue(Item::Lease(lend)).ok()?;
        while Instant::now() < until {
            match lent.try_recv() {
                Ok(held) => return Some(held),
                Err(oneshot::error::TryRecvError::Closed) => return None,
                Err(oneshot::error::TryRecvError::Empty) => {
                    std::thread::sleep(Duration::from_micros(200));
                }
            }
        }
        None
    }

    pub(super) fn enqueue(&self, item: Item) -> Result<()> {
        let writer = &self.0.writer;
        let mut state = writer.state.lock();
        if state.closed || state.queue.len() >= QUEUE {
            return Err(Error::Busy);
        }
        if state.thread.is_none() {
            let database = self.clone();
            let thread = std::thread::Builder::new().name("pb-write".into());
            let handle = thread.spawn(move || database.serve_writes()).map_err(|_| Error::Busy)?;
            state.thread = Some(handle);
        }
        state.queue.push_back(item);
        if state.conn.is_some() {
            writer.wake.notify_one();
        }
        Ok(())
    }

    /// The writer thread.
    fn serve_writes(&self) {
        let writer = &self.0.writer;
        loop {
            let (held, first, group) = {
                let mut state = writer.state.lock();
                while state.conn.is_none() || state.queue.is_empty() {
                    if state.closed && state.queue.is_empty() {
                        return;
                    }
                    writer.wake.wait(&mut state);
                }
                let Some(first) = state.queue.pop_front() else { continue };
                let mut group = Vec::new();
                if matches!(first, Item::Job(_)) {
                    while group.len() + 1 < GROUP
                        && matches!(state.queue.front(), Some(Item::Job(_)))
                    {
                        let Some(Item::Job(job)) = state.queue.pop_front() else { break };
                        group.push(job);
                    }
                }
                let Some(held) = self.take(&mut state) else { continue };
                (held, first, group)
            };
            match first {
                // A caller that went away drops `held`, which gives the connection back.
                Item::Lease(lend) => drop(lend.send(held)),
                Item::Job(job) => {
                    let mut jobs = vec![job];
                    jobs.extend(group);
                    run_group(self, held, jobs);
                }
            }
        }
    }

    /// Waits for the writer to come back, ends its thread and closes it. Open transactions get five seconds.
    pub(super) fn close_writer(&self) {
        let writer = &self.0.writer;
        let thread = {
            let mut state = writer.state.lock();
            state.closed = true;
            state.queue.retain(|item| matches!(item, Item::Job(_)));
            writer.wake.notify_all();
            state.thread.take()
        };
        if let Some(thread) = thread {
            self.join_or_give_up(thread);
        }
        let until = Instant::now() + Duration::from_secs(5);
        let mut state = writer.state.lock();
        while state.conn.is_none() {
            if writer.wake.wait_until(&mut state, until).timed_out() {
                return;
            }
        }
        let conn = state.conn.take();
        drop(state);
        drop(conn);
    }

    fn join_or_give_up(&self, thread: JoinHandle<()>) {
        let until = Instant::now() + Duration::from_secs(5);
        while !thread.is_finished() && Instant::now() < until {
            self.0.writer.wake.notify_all();
            std::thread::sleep(Duration::from_millis(1));
        }
        if thread.is_finished() {
            // It ends by returning; a panic in it was reported when it happened.
            let _ = thread.join();
        }
    }
}
