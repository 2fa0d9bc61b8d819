//! Who a request comes from: tokens, passwords, logins (spec auth.md). Must not know headers or cookies.

pub mod confirm;
pub mod login;
pub mod mfa;
pub mod origin;
pub mod otp;
pub mod superusers;

pub use crate::{
    app::Found,
    tokens::{new_auth_token, new_token, token_options},
};
pub use primitives::{id::random_alnum, password, token};

use std::sync::Arc;

use crate::{
    Result,
    ctx::Ctx,
    record::{Record, find},
    schema::Loaded,
    time::now_seconds,
    tokens::signing_key,
};
use dialects::statement::Case;
use token::{Claims, TokenType};

/// Finds the record a token belongs to, if the token is valid for one of the expected kinds (spec auth §1.2).
///
/// # Errors
/// Database errors; an invalid token is `Ok(None)`.
pub async fn find_by_token(ctx: &Ctx, text: &str, expected: &[TokenType]) -> Result<Option<Found>> {
    let now = now_seconds();
    let is_expected = |claims: &Claims| {
        claims.token_type().filter(|kind| expected.contains(kind) && claims.in_time(now))
    };
    // A token that was checked against this very record object need not be checked again.
    let known = if ctx.in_transaction() { None } else { ctx.app.known_token(text) };
    if let Some(found) = known {
        return Ok(is_expected(&found.claims).map(|_| found));
    }
    let Some(claims) = token::read(text) else { return Ok(None) };
    let kind = is_expected(&claims);
    let (Some(kind), id, collection_id) = (kind, claims.text("id"), claims.text("collectionId"))
    else {
        return Ok(None);
    };
    if id.is_empty() || collection_id.is_empty() {
        return Ok(None);
    }
    let Some(collection) = ctx.snapshot().find(collection_id).filter(|c| c.is_auth()).cloned()
    else {
        return Ok(None);
    };
    let record = match ctx.app.known_auth(&collection, id) {
        Some(record) => record,
        None => {
            let ticket = ctx.app.auth_ticket();
            let Some(record) = find::by_id(ctx, &collection, id).await? else { return Ok(None) };
            let record = Arc::new(record);
            if !ctx.in_transaction() {
                ctx.app.remember_auth(&record, ticket);
            }
            record
        }
    };
    let key = signing_key(&record, kind);
    if !token::signed_by(text, &key) {
        return Ok(None);
    }
    let found = Found { record, claims: Arc::new(claims) };
    if !ctx.in_transaction() {
        ctx.app.remember_token(text, &found);
    }
    Ok(Some(found))
}

/// The record of an e-mail address, byte by byte the same (spec auth §2.2).
///
/// # Errors
/// Database errors.
pub async fn find_by_email(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    email: &str,
) -> Result<Option<Record>> {
    find::by_value(ctx, collection, "email", dialects::Value::Text(email.into()), Case::Sensitive)
        .await
}

/// A token for protected files.
///
/// # Errors
/// As [`new_token`].
pub fn new_file_token(record: &Record) -> Result<String> {
    new_token(record, TokenType::File, 0, &[])
}
