//! Jobs that survive their server: queued in the database, done at least once, by any node.
//!
//! | file | what |
//! |---|---|
//! | `config` | code, environment, defaults |
//! | `job` | one job: its values and forms |
//! | `store` | the table `_jobs` and its statements |
//! | `queue` | [`JobStore`]: what programs call |
//! | `topics` | handlers, with their limits |
//! | `dispatch` | the dispatcher of a node |
//! | `schedule` | cron-like schedules that enqueue |
//! | `routes`, `scripts`, `command` | REST, `$jobs`, `pocketbase jobs` |
//! | `meters` | figures for `/api/metrics` |
//!
//! Must not know SQL outside of `store`, or what lies below `pocketbase`.

mod command;
mod config;
mod dispatch;
mod job;
mod meters;
mod queue;
mod routes;
mod schedule;
mod scripts;
mod store;
mod topics;

use std::sync::Arc;

use pocketbase::{App, Plugin, Result, Setup};

pub(crate) use self::queue::Shared;
pub use self::{
    config::Config,
    job::{Job, NewJob, Stats, Status},
    queue::{JobStore, get_job_store},
    store::Filter,
    topics::TopicOptions,
};

/// Jobs that survive their server: queued in the database, done at least once, by any node.
///
/// ```no_run
/// use pocketbase::App;
/// use serde_json::json;
///
/// # async fn run() -> pocketbase::Result<()> {
/// let app = App::builder().plugin(jobs::JobsPlugin::new()).build()?;
/// app.on_serve().bind(|e| async move {
///     let queue = jobs::get_job_store(e.app()).expect("jobs are enabled");
///     queue.register("mail", |_app, job| async move {
///         println!("to {}", job.payload["to"]);
///         Ok(())
///     })?;
///     queue.enqueue("mail", json!({"to": "x"})).await?;
///     e.next().await
/// });
/// app.start().await
/// # }
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct JobsPlugin {
    config: Config,
}

impl JobsPlugin {
    /// With what the environment says.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// With what code says, and the environment over that.
    #[must_use]
    pub fn with(config: Config) -> Self {
        Self { config }
    }
}

impl Plugin for JobsPlugin {
    fn name(&self) -> &'static str {
        "jobs"
    }
    fn register(&self, setup: &mut Setup) -> Result<()> {
        let config = self.config.clone().from_environment();
        if config.disabled {
            return Ok(());
        }
        let shared = Arc::new(Shared::new(config));
        setup.app().store().set_typed(queue::KEY, shared.clone());
        setup.table(store::table())?;
        bind_life(setup.app(), &shared);
        if shared.config.http {
            routes::add(setup, &shared);
        }
        scripts::add(setup)?;
        command::add(setup)?;
        meters::register(setup, &shared);
        Ok(())
    }
}

/// When the dispatcher begins and ends: only `serve` has one.
fn bind_life(app: &App, shared: &Arc<Shared>) {
    app.on_bootstrap().bind(|e| async move {
        e.next().await?;
        store::Store::of(e.app())?.adopt().await
    });
    let woken = shared.clone();
    app.on_announced(queue::TOPIC, move |_, _| {
        woken.wake.notify_one();
        async { Ok(()) }
    });
    let served = shared.clone();
    app.on_serve().bind(move |e| {
        let shared = served.clone();
        async move {
            e.next().await?;
            shared.serves(e.app()).await
        }
    });
    let stopped = shared.clone();
    app.on_terminate().bind(move |e| {
        let shared = stopped.clone();
        async move {
            shared.ends().await;
            e.next().await
        }
    });
}
