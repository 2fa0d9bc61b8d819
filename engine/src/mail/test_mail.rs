//! The mails as a superuser tries them: to a made-up record (spec auth §10.3).

use std::sync::Arc;

use super::templates;
use crate::{
    Error, FieldError, FieldErrors, Result, check,
    ctx::Ctx,
    record::{Record, RecordRef, refs::SUPERUSERS, save},
    schema::Loaded,
};

/// Longest address.
const MAX: usize = 255;

/// Which mail is to be tried.
#[derive(Debug, Clone, Default)]
pub struct Form {
    /// To whom.
    pub email: String,
    /// One of [`TEMPLATES`].
    pub template: String,
    /// An auth collection; empty for `_superusers`.
    pub collection: String,
}

impl Form {
    /// The collection, if all is well.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all findings.
    pub fn check(&self, ctx: &Ctx) -> Result<Arc<Loaded>> {
        let (email, template) = (&self.email, &self.template);
        let name = if self.collection.is_empty() { SUPERUSERS } else { &self.collection };
        let collection = ctx.snapshot().find(name).filter(|c| c.is_auth()).cloned();
        let address = check::required(email.is_empty())
            .or_else(|| check::length(email, 1, MAX))
            .or_else(|| check::email(email));
        let known =
            check::required(template.is_empty()).or_else(|| check::one_of(template, &TEMPLATES));
        let missing = collection.is_none().then(|| {
            let message = "Must be a valid auth collection id or name.";
            FieldError::new("validation_invalid_auth_collection", message)
        });
        let mut errors = FieldErrors::default();
        for (key, finding) in [("email", address), ("template", known), ("collection", missing)] {
            if let Some(error) = finding {
                errors.set(key, error);
            }
        }
        errors.into_result()?;
        collection.ok_or(Error::NotFound)
    }
    /// Checks it and sends the mail now.
    ///
    /// # Errors
    /// As [`Form::check`] and [`send`].
    pub async fn submit(&self, ctx: &Ctx) -> Result<()> {
        let collection = self.check(ctx)?;
        send(ctx, &collection, &self.template, &self.email).await
    }
}

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
