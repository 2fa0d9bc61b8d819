//! Who a request comes from: tokens, passwords, logins (spec auth.md). Must not know headers or cookies.

pub mod confirm;
pub mod login;
pub mod mfa;
pub mod origin;
pub mod otp;
pub mod password;
pub mod superusers;

pub use primitives::{id::random_alnum, token};

use std::sync::Arc;

use dialects::statement::Case;
use serde_json::{Map, Value};

use crate::{
    Result,
    ctx::Ctx,
    record::{Record, find},
    schema::{Collection, Loaded, options::Token},
};
use token::{Claims, TokenType};

/// Secret and duration of one kind of token.
#[must_use]
pub fn token_options(collection: &Collection, kind: TokenType) -> &Token {
    let auth = &collection.auth;
    match kind {
        TokenType::Auth => &auth.auth_token,
        TokenType::File => &auth.file_token,
        TokenType::Verification => &auth.verification_token,
        TokenType::PasswordReset => &auth.password_reset_token,
        TokenType::EmailChange => &auth.email_change_token,
    }
}

/// A caller found by token: its record and what the token says.
#[derive(Debug, Clone)]
pub struct Found {
    pub record: Arc<Record>,
    pub claims: Arc<Claims>,
}

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

fn signing_key(record: &Record, kind: TokenType) -> Vec<u8> {
    let secret = &token_options(record.collection(), kind).secret;
    [record.token_key().as_bytes(), secret.as_bytes()].concat()
}

/// Makes a token of a record. `duration` 0 is the collection's; `extra` are further claims.
///
/// # Errors
/// [`crate::Error::Message`] without a signing key.
pub fn new_token(
    record: &Record,
    kind: TokenType,
    duration: i64,
    extra: &[(&str, Value)],
) -> Result<String> {
    let options = token_options(record.collection(), kind);
    let key = signing_key(record, kind);
    if key.is_empty() {
        return Err(crate::Error::Message("missing or invalid signing key".into()));
    }
    let duration = if duration > 0 { duration } else { options.duration };
    let mut claims = Map::new();
    claims.insert("id".into(), record.id().into());
    claims.insert("collectionId".into(), record.collection().id.clone().into());
    claims.insert("type".into(), kind.name().into());
    #[allow(clippy::cast_possible_truncation)]
    claims.insert("exp".into(), (now_seconds() as i64).saturating_add(duration).into());
    for (name, value) in extra {
        claims.insert((*name).to_owned(), value.clone());
    }
    Ok(token::sign(&Claims(claims), &key))
}

/// A token for the `Authorization` header. Static ones (impersonation, installer) are not refreshable.
///
/// # Errors
/// As [`new_token`].
pub fn new_auth_token(record: &Record, duration: i64, refreshable: bool) -> Result<String> {
    new_token(record, TokenType::Auth, duration, &[("refreshable", refreshable.into())])
}

/// A token for protected files.
///
/// # Errors
/// As [`new_token`].
pub fn new_file_token(record: &Record) -> Result<String> {
    new_token(record, TokenType::File, 0, &[])
}

fn now_seconds() -> f64 {
    use std::time::{SystemTime, UNIX_EPOCH};
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
