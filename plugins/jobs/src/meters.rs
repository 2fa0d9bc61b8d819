//! What is counted for `/api/metrics`. Must not know the database.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use pocketbase::{MetricKind, Sample, Setup};

use crate::{
    Shared,
    job::{Job, Stats, Status, now_millis},
};

/// Upper limits of the classes of waits and runs, in milliseconds; the last class has none.
const LIMITS: [u64; 6] = [10, 100, 1_000, 10_000, 60_000, u64::MAX];

/// The counters of an app.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    stats: [AtomicU64; 4],
    done: AtomicU64,
    failed: AtomicU64,
    expired: AtomicU64,
    waits: Histogram,
    runs: Histogram,
}

#[derive(Debug, Default)]
struct Histogram {
    millis: AtomicU64,
    classes: [AtomicU64; LIMITS.len()],
}

impl Histogram {
    fn add(&self, millis: u64) {
        self.millis.fetch_add(millis, Relaxed);
        let class = LIMITS.iter().position(|limit| millis <= *limit).unwrap_or(LIMITS.len() - 1);
        self.classes[class].fetch_add(1, Relaxed);
    }
    #[allow(clippy::cast_precision_loss, reason = "figures")]
    fn sample(&self) -> Vec<Sample> {
        let bound = |limit: u64| if limit == u64::MAX { f64::MAX } else { limit as f64 / 1e3 };
        let classes = LIMITS.iter().zip(&self.classes);
        let buckets = classes.map(|(limit, n)| (bound(*limit), n.load(Relaxed))).collect();
        vec![Sample::histogram(self.millis.load(Relaxed) as f64 / 1e3, buckets)]
    }
}

impl Meters {
    /// A job was taken.
    pub(crate) fn waited(&self, job: &Job) {
        let due = pocketbase::parse_date_time(&job.run_at).map_or(0, |time| time.millis());
        self.waits.add(u64::try_from(now_millis() - due).unwrap_or_default());
    }
    /// An attempt has ended.
    pub(crate) fn ran(&self, time: Duration, is_good: bool) {
        self.runs.add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        if is_good { &self.done } else { &self.failed }.fetch_add(1, Relaxed);
    }
    /// Locks ran out.
    pub(crate) fn expired(&self, n: usize) {
        self.expired.fetch_add(n as u64, Relaxed);
    }
    /// How many there are by status.
    pub(crate) fn count(&self, stats: Stats) {
        let now = [stats.pending, stats.processing, stats.completed, stats.failed];
        for (cell, n) in self.stats.iter().zip(now) {
            cell.store(u64::try_from(n).unwrap_or_default(), Relaxed);
        }
    }
}

/// Offers them all.
#[allow(clippy::cast_precision_loss, reason = "figures")]
pub(crate) fn register(setup: &Setup, shared: &Arc<Shared>) {
    let of = shared.clone();
    let help = "Jobs by status, as they were counted for the request before.";
    setup.metrics("jobs", help, MetricKind::Gauge, move || {
        of.count_again();
        let all = [Status::Pending, Status::Processing, Status::Completed, Status::Failed];
        let each = all.iter().zip(&of.meters.stats);
        each.map(|(status, n)| Sample::new(n.load(Relaxed) as f64).label("status", status.name()))
            .collect()
    });
    let of = shared.meters.clone();
    setup.metrics(
        "jobs_attempts",
        "Attempts of this node, and locks that it found run out.",
        MetricKind::Counter,
        move || {
            let all = [("done", &of.done), ("failed", &of.failed), ("expired", &of.expired)];
            let each = all.into_iter();
            each.map(|(result, n)| Sample::new(n.load(Relaxed) as f64).label("result", result))
                .collect()
        },
    );
    let of = shared.meters.clone();
    setup.metrics("jobs_wait_seconds", "From due to taken.", MetricKind::Histogram, move || {
        of.waits.sample()
    });
    let of = shared.meters.clone();
    setup.metrics("jobs_run_seconds", "From taken to ended.", MetricKind::Histogram, move || {
        of.runs.sample()
    });
}
