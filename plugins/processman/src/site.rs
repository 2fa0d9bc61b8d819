//! Where processes run: what all of a server share.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use pocketbase::App;

use crate::{logs::Budget, os::Launcher, plan::Surroundings};

/// Numbers since the program began.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    restarts: AtomicU64,
}

impl Counts {
    pub(crate) fn restarted(&self) {
        self.restarts.fetch_add(1, Relaxed);
    }
    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Relaxed)
    }
}

/// Where processes run.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) app: App,
    pub(crate) around: Surroundings,
    pub(crate) launcher: Launcher,
    pub(crate) budget: Arc<Budget>,
    pub(crate) counts: Arc<Counts>,
}
