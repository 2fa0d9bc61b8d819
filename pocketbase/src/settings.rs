//! The settings of the app, as the dashboard shows them.

pub use engine::settings::{S3, Settings};
