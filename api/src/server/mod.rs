//! The listeners: accept connections within the limits, hand requests to the router, stop gracefully.
//!
//! Source: spec server-settings-operations §1.4, §1.6, §2.2.

mod connection;
mod framing;
mod listen;
mod plain;
mod protocol;
mod request_line;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderValue, Method, header};
use hyper::body::Incoming;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::task::TaskTracker;

use self::connection::{Ends, Shared};
pub use self::listen::{ListenError, listen, raise_descriptor_limit};
pub use crate::clock::Times;
use crate::{
    api::Api,
    body::Source,
    clock::{Clock, Timed},
    error::ApiError,
    pipeline,
    request::{Head, Req},
    response::{Body, Response},
    router::Lookup,
    tls::Tls,
};

/// How much the server takes on.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a connection may take for what.
    pub times: Times,
    /// Most connections at a time; more wait in the backlog of the system.
    pub max_connections: usize,
    /// Longest time open requests get when the server stops.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { times: Times::default(), max_connections: 10_000, grace: Duration::from_secs(1) }
    }
}

/// What the server listens on.
#[derive(Debug)]
pub struct Sockets {
    /// The API: TLS if there is `tls`, else plain HTTP.
    pub main: TcpListener,
    /// Certificates for `main`.
    pub tls: Option<Tls>,
    /// Answers ACME challenges and redirects to HTTPS.
    pub redirect: Option<TcpListener>,
}

/// Serves until `stop` is done; then event streams end and open requests get `limits.grace`.
pub async fn serve(api: Api, sockets: Sockets, limits: Limits, stop: impl Future<Output = ()>) {
    let ends = Ends { stop: api.stopping().clone(), ..Ends::default() };
    let tasks = TaskTracker::new();
    let permits = Arc::new(Semaphore::new(limits.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
    let (free, max) = (permits.clone(), permits.available_permits());
    api.add_gauge("http_connections", "Open connections.", move || {
        f64::from(u32::try_from(max.saturating_sub(free.available_permits())).unwrap_or(u32::MAX))
    });
    let shared = Arc::new(Shared::new(api, limits.times, ends.clone()));
    if let Some(tls) = &sockets.tls {
        tasks.spawn(tls.clone().keep(sockets.redirect.is_some(), ends.stop.clone()));
        if let Some(listener) = sockets.redirect {
            let redirects =
                Arc::new(plain::Redirects::new(tls.clone(), limits.times, ends.clone()));
            let spawn = {
                let tasks = tasks.clone();
                move |stream, remote, permit| {
                    let redirects = redirects.clone();
                    tasks.spawn(async move {
                        redirects.connection(stream, remote).await;
                        drop(permit);
                    });
                }
            };
            tasks.spawn(accept(listener, permits.clone(), ends.clone(), spawn));
        }
    }
    let spawn = {
        let (tasks, tls) = (tasks.clone(), sockets.tls);
        move |stream, remote, permit| {
            let (shared, tls) = (shared.clone(), tls.clone());
            tasks.spawn(async move {
                connect(shared, tls, stream, remote).await;
                drop(permit);
            });
        }
    };
    tokio::select! {
        () = accept(sockets.main, permits, ends.clone(), spawn) => {}
        () = stop => {}
    }
    ends.stop.cancel();
    tasks.close();
    if tokio::time::timeout(limits.grace, tasks.wait()).await.is_err() {
        ends.kill.cancel();
        // what is left ends at its next step; nobody waits long for it
        let _ = tokio::time::timeout(Duration::from_millis(500), tasks.wait()).await;
    }
}

/// Accepts connections until the server stops.
async fn accept(
    listener: TcpListener,
    permits: Arc<Semaphore>,
    ends: Ends,
    spawn: impl Fn(TcpStream, SocketAddr, OwnedSemaphorePermit),
) {
    loop {
        let next = async {
            let permit = permits.clone().acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            pair = next => pair,
            () = ends.stop.cancelled() => return,
        };
        match (permit, accepted) {
            (Ok(permit), Ok((stream, remote))) => {
                // an IPv4 client of a socket for both families is an IPv4 client
                spawn(stream, SocketAddr::new(remote.ip().to_canonical(), remote.port()), permit);
            }
            (Err(_), _) => return,
            (_, Err(error)) => {
                // out of descriptors, or a connection that went away: others may still be served
                tracing::debug!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

async fn connect(shared: Arc<Shared>, tls: Option<Tls>, stream: TcpStream, remote: SocketAddr) {
    let (stream, clock) = shared.timed(stream);
    match tls {
        None => shared.http1(stream, clock, remote).await,
        // a plain connection has no room for what TLS needs
        Some(tls) => Box::pin(secure(shared, tls, stream, clock, remote)).await,
    }
}

async fn secure(
    shared: Arc<Shared>,
    tls: Tls,
    stream: Timed<TcpStream>,
    clock: Arc<Clock>,
    remote: SocketAddr,
) {
    let handshake = tls.accept(stream);
    let accepted = tokio::select! {
        accepted = handshake => accepted,
        () = shared.ends.stop.cancelled() => return,
    };
    match accepted {
        Ok(Some((stream, true))) => Box::pin(shared.http2(stream, clock, remote)).await,
        Ok(Some((stream, false))) => shared.http1(stream, clock, remote).await,
        Ok(None) => {}
        Err(error) => tracing::debug!(%error, "TLS handshake failed"),
    }
}

async fn answer(
    api: &Api,
    request: http::Request<Incoming>,
    remote: SocketAddr,
    clock: &Arc<Clock>,
) -> http::Response<Body> {
    let (parts, body) = request.into_parts();
    let head = Head { method: parts.method, uri: parts.uri, headers: parts.headers, remote };
    if let Some(refusal) = protocol::refuse(&head, parts.version) {
        return plain(refusal);
    }
    let mut req = Req::new(api, head, Source::Wire(body));
    req.clock = Some(clock.clone());
    dispatch(&mut req).await
}

/// Answers a request that another server has read: the whole pipeline, without the limits of connections.
pub async fn call(
    api: &Api,
    request: http::Request<Source>,
    remote: SocketAddr,
) -> http::Response<Body> {
    let (parts, source) = request.into_parts();
    let head = Head { method: parts.method, uri: parts.uri, headers: parts.headers, remote };
    if let Some(refusal) = protocol::refuse(&head, parts.version) {
        return plain(refusal);
    }
    dispatch(&mut Req::new(api, head, source)).await
}

/// Routes a request and runs it.
pub(crate) async fn dispatch(req: &mut Req) -> http::Response<Body> {
    if let Some(to) = req.api.www().target(&req.head) {
        return plain(Response::redirect(307, &to));
    }
    let router = req.api.router();
    let host = || {
        let host = req.head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        host.or_else(|| req.head.uri.host()).unwrap_or_default()
    };
    let found = router.lookup_at(host, req.head.method.as_str(), req.head.uri.path());
    let (method, path) = (req.head.method.as_str(), req.head.uri.path());
    let is_free = match &found {
        Lookup::Found(route, _) => route.is_last,
        Lookup::Redirect(to) => match router.lookup_at(host, method, to) {
            Lookup::Found(route, _) => route.is_last,
            found => matches!(found, Lookup::Missing),
        },
        Lookup::Missing => true,
    };
    if is_free && let Some(route) = req.api.claimed_by(method, path) {
        drop(router);
        return pipeline::serve(req, route).await;
    }
    let (route, spans) = match found {
        Lookup::Found(route, spans) => (Arc::clone(route), spans),
        Lookup::Redirect(path) => return redirect(req, &path),
        Lookup::Missing => return plain(Response::error(&ApiError::not_found(""))),
    };
    drop(router);
    req.spans = spans;
    pipeline::serve(req, route).await
}

/// 307 to the clean path, outside every middleware.
fn redirect(req: &Req, to: &str) -> http::Response<Body> {
    let mut to = escaped(to);
    if let Some(query) = req.head.uri.query() {
        to.push('?');
        to.push_str(query);
    }
    let mut response = Response::redirect(307, &to);
    if req.head.method == Method::GET || req.head.method == Method::HEAD {
        response
            .headers
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        let shown = to
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&#34;")
            .replace('\'', "&#39;");
        response.body =
            Body::Full(format!("<a href=\"{shown}\">Temporary Redirect</a>.\n\n").into());
    }
    plain(response)
}

/// A path as it may stand in a header: one with a character that belongs in no path is written anew, all of it, as the
/// reference writes it. Browsers take `/\host` for another host.
fn escaped(path: &str) -> String {
    let stays = |b: u8| b.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&b);
    let may_stand = |b: u8| stays(b) || b"%!'()*[]".contains(&b);
    if path.bytes().all(may_stand) {
        return path.to_owned();
    }
    let mut out = String::with_capacity(path.len() + 8);
    for b in percent_encoding::percent_decode_str(path) {
        if stays(b) {
            out.push(char::from(b));
        } else {
            out.push_str(percent_encoding::percent_encode_byte(b));
        }
    }
    out
}

fn plain(response: Response) -> http::Response<Body> {
    let mut out = http::Response::new(response.body);
    *out.status_mut() = http::StatusCode::from_u16(response.status)
        .unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    *out.headers_mut() = response.headers;
    out
}
