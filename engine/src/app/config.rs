//! How an app starts.

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use files::ThumbLimits;
use primitives::{keyring::Keyring, password::Scheme};

use crate::{
    Result,
    hook::BoxFuture,
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
    pub outbound: outbound::ClientOptions,
    /// Seconds by which the clocks of identity providers may differ from ours.
    pub id_token_leeway: i64,
    /// Statement listener of `--dev`.
    pub trace: Option<Trace>,
    /// How much work thumbnails may be.
    pub thumbs: ThumbLimits,
    /// Returns free memory to the system; called after password hashes (19 MiB each) when no other waits.
    pub release_memory: Option<fn()>,
    /// Collections of plugins that are made when somebody asks for them: directories of whoever does not look the same as
    /// without the plugin.
    pub on_demand: Vec<OnDemand>,
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
            outbound: outbound::ClientOptions::default(),
            id_token_leeway: 300,
            trace: None,
            thumbs: ThumbLimits::default(),
            release_memory: None,
            on_demand: Vec::new(),
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

/// Makes a collection that somebody has asked for; see [`Config::on_demand`].
#[derive(Clone)]
pub struct OnDemand {
    /// Its name, which begins with `_`.
    pub name: String,
    /// Makes it where it is missing. Several nodes may do that at a time.
    pub make: Arc<dyn Fn() -> BoxFuture<Result<()>> + Send + Sync>,
    /// It is being made: looking for it then does not make it once more.
    pub is_making: Arc<AtomicBool>,
}

impl fmt::Debug for OnDemand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnDemand").field(&self.name).finish()
    }
}

impl super::App {
    /// Makes a collection that is missing, if that is one that is made when somebody asks for it. True if it was.
    ///
    /// # Errors
    /// What making it fails with.
    pub async fn make_on_demand(&self, name: &str) -> Result<bool> {
        let known = self.config().on_demand.iter().find(|known| known.name == name);
        let Some(known) = known.filter(|_| self.snapshot().find(name).is_none()) else {
            return Ok(false);
        };
        if known.is_making.swap(true, Relaxed) {
            return Ok(false);
        }
        let made = (known.make)().await;
        known.is_making.store(false, Relaxed);
        made.map(|()| true)
    }
}
