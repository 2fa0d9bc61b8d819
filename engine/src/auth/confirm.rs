//! Verification, password reset and e-mail change: the mail, and what its link does (spec auth §3.7–§3.9).
//!
//! Functions over [`Ctx`]; the forms around them and their answers are the caller's.

use std::sync::Arc;

use super::{Found, find_by_email, find_by_token, login, token, token::TokenType};
use crate::{
    Result,
    ctx::Ctx,
    field::Val,
    mail::{Throttle, in_background, templates},
    record::{Record, RecordRef, save},
    schema::Loaded,
};

/// The mails that go to a record at most every two minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    Verification,
    PasswordReset,
}

impl Confirmation {
    fn key(self, record: &Record) -> String {
        let name = match self {
            Self::Verification => "verification",
            Self::PasswordReset => "passwordReset",
        };
        Throttle::key(name, record)
    }
}

/// True if such a mail went to the record in the last two minutes.
#[must_use]
pub fn is_throttled(ctx: &Ctx, kind: Confirmation, record: &Record) -> bool {
    ctx.app.mailer().throttle.is_set(&kind.key(record))
}

/// Sends a mail in the background unless one was sent lately. A failed verification mail counts as sent, a failed reset
/// mail does not.
pub fn mail(ctx: &Ctx, kind: Confirmation, record: RecordRef) {
    let key = kind.key(&record.lock());
    if !ctx.app.mailer().throttle.reserve(&key) {
        return;
    }
    let system = Ctx::system(&ctx.app);
    let again = key.clone();
    let (what, counts_when_failed) = match kind {
        Confirmation::Verification => ("verification email", true),
        Confirmation::PasswordReset => ("password reset email", false),
    };
    let started = in_background(&ctx.app, what, async move {
        let sent = match kind {
            Confirmation::Verification => templates::send_verification(&system, &record).await,
            Confirmation::PasswordReset => templates::send_password_reset(&system, &record).await,
        };
        let throttle = &system.app.mailer().throttle;
        if sent.is_ok() || counts_when_failed {
            throttle.set(&again);
        } else {
            throttle.clear(&again);
        }
        sent
    });
    if !started {
        ctx.app.mailer().throttle.clear(&key);
    }
}

/// Why a token of a mail is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The claim that its kind needs is missing.
    Claim,
    /// Not valid (any more), or of another kind.
    Token,
    /// Of a record of another collection.
    Collection,
    /// The record has another address by now.
    Email,
    /// Somebody else has the new address.
    NewEmail,
}

/// Finds the record of a mail's token, with the checks of its kind.
///
/// # Errors
/// Database errors; a refusal is the inner result.
pub async fn check(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    text: &str,
    kind: TokenType,
) -> Result<Result<Found, Refused>> {
    let needed = match kind {
        TokenType::Verification => Some("email"),
        TokenType::EmailChange => Some("newEmail"),
        _ => None,
    };
    if let Some(needed) = needed
        && token::read(text).is_none_or(|claims| claims.text(needed).is_empty())
    {
        return Ok(Err(Refused::Claim));
    }
    let Some(found) = find_by_token(ctx, text, &[kind]).await? else {
        return Ok(Err(Refused::Token));
    };
    if found.record.collection().id != collection.id {
        return Ok(Err(Refused::Collection));
    }
    if kind == TokenType::Verification && found.claims.text("email") != found.record.email() {
        return Ok(Err(Refused::Email));
    }
    if kind == TokenType::EmailChange
        && find_by_email(ctx, collection, found.claims.text("newEmail")).await?.is_some()
    {
        return Ok(Err(Refused::NewEmail));
    }
    Ok(Ok(found))
}

/// Confirms the address of a record; nothing happens to a verified one.
///
/// # Errors
/// As [`save::save`].
pub async fn verify(ctx: &Ctx, record: &RecordRef) -> Result<()> {
    let key = Confirmation::Verification.key(&record.lock());
    if !record.lock().verified() {
        {
            let mut record = record.lock();
            record.set_val("verified", Val::Bool(true));
            if !record.collection().auth.password_auth.enabled {
                login::randomize_password(&mut record);
            }
        }
        save::save(ctx, record).await?;
    }
    ctx.app.mailer().throttle.clear(&key);
    Ok(())
}

/// Sets a new password. A record that could read the mail at its present address is verified by that.
///
/// # Errors
/// As [`save::save`].
pub async fn reset_password(
    ctx: &Ctx,
    record: &RecordRef,
    mailed_to: &str,
    password: &str,
) -> Result<()> {
    let key = {
        let mut record = record.lock();
        record.set("password", password);
        if !record.verified() && record.email() == mailed_to {
            record.set_val("verified", Val::Bool(true));
        }
        Confirmation::PasswordReset.key(&record)
    };
    save::save(ctx, record).await?;
    ctx.app.mailer().throttle.clear(&key);
    Ok(())
}

/// Gives a record its new, confirmed address.
///
/// # Errors
/// As [`save::save`].
pub async fn change_email(ctx: &Ctx, record: &RecordRef, new_email: &str) -> Result<()> {
    {
        let mut record = record.lock();
        record.set("email", new_email);
        record.set_val("verified", Val::Bool(true));
    }
    save::save(ctx, record).await
}
