//! Superuser accounts as the command line and the installer manage them (spec server-settings §1.1, §1.5).

use std::sync::Arc;

use serde_json::json;

use crate::{
    Error, FieldError, FieldErrors, Result,
    ctx::Ctx,
    record::{
        Record, RecordRef, delete,
        refs::{INSTALLER_EMAIL, SUPERUSERS},
        save,
    },
    schema::Loaded,
};

/// What a command did; the sentence is the contract.
pub type Message = String;

fn collection(ctx: &Ctx) -> Result<Arc<Loaded>> {
    ctx.snapshot().find(SUPERUSERS).cloned().ok_or(Error::NotFound)
}

async fn by_email(ctx: &Ctx, email: &str) -> Result<Option<Record>> {
    super::find_by_email(ctx, &collection(ctx)?, email).await
}

fn valid_email(email: &str, otherwise: &str) -> Result<()> {
    if email.is_empty() || crate::check::email(email).is_some() {
        return Err(Error::Message(otherwise.into()));
    }
    Ok(())
}

/// `failed to X: field: Message.`
fn failed(what: &str, error: &Error) -> Error {
    Error::Message(format!("{what}: {}", describe(error)))
}

/// Field errors as one line, as the reference prints them.
fn describe(error: &Error) -> String {
    let text = match error {
        Error::Invalid(errors) => flat(errors),
        other => other.to_string(),
    };
    if text.ends_with('.') { text } else { format!("{text}.") }
}

fn flat(errors: &FieldErrors) -> String {
    let item = |error: &FieldError| match error {
        FieldError::Item { message, .. } => message.trim_end_matches('.').to_owned(),
        FieldError::Nested(inner) => format!("({}.)", flat(inner)),
        FieldError::Other(text) => text.clone(),
    };
    errors
        .0
        .iter()
        .map(|(key, error)| format!("{key}: {}", item(error)))
        .collect::<Vec<_>>()
        .join("; ")
}

async fn store(ctx: &Ctx, record: Record, email: &str, password: &str) -> Result<RecordRef> {
    let record = RecordRef::from(record);
    record.set("email", email).set("password", password);
    save::save(ctx, &record).await?;
    Ok(record)
}

/// `superuser create`.
///
/// # Errors
/// [`Error::Message`] with the sentence for the terminal.
pub async fn create(ctx: &Ctx, email: &str, password: &str) -> Result<Message> {
    valid_email(email, "missing or invalid email address")?;
    let record = Record::new(&collection(ctx)?);
    store(ctx, record, email, password)
        .await
        .map_err(|e| failed("failed to create new superuser account", &e))?;
    Ok(format!("Successfully created new superuser \"{email}\"!"))
}

/// `superuser upsert`.
///
/// # Errors
/// As [`create`].
pub async fn upsert(ctx: &Ctx, email: &str, password: &str) -> Result<Message> {
    valid_email(email, "missing or invalid email address")?;
    let record = match by_email(ctx, email).await? {
        Some(record) => record,
        None => Record::new(&collection(ctx)?),
    };
    store(ctx, record, email, password)
        .await
        .map_err(|e| failed("failed to upsert superuser account", &e))?;
    Ok(format!("Successfully saved superuser \"{email}\"!"))
}

/// `superuser update`.
///
/// # Errors
/// As [`create`].
pub async fn update(ctx: &Ctx, email: &str, password: &str) -> Result<Message> {
    valid_email(email, "missing or invalid email address")?;
    let Some(record) = by_email(ctx, email).await? else {
        return Err(Error::Message(format!("superuser with email \"{email}\" doesn't exist")));
    };
    store(ctx, record, email, password)
        .await
        .map_err(|e| failed(&format!("failed to change superuser \"{email}\" password"), &e))?;
    Ok(format!("Successfully changed superuser \"{email}\" password!"))
}

/// `superuser delete`; an unknown email is no error.
///
/// # Errors
/// As [`create`].
pub async fn delete(ctx: &Ctx, email: &str) -> Result<Message> {
    valid_email(email, "invalid or missing email address")?;
    let Some(record) = by_email(ctx, email).await? else {
        return Ok(format!("superuser \"{email}\" is missing or already deleted"));
    };
    delete::delete_record(ctx, &record.into())
        .await
        .map_err(|e| failed(&format!("failed to delete superuser \"{email}\""), &e))?;
    Ok(format!("Successfully deleted superuser \"{email}\"!"))
}

/// True if there is no superuser but (maybe) the installer's.
///
/// # Errors
/// Database errors.
pub async fn needs_installer(ctx: &Ctx) -> Result<bool> {
    let rows = crate::rule::first_rows(ctx, &collection(ctx)?, 2).await?;
    Ok(rows.iter().all(|r| r.email() == INSTALLER_EMAIL))
}

/// The installer account (made if missing) and a static token for it, valid for half an hour.
///
/// # Errors
/// Database errors.
pub async fn installer_token(ctx: &Ctx) -> Result<String> {
    let record = match by_email(ctx, INSTALLER_EMAIL).await? {
        Some(record) => record,
        None => {
            let record = RecordRef::new(&collection(ctx)?);
            record.set("email", INSTALLER_EMAIL).set("password", json!(super::random_alnum(30)));
            match save::save(ctx, &record).await {
                Ok(()) => record.snapshot(),
                // Another node that starts on the same empty database was faster.
                Err(error) => by_email(ctx, INSTALLER_EMAIL).await?.ok_or(error)?,
            }
        }
    };
    super::new_auth_token(&record, 1800, false)
}
