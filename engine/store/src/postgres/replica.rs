//! Read replicas: which of them know every write that this node knows of, and reads on those.
//!
//! A number counts the writes this node knows of: its own, counted after the commit and before the client hears of it, and
//! those of others, counted when their news arrive. One task asks the primary how long its log was at a count
//! ([`Position`]); one task per replica asks that how much of the log it has applied, and so for the count it has reached.
//! A replica answers only while that is the count of now. So a read costs no round trip more, and a write none at all.
//!
//! Nothing here fails a request: what a replica cannot answer the primary is asked. Must not know what is read.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{sleep, timeout},
};
use tokio_postgres::{Client, SimpleQueryMessage, types::PgLsn};

use super::{
    Dsn,
    conn::Answer,
    connect::{self, check_server},
    error::{self, Fail},
    pool::{Pool, Settings},
};
use crate::{Claims, Error, Result, Sql};

/// Pause between two questions while a write is unseen.
const SOON: Duration = Duration::from_millis(25);
/// The same while none is; this is also how soon a replica that stopped is noticed, if no read notices it.
const SELDOM: Duration = Duration::from_secs(1);
/// A replica that is so far behind what the primary had is left out, whoever wrote it.
const MAX_LAG: Duration = Duration::from_secs(10);
/// Longest time of an answer to a question of this module.
const ANSWER: Duration = Duration::from_secs(2);
/// First pause before a server that failed is tried again; doubled up to [`MAX_PAUSE`], without end.
const PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(15);
/// A connection that lasted so long was a good one: the pause begins anew.
const LASTING: Duration = Duration::from_secs(30);
/// Positions that are remembered: more than are asked for within [`MAX_LAG`].
const POSITIONS: usize = 1_024;

/// What must be the same on a replica. The role too: policies depend on it.
const IDENTITY: &str = "SELECT concat_ws(' ', (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()), \
     current_user, current_schema())";
/// Which cluster of databases it is; some servers do not tell everybody.
const SYSTEM: &str = "SELECT system_identifier FROM pg_catalog.pg_control_system()";
const WRITTEN: &str = "SELECT pg_catalog.pg_current_wal_insert_lsn()";
const REPLAYED: &str =
    "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() END";

/// How long the primary's log was.
#[derive(Debug, Clone, Copy)]
struct Position {
    /// The writes known before the primary was asked, all of which the log holds.
    count: u64,
    lsn: u64,
    asked: Instant,
}

/// What the tasks tell each other.
#[derive(Debug)]
struct Shared {
    /// The writes this node knows of.
    count: watch::Sender<u64>,
    /// From the oldest to the newest.
    positions: Mutex<VecDeque<Position>>,
    /// See [`IDENTITY`], [`SYSTEM`]; `None` until the primary has been asked.
    identity: Mutex<Option<Identity>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    session: String,
    system: Option<String>,
}

#[derive(Debug)]
struct Replica {
    pool: Pool,
    /// The count it has reached, and when the primary was that far; `None` while it is left out.
    reached: Mutex<Option<(u64, Instant)>>,
    /// Grows when it is left out because it failed: whoever waits for it waits no more.
    failures: watch::Sender<u64>,
}

/// The replicas of a database, with the tasks that look after them.
#[derive(Debug)]
pub(super) struct Replicas {
    shared: Arc<Shared>,
    list: Vec<Arc<Replica>>,
    next: AtomicUsize,
    tasks: Vec<AbortHandle>,
}

impl Drop for Replicas {
    fn drop(&mut self) {
        self.close();
    }
}

impl Replicas {
    /// Begins to look after replicas. Does not wait for any: one that cannot be reached is none.
    pub(super) fn start(primary: Arc<Dsn>, replicas: impl Iterator<Item = Settings>) -> Self {
        let shared = Arc::new(Shared {
            count: watch::Sender::new(0),
            positions: Mutex::default(),
            identity: Mutex::default(),
        });
        let list: Vec<Arc<Replica>> = replicas
            .map(|settings| {
                Arc::new(Replica {
                    pool: Pool::new(settings),
                    reached: Mutex::default(),
                    failures: watch::Sender::new(0),
                })
            })
            .collect();
        let mut tasks = vec![tokio::spawn(follow_primary(shared.clone(), primary)).abort_handle()];
        for replica in &list {
            let task = tokio::spawn(look_after(shared.clone(), replica.clone()));
            tasks.push(task.abort_handle());
        }
        Self { shared, list, next: AtomicUsize::new(0), tasks }
    }

    /// Something was, or may have been, written: no replica answers before it has applied it.
    pub(super) fn wrote(&self) {
        self.shared.count.send_modify(|count| *count += 1);
    }

    /// As [`Pool::bump`].
    pub(super) fn bump(&self) {
        for replica in &self.list {
            replica.pool.bump();
        }
    }

    pub(super) fn close(&self) {
        for task in &self.tasks {
            task.abort();
        }
        for replica in &self.list {
            replica.pool.close();
        }
    }

    /// Reads on a replica that knows everything; `None` when the primary has to be asked.
    ///
    /// # Errors
    /// [`Error::Timeout`] only: there is no time left for the primary then.
    pub(super) async fn fetch(&self, claims: Option<&Claims>, sql: &Sql) -> Option<Result<Answer>> {
        let replica = self.pick()?;
        let mut failures = replica.failures.subscribe();
        tokio::select! {
            done = replica.fetch(claims, sql) => match done {
                Ok(answer) => Some(Ok(answer)),
                Err(Error::Timeout) => Some(Err(Error::Timeout)),
                // Whatever it was (lost, stopped by a conflict with the replay, something that only the primary can do): the
                // primary's answer counts.
                Err(error) => {
                    tracing::debug!(%error, replica = replica.pool.dsn().hosts(), "asking the primary instead");
                    None
                }
            },
            // Closed only with the replica itself.
            _ = failures.changed() => None,
        }
    }

    /// One of those that may answer, in turn.
    fn pick(&self) -> Option<&Replica> {
        let count = *self.shared.count.borrow();
        let first = self.next.fetch_add(1, Relaxed);
        (0..self.list.len())
            .map(|n| &*self.list[first.wrapping_add(n) % self.list.len()])
            .find(|replica| replica.knows(count))
    }
}

impl Replica {
    /// True if it has all of so many writes, and is not far behind in others.
    fn knows(&self, count: u64) -> bool {
        self.reached
            .lock()
            .is_some_and(|(reached, asked)| reached >= count && asked.elapsed() < MAX_LAG)
    }

    async fn fetch(&self, claims: Option<&Claims>, sql: &Sql) -> Result<Answer> {
        let mut lent = match self.pool.get().await {
            Ok(lent) => lent,
            Err(error) => {
                // All its connections being in use is no failure.
                if !matches!(error, Error::Busy) {
                    self.leave_out();
                }
                return Err(error);
            }
        };
        let done = lent.conn()?.query_for(claims, sql).await;
        if done.as_ref().is_err_and(Fail::is_disconnected) {
            self.leave_out();
        }
        done.map_err(Fail::into_error)
    }

    fn leave_out(&self) {
        *self.reached.lock() = None;
        self.failures.send_modify(|n| *n += 1);
    }
}

impl Shared {
    /// What a server that has applied so much of the log knows.
    fn reached(&self, replayed: u64) -> Option<(u64, Instant)> {
        let positions = self.positions.lock();
        let position = positions.iter().rev().find(|position| position.lsn <= replayed)?;
        Some((position.count, position.asked))
    }

    fn remember(&self, position: Position) {
        let mut positions = self.positions.lock();
        if positions.len() >= POSITIONS {
            positions.pop_front();
        }
        positions.push_back(position);
    }
}

/// Begins `session` again whenever it has ended, later and later if it ended soon.
async fn again_and_again<F: Future<Output = ()>>(session: impl Fn() -> F) {
    let mut pause = PAUSE;
    loop {
        let started = Instant::now();
        session().await;
        if started.elapsed() > LASTING {
            pause = PAUSE;
        }
        sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// Remembers how long the primary's log is, soon after each write and now and then.
async fn follow_primary(shared: Arc<Shared>, dsn: Arc<Dsn>) {
    again_and_again(|| async {
        let Err(why) = ask_primary(&shared, &dsn).await;
        tracing::debug!(why, "replicas: the primary does not tell its position");
    })
    .await;
}

/// As long as one connection lasts; why it ended.
async fn ask_primary(shared: &Shared, dsn: &Dsn) -> Result<Infallible, String> {
    let client = open(dsn).await?;
    let identity = identity(&client).await?;
    // A server that took over counts anew from some place; what was learnt from the other does not hold for it.
    shared.positions.lock().clear();
    *shared.identity.lock() = Some(identity);
    let mut counts = shared.count.subscribe();
    loop {
        let (count, asked) = (*counts.borrow_and_update(), Instant::now());
        let lsn = ask_lsn(&client, WRITTEN).await?.ok_or("it has no position")?;
        shared.remember(Position { count, lsn: reachable(lsn), asked });
        sleep(SOON).await;
        // The sender lives as long as `shared`.
        let _ = timeout(SELDOM, counts.changed()).await;
    }
}

/// Keeps in view how far a replica is, as long as it is there; tries again when it is not.
async fn look_after(shared: Arc<Shared>, replica: Arc<Replica>) {
    again_and_again(|| async {
        let mut failures = replica.failures.subscribe();
        let why = tokio::select! {
            Err(why) = watch_replica(&shared, &replica) => why,
            _ = failures.changed() => "a read failed on it".to_owned(),
        };
        replica.leave_out();
        tracing::warn!(replica = replica.pool.dsn().hosts(), why, "a read replica is left out");
    })
    .await;
}

/// As long as one connection lasts; why it ended.
async fn watch_replica(shared: &Shared, replica: &Replica) -> Result<Infallible, String> {
    let client = open(replica.pool.dsn()).await?;
    let own = identity(&client).await?;
    let mut counts = shared.count.subscribe();
    let mut is_used = false;
    loop {
        let count = *counts.borrow_and_update();
        let Some(primary) = shared.identity.lock().clone() else {
            sleep(SOON).await;
            continue;
        };
        if !own.is_copy_of(&primary) {
            return Err("it has another database, role or schema than --pg".to_owned());
        }
        let replayed = ask_lsn(&client, REPLAYED).await?.ok_or("it is no standby server")?;
        let reached = shared.reached(replayed);
        *replica.reached.lock() = reached;
        if !is_used && replica.knows(count) {
            is_used = true;
            tracing::info!(replica = replica.pool.dsn().hosts(), "reads go to a replica");
        }
        sleep(SOON).await;
        if reached.is_some_and(|(reached, _)| reached >= *counts.borrow()) {
            // The sender lives as long as `shared`.
            let _ = timeout(SELDOM, counts.changed()).await;
        }
    }
}

impl Identity {
    fn is_copy_of(&self, primary: &Self) -> bool {
        let same_system = match (&self.system, &primary.system) {
            (Some(own), Some(its)) => own == its,
            _ => true,
        };
        same_system && self.session == primary.session
    }
}

async fn open(dsn: &Dsn) -> Result<Client, String> {
    let (client, driver) = connect::connect(dsn).await.map_err(|e| e.reason)?;
    driver.spawn();
    let checked = timeout(ANSWER, check_server(&client)).await.map_err(|_| no_answer())?;
    checked.map_err(|e| e.reason)?;
    Ok(client)
}

async fn identity(client: &Client) -> Result<Identity, String> {
    let session = ask(client, IDENTITY).await?.unwrap_or_default();
    Ok(Identity { session, system: ask(client, SYSTEM).await.ok().flatten() })
}

fn no_answer() -> String {
    "no answer in time".to_owned()
}

/// The first cell of the answer. In one round trip, and through poolers.
async fn ask(client: &Client, text: &str) -> Result<Option<String>, String> {
    let asked = timeout(ANSWER, client.simple_query(text)).await.map_err(|_| no_answer())?;
    let messages = asked.map_err(|e| error::text(&e))?;
    Ok(messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}

async fn ask_lsn(client: &Client, text: &str) -> Result<Option<u64>, String> {
    let Some(lsn) = ask(client, text).await? else { return Ok(None) };
    lsn.parse::<PgLsn>().map(|lsn| Some(lsn.into())).map_err(|_| "an odd position".to_owned())
}

/// The end of the last record before a position at which the next one will begin. Between the two there may be the head of
/// a page, of 24 or at the beginning of a file 40 bytes, up to which nobody gets who only applies what was written.
/// A record that goes on behind such a head does not end in front of it, so that this is never too early.
fn reachable(lsn: u64) -> u64 {
    match lsn % 8_192 {
        head @ (24 | 40) => lsn - head,
        _ => lsn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> Shared {
        Shared {
            count: watch::Sender::new(0),
            positions: Mutex::default(),
            identity: Mutex::default(),
        }
    }

    #[test]
    fn positions() {
        let shared = shared();
        assert_eq!(shared.reached(u64::MAX), None);
        let asked = Instant::now();
        for (count, lsn) in [(1, 100), (1, 100), (4, 300), (9, 301)] {
            shared.remember(Position { count, lsn, asked });
        }
        let reached = |lsn| shared.reached(lsn).map(|(count, _)| count);
        assert_eq!(
            [99, 100, 299, 300, 301, 900].map(reached),
            [None, Some(1), Some(1), Some(4), Some(9), Some(9)]
        );
        for n in 0..2 * POSITIONS as u64 {
            shared.remember(Position { count: n, lsn: 1_000 + n, asked });
        }
        assert_eq!(shared.positions.lock().len(), POSITIONS);
        assert_eq!(shared.reached(1_000), None);
    }

    #[test]
    fn heads_of_pages() {
        let page = 0x0300_0000;
        for (lsn, want) in [
            (page, page),
            (page + 24, page),
            (page + 40, page),
            (page + 48, page + 48),
            (page + 8_192 + 24, page + 8_192),
        ] {
            assert_eq!(reachable(lsn), want);
        }
    }

    #[test]
    fn copies() {
        let identity = |session: &str, system: Option<&str>| Identity {
            session: session.to_owned(),
            system: system.map(str::to_owned),
        };
        let primary = identity("5 app public", Some("1"));
        assert!(identity("5 app public", Some("1")).is_copy_of(&primary));
        assert!(identity("5 app public", None).is_copy_of(&primary));
        assert!(!identity("5 app public", Some("2")).is_copy_of(&primary));
        assert!(!identity("5 other public", Some("1")).is_copy_of(&primary));
    }
}
