//! What the `superuser` command does, with its messages (spec server-settings §1.1, auth §11.2).
//!
//! Answers are the lines to print; errors are [`Error::Message`] with the text after `Error: `. Must not print. The
//! account commands themselves are in `auth::superusers`.

use std::fmt::Write as _;

pub use crate::auth::superusers::{create, delete, update, upsert};
use crate::{
    Error, Result,
    auth::{self, otp},
    check,
    ctx::Ctx,
    schema::system,
    settings_ops,
};

/// A command without its two arguments.
pub const MISSING_ARGUMENTS: &str = "missing email and password arguments";

/// `superuser otp`: creates a one-time password; the answer has several lines.
///
/// # Errors
/// [`Error::Message`] with the line of the command.
pub async fn make_otp(ctx: &Ctx, email: &str) -> Result<String> {
    if !check::is_email(email) {
        return Err(message("invalid or missing email address"));
    }
    let snapshot = ctx.snapshot();
    let superusers = snapshot.find(system::SUPERUSERS).ok_or(Error::NotFound)?;
    let record = auth::find_by_email(ctx, superusers, email)
        .await?
        .ok_or_else(|| message(format!("superuser with email \"{email}\" doesn't exist")))?;
    let options = &superusers.auth.otp;
    if !options.enabled {
        return Err(message("OTP auth is not enabled for the _superusers collection"));
    }
    let digits = otp::generate(superusers);
    let made = otp::create(ctx, &record.into(), &digits)
        .await
        .map_err(|e| message(format!("failed to create OTP: {e}")))?;
    Ok(format!(
        "Successfully created OTP for superuser \"{email}\":\n├─ Id:    {}\n├─ Pass:  {digits}\n└─ Valid: {}s\n",
        made.id(),
        options.duration
    ))
}

/// `superuser ips`: replaces the list of addresses superusers may come from.
///
/// # Errors
/// [`Error::Message`] with the line of the command.
pub async fn set_ips(ctx: &Ctx, ips: &[String]) -> Result<String> {
    let mut settings = settings_ops::get(&ctx.app).as_ref().clone();
    settings.superuser_ips = ips.to_vec();
    settings_ops::save(ctx, settings).await.map_err(|e| message(e.to_string()))?;
    let Some((last, rest)) = ips.split_last() else {
        return Ok("Successfully cleared SuperuserIPs setting!".into());
    };
    let mut out = String::from("Successfully updated SuperuserIPs setting:");
    for ip in rest {
        let _ = write!(out, "\n├─ {ip}");
    }
    let _ = write!(out, "\n└─ {last}");
    Ok(out)
}

fn message(text: impl Into<String>) -> Error {
    Error::Message(text.into())
}
