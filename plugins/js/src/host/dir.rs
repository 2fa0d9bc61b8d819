//! A directory as a file system: what `$os.dirFS` gives and `e.fileFS` takes.

use std::path::PathBuf;

use crate::bind::{Fail, Res, native, table};

/// A directory; names in it are relative and do not leave it.
pub(crate) struct Dir(pub(crate) PathBuf);
native!(Dir = DIR);

table! {
    pub(crate) static DIR: Dir = "fs.FS", "A directory." {
        fn "readFile" "(name: string): number[]" "The content of a file." => |cx, d, a| {
            crate::bind::Val::Bytes(std::fs::read(d.path(&a.str(0)?)?)?)
        };
    }
}

impl Dir {
    /// The path of a name, as Go's `fs.ValidPath` allows it.
    pub(crate) fn path(&self, name: &str) -> Res<PathBuf> {
        let is_valid = name == "."
            || !name.is_empty() && name.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !is_valid {
            return Err(Fail::other(format!("open {name}: invalid argument")));
        }
        Ok(self.0.join(name))
    }
}
