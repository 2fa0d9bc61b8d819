//! What the app keeps of the plugin while it runs: its configuration, and what it has counted. Must not know the database.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pocketbase::{MetricKind, Sample, Setup};

use crate::Config;

/// One for an app, shared by all its transactions.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) config: Config,
    pub(crate) counts: Counts,
}

/// What has been done since the start.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) read: AtomicU64,
    pub(crate) set: AtomicU64,
    pub(crate) deleted: AtomicU64,
    pub(crate) unreadable: AtomicU64,
}

impl Kept {
    pub(crate) fn new(config: Config) -> Self {
        Self { config, counts: Counts::default() }
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

#[allow(clippy::cast_precision_loss, reason = "metrics are floats")]
fn sample(counter: &AtomicU64) -> Sample {
    Sample::new(counter.load(Relaxed) as f64)
}

/// Declares the metrics.
pub(crate) fn measure(setup: &Setup, kept: &std::sync::Arc<Kept>) {
    let counted = kept.clone();
    let operations = move || {
        let Counts { read, set, deleted, .. } = &counted.counts;
        let each = [("read", read), ("set", set), ("delete", deleted)];
        each.iter().map(|(name, n)| sample(n).label("operation", *name)).collect()
    };
    let help = "Secrets that were read, set and deleted.";
    setup.metrics("secrets_operations", help, MetricKind::Counter, operations);
    let counted = kept.clone();
    let unreadable = move || vec![sample(&counted.counts.unreadable)];
    let help = "Times that a secret did not decrypt.";
    setup.metrics("secrets_unreadable", help, MetricKind::Counter, unreadable);
}
