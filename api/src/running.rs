//! Statements that run under a name. Must not know what they are.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::task::AbortHandle;

/// What runs, by who runs it and the name.
#[derive(Debug, Default)]
pub(crate) struct Running(pub(crate) Mutex<HashMap<(String, String), AbortHandle>>);
