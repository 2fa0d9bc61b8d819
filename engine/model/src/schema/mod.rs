//! Collections: the immutable snapshot, validation, differences and their application.

pub mod aside;
pub mod collection;
pub mod diff;
pub mod full_text;
pub mod import;
pub mod index;
pub mod migrate;
pub mod normalize;
pub mod options;
pub mod rules;
pub mod snapshot;
pub mod sync;
pub mod system;
pub mod validate;
mod validate_auth;
pub mod view;
mod view_query;

pub use collection::{Collection, Kind};
pub use snapshot::{BackRef, Loaded, Snapshot, WireKey, WireSource};
pub use validate::{Validation, validate};
pub use view::prepare;
pub use view_query::original_field;
pub use view_query::spelled;
