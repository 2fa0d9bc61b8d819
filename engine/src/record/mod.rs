//! The life cycle of records: body → draft → rules → save, delete; read → expand → export.
//!
//! | step | file |
//! |---|---|
//! | what a client sends | `body`, `auth_form`; what code fills: `form` |
//! | saving and deleting, with hooks | `save`, `delete`, `chain`, `refs`, `recheck`, `unread` |
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
mod form;
pub mod hold;
pub(crate) mod modify;
pub mod read;
mod recheck;
pub mod refs;
pub mod save;
pub mod search;
mod spread;
mod storable;
pub(crate) mod unread;

pub use crate::{
    app::record::{Expanded, Record, RecordRef, Show},
    find,
};
pub use auth_form::Access;
pub use body::Submission;
pub(crate) use body::prepare as prepare_body;
pub(crate) use enrich::is_enriched as has_enrich_hooks;
pub use enrich::{enrich, enrich_done};
pub use save::Draft;

#[cfg(test)]
mod tests;
