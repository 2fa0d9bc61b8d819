//! The built dashboard (`dashboard/dist`) as bytes in the executable: what is there, of which type, with which ETag.
//!
//! Must not know HTTP beyond that: headers, compression and the policy are the API's.

/// Path, ETag and content, in the order of the paths.
static FILES: &[(&str, &str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// A file of the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// What it holds.
    pub bytes: &'static [u8],
    /// Changes with the content: a weak tag, because what is sent may be compressed.
    pub etag: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// The name holds a hash of the content: it never changes.
    pub is_immutable: bool,
}

/// The file of a path below `/_/`; the empty one is the page.
#[must_use]
pub fn file(path: &str) -> Option<File> {
    let path = if path.is_empty() { "index.html" } else { path };
    let at = FILES.binary_search_by(|(name, ..)| (*name).cmp(path)).ok()?;
    let (name, etag, bytes) = FILES[at];
    Some(File {
        bytes,
        etag,
        content_type: content_type(name),
        is_immutable: name.starts_with("assets/"),
    })
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_and_what_it_names() {
        let page = file("").expect("the page");
        assert_eq!(page, file("index.html").expect("the page"));
        assert!(page.content_type.starts_with("text/html") && !page.is_immutable);
        let text = std::str::from_utf8(page.bytes).expect("UTF-8");
        let named: Vec<&str> =
            text.split("\"./").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(named.len() > 2, "{named:?}");
        for name in named {
            let found = file(name).unwrap_or_else(|| panic!("{name} is missing"));
            assert_eq!(found.is_immutable, name.starts_with("assets/"));
            assert_ne!(found.content_type, "application/octet-stream", "{name}");
        }
        assert_eq!(file("nope.js"), None);
        assert_eq!(file("assets"), None);
    }
}
