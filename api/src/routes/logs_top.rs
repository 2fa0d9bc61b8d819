//! `GET /api/logs/top?by=path|status|user` (superusers): the latest requests of the log, grouped.
//!
//! Looks at a bounded number of entries, the newest first. Not part of the reference. Source: spec dashboard §8 A12.

use std::collections::HashMap;

use engine::log_reading::{self, Query};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    describe::operations::op,
    error::{ApiError, Result},
    guard,
    request::Req,
    response::Response,
    route::Endpoint,
    routes::h,
};

pub(crate) const ROUTES: &[Endpoint] = &[Endpoint::new("GET /api/logs/top", h!(top))
    .op(op("topLogs", "Logs", "The latest requests, grouped").query(&["by", "filter"]).gives("Any"))
    .quiet()];

/// Most entries that are looked at, and how many at once.
const MAX_SEEN: i64 = 10_000;
const PAGE: i64 = 1000;
/// Most groups.
const MAX_GROUPS: usize = 100;

#[derive(Deserialize)]
struct Page {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    data: Map<String, Value>,
}

#[derive(Default)]
struct Group {
    times: Vec<f64>,
    errors: u64,
}

async fn top(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let query = req.query();
    let by = query.get("by").unwrap_or_default().into_owned();
    if !matches!(by.as_str(), "path" | "status" | "user") {
        return Err(ApiError::bad_request("It must be by path, status or user."));
    }
    let wanted = query.get("filter").filter(|filter| !filter.is_empty());
    let filter = match wanted {
        Some(filter) => format!("data.type = 'request' && (\n{filter}\n)"),
        None => "data.type = 'request'".into(),
    };
    let ctx = req.ctx(Map::new());
    let mut groups: HashMap<String, Group> = HashMap::new();
    let (mut seen, mut page, mut is_complete) = (0u64, 1, false);
    while page <= MAX_SEEN / PAGE && !is_complete {
        let query = Query {
            page,
            per_page: PAGE,
            skip_total: true,
            filter: filter.clone(),
            sort: "-@rowid".into(),
        };
        let text = log_reading::list(&ctx, &query).await.map_err(ApiError::wrap_400(""))?;
        let found: Page =
            serde_json::from_slice(&text).map_err(|e| ApiError::internal(e.to_string()))?;
        is_complete = i64::try_from(found.items.len()).is_ok_and(|n| n < PAGE);
        seen += found.items.len() as u64;
        found.items.iter().for_each(|item| add(&by, &item.data, &mut groups));
        page += 1;
    }
    let mut items: Vec<(String, Group)> = groups.into_iter().collect();
    items.sort_by(|(a, x), (b, y)| y.times.len().cmp(&x.times.len()).then_with(|| a.cmp(b)));
    items.truncate(MAX_GROUPS);
    let items: Vec<Value> = items.into_iter().map(|(key, group)| shown(&key, group)).collect();
    Response::of(200, &json!({"items": items, "seen": seen, "complete": is_complete}))
}

fn add(by: &str, data: &Map<String, Value>, groups: &mut HashMap<String, Group>) {
    let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
    let status = data.get("status").and_then(Value::as_i64).unwrap_or_default();
    let key = match by {
        "status" => status.to_string(),
        "user" => match (text("auth"), text("authId")) {
            ("", _) => "guest".into(),
            (auth, "") => auth.to_owned(),
            (auth, id) => format!("{auth}/{id}"),
        },
        _ => {
            let path = text("url").split('?').next().unwrap_or_default();
            format!("{} {path}", text("method"))
        }
    };
    let group = groups.entry(key).or_default();
    group.times.push(data.get("execTime").and_then(Value::as_f64).unwrap_or_default());
    group.errors += u64::from(status >= 400);
}

fn shown(key: &str, mut group: Group) -> Value {
    group.times.sort_by(f64::total_cmp);
    let at = |share: usize| {
        let index = (group.times.len() * share).div_ceil(100).max(1) - 1;
        group.times.get(index).copied().unwrap_or_default()
    };
    let (median, p95, max) = (at(50), at(95), at(100));
    json!({"key": key, "count": group.times.len(), "errors": group.errors, "p50": median, "p95": p95, "max": max})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_times() {
        let group = Group { times: (1..=20).rev().map(f64::from).collect(), errors: 1 };
        let shown = shown("x", group);
        assert_eq!(
            (&shown["p50"], &shown["p95"], &shown["max"]),
            (&json!(10.0), &json!(19.0), &json!(20.0))
        );
    }
}
