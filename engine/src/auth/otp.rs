//! One-time passwords: making, mailing, redeeming (spec auth §3.10, §3.11, §5).
//!
//! How often somebody may guess is the caller's business; a password is redeemed at most once.

use std::sync::Arc;

use crate::{
    Result,
    ctx::Ctx,
    id,
    mail::{self, templates},
    record::{Record, RecordRef, find, refs, save},
    schema::{Loaded, system::OTPS},
};

/// From this many valid passwords of a record on, none is added.
const MAX_ACTIVE: usize = 10;
const ID_ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// A new password of the collection's length: digits.
#[must_use]
pub fn generate(collection: &Loaded) -> String {
    id::random(usize::try_from(collection.auth.otp.length).unwrap_or(0), b"0123456789")
}

/// What unknown addresses get: an id like any other, after about the same time.
///
/// # Errors
/// [`crate::Error::Busy`].
pub async fn pretend(ctx: &Ctx) -> Result<String> {
    // Only the time it takes is wanted.
    let _ = ctx.app.hash_password(String::new(), 0).await?;
    Ok(id::random(15, ID_ALPHABET))
}

/// Makes a one-time password and mails it in the background; gives its id. A record with ten valid ones (but under
/// `--dev`) gets no more: the id is that of the newest.
///
/// # Errors
/// [`crate::Error::Busy`]; database errors; what hooks report.
pub async fn request(ctx: &Ctx, record: &RecordRef, password: &str) -> Result<String> {
    let duration = record.collection().auth.otp.duration;
    let newest = refs::rows_of(ctx, OTPS, record).await?;
    let mut active = newest.iter().filter(|otp| !refs::is_older(otp, duration));
    if let Some(first) = active.next()
        && active.count() + 1 >= MAX_ACTIVE
        && !ctx.app.config().dev
    {
        let existing = first.id().to_owned();
        pretend(ctx).await?;
        return Ok(existing);
    }
    let otp = create(ctx, record, password).await?;
    let id = otp.id();
    let (inner, record, password) = (ctx.clone(), record.clone(), password.to_owned());
    let sent = otp.clone();
    let sending = async move { send(&inner, &record, sent, &password).await };
    if !mail::in_background(&ctx.app, "OTP email", sending) {
        refs::take(ctx, &otp.snapshot()).await?;
    }
    Ok(id)
}

/// Stores a one-time password.
///
/// # Errors
/// [`crate::Error::Busy`]; database errors; what hooks report.
pub async fn create(ctx: &Ctx, record: &RecordRef, password: &str) -> Result<RecordRef> {
    let snapshot = ctx.snapshot();
    let otp = RecordRef::new(snapshot.find(OTPS).ok_or(crate::Error::NotFound)?);
    otp.set("collectionRef", record.collection().id.as_str())
        .set("recordRef", record.id())
        .set("password", password);
    save::save(ctx, &otp).await?;
    Ok(otp)
}

/// Mails a password and notes the address; without a mail the password goes.
async fn send(ctx: &Ctx, record: &RecordRef, otp: RecordRef, password: &str) -> Result<()> {
    let id = otp.id();
    match templates::send_otp(ctx, record, &id, password).await {
        Ok(sent_to) => {
            // It may be redeemed already, and a hook may have set the address.
            let stored = find::by_id(ctx, &otp.collection(), &id).await?;
            let open = stored.filter(|otp| otp.get_str("sentTo").is_empty());
            let (Some(sent_to), Some(open)) = (sent_to, open) else { return Ok(()) };
            let open = RecordRef::from(open);
            open.set("sentTo", sent_to);
            save::save(ctx, &open).await
        }
        Err(error) => {
            refs::take(ctx, &otp.snapshot()).await?;
            Err(error)
        }
    }
}

/// A password of this id that is still valid, and whose it is.
///
/// # Errors
/// Database errors.
pub async fn find_valid(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    id: &str,
) -> Result<Option<(Record, Record)>> {
    let snapshot = ctx.snapshot();
    let Some(otps) = snapshot.find(OTPS) else { return Ok(None) };
    let Some(otp) = find::by_id(ctx, otps, id).await? else { return Ok(None) };
    if otp.get_str("collectionRef") != collection.id
        || refs::is_older(&otp, collection.auth.otp.duration)
    {
        return Ok(None);
    }
    let record = find::by_id(ctx, collection, otp.get_str("recordRef")).await?;
    Ok(record.map(|record| (otp, record)))
}

/// True if the text is the password.
///
/// # Errors
/// [`crate::Error::Busy`].
pub async fn verify(ctx: &Ctx, otp: &Record, password: &str) -> Result<bool> {
    ctx.app.verify_password(password.to_owned(), otp.password_hash("password").to_owned()).await
}

/// Uses up a password; false if it is used up already. A mailed one proves the address: the record becomes verified,
/// and whoever signed up with that address before loses its password and sessions, unless a second factor protects it.
///
/// # Errors
/// Database errors and what hooks report about the password; a failed verification is only logged.
pub async fn redeem(ctx: &Ctx, otp: &Record, record: &RecordRef) -> Result<bool> {
    if !refs::take(ctx, otp).await? {
        return Ok(false);
    }
    {
        let mut record = record.lock();
        let sent_to = otp.get_str("sentTo");
        if record.verified() || sent_to.is_empty() || sent_to != record.email() {
            return Ok(true);
        }
        record.set("verified", true);
        if !record.collection().auth.mfa.enabled {
            super::login::randomize_password(&mut record);
        }
    }
    if let Err(error) = save::save_no_validate(ctx, record).await {
        tracing::error!(%error, "failed to verify a record after its OTP");
    }
    Ok(true)
}

/// Deletes the passwords that are too old, of every auth collection (hourly, spec auth §8).
///
/// # Errors
/// Database errors; what hooks report.
pub async fn clean_up(ctx: &Ctx) -> Result<()> {
    refs::delete_expired(ctx, OTPS, |collection| collection.auth.otp.duration).await
}
