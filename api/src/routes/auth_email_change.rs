//! `POST …/request-email-change` and `POST …/confirm-email-change`. Source: spec auth §3.9.

use engine::{
    FieldError,
    auth::{self, confirm, token::TokenType},
    check::{self, Check},
    event::{EmailChangeEvent, no_ext},
    hook::Slot,
    mail::templates,
};

use super::auth_form::{finish, found_by, needed, needed_email, user_collection};
use crate::{
    bind::Members,
    describe::operations::op,
    error::{ApiError, Result},
    guard,
    request::Req,
    response::Response,
    route::{Endpoint, Rate},
    routes::h,
};

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("POST /api/collections/{collection}/request-email-change", h!(request))
        .op(op("requestEmailChangeOf", "Auth", "Send a mail that changes an address")
            .signed_in()
            .for_auth()
            .takes("NewEmail"))
        .rate(Rate::Collection(&["requestEmailChange"])),
    Endpoint::new("POST /api/collections/{collection}/confirm-email-change", h!(confirm))
        .op(op("confirmEmailChangeOf", "Auth", "Change an address")
            .everybody()
            .for_auth()
            .takes("EmailChange"))
        .rate(Rate::Collection(&["confirmEmailChange"])),
];

const SUPERUSERS: &str = "All superusers can change their emails directly.";
const MAX_PASSWORD: usize = 100;

/// Mails the new address and waits for it: the caller learns of a failure.
async fn request(req: &mut Req) -> Result<Response> {
    let caller = guard::same_collection(req)?;
    let collection = user_collection(req, SUPERUSERS)?;
    let body = Members::of(req).await?;
    let new_email = body.text("newEmail")?;
    let ctx = req.ctx(body.into_map());
    let mut finding =
        needed_email(&new_email).or_else(|| check::none_of(&new_email, &[caller.record().email()]));
    if finding.is_none() && auth::find_by_email(&ctx, &collection, &new_email).await?.is_some() {
        finding =
            Some(FieldError::new("validation_invalid_new_email", "Invalid new email address."));
    }
    finish([("newEmail", finding)])?;
    let hook = &req.app().hooks().record_request_email_change_request;
    let event = EmailChangeEvent {
        ctx,
        collection,
        record: Slot::new(caller.record().as_ref().clone().into()),
        new_email: Slot::new(new_email),
        ext: no_ext(),
    };
    let answered = req.through(hook, event, |event| async move {
        let (record, new_email) = (event.record.get(), event.new_email.get());
        templates::send_email_change(&event.ctx, &record, &new_email)
            .await
            .map_err(ApiError::wrap_400("Failed to request email change."))?;
        Ok(Response::no_content())
    });
    Ok(answered.await?)
}

async fn confirm(req: &mut Req) -> Result<Response> {
    let collection = user_collection(req, SUPERUSERS)?;
    let body = Members::of(req).await?;
    let (token, password) = (body.text("token")?, body.text("password")?);
    let ctx = req.ctx(body.into_map());
    let found = found_by(&ctx, &collection, &token, TokenType::EmailChange).await?;
    let mut wrong: Check = needed(&password, 1, MAX_PASSWORD);
    if wrong.is_none() {
        let matches = match &found {
            Ok(found) => {
                let hash = found.record.password_hash("password").to_owned();
                ctx.app.verify_password(password, hash).await?
            }
            Err(_) => false,
        };
        let error = || {
            let message = "Missing or invalid auth record password.";
            FieldError::new("validation_invalid_password", message)
        };
        wrong = (!matches).then(error);
    }
    finish([("token", found.as_ref().err().cloned()), ("password", wrong)])?;
    let Ok(found) = found else { return Ok(Response::no_content()) };
    let hook = &req.app().hooks().record_confirm_email_change_request;
    let event = EmailChangeEvent {
        ctx,
        collection,
        record: Slot::new(found.record.as_ref().clone().into()),
        new_email: Slot::new(found.claims.text("newEmail").to_owned()),
        ext: no_ext(),
    };
    let answered = req.through(hook, event, |event| async move {
        confirm::change_email(&event.ctx, &event.record.get(), &event.new_email.get())
            .await
            .map_err(ApiError::wrap_400("Failed to confirm email change."))?;
        Ok(Response::no_content())
    });
    Ok(answered.await?)
}
