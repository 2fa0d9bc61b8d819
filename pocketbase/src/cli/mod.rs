//! The command line: flags, built-in commands, commands of users. Makes [`App::start`] the whole executable.
//!
//! Only here is the environment read and anything printed.

mod commands;
mod flags;
mod parts;
mod print;

use std::ffi::OsString;

pub(crate) use self::flags::global;
use crate::{
    app::App,
    error::{Error, Result},
};
use engine::hook::BoxFutureRef;

impl App {
    /// Reads the command line and runs the command: `serve`, `superuser`, `migrate`, … or one of your own. The last line of
    /// a `main`.
    ///
    /// A command that fails prints one line on stderr and ends the process with status 1, after everything was closed.
    ///
    /// # Errors
    /// Never; see [`App::run`] for the error as a value.
    pub fn start(&self) -> BoxFutureRef<'_, Result<()>> {
        Box::pin(async move {
            if let Err(commands::Failure(text)) = commands::main(self, &flags::arguments()).await {
                print::error(&text);
                std::process::exit(1);
            }
            Ok(())
        })
    }

    /// [`App::start`] with other arguments, the name of the executable first.
    ///
    /// # Errors
    /// What the command fails with, in one line.
    pub async fn run<S: Into<OsString>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<()> {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        let done = Box::pin(commands::main(self, &arguments)).await;
        done.map_err(|commands::Failure(text)| Error::Message(text))
    }
}
