//! A directory as a file system: what `$os.dirFS` gives and `e.fileFS` takes.

use std::{path::PathBuf, sync::Arc};

use super::exchange::Reader;
use crate::{
    bind::{Fail, Res, Shared, native, table},
    space::os,
};

/// A directory; names in it are relative and do not leave it.
pub(crate) struct Dir(pub(crate) PathBuf);
native!(Dir = DIR);

table! {
    pub(crate) static DIR: Dir = "fs.FS", "A directory." {
        fn "readFile" "(name: string): number[]" "The content of a file." => |cx, d, a| {
            crate::bind::Val::Bytes(d.content("readfile", &a.str(0)?)?)
        };
        fn "open" "(name: string): io.ReadCloser" "The content of a file." => |cx, d, a| {
            Arc::new(Reader::new(d.content("open", &a.str(0)?)?)) as Shared
        };
        fn "readDir" "(name: string): os.DirEntry[]" "The entries of a directory, sorted." => |cx, d, a| {
            os::read_dir(&d.path(&a.str(0)?)?.display().to_string())?
        };
        fn "stat" "(name: string): os.FileInfo" "What is known about a file." => |cx, d, a| {
            let name = a.str(0)?;
            os::stat(&name, &d.path(&name)?)?
        };
    }
}

impl Dir {
    /// What is wrong with a name is told in the words of what was tried.
    fn content(&self, what: &str, name: &str) -> Res<Vec<u8>> {
        let path = self.path(name).map_err(|_| invalid(what, name))?;
        std::fs::read(path).map_err(|error| os::fail("open", name, &error))
    }
    /// The path of a name, as Go's `fs.ValidPath` allows it.
    pub(crate) fn path(&self, name: &str) -> Res<PathBuf> {
        let is_valid = name == "."
            || !name.is_empty() && name.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !is_valid {
            return Err(invalid("open", name));
        }
        Ok(self.0.join(name))
    }
}

fn invalid(what: &str, name: &str) -> Fail {
    Fail::other(format!("{what} {name}: invalid argument"))
}
