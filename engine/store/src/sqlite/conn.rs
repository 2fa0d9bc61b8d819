//! One connection: pragmas in the reference's order, statement cache, time limits, missing functions.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use dialects::Arg;
use rusqlite::config::DbConfig;
use rusqlite::ffi;
use rusqlite::functions::FunctionFlags;
use rusqlite::{CachedStatement, Connection, OpenFlags};

use super::error::code;
use super::rows::Bind;
use super::{Durability, Error, Result, Rows, Sql, Trace, Value, visit::Visit};

/// Virtual machine steps between two looks at the clock.
const STEPS_PER_TICK: i32 = 2_000;
/// Prepared statements kept per connection.
const STATEMENTS: usize = 256;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Reader,
    Writer,
}

/// Stops a running statement: after a number of steps (a trial run) or at a deadline.
#[derive(Debug)]
pub(super) struct Guard {
    base: Instant,
    /// Ticks left of a trial; 0 = no trial.
    trial: AtomicU32,
    tripped: AtomicBool,
    /// Ticks since the guard was armed.
    ticks: AtomicU32,
    /// Microseconds since `base`; `u64::MAX` = none.
    deadline: AtomicU64,
}

impl Guard {
    fn new() -> Self {
        Self {
            base: Instant::now(),
            trial: AtomicU32::new(0),
            tripped: AtomicBool::new(false),
            ticks: AtomicU32::new(0),
            deadline: AtomicU64::new(u64::MAX),
        }
    }
    /// Arms the guard for one piece of work.
    pub(super) fn arm(&self, trial_ticks: u32, deadline: Option<Instant>) {
        self.trial.store(trial_ticks, Relaxed);
        self.tripped.store(false, Relaxed);
        self.ticks.store(0, Relaxed);
        let micros = deadline.map_or(u64::MAX, |at| {
            u64::try_from(at.saturating_duration_since(self.base).as_micros()).unwrap_or(u64::MAX)
        });
        self.deadline.store(micros, Relaxed);
    }
    /// The trial is over: the work may take its time now.
    pub(super) fn pass(&self) {
        self.trial.store(0, Relaxed);
    }
    /// Does what is not part of the work: the trial and its count stand still, only the deadline counts.
    fn aside<T>(&self, work: impl FnOnce() -> T) -> T {
        let (trial, ticks) = (self.trial.swap(0, Relaxed), self.ticks());
        let done = work();
        self.trial.store(trial, Relaxed);
        self.ticks.store(ticks, Relaxed);
        done
    }
    /// True if the last interrupt came from the trial.
    pub(super) fn tripped(&self) -> bool {
        self.tripped.load(Relaxed)
    }
    /// How much work was done since the guard was armed, in units of 2,000 steps.
    pub(super) fn ticks(&self) -> u32 {
        self.ticks.load(Relaxed)
    }
    /// The handler: true stops the statement.
    fn tick(&self) -> bool {
        self.ticks.store(self.ticks() + 1, Relaxed);
        let left = self.trial.load(Relaxed);
        if left > 0 {
            self.trial.store(left - 1, Relaxed);
            if left == 1 {
                self.tripped.store(true, Relaxed);
                return true;
            }
        }
        let deadline = self.deadline.load(Relaxed);
        deadline != u64::MAX
            && u64::try_from(self.base.elapsed().as_micros()).unwrap_or(u64::MAX) >= deadline
    }
    /// A driver error as ours.
    pub(super) fn explain(&self, error: rusqlite::Error) -> Error {
        Error::from(error)
    }
}

/// How a query on a connection ended.
pub(super) enum Ran {
    Done(Result<()>),
    /// The trial ran out before the first row; nothing was visited.
    Deferred,
}

/// An open connection with its guard.
pub(super) struct Conn {
    pub(super) raw: Connection,
    pub(super) guard: Arc<Guard>,
    trace: Option<Trace>,
    /// Frames in the WAL after the last commit through this connection.
    pub(super) wal_frames: Arc<AtomicU32>,
    /// Schema generation the statement cache was filled under.
    pub(super) generation: u64,
}

impl std::fmt::Debug for Conn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conn").field("generation", &self.generation).finish_non_exhaustive()
    }
}

impl Conn {
    /// Opens `path` with the pragmas of spec §1.2.
    pub(super) fn open(
        path: &Path,
        role: Role,
        durability: Durability,
        create: bool,
        trace: Option<Trace>,
    ) -> Result<Self> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if create && role == Role::Writer {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        let explain = |e: rusqlite::Error| open_error(path, &e);
        let mut raw = Connection::open_with_flags(path, flags).map_err(explain)?;
        raw.execute_batch(&pragmas(role, durability)).map_err(explain)?;
        raw.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(explain)?;
        // Users' SQL cannot damage the file: no writable schema, no journal that is off, no writes behind a virtual table.
        raw.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(explain)?;
        raw.set_prepared_statement_cache_capacity(STATEMENTS);
        let guard = Arc::new(Guard::new());
        let ticker = guard.clone();
        raw.progress_handler(STEPS_PER_TICK, Some(move || ticker.tick())).map_err(explain)?;
        let wal_frames = Arc::new(AtomicU32::new(0));
        if role == Role::Writer {
            let frames = wal_frames.clone();
            raw.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: i32| {
                frames.store(u32::try_from(pages).unwrap_or(0), Relaxed);
                Ok(())
            }))
            .map_err(explain)?;
            // Reads the schema, so that a foreign or damaged file is refused here and not in the first request.
            raw.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(())).map_err(explain)?;
        }
        register_functions(&raw).map_err(explain)?;
        if lacks_math(&raw) {
            register_math(&raw).map_err(explain)?;
        }
        Ok(Self { raw, guard, trace, wal_frames, generation: 0 })
    }

    /// A cached statement. The first one after a schema change reads the whole schema again, which takes more steps than
    /// a trial has where there are many tables: cut off there, the connection would never know its tables again.
    fn statement(&self, text: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.guard.aside(|| self.raw.prepare_cached(text))
    }

    /// A cached statement with its parameters bound.
    pub(super) fn prepare(
        &self,
        text: &str,
        params: &[Value],
    ) -> rusqlite::Result<CachedStatement<'_>> {
        let mut statement = self.statement(text)?;
        for (i, value) in params.iter().enumerate() {
            statement.raw_bind_parameter(i + 1, Bind(value))?;
        }
        Ok(statement)
    }

    /// Runs a statement of our own without parameters or rows (`BEGIN`, `COMMIT`, …).
    pub(super) fn control(&self, text: &str) -> rusqlite::Result<()> {
        let started = self.clock();
        let done = self.statement(text)?.raw_execute().map(drop);
        self.traced(text, &[], started);
        done
    }

    /// Runs a query and shows its rows to `visit`.
    pub(super) fn query(&self, sql: &Sql, visit: Visit<'_>) -> Ran {
        use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator as _;
        let started = self.clock();
        let mut statement = match self.prepare(&sql.text, &sql.params) {
            Ok(statement) => statement,
            Err(e) => return Ran::Done(Err(self.guard.explain(e))),
        };
        let mut rows = statement.raw_query();
        if let Err(e) = rows.advance() {
            if code(&e) == ffi::SQLITE_INTERRUPT && self.guard.tripped() {
                return Ran::Deferred;
            }
            return Ran::Done(Err(self.guard.explain(e)));
        }
        self.guard.pass();
        visit(&mut Rows::peeked(rows, &self.guard));
        self.traced(&sql.text, &sql.params, started);
        Ran::Done(Ok(()))
    }

    /// As [`query`](Self::query), but the trial lasts to the last row; `None` if it ran out.
    pub(super) fn query_within(&self, sql: &Sql, visit: Visit<'_>) -> Option<Result<()>> {
        let started = self.clock();
        let mut statement = match self.prepare(&sql.text, &sql.params) {
            Ok(statement) => statement,
            Err(e) => return Some(Err(self.guard.explain(e))),
        };
        visit(&mut Rows::fresh(statement.raw_query(), &self.guard));
        drop(statement);
        if self.guard.tripped() {
            return None;
        }
        self.traced(&sql.text, &sql.params, started);
        Some(Ok(()))
    }

    /// Runs a statement to its end; the number of rows it changed.
    pub(super) fn execute(&self, text: &str, params: &[Value]) -> rusqlite::Result<u64> {
        let mut statement = self.statement(text)?;
        self.run(&mut statement, text, params)
    }

    /// Runs a statement once per row of parameters; the number of rows changed.
    pub(super) fn execute_many(&self, text: &str, rows: &[Vec<Value>]) -> rusqlite::Result<u64> {
        let mut statement = self.statement(text)?;
        rows.iter().try_fold(0, |sum, row| Ok(sum + self.run(&mut statement, text, row)?))
    }

    fn run(
        &self,
        statement: &mut CachedStatement<'_>,
        text: &str,
        params: &[Value],
    ) -> rusqlite::Result<u64> {
        let started = self.clock();
        let before = self.raw.total_changes();
        for (i, value) in params.iter().enumerate() {
            statement.raw_bind_parameter(i + 1, Bind(value))?;
        }
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
        drop(rows);
        self.traced(text, params, started);
        Ok(if self.raw.total_changes() == before { 0 } else { self.raw.changes() })
    }

    /// Drops cached statements that were prepared under an older schema.
    pub(super) fn refresh(&mut self, generation: u64) {
        if self.generation != generation {
            self.raw.flush_prepared_statement_cache();
            self.generation = generation;
        }
    }

    /// Reports a finished statement to `--dev`.
    pub(super) fn traced(&self, text: &str, params: &[Value], started: Option<Instant>) {
        if let (Some(trace), Some(started)) = (&self.trace, started) {
            trace(text, params, started.elapsed());
        }
    }
    /// `Some(now)` if somebody listens.
    pub(super) fn clock(&self) -> Option<Instant> {
        self.trace.as_ref().map(|_| Instant::now())
    }
    /// How long to wait for a foreign writer.
    pub(super) fn patience(&self, wait: Duration) {
        // Cannot fail on an open connection; the pragma of `open` stays in force if it does.
        let _ = self.raw.busy_timeout(wait);
    }
}

/// How long a connection waits for other processes.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

fn pragmas(role: Role, durability: Durability) -> String {
    let synchronous = match durability {
        Durability::Normal => "NORMAL",
        Durability::Full => "FULL",
    };
    let query_only = if role == Role::Reader { "PRAGMA query_only=1;" } else { "" };
    format!(
        "PRAGMA busy_timeout={};PRAGMA journal_mode=WAL;PRAGMA journal_size_limit=200000000;\
         PRAGMA synchronous={synchronous};PRAGMA foreign_keys=ON;PRAGMA temp_store=MEMORY;\
         PRAGMA cache_size=-32000;{query_only}",
        PATIENCE.as_millis()
    )
}

/// One line that says which file and what to do.
fn open_error(path: &Path, error: &rusqlite::Error) -> Error {
    let text = Error::from_ref(error);
    let advice = match code(error) {
        ffi::SQLITE_NOTADB => "this is not a SQLite database; move it away or restore a backup",
        ffi::SQLITE_CORRUPT => {
            "the file is damaged; restore a backup or run `sqlite3 FILE .recover`"
        }
        ffi::SQLITE_CANTOPEN => {
            "check that the directory exists and that this user may write to it"
        }
        ffi::SQLITE_READONLY | ffi::SQLITE_PERM | ffi::SQLITE_IOERR => {
            "check that this user may write to the file and its directory"
        }
        ffi::SQLITE_BUSY => "another process holds it; stop that process first",
        _ => "check the file",
    };
    Error::Open { path: path.to_owned(), reason: format!("{text}; {advice}") }
}

impl Error {
    fn from_ref(error: &rusqlite::Error) -> String {
        match error {
            rusqlite::Error::SqliteFailure(code, message) => {
                Self::from(rusqlite::Error::SqliteFailure(*code, message.clone())).to_string()
            }
            other => other.to_string(),
        }
    }
}

/// Registers what the texts of `dialects` call.
fn register_functions(conn: &Connection) -> rusqlite::Result<()> {
    use rusqlite::types::{ToSqlOutput, Value as Stored, ValueRef as Raw};
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    for function in dialects::SQLITE_FUNCTIONS {
        conn.create_scalar_function(function.name, function.args, flags, |ctx| {
            let arg = |at: usize| match ctx.get_raw(at) {
                Raw::Null => Arg::Null,
                Raw::Integer(number) => Arg::Int(number),
                Raw::Real(number) => Arg::Real(number),
                Raw::Text(bytes) | Raw::Blob(bytes) => Arg::Text(String::from_utf8_lossy(bytes)),
            };
            let args: Vec<Arg<'_>> = (0..ctx.len()).map(arg).collect();
            Ok(ToSqlOutput::Owned(match (function.call)(&args) {
                Value::Null => Stored::Null,
                Value::Int(number) => Stored::Integer(number),
                Value::Real(number) => Stored::Real(number),
                Value::Text(text) => Stored::Text(text.to_string()),
            }))
        })?;
    }
    Ok(())
}

/// True when SQLite was built without `SQLITE_ENABLE_MATH_FUNCTIONS` (`.cargo/config.toml` not in force).
fn lacks_math(conn: &Connection) -> bool {
    static LACKS: OnceLock<bool> = OnceLock::new();
    *LACKS.get_or_init(|| conn.prepare("SELECT acos(1)").is_err())
}

/// A function of one number, by name.
type Unary = (&'static str, fn(f64) -> f64);
/// A function of two numbers, by name.
type Binary = (&'static str, fn(f64, f64) -> f64);

/// Registers the math functions view queries rely on.
fn register_math(conn: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    let unary: [Unary; 20] = [
        ("acos", f64::acos),
        ("asin", f64::asin),
        ("atan", f64::atan),
        ("cos", f64::cos),
        ("sin", f64::sin),
        ("tan", f64::tan),
        ("cosh", f64::cosh),
        ("sinh", f64::sinh),
        ("tanh", f64::tanh),
        ("radians", f64::to_radians),
        ("degrees", f64::to_degrees),
        ("sqrt", f64::sqrt),
        ("exp", f64::exp),
        ("ln", f64::ln),
        ("log", f64::log10),
        ("log10", f64::log10),
        ("log2", f64::log2),
        ("ceil", f64::ceil),
        ("floor", f64::floor),
        ("trunc", f64::trunc),
    ];
    for (name, function) in unary {
        conn.create_scalar_function(name, 1, flags, move |ctx| {
            let x: Option<f64> = number(ctx, 0)?;
            Ok(x.map(function).filter(|y| !y.is_nan()))
        })?;
    }
    let binary: [Binary; 4] =
        [("atan2", f64::atan2), ("pow", f64::powf), ("power", f64::powf), ("mod", |a, b| a % b)];
    for (name, function) in binary {
        conn.create_scalar_function(name, 2, flags, move |ctx| {
            let (x, y) = (number(ctx, 0)?, number(ctx, 1)?);
            Ok(x.zip(y).map(|(x, y)| function(x, y)).filter(|z| !z.is_nan()))
        })?;
    }
    conn.create_scalar_function("pi", 0, flags, |_| Ok(std::f64::consts::PI))
}

/// A numeric argument; text that is a number counts, everything else is NULL.
fn number(ctx: &rusqlite::functions::Context<'_>, i: usize) -> rusqlite::Result<Option<f64>> {
    use rusqlite::types::ValueRef as Raw;
    #[allow(clippy::cast_precision_loss)]
    Ok(match ctx.get_raw(i) {
        Raw::Integer(n) => Some(n as f64),
        Raw::Real(n) => Some(n),
        Raw::Text(bytes) => std::str::from_utf8(bytes).ok().and_then(|s| s.trim().parse().ok()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn math_fallbacks_agree_with_the_native_functions() {
        let native = Connection::open_in_memory().unwrap();
        let own = Connection::open_in_memory().unwrap();
        register_math(&own).unwrap();
        for expression in [
            "acos(0.5)",
            "acos(2)",
            "acos(NULL)",
            "acos('x')",
            "cos(radians(60))",
            "degrees(pi())",
            "pow(2, 10)",
            "mod(7, 3)",
            "atan2(1, 2)",
            "ln(10)",
            "log2(8)",
            "trunc(-1.5)",
        ] {
            let get = |c: &Connection| -> Option<f64> {
                c.query_row(&format!("SELECT {expression}"), [], |r| r.get(0)).unwrap()
            };
            let (a, b) = (get(&native), get(&own));
            assert!(a == b || (a.unwrap() - b.unwrap()).abs() < 1e-12, "{expression}: {a:?} {b:?}");
        }
    }
}
