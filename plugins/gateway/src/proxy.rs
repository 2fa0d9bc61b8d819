//! A record of `_proxies`, read once: what it says is checked here, for saving and for serving.
//!
//! Must not do anything with it.

use std::{sync::Arc, time::Duration};

use http::{HeaderName, Uri, uri::Authority};
use pocketbase::Record;
use serde_json::Value;

use crate::{
    client::{Client, Clients, Times},
    config::TransportConfig,
    headers,
    judged::Reads,
    limits::{BreakerConfig, State},
    path, store,
    template::Template,
};

/// Most bytes of a body where a proxy says nothing: that of the server.
const BODY_LIMIT: u64 = 32 << 20;

/// Who may use a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rule {
    Superusers,
    Everybody,
    Nobody,
    Expression { text: String, reads: Reads },
}

impl Rule {
    pub(crate) fn read(text: &str) -> Self {
        match text.trim() {
            "" => Self::Superusers,
            "true" => Self::Everybody,
            "false" => Self::Nobody,
            rule => Self::Expression { text: rule.to_owned(), reads: Reads::of(rule) },
        }
    }
    pub(crate) fn is_expression(&self) -> bool {
        matches!(self, Self::Expression { .. })
    }
}

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upstream {
    /// `http://host:port`.
    pub(crate) origin: String,
    pub(crate) host: String,
    /// Without a slash at its end.
    pub(crate) base: String,
}

/// What is served.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) id: String,
    pub(crate) path: String,
    pub(crate) upstream: Upstream,
    pub(crate) strip: bool,
    pub(crate) rule: Rule,
    pub(crate) headers: Vec<(HeaderName, Template)>,
    /// Headers of clients that go through although they are not for clients to set.
    pub(crate) passed: Vec<HeaderName>,
    /// Longest silence of the upstream.
    pub(crate) timeout: Duration,
    /// Longest time to the headers of an answer.
    pub(crate) header_limit: Option<Duration>,
    /// How long a client may leave what is there for it.
    pub(crate) patience: Duration,
    pub(crate) max_concurrent: u64,
    pub(crate) breaker: Option<BreakerConfig>,
    pub(crate) max_body: u64,
    pub(crate) client: Client,
    pub(crate) times: Times,
    pub(crate) state: Arc<State>,
    /// All that its record says.
    said: String,
}

/// Reads the address of an upstream.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn read_upstream(text: &str) -> Result<Upstream, &'static str> {
    let uri: Uri = text.parse().map_err(|_| "upstream must be a valid URL")?;
    let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority())
    else {
        return Err("upstream must be an http or https URL with a host");
    };
    if authority.host().is_empty() {
        return Err("upstream must have a host");
    }
    if authority.as_str().contains('@') {
        return Err("upstream cannot have user info");
    }
    if text.contains(['?', '#']) {
        return Err("upstream cannot have a query or a fragment");
    }
    let is_climbing = |base: &str| path::resolved(base).is_none_or(|resolved| resolved != base);
    if is_climbing(uri.path()) {
        return Err("upstream cannot have dot segments");
    }
    Ok(Upstream {
        origin: format!("{scheme}://{authority}"),
        host: host_of(authority),
        base: uri.path().trim_end_matches('/').to_owned(),
    })
}

fn host_of(authority: &Authority) -> String {
    authority.host().trim_matches(['[', ']']).to_owned()
}

/// Reads the headers that are sent to the upstream.
///
/// # Errors
/// What is wrong with them; values are not named.
pub(crate) fn read_headers(value: &Value) -> Result<Vec<(HeaderName, Template)>, String> {
    let map = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Object(map) => map,
        _ => return Err("headers must be an object of texts".into()),
    };
    let mut read: Vec<(HeaderName, Template)> = Vec::with_capacity(map.len());
    for (name, value) in map {
        let known = HeaderName::try_from(name.as_str())
            .map_err(|_| format!("{name:?} is not a header name"))?;
        if headers::is_connection_bound(&known) {
            return Err(format!("{name} belongs to the connection and cannot be set"));
        }
        let text = value.as_str().ok_or_else(|| format!("the value of {name} must be a text"))?;
        if text.bytes().any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f) {
            return Err(format!("the value of {name} has control characters"));
        }
        if read.iter().any(|(other, _)| *other == known) {
            return Err(format!("{name} is there twice"));
        }
        read.push((known, Template::parse(text)));
    }
    Ok(read)
}

/// Reads the names of headers that clients may set although others do not let them.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn read_passed(value: &Value) -> Result<Vec<HeaderName>, String> {
    let names = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(names) => names,
        _ => return Err("passHeaders must be a list of texts".into()),
    };
    let read = |name: &Value| {
        let text = name.as_str().ok_or("passHeaders must be a list of texts")?;
        let name =
            HeaderName::try_from(text).map_err(|_| format!("{text:?} is not a header name"))?;
        if headers::is_connection_bound(&name) {
            return Err(format!("{name} belongs to the connection"));
        }
        if headers::is_said_here(&name) {
            return Err(format!("{name} is set by the gateway"));
        }
        Ok(name)
    };
    names.iter().map(read).collect()
}

fn number(map: &Value, name: &str, most: f64) -> Result<Option<f64>, String> {
    match &map[name] {
        Value::Null => Ok(None),
        value => match value.as_f64() {
            Some(n) if (0.0..=most).contains(&n) => Ok(Some(n)),
            _ => Err(format!("{name} must be a number from 0 to {most}")),
        },
    }
}

fn seconds(n: f64) -> Duration {
    Duration::try_from_secs_f64(n).unwrap_or_default()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked before")]
fn count(n: f64) -> u32 {
    n as u32
}

/// Reads the settings of a breaker; `None` if it is not on.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn read_breaker(value: &Value) -> Result<Option<BreakerConfig>, String> {
    if !value.is_object() {
        let is_none = value.is_null();
        return is_none.then_some(None).ok_or_else(|| "circuitBreaker must be an object".into());
    }
    let is_on = match &value["enabled"] {
        Value::Null => false,
        Value::Bool(on) => *on,
        _ => return Err("enabled must be true or false".into()),
    };
    let positive = |name: &str, most, default| {
        number(value, name, most).map(|n| n.filter(|n| *n > 0.0).unwrap_or(default))
    };
    let config = BreakerConfig {
        threshold: count(positive("failure_threshold", 1e6, 5.0)?).max(1),
        recovery: seconds(positive("recovery_timeout", 86_400.0, 30.0)?),
        half_open: count(positive("half_open_requests", 10_000.0, 1.0)?).max(1),
    };
    Ok(is_on.then_some(config))
}

/// How long clients may leave what is there for them where a proxy says nothing.
const PATIENCE: Duration = Duration::from_secs(300);

/// `dial`, `response_header`, `idle`, `client`.
pub(crate) type SaidTimes = [Option<f64>; 4];

/// Reads times in seconds.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn read_times(value: &Value) -> Result<SaidTimes, String> {
    match value {
        Value::Null => return Ok([None; 4]),
        Value::Object(_) => {}
        _ => return Err("timeoutConfig must be an object".into()),
    }
    Ok([
        number(value, "dial", 300.0)?,
        number(value, "response_header", 3600.0)?,
        number(value, "idle", 3600.0)?,
        number(value, "client", 3600.0)?,
    ])
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
fn whole(record: &Record, name: &str) -> u64 {
    record.get_float(name).max(0.0) as u64
}

impl Proxy {
    /// Reads a record; `None` if it is not active. What is known of the one that it was before goes on.
    ///
    /// # Errors
    /// Why it cannot be served.
    pub(crate) fn read(
        record: &Record,
        before: &[Arc<Self>],
        clients: &Clients,
        transport: &TransportConfig,
    ) -> Result<Option<Arc<Self>>, String> {
        if !record.get_bool("active") {
            return Ok(None);
        }
        let id = record.id();
        let path = record.get_str("path").trim_end_matches('/').to_owned();
        if let Some(why) = path::refusal(&path) {
            return Err(why.to_owned());
        }
        let json = |name| store::json_of(record, name);
        let (breaker, headers) = (json("circuitBreaker"), json("headers"));
        let passed = json("passHeaders");
        let [dial, header, idle, client] = read_times(&json("timeoutConfig"))?;
        let default =
            |said: Option<f64>, default| said.filter(|n| *n > 0.0).map_or(default, seconds);
        let times =
            (default(dial, transport.dial_timeout), default(idle, transport.idle_conn_timeout));
        let patience = default(client, PATIENCE);
        let timeout = record.get_float("timeout");
        let timeout = seconds(if timeout > 0.0 { timeout } else { 30.0 });
        let header_limit = match header {
            None => Some(timeout),
            Some(n) => (n > 0.0).then(|| seconds(n)),
        };
        let max_body = whole(record, "maxBodySize");
        let (upstream, rule) = (record.get_str("upstream"), record.get_str("accessRule"));
        let (strip, max_concurrent) =
            (record.get_bool("stripPath"), whole(record, "maxConcurrent"));
        let said = format!(
            "{path} {upstream} {strip} {rule} {headers} {passed} {timeout:?} {header_limit:?} {patience:?} {max_concurrent} {breaker} \
             {max_body} {times:?}"
        );
        if let Some(same) = before.iter().find(|old| old.id == id && old.said == said) {
            return Ok(Some(same.clone()));
        }
        Ok(Some(Arc::new(Self {
            upstream: read_upstream(&upstream)?,
            strip,
            rule: Rule::read(&rule),
            headers: read_headers(&headers)?,
            passed: read_passed(&passed)?,
            timeout,
            header_limit,
            patience,
            max_concurrent,
            breaker: read_breaker(&breaker)?,
            max_body: if max_body > 0 { max_body } else { BODY_LIMIT },
            client: clients.with(times),
            times,
            state: Arc::default(),
            id,
            path,
            said,
        })))
    }

    /// The address for the rest of a path.
    pub(crate) fn target(&self, whole: &str, rest: &str, query: &str) -> String {
        let Upstream { origin, base, .. } = &self.upstream;
        let path = if self.strip { rest } else { whole };
        let root = if base.is_empty() && path.is_empty() { "/" } else { "" };
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{origin}{base}{path}{root}{mark}{query}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn upstreams() {
        for (text, want) in [
            ("http://h", Some(("http://h", ""))),
            ("https://h:8443/base/", Some(("https://h:8443", "/base"))),
            ("http://[::1]:80/a/b", Some(("http://[::1]:80", "/a/b"))),
            ("ftp://h", None),
            ("http://u:p@h", None),
            ("http://h?a=1", None),
            ("http://h/#x", None),
            ("http://h/a/../b", None),
            ("h", None),
            ("/a", None),
        ] {
            let got = read_upstream(text).ok();
            let got = got.as_ref().map(|up| (up.origin.as_str(), up.base.as_str()));
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn headers_that_may_be_set() {
        for (value, is_fine) in [
            (json!(null), true),
            (json!({"Host": "x", "Authorization": "Bearer {env.K}"}), true),
            (json!({"Content-Length": "1"}), false),
            (json!({"transfer-encoding": "chunked"}), false),
            (json!({"Connection": "close"}), false),
            (json!({"a b": "1"}), false),
            (json!({"A": 1}), false),
            (json!({"A": "x\r\nB: y"}), false),
            (json!({"A": "1", "a": "2"}), false),
            (json!([]), false),
        ] {
            assert_eq!(read_headers(&value).is_ok(), is_fine, "{value}");
        }
    }

    #[test]
    fn headers_that_may_pass() {
        for (value, is_fine) in [
            (json!(null), true),
            (json!(["X-Forwarded-User", "Authorization"]), true),
            (json!(["X-Forwarded-For"]), false),
            (json!(["x_real_ip"]), false),
            (json!(["Connection"]), false),
            (json!(["a b"]), false),
            (json!([1]), false),
            (json!("X-A"), false),
        ] {
            assert_eq!(read_passed(&value).is_ok(), is_fine, "{value}");
        }
    }

    #[test]
    fn breakers() {
        assert_eq!(read_breaker(&json!({"failure_threshold": 2})), Ok(None));
        let on =
            read_breaker(&json!({"enabled": true, "failure_threshold": 2, "recovery_timeout": 0}));
        let recovery = Duration::from_secs(30);
        assert_eq!(on, Ok(Some(BreakerConfig { threshold: 2, recovery, half_open: 1 })));
        for bad in [json!([]), json!({"enabled": 1}), json!({"failure_threshold": -1})] {
            assert!(read_breaker(&bad).is_err(), "{bad}");
        }
    }
}
