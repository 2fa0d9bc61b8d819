//! Sign-in with TOF identities.
//!
//! Must not know SQL outside of `store`, or what lies below `pocketbase`.

use pocketbase::{Plugin, Result, Setup};

/// Sign-in with TOF identities.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct TofPlugin;

impl TofPlugin {
    /// With what the environment says.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Plugin for TofPlugin {
    fn name(&self) -> &'static str {
        "tof"
    }
    fn register(&self, _setup: &mut Setup) -> Result<()> {
        Ok(())
    }
}
