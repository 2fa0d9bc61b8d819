//! The table `_jobs` and its statements, on SQLite and PostgreSQL: every change of many jobs is one statement.
//!
//! Times are texts in the form of records, as in the other system tables. On PostgreSQL they come from the database's clock,
//! so that nodes whose clocks differ agree on what is due and whose lock ran out. Payloads are text there, too.
//!
//! Must not know who does the jobs.

use std::time::Duration;

use pocketbase::{App, Column, Result, Table, db::Query, text::cut};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::job::{Job, NewJob, Stats, Status, new_id, now_millis, stamp};

// DIFFERENCE: the fork has JSONB; that refuses `\u0000`, and loses the order of keys and the digits of numbers.

/// What is written into `last_error` when a lock ran out.
const EXPIRED: &str = "lock expired: worker crashed or timed out";
/// Bytes of an error that are kept.
const MAX_ERROR: usize = 4_096;
/// Jobs of one statement, and the bytes of their payloads.
const CHUNK: usize = 1_000;
const CHUNK_BYTES: usize = 4 << 20;

/// All columns of a job.
const COLUMNS: &str = "id, topic, payload, status, run_at, locked_until, retries, max_retries, last_error, created, updated, \
     priority, unique_key, progress, started, finished, locked_by";

pub(crate) fn table() -> Table {
    Table::new("_jobs")
        .column(Column::text("id").primary())
        .column(Column::text("topic"))
        .column(Column::text("payload"))
        .column(Column::text("status"))
        .column(Column::text("run_at"))
        .column(Column::text("locked_until").nullable())
        .column(Column::integer("retries"))
        .column(Column::integer("max_retries"))
        .column(Column::text("last_error").nullable())
        .column(Column::text("created"))
        .column(Column::text("updated"))
        .column(Column::text("locked_by").nullable())
        .column(Column::text("started").nullable())
        .column(Column::text("finished").nullable())
        .column(Column::integer("priority"))
        .column(Column::text("unique_key").nullable())
        .column(Column::real("progress"))
        .index_where("idx_jobs_pending", ["run_at"], "status = 'pending'")
        .index_where("idx_jobs_claim", CLAIM_ORDER, "status = 'pending'")
        .index_where("idx_jobs_locked", ["locked_until"], "status = 'processing'")
        .index("idx_jobs_topic", ["topic"])
        .index("idx_jobs_status", ["status"])
        .index("idx_jobs_created", ["created"])
        .unique_index_where(
            "idx_jobs_unique",
            ["unique_key"],
            "unique_key IS NOT NULL AND status IN ('pending', 'processing')",
        )
}
const CLAIM_ORDER: [&str; 4] = ["topic", "priority DESC", "run_at", "id"];

/// A row as it is read.
#[derive(Deserialize)]
struct Stored {
    id: String,
    topic: String,
    payload: String,
    status: String,
    run_at: String,
    locked_until: Option<String>,
    retries: i64,
    max_retries: i64,
    last_error: Option<String>,
    created: String,
    updated: String,
    priority: i64,
    unique_key: Option<String>,
    progress: f64,
    started: Option<String>,
    finished: Option<String>,
    locked_by: Option<String>,
}

impl From<Stored> for Job {
    fn from(row: Stored) -> Self {
        // what others have written need not be JSON
        let payload = serde_json::from_str(&row.payload).unwrap_or(Value::String(row.payload));
        Self {
            id: row.id,
            topic: row.topic,
            payload,
            status: Status::of(&row.status),
            run_at: row.run_at,
            locked_until: row.locked_until.unwrap_or_default(),
            retries: row.retries,
            max_retries: row.max_retries,
            last_error: row.last_error.unwrap_or_default(),
            created: row.created,
            updated: row.updated,
            priority: row.priority,
            unique_key: row.unique_key.unwrap_or_default(),
            progress: row.progress,
            started: row.started.unwrap_or_default(),
            finished: row.finished.unwrap_or_default(),
            locked_by: row.locked_by.unwrap_or_default(),
            reporter: None,
        }
    }
}

/// Which jobs are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Only of this topic.
    pub topic: String,
    /// Only of this status.
    pub status: String,
    /// Only those that have this unique key.
    pub unique_key: String,
    /// At most so many; 20 if it is 0, at most 500.
    pub limit: i64,
    /// After skipping so many.
    pub offset: i64,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub(crate) id: String,
    pub(crate) locked_by: String,
    /// Why it failed.
    pub(crate) error: Option<String>,
    pub(crate) retries: i64,
}

/// The table of an app, in its transaction if it is in one.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    app: App,
    is_postgres: bool,
}

impl Store {
    pub(crate) fn of(app: &App) -> Result<Self> {
        Ok(Self { app: app.clone(), is_postgres: app.db().is_postgres()? })
    }
    pub(crate) fn is_postgres(&self) -> bool {
        self.is_postgres
    }

    /// The present moment as SQL, later by `{:name}` milliseconds.
    fn moment(&self, later: Option<&str>) -> String {
        match (self.is_postgres, later) {
            (true, None) => {
                "to_char(statement_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS\"Z\"')"
                    .into()
            }
            (true, Some(millis)) => format!(
                "to_char((statement_timestamp() + ({millis})::float8 * interval '1 millisecond') AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS\"Z\"')"
            ),
            (false, None) => "{:now}".into(),
            (false, Some(millis)) => {
                format!(
                    "strftime('%Y-%m-%d %H:%M:%fZ', {{:now}}, (({millis}) / 1000.0) || ' seconds')"
                )
            }
        }
    }
    /// A statement; `@NOW@` is the present moment.
    fn statement(&self, text: &str) -> Query {
        let text = text.replace("@NOW@", &self.moment(None));
        self.app.db().query(text).apart().bind("now", stamp(now_millis()))
    }
    /// The rows of a list of lists that is bound as `{:name}`, as columns `c0`, `c1` … of `rows`.
    fn rows(&self, name: &str, kinds: &[&str]) -> String {
        let column = |(at, kind): (usize, &&str)| match self.is_postgres {
            true => format!("(value->>{at})::{kind} AS c{at}"),
            false => format!("json_extract(value, '$[{at}]') AS c{at}"),
        };
        let columns: Vec<String> = kinds.iter().enumerate().map(column).collect();
        let columns = columns.join(", ");
        match self.is_postgres {
            true => format!(
                "(SELECT {columns} FROM jsonb_array_elements({{:{name}}}::jsonb) AS listed(value)) AS rows"
            ),
            false => format!("(SELECT {columns} FROM json_each({{:{name}}})) AS rows"),
        }
    }

    /// Brings times of the fork (`2026-11-23T19:02:44Z`) into the form of records.
    pub(crate) async fn adopt(&self) -> Result<()> {
        if self.is_postgres {
            return Ok(());
        }
        let form = |c: &str| format!("{c} = replace(replace({c}, 'T', ' '), 'Z', '.000Z')");
        let columns = ["run_at", "locked_until", "created", "updated"].map(form).join(", ");
        let old = "status IN ('pending', 'processing', 'completed', 'failed') AND created LIKE '____-__-__T__:__:__Z'";
        let known: Vec<i64> =
            self.statement(&format!("SELECT 1 FROM _jobs WHERE {old} LIMIT 1")).column().await?;
        if !known.is_empty() {
            self.statement(&format!("UPDATE _jobs SET {columns} WHERE {old}")).execute().await?;
        }
        Ok(())
    }

    /// Adds jobs, in portions. Of those whose key is taken the one that has it is given.
    pub(crate) async fn add(&self, jobs: Vec<(NewJob, String)>, max: i64) -> Result<Vec<Job>> {
        let mut added = Vec::with_capacity(jobs.len());
        let mut jobs = jobs.into_iter().peekable();
        while jobs.peek().is_some() {
            let (mut portion, mut bytes) = (Vec::new(), 0);
            while portion.len() < CHUNK && bytes < CHUNK_BYTES {
                let Some((job, payload)) = jobs.next() else { break };
                bytes += payload.len();
                portion.push((job, payload));
            }
            added.extend(self.add_portion(portion, max).await?);
        }
        Ok(added)
    }

    async fn add_portion(&self, jobs: Vec<(NewJob, String)>, max: i64) -> Result<Vec<Job>> {
        let mut made: Vec<(Job, String)> =
            jobs.into_iter().map(|(job, payload)| (fresh(job, max), payload)).collect();
        let rows: Vec<Value> = made
            .iter()
            .map(|(job, payload)| {
                let some = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
                json!([
                    job.id,
                    job.topic,
                    payload,
                    some(&job.run_at),
                    job.max_retries,
                    job.priority,
                    some(&job.unique_key),
                ])
            })
            .collect();
        let kinds = ["text", "text", "text", "text", "bigint", "bigint", "text"];
        let text = format!(
            "INSERT INTO _jobs (id, topic, payload, status, run_at, retries, max_retries, created, updated, priority, unique_key, progress) \
             SELECT c0, c1, c2, 'pending', coalesce(c3, @NOW@), 0, c4, @NOW@, @NOW@, c5, c6, 0 FROM {} WHERE true \
             ON CONFLICT DO NOTHING RETURNING id, run_at, created",
            self.rows("rows", &kinds)
        );
        let statement = self.statement(&text).bind("rows", Value::Array(rows).to_string());
        let stored: Vec<(String, String, String)> = statement.all().await?;
        let mut known: std::collections::HashMap<String, (String, String)> =
            stored.into_iter().map(|(id, run_at, created)| (id, (run_at, created))).collect();
        let mut out = Vec::with_capacity(made.len());
        for (mut job, payload) in made.drain(..) {
            match known.remove(&job.id) {
                Some((run_at, created)) => {
                    job.run_at = run_at;
                    job.updated = created.clone();
                    job.created = created;
                    out.push(job);
                }
                None => out.push(Box::pin(self.having_key(job, payload, max)).await?),
            }
        }
        Ok(out)
    }

    /// The job that has the key of another, or that other, if the one has ended meanwhile.
    async fn having_key(&self, job: Job, payload: String, max: i64) -> Result<Job> {
        let text = format!(
            "SELECT {COLUMNS} FROM _jobs WHERE unique_key = {{:key}} AND status IN ('pending', 'processing')"
        );
        let found: Option<Stored> =
            self.statement(&text).bind("key", job.unique_key.as_str()).optional().await?;
        if let Some(found) = found {
            return Ok(found.into());
        }
        let again = NewJob {
            topic: job.topic,
            payload: job.payload,
            run_at: pocketbase::parse_date_time(&job.run_at),
            max_retries: job.max_retries,
            priority: job.priority,
            unique_key: job.unique_key,
        };
        let mut added = self.add_portion(vec![(again, payload)], max).await?;
        added.pop().ok_or(pocketbase::Error::NotFound)
    }

    /// Takes jobs that are due: of each topic at most so many, of all at most `most`; the most important first.
    pub(crate) async fn claim(
        &self,
        topics: &[(String, usize)],
        most: usize,
        lock: Duration,
        by: &str,
    ) -> Result<Vec<Job>> {
        let (hint, skip) = match self.is_postgres {
            true => ("", " FOR UPDATE SKIP LOCKED"),
            false => (" INDEXED BY idx_jobs_claim", ""),
        };
        let each = |at: usize| {
            format!(
                "SELECT * FROM (SELECT id, priority, run_at FROM _jobs{hint} WHERE status = 'pending' AND topic = {{:t{at}}} \
                 AND run_at <= @NOW@ ORDER BY priority DESC, run_at, id LIMIT {{:n{at}}}{skip}) AS t{at}"
            )
        };
        let all: Vec<String> = (0..topics.len()).map(each).collect();
        let until = self.moment(Some("{:lock}"));
        let due = format!(
            "SELECT id FROM ({}) AS each ORDER BY priority DESC, run_at, id LIMIT {{:most}}",
            all.join(" UNION ALL ")
        );
        // an array is computed once (what is read again would lock others), and PostgreSQL expects few ids in it: joined with a
        // query whose limit it cannot see it reads the whole table
        let those =
            if self.is_postgres { format!("= ANY(ARRAY({due}))") } else { format!("IN ({due})") };
        let text = format!(
            "UPDATE _jobs SET status = 'processing', locked_until = {until}, locked_by = {{:by}}, started = @NOW@, updated = @NOW@, \
             finished = NULL, progress = 0 WHERE id {those} AND status || '' = 'pending' RETURNING {COLUMNS}"
        );
        let mut statement = self
            .statement(&text)
            .bind("lock", millis(lock))
            .bind("by", by)
            .bind("most", count(most));
        for (at, (topic, n)) in topics.iter().enumerate() {
            statement = statement
                .bind(&format!("t{at}"), topic.as_str())
                .bind(&format!("n{at}"), count(*n));
        }
        let rows: Vec<Stored> = statement.all().await?;
        let mut jobs: Vec<Job> = rows.into_iter().map(Job::from).collect();
        jobs.sort_by(|a, b| {
            let order = b.priority.cmp(&a.priority).then_with(|| a.run_at.cmp(&b.run_at));
            order.then_with(|| a.id.cmp(&b.id))
        });
        Ok(jobs)
    }

    /// Stores how attempts ended; the ids of those that still were their worker's.
    pub(crate) async fn finish(&self, ended: &[Ended]) -> Result<Vec<String>> {
        let (failed, done): (Vec<&Ended>, Vec<&Ended>) =
            ended.iter().partition(|one| one.error.is_some());
        let mut kept = Vec::new();
        if !done.is_empty() {
            let rows: Value = done.iter().map(|one| json!([one.id, one.locked_by])).collect();
            let text = format!(
                "UPDATE _jobs SET status = 'completed', locked_until = NULL, locked_by = NULL, progress = 1, finished = @NOW@, \
                 updated = @NOW@ FROM {} {MINE} RETURNING id",
                self.rows("rows", &["text", "text"])
            );
            let done: Vec<(String,)> =
                self.statement(&text).bind("rows", rows.to_string()).all().await?;
            kept.extend(done.into_iter().map(|(id,)| id));
        }
        if !failed.is_empty() {
            let row = |one: &&Ended| {
                let attempts = one.retries + 1;
                let wait = attempts.saturating_mul(attempts).saturating_mul(60_000);
                json!([
                    one.id,
                    one.locked_by,
                    kept_error(one.error.as_deref().unwrap_or_default()),
                    wait
                ])
            };
            let rows: Value = failed.iter().map(row).collect();
            let later = self.moment(Some("c3"));
            let text = format!(
                "UPDATE _jobs SET status = CASE WHEN retries + 1 >= max_retries THEN 'failed' ELSE 'pending' END, \
                 run_at = CASE WHEN retries + 1 >= max_retries THEN run_at ELSE {later} END, retries = retries + 1, \
                 last_error = c2, locked_until = NULL, locked_by = NULL, finished = @NOW@, updated = @NOW@ FROM {} {MINE} RETURNING id",
                self.rows("rows", &["text", "text", "text", "bigint"])
            );
            let failed: Vec<(String,)> =
                self.statement(&text).bind("rows", rows.to_string()).all().await?;
            kept.extend(failed.into_iter().map(|(id,)| id));
        }
        Ok(kept)
    }

    /// Locks jobs for longer and stores how far they are; the ids of those that still are their worker's.
    pub(crate) async fn extend(
        &self,
        held: &[(String, String, f64)],
        lock: Duration,
    ) -> Result<Vec<String>> {
        let rows: Value = held.iter().map(|(id, by, part)| json!([id, by, part])).collect();
        let until = self.moment(Some("{:lock}"));
        let text = format!(
            "UPDATE _jobs SET locked_until = {until}, progress = c2 FROM {} {MINE} RETURNING id",
            self.rows("rows", &["text", "text", "float8"])
        );
        let statement =
            self.statement(&text).bind("rows", rows.to_string()).bind("lock", millis(lock));
        let ids: Vec<(String,)> = statement.all().await?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }

    /// Gives jobs back; that was no attempt.
    pub(crate) async fn release(&self, held: &[(String, String)]) -> Result<()> {
        let rows: Value = held.iter().map(|(id, by)| json!([id, by])).collect();
        let text = format!(
            "UPDATE _jobs SET status = 'pending', locked_until = NULL, locked_by = NULL, started = NULL, progress = 0, updated = @NOW@ \
             FROM {} {MINE} RETURNING id",
            self.rows("rows", &["text", "text"])
        );
        let _: Vec<(String,)> = self.statement(&text).bind("rows", rows.to_string()).all().await?;
        Ok(())
    }

    /// Takes jobs from workers whose locks ran out: that was an attempt, and they may be done again at once. Gives how many
    /// there were, and when the next job is due that is not yet.
    pub(crate) async fn reap(&self) -> Result<(usize, Option<i64>)> {
        let look = "SELECT (SELECT count(*) FROM _jobs WHERE status = 'processing' AND locked_until < @NOW@), \
             (SELECT min(run_at) FROM _jobs WHERE status = 'pending' AND run_at > @NOW@), @NOW@";
        let (expired, next, now): (i64, Option<String>, String) =
            self.statement(look).one().await?;
        let wait = |next: String| {
            let next = pocketbase::parse_date_time(&next)?.millis();
            Some(next.saturating_sub(pocketbase::parse_date_time(&now)?.millis()))
        };
        let next = next.and_then(wait);
        if expired == 0 {
            return Ok((0, next));
        }
        let text = "UPDATE _jobs SET status = CASE WHEN retries + 1 >= max_retries THEN 'failed' ELSE 'pending' END, \
             retries = retries + 1, last_error = {:error}, locked_until = NULL, locked_by = NULL, finished = @NOW@, updated = @NOW@ \
             WHERE status = 'processing' AND locked_until < @NOW@ RETURNING id";
        let reaped: Vec<(String,)> = self.statement(text).bind("error", EXPIRED).all().await?;
        Ok((reaped.len(), next))
    }

    /// One job.
    pub(crate) async fn get(&self, id: &str) -> Result<Option<Job>> {
        let text = format!("SELECT {COLUMNS} FROM _jobs WHERE id = {{:id}}");
        let found: Option<Stored> = self.statement(&text).bind("id", id).optional().await?;
        Ok(found.map(Job::from))
    }

    /// Jobs, the newest first, and how many there are.
    pub(crate) async fn list(&self, filter: &Filter) -> Result<(Vec<Job>, i64)> {
        let mut wanted = vec!["1 = 1"];
        for (given, condition) in [
            (&filter.topic, "topic = {:topic}"),
            (&filter.status, "status = {:status}"),
            (&filter.unique_key, "unique_key = {:key}"),
        ] {
            if !given.is_empty() {
                wanted.push(condition);
            }
        }
        let wanted = wanted.join(" AND ");
        let bound = |statement: Query| {
            statement
                .bind("topic", filter.topic.as_str())
                .bind("status", filter.status.as_str())
                .bind("key", filter.unique_key.as_str())
        };
        let count = format!("SELECT count(*) FROM _jobs WHERE {wanted}");
        let total: i64 = bound(self.statement(&count)).scalar().await?;
        let page = format!(
            "SELECT {COLUMNS} FROM _jobs WHERE {wanted} ORDER BY created DESC, id DESC LIMIT {{:limit}} OFFSET {{:offset}}"
        );
        let statement =
            bound(self.statement(&page)).bind("limit", filter.limit).bind("offset", filter.offset);
        let rows: Vec<Stored> = statement.all().await?;
        Ok((rows.into_iter().map(Job::from).collect(), total))
    }

    /// How many there are.
    pub(crate) async fn stats(&self) -> Result<Stats> {
        let text = "SELECT status, count(*) FROM _jobs GROUP BY status";
        let rows: Vec<(String, i64)> = self.statement(text).all().await?;
        let mut stats = Stats::default();
        for (status, n) in rows {
            match Status::of(&status) {
                Status::Pending => stats.pending += n,
                Status::Processing => stats.processing += n,
                Status::Completed => stats.completed += n,
                Status::Failed => stats.failed += n,
            }
        }
        Ok(stats)
    }

    /// How many there are by topic and status.
    pub(crate) async fn topics(&self) -> Result<Vec<(String, String, i64)>> {
        let text = "SELECT topic, status, count(*) FROM _jobs GROUP BY topic, status ORDER BY topic, status LIMIT 4000";
        self.statement(text).all().await
    }

    /// Removes a job that waits or has failed; false if there is none.
    pub(crate) async fn delete(&self, id: &str) -> Result<bool> {
        let text =
            "DELETE FROM _jobs WHERE id = {:id} AND status IN ('pending', 'failed') RETURNING id";
        let gone: Vec<(String,)> = self.statement(text).bind("id", id).all().await?;
        Ok(!gone.is_empty())
    }

    /// Lets a failed job begin anew, unless another one has its key.
    pub(crate) async fn requeue(&self, id: &str) -> Result<Option<Job>> {
        let text = format!(
            "UPDATE _jobs SET status = 'pending', retries = 0, run_at = @NOW@, locked_until = NULL, locked_by = NULL, last_error = NULL, \
             progress = 0, started = NULL, finished = NULL, updated = @NOW@ WHERE id = {{:id}} AND status = 'failed' \
             AND NOT EXISTS (SELECT 1 FROM _jobs AS other WHERE other.unique_key = _jobs.unique_key \
             AND other.status IN ('pending', 'processing')) RETURNING {COLUMNS}"
        );
        let found: Vec<Stored> = self.statement(&text).bind("id", id).all().await?;
        Ok(found.into_iter().next().map(Job::from))
    }

    /// Removes jobs of a status that ended before some time ago, a portion at a time; how many.
    pub(crate) async fn purge(&self, status: Status, age: Duration) -> Result<usize> {
        let before = self.moment(Some("{:age}"));
        let text = format!(
            "DELETE FROM _jobs WHERE id IN (SELECT id FROM _jobs WHERE status = {{:status}} AND updated < {before} LIMIT {CHUNK}) \
             AND status = {{:status}} RETURNING id"
        );
        let mut n = 0;
        loop {
            let statement =
                self.statement(&text).bind("status", status.name()).bind("age", -millis(age));
            let gone: Vec<(String,)> = statement.all().await?;
            n += gone.len();
            if gone.len() < CHUNK {
                return Ok(n);
            }
        }
    }
}

/// Whose they are. The status is no column here but an expression, lest SQLite looks for rows by it instead of by their ids.
const MINE: &str =
    "WHERE _jobs.id = rows.c0 AND _jobs.locked_by = rows.c1 AND _jobs.status || '' = 'processing'";

fn fresh(job: NewJob, max: i64) -> Job {
    Job {
        id: new_id(),
        topic: job.topic,
        payload: job.payload,
        status: Status::Pending,
        run_at: job.run_at.map(|time| time.to_string()).unwrap_or_default(),
        locked_until: String::new(),
        retries: 0,
        max_retries: if job.max_retries > 0 { job.max_retries } else { max },
        last_error: String::new(),
        created: String::new(),
        updated: String::new(),
        priority: job.priority,
        unique_key: job.unique_key,
        progress: 0.0,
        started: String::new(),
        finished: String::new(),
        locked_by: String::new(),
        reporter: None,
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// An error as it is kept. PostgreSQL refuses NUL.
fn kept_error(error: &str) -> String {
    cut(error, MAX_ERROR).replace('\0', "\u{fffd}")
}
