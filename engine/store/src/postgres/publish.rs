//! Telling other nodes inside the transaction that writes: notes become `NOTIFY` payloads, rows that go away are kept
//! for a while, and nothing of it happens while this node is alone.
//!
//! Whoever writes asks [`Publisher::decide`] before its first statement. A "no" is a guard that is held until the end of
//! the transaction; [`Publisher::open`] first makes all later answers "yes" and then waits until the guards are gone. So
//! a node that has joined knows from when on it is told everything.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use dialects::Dialect;
use futures_util::future::join;
use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use super::{
    bind::Bound,
    conn::Conn,
    db::Database,
    error::Fail,
    notice,
    plain::{Change, ClusterMode},
};
use crate::{Done, Job, Note, Sql, Value, announce};
use primitives::id;

/// How long [`Publisher::open`] waits for transactions that do not publish.
const QUIET: Duration = Duration::from_secs(5);
/// The order in which the channels of one transaction are written.
const CHANNELS: [&str; 3] = [announce::COLLECTIONS, announce::CACHES, announce::RECORDS];

/// Delivered when the transaction commits.
const NOTIFY: &str = "SELECT pg_notify($1, $2)";

type Result<T, E = Fail> = std::result::Result<T, E>;

/// Whether writes tell other nodes.
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) mode: ClusterMode,
    /// The name of this node.
    pub(super) node: Arc<str>,
    is_open: AtomicBool,
    quiet: Arc<RwLock<()>>,
}

/// What a transaction does with its notes.
#[derive(Debug)]
pub(super) enum Told {
    /// Tells the others, in the name of this node.
    Yes(Arc<str>),
    /// Does not; the guard lasts as long as the transaction.
    No(#[allow(dead_code, reason = "held, not read")] Option<OwnedRwLockReadGuard<()>>),
}

impl Told {
    /// The name to tell the others in, if they are told.
    pub(super) fn node(&self) -> Option<&str> {
        if let Self::Yes(node) = self { Some(node) } else { None }
    }
}

impl Database {
    /// What becomes of these notes.
    pub(super) async fn decide(&self, notes: &[Note]) -> Told {
        match &self.inner.publisher {
            Some(publisher) if !notes.is_empty() => publisher.decide().await,
            _ => Told::No(None),
        }
    }
}

impl Publisher {
    /// Publishes until told otherwise: who does not listen cannot know that it is alone.
    pub(super) fn new(mode: ClusterMode) -> Self {
        let is_open = AtomicBool::new(true);
        Self { mode, node: node_id().into(), is_open, quiet: Arc::default() }
    }

    /// Whether a transaction that begins to write now tells the others.
    async fn decide(&self) -> Told {
        if self.is_open.load(Ordering::Acquire) {
            return Told::Yes(self.node.clone());
        }
        let guard = self.quiet.clone().read_owned().await;
        // somebody may have joined meanwhile
        if self.is_open.load(Ordering::Acquire) {
            return Told::Yes(self.node.clone());
        }
        Told::No(Some(guard))
    }

    /// From now on writes publish; comes back when those that do not have ended, or after some seconds.
    pub(super) async fn open(&self) {
        self.is_open.store(true, Ordering::Release);
        if tokio::time::timeout(QUIET, self.quiet.write()).await.is_err() {
            tracing::warn!("cluster: a long transaction that began alone is not announced");
        }
    }

    /// From now on writes do not publish, unless they always do.
    pub(super) fn close(&self) {
        self.is_open.store(self.mode == ClusterMode::On, Ordering::Release);
    }
}

/// `hostname-` and 16 hexadecimal digits.
fn node_id() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host.trim().chars().filter(|c| c.is_ascii_graphic()).take(64).collect();
    let host = if host.is_empty() { "node" } else { &host };
    format!("{host}-{}", id::random(16, b"0123456789abcdef"))
}

impl Conn {
    /// Runs a job as a transaction of its own and tells the others of it.
    pub(super) async fn job_alone_told(&mut self, job: &Job, node: &str) -> Result<Done> {
        self.begin().await?;
        self.job_to_end_told(job, node).await
    }

    /// Runs a job as the last thing in the open transaction, tells the others of it and commits; rolls back if it fails.
    pub(super) async fn job_to_end_told(&mut self, job: &Job, node: &str) -> Result<Done> {
        match self.noted(job).await {
            Ok((done, changes)) => {
                self.tell_and_commit(&changes, node).await?;
                self.in_transaction = false;
                Ok(done)
            }
            Err(fail) => {
                if self.is_answering() {
                    self.in_transaction = self.batch("ROLLBACK").await.is_err();
                }
                Err(fail)
            }
        }
    }

    /// Runs a job inside the open transaction, all or nothing; gives what is to be told when that commits.
    pub(super) async fn job_in_savepoint_noted(
        &mut self,
        job: &Job,
    ) -> Result<(Done, Vec<(&'static str, Change)>)> {
        self.batch("SAVEPOINT job").await?;
        let done = self.noted(job).await;
        self.leave("job", done.is_ok()).await?;
        done
    }

    async fn noted(&mut self, job: &Job) -> Result<(Done, Vec<(&'static str, Change)>)> {
        let changes = self.keep_rows(&job.notes).await?;
        Ok((self.steps(job).await?, changes))
    }

    /// Keeps the rows that go away, before they do. Rows that are not there (any more) are nobody's news.
    async fn keep_rows(&mut self, notes: &[Note]) -> Result<Vec<(&'static str, Change)>> {
        let mut changes = Vec::with_capacity(notes.len());
        for note in notes {
            let Some(keep) = &note.keep else {
                changes.push((note.channel, Change::of(note, None)));
                continue;
            };
            let mut text =
                String::from("INSERT INTO \"_pb_events\" (\"payload\") SELECT to_jsonb(b)");
            for at in 0..keep.without.len() {
                text.push_str(&format!(" - ${}::text", at + 2));
            }
            let table = dialects::ident(&keep.table);
            text.push_str(&format!(" FROM {table} AS b WHERE b.\"id\" = $1 RETURNING \"id\""));
            let mut params = vec![Value::Text(note.record.as_str().into())];
            let stored =
                |name: &String| dialects::names::stored(Dialect::POSTGRES, name).into_owned();
            params.extend(keep.without.iter().map(|name| Value::Text(stored(name).into())));
            let kept = self.query(&Sql { text, params }).await?.rows().scalar_i64()?;
            if kept > 0 {
                changes.push((note.channel, Change::of(note, Some(kept))));
            }
        }
        Ok(changes)
    }

    /// Sends the changes, in this order, and commits: with that they are delivered.
    pub(super) async fn tell_and_commit(
        &mut self,
        changes: &[(&'static str, Change)],
        node: &str,
    ) -> Result<()> {
        let mut payloads = Vec::new();
        for channel in CHANNELS {
            let of: Vec<Change> =
                changes.iter().filter(|(c, _)| *c == channel).map(|(_, c)| c.clone()).collect();
            if !of.is_empty() {
                let texts = notice::payloads(node, &of).into_iter();
                payloads.extend(texts.map(|text| [channel.to_owned(), text]));
            }
        }
        let Some(last) = payloads.pop() else { return self.batch("COMMIT").await };
        for payload in payloads {
            self.execute(NOTIFY, &payload.map(|text| Value::Text(text.into()))).await?;
        }
        // The last one goes with the commit in one round trip; if it fails, that is a rollback.
        let last = last.map(|text| Value::Text(text.into()));
        let statement = self.prepare(NOTIFY).await?;
        let started = Instant::now();
        self.busy = true;
        let (told, ended) = join(
            self.client().execute_raw(&statement, last.iter().map(Bound)),
            self.client().batch_execute("COMMIT"),
        )
        .await;
        self.busy = false;
        self.traced(NOTIFY, &last, started);
        self.traced("COMMIT", &[], started);
        told?;
        Ok(ended?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn opening_waits_for_quiet_writers() {
        let publisher = Arc::new(Publisher::new(ClusterMode::Auto));
        publisher.close();
        assert!(publisher.node.rsplit_once('-').is_some_and(|(_, hex)| hex.len() == 16));
        let quiet = publisher.decide().await;
        assert!(quiet.node().is_none());
        let opening = tokio::spawn({
            let publisher = publisher.clone();
            async move { publisher.open().await }
        });
        while !publisher.is_open.load(Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
        assert!(publisher.decide().await.node().is_some());
        assert!(!opening.is_finished());
        drop(quiet);
        opening.await.unwrap();
        publisher.close();
        assert!(publisher.decide().await.node().is_none());
    }
}
