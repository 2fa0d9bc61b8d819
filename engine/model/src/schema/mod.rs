//! Collections: the immutable snapshot, validation, differences and their application.

pub mod aside;
pub mod collection;
pub mod diff;
pub mod documents;
pub mod door;
pub mod full_text;
pub mod import;
pub mod index;
pub mod long_names;
pub mod migrate;
pub mod normalize;
pub mod options;
mod row_id;
pub mod rules;
mod sealed;
pub mod snapshot;
pub mod sync;
pub mod system;
pub mod validate;
mod validate_auth;
pub mod view;
mod view_query;
mod view_tree;

pub use collection::{Collection, Kind};
pub use sealed::Sealed;
pub use snapshot::{BackRef, Loaded, Snapshot, WireKey, WireSource};
pub use validate::{Validation, validate};
pub use view::prepare;
pub use view_query::original_field;
pub use view_tree::texts_of;
