//! A directory as a zip file: regular files with relative names, deflated fast, at a bounded pace (spec §4.1).

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use primitives::time::{Civil, Timestamp};
use zip::{CompressionMethod, DateTime, ZipWriter, result::ZipError, write::SimpleFileOptions};

use super::Pace;

/// Bytes compressed between two looks at the pace.
const PIECE: usize = 64 << 10;
/// Files from here on need the long form of sizes.
const LARGE: u64 = (1 << 32) - (1 << 20);

/// What goes into a backup.
#[derive(Debug)]
pub(super) struct Content<'a> {
    /// The data directory.
    pub(super) root: &'a Path,
    /// Paths below the root that stay out, with all that is below them.
    pub(super) exclude: &'a [String],
    /// Files at the root that are read from elsewhere, whether they are there or not: consistent copies of the databases.
    pub(super) replaced: &'a [(String, PathBuf)],
}

impl Content<'_> {
    fn is_excluded(&self, name: &str) -> bool {
        self.exclude.iter().any(|out| out.trim_matches('/') == name)
    }

    /// What belongs to a live database: its copy needs none of it.
    fn is_beside_a_copy(&self, name: &str) -> bool {
        let base = name.strip_suffix("-wal").or_else(|| name.strip_suffix("-shm"));
        base.is_some_and(|base| self.replaced.iter().any(|(name, _)| name == base))
    }
}

/// Writes a zip file.
pub(super) fn write(content: &Content<'_>, target: &Path, pace: &mut Pace) -> io::Result<()> {
    let file = File::create_new(target)?;
    let mut zip = ZipWriter::new(BufWriter::with_capacity(256 << 10, file));
    add_dir(content, "", &mut zip, pace)?;
    let mut writer = zip.finish().map_err(zip_error)?;
    writer.flush()?;
    writer.get_ref().sync_all()
}

/// Adds a directory and, without recursion, everything below it in the order of the names.
fn add_dir<W: Write + io::Seek>(
    content: &Content<'_>,
    name: &str,
    zip: &mut ZipWriter<W>,
    pace: &mut Pace,
) -> io::Result<()> {
    let mut open = vec![names_in(content, name)?];
    while let Some(names) = open.last_mut() {
        let Some(name) = names.pop_first() else {
            open.pop();
            continue;
        };
        if content.is_excluded(&name) || content.is_beside_a_copy(&name) {
            continue;
        }
        let copy = content.replaced.iter().find(|(copied, _)| *copied == name);
        let path = copy.map_or_else(|| content.root.join(&name), |(_, copy)| copy.clone());
        let stat = match fs::symlink_metadata(&path) {
            Ok(stat) => stat,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e),
        };
        if stat.is_dir() {
            open.push(names_in(content, &name)?);
        } else if stat.is_symlink() {
            add_link(zip, &name, &path)?;
        } else if stat.is_file() {
            add_file(zip, &name, &path, pace)?;
        }
    }
    Ok(())
}

/// The entries of a directory as paths relative to the root; none if it has vanished.
fn names_in(content: &Content<'_>, name: &str) -> io::Result<BTreeSet<String>> {
    let entries = match fs::read_dir(content.root.join(name)) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(e) => return Err(e),
    };
    let mut names = BTreeSet::new();
    if name.is_empty() {
        // Some of them are not in the directory at all.
        names.extend(content.replaced.iter().map(|(name, _)| name.clone()));
    }
    for entry in entries {
        let own = entry?.file_name();
        let own = own.to_string_lossy();
        names.insert(if name.is_empty() { own.into_owned() } else { format!("{name}/{own}") });
    }
    Ok(names)
}

fn add_file<W: Write + io::Seek>(
    zip: &mut ZipWriter<W>,
    name: &str,
    path: &Path,
    pace: &mut Pace,
) -> io::Result<()> {
    let file = match File::open(path) {
        Ok(file) => file,
        // Removed since the directory was read.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    let stat = file.metadata()?;
    zip.start_file(name, options(&stat)).map_err(zip_error)?;
    // A file that grows meanwhile must not outgrow what was said about its size.
    let mut reader = file.take(if stat.len() < LARGE { LARGE } else { u64::MAX });
    let mut buffer = vec![0; PIECE];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(()),
            n => zip.write_all(&buffer[..n])?,
        }
        pace.step_io()?;
    }
}

/// A link to a file is kept as a link, which a restore leaves out; a link to a directory would hide data: refused.
fn add_link<W: Write + io::Seek>(
    zip: &mut ZipWriter<W>,
    name: &str,
    path: &Path,
) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|stat| stat.is_dir()) {
        return Err(io::Error::other(format!("{name} is a symbolic link to a directory")));
    }
    let target = fs::read_link(path)?.to_string_lossy().into_owned();
    zip.add_symlink(name, target, SimpleFileOptions::default()).map_err(zip_error)
}

fn options(stat: &fs::Metadata) -> SimpleFileOptions {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(1))
        .last_modified_time(modified(stat).unwrap_or_default())
        .large_file(stat.len() >= LARGE);
    #[cfg(unix)]
    let options = {
        use std::os::unix::fs::PermissionsExt as _;
        options.unix_permissions(stat.permissions().mode() & 0o777)
    };
    options
}

/// The time of the last modification in UTC; `None` before 1980, which zip files cannot say.
fn modified(stat: &fs::Metadata) -> Option<DateTime> {
    let since = stat.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let Civil { year, month, day, hour, minute, second, .. } =
        Timestamp::from_millis(0).plus(since).civil();
    DateTime::from_date_and_time(u16::try_from(year).ok()?, month, day, hour, minute, second).ok()
}

pub(super) fn zip_error(error: ZipError) -> io::Error {
    match error {
        ZipError::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    }
}
