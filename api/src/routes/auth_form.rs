//! What the forms of mail-driven flows share: the auth collection, fields with lengths, tokens.
//!
//! Source: spec auth §0, §3.7–§3.9.

use std::sync::Arc;

use engine::{
    FieldError, FieldErrors,
    auth::{Found, confirm, confirm::Refused, token::TokenType},
    check::{self, Check},
    ctx::Ctx,
    schema::Loaded,
};

use crate::{
    error::{ApiError, Result},
    pipeline::context_collection,
    request::Req,
    route::Endpoint,
    routes::INVALID,
};

pub(crate) const ROUTES: &[Endpoint] = &[];

const MAX: usize = 255;
const SUPERUSERS: &str = "_superusers";

/// The auth collection in the path.
pub(crate) fn auth_collection(req: &Req) -> Result<Arc<Loaded>> {
    let collection = context_collection(req)?;
    if collection.is_auth() {
        return Ok(collection);
    }
    Err(ApiError::no_auth_collection())
}

/// The same without `_superusers`, which answers a sentence of its own.
pub(crate) fn user_collection(req: &Req, otherwise: &'static str) -> Result<Arc<Loaded>> {
    let collection = auth_collection(req)?;
    if collection.name == SUPERUSERS {
        return Err(ApiError::bad_request(otherwise));
    }
    Ok(collection)
}

/// Required, at most `max` bytes.
pub(crate) fn needed(text: &str, min: usize, max: usize) -> Check {
    check::required(text.is_empty()).or_else(|| check::length(text, min, max))
}

/// A required e-mail address.
pub(crate) fn needed_email(text: &str) -> Check {
    needed(text, 1, MAX).or_else(|| check::email(text))
}

/// 400 with the findings, if there are any.
pub(crate) fn finish<const N: usize>(findings: [(&str, Check); N]) -> Result<()> {
    let mut errors = FieldErrors::default();
    for (key, finding) in findings {
        if let Some(error) = finding {
            errors.set(key, error);
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(ApiError::bad_request(INVALID).with_fields(errors)) }
}

/// The record of a token, or what is wrong with `token`.
pub(crate) async fn found_by(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    token: &str,
    kind: TokenType,
) -> Result<Result<Found, FieldError>> {
    if let Some(error) = check::required(token.is_empty()) {
        return Ok(Err(error));
    }
    let checked = confirm::check(ctx, collection, token, kind).await?;
    Ok(checked.map_err(|refused| {
        let (code, message) = match (refused, kind) {
            (Refused::Claim, TokenType::EmailChange) => (
                "validation_invalid_token_payload",
                "Invalid token payload - newEmail must be set.",
            ),
            (Refused::Claim, _) => {
                ("validation_invalid_token_claims", "Missing email token claim.")
            }
            (Refused::Token, _) => ("validation_invalid_token", "Invalid or expired token."),
            (Refused::Collection, _) => (
                "validation_token_collection_mismatch",
                "The provided token is for different auth collection.",
            ),
            (Refused::Email, _) => (
                "validation_token_email_mismatch",
                "The record email doesn't match with the requested token claims.",
            ),
            (Refused::NewEmail, _) => {
                ("validation_invalid_token_email", "The new email address is invalid.")
            }
        };
        FieldError::new(code, message)
    }))
}
