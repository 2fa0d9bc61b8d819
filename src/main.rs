//! The executable: flags, wiring, commands.

use std::process::ExitCode;

mod commands;
mod flags;
mod print;
mod wire;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    commands::main(&flags::arguments())
}
