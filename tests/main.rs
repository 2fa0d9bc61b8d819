//! The whole house in one test binary: structure checks, and the executable driven over HTTP.

#![allow(clippy::print_stdout, reason = "figures of the durability test")]

mod acme;
mod auth;
mod bad_input;
mod batch;
mod bodies;
mod cli;
mod cluster;
mod dashboard_api;
mod descriptions;
mod durability;
mod files;
mod full_disk;
mod full_text;
mod hook_tools;
mod hooks;
mod library;
mod lists;
mod mail;
mod oauth2;
mod operations;
mod packages;
mod pipeline;
mod postgres_backups;
mod postgres_claims;
mod postgres_faults;
mod postgres_names;
mod postgres_replica;
mod postgres_row_security;
mod postgres_same;
mod postgres_tls;
mod realtime;
mod schema;
mod sdk;
mod structure;
mod support;
mod tidy;
mod transfer;
mod trials;
mod users_sql;
