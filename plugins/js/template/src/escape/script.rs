//! How text of a template moves through scripts.

use super::{
    context::{Context, Slash, State},
    html::Moved,
};
use crate::format::quote;

/// Words after which a slash begins a regular expression.
const BEFORE_REGEXP: &[&str] = &[
    "break",
    "case",
    "continue",
    "delete",
    "do",
    "else",
    "finally",
    "in",
    "instanceof",
    "return",
    "throw",
    "try",
    "typeof",
    "void",
];
const SPACE: [char; 7] = ['\t', '\n', '\u{c}', '\r', ' ', '\u{2028}', '\u{2029}'];
const LINE_ENDS: [char; 4] = ['\n', '\r', '\u{2028}', '\u{2029}'];

pub(crate) fn step(mut context: Context, text: &str) -> Moved {
    match context.state {
        State::JsDouble | State::JsSingle | State::JsRegexp => literal(context, text),
        State::JsTemplate => template(context, text),
        State::JsBlockComment => Ok(match text.find("*/") {
            Some(end) => {
                context.state = State::Js;
                (context, end + 2)
            }
            None => (context, text.len()),
        }),
        State::JsLineComment | State::JsHtmlOpen | State::JsHtmlClose => {
            Ok(match text.find(LINE_ENDS) {
                Some(end) => {
                    context.state = State::Js;
                    (context, end)
                }
                None => (context, text.len()),
            })
        }
        _ => code(context, text),
    }
}

fn code(mut context: Context, text: &str) -> Moved {
    let Some(at) = text.find(['"', '`', '\'', '/', '{', '}', '<', '-', '#']) else {
        context.slash = slash_after(text, context.slash);
        return Ok((context, text.len()));
    };
    context.slash = slash_after(&text[..at], context.slash);
    let rest = &text[at..];
    let mut end = at + 1;
    let mut enter = |state| {
        context.state = state;
        context.slash = Slash::Regexp;
    };
    match rest.as_bytes()[0] {
        b'"' => enter(State::JsDouble),
        b'\'' => enter(State::JsSingle),
        b'`' => enter(State::JsTemplate),
        b'/' if rest.starts_with("//") => {
            context.state = State::JsLineComment;
            end += 1;
        }
        b'/' if rest.starts_with("/*") => {
            context.state = State::JsBlockComment;
            end += 1;
        }
        b'/' => match context.slash {
            Slash::Regexp => context.state = State::JsRegexp,
            Slash::Division => context.slash = Slash::Regexp,
            Slash::Unknown => {
                let shown: String = rest.chars().take(32).collect();
                return Err(format!("'/' could start a division or regexp: {}", quote(&shown)));
            }
        },
        b'<' if rest.starts_with("<!--") => {
            context.state = State::JsHtmlOpen;
            end += 3;
        }
        b'-' if rest.starts_with("-->") => {
            context.state = State::JsHtmlClose;
            end += 2;
        }
        b'#' if rest.starts_with("#!") => {
            context.state = State::JsLineComment;
            end += 1;
        }
        b'{' => {
            if let Some(open) = context.braces.last_mut() {
                *open += 1;
            }
        }
        b'}' => match context.braces.last_mut() {
            None => {}
            Some(0) => {
                context.braces.pop();
                context.state = State::JsTemplate;
            }
            Some(open) => {
                *open -= 1;
                context.slash = Slash::Regexp;
            }
        },
        _ => {}
    }
    Ok((context, end))
}

/// What a slash would mean behind some code.
pub(crate) fn slash_after(code: &str, before: Slash) -> Slash {
    let code = code.trim_end_matches(SPACE);
    let Some(last) = code.chars().next_back() else { return before };
    match last {
        '+' | '-' => {
            // `x++ / 2`, but `x + /re/`
            let signs = code.len() - code.trim_end_matches(last).len();
            if signs % 2 == 1 { Slash::Regexp } else { Slash::Division }
        }
        '.' => {
            let digit = code[..code.len() - 1].ends_with(|c: char| c.is_ascii_digit());
            if digit { Slash::Division } else { Slash::Regexp }
        }
        ',' | '<' | '>' | '=' | '*' | '%' | '&' | '|' | '^' | '?' | '!' | '~' | '(' | '[' | ':'
        | ';' | '{' | '}' => Slash::Regexp,
        _ => {
            let word = &code[code.trim_end_matches(is_word).len()..];
            if BEFORE_REGEXP.contains(&word) { Slash::Regexp } else { Slash::Division }
        }
    }
}

/// Letters of names.
pub(crate) fn is_word(c: char) -> bool {
    c == '$' || c == '_' || c.is_ascii_alphanumeric()
}

fn template(mut context: Context, text: &str) -> Moved {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if chars.next().is_none() => {
                return Err(format!("unfinished escape sequence in JS string: {}", quote(text)));
            }
            '$' if text[at..].starts_with("${") => {
                context.braces.push(0);
                context.state = State::Js;
                context.slash = Slash::Regexp;
                return Ok((context, at + 2));
            }
            '`' => {
                // what a slash means stays as it was, which is wrong behind a literal, but Go's
                context.state = State::Js;
                return Ok((context, at + 1));
            }
            _ => {}
        }
    }
    Ok((context, text.len()))
}

fn literal(mut context: Context, text: &str) -> Moved {
    let mark = match context.state {
        State::JsDouble => '"',
        State::JsSingle => '\'',
        _ => '/',
    };
    let regexp = mark == '/';
    let mut in_set = false;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if chars.next().is_none() => {
                return Err(format!("unfinished escape sequence in JS string: {}", quote(text)));
            }
            '[' if regexp => in_set = true,
            ']' if regexp => in_set = false,
            // a tag in an expression does not end it
            '/' if regexp && is_script_end(text, at) => {}
            c if c == mark && !in_set => {
                context.state = State::Js;
                context.slash = Slash::Division;
                return Ok((context, at + 1));
            }
            _ => {}
        }
    }
    if in_set {
        return Err(format!("unfinished JS regexp charset: {}", quote(text)));
    }
    Ok((context, text.len()))
}

fn is_script_end(text: &str, slash: usize) -> bool {
    let tag = slash.checked_sub(1).and_then(|start| text.get(start..slash + 7));
    tag.is_some_and(|tag| tag.eq_ignore_ascii_case("</script"))
}

/// Whether the `type` of a script makes it JavaScript or data that is read like it.
pub(crate) fn is_script_type(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default();
    let kind = kind.trim().to_lowercase();
    matches!(
        kind.as_str(),
        // also what is left of a type that a value begins
        "" | "application/ecmascript"
            | "application/javascript"
            | "application/json"
            | "application/ld+json"
            | "application/x-ecmascript"
            | "application/x-javascript"
            | "module"
            | "speculationrules"
            | "importmap"
            | "text/ecmascript"
            | "text/javascript"
            | "text/javascript1.0"
            | "text/javascript1.1"
            | "text/javascript1.2"
            | "text/javascript1.3"
            | "text/javascript1.4"
            | "text/javascript1.5"
            | "text/jscript"
            | "text/livescript"
            | "text/x-ecmascript"
            | "text/x-javascript"
    )
}
