//! Where logins come from, and the mail about a new place (spec auth §6).
//!
//! A place is an address and a user agent; must not know how they were found out.

use std::time::Duration;

use md5::{Digest as _, Md5};
use serde_json::json;

use crate::{
    Error, Result,
    ctx::Ctx,
    log::Level,
    mail::templates,
    record::{RecordRef, delete, refs, save},
    schema::system::AUTH_ORIGINS,
    time,
};

/// A record keeps so many places.
const MAX: usize = 5;
/// Longer user agents are cut to so many bytes.
const MAX_AGENT: usize = 200;
/// A login waits so long for its mail.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where a login comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The address, as the wire spells it.
    ip: String,
    /// The user agent, cut.
    agent: Vec<u8>,
}

impl Place {
    /// A place; the user agent is text most of the time, but clients send what they like.
    #[must_use]
    pub fn new(ip: String, agent: &[u8]) -> Self {
        let mut agent = agent.to_vec();
        if agent.len() > MAX_AGENT {
            agent.truncate(MAX_AGENT);
            agent.extend_from_slice(b"...");
        }
        Self { ip, agent }
    }

    /// Lower-case hexadecimal MD5 of address and user agent.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest = Md5::new().chain_update(&self.ip).chain_update(&self.agent).finalize();
        digest.iter().fold(String::with_capacity(32), |mut out, byte| {
            out.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            out.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
            out
        })
    }

    /// What the mail says: time, address, user agent.
    fn info(&self) -> String {
        format!("{} - {} {}", time::now(), self.ip, String::from_utf8_lossy(&self.agent))
    }
}

/// Notes the place of a login; a record that has logged in from elsewhere before is told about a new one. If that mail
/// cannot be sent, the place stays unknown, so that the next login tries again.
///
/// # Errors
/// Database errors; what hooks report.
pub async fn note(ctx: &Ctx, record: &RecordRef, place: &Place) -> Result<()> {
    let snapshot = ctx.snapshot();
    let Some(collection) = snapshot.find(AUTH_ORIGINS) else { return Ok(()) };
    let fingerprint = place.fingerprint();
    let known = refs::rows_of(ctx, AUTH_ORIGINS, record).await?;
    if let Some(same) = known.iter().find(|row| row.get_str("fingerprint") == fingerprint) {
        return save::save(ctx, &same.clone().into()).await;
    }
    if !known.is_empty() && !record.lock().email().is_empty() && !warn(ctx, record, place).await {
        return Ok(());
    }
    for row in known.into_iter().skip(MAX - 1) {
        delete::delete_record(ctx, &row.into()).await?;
    }
    let origin = RecordRef::new(collection);
    origin
        .set("collectionRef", record.collection().id.as_str())
        .set("recordRef", record.id())
        .set("fingerprint", fingerprint);
    save::save(ctx, &origin).await
}

/// Sends the mail; false if it cannot be sent in time.
async fn warn(ctx: &Ctx, record: &RecordRef, place: &Place) -> bool {
    let info = place.info();
    let sending = templates::send_auth_alert(ctx, record, &info);
    let sent = tokio::time::timeout(PATIENCE, sending).await;
    let sent = sent.unwrap_or_else(|_| Err(Error::Message("timed out".into())));
    let Err(error) = sent else { return true };
    let data = json!({"error": error.to_string(), "recordId": record.id()});
    ctx.app.log().write(Level::Warn, "Failed to send auth alert", &data);
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints() {
        // spec auth, test vectors
        let place = Place::new("127.0.0.1".into(), b"UA<two>&");
        assert_eq!(place.fingerprint(), "76c277d3bcc0fe3e78b1d5e3347f9720");
        assert!(place.info().ends_with("Z - 127.0.0.1 UA<two>&"));
        let long = Place::new("1.2.3.4".into(), &[b'x'; 300]);
        assert_eq!(long.agent.len(), 203);
        assert!(long.agent.ends_with(b"x..."));
        let exact = Place::new("1.2.3.4".into(), &[b'x'; 200]);
        assert_eq!(exact.agent.len(), 200);
    }
}
