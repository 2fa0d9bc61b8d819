//! Schema, storage, records, rules, hooks, settings: everything a server does, without HTTP.

pub mod app;
pub mod auth;
pub mod backup;
pub mod cluster;
pub mod collections;
pub mod cron_jobs;
pub mod explain;
pub mod files;
pub mod find;
pub mod history;
pub mod hook;
pub mod installer;
pub mod log_reading;
pub mod mail;
mod notes;
pub mod oauth2;
mod open;
mod plain_table;
pub mod preferences;
pub mod realtime;
pub mod record;
pub mod rule;
mod sealed;
pub mod settings_ops;
mod start;
pub mod statistics;
pub mod superusers;
mod tokens;
pub mod trial;

pub use ::{activity_log as log, outbound, store, transfer};
pub use app::{
    App, ctx,
    ctx::{Caller, Ctx},
    event,
};
pub use model::{
    Error, FieldError, FieldErrors, Result, check, error, field, schema, settings, wire,
};
pub use primitives::{cron, crypto, id, json, keyring, lanes, re2, subnet, time};
