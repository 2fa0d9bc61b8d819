//! A directory that names cannot leave: what `$os.openRoot` gives (spec extending §3.3).

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use super::os;
use crate::{
    bind::{Fail, Res, Shared, Val, native, table},
    host::{Dir, Reader},
};

/// A directory.
pub(crate) struct Root(PathBuf);
native!(Root = ROOT);

table! {
    pub(crate) static ROOT: Root = "os.Root", "A directory that names cannot leave." {
        fn "name" "(): string" "The directory." => |cx, r, a| r.0.display().to_string();
        fn "open" "(name: string): io.ReadCloser" "The content of a file." => |cx, r, a| r.opened(&a.str(0)?)?;
        fn "readFile" "(name: string): number[]" "The content of a file." => |cx, r, a| Val::Bytes(r.content(&a.str(0)?)?);
        fn "writeFile" "(name: string, data: string | number[], mode: number): void" "Writes a file." => |cx, r, a| {
            let name = a.str(0)?;
            let data = a.bytes(1)?;
            r.act("openat", &name, |path| fs::write(path, data))?;
        };
        fn "mkdir" "(name: string, mode: number): void" "Makes a directory." => |cx, r, a| r.act("mkdirat", &a.str(0)?, |path| fs::create_dir(path))?;
        fn "mkdirAll" "(name: string, mode: number): void" "Makes a directory and those around it." => |cx, r, a| r.act("mkdirat", &a.str(0)?, |path| fs::create_dir_all(path))?;
        fn "remove" "(name: string): void" "Removes a file or an empty directory." => |cx, r, a| r.act("unlinkat", &a.str(0)?, |path| {
            if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) }
        })?;
        fn "removeAll" "(name: string): void" "Removes a file or a directory with all in it." => |cx, r, a| r.act("unlinkat", &a.str(0)?, |path| match fs::symlink_metadata(path) {
            Ok(facts) if facts.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
            Err(_) => Ok(()),
        })?;
        fn "rename" "(from: string, to: string): void" "Moves a file." => |cx, r, a| {
            let to = r.path("renameat", &a.str(1)?)?;
            r.act("renameat", &a.str(0)?, |path| fs::rename(path, to))?;
        };
        fn "stat" "(name: string): os.FileInfo" "What is known about a file." => |cx, r, a| {
            let name = a.str(0)?;
            os::stat(&name, &r.path("statat", &name)?)?
        };
        fn "fs" "(): fs.FS" "As a file system." => |cx, r, a| Arc::new(Dir(r.0.clone())) as Shared;
        fn "openRoot" "(name: string): os.Root" "A directory in it." => |cx, r, a| Arc::new(Root::open(&r.path("openat", &a.str(0)?)?.display().to_string())?) as Shared;
        fn "close" "(): void" "Ends working with it." => |cx, r, a| ();
    }
}

impl Root {
    pub(super) fn open(path: &str) -> Res<Self> {
        let facts = fs::metadata(path).map_err(|error| os::fail("open", path, &error))?;
        if !facts.is_dir() {
            return Err(Fail::other(format!("open {path}: not a directory")));
        }
        Ok(Self(path.into()))
    }
    /// Where a name is; links must not lead out, either.
    fn path(&self, what: &str, name: &str) -> Res<PathBuf> {
        let escapes = || Fail::other(format!("{what} {name}: path escapes from parent"));
        let mut depth = 0_i32;
        for part in Path::new(name).components() {
            match part {
                Component::Normal(_) => depth += 1,
                Component::ParentDir => depth -= 1,
                Component::CurDir => {}
                Component::RootDir | Component::Prefix(_) => return Err(escapes()),
            }
            if depth < 0 {
                return Err(escapes());
            }
        }
        let path = self.0.join(name);
        // what exists, or the directory that it is to be in
        let real = path.canonicalize().ok().or_else(|| path.parent()?.canonicalize().ok());
        let root = self.0.canonicalize().map_err(|error| os::fail(what, name, &error))?;
        match real {
            Some(real) if !real.starts_with(&root) => Err(escapes()),
            _ => Ok(path),
        }
    }
    fn act(&self, what: &str, name: &str, act: impl FnOnce(&Path) -> io::Result<()>) -> Res<()> {
        act(&self.path(what, name)?).map_err(|error| os::fail(what, name, &error))
    }
    fn content(&self, name: &str) -> Res<Vec<u8>> {
        let path = self.path("openat", name)?;
        fs::read(path).map_err(|error| os::fail("openat", name, &error))
    }
    /// The content of a file, to be read.
    pub(super) fn opened(&self, name: &str) -> Res<Shared> {
        Ok(Arc::new(Reader::new(self.content(name)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("in")).expect("made");
        fs::write(dir.path().join("out"), "x").expect("written");
        fs::write(dir.path().join("in/a"), "x").expect("written");
        let root = Root(dir.path().join("in"));
        for (name, is_inside) in
            [("a", true), ("new", true), ("./a", true), ("../out", false), ("/etc/passwd", false)]
        {
            assert_eq!(root.path("open", name).is_ok(), is_inside, "{name}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(dir.path().join("out"), dir.path().join("in/link"))
                .expect("linked");
            assert!(root.path("open", "link").is_err());
        }
    }
}
