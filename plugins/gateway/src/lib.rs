//! A proxy in front of other servers, by records of `_proxies`.
//!
//! Must not know SQL outside of `store`, or what lies below `pocketbase`.

use pocketbase::{Plugin, Result, Setup};

/// A proxy in front of other servers, by records of `_proxies`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct GatewayPlugin;

impl GatewayPlugin {
    /// With what the environment says.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Plugin for GatewayPlugin {
    fn name(&self) -> &'static str {
        "gateway"
    }
    fn register(&self, _setup: &mut Setup) -> Result<()> {
        Ok(())
    }
}
