//! What is counted for `/api/metrics`. Must not know the database.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use pocketbase::Setup;

use crate::job::{Job, Stats, now_millis};

/// Upper limits of the classes of waits and runs, in milliseconds.
const LIMITS: [u64; 4] = [10, 100, 1_000, 10_000];

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
    n: AtomicU64,
    classes: [AtomicU64; LIMITS.len()],
}

impl Histogram {
    fn add(&self, millis: u64) {
        self.millis.fetch_add(millis, Relaxed);
        self.n.fetch_add(1, Relaxed);
        for (class, _) in self.classes.iter().zip(LIMITS).filter(|(_, limit)| millis <= *limit) {
            class.fetch_add(1, Relaxed);
        }
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
pub(crate) fn register(setup: &Setup, meters: &Arc<Meters>) {
    type Read = fn(&Meters) -> f64;
    let all: [(&'static str, &'static str, Read); 19] = [
        ("jobs_pending", "Jobs that wait.", |m| m.stats[0].load(Relaxed) as f64),
        ("jobs_processing", "Jobs that run.", |m| m.stats[1].load(Relaxed) as f64),
        ("jobs_completed", "Jobs that are done and kept.", |m| m.stats[2].load(Relaxed) as f64),
        ("jobs_failed", "Jobs that were given up.", |m| m.stats[3].load(Relaxed) as f64),
        ("jobs_done_total", "Attempts that succeeded here.", |m| m.done.load(Relaxed) as f64),
        ("jobs_errors_total", "Attempts that failed here.", |m| m.failed.load(Relaxed) as f64),
        ("jobs_expired_total", "Locks that ran out.", |m| m.expired.load(Relaxed) as f64),
        ("jobs_wait_seconds_sum", "Time from due to taken.", |m| {
            m.waits.millis.load(Relaxed) as f64 / 1e3
        }),
        ("jobs_wait_seconds_count", "Jobs taken here.", |m| m.waits.n.load(Relaxed) as f64),
        ("jobs_wait_seconds_le_0_01", "Taken within 10 ms.", |m| {
            m.waits.classes[0].load(Relaxed) as f64
        }),
        ("jobs_wait_seconds_le_0_1", "Taken within 100 ms.", |m| {
            m.waits.classes[1].load(Relaxed) as f64
        }),
        ("jobs_wait_seconds_le_1", "Taken within 1 s.", |m| {
            m.waits.classes[2].load(Relaxed) as f64
        }),
        ("jobs_wait_seconds_le_10", "Taken within 10 s.", |m| {
            m.waits.classes[3].load(Relaxed) as f64
        }),
        ("jobs_run_seconds_sum", "Time of attempts.", |m| m.runs.millis.load(Relaxed) as f64 / 1e3),
        ("jobs_run_seconds_count", "Attempts here.", |m| m.runs.n.load(Relaxed) as f64),
        ("jobs_run_seconds_le_0_01", "Attempts within 10 ms.", |m| {
            m.runs.classes[0].load(Relaxed) as f64
        }),
        ("jobs_run_seconds_le_0_1", "Attempts within 100 ms.", |m| {
            m.runs.classes[1].load(Relaxed) as f64
        }),
        ("jobs_run_seconds_le_1", "Attempts within 1 s.", |m| {
            m.runs.classes[2].load(Relaxed) as f64
        }),
        ("jobs_run_seconds_le_10", "Attempts within 10 s.", |m| {
            m.runs.classes[3].load(Relaxed) as f64
        }),
    ];
    for (name, help, read) in all {
        let meters = meters.clone();
        setup.metric(name, help, move || read(&meters));
    }
}
