//! What a program says to the gateway, and what the environment says over it.

use std::time::Duration;

use pocketbase::{Result, environment};

/// How upstreams are connected to. Source: spec extensions 4.1.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportConfig {
    /// Longest time to connect.
    pub dial_timeout: Duration,
    /// TCP keep-alive of connections.
    pub dial_keep_alive: Duration,
    /// How long unused connections are kept.
    pub idle_conn_timeout: Duration,
    /// Most unused connections that are kept for a host.
    pub max_idle_conns_per_host: usize,
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self {
            dial_timeout: Duration::from_secs(2),
            dial_keep_alive: Duration::from_secs(30),
            idle_conn_timeout: Duration::from_secs(90),
            max_idle_conns_per_host: 100,
        }
    }
}

/// What the plugin is made with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// No collection, no route, nothing (`PB_GATEWAY_DISABLED`).
    pub disabled: bool,
    /// Figures of proxies below `/api/gateway/metrics`.
    pub enable_metrics: bool,
    /// Upstreams may not be private addresses (`PB_GATEWAY_DENY_PRIVATE`).
    pub deny_private: bool,
    /// How upstreams are connected to.
    pub transport: TransportConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            disabled: false,
            enable_metrics: true,
            deny_private: false,
            transport: TransportConfig::default(),
        }
    }
}

impl Config {
    /// With what the environment says.
    pub(crate) fn with_environment(mut self) -> Result<Self> {
        if let Some(disabled) = environment::switch("PB_GATEWAY_DISABLED")? {
            self.disabled = disabled;
        }
        if let Some(deny) = environment::switch("PB_GATEWAY_DENY_PRIVATE")? {
            self.deny_private = deny;
        }
        Ok(self)
    }
}
