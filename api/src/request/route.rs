//! What a route is: the rows that built-in ones are written as, and what the router holds. Knows which steps there are, not
//! what they do: `pipeline` walks them.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;

use super::Req;
use crate::{describe::operations::Op, error::Result, metrics::RouteStats, response::Response};

/// A built-in handler.
pub type HandlerFn = for<'a> fn(&'a mut Req) -> BoxFuture<'a, Result<Response>>;
/// A handler of a library user.
pub type DynHandler =
    Arc<dyn for<'a> Fn(&'a mut Req) -> BoxFuture<'a, Result<Response>> + Send + Sync>;
/// A middleware of a library user: does its work and calls [`Next::run`], or not.
pub type DynMiddleware =
    Arc<dyn for<'a> Fn(&'a mut Req, Next<'a>) -> BoxFuture<'a, Result<Response>> + Send + Sync>;

/// What answers a route.
#[derive(Clone)]
pub enum Handler {
    /// One of ours.
    Builtin(HandlerFn),
    /// Registered at run time.
    User(DynHandler),
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Builtin(_) => "Builtin",
            Self::User(_) => "User",
        })
    }
}

/// How a route is rate limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// By method and path.
    Path,
    /// As an action on `{collection}` with these tags; an unknown collection is a 404 before everything else.
    Collection(&'static [&'static str]),
    /// The handler asks by itself ([`Req::count`]).
    Handler,
}

/// How large a body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// 32 MiB.
    Default,
    /// 32 MiB and what the fields of `{collection}` may hold.
    Record,
    /// The batch setting.
    Batch,
    /// No limit.
    None,
}

/// A built-in route as a table row.
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// `METHOD /path`.
    pub pattern: &'static str,
    /// What answers it.
    pub handler: HandlerFn,
    /// How it is rate limited.
    pub rate: Rate,
    /// How large its body may be.
    pub limit: Limit,
    /// Successful answers are not logged.
    pub quiet: bool,
    /// Answers are compressed, however small.
    pub compress: bool,
    /// May take superusers longer than the server's time limit.
    pub long_running: bool,
    /// Answers what nothing else answers: a user's route of the same pattern replaces it.
    pub is_last: bool,
    /// What the description of the API says of it.
    pub(crate) op: Option<Op>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoint").field(&self.pattern).finish()
    }
}

impl Endpoint {
    /// A route with the default options.
    #[must_use]
    pub const fn new(pattern: &'static str, handler: HandlerFn) -> Self {
        Self {
            pattern,
            handler,
            rate: Rate::Path,
            limit: Limit::Default,
            quiet: false,
            compress: false,
            long_running: false,
            is_last: false,
            op: None,
        }
    }
    /// Says what it is for.
    #[must_use]
    pub(crate) const fn op(mut self, op: Op) -> Self {
        self.op = Some(op);
        self
    }
    /// Answers what nothing else answers.
    #[must_use]
    pub const fn last(mut self) -> Self {
        self.is_last = true;
        self
    }
    /// Rate limited in another way.
    #[must_use]
    pub const fn rate(mut self, rate: Rate) -> Self {
        self.rate = rate;
        self
    }
    /// With another body limit.
    #[must_use]
    pub const fn limit(mut self, limit: Limit) -> Self {
        self.limit = limit;
        self
    }
    /// With compressed answers, as the dashboard's are.
    #[must_use]
    pub const fn compress(mut self) -> Self {
        self.compress = true;
        self
    }
    /// Without log entries for successful answers.
    #[must_use]
    pub const fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }
    /// Without the server's time limit for superusers: the size of the database decides how long it takes.
    #[must_use]
    pub const fn long_running(mut self) -> Self {
        self.long_running = true;
        self
    }
}

/// The built-in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Builtin {
    Cors,
    Log,
    Recover,
    LoadAuth,
    SuperuserIps,
    SecurityHeaders,
    RateLimit,
    BodyLimit,
}

/// A user middleware with its place.
#[derive(Clone)]
pub struct Middleware {
    /// Replaces a built-in or earlier one of the same id; may be empty.
    pub id: String,
    /// Lower runs first.
    pub priority: i32,
    /// What it does.
    pub run: DynMiddleware,
}

impl fmt::Debug for Middleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Middleware")
            .field("id", &self.id)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
pub(crate) enum Step {
    Builtin(Builtin),
    User(DynMiddleware),
}

/// A route, ready to run.
pub struct Route {
    /// Its pattern.
    pub pattern: String,
    pub(crate) names: Vec<Box<str>>,
    pub(crate) handler: Handler,
    /// How it is rate limited.
    pub rate: Rate,
    pub(crate) limit: Limit,
    pub(crate) quiet: bool,
    pub(crate) compress: bool,
    pub(crate) long_running: bool,
    pub(crate) stats: Arc<RouteStats>,
    pub(crate) steps: Vec<Step>,
    /// Ours for what nothing else answers.
    pub(crate) is_last: bool,
    /// Goes through steps to the handler.
    pub(crate) walk: Walk,
}

/// How the rest of a chain is run.
pub(crate) type Walk = for<'r> fn(Next<'r>, &'r mut Req) -> BoxFuture<'r, Result<Response>>;

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Route").field(&self.pattern).finish()
    }
}

/// The rest of a chain.
#[derive(Clone, Copy)]
pub struct Next<'a> {
    pub(crate) route: &'a Route,
    pub(crate) steps: &'a [Step],
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("left", &self.steps.len()).finish()
    }
}

impl<'a> Next<'a> {
    /// Runs what comes after, the handler last.
    pub fn run<'r>(self, req: &'r mut Req) -> BoxFuture<'r, Result<Response>>
    where
        'a: 'r,
    {
        (self.route.walk)(self, req)
    }

    /// The same to keep: for whoever cannot borrow for as long as the request takes. `None` outside of a route.
    #[must_use]
    pub fn detach(self, req: &Req) -> Option<Rest> {
        let route = req.route.clone()?;
        let at = route.steps.len().saturating_sub(self.steps.len());
        Some(Rest { route, at })
    }
}

/// [`Next`] without a borrow.
#[derive(Debug, Clone)]
pub struct Rest {
    route: Arc<Route>,
    at: usize,
}

impl Rest {
    /// As [`Next::run`].
    pub fn run(self, req: &mut Req) -> BoxFuture<'_, Result<Response>> {
        Box::pin(async move {
            let next = Next { route: &self.route, steps: &self.route.steps[self.at..] };
            next.run(req).await
        })
    }
}
