//! [`Api`]: the server's shared state, and what library users add to it. Must not know which routes are built in.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use arc_swap::{ArcSwap, Guard};
use engine::App;
use tokio_util::sync::CancellationToken;

use crate::{
    cors::Cors,
    describe::added::Description,
    metrics::{MetricKind, Metrics, Sample},
    rate_limit::Limiter,
    route::{DynHandler, Middleware, Route},
    router::Router,
    running::Running,
    static_files::StaticFiles,
    www::Www,
};

/// Everything requests share. Cheap to clone.
#[derive(Clone)]
pub struct Api(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) app: App,
    pub(crate) router: ArcSwap<Router<Arc<Route>>>,
    /// Routes that are no patterns, in the order they are asked.
    pub(crate) claimed: ArcSwap<Vec<(Claims, Arc<Route>)>>,
    pub(crate) described: ArcSwap<Vec<(String, Description)>>,
    pub(crate) limiter: Limiter,
    pub(crate) cors: Cors,
    pub(crate) public: Option<StaticFiles>,
    pub(crate) www: Www,
    pub(crate) compress: bool,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stopping: CancellationToken,
    pub(crate) instance: Instance,
    pub(crate) plugins: OnceLock<Vec<String>>,
    pub(crate) sql: Running,
}

/// Which run of the server this is.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Another one after each start, restores included.
    pub id: String,
    /// When it started.
    pub started: engine::time::Timestamp,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("n_routes", &self.0.router.load().routes().count())
            .finish_non_exhaustive()
    }
}

/// What a server needs besides the app.
#[derive(Debug, Default)]
pub struct Options {
    /// Allowed origins; empty means all.
    pub origins: Vec<String>,
    /// Files served at `/`.
    pub public: Option<StaticFiles>,
    /// Routes and middlewares of library users.
    pub routes: Routes,
    /// Names whose `www.` siblings are redirected.
    pub www: Www,
    /// Compress every answer that is worth it, not only the dashboard.
    pub compress: bool,
    /// A token for `/api/metrics` besides those of superusers.
    pub metrics_token: Option<String>,
}

/// Routes and middlewares that are not built in.
#[derive(Debug, Default, Clone)]
pub struct Routes {
    pub(crate) routes: Vec<UserRoute>,
    pub(crate) global: Vec<Middleware>,
    pub(crate) unbound: Vec<String>,
}

/// Whether a route without a pattern is meant by a method and a path, which is as sent.
pub type Claims = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

#[derive(Clone)]
pub(crate) struct UserRoute {
    pub(crate) pattern: String,
    pub(crate) claims: Option<Claims>,
    pub(crate) handler: DynHandler,
    pub(crate) middlewares: Vec<Middleware>,
    pub(crate) unbound: Vec<String>,
    pub(crate) description: Option<Description>,
}

impl fmt::Debug for UserRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UserRoute").field(&self.pattern).finish()
    }
}

impl Routes {
    /// Adds a route (`GET /hello/{name}`); returns it for middlewares of its own.
    pub fn route(&mut self, pattern: &str, handler: DynHandler) -> RouteRef<'_> {
        self.routes.push(UserRoute {
            pattern: pattern.to_owned(),
            claims: None,
            handler,
            middlewares: Vec::new(),
            unbound: Vec::new(),
            description: None,
        });
        RouteRef(self.routes.last_mut().expect("just pushed"))
    }

    /// Adds a route that answers what it claims among the requests that no pattern answers, before files are looked for;
    /// `name` stands in logs and figures in the place of a pattern.
    pub fn claimed(&mut self, name: &str, claims: Claims, handler: DynHandler) -> RouteRef<'_> {
        let added = self.route(name, handler);
        added.0.claims = Some(claims);
        added
    }

    /// Adds a middleware to every route, built-in ones included.
    pub fn bind(&mut self, middleware: Middleware) -> &mut Self {
        self.global.push(middleware);
        self
    }

    /// Leaves out a middleware by id on every route, built-in ones included.
    pub fn unbind(&mut self, id: &str) -> &mut Self {
        self.unbound.push(id.to_owned());
        self
    }
}

/// A route being set up.
pub struct RouteRef<'r>(&'r mut UserRoute);

impl fmt::Debug for RouteRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl RouteRef<'_> {
    /// Says what it is for: it stands in `/api/openapi.json` from then on.
    pub fn describe(&mut self, description: Description) -> &mut Self {
        self.0.description = Some(description);
        self
    }
    /// Adds a middleware, or replaces the one of the same id.
    pub fn bind(&mut self, middleware: Middleware) -> &mut Self {
        self.0.middlewares.push(middleware);
        self
    }
    /// Leaves out a middleware by id.
    pub fn unbind(&mut self, id: &str) -> &mut Self {
        self.0.unbound.push(id.to_owned());
        self
    }
}

impl Api {
    /// The application.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.0.app
    }

    pub(crate) fn router(&self) -> Guard<Arc<Router<Arc<Route>>>> {
        self.0.router.load()
    }

    /// The route without a pattern that claims a request.
    pub(crate) fn claimed_by(&self, method: &str, path: &str) -> Option<Arc<Route>> {
        let claimed = self.0.claimed.load();
        claimed.iter().find(|(claims, _)| claims(method, path)).map(|(_, route)| route.clone())
    }

    /// What routes that are not built in say of themselves, by pattern.
    pub(crate) fn described(&self) -> Guard<Arc<Vec<(String, Description)>>> {
        self.0.described.load()
    }

    pub(crate) fn limiter(&self) -> &Limiter {
        &self.0.limiter
    }

    pub(crate) fn running_sql(&self) -> &Running {
        &self.0.sql
    }

    pub(crate) fn cors(&self) -> &Cors {
        &self.0.cors
    }

    /// Done when the server begins to stop; streams should end then.
    #[must_use]
    pub fn stopping(&self) -> &CancellationToken {
        &self.0.stopping
    }

    /// Adds a number to `/api/metrics` that is read when somebody asks for it.
    pub fn add_gauge(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        self.add_metrics(name, help, MetricKind::Gauge, move || vec![Sample::new(read())]);
    }

    /// Adds numbers to `/api/metrics` that are read when somebody asks for them.
    pub fn add_metrics(
        &self,
        name: &'static str,
        help: &'static str,
        kind: MetricKind,
        read: impl Fn() -> Vec<Sample> + Send + Sync + 'static,
    ) {
        self.0.metrics.add_source(name, help, kind, read);
    }

    /// Which run of the server this is.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        &self.0.instance
    }

    /// Names the plugins that this server was made with; only the first call counts.
    pub fn set_plugins(&self, names: Vec<String>) {
        let _ = self.0.plugins.set(names);
    }

    pub(crate) fn plugins(&self) -> &[String] {
        self.0.plugins.get().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.0.metrics
    }

    pub(crate) fn www(&self) -> &Www {
        &self.0.www
    }

    pub(crate) fn compresses(&self) -> bool {
        self.0.compress
    }

    pub(crate) fn public(&self) -> Option<&StaticFiles> {
        self.0.public.as_ref()
    }
}
