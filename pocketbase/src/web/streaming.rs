//! What handlers may do with requests that are too large or too long to be held: see the body as it comes, answer with a
//! body of any origin, take the connection over.
//!
//! Must not keep what goes through.

use std::io;

pub use api::streaming::{AnyBody, Streamed, Upgrade, Upgraded, is_too_large, is_too_slow};
use bytes::Bytes;
use serde_json::Map;

use super::{RequestEvent, RequestInfo};
use crate::{App, Body, Error, Response, Result};

impl RequestEvent {
    /// The body as it comes, up to a limit that counts in the place of the route's; afterwards there is none to read. As long
    /// as something comes, the server's time limit for requests does not strike.
    ///
    /// ```
    /// # use pocketbase::{RequestEvent, Response, Result, testing::TestApp, web::{AnyBody, piped}};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let test = TestApp::new().await?;
    /// # let app = test.app();
    /// /// Sends back what comes, while it comes.
    /// async fn echo(e: RequestEvent) -> Result<Response> {
    ///     let body = e.take_body(1 << 30)?;
    ///     Ok(piped(200, AnyBody::new(body)))
    /// }
    /// app.router().post("/echo", echo).unbind("pbBodyLimit");
    ///
    /// let answer = test.post("/echo").json(&serde_json::json!({"a": 1})).send().await;
    /// assert_eq!(answer.text(), r#"{"a":1}"#);
    /// # Ok::<(), pocketbase::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// 413 when it is said to be longer.
    pub fn take_body(&self, limit: u64) -> Result<Streamed> {
        self.limit_body(limit)?;
        self.with(|req| req.take_body(limit))
            .ok_or_else(|| Error::other("the request is in the hands of another step"))
    }
    /// Puts a body in the place of the one that was taken, to be read again.
    pub fn put_body(&self, bytes: Bytes) {
        self.with(|req| req.put_body(bytes));
    }
    /// The facts that rules see as `@request.*`, with an empty body: nothing is read.
    ///
    /// # Errors
    /// While another step has the request.
    pub fn request_facts(&self) -> Result<RequestInfo> {
        self.with(|req| RequestInfo::of(&req.ctx(Map::new())))
            .ok_or_else(|| Error::other("the request is in the hands of another step"))
    }
    /// Gives the request more time than the server does, from now on; `None` for no limit, which the handler must have then.
    pub fn set_time_limit(&self, limit: Option<std::time::Duration>) {
        self.with(|req| req.set_time_limit(limit));
    }
    /// The host that the client has asked for, with the port if it has named one.
    #[must_use]
    pub fn host(&self) -> String {
        // what the target names counts, whatever the header says (RFC 9112 3.2.2)
        let head = self.head();
        let named = head.uri.authority().map(|at| at.as_str());
        named.unwrap_or_else(|| self.header("host")).to_owned()
    }
    /// The client's address behind the trusted proxy of the settings; `None` if they name none, when whatever other
    /// servers may have written into headers is the client's own text.
    #[must_use]
    pub fn forwarded_ip(&self) -> Option<String> {
        let settings = self.app().settings().ok()?;
        (!settings.trusted_proxy.headers.is_empty()).then(|| self.real_ip())
    }
}

/// An answer whose body comes from elsewhere, piece by piece.
#[must_use]
pub fn piped(status: u16, body: AnyBody) -> Response {
    Response { body: Body::Any(body), ..Response::empty(status) }
}

/// A 101 with what is done with the connection then. It needs the headers that the protocol asks for.
#[must_use]
pub fn upgraded(upgrade: Upgrade) -> Response {
    Response { body: Body::Upgrade(upgrade), ..Response::empty(101) }
}

/// Reads a body to its end; `None` if it is longer than `most`.
///
/// # Errors
/// When the client breaks off.
pub async fn read_body(body: Streamed, most: usize) -> io::Result<Option<Bytes>> {
    use http_body_util::{BodyExt as _, LengthLimitError, Limited};
    match Limited::new(body, most).collect().await {
        Ok(all) => Ok(Some(all.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Ok(None),
        Err(error) => match error.downcast::<io::Error>() {
            Ok(error) if is_too_large(&error) => Ok(None),
            Ok(error) => Err(*error),
            Err(error) => Err(io::Error::other(error)),
        },
    }
}

impl App {
    /// The request's facts satisfy a rule that is about no record: `@request.*`, `@collection.*` and literals. Superusers
    /// satisfy every rule.
    ///
    /// # Errors
    /// A rule that does not compile, database errors: then nobody may be let through.
    pub async fn matches_rule(&self, request: &RequestInfo, rule: &str) -> Result<bool> {
        if request.has_superuser_auth() {
            return Ok(true);
        }
        self.judge_rule(request, rule).await
    }
}
