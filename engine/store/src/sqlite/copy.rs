//! Copies of a database file while it is in use, and checks of files that are to become one.
//!
//! Everything here blocks: call it on a thread of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::conn::Role;
use super::read::Database;
use super::{Error, Result};

/// Pages copied at a time, between two looks at the pace.
const PAGES: i32 = 32;
/// Bytes after which what was written goes to the disk, so that it does not come as one flood in the way of others.
const SYNC: u64 = 8 << 20;
/// How long to wait for a file that is locked.
const PATIENCE: Duration = Duration::from_secs(30);

impl Database {
    /// Copies the file page by page as it is now to `target`, which must not exist: the same rows, row ids and layout.
    ///
    /// Holds a read transaction, never the writer: writes go on and are not in the copy; every write acknowledged
    /// before the call is. The WAL cannot start again from its beginning meanwhile. `pace` is called after every few
    /// pages; false stops.
    ///
    /// # Errors
    /// What the driver says; [`Error::Ended`] when `pace` stopped it.
    pub(crate) fn copy_pages(&self, target: &Path, pace: &mut dyn FnMut() -> bool) -> Result<()> {
        let conn = self.0.connect(Role::Reader)?;
        conn.guard.arm(0, None);
        conn.raw.execute_batch("PRAGMA cache_size=-2000;BEGIN")?;
        // The snapshot is taken by the first read.
        conn.raw.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
        let mut copy = Connection::open(target)?;
        copy.execute_batch(
            "PRAGMA journal_mode=OFF;PRAGMA synchronous=OFF;PRAGMA cache_size=-2000",
        )?;
        let file = File::open(target).map_err(|e| unusable(target, &e))?;
        copy_paced(&conn.raw, &mut copy, &file, pace)?;
        conn.raw.execute_batch("COMMIT")?;
        drop((conn, copy));
        self.checkpoint_soon();
        file.sync_all().map_err(|e| unusable(target, &e))
    }
}

fn copy_paced(
    from: &Connection,
    to: &mut Connection,
    file: &File,
    pace: &mut dyn FnMut() -> bool,
) -> Result<()> {
    let page_size: u32 = from.query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap_or(4096);
    let backup = Backup::new(from, to)?;
    let (mut unsynced, mut waiting_since) = (0, None);
    loop {
        match backup.step(PAGES)? {
            StepResult::Done => return Ok(()),
            StepResult::More => waiting_since = None,
            _ => {
                let since = *waiting_since.get_or_insert_with(Instant::now);
                if since.elapsed() > PATIENCE {
                    return Err(Error::Busy);
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        unsynced += u64::from(page_size) * u64::from(PAGES.unsigned_abs());
        if unsynced >= SYNC {
            unsynced = 0;
            // Only spreads the load; the last sync is the one that counts.
            let _ = file.sync_data();
        }
        if !pace() {
            return Err(Error::Ended);
        }
    }
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::Open { path: path.to_owned(), reason: error.to_string() }
}

/// Checks that a file that nobody uses is a sound database with a table of this name, and merges a WAL that lies
/// beside it. Afterwards the file stands alone.
///
/// # Errors
/// One line that says what is wrong.
pub fn check_file(path: &Path, table: Option<&str>) -> Result<(), String> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let text = |e: rusqlite::Error| e.to_string();
    let conn = Connection::open_with_flags(path, flags).map_err(text)?;
    conn.execute_batch("PRAGMA cache_size=-8000").map_err(text)?;
    let verdict: String =
        conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(text)?;
    if verdict != "ok" {
        return Err(verdict);
    }
    if let Some(table) = table {
        let find = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?1";
        let found: i64 = conn.query_row(find, [table], |row| row.get(0)).map_err(text)?;
        if found == 0 {
            return Err(format!("there is no table {table}"));
        }
    }
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(text)?;
    conn.close().map_err(|(_, e)| text(e))?;
    for suffix in ["-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(PathBuf::from(name)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.to_string()),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Job, Sql, Store, StoreConfig};

    fn sql(text: &str) -> Sql {
        Sql { text: text.into(), params: vec![] }
    }

    #[tokio::test]
    async fn a_copy_is_a_snapshot_and_writers_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreConfig::new(dir.path())).unwrap();
        let db = store.data().clone();
        db.write(Job::from(sql("CREATE TABLE t (n INTEGER, pad TEXT)"))).await.unwrap();
        let fill = "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 4000) \
                    INSERT INTO t SELECT n, hex(zeroblob(400)) FROM s";
        db.write(Job::from(sql(fill))).await.unwrap();
        let target = dir.path().join("copy.db");
        let (source, path) = (db.clone(), target.clone());
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let (go, gate) = std::sync::mpsc::channel::<()>();
        let copying = tokio::task::spawn_blocking(move || {
            let mut steps = 0;
            source.copy_pages(&path, &mut || {
                steps += 1;
                if steps == 2 {
                    tell.send(()).unwrap();
                    gate.recv().unwrap();
                }
                true
            })
        });
        told.recv().await.unwrap();
        db.write(Job::from(sql("INSERT INTO t VALUES (-1, '')"))).await.unwrap();
        db.write(Job::from(sql("DELETE FROM t WHERE n < 100"))).await.unwrap();
        go.send(()).unwrap();
        copying.await.unwrap().unwrap();
        check_file(&target, Some("t")).unwrap();
        assert!(check_file(&target, Some("u")).unwrap_err().contains("no table"));
        let conn = Connection::open(&target).unwrap();
        let n: i64 = conn.query_row("SELECT count(*) FROM t", [], |r| r.get(0)).unwrap();
        assert_eq!(n, 4000);
        let mut stop = || false;
        let stopped = db.copy_pages(&dir.path().join("none.db"), &mut stop);
        assert!(matches!(stopped, Err(Error::Ended)));
        store.close();
    }

    #[test]
    fn bad_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        assert!(check_file(&path, None).is_err());
        fs::write(&path, "no database, but long enough to be looked at as one").unwrap();
        assert!(check_file(&path, None).is_err());
        let conn = Connection::open(dir.path().join("y.db")).unwrap();
        conn.execute_batch("CREATE TABLE t (n); WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 9000) INSERT INTO t SELECT n FROM s").unwrap();
        drop(conn);
        let path = dir.path().join("y.db");
        check_file(&path, Some("t")).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        for byte in &mut bytes[8192..12_288] {
            *byte = 0xAA;
        }
        fs::write(&path, bytes).unwrap();
        assert!(check_file(&path, Some("t")).is_err());
    }
}
