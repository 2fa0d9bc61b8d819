//! `POST …/auth-refresh`. Source: spec auth §3.5.

use engine::{auth, event::RecordRequestEvent, hook::Slot};
use http::header;
use serde_json::{Map, Value};

use super::auth_response::{Login, answer};
use crate::{
    error::Result,
    guard,
    pipeline::{Rate, Row, context_collection, token_of},
    request::Req,
    response::Response,
    routes::h,
};

pub(crate) const ROUTES: &[Row] =
    &[Row::new("POST /api/collections/{collection}/auth-refresh", h!(refresh))
        .rate(Rate::Collection(&["authRefresh"]))];

async fn refresh(req: &mut Req) -> Result<Response> {
    let caller = guard::same_collection(req)?;
    let ctx = req.ctx(Map::new());
    let record = caller.0;
    let hook = &ctx.app.hooks().record_auth_refresh_request;
    let collection = context_collection(req)?;
    if !hook.has_for(|tag| tag == collection.name || tag == collection.id) {
        return finish(req, &ctx, record.as_ref().clone()).await;
    }
    let event = RecordRequestEvent {
        ctx: ctx.clone(),
        collection,
        record: Slot::new(record.as_ref().clone().into()),
        ext: req.exchange(),
    };
    let passed = std::sync::Arc::new(Slot::new(None));
    let result = passed.clone();
    hook.trigger(event, move |event| async move {
        result.set(Some(event.record.get().snapshot()));
        Ok(())
    })
    .await?;
    match passed.set(None) {
        Some(record) => finish(req, &ctx, record).await,
        None => Ok(Response::empty(200)),
    }
}

async fn finish(req: &Req, ctx: &engine::Ctx, record: engine::record::Record) -> Result<Response> {
    let refreshable = req.auth.as_ref().is_some_and(|found| found.claims.refreshable());
    let token = if refreshable {
        auth::new_auth_token(&record, 0, true)?
    } else {
        token_of(req.head.header(header::AUTHORIZATION)).to_owned()
    };
    answer(req, ctx, Login { record, token, method: "", meta: Value::Null }).await
}
