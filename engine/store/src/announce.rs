//! What a write tells the other nodes of a cluster: notes that travel with a [`Job`](super::Job) and are delivered when
//! it commits, or never. On SQLite nobody makes any. Must not know what happens where they arrive.

/// Record events.
pub const RECORDS: &str = "pb_record_changes";
/// Changes of collections.
pub const COLLECTIONS: &str = "pb_collection_changes";
/// Settings, nodes that come and go.
pub const CACHES: &str = "pb_cache_invalidation";

/// One announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The channel.
    pub channel: &'static str,
    /// What happened (`record.update`).
    pub event: &'static str,
    /// To which collection (or table).
    pub collection: String,
    /// To which record, empty for none.
    pub record: String,
    /// A row that is about to go and that the others want to see.
    pub keep: Option<Keep>,
}

impl Note {
    /// A note about a collection, or one of its records.
    #[must_use]
    pub fn new(
        channel: &'static str,
        event: &'static str,
        collection: impl Into<String>,
        record: impl Into<String>,
    ) -> Self {
        Self { channel, event, collection: collection.into(), record: record.into(), keep: None }
    }
    /// The same with the row as it is before the job.
    #[must_use]
    pub fn keeping(self, keep: Keep) -> Self {
        Self { keep: Some(keep), ..self }
    }
}

/// Which row to keep for the others: the one of the note's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// Its table.
    pub table: String,
    /// Columns that stay behind (secrets that no rule reads).
    pub without: Vec<String>,
}
