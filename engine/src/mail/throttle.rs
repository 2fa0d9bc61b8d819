//! Who got which mail lately: keys in memory, forgotten after two minutes (spec auth §3.7, §3.8).
//!
//! Bounded: with very many keys the oldest go first, which only means one more mail.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use quick_cache::sync::Cache;

use crate::record::Record;

/// How long no second mail of a kind goes to a record.
const WINDOW: Duration = Duration::from_secs(120);
const MAX_KEYS: usize = 20_000;

/// The mails of the last two minutes by kind and record.
pub struct Throttle {
    sent: Cache<String, Instant>,
    reserving: Mutex<()>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { sent: Cache::new(MAX_KEYS), reserving: Mutex::default() }
    }
}

impl std::fmt::Debug for Throttle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Throttle").field("keys", &self.sent.len()).finish()
    }
}

impl Throttle {
    /// The key of one kind of mail to one record.
    #[must_use]
    pub fn key(kind: &str, record: &Record) -> String {
        format!("{kind}:{}:{}", record.collection().id, record.id())
    }

    /// True if the last mail is less than two minutes ago.
    #[must_use]
    pub fn is_set(&self, key: &str) -> bool {
        self.sent.get(key).is_some_and(|at| at.elapsed() < WINDOW)
    }

    /// Starts the two minutes unless they run already; of two callers at once one gets `true`.
    #[must_use]
    pub fn reserve(&self, key: &str) -> bool {
        let _one_at_a_time = self.reserving.lock();
        let free = !self.is_set(key);
        if free {
            self.set(key);
        }
        free
    }

    /// Starts the two minutes.
    pub fn set(&self, key: &str) {
        self.sent.insert(key.to_owned(), Instant::now());
    }

    /// Forgets the last mail.
    pub fn clear(&self, key: &str) {
        self.sent.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mail_per_window() {
        let throttle = Throttle::default();
        assert!(!throttle.is_set("a") && throttle.reserve("a") && !throttle.reserve("a"));
        assert!(throttle.is_set("a") && throttle.reserve("b"));
        throttle.clear("a");
        assert!(throttle.reserve("a"));
    }
}
