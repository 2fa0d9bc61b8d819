//! The mails as a superuser tries them: to a made-up record (spec auth §10.3).

use std::sync::Arc;

use super::templates;
use crate::{
    Error, Result,
    ctx::Ctx,
    record::{Record, RecordRef, save},
    schema::Loaded,
};

/// The names of the templates.
pub const TEMPLATES: [&str; 5] =
    ["verification", "password-reset", "email-change", "otp", "login-alert"];

/// Sends one of [`TEMPLATES`] of a collection now.
///
/// # Errors
/// As [`super::send`]; [`Error::NotFound`] for another name.
pub async fn send(ctx: &Ctx, collection: &Arc<Loaded>, template: &str, email: &str) -> Result<()> {
    let record = made_up(collection, email);
    match template {
        "verification" => templates::send_verification(ctx, &record).await,
        "password-reset" => templates::send_password_reset(ctx, &record).await,
        "email-change" => templates::send_email_change(ctx, &record, email).await,
        "otp" => templates::send_otp(ctx, &record, "_PB_TEST_OTP_ID_", "123456").await.map(|_| ()),
        "login-alert" => {
            let info = format!("{} - TEST_IP TEST_USER_AGENT", crate::time::now());
            templates::send_auth_alert(ctx, &record, &info).await
        }
        _ => Err(Error::NotFound),
    }
}

/// A record whose visible fields say their names.
fn made_up(collection: &Arc<Loaded>, email: &str) -> RecordRef {
    let mut record = Record::new(collection);
    for field in collection.fields.iter().filter(|field| !field.hidden) {
        record.set(&field.name, format!("__pb_test_{}__", field.name));
    }
    record.set("email", email);
    save::rotate_token_key(&mut record);
    record.into()
}
