//! `POST /api/settings/test/email`: one of the mails to a made-up record. Source: spec auth §10.3.

use engine::{Error, FieldError, FieldErrors, check, ctx::Ctx, mail::test_mail};
use serde_json::Map;

use super::auth_form::needed_email;
use crate::{
    bind::Members,
    error::{ApiError, Result},
    guard,
    pipeline::Row,
    request::Req,
    response::Response,
    routes::h,
};

pub(crate) const ROUTES: &[Row] = &[Row::new("POST /api/settings/test/email", h!(send))];

const FAILED: &str = "Failed to send the test email.";
const DEFAULT_COLLECTION: &str = "_superusers";

async fn send(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let body = Members::or_unreadable(req).await?;
    let (email, template) = (body.text("email")?, body.text("template")?);
    let mut name = body.text("collection")?;
    if name.is_empty() {
        DEFAULT_COLLECTION.clone_into(&mut name);
    }
    let collection = req.schema().find(&name).filter(|c| c.is_auth()).cloned();
    let mut errors = FieldErrors::default();
    if let Some(error) = needed_email(&email) {
        errors.set("email", error);
    }
    let template_error = check::required(template.is_empty())
        .or_else(|| check::one_of(&template, &test_mail::TEMPLATES));
    if let Some(error) = template_error {
        errors.set("template", error);
    }
    if collection.is_none() {
        let message = "Must be a valid auth collection id or name.";
        errors.set("collection", FieldError::new("validation_invalid_auth_collection", message));
    }
    let (true, Some(collection)) = (errors.is_empty(), collection) else {
        return Err(ApiError::bad_request(FAILED).with_fields(errors));
    };
    let ctx: Ctx = req.ctx(Map::new());
    match test_mail::send(&ctx, &collection, &template, &email).await {
        Ok(()) => Ok(Response::no_content()),
        Err(error @ Error::Stopped(_)) => Err(ApiError::wrap(400, FAILED, error)),
        Err(error) => Err(ApiError::bad_request(format!("{FAILED} Raw error: \n{error}"))),
    }
}
