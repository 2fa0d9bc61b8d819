//! Topics as clients spell them: `posts/*?options=…` (spec records-files-realtime-batch §5.3).

use std::{fmt, sync::Arc};

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::ctx::{SubscriptionOptions as Options, header_key};
use crate::json;

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
    Some(read(&options))
}

/// What was read before the first fault counts (spec upstream-0.40 §2.9).
fn read(text: &str) -> Options {
    let mut options = Options::default();
    let (Value::Object(members), _) = json::read::until_fault(text) else { return options };
    for (key, member) in members {
        let (part, name): (_, fn(&str) -> String) = match key.as_str() {
            "query" => (&mut options.query, str::to_owned),
            "headers" => (&mut options.headers, header_key),
            "leave" => {
                options.leave = stringify(&member) == "true";
                continue;
            }
            _ => continue,
        };
        match member {
            Value::Object(members) => {
                part.extend(members.iter().map(|(key, value)| (name(key), stringify(value))));
            }
            Value::Null => {}
            _ => break,
        }
    }
    // client libraries put what they do not know into the query
    options.leave |= options.query("leave") == "true";
    options
}

fn stringify(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(yes) => yes.to_string(),
        Value::Number(number) => number.as_f64().map_or_else(String::new, |n| n.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
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
        for (options, fields) in [
            (r#"{"query":{"fields":"a"}} x"#, "a"),
            (r#"{"query":{"fields":"a"},"query":{"fields":"b"}}"#, "a"),
            (r#"{"query":{"fields":"a","fields":"b"}}"#, "a"),
            (r#"{"query":{"fields":"a""#, "a"),
            (r#"{"query":{"fields":"a","b":"\ud800"}}"#, "a"),
            (r#"{"query":{"fields":"a"},"headers":1}"#, "a"),
            (r#"{"query":{"fields":"a"},}"#, "a"),
            (r#"{"query":{"fields":"a"},"z":{"a":1,"a":2}}"#, "a"),
            (r#"{"query":{"fields":5}}"#, "5"),
            (r#"{"query":{"fields":"a"#, ""),
            (r#"{"headers":1,"query":{"fields":"a"}}"#, ""),
            (r#"{"query":{"b":"\ud800","fields":"a"}}"#, ""),
            (r#"{"query":{"b":1e400,"fields":"a"}}"#, ""),
            (r#"{"z":{"a":1,"a":2},"query":{"fields":"a"}}"#, ""),
            (r#"{"Query":{"fields":"a"}}"#, ""),
            (r#"{"query":{"Fields":"a"}}"#, ""),
            (r#"[{"query":{"fields":"a"}}]"#, ""),
            ("null", ""),
        ] {
            let encoded: String = form_urlencoded::byte_serialize(options.as_bytes()).collect();
            let topic = Topic::parse(&format!("posts/*?options={encoded}"));
            assert_eq!(topic.options().query("fields"), fields, "{options}");
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
