//! What makes a value safe at its place.

use super::{
    attributes::{self, Content},
    json, style,
};
use crate::{
    format::plain,
    value::{Safe, Value},
};

/// One step that makes a value safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escaper {
    Html,
    Rcdata,
    Attr,
    AttrUnquoted,
    AttrName,
    Comment,
    JsValue,
    JsString,
    JsTemplate,
    JsRegexp,
    CssString,
    CssValue,
    UrlFilter,
    UrlNormal,
    UrlQuery,
    Srcset,
    /// The template's own `html`, which stands for one of the above.
    OwnHtml,
    /// The template's own `urlquery`.
    OwnQuery,
}

/// What stands for a value that cannot be made safe.
const UNSAFE: &str = "ZgotmplZ";

impl Escaper {
    /// The function of templates that does as well.
    pub(crate) fn own(self) -> Option<(&'static str, Self)> {
        match self {
            Self::Html | Self::Rcdata | Self::Attr | Self::AttrUnquoted => {
                Some(("html", Self::OwnHtml))
            }
            Self::UrlNormal | Self::UrlQuery => Some(("urlquery", Self::OwnQuery)),
            _ => None,
        }
    }

    pub(crate) fn apply(self, value: &Value) -> String {
        let text = match value {
            Value::Nil => String::new(),
            value => plain(value),
        };
        let safe = match value {
            Value::Safe(kind, _) => Some(*kind),
            _ => None,
        };
        match self {
            Self::Html if safe == Some(Safe::Html) => text,
            Self::Html | Self::OwnHtml => html_text(&text),
            Self::Rcdata if safe == Some(Safe::Html) => replace(&text, html_kept),
            Self::Rcdata => html_text(&text),
            Self::Attr if safe == Some(Safe::Html) => replace(&strip_tags(&text), html_kept),
            Self::Attr => html_text(&text),
            Self::AttrUnquoted if text.is_empty() => UNSAFE.to_owned(),
            Self::AttrUnquoted if safe == Some(Safe::Html) => {
                replace(&strip_tags(&text), |c| unquoted(c).filter(|_| c != '&'))
            }
            Self::AttrUnquoted => replace(&text, unquoted),
            Self::AttrName if safe == Some(Safe::Attribute) => text,
            Self::AttrName => attr_name(&text),
            Self::Comment => String::new(),
            Self::JsValue => match safe {
                Some(Safe::Js) => text,
                Some(Safe::JsString) => format!("\"{text}\""),
                _ => json::script(value),
            },
            Self::JsString if safe == Some(Safe::JsString) => {
                replace(&text, |c| js_string(c).filter(|_| c != '\\'))
            }
            Self::JsString => replace(&text, js_string),
            Self::JsTemplate => replace(&text, |c| match c {
                '$' => Some("\\u0024"),
                '{' => Some("\\u007b"),
                '}' => Some("\\u007d"),
                c => js_string(c),
            }),
            Self::JsRegexp if text.is_empty() => "(?:)".to_owned(),
            Self::JsRegexp => replace(&text, js_regexp),
            Self::CssString => css_string(&text),
            Self::CssValue if safe == Some(Safe::Css) => text,
            Self::CssValue => css_value(&text),
            Self::UrlFilter if safe == Some(Safe::Url) => text,
            Self::UrlFilter if is_safe_url(&text) => text,
            Self::UrlFilter => format!("#{UNSAFE}"),
            Self::UrlNormal => url(&text, true),
            Self::UrlQuery => url(&text, safe == Some(Safe::Url)),
            Self::OwnQuery => query(&text),
            Self::Srcset => match safe {
                Some(Safe::Srcset) => text,
                Some(Safe::Url) => url(&text, true).replace(',', "%2c"),
                _ => text.split(',').map(source).collect::<Vec<_>>().join(","),
            },
        }
    }
}

fn replace(text: &str, with: impl Fn(char) -> Option<&'static str>) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match with(c) {
            Some(other) => out.push_str(other),
            None => out.push(c),
        }
    }
    out
}

/// Text, as it may stand between tags and in quotes.
pub(crate) fn html_text(text: &str) -> String {
    replace(text, |c| if c == '&' { Some("&amp;") } else { html_kept(c) })
}

/// The same for what is HTML already: its references stay.
fn html_kept(c: char) -> Option<&'static str> {
    Some(match c {
        '\0' => "\u{fffd}",
        '"' => "&#34;",
        '\'' => "&#39;",
        '+' => "&#43;",
        '<' => "&lt;",
        '>' => "&gt;",
        _ => return None,
    })
}

fn unquoted(c: char) -> Option<&'static str> {
    Some(match c {
        '\0' => "&#xfffd;",
        '\t' => "&#9;",
        '\n' => "&#10;",
        '\u{b}' => "&#11;",
        '\u{c}' => "&#12;",
        '\r' => "&#13;",
        ' ' => "&#32;",
        '&' => "&amp;",
        '=' => "&#61;",
        '`' => "&#96;",
        c => return html_kept(c),
    })
}

/// HTML without its tags, comments and the content of scripts and the like.
fn strip_tags(text: &str) -> String {
    use super::{
        context::{Context, State},
        html,
    };
    let mut out = String::new();
    let mut context = Context::default();
    let mut rest = text;
    let all_text = !text.contains('<');
    while !rest.is_empty() && !all_text {
        let (state, element) = (context.state, context.element);
        let Ok((next, n)) = html::advance(context, rest) else { return out };
        let in_text = matches!(state, State::Text | State::Rcdata);
        if in_text {
            let mut end = n;
            if next.state != state
                && let Some(tag) = rest[..n].rfind('<')
            {
                end = tag;
            }
            out.push_str(&rest[..end]);
        }
        if n == 0 && next.state == state && next.element == element {
            return out;
        }
        context = next;
        rest = &rest[n..];
    }
    if all_text { text.to_owned() } else { out }
}

fn attr_name(text: &str) -> String {
    let name = text.to_lowercase();
    let plain = !name.is_empty()
        && attributes::content(&name) == Content::Plain
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if plain { name } else { UNSAFE.to_owned() }
}

fn js_string(c: char) -> Option<&'static str> {
    Some(match c {
        '\0' => "\\u0000",
        '\t' => "\\t",
        '\n' => "\\n",
        '\u{b}' => "\\u000b",
        '\u{c}' => "\\f",
        '\r' => "\\r",
        '"' => "\\u0022",
        '`' => "\\u0060",
        '&' => "\\u0026",
        '\'' => "\\u0027",
        '+' => "\\u002b",
        '/' => "\\/",
        '<' => "\\u003c",
        '>' => "\\u003e",
        '\\' => "\\\\",
        '\u{2028}' => "\\u2028",
        '\u{2029}' => "\\u2029",
        _ => return None,
    })
}

fn js_regexp(c: char) -> Option<&'static str> {
    Some(match c {
        '$' => "\\$",
        '(' => "\\(",
        ')' => "\\)",
        '*' => "\\*",
        '-' => "\\-",
        '.' => "\\.",
        '?' => "\\?",
        '[' => "\\[",
        ']' => "\\]",
        '^' => "\\^",
        '{' => "\\{",
        '|' => "\\|",
        '}' => "\\}",
        '`' => return None,
        c => return js_string(c),
    })
}

/// The function `js` of templates.
pub(crate) fn js_plain(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

fn css_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let code = match c {
            '\0' => "\\0",
            '\t' => "\\9",
            '\n' => "\\a",
            '\u{c}' => "\\c",
            '\r' => "\\d",
            '"' => "\\22",
            '&' => "\\26",
            '\'' => "\\27",
            '(' => "\\28",
            ')' => "\\29",
            '+' => "\\2b",
            '/' => "\\2f",
            ':' => "\\3a",
            ';' => "\\3b",
            '<' => "\\3c",
            '>' => "\\3e",
            '\\' => "\\\\",
            '{' => "\\7b",
            '}' => "\\7d",
            c => {
                out.push(c);
                continue;
            }
        };
        out.push_str(code);
        let next = chars.peek();
        let joins = next.is_none_or(|c| c.is_ascii_hexdigit() || " \t\n\r\u{c}".contains(*c));
        if c != '\\' && joins {
            out.push(' ');
        }
    }
    out
}

fn css_value(text: &str) -> String {
    let decoded = style::decode(text);
    let mut word = String::new();
    let mut before = '\0';
    for c in decoded.chars() {
        if "\0\"'()/;@[\\]`{}<>".contains(c) || (c == '-' && before == '-') {
            return UNSAFE.to_owned();
        }
        if c.is_ascii() && style::is_name(c) {
            word.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    if word.contains("expression") || word.contains("mozbinding") {
        return UNSAFE.to_owned();
    }
    decoded.into_owned()
}

/// Whether an address has a harmless scheme or none.
fn is_safe_url(text: &str) -> bool {
    match text.split_once(':') {
        Some((scheme, _)) if !scheme.contains('/') => {
            ["http", "https", "mailto"].iter().any(|one| scheme.eq_ignore_ascii_case(one))
        }
        _ => true,
    }
}

/// An address; as it is but for what has no place in one, or as a part of another.
fn url(text: &str, whole: bool) -> String {
    use std::fmt::Write as _;
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(bytes.len());
    for (i, byte) in bytes.iter().enumerate() {
        let kept = match byte {
            b'-' | b'.' | b'_' | b'~' => true,
            b'!' | b'#' | b'$' | b'&' | b'*' | b'+' | b',' | b'/' | b':' | b';' | b'=' | b'?'
            | b'@' | b'[' | b']' => whole,
            b'%' => {
                let hex = |at| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
                whole && hex(i + 1) && hex(i + 2)
            }
            byte => byte.is_ascii_alphanumeric(),
        };
        if kept {
            out.push(char::from(*byte));
        } else {
            let _ = write!(out, "%{byte:02x}");
        }
    }
    out
}

/// The function `urlquery` of templates.
pub(crate) fn query(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// One source of a `srcset`: an address and what it is for.
fn source(text: &str) -> String {
    const SPACE: [char; 5] = [' ', '\t', '\n', '\u{c}', '\r'];
    let body = text.trim_start_matches(SPACE);
    let start = &text[..text.len() - body.len()];
    let end = body.find(SPACE).unwrap_or(body.len());
    let (address, purpose) = body.split_at(end);
    let plain = purpose.chars().all(|c| SPACE.contains(&c) || c.is_ascii_alphanumeric());
    if is_safe_url(address) && plain {
        format!("{start}{}{purpose}", url(address, true))
    } else {
        format!("#{UNSAFE}")
    }
}
