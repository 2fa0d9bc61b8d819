//! Whose token is this: auth records and checked tokens, kept until something changes.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use primitives::token::Claims;
use quick_cache::sync::Cache;

use super::record::Record;
use crate::schema::Loaded;

/// A caller found by token: its record and what the token says.
#[derive(Debug, Clone)]
pub struct Found {
    pub record: Arc<Record>,
    pub claims: Arc<Claims>,
}

/// Longer tokens are checked each time.
pub(super) const MAX_TOKEN: usize = 1024;

/// Auth records by collection and id: the database answer to "whose token is this". Writes through the engine remove
/// entries, foreign writes are noticed by the database's version.
pub(super) struct AuthCache {
    records: Cache<(String, String), (Arc<Record>, Ticket)>,
    /// Tokens that were found to be signed, with the record object whose key signed them. Worth nothing without it.
    pub(super) tokens: Cache<Box<str>, Found>,
    /// Counts removals, so that a record read before a write is not put back after it.
    epoch: AtomicU64,
}

/// The state of the world before a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    epoch: u64,
    foreign: i64,
}

impl Default for AuthCache {
    fn default() -> Self {
        Self { records: Cache::new(4096), tokens: Cache::new(4096), epoch: Default::default() }
    }
}

impl AuthCache {
    pub(super) fn ticket(&self, foreign: i64) -> Ticket {
        Ticket { epoch: self.epoch.load(Ordering::Acquire), foreign }
    }
    pub(super) fn get(
        &self,
        foreign: i64,
        collection: &Arc<Loaded>,
        id: &str,
    ) -> Option<Arc<Record>> {
        let (record, ticket) = self.records.get(&AuthKey(&collection.id, id))?;
        (ticket.foreign == foreign && Arc::ptr_eq(record.collection(), collection))
            .then_some(record)
    }
    pub(super) fn put(&self, record: &Arc<Record>, ticket: Ticket) {
        if self.epoch.load(Ordering::Acquire) == ticket.epoch {
            let key = (record.collection().id.clone(), record.id().to_owned());
            self.records.insert(key, (record.clone(), ticket));
        }
    }
    pub(super) fn forget(&self, collection_id: &str, id: &str) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.records.remove(&AuthKey(collection_id, id));
    }
    pub(super) fn clear(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.records.clear();
        self.tokens.clear();
    }
}

/// A borrowed key.
#[derive(Hash, PartialEq, Eq)]
struct AuthKey<'a>(&'a str, &'a str);

impl quick_cache::Equivalent<(String, String)> for AuthKey<'_> {
    fn equivalent(&self, key: &(String, String)) -> bool {
        self.0 == key.0 && self.1 == key.1
    }
}
