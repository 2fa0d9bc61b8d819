//! `[[column]]` and `{{table}}`: the quotes of the reference's query builder, which it takes in every statement.

use std::borrow::Cow;

/// The text with marked names in back quotes. Marks in strings, quoted names and comments stay, as do brackets right
/// behind a name: those are PostgreSQL's subscripts.
///
/// ```
/// assert_eq!(sql_text::marks::quoted("SELECT {{t}}.[[a b]], '[[x]]' FROM {{t}}"), "SELECT `t`.`a b`, '[[x]]' FROM `t`");
/// ```
#[must_use]
pub fn quoted(text: &str) -> Cow<'_, str> {
    if !text.contains("[[") && !text.contains("{{") {
        return Cow::Borrowed(text);
    }
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if let Some((name, length)) = mark(rest).filter(|_| !is_subscript(&text[..at])) {
            out.push_str(&crate::tick(name));
            at += length;
            continue;
        }
        let length = opaque(rest).unwrap_or(c.len_utf8());
        out.push_str(&rest[..length]);
        at += length;
    }
    Cow::Owned(out)
}

/// A mark at the beginning: the name in it and the length of the whole.
fn mark(text: &str) -> Option<(&str, usize)> {
    let close = match text.get(..2)? {
        "[[" => "]]",
        "{{" => "}}",
        _ => return None,
    };
    let name = &text[2..][..text[2..].find(close)?];
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
    (!name.is_empty() && name.chars().all(is_name)).then_some((name, name.len() + 4))
}

fn is_subscript(before: &str) -> bool {
    before.chars().next_back().is_some_and(|c| c.is_alphanumeric() || "_)]\"`$".contains(c))
}

/// The length of a string, quoted name or comment at the beginning. What does not end is the database's to refuse.
pub(crate) fn opaque(text: &str) -> Option<usize> {
    let c = text.chars().next()?;
    match c {
        '\'' | '"' | '`' => quoted_length(text, c),
        '-' if text.starts_with("--") => Some(text.find('\n').unwrap_or(text.len())),
        '/' if text.starts_with("/*") => Some(text.find("*/").map_or(text.len(), |end| end + 2)),
        _ => None,
    }
}

/// The length of a quoted text at the beginning; a doubled quote belongs to it.
fn quoted_length(text: &str, quote: char) -> Option<usize> {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return Some(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn marks_become_quotes_and_nothing_else() {
        for (text, want) in [
            ("SELECT [[id]], {{a.b}}.[[c-d]] FROM {{a.b}}", "SELECT `id`, `a.b`.`c-d` FROM `a.b`"),
            (
                "'[[a]]' \"[[a]]\" `{{a}}` -- [[a]]\n[[a]]",
                "'[[a]]' \"[[a]]\" `{{a}}` -- [[a]]\n`a`",
            ),
            (
                "/* {{a}} */ x[[1]] ARRAY[[1]] [[1,2]] [[]] {{ä}}",
                "/* {{a}} */ x[[1]] ARRAY[[1]] [[1,2]] [[]] {{ä}}",
            ),
            ("[[a", "[[a"),
            ("'it''s [[a]]' [[b]] 'open [[c]]", "'it''s [[a]]' `b` 'open `c`"),
        ] {
            assert_eq!(quoted(text), want, "{text}");
        }
    }
}
