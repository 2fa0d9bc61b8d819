//! What writes announce. Empty where there is no other node to be.

use crate::{
    App,
    app::record::Record,
    event::Action,
    store::{
        self, Job, Note, Tx,
        announce::{CACHES, COLLECTIONS, Keep, RECORDS},
    },
};

/// The event for settings and for anything that has no event of its own.
pub(crate) const INVALIDATE: &str = "cache.invalidate";
/// The table of the settings.
pub(crate) const SETTINGS: &str = "_params";

/// A record is about to be written.
pub(crate) fn record(app: &App, record: &Record, action: Action) -> Option<Note> {
    if !app.store().data().may_have_nodes() {
        return None;
    }
    let collection = record.collection();
    let event = match action {
        Action::Create => "record.create",
        Action::Delete => "record.delete",
        Action::Update | Action::Validate => "record.update",
    };
    let id = if action == Action::Create { record.id() } else { record.stored_id() };
    let note = Note::new(RECORDS, event, collection.id.as_str(), id);
    let is_kept = match action {
        Action::Delete => true,
        Action::Update => app.realtime().wants_old_elsewhere(collection),
        Action::Create | Action::Validate => false,
    };
    if !is_kept {
        return Some(note);
    }
    // what no rule can read does not need to be kept
    let is_secret = |name: &str, kind: &str| kind == "password" || name == "tokenKey";
    let fields = collection.fields.iter();
    let without = fields
        .filter(|field| is_secret(&field.name, field.type_name()))
        .map(|field| field.name.clone())
        .collect();
    Some(note.keeping(Keep { table: collection.name.clone(), without }))
}

/// A collection is about to be written.
pub(crate) fn collection(app: &App, id: &str, action: Action) -> Option<Note> {
    if !app.store().data().may_have_nodes() {
        return None;
    }
    let event = match action {
        Action::Create => "collection.create",
        Action::Delete => "collection.delete",
        Action::Update | Action::Validate => "collection.update",
    };
    Some(Note::new(COLLECTIONS, event, id, ""))
}

/// The settings are about to be written.
pub(crate) fn settings(app: &App) -> Option<Note> {
    if !app.store().data().may_have_nodes() {
        return None;
    }
    Some(Note::new(CACHES, INVALIDATE, SETTINGS, ""))
}

/// Announces something that has no statement of its own.
pub(crate) async fn tell(tx: &Tx, note: Option<Note>) -> store::Result<()> {
    match note {
        Some(note) => tx.write(Job::new().announce([note])).await.map(|_| ()),
        None => Ok(()),
    }
}
