//! Addresses and queries (spec extending §6).

use parking_lot::Mutex;

use super::request::{Request, shared};
use crate::bind::{Val, native_at, native_bare, new_map, table};

/// An address without scheme and host, as requests have it.
pub(crate) struct Url {
    /// Encoded.
    path: String,
    query: Option<String>,
    /// The request it is the address of.
    of: Option<usize>,
}
/// Values by name, each several times: a query.
pub(crate) struct Values(pub(super) Mutex<Vec<(String, String)>>);

native_bare!(Values = VALUES);
native_at!(Url = URL, |url| url.of);

table! {
    pub(crate) static URL: Url = "url.URL", "An address." {
        prop "scheme": "string", "Empty in requests." => |cx, u| "";
        prop "opaque": "string", "Empty in requests." => |cx, u| "";
        prop "user": "url.Userinfo", "`null` in requests." => |cx, u| Val::Null;
        prop "host": "string", "Empty in requests." => |cx, u| "";
        prop "path": "string", "The path, decoded." => |cx, u| decoded(&u.path);
        prop "fragment": "string", "Empty in requests." => |cx, u| "";
        prop "rawQuery": "string", "The query as sent." => |cx, u| u.query.clone().unwrap_or_default();
        prop "rawPath": "string", "The path as sent, if decoding it loses something." => |cx, u| "";
        prop "rawFragment": "string", "Empty in requests." => |cx, u| "";
        prop "forceQuery": "boolean", "False in requests." => |cx, u| false;
        prop "omitHost": "boolean", "False in requests." => |cx, u| false;
        fn "query" "(): url.Values" "The values of the query." => |cx, u, a| shared(Values(Mutex::new(pairs(u.query.as_deref().unwrap_or_default()))));
        fn "string" "(): string" "All of it." => |cx, u, a| u.target();
        fn "requestURI" "(): string" "Path and query." => |cx, u, a| u.target();
        fn "escapedPath" "(): string" "The path as sent." => |cx, u, a| u.path.clone();
        fn "hostname" "(): string" "Empty in requests." => |cx, u, a| "";
        fn "port" "(): string" "Empty in requests." => |cx, u, a| "";
        fn "isAbs" "(): boolean" "False in requests." => |cx, u, a| false;
        fn "parse" "(reference: string): url.URL" "What a reference means there." => |cx, u, a| shared(u.resolve(&a.str(0)?));
        fn "joinPath" "(...elements: string[]): url.URL" "The address with more path." => |cx, u, a| shared(u.join(&a.texts(0)?));
    }
    text |u| u.target();
}

impl Url {
    pub(super) fn of(request: &Request) -> Self {
        let incoming = request.incoming();
        let query = incoming.map(|i| i.raw_query().to_owned()).unwrap_or_default();
        Self {
            path: incoming.map(|i| i.path().to_owned()).unwrap_or_default(),
            query: Some(query).filter(|query| !query.is_empty()),
            of: Some(request.address()),
        }
    }
    fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }
    /// A reference without scheme and host, from here.
    fn resolve(&self, reference: &str) -> Self {
        let reference = reference.split('#').next().unwrap_or_default();
        let (path, query) = match reference.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (reference, None),
        };
        let path = match path {
            "" => {
                return Self {
                    path: self.path.clone(),
                    query: query.or_else(|| self.query.clone()),
                    of: None,
                };
            }
            path if path.starts_with('/') => clean(&escaped(path)),
            path => {
                let folder = self.path.rfind('/').map_or("/", |at| &self.path[..=at]);
                clean(&format!("{folder}{}", escaped(path)))
            }
        };
        Self { path, query, of: None }
    }
    fn join(&self, elements: &[String]) -> Self {
        let all = format!("{}/{}", self.path, escaped(&elements.join("/")));
        Self { path: clean(&all), query: self.query.clone(), of: None }
    }
}

/// A path without `.`, `..` and empty segments; a slash at the end stays.
fn clean(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            part => kept.push(part),
        }
    }
    let is_folder =
        !kept.is_empty() && (path.ends_with('/') || path.ends_with("/.") || path.ends_with("/.."));
    format!("/{}{}", kept.join("/"), if is_folder { "/" } else { "" })
}

/// The pairs of a query.
fn pairs(query: &str) -> Vec<(String, String)> {
    let parts = query.split('&').filter(|part| !part.is_empty() && !part.contains(';'));
    parts
        .map(|part| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            (decoded(&key.replace('+', " ")), decoded(&value.replace('+', " ")))
        })
        .collect()
}

table! {
    pub(crate) static VALUES: Values = "url.Values", "Values by name." {
        fn "get" "(key: string): string" "The first value." => |cx, v, a| v.all(&a.str(0)?).into_iter().next().unwrap_or_default();
        fn "set" "(key: string, value: string): void" "Replaces the values." => |cx, v, a| {
            let (key, value) = (a.str(0)?, a.str(1)?);
            let mut all = v.0.lock();
            all.retain(|(known, _)| *known != key);
            all.push((key, value));
        };
        fn "add" "(key: string, value: string): void" "Adds a value." => |cx, v, a| {
            let pair = (a.str(0)?, a.str(1)?);
            v.0.lock().push(pair);
        };
        fn "del" "(key: string): void" "Removes the values." => |cx, v, a| {
            let key = a.str(0)?;
            v.0.lock().retain(|(known, _)| *known != key);
        };
        fn "has" "(key: string): boolean" "Whether there is one." => |cx, v, a| !v.all(&a.str(0)?).is_empty();
        fn "encode" "(): string" "As a query." => |cx, v, a| v.encode();
    }
    json |v| v.json();
}

impl Values {
    fn all(&self, key: &str) -> Vec<String> {
        let all = self.0.lock();
        all.iter().filter(|(known, _)| known == key).map(|(_, value)| value.clone()).collect()
    }
    fn json(&self) -> Val {
        by_name(&self.0.lock())
    }
    fn encode(&self) -> String {
        let mut all = self.0.lock().clone();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let pairs = all.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

pub(super) fn by_name(all: &[(String, String)]) -> Val {
    let map = new_map([]);
    for (key, value) in all {
        let mut map = map.lock();
        let list = map.entry(key.clone()).or_insert_with(|| Val::List(Vec::new()));
        if let Val::List(list) = list {
            list.push(Val::Str(value.clone()));
        }
    }
    Val::Map(map)
}

fn decoded(path: &str) -> String {
    let mut out = Vec::with_capacity(path.len());
    let bytes = path.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let hex = path.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What may not stand in a path, percent-encoded; what is encoded stays.
fn escaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(char::from(byte)),
            _ if b"-_.~$&+,/:;=@%!'()*".contains(&byte) => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte))
            }
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let base = Url { path: "/req/a%20b/x".into(), query: Some("a=1".into()), of: None };
        for (reference, want) in [
            ("../y?z=1", "/req/y?z=1"),
            ("y", "/req/a%20b/y"),
            ("/top#part", "/top"),
            ("", "/req/a%20b/x?a=1"),
            ("..", "/req/"),
        ] {
            assert_eq!(base.resolve(reference).target(), want, "{reference}");
        }
        assert_eq!(base.join(&["a".into(), "b".into()]).target(), "/req/a%20b/x/a/b?a=1");
    }

    #[test]
    fn queries() {
        let all = Values(Mutex::new(pairs("b=%20&a=1&a=2&c")));
        assert_eq!(all.encode(), "a=1&a=2&b=+&c=");
    }
}
