//! The commands, one file each. To add one: a file with `command()` and `run()`, one line in `commands!`.
//!
//! A failing command prints one line on stderr and exits with 1 (ARCHITECTURE.md: a named difference; the reference
//! prints to stdout and exits with 0).

use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, Command, error::ErrorKind};

use super::{
    flags::{self, Config},
    print, wire,
};
use crate::app::{App, caught};

macro_rules! commands {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        fn all() -> Vec<Command> {
            vec![$($name::command()),*]
        }
        async fn run(
            app: &App,
            name: &str,
            matches: &ArgMatches,
            config: &Config,
        ) -> Result<(), Failure> {
            match name {
                $(stringify!($name) => Box::pin($name::run(app, matches, config)).await,)*
                other => Err(Failure(format!("unknown command {other:?} for {:?}", config.exe))),
            }
        }
    };
}

commands! {
    serve,
    superuser,
    migrate,
    filter,
    db,
}

/// Why a command failed: one line.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl From<crate::Error> for Failure {
    fn from(error: crate::Error) -> Self {
        if let Some(fields) = error.fields() {
            return Self(api::error::plain_fields(fields));
        }
        // clients are told a general sentence; the person at the terminal may know
        match error.api().and_then(|api| api.detail.clone()) {
            Some(detail) => Self(detail.into()),
            None => Self(error.to_string()),
        }
    }
}

/// Parses the arguments and runs a command.
pub(crate) async fn main(app: &App, arguments: &[OsString]) -> Result<(), Failure> {
    let (_, exe) = flags::names(arguments);
    let mut root = root(app, &exe);
    let matches = match root.try_get_matches_from_mut(arguments) {
        Ok(matches) => matches,
        Err(error) => return explain(&error, &exe),
    };
    let given = app.shared.settings.get();
    let Some((name, sub)) = matches.subcommand() else {
        // spec server-settings §1.3: the bare executable opens its directory, too
        wire::configure(app, &flags::read(arguments, &matches, &given), &matches)?;
        wire::touch(app).await?;
        print::raw(&root.render_help().to_string());
        return Ok(());
    };
    let config = flags::read(arguments, sub, &given);
    wire::configure(app, &config, sub)?;
    match app.shared.commands.all().into_iter().find(|own| own.command.get_name() == name) {
        None => run(app, name, sub, &config).await,
        Some(own) => {
            app.bootstrap().await?;
            let work = (own.run)(app.clone(), sub.clone());
            let done = caught(&format!("the command {name:?}"), work).await;
            app.shutdown().await?;
            Ok(done?)
        }
    }
}

fn root(app: &App, exe: &str) -> Command {
    let own = app.shared.commands.all();
    let version = app.shared.settings.get().version;
    let version = version.unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned());
    let built_in = all()
        .into_iter()
        .filter(|one| own.iter().all(|other| other.command.get_name() != one.get_name()));
    let command = Command::new("pocketbase")
        .display_name(exe)
        .bin_name(exe)
        .about(format!("{exe} CLI"))
        .version(format!("version {version}"))
        .disable_help_subcommand(true)
        .disable_version_flag(true)
        .arg(
            Arg::new("version")
                .short('v')
                .long("version")
                .action(ArgAction::Version)
                .help("version of the executable"),
        )
        .subcommands(built_in)
        .subcommands(own.iter().map(|own| own.command.clone()))
        .args(app.shared.commands.args());
    flags::global(command)
}

/// Prints what clap has to say in our words: help on stdout, errors as one line on stderr.
fn explain(error: &clap::Error, exe: &str) -> Result<(), Failure> {
    use clap::error::{ContextKind, ContextValue};
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        _ => String::new(),
    };
    let text = match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            print::raw(&error.to_string());
            return Ok(());
        }
        ErrorKind::InvalidSubcommand => format!(
            "unknown command \"{}\" for \"{exe}\". Run '{exe} --help' for usage.",
            context(ContextKind::InvalidSubcommand)
        ),
        ErrorKind::UnknownArgument => {
            let flag = context(ContextKind::InvalidArg);
            if flag.starts_with('-') {
                format!("unknown flag: {flag}")
            } else {
                format!("unknown command \"{flag}\" for \"{exe}\". Run '{exe} --help' for usage.")
            }
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let (value, flag) =
                (context(ContextKind::InvalidValue), context(ContextKind::InvalidArg));
            // clap adds the name of the value
            let flag = flag.split([' ', '[', '=']).next().unwrap_or_default();
            let why = match error.kind() {
                ErrorKind::InvalidValue if flags::is_switch(flag) => "ParseBool",
                ErrorKind::ValueValidation => "ParseInt",
                _ => "",
            };
            let why = if why.is_empty() {
                String::new()
            } else {
                format!(": strconv.{why}: parsing \"{value}\": invalid syntax")
            };
            format!("invalid argument \"{value}\" for \"{flag}\" flag{why}")
        }
        _ => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            match error.kind() {
                ErrorKind::MissingRequiredArgument => {
                    format!("{line} {}", context(ContextKind::InvalidArg))
                }
                _ => line.to_owned(),
            }
        }
    };
    Err(Failure(text))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_table_is_sound() {
        super::root(&crate::App::new(), "pocketbase").debug_assert();
    }
}
