//! [`Manager`]: the table of proxies, which changes while requests run on the one before.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;
use pocketbase::{App, Result};

use crate::{client::Clients, config::Config, path, proxy::Proxy, store};

/// The proxies of an app. Cheap to clone.
#[derive(Clone)]
pub struct Manager(Arc<Inner>);

struct Inner {
    config: Config,
    clients: Clients,
    /// The longest path first.
    table: ArcSwap<Vec<Arc<Proxy>>>,
    is_tls: AtomicBool,
    /// Whoever reads the records last has the newest.
    reading: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager").field("n_proxies", &self.0.table.load().len()).finish()
    }
}

/// A proxy that a path belongs to. See [`Manager::match_proxy`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Matched {
    /// The id of its record.
    pub id: String,
    /// Its path.
    pub path: String,
    /// Where a request with that path goes.
    pub target: String,
}

impl Manager {
    pub(crate) fn new(config: Config) -> io::Result<Self> {
        let clients = Clients::new(&config.transport, config.deny_private)?;
        Ok(Self(Arc::new(Inner {
            config,
            clients,
            table: ArcSwap::default(),
            is_tls: AtomicBool::new(false),
            reading: tokio::sync::Mutex::default(),
        })))
    }

    /// The active proxy that a path, as sent, belongs to.
    #[must_use]
    pub fn match_proxy(&self, path: &str) -> Option<Matched> {
        let path = path::resolved(path)?;
        let (proxy, rest) = self.find(&path)?;
        let (id, target) = (proxy.id.clone(), proxy.target(&path, rest, ""));
        Some(Matched { id, path: proxy.path.clone(), target })
    }

    /// The proxy of a path that [`path::resolved`] has given, and what is left of the path.
    pub(crate) fn find<'p>(&self, path: &'p str) -> Option<(Arc<Proxy>, &'p str)> {
        let table = self.0.table.load();
        table.iter().find_map(|proxy| Some((proxy.clone(), path::behind(path, &proxy.path)?)))
    }

    /// True if a request is for a proxy, or would be if there was one.
    pub(crate) fn claims(&self, method: &str, path: &str) -> bool {
        if !matches!(method, "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS") {
            return false;
        }
        let is_clean = || !path.contains("//") && !path.split('/').any(|s| matches!(s, "." | ".."));
        if path.starts_with("/-/") && is_clean() {
            return true;
        }
        let has_dots = || path.split('/').any(|segment| matches!(segment, "." | ".."));
        !has_dots() && path::resolved(path).is_some_and(|path| self.find(&path).is_some())
    }

    /// Reads the records. One that cannot be served is left out, and the log has it.
    pub(crate) async fn reload(&self, app: &App) -> Result<()> {
        let _reading = self.0.reading.lock().await;
        let before = self.0.table.load_full();
        let mut table = Vec::new();
        for record in store::all(app).await? {
            match Proxy::read(&record, &before, &self.0.clients, &self.0.config.transport) {
                Ok(proxy) => table.extend(proxy),
                Err(why) => app.logger().warn(
                    "gateway: a proxy cannot be served",
                    &[("proxy", record.id().into()), ("error", why.into())],
                ),
            }
        }
        table.sort_by(|a, b| b.path.len().cmp(&a.path.len()).then_with(|| a.path.cmp(&b.path)));
        let used: Vec<_> = table.iter().map(|proxy| proxy.times).collect();
        self.0.clients.keep(&used);
        self.0.table.store(Arc::new(table));
        Ok(())
    }

    pub(crate) fn table(&self) -> Arc<Vec<Arc<Proxy>>> {
        self.0.table.load_full()
    }
    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }
    pub(crate) fn set_tls(&self, is_tls: bool) {
        self.0.is_tls.store(is_tls, Relaxed);
    }
    pub(crate) fn is_tls(&self) -> bool {
        self.0.is_tls.load(Relaxed)
    }
}
