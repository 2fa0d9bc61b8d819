//! What there is to say about PostgreSQL whether it is built in or not: options, refusals, notices.

use serde_json::Value;

use super::Dsn;

/// Why a connection string cannot be used: one line that names the parameter, never a value that could be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid PostgreSQL connection string: {parameter}: {reason}")]
pub struct DsnError {
    /// The parameter.
    pub parameter: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Where the database is and how many connections it may get.
#[derive(Debug, Clone)]
pub struct PostgresConfig {
    /// The connection string.
    pub dsn: Dsn,
    /// Most connections at a time.
    pub max_open: usize,
    /// Most connections that wait unused.
    pub max_idle: usize,
    /// Tell policies who asks even where no table has row-level security (`PB_PG_RLS=1`).
    pub row_security: bool,
    /// Fields of auth records that policies may see (`PB_PG_RLS_CLAIMS`).
    pub claims: Vec<String>,
    /// Whether there are other nodes.
    pub cluster: ClusterMode,
    /// Standby servers that may answer reads (`--pgReplica`). None of them has to be there.
    pub replicas: Vec<Dsn>,
}

impl PostgresConfig {
    /// The defaults: 100 connections, 20 idle.
    #[must_use]
    pub fn new(dsn: Dsn) -> Self {
        Self {
            dsn,
            max_open: 100,
            max_idle: 20,
            row_security: false,
            claims: Vec::new(),
            cluster: ClusterMode::default(),
            replicas: Vec::new(),
        }
    }
}

/// Whether a node reckons with others (`PB_PG_CLUSTER`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClusterMode {
    /// Tells others always.
    On,
    /// Neither tells nor listens.
    Off,
    /// Tells others while one is known to live.
    #[default]
    Auto,
}

/// Something that happened on another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `record.update`, `collection.create`, `cache.invalidate`, …
    pub event: String,
    /// Id (from others than us also: name) of the collection, or a table.
    pub collection: String,
    /// Id of the record, or empty.
    pub record: String,
    /// Where the row of a deleted record is kept.
    pub kept: Option<i64>,
}

/// A payload that arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Where it arrived.
    pub channel: String,
    /// Which node sent it; empty for others.
    pub from: String,
    /// What happened, in order.
    pub changes: Vec<Change>,
    /// What else it says.
    pub data: Value,
}
