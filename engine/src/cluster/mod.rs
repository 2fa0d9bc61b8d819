//! Several nodes over one PostgreSQL database (spec extensions §1.13): what a node tells the others, and what it does
//! when they tell it something. On SQLite there is no node, and nothing here costs anything.
//!
//! | step | file |
//! |---|---|
//! | the life of a node: listen, join, beat, begin again | `life` |
//! | what arrives: schema, settings, records, other nodes | `inbox` |
//! | what subscribers of this node want others to keep | `leaves` |
//! | what code of users tells all nodes | `announced` |
//!
//! **Joining.** A node listens first, then writes its row into `_pb_nodes`, then says `join`. Everybody who hears that
//! announces all writes from then on, waits for those on their way that do not, and answers `ready`. When all who were
//! alive have answered, the node reads collections and settings: whatever it has not read it will be told.
//! A node that lost its connection does the same again, and announces everything until it has.
//!
//! Holds no SQL; connections are the store's.

mod announced;
mod inbox;
mod leaves;
mod life;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{sync::oneshot, task::AbortHandle, time::timeout};

pub(crate) use self::announced::Ears;
pub use self::announced::{Ear, Heard, MAX_TEXT, MAX_TOPIC, announce, hear};
use crate::{App, Result, schema::Loaded, store::postgres::Cluster};

/// How long a start waits for the first join; it goes on behind.
const JOIN: Duration = Duration::from_secs(15);
/// How long an end waits for its farewell.
const FAREWELL: Duration = Duration::from_secs(2);
/// How often somebody who asks for an unknown collection may have them all read again.
const MISSES: Duration = Duration::from_secs(1);

/// This node.
#[derive(Debug)]
pub(crate) struct Node {
    cluster: Cluster,
    life: Mutex<Option<AbortHandle>>,
    missed: Mutex<Option<Instant>>,
}

impl App {
    /// This node among others; `None` where there cannot be others.
    pub(crate) fn node(&self) -> Option<&Node> {
        self.find_part()
    }
}

impl Node {
    pub(crate) fn new(cluster: Cluster) -> Self {
        Self { cluster, life: Mutex::default(), missed: Mutex::default() }
    }

    /// Takes the run of a job in a minute for this node; false if another has it.
    ///
    /// # Errors
    /// Database errors.
    pub(crate) async fn claim(&self, job: &str, minute: i64) -> Result<bool> {
        Ok(self.cluster.claim(job, minute).await?)
    }

    /// Stops listening and says so.
    pub(crate) async fn leave(&self) {
        let life = self.life.lock().take();
        if let Some(life) = life {
            life.abort();
            // the others find out by themselves, later
            let _ = timeout(FAREWELL, self.cluster.leave()).await;
        }
    }

    fn may_look_again(&self) -> bool {
        let mut last = self.missed.lock();
        let may = last.is_none_or(|last| last.elapsed() >= MISSES);
        if may {
            *last = Some(Instant::now());
        }
        may
    }
}

/// Begins to listen to the other nodes; comes back when it is told everything and has read everything. Does nothing
/// where there are no others.
pub async fn join(app: &App) {
    let Some(node) = app.node() else { return };
    let (tell, joined) = oneshot::channel();
    {
        let mut life = node.life.lock();
        if life.is_some() {
            return;
        }
        let task = tokio::spawn(life::live(app.clone(), node.cluster.clone(), tell));
        *life = Some(task.abort_handle());
    }
    if !matches!(timeout(JOIN, joined).await, Ok(Ok(()))) {
        tracing::error!("cluster: this node does not hear the others yet");
    }
}

/// True if other nodes may write to the database.
#[must_use]
pub fn has_others(app: &App) -> bool {
    app.node().is_some()
}

/// The name of this node among others; `None` where there cannot be others.
#[must_use]
pub fn node_id(app: &App) -> Option<String> {
    app.node().map(|node| node.cluster.node().to_string())
}

/// A collection that is not known here: another node may have made it a moment ago.
///
/// # Errors
/// Database errors.
pub async fn find_unknown(app: &App, name_or_id: &str) -> Result<Option<Arc<Loaded>>> {
    if app.node().is_some_and(Node::may_look_again) {
        app.reload_schema().await?;
    }
    Ok(app.snapshot().find(name_or_id).cloned())
}

/// Somebody has written raw SQL: nobody knows what has changed, here and elsewhere.
pub async fn anything_changed(app: &App) {
    app.forget_all_auth();
    if let Some(node) = app.node()
        && let Err(error) =
            node.cluster.tell(crate::notes::INVALIDATE, &serde_json::json!({})).await
    {
        tracing::warn!(%error, "cluster: the others do not know of a change");
    }
}
