//! Cookies (spec extending §3.2).

use std::sync::Arc;

use super::services::trees;
use crate::bind::{Args, Dynamic, MapRef, Native, Res, Shared, Type, Val, new_map, table};

/// A cookie: a tree of its members.
pub(crate) struct Cookie(MapRef);
trees!(Cookie = COOKIE);

table! {
    pub(crate) static COOKIE: Cookie = "http.Cookie", "A cookie." {
        fn "string" "(): string" "As a header has it." => |cx, c, a| c.text();
        fn "valid" "(): void" "Fails if it cannot be sent." => |cx, c, a| ();
    }
    text |c| c.text();
    json |c| Val::Map(c.0.clone());
    order &["name", "value", "quoted", "path", "domain", "expires", "rawExpires", "maxAge", "secure", "httpOnly", "sameSite", "partitioned", "raw", "unparsed"];
}

impl Cookie {
    pub(crate) fn new(args: &Args<'_, '_>) -> Res<Self> {
        let cookie = Self::of("", "");
        if let Val::Map(given) = args.val(0)? {
            let given = given.lock().clone();
            let mut map = cookie.0.lock();
            for (key, value) in given {
                if let Some(known) = map.get_mut(&key) {
                    *known = value;
                }
            }
        }
        Ok(cookie)
    }
    fn of(name: &str, value: &str) -> Self {
        Self(new_map([
            ("name".to_owned(), name.into()),
            ("value".to_owned(), value.into()),
            ("quoted".to_owned(), false.into()),
            ("path".to_owned(), "".into()),
            ("domain".to_owned(), "".into()),
            ("expires".to_owned(), Val::Host(Arc::new(super::time::none()))),
            ("rawExpires".to_owned(), "".into()),
            ("maxAge".to_owned(), Val::Int(0)),
            ("secure".to_owned(), false.into()),
            ("httpOnly".to_owned(), false.into()),
            ("sameSite".to_owned(), Val::Int(0)),
            ("partitioned".to_owned(), false.into()),
        ]))
    }
    fn str(&self, key: &str) -> String {
        match self.0.lock().get(key) {
            Some(Val::Str(text)) => text.clone(),
            _ => String::new(),
        }
    }
    fn is(&self, key: &str) -> bool {
        matches!(self.0.lock().get(key), Some(Val::Bool(true)))
    }
    fn int(&self, key: &str) -> i64 {
        match self.0.lock().get(key) {
            Some(Val::Int(int)) => *int,
            _ => 0,
        }
    }
    /// `name=value; Path=/; …`, as Go writes it.
    fn text(&self) -> String {
        let name = self.str("name");
        if name.is_empty() {
            return String::new();
        }
        let is_plain = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | ';' | '\\');
        let value: String = self.str("value").chars().filter(|c| is_plain(*c)).collect();
        let is_quoted = value.contains([' ', ',']) || self.is("quoted");
        let mut text =
            if is_quoted { format!("{name}=\"{value}\"") } else { format!("{name}={value}") };
        for (key, shown) in [("path", "Path"), ("domain", "Domain")] {
            let value = self.str(key);
            if !value.is_empty() {
                text.push_str(&format!("; {shown}={}", value.trim_start_matches('.')));
            }
        }
        if let Some(expires) = self.expires() {
            text.push_str(&format!("; Expires={expires}"));
        }
        match self.int("maxAge") {
            0 => {}
            age if age < 0 => text.push_str("; Max-Age=0"),
            age => text.push_str(&format!("; Max-Age={age}")),
        }
        for (key, shown) in [("httpOnly", "HttpOnly"), ("secure", "Secure")] {
            if self.is(key) {
                text.push_str(&format!("; {shown}"));
            }
        }
        match self.int("sameSite") {
            2 => text.push_str("; SameSite=Lax"),
            3 => text.push_str("; SameSite=Strict"),
            4 => text.push_str("; SameSite=None"),
            _ => {}
        }
        if self.is("partitioned") {
            text.push_str("; Partitioned");
        }
        text
    }
    fn expires(&self) -> Option<String> {
        let millis = match self.0.lock().get("expires")? {
            Val::Time(millis) => *millis,
            Val::Host(host) => host.get::<super::time::Moment>()?.0,
            _ => return None,
        };
        (millis != super::time::none().0).then(|| super::time::http_date(millis))
    }
}

/// The cookies of a header.
pub(crate) fn parsed(header: &str) -> Vec<Shared> {
    let pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs
        .map(|(name, value)| Arc::new(Cookie::of(name, value.trim_matches('"'))) as Shared)
        .collect()
}
/// The name of one that [`parsed`] gave.
pub(crate) fn name_of(cookie: &Shared) -> String {
    cookie.get::<Cookie>().map(|cookie| cookie.str("name")).unwrap_or_default()
}
