//! Connections to upstreams: HTTP/1.1, HTTP/2 where TLS agrees on it, pools, judged addresses.
//!
//! Must not know proxies or rules. Errors are told to clients as one of a few words; the whole text is for the log.

use std::{
    collections::HashMap,
    error::Error as StdError,
    fmt,
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client as Pool,
        connect::{HttpConnector, dns::Name},
    },
    rt::{TokioExecutor, TokioTimer},
};
use parking_lot::Mutex;
use pocketbase::environment;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use crate::{config::TransportConfig, flow::Upload};

type Connections = Pool<HttpsConnector<HttpConnector<Resolver>>, Upload>;

/// Where systems keep their trusted certificates; the first that exists is added to the built-in ones.
const SYSTEM_ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];

/// Two pools with the same times.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// HTTP/2 where the upstream can.
    pub(crate) any: Connections,
    /// HTTP/1.1: for connections that become something else.
    pub(crate) one: Connections,
}

/// The times that connections differ in: connecting, and staying unused.
pub(crate) type Times = (Duration, Duration);

/// All pools, by their times.
pub(crate) struct Clients {
    pub(crate) deny_private: bool,
    transport: TransportConfig,
    tls: ClientConfig,
    made: Mutex<HashMap<Times, Client>>,
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").field("n", &self.made.lock().len()).finish_non_exhaustive()
    }
}

impl Clients {
    pub(crate) fn new(transport: &TransportConfig, deny_private: bool) -> io::Result<Self> {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots())
            .with_no_client_auth();
        let transport = transport.clone();
        Ok(Self { deny_private, transport, tls, made: Mutex::default() })
    }

    /// The pools for these times.
    pub(crate) fn with(&self, times: Times) -> Client {
        let mut made = self.made.lock();
        made.entry(times).or_insert_with(|| self.make(times)).clone()
    }

    /// Forgets the pools that nobody uses any more.
    pub(crate) fn keep(&self, used: &[Times]) {
        self.made.lock().retain(|times, _| used.contains(times));
    }

    fn make(&self, (dial, idle): Times) -> Client {
        let resolver = Resolver { deny_private: self.deny_private, time: dial };
        let mut connector = HttpConnector::new_with_resolver(resolver);
        connector.set_connect_timeout(Some(dial));
        connector.set_keepalive(Some(self.transport.dial_keep_alive));
        connector.set_nodelay(true);
        connector.enforce_http(false);
        let https =
            || HttpsConnectorBuilder::new().with_tls_config(self.tls.clone()).https_or_http();
        let pool = || {
            let mut pool = Pool::builder(TokioExecutor::new());
            pool.pool_timer(TokioTimer::new())
                .timer(TokioTimer::new())
                .pool_idle_timeout(idle)
                .pool_max_idle_per_host(self.transport.max_idle_conns_per_host);
            pool
        };
        Client {
            any: pool().build(https().enable_all_versions().wrap_connector(connector.clone())),
            one: pool().build(https().enable_http1().wrap_connector(connector)),
        }
    }
}

fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let named = environment::text("SSL_CERT_FILE");
    let files: Vec<&str> = match &named {
        Some(file) => vec![file],
        None => SYSTEM_ROOTS.to_vec(),
    };
    if named.is_none() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for file in files {
        if let Ok(certificates) = CertificateDer::pem_file_iter(file) {
            roots.add_parsable_certificates(certificates.flatten());
            break;
        }
    }
    roots
}

/// Finds addresses, and leaves out those that may not be used: the connection goes to an address that was judged.
#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    deny_private: bool,
    time: Duration,
}

/// Why there is no address.
#[derive(Debug)]
enum Unresolved {
    Unknown(io::Error),
    Private,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(error) => write!(f, "the name cannot be resolved: {error}"),
            Self::Private => f.write_str("the address is not public"),
        }
    }
}

impl StdError for Unresolved {}

impl tower_service::Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn call(&mut self, name: Name) -> Self::Future {
        let Self { deny_private, time } = *self;
        Box::pin(async move {
            let found = tokio::time::timeout(time, tokio::net::lookup_host((name.as_str(), 0)));
            let found = found.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            let all: Vec<SocketAddr> =
                found.map_err(|error| io::Error::other(Unresolved::Unknown(error)))?.collect();
            let usable: Vec<SocketAddr> =
                all.into_iter().filter(|at| !deny_private || is_public(at.ip())).collect();
            if usable.is_empty() {
                return Err(io::Error::other(Unresolved::Private));
            }
            Ok(usable.into_iter())
        })
    }
}

/// True for addresses of the internet.
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let is_special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !is_special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let v4 =
        |high: u16, low: u16| is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match a {
        // NAT64 and 6to4 have an IPv4 address within
        0x64 if b == 0xff9b && [c, d, e, f] == [0; 4] => v4(g, h),
        0x2002 => v4(b, c),
        // protocols, documentation
        0x2001 if b == 0xdb8 || b < 0x200 => false,
        0x3fff if b < 0x1000 => false,
        // only this part of the space is in use
        _ => a & 0xe000 == 0x2000,
    }
}

/// What an error has been wrapped around: sources do not tell, as a wrapper's is that of what it holds.
fn innermost(mut error: &io::Error) -> &io::Error {
    while let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        error = inner;
    }
    error
}

/// Why a request has failed, as clients may know it.
pub(crate) fn category(error: &hyper_util::client::legacy::Error) -> &'static str {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(at) = cause {
        if let Some(io) = at.downcast_ref::<io::Error>().map(innermost) {
            let inner = io.get_ref();
            match inner.and_then(|inner| inner.downcast_ref::<Unresolved>()) {
                Some(Unresolved::Private) => return "address not allowed",
                Some(Unresolved::Unknown(_)) => return "dns failure",
                None if inner.is_some_and(|inner| inner.is::<rustls::Error>()) => {
                    return "tls failure";
                }
                None => {}
            }
            match io.kind() {
                io::ErrorKind::ConnectionRefused => return "connection refused",
                io::ErrorKind::TimedOut => return "timeout",
                io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::UnexpectedEof => return "connection closed",
                _ => {}
            }
        }
        if let Some(hyper) = at.downcast_ref::<hyper::Error>()
            && hyper.is_incomplete_message()
        {
            return "connection closed";
        }
        cause = at.source();
    }
    if error.is_connect() { "connection failed" } else { "protocol error" }
}

/// An error with all its causes: for the log and for superusers.
pub(crate) fn whole_text(error: &dyn StdError) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(at) = cause {
        let next = at.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = at.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses() {
        for (ip, want) in [
            ("8.8.8.8", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("64:ff9b::7f00:1", false),
            ("64:ff9b::808:808", true),
            ("2002:7f00:1::", false),
            ("2001:0:53aa::1", false),
            ("2001:10::1", false),
            ("2001:4860::1", true),
            ("3fff::1", false),
            ("::7f00:1", false),
            ("64:ff9b:1::7f00:1", false),
            ("2a00:1450::1", true),
        ] {
            assert_eq!(is_public(ip.parse().expect("an address")), want, "{ip}");
        }
    }
}
