//! Serving: routes and plugins become a server, or a service inside somebody else's.

use std::{
    convert::Infallible,
    future::Future,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    pin::Pin,
    sync::Arc,
};

use api::{
    Body,
    api::{Api, Options},
    body::Source,
    server::{self, Sockets},
    static_files::StaticFiles,
    tls::{self, Tls},
    www::Www,
};
pub use api::{
    server::{Limits, Times},
    tls::Authority,
};
use engine::{Ctx, event::ServeEvent, installer};
use hyper::body::Incoming;

use crate::{app::App, error::Result, web::Serving};

/// Where and how to serve.
#[derive(Debug, Clone)]
#[non_exhaustive]
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

impl ServeOptions {
    /// Plain HTTP at `host:port`.
    #[must_use]
    pub fn at(address: impl Into<String>) -> Self {
        Self { address: address.into(), ..Self::default() }
    }
}

/// Facts of a server that has begun to listen.
#[derive(Debug, Clone)]
#[non_exhaustive]
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
    /// The app wants to be started again in this place (a backup was restored): a new process image, or
    /// [`App::serve`] once more.
    Restart,
}

impl App {
    /// Opens the app if it is not, applies its migrations, runs `on_serve` and serves until `stop` is done or the app wants
    /// to be started again; then closes it. `started` is told when the socket listens.
    ///
    /// ```
    /// # use pocketbase::{App, Ended, ServeOptions};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let dir = tempfile::tempdir().unwrap();
    /// let app = App::builder().data_dir(dir.path()).build()?;
    /// app.router().get("/hello", || async { "Hello" });
    ///
    /// let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    /// let until = async { _ = stopped.await };
    /// let ended = app.serve(ServeOptions::at("127.0.0.1:0"), until, |started| {
    ///     assert_ne!(started.local.port(), 0);
    ///     _ = stop.send(());
    /// }).await?;
    /// assert_eq!(ended, Ended::Stopped);
    /// # Ok::<(), pocketbase::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When a route is wrong or two plugins have it, the address cannot be used, a migration or the engine fails.
    pub async fn serve(
        &self,
        options: ServeOptions,
        stop: impl Future<Output = ()> + Send,
        started: impl FnOnce(Started) + Send,
    ) -> Result<Ended> {
        self.bootstrap().await?;
        match Box::pin(self.serving(options, stop, started)).await {
            Ok(ended) => {
                self.close(ended == Ended::Restart).await?;
                Ok(ended)
            }
            Err(error) => {
                self.close(false).await?;
                Err(error)
            }
        }
    }

    async fn serving(
        &self,
        options: ServeOptions,
        stop: impl Future<Output = ()> + Send,
        started: impl FnOnce(Started) + Send,
    ) -> Result<Ended> {
        let app = self.engine()?;
        self.migrations().up(self).await?;
        let limits = with_descriptors(options.limits);
        let base_url = base_url(&options);
        let (sockets, names) = open(&app, &options).await?;
        let local = sockets.main.local_addr()?;
        let serving = Serving { base_url: base_url.clone(), local: Some(local) };
        let api = self.api(options, &names, sockets.tls.is_some(), serving).await?;
        engine::cluster::join(&app).await;
        app.crons().start(&app);
        let installer = installer::link(&Ctx::system(&app), &base_url).await?;
        started(Started { local, base_url, installer });
        let mut ended = Ended::Stopped;
        let until = async {
            tokio::select! {
                () = stop => {}
                () = engine::settings_ops::watch(&app) => {}
                () = app.backups().restart_requested() => ended = Ended::Restart,
            }
        };
        server::serve(api, sockets, limits, until).await;
        Ok(ended)
    }

    /// The opened app with its routes, after `on_serve`.
    pub(crate) async fn api(
        &self,
        options: ServeOptions,
        names: &[String],
        is_tls: bool,
        serving: Serving,
    ) -> Result<Api> {
        let app = self.engine()?;
        let event = ServeEvent { app: app.clone(), ext: Arc::new(serving).into() };
        self.router().begin_serving();
        let heard = app.hooks().serve.trigger(event, |_| std::future::ready(Ok(()))).await;
        self.router().end_serving();
        heard?;
        let api_options = Options {
            origins: options.origins,
            public: options.public_dir.map(|dir| StaticFiles::new(dir, options.index_fallback)),
            routes: self.router().build()?,
            www: Www::new(names, is_tls),
            compress: options.compress,
            metrics_token: options.metrics_token,
        };
        let api = Api::new(&app, api_options)?;
        let metrics = self.shared.registered.lock().metrics.clone();
        for metric in metrics {
            let read = metric.read;
            api.add_metrics(metric.name, metric.help, metric.kind, move || read());
        }
        api.set_plugins(self.shared.registered.lock().names.clone());
        Ok(api)
    }

    /// The app as a service inside a server of one's own (hyper, axum): opened, migrated, with its routes and crons, but
    /// without a socket. Call [`App::shutdown`] at the end.
    ///
    /// # Errors
    /// As [`App::serve`].
    pub async fn service(&self, options: ServeOptions) -> Result<Service> {
        self.bootstrap().await?;
        self.migrations().up(self).await?;
        let serving = Serving { base_url: base_url(&options), local: None };
        let api = Box::pin(self.api(options, &[], false, serving)).await?;
        let app = self.engine()?;
        engine::cluster::join(&app).await;
        app.crons().start(&app);
        Ok(Service { api, _app: self.clone() })
    }
}

/// The app as a service for requests that another server has read. Cheap to clone. See [`App::service`].
///
/// ```
/// # use pocketbase::{App, ServeOptions};
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let dir = tempfile::tempdir().unwrap();
/// let app = App::builder().data_dir(dir.path()).build()?;
/// let service = app.service(ServeOptions::default()).await?;
/// let request = http::Request::get("/api/health").header("host", "localhost").body(bytes::Bytes::new())?;
/// let response = service.call_bytes(request, ([127, 0, 0, 1], 0).into()).await;
/// assert_eq!(response.status(), 200);
/// app.shutdown().await?;
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Service {
    api: Api,
    /// Handlers find the app through it.
    _app: App,
}

impl Service {
    /// Answers a request whose body is on the wire.
    pub async fn call(
        &self,
        request: ::http::Request<Incoming>,
        remote: SocketAddr,
    ) -> ::http::Response<Body> {
        server::call(&self.api, request.map(Source::Wire), remote).await
    }
    /// Answers a request whose body is in memory.
    pub async fn call_bytes(
        &self,
        request: ::http::Request<bytes::Bytes>,
        remote: SocketAddr,
    ) -> ::http::Response<Body> {
        server::call(&self.api, request.map(Source::Bytes), remote).await
    }
}

/// For hyper. The address of the client is taken from a `SocketAddr` in the request's extensions.
impl hyper::service::Service<::http::Request<Incoming>> for Service {
    type Response = ::http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;
    fn call(&self, request: ::http::Request<Incoming>) -> Self::Future {
        let service = self.clone();
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let remote = request.extensions().get::<SocketAddr>().copied().unwrap_or(unknown);
        Box::pin(async move { Ok(Self::call(&service, request, remote).await) })
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
async fn open(app: &engine::App, options: &ServeOptions) -> Result<(Sockets, Vec<String>)> {
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
    let tls = Tls::new(tls::TlsOptions {
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
