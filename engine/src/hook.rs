//! Ordered chains of handlers around a built-in action (spec server-settings-operations §8.1).
//!
//! A chain with nothing bound costs one atomic load: callers ask [`Hook::is_empty`] or [`Hook::has_for`] first and then
//! run the action directly; no event, future or closure is made. Must not know records, collections or HTTP.

use std::{
    fmt,
    future::Future,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::Result;

pub use primitives::future::{BoxFuture, BoxFutureRef};

type Func<P> = dyn Fn(Event<P>) -> BoxFuture<Result<()>> + Send + Sync;
type Last<P> = Box<dyn FnOnce(Event<P>) -> BoxFuture<Result<()>> + Send>;

/// What an event carries. Tags restrict handlers to some events.
pub trait Payload: Send + Sync + 'static {
    /// True if the event has this tag. Events without tags reach every handler.
    fn has_tag(&self, _tag: &str) -> bool {
        true
    }
}

/// What tags of hooks may mean.
pub trait Tagged {
    /// True if a tag means it.
    fn is_tagged(&self, tag: &str) -> bool;
}

/// A handler with its name, order and tags; see [`Hook::bind_handler`].
pub struct Handler<P> {
    id: String,
    priority: i32,
    tags: Vec<String>,
    func: Box<Func<P>>,
}

impl<P: Payload> Handler<P> {
    /// A handler of priority 0 without tags; its id is made up when bound.
    pub fn new<F, Fut>(func: F) -> Self
    where
        F: Fn(Event<P>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        Self {
            id: String::new(),
            priority: 0,
            tags: Vec::new(),
            func: Box::new(move |event| Box::pin(func(event))),
        }
    }
    /// Names it; a later handler of the same name replaces it.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }
    /// Lower runs first (further outside).
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }
    /// Only events that have one of these tags.
    #[must_use]
    pub fn tags<S: Into<String>>(mut self, tags: impl IntoIterator<Item = S>) -> Self {
        self.tags = tags.into_iter().map(Into::into).collect();
        self
    }
    fn wants(&self, payload: &P) -> bool {
        self.tags.is_empty() || self.tags.iter().any(|tag| payload.has_tag(tag))
    }
}

impl<P> fmt::Debug for Handler<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler")
            .field("id", &self.id)
            .field("priority", &self.priority)
            .field("tags", &self.tags)
            .finish_non_exhaustive()
    }
}

/// An ordered list of handlers. Bind and unbind at any time; a running trigger keeps its own snapshot.
pub struct Hook<P> {
    len: AtomicUsize,
    handlers: ArcSwap<Vec<Arc<Handler<P>>>>,
    bind_lock: Mutex<()>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl<P> Default for Hook<P> {
    fn default() -> Self {
        Self {
            len: AtomicUsize::new(0),
            handlers: ArcSwap::from_pointee(Vec::new()),
            bind_lock: Mutex::new(()),
        }
    }
}

impl<P> fmt::Debug for Hook<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").field("len", &self.len).finish_non_exhaustive()
    }
}

impl<P: Payload> Hook<P> {
    /// Adds a handler for all events; returns its id.
    pub fn bind<F, Fut>(&self, func: F) -> String
    where
        F: Fn(Event<P>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.bind_handler(Handler::new(func))
    }

    /// Adds a handler, or replaces the one of the same id in its place; returns the id.
    pub fn bind_handler(&self, mut handler: Handler<P>) -> String {
        if handler.id.is_empty() {
            handler.id = format!("h{}", NEXT_ID.fetch_add(1, Ordering::Relaxed));
        }
        let id = handler.id.clone();
        self.change(|list| {
            let handler = Arc::new(handler);
            match list.iter_mut().find(|h| h.id == handler.id) {
                Some(slot) => *slot = handler,
                None => list.push(handler),
            }
            list.sort_by_key(|h| h.priority);
        });
        id
    }

    /// Removes handlers by id.
    pub fn unbind(&self, ids: &[&str]) {
        self.change(|list| list.retain(|h| !ids.contains(&h.id.as_str())));
    }

    /// Removes every handler.
    pub fn unbind_all(&self) {
        self.change(Vec::clear);
    }

    fn change(&self, edit: impl FnOnce(&mut Vec<Arc<Handler<P>>>)) {
        let _guard = self.bind_lock.lock();
        let mut list = Vec::clone(&self.handlers.load());
        edit(&mut list);
        self.len.store(list.len(), Ordering::Release);
        self.handlers.store(Arc::new(list));
    }

    /// Number of handlers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// True if nothing is bound: one atomic load.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if a handler would run for an event with the tags that `has_tag` knows.
    #[inline]
    pub fn has_for(&self, has_tag: impl Fn(&str) -> bool) -> bool {
        !self.is_empty()
            && self
                .handlers
                .load()
                .iter()
                .any(|h| h.tags.is_empty() || h.tags.iter().any(|tag| has_tag(tag)))
    }

    /// True if a handler would run for events about this.
    #[inline]
    pub fn is_bound_to(&self, what: &impl Tagged) -> bool {
        self.has_for(|tag| what.is_tagged(tag))
    }

    /// Runs the handlers around `last`. A handler that returns without calling `next()` skips the rest with success.
    ///
    /// # Errors
    /// The first error of a handler or of `last`, as the outer handlers let it through.
    pub async fn trigger<F, Fut>(&self, payload: P, last: F) -> Result<()>
    where
        F: FnOnce(Event<P>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.trigger_shared(Arc::new(payload), last).await
    }

    /// [`Hook::trigger`] for a payload that the caller wants to look at afterwards.
    ///
    /// # Errors
    /// As [`Hook::trigger`].
    pub async fn trigger_shared<F, Fut>(&self, payload: Arc<P>, last: F) -> Result<()>
    where
        F: FnOnce(Event<P>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let handlers = self.handlers.load_full();
        let last: Last<P> = Box::new(move |event| Box::pin(last(event)));
        let chain = Chain { handlers, at: 0, last: Arc::new(Mutex::new(Some(last))) };
        Event { payload, chain }.next().await
    }
}

struct Chain<P> {
    handlers: Arc<Vec<Arc<Handler<P>>>>,
    at: usize,
    last: Arc<Mutex<Option<Last<P>>>>,
}

/// One event on its way through a chain: derefs to the payload; cheap to clone.
pub struct Event<P> {
    payload: Arc<P>,
    chain: Chain<P>,
}

impl<P> Clone for Event<P> {
    fn clone(&self) -> Self {
        Self {
            payload: self.payload.clone(),
            chain: Chain {
                handlers: self.chain.handlers.clone(),
                at: self.chain.at,
                last: self.chain.last.clone(),
            },
        }
    }
}

impl<P> Deref for Event<P> {
    type Target = P;
    fn deref(&self) -> &P {
        &self.payload
    }
}

impl<P: fmt::Debug> fmt::Debug for Event<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Event").field(&self.payload).finish()
    }
}

impl<P: Payload> Event<P> {
    /// Continues with the next handler, at the end with the built-in action. A second call after the end is a no-op.
    ///
    /// # Errors
    /// What the rest of the chain reports.
    #[must_use = "without next() the built-in action does not run"]
    pub fn next(&self) -> BoxFuture<Result<()>> {
        let handlers = &self.chain.handlers;
        for at in self.chain.at..handlers.len() {
            let handler = &handlers[at];
            if handler.wants(&self.payload) {
                let mut event = self.clone();
                event.chain.at = at + 1;
                return (handler.func)(event);
            }
        }
        let last = self.chain.last.lock().take();
        match last {
            Some(last) => {
                let mut event = self.clone();
                event.chain.at = handlers.len();
                last(event)
            }
            None => Box::pin(std::future::ready(Ok(()))),
        }
    }

    /// The payload, to keep.
    #[must_use]
    pub fn payload(&self) -> Arc<P> {
        self.payload.clone()
    }
}

/// A value of an event that handlers may replace.
#[derive(Default)]
pub struct Slot<T>(Mutex<T>);

impl<T> Slot<T> {
    /// A slot with a first value.
    pub fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }
    /// Replaces the value and returns the old one.
    pub fn set(&self, value: T) -> T {
        std::mem::replace(&mut *self.0.lock(), value)
    }
    /// Runs `f` on the value.
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.0.lock())
    }
}

impl<T: Clone> Slot<T> {
    /// A copy of the value.
    pub fn get(&self) -> T {
        self.0.lock().clone()
    }
}

impl<T: fmt::Debug> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.try_lock() {
            Some(value) => value.fmt(f),
            None => f.write_str("<locked>"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[derive(Debug, Default)]
    struct Words {
        tag: &'static str,
        said: Slot<Vec<String>>,
    }
    impl Payload for Words {
        fn has_tag(&self, tag: &str) -> bool {
            tag == self.tag
        }
    }

    fn say(word: &'static str, go_on: bool) -> Handler<Words> {
        Handler::new(move |e: Event<Words>| async move {
            e.said.with(|s| s.push(format!("{word}>")));
            if !go_on {
                return Ok(());
            }
            e.next().await?;
            e.said.with(|s| s.push(format!("<{word}")));
            Ok(())
        })
    }

    async fn run(hook: &Hook<Words>, tag: &'static str, fail: bool) -> (String, bool) {
        let words = Arc::new(Words { tag, said: Slot::default() });
        let out = hook
            .trigger_shared(words.clone(), move |e| async move {
                e.said.with(|s| s.push("last".into()));
                if fail { Err(Error::NotFound) } else { Ok(()) }
            })
            .await;
        (words.said.get().join(" "), out.is_ok())
    }

    #[tokio::test]
    async fn order_tags_replace_and_skip() {
        let hook = Hook::default();
        assert!(hook.is_empty());
        assert_eq!(run(&hook, "", false).await, ("last".into(), true));
        hook.bind_handler(say("b", true).id("b"));
        hook.bind_handler(say("a", true).priority(-1));
        hook.bind_handler(say("t", true).priority(-9).tags(["x"]));
        assert_eq!(run(&hook, "", false).await.0, "a> b> last <b <a");
        assert_eq!(run(&hook, "x", false).await.0, "t> a> b> last <b <a <t");
        assert_eq!(run(&hook, "", true).await, ("a> b> last".into(), false));
        hook.bind_handler(say("stop", false).id("b"));
        assert_eq!(hook.len(), 3);
        assert_eq!(run(&hook, "", false).await, ("a> stop> <a".into(), true));
        hook.unbind(&["b"]);
        assert_eq!(run(&hook, "", false).await.0, "a> last <a");
        hook.unbind_all();
        assert!(hook.is_empty());
    }

    #[tokio::test]
    async fn has_for_asks_for_tags() {
        let hook = Hook::default();
        hook.bind_handler(say("t", true).tags(["posts"]));
        assert!(hook.has_for(|tag| tag == "posts"));
        assert!(!hook.has_for(|tag| tag == "users"));
    }
}
