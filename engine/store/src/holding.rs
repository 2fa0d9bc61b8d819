//! Which databases the running task holds a transaction of: using the outer app inside one is an error, not a deadlock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

tokio::task_local! {
    /// Ids of the databases.
    static HOLDING: Vec<u64>;
}

/// An id for a database of this process.
pub(super) fn fresh_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Relaxed)
}

/// Runs `future`, in which [`holds`] is true for this database.
pub(super) async fn scope<F: Future>(id: u64, future: F) -> F::Output {
    let mut ids = HOLDING.try_with(Clone::clone).unwrap_or_default();
    ids.push(id);
    HOLDING.scope(ids, future).await
}

/// True inside [`scope`].
pub(super) fn holds(id: u64) -> bool {
    HOLDING.try_with(|ids| ids.contains(&id)).unwrap_or(false)
}
