//! The commands, one file each. To add one: a file with `command()` and `run()`, one line in `commands!`.
//!
//! A failing command prints one line on stderr and exits with 1 (spec upstream-0.40 §8).

use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, Command, error::ErrorKind};

use super::{
    flags::{self, Config},
    parts, print,
};
use crate::app::{App, caught};

mod order;

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
    prepare(app, arguments, &exe).await?;
    let mut root = root(app, &exe);
    let ordered = order::raw(app, arguments);
    let ordered = ordered.as_deref().unwrap_or(arguments);
    let matches = match root.try_get_matches_from_mut(ordered) {
        Ok(matches) => matches,
        Err(error) => return explain(&error, &exe),
    };
    let given = app.shared.settings.get();
    let Some((name, sub)) = matches.subcommand() else {
        // spec server-settings §1.3: the bare executable opens its directory, too
        parts::configure(app, &flags::read(arguments, &matches, &given), &matches)?;
        parts::touch(app).await?;
        print::raw(&root.render_help().to_string());
        return Ok(());
    };
    let config = flags::read(arguments, sub, &given);
    parts::configure(app, &config, sub)?;
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

/// Lets plugins see the flags before the commands are known, as they may add some: what cannot be understood yet is left
/// for the second reading.
async fn prepare(app: &App, arguments: &[OsString], exe: &str) -> Result<(), Failure> {
    if app.shared.registered.lock().prepare.is_empty() {
        return Ok(());
    }
    let is_help = |arg: &&OsString| arg.to_str().is_some_and(|arg| matches!(arg, "-h" | "--help"));
    // no command is known yet: the flags go first
    let arguments = &order::flags_first(app, arguments);
    let known: Vec<&OsString> = arguments.iter().filter(|arg| !is_help(arg)).collect();
    let root = root(app, exe).ignore_errors(true).subcommand_required(false);
    if let Ok(matches) = root.try_get_matches_from(known) {
        let sub = matches.subcommand().map_or(&matches, |(_, sub)| sub);
        let config = flags::read(arguments, sub, &app.shared.settings.get());
        parts::configure(app, &config, sub)?;
        if !config.ignore_hooks {
            app.prepare().await?;
        }
    }
    Ok(())
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
        // DIFFERENCE: no suggestions of names that are almost right
        ErrorKind::InvalidSubcommand => {
            format!("unknown command {:?} for {exe:?}", context(ContextKind::InvalidSubcommand))
        }
        ErrorKind::UnknownArgument => {
            let flag = context(ContextKind::InvalidArg);
            match flag.strip_prefix('-') {
                Some(name) if name.starts_with('-') => format!("unknown flag: {flag}"),
                Some(name) => {
                    let first: String = name.chars().take(1).collect();
                    format!("unknown shorthand flag: '{first}' in {flag}")
                }
                None => format!("unknown command {flag:?} for {exe:?}"),
            }
        }
        ErrorKind::MissingRequiredArgument => {
            format!("missing arguments: {}", context(ContextKind::InvalidArg))
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => invalid_value(
            error.kind(),
            &context(ContextKind::InvalidArg),
            &context(ContextKind::InvalidValue),
        ),
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

/// A flag without its value, or with one that it does not take.
fn invalid_value(kind: ErrorKind, flag: &str, value: &str) -> String {
    // clap adds the name of the value
    let flag = flag.split([' ', '[', '=']).next().unwrap_or_default();
    if kind == ErrorKind::InvalidValue && value.is_empty() {
        return format!("flag needs an argument: {flag}");
    }
    let is_integer = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let (parser, fault) = match kind {
        ErrorKind::InvalidValue if flags::is_switch(flag) => ("ParseBool", "invalid syntax"),
        ErrorKind::ValueValidation if is_integer => ("ParseInt", "value out of range"),
        ErrorKind::ValueValidation => ("ParseInt", "invalid syntax"),
        _ => return format!("invalid argument {value:?} for {flag:?} flag"),
    };
    format!(
        "invalid argument {value:?} for {flag:?} flag: strconv.{parser}: parsing {value:?}: {fault}"
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_table_is_sound() {
        super::root(&crate::App::new(), "pocketbase").debug_assert();
    }
}
