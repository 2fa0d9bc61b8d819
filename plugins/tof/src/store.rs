//! What has been seen: requests that signed somebody in, in a table that all servers of a database share.
//!
//! The only room with SQL. On SQLite it is a table, too: a restarted server must not forget.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use pocketbase::{App, Column, Result, Setup, Table};
use sha2::{Digest as _, Sha256};

const TABLE: &str = "_tofReplays";
/// How long requests are remembered whose time is checked: they are believed for three minutes before and after it, which is
/// told in whole seconds, by nodes whose clocks differ.
const KEPT_MS: i64 = 420_000;
/// The shortest time that requests are remembered whose time is not checked.
const UNTIMED_MS: i64 = 30 * 24 * 3_600_000;
/// How often old ones are removed.
const CLEAN_MS: i64 = 60_000;

/// Declares the table.
pub(crate) fn declare(setup: &Setup) -> Result<()> {
    setup.table(
        Table::new(TABLE)
            .column(Column::text("id").primary())
            .column(Column::integer("expires"))
            .index("idx_tofReplays_expires", ["expires"]),
    )
}

/// The memory.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    cleaned_ms: AtomicI64,
}

impl Seen {
    /// Remembers a request; false if it is known already.
    pub(crate) async fn is_first(
        &self,
        app: &App,
        signature: &str,
        now_ms: i64,
        until_ms: i64,
    ) -> Result<bool> {
        let last = self.cleaned_ms.load(Relaxed);
        if now_ms.abs_diff(last) > CLEAN_MS.unsigned_abs()
            && self.cleaned_ms.compare_exchange(last, now_ms, Relaxed, Relaxed).is_ok()
        {
            let old = app.db().query(r#"DELETE FROM "_tofReplays" WHERE expires < {:now}"#);
            old.bind("now", now_ms).execute().await?;
        }
        let text = r#"INSERT INTO "_tofReplays" (id, expires) VALUES ({:id}, {:expires}) ON CONFLICT (id) DO NOTHING"#;
        let insert = app.db().query(text).bind("id", id(signature));
        Ok(insert.bind("expires", until_ms).execute().await? > 0)
    }
}

/// Until when a request must be remembered, so that it is not believed a second time. `ends_ms` is when its identity ends, if
/// it does.
///
/// The window of times says nothing where times are not checked: then a request counts as long as its identity, and one
/// without an end for ever. A signature does not cover the identity, so the month is for those that are put together from an
/// old signature and somebody's next identity.
pub(crate) fn until_ms(checks_timestamp: bool, ends_ms: Option<i64>, now_ms: i64) -> i64 {
    match ends_ms {
        _ if checks_timestamp => now_ms.saturating_add(KEPT_MS),
        Some(end) => end.max(now_ms.saturating_add(UNTIMED_MS)).saturating_add(KEPT_MS),
        None => i64::MAX,
    }
}

/// Of the signature only: it covers all else that is signed, and in compatibility mode the same text can be cut into headers
/// in more than one way. Signatures are the same in any case.
fn id(signature: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(signature.to_ascii_lowercase());
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_requests_are_remembered() {
        const YEAR: i64 = 365 * 24 * 3_600_000;
        for (checks, ends, want) in [
            (true, None, KEPT_MS),
            (true, Some(YEAR), KEPT_MS),
            (false, Some(-KEPT_MS), UNTIMED_MS + KEPT_MS),
            (false, Some(YEAR), YEAR + KEPT_MS),
            (false, Some(i64::MAX), i64::MAX),
            (false, None, i64::MAX),
        ] {
            assert_eq!(until_ms(checks, ends, 0), want, "{checks} {ends:?}");
        }
        assert_eq!(id("AB"), id("ab"));
        assert_ne!(id("ab"), id("ac"));
    }
}
