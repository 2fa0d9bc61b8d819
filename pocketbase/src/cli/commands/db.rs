//! `db copy`: a whole database to another place. Source: spec extensions §1.17 (as `migrate-db`).

use clap::{Arg, ArgMatches, Command};
use engine::{
    store::postgres::{BackupLock, Dsn},
    transfer::{self, CopyOptions, Event, Place},
};

use crate::{
    app::App,
    cli::{
        commands::Failure,
        flags::{self, Config},
        print,
    },
};

pub(super) fn command() -> Command {
    let place = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("DIR|DSN").required(true).help(help)
    };
    Command::new("db")
        .about("Moves data between SQLite and PostgreSQL")
        .disable_help_subcommand(true)
        .subcommand(
            Command::new("copy")
                .about("Copies a data directory or PostgreSQL database to another one")
                .arg(place("from", "what to copy; it may be in use"))
                .arg(place("to", "where to; no server may use it"))
                .arg(flags::switch("overwrite", "false", "replace the data that is there")),
        )
}

pub(super) async fn run(_: &App, matches: &ArgMatches, config: &Config) -> Result<(), Failure> {
    let Some(("copy", sub)) = matches.subcommand() else {
        let help = command().bin_name(format!("{} db", config.exe)).render_help();
        print::raw(&help.to_string());
        return Ok(());
    };
    let text = |name: &str| sub.get_one::<String>(name).map_or("", String::as_str);
    let overwrite = sub.get_one::<bool>("overwrite").copied().unwrap_or_default();
    let options = CopyOptions::new(place(text("from"))?, place(text("to"))?, overwrite);
    print::line(&format!("Copying {} to {}", options.from, options.to));
    let _locks = [lock(&options.from).await?, lock(&options.to).await?];
    let report = Box::pin(transfer::copy(&options, &mut |event| show(&event))).await?;
    print::line(&format!("Done: {} rows in {} tables.", report.rows, report.tables));
    Ok(())
}

/// Keeps backups, restores and other copies of a PostgreSQL database from running meanwhile.
async fn lock(place: &Place) -> Result<Option<BackupLock>, Failure> {
    let Place::Postgres(dsn) = place else { return Ok(None) };
    match BackupLock::attempt(dsn).await? {
        Some(lock) => Ok(Some(lock)),
        None => Err(Failure(format!(
            "a backup, restore or copy of {place} is running; try again when it has ended"
        ))),
    }
}

fn place(text: &str) -> Result<Place, Failure> {
    if Dsn::is_dsn(text) {
        return Ok(Place::Postgres(Box::new(Dsn::parse_with(text, &flags::variable)?)));
    }
    Ok(Place::Dir(text.into()))
}

fn show(event: &Event) {
    match event {
        Event::Table { name, rows, time } => {
            #[allow(clippy::cast_precision_loss)]
            let rate = *rows as f64 / time.as_secs_f64().max(1e-9);
            print::line(&format!("  {name}: {rows} rows, {rate:.0} rows/s"));
        }
        Event::Files { count, bytes } => {
            print::line(&format!("  storage: {count} files, {bytes} bytes"));
        }
        Event::Verified { tables } => {
            print::line(&format!("Verified: count and checksum of {tables} tables are equal."));
        }
        Event::Warning(text) => print::line(&format!("Warning: {text}.")),
    }
}
