//! Counters of requests by route and what the server is doing, as Prometheus reads them.
//!
//! The hot path adds to a handful of atomics; everything else is gathered when somebody asks. Label values are route
//! patterns and names of parts, never what a client sent.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use engine::App;
use parking_lot::Mutex;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use crate::process;

/// Upper bounds of the latency buckets in microseconds.
const BOUNDS_US: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// A histogram of durations that is only ever added to.
#[derive(Debug, Default)]
struct Histogram {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    fn add(&self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.buckets[BOUNDS_US.partition_point(|bound| *bound < us)].fetch_add(1, Relaxed);
        self.sum_us.fetch_add(us, Relaxed);
    }
}

/// What one route has answered.
#[derive(Debug, Default)]
pub(crate) struct RouteStats([Histogram; CLASSES.len()]);

impl RouteStats {
    /// Counts an answer.
    pub(crate) fn record(&self, status: u16, time: Duration) {
        let class = usize::from(status / 100).clamp(1, CLASSES.len()) - 1;
        self.0[class].add(time);
    }
}

/// All counters of a server.
#[derive(Default)]
pub(crate) struct Metrics {
    routes: Mutex<BTreeMap<String, Arc<RouteStats>>>,
    in_flight: Arc<AtomicI64>,
    /// What besides a superuser's token opens the door.
    token: Option<String>,
    sources: Mutex<Vec<Source>>,
}

/// Numbers of other parts: name, help, and the values at this moment.
struct Source {
    name: &'static str,
    help: &'static str,
    kind: MetricKind,
    read: Box<dyn Fn() -> Vec<Sample> + Send + Sync>,
}

/// What a number of a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// It goes up and down.
    Gauge,
    /// It only grows, and begins anew with the process; `_total` is added to its name.
    Counter,
    /// How many were how large.
    Histogram,
}

impl MetricKind {
    fn of(self) -> MetricType {
        match self {
            Self::Gauge => MetricType::Gauge,
            Self::Counter => MetricType::Counter,
            Self::Histogram => MetricType::Histogram,
        }
    }
}

/// One value of a metric, with what tells it from its siblings.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    labels: Vec<(&'static str, String)>,
    /// The number; of a histogram the sum.
    value: f64,
    /// Of a histogram: upper bounds, the last `f64::MAX`, and how many were above the bound before.
    buckets: Vec<(f64, u64)>,
}

impl Sample {
    /// A number.
    #[must_use]
    pub fn new(value: f64) -> Self {
        Self { labels: Vec::new(), value, buckets: Vec::new() }
    }
    /// A histogram: the sum of all, and how many there are in each bucket (upper bound, number), the last up to
    /// `f64::MAX`.
    #[must_use]
    pub fn histogram(sum: f64, buckets: Vec<(f64, u64)>) -> Self {
        Self { labels: Vec::new(), value: sum, buckets }
    }
    /// What tells it from the others of its name. There must be few values of a label.
    #[must_use]
    pub fn label(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.labels.push((name, value.into()));
        self
    }

    fn encode(&self, kind: MetricKind, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        match kind {
            MetricKind::Gauge => ConstGauge::new(self.value).encode(encoder),
            MetricKind::Counter => ConstCounter::new(self.value).encode(encoder),
            MetricKind::Histogram => {
                let n = self.buckets.iter().map(|(_, n)| n).sum();
                encoder.encode_histogram::<[(&str, &str); 0]>(self.value, n, &self.buckets, None)
            }
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("in_flight", &self.in_flight).finish_non_exhaustive()
    }
}

impl Metrics {
    pub(crate) fn new(token: Option<String>) -> Self {
        Self { token: token.filter(|token| !token.is_empty()), ..Self::default() }
    }

    /// The counters of a route; the same for the same pattern, whenever the router is built.
    pub(crate) fn route(&self, pattern: &str) -> Arc<RouteStats> {
        self.routes.lock().entry(pattern.to_owned()).or_default().clone()
    }

    /// Counts a request until its answer is gone.
    pub(crate) fn begin(&self) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        InFlight(self.in_flight.clone())
    }

    /// True for the configured token.
    pub(crate) fn is_token(&self, given: &str) -> bool {
        self.token.as_deref().is_some_and(|token| same(token.as_bytes(), given.as_bytes()))
    }

    /// Adds numbers that are read when somebody asks.
    pub(crate) fn add_source(
        &self,
        name: &'static str,
        help: &'static str,
        kind: MetricKind,
        read: impl Fn() -> Vec<Sample> + Send + Sync + 'static,
    ) {
        self.sources.lock().push(Source { name, help, kind, read: Box::new(read) });
    }
}

/// Compares without telling where the difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |diff, (a, b)| diff | (a ^ b)) == 0
}

/// A request on its way.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<AtomicI64>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Everything as text in the exposition format.
///
/// # Errors
/// Only when a formatter fails.
pub(crate) fn render(metrics: &Arc<Metrics>, app: &App) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("pocketbase");
    registry.register_collector(Box::new(Snapshot(metrics.clone(), app.clone())));
    let mut out = String::with_capacity(16 << 10);
    text::encode(&mut out, &registry)?;
    Ok(out)
}

struct Snapshot(Arc<Metrics>, App);

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Snapshot")
    }
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let metrics = &self.0;
        requests(metrics, &mut encoder)?;
        gauge(
            &mut encoder,
            "http_requests_in_flight",
            "Requests being answered, streams included.",
            count(metrics.in_flight.load(Relaxed)),
        )?;
        for source in metrics.sources.lock().iter() {
            let kind = source.kind.of();
            let mut family = encoder.encode_descriptor(source.name, source.help, None, kind)?;
            let samples = (source.read)();
            if let [only] = &samples[..]
                && only.labels.is_empty()
            {
                only.encode(source.kind, family)?;
                continue;
            }
            for sample in samples {
                sample.encode(source.kind, family.encode_family(&sample.labels)?)?;
            }
        }
        engine(&self.1, &mut encoder)?;
        process(&mut encoder)
    }
}

#[allow(clippy::cast_precision_loss, reason = "numbers for people")]
fn count(n: impl TryInto<i64>) -> f64 {
    n.try_into().unwrap_or(i64::MAX) as f64
}

#[allow(clippy::cast_precision_loss, reason = "numbers for people")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

fn requests(metrics: &Metrics, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let mut family = encoder.encode_descriptor(
        "http_request_duration",
        "Time to the head of the answer by route and status class; its count is the number of requests.",
        Some(&Unit::Seconds),
        MetricType::Histogram,
    )?;
    for (pattern, stats) in metrics.routes.lock().iter() {
        for (class, histogram) in CLASSES.iter().zip(&stats.0) {
            let counts: Vec<u64> = histogram.buckets.iter().map(|n| n.load(Relaxed)).collect();
            let total = counts.iter().sum();
            if total == 0 {
                continue;
            }
            let bounds = BOUNDS_US.iter().map(|us| seconds(*us)).chain([f64::MAX]);
            let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
            let labels = [("route", pattern.as_str()), ("status", *class)];
            family.encode_family(&labels)?.encode_histogram::<[(&str, &str); 0]>(
                seconds(histogram.sum_us.load(Relaxed)),
                total,
                &buckets,
                None,
            )?;
        }
    }
    Ok(())
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> fmt::Result {
    let gauge = ConstGauge::new(value);
    let encoder = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
    gauge.encode(encoder)
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    label: &str,
    values: &[(&str, f64)],
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (key, value) in values {
        let labels = [(label, *key)];
        ConstGauge::new(*value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn counters(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    label: &str,
    values: &[(&str, u64)],
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (key, value) in values {
        let labels = [(label, *key)];
        ConstCounter::new(*value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn engine(app: &App, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let databases = [("data", app.store().data()), ("auxiliary", app.store().aux())];
    let stats = databases.map(|(name, db)| (name, db.stats()));
    let each =
        |read: fn(&engine::store::Stats) -> u64| stats.each_ref().map(|(name, s)| (*name, read(s)));
    let database = "database";
    counters(
        encoder,
        ("db_commits", "Write transactions; with db_write_jobs the mean size of a group."),
        database,
        &each(|s| s.commits),
    )?;
    counters(encoder, ("db_write_jobs", "Write jobs done."), database, &each(|s| s.jobs))?;
    counters(
        encoder,
        ("db_reads_inline", "Reads on the thread of the request."),
        database,
        &each(|s| s.inline_reads),
    )?;
    counters(
        encoder,
        ("db_reads_lane", "Reads on a reader thread."),
        database,
        &each(|s| s.lane_reads),
    )?;
    counters(
        encoder,
        ("db_checkpoints", "Checkpoints of the write-ahead log."),
        database,
        &each(|s| s.checkpoints),
    )?;
    let waiting = databases.map(|(name, db)| (name, count(db.waiting_writes())));
    gauges(encoder, ("db_writer_queue", "Writes waiting for the writer."), database, &waiting)?;
    let waiting = databases.map(|(name, db)| (name, count(db.waiting_reads())));
    gauges(encoder, ("db_reader_queue", "Reads waiting for a reader thread."), database, &waiting)?;
    let size = |path: Option<&Path>| count(path.map_or(0, process::file_bytes));
    let sizes = databases.map(|(name, db)| (name, size(db.path())));
    gauges(encoder, ("db_size_bytes", "Size of the database file."), database, &sizes)?;
    let sizes = databases.map(|(name, db)| {
        let wal = db.path().map(|path| {
            let mut wal = path.as_os_str().to_owned();
            wal.push("-wal");
            PathBuf::from(wal)
        });
        (name, size(wal.as_deref()))
    });
    gauges(encoder, ("db_wal_bytes", "Size of the write-ahead log."), database, &sizes)?;
    let lanes = [("password", count(app.waiting_passwords()))];
    gauges(encoder, ("lane_queue", "Tasks waiting for a thread of a lane."), "lane", &lanes)?;
    let dropped = ConstCounter::new(app.log().dropped());
    let help = "Log entries dropped because the buffer was full.";
    let encoder = encoder.encode_descriptor("log_dropped", help, None, dropped.metric_type())?;
    dropped.encode(encoder)
}

fn process(encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let Some(usage) = process::usage() else {
        return Ok(());
    };
    let cpu = ConstCounter::new(usage.cpu_seconds);
    let family = encoder.encode_descriptor(
        "process_cpu",
        "CPU time.",
        Some(&Unit::Seconds),
        MetricType::Counter,
    )?;
    cpu.encode(family)?;
    gauge(
        encoder,
        "process_resident_memory_bytes",
        "Resident memory.",
        count(usage.resident_bytes),
    )?;
    gauge(encoder, "process_virtual_memory_bytes", "Virtual memory.", count(usage.virtual_bytes))?;
    gauge(encoder, "process_open_fds", "Open descriptors.", count(usage.open_fds))?;
    gauge(encoder, "process_threads", "Threads.", count(usage.threads))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets() {
        let stats = RouteStats::default();
        for (status, us) in [(200, 100), (204, 101), (404, 20_000_000), (700, 1), (0, 1)] {
            stats.record(status, Duration::from_micros(us));
        }
        let n = |class: usize, bucket: usize| stats.0[class].buckets[bucket].load(Relaxed);
        assert_eq!((n(1, 0), n(1, 1), n(3, 16), n(4, 0), n(0, 0)), (1, 1, 1, 1, 1));
        assert_eq!(stats.0[1].sum_us.load(Relaxed), 201);
    }

    #[test]
    fn tokens() {
        let metrics = Metrics::new(Some("secret".into()));
        assert!(metrics.is_token("secret"));
        assert!(
            !metrics.is_token("secreT") && !metrics.is_token("") && !metrics.is_token("secrets")
        );
        assert!(!Metrics::new(Some(String::new())).is_token(""));
        assert!(!Metrics::new(None).is_token(""));
    }

    #[test]
    fn in_flight() {
        let metrics = Metrics::default();
        let one = metrics.begin();
        let two = metrics.begin();
        assert_eq!(metrics.in_flight.load(Relaxed), 2);
        drop((one, two));
        assert_eq!(metrics.in_flight.load(Relaxed), 0);
    }
}
