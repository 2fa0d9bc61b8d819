//! What the names of attributes say about their values.

/// What a value of an attribute is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Plain,
    Css,
    Html,
    Js,
    Srcset,
    Url,
    /// It changes how other attributes or the content are read.
    Unsafe,
}

const UNSAFE: &[&str] = &[
    "accept-charset",
    "async",
    "challenge",
    "charset",
    "content",
    "crossorigin",
    "defer",
    "enctype",
    "form",
    "formenctype",
    "formmethod",
    "formnovalidate",
    "http-equiv",
    "keytype",
    "language",
    "method",
    "novalidate",
    "pattern",
    "rel",
    "sandbox",
    "type",
    "value",
];
const URL: &[&str] = &[
    "action",
    "archive",
    "background",
    "cite",
    "classid",
    "codebase",
    "data",
    "formaction",
    "href",
    "icon",
    "longdesc",
    "manifest",
    "poster",
    "profile",
    "src",
    "usemap",
    "xmlns",
];
/// Known to be plain although their names look like something else.
const PLAIN: &[&str] = &["srclang"];

/// The kind of the attribute `name`, which is in lower case.
pub(crate) fn content(name: &str) -> Content {
    let name = match name.strip_prefix("data-") {
        Some(rest) => rest,
        None => match name.split_once(':') {
            Some(("xmlns", _)) => return Content::Url,
            Some((_, rest)) => rest,
            None => name,
        },
    };
    match name {
        "style" => Content::Css,
        "srcdoc" => Content::Html,
        "srcset" => Content::Srcset,
        name if PLAIN.contains(&name) => Content::Plain,
        name if UNSAFE.contains(&name) => Content::Unsafe,
        name if URL.contains(&name) => Content::Url,
        // handlers of events, and names that others made up for addresses
        name if name.starts_with("on") => Content::Js,
        name if ["src", "uri", "url"].iter().any(|part| name.contains(part)) => Content::Url,
        _ => Content::Plain,
    }
}
