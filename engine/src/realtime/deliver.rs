//! From a committed change to the clients' queues: events are judged one after the other, in the order of their
//! commits, by one task off the request path.
//!
//! Deletions are judged before the row is removed (the request waits for that) and sent after the commit. Those of a
//! transaction are judged by what was there before it; what their messages expand to is read inside.
//! Source: spec records-files-realtime-batch §5.6, §5.7.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::{broker::Broker, judge};
use crate::{
    App,
    app::{Client, Message, Observer, Pushed, Write},
    ctx::Ctx,
    event::Action,
    field::Val,
    hook::BoxFutureRef,
    record::{Record, RecordRef},
    rule::RowState,
    schema::Loaded,
    store::Db,
};

/// What may wait to be judged, in bytes.
const MAX_WAITING: usize = 64 << 20;
/// What an event costs besides its text.
const EVENT_COST: usize = 1024;
/// Longest time a writer waits for room; then the event is lost.
const ROOM_TIME: Duration = Duration::from_secs(2);
/// Longest time a deletion waits to be judged; then its event is lost.
const JUDGE_TIME: Duration = Duration::from_secs(10);
/// Longest time the others wait for clients whose queues are full.
const SLOW_TIME: Duration = Duration::from_millis(200);
/// Longest time a change of subscriptions waits for the events before it.
const SETTLE_TIME: Duration = Duration::from_secs(2);
/// Judged deletions that nobody asked for any more are forgotten after this time.
const PARKED_TIME: Duration = Duration::from_secs(300);

/// Messages of a judged deletion.
pub(super) struct Parked {
    since: Instant,
    messages: Vec<(Arc<Client>, Arc<Message>)>,
}

enum Work {
    /// A change that is final.
    Changed {
        app: App,
        record: Arc<Record>,
        action: Action,
        state: RowState,
        /// What an update found, for those that want to know whether it took the record out of their sight.
        old: Option<Arc<Record>>,
        _room: OwnedSemaphorePermit,
    },
    /// A deletion that is about to happen.
    Deleting {
        app: App,
        record: Arc<Record>,
        state: RowState,
        /// The transaction that deletes it, if it is one.
        inside: Option<Db>,
        done: oneshot::Sender<Vec<(Arc<Client>, Arc<Message>)>>,
        _room: OwnedSemaphorePermit,
    },
    /// An auth record has changed: clients that are signed in with it follow, after the events before it.
    Auth(Auth, OwnedSemaphorePermit),
    /// Somebody waits until everything before has been judged.
    Reached(oneshot::Sender<()>),
    /// A deletion that has happened.
    Deleted { messages: Vec<(Arc<Client>, Arc<Message>)>, _room: OwnedSemaphorePermit },
}

/// What became of an auth record.
enum Auth {
    Changed(Arc<Record>),
    Gone { collection: Arc<Loaded>, id: String },
}

impl Auth {
    fn apply(self, broker: &Broker) {
        match self {
            Self::Changed(record) => broker.auth_changed(&record),
            Self::Gone { collection, id } => broker.auth_deleted(&collection, &id),
        }
    }
}

/// The way to the delivering task. Bounded by bytes.
pub(super) struct Queue {
    work: mpsc::UnboundedSender<Work>,
    room: Arc<Semaphore>,
}

impl Queue {
    /// Starts the task; it ends with the broker.
    pub(super) fn start(broker: &Broker) -> Self {
        let (work, events) = mpsc::unbounded_channel();
        let weak = Arc::downgrade(broker.shared());
        tokio::spawn(async move {
            let mut events = events;
            while let Some(work) = events.recv().await {
                let Some(broker) = weak.upgrade() else { return };
                let broker = Broker::from_shared(broker);
                // Hooks of users run in it: one that panics costs this event, not all later ones.
                if AssertUnwindSafe(run(&broker, work)).catch_unwind().await.is_err() {
                    tracing::error!("realtime: a panic, an event is lost");
                }
            }
        });
        Self { work, room: Arc::new(Semaphore::new(MAX_WAITING)) }
    }

    async fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let permits = u32::try_from((bytes + EVENT_COST).min(MAX_WAITING)).ok()?;
        let room = self.room.clone().acquire_many_owned(permits);
        match tokio::time::timeout(ROOM_TIME, room).await {
            Ok(Ok(room)) => Some(room),
            Ok(Err(_)) | Err(_) => {
                tracing::warn!("realtime: too many events wait, one is lost");
                None
            }
        }
    }
}

async fn run(broker: &Broker, work: Work) {
    match work {
        Work::Changed { app, record, action, state, old, .. } => {
            let old = old.as_ref();
            let event = judge::Event { record: &record, action, state, old, inside: None };
            let mut full = Vec::new();
            let mut send = |client: &Arc<Client>, message: &Arc<Message>| {
                if client.push(message) == Pushed::Full {
                    full.push((client.clone(), message.clone()));
                }
            };
            judge::judge(broker, &app, event, &mut send).await;
            finish(full).await;
        }
        Work::Deleting { app, record, state, inside, done, .. } => {
            let mut messages = Vec::new();
            let mut park = |client: &Arc<Client>, message: &Arc<Message>| {
                messages.push((client.clone(), message.clone()));
            };
            let (action, inside) = (Action::Delete, inside.as_ref());
            let event = judge::Event { record: &record, action, state, old: None, inside };
            judge::judge(broker, &app, event, &mut park).await;
            // the request may have given up
            let _ = done.send(messages);
        }
        Work::Auth(auth, _room) => auth.apply(broker),
        Work::Reached(waiting) => {
            // the request may have given up
            let _ = waiting.send(());
        }
        Work::Deleted { messages, .. } => {
            let full = messages.into_iter().filter(|(c, m)| c.push(m) == Pushed::Full).collect();
            finish(full).await;
        }
    }
}

/// Gives clients with a full queue a moment; those that do not read are dropped.
async fn finish(full: Vec<(Arc<Client>, Arc<Message>)>) {
    if full.is_empty() {
        return;
    }
    let deadline = tokio::time::Instant::now() + SLOW_TIME;
    for (client, message) in full {
        // whoever has no room until then is dropped
        let _ = tokio::time::timeout_at(deadline, client.room()).await;
        client.send(message);
    }
}

fn key(record: &Record) -> (String, String) {
    (record.collection().id.clone(), record.stored_id().to_owned())
}

/// About how many bytes a record holds.
fn weight(record: &Record) -> usize {
    let text = |val: &Val| match val {
        Val::List(items) => items.iter().map(String::len).sum(),
        other => other.as_str().len(),
    };
    record.values().iter().map(text).sum()
}

impl Broker {
    /// Waits until the events announced so far have been judged: clients that change from here on do not get them.
    /// An overloaded queue is not waited for.
    pub async fn settled(&self) {
        let Some(queue) = self.shared().queue.get() else { return };
        let (waiting, reached) = oneshot::channel();
        if queue.work.send(Work::Reached(waiting)).is_ok() {
            // the task only ends with the broker; after the time the client changes all the same
            let _ = tokio::time::timeout(SETTLE_TIME, reached).await;
        }
    }

    async fn judge_deletion(&self, ctx: &Ctx, record: Record) {
        let Some(queue) = self.shared().queue.get() else { return };
        let (key, record) = (key(&record), Arc::new(record));
        let Some(room) = queue.room(weight(&record)).await else { return };
        let (done, messages) = oneshot::channel();
        // Policies of the database would take who deletes for who listens.
        let is_inside = ctx.in_transaction() && !ctx.app.store().data().has_row_security();
        let inside = is_inside.then(|| ctx.db.clone());
        let is_changed = ctx.has_written(&record.collection().id, record.stored_id());
        let state = if is_changed { RowState::Rewritten } else { RowState::Stored };
        let app = ctx.app.clone();
        let work = Work::Deleting { app, record, state, inside, done, _room: room };
        if queue.work.send(work).is_err() {
            return;
        }
        let Ok(Ok(messages)) = tokio::time::timeout(JUDGE_TIME, messages).await else {
            tracing::warn!("realtime: a deletion could not be judged in time, its event is lost");
            return;
        };
        if messages.is_empty() {
            return;
        }
        let mut parked = self.shared().parked.lock();
        parked.retain(|_, parked| parked.since.elapsed() < PARKED_TIME);
        parked.insert(key, Parked { since: Instant::now(), messages });
    }

    async fn announce(&self, ctx: &Ctx, record: Record, action: Action, write: Write) {
        let Some(queue) = self.shared().queue.get() else { return };
        if action == Action::Delete {
            let Some(parked) = self.shared().parked.lock().remove(&key(&record)) else { return };
            let Some(room) = queue.room(0).await else { return };
            let _ = queue.work.send(Work::Deleted { messages: parked.messages, _room: room });
            return;
        }
        let state = if write.is_one_of_several { RowState::Rewritten } else { RowState::Stored };
        self.send_change(ctx, record, action, state, write.old).await;
    }

    /// Clients follow a change of their auth record: in its turn, or at once where too much waits.
    async fn follow(&self, auth: Auth, bytes: usize) {
        let Some(queue) = self.shared().queue.get() else { return auth.apply(self) };
        match queue.room(bytes).await {
            // the task only ends with the broker
            Some(room) => _ = queue.work.send(Work::Auth(auth, room)),
            None => auth.apply(self),
        }
    }

    async fn send_change(
        &self,
        ctx: &Ctx,
        record: Record,
        action: Action,
        state: RowState,
        old: Option<Arc<Record>>,
    ) {
        let Some(queue) = self.shared().queue.get() else { return };
        if !self.has_listeners(record.collection(), record.id()) {
            return;
        }
        let (app, record) = (ctx.app.clone(), Arc::new(record));
        let bytes = weight(&record) + old.as_deref().map_or(0, weight);
        let Some(room) = queue.room(bytes).await else { return };
        // the task only ends with the broker
        let _ = queue.work.send(Work::Changed { app, record, action, state, old, _room: room });
    }

    /// A record was deleted by another node, which has kept its row. Without the row only the clients bound to it notice.
    pub(crate) async fn deleted_elsewhere(
        &self,
        ctx: &Ctx,
        collection: &Arc<Loaded>,
        id: &str,
        row: Option<Record>,
    ) {
        if self.binds(collection) {
            let gone = Auth::Gone { collection: collection.clone(), id: id.to_owned() };
            self.follow(gone, id.len()).await;
        }
        if let Some(record) = row {
            self.send_change(ctx, record, Action::Delete, RowState::Gone, None).await;
        }
    }
}

impl Observer for Broker {
    fn wants(&self, collection: &Loaded) -> bool {
        Self::wants(self, collection)
    }

    fn deleting<'a>(&'a self, ctx: &'a Ctx, record: &'a RecordRef) -> BoxFutureRef<'a, ()> {
        let record = record.lock().fresh_original();
        if !self.has_listeners(record.collection(), record.id()) {
            return Box::pin(std::future::ready(()));
        }
        Box::pin(self.judge_deletion(ctx, record))
    }

    fn delete_failed(&self, record: &RecordRef) {
        let key = key(&record.lock());
        self.shared().parked.lock().remove(&key);
    }

    fn wants_old(&self, collection: &Loaded) -> bool {
        Self::wants_old(self, collection)
    }

    fn changed<'a>(
        &'a self,
        ctx: &'a Ctx,
        record: &'a RecordRef,
        action: Action,
        write: Write,
    ) -> BoxFutureRef<'a, ()> {
        let record = record.lock().fresh();
        Box::pin(async move {
            let collection = record.collection();
            if self.binds(collection) {
                let auth = if action == Action::Delete {
                    let id = record.stored_id().to_owned();
                    Auth::Gone { collection: collection.clone(), id }
                } else {
                    Auth::Changed(Arc::new(record.clone()))
                };
                self.follow(auth, weight(&record)).await;
            }
            self.announce(ctx, record, action, write).await;
        })
    }
}
