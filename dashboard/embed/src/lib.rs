//! The built dashboard (`dashboard/dist`) as bytes in the executable: what is there, of which type, with which ETag,
//! compressed when it was built.
//!
//! Must not know HTTP beyond that: headers, which encoding a client gets, and the policy are the API's.

use std::{borrow::Cow, io::Read as _};

/// Path, ETag and content, in the order of the paths.
static FILES: &[(&str, &str, Content)] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// A file of the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// What it holds.
    pub content: Content,
    /// Changes with the content: a weak tag, the same for every encoding.
    pub etag: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// The name holds a hash of the content: it never changes.
    pub is_immutable: bool,
}

/// The bytes of a file, as they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Compression would not make it smaller.
    Plain(&'static [u8]),
    /// Compressed by brotli and by gzip; as it is it would only take room.
    Small {
        /// For `Content-Encoding: br`.
        br: &'static [u8],
        /// For `Content-Encoding: gzip`.
        gz: &'static [u8],
    },
}

impl Content {
    /// The file as it was built, for whoever reads neither encoding.
    #[must_use]
    pub fn plain(&self) -> Cow<'static, [u8]> {
        match *self {
            Self::Plain(bytes) => Cow::Borrowed(bytes),
            Self::Small { gz, .. } => {
                let mut bytes = Vec::new();
                // what the build wrote can be read
                let _ = flate2::read::GzDecoder::new(gz).read_to_end(&mut bytes);
                Cow::Owned(bytes)
            }
        }
    }
}

/// The file of a path below `/_/`; the empty one is the page.
#[must_use]
pub fn file(path: &str) -> Option<File> {
    let path = if path.is_empty() { "index.html" } else { path };
    let at = FILES.binary_search_by(|(name, ..)| (*name).cmp(path)).ok()?;
    let (name, etag, content) = FILES[at];
    Some(File {
        content,
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
        let plain = page.content.plain();
        let text = std::str::from_utf8(&plain).expect("UTF-8");
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

    #[test]
    fn compressed_files_are_what_was_built() {
        let dist = concat!(env!("CARGO_MANIFEST_DIR"), "/../dist");
        let mut sums = [0, 0, 0];
        for (name, _, content) in FILES {
            let built = std::fs::read(format!("{dist}/{name}")).expect("a built file");
            assert_eq!(content.plain(), built, "{name}");
            if let Content::Small { br, gz } = content {
                assert!(br.len() < built.len() && gz.len() < built.len(), "{name}");
                for (sum, n) in sums.iter_mut().zip([built.len(), br.len(), gz.len()]) {
                    *sum += n;
                }
            }
        }
        assert!(sums[1] < sums[2] && sums[2] * 2 < sums[0], "{sums:?}");
    }
}
