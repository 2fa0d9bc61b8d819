//! Second factors: a login of one method opens a session that a login of another one closes (spec auth §4).
//!
//! Knows nothing of what the methods are; the answer to the client is the caller's.

use crate::{
    Result,
    ctx::Ctx,
    record::{Record, RecordRef, find, refs, save},
    rule,
    schema::system::MFAS,
};

/// What a login has to do about its second factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecondFactor {
    /// Nothing (more).
    Pass,
    /// Come again with another method and this session.
    Ask(String),
    /// The session does not fit.
    Refuse(Refusal),
}

/// Why a session does not fit a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is none of this id, or it is too old.
    Expired,
    /// It belongs to another record.
    Foreign,
    /// It was opened with the same method.
    SameMethod,
}

/// Whether a login of a record needs a second factor.
///
/// # Errors
/// When the rule cannot be built or run.
pub async fn is_needed(ctx: &Ctx, record: &Record) -> Result<bool> {
    let options = &record.collection().auth.mfa;
    Ok(options.enabled
        && rule::row_matches(ctx, &options.rule, &super::login::stored(record)).await?)
}

/// Opens a session for a login that needs a second factor, or closes the one it names. A session closes once.
///
/// # Errors
/// Database errors; what hooks report.
pub async fn step(ctx: &Ctx, record: &Record, method: &str, session: &str) -> Result<SecondFactor> {
    let snapshot = ctx.snapshot();
    let Some(mfas) = snapshot.find(MFAS) else { return Ok(SecondFactor::Pass) };
    if session.is_empty() {
        let opened = RecordRef::new(mfas);
        opened
            .set("collectionRef", record.collection().id.as_str())
            .set("recordRef", record.id())
            .set("method", method);
        save::save(ctx, &opened).await?;
        return Ok(SecondFactor::Ask(opened.id()));
    }
    let Some(row) = find::by_id(ctx, mfas, session).await? else {
        return Ok(SecondFactor::Refuse(Refusal::Expired));
    };
    if refs::is_older(&row, record.collection().auth.mfa.duration) {
        refs::take(ctx, &row).await?;
        return Ok(SecondFactor::Refuse(Refusal::Expired));
    }
    if row.get_str("recordRef") != record.id()
        || row.get_str("collectionRef") != record.collection().id
    {
        return Ok(SecondFactor::Refuse(Refusal::Foreign));
    }
    if row.get_str("method") == method {
        return Ok(SecondFactor::Refuse(Refusal::SameMethod));
    }
    let closed = refs::take(ctx, &row).await?;
    Ok(if closed { SecondFactor::Pass } else { SecondFactor::Refuse(Refusal::Expired) })
}

/// Deletes the sessions that are too old, of every auth collection (hourly, spec auth §8).
///
/// # Errors
/// Database errors; what hooks report.
pub async fn clean_up(ctx: &Ctx) -> Result<()> {
    refs::delete_expired(ctx, MFAS, |collection| collection.auth.mfa.duration).await
}
