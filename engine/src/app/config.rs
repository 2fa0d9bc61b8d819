//! How an app starts.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use files::ThumbLimits;
use primitives::{keyring::Keyring, password::Scheme};

use crate::{
    outbound,
    store::{Durability, Trace, postgres::PostgresConfig},
};

/// How to start; nothing here is read from the environment.
#[derive(Clone)]
pub struct Config {
    /// `pb_data`.
    pub data_dir: PathBuf,
    /// The 32-character key that encrypts the settings, if one is configured.
    pub encryption_key: Option<String>,
    /// Name of the variable that holds the key, for messages.
    pub encryption_env: String,
    /// The keys of encrypted fields and of [`App::crypto`](super::App::crypto).
    pub keys: Arc<Keyring>,
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// How new passwords are hashed.
    pub password_hash: Scheme,
    /// PostgreSQL instead of `data.db` and `auxiliary.db`.
    pub postgres: Option<PostgresConfig>,
    /// `--dev`
    pub dev: bool,
    /// Longest time of a statement.
    pub query_timeout: Duration,
    /// How requests to other servers are made.
    pub outbound: outbound::Options,
    /// Seconds by which the clocks of identity providers may differ from ours.
    pub id_token_leeway: i64,
    /// Statement listener of `--dev`.
    pub trace: Option<Trace>,
    /// How much work thumbnails may be.
    pub thumbs: ThumbLimits,
    /// Returns free memory to the system; called after password hashes (19 MiB each) when no other waits.
    pub release_memory: Option<fn()>,
    /// PEM certificates to trust instead of Mozilla's when connecting to others (`SSL_CERT_FILE`).
    pub ca_file: Option<PathBuf>,
    /// Who may stand in `_externalAuths` as provider besides the OAuth2 services.
    pub link_providers: Vec<String>,
}

impl Config {
    /// The defaults for a data directory.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            encryption_key: None,
            encryption_env: String::new(),
            keys: Arc::default(),
            durability: Durability::default(),
            password_hash: Scheme::default(),
            postgres: None,
            dev: false,
            query_timeout: Duration::from_secs(30),
            outbound: outbound::Options::default(),
            id_token_leeway: 300,
            trace: None,
            thumbs: ThumbLimits::default(),
            release_memory: None,
            ca_file: None,
            link_providers: Vec::new(),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("data_dir", &self.data_dir)
            .field("dev", &self.dev)
            .finish_non_exhaustive()
    }
}
