//! What the rooms above keep in an app, and what they want to hear of: put together once at the start, so that the app
//! itself names none of them.

use std::{any::Any, fmt};

use super::App;

/// Called after something has changed.
pub type Listener = fn(&App);

/// The state of rooms by type, and their listeners.
#[derive(Default)]
pub struct Parts {
    parts: Vec<Box<dyn Any + Send + Sync>>,
    pub(super) schema: Vec<Listener>,
    pub(super) settings: Vec<Listener>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("n_parts", &self.parts.len()).finish_non_exhaustive()
    }
}

impl Parts {
    /// Adds the state of a room; one of each type.
    #[must_use]
    pub fn with<T: Send + Sync + 'static>(mut self, part: T) -> Self {
        debug_assert!(self.get::<T>().is_none(), "two parts of one type");
        self.parts.push(Box::new(part));
        self
    }
    /// Calls `listener` after the collections have changed.
    #[must_use]
    pub fn on_schema(mut self, listener: Listener) -> Self {
        self.schema.push(listener);
        self
    }
    /// Calls `listener` after the settings were read.
    #[must_use]
    pub fn on_settings(mut self, listener: Listener) -> Self {
        self.settings.push(listener);
        self
    }
    /// The state of a room. A walk over a dozen entries: cheaper than a hash.
    pub(super) fn get<T: 'static>(&self) -> Option<&T> {
        self.parts.iter().find_map(|part| part.downcast_ref())
    }
}
