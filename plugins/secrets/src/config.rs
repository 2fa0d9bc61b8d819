//! What can be configured, and what the environment says about it. Source: spec extensions 2.4.

use pocketbase::{Result, environment};

/// How secrets are kept. Zero values mean the default; the environment wins.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The environment of secrets that name none (`PB_SECRETS_DEFAULT_ENV`): `global`.
    pub default_env: String,
    /// Most bytes of a key (`PB_SECRETS_MAX_KEY_LENGTH`): 256.
    pub max_key_length: usize,
    /// Most bytes of a value (`PB_SECRETS_MAX_VALUE_SIZE`): 4096.
    pub max_value_size: usize,
    /// Whether there are routes (`PB_SECRETS_HTTP_ENABLED`).
    pub http_enabled: bool,
    /// Whether environments are told apart (`PB_SECRETS_ENV_ISOLATION`); else all calls use the default one.
    pub env_isolation: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            default_env: "global".to_owned(),
            max_key_length: 256,
            max_value_size: 4_096,
            http_enabled: true,
            env_isolation: true,
        }
    }
}

impl Config {
    /// With the environment, and defaults for zero values.
    pub(crate) fn resolved(mut self) -> Result<Self> {
        let defaults = Self::default();
        let size = |name: &str, given: usize, default: usize| -> Result<usize> {
            let found = environment::positive(name)?.and_then(|n| usize::try_from(n).ok());
            Ok(found.unwrap_or(if given == 0 { default } else { given }))
        };
        self.max_key_length =
            size("PB_SECRETS_MAX_KEY_LENGTH", self.max_key_length, defaults.max_key_length)?;
        self.max_value_size =
            size("PB_SECRETS_MAX_VALUE_SIZE", self.max_value_size, defaults.max_value_size)?;
        if let Some(env) = environment::text("PB_SECRETS_DEFAULT_ENV") {
            self.default_env = env;
        }
        if self.default_env.is_empty() {
            self.default_env = defaults.default_env;
        }
        if let Some(on) = environment::switch("PB_SECRETS_HTTP_ENABLED")? {
            self.http_enabled = on;
        }
        if let Some(on) = environment::switch("PB_SECRETS_ENV_ISOLATION")? {
            self.env_isolation = on;
        }
        Ok(self)
    }
}
