//! How text of a template moves through style sheets.

use std::borrow::Cow;

use super::{
    context::{Context, State},
    html::{Moved, address},
};
use crate::format::quote;

const SPACE: [char; 5] = ['\t', '\n', '\u{c}', '\r', ' '];

pub(crate) fn step(mut context: Context, text: &str) -> Moved {
    match context.state {
        State::Css => Ok(rules(context, text)),
        State::CssBlockComment => Ok(match text.find("*/") {
            Some(end) => {
                context.state = State::Css;
                (context, end + 2)
            }
            None => (context, text.len()),
        }),
        State::CssLineComment => Ok(match text.find(['\n', '\u{c}', '\r']) {
            Some(end) => {
                context.state = State::Css;
                (context, end)
            }
            None => (context, text.len()),
        }),
        _ => string(context, text),
    }
}

fn rules(mut context: Context, text: &str) -> (Context, usize) {
    for (at, c) in text.char_indices() {
        let behind = &text[at + c.len_utf8()..];
        match c {
            '(' if ends_with_word(text[..at].trim_end_matches(SPACE), "url") => {
                let space = behind.len() - behind.trim_start_matches(SPACE).len();
                let (state, quoted) = match behind[space..].chars().next() {
                    Some('"') => (State::CssDoubleUrl, 1),
                    Some('\'') => (State::CssSingleUrl, 1),
                    _ => (State::CssUrl, 0),
                };
                context.state = state;
                return (context, at + 1 + space + quoted);
            }
            '/' if behind.starts_with('/') => context.state = State::CssLineComment,
            '/' if behind.starts_with('*') => context.state = State::CssBlockComment,
            '"' => {
                context.state = State::CssDouble;
                return (context, at + 1);
            }
            '\'' => {
                context.state = State::CssSingle;
                return (context, at + 1);
            }
            _ => continue,
        }
        if c == '/' {
            return (context, at + 2);
        }
    }
    (context, text.len())
}

/// Whether the last word of `text` is `word`, in any case and with escapes.
fn ends_with_word(text: &str, word: &str) -> bool {
    let start = text.trim_end_matches(is_name).len();
    let before = text[..start].chars().next_back();
    // an escape may hide the beginning of a longer word
    before != Some('\\') && decode(&text[start..]).eq_ignore_ascii_case(word)
}

/// Letters of names.
pub(crate) fn is_name(c: char) -> bool {
    c == '-' || c == '_' || c.is_ascii_alphanumeric() || c >= '\u{80}'
}

fn string(mut context: Context, text: &str) -> Moved {
    let is_end = |c: char| match context.state {
        State::CssDouble | State::CssDoubleUrl => c == '"',
        State::CssSingle | State::CssSingleUrl => c == '\'',
        _ => SPACE.contains(&c) || c == ')',
    };
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            if chars.next().is_none() {
                return Err(format!("unfinished escape sequence in CSS string: {}", quote(text)));
            }
        } else if is_end(c) {
            context.state = State::Css;
            return Ok((context, at + 1));
        } else if matches!(c, '#' | '?') {
            context = address(context, &decode(&text[..=at]));
            return Ok((context, at + 1));
        }
    }
    Ok((address(context, &decode(text)), text.len()))
}

/// A text of a style sheet with its escapes resolved.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_hexdigit()).len();
        let digits = digits.min(6);
        if digits > 0 {
            let n = u32::from_str_radix(&rest[..digits], 16).unwrap_or(0xfffd);
            out.push(char::from_u32(n).unwrap_or('\u{fffd}'));
            rest = &rest[digits..];
            rest = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix(SPACE)).unwrap_or(rest);
        } else if let Some(c) = rest.chars().next() {
            // a line that goes on is one line
            if !matches!(c, '\n' | '\r' | '\u{c}') {
                out.push(c);
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}
