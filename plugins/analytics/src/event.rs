//! Events as they come in: names, aliases, bounds, and the texts that are made of them. Source: spec extensions 7.4.
//!
//! Must not know where they go.

use pocketbase::text::cut;
use serde_json::{Map, Value};

/// Bytes of a text, and of the properties, that are kept.
const MAX_TEXT: usize = 1_024;
const MAX_PROPS: usize = 4_096;
const DAY: i64 = 86_400_000;
const MINUTE: i64 = 60_000;
/// Longer stays are tabs that were forgotten.
const MAX_DURATION: f64 = 86_400_000.0;

/// Something that a visitor did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Event {
    /// What it is, `page_view` for example. Required.
    pub event: String,
    /// Where: a path or an address, of which only the path is kept.
    pub path: String,
    /// The session. Required.
    pub sid: String,
    /// When, in milliseconds since 1970; 0 is now.
    pub ts: i64,
    /// The id of the record that was signed in.
    pub uid: String,
    /// The query of the page.
    pub query: String,
    /// The address that the visitor came from.
    pub referrer: String,
    /// The title of the page.
    pub title: String,
    /// The language of the visitor.
    pub lang: String,
    /// Anything else; it is written into raw logs only.
    pub props: Map<String, Value>,
    /// How long the page took to load, in milliseconds.
    pub perf_ms: Option<f64>,
    /// How long the visitor stayed, in milliseconds.
    pub dur: Option<f64>,
    /// The visitor's user agent, when it is not that of the request.
    pub user_agent: String,
}

impl Event {
    /// Reads one; `None` if it has no event or session, or they are no texts.
    pub(crate) fn read(value: &Value, now: i64) -> Option<Self> {
        let object = value.as_object()?;
        let get = |name: &str, alias: &str| {
            object.get(name).filter(|value| !value.is_null()).or_else(|| object.get(alias))
        };
        let text = |name: &str, alias: &str| {
            cut(get(name, alias).and_then(Value::as_str).unwrap_or_default(), MAX_TEXT).to_owned()
        };
        let millis = |name: &str, alias: &str| {
            get(name, alias).and_then(Value::as_f64).filter(|n| (0.0..=MAX_DURATION).contains(n))
        };
        if !matches!(object.get("path"), None | Some(Value::Null | Value::String(_))) {
            return None;
        }
        #[allow(clippy::cast_possible_truncation, reason = "as saturating as it is meant")]
        let ts = get("ts", "timestamp").and_then(Value::as_f64).unwrap_or_default() as i64;
        let event = Self {
            event: text("event", ""),
            path: object.get("path").and_then(Value::as_str).unwrap_or_default().to_owned(),
            sid: text("sid", "sessionId"),
            ts,
            uid: String::new(),
            query: text("query", ""),
            referrer: text("referrer", ""),
            title: text("title", ""),
            lang: text("lang", "language"),
            props: get("props", "").and_then(Value::as_object).cloned().unwrap_or_default(),
            perf_ms: millis("perf_ms", "perfMs"),
            dur: millis("dur", ""),
            user_agent: String::new(),
        };
        event.checked(now)
    }

    /// Within its bounds; `None` if something that is required is missing.
    pub(crate) fn checked(mut self, now: i64) -> Option<Self> {
        let required = [&self.event, &self.sid];
        if required.iter().any(|text| text.trim().is_empty()) {
            return None;
        }
        for text in [
            &mut self.event,
            &mut self.sid,
            &mut self.uid,
            &mut self.query,
            &mut self.referrer,
            &mut self.title,
            &mut self.lang,
        ] {
            if text.len() > MAX_TEXT {
                *text = cut(text, MAX_TEXT).to_owned();
            }
        }
        if !(now - DAY..=now + 5 * MINUTE).contains(&self.ts) {
            self.ts = now;
        }
        self.props = cut_props(std::mem::take(&mut self.props));
        self.dur = self.dur.filter(|n| (0.0..=MAX_DURATION).contains(n));
        Some(self)
    }
}

/// As many properties as fit.
fn cut_props(props: Map<String, Value>) -> Map<String, Value> {
    let mut len = 2;
    let fits = |(name, value): &(String, Value)| {
        len += name.len() + value.to_string().len() + 4;
        len <= MAX_PROPS
    };
    props.into_iter().take_while(fits).collect()
}

/// What stands before the path of an address: its host without port and user, if it is one.
pub(crate) fn host(address: &str) -> Option<String> {
    let rest = match address.split_once("://") {
        Some((scheme, rest)) if scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => {
            rest
        }
        _ => address.strip_prefix("//").unwrap_or(address),
    };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let host: String = host.trim().chars().filter(|c| !c.is_control()).collect();
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    (!host.is_empty()).then(|| cut(&host, 255).to_owned())
}

/// A path without scheme, host, query and hash, with a slash at its beginning and none at its end.
pub(crate) fn normal_path(path: &str) -> String {
    let path = path.trim();
    let path = if has_host(path) {
        let rest = path.split_once("//").map_or("", |(_, rest)| rest);
        rest.find(['/', '?', '#']).map_or("", |at| &rest[at..])
    } else {
        path
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path: String = path.chars().filter(|c| !c.is_control()).collect();
    let path = path.trim_matches('/');
    let whole = cut(&format!("/{path}"), MAX_TEXT).to_owned();
    match whole.trim_end_matches('/') {
        "" => "/".to_owned(),
        kept => kept.to_owned(),
    }
}

/// Whether a path is a whole address.
pub(crate) fn has_host(path: &str) -> bool {
    path.starts_with("//")
        || path.split_once("://").is_some_and(|(scheme, _)| {
            !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths() {
        for (path, want) in [
            ("", "/"),
            ("/", "/"),
            ("a", "/a"),
            ("/a/", "/a"),
            ("/a//", "/a"),
            ("/a?x=1", "/a"),
            ("/a#h", "/a"),
            ("/a/?x#h", "/a"),
            ("https://example.com/a/b/?q#h", "/a/b"),
            ("https://example.com", "/"),
            ("https://example.com?x", "/"),
            ("//example.com/a", "/a"),
            ("?x", "/"),
            ("/a\u{0}b\nc", "/abc"),
            ("/go?to=https://x.y/z", "/go"),
            ("/ä/ü/", "/ä/ü"),
        ] {
            assert_eq!(normal_path(path), want, "{path:?}");
        }
        assert_eq!(normal_path(&"ä".repeat(4_000)).len(), 1_023);
    }

    #[test]
    fn hosts() {
        for (address, want) in [
            ("https://Google.com/search?q=x", Some("google.com")),
            ("http://user:pw@example.com:8080/x", Some("example.com")),
            ("http://[::1]:80/", Some("::1")),
            ("example.com", Some("example.com")),
            ("android-app://com.google.android/", Some("com.google.android")),
            ("", None),
            ("https:///x", None),
        ] {
            assert_eq!(host(address).as_deref(), want, "{address}");
        }
    }

    #[test]
    fn aliases_and_bounds() {
        let now = 1_800_000_000_000;
        let read = |value: Value| Event::read(&value, now);
        let event = read(
            json!({"event": "page_view", "path": "/a", "sessionId": "s", "timestamp": now - 5, "perfMs": 1.5,
            "language": "de", "userId": "forged", "dur": 7}),
        );
        let event = event.expect("an event of the SDK");
        assert_eq!((event.sid.as_str(), event.ts, event.lang.as_str()), ("s", now - 5, "de"));
        assert_eq!((event.uid.as_str(), event.perf_ms, event.dur), ("", Some(1.5), Some(7.0)));
        for ts in [
            json!(null),
            json!(0),
            json!(-1),
            json!(now + 31_536_000_000_i64),
            json!(now - 2 * DAY),
            json!(1e300),
            json!("x"),
        ] {
            let event = read(json!({"event": "e", "sid": "s", "ts": ts}));
            assert_eq!(event.expect("an event").ts, now, "{ts}");
        }
        for invalid in [
            json!({"event": "e"}),
            json!({"sid": "s"}),
            json!({"event": "", "sid": "s"}),
            json!({"event": "e", "sid": " "}),
            json!({"event": 1, "sid": "s"}),
            json!({"event": "e", "sid": "s", "path": 5}),
            json!("e"),
            json!(null),
        ] {
            assert_eq!(read(invalid.clone()), None, "{invalid}");
        }
        let long = "é".repeat(2_000);
        let event = read(
            json!({"event": "e", "sid": "s", "title": long, "props": {"a": 1, "b": "x".repeat(5_000)}}),
        );
        let event = event.expect("an event");
        assert_eq!(
            (event.title.len(), event.props),
            (1_024, json!({"a": 1}).as_object().cloned().unwrap_or_default())
        );
    }
}
