//! [`Incoming`]: a request and the headers of its answer as texts, the same for routes and for hooks of requests.

use std::{fmt, sync::Arc};

use api::request::{Exchange, Head, ip_text};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{event::RequestEvent, texts::Pairs};
use crate::app::App;

/// What a client has sent, without the body, and the headers it will get.
#[derive(Clone)]
pub struct Incoming {
    app: App,
    head: Arc<Head>,
    params: Pairs,
    pattern: String,
    answer: Answer,
}

#[derive(Clone)]
enum Answer {
    Route(RequestEvent),
    Hook(Arc<Exchange>),
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("uri", &self.head.uri).finish_non_exhaustive()
    }
}

impl Incoming {
    pub(super) fn of_route(event: &RequestEvent, pattern: String) -> Self {
        Self {
            app: event.app().clone(),
            head: event.head().clone(),
            params: event.path_values().clone(),
            pattern,
            answer: Answer::Route(event.clone()),
        }
    }
    pub(crate) fn of_hook(app: &App, exchange: &Arc<Exchange>) -> Self {
        Self {
            app: app.clone(),
            head: exchange.head.clone(),
            params: Pairs::default(),
            pattern: String::new(),
            answer: Answer::Hook(exchange.clone()),
        }
    }
    /// The method in upper case.
    #[must_use]
    pub fn method(&self) -> &str {
        self.head.method.as_str()
    }
    /// The path, encoded as it came.
    #[must_use]
    pub fn path(&self) -> &str {
        self.head.uri.path()
    }
    /// The query without its `?`.
    #[must_use]
    pub fn raw_query(&self) -> &str {
        self.head.uri.query().unwrap_or_default()
    }
    /// Path and query.
    #[must_use]
    pub fn target(&self) -> String {
        self.head.uri.to_string()
    }
    /// The pattern of the route; empty in hooks.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }
    /// The decoded part of the path that `{name}` stands for; empty in hooks.
    #[must_use]
    pub fn path_value(&self, name: &str) -> String {
        let found = self.params.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }
    /// The values of the query, decoded, in their order.
    #[must_use]
    pub fn query_values(&self) -> Vec<(String, String)> {
        let query = self.head.query();
        query.pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
    }
    /// The headers as they came.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, String)> {
        texts(&self.head.headers)
    }
    /// The values of a header.
    #[must_use]
    pub fn header_values(&self, name: &str) -> Vec<String> {
        values(&self.head.headers, name)
    }
    /// The other end of the socket, `address:port`.
    #[must_use]
    pub fn remote_addr(&self) -> String {
        self.head.remote.to_string()
    }
    /// The address of the other end of the socket.
    #[must_use]
    pub fn remote_ip(&self) -> String {
        ip_text(self.head.remote.ip())
    }
    /// The caller's address as the trusted proxy reports it, else that of the socket.
    #[must_use]
    pub fn real_ip(&self) -> String {
        match self.app.settings() {
            Ok(settings) => ip_text(self.head.real_ip(&settings)),
            Err(_) => self.remote_ip(),
        }
    }

    fn change<T: Default>(&self, change: impl FnOnce(&mut HeaderMap) -> T) -> T {
        match &self.answer {
            Answer::Route(event) => event.change_headers(change),
            Answer::Hook(exchange) => change(&mut exchange.headers.lock()),
        }
    }
    /// The headers set for the answer so far.
    #[must_use]
    pub fn response_headers(&self) -> Vec<(String, String)> {
        self.change(|headers| texts(headers))
    }
    /// The values of a header of the answer.
    #[must_use]
    pub fn response_header(&self, name: &str) -> Vec<String> {
        self.change(|headers| values(headers, name))
    }
    /// Sets a header of the answer in place of what it was; what is no header is ignored.
    pub fn set_response_header(&self, name: &str, value: &str) {
        if let Some((name, value)) = header(name, value) {
            self.change(|headers| {
                headers.insert(name, value);
            });
        }
    }
    /// Adds a value to a header of the answer.
    pub fn add_response_header(&self, name: &str, value: &str) {
        if let Some((name, value)) = header(name, value) {
            self.change(|headers| {
                headers.append(name, value);
            });
        }
    }
    /// Takes a header of the answer away.
    pub fn remove_response_header(&self, name: &str) {
        self.change(|headers| {
            headers.remove(name);
        });
    }
}

fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    Some((HeaderName::try_from(name).ok()?, HeaderValue::from_str(value).ok()?))
}
fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}
fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.get_all(name).iter().map(text).collect()
}
