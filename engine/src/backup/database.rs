//! Backups while serving from PostgreSQL: archives hold SQLite files all the same, so that one archive restores on
//! either engine (spec architecture §0).
//!
//! Making one: a copy of one PostgreSQL snapshot as SQLite files. Restoring: the restored files are tried as SQLite
//! databases first, then copied into PostgreSQL in one transaction, whose commit is the moment from which everything is
//! new; it leaves a mark by which a start that follows a crash knows that moment has passed. Knows no archive.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Backups, swap::Recovery};
use crate::{
    App, Error, Result, app,
    store::{
        self,
        postgres::{BackupLock, PostgresConfig},
    },
    transfer::{self, CopyOptions, Event, Place},
};

/// How often a long copy looks whether the app closes.
const LOOK: Duration = Duration::from_millis(100);

/// The names of the databases in an archive.
pub(super) const FILES: [&str; 2] = ["data.db", "auxiliary.db"];
/// What may lie beside them in a data directory.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// The files of a data directory that PostgreSQL stands for: they are left where they are.
pub(super) fn stand_ins() -> Vec<String> {
    let beside = |name: &str| BESIDE.map(|suffix| format!("{name}{suffix}"));
    FILES.iter().flat_map(|name| beside(name).into_iter().chain([(*name).to_owned()])).collect()
}

/// Copies PostgreSQL, as it is at this moment, to SQLite files in `dir`; they are (name in the archive, where).
pub(super) async fn copy_out(
    app: &App,
    postgres: &PostgresConfig,
    dir: &Path,
    exclude: &[String],
) -> Result<Vec<(String, PathBuf)>> {
    let dir = dir.join("databases");
    let from = Place::Postgres(Box::new(postgres.dsn.clone()));
    let options =
        CopyOptions { archive: true, ..CopyOptions::new(from, Place::Dir(dir.clone()), false) };
    let mut tell = |event| warn("backup", &event);
    tokio::select! {
        done = Box::pin(transfer::copy(&options, &mut tell)) => done.map_err(|e| failed(&e))?,
        () = closing(app.backups()) => return Err(Error::Message("the server is shutting down".into())),
    };
    let wanted = FILES.iter().filter(|name| !exclude.iter().any(|out| out == *name));
    Ok(wanted.map(|name| ((*name).to_owned(), dir.join(name))).collect())
}

async fn closing(backups: &Backups) {
    while !backups.is_closing() {
        tokio::time::sleep(LOOK).await;
    }
}

fn warn(what: &str, event: &Event) {
    if let Event::Warning(text) = event {
        tracing::warn!("{what}: {text}");
    }
}

fn failed(error: &transfer::Error) -> Error {
    Error::Message(error.to_string())
}

/// True if an earlier process has committed the restore that this start finds unfinished.
///
/// # Errors
/// The database cannot be asked; nothing must be decided then.
pub(crate) async fn is_committed(config: &app::Config, mark: Option<String>) -> Result<bool> {
    let (Some(postgres), Some(mark)) = (&config.postgres, mark) else { return Ok(false) };
    transfer::is_marked(&postgres.dsn, &mark).await.map_err(|e| failed(&e))
}

/// On the first start on restored data: brings the restored databases into PostgreSQL, if that is what is served from.
///
/// The inner result: whether that was done; where not, PostgreSQL is as it was.
///
/// # Errors
/// It cannot be told what happened, the database does not answer.
pub(crate) async fn copy_in(config: &app::Config, recovery: &Recovery) -> Result<Result<()>> {
    let (Some(postgres), Some((dir, mark))) = (&config.postgres, recovery.staged(&config.data_dir))
    else {
        return Ok(Ok(()));
    };
    // Another node may have begun a backup since this one prepared the restore.
    let _lock = match BackupLock::wait(&postgres.dsn).await {
        Ok(lock) => lock,
        Err(error @ store::Error::Timeout) => return Ok(Err(error.into())),
        Err(error) => return Err(error.into()),
    };
    let done = match crate::open::try_files(config, &dir).await {
        Ok(()) => copy(postgres, dir, mark.clone()).await,
        Err(error) => return Ok(Err(error)),
    };
    match done {
        // Whoever does not hear the answer to a commit asks again.
        Err(error) => match transfer::is_marked(&postgres.dsn, &mark).await {
            Ok(true) => Ok(Ok(())),
            Ok(false) => Ok(Err(error)),
            Err(_) => Err(error),
        },
        done => Ok(done),
    }
}

async fn copy(postgres: &PostgresConfig, dir: PathBuf, mark: String) -> Result<()> {
    let to = Place::Postgres(Box::new(postgres.dsn.clone()));
    let options = CopyOptions {
        archive: true,
        mark: Some(mark),
        ..CopyOptions::new(Place::Dir(dir), to, true)
    };
    let mut tell = |event| warn("restore", &event);
    Box::pin(transfer::copy(&options, &mut tell)).await.map_err(|e| failed(&e))?;
    Ok(())
}
