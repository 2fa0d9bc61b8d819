//! [`App`] and its builder.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::Deref,
    path::PathBuf,
    time::Duration,
};

use api::{
    api::{Api, Options, Routes},
    router::PatternError,
    server::{self, Limits, ListenError, Sockets},
    static_files::StaticFiles,
    tls::{self, Authority, Tls},
    www::Www,
};

use engine::{
    Ctx,
    app::Config,
    auth::password::Scheme,
    event::Hooks,
    installer,
    store::{Durability, Trace, postgres::PostgresConfig},
};

use crate::plugin::{Plugin, Setup};

type Register = Box<dyn FnOnce(&mut Setup<'_>) -> engine::Result<()> + Send>;

/// How an app starts. See [`App::builder`].
pub struct Builder {
    config: Config,
    hooks: Hooks,
    routes: Routes,
    plugins: Vec<Register>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .field("n_plugins", &self.plugins.len())
            .finish()
    }
}

impl Builder {
    /// Where the databases and files are; created when missing.
    #[must_use]
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.config.data_dir = dir.into();
        self
    }
    /// PostgreSQL instead of the SQLite files of the directory (spec extensions §1.2).
    #[must_use]
    pub fn postgres(mut self, postgres: Option<PostgresConfig>) -> Self {
        self.config.postgres = postgres;
        self
    }
    /// Print logs and SQL.
    #[must_use]
    pub fn dev(mut self, dev: bool) -> Self {
        self.config.dev = dev;
        self
    }
    /// The key (32 bytes) that encrypts the stored settings, and where it comes from, for messages.
    #[must_use]
    pub fn encryption(mut self, name: &str, key: Option<String>) -> Self {
        name.clone_into(&mut self.config.encryption_env);
        self.config.encryption_key = key;
        self
    }
    /// Reach and trusted roots of outgoing requests; seconds by which clocks of identity providers may differ.
    #[must_use]
    pub fn outbound(
        mut self,
        options: engine::outbound::Options,
        id_token_leeway: Option<i64>,
    ) -> Self {
        self.config.outbound = options;
        if let Some(seconds) = id_token_leeway {
            self.config.id_token_leeway = seconds;
        }
        self
    }
    /// Longest time of a query.
    #[must_use]
    pub fn query_timeout(mut self, limit: Duration) -> Self {
        self.config.query_timeout = limit;
        self
    }
    /// Every acknowledged write survives a loss of power.
    #[must_use]
    pub fn full_durability(mut self, full: bool) -> Self {
        if full {
            self.config.durability = Durability::Full;
        }
        self
    }
    /// Hash new passwords with bcrypt instead of argon2id.
    #[must_use]
    pub fn bcrypt(mut self, bcrypt: bool) -> Self {
        if bcrypt {
            self.config.password_hash = Scheme::Bcrypt;
        }
        self
    }
    /// Thumbnails made at the same time, and the longest wait for one's turn; `None` keeps the default.
    #[must_use]
    pub fn thumbs(mut self, n_workers: Option<usize>, wait: Option<Duration>) -> Self {
        let limits = &mut self.config.thumbs;
        limits.n_workers = n_workers.unwrap_or(limits.n_workers);
        limits.wait = wait.unwrap_or(limits.wait);
        self
    }
    /// Called when much memory was freed and is not needed again soon, so that the allocator can return it.
    #[must_use]
    pub fn release_memory(mut self, release: fn()) -> Self {
        self.config.release_memory = Some(release);
        self
    }
    /// PEM certificates to trust instead of Mozilla's when connecting to others.
    #[must_use]
    pub fn ca_file(mut self, path: Option<PathBuf>) -> Self {
        self.config.ca_file = path;
        self
    }
    /// Is told every SQL statement with its values and time.
    #[must_use]
    pub fn trace(mut self, trace: Option<Trace>) -> Self {
        self.config.trace = trace;
        self
    }
    /// Adds a plugin; plugins register in this order.
    #[must_use]
    pub fn plugin(mut self, plugin: impl Plugin + Send + 'static) -> Self {
        self.plugins.push(Box::new(move |setup| plugin.register(setup)));
        self
    }
    /// The hooks, to bind before the app starts.
    #[must_use]
    pub fn hooks(&self) -> &Hooks {
        &self.hooks
    }
    /// Routes and middlewares besides the built-in ones.
    pub fn routes(&mut self) -> &mut Routes {
        &mut self.routes
    }

    /// Registers the plugins and opens the data directory.
    ///
    /// # Errors
    /// When the databases, the settings or a plugin fail.
    pub async fn build(mut self) -> engine::Result<App> {
        for register in self.plugins {
            register(&mut Setup { hooks: &self.hooks, routes: &mut self.routes })?;
        }
        let inner = engine::App::bootstrap(self.config, self.hooks).await?;
        Ok(App { inner, routes: self.routes })
    }
}

/// A running application without a server; derefs to the engine's handle.
#[derive(Debug)]
pub struct App {
    inner: engine::App,
    routes: Routes,
}

impl Deref for App {
    type Target = engine::App;
    fn deref(&self) -> &engine::App {
        &self.inner
    }
}

/// Where and how to serve.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// `host:port` of plain HTTP; beside HTTPS it answers ACME challenges and redirects, and may be empty.
    pub address: String,
    /// `host:port` of HTTPS; empty for plain HTTP.
    pub https: String,
    /// Names to get certificates for; the host of `https` when there are none.
    pub domains: Vec<String>,
    /// Who issues the certificates.
    pub authority: Authority,
    /// Time, connection and shutdown limits; `max_connections` 0 follows the descriptors of the process.
    pub limits: Limits,
    /// Compress every answer that is worth it, not only the dashboard.
    pub compress: bool,
    /// A token for `/api/metrics` besides those of superusers.
    pub metrics_token: Option<String>,
    /// Allowed origins; empty means all.
    pub origins: Vec<String>,
    /// Files served at `/`.
    pub public_dir: Option<PathBuf>,
    /// Missing files are answered with the root `index.html`.
    pub index_fallback: bool,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            address: "127.0.0.1:8090".into(),
            https: String::new(),
            domains: Vec::new(),
            authority: Authority::default(),
            limits: Limits { max_connections: 0, ..Limits::default() },
            compress: false,
            metrics_token: None,
            origins: Vec::new(),
            public_dir: None,
            index_fallback: true,
        }
    }
}

/// Facts of a server that has begun to listen.
#[derive(Debug, Clone)]
pub struct Started {
    /// Where clients find the server, as the addresses were given: `http://127.0.0.1:8090`.
    pub base_url: String,
    /// The address of the socket.
    pub local: SocketAddr,
    /// Where the first superuser is made, if there is none yet. Holds a token: for the person who started the server.
    pub installer: Option<String>,
}

/// Why serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Ended {
    /// It was asked to stop.
    Stopped,
    /// The app wants to be started again in this place (a backup was restored): a new process image, or a new
    /// [`App`].
    Restart,
}

/// Why serving ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// A route pattern is wrong.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The address cannot be used.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Certificates cannot be kept.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] engine::Error),
}

impl App {
    /// Starts building an app.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            config: Config::new("pb_data"),
            hooks: Hooks::default(),
            routes: Routes::default(),
            plugins: Vec::new(),
        }
    }

    /// Routes and middlewares besides the built-in ones.
    pub fn routes(&mut self) -> &mut Routes {
        &mut self.routes
    }

    /// File names of the applied migrations, in the order they were applied.
    ///
    /// # Errors
    /// Database errors.
    pub async fn applied_migrations(&self) -> engine::Result<Vec<String>> {
        let read = |rows: &mut engine::store::Rows<'_>| {
            let mut names = Vec::new();
            while let Some(row) = rows.next()? {
                names.push(row.text(0).to_owned());
            }
            Ok::<_, engine::store::Error>(names)
        };
        let db = self.inner.db();
        let found = db.query(engine::store::system::migrations(db.dialect()), read).await;
        found.and_then(|names| names).map_err(engine::Error::Store)
    }

    /// Serves until `stop` is done or the app wants to be started again, then closes it. `started` is called once the socket listens.
    ///
    /// # Errors
    /// When a route is wrong, the address cannot be used, or the engine fails.
    pub async fn serve(
        self,
        options: ServeOptions,
        stop: impl Future<Output = ()>,
        started: impl FnOnce(Started),
    ) -> Result<Ended, ServeError> {
        let app = self.inner;
        let limits = with_descriptors(options.limits);
        let (sockets, names) = match open(&app, &options).await {
            Ok(opened) => opened,
            Err(error) => {
                app.shutdown(false).await?;
                return Err(error);
            }
        };
        let www = Www::new(&names, sockets.tls.is_some());
        let base_url = base_url(&options);
        let public = options.public_dir.map(|dir| StaticFiles::new(dir, options.index_fallback));
        let api_options = Options {
            origins: options.origins,
            public,
            routes: self.routes,
            www,
            compress: options.compress,
            metrics_token: options.metrics_token,
        };
        let api = Api::new(&app, api_options)?;
        engine::cluster::join(&app).await;
        app.crons().start(&app);
        let installer = installer::link(&Ctx::system(&app), &base_url).await?;
        started(Started { local: sockets.main.local_addr()?, base_url, installer });
        let mut ended = Ended::Stopped;
        let until = async {
            tokio::select! {
                () = stop => {}
                () = engine::settings_ops::watch(&app) => {}
                () = app.backups().restart_requested() => ended = Ended::Restart,
            }
        };
        server::serve(api, sockets, limits, until).await;
        app.shutdown(ended == Ended::Restart).await?;
        Ok(ended)
    }
}

/// As many connections as the process has descriptors for, with some left for files and databases.
fn with_descriptors(mut limits: Limits) -> Limits {
    let descriptors = server::raise_descriptor_limit().unwrap_or(1024);
    if limits.max_connections == 0 {
        let most = (descriptors / 5 * 4).clamp(64, 100_000);
        limits.max_connections = usize::try_from(most).unwrap_or(10_000);
    }
    limits
}

/// Opens the sockets; gives them with the names the server is known by.
async fn open(
    app: &engine::App,
    options: &ServeOptions,
) -> Result<(Sockets, Vec<String>), ServeError> {
    let is_https = !options.https.is_empty();
    let address = if is_https { &options.https } else { &options.address };
    let mut names = options.domains.clone();
    if names.is_empty() {
        names.extend(host(address).map(str::to_owned));
    }
    let main = server::listen(address).await?;
    if !is_https {
        return Ok((Sockets { main, tls: None, redirect: None }, names));
    }
    let is_public = |name: &String| name.contains('.') && name.parse::<IpAddr>().is_err();
    let tls = Tls::new(tls::Options {
        names: names.iter().filter(|name| is_public(name)).cloned().collect(),
        names_on_demand: Www::new(&names, true).siblings().filter(is_public).collect(),
        cache_dir: app.config().data_dir.join(".autocert_cache"),
        authority: options.authority.clone(),
    })?;
    // spec server-settings §1.4: the helper's bind errors are ignored
    let redirect =
        if options.address.is_empty() { None } else { server::listen(&options.address).await.ok() };
    Ok((Sockets { main, tls: Some(tls), redirect }, names))
}

/// The host of `host:port`, if there is one.
fn host(address: &str) -> Option<&str> {
    address.rsplit_once(':').map(|(host, _)| host).filter(|host| !host.is_empty())
}

/// Where clients find the server.
fn base_url(options: &ServeOptions) -> String {
    let (scheme, address) = if options.https.is_empty() {
        ("http", options.address.as_str())
    } else {
        ("https", options.https.as_str())
    };
    let shown = match options.domains.first().map_or(address, String::as_str) {
        "" | ":http" | ":https" => "127.0.0.1",
        shown => shown,
    };
    format!("{scheme}://{shown}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls() {
        for (http, https, domains, want) in [
            ("127.0.0.1:8090", "", &[][..], "http://127.0.0.1:8090"),
            ("", "", &[], "http://127.0.0.1"),
            (":80", ":443", &[], "https://:443"),
            (":80", ":https", &[], "https://127.0.0.1"),
            ("0.0.0.0:80", "0.0.0.0:443", &["a.com", "b.com"], "https://a.com"),
        ] {
            let options = ServeOptions {
                address: http.into(),
                https: https.into(),
                domains: domains.iter().map(|name| (*name).to_owned()).collect(),
                ..ServeOptions::default()
            };
            assert_eq!(base_url(&options), want);
        }
    }

    #[test]
    fn connections_leave_descriptors() {
        let limits = Limits { max_connections: 7, ..Limits::default() };
        assert_eq!(with_descriptors(limits).max_connections, 7);
        let limits = Limits { max_connections: 0, ..limits };
        assert!(with_descriptors(limits).max_connections >= 64);
    }
}
