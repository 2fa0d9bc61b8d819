//! What every room of the engine speaks in: time, JSON text, ids, cron expressions, encryption, bounded thread lanes, tokens.
//!
//! Pure functions and plain values, each module one service. Must not know databases, HTTP, collections or records.

pub mod cron;
pub mod crypto;
pub mod future;
pub mod id;
pub mod json;
pub mod jwt;
pub mod keyring;
pub mod lanes;
pub mod password;
pub mod re2;
pub mod subnet;
pub mod time;
pub mod token;
