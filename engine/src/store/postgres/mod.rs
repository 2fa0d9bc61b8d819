//! PostgreSQL as a store.
//!
//! | file | for |
//! |---|---|
//! | [`dsn`], [`connect`], `tls` | where it is, how to get there |
//! | `boot` | first contact: version, helper functions, the lock of migrations |
//! | `pool`, `conn` | connections, prepared statements, what happens when nobody waits any more |
//! | `db`, `tx`, `raw` | the doors of the store |
//! | `row_security` | telling policies who asks |
//! | `bind`, `rows`, `error` | values there, values back, errors |

mod bind;
mod boot;
mod conn;
pub mod connect;
mod db;
pub mod dsn;
mod error;
mod pool;
mod raw;
mod row_security;
mod rows;
mod tls;
mod tx;

pub use boot::{MigrationLock, PostgresConfig};
pub use connect::{ConnectError, Driver, connect};
pub use dsn::{Dsn, DsnError};

pub(super) use db::Database;
pub(super) use rows::{Cursor, Shown};
pub(super) use tx::Tx;
