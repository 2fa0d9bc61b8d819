//! One connection: statements prepared once, what runs on it, and what becomes of it when nobody waits any more.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use dialects::postgres;
use futures_util::{TryStreamExt as _, future::join3};
use tokio_postgres::{Client, Row, Statement};

use super::{Dsn, bind::Bound, connect, error::Fail};
use crate::{Done, Error, Job, OwnedRows, Rows, Sql, Step, Trace, Value};

/// Prepared statements kept per connection.
const STATEMENTS: usize = 256;

type Result<T, E = Fail> = std::result::Result<T, E>;

/// An open connection.
pub(super) struct Conn {
    client: Client,
    dsn: Arc<Dsn>,
    statements: HashMap<Box<str>, (Statement, u64)>,
    /// Counts uses of statements.
    clock: u64,
    /// Schema generation the statements were prepared under.
    pub(super) generation: u64,
    /// An answer is awaited. Still true when the connection comes back: whoever waited went away.
    pub(super) busy: bool,
    /// A transaction is open; others must not get the connection.
    pub(super) in_transaction: bool,
    born: Instant,
    pub(super) lifetime: Duration,
    trace: Option<Trace>,
    /// The server said that it ends the connection; what it did not answer it did not do.
    pub(super) ended: Arc<AtomicBool>,
}

impl std::fmt::Debug for Conn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conn").field("busy", &self.busy).finish_non_exhaustive()
    }
}

impl Drop for Conn {
    /// What still runs is stopped on the server.
    fn drop(&mut self) {
        if self.busy
            && !self.client.is_closed()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (dsn, token) = (self.dsn.clone(), self.client.cancel_token());
            runtime.spawn(async move { connect::cancel(&dsn, token).await });
        }
    }
}

/// What a statement gave.
pub(super) struct Answer {
    statement: Statement,
    rows: Vec<Row>,
}

impl Answer {
    pub(super) fn rows(&self) -> Rows<'_> {
        Rows::arrived(&self.rows, self.statement.columns())
    }
    pub(super) fn owned(&self) -> Result<OwnedRows> {
        Ok(self.rows().collect()?)
    }
}

impl Conn {
    pub(super) fn new(client: Client, dsn: Arc<Dsn>, trace: Option<Trace>) -> Self {
        Self {
            client,
            dsn,
            statements: HashMap::new(),
            clock: 0,
            generation: 0,
            busy: false,
            in_transaction: false,
            born: Instant::now(),
            lifetime: Duration::MAX,
            trace,
            ended: Arc::default(),
        }
    }

    /// True if a piece of work failed because the server ended the connection, so that nothing of it was kept.
    pub(super) fn was_turned_away(&self, fail: &Fail) -> bool {
        fail.was_turned_away() || fail.is_disconnected() && self.ended.load(Relaxed)
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }
    /// True if it is not too old for further use.
    pub(super) fn is_young(&self) -> bool {
        self.born.elapsed() < self.lifetime
    }
    /// True if it can be used by somebody else.
    pub(super) fn is_sound(&self) -> bool {
        self.is_answering() && !self.in_transaction
    }
    /// True if it can go on.
    pub(super) fn is_answering(&self) -> bool {
        !self.busy && !self.client.is_closed()
    }
    /// Drops statements that were prepared under an older schema.
    pub(super) fn refresh(&mut self, generation: u64) {
        if self.generation != generation {
            self.statements.clear();
            self.generation = generation;
        }
    }
    pub(super) fn forget_statements(&mut self) {
        self.statements.clear();
    }
    pub(super) fn traced(&self, text: &str, params: &[Value], started: Instant) {
        if let Some(trace) = &self.trace {
            trace(text, params, started.elapsed());
        }
    }

    fn known(&mut self, text: &str) -> Option<Statement> {
        self.clock += 1;
        let clock = self.clock;
        let (statement, used) = self.statements.get_mut(text)?;
        *used = clock;
        Some(statement.clone())
    }

    pub(super) async fn prepare(&mut self, text: &str) -> Result<Statement> {
        if let Some(statement) = self.known(text) {
            return Ok(statement);
        }
        self.busy = true;
        let prepared = self.client.prepare(&postgres::text(text)).await;
        self.busy = false;
        let statement = prepared?;
        if self.dsn.caches_statements() {
            if self.statements.len() >= STATEMENTS {
                let oldest = self.statements.iter().min_by_key(|(_, (_, used))| *used);
                if let Some(text) = oldest.map(|(text, _)| text.clone()) {
                    self.statements.remove(&text);
                }
            }
            self.statements.insert(text.into(), (statement.clone(), self.clock));
        }
        Ok(statement)
    }

    /// Runs statements without parameters or rows (`BEGIN`, DDL).
    pub(super) async fn batch(&mut self, text: &str) -> Result<()> {
        let started = Instant::now();
        self.busy = true;
        let done = self.client.batch_execute(&postgres::text(text)).await;
        self.busy = false;
        self.traced(text, &[], started);
        Ok(done?)
    }

    /// Runs a query to its end.
    pub(super) async fn query(&mut self, sql: &Sql) -> Result<Answer> {
        let started = Instant::now();
        let statement = self.prepare(&sql.text).await?;
        self.busy = true;
        let rows = fetch(&self.client, &statement, &sql.params).await;
        self.busy = false;
        self.traced(&sql.text, &sql.params, started);
        match rows {
            Ok(rows) => Ok(Answer { statement, rows }),
            Err(error) => Err(self.failed(&sql.text, error)),
        }
    }

    /// Runs a statement to its end; the number of rows it changed.
    pub(super) async fn execute(&mut self, text: &str, params: &[Value]) -> Result<u64> {
        let started = Instant::now();
        let statement = self.prepare(text).await?;
        self.busy = true;
        let done = self.client.execute_raw(&statement, params.iter().map(Bound)).await;
        self.busy = false;
        self.traced(text, params, started);
        done.map_err(|error| self.failed(text, error))
    }

    /// A statement that failed may have been prepared for another schema.
    fn failed(&mut self, text: &str, error: tokio_postgres::Error) -> Fail {
        let fail = Fail::from(error);
        if fail.is_outdated_plan() {
            self.statements.remove(text);
        }
        fail
    }

    /// True if a statement of that text was prepared earlier, possibly under another schema.
    pub(super) fn knows(&self, text: &str) -> bool {
        self.statements.contains_key(text)
    }

    /// Runs a query inside the open transaction, which survives its failure.
    pub(super) async fn query_in_savepoint(&mut self, sql: &Sql) -> Result<Answer> {
        let Some(statement) = self.known(&sql.text) else {
            self.batch("SAVEPOINT q").await?;
            let done = self.query(sql).await;
            self.leave("q", done.is_ok()).await?;
            return done;
        };
        // One round trip: the three are sent together.
        let started = Instant::now();
        self.busy = true;
        let (begun, rows, left) = join3(
            self.client.batch_execute("SAVEPOINT q"),
            fetch(&self.client, &statement, &sql.params),
            self.client.batch_execute("RELEASE q"),
        )
        .await;
        self.busy = false;
        self.traced(&sql.text, &sql.params, started);
        begun?;
        match rows {
            Ok(rows) => {
                left?;
                Ok(Answer { statement, rows })
            }
            Err(error) => {
                // What the driver refuses is never sent: then the savepoint is released already.
                if left.is_err() {
                    self.leave("q", false).await?;
                }
                Err(self.failed(&sql.text, error))
            }
        }
    }

    /// Ends a savepoint, undoing what happened since if it failed.
    pub(super) async fn leave(&mut self, name: &str, keep: bool) -> Result<()> {
        let text = if keep {
            format!("RELEASE {name}")
        } else {
            format!("ROLLBACK TO {name};RELEASE {name}")
        };
        self.batch(&text).await
    }

    /// Runs a job inside the open transaction, all or nothing.
    pub(super) async fn job_in_savepoint(&mut self, job: &Job) -> Result<Done> {
        self.batch("SAVEPOINT job").await?;
        let done = self.steps(job).await;
        self.leave("job", done.is_ok()).await?;
        done
    }

    /// Runs statements inside the open transaction, which survives their failure.
    pub(super) async fn batch_in_savepoint(&mut self, text: &str) -> Result<()> {
        self.batch("SAVEPOINT b").await?;
        let done = self.batch(text).await;
        self.leave("b", done.is_ok()).await?;
        done
    }

    /// Runs a job as a transaction of its own.
    pub(super) async fn job_alone(&mut self, job: &Job) -> Result<Done> {
        if let [Step::Execute(_) | Step::ExpectChanges { .. } | Step::Query(_)] = &job.steps[..] {
            return self.steps(job).await;
        }
        self.begin().await?;
        let done = self.steps(job).await;
        self.end(done).await
    }

    /// Opens a transaction.
    pub(super) async fn begin(&mut self) -> Result<()> {
        self.batch("BEGIN").await?;
        // The connection is not used again if it cannot be ended.
        self.in_transaction = true;
        Ok(())
    }

    /// Commits, or rolls back what failed.
    pub(super) async fn end<T>(&mut self, done: Result<T>) -> Result<T> {
        let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = if self.is_answering() { self.batch(end).await } else { Ok(()) };
        self.in_transaction = ended.is_err();
        match (done, ended) {
            (Ok(_), Err(fail)) => Err(fail),
            (done, _) => done,
        }
    }

    pub(super) async fn steps(&mut self, job: &Job) -> Result<Done> {
        let mut done = Done::default();
        for step in &job.steps {
            let changes = match step {
                Step::Execute(sql) => self.execute(&sql.text, &sql.params).await?,
                Step::ExecuteMany { text, rows } => {
                    let mut sum = 0;
                    for row in rows {
                        sum += self.execute(text, row).await?;
                    }
                    sum
                }
                Step::ExpectRow { sql, tag } => {
                    if self.query(sql).await?.rows.is_empty() {
                        return Err(Error::Expect(*tag).into());
                    }
                    0
                }
                Step::ExpectChanges { sql, tag } => {
                    match self.execute(&sql.text, &sql.params).await? {
                        0 => return Err(Error::Expect(*tag).into()),
                        changes => changes,
                    }
                }
                Step::Query(sql) => {
                    let answer = self.query(sql).await?;
                    done.rows.push(answer.owned()?);
                    answer.rows.len() as u64
                }
            };
            done.changes.push(changes);
        }
        Ok(done)
    }
}

async fn fetch(
    client: &Client,
    statement: &Statement,
    params: &[Value],
) -> std::result::Result<Vec<Row>, tokio_postgres::Error> {
    client.query_raw(statement, params.iter().map(Bound)).await?.try_collect().await
}
