//! The whole house in one test binary: structure checks, and the executable driven over HTTP.

mod durability;
mod support;
mod tidy;
