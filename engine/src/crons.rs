//! The cron registry: named jobs, the scheduler that runs them each due minute (UTC), and the built-in jobs.
//!
//! Knows neither HTTP nor what jobs do. Source: spec server-settings-operations §5.4.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::json;

use crate::{
    App, Result,
    auth::{mfa, otp},
    cron::{self, Moment, Schedule},
    ctx::Ctx,
    hook::BoxFuture,
    log::Level,
    time::{self, Timestamp},
};

/// Runs of one job that may overlap; a tick that finds as many is skipped and logged.
const MAX_RUNS: usize = 8;
/// Most jobs.
const MAX_JOBS: usize = 10_000;
/// Ids of the server's own jobs begin so; they are listed last.
const OWN: &str = "__pb";

type Work = Arc<dyn Fn(App) -> BoxFuture<Result<()>> + Send + Sync>;

type BuiltIn = (&'static str, &'static str, fn(App) -> BoxFuture<Result<()>>);

/// The jobs that every app has, in the order they are listed: id, expression, work.
const BUILT_IN: &[BuiltIn] = &[
    ("__pbDBOptimize__", "0 0 * * *", |app| Box::pin(optimize(app))),
    ("__pbMFACleanup__", "0 * * * *", |app| {
        Box::pin(async move { mfa::clean_up(&Ctx::system(&app)).await })
    }),
    ("__pbOTPCleanup__", "0 * * * *", |app| {
        Box::pin(async move { otp::clean_up(&Ctx::system(&app)).await })
    }),
    ("__pbLogsCleanup__", "0 */6 * * *", |app| Box::pin(prune_logs(app))),
];

async fn optimize(app: App) -> Result<()> {
    let store = app.store();
    store.data().checkpoint_truncate().await?;
    store.aux().checkpoint_truncate().await?;
    store.data().optimize().await?;
    Ok(())
}

async fn prune_logs(app: App) -> Result<()> {
    app.log().prune().await?;
    Ok(())
}

/// A job as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub id: String,
    /// Its expression, macros expanded.
    pub expression: String,
    /// The last run of this process that has ended.
    pub last: Option<LastRun>,
    /// Runs that have not ended.
    pub running: usize,
}

/// How a run went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRun {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What it failed with.
    pub error: Option<String>,
}

impl App {
    /// The jobs that run at times.
    #[must_use]
    pub fn crons(&self) -> &Crons {
        self.part()
    }
}

/// All jobs. Get it from [`App::crons`].
pub struct Crons {
    jobs: Mutex<Vec<Arc<Job>>>,
    ticker: Mutex<Option<tokio::task::AbortHandle>>,
}

struct Job {
    id: String,
    expression: String,
    schedule: Schedule,
    work: Work,
    /// It looks after something of this process: every node runs it.
    is_local: bool,
    running: AtomicUsize,
    last: Mutex<Option<LastRun>>,
}

impl fmt::Debug for Crons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crons").field("n_jobs", &self.jobs.lock().len()).finish_non_exhaustive()
    }
}

impl Default for Crons {
    fn default() -> Self {
        let crons = Self { jobs: Mutex::default(), ticker: Mutex::default() };
        for (id, expression, work) in BUILT_IN {
            let added = crons.add(id, expression, work);
            debug_assert!(added.is_ok(), "{id}: {added:?}");
        }
        crons
    }
}

impl Crons {
    /// Adds a job, or replaces the one of the same id. Of several nodes over one database one runs it each time.
    ///
    /// # Errors
    /// The compatible sentence about the expression.
    pub fn add<F, Fut>(&self, id: &str, expression: &str, work: F) -> Result<(), String>
    where
        F: Fn(App) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.put(id, expression, Arc::new(move |app| Box::pin(work(app))), false)
    }

    /// The same for a job that looks after something of this process: every node runs it.
    ///
    /// # Errors
    /// As [`Crons::add`].
    pub fn add_local<F, Fut>(&self, id: &str, expression: &str, work: F) -> Result<(), String>
    where
        F: Fn(App) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.put(id, expression, Arc::new(move |app| Box::pin(work(app))), true)
    }

    fn put(&self, id: &str, expression: &str, work: Work, is_local: bool) -> Result<(), String> {
        let schedule = Schedule::parse(expression)?;
        let job = Arc::new(Job {
            id: id.to_owned(),
            expression: cron::expand(expression).to_owned(),
            schedule,
            work,
            is_local,
            running: AtomicUsize::new(0),
            last: Mutex::default(),
        });
        let mut jobs = self.jobs.lock();
        jobs.retain(|other| other.id != id);
        if jobs.len() >= MAX_JOBS {
            return Err("too many cron jobs".into());
        }
        jobs.push(job);
        Ok(())
    }

    /// Removes a job; running ones finish.
    pub fn remove(&self, id: &str) {
        self.jobs.lock().retain(|job| job.id != id);
    }

    /// Removes every job, built-in ones included.
    pub fn remove_all(&self) {
        self.jobs.lock().clear();
    }

    /// Users' jobs by id, then the server's own in the order they were added.
    #[must_use]
    pub fn list(&self) -> Vec<Listed> {
        let mut listed: Vec<Listed> = self
            .jobs
            .lock()
            .iter()
            .map(|job| Listed {
                id: job.id.clone(),
                expression: job.expression.clone(),
                last: job.last.lock().clone(),
                running: job.running.load(Relaxed),
            })
            .collect();
        let key = |listed: &Listed| (!listed.id.starts_with(OWN)).then(|| listed.id.clone());
        listed.sort_by(|a, b| match (key(a), key(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            (a, b) => a.is_none().cmp(&b.is_none()),
        });
        listed
    }

    /// Starts a job in the background, due or not; false if there is none of this id.
    pub fn run(&self, app: &App, id: &str) -> bool {
        let job = self.jobs.lock().iter().find(|job| job.id == id).cloned();
        let found = job.is_some();
        if let Some(job) = job {
            start(app, job);
        }
        found
    }

    /// Starts the scheduler: the first tick is at the next full minute. Does nothing if it runs.
    pub fn start(&self, app: &App) {
        let mut ticker = self.ticker.lock();
        if ticker.is_none() {
            *ticker = Some(tokio::spawn(tick(app.clone())).abort_handle());
        }
    }

    /// Stops the scheduler; running jobs finish.
    pub fn stop(&self) {
        if let Some(ticker) = self.ticker.lock().take() {
            ticker.abort();
        }
    }

    /// Starts every job that is due at a time, unless another node has taken its run.
    pub fn run_due(&self, app: &App, now: Timestamp) {
        let at = Moment::of(now);
        let due: Vec<_> =
            self.jobs.lock().iter().filter(|job| job.schedule.is_due(at)).cloned().collect();
        for job in due {
            if job.is_local || app.node().is_none() {
                start(app, job);
            } else {
                tokio::spawn(start_once(app.clone(), job, minute_of(now)));
            }
        }
    }
}

const MINUTE: i64 = 60_000;

fn minute_of(time: Timestamp) -> i64 {
    time.millis().div_euclid(MINUTE)
}

/// Starts a job if this node is the first to want its run of a minute. The run is a row and not a lock: a node whose
/// clock is late finds it taken long after it has ended. A node that dies with it in hand takes the run with it: at most
/// once, not at least once.
async fn start_once(app: App, job: Arc<Job>, minute: i64) {
    let Some(node) = app.node() else { return };
    match node.claim(&job.id, minute).await {
        Ok(true) => start(&app, job),
        Ok(false) => {}
        Err(error) => {
            let data = json!({"jobId": job.id, "error": error.to_string()});
            app.log().write(Level::Error, "[Cron] failed", &data);
        }
    }
}

/// Wakes once per minute of the wall clock, however that clock is set meanwhile.
async fn tick(app: App) {
    let mut last = minute_of(time::now());
    loop {
        let now = time::now();
        let left = MINUTE - now.millis().rem_euclid(MINUTE);
        let left = Duration::from_millis(left.unsigned_abs());
        tokio::time::sleep(left).await;
        let now = time::now();
        if minute_of(now) != last {
            last = minute_of(now);
            app.crons().run_due(&app, now);
        }
    }
}

/// Runs a job beside everything else; what it fails with is logged.
fn start(app: &App, job: Arc<Job>) {
    let app = app.clone();
    if job.running.fetch_add(1, Relaxed) >= MAX_RUNS {
        job.running.fetch_sub(1, Relaxed);
        let data = json!({"jobId": job.id, "error": "too many runs of the job have not ended yet"});
        app.log().write(Level::Warn, "[Cron] skipped", &data);
        return;
    }
    tokio::spawn(async move {
        let (at, started) = (time::now(), Instant::now());
        let work = tokio::spawn((job.work)(app.clone()));
        let failure = match work.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(stopped) if stopped.is_panic() => Some("panic".to_owned()),
            // The runtime ends.
            Err(_) => None,
        };
        let took = started.elapsed();
        *job.last.lock() = Some(LastRun { at, took, error: failure.clone() });
        job.running.fetch_sub(1, Relaxed);
        if let Some(error) = failure {
            let data = json!({"jobId": job.id, "error": error});
            app.log().write(Level::Error, "[Cron] failed", &data);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, app::Config, event::Hooks};

    fn ids(crons: &Crons) -> Vec<String> {
        crons
            .list()
            .into_iter()
            .map(|listed| format!("{} {}", listed.id, listed.expression))
            .collect()
    }

    #[test]
    fn listing() {
        let crons = Crons::default();
        crons.add("b", "@daily", |_| std::future::ready(Ok(()))).unwrap();
        crons.add("__pbZ__", "1 * * * *", |_| std::future::ready(Ok(()))).unwrap();
        crons.add("a", "* * * * *", |_| std::future::ready(Ok(()))).unwrap();
        crons.add("b", "@hourly", |_| std::future::ready(Ok(()))).unwrap();
        assert!(crons.add("c", "* * * *", |_| std::future::ready(Ok(()))).is_err());
        assert_eq!(
            ids(&crons),
            [
                "a * * * * *",
                "b 0 * * * *",
                "__pbDBOptimize__ 0 0 * * *",
                "__pbMFACleanup__ 0 * * * *",
                "__pbOTPCleanup__ 0 * * * *",
                "__pbLogsCleanup__ 0 */6 * * *",
                "__pbZ__ 1 * * * *",
            ]
        );
        crons.remove("b");
        assert_eq!(crons.list().len(), 6);
        crons.remove_all();
        assert!(crons.list().is_empty());
    }

    #[tokio::test]
    async fn running() {
        let dir = tempfile::tempdir().unwrap();
        let app = App::bootstrap(Config::new(dir.path()), Hooks::default()).await.unwrap();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        for (id, expression) in
            [("due", "30 6 * * *"), ("later", "31 6 * * *"), ("fails", "30 * * * *")]
        {
            let tell = tell.clone();
            let work = move |_| {
                tell.send(id).unwrap();
                std::future::ready(if id == "fails" { Err(Error::NotFound) } else { Ok(()) })
            };
            app.crons().add(id, expression, work).unwrap();
        }
        app.crons().add("panics", "30 6 * * *", |_| async { panic!("caught") }).unwrap();
        let at = crate::time::parse("2026-01-01 06:30:00.000Z").unwrap();
        app.crons().run_due(&app, at);
        let mut ran = [told.recv().await.unwrap(), told.recv().await.unwrap()];
        ran.sort_unstable();
        assert_eq!(ran, ["due", "fails"]);
        assert!(app.crons().run(&app, "later"));
        assert_eq!(told.recv().await, Some("later"));
        assert!(!app.crons().run(&app, "missing"));
        app.crons().start(&app);
        app.shutdown(false).await.unwrap();
    }

    #[tokio::test]
    async fn overlapping_runs_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let app = App::bootstrap(Config::new(dir.path()), Hooks::default()).await.unwrap();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let waits = gate.clone();
        let work = move |_| {
            let (tell, gate) = (tell.clone(), waits.clone());
            async move {
                tell.send(()).unwrap();
                let _pass = gate.acquire().await;
                Ok(())
            }
        };
        app.crons().add("slow", "* * * * *", work).unwrap();
        for _ in 0..MAX_RUNS + 3 {
            assert!(app.crons().run(&app, "slow"));
        }
        for _ in 0..MAX_RUNS {
            told.recv().await.unwrap();
        }
        assert!(told.try_recv().is_err());
        gate.close();
        app.shutdown(false).await.unwrap();
    }
}
