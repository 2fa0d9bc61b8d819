//! PostgreSQL as a store: where it is ([`dsn`]), how to get there ([`connect`], TLS).

pub mod connect;
pub mod dsn;
mod tls;

pub use connect::{ConnectError, Driver, connect};
pub use dsn::{Dsn, DsnError};
