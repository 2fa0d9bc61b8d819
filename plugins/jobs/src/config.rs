//! What the plugin is told: in code, then by the environment, then defaults (spec extensions §3.1).
//!
//! Values of the environment that cannot be read, and such that are not positive, count as not set.

use std::time::Duration;

use pocketbase::{durations, environment};

/// How jobs are kept and done. What is not set has the default that its method names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub(crate) disabled: bool,
    pub(crate) workers: usize,
    pub(crate) poll_interval: Duration,
    pub(crate) lock_duration: Duration,
    pub(crate) batch_size: usize,
    pub(crate) max_retries: i64,
    pub(crate) max_payload: usize,
    pub(crate) http: bool,
    pub(crate) auto_start: bool,
    pub(crate) allowed_topics: Vec<String>,
    /// `None` keeps all.
    pub(crate) retention: Option<Duration>,
    pub(crate) grace: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            disabled: false,
            workers: 10,
            poll_interval: Duration::from_secs(1),
            lock_duration: Duration::from_secs(300),
            batch_size: 10,
            max_retries: 3,
            max_payload: 1 << 20,
            http: true,
            auto_start: true,
            allowed_topics: Vec::new(),
            retention: Some(Duration::from_secs(168 * 3600)),
            grace: Duration::from_secs(10),
        }
    }
}

/// Most workers of a node and most jobs of a claim.
const MOST: usize = 10_000;

impl Config {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// No table, no routes, no store (`PB_JOBS_DISABLED`).
    #[must_use]
    pub fn disabled(mut self, on: bool) -> Self {
        self.disabled = on;
        self
    }
    /// Jobs that this node does at the same time, 10 (`PB_JOBS_WORKERS`).
    #[must_use]
    pub fn workers(mut self, n: usize) -> Self {
        self.workers = n.clamp(1, MOST);
        self
    }
    /// How often it looks for jobs that nobody woke it for, 1 s (`PB_JOBS_POLL_INTERVAL`).
    #[must_use]
    pub fn poll_interval(mut self, time: Duration) -> Self {
        self.poll_interval = time.max(Duration::from_millis(1));
        self
    }
    /// How long a job belongs to a node that is not heard of, 5 min (`PB_JOBS_LOCK_DURATION`).
    #[must_use]
    pub fn lock_duration(mut self, time: Duration) -> Self {
        self.lock_duration = time.max(Duration::from_millis(10));
        self
    }
    /// Most jobs taken at once, 10 (`PB_JOBS_BATCH_SIZE`).
    #[must_use]
    pub fn batch_size(mut self, n: usize) -> Self {
        self.batch_size = n.clamp(1, MOST);
        self
    }
    /// Attempts of a job that does not say, 3 (`PB_JOBS_MAX_RETRIES`).
    #[must_use]
    pub fn max_retries(mut self, n: i64) -> Self {
        self.max_retries = n.max(1);
        self
    }
    /// Most bytes of a payload as JSON, 1 MiB.
    #[must_use]
    pub fn max_payload_size(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }
    /// Whether there is `/api/jobs`, true (`PB_JOBS_HTTP_ENABLED`).
    #[must_use]
    pub fn http_enabled(mut self, on: bool) -> Self {
        self.http = on;
        self
    }
    /// Whether `serve` does jobs by itself, true (`PB_JOBS_AUTO_START`).
    #[must_use]
    pub fn auto_start(mut self, on: bool) -> Self {
        self.auto_start = on;
        self
    }
    /// Topics that may be enqueued over HTTP; none means all.
    #[must_use]
    pub fn allowed_topics<S: Into<String>>(mut self, topics: impl IntoIterator<Item = S>) -> Self {
        self.allowed_topics = topics.into_iter().map(Into::into).collect();
        self
    }
    /// How long completed jobs are kept, 168 h; `None` keeps them (`PB_JOBS_RETENTION`, `0` keeps them).
    #[must_use]
    pub fn retention(mut self, time: Option<Duration>) -> Self {
        self.retention = time;
        self
    }

    /// With what the environment says.
    pub(crate) fn with_environment(self) -> Self {
        self.told(&environment::text)
    }

    fn told(mut self, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let switch = |name: &str| match variable(name)?.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        };
        let number = |name: &str| variable(name)?.parse::<u32>().ok().filter(|n| *n > 0);
        let time = |name: &str| duration(&variable(name)?).filter(|time| !time.is_zero());
        let size = |name: &str| number(name).and_then(|n| usize::try_from(n).ok());
        self.disabled = switch("PB_JOBS_DISABLED").unwrap_or(self.disabled);
        self.http = switch("PB_JOBS_HTTP_ENABLED").unwrap_or(self.http);
        self.auto_start = switch("PB_JOBS_AUTO_START").unwrap_or(self.auto_start);
        if let Some(n) = size("PB_JOBS_WORKERS") {
            self = self.workers(n);
        }
        if let Some(n) = size("PB_JOBS_BATCH_SIZE") {
            self = self.batch_size(n);
        }
        if let Some(n) = number("PB_JOBS_MAX_RETRIES") {
            self = self.max_retries(n.into());
        }
        if let Some(interval) = time("PB_JOBS_POLL_INTERVAL") {
            self = self.poll_interval(interval);
        }
        if let Some(lock) = time("PB_JOBS_LOCK_DURATION") {
            self = self.lock_duration(lock);
        }
        match variable("PB_JOBS_RETENTION").and_then(|text| duration(&text)) {
            None => self,
            Some(Duration::ZERO) => self.retention(None),
            kept => self.retention(kept),
        }
    }
}

/// A length of time as Go spells it (`1m30s`, `500ms`, `1.5h`, `0`); negative ones are none.
fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let nanos = durations::parse(text.strip_prefix('+').unwrap_or(text))?;
    let time = Duration::try_from_secs_f64(nanos / 1e9).ok()?;
    (time.as_secs() < 100 * 365 * 86_400).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("500ms", Some(500)),
            ("1m30s", Some(90_000)),
            ("1.5h", Some(5_400_000)),
            ("168h", Some(604_800_000)),
            ("0", Some(0)),
            ("0s", Some(0)),
            ("", None),
            ("5", None),
            ("-1s", None),
            ("1 s", None),
            ("s", None),
            ("1x", None),
            ("9999999999h", None),
        ] {
            assert_eq!(duration(text).map(|time| time.as_millis()), millis, "{text:?}");
        }
    }

    #[test]
    fn environment_wins_over_code_and_bad_values_count_as_not_set() {
        let code = Config::new().workers(4).poll_interval(Duration::from_secs(9));
        let given = [
            ("PB_JOBS_WORKERS", "7"),
            ("PB_JOBS_BATCH_SIZE", "-1"),
            ("PB_JOBS_MAX_RETRIES", "many"),
            ("PB_JOBS_LOCK_DURATION", "2s"),
            ("PB_JOBS_POLL_INTERVAL", "soon"),
            ("PB_JOBS_RETENTION", "0"),
            ("PB_JOBS_DISABLED", "TRUE"),
            ("PB_JOBS_HTTP_ENABLED", "maybe"),
        ];
        let variable = |name: &str| {
            given.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let want = Config {
            workers: 7,
            lock_duration: Duration::from_secs(2),
            retention: None,
            disabled: true,
            ..code.clone()
        };
        assert_eq!(code.clone().told(&variable), want);
        assert_eq!(code.clone().told(&|_| None), code);
    }
}
