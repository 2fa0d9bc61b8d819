//! The four collections that refer to auth records (`_mfas`, `_otps`, `_externalAuths`, `_authOrigins`), and superusers:
//! extra validation and what a save deletes along (spec auth §1.4, §8, collections-and-fields §3.15).

use std::{sync::Arc, time::Duration};

use dialects::statement::{self, Test};

use super::{Record, RecordRef, delete, find, save};
use crate::{Error, FieldError, FieldErrors, Result, ctx::Ctx, field::Val, schema::Loaded};

/// Name of the collection of superusers.
pub use crate::app::record::SUPERUSERS;
/// Names of the collections that refer to auth records.
pub const NAMES: [&str; 4] = ["_mfas", "_otps", "_externalAuths", "_authOrigins"];
/// The account of the first-run installer.
pub const INSTALLER_EMAIL: &str = "__pbinstaller@example.com";

/// Checks `collectionRef`, `recordRef` and `provider`; a single error is returned.
pub(crate) async fn validate(ctx: &Ctx, record: &RecordRef) -> Result<()> {
    let collection = record.collection();
    if !collection.system || !NAMES.contains(&collection.name.as_str()) {
        return Ok(());
    }
    let (collection_ref, record_ref, provider) = {
        let record = record.lock();
        let text = |name: &str| record.get_str(name).to_owned();
        (text("collectionRef"), text("recordRef"), text("provider"))
    };
    let fail = |key: &str, code: &str, message: &str| {
        let mut errors = FieldErrors::default();
        errors.set(key, FieldError::new(code, message));
        Err(Error::Invalid(errors))
    };
    let Some(target) = ctx.snapshot().by_id(&collection_ref).cloned() else {
        return fail(
            "collectionRef",
            "validation_invalid_collection_id",
            "Missing or invalid collection.",
        );
    };
    if !target.is_auth() {
        let message = "Invalid collection type - must be auth.";
        return fail("collectionRef", "validation_invalid_collection_type", message);
    }
    if find::by_id(ctx, &target, &record_ref).await?.is_none() {
        return fail("recordRef", "validation_invalid_record", "Missing or invalid record.");
    }
    let is_provider =
        || oauth2::is_registered(&provider) || ctx.app.config().link_providers.contains(&provider);
    if collection.name == "_externalAuths" && !is_provider() {
        return fail("provider", "validation_in_invalid", "Must be a valid value");
    }
    Ok(())
}

/// True if a save sets a new password.
pub(crate) fn password_changed(record: &Record) -> bool {
    let hash = |val: Option<&Val>| match val {
        Some(Val::Password { hash, .. }) => hash.clone(),
        _ => String::new(),
    };
    let plain = matches!(record.get("password"), Some(Val::Password { plain: Some(_), .. }));
    plain || hash(record.get("password")) != hash(record.original("password"))
}

/// Rows that a save of an auth record deletes in its transaction.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Cleanup {
    mfas_and_origins: bool,
    otps: bool,
    external_auths: bool,
    installer: bool,
}

impl Cleanup {
    pub(crate) fn of(record: &Record) -> Self {
        if !record.collection().is_auth() {
            return Self::default();
        }
        if record.is_new() {
            return Self {
                installer: record.is_superuser() && record.email() != INSTALLER_EMAIL,
                ..Self::default()
            };
        }
        Self {
            mfas_and_origins: password_changed(record),
            otps: record.changed("tokenKey"),
            external_auths: record.verified() && record.changed("verified"),
            installer: false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) async fn run(&self, ctx: &Ctx, record: &RecordRef) -> Result<()> {
        let mut otps = self.otps;
        if self.external_auths && delete_refs(ctx, "_externalAuths", record).await? > 0 {
            let mut record = record.lock();
            if !record.changed("tokenKey") {
                save::rotate_token_key(&mut record);
            }
            otps = true;
        }
        if self.mfas_and_origins {
            delete_refs(ctx, "_mfas", record).await?;
            delete_refs(ctx, "_authOrigins", record).await?;
        }
        if otps {
            delete_refs(ctx, "_otps", record).await?;
        }
        if self.installer {
            delete_installer(ctx, &record.collection()).await?;
        }
        Ok(())
    }
}

/// Rows read at a time.
const PAGE: u32 = 500;

/// The rows of one reference collection that point to a record, the newest first; at most [`PAGE`].
pub(crate) async fn rows_of(ctx: &Ctx, name: &str, record: &RecordRef) -> Result<Vec<Record>> {
    let Some(collection) = ctx.snapshot().find(name).cloned() else { return Ok(Vec::new()) };
    let (owner, id) = {
        let record = record.lock();
        (record.collection().id.clone(), record.stored_id().to_owned())
    };
    let tests = [Test::Is("collectionRef", &owner), Test::Is("recordRef", &id)];
    let sql = statement::select_where(
        ctx.app.dialect(),
        &collection.name,
        &collection.select,
        &tests,
        Some("created"),
        PAGE,
    );
    find::many(ctx, &collection, sql).await
}

/// Deletes the rows of one reference collection that point to a record; returns how many.
pub(crate) async fn delete_refs(ctx: &Ctx, name: &str, record: &RecordRef) -> Result<usize> {
    let mut count = 0;
    let mut seen_first = String::new();
    loop {
        let rows = rows_of(ctx, name, record).await?;
        let full = rows.len() >= PAGE as usize;
        match rows.first() {
            // A hook that keeps rows must not keep us here.
            Some(first) if first.id() != seen_first => first.id().clone_into(&mut seen_first),
            _ => return Ok(count),
        }
        for row in rows {
            delete::delete_again(ctx, &row.into(), true).await?;
            count += 1;
        }
        if !full {
            return Ok(count);
        }
    }
}

/// Deletes the rows of one reference collection that point to a record, with all hooks.
///
/// # Errors
/// What hooks report; database errors.
pub async fn delete_all(ctx: &Ctx, name: &str, record: &RecordRef) -> Result<()> {
    delete_refs(ctx, name, record).await.map(|_| ())
}

/// Deletes a row that may be used once; false if somebody else was faster.
pub(crate) async fn take(ctx: &Ctx, row: &Record) -> Result<bool> {
    let (collection, row) = (row.collection().clone(), RecordRef::from(row.clone()));
    ctx.run_in_transaction(move |ctx| async move {
        let id = row.id();
        if find::by_id(&ctx, &collection, &id).await?.is_none() {
            return Ok(false);
        }
        delete::delete_record(&ctx, &row).await?;
        Ok(true)
    })
    .await
}

/// Deletes the rows of one reference collection that are older than what `max_age_s` says for the collection they point to.
pub(crate) async fn delete_expired(
    ctx: &Ctx,
    name: &str,
    max_age_s: impl Fn(&Loaded) -> i64,
) -> Result<()> {
    let snapshot = ctx.snapshot();
    let Some(collection) = snapshot.find(name) else { return Ok(()) };
    for owner in snapshot.iter().filter(|c| c.is_auth()) {
        let age = Duration::from_secs(max_age_s(owner).max(0).unsigned_abs());
        let oldest = crate::time::now().minus(age).to_string();
        let tests = [Test::Is("collectionRef", &owner.id), Test::Before("created", &oldest)];
        let mut seen_first = String::new();
        loop {
            let sql = statement::select_where(
                ctx.app.dialect(),
                &collection.name,
                &collection.select,
                &tests,
                None,
                PAGE,
            );
            let rows = find::many(ctx, collection, sql).await?;
            match rows.first() {
                Some(first) if first.id() != seen_first => first.id().clone_into(&mut seen_first),
                _ => break,
            }
            for row in rows {
                delete::delete_record(ctx, &row.into()).await?;
            }
        }
    }
    Ok(())
}

/// True if a row was made more than `max_age_s` ago, or at no readable time.
pub(crate) fn is_older(row: &Record, max_age_s: i64) -> bool {
    let created = row.get("created").and_then(|val| crate::time::parse(val.as_str()));
    let age = Duration::from_secs(max_age_s.max(0).unsigned_abs());
    created.is_none_or(|created| created.plus(age) < crate::time::now())
}

/// The installer account goes when a real superuser is created; the save never fails because of it.
async fn delete_installer(ctx: &Ctx, superusers: &Arc<Loaded>) -> Result<()> {
    let email = dialects::Value::Text(INSTALLER_EMAIL.into());
    let found = find::by_value(ctx, superusers, "email", email, statement::Case::Sensitive).await?;
    let Some(installer) = found else { return Ok(()) };
    if let Err(error) = delete::delete_again(ctx, &installer.into(), false).await {
        tracing::warn!(%error, "failed to delete the installer account");
    }
    Ok(())
}
