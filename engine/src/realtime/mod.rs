//! Realtime: who listens to what, what they may see, and the bounded queues that lead to them
//! (spec records-files-realtime-batch §5).
//!
//! | step | file |
//! |---|---|
//! | a topic and its options, a connected client and its queue | `topic` and `client` of `app`: events carry them |
//! | clients by id, topic and auth record | `broker`, `index` |
//! | events in commit order, off the request path | `deliver` |
//! | who may see an event, and its message | `judge` |
//! | who wants to know of records that leave | `leaving` |
//!
//! Must not know HTTP: how messages reach a socket is the layer above.

mod broker;
mod deliver;
mod index;
mod judge;
mod leaving;

use crate::App;

pub use crate::{
    app::{Client, Ended, Message, Topic},
    ctx::SubscriptionOptions as Options,
};
pub use broker::{Broker, Pick};

impl App {
    /// Connected realtime clients, to send messages of one's own.
    #[must_use]
    pub fn realtime(&self) -> &Broker {
        self.part()
    }
}

/// Clients of collections that are gone or that have another token secret become guests.
pub(crate) fn schema_changed(app: &App) {
    app.realtime().schema_changed(&app.snapshot());
}
