//! How text of a template moves through markup.

use super::{
    attributes::{self, Content},
    context::{Attr, Context, Delim, Element, State, UrlPart},
    entities::decode,
    script, style,
};
use crate::format::quote;

/// The context after some of the text, and how much of it that is; or what is wrong with it.
pub(crate) type Moved = Result<(Context, usize), String>;

/// White space of HTML.
pub(crate) const SPACE: [char; 5] = [' ', '\t', '\n', '\u{c}', '\r'];

pub(crate) fn skip_space(text: &str) -> usize {
    text.len() - text.trim_start_matches(SPACE).len()
}

/// Reads a piece of text.
pub(crate) fn advance(context: Context, text: &str) -> Moved {
    if context.delim == Delim::None {
        let end = special_end(&context, text);
        return match end {
            Some(0) => Ok((Context::default(), 0)),
            Some(end) => step(context, &text[..end]),
            None => step(context, text),
        };
    }
    attribute(context, text)
}

/// Where `</script>` or its like ends the element that is being read.
fn special_end(context: &Context, text: &str) -> Option<usize> {
    if context.element.name().is_empty() || context.state.is_in_tag() {
        return None;
    }
    if context.element == Element::Script
        && (context.state.is_script_literal() || context.state.is_comment())
    {
        return None;
    }
    let name = context.element.name();
    let lower = text.to_ascii_lowercase();
    let mut from = 0;
    while let Some(at) = lower[from..].find("</").map(|i| from + i) {
        let behind = lower[at + 2..].strip_prefix(name);
        if behind.is_some_and(|rest| rest.starts_with([' ', '\t', '\n', '\u{c}', '\r', '/', '>'])) {
            return Some(at);
        }
        from = at + 2;
    }
    None
}

/// Reads a piece of an attribute's value, up to its end.
fn attribute(mut context: Context, text: &str) -> Moved {
    let end = match context.delim {
        Delim::Double => text.find('"'),
        Delim::Single => text.find('\''),
        _ => text.find([' ', '\t', '\n', '\u{c}', '\r', '>']),
    };
    let value = &text[..end.unwrap_or(text.len())];
    if context.delim == Delim::Space
        && let Some(at) = value.find(['"', '\'', '<', '=', '`'])
    {
        let (c, value) = (quote(&value[at..=at]), quote(value));
        return Err(format!("{c} in unquoted attr: {value}"));
    }
    if let Some(end) = end {
        let mut element = context.element;
        let other_script = context.state == State::Attr
            && element == Element::Script
            && context.attr == Attr::ScriptType
            && !script::is_script_type(value);
        if other_script {
            element = Element::None;
        }
        let quoted = usize::from(context.delim != Delim::Space);
        return Ok((Context::at(State::Tag, element), end + quoted));
    }
    // What is written in entities means the same to a browser.
    let decoded = decode(text);
    let mut rest = &*decoded;
    while !rest.is_empty() {
        let (next, n) = step(context, rest)?;
        context = next;
        rest = &rest[n..];
    }
    Ok((context, text.len()))
}

fn step(mut context: Context, text: &str) -> Moved {
    match context.state {
        State::Text => Ok(markup(context, text)),
        State::Tag => tag(context, text),
        State::AttrName => {
            let n = attr_name(text, 0)?;
            if n != text.len() {
                context.state = State::AfterName;
            }
            Ok((context, n))
        }
        State::AfterName => {
            let n = skip_space(text);
            Ok(match text[n..].chars().next() {
                None => (context, n),
                Some('=') => {
                    context.state = State::BeforeValue;
                    (context, n + 1)
                }
                Some(_) => {
                    context.state = State::Tag;
                    (context, n)
                }
            })
        }
        State::BeforeValue => {
            let n = skip_space(text);
            let (delim, quoted) = match text[n..].chars().next() {
                None => return Ok((context, n)),
                Some('"') => (Delim::Double, 1),
                Some('\'') => (Delim::Single, 1),
                Some(_) => (Delim::Space, 0),
            };
            (context.state, context.delim) = (context.attr.first_state(), delim);
            Ok((context, n + quoted))
        }
        State::HtmlComment => Ok(match text.find("-->") {
            Some(end) => (Context::default(), end + 3),
            None => (context, text.len()),
        }),
        State::Rcdata | State::Attr | State::Dead => Ok((context, text.len())),
        State::MetaContentUrl => Ok(match text.find(';') {
            Some(end) => {
                context.state = State::MetaContent;
                (context, end + 1)
            }
            None => (context, text.len()),
        }),
        State::Url | State::Srcset => Ok((address(context, text), text.len())),
        State::MetaContent => Ok(meta(context, text)),
        State::Css
        | State::CssDouble
        | State::CssSingle
        | State::CssDoubleUrl
        | State::CssSingleUrl
        | State::CssUrl
        | State::CssBlockComment
        | State::CssLineComment => style::step(context, text),
        _ => script::step(context, text),
    }
}

/// After a piece of an address.
pub(crate) fn address(mut context: Context, text: &str) -> Context {
    if text.contains(['#', '?']) {
        context.url = UrlPart::Query;
    } else if skip_space(text) != text.len() && context.url == UrlPart::None {
        context.url = UrlPart::PreQuery;
    }
    context
}

/// `5; url=…` of a refresh.
fn meta(mut context: Context, text: &str) -> (Context, usize) {
    let lower = text.to_ascii_lowercase();
    for (at, _) in lower.match_indices("url") {
        let rest = &text[at + 3..];
        let space = skip_space(rest);
        if rest[space..].starts_with('=') {
            context.state = State::MetaContentUrl;
            return (context, at + 3 + space + 1);
        }
    }
    (context, text.len())
}

fn markup(context: Context, text: &str) -> (Context, usize) {
    let mut from = 0;
    loop {
        let Some(at) = text[from..].find('<').map(|i| from + i) else {
            return (context, text.len());
        };
        if at + 1 == text.len() {
            return (context, text.len());
        }
        if text[at..].starts_with("<!--") {
            return (Context::at(State::HtmlComment, Element::None), at + 4);
        }
        let mut name = at + 1;
        let closes = text[name..].starts_with('/');
        if closes {
            name += 1;
            if name == text.len() {
                return (context, text.len());
            }
        }
        let end = name + tag_name(&text[name..]);
        if end != name {
            let element = if closes { Element::None } else { Element::named(&text[name..end]) };
            return (Context::at(State::Tag, element), end);
        }
        from = end;
    }
}

/// The length of the name of a tag.
fn tag_name(text: &str) -> usize {
    let bytes = text.as_bytes();
    if !bytes.first().is_some_and(u8::is_ascii_alphabetic) {
        return 0;
    }
    let mut n = 1;
    while let Some(byte) = bytes.get(n) {
        if byte.is_ascii_alphanumeric() {
            n += 1;
        } else if matches!(byte, b':' | b'-')
            && bytes.get(n + 1).is_some_and(u8::is_ascii_alphanumeric)
        {
            n += 2;
        } else {
            break;
        }
    }
    n
}

/// The length of the name of an attribute at `start`.
fn attr_name(text: &str, start: usize) -> Result<usize, String> {
    for (i, c) in text[start..].char_indices() {
        match c {
            ' ' | '\t' | '\n' | '\u{c}' | '\r' | '=' | '>' => return Ok(i),
            '\'' | '"' | '<' => {
                let (c, text) = (quote(&c.to_string()), quote(text));
                return Err(format!("{c} in attribute name: {text}"));
            }
            _ => {}
        }
    }
    Ok(text.len() - start)
}

fn tag(context: Context, text: &str) -> Moved {
    let start = skip_space(text);
    let rest = &text[start..];
    if rest.is_empty() {
        return Ok((context, text.len()));
    }
    if rest.starts_with('>') {
        let element = context.element;
        return Ok((Context::at(element.content(), element), start + 1));
    }
    let n = attr_name(text, start)?;
    if n == 0 {
        let rest = quote(rest);
        return Err(format!("expected space, attr name, or end of tag, but got {rest}"));
    }
    let name = rest[..n].to_ascii_lowercase();
    let attr = match (context.element, name.as_str()) {
        (Element::Script, "type") => Attr::ScriptType,
        (Element::Meta, "content") => Attr::MetaContent,
        _ => match attributes::content(&name) {
            Content::Url => Attr::Url,
            Content::Css => Attr::Style,
            Content::Js => Attr::Script,
            Content::Srcset => Attr::Srcset,
            _ => Attr::None,
        },
    };
    let state = if start + n == text.len() { State::AttrName } else { State::AfterName };
    Ok((Context { attr, ..Context::at(state, context.element) }, start + n))
}
