//! Operations on collections: list, save, delete, truncate, import, with hooks and transactions.
//!
//! The pure parts (normalising, validating, comparing, statements) are in `schema`; this room decides the order of
//! steps, what wraps them and what follows the commit. Source: spec collections-and-fields §4, server-settings §8.2.

mod handle;

pub use handle::CollectionRef;
