//! `migrate up|down|create|collections|history-sync`. Source: spec extending §10.2.

use std::{
    io::BufRead as _,
    path::{Path, PathBuf},
};

use clap::{Arg, ArgMatches, Command};

use crate::{
    app::App,
    cli::{commands::Failure, flags::Config, print},
    migration::{self, Template},
};

pub(super) fn command() -> Command {
    Command::new("migrate")
        .about("Executes app DB migration scripts (up, down [number], create name, collections, history-sync)")
        .arg(Arg::new("args").num_args(0..).allow_negative_numbers(true))
}

pub(super) async fn run(app: &App, matches: &ArgMatches, config: &Config) -> Result<(), Failure> {
    let words: Vec<String> =
        matches.get_many::<String>("args").into_iter().flatten().cloned().collect();
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    app.bootstrap().await?;
    let done = match word(0) {
        "" | "up" => up(app, config).await,
        "down" => down(app, word(1)).await,
        "create" => create(app, config, word(1)).await,
        "collections" => snapshot(app, config).await,
        "history-sync" => sync(app).await,
        other => Err(Failure(format!("unsupported command: {other:?}"))),
    };
    app.shutdown().await?;
    done
}

async fn up(app: &App, config: &Config) -> Result<(), Failure> {
    if !config.ignore_hooks && !app.shared.registered.lock().runs_scripts {
        super::serve::refuse_migrations(config, &app.migrations().applied(app).await?)?;
    }
    let applied = app.migrations().up(app).await?;
    for file in &applied {
        print::line(&format!("Applied {file}"));
    }
    if applied.is_empty() {
        print::line("No new migrations to apply.");
    }
    Ok(())
}

async fn down(app: &App, number: &str) -> Result<(), Failure> {
    let n = number.parse().unwrap_or(1);
    let last = app.migrations().last_applied(app, n).await?;
    if last.is_empty() {
        print::line("No migrations to revert.");
        return Ok(());
    }
    let names = last.join("\n");
    let asked = format!(
        "\n{names}\nDo you really want to revert the last {} applied migration(s)?",
        last.len()
    );
    if !confirm(&asked) {
        return Ok(());
    }
    let n = i64::try_from(last.len()).unwrap_or(i64::MAX);
    for file in app.migrations().down(app, n).await? {
        print::line(&format!("Reverted {file}"));
    }
    Ok(())
}

async fn create(app: &App, config: &Config, name: &str) -> Result<(), Failure> {
    if name.is_empty() {
        return Err(Failure("missing migration file name".into()));
    }
    write(app, &config.migrations_dir, name, &Template::Blank).await
}

async fn snapshot(app: &App, config: &Config) -> Result<(), Failure> {
    let collections = app.find_all_collections([]).await?;
    let list = collections.iter().map(crate::Collection::to_json).collect();
    write(app, &config.migrations_dir, "collections_snapshot", &Template::Snapshot(list)).await
}

async fn write(app: &App, dir: &Path, name: &str, template: &Template) -> Result<(), Failure> {
    let (text, extension) = app.migrations().template(template);
    let prefix = migration::prefix(app.flag::<String>("migrationsPrefix").as_deref());
    let path: PathBuf = dir.join(migration::file_name(&prefix, name, extension));
    let shown = path.display();
    if !confirm(&format!("Do you really want to create migration \"{shown}\"?")) {
        return Ok(());
    }
    tokio::fs::create_dir_all(dir).await?;
    tokio::fs::write(&path, text).await?;
    print::line(&format!("Successfully created file \"{shown}\""));
    Ok(())
}

async fn sync(app: &App) -> Result<(), Failure> {
    app.migrations().history_sync(app).await?;
    print::line("The _migrations table was synced with the available migrations.");
    Ok(())
}

/// Asks the person at the terminal; says so when the answer is not yes.
fn confirm(question: &str) -> bool {
    print::ask(&format!("{question} (y/N) "));
    let mut answer = String::new();
    let is_read = std::io::stdin().lock().read_line(&mut answer).is_ok();
    let answer = answer.trim();
    if is_read && (answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes")) {
        return true;
    }
    print::line("The command has been cancelled");
    false
}
