//! The five mails about auth records, each within its own `OnMailerRecord*Send` (spec auth §10.1, §13).
//!
//! Every function sends now; callers that must not wait use [`super::in_background`].

use serde_json::{Map, Value};

use super::{Address, Mail, layout, send, sender};
use primitives::token::TokenType;

use crate::{
    Error, Result,
    ctx::Ctx,
    event::{Hooks, RecordMailEvent},
    hook::{Hook, Slot},
    record::{
        RecordRef,
        refs::{INSTALLER_EMAIL, SUPERUSERS},
    },
    schema::options::Template,
    tokens::new_token,
};

/// Mails a link that confirms the address of a record.
///
/// # Errors
/// As [`send`].
pub async fn send_verification(ctx: &Ctx, record: &RecordRef) -> Result<()> {
    let (token, template) = {
        let record = record.lock();
        let claims = [("email", Value::from(record.email()))];
        let token = new_token(&record, TokenType::Verification, 0, &claims)?;
        (token, record.collection().auth.verification_template.clone())
    };
    let own = [("TOKEN", token.as_str())];
    let mail = compose(ctx, record, &template, &own, None);
    let meta = meta(&[("token", &token)]);
    dispatch(ctx, |h| &h.mailer_record_verification_send, record, mail, meta).await
}

/// Mails a link for setting a new password. The first-run account gets none.
///
/// # Errors
/// As [`send`].
pub async fn send_password_reset(ctx: &Ctx, record: &RecordRef) -> Result<()> {
    let (token, template) = {
        let record = record.lock();
        if record.collection().name == SUPERUSERS && record.email() == INSTALLER_EMAIL {
            return Err(Error::Message("the installer account cannot reset its password".into()));
        }
        let claims = [("email", Value::from(record.email()))];
        let token = new_token(&record, TokenType::PasswordReset, 0, &claims)?;
        (token, record.collection().auth.reset_password_template.clone())
    };
    let own = [("TOKEN", token.as_str())];
    let mail = compose(ctx, record, &template, &own, None);
    let meta = meta(&[("token", &token)]);
    dispatch(ctx, |h| &h.mailer_record_password_reset_send, record, mail, meta).await
}

/// Mails a link to the new address of a record that confirms it.
///
/// # Errors
/// As [`send`].
pub async fn send_email_change(ctx: &Ctx, record: &RecordRef, new_email: &str) -> Result<()> {
    let (token, template) = {
        let record = record.lock();
        let claims = [("email", Value::from(record.email())), ("newEmail", new_email.into())];
        let token = new_token(&record, TokenType::EmailChange, 0, &claims)?;
        (token, record.collection().auth.confirm_email_change_template.clone())
    };
    let own = [("TOKEN", token.as_str())];
    let mail = compose(ctx, record, &template, &own, Some(new_email));
    let meta = meta(&[("token", &token), ("newEmail", new_email)]);
    dispatch(ctx, |h| &h.mailer_record_email_change_send, record, mail, meta).await
}

/// Mails a one-time password; gives the first recipient, which is what `sentTo` of the OTP is about, or `None` when a
/// hook stopped the mail without an error.
///
/// # Errors
/// As [`send`].
pub async fn send_otp(
    ctx: &Ctx,
    record: &RecordRef,
    otp_id: &str,
    password: &str,
) -> Result<Option<String>> {
    let template = record.collection().auth.otp.email_template.clone();
    let own = [("OTP", password), ("OTP_ID", otp_id)];
    let mail = compose(ctx, record, &template, &own, None);
    let meta = meta(&[("otpId", otp_id), ("password", password)]);
    let sent_to = std::sync::Arc::new(Slot::new(None));
    let first = sent_to.clone();
    let ctx = ctx.clone();
    let event = event(&ctx, record, mail, meta);
    let hook = &ctx.app.hooks().mailer_record_otp_send;
    let inner = ctx.clone();
    hook.trigger(event, move |event| async move {
        let mail = event.message.get();
        let to = mail.to.first().map(|to| to.address.clone());
        send(&inner, mail).await?;
        first.set(to);
        Ok(())
    })
    .await?;
    Ok(sent_to.get())
}

/// Mails a warning about a login from a new place; `info` is plain text.
///
/// # Errors
/// As [`send`].
pub async fn send_auth_alert(ctx: &Ctx, record: &RecordRef, info: &str) -> Result<()> {
    let template = record.collection().auth.auth_alert.email_template.clone();
    let escaped = layout::escape(info);
    let mail = compose(ctx, record, &template, &[("ALERT_INFO", &escaped)], None);
    let meta = meta(&[("info", info)]);
    dispatch(ctx, |h| &h.mailer_record_auth_alert_send, record, mail, meta).await
}

fn meta(pairs: &[(&str, &str)]) -> Map<String, Value> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect()
}

/// The mail of a template to a record, or to another address.
fn compose(
    ctx: &Ctx,
    record: &RecordRef,
    template: &Template,
    own: &[(&str, &str)],
    to: Option<&str>,
) -> Mail {
    let record = record.snapshot();
    let settings = ctx.app.settings();
    let values = layout::Values { meta: &settings.meta, record: &record, own };
    Mail {
        from: sender(&ctx.app),
        to: vec![Address {
            name: String::new(),
            address: to.unwrap_or_else(|| record.email()).to_owned(),
        }],
        subject: layout::resolve(&template.subject, &values),
        html: layout::page(&layout::resolve(&template.body, &values)),
        ..Mail::default()
    }
}

fn event(ctx: &Ctx, record: &RecordRef, mail: Mail, meta: Map<String, Value>) -> RecordMailEvent {
    RecordMailEvent {
        app: ctx.app.clone(),
        collection: record.collection(),
        record: record.clone(),
        message: Slot::new(mail),
        meta: Slot::new(meta),
    }
}

async fn dispatch(
    ctx: &Ctx,
    hook: fn(&Hooks) -> &Hook<RecordMailEvent>,
    record: &RecordRef,
    mail: Mail,
    meta: Map<String, Value>,
) -> Result<()> {
    let hook = hook(ctx.app.hooks());
    if hook.is_empty() {
        return send(ctx, mail).await;
    }
    let inner = ctx.clone();
    hook.trigger(event(ctx, record, mail, meta), move |event| async move {
        send(&inner, event.message.get()).await
    })
    .await
}
