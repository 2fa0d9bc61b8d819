//! A data directory as one end of a move: reading files in use, filling new ones and putting them in place.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use dialects::{Dialect, catalog, sqlite, transfer};
use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::mpsc::{Receiver, Sender};

use super::{
    Batch, Error, Layout, Result,
    cell::{self, Cell, CellRow},
    digest::Digest,
    plan::{Statement, Table},
};
use crate::TEMP;
use primitives::id;

const FILES: [&str; 2] = ["data.db", "auxiliary.db"];
/// Rows sent at a time.
const ROWS: usize = 256;
/// Bytes of text after which fewer rows are sent at a time.
pub(super) const BYTES: usize = 1 << 20;

/// The two databases of a directory.
#[derive(Debug, Clone)]
pub(super) struct Files {
    data: Arc<Mutex<Connection>>,
    auxiliary: Option<Arc<Mutex<Connection>>>,
}

fn driver(error: rusqlite::Error) -> Error {
    Error(format!("SQLite: {}", store::Error::from(error)))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error("a thread died".to_owned()))?
}

impl Files {
    /// Opens a directory that may be in use; sees it as it is at this moment.
    pub(super) async fn read(dir: &Path) -> Result<Self> {
        let dir = dir.to_owned();
        blocking(move || {
            let open = |name: &str| {
                let path = dir.join(name);
                let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let explain =
                    |e: rusqlite::Error| Error(format!("cannot read {}: {e}", path.display()));
                let conn = Connection::open_with_flags(&path, flags).map_err(explain)?;
                conn.execute_batch(sqlite::transfer::READ).map_err(explain)?;
                // The snapshot is taken by the first read.
                let sql = catalog::tables(Dialect::SQLITE).text;
                conn.query_row(&sql, [], |_| Ok(())).or_else(none_is_fine).map_err(explain)?;
                Ok::<_, Error>(Arc::new(Mutex::new(conn)))
            };
            if !dir.join(FILES[0]).exists() {
                return Err(Error(format!("there is no {} in {}", FILES[0], dir.display())));
            }
            let has_logs = dir.join(FILES[1]).exists();
            let auxiliary = if has_logs { Some(open(FILES[1])?) } else { None };
            Ok(Self { data: open(FILES[0])?, auxiliary })
        })
        .await
    }

    /// Makes the files of a directory.
    fn create(dir: &Path) -> Result<Self> {
        let open = |name: &str| {
            let conn = Connection::open(dir.join(name)).map_err(driver)?;
            conn.execute_batch(sqlite::transfer::FILL).map_err(driver)?;
            Ok::<_, Error>(Arc::new(Mutex::new(conn)))
        };
        Ok(Self { data: open(FILES[0])?, auxiliary: Some(open(FILES[1])?) })
    }

    fn conn(&self, auxiliary: bool) -> Option<Arc<Mutex<Connection>>> {
        if auxiliary { self.auxiliary.clone() } else { Some(self.data.clone()) }
    }

    async fn with<T: Send + 'static>(
        &self,
        auxiliary: bool,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<Option<T>> {
        let Some(conn) = self.conn(auxiliary) else { return Ok(None) };
        blocking(move || work(&conn.lock()).map(Some).map_err(driver)).await
    }

    pub(super) async fn execute(&self, statement: &Statement) -> Result<()> {
        let text = statement.text.clone();
        self.with(statement.auxiliary, move |conn| conn.execute_batch(&text)).await.map(|_| ())
    }

    /// Names of tables and views of `data.db`; true for views.
    pub(super) async fn tables(&self) -> Result<Vec<(String, bool)>> {
        let found = self
            .with(false, |conn| {
                let mut statement = conn.prepare(&catalog::tables(Dialect::SQLITE).text)?;
                let rows = statement
                    .query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)? == "view")))?;
                rows.collect()
            })
            .await?;
        Ok(found.unwrap_or_default())
    }

    /// The name and the columns (with declared types) of a table or view, if there is one.
    pub(super) async fn layout(&self, name: &str, auxiliary: bool) -> Result<Layout> {
        let name = name.to_owned();
        let found = self
            .with(auxiliary, move |conn| {
                let mut statement = conn.prepare(&catalog::columns(Dialect::SQLITE, &name).text)?;
                let rows = statement.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?)))?;
                let columns = rows.collect::<rusqlite::Result<_>>()?;
                Ok(Layout { columns, name, dialect: Some(Dialect::SQLITE) })
            })
            .await?;
        Ok(found.unwrap_or_default())
    }

    /// Sends all rows of a table, or the reason why that cannot be done.
    pub(super) fn send(&self, table: Arc<Table>, layout: &Layout, to: Sender<Batch>) {
        let Some(conn) = self.conn(table.auxiliary) else { return };
        let columns: Vec<Option<&str>> = layout.pick(&table);
        let text = transfer::select(Dialect::SQLITE, &layout.name, &columns, table.numbered, &[]);
        drop(tokio::task::spawn_blocking(move || {
            if let Err(error) = send_rows(&conn.lock(), &text, &table, &to) {
                // Nobody listens any more when the other side has failed.
                let _ = to.blocking_send(Err(error));
            }
        }));
    }

    /// Inserts all rows that arrive; what they were.
    pub(super) async fn fill(
        &self,
        table: Arc<Table>,
        mut from: Receiver<Batch>,
    ) -> Result<Digest> {
        let Some(conn) = self.conn(table.auxiliary) else { return Ok(Digest::default()) };
        blocking(move || {
            let conn = conn.lock();
            let text = sqlite::transfer::insert(&table.name, &table.names(), table.numbered);
            let mut insert = conn.prepare(&text).map_err(driver)?;
            let kinds = table.kinds();
            let (mut digest, mut buffer) = (Digest::default(), Vec::new());
            while let Some(batch) = from.blocking_recv() {
                for row in batch? {
                    digest.add(&row, &mut buffer);
                    let cells = kinds.iter().zip(&row);
                    let cells = cells.map(|(kind, cell)| cell::to_sqlite(*kind, cell));
                    insert
                        .execute(rusqlite::params_from_iter(cells))
                        .map_err(|e| table.failed(&row, &driver(e).0))?;
                }
            }
            Ok(digest)
        })
        .await
    }

    async fn commit(self) -> Result<()> {
        for auxiliary in [false, true] {
            self.with(auxiliary, |conn| conn.execute_batch(transfer::COMMIT)).await?;
        }
        Ok(())
    }
}

fn none_is_fine(error: rusqlite::Error) -> rusqlite::Result<()> {
    match error {
        rusqlite::Error::QueryReturnedNoRows => Ok(()),
        error => Err(error),
    }
}

fn send_rows(conn: &Connection, text: &str, table: &Table, to: &Sender<Batch>) -> Result<()> {
    let mut statement = conn.prepare(text).map_err(driver)?;
    let kinds = table.kinds();
    let mut rows = statement.query([]).map_err(driver)?;
    let (mut batch, mut n_bytes) = (Vec::with_capacity(ROWS), 0);
    while let Some(raw) = rows.next().map_err(driver)? {
        let mut row: CellRow = Vec::with_capacity(kinds.len());
        for (at, kind) in kinds.iter().enumerate() {
            let raw = raw.get_ref(at).map_err(driver)?;
            match cell::from_sqlite(*kind, raw) {
                Ok(cell) => row.push(cell),
                Err(fault) => return Err(table.refused(&row, at, fault)),
            }
        }
        n_bytes += row.iter().map(size).sum::<usize>();
        batch.push(row);
        if batch.len() == ROWS || n_bytes > BYTES {
            n_bytes = 0;
            let full = std::mem::replace(&mut batch, Vec::with_capacity(ROWS));
            if to.blocking_send(Ok(full)).is_err() {
                return Ok(());
            }
        }
    }
    // As above: the other side says what went wrong.
    let _ = to.blocking_send(Ok(batch));
    Ok(())
}

/// Bytes of a cell, roughly.
pub(super) fn size(cell: &Cell) -> usize {
    match cell {
        Cell::Text(text) | Cell::Json(text) | Cell::Sealed(text) => text.len(),
        _ => 8,
    }
}

/// New files beside the old ones; dropped unless [`Target::publish`] puts them in place.
#[derive(Debug)]
pub(super) struct Target {
    files: Option<Files>,
    dir: PathBuf,
    temp: PathBuf,
    /// What was there when we came.
    made_dir: bool,
}

impl Target {
    /// Makes empty files; refuses a directory that has some, unless they may be replaced and nobody uses them.
    pub(super) async fn create(dir: &Path, overwrite: bool) -> Result<Self> {
        let dir = dir.to_owned();
        blocking(move || {
            let old: Vec<PathBuf> =
                FILES.iter().map(|name| dir.join(name)).filter(|path| path.exists()).collect();
            if let Some(path) = old.first().filter(|_| !overwrite) {
                return Err(Error(format!(
                    "{} exists; with --overwrite it is replaced",
                    path.display()
                )));
            }
            for path in &old {
                alone(path)?;
            }
            let io = |e: std::io::Error| Error(format!("{}: {e}", dir.display()));
            let made_dir = !dir.exists();
            let name = format!("copy_{}_{}", std::process::id(), id::random(8, id::LOWER_ALNUM));
            let temp = dir.join(TEMP).join(name);
            fs::create_dir_all(&temp).map_err(io)?;
            let mut target = Self { files: None, dir, temp, made_dir };
            target.files = Some(Files::create(&target.temp)?);
            Ok(target)
        })
        .await
    }

    pub(super) fn files(&self) -> Option<Files> {
        self.files.clone()
    }

    /// Puts the files in place.
    pub(super) async fn publish(self) -> Result<()> {
        let mut target = self;
        if let Some(files) = target.files.take() {
            files.commit().await?;
        }
        blocking(move || {
            let io = |e: std::io::Error| Error(format!("{}: {e}", target.dir.display()));
            for name in FILES {
                File::open(target.temp.join(name)).and_then(|f| f.sync_all()).map_err(io)?;
                if target.dir.join(name).exists() {
                    alone(&target.dir.join(name))?;
                }
            }
            // the records last: a directory without them would count as new
            for name in FILES.iter().rev() {
                for suffix in ["-wal", "-shm"] {
                    remove(&target.dir.join(format!("{name}{suffix}"))).map_err(io)?;
                }
                fs::rename(target.temp.join(name), target.dir.join(name)).map_err(io)?;
            }
            File::open(&target.dir).and_then(|dir| dir.sync_all()).map_err(io)
        })
        .await
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // What cannot be removed now is removed at the next start.
        let _ = fs::remove_dir_all(&self.temp);
        let _ = fs::remove_dir(self.dir.join(TEMP));
        if self.made_dir {
            // Fails when there is something in it.
            let _ = fs::remove_dir(&self.dir);
        }
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Makes sure that nobody has a file open, and that it has no WAL.
fn alone(path: &Path) -> Result<()> {
    let used = |e: rusqlite::Error| {
        Error(format!("{} is in use or broken, stop the server first: {e}", path.display()))
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(used)?;
    conn.execute_batch(sqlite::transfer::ALONE).map_err(used)
}
