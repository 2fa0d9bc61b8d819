//! Where clients may be sent, and how addresses are cleaned. Source: spec extensions 6.4, 6.7.
//!
//! Must not know requests.

use url::Url;

use crate::config::TofConfig;

/// A target that may be used, cleaned.
pub(crate) fn allowed(config: &TofConfig, app_url: &str, target: &str) -> Option<String> {
    let target = clean(target.trim());
    // browsers read these in other ways than servers
    if target.contains(|c: char| c.is_control() || c == '\\' || c.is_whitespace()) {
        return None;
    }
    let list = &config.allowed_redirects;
    if target.starts_with('/') {
        let is_listed = list.is_empty() || list.iter().any(|one| one == "/");
        let here = Url::parse("http://here.invalid").ok()?;
        // a path may lead back to its root, and begin with two slashes there
        let is_here = here
            .join(&target)
            .is_ok_and(|url| url.origin() == here.origin() && !url.path().starts_with("//"));
        return (is_listed && is_here && !target.starts_with("//")).then(|| ascii(&target));
    }
    let origin = |text: &str| Url::parse(text).ok().map(|url| url.origin());
    let url = Url::parse(&target).ok()?;
    // an account in an address hides its host
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let is_web = matches!(url.scheme(), "http" | "https");
    let same = |text: &str| origin(text).is_some_and(|origin| origin == url.origin());
    let is_listed =
        if list.is_empty() { same(app_url) } else { list.iter().any(|text| same(text)) };
    (is_web && is_listed).then(|| if target.is_ascii() { target } else { url.into() })
}

/// Repeated slashes become one, but for those of the scheme.
fn clean(target: &str) -> String {
    let Some((scheme, rest)) = target.split_once("://") else { return target.to_owned() };
    // what stands in a query or fragment is somebody else's text
    let rest = rest.trim_start_matches('/');
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let mut path = String::with_capacity(rest.len());
    for c in rest[..end].chars() {
        if c != '/' || !path.ends_with('/') {
            path.push(c);
        }
    }
    format!("{scheme}://{path}{}", &rest[end..])
}

fn ascii(path: &str) -> String {
    path.chars()
        .map(|c| if c.is_ascii() { c.to_string() } else { escaped(&c.to_string()) })
        .collect()
}

/// A text as a value of a query, as Go writes it.
pub(crate) fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('*', "%2A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let by_default = TofConfig::default();
        let listed = TofConfig {
            allowed_redirects: vec!["https://ok.example".into(), "http://[::1]:3000/x".into()],
            ..TofConfig::default()
        };
        let with_paths = TofConfig { allowed_redirects: vec!["/".into()], ..TofConfig::default() };
        for (config, target, want) in [
            (&by_default, "/a?b=c", Some("/a?b=c")),
            (&by_default, "/", Some("/")),
            (&by_default, "https://app.example/x//y", Some("https://app.example/x/y")),
            (&by_default, "https:////app.example//x", Some("https://app.example/x")),
            (&by_default, "https://app.example", Some("https://app.example")),
            (&by_default, "HTTPS://APP.example/x", Some("HTTPS://APP.example/x")),
            (&by_default, "https://app.example:443/x", Some("https://app.example:443/x")),
            (&by_default, "https://app.example:444/x", None),
            (&by_default, "http://app.example/x", None),
            (
                &by_default,
                "https://app.example/x?u=http://a//b",
                Some("https://app.example/x?u=http://a//b"),
            ),
            (&by_default, "https://evil.example", None),
            (&by_default, "https://app.example@evil.example/", None),
            (&by_default, "https://u:p@app.example/", None),
            (&by_default, "https://app.example.evil.example/", None),
            (&by_default, "https://app.example\\@evil.example/", None),
            (&by_default, "//evil.example", None),
            (&by_default, "/\\evil.example", None),
            (&by_default, "/\t/evil.example", None),
            (&by_default, "/..//evil.example", None),
            (&by_default, "/.//evil.example", None),
            (&by_default, "/x/../..//evil.example", None),
            (&by_default, "/x//y", Some("/x//y")),
            (&by_default, "/a\r\nX: y", None),
            (&by_default, "javascript:alert(1)", None),
            (&by_default, "data:text/html,x", None),
            (&by_default, "app.example", None),
            (&by_default, "", None),
            (&listed, "https://ok.example/x", Some("https://ok.example/x")),
            (&listed, "http://[::1]:3000/y", Some("http://[::1]:3000/y")),
            (&listed, "https://app.example/", None),
            (&listed, "/a", None),
            (&with_paths, "/a", Some("/a")),
            (&with_paths, "https://app.example/", None),
        ] {
            assert_eq!(allowed(config, "https://app.example", target).as_deref(), want, "{target}");
        }
    }

    #[test]
    fn values_of_queries() {
        assert_eq!(escaped("https://a.b/c?d=e f&g*"), "https%3A%2F%2Fa.b%2Fc%3Fd%3De+f%26g%2A");
    }
}
