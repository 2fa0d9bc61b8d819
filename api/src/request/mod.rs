//! One request on its way through the pipeline: [`Head`] (shared, immutable) and [`Req`] (what the steps work on).
//!
//! Maps of headers and query are only made when a rule or a hook asks for them.
//! Source: spec server-settings-operations §2; records-files-realtime-batch §1.4.

use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use engine::{
    App,
    auth::Found,
    ctx::{Caller, Ctx, RequestInfo, Seen},
    event::Ext,
    schema::{Collection, Loaded, Snapshot},
};
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use parking_lot::Mutex;
use serde_json::{Map, Value};

pub mod api;
pub mod route;

use self::{api::Api, route::Route};
pub use crate::head::{Head, ip_text};
use crate::{
    body::{self, Payload, Source},
    clock::Clock,
    error::Result,
    query::Query,
    rate_limit::{Action, Who},
    response::Response,
    router::{Spans, decode},
    streaming::Streamed,
};

/// Which standard headers the answer gets.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Standard {
    pub(crate) vary_origin: bool,
    pub(crate) security: bool,
    /// No `X-Frame-Options`: downloaded files may be framed.
    pub(crate) framable: bool,
}

/// A request being served.
pub struct Req {
    /// The server.
    pub api: Api,
    /// What the client sent before the body.
    pub head: Arc<Head>,
    /// Who asks; set by `pbLoadAuthToken`.
    pub caller: Caller,
    /// The valid token behind `caller`.
    pub auth: Option<Found>,
    /// Headers for the answer, whatever it will be.
    pub response_headers: HeaderMap,
    /// How large the body may be.
    pub body_limits: body::BodyLimits,
    /// Successful answers are not logged.
    pub skip_log: bool,
    /// Logs a successful answer as an error: what the client must not learn (unknown addresses).
    pub log_error: Option<String>,
    /// `data.meta` of the activity log.
    pub log_meta: Option<Value>,
    /// Values of the layer above, by type.
    pub extensions: http::Extensions,
    pub(crate) route: Option<Arc<Route>>,
    pub(crate) spans: Spans,
    pub(crate) standard: Standard,
    pub(crate) allow_origin: Option<HeaderValue>,
    pub(crate) started: Instant,
    pub(crate) clock: Option<Arc<Clock>>,
    /// The collections as of the start of the request.
    pub(crate) seen: Seen,
    source: Source,
    payload: Option<Payload>,
    store: Map<String, Value>,
}

impl fmt::Debug for Req {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Req")
            .field("method", &self.head.method)
            .field("uri", &self.head.uri)
            .finish_non_exhaustive()
    }
}

impl Req {
    /// A request that has not been routed yet.
    #[must_use]
    pub fn new(api: &Api, head: Head, source: Source) -> Self {
        Self {
            api: api.clone(),
            head: Arc::new(head),
            caller: Caller::Guest,
            auth: None,
            response_headers: HeaderMap::new(),
            body_limits: body::BodyLimits::of(body::LIMIT),
            skip_log: false,
            log_error: None,
            log_meta: None,
            extensions: http::Extensions::new(),
            route: None,
            spans: Spans::default(),
            standard: Standard::default(),
            allow_origin: None,
            started: Instant::now(),
            clock: None,
            seen: Seen::now(api.app()),
            source,
            payload: None,
            store: Map::new(),
        }
    }

    /// The application.
    #[must_use]
    pub fn app(&self) -> &App {
        self.api.app()
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// The path as sent.
    #[must_use]
    pub fn path(&self) -> &str {
        self.head.uri.path()
    }

    /// The query.
    #[must_use]
    pub fn query(&self) -> Query<'_> {
        self.head.query()
    }

    /// A wildcard of the route, percent-decoded; `""` when there is none of that name.
    #[must_use]
    pub fn param(&self, name: &str) -> Cow<'_, str> {
        let idx =
            self.route.as_ref().and_then(|route| route.names.iter().position(|n| &**n == name));
        idx.and_then(|idx| self.spans.raw(idx, self.head.uri.path()))
            .map(decode)
            .unwrap_or_default()
    }

    /// All wildcards of the route, percent-decoded, in the order of the pattern.
    pub fn params(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        let names = self.route.as_ref().map_or(&[][..], |route| &route.names[..]);
        let path = self.head.uri.path();
        names.iter().enumerate().map(move |(idx, name)| {
            (&**name, self.spans.raw(idx, path).map(decode).unwrap_or_default())
        })
    }

    /// The pattern of the route, `GET /api/x/{id}`; empty before it is known.
    #[must_use]
    pub fn pattern(&self) -> &str {
        self.route.as_ref().map_or("", |route| &route.pattern)
    }

    /// The caller's address, trusted proxies considered.
    #[must_use]
    pub fn real_ip(&self) -> IpAddr {
        self.head.real_ip(&self.api.app().settings())
    }

    /// Gives this request more time from now on than the server's limit of 5 minutes; `None` for no limit at all.
    /// Event streams have none by themselves, and neither have superusers on routes that are marked as
    /// [long running](route::Endpoint::long_running). Reading a body is limited in any case.
    pub fn set_time_limit(&self, limit: Option<Duration>) {
        if let Some(clock) = &self.clock {
            clock.extend(limit);
        }
    }

    /// Values that middlewares leave for each other.
    pub fn store(&mut self) -> &mut Map<String, Value> {
        &mut self.store
    }

    /// The declared length of the body.
    #[must_use]
    pub fn body_len(&self) -> Option<u64> {
        self.source.len_hint()
    }

    /// The body as it comes, up to a limit of its own; afterwards there is none to read.
    #[must_use]
    pub fn take_body(&mut self, limit: u64) -> Streamed {
        Streamed::new(std::mem::take(&mut self.source), limit, self.clock.clone())
    }

    /// Puts a body in the place of the one that was sent: what was read of it, to be read again.
    pub fn put_body(&mut self, bytes: bytes::Bytes) {
        self.source = Source::Bytes(bytes);
    }

    /// The raw body. Not possible after a multipart form was read.
    ///
    /// # Errors
    /// 413 beyond the limit, 400 when the client breaks off.
    pub async fn bytes(&mut self) -> Result<bytes::Bytes> {
        Ok(self.source.bytes(self.body_limits.values).await?)
    }

    /// The decoded body; can be asked for again.
    ///
    /// # Errors
    /// As [`body::decode`].
    pub async fn payload(&mut self) -> Result<Payload, body::Fault> {
        if let Some(payload) = &self.payload {
            return Ok(payload.clone());
        }
        let head = self.head.clone();
        let content_type = head.header(header::CONTENT_TYPE);
        let payload =
            body::decode(&mut self.source, content_type, head.query(), self.body_limits).await?;
        if !payload.files.is_empty() || payload.form {
            self.payload = Some(payload.clone());
        }
        Ok(payload)
    }

    /// The engine's view of this request, with the given body behind `@request.body.*`.
    #[must_use]
    pub fn ctx(&self, body: Map<String, Value>) -> Ctx {
        let head = self.head.clone();
        let info = RequestInfo::lazy(move || head.facts(body.clone()));
        let seen = self.seen.clone();
        let ctx = Ctx::over(self.app(), seen, self.caller.clone(), Some(Arc::new(info)));
        match self.named_collection() {
            Some(collection) => ctx.about(&collection.id),
            None => ctx,
        }
    }

    /// The engine's view of work that the server itself does for this request: nobody asks.
    pub(crate) fn system(&self) -> Ctx {
        Ctx::over(self.app(), self.seen.clone(), Caller::Guest, None)
    }

    /// The collections as this request sees them, from its start to its end.
    #[must_use]
    pub fn schema(&self) -> Arc<Snapshot> {
        self.seen.snapshot()
    }

    /// The collection in the path, if there is one of that name or id.
    #[must_use]
    pub fn named_collection(&self) -> Option<Arc<Loaded>> {
        let name = self.param("collection");
        if name.is_empty() { None } else { self.schema().find(&name).cloned() }
    }

    /// What hooks see of this request.
    #[must_use]
    pub fn exchange(&self) -> Arc<Exchange> {
        Arc::new(Exchange::new(self.head.clone(), self.caller.clone()))
    }

    /// Who is counted by the rate limits.
    #[must_use]
    pub fn who(&self) -> Who<'_> {
        let (limiter, app) = (self.api.limiter(), self.api.app());
        Who { limiter, app, head: &self.head, caller: &self.caller }
    }

    /// Counts the request as an action on a collection.
    ///
    /// # Errors
    /// 429.
    pub fn count(&self, collection: &Collection, tags: &[&str]) -> Result<()> {
        let (method, path, route) = (self.method().as_str(), self.path(), self.pattern());
        self.who().check(collection, &Action { tags, method, path, route })
    }

    /// Counts something that is limited per address whatever the settings say; false when it is too much.
    ///
    /// Like all counters it starts anew with any change of the settings.
    #[must_use]
    pub fn allow_attempt(&self, bucket: &str, max: u64, seconds: u64) -> bool {
        self.api.limiter().allow(bucket, self.real_ip(), max, seconds, Instant::now())
    }

    /// A request made up in memory, for tests and sub-requests.
    #[must_use]
    pub fn synthetic(
        api: &Api,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: bytes::Bytes,
    ) -> Self {
        let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self::new(api, Head { method, uri, headers, remote }, Source::Bytes(body))
    }
}

/// The request and its future answer, as hooks see them: the `ext` of request events.
#[derive(Debug)]
pub struct Exchange {
    /// What the client sent.
    pub head: Arc<Head>,
    /// Who asks.
    pub caller: Caller,
    /// Headers for the answer, whoever gives it.
    pub headers: Mutex<HeaderMap>,
    response: Mutex<Option<Response>>,
    complaint: Mutex<Option<String>>,
    /// It stands for a part of a request, which fails with it.
    is_part: bool,
}

impl Exchange {
    /// An exchange without an answer yet.
    #[must_use]
    pub fn new(head: Arc<Head>, caller: Caller) -> Self {
        Self {
            head,
            caller,
            headers: Mutex::default(),
            response: Mutex::default(),
            complaint: Mutex::default(),
            is_part: false,
        }
    }

    /// One that stands for a part of a request: its answer reaches the client with that of the whole only.
    #[must_use]
    pub fn part(head: Arc<Head>, caller: Caller) -> Self {
        Self { is_part: true, ..Self::new(head, caller) }
    }

    /// True if the client has its answer, whatever happens now.
    pub(crate) fn is_settled(&self) -> bool {
        !self.is_part && self.is_answered()
    }

    /// The exchange behind an event.
    #[must_use]
    pub fn of(ext: &Ext) -> Option<Arc<Self>> {
        ext.get()
    }

    /// Sets the answer; the first one counts.
    pub fn respond(&self, response: Response) {
        self.response.lock().get_or_insert(response);
    }

    /// True once there is an answer.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.response.lock().is_some()
    }

    /// Leaves what only the log may know of a request that is answered as if all were well: see [`Req::log_error`].
    pub(crate) fn complain(&self, text: String) {
        *self.complaint.lock() = Some(text);
    }
    pub(crate) fn take_complaint(&self) -> Option<String> {
        self.complaint.lock().take()
    }

    /// The answer; a handler that skipped the rest and wrote nothing answers an empty 200.
    #[must_use]
    pub fn take(&self) -> Response {
        let mut response = self.response.lock().take().unwrap_or_else(|| Response::empty(200));
        response.headers.extend(std::mem::take(&mut *self.headers.lock()));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names() {
        for (name, want) in
            [("X-Test", "x_test"), ("user-agent", "user_agent"), ("a.b--c-", "a_b_c")]
        {
            assert_eq!(engine::ctx::header_key(name), want);
        }
    }

    #[test]
    fn full_ipv6() {
        assert_eq!(
            ip_text("2001:db8::1".parse().expect("ip")),
            "2001:0db8:0000:0000:0000:0000:0000:0001"
        );
        assert_eq!(
            ip_text("::ffff:1.2.3.4".parse().expect("ip")),
            "0000:0000:0000:0000:0000:ffff:0102:0304"
        );
    }
}
