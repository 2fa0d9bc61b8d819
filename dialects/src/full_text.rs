//! The name that everything about a full-text index begins with.

/// Name of the full-text index of a collection, by its id: it outlives renames.
#[must_use]
pub fn full_text_name(collection_id: &str) -> String {
    let mut name = format!("_fts_{collection_id}");
    // PostgreSQL names hold 63 bytes; ids are much shorter.
    while name.len() > 58 {
        name.pop();
    }
    name
}
