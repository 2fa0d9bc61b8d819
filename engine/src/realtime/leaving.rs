//! Which collections have subscribers that want to hear of records that an update takes out of sight: here, so that this
//! node tells the others, and on other nodes, so that what it updates is kept for them. Must not know how nodes talk.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::broker::Broker;
use crate::schema::Loaded;

/// What a node said counts so long; it says so again while it is true.
const LASTS: Duration = Duration::from_secs(20);

#[derive(Debug, Default)]
pub(super) struct Leaving {
    /// True while a subscriber of this node wants it.
    pub(super) is_wanted: AtomicBool,
    /// Told when that may have changed.
    pub(super) changed: Notify,
    is_wanted_elsewhere: AtomicBool,
    /// Names and ids of collections, and when they were told, by node.
    elsewhere: Mutex<HashMap<String, (Instant, Vec<String>)>>,
}

impl Broker {
    /// Collections, by name or id, whose records subscribers of this node want to know of when they leave.
    pub(crate) fn leaves(&self) -> Vec<String> {
        if !self.shared().leaving.is_wanted.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.shared().index().leaves().iter().map(|name| (**name).to_owned()).collect()
    }
    /// Waits until [`leaves`](Self::leaves) may have changed.
    pub(crate) async fn leaves_changed(&self) {
        self.shared().leaving.changed.notified().await;
    }

    /// What another node said its subscribers want.
    pub(crate) fn leaves_elsewhere(&self, node: String, names: Vec<String>) {
        let leaving = &self.shared().leaving;
        let mut elsewhere = leaving.elsewhere.lock();
        if names.is_empty() {
            elsewhere.remove(&node);
        } else {
            elsewhere.insert(node, (Instant::now(), names));
        }
        elsewhere.retain(|_, (told, _)| told.elapsed() < LASTS);
        leaving.is_wanted_elsewhere.store(!elsewhere.is_empty(), Ordering::Release);
    }
    /// True if subscribers of another node want to know of records of this collection that leave.
    pub(crate) fn wants_old_elsewhere(&self, collection: &Loaded) -> bool {
        let leaving = &self.shared().leaving;
        leaving.is_wanted_elsewhere.load(Ordering::Acquire)
            && leaving.elsewhere.lock().values().any(|(told, names)| {
                let is_named = |name: &String| *name == collection.name || *name == collection.id;
                told.elapsed() < LASTS && names.iter().any(is_named)
            })
    }
}
