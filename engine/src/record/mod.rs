//! The life cycle of records: body → draft → rules → save, delete; read → expand → export.
//!
//! | step | file |
//! |---|---|
//! | what a client sends | `body`, `auth_form` |
//! | saving and deleting, with hooks | `save`, `delete`, `chain`, `refs`, `recheck` |
//! | reading | `read` (under rules), `find` (without) |
//! | showing | `enrich`, `expand`, `export`; without records: `spread` |

pub mod auth_form;
mod body;
mod chain;
pub mod delete;
mod enrich;
pub mod expand;
pub mod export;
pub mod file;
pub(crate) mod modify;
pub mod read;
mod recheck;
pub mod refs;
pub mod save;
mod spread;
mod storable;

pub use crate::{
    app::record::{Expanded, Record, RecordRef, Show},
    find,
};
pub use auth_form::Access;
pub use body::Submission;
pub use enrich::enrich;
pub(crate) use enrich::is_enriched as has_enrich_hooks;
pub use save::Draft;

#[cfg(test)]
mod tests;
