//! A connected client: who it is, what it listens to, and the bounded queue of what it has not read yet.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    net::IpAddr,
    sync::{
        Arc, Weak,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::sync::Notify;

use super::{
    broker::Shared,
    topic::{Options, Topic},
};
use crate::{
    ctx::Caller,
    id,
    record::Record,
    time::{self, Timestamp},
};

/// Characters of client ids.
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const ID_LEN: usize = 40;
/// Most messages that wait for one client.
const MAX_QUEUED: usize = 8192;
/// Most bytes that wait for one client.
const MAX_QUEUED_BYTES: usize = 16 << 20;

/// One event of the stream, ready to be sent but for the line with the client's id. Shared by all who get it.
#[derive(Debug, Clone)]
pub struct Message {
    name: Arc<str>,
    data: Bytes,
    tail: Bytes,
}

impl Message {
    /// An event of a name with data (usually JSON text).
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, data: impl AsRef<[u8]>) -> Self {
        Self::build(name.into(), data.as_ref())
    }
    fn build(name: Arc<str>, data: &[u8]) -> Self {
        let mut tail = Vec::with_capacity(name.len() + data.len() + 16);
        tail.extend_from_slice(b"event:");
        tail.extend_from_slice(name.as_bytes());
        tail.extend_from_slice(b"\ndata:");
        let start = tail.len();
        tail.extend_from_slice(data);
        tail.extend_from_slice(b"\n\n");
        let tail = Bytes::from(tail);
        Self { name, data: tail.slice(start..start + data.len()), tail }
    }
    /// The name of the event: a subscription as the client spelled it.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }
    /// The data.
    #[must_use]
    pub fn data(&self) -> &Bytes {
        &self.data
    }
    /// The event as sent, after the `id:` line.
    #[must_use]
    pub fn tail(&self) -> &Bytes {
        &self.tail
    }
}

/// How a client came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Its stream was closed.
    Gone,
    /// It stopped reading; whoever owns the socket should close it.
    Stalled,
}

const DISCARDED: u8 = 1;
const STALLED: u8 = 2;
const GONE: u8 = 4;

/// A connected client.
pub struct Client {
    id: Box<str>,
    ip: IpAddr,
    number: u64,
    connected: Timestamp,
    sent: AtomicU64,
    flags: AtomicU8,
    state: Mutex<State>,
    /// Told when the queue has become short, and when the client ends.
    changed: Notify,
    broker: Weak<Shared>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) auth: Option<Arc<Record>>,
    pub(super) topics: Vec<Arc<Topic>>,
    values: Map<String, Value>,
    queue: VecDeque<Arc<Message>>,
    queued_bytes: usize,
    waker: Option<Waker>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Client {
    pub(super) fn new(ip: IpAddr, number: u64, broker: Weak<Shared>) -> Self {
        Self {
            id: id::random(ID_LEN, ALPHABET).into(),
            ip,
            number,
            connected: time::now(),
            sent: AtomicU64::new(0),
            flags: AtomicU8::new(0),
            state: Mutex::default(),
            changed: Notify::new(),
            broker,
        }
    }

    /// 40 letters and digits; knowing it is what allows to subscribe.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
    /// From where it connected.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.ip
    }
    /// When it connected.
    #[must_use]
    pub fn connected(&self) -> Timestamp {
        self.connected
    }
    /// How many messages it was given.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
    pub(super) fn number(&self) -> u64 {
        self.number
    }
    pub(super) fn state(&self) -> parking_lot::MutexGuard<'_, State> {
        self.state.lock()
    }

    /// The auth record it is bound to.
    #[must_use]
    pub fn auth(&self) -> Option<Arc<Record>> {
        self.state.lock().auth.clone()
    }
    /// The same as a caller.
    #[must_use]
    pub fn caller(&self) -> Caller {
        Caller::of(self.auth())
    }
    /// Binds it to an auth record, or to none.
    pub fn set_auth(self: &Arc<Self>, auth: Option<Arc<Record>>) {
        match self.broker.upgrade() {
            Some(broker) => broker.set_auth(self, auth),
            None => self.state.lock().auth = auth,
        }
    }

    /// A value that code left with [`Client::set`].
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value> {
        self.state.lock().values.get(key).cloned()
    }
    /// Leaves a value for other code.
    pub fn set(&self, key: &str, value: impl Into<Value>) {
        self.state.lock().values.insert(key.to_owned(), value.into());
    }
    /// Removes a value.
    pub fn unset(&self, key: &str) {
        self.state.lock().values.remove(key);
    }

    /// What it listens to with the options, restricted to topics that begin with one of the prefixes (`posts/*?`).
    #[must_use]
    pub fn subscriptions(&self, prefixes: &[&str]) -> BTreeMap<String, Arc<Options>> {
        let matches = |text: &str| {
            let text = format!("{text}?");
            prefixes.is_empty() || prefixes.iter().any(|prefix| text.starts_with(prefix))
        };
        let state = self.state.lock();
        let wanted = state.topics.iter().filter(|topic| matches(topic.text()));
        wanted.map(|topic| (topic.text().to_string(), topic.options().clone())).collect()
    }
    /// True if exactly this topic was subscribed to, options included.
    #[must_use]
    pub fn has_subscription(&self, topic: &str) -> bool {
        self.state.lock().topics.iter().any(|t| &**t.text() == topic)
    }
    /// Adds topics; empty ones are skipped.
    pub fn subscribe<S: AsRef<str>>(self: &Arc<Self>, topics: &[S]) {
        if let Some(broker) = self.broker.upgrade() {
            broker.subscribe(self, topics.iter().map(AsRef::as_ref), false);
        }
    }
    /// Replaces all topics.
    pub fn set_subscriptions<S: AsRef<str>>(self: &Arc<Self>, topics: &[S]) {
        if let Some(broker) = self.broker.upgrade() {
            broker.subscribe(self, topics.iter().map(AsRef::as_ref), true);
        }
    }
    /// Removes topics; without any, all of them.
    pub fn unsubscribe<S: AsRef<str>>(self: &Arc<Self>, topics: &[S]) {
        if let Some(broker) = self.broker.upgrade() {
            broker.unsubscribe(self, topics.iter().map(AsRef::as_ref));
        }
    }

    /// Sends a message, whatever the client listens to. A client that is gone gets nothing; one that does not read
    /// is dropped.
    pub fn send(&self, message: impl Into<Arc<Message>>) {
        if self.push(&message.into()) == Pushed::Full {
            self.drop_stalled();
        }
    }

    pub(super) fn push(&self, message: &Arc<Message>) -> Pushed {
        if self.is_discarded() {
            return Pushed::Gone;
        }
        let waker = {
            let mut state = self.state.lock();
            let bytes = state.queued_bytes + message.tail.len();
            // one message always fits
            if state.queue.len() >= MAX_QUEUED
                || (bytes > MAX_QUEUED_BYTES && !state.queue.is_empty())
            {
                return Pushed::Full;
            }
            state.queued_bytes = bytes;
            state.queue.push_back(message.clone());
            self.sent.fetch_add(1, Ordering::Relaxed);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Pushed::Queued
    }

    /// Waits until the queue is short, or the client has ended.
    pub(super) async fn room(&self) {
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            let is_short = {
                let state = self.state.lock();
                state.queue.len() <= MAX_QUEUED / 2 && state.queued_bytes <= MAX_QUEUED_BYTES / 2
            };
            if is_short || self.is_discarded() {
                return;
            }
            changed.await;
        }
    }

    /// Takes waiting messages: at least one, about `max_bytes` at most. `None` after [`Client::discard`].
    pub fn poll_take(
        &self,
        cx: &mut Context<'_>,
        max: usize,
        max_bytes: usize,
    ) -> Poll<Option<Vec<Arc<Message>>>> {
        if self.is_discarded() {
            return Poll::Ready(None);
        }
        let mut state = self.state.lock();
        if state.queue.is_empty() {
            state.waker = Some(cx.waker().clone());
            drop(state);
            // discarded meanwhile: the waker may have been missed
            return if self.is_discarded() { Poll::Ready(None) } else { Poll::Pending };
        }
        let (mut taken, mut bytes) = (Vec::new(), 0);
        let was_long =
            state.queue.len() > MAX_QUEUED / 2 || state.queued_bytes > MAX_QUEUED_BYTES / 2;
        while taken.len() < max && (taken.is_empty() || bytes < max_bytes) {
            let Some(message) = state.queue.pop_front() else { break };
            bytes += message.tail.len();
            taken.push(message);
        }
        state.queued_bytes -= bytes;
        if state.queue.is_empty() && state.queue.capacity() > 64 {
            state.queue = VecDeque::new();
        }
        drop(state);
        if was_long {
            self.changed.notify_waiters();
        }
        Poll::Ready(Some(taken))
    }

    /// Ends it: no further messages, the stream closes.
    pub fn discard(&self) {
        self.end(DISCARDED);
    }
    /// True after the end.
    #[must_use]
    pub fn is_discarded(&self) -> bool {
        self.flags.load(Ordering::Acquire) & DISCARDED != 0
    }
    /// Its stream was dropped.
    pub(super) fn gone(&self) {
        self.end(DISCARDED | GONE);
    }
    pub(super) fn drop_stalled(&self) {
        let before = self.end(DISCARDED | STALLED);
        if before & DISCARDED == 0 {
            tracing::warn!(client = self.number, "realtime: dropped a client that does not read");
        }
    }
    fn end(&self, flags: u8) -> u8 {
        let before = self.flags.fetch_or(flags, Ordering::AcqRel);
        let waker = {
            let mut state = self.state.lock();
            (state.queue, state.queued_bytes) = (VecDeque::new(), 0);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        self.changed.notify_waiters();
        before
    }

    /// Waits until the stream is closed or the client has stopped reading.
    pub async fn ended(&self) -> Ended {
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            let flags = self.flags.load(Ordering::Acquire);
            if flags & GONE != 0 {
                return Ended::Gone;
            }
            if flags & STALLED != 0 {
                return Ended::Stalled;
            }
            changed.await;
        }
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    Queued,
    Full,
    Gone,
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn client() -> Arc<Client> {
        Arc::new(Client::new(Ipv4Addr::LOCALHOST.into(), 1, Weak::new()))
    }

    fn take(client: &Client) -> Poll<Option<Vec<Arc<Message>>>> {
        client.poll_take(&mut Context::from_waker(Waker::noop()), 100, 1000)
    }

    #[test]
    fn message_text() {
        let message = Message::new("posts/*?a", br#"{"a":1}"#);
        assert_eq!(&message.tail()[..], b"event:posts/*?a\ndata:{\"a\":1}\n\n");
        assert_eq!(&message.data()[..], br#"{"a":1}"#);
    }

    #[test]
    fn queue() {
        let client = client();
        assert_eq!(client.id().len(), 40);
        assert!(take(&client).is_pending());
        for _ in 0..150 {
            client.send(Message::new("a", b"x"));
        }
        // 16 bytes each: a take ends with the message that reaches 1,000 bytes
        for want in [63, 63, 24] {
            assert!(matches!(take(&client), Poll::Ready(Some(m)) if m.len() == want), "{want}");
        }
        assert!(take(&client).is_pending());
        client.discard();
        assert!(matches!(take(&client), Poll::Ready(None)));
        assert_eq!(client.push(&Arc::new(Message::new("a", b"x"))), Pushed::Gone);
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_ends() {
        let client = client();
        let message = Arc::new(Message::new("a", vec![b'x'; 1 << 20]));
        let mut queued = 0;
        while client.push(&message) == Pushed::Queued {
            queued += 1;
        }
        assert!(queued <= 16, "bounded by bytes");
        client.send(message);
        assert!(client.is_discarded());
        assert_eq!(client.ended().await, Ended::Stalled);
    }
}
