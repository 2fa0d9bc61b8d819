//! The activity log: a bounded buffer that requests push into, and a task that stores it in batches.
//!
//! Knows neither requests nor records: callers bring level, message and ready-made JSON.
//! Source: spec server-settings-operations §2.12, §5.2, upstream-0.40 §5.1, §5.2.

mod limits;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use primitives::id;
use primitives::time::{self, Timestamp};
use store::{Database, Error, Value, logs};

/// Entries that make a batch.
const BATCH: usize = 200;
/// Quiet time after the last entry that makes a batch.
const QUIET: Duration = Duration::from_secs(3);
/// How long a full batch waits for more under load: one commit for many entries dirties far fewer pages
/// (2,000 at once cost half as much per entry as 200, and 8,000 half of that again, because messages lie anywhere in
/// their index). Shorter than [`QUIET`], which single entries wait.
const LINGER: Duration = Duration::from_secs(1);
/// Entries kept while the database is slow; more are dropped and counted.
const LIMIT: usize = 40_000;

/// The levels of the product; any other number is stored as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum Level {
    Debug = -4,
    Info = 0,
    Warn = 4,
    Error = 8,
}

/// What is kept, as the settings say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Days, 0 for nothing at all.
    pub max_days: u32,
    /// Least level.
    pub min_level: i64,
    /// Most bytes of an entry's data, 0 for the default.
    pub max_data: usize,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// See [`Level`].
    pub level: i64,
    /// For requests `METHOD URI`.
    pub message: Arc<str>,
    /// A JSON object with sorted keys, built by the caller. Shared text: it reaches the database without being copied.
    pub data: Arc<str>,
    /// When it happened.
    pub created: Timestamp,
}

/// The activity log. Clones share it. Start it inside a tokio runtime.
#[derive(Debug, Clone)]
pub struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    aux: Database,
    buffer: Mutex<Buffer>,
    wake: Notify,
    min_level: AtomicI64,
    max_days: AtomicU32,
    max_data: AtomicUsize,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Buffer {
    entries: Vec<Entry>,
    last: Option<Instant>,
    flush: Vec<oneshot::Sender<()>>,
    closed: bool,
    /// The task took its last batch.
    ended: bool,
}

impl Log {
    /// Starts the log on the auxiliary database; its table is created if missing.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn start(aux: Database) -> Result<Self, Error> {
        logs::ensure_table(&aux).await?;
        let log = Self(Arc::new(Inner {
            aux,
            buffer: Mutex::default(),
            wake: Notify::new(),
            min_level: AtomicI64::new(0),
            max_days: AtomicU32::new(5),
            max_data: AtomicUsize::new(limits::MAX_DATA),
            dropped: AtomicU64::new(0),
        }));
        tokio::spawn(log.clone().store_batches());
        Ok(log)
    }

    /// True if an entry of this level would be stored; ask before building one.
    #[must_use]
    #[inline]
    pub fn enabled(&self, level: i64) -> bool {
        self.0.max_days.load(Relaxed) > 0 && level >= self.0.min_level.load(Relaxed)
    }

    /// Adds an entry. Never waits; drops it when the log is off, the level too low or the buffer full.
    pub fn push(&self, entry: Entry) {
        if !self.enabled(entry.level) {
            return;
        }
        let mut buffer = self.0.buffer.lock();
        let count = buffer.entries.len();
        if count >= LIMIT || buffer.closed {
            drop(buffer);
            self.0.dropped.fetch_add(1, Relaxed);
            return;
        }
        if count == 0 {
            buffer.entries.reserve(BATCH);
        }
        buffer.entries.push(entry);
        buffer.last = Some(Instant::now());
        drop(buffer);
        // The task only needs to hear of the first entry, of a full batch and of a full transaction.
        let count = count + 1;
        if matches!(count, 1 | BATCH) || count == self.chunk() {
            self.0.wake.notify_one();
        }
    }

    /// Adds an entry of the server itself; `data` must be an object without secrets. Also for `--dev`.
    pub fn write(&self, level: Level, message: &str, data: &serde_json::Value) {
        match level {
            Level::Debug => tracing::debug!(%data, "{message}"),
            Level::Info => tracing::info!(%data, "{message}"),
            Level::Warn => tracing::warn!(%data, "{message}"),
            Level::Error => tracing::error!(%data, "{message}"),
        }
        let level = level as i64;
        if self.enabled(level) {
            let data = primitives::json::value_sorted(data).into();
            self.push(Entry { level, message: message.into(), data, created: time::now() });
        }
    }

    /// Entries that were dropped because the buffer was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Relaxed)
    }

    /// Takes over the settings, then prunes what they no longer keep; vacuums when nothing is kept (spec §5.2).
    ///
    /// # Errors
    /// What the driver says.
    pub async fn configure(&self, keep: &Keep) -> Result<(), Error> {
        let Keep { max_days, min_level, max_data } = *keep;
        self.0.max_days.store(max_days, Relaxed);
        self.0.min_level.store(min_level, Relaxed);
        self.0.max_data.store(if max_data == 0 { limits::MAX_DATA } else { max_data }, Relaxed);
        // What waits is pruned like the rest.
        if max_days == 0 {
            self.0.buffer.lock().entries.clear();
        }
        self.flush().await;
        let pruned = logs::prune(&self.0.aux, oldest(max_days), Some(min_level)).await?;
        if max_days == 0 && pruned > 0 {
            logs::vacuum(&self.0.aux).await?;
        }
        Ok(())
    }

    /// Deletes everything, and gives the space back.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn clear(&self) -> Result<(), Error> {
        // DIFFERENCE: what waits goes, too; in the reference it appears after the log was emptied.
        self.0.buffer.lock().entries.clear();
        self.flush().await;
        logs::delete_all(&self.0.aux).await?;
        logs::vacuum(&self.0.aux).await
    }

    /// Deletes what is older than the settings allow (cron, every six hours).
    ///
    /// # Errors
    /// What the driver says.
    pub async fn prune(&self) -> Result<u64, Error> {
        logs::prune(&self.0.aux, oldest(self.0.max_days.load(Relaxed)), None).await
    }

    /// Waits until everything pushed so far is stored.
    pub async fn flush(&self) {
        let (done, stored) = oneshot::channel();
        {
            let mut buffer = self.0.buffer.lock();
            if buffer.ended {
                return;
            }
            buffer.flush.push(done);
        }
        self.0.wake.notify_one();
        // An error means that the runtime ended the task; nothing can be stored then.
        let _ = stored.await;
    }

    /// Stores what is buffered and stops; later entries are dropped.
    pub async fn close(&self) {
        self.0.buffer.lock().closed = true;
        self.flush().await;
    }

    async fn store_batches(self) {
        loop {
            self.0.wake.notified().await;
            self.fill_a_batch().await;
            let (entries, waiting, closed) = {
                let mut buffer = self.0.buffer.lock();
                buffer.ended = buffer.closed;
                let entries = std::mem::take(&mut buffer.entries);
                (entries, std::mem::take(&mut buffer.flush), buffer.closed)
            };
            self.store(entries).await;
            for done in waiting {
                // Whoever asked may have stopped waiting.
                let _ = done.send(());
            }
            if closed {
                return;
            }
        }
    }

    /// Waits until the batch is full, somebody asks for it, or nothing came for a while.
    async fn fill_a_batch(&self) {
        loop {
            let until = {
                let buffer = self.0.buffer.lock();
                let Some(last) = buffer.last else { return };
                let until = last + QUIET;
                if !buffer.flush.is_empty() || buffer.closed || until <= Instant::now() {
                    return;
                }
                if buffer.entries.len() >= BATCH {
                    break;
                }
                until
            };
            // Re-armed while entries arrive; a full batch or a flush ends the wait at once.
            let _ = tokio::time::timeout_at(until.into(), self.0.wake.notified()).await;
        }
        self.linger().await;
    }

    /// Waits until a transaction is full or somebody asks for the batch, but not for long.
    async fn linger(&self) {
        let until = Instant::now() + LINGER;
        loop {
            {
                let buffer = self.0.buffer.lock();
                let full = buffer.entries.len() >= self.chunk();
                if full || !buffer.flush.is_empty() || buffer.closed {
                    return;
                }
            }
            // What woke the task may have been the batch that began the wait.
            if tokio::time::timeout_at(until.into(), self.0.wake.notified()).await.is_err() {
                return;
            }
        }
    }

    fn chunk(&self) -> usize {
        self.0.aux.batch_rows()
    }

    async fn store(&self, entries: Vec<Entry>) {
        let mut entries = entries.into_iter().peekable();
        while entries.peek().is_some() {
            let max_data = self.0.max_data.load(Relaxed);
            let some = entries.by_ref().take(self.chunk());
            let rows: Vec<_> = some.map(|entry| row(entry, max_data)).collect();
            let count = rows.len() as u64;
            if let Err(error) = self.0.aux.write(logs::insert(self.0.aux.dialect(), rows)).await {
                self.0.dropped.fetch_add(count, Relaxed);
                tracing::warn!(%error, "cannot store log entries");
            }
        }
    }
}

fn row(entry: Entry, max_data: usize) -> Vec<Value> {
    let fit = |text: Arc<str>, cut: Option<String>| Value::Text(cut.map_or(text, Into::into));
    let owned = |cut: Cow<'_, str>| match cut {
        Cow::Owned(cut) => Some(cut),
        Cow::Borrowed(_) => None,
    };
    let message = owned(limits::message(&entry.message));
    let data = owned(limits::data(&entry.data, max_data));
    vec![
        Value::Text(entry_id(entry.created).into()),
        Value::Int(entry.level),
        fit(entry.message, message),
        fit(entry.data, data),
        Value::Text(entry.created.to_string().into()),
    ]
}

/// 15 characters `a-z0-9` that begin with the time, so that the primary key's index grows at its end: random ids would dirty
/// a page per entry.
fn entry_id(created: Timestamp) -> String {
    let mut millis = created.millis().unsigned_abs();
    let mut text = [0; 8];
    for slot in text.iter_mut().rev() {
        *slot = b"0123456789abcdefghijklmnopqrstuvwxyz"[usize::try_from(millis % 36).unwrap_or(0)];
        millis /= 36;
    }
    let mut id = String::with_capacity(15);
    id.extend(text.map(char::from));
    id.push_str(&id::random(7, id::LOWER_ALNUM));
    id
}

fn oldest(max_days: u32) -> Timestamp {
    time::now().minus(Duration::from_secs(u64::from(max_days) * 86_400))
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::{Sql, Store, StoreConfig};

    async fn count(store: &Store) -> i64 {
        let sql = Sql { text: "SELECT count(*) FROM _logs".into(), params: vec![] };
        store.aux().query(sql, |rows| rows.scalar_i64()).await.unwrap().unwrap()
    }

    fn entry(level: i64) -> Entry {
        Entry {
            level,
            message: "GET /x".into(),
            data: r#"{"type":"request"}"#.into(),
            created: time::now(),
        }
    }

    #[tokio::test]
    async fn batches_levels_and_pruning() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreConfig::new(dir.path())).unwrap();
        let log = Log::start(store.aux().clone()).await.unwrap();
        for _ in 0..BATCH {
            log.push(entry(0));
        }
        for _ in 0..100 {
            if count(&store).await == BATCH as i64 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(count(&store).await, BATCH as i64, "a full batch does not wait for quiet");
        log.push(entry(-4));
        log.push(entry(8));
        log.push(Entry { created: time::now().minus(Duration::from_secs(6 * 86_400)), ..entry(8) });
        log.flush().await;
        assert_eq!(count(&store).await, BATCH as i64 + 2, "below the minimum level is not stored");
        assert_eq!(log.prune().await.unwrap(), 1);
        let keep = |max_days, min_level| Keep { max_days, min_level, max_data: 0 };
        log.configure(&keep(5, 4)).await.unwrap();
        assert_eq!(count(&store).await, 1);
        assert!(!log.enabled(0) && log.enabled(8));
        log.push(entry(8));
        log.configure(&keep(0, 0)).await.unwrap();
        assert_eq!(count(&store).await, 0);
        assert!(!log.enabled(8));
        log.configure(&keep(1, 0)).await.unwrap();
        log.push(entry(0));
        log.flush().await;
        log.push(entry(0));
        log.clear().await.unwrap();
        assert_eq!(count(&store).await, 0);
        log.push(entry(0));
        log.close().await;
        assert_eq!(count(&store).await, 1);
        log.push(entry(0));
        assert_eq!(log.dropped(), 1);
        log.close().await;
    }

    /// Nothing of what is being stored, or waits, comes after it was to be gone.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_queued_stays_without_days() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreConfig::new(dir.path())).unwrap();
        let log = Log::start(store.aux().clone()).await.unwrap();
        let keep = |max_days| Keep { max_days, min_level: 0, max_data: 0 };
        for round in 0..20 {
            log.configure(&keep(5)).await.unwrap();
            (0..BATCH * 2).for_each(|_| log.push(entry(0)));
            let flush = tokio::spawn({
                let log = log.clone();
                async move { log.flush().await }
            });
            if round % 2 == 0 {
                tokio::task::yield_now().await;
            }
            log.configure(&keep(0)).await.unwrap();
            flush.await.unwrap();
            assert_eq!(count(&store).await, 0, "round {round}");
        }
        log.close().await;
    }

    #[tokio::test]
    async fn what_is_too_long_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreConfig::new(dir.path())).unwrap();
        let log = Log::start(store.aux().clone()).await.unwrap();
        let data: Arc<str> = format!(r#"{{"a":1,"b":"{}"}}"#, "x".repeat(100)).into();
        for max_data in [0, 50] {
            log.configure(&Keep { max_days: 5, min_level: 0, max_data }).await.unwrap();
            log.push(Entry { message: "é".repeat(4_100).into(), data: data.clone(), ..entry(0) });
            log.flush().await;
        }
        let text = "SELECT length(message), data FROM _logs ORDER BY rowid";
        let sql = Sql { text: text.into(), params: vec![] };
        let found = store.aux().query(sql, |rows| rows.collect()).await.unwrap().unwrap();
        let want = [&*data, r#"{"__pb_truncated__":true,"a":1,"b":null}"#]
            .map(|data| vec![Value::Int(4_000), Value::Text(data.into())]);
        assert_eq!(found.rows, want);
        log.close().await;
    }

    #[test]
    fn ids_follow_time() {
        let at = |millis| entry_id(Timestamp::from_millis(millis));
        let (a, b) = (at(1_700_000_000_000), at(1_700_000_000_001));
        assert!(
            a < b && a.len() == 15 && a.bytes().all(|c| id::LOWER_ALNUM.contains(&c)),
            "{a} {b}"
        );
    }

    #[tokio::test]
    async fn several_transactions() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreConfig::new(dir.path())).unwrap();
        let log = Log::start(store.aux().clone()).await.unwrap();
        let all = 2 * store.aux().batch_rows() + 1;
        (0..all).for_each(|_| log.push(entry(0)));
        log.close().await;
        assert_eq!(count(&store).await, all as i64);
    }
}
