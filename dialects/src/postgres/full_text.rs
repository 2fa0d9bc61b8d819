//! Full-text indexes: GIN over the words.

use crate::{full_text::full_text_name, quote::ident};

pub(super) fn create(collection_id: &str, table: &str, columns: &[&str]) -> Vec<String> {
    let columns: Vec<String> = columns.iter().map(|c| ident(c)).collect();
    vec![format!(
        "CREATE INDEX {} ON {} USING gin ({})",
        ident(&full_text_name(collection_id)),
        ident(table),
        indexed(&columns)
    )]
}

/// The indexed expression; searches must say the same to use the index.
pub(super) fn indexed<S: AsRef<str>>(columns: &[S]) -> String {
    let columns: Vec<&str> = columns.iter().map(AsRef::as_ref).collect();
    format!("pb_tsvector({})", columns.join(" || chr(10) || "))
}
