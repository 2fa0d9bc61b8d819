//! Files of records: copied from directory to directory, left alone otherwise.

use std::{fs, io, path::Path};

use super::{CopyOptions, Error, Event, Place, Result};

/// Where a data directory keeps files of records.
const STORAGE: &str = "storage";

/// Refuses a target directory that has files of its own, unless they may be replaced.
pub(super) fn check(options: &CopyOptions) -> Result<()> {
    if let (Place::Dir(_), Place::Dir(to)) = (&options.from, &options.to) {
        let own = to.join(STORAGE);
        let has_files = fs::read_dir(&own).is_ok_and(|mut entries| entries.next().is_some());
        if has_files && !options.overwrite {
            return Err(Error(format!(
                "{} is not empty; with --overwrite files are added to it",
                own.display()
            )));
        }
    }
    Ok(())
}

/// Copies files, or says where they stay.
pub(super) fn copy(options: &CopyOptions, tell: &mut (dyn FnMut(Event) + Send)) -> Result<()> {
    match (&options.from, &options.to) {
        (Place::Dir(from), Place::Dir(to)) => {
            let (mut count, mut bytes) = (0, 0);
            let from = from.join(STORAGE);
            if from.exists() {
                copy_dir(&from, &to.join(STORAGE), &mut |n| {
                    count += 1;
                    bytes += n;
                })
                .map_err(|e| Error(format!("cannot copy {}: {e}", from.display())))?;
            }
            tell(Event::Files { count, bytes });
        }
        (Place::Dir(from), Place::Postgres(_)) => {
            let storage = from.join(STORAGE);
            if storage.exists() {
                tell(Event::Warning(format!(
                    "files of records stay in {}: serve with --dir {} (or S3)",
                    storage.display(),
                    from.display()
                )));
            }
        }
        (Place::Postgres(_), Place::Dir(to)) => tell(Event::Warning(format!(
            "files of records are not in the database: if they are in another directory, copy its storage to {}",
            to.join(STORAGE).display()
        ))),
        (Place::Postgres(_), Place::Postgres(_)) => {}
    }
    Ok(())
}

fn copy_dir(from: &Path, to: &Path, done: &mut dyn FnMut(u64)) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_dir(&source, &target, done)?;
        } else if kind.is_file() {
            done(fs::copy(&source, &target)?);
        }
    }
    Ok(())
}
