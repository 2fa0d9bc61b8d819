//! The listener: accepts connections, hands requests to the router, stops gracefully.
//!
//! Source: spec server-settings-operations §1.4, §1.6, §2.2.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderValue, Method, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::net::{TcpListener, TcpStream};

use crate::{
    api::Api,
    body::Source,
    error::ApiError,
    pipeline,
    request::{Head, Req},
    response::{Body, Response},
    router::Lookup,
};

/// Longest time for the headers of a request.
const HEADER_TIME: Duration = Duration::from_secs(60);
/// Longest time open requests get when the server stops.
const GRACE: Duration = Duration::from_secs(1);

/// Why the server could not listen; the text is what the command line prints.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// `host:port` was expected.
    #[error("listen tcp: address {0}: missing port in address")]
    Address(String),
    /// The operating system refused.
    #[error("listen tcp {address}: bind: {reason}")]
    Bind {
        /// The address as given.
        address: String,
        /// Why.
        reason: String,
    },
}

/// Opens the listening socket.
///
/// # Errors
/// One clear line when the address is malformed or in use.
pub async fn listen(address: &str) -> Result<TcpListener, ListenError> {
    let full = match address {
        "" => "0.0.0.0:80".to_owned(),
        ":http" => "0.0.0.0:80".to_owned(),
        text if text.starts_with(':') => format!("0.0.0.0{text}"),
        text if text.contains(':') => text.to_owned(),
        text => return Err(ListenError::Address(text.to_owned())),
    };
    TcpListener::bind(&full).await.map_err(|error| ListenError::Bind {
        address: address.to_owned(),
        reason: match error.kind() {
            std::io::ErrorKind::AddrInUse => "address already in use".to_owned(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string(),
        },
    })
}

/// Serves until `stop` is done; then open requests get one second.
pub async fn serve(api: Api, listener: TcpListener, stop: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .title_case_headers(true)
        .pipeline_flush(true);
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (stream, remote) = match accepted {
            Ok(pair) => pair,
            Err(error) => {
                // out of descriptors, or a connection that went away: others may still be served
                tracing::debug!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        connect(&api, &builder, &graceful, stream, remote);
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(GRACE) => {}
    }
}

fn connect(
    api: &Api,
    builder: &http1::Builder,
    graceful: &GracefulShutdown,
    stream: TcpStream,
    remote: SocketAddr,
) {
    // a missing TCP_NODELAY only costs time
    let _ = stream.set_nodelay(true);
    let api = api.clone();
    let service = service_fn(move |request| {
        let api = api.clone();
        async move { Ok::<_, Infallible>(answer(&api, request, remote).await) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let watched = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = watched.await {
            tracing::debug!(%error, "connection ended");
        }
    });
}

async fn answer(
    api: &Api,
    request: http::Request<Incoming>,
    remote: SocketAddr,
) -> http::Response<Body> {
    let (parts, body) = request.into_parts();
    let head = Head { method: parts.method, uri: parts.uri, headers: parts.headers, remote };
    let mut req = Req::new(api, head, Source::Wire(body));
    dispatch(&mut req).await
}

/// Routes a request and runs it.
pub(crate) async fn dispatch(req: &mut Req) -> http::Response<Body> {
    let router = req.api.router();
    let (route, spans) = match router.lookup(req.head.method.as_str(), req.head.uri.path()) {
        Lookup::Found(route, spans) => (Arc::clone(route), spans),
        Lookup::Redirect(path) => return redirect(req, path),
        Lookup::Missing => return plain(Response::error(&ApiError::not_found(""))),
    };
    drop(router);
    req.spans = spans;
    pipeline::serve(req, route).await
}

/// 307 to the clean path, outside every middleware.
fn redirect(req: &Req, mut to: String) -> http::Response<Body> {
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
            .replace('"', "&#34;");
        response.body =
            Body::Full(format!("<a href=\"{shown}\">Temporary Redirect</a>.\n\n").into());
    }
    plain(response)
}

fn plain(response: Response) -> http::Response<Body> {
    let mut out = http::Response::new(response.body);
    *out.status_mut() = http::StatusCode::from_u16(response.status)
        .unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    *out.headers_mut() = response.headers;
    out
}
