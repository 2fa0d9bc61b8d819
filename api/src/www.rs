//! `www.` siblings of the served names: requests for them are sent to the name itself.
//!
//! Source: spec server-settings-operations §1.4.

use http::header;

use crate::head::Head;

/// The served names that got a `www.` sibling.
#[derive(Debug, Clone, Default)]
pub struct Www {
    names: Vec<String>,
    is_https: bool,
}

impl Www {
    /// Siblings of `names`; a name that is a `www.` one itself, or given beside its sibling, gets none.
    #[must_use]
    pub fn new(names: &[String], is_https: bool) -> Self {
        let lacks = |name: &&String| {
            !name.is_empty() && !name.starts_with("www.") && !names.contains(&format!("www.{name}"))
        };
        Self { names: names.iter().filter(lacks).cloned().collect(), is_https }
    }

    /// The added names.
    pub fn siblings(&self) -> impl Iterator<Item = String> {
        self.names.iter().map(|name| format!("www.{name}"))
    }

    /// Where a request for one of the added names should go.
    pub(crate) fn target(&self, head: &Head) -> Option<String> {
        if self.names.is_empty() {
            return None;
        }
        let host = match head.headers.get(header::HOST) {
            Some(host) => host.to_str().ok()?,
            None => head.uri.authority()?.as_str(),
        };
        let wanted = host.strip_prefix("www.")?;
        let name = self.names.iter().find(|name| *name == wanted)?;
        let scheme = if self.is_https { "https" } else { "http" };
        let target = head.uri.path_and_query().map_or("/", |text| text.as_str());
        Some(format!("{scheme}://{name}{target}"))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method};

    use super::*;

    #[test]
    fn targets() {
        let names = ["a.com", "www.b.com", "c.com", "www.c.com"].map(str::to_owned);
        let www = Www::new(&names, true);
        assert_eq!(www.siblings().collect::<Vec<_>>(), ["www.a.com"]);
        for (host, want) in [
            ("www.a.com", Some("https://a.com/x?y")),
            ("www.a.com:80", None),
            ("a.com", None),
            ("www.c.com", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            let head = Head {
                method: Method::GET,
                uri: "/x?y".parse().expect("uri"),
                headers,
                remote: "127.0.0.1:1".parse().expect("address"),
            };
            assert_eq!(www.target(&head).as_deref(), want, "{host}");
        }
    }
}
