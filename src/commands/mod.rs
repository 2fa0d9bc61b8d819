//! The commands, one file each. To add one: a file with `command()` and `run()`, one line in `commands!`.
//!
//! A failing command prints one line on stderr and exits with 1 (spec upstream-0.40 §8).

use std::{ffi::OsString, process::ExitCode};

use clap::{Arg, ArgAction, ArgMatches, Command, error::ErrorKind};

use crate::{
    flags::{self, Config},
    print, wire,
};

macro_rules! commands {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        fn all() -> Vec<Command> {
            vec![$($name::command()),*]
        }
        fn run(name: &str, matches: &ArgMatches, config: &Config) -> Result<(), Failure> {
            match name {
                $(stringify!($name) => $name::run(matches, config),)*
                other => Err(Failure(format!("unknown command {other:?} for {:?}", config.exe))),
            }
        }
    };
}

commands! {
    serve,
    superuser,
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

/// Parses the arguments and runs a command.
pub(crate) fn main(arguments: &[OsString]) -> ExitCode {
    let (_, exe) = flags::names(arguments);
    let mut root = root(&exe);
    let matches = match root.try_get_matches_from_mut(arguments) {
        Ok(matches) => matches,
        Err(error) => return explain(&error, &exe),
    };
    let done = match matches.subcommand() {
        Some((name, sub)) => run(name, sub, &flags::read(arguments, sub)),
        // spec server-settings §1.3: the bare executable opens its directory, too
        None => wire::touch(&flags::read(arguments, &matches)).map(|()| {
            print::raw(&root.render_help().to_string());
        }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(text)) => {
            print::error(&text);
            ExitCode::FAILURE
        }
    }
}

fn root(exe: &str) -> Command {
    let command = Command::new("pocketbase")
        .display_name(exe)
        .bin_name(exe)
        .about(format!("{exe} CLI"))
        .version(concat!("version ", env!("CARGO_PKG_VERSION")))
        .disable_help_subcommand(true)
        .disable_version_flag(true)
        .arg(
            Arg::new("version")
                .short('v')
                .long("version")
                .action(ArgAction::Version)
                .help("version of the executable"),
        )
        .subcommands(all());
    flags::global(command)
}

/// Prints what clap has to say in our words: help on stdout, errors as one line on stderr.
fn explain(error: &clap::Error, exe: &str) -> ExitCode {
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
            return ExitCode::SUCCESS;
        }
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
            text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    };
    print::error(&text);
    ExitCode::FAILURE
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
        super::root("pocketbase").debug_assert();
    }
}
