//! The SQLite backend: one file, reader connections, one writer, group commit.
//!
//! Must not know that there is another backend.

mod conn;
mod copy;
mod door;
mod error;
mod held;
mod maintain;
mod raw;
mod read;
mod rows;
mod tx;
mod ways;
mod write;

use super::{
    Done, Durability, Error, Job, OwnedRows, Result, RowRef, Rows, Savepoint, Sql, Stats, Step,
    StoreConfig, Trace, Value, ValueRef, Ways, holding, visit,
};

pub use copy::check_file;
pub(super) use read::Database;
pub(super) use rows::{Cursor, cell};
pub(super) use tx::Tx;
