//! Named secrets, encrypted at rest, by environment.
//!
//! Must not know SQL outside of `store`, or what lies below `pocketbase`.

use pocketbase::{Plugin, Result, Setup};

/// Named secrets, encrypted at rest, by environment.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SecretsPlugin;

impl SecretsPlugin {
    /// With what the environment says.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Plugin for SecretsPlugin {
    fn name(&self) -> &'static str {
        "secrets"
    }
    fn register(&self, _setup: &mut Setup) -> Result<()> {
        Ok(())
    }
}
