//! Schema, storage, records, rules, hooks, settings: everything a server does, without HTTP.

pub mod app;
pub mod auth;
pub mod backup;
pub mod check;
pub mod collections;
pub mod cron;
pub mod crons;
pub mod crypto;
pub mod ctx;
pub mod error;
pub mod event;
pub mod explain;
pub mod field;
pub mod files;
pub mod hook;
pub mod id;
pub mod installer;
pub mod json;
pub mod lanes;
pub mod log;
pub mod logs;
pub mod mail;
pub mod oauth2;
pub mod outbound;
pub mod record;
pub mod rule;
pub mod schema;
pub mod settings;
pub mod settings_ops;
pub mod store;
pub mod superusers;
pub mod time;
pub mod wire;

pub use app::App;
pub use ctx::{Caller, Ctx};
pub use error::{Error, FieldError, FieldErrors, Result};
