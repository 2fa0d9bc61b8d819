//! One connection to PostgreSQL: TLS fallbacks, session settings, errors that people can act on. Pools are elsewhere.
//!
//! Source: spec extensions §1.2, §1.3 step 1.

use std::{
    fmt, io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use dialects::{Fault, postgres::fault};
use futures_util::Stream;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_postgres::{
    AsyncMessage, CancelToken, Client, Config, Connection, Socket,
    config::{Host, SslMode as Wire, TargetSessionAttrs},
    error::SqlState,
    tls::{NoTls, TlsStream},
};

use super::{
    dsn::{Dsn, SslMode, Target},
    tls,
};
use primitives::future::BoxFutureRef;

/// Limit of a whole attempt when the connection string has none.
const LIMIT: Duration = Duration::from_secs(30);
/// Limit of a cancel request.
const CANCEL_LIMIT: Duration = Duration::from_secs(5);
/// First pause between attempts; doubled up to [`MAX_PAUSE`].
const PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(3);
/// The least `server_version_num`.
const OLDEST: i32 = 140_000;

/// What kept a connection from being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody answers there, or not in time.
    Unreachable,
    /// A server answers that is starting, stopping or full.
    NotReady,
    /// User, password, client certificate or `pg_hba.conf`.
    Denied,
    /// There is no such database.
    NoDatabase,
    /// TLS is refused, or the certificate is not accepted.
    Tls,
    /// The server is too old or uses another encoding.
    Unsuitable,
    /// Anything else.
    Other,
}

/// Why there is no connection: one line, without the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectError {
    /// The kind.
    pub refusal: Refusal,
    /// Where to, and what happened.
    pub reason: String,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot connect to PostgreSQL: {}", self.reason)
    }
}

impl std::error::Error for ConnectError {}

impl ConnectError {
    /// True if the next attempt may succeed without anybody doing anything here.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.refusal, Refusal::Unreachable | Refusal::NotReady)
    }
}

/// The half of a connection that talks to the socket: must be polled for the client to make progress.
///
/// As a stream it gives what the server says unasked (notices, notifications); [`Driver::spawn`] ignores that.
pub struct Driver(Pin<Box<dyn Stream<Item = Message> + Send>>);

type Message = Result<AsyncMessage, tokio_postgres::Error>;

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

impl Stream for Driver {
    type Item = Message;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.0.as_mut().poll_next(cx)
    }
}

/// A connection without its own type.
struct Messages<T>(Connection<Socket, T>);

impl<T: TlsStream + AsyncRead + AsyncWrite + Unpin> Stream for Messages<T> {
    type Item = Message;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.0.poll_message(cx)
    }
}

impl Driver {
    fn new<T>(connection: Connection<Socket, T>) -> Self
    where
        T: TlsStream + AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Self(Box::pin(Messages(connection)))
    }

    /// Runs until the client is dropped or the connection ends.
    pub fn spawn(mut self) -> JoinHandle<()> {
        tokio::spawn(std::future::poll_fn(move |cx| {
            // Errors reach whoever waits for an answer.
            while let Some(Ok(_)) = ready!(self.0.as_mut().poll_next(cx)) {}
            Poll::Ready(())
        }))
    }

    /// The same; becomes true when the server has said that it ends the connection, before whoever waits hears of it.
    /// What it had not answered by then it has not done.
    pub(super) fn spawn_watched(mut self) -> Arc<AtomicBool> {
        let told = Arc::new(AtomicBool::new(false));
        let tell = told.clone();
        tokio::spawn(std::future::poll_fn(move |cx| {
            loop {
                match ready!(self.0.as_mut().poll_next(cx)) {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        let code = error.as_db_error().map_or("", |db| db.code().code());
                        let is_end = fault(code, None) == Fault::Disconnected;
                        tell.store(is_end, Relaxed);
                        return Poll::Ready(());
                    }
                    None => return Poll::Ready(()),
                }
            }
        }));
        told
    }
}

/// Connects once: every host, with and without TLS as the connection string allows.
///
/// # Errors
/// [`ConnectError`]: one line.
pub fn connect(dsn: &Dsn) -> BoxFutureRef<'_, Result<(Client, Driver), ConnectError>> {
    Box::pin(async move {
        let n_hosts = dsn.config.get_hosts().len().max(dsn.config.get_hostaddrs().len()).max(1);
        let limit = dsn.connect_timeout.map_or(LIMIT, |each| {
            // names with several addresses, fallbacks
            each.saturating_mul(2 * u32::try_from(n_hosts).unwrap_or(u32::MAX))
        });
        let at = |refusal, text: &str| ConnectError {
            refusal,
            reason: format!("{} (database {:?}): {text}", dsn.hosts(), dsn.database()),
        };
        match timeout(limit, Box::pin(attempts(dsn))).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err((refusal, text))) => Err(at(refusal, &text)),
            Err(_) => Err(at(Refusal::Unreachable, "no answer in time")),
        }
    })
}

/// As [`connect`], again and again for as long as `patience` while nobody answers.
///
/// # Errors
/// The last [`ConnectError`].
pub async fn connect_patiently(
    dsn: &Dsn,
    patience: Duration,
) -> Result<(Client, Driver), ConnectError> {
    let (until, mut pause) = (Instant::now() + patience, PAUSE);
    loop {
        match connect(dsn).await {
            Err(error) if error.is_transient() && Instant::now() + pause < until => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
            done => return done,
        }
    }
}

/// Asks the server to stop what a client is waiting for. Best effort, as the protocol has it.
pub fn cancel(dsn: &Dsn, token: CancelToken) -> BoxFutureRef<'_, ()> {
    Box::pin(async move {
        let Ok(tls) = tls::connector(dsn) else { return };
        // Nobody is told: the statement ends in one way or the other.
        let _ = timeout(CANCEL_LIMIT, token.cancel_query(tls)).await;
    })
}

/// Refuses servers that are too old or have another encoding (spec §1.2); gives `server_version_num`.
///
/// # Errors
/// [`Refusal::Unsuitable`].
pub fn check_server(client: &Client) -> BoxFutureRef<'_, Result<u32, ConnectError>> {
    Box::pin(async move {
        let unsuitable = |reason: String| ConnectError { refusal: Refusal::Unsuitable, reason };
        let row = client
        .query_one(
            "SELECT current_setting('server_version_num')::int4, current_setting('server_encoding')",
            &[],
        )
        .await
        .map_err(|e| unsuitable(explain(&e).1))?;
        let (version, encoding): (i32, String) = (row.get(0), row.get(1));
        if let Some(reason) = too_old(version) {
            return Err(unsuitable(reason));
        }
        if encoding != "UTF8" {
            return Err(unsuitable(format!(
                "the encoding of the database is {encoding}, it must be UTF8"
            )));
        }
        Ok(version.unsigned_abs())
    })
}

/// Why a `server_version_num` is not enough. From version 10 on it is `major × 10000 + minor`, before that
/// `major × 10000 + middle × 100 + minor`.
fn too_old(version: i32) -> Option<String> {
    let (major, middle) = (version / 10_000, version / 100 % 100);
    let name = if major < 10 { format!("{major}.{middle}") } else { major.to_string() };
    (version < OLDEST)
        .then(|| format!("the server is version {name}, at least {} is needed", OLDEST / 10_000))
}

type Failed = (Refusal, String);

async fn attempts(dsn: &Dsn) -> Result<(Client, Driver), Failed> {
    let targets: &[TargetSessionAttrs] = match dsn.target {
        Target::One(target) => &[target],
        Target::PreferStandby => &[TargetSessionAttrs::ReadOnly, TargetSessionAttrs::Any],
    };
    let mut last = (Refusal::Other, "no host".to_owned());
    for target in targets {
        for (idx, mode) in modes(dsn).iter().enumerate() {
            let mut config = dsn.config.clone();
            config.target_session_attrs(*target).ssl_mode(*mode);
            match once(dsn, &config).await {
                Ok(done) => return Ok(done),
                // The other way may be open only if this one was closed to us.
                Err(error) if idx > 0 && matches!(last.0, Refusal::Denied) => {
                    // what the first attempt said is what the user asked for
                    if !matches!(error.0, Refusal::Denied | Refusal::Tls) {
                        last = error;
                    }
                }
                Err(error) => last = error,
            }
            if !matches!(last.0, Refusal::Denied | Refusal::Tls) {
                break;
            }
        }
    }
    Err(last)
}

/// What to try, in order. There is no TLS over unix sockets.
fn modes(dsn: &Dsn) -> &'static [Wire] {
    let is_unix = |host: &Host| !matches!(host, Host::Tcp(_));
    let hosts = dsn.config.get_hosts();
    if dsn.config.get_hostaddrs().is_empty() && hosts.iter().all(is_unix) {
        return &[Wire::Disable];
    }
    match dsn.ssl_mode {
        SslMode::Disable => &[Wire::Disable],
        SslMode::Allow => &[Wire::Disable, Wire::Require],
        SslMode::Prefer => &[Wire::Prefer, Wire::Disable],
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => &[Wire::Require],
    }
}

async fn once(dsn: &Dsn, config: &Config) -> Result<(Client, Driver), Failed> {
    let (client, mut driver) = if config.get_ssl_mode() == Wire::Disable {
        let (client, connection) = config.connect(NoTls).await.map_err(|e| explain(&e))?;
        (client, Driver::new(connection))
    } else {
        let tls = tls::connector(dsn).map_err(|text| (Refusal::Tls, text))?;
        let (client, connection) = config.connect(tls).await.map_err(|e| explain(&e))?;
        (client, Driver::new(connection))
    };
    if dsn.is_pooled() {
        set_session(dsn, &client, &mut driver).await.map_err(|e| explain(&e))?;
    }
    Ok((client, driver))
}

/// Poolers do not take `options` at the start.
async fn set_session(
    dsn: &Dsn,
    client: &Client,
    driver: &mut Driver,
) -> Result<(), tokio_postgres::Error> {
    let text: Vec<String> = dsn
        .session
        .iter()
        .map(|(name, value)| match name.as_str() {
            "search_path" => format!("SET search_path = {value}"),
            name => format!("SET {name} = '{}'", value.replace('\'', "''")),
        })
        .collect();
    let text = text.join(";");
    let mut setting = std::pin::pin!(client.batch_execute(&text));
    std::future::poll_fn(|cx| {
        if let Poll::Ready(done) = setting.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        while let Poll::Ready(Some(message)) = driver.0.as_mut().poll_next(cx) {
            message?;
        }
        setting.as_mut().poll(cx)
    })
    .await
}

/// A driver error as kind and one line.
fn explain(error: &tokio_postgres::Error) -> Failed {
    if let Some(db) = error.as_db_error() {
        return (of_state(db.code()), db.message().to_owned());
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    let mut io_kind = None;
    while let Some(cause) = source {
        io_kind = io_kind.or_else(|| cause.downcast_ref::<io::Error>().map(io::Error::kind));
        source = cause.source();
        // some errors print their cause, some do not
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    if let Some(tls) = text.strip_prefix("error performing TLS handshake: ") {
        let text = match tls {
            "server does not support TLS" => "the server refused TLS (sslmode)".to_owned(),
            other => format!("TLS: {other}"),
        };
        return (Refusal::Tls, text);
    }
    let refusal = match io_kind {
        // a server for which target_session_attrs does not hold; it may be promoted
        Some(io::ErrorKind::PermissionDenied) if text.contains("database ") => Refusal::NotReady,
        Some(io::ErrorKind::PermissionDenied) => Refusal::Denied,
        Some(_) => Refusal::Unreachable,
        None if text.contains("password missing") => Refusal::Denied,
        None if error.is_closed() => Refusal::Unreachable,
        None => Refusal::Other,
    };
    (refusal, text)
}

fn of_state(code: &SqlState) -> Refusal {
    match code.code() {
        "3D000" => Refusal::NoDatabase,
        // cannot_connect_now, admin_shutdown, crash_shutdown, too_many_connections
        "57P03" | "57P01" | "57P02" | "53300" => Refusal::NotReady,
        code if code.starts_with("28") => Refusal::Denied,
        code if code.starts_with("08") => Refusal::Unreachable,
        _ => Refusal::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_servers() {
        let said =
            |name: &str| Some(format!("the server is version {name}, at least 14 is needed"));
        for (version, want) in [
            (90_624, said("9.6")),
            (100_023, said("10")),
            (130_022, said("13")),
            (139_999, said("13")),
            (140_000, None),
            (150_014, None),
            (180_001, None),
        ] {
            assert_eq!(too_old(version), want, "{version}");
        }
    }
}
