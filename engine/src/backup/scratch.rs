//! Directories below `.pb_temp_to_delete` that vanish with their value, or at the next start.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::TEMP;
use crate::id;

/// A directory of our own. Its name tells which process works in it.
#[derive(Debug)]
pub(super) struct Scratch {
    dir: PathBuf,
    keep: bool,
}

impl Scratch {
    pub(super) fn new(data_dir: &Path, purpose: &str) -> io::Result<Self> {
        let dir = data_dir.join(TEMP).join(name(purpose));
        fs::create_dir_all(&dir)?;
        Ok(Self { dir, keep: false })
    }
    pub(super) fn path(&self) -> &Path {
        &self.dir
    }
    /// Leaves the directory where it is; gives its name below [`TEMP`].
    pub(super) fn keep(mut self) -> String {
        self.keep = true;
        self.dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed now is removed at the next start.
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

/// `purpose_<process>_<random>`.
pub(super) fn name(purpose: &str) -> String {
    format!("{purpose}_{}_{}", std::process::id(), id::random(8, id::LOWER_ALNUM))
}

/// Removes what earlier processes left; what a process that still runs works in stays.
pub(super) fn sweep(data_dir: &Path) {
    let temp = data_dir.join(TEMP);
    let Ok(entries) = fs::read_dir(&temp) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_in_use(&name) {
            continue;
        }
        let path = entry.path();
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let removed = if is_dir { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        if let Err(error) = removed {
            tracing::warn!(%error, "cannot remove {}", path.display());
        }
    }
    // Fails while something is in it.
    let _ = fs::remove_dir(&temp);
}

fn is_in_use(name: &str) -> bool {
    let process = name.rsplit('_').nth(1).and_then(|text| text.parse::<u32>().ok());
    process.is_some_and(|process| {
        process != std::process::id() && Path::new("/proc").join(process.to_string()).exists()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_at_work_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(dir.path(), "pb_backup").unwrap();
        fs::write(scratch.path().join("x"), "x").unwrap();
        let path = scratch.path().to_owned();
        drop(scratch);
        assert!(!path.exists());
        let temp = dir.path().join(TEMP);
        let own = Scratch::new(dir.path(), "pb_backup").unwrap().keep();
        let alive = "pb_backup_1_abcdefgh";
        fs::create_dir(temp.join(alive)).unwrap();
        fs::create_dir(temp.join("pb_backup_4294967295_abcdefgh")).unwrap();
        fs::write(temp.join("old"), "x").unwrap();
        sweep(dir.path());
        assert!(!temp.join(own).exists());
        let left: Vec<_> = fs::read_dir(&temp).into_iter().flatten().flatten().collect();
        assert!(left.iter().all(|entry| entry.file_name() == alive), "{left:?}");
        let runs = Path::new("/proc/1").exists() && std::process::id() != 1;
        assert_eq!(left.len(), usize::from(runs));
    }
}
