//! Opening a PostgreSQL store: the server is asked what it can, helper functions are installed, one node at a time.
//!
//! Source: spec extensions §1.2, §1.3, §1.14.

use std::{sync::Arc, time::Duration};

use tokio_postgres::Client;

use super::{
    Dsn,
    connect::{self, ConnectError, check_server},
    db::Database,
    error,
    plain::{ClusterMode, PostgresConfig},
    pool::{Pool, Purpose, Settings},
    publish::Publisher,
    replica::Replicas,
    row_security,
};
use crate::{Error, Result, StoreConfig};

/// How long a server may take to come up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long another node may migrate.
const LOCK_PATIENCE: Duration = Duration::from_secs(300);
/// FNV-1a of `pb:migrate`.
const MIGRATE: i64 = 7_889_383_449_741_116_772;
/// Connections that stay free for others.
const SPARE: i64 = 5;

/// Held while a node migrates; the lock goes with its connection.
#[derive(Debug)]
pub struct MigrationLock {
    _client: Option<Client>,
}

impl MigrationLock {
    /// Nothing to hold: a directory has a lock of its own.
    pub(crate) fn none() -> Self {
        Self { _client: None }
    }
}

fn refused(error: &ConnectError) -> Error {
    Error::Connect(error.to_string())
}

fn failed(error: &tokio_postgres::Error) -> Error {
    Error::Connect(format!("cannot prepare the PostgreSQL database: {}", error::text(error)))
}

impl Database {
    /// Connects, checks the server and installs the helper functions.
    pub(crate) async fn open(postgres: &PostgresConfig, config: &StoreConfig) -> Result<Self> {
        let dsn = Arc::new(postgres.dsn.clone());
        let client = open_client(&dsn).await?;
        let version = check_server(&client).await.map_err(|e| refused(&e))?;
        if version < 150_000 {
            tracing::warn!(version, "this PostgreSQL is old; 15 or later is recommended");
        }
        let max_open = room(&client, postgres.max_open).await?;
        install_helpers(&client).await?;
        let is_used = row_security::is_used(&client).await.map_err(|e| failed(&e))?;
        let warning = match is_used || postgres.row_security {
            true => row_security::warning(&client).await.map_err(|e| failed(&e))?,
            false => None,
        };
        drop(client);
        let settings = Settings {
            dsn: dsn.clone(),
            max_open,
            max_idle: postgres.max_idle.min(max_open),
            statement_timeout: config.query_timeout,
            trace: config.trace.clone(),
            row_security: postgres.row_security,
            purpose: Purpose::All,
        };
        let replicas = (!postgres.replicas.is_empty()).then(|| {
            let of = |replica: &Dsn| Settings {
                dsn: Arc::new(replica.clone()),
                purpose: Purpose::Reads,
                ..settings.clone()
            };
            Replicas::start(dsn, postgres.replicas.iter().map(of))
        });
        let pool = Pool::new(settings);
        let publisher =
            (postgres.cluster != ClusterMode::Off).then(|| Publisher::new(postgres.cluster));
        Ok(Self::new(pool, publisher, replicas, warning, config.query_timeout))
    }

    /// Waits until no other node migrates.
    pub(crate) async fn lock_migrations(&self) -> Result<MigrationLock> {
        let client = open_client(self.inner.pool.dsn()).await?;
        lock(&client).await?;
        Ok(MigrationLock { _client: Some(client) })
    }
}

async fn open_client(dsn: &Dsn) -> Result<Client> {
    let opened = connect::connect_patiently(dsn, PATIENCE).await;
    let (client, driver) = opened.map_err(|e| refused(&e))?;
    driver.spawn();
    Ok(client)
}

async fn lock(client: &Client) -> Result<()> {
    let take = async {
        client.batch_execute("SET statement_timeout = 0").await?;
        client.batch_execute(&format!("SELECT pg_advisory_lock({MIGRATE})")).await
    };
    match tokio::time::timeout(LOCK_PATIENCE, take).await {
        Ok(done) => done.map_err(|e| failed(&e)),
        Err(_) => Err(Error::Connect("another node has been migrating for too long".into())),
    }
}

/// So many connections as are asked for, at most as many as the server has (spec §1.2).
async fn room(client: &Client, wanted: usize) -> Result<usize> {
    let ask = "SELECT current_setting('max_connections')::int8 - current_setting('superuser_reserved_connections')::int8";
    let found: i64 = client.query_one(ask, &[]).await.map_err(|e| failed(&e))?.get(0);
    let most = usize::try_from((found - SPARE).max(2)).unwrap_or(2);
    if wanted > most {
        tracing::warn!(
            wanted,
            most,
            "fewer database connections than wanted: the server has no more"
        );
    }
    Ok(wanted.clamp(1, most))
}

/// The mark of the installed functions: the comment of one of them, so that it comes and goes with them.
fn mark() -> String {
    let hash = dialects::POSTGRES_HELPERS
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("pocketbase helpers {} {hash:016x}", dialects::POSTGRES_HELPERS_VERSION)
}

async fn is_installed(client: &Client) -> Result<bool> {
    let ask = "SELECT obj_description(p.oid, 'pg_proc') FROM pg_catalog.pg_proc p \
               JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
               WHERE n.nspname = current_schema() AND p.proname = 'pb_json'";
    let rows = client.query(ask, &[]).await.map_err(|e| failed(&e))?;
    let wanted = mark();
    Ok(rows.iter().any(|row| row.get::<_, Option<String>>(0).is_some_and(|text| text == wanted)))
}

async fn install_helpers(client: &Client) -> Result<()> {
    if is_installed(client).await? {
        return Ok(());
    }
    lock(client).await?;
    let done = match is_installed(client).await? {
        true => Ok(()),
        false => {
            let text = format!(
                "BEGIN;{};COMMENT ON FUNCTION pb_json(jsonb) IS '{}';COMMIT",
                dialects::POSTGRES_HELPERS,
                mark()
            );
            client.batch_execute(&text).await.map_err(|e| failed(&e))
        }
    };
    // The lock would also go with the connection, but not at once.
    let unlock = format!("ROLLBACK;SELECT pg_advisory_unlock({MIGRATE})");
    client.batch_execute(&unlock).await.map_err(|e| failed(&e))?;
    done
}
