//! Jobs that survive their server: queued in the database, done at least once, by any node.
//!
//! Must not know SQL outside of `store`, or what lies below `pocketbase`.

use pocketbase::{Plugin, Result, Setup};

/// Jobs that survive their server: queued in the database, done at least once, by any node.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct JobsPlugin;

impl JobsPlugin {
    /// With what the environment says.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Plugin for JobsPlugin {
    fn name(&self) -> &'static str {
        "jobs"
    }
    fn register(&self, _setup: &mut Setup) -> Result<()> {
        Ok(())
    }
}
