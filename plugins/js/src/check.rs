//! `pocketbase hooks check`: whether all files load, for those who want to know before they serve.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use pocketbase::{App, Error, Result, Setup, clap};

use crate::{load, migrations};

/// Adds the command.
pub(crate) fn register(setup: &Setup, n_failed: Arc<AtomicUsize>) -> Result<()> {
    let check = clap::Command::new("check")
        .about("Loads all hook and migration files and tells what is wrong with them");
    let command = clap::Command::new("hooks")
        .about("Looks after JavaScript hooks and migrations")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(check);
    setup.command(command, move |app, _| {
        let n_failed = n_failed.load(Ordering::Acquire);
        async move { check_all(&app, n_failed).await }
    })
}

/// The hook files were loaded before the command, and their errors told.
async fn check_all(app: &App, n_failed: usize) -> Result<()> {
    let failed = migrations::check(app).await?;
    failed.iter().for_each(|(file, error)| load::tell(file, error));
    match n_failed + failed.len() {
        0 => {
            say("All hook and migration files load.");
            Ok(())
        }
        1 => Err(Error::Message("1 file does not load".into())),
        n => Err(Error::Message(format!("{n} files do not load"))),
    }
}

#[allow(clippy::print_stdout, reason = "the answer of a command")]
fn say(text: &str) {
    println!("{text}");
}
