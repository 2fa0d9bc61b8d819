//! Realtime clients and messages (spec extending §9.3).

use std::sync::Arc;

use parking_lot::Mutex;
use pocketbase::{
    App, Record,
    realtime::{Broker, Client, Message},
};

use crate::bind::{Args, Fail, Res, Shared, Val, export, native, new_map, table, text};

/// A client.
pub(crate) struct Listener(Arc<Client>);
/// What knows all clients.
pub(crate) struct Clients(Broker);
/// A message to a client.
pub(crate) struct Letter(Mutex<(String, Vec<u8>)>);
native!(Listener = CLIENT, Clients = BROKER, Letter = LETTER);

table! {
    pub(crate) static BROKER: Clients = "subscriptions.Broker", "What knows all realtime clients." {
        fn "clients" "(): { [id: string]: subscriptions.Client }" "All clients." => |cx, b, a| {
            let all = b.0.clients().into_iter().map(|one| (one.id().to_owned(), Val::Host(client(one))));
            new_map(all.collect::<Vec<_>>())
        };
        fn "totalClients" "(): number" "How many there are." => |cx, b, a| b.0.total_clients();
        fn "clientById" "(id: string): subscriptions.Client" "The client of an id." => |cx, b, a| {
            let id = a.str(0)?;
            client(b.0.client(&id).ok_or_else(|| Fail::other(format!("no client associated with connection ID {id:?}")))?)
        };
        fn "chunkedClients" "(size: number): subscriptions.Client[][]" "All clients in portions." => |cx, b, a| {
            let size = usize::try_from(a.int(0)?).unwrap_or(1);
            let portions = b.0.chunked_clients(size).into_iter();
            portions.map(|portion| portion.into_iter().map(client).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
    }
}
table! {
    pub(crate) static CLIENT: Listener = "subscriptions.Client", "A realtime client." {
        fn "id" "(): string" "Its id." => |cx, c, a| c.0.id().to_owned();
        fn "get" "(key: string): any" "A value that was set, or its `auth` record." => |cx, c, a| {
            let key = a.str(0)?;
            match key.as_str() {
                "auth" => c.0.auth().map_or(Val::Null, |record| Val::Host(Arc::new(Record::from((*record).clone())))),
                _ => c.0.get(&key).map_or(Val::Null, Val::from),
            }
        };
        fn "set" "(key: string, value: any): void" "Keeps a value." => |cx, c, a| c.0.set(&a.str(0)?, a.json(1)?);
        fn "unset" "(key: string): void" "Forgets a value." => |cx, c, a| c.0.unset(&a.str(0)?);
        fn "subscriptions" "(...prefixes: string[]): { [topic: string]: any }" "What it wants." => |cx, c, a| {
            let prefixes = a.texts(0)?;
            let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
            let all = c.0.subscriptions(&prefixes).into_iter().map(|(topic, options)| {
                let texts = |map: &std::collections::BTreeMap<String, String>| {
                    Val::Map(new_map(map.iter().map(|(key, value)| (key.clone(), Val::Str(value.clone())))))
                };
                let options = new_map([
                    ("query".to_owned(), texts(&options.query)),
                    ("headers".to_owned(), texts(&options.headers)),
                ]);
                (topic, Val::Map(options))
            });
            new_map(all.collect::<Vec<_>>())
        };
        fn "subscribe" "(...topics: string[]): void" "Adds topics." => |cx, c, a| c.0.subscribe(&a.texts(0)?);
        fn "unsubscribe" "(...topics: string[]): void" "Removes topics." => |cx, c, a| c.0.unsubscribe(&a.texts(0)?);
        fn "hasSubscription" "(topic: string): boolean" "Whether it wants a topic." => |cx, c, a| c.0.has_subscription(&a.str(0)?);
        fn "send" "(message: subscriptions.Message): void" "Sends a message." => |cx, c, a| {
            let (name, data) = a.host::<Letter>(0)?.parts();
            c.0.send(Message::new(name, data));
        };
        fn "discard" "(): void" "Ends it." => |cx, c, a| c.0.discard();
    }
}
table! {
    pub(crate) static LETTER: Letter = "subscriptions.Message", "A message to a realtime client." {
        prop "name": "string", "What it is about." => |cx, l| l.0.lock().0.clone(), set |cx, l, v| {
            let name = text(cx, &v)?;
            l.0.lock().0 = name;
        };
        prop "data": "string | number[]", "Its content." => |cx, l| Val::Bytes(l.0.lock().1.clone()), set |cx, l, v| {
            let data = export(cx, &v)?.into_bytes().unwrap_or_default();
            l.0.lock().1 = data;
        };
    }
}

impl Letter {
    pub(crate) fn new(name: &str, data: Vec<u8>) -> Self {
        Self(Mutex::new((name.to_owned(), data)))
    }
    /// `new SubscriptionMessage(data)`.
    pub(crate) fn of(args: &Args<'_, '_>) -> Res<Self> {
        let Val::Map(given) = args.val(0)? else { return Ok(Self::new("", Vec::new())) };
        let given = given.lock().clone();
        let name = match given.get("name") {
            Some(Val::Str(name)) => name.clone(),
            _ => String::new(),
        };
        let data = given.get("data").cloned().and_then(Val::into_bytes).unwrap_or_default();
        Ok(Self::new(&name, data))
    }
    pub(crate) fn parts(&self) -> (String, Vec<u8>) {
        self.0.lock().clone()
    }
}

pub(crate) fn client(client: Arc<Client>) -> Shared {
    Arc::new(Listener(client))
}
pub(crate) fn broker(app: &App) -> Res<Shared> {
    Ok(Arc::new(Clients(app.subscriptions_broker()?)))
}
