//! What routes and scripts share: configuration, memory, numbers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{config::TofConfig, store::Seen};

/// The plugin while it is on.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) config: TofConfig,
    pub(crate) seen: Seen,
    pub(crate) counts: Counts,
}

/// Numbers since the program began.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    sign_ins: AtomicU64,
}

impl Counts {
    pub(crate) fn signed_in(&self) {
        self.sign_ins.fetch_add(1, Relaxed);
    }
    pub(crate) fn sign_ins(&self) -> u64 {
        self.sign_ins.load(Relaxed)
    }
}
