//! The shared handle on a collection that is being saved: what hooks see and may change.
//!
//! Must not know the database.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::schema::Collection;

/// A collection on its way through a save or delete. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct CollectionRef(Arc<Mutex<Collection>>);

impl CollectionRef {
    /// A handle on a collection of its own.
    #[must_use]
    pub fn new(collection: Collection) -> Self {
        Self(Arc::new(Mutex::new(collection)))
    }
    /// Access. Do not hold it across an await.
    #[must_use]
    pub fn lock(&self) -> MutexGuard<'_, Collection> {
        self.0.lock()
    }
    /// A copy of the present state.
    #[must_use]
    pub fn snapshot(&self) -> Collection {
        self.0.lock().clone()
    }
    /// Replaces the state.
    pub fn set(&self, collection: Collection) {
        *self.0.lock() = collection;
    }
    /// True if both are the same handle.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl From<Collection> for CollectionRef {
    fn from(collection: Collection) -> Self {
        Self::new(collection)
    }
}
