//! Exchanging the content of the data directory for a checked one, in steps that are written down first: whatever
//! happens, the next start either has all of the new or all of the old (spec §4.5).
//!
//! The old content is kept until the app has started on the new one. Knows neither databases nor archives.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{NEVER_REPLACED, TEMP, scratch};

/// The file that says how far an exchange is, below [`TEMP`].
const JOURNAL: &str = "restore.json";

/// An exchange that is to be made.
#[derive(Debug, Clone)]
pub(crate) struct Swap {
    /// Directory below [`TEMP`] with the new content.
    pub(super) staged: String,
    /// Entries that stay where they are.
    pub(super) exclude: Vec<String>,
}

/// How far an exchange is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Phase {
    /// The old content is on its way out.
    Out,
    /// The new content is on its way in; nothing old is left in the data directory.
    In,
    /// Done, not started yet.
    Moved,
    /// A start has begun.
    Trying,
    /// Given up; everything is as before.
    Undone,
}

#[derive(Debug, Serialize, Deserialize)]
struct Journal {
    phase: Phase,
    staged: String,
    old: String,
    exclude: Vec<String>,
    /// Why it was given up.
    #[serde(default)]
    why: String,
}

/// What a start has to know about an earlier exchange.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    trial: Option<Journal>,
    /// Why an exchange was undone, to be logged.
    pub(crate) undone: Option<String>,
}

impl Swap {
    /// Makes the exchange. Nobody may use the data directory.
    ///
    /// # Errors
    /// File system errors; then everything is as before.
    pub(super) fn apply(self, data_dir: &Path) -> io::Result<()> {
        let mut journal = Journal {
            phase: Phase::Out,
            staged: self.staged,
            old: scratch::name("old_pb_data"),
            exclude: self.exclude,
            why: String::new(),
        };
        let done = journal.exchange(data_dir);
        if let Err(error) = &done {
            journal.undo(data_dir, &error.to_string())?;
        }
        done
    }
}

impl Journal {
    fn exchange(&mut self, data_dir: &Path) -> io::Result<()> {
        let (old, staged) =
            (data_dir.join(TEMP).join(&self.old), data_dir.join(TEMP).join(&self.staged));
        fs::create_dir_all(&old)?;
        self.write(data_dir, Phase::Out)?;
        self.move_all(data_dir, &old)?;
        self.write(data_dir, Phase::In)?;
        self.move_all(&staged, data_dir)?;
        self.write(data_dir, Phase::Moved)
    }

    /// Brings the old content back. Can be repeated after an interruption.
    fn undo(&mut self, data_dir: &Path, why: &str) -> io::Result<()> {
        let temp = data_dir.join(TEMP);
        if matches!(self.phase, Phase::In | Phase::Moved | Phase::Trying) {
            let failed = temp.join(scratch::name("failed_restore"));
            fs::create_dir_all(&failed)?;
            self.move_all(data_dir, &failed)?;
            self.write(data_dir, Phase::Out)?;
        }
        let old = temp.join(&self.old);
        if self.phase == Phase::Out && old.exists() {
            self.move_all(&old, data_dir)?;
        }
        why.clone_into(&mut self.why);
        self.write(data_dir, Phase::Undone)
    }

    fn is_excluded(&self, name: &str) -> bool {
        name == TEMP || self.exclude.iter().any(|out| out == name)
    }

    fn move_all(&self, from: &Path, to: &Path) -> io::Result<()> {
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            if !self.is_excluded(&name.to_string_lossy()) {
                fs::rename(from.join(&name), to.join(&name))?;
            }
        }
        sync_dir(from)?;
        sync_dir(to)
    }

    /// Writes the journal so that it survives a loss of power.
    fn write(&mut self, data_dir: &Path, phase: Phase) -> io::Result<()> {
        self.phase = phase;
        let temp = data_dir.join(TEMP);
        let next = temp.join("restore.json.new");
        fs::write(&next, serde_json::to_vec(self)?)?;
        File::open(&next)?.sync_all()?;
        fs::rename(&next, temp.join(JOURNAL))?;
        sync_dir(&temp)
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

fn read(data_dir: &Path) -> Option<Journal> {
    let text = fs::read(data_dir.join(TEMP).join(JOURNAL)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// The mark of an exchange whose start was interrupted: it may have left it elsewhere, and is final then.
pub(crate) fn interrupted(data_dir: &Path) -> Option<String> {
    read(data_dir).filter(|journal| journal.phase == Phase::Trying).map(|journal| journal.old)
}

/// Before the databases are opened: undoes an exchange that was interrupted or whose start did not succeed, unless it is
/// known to be final.
///
/// # Errors
/// File system errors while undoing: the data directory is incomplete then, and must not be used.
pub(crate) fn begin(data_dir: &Path, is_final: bool) -> io::Result<Recovery> {
    let path = data_dir.join(TEMP).join(JOURNAL);
    let Some(mut journal) = read(data_dir) else { return Ok(Recovery::default()) };
    let why = match journal.phase {
        Phase::Moved => {
            journal.write(data_dir, Phase::Trying)?;
            return Ok(Recovery { trial: Some(journal), undone: None });
        }
        Phase::Undone => {
            let why = journal.why.clone();
            fs::remove_file(path)?;
            return Ok(Recovery { trial: None, undone: Some(why) });
        }
        Phase::Out | Phase::In => "the process ended while files were moved",
        Phase::Trying if is_final => {
            fs::remove_file(path)?;
            return Ok(Recovery::default());
        }
        Phase::Trying => "the process ended before it had started on the restored data",
    };
    journal.undo(data_dir, why)?;
    fs::remove_file(path)?;
    Ok(Recovery { trial: None, undone: Some(why.to_owned()) })
}

impl Recovery {
    /// True if the start that follows is the first on restored data.
    pub(crate) fn is_trial(&self) -> bool {
        self.trial.is_some()
    }

    /// Where the entries are that were left out of the exchange, on the first start on restored data; and its mark.
    pub(super) fn staged(&self, data_dir: &Path) -> Option<(PathBuf, String)> {
        let journal = self.trial.as_ref()?;
        Some((data_dir.join(TEMP).join(&journal.staged), journal.old.clone()))
    }

    /// The exchange is final, whatever the start does.
    ///
    /// # Errors
    /// File system errors.
    pub(crate) fn settle(&mut self, data_dir: &Path) -> io::Result<()> {
        if self.trial.take().is_some() {
            fs::remove_file(data_dir.join(TEMP).join(JOURNAL))?;
        }
        Ok(())
    }

    /// The start on restored data did not succeed: brings the old data back. True if there was something to undo.
    ///
    /// # Errors
    /// File system errors; see [`begin`].
    pub(crate) fn undo(&mut self, data_dir: &Path, why: &str) -> io::Result<bool> {
        let Some(mut journal) = self.trial.take() else { return Ok(false) };
        journal.undo(data_dir, why)?;
        fs::remove_file(data_dir.join(TEMP).join(JOURNAL))?;
        self.undone = Some(why.to_owned());
        Ok(true)
    }

    /// The app has started: the exchange is final. What is no longer needed is removed in the background.
    pub(crate) fn finish(mut self, data_dir: PathBuf) {
        // If it stays, `sweep` removes it; a start that finds it would undo, so it goes first.
        let _ = self.settle(&data_dir);
        if data_dir.join(TEMP).exists() {
            // Without a thread it is done by the next start.
            let _ = std::thread::Builder::new()
                .name("pb-sweep".into())
                .spawn(move || scratch::sweep(&data_dir));
        }
    }
}

/// Names at the root that a restore leaves alone, for [`Swap::exclude`].
pub(super) fn kept() -> Vec<String> {
    NEVER_REPLACED.map(str::to_owned).to_vec()
}

/// An entry of the data directory that cannot be renamed away, because it is a disk of its own.
#[cfg(unix)]
pub(super) fn mounted(data_dir: &Path, exclude: &[String]) -> io::Result<Option<String>> {
    use std::os::unix::fs::MetadataExt as _;
    let own = fs::metadata(data_dir.join(TEMP))?.dev();
    for entry in fs::read_dir(data_dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let moves = name != TEMP && !exclude.contains(&name);
        if moves && fs::symlink_metadata(entry.path())?.dev() != own {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Cannot be asked.
#[cfg(not(unix))]
pub(super) fn mounted(_: &Path, _: &[String]) -> io::Result<Option<String>> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A data directory with old content, and staged new content.
    fn prepared() -> (tempfile::TempDir, Swap) {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("data.db", "old"),
            ("storage/f", "old"),
            ("only_old", "old"),
            ("backups/b.zip", "zip"),
            (".data.db-litestream/generation", "old"),
            (".pb_temp_to_delete/new/data.db", "new"),
            (".pb_temp_to_delete/new/storage/g", "new"),
            (".pb_temp_to_delete/new/only_new", "new"),
        ] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        (dir, Swap { staged: "new".into(), exclude: kept() })
    }

    fn content(dir: &Path) -> String {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name != TEMP)
            .collect();
        names.sort();
        format!("{} {}", fs::read_to_string(dir.join("data.db")).unwrap(), names.join(" "))
    }

    const OLD: &str = "old .data.db-litestream backups data.db only_old storage";
    const NEW: &str = "new .data.db-litestream backups data.db only_new storage";

    #[test]
    fn a_start_makes_it_final() {
        let (dir, swap) = prepared();
        let dir = dir.path();
        swap.apply(dir).unwrap();
        assert_eq!(content(dir), NEW);
        let recovery = begin(dir, false).unwrap();
        assert!(recovery.is_trial() && recovery.undone.is_none());
        recovery.finish(dir.to_owned());
        let again = begin(dir, false).unwrap();
        assert!(!again.is_trial() && again.undone.is_none());
        assert_eq!(content(dir), NEW);
    }

    #[test]
    fn a_failed_start_brings_the_old_back() {
        let (dir, swap) = prepared();
        let dir = dir.path();
        swap.apply(dir).unwrap();
        let mut recovery = begin(dir, false).unwrap();
        fs::write(dir.join("data.db-wal"), "made by the trial").unwrap();
        assert!(recovery.undo(dir, "no good").unwrap());
        assert!(!recovery.undo(dir, "no good").unwrap());
        assert_eq!(content(dir), OLD);
        assert_eq!(recovery.undone.as_deref(), Some("no good"));
        assert!(begin(dir, false).unwrap().undone.is_none());
    }

    #[test]
    fn an_ended_start_brings_the_old_back() {
        let (dir, swap) = prepared();
        let dir = dir.path();
        swap.apply(dir).unwrap();
        drop(begin(dir, false).unwrap());
        assert!(begin(dir, false).unwrap().undone.is_some());
        assert_eq!(content(dir), OLD);
    }

    #[test]
    fn what_became_final_elsewhere_stays() {
        let (dir, swap) = prepared();
        let dir = dir.path();
        swap.apply(dir).unwrap();
        assert!(interrupted(dir).is_none());
        let (_, mark) = begin(dir, false).unwrap().staged(dir).unwrap();
        assert_eq!(interrupted(dir), Some(mark));
        let next = begin(dir, true).unwrap();
        assert!(!next.is_trial() && next.undone.is_none() && interrupted(dir).is_none());
        assert_eq!(content(dir), NEW);
    }

    /// Whatever the moment of an interruption, the next start has the old content.
    #[test]
    fn interrupted_exchanges_are_undone() {
        for moved_out in 0..=3 {
            for moved_in in 0..=3 {
                if moved_in > 0 && moved_out < 3 {
                    continue;
                }
                let (dir, swap) = prepared();
                let dir = dir.path();
                let mut journal = Journal {
                    phase: Phase::Out,
                    staged: swap.staged,
                    old: "old".into(),
                    exclude: swap.exclude,
                    why: String::new(),
                };
                let (old, new) = (dir.join(TEMP).join("old"), dir.join(TEMP).join("new"));
                fs::create_dir_all(&old).unwrap();
                journal.write(dir, Phase::Out).unwrap();
                for name in ["data.db", "only_old", "storage"].iter().take(moved_out) {
                    fs::rename(dir.join(name), old.join(name)).unwrap();
                }
                if moved_out == 3 {
                    journal.write(dir, Phase::In).unwrap();
                }
                for name in ["data.db", "only_new", "storage"].iter().take(moved_in) {
                    fs::rename(new.join(name), dir.join(name)).unwrap();
                }
                assert!(begin(dir, false).unwrap().undone.is_some());
                assert_eq!(content(dir), OLD, "{moved_out} {moved_in}");
            }
        }
    }

    #[test]
    fn what_cannot_be_moved_stays() {
        let (dir, swap) = prepared();
        let dir = dir.path();
        let swap = Swap { staged: "missing".into(), ..swap };
        assert!(swap.apply(dir).is_err());
        assert_eq!(content(dir), OLD);
        let next = begin(dir, false).unwrap();
        assert!(!next.is_trial() && next.undone.is_some());
    }
}
