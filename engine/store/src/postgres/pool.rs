//! The connections of a process: so many at most, kept while they are young and used.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Dsn, conn::Conn, connect, row_security};
use crate::{Error, Result, Trace};

/// Connections that nobody used for so long are closed.
const IDLE: Duration = Duration::from_secs(180);
/// Connections older than this are not used again, up to a tenth earlier or later.
const LIFETIME: Duration = Duration::from_secs(300);
/// How often idle connections are looked at.
const REAP: Duration = Duration::from_secs(60);
/// How long somebody waits for a connection, at most.
const WAIT: Duration = Duration::from_secs(10);

/// A pool. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    permits: Arc<Semaphore>,
    idle: Mutex<VecDeque<(Conn, Instant)>>,
    waiting: AtomicUsize,
    generation: AtomicU64,
    closed: AtomicBool,
    /// Some table has row-level security, or had when somebody looked.
    row_security: AtomicBool,
}

/// What a pool is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Everything: whoever comes waits until there is a connection.
    All,
    /// Reads that the primary answers otherwise: nobody waits.
    Reads,
}

/// How a pool is set up.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) dsn: Arc<Dsn>,
    /// Most connections at a time, and most that wait unused.
    pub(super) max_open: usize,
    pub(super) max_idle: usize,
    /// Time limit of statements, unless the connection string has one.
    pub(super) statement_timeout: Duration,
    pub(super) trace: Option<Trace>,
    /// Tables are taken to have row-level security, whether they have or not.
    pub(super) row_security: bool,
    pub(super) purpose: Purpose,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("dsn", &self.dsn)
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}

/// A connection that is in use; it goes back when dropped.
#[derive(Debug)]
pub(super) struct Lent {
    conn: Option<Conn>,
    pool: Pool,
    _permit: OwnedSemaphorePermit,
}

impl Lent {
    pub(super) fn conn(&mut self) -> Result<&mut Conn> {
        self.conn.as_mut().ok_or(Error::Ended)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.pool.take_back(conn);
        }
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Pool {
    pub(super) fn new(settings: Settings) -> Self {
        let inner = Arc::new(Inner {
            permits: Arc::new(Semaphore::new(settings.max_open)),
            idle: Mutex::default(),
            waiting: AtomicUsize::new(0),
            generation: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            row_security: AtomicBool::new(settings.row_security),
            settings,
        });
        tokio::spawn(reap(Arc::downgrade(&inner)));
        Self(inner)
    }

    pub(super) fn dsn(&self) -> &Arc<Dsn> {
        &self.0.settings.dsn
    }
    pub(super) fn has_row_security(&self) -> bool {
        self.0.row_security.load(Relaxed)
    }
    /// False if it is known, or nobody asks this pool.
    fn asks_for_row_security(&self) -> bool {
        !self.0.settings.row_security && self.0.settings.purpose == Purpose::All
    }
    /// Looks again; other nodes and `psql` change tables too. What cannot be asked stays as it is.
    async fn look_for_row_security(&self, client: &tokio_postgres::Client) {
        if self.asks_for_row_security()
            && let Ok(is_used) = row_security::is_used(client).await
        {
            self.0.row_security.store(is_used, Relaxed);
        }
    }
    /// Who waits for a connection.
    pub(super) fn waiting(&self) -> usize {
        self.0.waiting.load(Relaxed)
    }
    /// After a schema change: connections drop their statements before their next use.
    pub(super) fn bump(&self) {
        self.0.generation.fetch_add(1, Relaxed);
        let pool = self.clone();
        if self.asks_for_row_security()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                // Without a connection the next one that is made looks.
                if let Ok(mut lent) = pool.get().await
                    && let Ok(conn) = lent.conn()
                {
                    pool.look_for_row_security(conn.client()).await;
                }
            });
        }
    }
    /// Closes what is idle; what is in use is closed when it comes back.
    pub(super) fn close(&self) {
        self.0.closed.store(true, Relaxed);
        self.0.permits.close();
        self.0.idle.lock().clear();
    }

    /// A connection, kept or new.
    ///
    /// # Errors
    /// [`Error::Busy`] when all are in use for too long or the pool is closed, [`Error::Unreachable`].
    pub(super) async fn get(&self) -> Result<Lent> {
        let inner = &self.0;
        inner.waiting.fetch_add(1, Relaxed);
        let waiting = Waiting(&inner.waiting);
        let permit = tokio::time::timeout(self.wait(), inner.permits.clone().acquire_owned()).await;
        drop(waiting);
        let permit = permit.ok().and_then(std::result::Result::ok).ok_or(Error::Busy)?;
        let mut conn = match self.kept() {
            Some(conn) => conn,
            None => self.connect().await?,
        };
        conn.refresh(inner.generation.load(Relaxed));
        Ok(Lent { conn: Some(conn), pool: self.clone(), _permit: permit })
    }

    /// How long somebody waits for a connection.
    fn wait(&self) -> Duration {
        match self.0.settings.purpose {
            Purpose::All => WAIT,
            Purpose::Reads => Duration::ZERO,
        }
    }

    fn kept(&self) -> Option<Conn> {
        let mut idle = self.0.idle.lock();
        while let Some((conn, since)) = idle.pop_back() {
            if conn.is_sound() && since.elapsed() < IDLE && conn.born.elapsed() < conn.lifetime {
                return Some(conn);
            }
        }
        None
    }

    async fn connect(&self) -> Result<Conn> {
        let (inner, settings) = (&self.0, &self.0.settings);
        let connecting = connect::connect_patiently(&settings.dsn, self.wait());
        let (client, driver) = connecting.await.map_err(|error| {
            match settings.purpose {
                Purpose::All => tracing::error!(%error, "no database connection"),
                Purpose::Reads => tracing::debug!(%error, "no connection to a replica"),
            }
            Error::Unreachable
        })?;
        let ended = driver.spawn_watched();
        self.look_for_row_security(&client).await;
        let mut conn = Conn::new(client, settings.dsn.clone(), settings.trace.clone());
        conn.ended = ended;
        conn.lifetime = next_lifetime();
        conn.generation = inner.generation.load(Relaxed);
        let mut set = Vec::new();
        if !settings.dsn.session.iter().any(|(name, _)| name == "statement_timeout") {
            set.push(format!("SET statement_timeout = {}", settings.statement_timeout.as_millis()));
        }
        if settings.purpose == Purpose::Reads {
            // A standby that becomes a primary would take writes.
            set.push("SET default_transaction_read_only = on".to_owned());
        }
        if !set.is_empty() {
            conn.batch(&set.join(";")).await.map_err(super::error::Fail::into_error)?;
        }
        Ok(conn)
    }

    fn take_back(&self, conn: Conn) {
        if !conn.is_sound() || self.0.closed.load(Relaxed) {
            return;
        }
        let mut idle = self.0.idle.lock();
        if idle.len() < self.0.settings.max_idle {
            idle.push_back((conn, Instant::now()));
        }
    }
}

/// Closes what nobody uses, for as long as there is a pool.
async fn reap(pool: Weak<Inner>) {
    loop {
        tokio::time::sleep(REAP).await;
        let Some(pool) = pool.upgrade() else { return };
        pool.idle.lock().retain(|(conn, since)| {
            conn.is_sound() && since.elapsed() < IDLE && conn.born.elapsed() < conn.lifetime
        });
    }
}

/// Lifetimes differ, so that connections do not all end at once.
fn next_lifetime() -> Duration {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    LIFETIME * (90 + NEXT.fetch_add(7, Relaxed) % 21) / 100
}
