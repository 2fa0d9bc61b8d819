//! The executable: flags, wiring, commands.

use std::process::ExitCode;

mod allocator;
mod commands;
mod flags;
mod print;
mod wire;

fn main() -> ExitCode {
    commands::main(&flags::arguments())
}
