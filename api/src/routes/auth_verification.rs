//! `POST …/request-verification` and `POST …/confirm-verification`. Source: spec auth §3.7.

use engine::{
    auth::{
        self,
        confirm::{self, Confirmation},
        token::TokenType,
    },
    event::{RecordRequestEvent, no_ext},
    hook::Slot,
};

use super::auth_form::{finish, found_by, needed_email, user_collection};
use crate::{
    bind::Members,
    describe::operations::op,
    error::{ApiError, Result},
    request::Req,
    response::Response,
    route::{Endpoint, Rate},
    routes::h,
};

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("POST /api/collections/{collection}/request-verification", h!(request))
        .op(op("requestVerificationOf", "Auth", "Send a mail that verifies an address")
            .everybody()
            .for_auth()
            .takes("Email"))
        .rate(Rate::Collection(&["requestVerification"])),
    Endpoint::new("POST /api/collections/{collection}/confirm-verification", h!(confirm))
        .op(op("confirmVerificationOf", "Auth", "Verify an address")
            .everybody()
            .for_auth()
            .takes("Token"))
        .rate(Rate::Collection(&["confirmVerification"])),
];

const SUPERUSERS: &str = "All superusers are verified by default.";
const NOT_SAVED: &str = "An error occurred while saving the verified state.";

/// Answers the same for known and unknown addresses; the mail leaves in the background.
async fn request(req: &mut Req) -> Result<Response> {
    let collection = user_collection(req, SUPERUSERS)?;
    let body = Members::of(req).await?;
    let email = body.text("email")?;
    finish([("email", needed_email(&email))])?;
    let ctx = req.ctx(body.into_map());
    let Some(record) = auth::find_by_email(&ctx, &collection, &email).await? else {
        req.log_error = Some(format!("missing or invalid {} auth record", collection.name));
        return Ok(Response::no_content());
    };
    if !record.verified() && confirm::is_throttled(&ctx, Confirmation::Verification, &record) {
        req.log_error = Some("a verification email was already requested".into());
        return Ok(Response::no_content());
    }
    let hook = &req.app().hooks().record_request_verification_request;
    let event =
        RecordRequestEvent { ctx, collection, record: Slot::new(record.into()), ext: no_ext() };
    let answered = req.through(hook, event, |event| async move {
        let record = event.record.get();
        if !record.get_bool("verified") {
            confirm::mail(&event.ctx, Confirmation::Verification, record);
        }
        Ok(Response::no_content())
    });
    Ok(answered.await?)
}

async fn confirm(req: &mut Req) -> Result<Response> {
    let collection = user_collection(req, SUPERUSERS)?;
    let body = Members::of(req).await?;
    let token = body.text("token")?;
    let ctx = req.ctx(body.into_map());
    let found = match found_by(&ctx, &collection, &token, TokenType::Verification).await? {
        Ok(found) => found,
        Err(error) => {
            finish([("token", Some(error))])?;
            return Ok(Response::no_content());
        }
    };
    let hook = &req.app().hooks().record_confirm_verification_request;
    let event = RecordRequestEvent {
        ctx,
        collection,
        record: Slot::new(found.record.as_ref().clone().into()),
        ext: no_ext(),
    };
    let answered = req.through(hook, event, |event| async move {
        confirm::verify(&event.ctx, &event.record.get())
            .await
            .map_err(ApiError::wrap_400(NOT_SAVED))?;
        Ok(Response::no_content())
    });
    Ok(answered.await?)
}
