//! What has been seen: requests that signed somebody in, in a table that all servers of a database share.
//!
//! The only room with SQL. On SQLite it is a table, too: a restarted server must not forget.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use pocketbase::{App, Column, Result, Setup, Table};
use sha2::{Digest as _, Sha256};

const TABLE: &str = "_tofReplays";
/// How long requests are remembered: they are believed for three minutes before and after their time, which is told in whole
/// seconds, by nodes whose clocks differ.
pub(crate) const KEPT_MS: i64 = 420_000;
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
        seq: &str,
        signature: &str,
        now_ms: i64,
    ) -> Result<bool> {
        let last = self.cleaned_ms.load(Relaxed);
        if now_ms.abs_diff(last) > CLEAN_MS.unsigned_abs()
            && self.cleaned_ms.compare_exchange(last, now_ms, Relaxed, Relaxed).is_ok()
        {
            let old = app.db().query(r#"DELETE FROM "_tofReplays" WHERE expires < {:now}"#);
            old.bind("now", now_ms).execute().await?;
        }
        let text = r#"INSERT INTO "_tofReplays" (id, expires) VALUES ({:id}, {:expires}) ON CONFLICT (id) DO NOTHING"#;
        let insert = app.db().query(text).bind("id", id(seq, signature));
        Ok(insert.bind("expires", now_ms.saturating_add(KEPT_MS)).execute().await? > 0)
    }
}

/// Signatures are the same in any case.
fn id(seq: &str, signature: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(signature.to_ascii_lowercase());
    hash.update(seq);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
