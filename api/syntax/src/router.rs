//! Path patterns with the meaning of Go 1.22's `ServeMux`: `[METHOD ]/path/{name}`, `{rest...}`, `{$}`, a trailing
//! slash as an anonymous `{...}`, most specific wins, GET serves HEAD, no 405.
//!
//! A trie of path segments per method; a lookup allocates nothing. The table is immutable: whoever changes routes
//! builds a new one and swaps it. Knows no handlers: a route is whatever value the caller stores.
//! Source: spec server-settings-operations §2.2.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Most wildcards in one pattern.
pub const MAX_PARAMS: usize = 8;

/// Why a pattern was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// The text is not a pattern.
    #[error("invalid pattern {0:?}: {1}")]
    Invalid(String, &'static str),
    /// Two patterns match the same paths and neither is more specific.
    #[error("pattern {0:?} conflicts with pattern {1:?}")]
    Conflict(String, String),
}

/// A parsed pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    method: String,
    /// Empty for every host.
    host: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// `{name}`.
    One(String),
    /// `{name...}`, or a trailing slash (then without a name).
    Rest(String),
    /// `{$}`: exactly the trailing slash.
    End,
}

impl Pattern {
    /// Parses `METHOD /path`, or `/path` for every method; a host may stand before the path.
    ///
    /// # Errors
    /// [`PatternError::Invalid`] when the text is not a pattern.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let bad = |why| PatternError::Invalid(text.to_owned(), why);
        let (method, path) = match text.split_once([' ', '\t']) {
            Some((method, path)) => (method, path.trim_start()),
            None => ("", text),
        };
        let slash = path.find('/').ok_or_else(|| bad("the path must start with a slash"))?;
        let (host, path) = path.split_at(slash);
        if host.contains(['{', '}', ' ', '\t']) {
            return Err(bad("a host has no wildcards"));
        }
        let mut segments = Vec::new();
        let mut rest = &path[1..];
        loop {
            let (part, more) = match rest.split_once('/') {
                Some((part, more)) => (part, Some(more)),
                None => (rest, None),
            };
            if part.is_empty() && more.is_none() {
                segments.push(Segment::Rest(String::new()));
                break;
            }
            segments.push(segment(part, more.is_none()).map_err(bad)?);
            match more {
                Some(more) => rest = more,
                None => break,
            }
        }
        let pattern = Self {
            text: text.to_owned(),
            method: method.to_owned(),
            host: host.to_owned(),
            segments,
        };
        let names: Vec<&str> = pattern.names().collect();
        if names.len() > MAX_PARAMS {
            return Err(bad("too many wildcards"));
        }
        if names.iter().enumerate().any(|(i, name)| !name.is_empty() && names[..i].contains(name)) {
            return Err(bad("duplicate wildcard name"));
        }
        Ok(pattern)
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Names of the wildcards, first to last; the anonymous one is empty.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::One(name) | Segment::Rest(name) => Some(name.as_str()),
            Segment::Literal(_) | Segment::End => None,
        })
    }

    /// True if some path fits both and neither pattern is the more specific one.
    fn conflicts(&self, other: &Self) -> bool {
        let methods = match (self.method.as_str(), other.method.as_str()) {
            (a, b) if a == b => Order::Same,
            ("", _) | ("GET", "HEAD") => Order::More,
            (_, "") | ("HEAD", "GET") => Order::Less,
            _ => return false,
        };
        match compare_paths(&self.segments, &other.segments) {
            Order::Disjoint => false,
            paths => match (methods, paths) {
                (Order::Same, Order::Less | Order::More)
                | (Order::Less | Order::More, Order::Same) => false,
                (a, b) => a != b || a == Order::Same,
            },
        }
    }
}

fn segment(part: &str, last: bool) -> Result<Segment, &'static str> {
    let Some(inner) = part.strip_prefix('{') else {
        return if part.contains(['{', '}']) {
            Err("a wildcard must be a whole segment")
        } else {
            Ok(Segment::Literal(decode(part).into_owned()))
        };
    };
    let name = inner.strip_suffix('}').ok_or("a wildcard must be a whole segment")?;
    if name == "$" {
        return if last { Ok(Segment::End) } else { Err("{$} must be at the end") };
    }
    let (name, rest) = match name.strip_suffix("...") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let valid = name.starts_with(|c: char| c == '_' || c.is_alphabetic())
        && name.chars().all(|c| c == '_' || c.is_alphanumeric());
    match (valid, rest, last) {
        (false, ..) => Err("bad wildcard name"),
        (true, true, false) => Err("{...} must be at the end"),
        (true, true, true) => Ok(Segment::Rest(name.to_owned())),
        (true, false, _) => Ok(Segment::One(name.to_owned())),
    }
}

/// How the paths of one pattern relate to those of another: a set inclusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Same,
    /// The first matches more.
    More,
    /// The first matches less.
    Less,
    Overlap,
    Disjoint,
}

impl Order {
    fn and(self, next: Self) -> Self {
        match (self, next) {
            (Self::Disjoint, _) | (_, Self::Disjoint) => Self::Disjoint,
            (Self::Same, x) | (x, Self::Same) => x,
            (a, b) if a == b => a,
            _ => Self::Overlap,
        }
    }
}

fn compare_paths(a: &[Segment], b: &[Segment]) -> Order {
    use Segment::{End, Literal, One, Rest};
    let mut order = Order::Same;
    let (mut left, mut right) = (a, b);
    loop {
        let step = match (left.first(), right.first()) {
            (None, None) => return order,
            (Some(Rest(_)), Some(Rest(_))) => return order,
            (Some(Rest(_)), Some(_)) => return order.and(Order::More),
            (Some(_), Some(Rest(_))) => return order.and(Order::Less),
            (None, _) | (_, None) => return Order::Disjoint,
            (Some(Literal(x)), Some(Literal(y))) if x == y => Order::Same,
            (Some(One(_)), Some(One(_))) | (Some(End), Some(End)) => Order::Same,
            (Some(One(_)), Some(Literal(_))) => Order::More,
            (Some(Literal(_)), Some(One(_))) => Order::Less,
            _ => Order::Disjoint,
        };
        order = order.and(step);
        if order == Order::Disjoint {
            return order;
        }
        (left, right) = (&left[1..], &right[1..]);
    }
}

/// What a path leads to.
#[derive(Debug)]
pub enum Lookup<'r, T> {
    /// A route, and where its wildcards are.
    Found(&'r T, Spans),
    /// The client should ask for this path (still percent-encoded, without query).
    Redirect(String),
    /// No pattern fits.
    Missing,
}

/// Where the wildcards of a match lie in the (still percent-encoded) path.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spans {
    spans: [(u32, u32); MAX_PARAMS],
    len: usize,
}

impl Spans {
    /// The raw text of the n-th wildcard.
    #[must_use]
    pub fn raw<'p>(&self, idx: usize, path: &'p str) -> Option<&'p str> {
        let (start, end) = *self.spans[..self.len].get(idx)?;
        path.get(start as usize..end as usize)
    }

    fn push(&mut self, start: usize, end: usize) {
        if let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(end))
            && let Some(slot) = self.spans.get_mut(self.len)
        {
            *slot = (start, end);
            self.len += 1;
        }
    }
}

/// An immutable table of patterns.
#[derive(Debug)]
pub struct Router<T> {
    routes: Vec<(Pattern, T)>,
    /// One trie per method; the empty method last.
    methods: Vec<(String, Node)>,
    /// The patterns that are for one host; they go before the others.
    hosts: Vec<(String, Router<T>)>,
}

#[derive(Debug, Default)]
struct Node {
    literals: Vec<(Box<str>, Node)>,
    one: Option<Box<Node>>,
    leaf: Option<u32>,
    end: Option<u32>,
    rest: Option<u32>,
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Self { routes: Vec::new(), methods: Vec::new(), hosts: Vec::new() }
    }
}

impl<T> Router<T> {
    /// Adds a route.
    ///
    /// # Errors
    /// When a registered pattern matches the same paths and neither is more specific.
    pub fn add(&mut self, mut pattern: Pattern, route: T) -> Result<(), PatternError> {
        if !pattern.host.is_empty() {
            let host = std::mem::take(&mut pattern.host);
            let at = self.hosts.iter().position(|(known, _)| *known == host).unwrap_or_else(|| {
                self.hosts.push((host, Self::default()));
                self.hosts.len() - 1
            });
            return self.hosts[at].1.add(pattern, route);
        }
        if let Some((old, _)) = self.routes.iter().find(|(old, _)| old.conflicts(&pattern)) {
            return Err(PatternError::Conflict(pattern.text, old.text.clone()));
        }
        let idx = u32::try_from(self.routes.len())
            .map_err(|_| PatternError::Invalid(pattern.text.clone(), "too many routes"))?;
        let at = match self.methods.iter().position(|(method, _)| *method == pattern.method) {
            Some(at) => at,
            None => {
                let at = if pattern.method.is_empty() {
                    self.methods.len()
                } else {
                    self.methods
                        .iter()
                        .position(|(m, _)| m.is_empty())
                        .unwrap_or(self.methods.len())
                };
                self.methods.insert(at, (pattern.method.clone(), Node::default()));
                at
            }
        };
        self.methods[at].1.insert(&pattern.segments, idx);
        self.routes.push((pattern, route));
        Ok(())
    }

    /// All routes of every host, in order of registration.
    pub fn routes(&self) -> impl Iterator<Item = (&Pattern, &T)> {
        self.routes.iter().map(|(pattern, route)| (pattern, route))
    }

    /// Finds the route of a request to a host, whose port does not count. The host is asked for where routes depend on it.
    pub fn lookup_at<'h>(
        &self,
        host: impl FnOnce() -> &'h str,
        method: &str,
        path: &str,
    ) -> Lookup<'_, T> {
        if self.hosts.is_empty() {
            return self.lookup(method, path);
        }
        let host = host();
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        let known = self.hosts.iter().find(|(known, _)| known == name);
        match known.map(|(_, router)| router.lookup(method, path)) {
            None | Some(Lookup::Missing) => self.lookup(method, path),
            Some(found) => found,
        }
    }

    /// Finds the route of a request. `path` is percent-encoded, as sent.
    pub fn lookup(&self, method: &str, path: &str) -> Lookup<'_, T> {
        if !is_clean(path) {
            return Lookup::Redirect(clean(path));
        }
        let found = self.find(method, path);
        if path.ends_with('/') || found.as_ref().is_some_and(|(idx, _)| self.is_exact(*idx, path)) {
            return self.answer(found);
        }
        let slashed = format_args_slash(path);
        if let Some((idx, _)) = self.find(method, &slashed)
            && self.is_exact(idx, &slashed)
        {
            return Lookup::Redirect(slashed);
        }
        self.answer(found)
    }

    fn answer(&self, found: Option<(u32, Spans)>) -> Lookup<'_, T> {
        match found.and_then(|(idx, spans)| Some((self.routes.get(idx as usize)?, spans))) {
            Some(((_, route), spans)) => Lookup::Found(route, spans),
            None => Lookup::Missing,
        }
    }

    fn find(&self, method: &str, path: &str) -> Option<(u32, Spans)> {
        let mut spans = Spans::default();
        let mut search = |wanted: &str| {
            let (_, node) = self.methods.iter().find(|(method, _)| method == wanted)?;
            spans.len = 0;
            node.find(path, 0, &mut spans)
        };
        let idx = search(method)
            .or_else(|| if method == "HEAD" { search("GET") } else { None })
            .or_else(|| search(""))?;
        Some((idx, spans))
    }

    /// Whether the pattern stands for this very path and not only for things below it.
    fn is_exact(&self, idx: u32, path: &str) -> bool {
        let segments = &self.routes[idx as usize].0.segments;
        if path.ends_with('/') {
            return segments.len() == path.bytes().filter(|b| *b == b'/').count();
        }
        !matches!(segments.last(), Some(Segment::Rest(_)))
    }
}

fn format_args_slash(path: &str) -> String {
    let mut text = String::with_capacity(path.len() + 1);
    text.push_str(path);
    text.push('/');
    text
}

impl Node {
    fn insert(&mut self, segments: &[Segment], idx: u32) {
        match segments.split_first() {
            None => self.leaf = Some(idx),
            Some((Segment::End, _)) => self.end = Some(idx),
            Some((Segment::Rest(_), _)) => self.rest = Some(idx),
            Some((Segment::One(_), more)) => self.one.get_or_insert_default().insert(more, idx),
            Some((Segment::Literal(text), more)) => {
                let at = match self.literals.binary_search_by(|(key, _)| (**key).cmp(text)) {
                    Ok(at) => at,
                    Err(at) => {
                        self.literals.insert(at, (text.as_str().into(), Self::default()));
                        at
                    }
                };
                self.literals[at].1.insert(more, idx);
            }
        }
    }

    fn find(&self, path: &str, at: usize, spans: &mut Spans) -> Option<u32> {
        let rest = &path[at..];
        if rest.is_empty() {
            return self.leaf;
        }
        if rest == "/" {
            if let Some(idx) = self.end {
                return Some(idx);
            }
        } else {
            let start = at + 1;
            let end =
                memchr::memchr(b'/', &path.as_bytes()[start..]).map_or(path.len(), |n| start + n);
            let n_spans = spans.len;
            if let Some(node) = self.literal(&path[start..end]) {
                if let Some(idx) = node.find(path, end, spans) {
                    return Some(idx);
                }
                spans.len = n_spans;
            }
            if let Some(node) = &self.one {
                spans.push(start, end);
                if let Some(idx) = node.find(path, end, spans) {
                    return Some(idx);
                }
                spans.len = n_spans;
            }
        }
        let idx = self.rest?;
        spans.push(at + 1, path.len());
        Some(idx)
    }

    fn literal(&self, raw: &str) -> Option<&Self> {
        let text = decode(raw);
        let at = self.literals.binary_search_by(|(key, _)| (**key).cmp(&*text)).ok()?;
        Some(&self.literals[at].1)
    }
}

/// Percent-decoded text; what is not UTF-8 afterwards is replaced.
#[must_use]
pub fn decode(raw: &str) -> Cow<'_, str> {
    if raw.contains('%') { percent_decode_str(raw).decode_utf8_lossy() } else { Cow::Borrowed(raw) }
}

fn is_clean(path: &str) -> bool {
    let bytes = path.as_bytes();
    if bytes.first() != Some(&b'/') {
        return false;
    }
    memchr::memchr_iter(b'/', bytes).all(|at| match bytes.get(at + 1) {
        Some(b'/') => false,
        Some(b'.') => {
            let tail = &bytes[at + 2..];
            let tail = tail.strip_prefix(b".").unwrap_or(tail);
            !(tail.is_empty() || tail[0] == b'/')
        }
        _ => true,
    })
}

/// The shortest equivalent path: no empty, `.` or `..` segments; a trailing slash is kept.
#[must_use]
pub fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let mut out = String::with_capacity(path.len() + 1);
    for part in &parts {
        out.push('/');
        out.push_str(part);
    }
    if out.is_empty() || path.ends_with('/') {
        out.push('/');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(patterns: &[&'static str]) -> Router<&'static str> {
        let mut router = Router::default();
        for text in patterns {
            router.add(Pattern::parse(text).expect("pattern"), *text).expect("no conflict");
        }
        router
    }

    fn show(router: &Router<&'static str>, method: &str, path: &str) -> String {
        match router.lookup(method, path) {
            Lookup::Found(route, spans) => {
                let mut text = (*route).to_owned();
                let mut idx = 0;
                while let Some(raw) = spans.raw(idx, path) {
                    text.push_str(&format!(" [{}]", decode(raw)));
                    idx += 1;
                }
                text
            }
            Lookup::Redirect(to) => format!("-> {to}"),
            Lookup::Missing => "-".into(),
        }
    }

    #[test]
    fn most_specific_wins() {
        let r = router(&[
            "/",
            "GET /{path...}",
            "GET /_/{path...}",
            "GET /api/health",
            "GET /api/collections/{collection}",
            "GET /api/collections/meta/scaffolds",
            "GET /api/collections/{collection}/records",
            "GET /api/collections/{collection}/records/{id}",
            "PATCH /api/collections/{collection}/records/{id}",
            "GET /b/{$}",
            "GET /x/{id}",
            "GET /x/{rest...}",
            "PUT /tree/",
        ]);
        for (method, path, want) in [
            ("GET", "/api/health", "GET /api/health"),
            ("HEAD", "/api/health", "GET /api/health"),
            ("POST", "/api/health", "/ [api/health]"),
            ("GET", "/api/health/", "GET /{path...} [api/health/]"),
            ("GET", "/api/collections/meta/scaffolds", "GET /api/collections/meta/scaffolds"),
            (
                "GET",
                "/api/collections/meta/records",
                "GET /api/collections/{collection}/records [meta]",
            ),
            ("GET", "/api/collections/a%20b", "GET /api/collections/{collection} [a b]"),
            ("GET", "/api/collections/", "GET /{path...} [api/collections/]"),
            (
                "PATCH",
                "/api/collections/p/records/1",
                "PATCH /api/collections/{collection}/records/{id} [p] [1]",
            ),
            ("DELETE", "/api/collections/p/records/1", "/ [api/collections/p/records/1]"),
            ("GET", "/", "GET /{path...} []"),
            ("GET", "/_", "-> /_/"),
            ("POST", "/_", "/ [_]"),
            ("GET", "/_/", "GET /_/{path...} []"),
            ("GET", "/_/a/b", "GET /_/{path...} [a/b]"),
            ("GET", "/b", "-> /b/"),
            ("GET", "/b/", "GET /b/{$}"),
            ("GET", "/b/c", "GET /{path...} [b/c]"),
            ("GET", "/x/1", "GET /x/{id} [1]"),
            ("GET", "/x/1/2", "GET /x/{rest...} [1/2]"),
            ("PUT", "/tree/a/b", "PUT /tree/ [a/b]"),
            ("GET", "//api//health", "-> /api/health"),
            ("POST", "/a/../b/", "-> /b/"),
            ("GET", "/a/./b", "-> /a/b"),
            ("GET", "/.well-known/x", "GET /{path...} [.well-known/x]"),
            ("GET", "/..", "-> /"),
            ("GET", "/ap%69/health", "GET /api/health"),
        ] {
            assert_eq!(show(&r, method, path), want, "{method} {path}");
        }
    }

    #[test]
    fn conflicts_are_refused() {
        for (a, b, conflict) in [
            ("GET /a", "GET /a", true),
            ("GET /a/{x}", "GET /a/{y}", true),
            ("/{a}/x", "/y/{b}", true),
            ("GET /files/{rest...}", "GET /files/{id}/meta", false),
            ("GET /a/{x}", "GET /a/b", false),
            ("GET /a/{x...}", "/a/b", true),
            ("GET /", "HEAD /", false),
            ("GET /a", "POST /a", false),
            ("/a/", "GET /a/{$}", false),
        ] {
            let mut r = Router::default();
            r.add(Pattern::parse(a).expect("a"), ()).expect("first");
            assert_eq!(r.add(Pattern::parse(b).expect("b"), ()).is_err(), conflict, "{a} {b}");
        }
    }

    #[test]
    fn hosts_go_first() {
        let r = router(&["GET api/hello", "GET /hello", "GET /other"]);
        for (host, path, want) in [
            ("api", "/hello", "GET api/hello"),
            ("api:8090", "/hello", "GET api/hello"),
            ("example.com", "/hello", "GET /hello"),
            ("api", "/other", "GET /other"),
        ] {
            match r.lookup_at(|| host, "GET", path) {
                Lookup::Found(route, _) => assert_eq!(*route, want, "{host}{path}"),
                other => panic!("{host}{path}: {other:?}"),
            }
        }
    }

    #[test]
    fn bad_patterns() {
        for text in [
            "",
            "GET",
            "GET a",
            "GET {a}/b",
            "/{",
            "/{}",
            "/{a}b",
            "/{a...}/b",
            "/{$}/x",
            "/{a}/{a}",
            "/{1}",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
