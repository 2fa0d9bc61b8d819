//! The shared handle on a collection that is being saved: what hooks see and may change.
//!
//! Must not know the database.

use std::{fmt, sync::Arc};

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};

use crate::{hook::Tagged as _, schema::Collection};

/// A collection on its way through a save or delete. Clones share it; one lock per access, never held across an await.
#[derive(Clone)]
pub struct CollectionRef(Arc<Mutex<State>>);

#[derive(Clone)]
struct State {
    collection: Collection,
    /// The id of its row, `None` while there is none.
    stored_id: Option<String>,
    /// Whether deleting asks for references (off during an import).
    integrity: bool,
}

impl CollectionRef {
    /// A collection that is not stored yet.
    #[must_use]
    pub fn new(collection: Collection) -> Self {
        Self::with(collection, None)
    }
    /// A copy of a stored collection.
    #[must_use]
    pub fn stored(collection: &Collection) -> Self {
        Self::with(collection.clone(), Some(collection.id.clone()))
    }
    fn with(collection: Collection, stored_id: Option<String>) -> Self {
        Self(Arc::new(Mutex::new(State { collection, stored_id, integrity: true })))
    }
    /// The collection, to read or change.
    pub fn lock(&self) -> MappedMutexGuard<'_, Collection> {
        MutexGuard::map(self.0.lock(), |state| &mut state.collection)
    }
    /// A copy of the present state.
    #[must_use]
    pub fn snapshot(&self) -> Collection {
        self.lock().clone()
    }
    /// Replaces the state.
    pub fn set(&self, collection: Collection) {
        *self.lock() = collection;
    }
    /// True if saving will create it.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.0.lock().stored_id.is_none()
    }
    /// The id of its row, whatever the draft says.
    #[must_use]
    pub fn stored_id(&self) -> Option<String> {
        self.0.lock().stored_id.clone()
    }
    /// Turns the question for references on or off (on by default).
    pub fn set_integrity_checks(&self, on: bool) {
        self.0.lock().integrity = on;
    }
    /// See [`set_integrity_checks`](Self::set_integrity_checks).
    #[must_use]
    pub fn integrity_checks(&self) -> bool {
        self.0.lock().integrity
    }
    /// True if both are the same handle.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
    /// True if a tag of a hook means this collection.
    #[must_use]
    pub fn has_tag(&self, tag: &str) -> bool {
        self.lock().is_tagged(tag)
    }

    pub(crate) fn mark_stored(&self) {
        let mut state = self.0.lock();
        state.stored_id = Some(state.collection.id.clone());
    }
    pub(crate) fn mark_new(&self) {
        self.0.lock().stored_id = None;
    }
}

impl From<Collection> for CollectionRef {
    fn from(collection: Collection) -> Self {
        Self::new(collection)
    }
}

/// Names only: collections hold secrets.
impl fmt::Debug for CollectionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.try_lock() {
            Some(state) => f
                .debug_struct("CollectionRef")
                .field("id", &state.collection.id)
                .field("name", &state.collection.name)
                .finish_non_exhaustive(),
            None => f.write_str("CollectionRef(<locked>)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_and_know_their_row() {
        let own = CollectionRef::new(Collection {
            name: "a".into(),
            id: "x".into(),
            ..Collection::default()
        });
        let other = own.clone();
        assert!(own.is_new() && own.same(&other));
        own.lock().name = "b".into();
        assert_eq!(other.snapshot().name, "b");
        assert!(other.has_tag("b") && other.has_tag("x") && !other.has_tag("a"));
        own.mark_stored();
        assert_eq!(other.stored_id().as_deref(), Some("x"));
        own.mark_new();
        assert!(other.is_new());
        assert!(other.integrity_checks());
        own.set_integrity_checks(false);
        assert!(!other.integrity_checks());
        assert!(!CollectionRef::stored(&own.snapshot()).is_new());
        assert!(!format!("{own:?}").contains("secret"));
    }
}
