//! `POST …/request-password-reset` and `POST …/confirm-password-reset`. Source: spec auth §3.8.

use engine::{
    FieldError,
    auth::{
        self,
        confirm::{self, Confirmation},
        token::TokenType,
    },
    check,
    event::{RecordRequestEvent, no_ext},
    field::password::Password,
    hook::Slot,
    schema::Loaded,
};

use super::auth_form::{auth_collection, finish, found_by, needed, needed_email};
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
    Endpoint::new("POST /api/collections/{collection}/request-password-reset", h!(request))
        .op(op("requestPasswordResetOf", "Auth", "Send a mail that resets a password")
            .everybody()
            .for_auth()
            .takes("Email"))
        .rate(Rate::Collection(&["requestPasswordReset"])),
    Endpoint::new("POST /api/collections/{collection}/confirm-password-reset", h!(confirm))
        .op(op("confirmPasswordResetOf", "Auth", "Set a forgotten password")
            .everybody()
            .for_auth()
            .takes("PasswordReset"))
        .rate(Rate::Collection(&["confirmPasswordReset"])),
];

const MAX: usize = 255;

/// Answers the same for known and unknown addresses; the mail leaves in the background.
async fn request(req: &mut Req) -> Result<Response> {
    let collection = auth_collection(req)?;
    if !collection.auth.password_auth.enabled {
        return Err(ApiError::no_passwords(400));
    }
    let body = Members::of(req).await?;
    let email = body.text("email")?;
    finish([("email", needed_email(&email))])?;
    let ctx = req.ctx(body.into_map());
    let Some(record) = auth::find_by_email(&ctx, &collection, &email).await? else {
        req.log_error = Some(format!("missing or invalid {} auth record", collection.name));
        return Ok(Response::no_content());
    };
    if confirm::is_throttled(&ctx, Confirmation::PasswordReset, &record) {
        req.log_error = Some("a password reset email was already requested".into());
        return Ok(Response::no_content());
    }
    let hook = &req.app().hooks().record_request_password_reset_request;
    let event =
        RecordRequestEvent { ctx, collection, record: Slot::new(record.into()), ext: no_ext() };
    let answered = req.through(hook, event, |event| async move {
        confirm::mail(&event.ctx, Confirmation::PasswordReset, event.record.get());
        Ok(Response::no_content())
    });
    Ok(answered.await?)
}

async fn confirm(req: &mut Req) -> Result<Response> {
    let collection = auth_collection(req)?;
    // spec auth §0: this endpoint masks a wrong content type as an unreadable body
    let body = Members::or_unreadable(req).await?;
    let (token, password) = (body.text("token")?, body.text("password")?);
    let again = body.text("passwordConfirm")?;
    let ctx = req.ctx(body.into_map());
    let found = found_by(&ctx, &collection, &token, TokenType::PasswordReset).await?;
    let min = shortest(&collection);
    let same = check::required(again.is_empty()).or_else(|| {
        let error = || FieldError::new("validation_values_mismatch", "Values don't match.");
        (again != password).then(error)
    });
    let refused = found.as_ref().err().cloned();
    finish([
        ("token", refused),
        ("password", needed(&password, min, MAX)),
        ("passwordConfirm", same),
    ])?;
    let Ok(found) = found else { return Ok(Response::no_content()) };
    let mailed_to = found.claims.text("email").to_owned();
    let hook = &req.app().hooks().record_confirm_password_reset_request;
    let event = RecordRequestEvent {
        ctx,
        collection,
        record: Slot::new(found.record.as_ref().clone().into()),
        ext: no_ext(),
    };
    let answered = req.through(hook, event, move |event| async move {
        confirm::reset_password(&event.ctx, &event.record.get(), &mailed_to, &password)
            .await
            .map_err(ApiError::wrap_400("Failed to set new password."))?;
        Ok(Response::no_content())
    });
    Ok(answered.await?)
}

/// The shortest password of a collection, in bytes here.
fn shortest(collection: &Loaded) -> usize {
    let options =
        collection.field_at("password").and_then(|(_, field)| field.options::<Password>());
    options.and_then(|options| usize::try_from(options.min).ok()).unwrap_or(0).max(1)
}
