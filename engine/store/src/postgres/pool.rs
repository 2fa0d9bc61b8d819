//! The connections of a process: so many at most, kept while they are young and used. bb8 keeps them; who gets one is
//! decided in `shares`. Must not know what is asked on a connection.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bb8::{ManageConnection, PooledConnection, QueueStrategy};
use parking_lot::{Mutex, RwLock};

use super::{
    Dsn,
    conn::Conn,
    connect, row_security,
    shares::{Permit, Shares, Subject},
};
use crate::{Error, Result, Trace};

/// Connections that nobody used for so long are closed.
const IDLE: Duration = Duration::from_secs(180);
/// Connections older than this are not used again, up to a tenth earlier or later.
const LIFETIME: Duration = Duration::from_secs(300);
/// How often idle connections are looked at.
const REAP: Duration = Duration::from_secs(60);
/// How long somebody waits for a connection, at most.
const WAIT: Duration = Duration::from_secs(10);
/// Never reached: whoever holds a permit waits for nothing but an attempt to connect, and those have limits of their own.
const ATTEMPTS: Duration = Duration::from_secs(86_400);

/// A pool. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    maker: Arc<Maker>,
    permits: Shares,
    waiting: AtomicUsize,
    /// None once closed.
    kept: RwLock<Option<bb8::Pool<Manager>>>,
    /// Held while one goes back, so that no more wait unused than may.
    returning: Mutex<()>,
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

/// Makes connections, and knows what all of them depend on.
#[derive(Debug)]
struct Maker {
    settings: Settings,
    generation: AtomicU64,
    closed: AtomicBool,
    /// Some table has row-level security, or had when somebody looked.
    row_security: AtomicBool,
    /// When a connection was last found to be gone. What has been unused since may be gone with it.
    lost: Mutex<Option<Instant>>,
}

/// bb8's view of a [`Maker`].
#[derive(Debug)]
struct Manager(Arc<Maker>);

/// A place in the pool: a connection, or why there is none. bb8 lets whoever waits for an attempt that fails wait on; as
/// a value the failure reaches them at once.
#[derive(Debug)]
struct Place {
    conn: Result<Conn>,
    /// When somebody began to make it.
    began: Instant,
    idle_since: Instant,
    /// Enough others wait unused.
    is_surplus: bool,
}

/// A connection was too old or too long unused when somebody wanted it.
#[derive(Debug)]
struct Stale;

impl ManageConnection for Manager {
    type Connection = Place;
    type Error = Stale;

    async fn connect(&self) -> Result<Place, Stale> {
        let began = Instant::now();
        let conn = self.0.connect().await;
        Ok(Place { conn, began, idle_since: Instant::now(), is_surplus: false })
    }

    async fn is_valid(&self, place: &mut Place) -> Result<(), Stale> {
        match &place.conn {
            Ok(conn)
                if conn.is_young()
                    && conn.is_sound()
                    && place.idle_since.elapsed() < IDLE
                    && self.0.lost.lock().is_none_or(|lost| lost < place.idle_since) =>
            {
                Ok(())
            }
            Ok(_) => Err(Stale),
            // for whoever waits
            Err(_) => Ok(()),
        }
    }

    fn has_broken(&self, place: &mut Place) -> bool {
        place.is_surplus
            || self.0.closed.load(Relaxed)
            || !place.conn.as_ref().is_ok_and(Conn::is_sound)
    }
}

/// A connection that is in use; it goes back when dropped.
#[derive(Debug)]
pub(super) struct Lent {
    /// `None` only while dropped.
    place: Option<PooledConnection<'static, Manager>>,
    pool: Pool,
    _permit: Permit,
}

impl Lent {
    pub(super) fn conn(&mut self) -> Result<&mut Conn> {
        let place = self.place.as_mut().ok_or(Error::Ended)?;
        place.conn.as_mut().map_err(|_| Error::Unreachable)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.pool.take_back(place);
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
        let max_open = settings.max_open;
        let maker = Arc::new(Maker {
            generation: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            row_security: AtomicBool::new(settings.row_security),
            lost: Mutex::new(None),
            settings,
        });
        let kept = bb8::Pool::builder()
            .max_size(u32::try_from(max_open).unwrap_or(u32::MAX).max(1))
            .idle_timeout(IDLE)
            .max_lifetime(LIFETIME * 11 / 10)
            .reaper_rate(REAP)
            .connection_timeout(ATTEMPTS)
            .retry_connection(false)
            .queue_strategy(QueueStrategy::Lifo)
            .build_unchecked(Manager(maker.clone()));
        Self(Arc::new(Inner {
            maker,
            permits: Shares::new(max_open),
            waiting: AtomicUsize::new(0),
            kept: RwLock::new(Some(kept)),
            returning: Mutex::default(),
        }))
    }

    pub(super) fn dsn(&self) -> &Arc<Dsn> {
        &self.0.maker.settings.dsn
    }
    pub(super) fn has_row_security(&self) -> bool {
        self.0.maker.row_security.load(Relaxed)
    }
    /// Who waits for a connection.
    pub(super) fn waiting(&self) -> usize {
        self.0.waiting.load(Relaxed)
    }
    /// After a schema change: connections drop their statements before their next use.
    pub(super) fn bump(&self) {
        self.0.maker.generation.fetch_add(1, Relaxed);
        let pool = self.clone();
        if self.0.maker.asks_for_row_security()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                // Without a connection the next one that is made looks.
                if let Ok(mut lent) = pool.get(None).await
                    && let Ok(conn) = lent.conn()
                {
                    pool.0.maker.look_for_row_security(conn.client()).await;
                }
            });
        }
    }
    /// A connection turned out to be gone: whoever tries again gets none that has been unused since before, because a
    /// server that restarts takes all of them.
    pub(super) fn lost_one(&self) {
        *self.0.maker.lost.lock() = Some(Instant::now());
    }
    /// Closes what is idle; what is in use is closed when it comes back.
    pub(super) fn close(&self) {
        self.0.maker.closed.store(true, Relaxed);
        self.0.permits.close();
        self.0.kept.write().take();
    }

    /// A connection, kept or new, for something about `subject`.
    ///
    /// # Errors
    /// [`Error::Busy`] when all are in use for too long or the pool is closed, [`Error::Unreachable`].
    pub(super) async fn get(&self, subject: Subject) -> Result<Lent> {
        let inner = &self.0;
        inner.waiting.fetch_add(1, Relaxed);
        let waiting = Waiting(&inner.waiting);
        let permit = tokio::time::timeout(inner.maker.wait(), inner.permits.take(subject)).await;
        drop(waiting);
        let permit = permit.ok().flatten().ok_or(Error::Busy)?;
        let kept = inner.kept.read().clone().ok_or(Error::Busy)?;
        let began = Instant::now();
        loop {
            let mut place = kept.get_owned().await.map_err(|_| Error::Busy)?;
            let attempted = place.began;
            match &mut place.conn {
                Ok(conn) => conn.refresh(inner.maker.generation.load(Relaxed)),
                // That was for somebody else, who went away or got another.
                Err(_) if attempted < began => continue,
                Err(error) => return Err(std::mem::replace(error, Error::Unreachable)),
            }
            return Ok(Lent { place: Some(place), pool: self.clone(), _permit: permit });
        }
    }

    fn take_back(&self, mut place: PooledConnection<'static, Manager>) {
        let inner = &self.0;
        let _one_at_a_time = inner.returning.lock();
        let max_idle = inner.maker.settings.max_idle;
        place.is_surplus = inner.kept.read().as_ref().is_none_or(|kept| idle(kept) >= max_idle);
        place.idle_since = Instant::now();
        drop(place);
    }
}

fn idle(kept: &bb8::Pool<Manager>) -> usize {
    usize::try_from(kept.state().idle_connections).unwrap_or(usize::MAX)
}

impl Maker {
    /// How long somebody waits for a connection.
    fn wait(&self) -> Duration {
        match self.settings.purpose {
            Purpose::All => WAIT,
            Purpose::Reads => Duration::ZERO,
        }
    }

    /// False if it is known, or nobody asks this pool.
    fn asks_for_row_security(&self) -> bool {
        !self.settings.row_security && self.settings.purpose == Purpose::All
    }

    /// Looks again; other nodes and `psql` change tables too. What cannot be asked stays as it is.
    async fn look_for_row_security(&self, client: &tokio_postgres::Client) {
        if self.asks_for_row_security()
            && let Ok(is_used) = row_security::is_used(client).await
        {
            self.row_security.store(is_used, Relaxed);
        }
    }

    async fn connect(&self) -> Result<Conn> {
        let settings = &self.settings;
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
        conn.generation = self.generation.load(Relaxed);
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
}

/// Lifetimes differ, so that connections do not all end at once.
fn next_lifetime() -> Duration {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    LIFETIME * (90 + NEXT.fetch_add(7, Relaxed) % 21) / 100
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
        time::timeout,
    };

    use super::*;

    /// As much of a server as connections without questions need; tells how many came.
    async fn serve(listener: TcpListener, came: Arc<AtomicUsize>) {
        async fn answer(mut socket: TcpStream) -> std::io::Result<()> {
            let mut is_greeted = false;
            loop {
                if is_greeted && socket.read_u8().await? == b'X' {
                    return Ok(());
                }
                let len = socket.read_u32().await? as usize;
                let mut body = vec![0; len - 4];
                socket.read_exact(&mut body).await?;
                let said: &[u8] = match is_greeted {
                    false => b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I",
                    true => b"C\0\0\0\x08SET\0Z\0\0\0\x05I",
                };
                is_greeted = true;
                socket.write_all(said).await?;
                if body.windows(4).any(|text| text == b"quit") {
                    return Ok(());
                }
            }
        }
        while let Ok((socket, _)) = listener.accept().await {
            came.fetch_add(1, Relaxed);
            tokio::spawn(answer(socket));
        }
    }

    fn settings(port: u16, max_open: usize, max_idle: usize) -> Settings {
        let dsn = format!("postgres://u@127.0.0.1:{port}/d?sslmode=disable");
        Settings {
            dsn: Arc::new(Dsn::parse(&dsn).unwrap()),
            max_open,
            max_idle,
            statement_timeout: Duration::from_secs(30),
            trace: None,
            row_security: true,
            purpose: Purpose::All,
        }
    }

    fn of(n: usize) -> Subject {
        Some(n.to_string().into())
    }

    #[tokio::test]
    async fn so_many_at_most_and_so_many_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, came) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        tokio::spawn(serve(listener, came.clone()));
        let pool = Pool::new(settings(port, 3, 2));
        let idle = || pool.0.kept.read().as_ref().map(idle);
        let all = [0, 1, 2].map(|n| pool.get(of(n)));
        let all = futures_util::future::try_join_all(all).await.unwrap();
        assert_eq!((came.load(Relaxed), idle()), (3, Some(0)));
        assert!(timeout(Duration::from_millis(30), pool.get(of(3))).await.is_err(), "a fourth");
        assert_eq!(pool.waiting(), 0);
        drop(all);
        assert_eq!(idle(), Some(2));
        // kept ones first
        let mut pair = (pool.get(of(0)).await.unwrap(), pool.get(of(1)).await.unwrap());
        assert_eq!((came.load(Relaxed), idle()), (3, Some(0)));
        // what is broken, old or was unused for too long is not given to others
        let _ = pair.0.conn().unwrap().batch("quit").await;
        drop(pair.0);
        pair.1.conn().unwrap().lifetime = Duration::ZERO;
        drop(pair.1);
        let mut fresh = pool.get(of(0)).await.unwrap();
        assert!(fresh.conn().unwrap().is_sound());
        assert_eq!(came.load(Relaxed), 4);
        // closed: nothing is kept, nobody gets one, what is in use goes on
        pool.close();
        assert!(matches!(pool.get(of(1)).await, Err(Error::Busy)));
        fresh.conn().unwrap().batch("SET a = 1").await.unwrap();
        drop(fresh);
        assert_eq!(idle(), None);
    }

    #[tokio::test]
    async fn what_was_unused_when_one_was_lost_is_not_trusted() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, came) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        tokio::spawn(serve(listener, came.clone()));
        let pool = Pool::new(settings(port, 4, 4));
        let all = futures_util::future::try_join_all([0, 1, 2].map(|n| pool.get(of(n))));
        let mut all = all.await.unwrap();
        let used = all.pop();
        drop(all);
        pool.lost_one();
        // what was in use came back afterwards, so it was there
        drop(used);
        let again = pool.get(of(0)).await.unwrap();
        assert_eq!(came.load(Relaxed), 3);
        let fresh = pool.get(of(1)).await.unwrap();
        assert_eq!(came.load(Relaxed), 4);
        drop((again, fresh));
    }

    #[tokio::test]
    async fn who_waits_hears_of_failures() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let pool = Pool::new(Settings { purpose: Purpose::Reads, ..settings(port, 3, 2) });
        let limit = Duration::from_secs(5);
        let all = futures_util::future::join_all([0, 1, 2].map(|n| pool.get(of(n))));
        for got in timeout(limit, all).await.unwrap() {
            assert!(matches!(got, Err(Error::Unreachable)));
        }
        // a failure that nobody waited for is not the next one's
        assert!(pool.get(of(0)).now_or_never().is_none());
        tokio::time::sleep(Duration::from_millis(50)).await;
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        tokio::spawn(serve(listener, Arc::default()));
        assert!(timeout(limit, pool.get(of(0))).await.unwrap().is_ok());
    }
}
