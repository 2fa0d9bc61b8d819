//! Requests that break HTTP itself: refused in plain text before any route, as the reference's HTTP library does.
//!
//! Knows no routes and no settings.

use http::{HeaderValue, Method, Version, header};

use crate::{head::Head, response::Response};

/// The answer to a request that is none.
pub(super) fn refuse(head: &Head, version: Version) -> Option<Response> {
    // HTTP/2 has its own rules, and hyper keeps them
    if version >= Version::HTTP_2 {
        return None;
    }
    let path = head.uri.path();
    let target = path.starts_with('/') || (path == "*" && head.method == Method::OPTIONS);
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let fault = match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_11 => ": missing required Host header",
        (Some(_), Some(_)) => "",
        (Some(host), None) if !host.as_bytes().iter().all(|byte| in_host(*byte)) => {
            ": malformed Host header"
        }
        _ if !target || !crate::query::is_escaped_well(path.as_bytes()) => "",
        _ => {
            let expects = head.headers.get(header::EXPECT);
            let keeps = |value: &HeaderValue| {
                value.is_empty() || value.as_bytes().eq_ignore_ascii_case(b"100-continue")
            };
            return (!expects.is_none_or(keeps)).then(|| closing(417, String::new()));
        }
    };
    Some(closing(400, format!("400 Bad Request{fault}")))
}

/// Bytes of a host with port (RFC 3986 §3.2.2).
fn in_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!$%&'()*+,-.:;=[]_~".contains(&byte)
}

fn closing(status: u16, text: String) -> Response {
    Response::text(status, "text/plain; charset=utf-8", text)
        .with_header(header::CONNECTION, "close")
}
