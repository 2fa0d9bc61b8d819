//! Record reads with request hooks bound, and the brake for guessing filters.
//!
//! Source: spec server-settings-operations §8.3; records-files-realtime-batch §1.3 (timing throttle).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use engine::{
    ctx::Ctx,
    event::{RecordRequestEvent, RecordsListEvent, no_ext},
    hook::Slot,
    record::{RecordRef, enrich, expand::Paths, read::ListPage},
    schema::Loaded,
};

use super::records::render;
use crate::{error::Result, request::Req, response::Response, route::Endpoint};

pub(crate) const ROUTES: &[Endpoint] = &[];

/// Requests without a delay, per collection and address, in [`WINDOW_S`].
const FREE: u64 = 3;
const WINDOW_S: u64 = 3;
const MAX_DELAY_MS: u64 = 500;

/// Delays answers that could be used to guess values, once there are many of them.
pub(crate) async fn slow_down(req: &Req, collection: &Loaded) {
    if collection.list_rule.as_deref().unwrap_or("").is_empty() {
        return;
    }
    let bucket = format!("@filter {}", collection.id);
    if req.api.limiter().allow(&bucket, req.real_ip(), FREE, WINDOW_S, Instant::now()) {
        return;
    }
    let delay = engine::id::below(MAX_DELAY_MS);
    tokio::time::sleep(Duration::from_millis(delay)).await;
}

/// A list whose records somebody wants to see before they are written: hooks, expand, manage rule.
pub(crate) async fn list(
    req: &Req,
    ctx: Ctx,
    collection: Arc<Loaded>,
    page: ListPage,
    expand: Paths,
    guessing: bool,
) -> Result<Response> {
    let none = page.records.is_empty();
    let hook = &req.app().hooks().records_list_request;
    let event = RecordsListEvent {
        ctx,
        collection: collection.clone(),
        page: Slot::new(page.page),
        per_page: Slot::new(page.per_page),
        total_items: Slot::new(page.total_items),
        total_pages: Slot::new(page.total_pages()),
        records: Slot::new(page.records),
        ext: no_ext(),
    };
    let answered = req.through(hook, event, move |event| async move {
        let page = ListPage {
            records: event.records.get(),
            page: event.page.get(),
            per_page: event.per_page.get(),
            total_items: event.total_items.get(),
        };
        enrich(&event.ctx, &event.collection, &page.records, &expand).await?;
        Ok(Response::json(200, page.to_json_with(event.total_pages.get())))
    });
    let response = answered.await?;
    if none && guessing {
        slow_down(req, &collection).await;
    }
    Ok(response)
}

/// A view whose record somebody wants to see before it is written.
pub(crate) async fn view(
    req: &Req,
    ctx: Ctx,
    collection: Arc<Loaded>,
    record: RecordRef,
    expand: Paths,
) -> Result<Response> {
    let hook = &req.app().hooks().record_view_request;
    let event = RecordRequestEvent { ctx, collection, record: Slot::new(record), ext: no_ext() };
    let answered = req.through(hook, event, move |event| async move {
        Ok(render(&event.ctx, &event.collection, &event.record.get(), &expand).await?)
    });
    Ok(answered.await?)
}
