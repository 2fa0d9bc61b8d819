//! Lists the files of `dashboard/dist` for the crate to include. Needs no Node: `dist` is committed.

use std::{
    env,
    fmt::Write as _,
    fs,
    hash::{DefaultHasher, Hasher as _},
    io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let dist = root.join("../dist").canonicalize()?;
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut paths = Vec::new();
    walk(&dist, &mut paths)?;
    // found by binary search
    paths.sort();
    let mut out = String::from("&[\n");
    for path in &paths {
        let name = path.strip_prefix(&dist).map_err(io::Error::other)?;
        let name = name.to_string_lossy().replace('\\', "/");
        let mut hasher = DefaultHasher::new();
        hasher.write(&fs::read(path)?);
        // weak: answers are compressed on their way
        let etag = format!("W/\"{:016x}\"", hasher.finish());
        let bytes = path.to_string_lossy();
        let _ = writeln!(out, "    ({name:?}, {etag:?}, include_bytes!({bytes:?})),");
    }
    out.push(']');
    let target = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(target.join("files.rs"), out)
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}
