//! What other nodes say: collections and settings are read again (many changes at once, once), records go to the clients
//! of this node in the order of their commits, nodes that join get their answer.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::json;
use tokio::{
    sync::{Notify, mpsc},
    time::{sleep, timeout},
};

use super::{
    announced::{self, Heard},
    leaves::{self, LEAVES},
};
use crate::{
    App, Result,
    app::{Observer as _, Write},
    ctx::Ctx,
    event::Action,
    notes::{INVALIDATE, SETTINGS},
    record::{Record, find},
    schema::Loaded,
    settings_ops,
    store::{
        announce::{COLLECTIONS, RECORDS},
        postgres::{Change, Cluster, Notice},
    },
};

/// Changes of records that wait; more stay on the connection, then on the server.
const WAITING: usize = 1_024;
/// Announcements that wait; more stay on the connection, too.
const ANNOUNCED: usize = 1_024;
/// Changes that come within this time are one.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// Pause after a reading that failed.
const AGAIN: Duration = Duration::from_secs(1);

/// Where notices go.
#[derive(Debug)]
pub(super) struct Inbox {
    app: App,
    cluster: Cluster,
    old: Arc<Old>,
    records: mpsc::Sender<Vec<Change>>,
    announced: mpsc::Sender<Heard>,
    joins: AtomicU64,
    ready: Mutex<HashSet<String>>,
    told: Notify,
}

/// What must be read again.
#[derive(Debug, Default)]
struct Old {
    collections: AtomicBool,
    settings: AtomicBool,
    wake: Notify,
}

impl Inbox {
    /// Starts the tasks that read again and deliver; they end with the inbox.
    pub(super) fn start(app: &App, cluster: &Cluster) -> Arc<Self> {
        let (records, waiting) = mpsc::channel(WAITING);
        let (announced, heard) = mpsc::channel(ANNOUNCED);
        let old = Arc::new(Old::default());
        tokio::spawn(tell_ears(app.clone(), heard));
        tokio::spawn(deliver(app.clone(), cluster.clone(), old.clone(), waiting));
        tokio::spawn(refresh(app.clone(), old.clone(), records.downgrade()));
        Arc::new(Self {
            app: app.clone(),
            cluster: cluster.clone(),
            old,
            records,
            announced,
            joins: AtomicU64::new(0),
            ready: Mutex::default(),
            told: Notify::new(),
        })
    }

    /// Takes a notice. Waits only when too many changes of records do.
    pub(super) async fn take(&self, notice: Notice) {
        match notice.channel.as_str() {
            RECORDS => {
                // the task ends with this
                let _ = self.records.send(notice.changes).await;
            }
            COLLECTIONS => self.old.collections(),
            _ if notice.data.get(LEAVES).is_some() => {
                let names = notice.data.get(LEAVES).and_then(|names| names.as_array());
                let names = names.into_iter().flatten().filter_map(|name| name.as_str());
                let names = names.map(str::to_owned).collect();
                self.app.realtime().leaves_elsewhere(notice.from, names);
            }
            _ if notice.data.get("join").is_some() => self.joined(notice.from),
            _ if notice.data.get("ready").is_some() => {
                let ready = notice.data.get("ready").and_then(|to| to.as_str());
                if ready == Some(&*self.cluster.node()) {
                    self.ready.lock().insert(notice.from);
                    self.told.notify_waiters();
                }
            }
            _ => {
                for change in notice.changes.iter().filter(|c| c.event == announced::EVENT) {
                    if let Some(heard) = announced::read(change) {
                        // the task ends with this
                        let _ = self.announced.send(heard).await;
                    }
                }
                for change in notice.changes.iter().filter(|c| c.event == INVALIDATE) {
                    self.old.settings();
                    if change.collection != SETTINGS {
                        self.old.collections();
                    }
                }
            }
        }
    }

    /// What others have announced lately is unknown.
    pub(super) async fn missed(&self) {
        // the task ends with this
        let _ = self.announced.send(Heard::Missed).await;
    }

    /// Somebody has come: from now on it is told everything, and hears so.
    fn joined(&self, who: String) {
        self.joins.fetch_add(1, Ordering::AcqRel);
        let cluster = self.cluster.clone();
        let app = self.app.clone();
        tokio::spawn(async move {
            cluster.announce_all().await;
            leaves::tell(&app, &cluster).await;
            if let Err(error) = cluster.tell(INVALIDATE, &json!({ "ready": who })).await {
                tracing::warn!(%error, "cluster: a node that joined got no answer");
            }
        });
    }

    /// How many have come so far.
    pub(super) fn n_joins(&self) -> u64 {
        self.joins.load(Ordering::Acquire)
    }

    /// A new join begins: earlier answers do not count.
    pub(super) fn forget_ready(&self) {
        self.ready.lock().clear();
    }
    /// Waits until all of these have answered.
    pub(super) async fn wait_ready(&self, nodes: &[String], limit: Duration) {
        let all = async {
            loop {
                let told = self.told.notified();
                let mut told = std::pin::pin!(told);
                told.as_mut().enable();
                if nodes.iter().all(|node| self.ready.lock().contains(node)) {
                    return;
                }
                told.await;
            }
        };
        if timeout(limit, all).await.is_err() {
            tracing::warn!("cluster: not all nodes that were alive lately answered");
        }
    }
}

impl Old {
    fn collections(&self) {
        self.collections.store(true, Ordering::Release);
        self.wake.notify_one();
    }
    fn settings(&self) {
        self.settings.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    async fn read_collections(&self, app: &App) -> Result<()> {
        if self.collections.swap(false, Ordering::AcqRel) {
            app.reload_schema().await.inspect_err(|_| self.collections())?;
        }
        Ok(())
    }
    async fn read_settings(&self, app: &App) -> Result<()> {
        if self.settings.swap(false, Ordering::AcqRel) {
            // who writes raw SQL may have written anything
            app.forget_all_auth();
            settings_ops::reload(app).await.inspect_err(|_| self.settings())?;
        }
        Ok(())
    }
}

/// Reads what is old, a moment after the first news of it.
async fn refresh(app: App, old: Arc<Old>, inbox: mpsc::WeakSender<Vec<Change>>) {
    loop {
        let woken = timeout(Duration::from_secs(60), old.wake.notified()).await;
        if inbox.upgrade().is_none() {
            return;
        }
        if woken.is_err() {
            continue;
        }
        sleep(DEBOUNCE).await;
        let collections = old.read_collections(&app).await;
        let settings = old.read_settings(&app).await;
        if let Err(error) = collections.and(settings) {
            tracing::warn!(%error, "cluster: collections or settings could not be read again");
            sleep(AGAIN).await;
        }
    }
}

/// Tells what other nodes announce, one after the other.
async fn tell_ears(app: App, mut waiting: mpsc::Receiver<Heard>) {
    while let Some(heard) = waiting.recv().await {
        announced::tell(&app, heard).await;
    }
}

/// Shows changes of records to the clients of this node.
async fn deliver(
    app: App,
    cluster: Cluster,
    old: Arc<Old>,
    mut waiting: mpsc::Receiver<Vec<Change>>,
) {
    while let Some(changes) = waiting.recv().await {
        for (at, change) in changes.iter().enumerate() {
            // Its collection may have changed just before.
            let _ = old.read_collections(&app).await;
            let same = |c: &&Change| c.collection == change.collection && c.record == change.record;
            let is_first = change.kept.is_none() || !changes[..at].iter().any(|c| same(&c));
            if let Err(error) = show(&app, &cluster, change, is_first).await {
                tracing::warn!(%error, event = change.event, "cluster: a change is not shown to clients");
            }
        }
    }
}

/// `is_first`: the transaction wrote the record for the first time.
async fn show(app: &App, cluster: &Cluster, change: &Change, is_first: bool) -> Result<()> {
    let found = app.snapshot().find(&change.collection).cloned();
    let Some(collection) = found else { return Ok(()) };
    if collection.is_auth() {
        app.forget_auth(&collection.id, &change.record);
    }
    if !app.realtime().wants(&collection) {
        return Ok(());
    }
    let ctx = Ctx::system(app);
    let action = match change.event.as_str() {
        "record.create" => Action::Create,
        "record.update" => Action::Update,
        "record.delete" => return show_deleted(&ctx, cluster, &collection, change).await,
        _ => return Ok(()),
    };
    // Gone by now: its deletion follows.
    if let Some(record) = find::by_id(&ctx, &collection, &change.record).await? {
        let old = if is_first && action == Action::Update {
            kept_row(&ctx, cluster, &collection, change).await?
        } else {
            None
        };
        let write = Write { old: old.map(Arc::new), ..Write::default() };
        app.realtime().changed(&ctx, &record.into(), action, write).await;
    }
    Ok(())
}

/// The row that the other node has kept.
async fn kept_row(
    ctx: &Ctx,
    cluster: &Cluster,
    collection: &Arc<Loaded>,
    change: &Change,
) -> Result<Option<Record>> {
    let Some(kept) = change.kept else { return Ok(None) };
    let sql = cluster.kept_row(&collection.name, &collection.select, kept);
    find::one(ctx, collection, sql).await
}

async fn show_deleted(
    ctx: &Ctx,
    cluster: &Cluster,
    collection: &Arc<Loaded>,
    change: &Change,
) -> Result<()> {
    let row = kept_row(ctx, cluster, collection, change).await?;
    ctx.app.realtime().deleted_elsewhere(ctx, collection, &change.record, row).await;
    Ok(())
}
