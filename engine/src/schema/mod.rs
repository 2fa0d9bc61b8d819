//! Collections: the immutable snapshot, validation, differences and their application.

pub mod collection;
pub mod index;
pub mod normalize;
pub mod options;
pub mod snapshot;
pub mod system;

pub use collection::{Collection, Kind};
pub use snapshot::{BackRef, Loaded, Snapshot, WireKey, WireSource};
