//! Page views: intake, daily tables, statistics.
//!
//! Must not know SQL outside of `store`, or what lies below `pocketbase`.

use pocketbase::{Plugin, Result, Setup};

/// Page views: intake, daily tables, statistics.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AnalyticsPlugin;

impl AnalyticsPlugin {
    /// With what the environment says.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Plugin for AnalyticsPlugin {
    fn name(&self) -> &'static str {
        "analytics"
    }
    fn register(&self, _setup: &mut Setup) -> Result<()> {
        Ok(())
    }
}
