//! [`JobStore`]: what programs and scripts call, in the transaction of their app if it is in one.
//!
//! Must not know SQL or how jobs are done.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use pocketbase::{App, DateTime, Error, Result};
use serde_json::Value;
use tokio::sync::Notify;

use crate::{
    config::Config,
    dispatch::Dispatcher,
    job::{Job, NewJob, Stats, Status},
    meters::Meters,
    schedule::Schedules,
    store::{Filter, Store},
    topics::{TopicOptions, Topics},
};

/// Under which the shared state is kept with the app.
pub(crate) const KEY: &str = "$jobs";
/// What nodes tell each other when there is something to do.
pub(crate) const TOPIC: &str = "$jobs";
/// How often other nodes are told at most: a notification makes commits wait for each other.
const QUIET: Duration = Duration::from_millis(50);
/// How often jobs are counted for the metrics at most.
const RECOUNT: Duration = Duration::from_secs(1);
/// Most jobs of one call, and of one page.
pub(crate) const MOST: usize = 100_000;
const PAGE: i64 = 500;
const DEFAULT_PAGE: i64 = 20;

/// What all handles share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) topics: Topics,
    pub(crate) schedules: Schedules,
    pub(crate) meters: Arc<Meters>,
    /// There may be something to do.
    pub(crate) wake: Notify,
    dispatcher: tokio::sync::Mutex<Option<Dispatcher>>,
    /// When the others were told last, or will be.
    told: Mutex<Option<Instant>>,
    /// While it is served: the app, and when its jobs were counted last.
    served: Mutex<Option<(App, Option<Instant>)>>,
    /// The cron that cleans is there.
    cleans: AtomicBool,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("topics", &self.topics).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            topics: Topics::default(),
            schedules: Schedules::default(),
            meters: Arc::default(),
            wake: Notify::new(),
            dispatcher: tokio::sync::Mutex::default(),
            told: Mutex::default(),
            served: Mutex::default(),
            cleans: AtomicBool::new(false),
        }
    }
    /// The app is about to be served.
    pub(crate) async fn serves(self: &Arc<Self>, app: &App) -> Result<()> {
        *self.served.lock() = Some((app.clone(), None));
        if !self.config.auto_start {
            return Ok(());
        }
        JobStore { app: app.clone(), shared: self.clone() }.start().await
    }
    /// It is not any more.
    pub(crate) async fn ends(&self) {
        self.stop().await;
        // it keeps the app, which keeps this
        self.served.lock().take();
    }
    /// Counts jobs for the metrics, behind whoever asks for them and not too often.
    pub(crate) fn count_again(self: &Arc<Self>) {
        let app = match &mut *self.served.lock() {
            Some((app, counted)) if counted.is_none_or(|at| at.elapsed() >= RECOUNT) => {
                *counted = Some(Instant::now());
                app.clone()
            }
            _ => return,
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let shared = self.clone();
        runtime.spawn(async move {
            let counted = async { Store::of(&app)?.stats().await };
            match counted.await {
                Ok(stats) => shared.meters.count(stats),
                Err(error) => tracing::debug!(%error, "jobs: not counted"),
            }
        });
    }

    /// Stops the dispatcher, if it runs.
    pub(crate) async fn stop(&self) {
        let running = self.dispatcher.lock().await.take();
        if let Some(running) = running {
            running.stop().await;
        }
    }

    /// This process has to do with jobs: from now on completed ones are removed, every hour, by one node. A server that never
    /// had any has no such cron.
    fn is_used(self: &Arc<Self>, app: &App) -> Result<()> {
        if self.cleans.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let shared = Arc::downgrade(self);
        app.cron().add("__pbJobsCleanup__", "0 * * * *", move |app| {
            let shared = shared.clone();
            async move {
                match shared.upgrade() {
                    Some(shared) => clean(&app, &shared).await,
                    None => Ok(()),
                }
            }
        })
    }

    /// There is something to do: here at once, on other nodes in a moment.
    fn work_came(self: &Arc<Self>, app: &App, is_postgres: bool) {
        self.wake.notify_one();
        if !is_postgres {
            return;
        }
        let now = Instant::now();
        let wait = {
            let mut told = self.told.lock();
            match *told {
                // somebody is about to
                Some(at) if at > now => return,
                Some(at) if now - at < QUIET => {
                    *told = Some(at + QUIET);
                    at + QUIET - now
                }
                _ => {
                    *told = Some(now);
                    Duration::ZERO
                }
            }
        };
        let app = app.clone();
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            // whoever is not told finds it when it looks
            if let Err(error) = app.announce(TOPIC, "").await {
                tracing::debug!(%error, "jobs: other nodes are not told");
            }
        });
    }
}

/// The jobs of an app. See [`get_job_store`].
#[derive(Debug, Clone)]
pub struct JobStore {
    app: App,
    shared: Arc<Shared>,
}

/// The jobs of an app: inside its transaction if it is in one. `None` if they are disabled.
#[must_use]
pub fn get_job_store(app: &App) -> Option<JobStore> {
    // two layers: what the store keeps is shared already
    let kept: Arc<Arc<Shared>> = app.store().get_typed(KEY)?;
    Some(JobStore { app: app.clone(), shared: Arc::clone(&kept) })
}

impl JobStore {
    pub(crate) fn store(&self) -> Result<Store> {
        Store::of(&self.app)
    }
    pub(crate) fn app(&self) -> &App {
        &self.app
    }
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Jobs of a topic are done by a handler from now on, on this node. It may be called twice for a job whose worker was
    /// lost: at least once is promised, not exactly once. What it fails with, panics included, is a failed attempt.
    ///
    /// # Errors
    /// `topic already registered`; `topic cannot be empty`.
    pub fn register<F, Fut>(&self, topic: &str, handler: F) -> Result<()>
    where
        F: Fn(App, Job) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.register_with(topic, TopicOptions::default(), handler)
    }
    /// The same with limits for the topic.
    ///
    /// # Errors
    /// As [`JobStore::register`].
    pub fn register_with<F, Fut>(
        &self,
        topic: &str,
        options: TopicOptions,
        handler: F,
    ) -> Result<()>
    where
        F: Fn(App, Job) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let handler = Arc::new(move |app, job| Box::pin(handler(app, job)) as _);
        self.shared.topics.register(topic, options, handler)?;
        self.shared.is_used(&self.app)?;
        self.shared.wake.notify_one();
        Ok(())
    }
    /// The topics that have handlers here.
    #[must_use]
    pub fn registered_topics(&self) -> Vec<String> {
        self.shared.topics.names()
    }

    /// Enqueues a job that is due at once.
    ///
    /// # Errors
    /// `topic cannot be empty`, `payload too large (max 1MB)`; database errors.
    pub async fn enqueue(&self, topic: &str, payload: impl Into<Value>) -> Result<Job> {
        self.enqueue_with_options(NewJob::new(topic, payload)).await
    }
    /// Enqueues a job that is due later.
    ///
    /// # Errors
    /// As [`JobStore::enqueue`].
    pub async fn enqueue_at(
        &self,
        topic: &str,
        payload: impl Into<Value>,
        at: DateTime,
    ) -> Result<Job> {
        self.enqueue_with_options(NewJob::new(topic, payload).run_at(at)).await
    }
    /// Enqueues a job as it says. If its unique key is taken the job that has it is given.
    ///
    /// # Errors
    /// As [`JobStore::enqueue`].
    pub async fn enqueue_with_options(&self, job: NewJob) -> Result<Job> {
        self.enqueue_many(vec![job]).await?.pop().ok_or(Error::NotFound)
    }
    /// Enqueues many jobs, a thousand a statement. In a transaction: all or none.
    ///
    /// # Errors
    /// As [`JobStore::enqueue`], before any is enqueued; more than 100,000 jobs.
    pub async fn enqueue_many(&self, jobs: Vec<NewJob>) -> Result<Vec<Job>> {
        if jobs.len() > MOST {
            return Err(Error::Message(format!("at most {MOST} jobs at once")));
        }
        let config = &self.shared.config;
        let checked = jobs.into_iter().map(|job| {
            let payload = job.checked(config.max_payload)?;
            Ok((job, payload))
        });
        let checked = checked.collect::<Result<Vec<_>>>()?;
        let store = self.store()?;
        let added = store.add(checked, config.max_retries).await?;
        self.work_came(store.is_postgres()).await?;
        Ok(added)
    }
    async fn work_came(&self, is_postgres: bool) -> Result<()> {
        self.shared.is_used(&self.app)?;
        let shared = self.shared.clone();
        if !self.app.is_transactional() {
            shared.work_came(&self.app, is_postgres);
            return Ok(());
        }
        let done = self.app.after_transaction(move |app, outcome| async move {
            if outcome.is_ok() {
                shared.work_came(&app, is_postgres);
            }
            Ok(())
        });
        done.await
    }

    /// A job by its id.
    ///
    /// # Errors
    /// Database errors.
    pub async fn get(&self, id: &str) -> Result<Option<Job>> {
        self.store()?.get(id).await
    }
    /// Jobs, the newest first, and how many there are of that kind.
    ///
    /// # Errors
    /// Database errors.
    pub async fn list(&self, filter: Filter) -> Result<(Vec<Job>, i64)> {
        self.store()?.list(&bounded(filter)).await
    }
    /// How many jobs there are.
    ///
    /// # Errors
    /// Database errors.
    pub async fn stats(&self) -> Result<Stats> {
        let stats = self.store()?.stats().await?;
        self.shared.meters.count(stats);
        Ok(stats)
    }
    /// Removes a job that waits or has failed; false if there is none of that id in these states.
    ///
    /// # Errors
    /// Database errors.
    pub async fn delete(&self, id: &str) -> Result<bool> {
        self.store()?.delete(id).await
    }
    /// Lets a failed job begin anew. `None` if there is no failed job of that id, or another one has its unique key.
    ///
    /// # Errors
    /// Database errors.
    pub async fn requeue(&self, id: &str) -> Result<Option<Job>> {
        let store = self.store()?;
        let found = store.requeue(id).await?;
        if found.is_some() {
            self.work_came(store.is_postgres()).await?;
        }
        Ok(found)
    }
    /// Lets failed jobs begin anew, all or those of a topic; how many.
    ///
    /// # Errors
    /// Database errors.
    pub async fn requeue_failed(&self, topic: &str) -> Result<usize> {
        let filter = Filter { topic: topic.into(), status: "failed".into(), ..Filter::default() };
        let (mut n, mut skipped) = (0, 0);
        loop {
            let page = Filter { limit: PAGE, offset: skipped, ..filter.clone() };
            let (jobs, _) = self.list(page).await?;
            if jobs.is_empty() {
                return Ok(n);
            }
            for job in jobs {
                match self.requeue(&job.id).await? {
                    Some(_) => n += 1,
                    None => skipped += 1,
                }
            }
        }
    }
    /// Removes jobs of a status that have not changed for some time; how many.
    ///
    /// # Errors
    /// Database errors; jobs that run cannot be removed.
    pub async fn purge(&self, status: Status, age: Duration) -> Result<usize> {
        if status == Status::Processing {
            return Err(Error::Message("jobs that run cannot be removed".into()));
        }
        self.store()?.purge(status, age).await
    }

    /// Begins to do jobs, if it does not yet. `serve` does it by itself.
    ///
    /// # Errors
    /// Before the app is bootstrapped.
    pub async fn start(&self) -> Result<()> {
        let mut running = self.shared.dispatcher.lock().await;
        if running.is_none() {
            *running = Some(Dispatcher::start(&self.app, &self.shared)?);
        }
        Ok(())
    }
    /// Takes no more jobs, waits ten seconds for those that run, and gives back those that do not end.
    pub async fn stop(&self) {
        self.shared.stop().await;
    }
}

fn bounded(filter: Filter) -> Filter {
    let limit = if filter.limit <= 0 { DEFAULT_PAGE } else { filter.limit.min(PAGE) };
    Filter { limit, offset: filter.offset.max(0), ..filter }
}

/// Removes completed jobs that are kept long enough.
async fn clean(app: &App, shared: &Shared) -> Result<()> {
    if let Some(age) = shared.config.retention {
        let n = Store::of(app)?.purge(Status::Completed, age).await?;
        tracing::debug!(n, "jobs: completed ones removed");
    }
    Ok(())
}
