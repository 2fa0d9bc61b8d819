//! [`Job`]: one job as it is stored, as it goes over the wire and as its handler sees it; [`NewJob`]: one to be enqueued.
//!
//! Must not know how jobs are stored or done.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use pocketbase::{DateTime, Error, Result, security};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// What becomes of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Waits for its time and a worker.
    Pending,
    /// A worker does it.
    Processing,
    /// Done.
    Completed,
    /// Given up (a dead letter).
    Failed,
}

impl Status {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "processing" => Self::Processing,
            "completed" => Self::Completed,
            "failed" => Self::Failed,
            _ => Self::Pending,
        }
    }
}

/// One job.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Job {
    /// UUIDv7.
    pub id: String,
    /// What kind of job.
    pub topic: String,
    /// What it is about.
    pub payload: Value,
    /// Where it is.
    pub status: Status,
    /// Not before this.
    pub run_at: String,
    /// Until when it belongs to its worker; empty if it has none.
    pub locked_until: String,
    /// Attempts that failed.
    pub retries: i64,
    /// Most attempts.
    pub max_retries: i64,
    /// Why the last attempt failed.
    pub last_error: String,
    /// When it was enqueued.
    pub created: String,
    /// When it changed last.
    pub updated: String,
    /// Higher ones are done earlier.
    pub priority: i64,
    /// Of jobs that wait or run, only one has it; empty if it has none.
    pub unique_key: String,
    /// How far its handler says it is, from 0 to 1.
    pub progress: f64,
    /// When the last attempt began and ended.
    pub started: String,
    /// See `started`.
    pub finished: String,
    pub(crate) locked_by: String,
    pub(crate) reporter: Option<Reporter>,
}

/// Where a handler tells how far it is, in millionths.
#[derive(Clone, Default)]
pub(crate) struct Reporter(Arc<AtomicU64>);

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reporter")
    }
}

impl Reporter {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1")]
    pub(crate) fn tell(&self, part: f64) {
        let part = if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 };
        self.0.store((part * 1e6) as u64, Ordering::Relaxed);
    }
    #[allow(clippy::cast_precision_loss, reason = "at most a million")]
    pub(crate) fn read(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64 / 1e6
    }
}

impl Job {
    /// The payload as a type of yours.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn unmarshal_payload<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_value(self.payload.clone())?)
    }
    /// In a handler: tells how far it is, from 0 to 1. It is stored within half a second.
    pub fn progress(&self, part: f64) {
        if let Some(reporter) = &self.reporter {
            reporter.tell(part);
        }
    }
    /// As it goes over the wire: what the fork has, in its order, then what is set of the rest.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.written(["run_at", "locked_until", "max_retries", "last_error", "unique_key"])
    }
    /// As scripts see it: the same in camelCase.
    #[must_use]
    pub fn to_script(&self) -> Value {
        self.written(["runAt", "lockedUntil", "maxRetries", "lastError", "uniqueKey"])
    }
    fn written(&self, names: [&str; 5]) -> Value {
        let mut map = Map::new();
        let mut put = |name: &str, value: Value| map.insert(name.to_owned(), value);
        put("id", json!(self.id));
        put("topic", json!(self.topic));
        put("payload", self.payload.clone());
        put("status", json!(self.status.name()));
        put(names[0], json!(self.run_at));
        put(names[1], json!(self.locked_until));
        put("retries", json!(self.retries));
        put(names[2], json!(self.max_retries));
        if !self.last_error.is_empty() {
            put(names[3], json!(self.last_error));
        }
        put("created", json!(self.created));
        put("updated", json!(self.updated));
        if self.priority != 0 {
            put("priority", json!(self.priority));
        }
        if self.progress > 0.0 {
            put("progress", json!(self.progress));
        }
        for (name, text) in
            [(names[4], &self.unique_key), ("started", &self.started), ("finished", &self.finished)]
        {
            if !text.is_empty() {
                put(name, json!(text));
            }
        }
        Value::Object(map)
    }
}

/// A job to be enqueued.
///
/// ```
/// use std::time::Duration;
/// let mail = jobs::NewJob::new("mail", serde_json::json!({"to": "x"}))
///     .delay(Duration::from_secs(60))
///     .priority(5)
///     .unique_key("mail:x");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct NewJob {
    pub(crate) topic: String,
    pub(crate) payload: Value,
    pub(crate) run_at: Option<DateTime>,
    pub(crate) max_retries: i64,
    pub(crate) priority: i64,
    pub(crate) unique_key: String,
}

impl NewJob {
    /// To be done as soon as possible.
    pub fn new(topic: impl Into<String>, payload: impl Into<Value>) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            run_at: None,
            max_retries: 0,
            priority: 0,
            unique_key: String::new(),
        }
    }
    /// Not before a moment.
    pub fn run_at(mut self, time: DateTime) -> Self {
        // what texts of times can say
        self.run_at = Some(DateTime::from_millis(time.millis().clamp(0, LAST_MILLIS)));
        self
    }
    /// Not before some time from now.
    pub fn delay(self, time: Duration) -> Self {
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        self.run_at(DateTime::from_millis(now_millis().saturating_add(millis)))
    }
    /// Most attempts; none means the default.
    pub fn max_retries(mut self, n: i64) -> Self {
        self.max_retries = n;
        self
    }
    /// Higher ones are done earlier; 0 is usual.
    pub fn priority(mut self, priority: i64) -> Self {
        self.priority = priority;
        self
    }
    /// While a job with this key waits (for a retry, too) or runs, no other is made: enqueueing gives that one.
    pub fn unique_key(mut self, key: impl Into<String>) -> Self {
        self.unique_key = key.into();
        self
    }

    /// The payload as it is stored, if the job may be enqueued.
    pub(crate) fn checked(&self, max_payload: usize) -> Result<String> {
        if self.topic.is_empty() {
            return Err(Error::Message("topic cannot be empty".into()));
        }
        if self.topic.len() > LONGEST || self.unique_key.len() > LONGEST {
            return Err(Error::Message(format!("topic and key have at most {LONGEST} bytes")));
        }
        // PostgreSQL stores none
        if self.topic.contains('\0') || self.unique_key.contains('\0') {
            return Err(Error::Message("topic and key have no NUL characters".into()));
        }
        let text = self.payload.to_string();
        if text.len() > max_payload {
            return Err(Error::Message(TOO_LARGE.into()));
        }
        Ok(text)
    }
}

/// The end of the year 9999.
const LAST_MILLIS: i64 = 253_402_300_799_999;
/// Longest topic and key.
const LONGEST: usize = 255;
/// What is said of a payload that is too large.
pub(crate) const TOO_LARGE: &str = "payload too large (max 1MB)";

pub(crate) fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A moment as it is stored.
pub(crate) fn stamp(millis: i64) -> String {
    DateTime::from_millis(millis).to_string()
}

/// A UUIDv7; of one process each is greater than the one before.
pub(crate) fn new_id() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = u64::try_from(now_millis()).unwrap_or_default() << 12;
    let next = |last: u64| Some(now.max(last + 1));
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap_or(now);
    let at = now.max(last + 1);
    let (millis, count) = (at >> 12, at & 0xfff);
    let random = security::random(16, "0123456789abcdef");
    let variant = security::random(1, "89ab");
    format!(
        "{:08x}-{:04x}-7{count:03x}-{variant}{}-{}",
        millis >> 16,
        millis & 0xffff,
        &random[..3],
        &random[3..15],
    )
}

/// How many jobs there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// That wait.
    pub pending: i64,
    /// That run.
    pub processing: i64,
    /// That are done and kept.
    pub completed: i64,
    /// Dead letters.
    pub failed: i64,
}

impl Stats {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.pending + self.processing + self.completed + self.failed
    }
    /// The share of those that ended well, 0 if none has ended.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a share")]
    pub fn success_rate(&self) -> f64 {
        let ended = self.completed + self.failed;
        if ended == 0 { 0.0 } else { self.completed as f64 / ended as f64 }
    }
    pub(crate) fn to_json(self, rate: &str) -> Value {
        let share = match self.success_rate() {
            // as Go prints whole numbers
            0.0 => json!(0),
            1.0 => json!(1),
            share => json!(share),
        };
        json!({
            "pending": self.pending, "processing": self.processing, "completed": self.completed,
            "failed": self.failed, "total": self.total(), rate: share,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_and_look_like_uuids() {
        let ids: Vec<String> = (0..10_000).map(|_| new_id()).collect();
        assert!(ids.is_sorted());
        let id = &ids[0];
        let parts: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
        assert!(id.as_bytes()[14] == b'7' && b"89ab".contains(&id.as_bytes()[19]), "{id}");
    }

    #[test]
    fn rates() {
        let stats = Stats { completed: 20, failed: 1, ..Stats::default() };
        assert_eq!(stats.to_json("success_rate")["success_rate"].to_string(), "0.9523809523809523");
        assert_eq!(Stats::default().to_json("r")["r"].to_string(), "0");
    }
}
