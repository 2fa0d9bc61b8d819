//! Topics as clients spell them: `posts/*?options=…` (spec records-files-realtime-batch §5.3).

use std::{collections::BTreeMap, fmt, sync::Arc};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::ctx::header_key;

/// What a client attaches to a subscription: the facts rules see as `@request.query.*` and `@request.headers.*`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// `filter`, `expand`, `fields` and whatever rules ask for.
    pub query: BTreeMap<String, String>,
    /// By snake-cased name.
    pub headers: BTreeMap<String, String>,
    /// Wants to hear of records that an update takes out of sight. Not part of the reference.
    pub leave: bool,
}

impl Options {
    /// A query value; `""` when it is missing.
    #[must_use]
    pub fn query(&self, key: &str) -> &str {
        self.query.get(key).map_or("", String::as_str)
    }
}

/// A parsed subscription.
#[derive(PartialEq, Eq)]
pub struct Topic {
    text: Arc<str>,
    base_len: usize,
    options: Arc<Options>,
}

impl fmt::Debug for Topic {
    /// Never prints options: they may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Topic").field(&self.base()).finish()
    }
}

impl Topic {
    /// Parses a subscription. Options that cannot be read are no options.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let base_len = text.find('?').unwrap_or(text.len());
        let options = options_of(text).unwrap_or_default();
        Self { text: text.into(), base_len, options: Arc::new(options) }
    }
    /// The subscription as sent: the name of its events.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }
    /// What comes before the options.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.text[..self.base_len]
    }
    /// The part of the base that would name a collection.
    #[must_use]
    pub fn collection(&self) -> &str {
        self.base().split('/').next().unwrap_or("")
    }
    /// The options.
    #[must_use]
    pub fn options(&self) -> &Arc<Options> {
        &self.options
    }
}

/// The `options` query value, read as URLs are: a URL that does not parse has none.
fn options_of(text: &str) -> Option<Options> {
    let (url, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (path, query) = url.split_once('?')?;
    let is_broken = url.bytes().any(|b| b < 0x20 || b == 0x7f)
        || path.starts_with(':')
        || !is_escaped(path)
        || !is_escaped(fragment);
    if is_broken {
        return None;
    }
    let options = query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if pair.contains(';') {
            return None;
        }
        (unescape(key)? == "options").then(|| unescape(value)).flatten()
    })?;
    let Value::Object(map) = serde_json::from_str(&options).ok()? else { return None };
    let part = |name: &str| match map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)) {
        None | Some((_, Value::Null)) => Some(Map::new()),
        Some((_, Value::Object(part))) => Some(part.clone()),
        Some(_) => None,
    };
    let (query, headers) = (part("query")?, part("headers")?);
    // Client libraries put what they do not know into the query.
    let leave = map.get("leave").or_else(|| query.get("leave"));
    Some(Options {
        leave: leave.is_some_and(|leave| stringify(leave) == "true"),
        query: query.iter().map(|(key, value)| (key.clone(), stringify(value))).collect(),
        headers: headers.iter().map(|(key, value)| (header_key(key), stringify(value))).collect(),
    })
}

fn is_escaped(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'%', bytes).all(|at| {
        bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    })
}

fn unescape(text: &str) -> Option<String> {
    if !is_escaped(text) {
        return None;
    }
    let spaced = text.replace('+', " ");
    Some(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

fn stringify(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(yes) => yes.to_string(),
        Value::Number(number) => number.as_f64().map_or_else(String::new, |n| n.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases() {
        for (text, base, collection) in [
            ("posts", "posts", "posts"),
            ("posts/*?options=x", "posts/*", "posts"),
            ("posts/a?b?c", "posts/a", "posts"),
            ("@oauth2", "@oauth2", "@oauth2"),
            ("", "", ""),
        ] {
            let topic = Topic::parse(text);
            assert_eq!((topic.base(), topic.collection()), (base, collection), "{text}");
            assert_eq!(&**topic.text(), text);
        }
    }

    #[test]
    fn options() {
        let all =
            r#"{"query":{"a":1,"b":true,"c":null,"d":{"x":1},"e":1.5},"headers":{"X-Token":"t"}}"#;
        let encoded: String = form_urlencoded::byte_serialize(all.as_bytes()).collect();
        for text in [
            format!("posts/*?options={encoded}"),
            format!("posts/*?x=1&options={encoded}"),
            format!("posts/*?a;b&options={encoded}&options=2#tail"),
            format!("posts/*?%zz=1&options={encoded}"),
        ] {
            let options = Topic::parse(&text).options().clone();
            let query = format!("{:?}", options.query);
            assert_eq!(query, r#"{"a": "1", "b": "true", "c": "", "d": "", "e": "1.5"}"#, "{text}");
            assert_eq!(format!("{:?}", options.headers), r#"{"x_token": "t"}"#);
        }
        for text in [
            "posts/*?options=",
            "posts/*?options={",
            "posts/*?options=[]",
            "posts/*?options={\"query\":1}",
            "posts/%?options={\"query\":{\"a\":1}}",
            "posts/*#?options={\"query\":{\"a\":1}}",
            "posts/*?options={\"query\":{\"a\":1;}}",
            "posts/*\n?options={\"query\":{\"a\":1}}",
        ] {
            assert_eq!(**Topic::parse(text).options(), Options::default(), "{text}");
        }
    }
}
