//! Compresses the files of `dashboard/dist` for the crate to include, once for all answers. Needs no Node: `dist` is
//! committed.

use std::{
    env,
    fmt::Write as _,
    fs,
    hash::{DefaultHasher, Hasher as _},
    io::{self, Write as _},
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
    let target = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let mut out = String::from("&[\n");
    for (n, path) in paths.iter().enumerate() {
        let name = path.strip_prefix(&dist).map_err(io::Error::other)?;
        let name = name.to_string_lossy().replace('\\', "/");
        let mut hasher = DefaultHasher::new();
        let bytes = fs::read(path)?;
        hasher.write(&bytes);
        // weak: the same for every encoding
        let etag = format!("W/\"{:016x}\"", hasher.finish());
        let (br, gz) = (brotli(&bytes)?, gzip(&bytes)?);
        let content = if br.len().max(gz.len()) < bytes.len() {
            let (br_path, gz_path) =
                (target.join(format!("{n}.br")), target.join(format!("{n}.gz")));
            fs::write(&br_path, br)?;
            fs::write(&gz_path, gz)?;
            let included = |path: &Path| format!("include_bytes!({:?})", path.to_string_lossy());
            format!("Content::Small {{ br: {}, gz: {} }}", included(&br_path), included(&gz_path))
        } else {
            format!("Content::Plain(include_bytes!({:?}))", path.to_string_lossy())
        };
        let _ = writeln!(out, "    ({name:?}, {etag:?}, {content}),");
    }
    out.push(']');
    fs::write(target.join("files.rs"), out)
}

fn brotli(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let params = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        size_hint: bytes.len(),
        ..Default::default()
    };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &bytes[..], &mut out, &params)?;
    Ok(out)
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
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
