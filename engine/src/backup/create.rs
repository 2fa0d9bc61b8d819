//! Making a backup: copies of the databases, then one zip of everything, then its place (spec §4.1).

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{NOT_SAVED, Pace, REPLICATION, archive, database, on_thread, scratch::Scratch};
use crate::{
    App, Error, Result,
    event::BackupEvent,
    field::file::snake_case,
    files::{self, Labels, Source},
    hook::{Event, Slot},
    time,
};

/// Bytes that must stay free on the disk.
pub(super) const SPARE: u64 = 64 << 20;

/// Makes a backup, within `OnBackupCreate`; an empty name is replaced by one of app name and time. Gives the name.
///
/// Goes on when the caller stops waiting. Neither readers nor writers wait for it.
///
/// # Errors
/// [`Error::Message`] when another backup or restore runs; what hooks, the disk or the place of the backups say.
pub async fn create(app: &App, name: &str) -> Result<String> {
    let turn = app.backups().begin(app, name).await?;
    let event = Arc::new(BackupEvent {
        app: app.clone(),
        name: Slot::new(name.to_owned()),
        exclude: Slot::new(NOT_SAVED.map(str::to_owned).to_vec()),
    });
    let work = tokio::spawn(async move {
        let hook = &event.app.hooks().backup_create;
        let done = hook.trigger_shared(event.clone(), make).await;
        drop(turn);
        done.map(|()| event.name.get())
    });
    work.await.unwrap_or_else(|e| Err(Error::Message(format!("the backup ended early: {e}"))))
}

async fn make(event: Event<BackupEvent>) -> Result<()> {
    let app = event.app.clone();
    let name = event.name.with(|name| {
        if name.is_empty() {
            *name = default_name(&app, "pb_backup_");
        }
        name.clone()
    });
    let (mut exclude, owned) = (event.exclude.get(), app.clone());
    exclude.extend(REPLICATION.map(str::to_owned));
    let scratch = Scratch::new(&app.config().data_dir, "pb_backup")?;
    check_space(&app, scratch.path()).await?;
    let copied = match &app.config().postgres {
        Some(postgres) => Some(database::copy_out(&app, postgres, scratch.path(), &exclude).await?),
        None => None,
    };
    let scratch = on_thread(move || {
        let mut pace = owned.backups().pace();
        let replaced = match copied {
            Some(copied) => copied,
            None => copy_files(&owned, scratch.path(), &exclude, &mut pace)?,
        };
        let root = &owned.config().data_dir;
        let content = archive::Content { root, exclude: &exclude, replaced: &replaced };
        archive::write(&content, &scratch.path().join(ZIP), &mut pace)?;
        Ok(scratch)
    })
    .await?;
    let zip = scratch.path().join(ZIP);
    let labels =
        Labels { content_type: "application/zip".into(), original_name: Some(name.clone()) };
    files::for_backups(&app)?.put(&name, labels, Source::File(zip)).await?;
    Ok(())
}

/// The finished zip in its scratch directory.
const ZIP: &str = "backup.zip";

async fn check_space(app: &App, scratch: &Path) -> Result<()> {
    let store = app.store();
    let mut needed = store.data().size().await?;
    // PostgreSQL is one database for both.
    if app.config().postgres.is_none() {
        needed += store.aux().size().await?;
    }
    if free_space(scratch).is_some_and(|free| free < needed + SPARE) {
        return Err(Error::Message("not enough free disk space for a backup".into()));
    }
    Ok(())
}

/// Consistent copies of the databases: (name in the archive, where).
fn copy_files(
    app: &App,
    scratch: &Path,
    exclude: &[String],
    pace: &mut Pace,
) -> Result<Vec<(String, PathBuf)>> {
    let mut replaced = Vec::new();
    for database in [app.store().data(), app.store().aux()] {
        let name = database
            .path()
            .and_then(Path::file_name)
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if exclude.contains(&name) {
            continue;
        }
        let copy = scratch.join(&name);
        database.copy_pages(&copy, &mut || pace.step())?;
        replaced.push((name, copy));
    }
    Ok(replaced)
}

/// `<prefix><app name>_<time>.zip`.
pub(super) fn default_name(app: &App, prefix: &str) -> String {
    let mut name = snake_case(&app.settings().meta.app_name);
    while name.len() > 50 {
        name.pop();
    }
    let digits: String =
        time::now().to_string().chars().filter(char::is_ascii_digit).take(14).collect();
    format!("{prefix}{name}_{digits}.zip")
}

/// Free bytes of the disk a path is on; `None` where that cannot be asked.
#[allow(clippy::useless_conversion, reason = "narrower on some systems")]
pub(super) fn free_space(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let stat = nix::sys::statvfs::statvfs(path).ok()?;
        Some(u64::from(stat.blocks_available()).saturating_mul(u64::from(stat.fragment_size())))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}
