//! [`Router`]: routes and groups with their middlewares, kept as data until the server starts.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock, Weak},
};

use api::{
    Description,
    api::{Claims, Routes},
    route::{self, DynHandler, DynMiddleware},
};
use engine::hook::BoxFuture;
use parking_lot::Mutex;

use super::{
    event::{RequestEvent, with_event},
    handler::Handler,
    middleware::Middleware,
};
use crate::{
    app::{App, Shared},
    error::{Error, Result},
    plugin::shown,
};

type Answer = Arc<dyn Fn(RequestEvent) -> BoxFuture<Result<api::Response>> + Send + Sync>;

/// The routes of an app, or a group of them. Clones add to the same.
///
/// Paths are those of the reference (Go 1.22): `/users/{id}`, `/files/{path...}`, `/exact/{$}`, a final slash for everything
/// below; the more specific route wins. See [`App::router`] and [`ServeEvent::router`](crate::event::Event::router).
///
/// ```
/// # use pocketbase::{App, middleware};
/// let app = App::new();
/// app.on_serve().bind(|e| async move {
///     let api = e.router().group("/api/shop");
///     api.bind(middleware::require_auth(["users"]));
///     api.get("/items", || async { "all" });
///     api.route("REPORT", "/items", || async { "custom methods, too" });
///     let admin = api.group("/admin");
///     admin.bind(middleware::require_superuser_auth());
///     admin.any("/{what...}", || async { "any method" });
///     e.next().await
/// });
/// ```
#[derive(Clone)]
pub struct Router {
    table: Arc<Table>,
    group: usize,
    owner: Arc<str>,
}

#[derive(Default)]
struct Table {
    app: OnceLock<Weak<Shared>>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The first is that of the app itself.
    groups: Vec<Group>,
    routes: Vec<Route>,
    /// `on_serve` runs: what is added now is added again when it runs again.
    is_serving: bool,
}

#[derive(Clone, Default)]
struct Group {
    parent: Option<usize>,
    prefix: String,
    /// With the mark of those that `on_serve` added.
    middlewares: Vec<(Middleware, bool)>,
    unbound: Vec<String>,
}

struct Route {
    owner: Arc<str>,
    group: usize,
    /// `GET /hello/{name}`.
    pattern: String,
    /// It is no pattern: what it claims is its.
    claims: Option<Claims>,
    answer: Answer,
    middlewares: Vec<Middleware>,
    unbound: Vec<String>,
    description: Option<Description>,
    /// `on_serve` added it.
    from_serve: bool,
    /// Of an `on_serve` that has run again since.
    is_gone: bool,
}

impl Default for Router {
    fn default() -> Self {
        let table = Table::default();
        table.kept.lock().groups.push(Group::default());
        Self { table: Arc::new(table), group: 0, owner: "".into() }
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").field("n_routes", &self.table.kept.lock().routes.len()).finish()
    }
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident = $method:literal;)*) => {
        impl Router {
            $(
                $(#[$doc])*
                #[allow(clippy::must_use_candidate)]
                pub fn $name<Args>(&self, path: &str, handler: impl Handler<Args>) -> RouteRef {
                    self.add($method, path, handler)
                }
            )*
        }
    };
}
methods! {
    /// Answers GET and HEAD.
    get = "GET";
    /// Answers POST.
    post = "POST";
    /// Answers PUT.
    put = "PUT";
    /// Answers PATCH.
    patch = "PATCH";
    /// Answers DELETE.
    delete = "DELETE";
    /// Answers HEAD.
    head = "HEAD";
    /// Answers OPTIONS that no CORS middleware answers.
    options = "OPTIONS";
    /// Answers every method.
    any = "";
}

impl Router {
    /// Answers a method of one's own.
    #[allow(clippy::must_use_candidate)]
    pub fn route<Args>(&self, method: &str, path: &str, handler: impl Handler<Args>) -> RouteRef {
        self.add(method, path, handler)
    }
    /// Answers what it claims, by method and by path as sent, among the requests that no other route answers, before files of
    /// the public directory are looked for. Paths that are not clean (`//`) are offered as they are; what is not claimed is
    /// redirected. `name` stands in logs and figures in the place of a pattern. Middlewares apply as to any route.
    ///
    /// ```
    /// # use pocketbase::{RequestEvent, testing::TestApp};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let test = TestApp::new().await?;
    /// # let app = test.app();
    /// let is_mine = |_method: &str, path: &str| path.starts_with("/shop");
    /// app.router().claim("shops", is_mine, |e: RequestEvent| async move { e.path().to_owned() });
    /// app.router().get("/shop/open", || async { "open" });
    ///
    /// assert_eq!(test.get("/shop7/a").send().await.text(), "/shop7/a");
    /// assert_eq!(test.get("/shop/open").send().await.text(), "open");
    /// assert_eq!(test.get("/other").send().await.status, 404);
    /// # Ok::<(), pocketbase::Error>(())
    /// # }).unwrap();
    /// ```
    #[allow(clippy::must_use_candidate)]
    pub fn claim<Args>(
        &self,
        name: &str,
        claims: impl Fn(&str, &str) -> bool + Send + Sync + 'static,
        handler: impl Handler<Args>,
    ) -> RouteRef {
        let added = self.add("", name, handler);
        self.table.kept.lock().routes[added.index].claims = Some(Arc::new(claims));
        added
    }
    fn add<Args>(&self, method: &str, path: &str, handler: impl Handler<Args>) -> RouteRef {
        let answer: Answer = Arc::new(move |e| handler.clone().call(e));
        let mut kept = self.table.kept.lock();
        let path = format!("{}{path}", prefix(&kept.groups, self.group));
        let pattern = if method.is_empty() { path } else { format!("{method} {path}") };
        let route = Route {
            owner: self.owner.clone(),
            group: self.group,
            pattern,
            claims: None,
            answer,
            middlewares: Vec::new(),
            unbound: Vec::new(),
            description: None,
            from_serve: kept.is_serving,
            is_gone: false,
        };
        kept.routes.push(route);
        RouteRef { table: self.table.clone(), index: kept.routes.len() - 1 }
    }
    /// A group of routes below a path, with middlewares of its own. Groups may be nested.
    #[must_use]
    pub fn group(&self, prefix: &str) -> Self {
        let mut kept = self.table.kept.lock();
        let group =
            Group { parent: Some(self.group), prefix: prefix.to_owned(), ..Group::default() };
        kept.groups.push(group);
        Self { group: kept.groups.len() - 1, ..self.clone() }
    }
    /// Adds a middleware to all routes of the group; on the router of the app, to every route, built-in ones included.
    #[allow(clippy::must_use_candidate)]
    pub fn bind(&self, middleware: Middleware) -> &Self {
        let mut kept = self.table.kept.lock();
        let from_serve = kept.is_serving;
        kept.groups[self.group].middlewares.push((middleware, from_serve));
        self
    }
    /// Leaves out a middleware by id, also built-in ones (`pbRateLimit`).
    #[allow(clippy::must_use_candidate)]
    pub fn unbind(&self, id: &str) -> &Self {
        self.table.kept.lock().groups[self.group].unbound.push(id.to_owned());
        self
    }

    pub(crate) fn owned_by(mut self, owner: &str) -> Self {
        self.owner = owner.into();
        self
    }
    pub(crate) fn belongs_to(&self, app: &App) {
        let _ = self.table.app.set(Arc::downgrade(&app.shared));
    }

    /// `on_serve` is about to run: what it added the last time is forgotten.
    pub(crate) fn begin_serving(&self) {
        let mut kept = self.table.kept.lock();
        kept.is_serving = true;
        for route in &mut kept.routes {
            // not removed: those who set routes up hold their places
            route.is_gone |= route.from_serve;
        }
        for group in &mut kept.groups {
            group.middlewares.retain(|(_, from_serve)| !from_serve);
        }
    }
    /// `on_serve` has run.
    pub(crate) fn end_serving(&self) {
        self.table.kept.lock().is_serving = false;
    }

    /// Everything as `api` takes it.
    ///
    /// # Errors
    /// One route twice, or of two plugins.
    pub(crate) fn build(&self) -> Result<Routes> {
        let kept = self.table.kept.lock();
        let app = self.table.app.get().cloned().unwrap_or_default();
        let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
        let mut routes = Routes::default();
        for (middleware, _) in &kept.groups[0].middlewares {
            routes.bind(step(&app, middleware, "every route"));
        }
        for id in &kept.groups[0].unbound {
            routes.unbind(id);
        }
        for route in kept.routes.iter().filter(|route| !route.is_gone) {
            if let Some(other) = owners.insert(&route.pattern, &route.owner) {
                if other == &*route.owner {
                    let (owner, pattern) = (shown(other), &route.pattern);
                    return Err(Error::other(format!("{owner} has the route {pattern:?} twice")));
                }
                return Err(Error::other(format!(
                    "{} and {} both have the route {:?}",
                    shown(other),
                    shown(&route.owner),
                    route.pattern
                )));
            }
            let answer = handler(&app, route);
            let mut added = match &route.claims {
                Some(claims) => routes.claimed(&route.pattern, claims.clone(), answer),
                None => routes.route(&route.pattern, answer),
            };
            for group in outermost_first(&kept.groups, route.group) {
                for (middleware, _) in &group.middlewares {
                    added.bind(step(&app, middleware, &route.pattern));
                }
                for id in &group.unbound {
                    added.unbind(id);
                }
            }
            for middleware in &route.middlewares {
                added.bind(step(&app, middleware, &route.pattern));
            }
            for id in &route.unbound {
                added.unbind(id);
            }
            if let Some(description) = &route.description {
                added.describe(description.clone());
            }
        }
        Ok(routes)
    }
}

fn prefix(groups: &[Group], at: usize) -> String {
    let group = &groups[at];
    let above = group.parent.map(|parent| prefix(groups, parent)).unwrap_or_default();
    above + &group.prefix
}

/// The groups of a route, without that of the app, whose middlewares are every route's.
fn outermost_first(groups: &[Group], at: usize) -> Vec<&Group> {
    let mut chain = Vec::new();
    let mut next = Some(at);
    while let Some(at) = next {
        if at > 0 {
            chain.push(&groups[at]);
        }
        next = groups[at].parent;
    }
    chain.reverse();
    chain
}

fn handler(app: &Weak<Shared>, route: &Route) -> DynHandler {
    let (app, answer) = (app.clone(), route.answer.clone());
    let label: Arc<str> = format!("the handler of {:?}", route.pattern).into();
    Arc::new(move |req| {
        let (app, answer, label) = (App::upgrade(&app), answer.clone(), label.clone());
        Box::pin(
            async move { with_event(req, app?, None, &label, move |event| answer(event)).await },
        )
    })
}

fn step(app: &Weak<Shared>, middleware: &Middleware, of: &str) -> route::Middleware {
    let (app, run) = (app.clone(), middleware.run.clone());
    let label: Arc<str> = format!("middleware {:?} of {of:?}", middleware.id).into();
    let run: DynMiddleware = Arc::new(move |req, next| {
        let (app, run, label) = (App::upgrade(&app), run.clone(), label.clone());
        let rest = next.detach(req);
        Box::pin(async move { with_event(req, app?, rest, &label, move |event| run(event)).await })
    });
    route::Middleware { id: middleware.id.clone(), priority: middleware.priority, run }
}

/// A route being set up.
#[derive(Clone)]
pub struct RouteRef {
    table: Arc<Table>,
    index: usize,
}

impl fmt::Debug for RouteRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RouteRef").field(&self.table.kept.lock().routes[self.index].pattern).finish()
    }
}

impl RouteRef {
    /// Says what it is for, who may ask, what it takes and gives: it stands in `/api/openapi.json` from then on.
    ///
    /// ```
    /// use pocketbase::{App, Description};
    ///
    /// let app = App::new();
    /// app.router()
    ///     .get("/api/shop/items", || async { "[]" })
    ///     .describe(Description::new("Shop", "All items").for_everybody());
    /// ```
    #[allow(clippy::must_use_candidate, clippy::return_self_not_must_use)]
    pub fn describe(self, description: Description) -> Self {
        self.table.kept.lock().routes[self.index].description = Some(description);
        self
    }
    /// Adds a middleware.
    #[allow(clippy::must_use_candidate, clippy::return_self_not_must_use)]
    pub fn bind(self, middleware: Middleware) -> Self {
        self.table.kept.lock().routes[self.index].middlewares.push(middleware);
        self
    }
    /// Leaves out a middleware by id: one of its group, or a built-in one.
    #[allow(clippy::must_use_candidate, clippy::return_self_not_must_use)]
    pub fn unbind(self, id: &str) -> Self {
        self.table.kept.lock().routes[self.index].unbound.push(id.to_owned());
        self
    }
}
