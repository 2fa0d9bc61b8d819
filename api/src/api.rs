//! [`Api`]: the server's shared state, and the builder that turns route tables and user routes into a router.

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
    fields::Picker,
    metrics::{MetricKind, Metrics, Sample},
    pipeline::{DynHandler, Handler, Middleware, Route, Row},
    rate_limit::Limiter,
    router::{Pattern, PatternError, Router},
    routes,
    static_files::StaticFiles,
    www::Www,
};

/// Everything requests share. Cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    app: App,
    router: ArcSwap<Router<Arc<Route>>>,
    /// Routes that are no patterns, in the order they are asked.
    claimed: ArcSwap<Vec<(Claims, Arc<Route>)>>,
    described: ArcSwap<Vec<(String, Description)>>,
    limiter: Limiter,
    cors: Cors,
    public: Option<StaticFiles>,
    www: Www,
    compress: bool,
    metrics: Metrics,
    stopping: CancellationToken,
    instance: Instance,
    plugins: OnceLock<Vec<String>>,
    sql: crate::routes::running_sql::Running,
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
    routes: Vec<UserRoute>,
    global: Vec<Middleware>,
    unbound: Vec<String>,
}

/// Whether a route without a pattern is meant by a method and a path, which is as sent.
pub type Claims = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

#[derive(Clone)]
struct UserRoute {
    pattern: String,
    claims: Option<Claims>,
    handler: DynHandler,
    middlewares: Vec<Middleware>,
    unbound: Vec<String>,
    description: Option<Description>,
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
    /// Builds the router and the shared state.
    ///
    /// # Errors
    /// When a user route is malformed or conflicts with another one.
    pub fn new(app: &App, options: Options) -> Result<Self, PatternError> {
        let metrics = Metrics::new(options.metrics_token);
        let (router, claimed) = build(&options.routes, options.public.is_some(), &metrics)?;
        let origins =
            if options.origins.is_empty() { vec!["*".to_owned()] } else { options.origins };
        let limiter = Limiter::default();
        limiter.follow_settings(app);
        app.realtime().set_pick(pick_fields);
        let realtime = app.realtime().clone();
        let clients = move || u32::try_from(realtime.total_clients()).unwrap_or(u32::MAX);
        let help = "Open realtime streams.";
        metrics.add_source("realtime_clients", help, MetricKind::Gauge, move || {
            vec![Sample::new(clients().into())]
        });
        Ok(Self(Arc::new(Inner {
            app: app.clone(),
            router: ArcSwap::from_pointee(router),
            claimed: ArcSwap::from_pointee(claimed),
            described: ArcSwap::from_pointee(described(&options.routes)),
            limiter,
            cors: Cors::new(origins),
            public: options.public,
            www: options.www,
            compress: options.compress,
            metrics,
            stopping: CancellationToken::new(),
            instance: Instance { id: engine::id::random_alnum(15), started: engine::time::now() },
            plugins: OnceLock::new(),
            sql: crate::routes::running_sql::Running::default(),
        })))
    }

    /// Replaces all user routes and middlewares; running requests finish on the old table.
    ///
    /// # Errors
    /// As [`Api::new`]; then nothing changes.
    pub fn set_routes(&self, routes: &Routes) -> Result<(), PatternError> {
        let (router, claimed) = build(routes, self.0.public.is_some(), &self.0.metrics)?;
        self.0.router.store(Arc::new(router));
        self.0.claimed.store(Arc::new(claimed));
        self.0.described.store(Arc::new(described(routes)));
        Ok(())
    }

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

    pub(crate) fn running_sql(&self) -> &crate::routes::running_sql::Running {
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

    pub(crate) fn metrics(&self) -> &Metrics {
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

/// `fields` of realtime subscriptions; a picker that fails leaves the record whole.
fn pick_fields(fields: &str, record: &[u8]) -> Option<Vec<u8>> {
    Picker::parse(fields).ok()?.apply(record)
}

fn described(routes: &Routes) -> Vec<(String, Description)> {
    let all = routes.routes.iter();
    all.filter_map(|route| Some((route.pattern.clone(), route.description.clone()?))).collect()
}

type Table = (Router<Arc<Route>>, Vec<(Claims, Arc<Route>)>);

/// User routes come first: whoever owns the static pattern keeps it.
fn build(routes: &Routes, public: bool, metrics: &Metrics) -> Result<Table, PatternError> {
    let (mut router, mut claimed) = (Router::default(), Vec::new());
    for user in &routes.routes {
        let row = Row::new("", routes::unknown);
        let middlewares: Vec<Middleware> =
            routes.global.iter().chain(&user.middlewares).cloned().collect();
        let handler = Handler::User(user.handler.clone());
        let unbound: Vec<String> = routes.unbound.iter().chain(&user.unbound).cloned().collect();
        let parts = (handler, &middlewares[..], &unbound[..]);
        if let Some(claims) = &user.claims {
            let (name, stats) = (&user.pattern, metrics.route(&user.pattern));
            let (handler, middlewares, unbound) = parts;
            let route = Route::new(row, handler, vec![], name, middlewares, unbound, stats);
            claimed.push((claims.clone(), Arc::new(route)));
            continue;
        }
        add(&mut router, &user.pattern, row, parts, metrics)?;
    }
    let owned = |pattern: &str| routes.routes.iter().any(|user| user.pattern == pattern);
    for row in routes::all(public).filter(|row| !(routes::is_catch_all(row) && owned(row.pattern)))
    {
        let parts = (Handler::Builtin(row.handler), &routes.global[..], &routes.unbound[..]);
        match add(&mut router, row.pattern, row, parts, metrics) {
            // what the reference does not have must not be in the way of routes that it allows
            Err(PatternError::Conflict(..)) if routes::is_own(&row) => {}
            done => done?,
        }
    }
    Ok((router, claimed))
}

fn add(
    router: &mut Router<Arc<Route>>,
    text: &str,
    row: Row,
    (handler, middlewares, unbound): (Handler, &[Middleware], &[String]),
    metrics: &Metrics,
) -> Result<(), PatternError> {
    let pattern = Pattern::parse(text)?;
    let names = pattern.names().map(Into::into).collect();
    let stats = metrics.route(text);
    let route = Route::new(row, handler, names, text, middlewares, unbound, stats);
    router.add(pattern, Arc::new(route))
}
