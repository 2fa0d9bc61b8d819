//! What every login answers: rule, second factor, record and token.
//!
//! Source: spec auth §3.0.

use std::sync::Arc;

use engine::{
    auth::login::{self, Mfa},
    ctx::{Caller, Ctx},
    event::RecordAuthEvent,
    hook::Slot,
    record::{self, Record, RecordRef, expand::Paths},
};
use serde_json::Value;

use crate::{
    error::{ApiError, Result},
    json,
    pipeline::{Row, check_superuser_ip},
    request::Req,
    response::Response,
    routes::records::expand_of,
};

pub(crate) const ROUTES: &[Row] = &[];

/// A login that succeeded so far.
pub(crate) struct Login {
    pub(crate) record: Record,
    pub(crate) token: String,
    /// `password`, `oauth2`, `otp`; empty for refresh and impersonate, which need no second factor.
    pub(crate) method: &'static str,
    pub(crate) meta: Value,
}

/// Finishes a login.
pub(crate) async fn answer(req: &Req, ctx: &Ctx, login: Login) -> Result<Response> {
    if login.record.is_superuser() {
        check_superuser_ip(req)?;
    }
    if !login::passes_auth_rule(ctx, &login.record).await? {
        return Err(ApiError::forbidden(
            "The request doesn't satisfy the collection requirements to authenticate.",
        ));
    }
    let expand = expand_of(req.query());
    let collection = login.record.collection().clone();
    let hook = &ctx.app.hooks().record_auth_request;
    if !hook.has_for(|tag| tag == collection.name || tag == collection.id) {
        return finish(ctx, login.record.into(), &login.token, login.method, &login.meta, &expand).await;
    }
    let exchange = req.exchange();
    let event = RecordAuthEvent {
        ctx: ctx.clone(),
        collection,
        record: Slot::new(login.record.into()),
        token: Slot::new(login.token),
        meta: Slot::new(login.meta),
        auth_method: Slot::new(login.method.to_owned()),
        ext: exchange.clone(),
    };
    let answer = exchange.clone();
    hook.trigger(event, move |event| async move {
        let (record, token, method, meta) =
            (event.record.get(), event.token.get(), event.auth_method.get(), event.meta.get());
        answer.respond(finish(&event.ctx, record, &token, &method, &meta, &expand).await?);
        Ok(())
    })
    .await?;
    Ok(exchange.take())
}

async fn finish(
    ctx: &Ctx,
    record: RecordRef,
    token: &str,
    method: &str,
    meta: &Value,
    expand: &Paths,
) -> Result<Response> {
    let snapshot = record.snapshot();
    if !method.is_empty() && login::mfa(ctx, &snapshot).await? == Mfa::Needed {
        return Err(ApiError::forbidden("Multi-factor logins are not available in this build."));
    }
    let own = ctx.with_caller(Caller::of(Some(Arc::new(snapshot))));
    record::enrich(&own, &record.collection(), std::slice::from_ref(&record), expand).await?;
    record.lock().show.email = true;
    let mut out = Vec::with_capacity(1024);
    out.push(b'{');
    if !meta.is_null() {
        out.extend_from_slice(b"\"meta\":");
        json::write_value(&mut out, meta);
        out.push(b',');
    }
    out.extend_from_slice(b"\"record\":");
    record::export::write_json(&record, &mut out);
    out.extend_from_slice(b",\"token\":");
    json::write_str(&mut out, token);
    out.push(b'}');
    Ok(Response::json(200, out))
}
