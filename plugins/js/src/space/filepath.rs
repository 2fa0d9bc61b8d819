//! `$filepath` (spec extending §3.3): Go's paths.

use std::path::Path;

use rquickjs::Function;

use super::{Space, gopath, os};
use crate::bind::{Args, Fail, Res, Shared, object, table, throw};

table! {
    pub(crate) static FILEPATH: Space = "FilePath", "Paths of files." {
        fn "base" "(path: string): string" "The last part." => |cx, s, a| gopath::base(&a.str(0)?);
        fn "clean" "(path: string): string" "The shortest path that means the same." => |cx, s, a| gopath::clean(&a.str(0)?);
        fn "dir" "(path: string): string" "All but the last part." => |cx, s, a| gopath::dir(&a.str(0)?);
        fn "ext" "(path: string): string" "The extension with its dot." => |cx, s, a| gopath::ext(&a.str(0)?).to_owned();
        fn "fromSlash" "(path: string): string" "With the separators of this system." => |cx, s, a| a.str(0)?;
        fn "glob" "(pattern: string): string[]" "The files that match a pattern." => |cx, s, a| {
            gopath::glob(&a.str(0)?).map_err(Fail::other)?
        };
        fn "isAbs" "(path: string): boolean" "True for a path from the root." => |cx, s, a| a.str(0)?.starts_with('/');
        fn "join" "(...parts: string[]): string" "Parts put together." => |cx, s, a| gopath::join(&a.texts(0)?);
        fn "match" "(pattern: string, name: string): boolean" "Whether a name matches a pattern." => |cx, s, a| {
            gopath::matches(&a.str(0)?, &a.str(1)?).map_err(Fail::other)?
        };
        fn "rel" "(base: string, target: string): string" "The way from one path to another." => |cx, s, a| {
            gopath::rel(&a.str(0)?, &a.str(1)?).map_err(Fail::other)?
        };
        fn "split" "(path: string): [string, string]" "Directory and file." => |cx, s, a| {
            let path = a.str(0)?;
            let (dir, file) = gopath::split(&path);
            (dir.to_owned(), file.to_owned())
        };
        fn "splitList" "(paths: string): string[]" "The paths of a list such as PATH." => |cx, s, a| {
            let list = a.str(0)?;
            if list.is_empty() { Vec::new() } else { list.split(':').map(str::to_owned).collect() }
        };
        fn "toSlash" "(path: string): string" "With slashes." => |cx, s, a| a.str(0)?;
        fn "walk" "(root: string, visit: (path: string, info: any, err: any) => void): void" "Visits all files below a directory." => |cx, s, a| walk(a, false)?;
        fn "walkDir" "(root: string, visit: (path: string, entry: any, err: any) => void): void" "Visits all files below a directory." => |cx, s, a| walk(a, true)?;
    }
}

fn walk(args: &Args<'_, '_>, entries: bool) -> Res<()> {
    let visit = args.function(1)?;
    visited(args, &visit, &args.str(0)?, entries)
}

fn visited<'js>(args: &Args<'_, 'js>, visit: &Function<'js>, path: &str, entries: bool) -> Res<()> {
    let cx = args.cx();
    let nil = || rquickjs::Value::new_null(cx.clone());
    let facts = match std::fs::symlink_metadata(path) {
        Ok(facts) => facts,
        Err(error) => {
            let error = throw(cx, os::fail("lstat", path, &error));
            let thrown = match error {
                rquickjs::Error::Exception => cx.catch(),
                other => return Err(other.into()),
            };
            // it prints as its message alone
            if let Some(thrown) = thrown.as_object() {
                thrown.set("name", "")?;
            }
            let given = visit.call((path, nil(), thrown))?;
            return crate::bind::no_result(cx, &given);
        }
    };
    let is_dir = facts.is_dir();
    let name = gopath::base(path);
    let host: Shared = if entries {
        std::sync::Arc::new(os::Entry {
            name,
            path: path.to_owned(),
            is_dir,
            is_link: facts.is_symlink(),
        })
    } else {
        std::sync::Arc::new(os::Info { name, facts })
    };
    let given = visit.call((path, object(cx, host)?, nil()))?;
    crate::bind::no_result(cx, &given)?;
    if is_dir {
        for name in os::names(Path::new(path)).map_err(|error| os::fail("open", path, &error))? {
            visited(args, visit, &gopath::join(&[path.to_owned(), name]), entries)?;
        }
    }
    Ok(())
}
