//! `POST …/request-otp` and `POST …/auth-with-otp`. Source: spec auth §3.10, §3.11.

use std::sync::Arc;

use engine::{
    auth::{self, otp},
    event::{AuthWithOtpEvent, RequestOtpEvent, no_ext},
    hook::Slot,
    record::RecordRef,
    schema::Loaded,
};
use serde_json::{Map, Value};

use super::{
    auth_form::{auth_collection, finish, needed, needed_email},
    auth_response::{Login, answer},
};
use crate::{
    bind::Members,
    describe::operations::op,
    error::{ApiError, Result},
    request::{Exchange, Req},
    response::Response,
    route::{Endpoint, Rate},
    routes::h,
};

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("POST /api/collections/{collection}/request-otp", h!(request))
        .op(op("requestOtpOf", "Auth", "Send a one-time password")
            .everybody()
            .for_auth()
            .takes("Email")
            .gives("OtpId"))
        .rate(Rate::Collection(&["requestOTP"])),
    Endpoint::new("POST /api/collections/{collection}/auth-with-otp", h!(login))
        .op(op("otpAuthOf", "Auth", "Sign in with a one-time password")
            .everybody()
            .for_auth()
            .shown()
            .takes("OtpLogin")
            .gives("@Auth"))
        .rate(Rate::Collection(&["authWithOTP", "auth"])),
];

const MAX: usize = 255;
/// Longest one-time password that can be stored.
const MAX_PASSWORD: usize = 71;
/// Guesses per record and address, right ones included …
const ATTEMPTS: u64 = 5;
/// … in so many seconds.
const WINDOW_S: u64 = 180;

fn otp_collection(req: &Req) -> Result<Arc<Loaded>> {
    let collection = auth_collection(req)?;
    if !collection.auth.otp.enabled {
        return Err(ApiError::forbidden(
            "The collection is not configured to allow OTP authentication.",
        ));
    }
    Ok(collection)
}

async fn request(req: &mut Req) -> Result<Response> {
    let collection = otp_collection(req)?;
    let body = Members::of(req).await?;
    let email = body.text("email")?;
    finish([("email", needed_email(&email))])?;
    let ctx = req.ctx(body.into_map());
    let found = auth::find_by_email(&ctx, &collection, &email).await?;
    let password = otp::generate(&collection);
    let (hook, asked) = (&req.app().hooks().record_request_otp_request, req.exchange());
    let pretending = ctx.clone();
    let event = RequestOtpEvent {
        ctx,
        collection,
        record: Slot::new(found.map(RecordRef::from)),
        password: Slot::new(password),
        ext: no_ext(),
    };
    let inside = asked.clone();
    let answered = asked
        .through(hook, event, move |event| async move { Ok(requested(&inside, &event).await?) });
    let answered = answered.await;
    req.log_error = asked.take_complaint();
    match answered {
        Err(_) if req.log_error.is_some() => otp_answer(otp::pretend(&pretending).await?),
        answered => Ok(answered?),
    }
}

/// An id in any case: the answer must not tell who has an account.
async fn requested(asked: &Exchange, event: &RequestOtpEvent) -> Result<Response> {
    let ctx = &event.ctx;
    let id = match event.record.get() {
        Some(record) => otp::request(ctx, &record, &event.password.get())
            .await
            .map_err(|e| ApiError::wrap(400, "Failed to create OTP.", e))?,
        None => {
            let name = &event.collection.name;
            let missing = format!("missing or invalid {name} OTP auth record");
            asked.complain(missing.clone());
            // hooks see that it fails, the client does not
            return Err(ApiError::bad_request(missing));
        }
    };
    otp_answer(id)
}

fn otp_answer(id: String) -> Result<Response> {
    Response::of(200, &Map::from_iter([("otpId".to_owned(), Value::String(id))]))
}

/// The same for every reason; the log knows which.
fn refused(detail: &str) -> ApiError {
    ApiError::bad_request("Invalid or expired OTP.").with_detail(detail)
}

async fn login(req: &mut Req) -> Result<Response> {
    let collection = otp_collection(req)?;
    let body = Members::of(req).await?;
    let (id, password) = (body.text("otpId")?, body.text("password")?);
    finish([("otpId", needed(&id, 1, MAX)), ("password", needed(&password, 1, MAX_PASSWORD))])?;
    let ctx = req.ctx(body.into_map()).in_context("otp");
    let (otp, record) = otp::find_valid(&ctx, &collection, &id)
        .await?
        .ok_or_else(|| refused("missing, foreign or expired OTP"))?;
    // Digits are few: guesses are counted always, whatever the settings say about rate limits.
    let bucket = format!("otp {}", record.id());
    if !req.allow_attempt(&bucket, ATTEMPTS, WINDOW_S) {
        let message = "Too many attempts, please try again later with a new OTP.";
        return Err(ApiError::new(429, message));
    }
    if !otp::verify(&ctx, &otp, &password).await? {
        return Err(refused("wrong password"));
    }
    let (hook, asked) = (&req.app().hooks().record_auth_with_otp_request, req.exchange());
    let event = AuthWithOtpEvent {
        ctx,
        collection,
        record: Slot::new(record.into()),
        otp: otp.into(),
        ext: no_ext(),
    };
    let inside = asked.clone();
    let answered = asked
        .through(hook, event, move |event| async move { Ok(redeemed(&inside, &event).await?) });
    Ok(answered.await?)
}

async fn redeemed(asked: &Arc<Exchange>, event: &AuthWithOtpEvent) -> Result<Response> {
    let record = event.record.get();
    if !otp::redeem(&event.ctx, &event.otp.snapshot(), &record).await? {
        return Err(refused("already used"));
    }
    let record = record.into_record();
    let token = auth::new_auth_token(&record, 0, true)?;
    let login = Login { record, token, method: "otp", meta: Value::Null };
    answer(asked, &event.ctx, login).await
}
