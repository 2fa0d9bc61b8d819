//! One request through a proxy: whether it may, what the upstream gets, what the client gets.
//!
//! The order is that of spec extensions 4.9: rule, headers, breaker, limiter, upstream. Bodies are never held, except for
//! rules that read them.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use hyper::body::{Body as _, Incoming};
use hyper_util::{client::legacy, rt::TokioIo};
use pocketbase::{
    ApiError, App, Error, RequestEvent, Response, Result,
    web::{AnyBody, Upgrade, is_too_slow, piped, upgraded},
};
use serde_json::{Map, Value, json};
use tokio::time::{sleep, sleep_until, timeout};

use crate::{
    client,
    flow::{Download, Progress, Upload},
    headers::{self, Passed, Peer},
    held::{self, Held, Refused},
    judged::{self, Reads},
    limits::{Slot, State, Ticket},
    manager::Manager,
    path,
    proxy::{Proxy, Rule},
    strict, tunnel,
};

/// What a connection may be silent at least once it is a WebSocket.
const QUIET: Duration = Duration::from_secs(300);
/// What the server gives a request beyond the limits of its proxy.
const MARGIN: Duration = Duration::from_secs(10);
/// Seconds after which whoever finds a proxy full may come again.
const BUSY_S: u64 = 30;

/// Answers a request that the manager has claimed.
pub(crate) async fn handle(manager: Manager, e: RequestEvent) -> Result<Response> {
    let started = Instant::now();
    let Some(path) = path::resolved(e.path()) else {
        return Err(ApiError::bad_request("The path is not valid.").into());
    };
    let Some((proxy, rest)) = manager.find(&path) else {
        return Err(ApiError::not_found("No matching proxy found.").into());
    };
    // upstreams may merge slashes or drop what is behind a semicolon: nobody gets to a proxy by the rule of another
    if let Some(loose) = path::loose(&path)
        && manager.find(&loose).is_none_or(|(other, _)| other.id != proxy.id)
    {
        return Err(ApiError::bad_request("The path is not valid.").into());
    }
    let held = allow(&e, &proxy).await?;
    let target = proxy.target(&path, rest, e.raw_query());
    let count = Count { state: proxy.state.clone(), status: 499, started };
    Passage { manager, e, proxy, target, started }.pass(held, count).await
}

/// Lets a request through by the rule of the proxy; gives the body if the rule has read it.
async fn allow(e: &RequestEvent, proxy: &Proxy) -> Result<Option<Held>> {
    let mut held = None;
    let is_allowed = match &proxy.rule {
        Rule::Everybody => true,
        Rule::Nobody => false,
        Rule::Superusers => e.has_superuser_auth(),
        Rule::Expression { .. } if e.has_superuser_auth() => true,
        Rule::Expression { text, reads } => {
            if let Some(doubt) = reads.doubt(e.headers(), e.raw_query()) {
                return Err(ApiError::bad_request(doubt).into());
            }
            let mut facts = e.request_facts()?;
            if facts.headers.contains_key("cookie") {
                facts.headers.insert("cookie".to_owned(), judged::cookies(e.headers()));
            }
            if reads.has_body() {
                let body = hold(e, proxy).await?;
                if !body.bytes.is_empty() {
                    facts.body = members(e, reads, &body.bytes)?;
                }
                held = Some(body);
            }
            e.app().matches_rule(&facts, text).await.unwrap_or_else(|error| {
                let attrs =
                    [("proxy", proxy.id.as_str().into()), ("error", error.to_string().into())];
                e.app().logger().warn("gateway: a rule cannot be judged; nobody passes", &attrs);
                false
            })
        }
    };
    match (is_allowed, e.auth().is_some()) {
        (true, _) => Ok(held),
        (false, true) => Err(ApiError::forbidden("Access denied.").into()),
        (false, false) => Err(ApiError::unauthorized("Authentication required.").into()),
    }
}

/// The body of a request for its rule.
async fn hold(e: &RequestEvent, proxy: &Proxy) -> Result<Held> {
    let body = e.take_body(proxy.max_body.min(held::MOST as u64))?;
    let read = timeout(proxy.timeout, held::hold(body)).await.map_err(|_| late_body())?;
    Ok(read.map_err(|refused| match refused {
        Refused::TooLarge => ApiError::too_large(),
        Refused::Full => ApiError::new(503, "Too many bodies are being read."),
        Refused::Broken(error) if is_too_slow(&error) => late_body(),
        Refused::Broken(_) => ApiError::bad_request(""),
    })?)
}

/// What a rule sees of a body. Upstreams read what they like, whatever the headers say: what cannot be judged does not pass.
fn members(e: &RequestEvent, reads: &Reads, body: &[u8]) -> Result<Map<String, Value>> {
    let is_plain = !e.headers().contains_key(header::CONTENT_ENCODING);
    match strict::object(body).filter(|_| is_plain) {
        Some(members) if !reads.is_unclear(&members) => Ok(members),
        _ => {
            let what = "The body must be a JSON object without repeated keys.";
            Err(ApiError::bad_request(what).into())
        }
    }
}

fn late_body() -> ApiError {
    ApiError::new(408, "The body did not come in time.")
}

/// Counts a request when it has ended.
#[derive(Debug)]
struct Count {
    state: Arc<State>,
    /// 499 until there is an answer: the client has not waited for one.
    status: u16,
    started: Instant,
}

impl Drop for Count {
    fn drop(&mut self) {
        self.state.count(self.status, self.started.elapsed());
    }
}

/// What is held as long as an answer is on its way.
type Kept = (Slot, Count);

/// An answer of the gateway itself.
fn refusal(status: u16, title: &str, details: &str) -> Response {
    let text = json!({"error": title, "details": details});
    // the order of the members is part of what is promised
    let text = format!(r#"{{"error":{},"details":{}}}"#, text["error"], text["details"]);
    Response::json_bytes(status, Bytes::from(text), false)
}

struct Passage {
    manager: Manager,
    e: RequestEvent,
    proxy: Arc<Proxy>,
    target: String,
    started: Instant,
}

impl Passage {
    async fn pass(self, held: Option<Held>, count: Count) -> Result<Response> {
        match self.try_pass(held, count).await {
            Ok(response) => Ok(response),
            Err(Stopped::Refused(refused, mut count)) => {
                count.status = refused.status;
                Ok(*refused)
            }
            Err(Stopped::Failed(error, mut count)) => {
                count.status = error.api().map_or(400, |api| api.status);
                Err(error)
            }
        }
    }

    async fn try_pass(&self, held: Option<Held>, count: Count) -> Result<Response, Stopped> {
        let Self { e, proxy, .. } = self;
        let is_websocket = e.method() == "GET"
            && headers::has_token(e.headers(), header::UPGRADE, "websocket")
            && headers::has_token(e.headers(), header::CONNECTION, "upgrade");
        let mut sent = match self.headers().await {
            Ok(sent) => sent,
            Err(why) => {
                let attrs = [("proxy", proxy.id.as_str().into()), ("error", why.as_str().into())];
                e.app().logger().error("gateway: a header cannot be made", &attrs);
                return Err(Stopped::refused(
                    refusal(500, "Gateway Configuration Error", &why),
                    count,
                ));
            }
        };
        if is_websocket {
            sent.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            sent.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        let ticket = match proxy.state.admit(proxy.breaker, Instant::now()) {
            Ok(ticket) => ticket,
            Err(seconds) => return Err(Stopped::refused(open(seconds), count)),
        };
        let Some(slot) = proxy.state.enter(proxy.max_concurrent) else {
            let full = "AI Engine is at capacity, please retry later";
            let answer = refusal(429, "Too Many Requests", full);
            let answer = answer.with_header(header::RETRY_AFTER, &BUSY_S.to_string());
            return Err(Stopped::refused(answer, count));
        };
        let progress = Progress::new();
        let body = match held {
            _ if is_websocket => Upload::held(Held::default(), &progress),
            Some(held) => Upload::held(held, &progress),
            None => match e.take_body(proxy.max_body) {
                Ok(body) => Upload::streamed(body.with_patience(proxy.timeout), &progress),
                Err(error) => return Err(Stopped::Failed(error, count)),
            },
        };
        let request = match self.request(sent, body) {
            Ok(request) => request,
            Err(error) => return Err(Stopped::Failed(error, count)),
        };
        let asked = Instant::now();
        let answer = match self.ask(request, is_websocket, &progress).await {
            Ok(answer) => answer,
            Err(failed) => return Err(self.failed(failed, &progress, ticket, count)),
        };
        progress.answered();
        self.log(asked);
        let is_switching = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
        if is_switching && !is_websocket {
            let failed =
                Failure::Upstream("protocol error", "an upgrade nobody has asked for".into());
            return Err(self.failed(failed, &progress, ticket, count));
        }
        ticket.settle(answer.status().as_u16() < 500);
        let kept = (slot, Count::with(count, answer.status().as_u16()));
        Ok(if is_switching { self.switch(answer, kept) } else { self.answer(answer, kept) })
    }

    /// The headers for the upstream.
    async fn headers(&self) -> Result<HeaderMap, String> {
        let Self { e, proxy, manager, .. } = self;
        let socket_ip = e.remote_ip();
        let (forwarded_ip, host) = (e.forwarded_ip(), e.host());
        let is_tls = manager.is_tls();
        let peer = Peer { socket_ip: &socket_ip, forwarded_ip, is_tls, host: &host };
        let auth = e.auth();
        let may_pass = Passed { names: &proxy.passed, is_known: auth.is_some() };
        let mut sent = headers::for_upstream(e.headers(), &peer, &may_pass);
        for (name, template) in &proxy.headers {
            let value = template.resolve(e.app(), auth.as_ref()).await?;
            let plain = name.as_str().replace('_', "-");
            // nobody else says what is said here, not even if there is nothing to say
            headers::drop_spellings(&mut sent, |other| other == plain);
            sent.remove(name);
            if value.is_empty() {
                continue;
            }
            let mut value = HeaderValue::from_bytes(value.as_bytes())
                .map_err(|_| format!("The value of the header {name} is not valid."))?;
            value.set_sensitive(true);
            sent.insert(name.clone(), value);
        }
        Ok(sent)
    }

    fn request(&self, sent: HeaderMap, body: Upload) -> Result<Request<Upload>> {
        let method = Method::from_bytes(self.e.method().as_bytes())?;
        let is_unsaid = !body.is_end_stream() && body.size_hint().exact().is_none();
        let mut request = Request::builder().method(method).uri(&self.target).body(body)?;
        *request.headers_mut() = sent;
        if is_unsaid {
            // without this, bodies of GET that come in chunks are left out
            let chunked = HeaderValue::from_static("chunked");
            request.headers_mut().insert(header::TRANSFER_ENCODING, chunked);
        }
        Ok(request)
    }

    /// Sends a request and waits for the headers of the answer; time counts from when the body has last moved.
    async fn ask(
        &self,
        request: Request<Upload>,
        is_websocket: bool,
        progress: &Progress,
    ) -> Result<http::Response<Incoming>, Failure> {
        let proxy = &self.proxy;
        if self.manager.config().deny_private
            && let Ok(ip) = proxy.upstream.host.parse::<IpAddr>()
            && !client::is_public(ip)
        {
            return Err(Failure::Upstream(
                "address not allowed",
                "the address is not public".into(),
            ));
        }
        let limit = proxy.header_limit;
        let is_long = limit.is_none_or(|limit| limit + MARGIN > QUIET);
        let kept_open = async {
            // step by step: what is given once is not taken back, and the answer is to have no more than others
            if !is_long {
                return std::future::pending().await;
            }
            loop {
                self.e.set_time_limit(Some(QUIET));
                sleep(QUIET / 2).await;
            }
        };
        let pool = if is_websocket { &proxy.client.one } else { &proxy.client.any };
        let sending = pool.request(request);
        tokio::pin!(sending);
        let late = async {
            loop {
                // without a limit for the upstream there still is one for the client, whose body it may wait for
                let client = (!progress.is_done()).then_some(proxy.timeout);
                let Some(limit) = limit.or(client) else { return std::future::pending().await };
                let end = progress.last() + limit;
                if end <= tokio::time::Instant::now() {
                    return;
                }
                sleep_until(end).await;
            }
        };
        tokio::select! {
            answer = &mut sending => answer.map_err(Failure::Client),
            () = late => Err(Failure::Late),
            () = kept_open => Err(Failure::Late),
        }
    }

    /// Why there is no answer of the upstream.
    fn failed(
        &self,
        failure: Failure,
        progress: &Progress,
        ticket: Ticket,
        count: Count,
    ) -> Stopped {
        let (e, proxy) = (&self.e, &self.proxy);
        if progress.is_too_large() {
            return Stopped::Failed(ApiError::too_large().into(), count);
        }
        if progress.is_client_gone() {
            return Stopped::Failed(ApiError::bad_request("").into(), count);
        }
        let is_late = matches!(&failure, Failure::Late);
        if progress.is_too_slow() || is_late && progress.is_waiting() {
            return Stopped::Failed(late_body().into(), count);
        }
        // a body that stopped half-way says nothing of the upstream, unless nobody was there to take it
        let is_connect = matches!(&failure, Failure::Client(error) if error.is_connect());
        if progress.is_done() || is_connect {
            ticket.settle(false);
        }
        let (status, title, category, whole) = match failure {
            Failure::Late => (504, "Gateway Timeout", "timeout", "no headers in time".to_owned()),
            Failure::Client(error) => {
                let whole = client::whole_text(&error);
                (502, "Upstream Unavailable", client::category(&error), whole)
            }
            Failure::Upstream(category, whole) => (502, "Upstream Unavailable", category, whole),
        };
        log_failure(e.app(), proxy, &whole);
        let details =
            if e.has_superuser_auth() { format!("{category}: {whole}") } else { category.into() };
        Stopped::refused(refusal(status, title, &details), count)
    }

    /// The answer of the upstream for the client.
    fn answer(&self, answer: http::Response<Incoming>, kept: Kept) -> Response {
        let (mut parts, body) = answer.into_parts();
        headers::for_client(&mut parts.headers);
        let (app, proxy) = (self.e.app().clone(), self.proxy.clone());
        let body = Download::new(body, self.proxy.timeout, kept, move |error| {
            log_failure(
                &app,
                &proxy,
                &format!("the answer broke off: {}", client::whole_text(error)),
            );
        });
        let body = AnyBody::new(body).with_patience(self.proxy.patience);
        let mut response = piped(parts.status.as_u16(), body);
        response.headers = parts.headers;
        response
    }

    /// The connection becomes something else on both sides.
    fn switch(&self, mut answer: http::Response<Incoming>, kept: Kept) -> Response {
        let connection = hyper::upgrade::on(&mut answer);
        let (idle, patience) = (self.proxy.timeout.max(QUIET), self.proxy.patience);
        let mut response = upgraded(Upgrade::new(move |client| async move {
            if let Ok(upstream) = connection.await {
                tunnel::run(client, TokioIo::new(upstream), idle, patience).await;
            }
            drop(kept);
        }));
        headers::for_client(answer.headers_mut());
        response.headers = std::mem::take(answer.headers_mut());
        response.headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        response.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        response
    }

    /// One line per request, where somebody wants it.
    fn log(&self, asked: Instant) {
        let app = self.e.app();
        if app.settings().is_ok_and(|settings| settings.logs.min_level > DEBUG) {
            return;
        }
        let (all, upstream) = (self.started.elapsed(), asked.elapsed());
        let ms = |time: Duration| -> Value { (time.as_secs_f64() * 1000.0).into() };
        let mut attrs: Vec<(&str, Value)> = vec![
            ("proxy_name", self.proxy.path.as_str().into()),
            ("method", self.e.method().into()),
            ("path", self.e.path().into()),
            ("upstream", self.proxy.upstream.origin.as_str().into()),
            ("upstream_latency_ms", ms(upstream)),
            ("proxy_latency_ms", ms(all.saturating_sub(upstream))),
            ("duration_ms", ms(all)),
        ];
        if self.proxy.max_concurrent > 0 {
            attrs.push(("concurrent_count", self.proxy.state.active().into()));
        }
        if self.proxy.breaker.is_some() {
            let name = ["closed", "open", "half-open"][usize::from(self.proxy.state.breaker())];
            attrs.push(("circuit_state", name.into()));
        }
        app.logger().debug("gateway request", &attrs);
    }
}

/// The level of debug entries.
const DEBUG: i64 = -4;

fn log_failure(app: &App, proxy: &Proxy, error: &str) {
    let attrs = [
        ("proxy", proxy.id.as_str().into()),
        ("upstream", proxy.upstream.origin.as_str().into()),
        ("error", error.into()),
    ];
    app.logger().warn("gateway: the upstream has failed", &attrs);
}

/// 503 of an open breaker.
fn open(seconds: u64) -> Response {
    let details = "Circuit breaker is open, upstream service is experiencing issues";
    let mut answer = refusal(503, "Service Unavailable", details)
        .with_header(header::RETRY_AFTER, &seconds.to_string());
    answer.headers.insert("x-circuit-breaker", HeaderValue::from_static("open"));
    answer
}

impl Count {
    fn with(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}

/// Why an upstream has not answered.
enum Failure {
    Late,
    Client(legacy::Error),
    /// What clients may know, and all of it.
    Upstream(&'static str, String),
}

/// What is answered in the place of an upstream.
enum Stopped {
    Refused(Box<Response>, Count),
    Failed(Error, Count),
}

impl Stopped {
    fn refused(response: Response, count: Count) -> Self {
        Self::Refused(Box::new(response), count)
    }
}
