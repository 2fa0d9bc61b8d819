//! Collections: the immutable snapshot, validation, differences and their application.

pub mod collection;
pub mod index;
pub mod options;
pub mod snapshot;

pub use collection::{Collection, Kind};
pub use snapshot::{BackRef, Loaded, Snapshot, WireKey, WireSource};
