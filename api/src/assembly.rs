//! How a server is put together: built-in routes and those of library users become one table.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use engine::App;
use tokio_util::sync::CancellationToken;

use crate::{
    api::{Api, Claims, Inner, Instance, Options, Routes},
    cors::Cors,
    describe::added::Description,
    fields::Picker,
    metrics::{MetricKind, Metrics, Sample},
    rate_limit::Limiter,
    route::{Endpoint, Handler, Middleware, Route},
    router::{Pattern, PatternError, Router},
    routes,
    running::Running,
};

impl Api {
    /// Builds the router and the shared state.
    ///
    /// # Errors
    /// When a user route is malformed or conflicts with another one.
    pub fn new(app: &App, options: Options) -> Result<Self, PatternError> {
        let metrics = Arc::new(Metrics::new(options.metrics_token));
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
            sql: Running::default(),
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
        let row = Endpoint::new("", routes::unknown);
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
    for row in routes::all(public).filter(|row| !(row.is_last && owned(row.pattern))) {
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
    row: Endpoint,
    (handler, middlewares, unbound): (Handler, &[Middleware], &[String]),
    metrics: &Metrics,
) -> Result<(), PatternError> {
    let pattern = Pattern::parse(text)?;
    let names = pattern.names().map(Into::into).collect();
    let stats = metrics.route(text);
    let route = Route::new(row, handler, names, text, middlewares, unbound, stats);
    router.add(pattern, Arc::new(route))
}
