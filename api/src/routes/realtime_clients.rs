//! `GET /api/realtime/clients` (superusers): who listens to what on this node.
//!
//! Ids are masked: knowing one is what allows to subscribe. Not part of the reference. Source: spec dashboard §8 A15.

use std::sync::Arc;

use engine::realtime::Client;
use serde_json::{Value, json};

use crate::{
    describe::operations::op,
    error::Result,
    guard,
    request::{Req, ip_text},
    response::Response,
    route::Endpoint,
    routes::h,
};

pub(crate) const ROUTES: &[Endpoint] = &[Endpoint::new("GET /api/realtime/clients", h!(list))
    .op(op("listClients", "Realtime", "Who listens to what").gives("Any"))
    .quiet()];

/// Most clients and topics of one that are listed.
const MAX_CLIENTS: usize = 1000;
const MAX_TOPICS: usize = 100;

async fn list(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let mut clients = req.app().realtime().clients();
    let total = clients.len();
    clients.sort_by_key(|client| std::cmp::Reverse(client.connected()));
    clients.truncate(MAX_CLIENTS);
    let items: Vec<Value> = clients.iter().map(shown).collect();
    Response::of(200, &json!({"total": total, "items": items}))
}

fn shown(client: &Arc<Client>) -> Value {
    let auth = client.auth();
    let topics = client.subscriptions(&[]);
    let names: Vec<&String> = topics.keys().take(MAX_TOPICS).collect();
    json!({
        "id": format!("{}…", client.id().get(..4).unwrap_or_default()),
        "auth": auth.map(|record| json!({"collection": record.collection().name, "id": record.id()})),
        "ip": ip_text(client.ip()),
        "topics": names,
        "nTopics": topics.len(),
        "connected": client.connected().to_string(),
        "sent": client.sent(),
    })
}
