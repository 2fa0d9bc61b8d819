//! The dispatcher of a node: takes jobs that are due, as many as workers are free, lets their handlers do them, keeps their
//! locks alive, and stores how they ended, many at a time.
//!
//! | task | does |
//! |---|---|
//! | `take` | claims jobs when it is woken, when one is due, and every poll interval; takes locks back that ran out |
//! | one per job | runs the handler, with its deadline; panics are errors |
//! | `store` | stores what has ended; a job keeps its worker until then, so that results cannot pile up |
//! | `beat` | extends locks and stores progress; a job that was lost is dropped |
//!
//! Must not know SQL.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use pocketbase::{App, Error, Result, security};
use tokio::{
    sync::{Notify, mpsc},
    task::{AbortHandle, JoinHandle},
    time::{sleep, timeout},
};

use crate::{
    Shared,
    job::{Job, Reporter},
    store::{Ended, Store},
    topics::Topic,
};

/// How often progress is stored.
const PROGRESS: Duration = Duration::from_millis(500);
/// First and longest pause after the database failed.
const PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// Results that are stored at once.
const MOST_RESULTS: usize = 1_000;

/// A job that is being done here.
struct Held {
    topic: String,
    locked_by: String,
    reporter: Reporter,
    told: f64,
    task: Option<AbortHandle>,
}

/// What the tasks of a dispatcher share.
struct Floor {
    shared: Arc<Shared>,
    store: Store,
    app: App,
    /// The name of this dispatcher in `locked_by`, and the number of its claims.
    name: String,
    n_claims: AtomicU64,
    held: Mutex<HashMap<String, Held>>,
    /// A worker has become free.
    freed: Notify,
    is_stopping: AtomicBool,
    stop: Notify,
    results: mpsc::UnboundedSender<Ended>,
}

/// A running dispatcher.
pub(crate) struct Dispatcher {
    floor: Arc<Floor>,
    take: JoinHandle<()>,
    store: AbortHandle,
    beat: AbortHandle,
}

impl Dispatcher {
    pub(crate) fn start(app: &App, shared: &Arc<Shared>) -> Result<Self> {
        let (results, ended) = mpsc::unbounded_channel();
        let floor = Arc::new(Floor {
            shared: shared.clone(),
            store: Store::of(app)?,
            app: app.clone(),
            name: security::random(10, "0123456789abcdefghijklmnopqrstuvwxyz"),
            n_claims: AtomicU64::new(0),
            held: Mutex::default(),
            freed: Notify::new(),
            is_stopping: AtomicBool::new(false),
            stop: Notify::new(),
            results,
        });
        let take = tokio::spawn(take(floor.clone()));
        let store = tokio::spawn(store(floor.clone(), ended)).abort_handle();
        let beat = tokio::spawn(beat(floor.clone())).abort_handle();
        Ok(Self { floor, take, store, beat })
    }

    /// Takes no more jobs, waits for those that run, and gives back what does not end in time.
    pub(crate) async fn stop(self) {
        let floor = &self.floor;
        floor.is_stopping.store(true, Ordering::Release);
        floor.stop.notify_one();
        // it ends when its claim is answered
        let _ = timeout(MAX_PAUSE, self.take).await;
        let ended = async {
            loop {
                let freed = floor.freed.notified();
                if floor.held.lock().is_empty() {
                    return;
                }
                freed.await;
            }
        };
        let is_done = timeout(floor.shared.config.grace, ended).await.is_ok();
        self.store.abort();
        self.beat.abort();
        if is_done {
            return;
        }
        let left: Vec<(String, String)> = {
            let mut held = floor.held.lock();
            let left = held.drain().map(|(id, held)| {
                if let Some(task) = held.task {
                    task.abort();
                }
                (id, held.locked_by)
            });
            left.collect()
        };
        tracing::warn!(
            n = left.len(),
            "jobs: handlers that do not end are left, their jobs given back"
        );
        if let Err(error) = floor.store.release(&left).await {
            tracing::warn!(%error, "jobs: given back when their locks run out");
        }
    }
}

impl Floor {
    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    /// Claims once; true if there may be more.
    async fn claim(self: &Arc<Self>) -> Result<bool> {
        let config = &self.shared.config;
        let free = config.workers.saturating_sub(self.held.lock().len()).min(config.batch_size);
        let topics = self.shared.topics.open(free);
        if free == 0 || topics.is_empty() {
            return Ok(false);
        }
        let n = self.n_claims.fetch_add(1, Ordering::Relaxed);
        let by = format!("{}-{n}", self.name);
        let jobs = self.store.claim(&topics, free, config.lock_duration, &by).await?;
        if self.is_stopping() && !jobs.is_empty() {
            let claimed: Vec<_> = jobs.into_iter().map(|job| (job.id, job.locked_by)).collect();
            self.store.release(&claimed).await?;
            return Ok(false);
        }
        let is_full = jobs.len() == free;
        for job in jobs {
            self.begin(job);
        }
        Ok(is_full)
    }

    fn begin(self: &Arc<Self>, mut job: Job) {
        // it was registered when the claim was made, and stays so
        let Some(topic) = self.shared.topics.begin(&job.topic) else { return };
        self.shared.meters.waited(&job);
        let reporter = Reporter::default();
        job.reporter = Some(reporter.clone());
        let held = Held {
            topic: job.topic.clone(),
            locked_by: job.locked_by.clone(),
            reporter,
            told: 0.0,
            task: None,
        };
        let id = job.id.clone();
        let earlier = self.held.lock().insert(id.clone(), held);
        if let Some(earlier) = earlier {
            // its lock ran out here, and here it is taken again: only the new attempt counts
            self.shared.topics.end(&earlier.topic);
            if let Some(task) = earlier.task {
                task.abort();
            }
        }
        let task = tokio::spawn(work(self.clone(), topic, job)).abort_handle();
        if let Some(held) = self.held.lock().get_mut(&id) {
            held.task = Some(task);
        }
    }

    /// Whoever did a job is free.
    fn free<'i>(&self, claims: impl IntoIterator<Item = (&'i str, &'i str)>) {
        let mut held = self.held.lock();
        for (id, by) in claims {
            // it may have been taken again since
            if held.get(id).is_some_and(|held| held.locked_by == by)
                && let Some(gone) = held.remove(id)
            {
                self.shared.topics.end(&gone.topic);
            }
        }
        drop(held);
        self.freed.notify_waiters();
        self.freed.notify_one();
    }
}

/// Claims jobs until it is to stop.
async fn take(floor: Arc<Floor>) {
    let interval = floor.shared.config.poll_interval;
    let mut looked: Option<Instant> = None;
    let mut pause = PAUSE;
    while !floor.is_stopping() {
        if floor.shared.topics.is_empty() {
            tokio::select! {
                () = floor.shared.wake.notified() => {}
                () = floor.stop.notified() => {}
            }
            continue;
        }
        match turn(&floor, &mut looked).await {
            Ok(None) => pause = PAUSE,
            Ok(Some(wait)) => {
                pause = PAUSE;
                tokio::select! {
                    () = floor.shared.wake.notified() => {}
                    () = floor.freed.notified() => {}
                    () = floor.stop.notified() => {}
                    () = sleep(wait.min(interval)) => {}
                }
            }
            Err(error) => {
                tracing::warn!(%error, ?pause, "jobs: none can be taken");
                tokio::select! {
                    () = floor.stop.notified() => {}
                    () = sleep(pause) => {}
                }
                pause = (pause * 2).min(MAX_PAUSE);
            }
        }
    }
}

/// Claims once and looks after locks when it is time; how long to wait then.
async fn turn(floor: &Arc<Floor>, looked: &mut Option<Instant>) -> Result<Option<Duration>> {
    let interval = floor.shared.config.poll_interval;
    let may_be_more = floor.claim().await?;
    let is_due = looked.is_none_or(|looked| looked.elapsed() >= interval);
    if may_be_more && !is_due {
        return Ok(None);
    }
    let (n_reaped, next) = floor.store.reap().await?;
    *looked = Some(Instant::now());
    if n_reaped > 0 {
        floor.shared.meters.expired(n_reaped);
        tracing::warn!(n = n_reaped, "jobs: locks ran out; their workers crashed or hang");
    }
    if may_be_more || n_reaped > 0 {
        return Ok(None);
    }
    let next = next.and_then(|millis| u64::try_from(millis.max(1)).ok());
    Ok(Some(next.map_or(interval, Duration::from_millis)))
}

/// Does one job.
async fn work(floor: Arc<Floor>, topic: Topic, job: Job) {
    let begun = Instant::now();
    let (id, locked_by, retries) = (job.id.clone(), job.locked_by.clone(), job.retries);
    let app = floor.app.clone();
    let handler = topic.handler;
    let run = AssertUnwindSafe(async move { handler(app, job).await }).catch_unwind();
    let done = match topic.options.deadline {
        Some(limit) => timeout(limit, run).await.ok(),
        None => Some(run.await),
    };
    let error = match done {
        Some(Ok(Ok(()))) => None,
        Some(Ok(Err(error))) => Some(shown(&error)),
        Some(Err(panic)) => Some(format!("panic: {}", said(&*panic))),
        None => Some("deadline exceeded".to_owned()),
    };
    floor.shared.meters.ran(begun.elapsed(), error.is_none());
    // the other end is there as long as the dispatcher
    let _ = floor.results.send(Ended { id, locked_by, error, retries });
}

/// What a handler failed with. Never empty: that would be no error.
fn shown(error: &Error) -> String {
    let text = error.to_string();
    if text.is_empty() { "failed".to_owned() } else { text }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Stores what has ended, all that has at once.
async fn store(floor: Arc<Floor>, mut ended: mpsc::UnboundedReceiver<Ended>) {
    let mut results = Vec::new();
    while ended.recv_many(&mut results, MOST_RESULTS).await > 0 {
        let mut pause = PAUSE;
        let kept = loop {
            match floor.store.finish(&results).await {
                Ok(kept) => break kept,
                Err(error) => {
                    tracing::warn!(%error, ?pause, "jobs: results cannot be stored yet");
                    sleep(pause).await;
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        };
        if kept.len() < results.len() {
            let kept: std::collections::HashSet<&String> = kept.iter().collect();
            for lost in results.iter().filter(|one| !kept.contains(&one.id)) {
                tracing::warn!(job = lost.id, "jobs: the result comes too late and is discarded");
            }
        }
        floor.free(results.iter().map(|one| (one.id.as_str(), one.locked_by.as_str())));
        results.clear();
    }
}

/// Keeps locks alive and stores progress.
async fn beat(floor: Arc<Floor>) {
    let lock = floor.shared.config.lock_duration;
    let every = lock / 3;
    let mut last = Instant::now();
    loop {
        sleep(PROGRESS.min(every)).await;
        let is_due = last.elapsed() >= every.saturating_sub(PROGRESS.min(every) / 2);
        let held: Vec<(String, String, f64)> = {
            let mut held = floor.held.lock();
            let changed = held.iter_mut().filter_map(|(id, held)| {
                let part = held.reporter.read();
                let is_told = (part - held.told).abs() < f64::EPSILON;
                held.told = part;
                (is_due || !is_told).then(|| (id.clone(), held.locked_by.clone(), part))
            });
            changed.collect()
        };
        if is_due {
            last = Instant::now();
        }
        if held.is_empty() {
            continue;
        }
        match floor.store.extend(&held, lock).await {
            Ok(kept) => drop_lost(&floor, &held, &kept),
            Err(error) => tracing::warn!(%error, "jobs: locks cannot be extended"),
        }
    }
}

/// Jobs that were taken from this node: somebody else does them.
fn drop_lost(floor: &Floor, held: &[(String, String, f64)], kept: &[String]) {
    if kept.len() == held.len() {
        return;
    }
    let kept: std::collections::HashSet<&String> = kept.iter().collect();
    for (id, by, _) in held.iter().filter(|(id, ..)| !kept.contains(id)) {
        let task = {
            let held = floor.held.lock();
            let same = held.get(id).filter(|held| held.locked_by == *by);
            // what has ended meanwhile is being stored
            same.and_then(|held| held.task.clone()).filter(|task| !task.is_finished())
        };
        if let Some(task) = task {
            tracing::warn!(job = id, "jobs: its lock ran out, the attempt is dropped");
            task.abort();
            floor.free([(id.as_str(), by.as_str())]);
        }
    }
}
