//! The whole house in one test binary: structure checks, and the executable driven over HTTP.

#![allow(clippy::print_stdout, reason = "figures of the durability test")]

mod auth;
mod acme;
mod bad_input;
mod cli;
mod durability;
mod operations;
mod pipeline;
mod mail;
mod sdk;
mod realtime;
mod support;
mod tidy;
