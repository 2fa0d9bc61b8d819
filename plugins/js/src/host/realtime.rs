//! Realtime clients and messages (spec extending §9.3).

use std::sync::Arc;

use parking_lot::Mutex;
use pocketbase::realtime::Client;

use crate::bind::{Shared, Val, native, table, text};

/// A client.
pub(crate) struct Listener(Arc<Client>);
/// A message to a client.
pub(crate) struct Letter(Mutex<(String, Vec<u8>)>);
native!(Listener = CLIENT, Letter = LETTER);

table! {
    pub(crate) static CLIENT: Listener = "subscriptions.Client", "A realtime client." {
        fn "id" "(): string" "Its id." => |cx, c, a| c.0.id().to_owned();
    }
}
table! {
    pub(crate) static LETTER: Letter = "subscriptions.Message", "A message to a realtime client." {
        prop "name": "string", "What it is about." => |cx, l| l.0.lock().0.clone(), set |cx, l, v| {
            let name = text(cx, &v)?;
            l.0.lock().0 = name;
        };
        prop "data": "number[]", "Its content." => |cx, l| Val::Bytes(l.0.lock().1.clone()), set |cx, l, v| {
            let data = crate::bind::export(cx, &v)?.into_bytes().unwrap_or_default();
            l.0.lock().1 = data;
        };
    }
}

impl Letter {
    pub(crate) fn new(name: &str, data: Vec<u8>) -> Self {
        Self(Mutex::new((name.to_owned(), data)))
    }
    pub(crate) fn parts(&self) -> (String, Vec<u8>) {
        self.0.lock().clone()
    }
}

pub(crate) fn client(client: Arc<Client>) -> Shared {
    Arc::new(Listener(client))
}
