//! Collections: the immutable snapshot, validation, differences and their application.

pub mod collection;
pub mod options;

pub use collection::{Collection, Kind};
