//! A zip file that anybody may have made, unpacked into an empty directory and nowhere else (spec §4.5).
//!
//! Nothing in the archive is believed: names stay below the directory, sizes are counted while they are written,
//! links and devices are left out.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
};

use zip::{ZipArchive, read::ZipFile};

use super::{Pace, archive::zip_error};

/// Limits of what is unpacked.
#[derive(Debug, Clone, Copy)]
pub(super) struct ArchiveLimits {
    /// Files and directories.
    pub(super) entries: usize,
    /// Bytes of all files together.
    pub(super) bytes: u64,
}

impl ArchiveLimits {
    /// At most two million entries, and as many bytes as the disk has room for.
    pub(super) fn of_disk(free: Option<u64>) -> Self {
        Self { entries: 2_000_000, bytes: free.unwrap_or(u64::MAX) }
    }
}

/// Longest name and deepest nesting of an entry.
const MAX_NAME: usize = 4096;
const MAX_DEPTH: usize = 64;
/// Bytes of the directory at the end of an archive.
const MAX_DIRECTORY: u64 = 512 << 20;
const PIECE: usize = 64 << 10;

/// Unpacks `archive` into `target`, which exists and is empty; `exclude` are first path segments to leave out.
pub(super) fn extract(
    archive: &Path,
    target: &Path,
    exclude: &[String],
    limits: ArchiveLimits,
    pace: &mut Pace,
) -> io::Result<()> {
    let mut file = File::open(archive)?;
    let (entries, bytes) = directory_of(&mut file)?;
    if entries > limits.entries as u64 || bytes > MAX_DIRECTORY {
        return Err(invalid(format!("the archive has more than {} entries", limits.entries)));
    }
    let mut zip = ZipArchive::new(BufReader::with_capacity(PIECE, file)).map_err(zip_error)?;
    // What the directory of the archive tells; while writing it is counted again.
    if zip.decompressed_size().is_some_and(|told| told > u128::from(limits.bytes)) {
        return Err(invalid("the content of the archive does not fit on the disk"));
    }
    let mut left = limits.bytes;
    for index in 0..zip.len() {
        let entry = zip.by_index(index).map_err(zip_error)?;
        let name = entry.name().map_err(zip_error)?.into_owned();
        let path = safe_path(&name)
            .ok_or_else(|| invalid(format!("the archive has an entry of a bad name: {name:?}")))?;
        let first = path.iter().next().unwrap_or_default();
        if exclude.iter().any(|out| first == out.as_str()) {
            continue;
        }
        if entry.encrypted() {
            return Err(invalid("the archive is encrypted"));
        }
        let path = target.join(path);
        if entry.is_dir() {
            fs::create_dir_all(path)?;
        } else if is_regular(&entry) {
            write_file(entry, &path, &mut left, pace)?;
        }
        pace.step_io()?;
    }
    Ok(())
}

/// Number of entries and bytes of the directory at the end of the archive, which is kept in memory as a whole.
fn directory_of(file: &mut File) -> io::Result<(u64, u64)> {
    const END: usize = 22;
    const LOCATOR: usize = 20;
    let no_zip = || invalid("not a zip file: it has no directory");
    let size = file.metadata()?.len();
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(
        size.saturating_sub((END + LOCATOR + usize::from(u16::MAX)) as u64),
    ))?;
    Read::by_ref(file).take(size).read_to_end(&mut tail)?;
    let last = tail.len().checked_sub(END).ok_or_else(no_zip)?;
    let at = (0..=last).rev().find(|at| tail[*at..].starts_with(b"PK\x05\x06"));
    let at = at.ok_or_else(no_zip)?;
    let number = |from: &[u8], at: usize, len: usize| {
        let bytes = from.get(at..at + len).unwrap_or_default();
        bytes.iter().rev().fold(0u64, |n, byte| n << 8 | u64::from(*byte))
    };
    let short = (number(&tail, at + 10, 2), number(&tail, at + 12, 4));
    let locator = at.checked_sub(LOCATOR).map(|at| &tail[at..at + LOCATOR]);
    let Some(locator) = locator.filter(|bytes| bytes.starts_with(b"PK\x06\x07")) else {
        return Ok(short);
    };
    let mut long = [0; 56];
    file.seek(SeekFrom::Start(number(locator, 8, 8)))?;
    file.read_exact(&mut long).map_err(|_| no_zip())?;
    Ok((number(&long, 32, 8), number(&long, 40, 8)))
}

/// False for links, devices and so on.
fn is_regular<R: Read>(entry: &ZipFile<'_, R>) -> bool {
    const KIND: u32 = 0o170_000;
    const REGULAR: u32 = 0o100_000;
    matches!(entry.unix_mode().map_or(0, |mode| mode & KIND), 0 | REGULAR)
}

fn write_file<R: Read>(
    mut entry: ZipFile<'_, R>,
    path: &Path,
    left: &mut u64,
    pace: &mut Pace,
) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    // A second entry of the same name, or of one that differs in case only on some disks, fails here.
    let mut file = create(path, entry.unix_mode().unwrap_or(0o644))?;
    let mut buffer = vec![0; PIECE];
    loop {
        // Reading to the end compares the checksum.
        let n = entry.read(&mut buffer)?;
        if n == 0 {
            return file.flush();
        }
        *left = left
            .checked_sub(n as u64)
            .ok_or_else(|| invalid("the content of the archive does not fit on the disk"))?;
        file.write_all(&buffer[..n])?;
        pace.step_io()?;
    }
}

fn create(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode((mode & 0o777) | 0o600);
    }
    #[cfg(not(unix))]
    let _ = mode;
    options.open(path)
}

/// The relative path an entry names, `None` if it is no plain one.
fn safe_path(name: &str) -> Option<PathBuf> {
    if name.len() > MAX_NAME || name.contains(['\\', '\0']) || cfg!(windows) && name.contains(':') {
        return None;
    }
    let parts: Vec<&str> = name.strip_suffix('/').unwrap_or(name).split('/').collect();
    let plain = |part: &&str| !part.is_empty() && *part != "." && *part != "..";
    (parts.len() <= MAX_DEPTH && parts.iter().all(plain)).then(|| parts.iter().collect())
}

fn invalid(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.into())
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Instant};

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    fn pace() -> Pace {
        Pace { last: Instant::now(), stop: Arc::default() }
    }

    fn zip_of(dir: &Path, entries: &[(&str, &[u8])]) -> PathBuf {
        let path = dir.join("test.zip");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        for (name, content) in entries {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap();
        path
    }

    fn unpack(entries: &[(&str, &[u8])], limits: ArchiveLimits) -> Result<Vec<String>, String> {
        let dir = tempfile::tempdir().unwrap();
        let zip = zip_of(dir.path(), entries);
        let target = dir.path().join("out/deep");
        fs::create_dir_all(&target).unwrap();
        let done = extract(&zip, &target, &["backups".to_owned()], limits, &mut pace());
        let outside: Vec<_> = fs::read_dir(dir.path().join("out")).unwrap().flatten().collect();
        assert_eq!(outside.len(), 1, "{outside:?}");
        done.map_err(|e| e.to_string())?;
        let mut names: Vec<_> = fs::read_dir(&target)
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        Ok(names)
    }

    const LIMITS: ArchiveLimits = ArchiveLimits { entries: 5, bytes: 1 << 20 };

    #[test]
    fn names_stay_inside() {
        for name in ["../x", "/x", "a/../../x", "a\\..\\x", "a//b", "./x", "", "a/.."] {
            assert!(safe_path(name).is_none(), "{name:?}");
        }
        assert!(safe_path(&"x/".repeat(MAX_DEPTH + 1)).is_none());
        for name in ["x", "a/b c/..d", "a/"] {
            assert!(safe_path(name).is_some(), "{name:?}");
        }
        for name in ["../x", "/tmp/x", "a/../../x"] {
            let refused = unpack(&[("data.db", b"x"), (name, b"x")], LIMITS);
            assert!(refused.is_err(), "{name:?}: {refused:?}");
        }
    }

    #[test]
    fn limits_hold() {
        let many: Vec<_> = ["a", "b", "c", "d", "e", "f"].map(|n| (n, &b"x"[..])).to_vec();
        assert!(unpack(&many, LIMITS).unwrap_err().contains("entries"));
        let bomb = vec![0; 2 << 20];
        assert!(unpack(&[("a", &bomb)], LIMITS).unwrap_err().contains("fit"));
    }

    /// Sizes in the archive's directory are not believed.
    #[test]
    fn lies_about_sizes() {
        let dir = tempfile::tempdir().unwrap();
        let path = zip_of(dir.path(), &[("a", &vec![0; 3 << 20])]);
        let mut bytes = fs::read(&path).unwrap();
        let size = u32::try_from(3 << 20).unwrap().to_le_bytes();
        let at: Vec<_> = (0..bytes.len() - 4).filter(|at| bytes[*at..*at + 4] == size).collect();
        assert!(!at.is_empty());
        for at in at {
            bytes[at..at + 4].copy_from_slice(&10u32.to_le_bytes());
        }
        fs::write(&path, bytes).unwrap();
        let target = dir.path().join("out");
        fs::create_dir(&target).unwrap();
        let done = extract(&path, &target, &[], LIMITS, &mut pace());
        let written = fs::metadata(target.join("a")).map_or(0, |m| m.len());
        assert!(done.is_err() && written <= 1 << 20, "{done:?} {written}");
    }

    #[test]
    fn what_is_left_out() {
        let entries: &[(&str, &[u8])] =
            &[("data.db", b"x"), ("backups/old.zip", b"x"), ("s/f", b"x")];
        assert_eq!(unpack(entries, LIMITS).unwrap(), ["data.db", "s"]);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("links.zip");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        zip.add_symlink("out", "/etc", SimpleFileOptions::default()).unwrap();
        zip.start_file("out/passwd", SimpleFileOptions::default()).unwrap();
        zip.finish().unwrap();
        let target = dir.path().join("out");
        fs::create_dir(&target).unwrap();
        extract(&path, &target, &[], LIMITS, &mut pace()).unwrap();
        assert!(
            fs::symlink_metadata(target.join("out")).unwrap().is_dir(),
            "the link was left out"
        );
    }

    #[test]
    fn no_archives() {
        let dir = tempfile::tempdir().unwrap();
        for content in [&b""[..], b"PK\x05\x06", b"hello", &[0x50; 4000]] {
            let path = dir.path().join("x.zip");
            fs::write(&path, content).unwrap();
            assert!(extract(&path, dir.path(), &[], LIMITS, &mut pace()).is_err());
        }
    }
}
