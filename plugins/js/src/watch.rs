//! `--hooksWatch`: when something changes below the directory of the hook files, the process begins again, with the same id.
//!
//! Looks at the directory again and again instead of asking the system to be told: that needs no further crate, and works in
//! containers and on network drives, where the system tells nothing. Source: spec extending §1.13. Must not know scripts.

use std::{
    collections::BTreeMap,
    fs::Metadata,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use pocketbase::App;

/// How long nothing must change any more.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// The time between two looks, at least.
const PAUSE: Duration = Duration::from_millis(200);
/// And at least so many times what a look has taken: large directories do not keep a core busy.
const SHARE: u32 = 100;

/// What a directory was like: every file and directory below it.
pub(crate) type Seen = BTreeMap<PathBuf, Stamp>;

/// What differs when a file was written, replaced, or has other permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Directories change with what is in them: only their being there counts.
    is_dir: bool,
    size: u64,
    modified: Option<SystemTime>,
    /// The inode, and when it was changed.
    node: (u64, i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        if metadata.is_dir() {
            return Self { is_dir: true, size: 0, modified: None, node: (0, 0, 0) };
        }
        Self {
            is_dir: false,
            size: metadata.len(),
            modified: metadata.modified().ok(),
            node: node(metadata),
        }
    }
}

#[cfg(unix)]
fn node(metadata: &Metadata) -> (u64, i64, i64) {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}
#[cfg(not(unix))]
fn node(_metadata: &Metadata) -> (u64, i64, i64) {
    (0, 0, 0)
}

/// Looks at everything below a directory, but not below hidden ones and `node_modules`.
pub(crate) fn look(dir: &Path) -> Seen {
    let mut seen = Seen::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            // a link counts as itself, and is not followed
            let Ok(metadata) = entry.metadata() else { continue };
            let path = entry.path();
            if metadata.is_dir() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                if name.starts_with('.') || name == "node_modules" {
                    continue;
                }
                open.push(path.clone());
            }
            seen.insert(path, Stamp::of(&metadata));
        }
    }
    seen
}

/// The first path that is new, gone or different.
fn changed<'a>(before: &'a Seen, after: &'a Seen) -> Option<&'a Path> {
    let differs = |(path, stamp): &(&'a PathBuf, &'a Stamp)| before.get(*path) != Some(*stamp);
    let other = after.iter().find(differs).map(|(path, _)| path.as_path());
    other.or_else(|| before.keys().find(|path| !after.contains_key(*path)).map(PathBuf::as_path))
}

/// Watches while the server runs; what was there before the files were loaded is looked at now.
pub(crate) fn start(app: &App) {
    let Ok(dir) = app.hooks_dir().canonicalize() else { return };
    let seen = look(&dir);
    app.on_serve().bind(move |e| {
        let (app, dir, seen) = (e.app().clone(), dir.clone(), seen.clone());
        async move {
            e.next().await?;
            tokio::spawn(watch(app, dir, seen));
            Ok(())
        }
    });
}

// DIFFERENCE: the reference is told by the system, and so a little earlier
async fn watch(app: App, dir: PathBuf, seen: Seen) {
    let (mut pause, mut seen) = (PAUSE, seen);
    loop {
        tokio::time::sleep(pause).await;
        if !app.is_bootstrapped() {
            return;
        }
        let begun = Instant::now();
        let Some(mut now) = look_aside(&dir).await else { return };
        pause = PAUSE.max(begun.elapsed() * SHARE);
        let Some(path) = changed(&seen, &now).map(Path::to_owned) else { continue };
        loop {
            tokio::time::sleep(DEBOUNCE).await;
            let Some(later) = look_aside(&dir).await else { return };
            if later == now {
                break;
            }
            now = later;
        }
        if !cfg!(unix) {
            // without a fresh image of the process, handlers would stay what they are
            tell(&format!("File {} changed, please restart the app manually", path.display()));
            seen = now;
            continue;
        }
        tell(&format!("File {} changed, restarting...", path.display()));
        if let Err(error) = app.restart() {
            app.logger().error("Failed to restart.", &[("error", error.to_string().into())]);
        }
        return;
    }
}

async fn look_aside(dir: &Path) -> Option<Seen> {
    let dir = dir.to_owned();
    tokio::task::spawn_blocking(move || look(&dir)).await.ok()
}

#[allow(clippy::print_stdout, reason = "for whoever started the server")]
fn tell(text: &str) {
    println!("\u{1b}[33m{text}\u{1b}[0m");
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    type Step<'a> = (&'static str, &'a dyn Fn(), Option<&'static str>);

    #[test]
    fn what_counts_as_a_change() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        for folder in ["lib/deep", ".git", "node_modules/x"] {
            fs::create_dir_all(at(folder)).expect("a folder");
        }
        fs::write(at("a.pb.js"), "1").expect("a file");
        let steps: &[Step<'_>] = &[
            ("nothing", &|| {}, None),
            ("written", &|| fs::write(at("a.pb.js"), "22").expect("a file"), Some("a.pb.js")),
            (
                "made",
                &|| fs::write(at("lib/deep/x.txt"), "").expect("a file"),
                Some("lib/deep/x.txt"),
            ),
            (
                "renamed",
                &|| fs::rename(at("lib/deep/x.txt"), at("lib/deep/y")).expect("renamed"),
                Some("lib/deep/y"),
            ),
            ("removed", &|| fs::remove_file(at("lib/deep/y")).expect("gone"), Some("lib/deep/y")),
            ("a folder", &|| fs::create_dir(at("new")).expect("a folder"), Some("new")),
            ("hidden", &|| fs::write(at(".git/x"), "").expect("a file"), None),
            ("a package", &|| fs::write(at("node_modules/x/y.js"), "").expect("a file"), None),
        ];
        for (what, act, expected) in steps {
            let before = look(dir.path());
            act();
            let after = look(dir.path());
            assert_eq!(changed(&before, &after), expected.map(at).as_deref(), "{what}");
        }
    }
}
