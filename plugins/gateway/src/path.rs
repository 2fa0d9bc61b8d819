//! Paths of requests: which proxy they belong to, and what is left for the upstream.
//!
//! Whatever a path is decoded to, it must not leave the prefix that was judged. Must not know proxies.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

fn decoded(raw: &str) -> Cow<'_, [u8]> {
    if raw.contains('%') { percent_decode_str(raw).into() } else { Cow::Borrowed(raw.as_bytes()) }
}

/// A path as it may be matched: `None` if it climbs behind an encoded slash, where nobody knows what the upstream makes of
/// it. Dot segments, encoded ones too, are resolved; everything else stays as it was sent.
pub(crate) fn resolved(raw: &str) -> Option<Cow<'_, str>> {
    let mut has_dots = false;
    for segment in raw.split('/') {
        let text = decoded(segment);
        // some upstreams drop what is behind a semicolon, and end texts at a NUL
        let name = text.split(|byte| matches!(byte, b';' | 0)).next().unwrap_or_default();
        if matches!(name, b"." | b"..") {
            if name.len() < text.len() {
                return None;
            }
            has_dots = true;
        } else if text.contains(&b'/') || text.contains(&b'\\') {
            let mut parts = text.split(|byte| matches!(byte, b'/' | b'\\'));
            if parts.any(|part| matches!(part, b"." | b"..")) {
                return None;
            }
        }
    }
    if !has_dots {
        return Some(raw.into());
    }
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = raw.split('/').skip(1).collect();
    for (at, segment) in segments.iter().enumerate() {
        let is_last = at + 1 == segments.len();
        match &*decoded(segment) {
            b"." => {}
            b".." => {
                kept.pop();
            }
            _ => {
                kept.push(segment);
                continue;
            }
        }
        if is_last {
            kept.push("");
        }
    }
    Some(format!("/{}", kept.join("/")).into())
}

/// A path as the most lenient upstream may read it; `None` if there is only one way to read it.
pub(crate) fn loose(path: &str) -> Option<String> {
    if !path.contains(['%', ';', '\\']) && !path.contains("//") {
        return None;
    }
    let bytes = decoded(path);
    let text = String::from_utf8_lossy(&bytes);
    let mut kept: Vec<&str> = Vec::new();
    for segment in text.split(['/', '\\']) {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    Some(format!("/{}", kept.join("/")))
}

/// What is left of a path behind a prefix: nothing, or what begins with a slash. `None` if it is not below it.
pub(crate) fn behind<'p>(raw: &'p str, prefix: &str) -> Option<&'p str> {
    if let Some(rest) = raw.strip_prefix(prefix) {
        return (rest.is_empty() || rest.starts_with('/')).then_some(rest);
    }
    if !raw.contains('%') {
        return None;
    }
    let (mut rest, mut wanted) = (raw, prefix);
    while let Some(inner) = wanted.strip_prefix('/') {
        let (segment, more) = inner.split_at(inner.find('/').unwrap_or(inner.len()));
        let given = rest.strip_prefix('/')?;
        let (raw_segment, left) = given.split_at(given.find('/').unwrap_or(given.len()));
        if *decoded(raw_segment) != *segment.as_bytes() {
            return None;
        }
        (rest, wanted) = (left, more);
    }
    wanted.is_empty().then_some(rest)
}

/// Why a path cannot be a proxy's; a slash at its end is not looked at.
pub(crate) fn refusal(path: &str) -> Option<&'static str> {
    let below = |root: &str| path == root || path.starts_with(&format!("{root}/"));
    if !path.starts_with('/') {
        return Some("path must start with /");
    }
    if path.trim_end_matches('/').is_empty() {
        return Some("path cannot be root /");
    }
    if below("/api") {
        return Some("path cannot start with /api/ (reserved for data API)");
    }
    if below("/_") {
        return Some("path cannot start with /_/ (reserved for admin UI)");
    }
    let is_bad =
        |c: char| matches!(c, '?' | '#' | '%' | '\\') || c.is_whitespace() || c.is_control();
    if path.contains(is_bad) || path.contains("//") {
        return Some("path cannot have a query, a fragment, whitespace, escapes or empty segments");
    }
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Some("path cannot have dot segments");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_leniently_as_anybody_may() {
        for (path, want) in [
            ("/-/pub/admin", None),
            ("/-/pub//admin/k", Some("/-/pub/admin/k")),
            ("/-/pub/admin;x/k", Some("/-/pub/admin/k")),
            ("/-/pub/admin%2Fk", Some("/-/pub/admin/k")),
            ("/-/pub/%5cadmin", Some("/-/pub/admin")),
        ] {
            assert_eq!(loose(path).as_deref(), want, "{path}");
        }
        for path in ["/-/a/..;/x", "/-/a/%2e%2e;x/y", "/-/a/..%00/x"] {
            assert_eq!(resolved(path), None, "{path}");
        }
    }

    #[test]
    fn dots_are_resolved() {
        for (raw, want) in [
            ("/-/a/b%2Fc/%E4", Some("/-/a/b%2Fc/%E4")),
            ("/-/a//b/", Some("/-/a//b/")),
            ("/-/a/%2e%2e/b", Some("/-/b")),
            ("/-/a/../../../x", Some("/x")),
            ("/-/a/%2E", Some("/-/a/")),
            ("/-/a/.%2e", Some("/-/")),
            ("/-/a/..%2fb", None),
            ("/-/a/x%5c..%5cb", None),
            ("/-/a/...", Some("/-/a/...")),
            ("/-/a/%252e%252e", Some("/-/a/%252e%252e")),
        ] {
            assert_eq!(resolved(raw).as_deref(), want, "{raw}");
        }
    }

    #[test]
    fn prefixes() {
        for (raw, prefix, want) in [
            ("/-/openai", "/-/openai", Some("")),
            ("/-/openai/", "/-/openai", Some("/")),
            ("/-/openai/v1//x", "/-/openai", Some("/v1//x")),
            ("/-/openaix", "/-/openai", None),
            ("/-/open%61i/a%2Fb", "/-/openai", Some("/a%2Fb")),
            ("/-%2Fopenai/a", "/-/openai", None),
            ("/-/%C3%A4/x", "/-/ä", Some("/x")),
            ("/-/", "/-/a", None),
        ] {
            assert_eq!(behind(raw, prefix), want, "{raw}");
        }
    }

    #[test]
    fn refused_paths() {
        for path in ["x", "/", "//", "/api", "/api/x", "/_", "/_/x", "/a b", "/a?b", "/a/../b"] {
            assert!(refusal(path).is_some(), "{path}");
        }
        for path in ["/-/a", "/-/a/", "/apix", "/apple", "/_x"] {
            assert!(refusal(path).is_none(), "{path}");
        }
    }
}
