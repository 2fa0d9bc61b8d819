//! Restoring: the archive is unpacked beside the data and checked; only then the app is asked to restart, and the
//! exchange happens between its end and its start (spec §4.5).

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use futures_util::StreamExt as _;

use super::{
    create::{SPARE, free_space},
    database,
    extract::{self, ArchiveLimits},
    on_thread,
    scratch::Scratch,
    swap::{self, Swap},
};
use crate::{
    App, Error, Result,
    event::BackupEvent,
    files::{self, Storage},
    hook::{Event, Slot},
    store::check_file,
};

/// Checks a backup and prepares its restoration, within `OnBackupRestore`; then asks for the restart that completes it.
///
/// # Errors
/// [`Error::Message`] when another backup or restore runs or the archive is no backup; what hooks, the disk or the place
/// of the backups say. Nothing has changed then.
pub async fn restore(app: &App, name: &str) -> Result<()> {
    let turn = app.backups().begin(app, name).await?;
    let event = BackupEvent {
        app: app.clone(),
        name: Slot::new(name.to_owned()),
        exclude: Slot::new(swap::kept()),
    };
    let name = name.to_owned();
    let stage = move |event: Event<BackupEvent>| async move {
        let staged = prepare(&event.app, &name, event.exclude.get()).await?;
        *event.app.backups().pending.lock() = Some(staged);
        Ok(())
    };
    app.hooks().backup_restore.trigger(event, stage).await?;
    if app.backups().pending.lock().is_some() {
        turn.keep(app.backups());
        app.backups().request_restart();
    }
    Ok(())
}

/// Unpacks and checks.
async fn prepare(app: &App, name: &str, exclude: Vec<String>) -> Result<Swap> {
    let data_dir = app.config().data_dir.clone();
    let scratch = Scratch::new(&data_dir, "pb_restore")?;
    if let Some(name) = swap::mounted(&data_dir, &exclude)? {
        return Err(Error::Message(format!(
            "{name} in the data directory is a mounted disk and cannot be replaced"
        )));
    }
    let download = Scratch::new(&data_dir, "pb_download")?;
    let archive = fetch(files::for_backups(app)?.as_ref(), name, download.path()).await?;
    let mut pace = app.backups().pace();
    let is_postgres = app.config().postgres.is_some();
    on_thread(move || {
        let free = free_space(&data_dir).map(|free| free.saturating_sub(SPARE));
        extract::extract(
            &archive,
            scratch.path(),
            &exclude,
            ArchiveLimits::of_disk(free),
            &mut pace,
        )?;
        drop(download);
        check(scratch.path())?;
        let mut exclude = exclude;
        if is_postgres {
            // They go on from where they are to the database.
            exclude.extend(database::stand_ins());
        }
        Ok(Swap { staged: scratch.keep(), exclude })
    })
    .await
}

/// The archive as a file on this machine.
async fn fetch(place: &dyn Storage, name: &str, dir: &Path) -> Result<PathBuf> {
    if let Some(path) = place.local_path(name) {
        return Ok(path);
    }
    let size = place.head(name).await?.ok_or(Error::NotFound)?.size;
    if free_space(dir).is_some_and(|free| free < size.saturating_add(SPARE)) {
        return Err(Error::Message("not enough free disk space to download the backup".into()));
    }
    let path = dir.join("archive.zip");
    let mut file = fs::File::create_new(&path)?;
    let mut pieces = place.get(name, None).await?;
    let mut left = size;
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        left = left
            .checked_sub(piece.len() as u64)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        // Pieces are small, and nothing else runs on their way.
        tokio::task::block_in_place(|| file.write_all(&piece))?;
    }
    Ok(path)
}

/// The databases are sound, and the first is one of ours.
fn check(dir: &Path) -> Result<()> {
    let broken =
        |name: &str, why: &str| Error::Message(format!("{name} file is missing or invalid: {why}"));
    for (name, table, needed) in
        [("data.db", Some("_collections"), true), ("auxiliary.db", None, false)]
    {
        let path = dir.join(name);
        match fs::symlink_metadata(&path) {
            Ok(stat) if stat.is_file() => {
                check_file(&path, table).map_err(|why| broken(name, &why))?;
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound && !needed => {}
            Ok(_) => return Err(broken(name, "it is no file")),
            Err(e) => return Err(broken(name, &e.to_string())),
        }
    }
    Ok(())
}
