//! What is registered: topics with their handlers, how many of a topic may run at once, and for how long.
//!
//! Must not know when jobs are done.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use pocketbase::{App, Error, Result};
use std::{future::Future, pin::Pin};

use crate::job::Job;

type Done = Pin<Box<dyn Future<Output = Result<()>> + Send>>;
pub(crate) type Handler = Arc<dyn Fn(App, Job) -> Done + Send + Sync>;

/// How the jobs of a topic are done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicOptions {
    /// Most jobs of the topic that this node does at once; 0 means as many as there are workers.
    pub concurrency: usize,
    /// How long an attempt may take; then it has failed. None means as long as it likes.
    pub deadline: Option<Duration>,
}

impl TopicOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// See the field.
    #[must_use]
    pub fn concurrency(mut self, n: usize) -> Self {
        self.concurrency = n;
        self
    }
    /// See the field.
    #[must_use]
    pub fn deadline(mut self, time: Duration) -> Self {
        self.deadline = Some(time);
        self
    }
}

/// A registered topic.
#[derive(Clone)]
pub(crate) struct Topic {
    pub(crate) handler: Handler,
    pub(crate) options: TopicOptions,
    running: usize,
}

/// The topics of an app.
#[derive(Default)]
pub(crate) struct Topics(Mutex<BTreeMap<String, Topic>>);

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.lock().keys()).finish()
    }
}

/// Most topics of a node: a claim names them all.
const MOST: usize = 200;

impl Topics {
    pub(crate) fn register(
        &self,
        topic: &str,
        options: TopicOptions,
        handler: Handler,
    ) -> Result<()> {
        let refuse = |text: &str| Err(Error::Message(text.into()));
        let mut topics = self.0.lock();
        if topic.is_empty() {
            return refuse("topic cannot be empty");
        }
        if topics.contains_key(topic) {
            return refuse("topic already registered");
        }
        if topics.len() >= MOST {
            return refuse("too many topics");
        }
        topics.insert(topic.to_owned(), Topic { handler, options, running: 0 });
        Ok(())
    }
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.lock().keys().cloned().collect()
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
    /// The topics that may take jobs now, and at most how many.
    pub(crate) fn open(&self, free: usize) -> Vec<(String, usize)> {
        let topics = self.0.lock();
        let room = |topic: &Topic| match topic.options.concurrency {
            0 => free,
            most => free.min(most.saturating_sub(topic.running)),
        };
        let all = topics.iter().map(|(name, topic)| (name.clone(), room(topic)));
        all.filter(|(_, n)| *n > 0).collect()
    }
    /// A job of a topic begins.
    pub(crate) fn begin(&self, topic: &str) -> Option<Topic> {
        let mut topics = self.0.lock();
        let topic = topics.get_mut(topic)?;
        topic.running += 1;
        Some(topic.clone())
    }
    /// A job of a topic has ended.
    pub(crate) fn end(&self, topic: &str) {
        if let Some(topic) = self.0.lock().get_mut(topic) {
            topic.running = topic.running.saturating_sub(1);
        }
    }
}
