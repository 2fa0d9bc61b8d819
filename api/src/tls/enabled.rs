//! TLS with certificates of an ACME authority.
//!
//! The directory has the names and format of Go's autocert, so that a change of server keeps certificates.
//! Source: spec server-settings-operations §1.4.

mod acme;
mod cache;
mod validity;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::{
    ServerConfig,
    server::{Acceptor, ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Notify, watch},
};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};

use super::TlsOptions;
use tokio_util::sync::CancellationToken;
use validity::Validity;

const ACME_ALPN: &[u8] = b"acme-tls/1";
/// Longest time a handshake waits for a certificate that is being issued.
const WAIT: Duration = Duration::from_secs(50);

/// Why a certificate could not be read or issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The directory of certificates.
    #[error("certificate cache: {0}")]
    Cache(#[from] std::io::Error),
    /// A stored or issued certificate that cannot be used.
    #[error("certificate: {0}")]
    Certificate(String),
    /// The authority refused or failed.
    #[error("ACME: {0}")]
    Acme(#[from] instant_acme::Error),
    /// The authority did not get to an end.
    #[error("ACME: {0}")]
    Order(String),
    /// TLS itself.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// A certificate with its key.
#[derive(Debug, Clone)]
struct Held {
    key: Arc<CertifiedKey>,
    validity: Validity,
}

/// The certificates of a server. Cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    options: TlsOptions,
    config: Arc<ServerConfig>,
    store: Arc<Store>,
    wanted: Mutex<BTreeSet<String>>,
    wake: Notify,
    /// Counts changes of the certificates.
    changes: watch::Sender<u64>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.0.options.names).finish()
    }
}

/// What handshakes choose from.
#[derive(Debug, Default)]
struct Store {
    certificates: ArcSwap<BTreeMap<String, Held>>,
    /// Proofs of TLS-ALPN-01 by name.
    alpn_proofs: Mutex<BTreeMap<String, Arc<CertifiedKey>>>,
    /// Proofs of HTTP-01 by token.
    http_proofs: Mutex<BTreeMap<String, String>>,
}

impl Store {
    fn put(&self, name: &str, held: &Held) {
        self.certificates.rcu(|now| {
            let mut next = BTreeMap::clone(now);
            next.insert(name.to_owned(), held.clone());
            next
        });
    }
}

impl ResolvesServerCert for Store {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = normal(hello.server_name()?);
        if is_challenge(&hello) {
            return self.alpn_proofs.lock().get(&name).cloned();
        }
        self.certificates.load().get(&name).map(|held| held.key.clone())
    }
}

/// True for the authority's own connection.
fn is_challenge(hello: &ClientHello<'_>) -> bool {
    let mut protocols = hello.alpn().into_iter().flatten();
    protocols.next() == Some(ACME_ALPN) && protocols.next().is_none()
}

/// The form of a name that maps and files use.
fn normal(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

impl Tls {
    /// Prepares TLS and loads what the cache has.
    ///
    /// # Errors
    /// When the cache directory cannot be made.
    pub fn new(mut options: TlsOptions) -> Result<Self, Error> {
        for name in options.names.iter_mut().chain(&mut options.names_on_demand) {
            *name = normal(name);
        }
        cache::prepare(&options.cache_dir)?;
        let store = Arc::new(Store::default());
        for name in options.names.iter().chain(&options.names_on_demand) {
            match cache::load(&options.cache_dir, name) {
                Ok(Some(held)) if held.validity.contains(SystemTime::now()) => {
                    store.put(name, &held)
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, name, "a cached certificate is not usable"),
            }
        }
        let mut config =
            ServerConfig::builder().with_no_client_auth().with_cert_resolver(store.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec(), ACME_ALPN.to_vec()];
        Ok(Self(Arc::new(Inner {
            options,
            config: Arc::new(config),
            store,
            wanted: Mutex::default(),
            wake: Notify::new(),
            changes: watch::Sender::new(0),
        })))
    }

    /// True for the names this server has or gets certificates for.
    #[must_use]
    pub fn has_name(&self, name: &str) -> bool {
        let name = normal(name);
        let options = &self.0.options;
        options.names.iter().chain(&options.names_on_demand).any(|known| *known == name)
    }

    /// The answer to an HTTP-01 challenge.
    #[must_use]
    pub fn http_proof(&self, token: &str) -> Option<String> {
        self.0.store.http_proofs.lock().get(token).cloned()
    }

    /// When the certificate of each name ends, in seconds since 1970; names without one are left out.
    #[must_use]
    pub fn expiries(&self) -> Vec<(String, u64)> {
        let held = self.0.store.certificates.load();
        held.iter().map(|(name, held)| (name.clone(), held.validity.not_after.as_secs())).collect()
    }

    /// Shakes hands, and says whether HTTP/2 was agreed on; `None` for the authority's connections, which end with the
    /// handshake.
    ///
    /// # Errors
    /// When the handshake fails, in particular for unknown names.
    pub(crate) async fn accept<S>(&self, stream: S) -> std::io::Result<Option<(TlsStream<S>, bool)>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let hello = start.client_hello();
        if !is_challenge(&hello) {
            let name = hello.server_name().map(normal);
            if let Some(name) = name.filter(|name| self.is_missing(name)) {
                self.wait_for(name).await;
            }
        }
        let stream = start.into_stream(self.0.config.clone()).await?;
        let agreed = stream.get_ref().1.alpn_protocol();
        let (is_proof, is_http2) = (agreed == Some(ACME_ALPN), agreed == Some(b"h2"));
        Ok((!is_proof).then_some((stream, is_http2)))
    }

    fn is_missing(&self, name: &str) -> bool {
        !self.0.store.certificates.load().contains_key(name) && self.has_name(name)
    }

    /// Asks for a certificate and waits for it, but not for long.
    async fn wait_for(&self, name: String) {
        let mut changes = self.0.changes.subscribe();
        self.0.wanted.lock().insert(name.clone());
        self.0.wake.notify_one();
        let wait = changes.wait_for(|_| !self.is_missing(&name));
        // without a certificate the handshake fails, which is all there is to say
        let _ = tokio::time::timeout(WAIT, wait).await;
    }

    /// Issues and renews until `stop`.
    pub(crate) async fn keep(self, with_http: bool, stop: CancellationToken) {
        tokio::select! {
            () = acme::keep(&self, with_http) => {}
            () = stop.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::Authority;

    fn tls(names: &[&str]) -> (tempfile::TempDir, Tls) {
        let dir = tempfile::tempdir().expect("dir");
        let options = TlsOptions {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            names_on_demand: vec!["www.A.com".into()],
            cache_dir: dir.path().join("certs"),
            authority: Authority::default(),
        };
        let tls = Tls::new(options).expect("tls");
        (dir, tls)
    }

    #[tokio::test]
    async fn names() {
        let (_dir, tls) = tls(&["A.com"]);
        assert!(tls.has_name("a.com.") && tls.has_name("www.a.com") && !tls.has_name("b.com"));
        assert!(tls.is_missing("a.com"));
        assert_eq!(tls.http_proof("x"), None);
    }
}
