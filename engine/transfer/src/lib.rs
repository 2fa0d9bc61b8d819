//! Whole databases from one place to another: a data directory or PostgreSQL, in either direction.
//!
//! All or nothing: PostgreSQL is filled in one transaction, a directory gets new files that are put in place at the end.
//! Every table is read again and compared before that. Source: spec extensions §1.4, §1.17.
//!
//! | module | holds |
//! |---|---|
//! | `plan` | which tables, columns, indexes, views there are |
//! | `cell`, `canon`, `digest` | values in the one form that both engines have, and their checksums |
//! | `sqlite`, `postgres` | the two kinds of places |
//! | `row_security` | policies that a PostgreSQL target has and keeps |
//! | `storage` | files of records |

#![cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "what only PostgreSQL asks for"))]

mod canon;
mod cell;
mod digest;
mod plan;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(not(feature = "postgres"))]
#[path = "no_postgres.rs"]
mod postgres;
mod row_security;
mod sqlite;
mod storage;

use std::{
    fmt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use dialects::{Dialect, ddl, names, transfer};
use tokio::sync::mpsc;

use self::{
    canon::Fault,
    cell::{Cell, CellRow},
    digest::Digest,
    plan::{Plan, Statement, Table},
    postgres::Session,
    row_security::Policies,
    sqlite::Files,
};
use model::schema::{Collection, Snapshot, index, snapshot::decode_cells, texts_of};
use primitives::future::BoxFutureRef;
use store::{ValueRef, postgres::Dsn};

/// Directory of a data directory for what may be removed at every start.
pub const TEMP: &str = ".pb_temp_to_delete";
/// Batches on their way at any time.
const IN_FLIGHT: usize = 4;

/// Where data is.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// A data directory.
    Dir(PathBuf),
    /// A PostgreSQL database.
    Postgres(Box<Dsn>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dir(dir) => write!(f, "{}", dir.display()),
            Self::Postgres(dsn) => write!(f, "{dsn}"),
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone)]
pub struct CopyOptions {
    /// Where to read. It may be in use: what is there at the start is copied.
    pub from: Place,
    /// Where to write. Nobody may use it.
    pub to: Place,
    /// Replace what is there.
    pub overwrite: bool,
    /// The directory is part of a backup: files of records are no matter of ours, and indexes that SQLite cannot have
    /// are missing in it until the collections come back to PostgreSQL.
    pub archive: bool,
    /// Is left on a PostgreSQL target in the same transaction; see [`is_marked`].
    pub mark: Option<String>,
}

impl CopyOptions {
    /// All of one place to another.
    #[must_use]
    pub fn new(from: Place, to: Place, overwrite: bool) -> Self {
        Self { from, to, overwrite, archive: false, mark: None }
    }
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A table has been copied.
    Table {
        /// Its name.
        name: String,
        /// How many rows.
        rows: u64,
        /// How long that took.
        time: Duration,
    },
    /// Files of records have been copied.
    Files {
        /// How many.
        count: u64,
        /// Of that many bytes together.
        bytes: u64,
    },
    /// All tables have been read again and are equal.
    Verified {
        /// How many.
        tables: usize,
    },
    /// Something that stays behind or differs.
    Warning(String),
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// Tables.
    pub tables: usize,
    /// Rows of all tables.
    pub rows: u64,
}

/// Why nothing was done: one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub(crate) String);

type Result<T, E = Error> = std::result::Result<T, E>;

/// Rows on their way, or the reason why there are no more.
type Batch = Result<Vec<CellRow>>;

/// What a table is called in a database, and its columns with their types.
#[derive(Debug, Clone, Default)]
struct Layout {
    name: String,
    columns: Vec<(String, String)>,
    /// Whose names these are; `None` where there is no such table.
    dialect: Option<Dialect>,
}

impl Layout {
    /// The database's own names of a table's columns; `None` for what it does not have.
    fn pick(&self, table: &Table) -> Vec<Option<&str>> {
        let dialect = self.dialect.unwrap_or(Dialect::SQLITE);
        let find = |name: &str| {
            self.columns.iter().find(|(found, _)| names::is_stored_as(dialect, found, name))
        };
        table.columns.iter().map(|c| find(&c.name).map(|(name, _)| name.as_str())).collect()
    }
}

impl Table {
    /// A row that cannot be moved because of one of its cells (`row` may end before that).
    fn refused(&self, row: &CellRow, at: usize, fault: Fault) -> Error {
        let column = at.checked_sub(usize::from(self.numbered)).and_then(|at| self.columns.get(at));
        let column = column.map_or("", |c| c.name.as_str());
        self.failed(row, &format!("column {column:?} has {}", fault.0))
    }

    fn failed(&self, row: &CellRow, what: &str) -> Error {
        let id = match self.id_at().and_then(|at| row.get(at)) {
            Some(Cell::Text(id)) => format!(", id {id:?}"),
            _ => match row.first() {
                Some(Cell::Int(n)) if self.numbered => format!(", row {n}"),
                _ => String::new(),
            },
        };
        Error(format!("table {:?}{id}: {what}", self.name))
    }
}

/// An open end of a move.
#[derive(Debug, Clone)]
enum Handle {
    Sqlite(Files),
    Postgres(Session),
}

impl Handle {
    fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::SQLITE,
            Self::Postgres(_) => Dialect::POSTGRES,
        }
    }
    async fn read(place: &Place) -> Result<Self> {
        Ok(match place {
            Place::Dir(dir) => Self::Sqlite(Files::read(dir).await?),
            Place::Postgres(dsn) => Self::Postgres(Session::read(dsn).await?),
        })
    }
    async fn tables(&self) -> Result<Vec<(String, bool)>> {
        match self {
            Self::Sqlite(files) => files.tables().await,
            Self::Postgres(session) => session.tables().await,
        }
    }
    async fn layout(&self, name: &str, auxiliary: bool) -> Result<Layout> {
        match self {
            Self::Sqlite(files) => files.layout(name, auxiliary).await,
            Self::Postgres(session) => session.layout(name).await,
        }
    }
    async fn execute(&self, statement: &Statement) -> Result<()> {
        match self {
            Self::Sqlite(files) => files.execute(statement).await,
            Self::Postgres(session) => session.execute(&statement.text).await,
        }
    }
    /// The rows of a table as a stream; none if there is no such table.
    async fn rows(&self, table: &Arc<Table>) -> Result<mpsc::Receiver<Batch>> {
        let (to, rows) = mpsc::channel(IN_FLIGHT);
        let layout = self.layout(&table.name, table.auxiliary).await?;
        if !layout.columns.is_empty() {
            match self {
                Self::Sqlite(files) => files.send(table.clone(), &layout, to),
                Self::Postgres(session) => session.send(table.clone(), &layout, to),
            }
        }
        Ok(rows)
    }
    async fn fill(&self, table: &Arc<Table>, rows: mpsc::Receiver<Batch>) -> Result<Digest> {
        match self {
            Self::Sqlite(files) => files.fill(table.clone(), rows).await,
            Self::Postgres(session) => session.fill(table.clone(), rows).await,
        }
    }
    /// What is in a table.
    async fn digest(&self, table: &Arc<Table>) -> Result<Digest> {
        let mut rows = self.rows(table).await?;
        let (mut digest, mut buffer) = (Digest::default(), Vec::new());
        while let Some(batch) = rows.recv().await {
            for row in batch? {
                digest.add(&row, &mut buffer);
            }
        }
        Ok(digest)
    }
    async fn collections(&self) -> Result<Vec<Collection>> {
        let table = Arc::new(plan::collections_table());
        let layout = self.layout(&table.name, false).await?;
        let has = |name: &str| layout.columns.iter().any(|(n, _)| n == name);
        if layout.columns.is_empty() {
            return Err(Error("there is no PocketBase data (no table _collections)".to_owned()));
        }
        if !has("fields") {
            return Err(Error(
                "the data was written by PocketBase 0.22 or older; start PocketBase 0.23 or newer on it once to convert it".to_owned(),
            ));
        }
        let mut rows = self.rows(&table).await?;
        let mut out = Vec::new();
        while let Some(batch) = rows.recv().await {
            for row in batch? {
                out.push(
                    decode_cells(&|at| value(&row[at + 1])).map_err(|e| Error(e.to_string()))?,
                );
            }
        }
        Ok(out)
    }
    /// Runs statements that may fail without harm to what was done before.
    async fn attempt(&self, statements: &[String]) -> Result<Result<()>> {
        let run = |text: &str| Statement { text: text.to_owned(), auxiliary: false };
        self.execute(&run(transfer::SAVEPOINT)).await?;
        for text in statements {
            if let Err(error) = self.execute(&run(text)).await {
                self.execute(&run(transfer::ROLLBACK_TO)).await?;
                self.execute(&run(transfer::RELEASE)).await?;
                return Ok(Err(error));
            }
        }
        self.execute(&run(transfer::RELEASE)).await?;
        Ok(Ok(()))
    }
}

/// A cell as the schema's decoder wants it.
fn value(cell: &Cell) -> ValueRef<'_> {
    match cell {
        Cell::Null => ValueRef::Null,
        Cell::Int(n) => ValueRef::Int(*n),
        Cell::Real(x) => ValueRef::Real(*x),
        Cell::Bool(on) => ValueRef::Int(i64::from(*on)),
        Cell::Text(text) | Cell::Json(text) | Cell::Sealed(text) => ValueRef::Text(text),
    }
}

/// The end that is filled.
enum Target {
    Sqlite(sqlite::Target),
    Postgres { session: Session, policies: Policies },
}

impl Target {
    async fn create(place: &Place, plan: &Plan, overwrite: bool) -> Result<Self> {
        Ok(match place {
            Place::Dir(dir) => Self::Sqlite(sqlite::Target::create(dir, overwrite).await?),
            Place::Postgres(dsn) => {
                let (session, policies) = Session::fill_new(dsn, plan, overwrite).await?;
                Self::Postgres { session, policies }
            }
        })
    }
    fn handle(&self) -> Option<Handle> {
        match self {
            Self::Sqlite(target) => target.files().map(Handle::Sqlite),
            Self::Postgres { session, .. } => Some(Handle::Postgres(session.clone())),
        }
    }
    async fn publish(self, plan: &Plan, mark: Option<&str>) -> Result<()> {
        match self {
            Self::Sqlite(target) => target.publish().await,
            Self::Postgres { session, policies } => {
                policies.restore(&session, plan).await?;
                if let Some(mark) = mark {
                    session.execute(&dialects::postgres::transfer::mark(mark)).await?;
                }
                session.commit().await
            }
        }
    }
}

/// Copies everything, compares it, and only then makes it visible.
///
/// # Errors
/// One line; the target is as it was.
pub fn copy<'a>(
    options: &'a CopyOptions,
    tell: &'a mut (dyn FnMut(Event) + Send),
) -> BoxFutureRef<'a, Result<Report>> {
    Box::pin(async move {
        if options.from == options.to {
            return Err(Error("source and target are the same".to_owned()));
        }
        let source = Handle::read(&options.from).await?;
        let plan = Plan::new(source.collections().await?);
        if !options.archive {
            storage::check(options)?;
        }
        let target = Target::create(&options.to, &plan, options.overwrite).await?;
        let handle = target.handle().ok_or_else(|| Error("the target is closed".to_owned()))?;
        let (first, last) = plan.tables_sql(handle.dialect());
        for statement in &first {
            handle.execute(statement).await?;
        }
        let tables: Vec<Arc<Table>> = plan.tables.iter().cloned().map(Arc::new).collect();
        let mut digests = Vec::with_capacity(tables.len());
        for table in &tables {
            let started = Instant::now();
            let digest = handle.fill(table, source.rows(table).await?).await?;
            digests.push(digest);
            tell(Event::Table {
                name: table.name.clone(),
                rows: digest.rows,
                time: started.elapsed(),
            });
        }
        for statement in &last {
            handle.execute(statement).await?;
        }
        for statement in &plan.full_text(handle.dialect()) {
            handle.execute(statement).await?;
        }
        let may_lack = options.archive && matches!(options.to, Place::Dir(_));
        create_indexes(&handle, &plan, may_lack, tell).await?;
        create_views(&handle, &plan, tell).await?;
        left_behind(&source, &plan, tell).await?;
        for (table, digest) in tables.iter().zip(&digests) {
            if handle.digest(table).await? != *digest {
                return Err(Error(format!(
                    "table {:?}: the copy is not equal to the original",
                    table.name
                )));
            }
        }
        tell(Event::Verified { tables: tables.len() });
        if !options.archive {
            storage::copy(options, tell)?;
        }
        drop(handle);
        target.publish(&plan, options.mark.as_deref()).await?;
        Ok(Report { tables: tables.len(), rows: digests.iter().map(|d| d.rows).sum() })
    })
}

/// True if the last copy into a database was made with this mark: asked by those who did not hear how it ended.
///
/// # Errors
/// One line; the database cannot be reached or read.
pub async fn is_marked(dsn: &Dsn, mark: &str) -> Result<bool> {
    Ok(Session::look(dsn).await?.mark().await?.is_some_and(|found| found == mark))
}

async fn create_indexes(
    handle: &Handle,
    plan: &Plan,
    may_lack_unique: bool,
    tell: &mut (dyn FnMut(Event) + Send),
) -> Result<()> {
    for (index, collection) in plan.indexes() {
        if !index.is_valid() {
            continue;
        }
        let text = index::statement(handle.dialect(), &index, collection);
        if let Err(error) = handle.attempt(&[text]).await? {
            let said = format!(
                "the index {:?} of {:?} cannot be created: {error}",
                index.name, index.table
            );
            if index.unique && !may_lack_unique {
                return Err(Error(said));
            }
            tell(Event::Warning(said));
        }
    }
    Ok(())
}

/// Creates views in an order in which they can be: after what they read.
async fn create_views(
    handle: &Handle,
    plan: &Plan,
    tell: &mut (dyn FnMut(Event) + Send),
) -> Result<()> {
    let mut left = plan.views();
    let snapshot = Snapshot::build(plan.collections.clone());
    while !left.is_empty() {
        let (mut failed, n_before) = (Vec::new(), left.len());
        for view in left {
            if let Err(error) = create_view(handle, &snapshot, view).await? {
                failed.push((view, error));
            }
        }
        if failed.len() == n_before {
            for (Collection { name, .. }, error) in failed {
                tell(Event::Warning(format!(
                    "the view {name:?} cannot be created, its collection has no records until its query is changed: {error}"
                )));
            }
            return Ok(());
        }
        left = failed.into_iter().map(|(view, _)| view).collect();
    }
    Ok(())
}

async fn create_view(
    handle: &Handle,
    snapshot: &Snapshot,
    view: &Collection,
) -> Result<Result<()>> {
    let mut reason = None;
    for query in texts_of(handle.dialect(), snapshot, view) {
        match create_view_as(handle, &view.name, &query).await? {
            Ok(()) => return Ok(Ok(())),
            Err(error) => {
                reason.get_or_insert(error);
            }
        }
    }
    Ok(Err(reason.unwrap_or_else(|| Error("it has no query".into()))))
}

async fn create_view_as(handle: &Handle, name: &str, query: &str) -> Result<Result<()>> {
    let d = handle.dialect();
    let made = handle.attempt(&[ddl::create_view(d, name, query)]).await?;
    if made.is_err() {
        return Ok(made);
    }
    let columns = handle.layout(name, false).await?.columns;
    let is_text = |(name, ty): &(String, String)| {
        name.eq_ignore_ascii_case("id") && ty.eq_ignore_ascii_case("text")
    };
    if columns.iter().any(is_text) {
        return Ok(Ok(()));
    }
    let names: Vec<String> = columns.into_iter().map(|(name, _)| name).collect();
    let wrapped = ddl::create_view(d, name, &ddl::text_id(d, &names, query));
    handle.attempt(&[ddl::drop_view(d, name), wrapped]).await
}

/// Names what is in the source and belongs to no collection.
async fn left_behind(
    source: &Handle,
    plan: &Plan,
    tell: &mut (dyn FnMut(Event) + Send),
) -> Result<()> {
    let dialect = source.dialect();
    let known = plan.names(dialect);
    let searched: Vec<String> = plan
        .collections
        .iter()
        .filter(|c| c.full_text().next().is_some())
        .map(|c| ddl::full_text_name(&c.id))
        .collect();
    for (name, is_view) in source.tables().await? {
        let is_index = searched.iter().any(|index| name.starts_with(index));
        if !is_index && !known.contains(&name.to_ascii_lowercase()) {
            let what = if is_view { "view" } else { "table" };
            tell(Event::Warning(format!(
                "the {what} {name:?} belongs to no collection and is not copied"
            )));
        }
    }
    for table in plan.tables.iter().filter(|t| !t.auxiliary) {
        let columns = source.layout(&table.name, false).await?.columns;
        let has = |found: &str| {
            table.columns.iter().any(|c| names::is_stored_as(dialect, found, &c.name))
        };
        for (name, _) in columns.iter().filter(|(name, _)| !has(name)) {
            tell(Event::Warning(format!(
                "the column {name:?} of {:?} belongs to no field and is not copied",
                table.name
            )));
        }
    }
    Ok(())
}
