//! Plan → statement: one walk over the lowered plan, and what a dialect has to spell for it.
//!
//! | file | holds |
//! |---|---|
//! | `query` | [`Query`]: a plan that is lowered once, whatever is asked of it |
//! | `walk`, `page`, `test` | the walk: rows and aliases; pages and orders; conditions |
//! | `rows` | where joined rows come from and what they hang on |
//! | `ways` | what the shape of a plan says about reading it |
//! | `spell` | [`Spell`]: a method per construct |
//! | `shared` | what several spellings need |
//!
//! Must not know which dialect it is.

mod page;
mod query;
mod rows;
mod select;
pub(crate) mod shared;
mod spell;
mod test;
mod walk;
mod ways;

pub use query::Query;
pub use select::{ColumnList, Only, Select, Way};
pub use spell::{Alias, Half, Spell};
pub use walk::Walk;
