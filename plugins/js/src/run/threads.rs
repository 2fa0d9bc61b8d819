//! [`Pool`]: threads that scripts run on, with stacks that are large enough; [`wait`]: driving a future from such a thread.
//!
//! What a script asks the library to do may run further scripts: those run inside, on the same thread. So nothing waits for a
//! free thread, and nothing can deadlock on the pool. Knows nothing of JavaScript.

use std::{
    cell::RefCell,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use parking_lot::Mutex;
use pocketbase::{ApiError, Error, Result};
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
};

/// The size of a stack. Only what is used is backed by memory.
const STACK: usize = 24 << 20;
/// What the host's own calls may need below a script. The rest is just what the engine can be told at most.
const RESERVE: usize = (8 << 20) + (64 << 10);

/// Work, which gives what tells whoever waits for it.
type Job = Box<dyn FnOnce() -> Deliver + Send>;
type Deliver = Box<dyn FnOnce()>;

/// Threads that scripts run on.
pub(crate) struct Pool {
    /// The last that became idle is the next to work: its context is warm.
    idle: Mutex<Vec<mpsc::Sender<Job>>>,
    most: usize,
}

struct Here {
    pool: usize,
    handle: Handle,
    base: usize,
}

thread_local! {
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
    /// Whether the work of this thread is wanted; nested work belongs to the outermost.
    static WANTED: RefCell<Option<Wanted>> = const { RefCell::new(None) };
}

fn position() -> usize {
    let marker = 0u8;
    (&raw const marker) as usize
}

/// How many bytes of the stack scripts may still use; `None` outside of the pools' threads.
pub(crate) fn stack_left() -> Option<usize> {
    let base = HERE.with_borrow(|here| here.as_ref().map(|here| here.base))?;
    let used = base.saturating_sub(position());
    Some(STACK.saturating_sub(RESERVE).saturating_sub(used))
}

impl Pool {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { idle: Mutex::default(), most })
    }
    fn id(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self) as usize
    }
    /// Runs `job` on a thread of the pool: on this one if it is one.
    pub(crate) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        job: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let id = self.id();
        if HERE.with_borrow(|here| here.as_ref().is_some_and(|here| here.pool == id)) {
            return caught(job);
        }
        let (sender, receiver) = oneshot::channel();
        let handle = Handle::current();
        self.send(Box::new(move || {
            HERE.with_borrow_mut(|here| {
                *here = Some(Here { pool: id, handle, base: position() });
            });
            let done = caught(job);
            Box::new(move || {
                let _ = sender.send(done);
            })
        }))?;
        receiver
            .await
            .map_err(|_| Error::from(ApiError::internal("the script's thread is gone")))?
    }
    /// The same for work that is given up when nobody waits for it any more: when the future is dropped, as by a deadline.
    pub(crate) async fn run_wanted<T: Send + 'static>(
        self: &Arc<Self>,
        job: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let waiting = Waiting(Wanted::default());
        let wanted = waiting.0.clone();
        let done = self.run(move || {
            let outer = WANTED.take();
            WANTED.set(Some(outer.clone().unwrap_or(wanted)));
            let done = caught(job);
            WANTED.set(outer);
            done
        });
        let done = done.await;
        drop(waiting);
        done
    }
    fn send(self: &Arc<Self>, mut job: Job) -> Result<()> {
        loop {
            let Some(thread) = self.idle.lock().pop() else { break };
            match thread.send(job) {
                Ok(()) => return Ok(()),
                Err(back) => job = back.0,
            }
        }
        let pool = Arc::downgrade(self);
        let work = move || {
            let mut next = Some(job);
            let (sender, receiver) = mpsc::channel();
            while let Some(job) = next.take() {
                let deliver = job();
                // idle before anybody is told: who calls next finds this thread and its warm context
                let kept = pool.upgrade().is_some_and(|pool| {
                    let mut idle = pool.idle.lock();
                    let kept = idle.len() < pool.most;
                    if kept {
                        idle.push(sender.clone());
                    }
                    kept
                });
                deliver();
                if !kept {
                    return;
                }
                next = receiver.recv().ok();
            }
        };
        let builder = thread::Builder::new().name("js".to_owned()).stack_size(STACK);
        builder.spawn(work).map_err(|error| ApiError::internal(format!("no thread: {error}")))?;
        Ok(())
    }
}

fn caught<T>(job: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        Err(ApiError::internal(format!("a script's call panicked: {text}")).into())
    })
}

/// Whether anybody still wants what a script does: once nobody does, its thread's interrupt handler ends it.
#[derive(Clone, Default)]
pub(crate) struct Wanted(Arc<Want>);

#[derive(Default)]
struct Want {
    is_gone: AtomicBool,
    told: Notify,
}

impl Wanted {
    /// The one of the work of this thread.
    fn here() -> Option<Self> {
        WANTED.with_borrow(Clone::clone)
    }
    fn is_gone(&self) -> bool {
        self.0.is_gone.load(Ordering::Acquire)
    }
    /// Ends when nobody wants it any more.
    async fn gone(&self) {
        loop {
            let told = self.0.told.notified();
            if self.is_gone() {
                return;
            }
            told.await;
        }
    }
}

/// Held by whoever waits; dropped before the end, the work is not wanted any more.
struct Waiting(Wanted);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.is_gone.store(true, Ordering::Release);
        self.0.0.told.notify_waiters();
    }
}

/// True when nobody waits for the work of this thread any more.
pub(crate) fn is_unwanted() -> bool {
    WANTED.with_borrow(|wanted| wanted.as_ref().is_some_and(Wanted::is_gone))
}

/// Waits on a thread of the pool, as long as somebody wants the work.
pub(crate) fn sleep(time: Duration) {
    let Some(wanted) = Wanted::here() else { return thread::sleep(time) };
    // the runtime is there once it is waited for
    wait(async { tokio::time::timeout(time, wanted.gone()).await.ok() });
}

/// Wakes a thread. The flag tells waits apart that are nested on one thread.
struct Bell {
    thread: Thread,
    rung: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Drives a future to its end on this thread. Waits may be nested: what the future runs may wait, too.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    wait_serving(future, || false)
}

/// The same; between polls `serve` may do what the future asked this thread for. It tells whether it did something.
pub(crate) fn wait_serving<F: Future>(future: F, mut serve: impl FnMut() -> bool) -> F::Output {
    let handle = HERE.with_borrow(|here| here.as_ref().map(|here| here.handle.clone()));
    let _entered = handle.as_ref().map(Handle::enter);
    let bell = Arc::new(Bell { thread: thread::current(), rung: AtomicBool::new(false) });
    let waker = Waker::from(bell.clone());
    let mut context = Context::from_waker(&waker);
    // no share of the runtime applies: on a task that has used its up, the future would be pending for ever
    let mut future = pin!(tokio::task::unconstrained(future));
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
        if serve() {
            continue;
        }
        while !bell.rung.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_told() {
        let pool = Pool::new(2);
        let (sender, ended) = oneshot::channel();
        let work = pool.run_wanted(move || {
            sleep(Duration::from_secs(3_600));
            let _ = sender.send(is_unwanted());
            Ok(())
        });
        let late = tokio::time::timeout(Duration::from_millis(20), work).await;
        assert!(late.is_err());
        assert!(ended.await.expect("it has ended"));
        let next = pool.run_wanted(|| Ok(is_unwanted())).await;
        assert!(!next.expect("it runs"));
        assert!(!pool.run(|| Ok(is_unwanted())).await.expect("it runs"));
    }

    #[tokio::test]
    async fn nested_waits_lose_no_wake_up() {
        let pool = Pool::new(2);
        let inner = pool.clone();
        let work = pool.run(move || {
            let nested = async {
                // a second script within what the first waits for
                let deeper = inner.run(|| {
                    wait(async { tokio::time::sleep(Duration::from_millis(5)).await });
                    Ok(stack_left().is_some())
                });
                let (a, ()) = tokio::join!(deeper, tokio::time::sleep(Duration::from_millis(10)));
                a
            };
            wait(nested)
        });
        assert!(work.await.expect("it runs"));
        let failed: Result<()> = pool.run(|| panic!("boom")).await;
        assert!(failed.expect_err("a panic").to_string().contains("boom"));
    }
}
