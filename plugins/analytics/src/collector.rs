//! Takes events, holds what they add up to, and writes it every few seconds. Source: spec extensions 7.5.
//!
//! Memory is bounded: a batch beyond [`FULL`] is written at once, and beyond twice of it, what is being written included,
//! events are refused. What a killed process had not written is lost, a few seconds of it; what a failed write had is added to
//! the next one. What was accepted is kept, so it is the new that is refused; of raw lines, which nobody is promised, the
//! oldest are dropped.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use pocketbase::{App, Result};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{
    agent::Agent,
    batch::{Batch, Hit},
    clock::{date_of, day_of, now_millis},
    config::{AnalyticsConfig, Mode},
    event::{Event, has_host, host, normal_path},
    raw::{self, Lines},
    sketch::hash,
    store,
};

/// Bytes of a batch that are written at once.
const FULL: usize = 32 << 20;
const ATTEMPTS: u32 = 3;
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// Places in `told`.
const EVENTS: usize = 0;
const LINES: usize = 1;
/// The source of those who came from nowhere.
const DIRECT: &str = "direct";

/// What a request says of all its events.
#[derive(Debug, Default)]
pub(crate) struct Around<'r> {
    pub(crate) user_agent: &'r str,
    /// Names of the site itself.
    pub(crate) hosts: Vec<String>,
    /// The record that is signed in.
    pub(crate) uid: Option<String>,
    pub(crate) ip: Option<String>,
}

#[derive(Debug, Default)]
struct Waiting {
    batch: Batch,
    lines: Lines,
    /// Bytes of the batch that is being written.
    n_writing: usize,
}

#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) config: AnalyticsConfig,
    waiting: Mutex<Waiting>,
    /// One write at a time.
    writing: tokio::sync::Mutex<()>,
    full: Notify,
    ended: Notify,
    is_open: AtomicBool,
    /// The cron that removes what is old is there.
    prunes: AtomicBool,
    pub(crate) n_accepted: AtomicU64,
    pub(crate) n_dropped: AtomicU64,
    pub(crate) n_lines_dropped: AtomicU64,
    pub(crate) n_failures: AtomicU64,
    /// The log says already that events, or lines, are dropped.
    told: [AtomicBool; 2],
}

impl Collector {
    pub(crate) fn new(config: AnalyticsConfig) -> Self {
        Self {
            config,
            waiting: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            full: Notify::new(),
            ended: Notify::new(),
            is_open: AtomicBool::new(false),
            prunes: AtomicBool::new(false),
            n_accepted: AtomicU64::new(0),
            n_dropped: AtomicU64::new(0),
            n_lines_dropped: AtomicU64::new(0),
            n_failures: AtomicU64::new(0),
            told: Default::default(),
        }
    }
    fn max_paths(&self) -> usize {
        usize::try_from(self.config.max_paths).unwrap_or(usize::MAX)
    }
    fn max_raw(&self) -> usize {
        usize::try_from(self.config.max_raw_size).unwrap_or(usize::MAX)
    }
    pub(crate) fn bytes(&self) -> usize {
        let waiting = self.waiting.lock();
        waiting.batch.bytes() + waiting.n_writing + waiting.lines.len()
    }
    /// Says once, until it is over, that something is dropped.
    fn tell(&self, app: &App, what: usize, text: &str) {
        if !self.told[what].swap(true, Relaxed) {
            app.logger().warn(text, &[]);
        }
    }
    fn drop_lines(&self, app: &App, n: u64) {
        if n > 0 {
            self.n_lines_dropped.fetch_add(n, Relaxed);
            self.tell(
                app,
                LINES,
                "Analytics: raw logs are full; the oldest waiting lines are dropped.",
            );
        }
    }

    /// An event as JSON; whether it is counted.
    pub(crate) fn take_json(&self, value: &Value, around: &Around<'_>) -> bool {
        let now = now_millis();
        Event::read(value, now).is_some_and(|event| self.take(&event, around))
    }
    /// An event; whether it is counted.
    pub(crate) fn take_event(&self, event: Event, around: &Around<'_>) -> bool {
        let now = now_millis();
        event.checked(now).is_some_and(|event| self.take(&event, around))
    }

    fn take(&self, event: &Event, around: &Around<'_>) -> bool {
        let path = normal_path(&event.path);
        if !self.config.counts(&path) {
            return false;
        }
        let user_agent = match event.user_agent.as_str() {
            "" => around.user_agent,
            own => own,
        };
        let Some(agent) = Agent::of(user_agent) else { return false };
        let referrer = host(&event.referrer);
        let is_own = |from: &str| {
            around.hosts.iter().any(|own| own == from)
                || has_host(&event.path) && host(&event.path).as_deref() == Some(from)
        };
        let source = match referrer.as_deref() {
            None => Some(DIRECT),
            Some(from) if is_own(from) => None,
            other => other,
        };
        let visitor = hash(&event.sid);
        let hit =
            Hit { day: day_of(event.ts), path: &path, source, agent, visitor, dur: event.dur };
        let line = self.config.raw.then(|| self.line(event, &hit, around));
        let mut waiting = self.waiting.lock();
        if waiting.batch.bytes() + waiting.n_writing >= 2 * FULL {
            self.n_dropped.fetch_add(1, Relaxed);
            return false;
        }
        waiting.batch.push(&hit, self.max_paths());
        let mut is_full = waiting.batch.bytes() >= FULL;
        if let Some(line) = line {
            // twice, so that there is room while a write goes on
            if waiting.lines.len() < 2 * self.max_raw() {
                waiting.lines.push(hit.day, &line);
            } else {
                self.n_lines_dropped.fetch_add(1, Relaxed);
            }
            is_full |= waiting.lines.len() >= self.max_raw();
        }
        drop(waiting);
        if is_full {
            self.full.notify_one();
        }
        self.n_accepted.fetch_add(1, Relaxed);
        true
    }

    /// What raw logs have of an event.
    fn line(&self, event: &Event, hit: &Hit<'_>, around: &Around<'_>) -> Vec<u8> {
        let uid = around.uid.as_deref().unwrap_or(&event.uid);
        let mut line = json!({
            "ts": event.ts, "event": event.event, "path": hit.path, "sid": event.sid, "uid": uid, "query": event.query,
            "referrer": event.referrer, "source": hit.source.unwrap_or_default(), "title": event.title, "lang": event.lang,
            "browser": hit.agent.browser, "os": hit.agent.os, "device": hit.agent.device, "perf_ms": event.perf_ms,
            "dur": event.dur, "props": event.props,
        });
        // conditional: no address at all, in no form
        if let (Mode::Full, Some(ip)) = (self.config.mode, &around.ip) {
            line["ip"] = json!(ip);
        }
        line.to_string().into_bytes()
    }

    /// Writes what waits, in attempts. It goes on when the caller does not wait for it.
    pub(crate) async fn flush(self: &Arc<Self>, app: &App) -> Result<()> {
        let (collector, app) = (self.clone(), app.clone());
        let done = tokio::spawn(async move { collector.write(&app).await }).await;
        done.map_err(pocketbase::Error::other)?
    }

    /// Somebody counts visitors, or looks at them: from now on what is old is removed, every night, on every node (each has
    /// raw logs of its own). A server that never did has no such cron.
    pub(crate) fn is_used(self: &Arc<Self>, app: &App) -> Result<()> {
        if self.prunes.swap(true, Relaxed) {
            return Ok(());
        }
        let collector = Arc::downgrade(self);
        app.cron().add_local("__pbAnalyticsPrune__", "0 3 * * *", move |app| {
            let collector = collector.clone();
            async move {
                match collector.upgrade() {
                    Some(collector) => collector.prune(&app).await,
                    None => Ok(()),
                }
            }
        })
    }

    async fn write(self: &Arc<Self>, app: &App) -> Result<()> {
        let _turn = self.writing.lock().await;
        let taken = {
            let mut waiting = self.waiting.lock();
            let n_writing = waiting.batch.bytes();
            std::mem::replace(&mut *waiting, Waiting { n_writing, ..Waiting::default() })
        };
        let done = self.write_taken(app, taken).await;
        self.waiting.lock().n_writing = 0;
        if done.is_ok() {
            self.told[EVENTS].store(false, Relaxed);
        } else if self.is_crammed() {
            let text = "Analytics: there is no memory for more events until they can be written.";
            self.tell(app, EVENTS, text);
        }
        done
    }

    /// Whether events are refused.
    fn is_crammed(&self) -> bool {
        self.waiting.lock().batch.bytes() >= 2 * FULL
    }

    async fn write_taken(self: &Arc<Self>, app: &App, taken: Waiting) -> Result<()> {
        if !taken.lines.is_empty() {
            self.write_lines(app, taken.lines).await;
        }
        if taken.batch.is_empty() {
            return Ok(());
        }
        self.is_used(app)?;
        let mut delay = FIRST_DELAY;
        let mut attempt = 1;
        loop {
            let error = match store::write(app, &taken.batch, self.max_paths()).await {
                Ok(written) => {
                    if written.n_replaced > 0 {
                        let attrs = [("rows", json!(written.n_replaced))];
                        let logger = app.logger();
                        logger.warn("Analytics: stored visitors that cannot be read.", &attrs);
                    }
                    return Ok(());
                }
                Err(error) => error,
            };
            self.n_failures.fetch_add(1, Relaxed);
            if attempt == ATTEMPTS {
                let mut waiting = self.waiting.lock();
                waiting.n_writing = 0;
                waiting.batch.merge(&taken.batch, self.max_paths());
                drop(waiting);
                let attrs = [("error", error.to_string().into())];
                app.logger().warn("Analytics: what was counted cannot be written yet.", &attrs);
                return Err(error);
            }
            tokio::time::sleep(delay).await;
            delay *= 2;
            attempt += 1;
        }
    }

    async fn write_lines(&self, app: &App, mut lines: Lines) {
        let (dir, max_disk) = (raw_dir(app), self.config.raw_disk);
        let written = tokio::task::spawn_blocking(move || {
            let done = raw::make_room(&dir, max_disk).and_then(|has_room| {
                if has_room { lines.write(&dir).map(|()| true) } else { Ok(false) }
            });
            (lines, done)
        });
        let Ok((lines, done)) = written.await else { return };
        match done {
            Ok(true) => self.told[LINES].store(false, Relaxed),
            // a single day takes all that may be taken
            Ok(false) => self.drop_lines(app, lines.count()),
            Err(error) => {
                self.n_failures.fetch_add(1, Relaxed);
                let attrs = [("error", error.to_string().into())];
                app.logger().warn("Analytics: raw logs cannot be written.", &attrs);
                let n = self.waiting.lock().lines.put_back(lines, 2 * self.max_raw());
                self.drop_lines(app, n);
            }
        }
    }

    /// Writes every few seconds, until [`Collector::end`].
    pub(crate) fn begin(self: &Arc<Self>, app: &App) {
        if self.is_open.swap(true, Relaxed) {
            return;
        }
        let (collector, app) = (self.clone(), app.clone());
        tokio::spawn(async move {
            let interval = Duration::from_secs(collector.config.flush_interval);
            loop {
                tokio::select! {
                    () = tokio::time::sleep(interval) => {}
                    () = collector.full.notified() => {}
                    () = collector.ended.notified() => return,
                }
                // it has logged what it failed with
                collector.flush(&app).await.ok();
            }
        });
    }

    /// Ends, and writes the rest.
    pub(crate) async fn end(self: &Arc<Self>, app: &App) {
        if self.is_open.swap(false, Relaxed) {
            self.ended.notify_one();
        }
        self.flush(app).await.ok();
    }

    /// Deletes what is older than the retention.
    pub(crate) async fn prune(&self, app: &App) -> Result<()> {
        let before = |days: u64| {
            let kept = i64::try_from(days).unwrap_or(i64::MAX);
            date_of(day_of(now_millis()) - kept)
        };
        store::prune(app, &before(self.config.retention)).await?;
        let (dir, before) = (raw_dir(app), before(self.config.raw_days));
        let pruned = tokio::task::spawn_blocking(move || raw::prune(&dir, &before)).await;
        Ok(pruned.map_err(pocketbase::Error::other)??)
    }
}

/// Where raw logs are.
pub(crate) fn raw_dir(app: &App) -> PathBuf {
    app.data_dir().join("analytics")
}
