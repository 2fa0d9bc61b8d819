//! The right to copy a whole database from or to PostgreSQL: a backup, a restore, `db copy`. One at a time over all nodes.
//!
//! A lock of the session, on a connection of its own: it goes when the process does. Must not know what is copied.

use std::time::Duration;

use tokio_postgres::Client;

use super::{Dsn, connect, error};
use crate::{Database, Error, Result, Sql};
use primitives::future::BoxFutureRef;

/// FNV-1a of `pb:backup`.
const KEY: i64 = 8_890_970_906_572_311_181;
/// How long [`BackupLock::wait`] waits.
const PATIENCE: Duration = Duration::from_secs(300);

/// Held while a database is copied; the lock goes with its connection.
#[derive(Debug)]
pub struct BackupLock {
    _client: Client,
}

impl BackupLock {
    /// Takes it; `None` if somebody else has it.
    ///
    /// # Errors
    /// [`Error::Connect`]; what the driver says.
    pub fn attempt(dsn: &Dsn) -> BoxFutureRef<'_, Result<Option<Self>>> {
        Box::pin(async move {
            let client = open(dsn).await?;
            let asked = client.query_one("SELECT pg_try_advisory_lock($1)", &[&KEY]).await;
            let is_ours: bool = asked.map_err(driver)?.get(0);
            Ok(is_ours.then_some(Self { _client: client }))
        })
    }

    /// Takes it when it is free.
    ///
    /// # Errors
    /// [`Error::Timeout`] if that takes more than five minutes; [`Error::Connect`]; what the driver says.
    pub fn wait(dsn: &Dsn) -> BoxFutureRef<'_, Result<Self>> {
        Box::pin(async move {
            let client = open(dsn).await?;
            let take = client.query_one("SELECT pg_advisory_lock($1)", &[&KEY]);
            match tokio::time::timeout(PATIENCE, take).await {
                Ok(taken) => taken.map(|_| Self { _client: client }).map_err(driver),
                Err(_) => Err(Error::Timeout),
            }
        })
    }

    /// True if somebody, on this or another node, has it.
    ///
    /// # Errors
    /// What the driver says.
    pub fn is_taken(db: &Database) -> BoxFutureRef<'_, Result<bool>> {
        Box::pin(async move {
            // Looked up, not tried: whoever tries to take it at this moment must not fail because of a question.
            let text = format!(
                "SELECT count(*) FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 \
             AND classid = {} AND objid = {} \
             AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())",
                KEY >> 32,
                KEY & 0xffff_ffff
            );
            Ok(db.query_now(Sql::plain(&text), |rows| rows.scalar_i64()).await?? > 0)
        })
    }
}

async fn open(dsn: &Dsn) -> Result<Client> {
    let (client, messages) =
        connect::connect(dsn).await.map_err(|e| Error::Connect(e.to_string()))?;
    messages.spawn();
    // Whatever the role or database sets would end the lock, or the wait for it, too early.
    client
        .batch_execute("SET statement_timeout = 0; SET lock_timeout = 0")
        .await
        .map_err(driver)?;
    client.batch_execute("SET idle_session_timeout = 0").await.map_err(driver)?;
    Ok(client)
}

fn driver(error: tokio_postgres::Error) -> Error {
    error::Fail::from(error).into_error()
}
