//! The plain listener beside HTTPS: answers ACME's HTTP-01 challenges, sends everybody else to HTTPS.
//!
//! Source: spec server-settings-operations §1.4.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::connection::Ends;
use crate::{
    clock::{Clock, Timed, Times},
    tls::Tls,
};

const CHALLENGES: &str = "/.well-known/acme-challenge/";
/// Most bytes of a request head here.
const MAX_HEAD: usize = 64 << 10;

/// What the connections of the plain listener share.
#[derive(Debug)]
pub(super) struct Redirects {
    tls: Tls,
    times: Times,
    ends: Ends,
    http1: http1::Builder,
}

impl Redirects {
    pub(super) fn new(tls: Tls, times: Times, ends: Ends) -> Self {
        let mut http1 = http1::Builder::new();
        http1.header_read_timeout(None).max_buf_size(MAX_HEAD).title_case_headers(true);
        Self { tls, times, ends, http1 }
    }

    pub(super) async fn connection(&self, stream: TcpStream, _remote: SocketAddr) {
        let clock = Clock::new(self.times);
        let timed = Timed::new(stream, clock.clone());
        let service = service_fn(|request: Request<Incoming>| {
            let guard = clock.begin();
            let response = self.answer(&request);
            drop(guard);
            std::future::ready(Ok::<_, Infallible>(response))
        });
        let connection = self.http1.serve_connection(TokioIo::new(timed), service);
        tokio::select! {
            ended = connection => if let Err(error) = ended {
                tracing::debug!(%error, "a plain connection broke off");
            },
            () = self.ends.stop.cancelled() => {}
        }
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let host = host_of(request);
        if let Some(token) = request.uri().path().strip_prefix(CHALLENGES) {
            return if !self.tls.has_name(without_port(host)) {
                text(StatusCode::FORBIDDEN, "unknown host\n")
            } else if let Some(proof) = self.tls.http_proof(token) {
                text(StatusCode::OK, proof)
            } else {
                text(StatusCode::NOT_FOUND, "unknown token\n")
            };
        }
        redirect(request.method(), host, request.uri().path_and_query().map_or("/", |p| p.as_str()))
    }
}

/// 302 to HTTPS for reading; whoever writes should know better.
fn redirect(method: &Method, host: &str, target: &str) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        return text(StatusCode::BAD_REQUEST, "Use HTTPS\n");
    }
    let name = without_port(host);
    let port = if name.len() < host.len() { ":443" } else { "" };
    let Ok(location) = HeaderValue::from_str(&format!("https://{name}{port}{target}")) else {
        return text(StatusCode::BAD_REQUEST, "Use HTTPS\n");
    };
    let shown = target
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&#34;");
    let link = format!("<a href=\"https://{name}{port}{shown}\">Found</a>.\n\n");
    let mut response = text(StatusCode::FOUND, link);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response.headers_mut().insert(header::LOCATION, location);
    response
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn host_of<B>(request: &Request<B>) -> &str {
    let sent = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    sent.or_else(|| request.uri().authority().map(|a| a.as_str())).unwrap_or("")
}

/// A host without its port; brackets of IPv6 addresses stay.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => {
            if name.contains(':') && !name.ends_with(']') {
                host
            } else {
                name
            }
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects() {
        for (method, host, target, want) in [
            ("GET", "a.com", "/x?y=1", "302 https://a.com/x?y=1"),
            ("HEAD", "a.com:8080", "/", "302 https://a.com:443/"),
            ("GET", "[::1]:80", "/", "302 https://[::1]:443/"),
            ("GET", "[::1]", "/", "302 https://[::1]/"),
            ("POST", "a.com", "/", "400 "),
        ] {
            let method = Method::from_bytes(method.as_bytes()).expect("method");
            let response = redirect(&method, host, target);
            let location = response.headers().get(header::LOCATION);
            let location = location.map_or("", |value| value.to_str().expect("text"));
            assert_eq!(format!("{} {location}", response.status().as_u16()), want);
        }
    }
}
