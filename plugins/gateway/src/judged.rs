//! What a rule reads of a request has to be what the upstream will read: where there are several ways to read it, nobody is
//! judged by one of them.
//!
//! Knows the texts of rules no further than the names in them: a name too many costs a refusal, one too few would cost more.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderName, header};
use percent_encoding::percent_decode_str;
use pocketbase::web::header_key;
use serde_json::{Map, Value};

use crate::headers;

const HEADERS: &str = "@request.headers";
const QUERY: &str = "@request.query";
const BODY: &str = "@request.body";

/// The names behind `@request.…` in a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    headers: BTreeSet<String>,
    query: BTreeSet<String>,
    /// Each step of each path.
    body: BTreeSet<String>,
    reads_body: bool,
}

/// The paths behind a prefix.
fn paths<'r>(rule: &'r str, prefix: &'static str) -> impl Iterator<Item = &'r str> {
    rule.match_indices(prefix).map(move |(at, _)| {
        let rest = &rule[at + prefix.len()..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-')));
        rest[..end.unwrap_or(rest.len())].trim_matches('.')
    })
}

impl Reads {
    pub(crate) fn of(rule: &str) -> Self {
        let steps = |prefix| paths(rule, prefix).flat_map(|path| path.split('.'));
        Self {
            headers: paths(rule, HEADERS).map(header_key).collect(),
            query: steps(QUERY).map(str::to_owned).collect(),
            body: steps(BODY).filter(|step| !step.is_empty()).map(str::to_owned).collect(),
            reads_body: rule.contains(BODY),
        }
    }

    pub(crate) fn has_body(&self) -> bool {
        self.reads_body
    }

    /// Why the head of a request can be read in more ways than one.
    pub(crate) fn doubt(&self, sent: &HeaderMap, query: &str) -> Option<String> {
        for name in &self.headers {
            let mut lines = sent.iter().filter(|(known, _)| header_key(known.as_str()) == *name);
            // lines of cookies are one list
            if lines.nth(1).is_some() && name != "cookie" {
                return Some(format!("The header {name} must not be there twice."));
            }
            let is_dropped = |named: &HeaderName| header_key(named.as_str()) == *name;
            if headers::named_by_connection(sent).iter().any(is_dropped) {
                return Some(format!("The header {name} must not be of the connection only."));
            }
        }
        let unclear = self.query.iter().find(|name| is_unclear(query, name))?;
        Some(format!("The query must not have more than one reading of {unclear}."))
    }

    /// True if a body has a name that some upstreams take for one that the rule reads.
    pub(crate) fn is_unclear(&self, members: &Map<String, Value>) -> bool {
        members.iter().any(|(key, value)| {
            // a name that is read itself is judged as what it is
            let is_like = !self.body.contains(key)
                && self.body.iter().any(|name| folded(name) == folded(key));
            is_like || self.is_within(value)
        })
    }
    fn is_within(&self, value: &Value) -> bool {
        match value {
            Value::Array(items) => items.iter().any(|item| self.is_within(item)),
            Value::Object(members) => self.is_unclear(members),
            _ => false,
        }
    }
}

/// Text without case, as lenient as any: the long s and the sign of Kelvin are letters of English, too.
fn folded(text: &str) -> String {
    text.to_uppercase().to_lowercase()
}

/// The cookies of all lines.
pub(crate) fn cookies(sent: &HeaderMap) -> String {
    let lines = sent.get_all(header::COOKIE);
    let lines: Vec<_> =
        lines.iter().map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect();
    lines.join("; ")
}

/// A name of a query as the most lenient upstream may read it: without case, brackets and what stands for an underscore.
fn loose(name: &str) -> String {
    let name = name.trim();
    // a bracket at the beginning is none
    let end = name.char_indices().skip(1).find(|(_, c)| *c == '[').map_or(name.len(), |(at, _)| at);
    let plain = |c: char| if c.is_alphanumeric() { c } else { '_' };
    folded(&name[..end]).chars().map(plain).collect()
}

fn is_unclear(query: &str, name: &str) -> bool {
    let wanted = loose(name);
    let mut n_found = 0;
    for part in query.split('&') {
        let mut pairs = part.split(';');
        let is_list = part.contains(';');
        let is_meant = pairs.any(|pair| {
            let (key, _) = pair.split_once('=').unwrap_or((pair, ""));
            let key = key.replace('+', " ");
            let key = percent_decode_str(&key).decode_utf8_lossy();
            if loose(&key) != wanted {
                return false;
            }
            n_found += if key == name { 1 } else { 2 };
            true
        });
        // some end a pair at a semicolon, and some drop what cannot be decoded
        if is_meant && (is_list || !is_escaped_well(part)) {
            return true;
        }
    }
    n_found > 1
}

fn is_escaped_well(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        after.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    const RULE: &str = "@request.headers.x_role:lower = 'a' && @request.query.debug:isset = false && \
         (@request.body.ok = true || @request.body.who.name != @request.headers.cookie)";

    #[test]
    fn names_of_rules() {
        let reads = Reads::of(RULE);
        let names = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(names(&reads.headers), "cookie x_role");
        assert_eq!(
            (names(&reads.query), names(&reads.body)),
            ("debug".into(), "name ok who".into())
        );
        assert_eq!(Reads::of("@request.auth.id != ''"), Reads::default());
    }

    #[test]
    fn heads_with_two_readings() {
        let reads = Reads::of(RULE);
        for (lines, query, is_clear) in [
            (&[("x-role", "a")][..], "debug=1&x=1&x=2", true),
            (&[("x-role", "a"), ("x-other", "1"), ("x-other", "2")], "", true),
            (&[("cookie", "a=1"), ("cookie", "b=2")], "", true),
            (&[("x-role", "a"), ("x-role", "b")], "", false),
            (&[("x-role", "a"), ("x_role", "b")], "", false),
            (&[("x-role", "a"), ("x.role", "b")], "", false),
            (&[("x-role", "a"), ("connection", "close, X-Role")], "", false),
            (&[("x-role", "a"), ("connection", "x_role")], "", false),
            (&[], "debug=1&debug=2", false),
            (&[], "d%65bug=1", true),
            (&[], "DEBUG=1", false),
            (&[], "debug[]=1", false),
            (&[], "x=1;debug=1", false),
            (&[], "debug=%zz", false),
            (&[], "+debug=1", false),
        ] {
            let mut sent = HeaderMap::new();
            for (name, value) in lines {
                sent.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(reads.doubt(&sent, query).is_none(), is_clear, "{lines:?} {query}");
        }
    }

    #[test]
    fn bodies_with_two_readings() {
        let reads = Reads::of(RULE);
        for (body, is_unclear) in [
            (json!({"ok": true, "A": 1, "a": 2}), false),
            (json!({"ok": true, "OK": false}), true),
            (json!({"oK": true}), true),
            (json!({"who": {"Name": 1}}), true),
            (json!({"list": [{"o\u{212a}": 1}]}), true),
        ] {
            let members = body.as_object().expect("an object");
            assert_eq!(reads.is_unclear(members), is_unclear, "{body}");
        }
    }
}
