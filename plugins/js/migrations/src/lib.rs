//! Migrations as JavaScript files: their text, and writing them when superusers change collections.
//!
//! Must not know a JavaScript engine: what runs the files is elsewhere. Source: spec extending §10.3, §10.4.

mod automigrate;
pub mod text;

pub use automigrate::{Prefix, automigrate, file_name};
