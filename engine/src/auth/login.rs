//! Password logins and the the auth rule (spec auth §2.2, §3.0, §3.2).
//!
//! Functions over [`Ctx`]; the request, its body validation and the response are the caller's.

use std::sync::Arc;

use dialects::{Value, statement::Case};

use crate::{
    Error, FieldError, FieldErrors, Result,
    ctx::Ctx,
    field::Val,
    record::{Record, find},
    rule,
    schema::{Loaded, index::Index},
};

/// Finds the record of an identity: in the given field, or in the configured ones (spec auth §2.2).
///
/// # Errors
/// [`Error::Invalid`] for a field that is not configured; database errors.
pub async fn find_identity(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    identity: &str,
    identity_field: &str,
) -> Result<Option<Record>> {
    let configured = &collection.auth.password_auth.identity_fields;
    if !identity_field.is_empty() {
        if !configured.iter().any(|f| f == identity_field) {
            let mut errors = FieldErrors::default();
            errors.set(
                "identityField",
                FieldError::new("validation_in_invalid", "Must be a valid value"),
            );
            return Err(Error::Invalid(errors));
        }
        return by_field(ctx, collection, identity_field, identity).await;
    }
    let has_email = configured.iter().any(|f| f == "email");
    if has_email
        && crate::check::email(identity).is_none()
        && let Some(found) = by_field(ctx, collection, "email", identity).await?
    {
        return Ok(Some(found));
    }
    for field in configured.iter().filter(|f| *f != "email") {
        if let Some(found) = by_field(ctx, collection, field, identity).await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// One field, exactly unless its unique index ignores case.
async fn by_field(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    field: &str,
    identity: &str,
) -> Result<Option<Record>> {
    let ignores_case = collection.indexes.iter().map(|text| Index::parse(text)).any(|index| {
        index.single_unique_column().is_some_and(|c| c.eq_ignore_ascii_case(field))
            && index.columns.first().is_some_and(|c| c.collate.eq_ignore_ascii_case("nocase"))
    });
    let case = if ignores_case { Case::Ignored } else { Case::Sensitive };
    find::by_value(ctx, collection, field, Value::Text(identity.into()), case).await
}

/// True if the password is the record's. For unknown identities a hash of some record is verified all the same, so that
/// the time tells nothing.
///
/// # Errors
/// [`Error::Busy`]; database errors.
pub async fn verify(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    record: Option<&Record>,
    plain: &str,
) -> Result<bool> {
    if let Some(record) = record {
        return ctx
            .app
            .verify_password(plain.to_owned(), record.password_hash("password").to_owned())
            .await;
    }
    if let Some(any) = rule::first_rows(ctx, collection, 1).await?.first() {
        ctx.app.verify_password(String::new(), any.password_hash("password").to_owned()).await?;
    }
    Ok(false)
}

/// True if a record may authenticate: its collection's auth rule, which superusers (the requester) skip.
///
/// # Errors
/// Never for a rule that cannot be built or run: that is a refusal.
pub async fn passes_auth_rule(ctx: &Ctx, record: &Record) -> Result<bool> {
    if ctx.caller.is_superuser() {
        return Ok(true);
    }
    match record.collection().auth.auth_rule.as_deref() {
        None => Ok(false),
        Some("") => Ok(true),
        Some(text) => {
            Error::false_unless_outage(rule::row_matches(ctx, text, &stored(record)).await)
        }
    }
}

/// Rules see what is stored.
pub(super) fn stored(record: &Record) -> Record {
    record.fresh_original()
}

/// Sets a random password and a new token key: all sessions of the record end with the save.
pub fn randomize_password(record: &mut Record) -> String {
    let plain = super::random_alnum(30);
    record.set_val("password", Val::Password { hash: String::new(), plain: Some(plain.clone()) });
    crate::record::save::rotate_token_key(record);
    plain
}
