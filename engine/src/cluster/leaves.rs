//! Which collections have subscribers here that want to hear of records that leave: told to the other nodes when it
//! changes, again now and then, and to those that join. They keep what an update overwrites only where somebody wants it.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use crate::{App, store::postgres::Cluster};

/// What carries the names.
pub(super) const LEAVES: &str = "leaves";
/// The event of such a message; nodes that do not know it pass it over.
const EVENT: &str = "realtime.leaves";
/// How often it is said again; the others forget it after some of these.
const AGAIN: Duration = Duration::from_secs(5);

/// Tells until it is dropped.
pub(super) async fn keep_telling(app: App, cluster: Cluster) {
    let mut last_were_any = false;
    loop {
        // said again when nothing changes, too
        let _ = timeout(AGAIN, app.realtime().leaves_changed()).await;
        let are_any = !app.realtime().leaves().is_empty();
        if are_any || last_were_any {
            tell(&app, &cluster).await;
        }
        last_were_any = are_any;
    }
}

/// Tells once.
pub(super) async fn tell(app: &App, cluster: &Cluster) {
    let names = app.realtime().leaves();
    if let Err(error) = cluster.tell(EVENT, &json!({ LEAVES: names })).await {
        tracing::warn!(%error, "cluster: the others do not know who wants to hear of records that leave");
    }
}
