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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use pocketbase::{App, DateTime, testing::TestApp};
    use serde_json::json;

    use super::*;
    use crate::{Filter, JobsPlugin, Stats};

    async fn reaches(queue: &JobStore, want: impl Fn(Stats) -> bool) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(60);
        while !want(queue.stats().await?) {
            assert!(Instant::now() < end, "{:?}", queue.stats().await?);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    #[tokio::test]
    async fn a_run_that_goes_on_is_not_overtaken() -> Result<()> {
        let test = TestApp::with(App::builder().plugin(JobsPlugin::new())).await?;
        let app = test.app();
        let queue = get_job_store(app).expect("enabled");
        let tick =
            |n: i64| test.run_crons_at(DateTime::from_millis(1_767_225_600_000 + n * 60_000));
        queue.schedule("each", "* * * * *", NewJob::new("t", json!({"a": 1})))?;
        assert!(queue.schedule("never", "* * *", NewJob::new("t", 1)).is_err());
        assert!(queue.schedule("nothing", "* * * * *", NewJob::new("", 1)).is_err());
        let n_ticks = 3;
        for n in 0..n_ticks {
            tick(n)?;
        }
        reaches(&queue, |stats| stats.pending == 1).await?;
        let (jobs, total) = queue.list(Filter::default()).await?;
        assert_eq!((total, jobs[0].unique_key.as_str()), (1, "schedule:each"));
        queue.register("t", |_, job| async move {
            assert_eq!(job.payload["a"], 1);
            Ok(())
        })?;
        queue.start().await?;
        reaches(&queue, |stats| stats.completed >= 1 && stats.pending == 0).await?;
        tick(n_ticks)?;
        reaches(&queue, |stats| stats.completed >= 2).await?;
        queue.stop().await;
        let has = |id: &str| app.cron().jobs().iter().any(|job| job.id == id);
        assert!(has("jobs:each") && has("__pbJobsCleanup__"));
        queue.unschedule("each");
        assert!(!has("jobs:each"));
        Ok(())
    }

    #[tokio::test]
    async fn panics_fail_and_outer_transactions_join() -> Result<()> {
        let test = TestApp::with(App::builder().plugin(JobsPlugin::new())).await?;
        let app = test.app();
        let queue = get_job_store(app).expect("enabled");
        queue.register("bang", |_, _| async { panic!("boom") })?;
        let again = queue.register("bang", |_, _| async { Ok(()) }).expect_err("twice");
        assert_eq!(again.to_string(), "topic already registered");
        queue.start().await?;
        queue.start().await?;
        let made = app.run_in_transaction(|tx| async move {
            let queue = get_job_store(&tx).expect("enabled");
            queue.enqueue_with_options(NewJob::new("bang", 1).max_retries(1)).await
        });
        let made = made.await?;
        reaches(&queue, |stats| stats.failed == 1).await?;
        let job = queue.get(&made.id).await?.expect("a job");
        assert_eq!((job.last_error.as_str(), job.retries), ("panic: boom", 1));
        queue.stop().await;
        Ok(())
    }
}
