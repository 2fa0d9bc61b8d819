//! The whole house in one test binary: structure checks, and the executable driven over HTTP.

mod bad_input;
mod cli;
mod durability;
mod support;
mod tidy;
