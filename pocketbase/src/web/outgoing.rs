//! Requests to other servers: [`App::fetch`].

use std::time::Duration;

use engine::outbound::{Limits, Reach};

use crate::{
    app::App,
    error::{Error, Result},
};

/// A request to another server.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// `GET` if empty.
    pub method: String,
    /// Where to.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// From the start to the last byte; none: two minutes.
    pub timeout: Option<Duration>,
}

/// The answer of another server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Fetched {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Most bytes of an answer.
const MOST: usize = 1 << 30;

impl App {
    /// Asks another server, and follows its redirects. Every status is an answer.
    ///
    /// # Errors
    /// When there is no answer: a wrong address, no connection, no time left.
    pub async fn fetch(&self, outgoing: Outgoing) -> Result<Fetched> {
        let method = if outgoing.method.is_empty() { "GET" } else { &outgoing.method };
        let mut request = http::Request::builder().method(method).uri(&outgoing.url);
        for (name, value) in &outgoing.headers {
            request = request.header(name, value);
        }
        let request = request.body(outgoing.body.into());
        let request = request.map_err(|error| Error::other(error.to_string()))?;
        if !matches!(request.uri().scheme_str(), Some("http" | "https")) {
            let scheme = request.uri().scheme_str().unwrap_or_default();
            return Err(Error::other(format!("unsupported protocol scheme {scheme:?}")));
        }
        let limits = Limits {
            reach: Reach::Configured,
            time: outgoing.timeout.unwrap_or(Duration::from_secs(120)),
            max_bytes: MOST,
            ..Limits::default()
        };
        let client = self.engine()?.outbound().clone();
        let answer = client.send(request, &limits).await;
        let answer = answer.map_err(|error| Error::other(error.to_string()))?;
        let text =
            |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Ok(Fetched {
            status: answer.status().as_u16(),
            headers: answer.headers().iter().map(|(k, v)| (k.to_string(), text(v))).collect(),
            body: answer.into_body().to_vec(),
        })
    }
}
