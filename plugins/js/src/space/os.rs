//! `$os` (spec extending §3.3): files, directories and the environment.

use std::{
    fs::{self, Metadata},
    io,
    path::Path,
    sync::Arc,
    time::UNIX_EPOCH,
};

use pocketbase::Error;

use super::{Space, command::Cmd, gopath, root::Root};
use crate::{
    bind::{Fail, Res, Shared, Val, native, table},
    host::{Dir, moment},
};

/// An entry of a directory.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) is_dir: bool,
    pub(crate) is_link: bool,
}
/// What is known about a file.
pub(crate) struct Info {
    pub(crate) name: String,
    pub(crate) facts: Metadata,
}

/// Permissions and kind of a file.
pub(crate) struct Mode(u32);

native!(Entry = ENTRY, Info = INFO, Mode = MODE);

table! {
    pub(crate) static OS: Space = "OS", "Files, directories and the environment." {
        prop "args": "string[]", "The arguments of the process." => |cx, o| std::env::args().collect::<Vec<String>>();
        fn "getenv" "(name: string): string" "A variable of the environment." => |cx, o, a| variable(&a.str(0)?);
        fn "exit" "(code: number): void" "Ends the process." => |cx, o, a| {
            let code = i32::try_from(a.int(0)?).unwrap_or(1);
            exit(code)
        };
        fn "getwd" "(): string" "The working directory." => |cx, o, a| std::env::current_dir()?.display().to_string();
        fn "tempDir" "(): string" "The directory of temporary files." => |cx, o, a| std::env::temp_dir().display().to_string();
        fn "readFile" "(path: string): number[]" "The content of a file." => |cx, o, a| read(&a.str(0)?)?;
        fn "writeFile" "(path: string, data: string | number[], mode: number): void" "Writes a file." => |cx, o, a| {
            let (path, data) = (a.str(0)?, a.bytes(1)?);
            let is_new = !Path::new(&path).exists();
            fs::write(&path, data).map_err(|error| fail("open", &path, &error))?;
            if is_new {
                chmod(&path, a.int(2)?)?;
            }
        };
        fn "readDir" "(path: string): os.DirEntry[]" "The entries of a directory, sorted." => |cx, o, a| read_dir(&a.str(0)?)?;
        fn "stat" "(path: string): os.FileInfo" "What is known about a file." => |cx, o, a| stat(&a.str(0)?, Path::new(&a.str(0)?))?;
        fn "mkdir" "(path: string, mode: number): void" "Makes a directory." => |cx, o, a| {
            let path = a.str(0)?;
            fs::create_dir(&path).map_err(|error| fail("mkdir", &path, &error))?;
            chmod(&path, a.int(1)?)?;
        };
        fn "mkdirAll" "(path: string, mode: number): void" "Makes a directory and those around it." => |cx, o, a| {
            let path = a.str(0)?;
            fs::create_dir_all(&path).map_err(|error| fail("mkdir", &path, &error))?;
        };
        fn "rename" "(from: string, to: string): void" "Moves a file." => |cx, o, a| {
            let (from, to) = (a.str(0)?, a.str(1)?);
            fs::rename(&from, &to).map_err(|error| fail("rename", &format!("{from} {to}"), &error))?;
        };
        fn "remove" "(path: string): void" "Removes a file or an empty directory." => |cx, o, a| {
            let path = a.str(0)?;
            let is_dir = fs::symlink_metadata(&path).is_ok_and(|facts| facts.is_dir());
            let done = if is_dir { fs::remove_dir(&path) } else { fs::remove_file(&path) };
            done.map_err(|error| fail("remove", &path, &error))?;
        };
        fn "removeAll" "(path: string): void" "Removes a file or a directory with all in it." => |cx, o, a| remove_all(&a.str(0)?)?;
        fn "truncate" "(path: string, size: number): void" "Cuts a file." => |cx, o, a| {
            let path = a.str(0)?;
            let size = u64::try_from(a.int(1)?).unwrap_or_default();
            let done = fs::OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(size));
            done.map_err(|error| fail("truncate", &path, &error))?;
        };
        fn "dirFS" "(path: string): fs.FS" "A directory as a file system." => |cx, o, a| Arc::new(Dir(a.str(0)?.into())) as Shared;
        fn "openRoot" "(path: string): os.Root" "A directory that names cannot leave." => |cx, o, a| Arc::new(Root::open(&a.str(0)?)?) as Shared;
        fn "openInRoot" "(dir: string, name: string): io.ReadCloser" "The content of a file in a directory." => |cx, o, a| Root::open(&a.str(0)?)?.opened(&a.str(1)?)?;
        fn "cmd" "(name: string, ...args: string[]): exec.Cmd" "A command that can be run." => |cx, o, a| Arc::new(Cmd::new(&a.texts(0)?)) as Shared;
        fn "exec" "(name: string, ...args: string[]): exec.Cmd" "The old name of cmd." => |cx, o, a| Arc::new(Cmd::new(&a.texts(0)?)) as Shared;
    }
}

table! {
    pub(crate) static ENTRY: Entry = "os.DirEntry", "An entry of a directory." {
        fn "name" "(): string" "Its name." => |cx, e, a| e.name.clone();
        fn "isDir" "(): boolean" "True for a directory." => |cx, e, a| e.is_dir;
        fn "type" "(): fs.FileMode" "Its kind." => |cx, e, a| Arc::new(Mode(match () {
            () if e.is_dir => DIR_BIT,
            () if e.is_link => LINK_BIT,
            () => 0,
        })) as Shared;
        fn "info" "(): os.FileInfo" "What is known about it." => |cx, e, a| {
            let facts = fs::symlink_metadata(&e.path).map_err(|error| fail("lstat", &e.path, &error))?;
            Arc::new(Info { name: e.name.clone(), facts }) as Shared
        };
        fn "string" "(): string" "As a line." => |cx, e, a| e.line();
    }
    text |e| e.line();
}

impl Entry {
    fn line(&self) -> String {
        format!(
            "{} {}{}",
            if self.is_dir { 'd' } else { '-' },
            self.name,
            if self.is_dir { "/" } else { "" }
        )
    }
}

table! {
    pub(crate) static MODE: Mode = "fs.FileMode", "Permissions and kind of a file." {
        fn "isDir" "(): boolean" "True for a directory." => |cx, m, a| m.0 & DIR_BIT != 0;
        fn "isRegular" "(): boolean" "True for a file." => |cx, m, a| m.0 & (DIR_BIT | LINK_BIT) == 0;
        fn "perm" "(): fs.FileMode" "The permissions alone." => |cx, m, a| Arc::new(Mode(m.0 & 0o777)) as Shared;
        fn "string" "(): string" "As `ls` shows it." => |cx, m, a| m.text();
        fn "type" "(): fs.FileMode" "The kind alone." => |cx, m, a| Arc::new(Mode(m.0 & !0o777)) as Shared;
    }
    text |m| m.text();
    json |m| Val::Int(m.0.into());
    value |m| Val::Int(m.0.into());
}

impl Mode {
    fn text(&self) -> String {
        let kind = match () {
            () if self.0 & DIR_BIT != 0 => 'd',
            () if self.0 & LINK_BIT != 0 => 'L',
            () => '-',
        };
        let bit = |(at, letter): (usize, char)| match self.0 >> (8 - at) & 1 {
            1 => letter,
            _ => '-',
        };
        std::iter::once(kind).chain("rwxrwxrwx".chars().enumerate().map(bit)).collect()
    }
}

table! {
    pub(crate) static INFO: Info = "os.FileInfo", "What is known about a file." {
        fn "name" "(): string" "Its name." => |cx, i, a| i.name.clone();
        fn "size" "(): number" "Its size in bytes." => |cx, i, a| i.facts.len();
        fn "mode" "(): fs.FileMode" "Its permissions and kind." => |cx, i, a| Arc::new(Mode(mode(&i.facts))) as Shared;
        fn "modTime" "(): time.Time" "When it was last written." => |cx, i, a| modified(&i.facts);
        fn "isDir" "(): boolean" "True for a directory." => |cx, i, a| i.facts.is_dir();
        fn "sys" "(): any" "Nothing." => |cx, i, a| Val::Null;
    }
}

const DIR_BIT: u32 = 1 << 31;
const LINK_BIT: u32 = 1 << 27;

fn exit(code: i32) {
    std::process::exit(code)
}

fn variable(name: &str) -> String {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A file error in Go's words: `open P: no such file or directory`.
pub(crate) fn fail(what: &str, path: &str, error: &io::Error) -> Fail {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default().to_owned();
    let mut chars = text.chars();
    let lower = chars.next().map(|c| c.to_lowercase().to_string() + chars.as_str());
    Fail::Host(Error::from(io::Error::new(
        error.kind(),
        format!("{what} {path}: {}", lower.unwrap_or_default()),
    )))
}

pub(crate) fn read(path: &str) -> Res<Val> {
    fs::read(path).map(Val::Bytes).map_err(|error| fail("open", path, &error))
}

/// The sorted names in a directory.
pub(crate) fn names(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

pub(crate) fn read_dir(path: &str) -> Res<Vec<Shared>> {
    let names = names(Path::new(path)).map_err(|error| fail("open", path, &error))?;
    Ok(names
        .into_iter()
        .map(|name| {
            let path = gopath::join(&[path.to_owned(), name.clone()]);
            let facts = fs::symlink_metadata(&path).ok();
            let is = |test: fn(&Metadata) -> bool| facts.as_ref().is_some_and(test);
            let (is_dir, is_link) = (is(Metadata::is_dir), is(Metadata::is_symlink));
            Arc::new(Entry { name, path, is_dir, is_link }) as Shared
        })
        .collect())
}

pub(crate) fn stat(shown: &str, path: &Path) -> Res<Shared> {
    let facts = fs::metadata(path).map_err(|error| fail("stat", shown, &error))?;
    Ok(Arc::new(Info { name: gopath::base(shown), facts }))
}

fn remove_all(path: &str) -> Res<()> {
    let Ok(facts) = fs::symlink_metadata(path) else { return Ok(()) };
    let done = if facts.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    done.map_err(|error| fail("unlinkat", path, &error))
}

fn modified(facts: &Metadata) -> Shared {
    let since = facts.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    moment(since.and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or_default())
}

#[cfg(unix)]
fn mode(facts: &Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    (facts.permissions().mode() & 0o777) | if facts.is_dir() { DIR_BIT } else { 0 }
}
#[cfg(not(unix))]
fn mode(facts: &Metadata) -> u32 {
    if facts.is_dir() { DIR_BIT | 0o777 } else { 0o666 }
}

/// Permissions of something new, cut down as the process wants them.
#[cfg(unix)]
fn chmod(path: &str, mode: i64) -> Res<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let facts = fs::metadata(path).map_err(|error| fail("chmod", path, &error))?;
    let wanted = u32::try_from(mode).unwrap_or_default() & facts.permissions().mode();
    let done = fs::set_permissions(path, fs::Permissions::from_mode(wanted & 0o777));
    done.map_err(|error| fail("chmod", path, &error))
}
#[cfg(not(unix))]
fn chmod(_: &str, _: i64) -> Res<()> {
    Ok(())
}
