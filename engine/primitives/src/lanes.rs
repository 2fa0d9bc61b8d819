//! Bounded thread lanes for work that would block the async workers: heavy queries, password hashes, images, backups.
//!
//! Threads start when first needed. Knows nothing of what it runs. (architecture.md §8)

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

/// The lane's queue is full, or the lane is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("busy")]
pub struct Busy;

type Task = Box<dyn FnOnce() + Send>;

/// A few named threads with a bounded queue. Clones share them; the last clone closes the lane.
#[derive(Debug, Clone)]
pub struct Lane(Arc<Handle>);

#[derive(Debug)]
struct Handle(Arc<Shared>);

struct Shared {
    name: String,
    threads: usize,
    queue: usize,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    tasks: VecDeque<Task>,
    idle: usize,
    closed: bool,
    workers: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane")
            .field("name", &self.name)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// Number of logical processors.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

impl Lane {
    /// A lane of at most `threads` threads and `queue` waiting tasks.
    #[must_use]
    pub fn new(name: &str, threads: usize, queue: usize) -> Self {
        Self(Arc::new(Handle(Arc::new(Shared {
            name: name.to_owned(),
            threads: threads.max(1),
            queue,
            state: Mutex::default(),
            wake: Condvar::new(),
        }))))
    }

    /// The lane for password hashes: one core stays free for everything else. About a second and a half of work may
    /// wait. The threads keep the normal priority: with a lower one a busy machine starves logins for minutes.
    #[must_use]
    pub fn passwords() -> Self {
        let threads = cores().saturating_sub(1).max(1);
        Self::new("pb-password", threads, threads * WAITING_HASHES)
    }

    /// Runs `f` on the lane. A caller that goes away before `f` starts takes it along. A panic in `f` continues here.
    ///
    /// # Errors
    /// [`Busy`] when the queue is full or the lane is closed.
    pub async fn run<T, F>(&self, f: F) -> Result<T, Busy>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.submit(move || {
            if !reply.is_closed() {
                // The receiver may be gone by now; then nobody wants the result.
                let _ = reply.send(catch_unwind(AssertUnwindSafe(f)));
            }
        })?;
        match answer.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err(Busy),
        }
    }

    /// Runs `f` on the lane without waiting for it.
    ///
    /// # Errors
    /// [`Busy`] when the queue is full or the lane is closed.
    pub fn submit(&self, f: impl FnOnce() + Send + 'static) -> Result<(), Busy> {
        let shared = &self.0.0;
        let mut state = shared.state.lock();
        if state.closed || state.tasks.len() >= shared.queue.max(1) + state.idle {
            return Err(Busy);
        }
        state.tasks.push_back(Box::new(f));
        if state.idle >= state.tasks.len() {
            shared.wake.notify_one();
        } else if state.workers.len() < shared.threads {
            let worker = shared.clone();
            let name = format!("{}-{}", shared.name, state.workers.len());
            match std::thread::Builder::new().name(name).spawn(move || worker.work()) {
                Ok(handle) => state.workers.push(handle),
                Err(_) if !state.workers.is_empty() => {}
                Err(_) => {
                    state.tasks.pop_back();
                    return Err(Busy);
                }
            }
        }
        Ok(())
    }

    /// True if a task waits for a thread.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        !self.0.0.state.lock().tasks.is_empty()
    }

    /// Tasks that wait for a thread.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.0.state.lock().tasks.len()
    }

    /// Finishes what is queued, then ends the threads.
    pub fn close(&self) {
        let workers = {
            let mut state = self.0.0.state.lock();
            state.closed = true;
            self.0.0.wake.notify_all();
            std::mem::take(&mut state.workers)
        };
        for worker in workers {
            // A worker only ends by a panic outside of tasks; there is nothing left to do about it.
            let _ = worker.join();
        }
    }
}

/// Hashes that may wait per thread; each takes some 25 ms.
const WAITING_HASHES: usize = 64;

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.state.lock().closed = true;
        self.0.wake.notify_all();
    }
}

impl Shared {
    fn work(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(task) = state.tasks.pop_front() {
                drop(state);
                // `run` already caught panics; a submitted task that panics must not end the thread.
                let _ = catch_unwind(AssertUnwindSafe(task));
                state = self.state.lock();
            } else if state.closed {
                return;
            } else {
                state.idle += 1;
                self.wake.wait(&mut state);
                state.idle -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn runs_bounded_and_reports_busy() {
        let lane = Lane::new("t", 2, 2);
        assert_eq!(lane.run(|| 40 + 2).await, Ok(42));
        let mut waiting = Vec::new();
        let (hold, gate) = std::sync::mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        for _ in 0..2 {
            let gate = gate.clone();
            lane.submit(move || assert!(gate.lock().recv().is_err())).unwrap();
        }
        std::thread::sleep(Duration::from_millis(50));
        for i in 0..2 {
            let lane = lane.clone();
            waiting.push(tokio::spawn(async move { lane.run(move || i).await }));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(lane.run(|| 0).await, Err(Busy));
        drop(hold);
        for (i, task) in waiting.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), Ok(i));
        }
        lane.close();
        assert_eq!(lane.run(|| 0).await, Err(Busy));
    }

    #[tokio::test]
    async fn a_panic_stays_with_its_caller() {
        let lane = Lane::new("t", 1, 4);
        let other = lane.clone();
        let failed =
            tokio::spawn(async move { other.run(|| assert!(std::hint::black_box(false))).await });
        assert!(failed.await.unwrap_err().is_panic());
        assert_eq!(lane.run(|| 1).await, Ok(1));
    }
}
