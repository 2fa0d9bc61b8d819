//! Raw logs: the events of each day as gzip-packed lines in `pb_data/analytics`. Source: spec extensions 7.6.
//!
//! Each write adds a member to the file, which readers of gzip take for one text. Must not know what is in the lines.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};

use crate::clock::date_of;

const SUFFIX: &str = ".ndjson.gz";

/// Lines that wait, by day.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    days: BTreeMap<i64, Vec<u8>>,
    len: usize,
}

impl Lines {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }
    pub(crate) fn len(&self) -> usize {
        self.len
    }
    pub(crate) fn push(&mut self, day: i64, line: &[u8]) {
        let lines = self.days.entry(day).or_default();
        lines.extend_from_slice(line);
        lines.push(b'\n');
        self.len += line.len() + 1;
    }
    /// Puts back, in front, what could not be written, and drops the oldest lines beyond so many bytes; how many those are.
    pub(crate) fn put_back(&mut self, mut older: Self, max: usize) -> u64 {
        for (day, lines) in &self.days {
            older.days.entry(*day).or_default().extend_from_slice(lines);
        }
        older.len += self.len;
        *self = older;
        let mut n_dropped = 0;
        while self.len > max
            && let Some(mut first) = self.days.first_entry()
        {
            let lines = first.get_mut();
            let least = lines.len().min(self.len - max);
            // whole lines
            let end = lines[least - 1..].iter().position(|byte| *byte == b'\n');
            let end = end.map_or(lines.len(), |at| least + at);
            n_dropped += n_lines(&lines[..end]);
            self.len -= end;
            lines.drain(..end);
            if lines.is_empty() {
                first.remove();
            }
        }
        n_dropped
    }
    /// How many lines there are.
    pub(crate) fn count(&self) -> u64 {
        self.days.values().map(|lines| n_lines(lines)).sum()
    }

    /// Writes all of it; what could not be written stays.
    pub(crate) fn write(&mut self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)?;
        while let Some(entry) = self.days.first_entry() {
            append(&file_of(dir, &date_of(*entry.key())), entry.get())?;
            self.len -= entry.remove().len();
        }
        Ok(())
    }
}

fn n_lines(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Adds a member; a file of a full disk is what it was before.
fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(lines)?;
    let packed = packed.finish()?;
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
    let len = file.metadata()?.len();
    file.write_all(&packed).inspect_err(|_| {
        file.set_len(len).ok();
    })
}

/// The file of a date.
pub(crate) fn file_of(dir: &Path, date: &str) -> PathBuf {
    dir.join(format!("{date}{SUFFIX}"))
}

/// Whether it is a date, and with it safe in a path.
pub(crate) fn is_date(text: &str) -> bool {
    let is_shaped = text.len() == 10
        && text.bytes().enumerate().all(|(at, c)| match at {
            4 | 7 => c == b'-',
            _ => c.is_ascii_digit(),
        });
    is_shaped && pocketbase::parse_date_time(text).is_some()
}

/// The dates that there are files of, oldest first.
pub(crate) fn dates(dir: &Path) -> Vec<String> {
    let files = fs::read_dir(dir).into_iter().flatten().flatten();
    let name = |file: fs::DirEntry| file.file_name().into_string().ok();
    let mut dates: Vec<String> = files
        .filter_map(name)
        .filter_map(|name| name.strip_suffix(SUFFIX).map(str::to_owned))
        .filter(|date| is_date(date))
        .collect();
    dates.sort();
    dates
}

/// Deletes the oldest files until all take less than so many bytes; false if the newest alone takes as many.
pub(crate) fn make_room(dir: &Path, max: u64) -> io::Result<bool> {
    let mut files = Vec::new();
    for date in dates(dir) {
        let path = file_of(dir, &date);
        let len = fs::metadata(&path)?.len();
        files.push((path, len));
    }
    let mut total: u64 = files.iter().map(|(_, len)| len).sum();
    let n_old = files.len().saturating_sub(1);
    for (path, len) in files.into_iter().take(n_old) {
        if total < max {
            break;
        }
        fs::remove_file(path)?;
        total -= len;
    }
    Ok(total < max)
}

/// Deletes the files of the days before a date.
pub(crate) fn prune(dir: &Path, before: &str) -> io::Result<()> {
    for date in dates(dir).iter().filter(|date| date.as_str() < before) {
        fs::remove_file(file_of(dir, date))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn members_are_one_text() {
        let dir = tempfile::tempdir().expect("a directory");
        for line in ["{\"a\":1}", "{\"b\":2}"] {
            let mut lines = Lines::default();
            lines.push(20_788, line.as_bytes());
            lines.write(dir.path()).expect("written");
            assert!(lines.is_empty());
        }
        let packed = fs::File::open(file_of(dir.path(), "2026-12-01")).expect("a file");
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(packed).read_to_string(&mut text).expect("gzip");
        assert_eq!(text, "{\"a\":1}\n{\"b\":2}\n");
        assert_eq!(dates(dir.path()), ["2026-12-01"]);
        prune(dir.path(), "2026-12-01").expect("pruned");
        assert_eq!(dates(dir.path()).len(), 1);
        prune(dir.path(), "2026-12-02").expect("pruned");
        assert!(dates(dir.path()).is_empty());
    }

    #[test]
    fn the_oldest_files_go() {
        let dir = tempfile::tempdir().expect("a directory");
        for date in ["2026-11-28", "2026-11-29", "2026-11-30", "2026-12-01"] {
            fs::write(file_of(dir.path(), date), [0; 100]).expect("written");
        }
        for (max, has_room, left) in
            [(401, true, 4), (400, true, 3), (150, true, 1), (99, false, 1)]
        {
            assert_eq!(make_room(dir.path(), max).expect("done"), has_room, "{max}");
            assert_eq!(dates(dir.path()).len(), left, "{max}");
        }
        assert_eq!(dates(dir.path()), ["2026-12-01"]);
    }

    #[test]
    fn the_oldest_lines_are_dropped() {
        let lines = |from: u32, n: u32| {
            let mut lines = Lines::default();
            for n in from..from + n {
                lines.push(i64::from(n / 10), format!("{n:03}").as_bytes());
            }
            lines
        };
        for (max, dropped) in
            [(400, 0), (80, 0), (79, 1), (76, 1), (43, 10), (4, 19), (3, 20), (0, 20)]
        {
            let mut new = lines(10, 10);
            assert_eq!(new.put_back(lines(0, 10), max), dropped, "{max}");
            assert_eq!((new.count(), new.len() as u64), (20 - dropped, (20 - dropped) * 4));
            let kept: Vec<u8> = new.days.into_values().flatten().collect();
            let first = format!("{dropped:03}\n");
            assert!(dropped == 20 || kept.starts_with(first.as_bytes()), "{max}");
        }
    }

    #[test]
    fn dates_only() {
        for (text, want) in
            [("2026-12-01", true), ("2026-13-01", false), ("../../etc/x", false), ("", false)]
        {
            assert_eq!(is_date(text), want, "{text}");
        }
    }
}
