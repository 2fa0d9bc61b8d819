//! What code of users tells all nodes: a topic and a short text, heard where it is said and on every other node, once, when
//! the transaction that says it has committed. On SQLite there is only this node. Must not know what topics mean.
//!
//! A text travels as base64: whatever is in it, its length is known before the transaction has to carry it.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use parking_lot::RwLock;

use crate::{
    App, Ctx, Error, Result,
    hook::BoxFuture,
    store::{Job, Note, announce::CACHES, postgres::Change},
};

/// The event of such a note; nodes that do not know it pass it over.
pub(super) const EVENT: &str = "app.announce";
/// Longest text: with topic and envelope it fits into a notification of the server.
pub const MAX_TEXT: usize = 4_096;
/// Longest topic.
pub const MAX_TOPIC: usize = 100;

/// Something that was announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A text under a topic.
    Text(String, String),
    /// This node did not hear the others for a while: whatever they announced is unknown.
    Missed,
}

/// Who hears everything.
pub type Ear = Arc<dyn Fn(Heard) -> BoxFuture<()> + Send + Sync>;

/// The ear of an app.
#[derive(Default)]
pub(crate) struct Ears(RwLock<Option<Ear>>);

/// From now on this hears everything that is announced.
pub fn hear(app: &App, ear: Ear) {
    *app.part::<Ears>().0.write() = Some(ear);
}

/// Announces: in a transaction with its commit, else at once. Comes back outside of one when this node's ear has heard it.
///
/// # Errors
/// A topic or text that is too long; database errors.
pub async fn announce(ctx: &Ctx, topic: &str, text: &str) -> Result<()> {
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || b"_-.:/$".contains(&c);
    if topic.is_empty() || topic.len() > MAX_TOPIC || !topic.bytes().all(is_plain) {
        let rule = format!("a topic has 1 to {MAX_TOPIC} of the characters a-z A-Z 0-9 _-.:/$");
        return Err(Error::Message(rule));
    }
    if text.len() > MAX_TEXT {
        return Err(Error::Message(format!("an announcement has at most {MAX_TEXT} bytes")));
    }
    if ctx.app.store().data().may_have_nodes() {
        let note = Note::new(CACHES, EVENT, topic, STANDARD.encode(text));
        ctx.db.write(Job::new().announce([note])).await?;
    }
    let heard = Heard::Text(topic.to_owned(), text.to_owned());
    let here = move |ctx: Ctx, outcome: std::result::Result<(), _>| async move {
        if outcome.is_ok() {
            tell(&ctx.app, heard).await;
        }
        Ok(())
    };
    ctx.after(here).await
}

/// What another node announced, if it can be read.
pub(super) fn read(change: &Change) -> Option<Heard> {
    let text = STANDARD.decode(&change.record).ok()?;
    Some(Heard::Text(change.collection.clone(), String::from_utf8(text).ok()?))
}

/// Lets the ear hear something.
pub(super) async fn tell(app: &App, heard: Heard) {
    let ear = app.part::<Ears>().0.read().clone();
    if let Some(ear) = ear {
        ear(heard).await;
    }
}
