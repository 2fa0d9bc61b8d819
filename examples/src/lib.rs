//! Programs around PocketBase, one module each: `cargo run -p examples -- hello serve` runs one; each has a test.
//!
//! A program of your own is one of these modules with `app.start().await` at the end of its `main`.

pub mod auth_route;
pub mod command;
pub mod embedding;
pub mod hello;
pub mod migrations;
pub mod plugin;
pub mod postgres;
pub mod queue;
pub mod records;
#[cfg(test)]
mod testing;
pub mod veto_and_enrich;
