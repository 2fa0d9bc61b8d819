//! Programs that are kept running beside the server.
//!
//! Must not know SQL outside of `store`, or what lies below `pocketbase`.

use pocketbase::{Plugin, Result, Setup};

/// Programs that are kept running beside the server.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ProcessmanPlugin;

impl ProcessmanPlugin {
    /// With what the environment says.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Plugin for ProcessmanPlugin {
    fn name(&self) -> &'static str {
        "processman"
    }
    fn register(&self, _setup: &mut Setup) -> Result<()> {
        Ok(())
    }
}
