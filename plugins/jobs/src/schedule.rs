//! Schedules: cron expressions that enqueue a job. Of several nodes one enqueues each time, and while the job of the last time
//! still waits or runs no further one is made.
//!
//! Must not know how jobs are stored or done.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use pocketbase::{Error, Result};

use crate::{JobStore, NewJob, get_job_store};

/// The ids of an app's schedules.
#[derive(Debug, Default)]
pub(crate) struct Schedules(Mutex<BTreeSet<String>>);

/// What the id of a schedule's cron begins with.
const PREFIX: &str = "jobs:";

impl JobStore {
    /// Enqueues a job whenever a cron expression says so, in UTC. Of several nodes over one database one does it each time.
    /// A run that takes longer than the interval is not overtaken: while the job of the last time waits or runs no further
    /// one is made, which the log has at level `debug`; a unique key of the job's own takes the place of that rule's.
    ///
    /// # Errors
    /// When the expression is none or a plugin has the id; jobs that could not be enqueued.
    pub fn schedule(&self, id: &str, expression: &str, job: NewJob) -> Result<()> {
        job.checked(self.shared().config.max_payload)?;
        if id.is_empty() {
            return Err(Error::Message("a schedule needs an id".into()));
        }
        let job = match job.unique_key.is_empty() {
            true => job.unique_key(format!("schedule:{id}")),
            false => job,
        };
        let name = format!("{PREFIX}{id}");
        self.app().cron().add(&name, expression, move |app| {
            let job = job.clone();
            async move {
                let Some(queue) = get_job_store(&app) else { return Ok(()) };
                let wanted = crate::job::now_millis();
                let made = queue.enqueue_with_options(job).await?;
                let created = pocketbase::parse_date_time(&made.created);
                if created.is_some_and(|time| time.millis() < wanted - 1_000) {
                    tracing::debug!(
                        job = made.id,
                        "jobs: the last run of a schedule goes on, no further one is made"
                    );
                }
                Ok(())
            }
        })?;
        self.shared().schedules.0.lock().insert(id.to_owned());
        Ok(())
    }
    /// Ends a schedule; jobs that it has enqueued stay.
    pub fn unschedule(&self, id: &str) {
        if self.shared().schedules.0.lock().remove(id) {
            self.app().cron().remove(&format!("{PREFIX}{id}"));
        }
    }
}
