//! What every login answers: rule, second factor, record and token.
//!
//! Source: spec auth §3.0.

use std::sync::Arc;

use engine::{
    auth::{
        login,
        mfa::{self, Refusal, SecondFactor},
        origin::{self, Place},
    },
    ctx::{Caller, Ctx},
    event::{RecordAuthEvent, no_ext},
    hook::Slot,
    log::Level,
    record::{self, Record, RecordRef, expand::Paths},
};
use http::header;
use serde_json::Value;

use crate::{
    error::{ApiError, Result},
    json,
    pipeline::check_superuser_ip,
    request::{Exchange, Req, ip_text},
    response::Response,
    route::Endpoint,
    routes::records::expand_of,
};
use engine::hook::BoxFutureRef;

pub(crate) const ROUTES: &[Endpoint] = &[];

/// What the auth rule says to those it refuses.
pub(crate) const REFUSED: &str =
    "The request doesn't satisfy the collection requirements to authenticate.";

/// A login that succeeded so far.
pub(crate) struct Login {
    pub(crate) record: Record,
    pub(crate) token: String,
    /// `password`, `oauth2`, `otp`; empty for refresh and impersonate, which need no second factor.
    pub(crate) method: &'static str,
    pub(crate) meta: Value,
}

/// Finishes a login: address, auth rule, hooks, second factor, place, answer. `mfaId` comes from the facts of `ctx`.
pub(crate) async fn answer(asked: &Arc<Exchange>, ctx: &Ctx, login: Login) -> Result<Response> {
    if login.record.is_superuser() {
        check_superuser_ip(&ctx.app, &asked.head).await?;
    }
    if !login::passes_auth_rule(ctx, &login.record).await? {
        return Err(ApiError::forbidden(REFUSED));
    }
    let (expand, place) = (expand_of(asked.head.query()), place_of(ctx, asked));
    let event = RecordAuthEvent {
        ctx: ctx.clone(),
        collection: login.record.collection().clone(),
        record: Slot::new(login.record.into()),
        token: Slot::new(login.token),
        meta: Slot::new(login.meta),
        auth_method: Slot::new(login.method.to_owned()),
        ext: no_ext(),
    };
    let (hook, inside) = (&ctx.app.hooks().record_auth_request, asked.clone());
    let answered = asked.through(hook, event, move |event| async move {
        if inside.is_answered() {
            return Ok(inside.take());
        }
        let signed_in = SignedIn {
            record: event.record.get(),
            token: event.token.get(),
            method: event.auth_method.get(),
            meta: event.meta.get(),
        };
        Ok(finish(&event.ctx, &signed_in, &place, &expand).await?)
    });
    Ok(answered.await?)
}

/// What a login with this record answers: hooks, second factor (unless `method` is empty), record and token.
///
/// # Errors
/// 403 when the auth rule refuses; what hooks report.
pub async fn record_auth_response(
    req: &mut Req,
    record: Record,
    method: &'static str,
    meta: Value,
) -> Result<Response> {
    let token = engine::auth::new_auth_token(&record, 0, true)?;
    // a second factor names its session there; a body of something else has none
    let body = req.payload().await.ok().and_then(|payload| payload.into_map().ok());
    let ctx = req.ctx(body.unwrap_or_default());
    answer(&req.exchange(), &ctx, Login { record, token, method, meta }).await
}

/// A login after its hooks.
struct SignedIn {
    record: RecordRef,
    token: String,
    method: String,
    meta: Value,
}

fn finish<'a>(
    ctx: &'a Ctx,
    login: &'a SignedIn,
    place: &'a Place,
    expand: &'a Paths,
) -> BoxFutureRef<'a, Result<Response>> {
    Box::pin(async move {
        let SignedIn { record, token, method, meta } = login;
        let snapshot = record.snapshot();
        if !method.is_empty()
            && let Some(challenge) = second_factor(ctx, &snapshot, method).await?
        {
            return Ok(challenge);
        }
        let own = ctx.with_caller(Caller::of(Some(Arc::new(snapshot))));
        record::enrich_done(&own, &record.collection(), record, expand).await?;
        record.lock().show.email = true;
        let mut out = Vec::with_capacity(1024);
        out.push(b'{');
        if !meta.is_null() {
            out.extend_from_slice(b"\"meta\":");
            json::write_value(&mut out, meta);
            out.push(b',');
        }
        out.extend_from_slice(b"\"record\":");
        record::export::write_json(record, &mut out);
        out.extend_from_slice(b",\"token\":");
        json::write_str(&mut out, token);
        out.push(b'}');
        if !method.is_empty()
            && record.collection().auth.auth_alert.enabled
            && let Err(error) = origin::note(ctx, record, place).await
        {
            // spec auth §3.0: a place that cannot be noted does not stop a login
            let data = serde_json::json!({"error": error.to_string()});
            ctx.app.log().write(Level::Warn, "Failed to note the place of a login", &data);
        }
        Ok(Response::json(200, out))
    })
}

/// The answer to a login that is not complete yet. Source: spec auth §4.
async fn second_factor(ctx: &Ctx, record: &Record, method: &str) -> Result<Option<Response>> {
    if !mfa::is_needed(ctx, record).await.map_err(ApiError::no_login_because)? {
        return Ok(None);
    }
    let session = session_of(ctx)?;
    Ok(
        match mfa::step(ctx, record, method, &session).await.map_err(ApiError::no_login_because)? {
            SecondFactor::Pass => None,
            SecondFactor::Ask(id) => Some(Response::of(401, &serde_json::json!({"mfaId": id}))?),
            SecondFactor::Refuse(refusal) => {
                return Err(ApiError::bad_request(match refusal {
                    Refusal::Expired => "Invalid or expired MFA session.",
                    Refusal::Foreign => "Invalid MFA session.",
                    Refusal::SameMethod => "A different authentication method is required.",
                }));
            }
        },
    )
}

const NO_SESSION: &str = "Failed to read MFA Id.";

/// `mfaId` of the query, else of the body.
fn session_of(ctx: &Ctx) -> Result<String> {
    let Some(request) = &ctx.request else { return Ok(String::new()) };
    let facts = request.facts();
    match facts.query.get("mfaId") {
        Some(id) if !id.is_empty() => Ok(id.clone()),
        _ => match facts.body.get("mfaId") {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(id)) => Ok(id.clone()),
            Some(_) => Err(ApiError::bad_request(NO_SESSION)),
        },
    }
}

/// Where a request comes from.
fn place_of(ctx: &Ctx, asked: &Exchange) -> Place {
    let head = &asked.head;
    let agent = head.headers.get(header::USER_AGENT).map_or(&[][..], |value| value.as_bytes());
    Place::new(ip_text(head.real_ip(&ctx.app.settings())), agent)
}
