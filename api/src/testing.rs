//! An in-process client: a request goes through the router and the whole pipeline without a socket.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use http_body_util::BodyExt as _;

use crate::{api::Api, request::Req, server};

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Answer {
    /// Status 0: the request could not be sent, and why.
    #[must_use]
    pub fn unsent(reason: &str) -> Self {
        Self { status: 0, headers: HeaderMap::new(), body: reason.to_owned().into() }
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` when it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header as text, `""` when missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }
}

/// Sends one request. Malformed parts (method, URL, headers) are left out.
pub async fn send(
    api: &Api,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        {
            map.append(name, value);
        }
    }
    let uri = url.parse::<Uri>().unwrap_or_default();
    let mut req = Req::synthetic(api, method, uri, map, Bytes::copy_from_slice(body.as_bytes()));
    let (parts, body) = server::dispatch(&mut req).await.into_parts();
    let body = match body.collect().await {
        Ok(all) => all.to_bytes(),
        Err(_) => Bytes::new(),
    };
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}
