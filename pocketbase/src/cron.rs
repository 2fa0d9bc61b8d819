//! Jobs that run at times: kept until the engine opens, then the engine's.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Weak},
};

use engine::{cron::Schedule, hook::BoxFuture};

pub use engine::cron_jobs::Listed as Job;

use crate::{
    app::{App, Shared, caught},
    error::{Error, Result},
    plugin::shown,
};

type Work = Arc<dyn Fn(App) -> BoxFuture<Result<()>> + Send + Sync>;

/// A job that waits for the engine, and is given to it again whenever it opens.
#[derive(Clone)]
pub(crate) struct Pending {
    id: String,
    expression: String,
    work: Work,
    is_local: bool,
    owner: String,
}

impl Pending {
    pub(crate) fn add_to(&self, engine: &engine::App, shared: &Weak<Shared>) -> Result<()> {
        let (work, shared) = (self.work.clone(), shared.clone());
        let label: Arc<str> = format!("cron {:?}", self.id).into();
        let run = move |_| {
            let (work, shared, label) = (work.clone(), shared.clone(), label.clone());
            async move {
                let app = App::upgrade(&shared)?;
                let done = caught(&label, async move { work(app).await }).await;
                // the engine logs the text of an error, and this one is for nobody else
                done.map_err(|error| engine::Error::Message(error.to_string()))
            }
        };
        let crons = engine.crons();
        let added = if self.is_local {
            crons.add_local(&self.id, &self.expression, run)
        } else {
            crons.add(&self.id, &self.expression, run)
        };
        added.map_err(|text| bad(&self.expression, &text))
    }
}

fn bad(expression: &str, text: &str) -> Error {
    Error::other(format!("cron expression {expression:?}: {text}"))
}

/// The jobs of the app. See [`App::cron`].
///
/// Expressions are those of cron in UTC (`*/5 8-17 * * 1-5`), with `@hourly`, `@daily`, `@weekly`, `@monthly` and
/// `@yearly`. Of several servers over one PostgreSQL database one runs a job each time.
///
/// ```
/// # use pocketbase::App;
/// # fn main() -> pocketbase::Result<()> {
/// let app = App::new();
/// app.cron().add("digest", "0 8 * * *", |app| async move {
///     let n = app.count_records("users", ()).await?;
///     app.logger().info("digest", &[("users", n.into())]);
///     Ok(())
/// })?;
/// assert!(app.cron().add("never", "0 8 * *", |_| async { Ok(()) }).is_err());
/// # Ok(()) }
/// ```
pub struct Cron<'a> {
    app: &'a App,
    owner: &'a str,
}

impl fmt::Debug for Cron<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cron")
    }
}

impl App {
    /// The jobs that run at times.
    #[must_use]
    pub fn cron(&self) -> Cron<'_> {
        Cron { app: self, owner: "" }
    }
}

impl<'a> Cron<'a> {
    pub(crate) fn owned_by(app: &'a App, owner: &'a str) -> Self {
        Self { app, owner }
    }
    /// Adds a job, or replaces the one of the same id. It runs while the app is served; what it fails with, panics
    /// included, is logged.
    ///
    /// # Errors
    /// When the expression is none, or another plugin has the id.
    pub fn add<F, Fut>(&self, id: &str, expression: &str, work: F) -> Result<()>
    where
        F: Fn(App) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.put(id, expression, Arc::new(move |app| Box::pin(work(app))), false)
    }
    /// The same for a job that looks after something of this process: each of several servers runs it.
    ///
    /// # Errors
    /// When the expression is none.
    pub fn add_local<F, Fut>(&self, id: &str, expression: &str, work: F) -> Result<()>
    where
        F: Fn(App) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.put(id, expression, Arc::new(move |app| Box::pin(work(app))), true)
    }
    fn put(&self, id: &str, expression: &str, work: Work, is_local: bool) -> Result<()> {
        Schedule::parse(expression).map_err(|text| bad(expression, &text))?;
        let job = Pending {
            id: id.to_owned(),
            expression: expression.to_owned(),
            work,
            is_local,
            owner: self.owner.to_owned(),
        };
        let mut jobs = self.app.shared.crons.lock();
        if let Some(other) = jobs.iter().find(|other| other.id == id && other.owner != self.owner) {
            return Err(Error::other(format!(
                "{} and {} both have the cron job {id:?}",
                shown(&other.owner),
                shown(self.owner)
            )));
        }
        if let Ok(engine) = self.app.engine() {
            job.add_to(&engine, &Arc::downgrade(&self.app.shared))?;
        }
        jobs.retain(|other| other.id != id);
        jobs.push(job);
        Ok(())
    }
    /// Removes a job; running ones finish.
    pub fn remove(&self, id: &str) {
        self.app.shared.crons.lock().retain(|job| job.id != id);
        if let Ok(engine) = self.app.engine() {
            engine.crons().remove(id);
        }
    }
    /// Removes every job, the server's own included.
    pub fn remove_all(&self) {
        self.app.shared.crons.lock().clear();
        if let Ok(engine) = self.app.engine() {
            engine.crons().remove_all();
        }
    }
    /// All jobs, the server's own included; none before the app is bootstrapped.
    #[must_use]
    pub fn jobs(&self) -> Vec<Job> {
        self.app.engine().map(|engine| engine.crons().list()).unwrap_or_default()
    }
    /// Starts a job in the background, due or not; false if there is none of this id.
    #[allow(clippy::must_use_candidate)]
    pub fn run(&self, id: &str) -> bool {
        self.app.engine().is_ok_and(|engine| engine.crons().run(&engine, id))
    }
}
