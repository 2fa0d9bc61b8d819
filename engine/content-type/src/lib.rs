//! Content types from content, with the names of the reference's detector (spec records-files Appendix B).
//!
//! The client's header is never consulted. Extensions matter only where an upload has none. Must not know files,
//! requests or what a type is used for.

mod binary;
mod charset;
mod compound;
mod head;
mod json;
mod markup;
mod mp3;
mod rule;
#[cfg(test)]
mod samples;
mod script;
mod table;
mod text;
mod texts;
mod tree;
mod zip;

use head::Head;
use rule::Kind;

/// How many bytes are looked at.
pub const HEAD: usize = 4096;

/// What the content is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mime {
    /// The type, with `; charset=…` for plain text, HTML and XML.
    pub name: String,
    /// Extension with its dot; may be empty.
    pub extension: &'static str,
    aliases: &'static [&'static str],
}

impl Mime {
    /// The type without parameters.
    #[must_use]
    pub fn essence(&self) -> &str {
        self.name.split(';').next().unwrap_or_default()
    }
    /// True if a listed type is this one or an alias of it; its case and parameters are ignored.
    #[must_use]
    pub fn is(&self, listed: &str) -> bool {
        let listed = listed.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        self.essence() == listed || self.aliases.contains(&listed.as_str())
    }
}

/// Detects the type of content by its first [`HEAD`] bytes.
#[must_use]
pub fn detect(content: &[u8]) -> Mime {
    let bytes = &content[..content.len().min(HEAD)];
    let head = Head { bytes, cut: bytes.len() == HEAD };
    let Some(kind) = Kind::find(tree::KINDS, head) else {
        return Mime { name: "application/octet-stream".into(), extension: "", aliases: &[] };
    };
    let charset = match kind.name {
        "text/plain" | "text/html" | "text/xml" => charset::of(kind.name, bytes),
        _ => None,
    };
    let name = match charset {
        Some(charset) => format!("{}; charset={charset}", kind.name),
        None => kind.name.into(),
    };
    Mime { name, extension: kind.extension, aliases: kind.aliases }
}
