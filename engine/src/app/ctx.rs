//! The first argument of every operation: which app, which database handle, who asks, and what happens afterwards.
//!
//! Knows no HTTP: request facts arrive as plain maps, and only when an expression needs them.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fmt,
    future::Future,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use filter_lang::scope::{self, Datum};
use parking_lot::Mutex;
use serde_json::{Map, Value};

use crate::{
    Error, Result,
    app::App,
    app::record::Record,
    field::Val,
    hook::BoxFuture,
    schema::Snapshot,
    store::{Claims, Db, retry},
};

/// Who asks.
#[derive(Debug, Clone, Default)]
pub enum Caller {
    /// Nobody in particular.
    #[default]
    Guest,
    /// A record of an auth collection.
    Record(Arc<Record>),
    /// A record of `_superusers`: no rule applies. Code of the server itself acts as [`Ctx::system`].
    Superuser(Arc<Record>),
}

impl Caller {
    /// The caller for an auth record, or the guest.
    #[must_use]
    pub fn of(record: Option<Arc<Record>>) -> Self {
        match record {
            None => Self::Guest,
            Some(r) if r.is_superuser() => Self::Superuser(r),
            Some(r) => Self::Record(r),
        }
    }
    /// The auth record.
    #[must_use]
    pub fn record(&self) -> Option<&Arc<Record>> {
        match self {
            Self::Guest => None,
            Self::Record(r) | Self::Superuser(r) => Some(r),
        }
    }
    /// True for superusers.
    #[must_use]
    pub fn is_superuser(&self) -> bool {
        matches!(self, Self::Superuser(_))
    }
    /// True if the caller is this record.
    #[must_use]
    pub fn is(&self, collection_id: &str, id: &str) -> bool {
        self.record().is_some_and(|r| r.id() == id && r.collection().id == collection_id)
    }
}

/// The facts behind `@request.*`, as the layer above knows them.
#[derive(Debug, Clone, Default)]
pub struct RequestFacts {
    /// Upper-case method.
    pub method: String,
    /// First value per query parameter.
    pub query: BTreeMap<String, String>,
    /// First value per snake-cased header name, without `host`.
    pub headers: BTreeMap<String, String>,
    /// The parsed body.
    pub body: Map<String, Value>,
}

/// What a client attaches to a subscription: the facts rules see as `@request.query.*` and `@request.headers.*`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubscriptionOptions {
    /// `filter`, `expand`, `fields` and whatever rules ask for.
    pub query: BTreeMap<String, String>,
    /// By snake-cased name.
    pub headers: BTreeMap<String, String>,
    /// Wants to hear of records that an update takes out of sight. Not part of the reference.
    pub leave: bool,
}

impl SubscriptionOptions {
    /// A query value; `""` when it is missing.
    #[must_use]
    pub fn query(&self, key: &str) -> &str {
        self.query.get(key).map_or("", String::as_str)
    }
}

type MakeFacts = dyn Fn() -> RequestFacts + Send + Sync;

/// The facts of a request, and what makes them.
struct Source<F: ?Sized> {
    facts: OnceLock<RequestFacts>,
    make: F,
}

/// A request as rules see it. Facts are made on first use.
pub struct RequestInfo {
    context: Cow<'static, str>,
    source: Arc<Source<MakeFacts>>,
    method: Option<Cow<'static, str>>,
    body: Option<Arc<BTreeMap<String, Datum>>>,
    whole_auth: bool,
    made: OnceLock<Arc<scope::Request>>,
}

impl fmt::Debug for RequestInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestInfo").field("context", &self.context).finish_non_exhaustive()
    }
}

impl RequestInfo {
    /// A request of context `default` whose facts are made when an expression asks for them.
    pub fn lazy(make: impl Fn() -> RequestFacts + Send + Sync + 'static) -> Self {
        Self {
            context: Cow::Borrowed("default"),
            source: Arc::new(Source { facts: OnceLock::new(), make }),
            method: None,
            body: None,
            whole_auth: false,
            made: OnceLock::new(),
        }
    }
    /// What rules see of a realtime subscriber. All of its auth record is at hand, so that rules need no database
    /// for it.
    #[must_use]
    pub fn realtime(options: Arc<SubscriptionOptions>) -> Self {
        let made = Self::lazy(move || RequestFacts {
            method: "GET".into(),
            query: options.query.clone(),
            headers: options.headers.clone(),
            body: Map::new(),
        });
        Self { context: Cow::Borrowed("realtime"), whole_auth: true, ..made }
    }
    /// The same request in another context (`expand`, `batch`, `protectedFile`, …).
    #[must_use]
    pub fn in_context(&self, context: impl Into<Cow<'static, str>>) -> Self {
        Self { context: context.into(), ..self.derive() }
    }
    /// The same request under another method (batch upserts).
    #[must_use]
    pub fn with_method(&self, method: impl Into<Cow<'static, str>>) -> Self {
        Self { method: Some(method.into()), ..self.derive() }
    }
    /// The same request with a normalized body.
    #[must_use]
    pub fn with_body(&self, body: BTreeMap<String, Datum>) -> Self {
        Self { body: Some(Arc::new(body)), ..self.derive() }
    }
    fn derive(&self) -> Self {
        Self {
            context: self.context.clone(),
            source: self.source.clone(),
            method: self.method.clone(),
            body: self.body.clone(),
            whole_auth: self.whole_auth,
            made: OnceLock::new(),
        }
    }
    /// `default`, `expand`, …
    #[must_use]
    pub fn context(&self) -> &str {
        &self.context
    }
    /// The raw facts.
    #[must_use]
    pub fn facts(&self) -> &RequestFacts {
        self.source.facts.get_or_init(|| (self.source.make)())
    }

    /// The facts as expressions read them.
    pub(crate) fn scope(&self, caller: &Caller) -> Arc<scope::Request> {
        self.made
            .get_or_init(|| {
                let facts = self.facts();
                let body = match &self.body {
                    Some(body) => BTreeMap::clone(body),
                    None => facts.body.iter().map(|(k, v)| (k.clone(), datum(v))).collect(),
                };
                Arc::new(scope::Request {
                    context: self.context.clone().into_owned(),
                    method: self
                        .method
                        .as_ref()
                        .map_or_else(|| facts.method.clone(), |m| m.clone().into_owned()),
                    query: facts.query.clone(),
                    headers: facts.headers.clone(),
                    body,
                    auth: caller.record().map(|r| auth_of(r, self.whole_auth)),
                })
            })
            .clone()
    }
}

/// Header names as rules spell them: `x-test.b` is `x_test_b`.
#[must_use]
pub fn header_key(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
    }
    out.truncate(out.trim_end_matches('_').len());
    out
}

/// A JSON value as expressions read it.
#[must_use]
pub fn datum(value: &Value) -> Datum {
    match value {
        Value::Null => Datum::Null,
        Value::Bool(b) => Datum::Bool(*b),
        Value::Number(n) => Datum::Number(n.as_f64().unwrap_or_default()),
        Value::String(s) => Datum::Text(s.clone()),
        Value::Array(items) => Datum::List(items.iter().map(datum).collect()),
        Value::Object(map) => match crate::json::deep::text_of(map) {
            Some(text) => Datum::Json(text.to_owned()),
            None => Datum::Map(map.iter().map(|(k, v)| (k.clone(), datum(v))).collect()),
        },
    }
}

fn auth_of(record: &Record, whole: bool) -> scope::Auth {
    let collection = record.collection();
    let is_wanted = |name: &str| matches!(name, "email" | "emailVisibility" | "verified");
    let columns = collection
        .fields
        .iter()
        .enumerate()
        .filter(|(_, field)| whole || is_wanted(&field.name))
        .map(|(index, field)| (field.name.clone(), field.kind.to_db(record.value(index))))
        .collect();
    scope::Auth {
        id: record.id().into(),
        collection_id: collection.id.as_str().into(),
        collection_name: collection.name.as_str().into(),
        columns,
    }
}

/// How the outermost transaction ended.
pub type Outcome = std::result::Result<(), Arc<Error>>;
type After = Box<dyn FnOnce(Ctx, Outcome) -> BoxFuture<Result<()>> + Send>;

/// Longest transaction of work that may take long: imports, schema changes, truncation.
const LONG: Duration = Duration::from_secs(60 * 60);

/// How often a transaction has written a record.
pub(crate) type Writes = Arc<AtomicU32>;

/// What the outermost transaction shares: work that waits for its end, the collections as it sees them, and, of records
/// (by collection) that somebody watches, how often it has written them.
#[derive(Default)]
pub struct AfterQueue(
    Mutex<Vec<After>>,
    Mutex<Option<Arc<Snapshot>>>,
    Mutex<HashMap<(String, String), Writes>>,
);

impl fmt::Debug for AfterQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AfterQueue").field(&self.0.lock().len()).finish()
    }
}

/// The collections as a request sees them from its start to its end, whatever others change meanwhile. Clones share it:
/// a change that the request makes itself is seen by all of it.
#[derive(Debug, Clone)]
pub struct Seen(Arc<Mutex<Arc<Snapshot>>>);

impl Seen {
    /// The collections at this moment.
    #[must_use]
    pub fn now(app: &App) -> Self {
        Self(Arc::new(Mutex::new(app.schema())))
    }
    /// The collections.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.lock().clone()
    }
    /// Goes on with the collections as they are now: where the request itself has changed them, or is about to.
    pub fn catch_up(&self, app: &App) {
        *self.0.lock() = app.schema();
    }
}

/// Everything an operation needs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ctx {
    /// The application.
    pub app: App,
    /// Autocommit, or one open transaction.
    pub db: Db,
    /// Who asks.
    pub caller: Caller,
    /// The request, `None` for programmatic use: then `@request.*` is NULL.
    pub request: Option<Arc<RequestInfo>>,
    seen: Seen,
    after: Option<Arc<AfterQueue>>,
}

impl Ctx {
    /// A context of its own, with the collections as they are now.
    #[must_use]
    pub fn new(app: &App, caller: Caller, request: Option<Arc<RequestInfo>>) -> Self {
        Self::over(app, Seen::now(app), caller, request)
    }
    /// A context of a request that has begun: with the collections as it sees them.
    #[must_use]
    pub fn over(app: &App, seen: Seen, caller: Caller, request: Option<Arc<RequestInfo>>) -> Self {
        let mut db = app.db();
        if db.database().has_row_security() {
            let claims = claims_of(app, &caller, request.is_some());
            db = Db::Pool(db.database().for_claims(claims));
        }
        Self { app: app.clone(), db, caller, request, seen, after: None }
    }
    /// Code of the server itself: no request, nobody asks.
    #[must_use]
    pub fn system(app: &App) -> Self {
        Self::new(app, Caller::Guest, None)
    }
    /// The same for work about a collection: see [`Database::about`](crate::store::Database::about).
    #[must_use]
    pub fn about(&self, collection_id: &str) -> Self {
        match &self.db {
            Db::Pool(database) if database.counts_subjects() => {
                let database = database.about(Some(collection_id.into()));
                Self { db: Db::Pool(database), ..self.clone() }
            }
            _ => self.clone(),
        }
    }
    /// The same with another caller.
    #[must_use]
    pub fn with_caller(&self, caller: Caller) -> Self {
        // Made facts carry the caller: derive a request that makes its own.
        let request = self.request.as_ref().map(|r| Arc::new(r.derive()));
        match &self.db {
            Db::Pool(database) => {
                let ctx = Self::over(&self.app, self.seen.clone(), caller, request);
                match database.subject() {
                    Some(subject) => ctx.about(&subject),
                    None => ctx,
                }
            }
            // The variables of an open transaction stay as they are.
            Db::Tx(_) => Self { caller, request, ..self.clone() },
        }
    }
    /// The same with another request.
    #[must_use]
    pub fn with_request(&self, request: RequestInfo) -> Self {
        Self { request: Some(Arc::new(request)), ..self.clone() }
    }
    /// The same request in another context.
    #[must_use]
    pub fn in_context(&self, context: &'static str) -> Self {
        let request = self.request.as_ref().map(|r| Arc::new(r.in_context(context)));
        Self { request, ..self.clone() }
    }
    /// The same, reading what an open transaction of somebody else sees.
    #[must_use]
    pub(crate) fn reading_in(&self, db: &Db) -> Self {
        Self { db: db.clone(), ..self.clone() }
    }
    /// True inside a transaction.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        self.after.is_some()
    }

    /// How often the open transaction has written a record, this time included; goes on counting. `None`: there is none.
    pub(crate) fn count_write(&self, collection_id: &str, id: &str) -> Option<Writes> {
        let open = self.after.as_ref()?;
        let key = (collection_id.to_owned(), id.to_owned());
        let writes = open.2.lock().entry(key).or_default().clone();
        writes.fetch_add(1, Ordering::AcqRel);
        Some(writes)
    }
    /// True if the open transaction has written a record that is watched.
    pub(crate) fn has_written(&self, collection_id: &str, id: &str) -> bool {
        let key = || (collection_id.to_owned(), id.to_owned());
        self.after.as_ref().is_some_and(|open| {
            let writes = open.2.lock();
            !writes.is_empty() && writes.contains_key(&key())
        })
    }

    /// The collections as this operation sees them: as they were when its request began, with what the request has
    /// changed itself, and with the uncommitted changes of its transaction.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        let changed = self.after.as_ref().and_then(|open| open.1.lock().clone());
        changed.unwrap_or_else(|| self.seen.snapshot())
    }
    /// Goes on with the collections as they are now: who changes them works on what is stored. A transaction that has
    /// changed them keeps what it sees.
    pub(crate) fn catch_up(&self) {
        self.seen.catch_up(&self.app);
    }

    /// The same over other collections than the stored ones: for looking at what would be, never for running it.
    #[must_use]
    pub fn with_schema(&self, snapshot: Arc<Snapshot>) -> Self {
        let queue = AfterQueue(Mutex::default(), Mutex::new(Some(snapshot)), Mutex::default());
        Self { after: Some(Arc::new(queue)), ..self.clone() }
    }

    /// Reads the collections again. Inside a transaction others see them after the commit.
    ///
    /// # Errors
    /// Database errors.
    pub async fn reload_schema(&self) -> Result<()> {
        let snapshot = Arc::new(Snapshot::load(&self.db, &self.app.config().keys).await?);
        match &self.after {
            Some(open) => *open.1.lock() = Some(snapshot),
            None => {
                self.app.set_schema(snapshot);
                self.catch_up();
            }
        }
        Ok(())
    }

    /// Runs work in a transaction; joins the open one if there is one. Dropping the future rolls back.
    ///
    /// Work queued by [`Ctx::after`] runs once, in order, after the outermost commit or rollback.
    ///
    /// # Errors
    /// What `work` returns (rolled back), what the commit returns, or the joined errors of queued work.
    pub async fn run_in_transaction<T, F, Fut>(&self, work: F) -> Result<T>
    where
        F: FnOnce(Self) -> Fut + Send,
        Fut: Future<Output = Result<T>> + Send,
        T: Send,
    {
        self.run_within(self.app.config().query_timeout, work).await
    }

    /// True if code of users may run when records of some collections are written. Handlers for others count where
    /// cascades may get to those: they have relations.
    pub fn has_watchers<'n>(&self, of: &(impl Iterator<Item = &'n str> + Clone)) -> bool {
        let snapshot = self.snapshot();
        self.app.hooks().watch_records(|tag| {
            snapshot.find(tag).is_some_and(|found| {
                found.fields.iter().any(|field| field.kind.target().is_some())
                    || of.clone().any(|name| snapshot.find(name).is_some_and(|c| c.id == found.id))
            })
        })
    }

    /// The same again from the start, a limited number of times, when others made it fail (deadlock, serialization). For work
    /// that may be done twice and runs no code of users: ask [`Ctx::has_watchers`].
    ///
    /// # Errors
    /// As [`Ctx::run_in_transaction`].
    pub async fn run_retrying<T, F, Fut>(&self, mut work: F) -> Result<T>
    where
        F: FnMut(Self) -> Fut + Send,
        Fut: Future<Output = Result<T>> + Send,
        T: Send,
    {
        if self.in_transaction() {
            return work(self.clone()).await;
        }
        let limit = self.app.config().query_timeout;
        let mut waits = retry::waits();
        loop {
            let (done, has_collided) = self.attempt(limit, &mut work).await;
            if done.is_ok() || !has_collided {
                return done;
            }
            let Some(wait) = waits.next() else { return done };
            tokio::time::sleep(wait).await;
        }
    }

    /// The same for work that may take longer than a statement may: imports, schema changes, truncation.
    ///
    /// # Errors
    /// As [`Ctx::run_in_transaction`].
    pub async fn run_long_transaction<T, F, Fut>(&self, work: F) -> Result<T>
    where
        F: FnOnce(Self) -> Fut + Send,
        Fut: Future<Output = Result<T>> + Send,
        T: Send,
    {
        self.run_within(LONG, work).await
    }

    async fn run_within<T, F, Fut>(&self, limit: Duration, work: F) -> Result<T>
    where
        F: FnOnce(Self) -> Fut + Send,
        Fut: Future<Output = Result<T>> + Send,
        T: Send,
    {
        if self.in_transaction() {
            return work(self.clone()).await;
        }
        self.attempt(limit, work).await.0
    }

    /// One transaction from begin to end; true if it failed because of others.
    async fn attempt<T, F, Fut>(&self, limit: Duration, work: F) -> (Result<T>, bool)
    where
        F: FnOnce(Self) -> Fut + Send,
        Fut: Future<Output = Result<T>> + Send,
        T: Send,
    {
        let tx = match self.db.database().begin_within(limit).await {
            Ok(tx) => tx,
            Err(error) => return (Err(Error::Store(error)), false),
        };
        let queue = Arc::new(AfterQueue::default());
        let inner = Self { db: Db::Tx(tx.clone()), after: Some(queue.clone()), ..self.clone() };
        let done = match tx.scope(work(inner)).await {
            Ok(value) => tx.commit().await.map(|()| value).map_err(Error::Store),
            Err(error) => {
                tx.rollback().await;
                Err(error)
            }
        };
        let seen = queue.1.lock().take();
        if let (Ok(_), Some(seen)) = (&done, seen) {
            self.app.settle_schema(seen).await;
            self.catch_up();
        }
        let outcome = match &done {
            Ok(_) => Ok(()),
            Err(error) => Err(Arc::new(error.duplicate())),
        };
        let queued = std::mem::take(&mut *queue.0.lock());
        let mut late = Vec::new();
        for after in queued {
            if let Err(error) = after(self.clone(), outcome.clone()).await {
                late.push(error.to_string());
            }
        }
        let done = match done {
            Ok(_) if !late.is_empty() => {
                let text = format!("transaction afterFunc errors: {}", late.join("\n"));
                return (Err(Error::Message(text)), false);
            }
            done => done,
        };
        (done, tx.has_collided())
    }

    /// Runs work after the outermost transaction, or at once (with success) outside of one.
    ///
    /// # Errors
    /// Outside of a transaction: what the work returns.
    pub async fn after<F, Fut>(&self, work: F) -> Result<()>
    where
        F: FnOnce(Self, Outcome) -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        match &self.after {
            None => work(self.clone(), Ok(())).await,
            Some(queue) => {
                queue.0.lock().push(Box::new(move |ctx, outcome| Box::pin(work(ctx, outcome))));
                Ok(())
            }
        }
    }
}

/// What policies of the database see of a caller (spec extensions §1.11).
fn claims_of(app: &App, caller: &Caller, in_request: bool) -> Claims {
    let role = match caller {
        Caller::Superuser(_) => "superuser",
        Caller::Record(_) => "user",
        Caller::Guest if in_request => "guest",
        Caller::Guest => "system",
    };
    let record = caller.record();
    let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let fixed = [
        text("pb.auth.id", record.map_or("", |r| r.id())),
        text("pb.auth.collection", record.map_or("", |r| r.collection().name.as_str())),
        text("pb.auth.role", role),
    ];
    let wanted = app.config().postgres.iter().flat_map(|postgres| &postgres.claims);
    let more = wanted.map(|name| {
        let value = record.and_then(|record| claim(record, name)).unwrap_or_default();
        (format!("pb.claim.{name}"), value)
    });
    Claims::new(fixed.into_iter().chain(more))
}

/// A field as text, if it is text, a number or a bool, and no secret.
fn claim(record: &Record, name: &str) -> Option<String> {
    let (index, _) = record.collection().field_at(name).filter(|_| name != "tokenKey")?;
    match record.value(index) {
        Val::Text(text) => Some(text.clone()),
        Val::Number(n) => Some(crate::json::format_g(*n)),
        Val::Bool(on) => Some(on.to_string()),
        _ => None,
    }
}
