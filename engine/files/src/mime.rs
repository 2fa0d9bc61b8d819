//! Content types from content, with the names of the reference's detector (spec records-files Appendix B).
//!
//! The client's header is never consulted. Extensions matter only where an upload has none.

/// How many bytes are looked at.
pub const HEAD: usize = 3072;

/// Text types that the reference knows; every other text is `text/plain`.
const TEXT: [&str; 31] = [
    "image/svg+xml",
    "text/html",
    "text/xml",
    "application/rss+xml",
    "application/atom+xml",
    "model/x3d+xml",
    "application/vnd.google-earth.kml+xml",
    "application/x-xliff+xml",
    "model/vnd.collada+xml",
    "application/gml+xml",
    "application/gpx+xml",
    "application/vnd.garmin.tcx+xml",
    "application/x-amf",
    "application/vnd.ms-package.3dmanufacturing-3dmodel+xml",
    "application/vnd.adobe.xfdf",
    "application/owl+xml",
    "application/xhtml+xml",
    "text/x-php",
    "application/json",
    "application/geo+json",
    "application/x-ndjson",
    "model/gltf+json",
    "text/rtf",
    "application/x-subrip",
    "text/csv",
    "text/tab-separated-values",
    "text/vcard",
    "text/calendar",
    "text/vtt",
    "message/rfc822",
    "text/warc",
];
/// Text types that count only behind a shebang line.
const SCRIPTS: [(&str, &str); 7] = [
    ("text/javascript", "node"),
    ("text/x-lua", "lua"),
    ("text/x-perl", "perl"),
    ("text/x-python", "python"),
    ("text/x-ruby", "ruby"),
    ("text/x-tcl", "tcl"),
    ("text/x-shellscript", "sh"),
];

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
        essence(&self.name)
    }
    /// True if a listed type is this one or an alias of it; parameters are ignored.
    #[must_use]
    pub fn is(&self, listed: &str) -> bool {
        let listed = essence(listed);
        self.essence().eq_ignore_ascii_case(listed)
            || self.aliases.iter().any(|a| essence(a).eq_ignore_ascii_case(listed))
    }
}

fn essence(name: &str) -> &str {
    name.split(';').next().unwrap_or_default().trim()
}

/// Detects the type of content by its first [`HEAD`] bytes.
#[must_use]
pub fn detect(content: &[u8]) -> Mime {
    let head = &content[..content.len().min(HEAD)];
    if head.is_empty() {
        return plain(head);
    }
    let found = mimetype_detector::detect(head);
    let name = essence(found.mime());
    if is_text(head) {
        let script = || {
            let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
            head.starts_with(b"#!")
                && SCRIPTS
                    .iter()
                    .any(|(n, i)| *n == name && memchr::memmem::find(line, i.as_bytes()).is_some())
        };
        // A text without a known signature, or of a type the reference does not look for.
        let text_family = name == "application/octet-stream"
            || name.starts_with("text/")
            || found.parent().is_some_and(|p| p.mime().starts_with("text/plain"));
        if text_family && !TEXT.contains(&name) && !script() {
            return plain(head);
        }
    }
    let (name, extension) = match name {
        "video/x-ms-wmv" => ("video/x-ms-asf", ".asf"),
        "application/x-sqlite3" => ("application/vnd.sqlite3", ".sqlite"),
        "application/xml" => ("text/xml", ".xml"),
        other => (other, found.extension()),
    };
    let name = match name {
        "text/html" | "text/xml" => with_charset(name, head),
        other => other.into(),
    };
    Mime { name, extension, aliases: found.aliases() }
}

fn plain(head: &[u8]) -> Mime {
    Mime { name: with_charset("text/plain", head), extension: ".txt", aliases: &[] }
}

fn is_text(head: &[u8]) -> bool {
    bom(head).is_some()
        || !head.iter().any(|b| matches!(b, 0x00..=0x08 | 0x0B | 0x0E..=0x1A | 0x1C..=0x1F))
}

fn bom(head: &[u8]) -> Option<&'static str> {
    [
        (&b"\xEF\xBB\xBF"[..], "utf-8"),
        (b"\x00\x00\xFE\xFF", "utf-32be"),
        (b"\xFF\xFE\x00\x00", "utf-32le"),
        (b"\xFE\xFF", "utf-16be"),
        (b"\xFF\xFE", "utf-16le"),
    ]
    .into_iter()
    .find(|(mark, _)| head.starts_with(mark))
    .map(|(_, name)| name)
}

fn with_charset(name: &str, head: &[u8]) -> String {
    let head = &head[..head.len().min(1024)];
    let declared = (name != "text/plain").then(|| declared(head)).flatten();
    match bom(head).map(str::to_owned).or(declared).or_else(|| guess(head).map(str::to_owned)) {
        Some(charset) => format!("{name}; charset={charset}"),
        None => name.into(),
    }
}

/// `encoding="…"` of an XML declaration or `charset=…` of an HTML meta tag.
fn declared(head: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let after = if text.trim_start().starts_with("<?xml") {
        let line = text.split("?>").next()?;
        line.split_once("encoding")?.1
    } else {
        let meta = text
            .split("<meta")
            .skip(1)
            .find(|m| m.split('>').next().is_some_and(|m| m.contains("charset")))?;
        meta.split_once("charset")?.1
    };
    let after = after.trim_start().strip_prefix('=')?.trim_start();
    let charset: String = after
        .trim_start_matches(['"', '\''])
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.'))
        .collect();
    (!charset.is_empty()).then_some(charset)
}

fn guess(head: &[u8]) -> Option<&'static str> {
    if head.is_empty() {
        return None;
    }
    let utf8 = match std::str::from_utf8(head) {
        Ok(_) => true,
        // The head may cut a character in two; without another one before it that proves nothing.
        Err(e) => e.error_len().is_none() && !head[..e.valid_up_to()].is_ascii(),
    };
    if utf8 {
        return (!head.contains(&0x7F)).then_some("utf-8");
    }
    let odd = head.iter().any(|b| matches!(b, 0x7F..=0x84 | 0x86..=0x9F));
    let nel = head.contains(&0x85);
    let high = head.iter().any(|b| *b >= 0xA0);
    match (odd, nel, high) {
        (true, ..) => None,
        (_, true, _) => Some("windows-1252"),
        (_, _, true) => Some("iso-8859-1"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_extensions_and_charsets() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0";
        for (content, name, ext) in [
            (&b""[..], "text/plain", ".txt"),
            (b"test", "text/plain; charset=utf-8", ".txt"),
            (b"\xEF\xBB\xBFhi", "text/plain; charset=utf-8", ".txt"),
            (b"caf\xE9", "text/plain; charset=iso-8859-1", ".txt"),
            (b"function a() { return 1 }\nconst b = 2;", "text/plain; charset=utf-8", ".txt"),
            (b"{\"a\": 1}", "application/json", ".json"),
            (b"<html><body>x</body></html>", "text/html; charset=utf-8", ".html"),
            (
                b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>",
                "text/xml; charset=iso-8859-1",
                ".xml",
            ),
            (b"a,b,c\n1,2,3\n", "text/csv", ".csv"),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>", "image/svg+xml", ".svg"),
            (b"\0\x01\x02\x03", "application/octet-stream", ""),
            (b"%PDF-1.4\n", "application/pdf", ".pdf"),
            (png, "image/png", ".png"),
            (b"\xFF\xD8\xFF\xE0\0\x10JFIF", "image/jpeg", ".jpg"),
        ] {
            let mime = detect(content);
            assert_eq!(
                (mime.name.as_str(), mime.extension),
                (name, ext),
                "{}",
                String::from_utf8_lossy(content)
            );
        }
    }

    #[test]
    fn aliases_match() {
        let jpeg = detect(b"\xFF\xD8\xFF\xE0\0\x10JFIF");
        assert!(jpeg.is("image/jpeg") && jpeg.is("image/jpeg; x=1") && !jpeg.is("image/png"));
    }
}
