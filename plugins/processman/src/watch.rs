//! Development: a process is started again when its files change. Source: spec extensions 5.4.
//!
//! Looks again and again instead of asking the system to be told, as the watch of hook files does: that needs no further
//! crate, sees directories that come later, and works on network drives. Must not know processes.

use std::{
    collections::BTreeMap,
    fs::{self, Metadata},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::{mpsc, oneshot};

use crate::{
    config::ProcessConfig,
    plan::Surroundings,
    supervise::{Letter, Order},
};

/// How long nothing must change any more.
const DEBOUNCE: Duration = Duration::from_millis(500);
/// The time between two looks, at least; and so many times what a look has taken.
const PAUSE: Duration = Duration::from_millis(200);
const SHARE: u32 = 50;
/// Most files that are looked at, and how deep.
const MAX_FILES: usize = 20_000;
const MAX_DEPTH: usize = 64;
/// Folders in which things change by themselves.
const IGNORED: &[&str] = &[".git", "node_modules", "__pycache__", ".venv", "venv"];

/// What is looked at.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    roots: Vec<PathBuf>,
    /// Its databases and files change whenever the server works.
    data_dir: PathBuf,
}

/// The places of an entry; the directory of the script when it names none.
pub(crate) fn places(around: &Surroundings, config: &ProcessConfig) -> Places {
    let cwd = around.cwd(config);
    let mut roots: Vec<PathBuf> = config.watch_paths.iter().map(|path| cwd.join(path)).collect();
    if roots.is_empty() && !config.script.is_empty() {
        let script = cwd.join(&config.script);
        roots.extend(script.parent().map(Path::to_owned));
    }
    Places { roots, data_dir: around.data_dir.clone() }
}

type Seen = BTreeMap<PathBuf, (Option<SystemTime>, u64, u64)>;

fn stamp(metadata: &Metadata) -> (Option<SystemTime>, u64, u64) {
    // directories change with what is in them: only their being there counts
    if metadata.is_dir() {
        return (None, 0, 0);
    }
    (metadata.modified().ok(), metadata.len(), node(metadata))
}

#[cfg(unix)]
fn node(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}
#[cfg(not(unix))]
fn node(_metadata: &Metadata) -> u64 {
    0
}

impl Places {
    fn look(&self) -> Seen {
        let mut seen = Seen::new();
        let mut open: Vec<(PathBuf, usize)> = Vec::new();
        for root in &self.roots {
            let Ok(metadata) = fs::metadata(root) else { continue };
            if metadata.is_dir() {
                open.push((root.clone(), 0));
            } else {
                seen.insert(root.clone(), stamp(&metadata));
            }
        }
        while let Some((dir, depth)) = open.pop() {
            let is_data =
                dir == self.data_dir || dir.canonicalize().is_ok_and(|d| d == self.data_dir);
            for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                if IGNORED.contains(&&*name) || is_data && is_of_the_server(&name) {
                    continue;
                }
                // a link counts as itself, and is not followed
                let Ok(metadata) = entry.metadata() else { continue };
                if seen.len() >= MAX_FILES {
                    return seen;
                }
                let path = entry.path();
                if metadata.is_dir() && depth < MAX_DEPTH {
                    open.push((path.clone(), depth + 1));
                }
                seen.insert(path, stamp(&metadata));
            }
        }
        seen
    }
}

/// What the server itself keeps in its data directory.
fn is_of_the_server(name: &str) -> bool {
    let is_database = name.contains(".db") && !name.ends_with(".py");
    is_database || name.starts_with('.') || matches!(name, "storage" | "backups" | "types.d.ts")
}

/// Orders a restart after each burst of changes, until nobody takes orders any more.
pub(crate) async fn watch(places: Places, orders: mpsc::Sender<Letter>) {
    let Some(mut seen) = look_aside(&places).await else { return };
    let mut pause = PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        let begun = Instant::now();
        let Some(mut now) = look_aside(&places).await else { return };
        pause = PAUSE.max(begun.elapsed() * SHARE);
        if now == seen {
            continue;
        }
        loop {
            tokio::time::sleep(DEBOUNCE).await;
            let Some(later) = look_aside(&places).await else { return };
            if later == now {
                break;
            }
            now = later;
        }
        seen = now;
        let (done, told) = oneshot::channel();
        if orders.send((Order::Reload, done)).await.is_err() {
            return;
        }
        _ = told.await;
    }
}

async fn look_aside(places: &Places) -> Option<Seen> {
    let places = places.clone();
    tokio::task::spawn_blocking(move || places.look()).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_as_a_change() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        for folder in ["src/deep", "node_modules", ".git", "src/__pycache__", ".venv", "venv"] {
            fs::create_dir_all(at(folder)).expect("a folder");
        }
        fs::write(at("src/a.py"), "1").expect("a file");
        let places = Places { roots: vec![dir.path().into()], data_dir: at("pb_data") };
        type Step<'a> = (&'static str, &'a dyn Fn(), bool);
        let write = |name: &str, text: &str| fs::write(at(name), text).expect("a file");
        let steps: &[Step<'_>] = &[
            ("nothing", &|| {}, false),
            ("written", &|| write("src/a.py", "22"), true),
            ("made", &|| write("src/deep/b", ""), true),
            ("renamed", &|| fs::rename(at("src/deep/b"), at("src/c")).expect("renamed"), true),
            ("removed", &|| fs::remove_file(at("src/c")).expect("removed"), true),
            ("a folder", &|| fs::create_dir(at("later")).expect("a folder"), true),
            ("in it", &|| write("later/x", ""), true),
            ("a package", &|| write("node_modules/x", ""), false),
            ("a cache", &|| write("src/__pycache__/x", ""), false),
            (
                "venvs",
                &|| {
                    write(".venv/x", "");
                    write("venv/x", "");
                    write(".git/x", "");
                },
                false,
            ),
        ];
        for (what, act, is_change) in steps {
            let before = places.look();
            act();
            assert_eq!(before != places.look(), *is_change, "{what}");
        }
    }

    #[test]
    fn the_servers_own_files_do_not_count() {
        let dir = tempfile::tempdir().expect("a directory");
        let config = ProcessConfig { script: "w.py".into(), ..ProcessConfig::default() };
        let around = Surroundings {
            data_dir: dir.path().canonicalize().expect("it is there"),
            server: Vec::new(),
            added: Vec::new(),
            encryption_env: String::new(),
        };
        let places = places(&around, &config);
        for name in ["data.db", "data.db-wal", "auxiliary.db-shm", ".pb_temp"] {
            fs::write(dir.path().join(name), "").expect("a file");
        }
        fs::create_dir(dir.path().join("storage")).expect("a folder");
        assert!(places.look().is_empty());
        fs::write(dir.path().join("w.py"), "").expect("a file");
        assert_eq!(places.look().len(), 1);
    }
}
