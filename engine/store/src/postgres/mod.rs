//! PostgreSQL as a store (Cargo feature `postgres`; `disabled.rs` stands in for this room without it).
//!
//! | file | for |
//! |---|---|
//! | `dsn`, `connect`, `tls` | where it is, how to get there |
//! | `boot` | first contact: version, helper functions, the lock of migrations |
//! | `backup_lock` | one copy of the whole database at a time |
//! | `pool`, `shares`, `conn` | connections, who gets one, prepared statements, what happens when nobody waits any more |
//! | `door`, `db`, `tx`, `raw` | the doors of the store |
//! | `replica` | which read replicas know everything, and reads on those |
//! | `row_security` | telling policies who asks |
//! | `bind`, `rows`, `error` | values there, values back, errors |
//! | `plain` | what there is to say without a connection |
//! | `publish`, `notice`, `cluster` | telling other nodes, what is told, listening to them |

mod backup_lock;
mod bind;
mod boot;
mod cluster;
mod conn;
pub mod connect;
mod db;
mod door;
pub mod dsn;
mod error;
mod notice;
mod plain;
mod pool;
mod publish;
mod raw;
mod replica;
mod row_security;
mod rows;
mod shares;
mod tls;
mod tx;

pub use backup_lock::BackupLock;
pub use boot::MigrationLock;
pub use cluster::{Cluster, Heart, Listener};
pub use connect::{ConnectError, Driver, connect};
pub use dsn::Dsn;
pub use plain::{Change, ClusterMode, DsnError, Notice, PostgresConfig};

pub(super) use db::Database;
pub(super) use rows::{Cursor, Shown};
pub(super) use tx::Tx;
