//! What a client sent before the body. Knows no server and no route.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use engine::{
    ctx::{RequestFacts, header_key},
    settings::Settings,
};
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use serde_json::{Map, Value};

use crate::query::Query;

/// What the client sent before the body.
#[derive(Debug)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// The target as sent.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The other end of the socket.
    pub remote: SocketAddr,
}

impl Head {
    /// The same in memory of its own. What a client sent lies in the buffer it was read into, which is many times as
    /// large: a stream that stays for hours must not keep it.
    #[must_use]
    pub fn detached(&self) -> Self {
        let own = |value: &HeaderValue| {
            HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone())
        };
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            headers.append(name.clone(), own(value));
        }
        let uri = self.uri.to_string().parse().unwrap_or_else(|_| self.uri.clone());
        Self { method: self.method.clone(), uri, headers, remote: self.remote }
    }

    /// A header as text; `""` when it is missing or not text.
    #[must_use]
    pub fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// The query.
    #[must_use]
    pub fn query(&self) -> Query<'_> {
        Query::new(self.uri.query().unwrap_or(""))
    }

    /// The caller's address as the trusted proxy reports it, else that of the socket.
    #[must_use]
    pub fn real_ip(&self, settings: &Settings) -> IpAddr {
        let proxy = &settings.trusted_proxy;
        for name in &proxy.headers {
            let line = self
                .headers
                .get_all(name.as_str())
                .iter()
                .next_back()
                .and_then(|v| v.to_str().ok());
            let mut ips =
                line.unwrap_or("").split(',').filter_map(|part| part.trim().parse::<IpAddr>().ok());
            let found = if proxy.use_leftmost_ip { ips.next() } else { ips.next_back() };
            if let Some(ip) = found {
                return ip;
            }
        }
        self.remote.ip()
    }

    /// The facts behind `@request.*`.
    #[must_use]
    pub fn facts(&self, body: Map<String, Value>) -> RequestFacts {
        let mut query = BTreeMap::new();
        for (key, value) in self.query().pairs() {
            query.entry(key.into_owned()).or_insert_with(|| value.into_owned());
        }
        let mut headers = BTreeMap::new();
        for (name, value) in &self.headers {
            if name != header::HOST {
                headers
                    .entry(header_key(name.as_str()))
                    .or_insert_with(|| engine::json::lossy(value.as_bytes()).into_owned());
            }
        }
        RequestFacts { method: self.method.as_str().to_ascii_uppercase(), query, headers, body }
    }
}

/// IPv6 in full, as the reference prints it.
#[must_use]
pub fn ip_text(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let groups: Vec<String> =
                ip.segments().iter().map(|group| format!("{group:04x}")).collect();
            groups.join(":")
        }
    }
}
