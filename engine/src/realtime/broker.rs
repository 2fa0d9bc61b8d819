//! The broker: connected clients and what they listen to. What `app.subscriptionsBroker()` is in the reference.
//!
//! Without clients it holds nothing and costs writers one atomic load.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use super::{
    deliver::{Parked, Queue},
    index::{Index, Listeners},
    leaving::Leaving,
};
use crate::{
    app::{Client, Keeper, Message},
    record::Record,
    schema::{Loaded, Snapshot},
};

/// Picks parts of a record's JSON (`fields`); `None` leaves it whole.
pub type Pick = fn(&str, &[u8]) -> Option<Vec<u8>>;

/// Connected clients. Cheap to clone.
#[derive(Clone, Default)]
pub struct Broker(Arc<Shared>);

#[derive(Default)]
pub(super) struct Shared {
    index: RwLock<Index>,
    /// False while nobody listens and nobody is bound: what writers ask.
    is_wanted: AtomicBool,
    is_closed: AtomicBool,
    next: AtomicU64,
    pub(super) leaving: Leaving,
    pub(super) pick: OnceLock<Pick>,
    pub(super) queue: OnceLock<Queue>,
    /// Judged deletions by collection and record.
    pub(super) parked: Mutex<HashMap<(String, String), Parked>>,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("n_clients", &self.total_clients()).finish_non_exhaustive()
    }
}

impl Broker {
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
    pub(super) fn from_shared(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// A client that is not registered yet.
    #[must_use]
    pub fn new_client(&self, ip: IpAddr) -> Arc<Client> {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        Arc::new(Client::new(ip, number, Arc::downgrade(&self.0) as Weak<dyn Keeper>))
    }
    /// Makes a client known. Must be called on a runtime.
    pub fn register(&self, client: &Arc<Client>) {
        self.0.queue.get_or_init(|| Queue::start(self));
        self.0.index.write().clients.insert(client.id().into(), client.clone());
        if self.0.is_closed.load(Ordering::Acquire) {
            client.discard();
        }
    }
    /// Forgets a client and ends it.
    pub fn unregister(&self, client: &Arc<Client>) {
        {
            let mut index = self.0.index.write();
            index.clients.remove(client.id());
            let mut state = client.state();
            for topic in std::mem::take(&mut state.topics) {
                index.remove(client, &topic);
            }
            if let Some(auth) = state.auth.take() {
                index.unbind(client, &auth);
            }
            drop(state);
            self.0.note(&index);
        }
        client.gone();
    }

    /// A connected client.
    #[must_use]
    pub fn client(&self, id: &str) -> Option<Arc<Client>> {
        self.0.index.read().clients.get(id).cloned()
    }
    /// All connected clients.
    #[must_use]
    pub fn clients(&self) -> Vec<Arc<Client>> {
        self.0.index.read().clients.values().cloned().collect()
    }
    /// How many are connected.
    #[must_use]
    pub fn total_clients(&self) -> usize {
        self.0.index.read().clients.len()
    }
    /// All connected clients in portions.
    #[must_use]
    pub fn chunked_clients(&self, size: usize) -> Vec<Vec<Arc<Client>>> {
        self.clients().chunks(size.max(1)).map(<[_]>::to_vec).collect()
    }

    /// Sends data to everyone who subscribed to a topic; options do not matter. The event has the name that each
    /// client knows it by.
    pub fn publish(&self, topic: &str, data: impl AsRef<[u8]>) {
        let audience = self.0.index.read().audience(topic);
        for (topic, clients) in audience {
            let message = Arc::new(Message::new(topic.text().clone(), data.as_ref()));
            for client in clients {
                client.send(message.clone());
            }
        }
    }

    /// Sets how `fields` is applied; only the first call counts.
    pub fn set_pick(&self, pick: Pick) {
        let _ = self.0.pick.set(pick);
    }

    /// The server stops: ends all streams and those to come.
    pub fn close(&self) {
        self.0.is_closed.store(true, Ordering::Release);
        for client in self.clients() {
            client.discard();
        }
    }

    /// Collections changed: clients of collections that are gone or that have another token secret become guests.
    pub(crate) fn schema_changed(&self, schema: &Snapshot) {
        if !self.0.is_wanted() {
            return;
        }
        let bound = self.0.index.read().all_bound();
        for client in bound {
            let Some(auth) = client.auth() else { continue };
            let before = auth.collection();
            let is_same = schema.by_id(&before.id).is_some_and(|now| {
                now.is_auth() && now.auth.auth_token.secret == before.auth.auth_token.secret
            });
            if !is_same {
                client.set_auth(None);
            }
        }
    }

    /// An auth record has a new state: its clients get it, unless their tokens are no longer valid.
    pub(super) fn auth_changed(&self, record: &Arc<Record>) {
        for client in self.bound_to(record.collection(), record.id()) {
            let is_valid = client.auth().is_some_and(|old| old.token_key() == record.token_key());
            client.set_auth(is_valid.then(|| record.clone()));
        }
    }
    /// An auth record is gone: its clients become guests.
    pub(super) fn auth_deleted(&self, collection: &Loaded, id: &str) {
        for client in self.bound_to(collection, id) {
            client.set_auth(None);
        }
    }
    fn bound_to(&self, collection: &Loaded, id: &str) -> Vec<Arc<Client>> {
        self.0.index.read().bound_to(&collection.id, id)
    }

    pub(super) fn wants(&self, collection: &Loaded) -> bool {
        self.0.is_wanted() && {
            let index = self.0.index.read();
            index.concerns(collection) || (collection.is_auth() && index.binds(&collection.id))
        }
    }
    pub(super) fn wants_old(&self, collection: &Loaded) -> bool {
        self.0.leaving.is_wanted.load(Ordering::Acquire)
            && self.0.index.read().concerns_leaving(collection)
    }
    pub(super) fn binds(&self, collection: &Loaded) -> bool {
        collection.is_auth() && self.0.index.read().binds(&collection.id)
    }
    /// True if somebody listens to this record.
    pub(super) fn has_listeners(&self, collection: &Loaded, id: &str) -> bool {
        self.0.index.read().groups(collection, id).next().is_some()
    }
    pub(super) fn listeners(&self, collection: &Loaded, id: &str) -> Vec<Listeners> {
        self.0.index.read().listeners(collection, id)
    }
}

impl Shared {
    fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Acquire)
    }
    fn note(&self, index: &Index) {
        self.is_wanted.store(!index.is_silent() || !index.is_unbound(), Ordering::Release);
        let is_leaving = index.wants_leaving();
        if self.leaving.is_wanted.swap(is_leaving, Ordering::AcqRel) || is_leaving {
            self.leaving.changed.notify_one();
        }
    }
    pub(super) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read()
    }
}

/// Lock order: index, then client.
impl Keeper for Shared {
    fn subscribe(
        &self,
        client: &Arc<Client>,
        topics: &mut dyn Iterator<Item = &str>,
        replace: bool,
    ) {
        let mut index = self.index.write();
        if client.is_discarded() {
            return;
        }
        let mut state = client.state();
        let mut old = if replace { std::mem::take(&mut state.topics) } else { Vec::new() };
        for text in topics.filter(|text| !text.is_empty()) {
            if state.topics.iter().any(|topic| &**topic.text() == text) {
                continue;
            }
            if let Some(at) = old.iter().position(|topic| &**topic.text() == text) {
                let topic = old.swap_remove(at);
                state.topics.push(topic);
            } else {
                let topic = index.add(client, text);
                state.topics.push(topic);
            }
        }
        for topic in old {
            index.remove(client, &topic);
        }
        drop(state);
        self.note(&index);
    }

    fn unsubscribe(&self, client: &Arc<Client>, topics: &mut dyn Iterator<Item = &str>) {
        let mut index = self.index.write();
        let mut state = client.state();
        let out: Vec<&str> = topics.collect();
        let (gone, kept) = std::mem::take(&mut state.topics)
            .into_iter()
            .partition(|topic| out.is_empty() || out.contains(&&**topic.text()));
        state.topics = kept;
        let gone: Vec<_> = gone;
        for topic in gone {
            index.remove(client, &topic);
        }
        drop(state);
        self.note(&index);
    }

    fn set_auth(&self, client: &Arc<Client>, auth: Option<Arc<Record>>) {
        let mut index = self.index.write();
        if client.is_discarded() {
            return;
        }
        let mut state = client.state();
        if let Some(old) = state.auth.take() {
            index.unbind(client, &old);
        }
        if let Some(new) = &auth {
            index.bind(client, new);
        }
        state.auth = auth;
        drop(state);
        self.note(&index);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::Ipv4Addr,
        task::{Context, Poll, Waker},
    };

    use super::*;

    fn names(client: &Client) -> Vec<String> {
        let mut cx = Context::from_waker(Waker::noop());
        match client.poll_take(&mut cx, 100, 1 << 20) {
            Poll::Ready(Some(messages)) => messages.iter().map(|m| m.name().to_string()).collect(),
            _ => Vec::new(),
        }
    }

    #[tokio::test]
    async fn topics_of_clients() {
        let broker = Broker::default();
        let [a, b] = [1, 2].map(|_| broker.new_client(Ipv4Addr::LOCALHOST.into()));
        broker.register(&a);
        broker.register(&b);
        assert_eq!(broker.total_clients(), 2);
        assert_eq!(broker.chunked_clients(1).len(), 2);
        a.set_subscriptions(&["x", "", "x", "y?options={}"]);
        b.subscribe(&["x?a"]);
        broker.publish("x", "1");
        broker.publish("y", "2");
        broker.publish("z", "3");
        assert_eq!(names(&a), ["x", "y?options={}"]);
        assert_eq!(names(&b), ["x?a"]);
        assert_eq!(a.subscriptions(&["y?"]).len(), 1);
        assert!(a.has_subscription("x") && !b.has_subscription("x"));
        a.set_subscriptions(&["y"]);
        b.unsubscribe::<&str>(&[]);
        broker.publish("x", "1");
        broker.publish("y", "2");
        assert_eq!((names(&a), names(&b)), (vec!["y".to_owned()], vec![]));
        assert!(broker.0.is_wanted());
        broker.unregister(&a);
        assert!(!broker.0.is_wanted());
        assert!(a.is_discarded() && broker.client(a.id()).is_none());
        a.subscribe(&["x"]);
        assert!(!broker.0.is_wanted(), "an ended client listens to nothing");
        broker.close();
        assert!(b.is_discarded());
        let late = broker.new_client(Ipv4Addr::LOCALHOST.into());
        broker.register(&late);
        assert!(late.is_discarded());
    }
}
