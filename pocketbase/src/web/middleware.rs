//! Middlewares: steps around handlers, and the ready-made ones.
//!
//! Ids and priorities of the built-in pipeline are those of the reference (`pbCors`, `pbRateLimit`, …): a middleware of the
//! same id takes the place of a built-in one. Source: spec server-settings §2.1.

use std::{fmt, future::Future, path::PathBuf, sync::Arc};

use api::{
    ApiError, Response,
    static_files::{StaticFiles, by_extension},
};
use engine::hook::BoxFuture;

use super::event::RequestEvent;
use crate::{
    error::{Error, Result},
    record::Record,
};

type Run = Arc<dyn Fn(RequestEvent) -> BoxFuture<Result<Response>> + Send + Sync>;

/// A step around handlers.
///
/// ```
/// # use pocketbase::{ApiError, Middleware, testing::TestApp};
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let test = TestApp::new().await?;
/// # let app = test.app();
/// let key = Middleware::new(|e| async move {
///     if e.header("x-key") != "secret" {
///         return Err(ApiError::forbidden("wrong key").into());
///     }
///     e.next().await
/// });
/// let group = app.router().group("/api/shop");
/// group.bind(key.id("shopKey").priority(-5));
/// group.get("/stock", || async { "42" });
/// group.get("/open", || async { "yes" }).unbind("shopKey");
///
/// assert_eq!(test.get("/api/shop/stock").send().await.status, 403);
/// assert_eq!(test.get("/api/shop/stock").header("x-key", "secret").send().await.text(), "42");
/// assert_eq!(test.get("/api/shop/open").send().await.text(), "yes");
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
#[must_use]
pub struct Middleware {
    pub(super) id: String,
    pub(super) priority: i32,
    pub(super) run: Run,
}

impl fmt::Debug for Middleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Middleware")
            .field("id", &self.id)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

impl Middleware {
    /// A middleware of priority 0 without an id. It must call [`RequestEvent::next`] for the rest to run.
    pub fn new<F, Fut>(run: F) -> Self
    where
        F: Fn(RequestEvent) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Response>> + Send + 'static,
    {
        Self { id: String::new(), priority: 0, run: Arc::new(move |e| Box::pin(run(e))) }
    }
    /// Names it: to be unbound, or to take the place of another one.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }
    /// Lower runs first, further outside.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }
}

const NO_TOKEN: &str = "The request requires valid record authorization token.";
const NO_OWNER: &str = "The request requires superuser or record authorization token.";
const NOT_ALLOWED: &str = "The authorized record is not allowed to perform this action.";

pub(super) fn no_token() -> Error {
    ApiError::unauthorized(NO_TOKEN).into()
}

pub(super) fn superuser(e: &RequestEvent) -> Result<Record> {
    let record = e.auth().ok_or_else(no_token)?;
    if record.is_superuser() { Ok(record) } else { Err(ApiError::forbidden(NOT_ALLOWED).into()) }
}

/// Only signed requests: of records of the given collections (names or ids), of all when none is given.
///
/// ```
/// use pocketbase::{App, middleware};
///
/// let app = App::new();
/// app.router().get("/me", || async { "me" }).bind(middleware::require_auth(["users"]));
/// app.router().get("/any", || async { "any" }).bind(middleware::require_auth([""; 0]));
/// app.router().get("/admin", || async { "admin" }).bind(middleware::require_superuser_auth());
/// app.router().get("/join", || async { "join" }).bind(middleware::require_guest_only());
/// app.router()
///     .post("/users/{id}/mail", || async { "ok" })
///     .bind(middleware::require_superuser_or_owner_auth("id"))
///     .bind(middleware::body_limit(1024))
///     .bind(middleware::gzip())
///     .bind(middleware::skip_success_activity_log());
/// ```
pub fn require_auth<S: Into<String>>(collections: impl IntoIterator<Item = S>) -> Middleware {
    let allowed: Arc<[String]> = collections.into_iter().map(Into::into).collect();
    let middleware = Middleware::new(move |e| {
        let allowed = allowed.clone();
        async move {
            let record = e.auth().ok_or_else(no_token)?;
            let (name, id) = (record.collection_name(), record.collection().id());
            if !allowed.is_empty() && !allowed.contains(&name) && !allowed.contains(&id) {
                return Err(ApiError::forbidden(NOT_ALLOWED).into());
            }
            e.next().await
        }
    });
    middleware.id("pbRequireAuth")
}

/// Only superusers.
pub fn require_superuser_auth() -> Middleware {
    let middleware = Middleware::new(|e| async move {
        superuser(&e)?;
        e.next().await
    });
    middleware.id("pbRequireSuperuserAuth")
}

/// Only unsigned requests.
pub fn require_guest_only() -> Middleware {
    let middleware = Middleware::new(|e| async move {
        if e.auth().is_some() {
            return Err(ApiError::bad_request("The request can be accessed only by guests.").into());
        }
        e.next().await
    });
    middleware.id("pbRequireGuestOnly")
}

/// Only superusers, and the record whose id is in the path under a name (`id` when it is empty).
pub fn require_superuser_or_owner_auth(path_name: &str) -> Middleware {
    let name: Arc<str> = if path_name.is_empty() { "id".into() } else { path_name.into() };
    let middleware = Middleware::new(move |e| {
        let name = name.clone();
        async move {
            let record = e.auth().ok_or_else(|| Error::from(ApiError::unauthorized(NO_OWNER)))?;
            if !record.is_superuser() && record.id() != e.path_value(&name) {
                return Err(
                    ApiError::forbidden("You are not allowed to perform this request.").into()
                );
            }
            e.next().await
        }
    });
    middleware.id("pbRequireSuperuserOrOwnerAuth")
}

/// Another longest body than 32 MiB. In the place of the built-in limit.
pub fn body_limit(bytes: u64) -> Middleware {
    let middleware = Middleware::new(move |e| async move {
        e.limit_body(bytes)?;
        e.next().await
    });
    middleware.id("pbBodyLimit").priority(-990)
}

/// Compresses answers as the client likes it.
pub fn gzip() -> Middleware {
    let middleware = Middleware::new(|e| async move {
        let mut response = e.next().await?;
        e.compress(&mut response);
        Ok(response)
    });
    middleware.id("pbGzip")
}

/// Successful answers are not logged.
pub fn skip_success_activity_log() -> Middleware {
    let middleware = Middleware::new(|e| async move {
        e.skip_success_activity_log();
        e.next().await
    });
    middleware.id("pbSkipSuccessActivityLog")
}

/// A handler that serves the files of a directory, for a route that ends in `{path...}`. Missing files are answered with the
/// root `index.html` if `index_fallback` is on.
///
/// ```
/// use pocketbase::{App, middleware::static_files};
///
/// let app = App::new();
/// app.router().get("/docs/{path...}", static_files("./docs", false));
/// ```
pub fn static_files(
    dir: impl Into<PathBuf>,
    index_fallback: bool,
) -> impl Fn(RequestEvent) -> BoxFuture<Result<Response>> + Clone + Send + Sync + 'static {
    let files = Arc::new(StaticFiles::new(dir.into(), index_fallback));
    move |e| {
        let files = files.clone();
        Box::pin(async move { Ok(files.serve(&e.path_value("path"), e.path(), e.head()).await?) })
    }
}

/// A handler that serves files that are part of the executable, by their paths (`"js/app.js"`), for a route that ends in
/// `{path...}`. A directory is its `index.html`; with `index_fallback` missing files are the root one.
///
/// ```
/// use pocketbase::{App, middleware::embedded_files};
///
/// const SITE: &[(&str, &[u8])] = &[("index.html", b"<h1>Shop</h1>"), ("app.css", b"h1 { color: teal }")];
/// let app = App::new();
/// app.router().get("/{path...}", embedded_files(SITE, true));
/// ```
pub fn embedded_files(
    files: &'static [(&'static str, &'static [u8])],
    index_fallback: bool,
) -> impl Fn(RequestEvent) -> BoxFuture<Result<Response>> + Clone + Send + Sync + 'static {
    let find = move |wanted: &str| files.iter().find(|(name, _)| *name == wanted);
    move |e| {
        let path = e.path_value("path");
        let path = path.trim_matches('/');
        let index =
            if path.is_empty() { "index.html".to_owned() } else { format!("{path}/index.html") };
        let root = index_fallback.then_some("index.html");
        let found = find(path).or_else(|| find(&index)).or_else(|| root.and_then(find));
        Box::pin(std::future::ready(match found {
            Some((name, content)) => {
                let kind = by_extension(name).unwrap_or("application/octet-stream");
                Ok(Response::text(200, kind, *content))
            }
            None => Err(ApiError::not_found("File not found.").into()),
        }))
    }
}
