//! Names that PostgreSQL has no room for. It keeps 63 bytes of a name and silently drops the rest, so that longer ones with
//! the same beginning would be one: they are cut earlier and end in a hash. Names of system columns (`ctid`) get a hash,
//! too. Every statement that goes to PostgreSQL passes [`text`], so that nothing above knows of it; what comes back is
//! compared with [`stored`].
//!
//! Must not know what a name is for.

use std::borrow::Cow;

use crate::quote::push_ident;

/// The columns that every table has by itself.
const TAKEN: [&str; 6] = ["cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"];
/// Bytes that PostgreSQL keeps of a name.
const LONGEST: usize = 63;
/// Bytes before `_` and eight digits.
const KEPT: usize = 54;

/// See [`Idiom::stored`](crate::idiom::Idiom::stored).
pub(super) fn stored(name: &str) -> Cow<'_, str> {
    if !is_unfit(name) {
        return Cow::Borrowed(name);
    }
    let hash = name.bytes().fold(0x811c_9dc5_u32, |h, b| {
        (h ^ u32::from(b.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    });
    Cow::Owned(format!("{}_{hash:08x}", cut(name, KEPT)))
}

/// What PostgreSQL itself makes of a name.
pub(super) fn truncated(name: &str) -> &str {
    cut(name, LONGEST)
}

fn cut(name: &str, most: usize) -> &str {
    let mut end = most.min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

/// True for a name that nothing of ours can have.
fn is_unfit(name: &str) -> bool {
    name.len() > LONGEST || TAKEN.contains(&name)
}

/// Statements with all long names as they are `stored`, and names of system columns where they stand in quotes: without
/// quotes they mean those columns.
#[must_use]
pub fn text(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    for (start, end, name) in long_names(text) {
        out.push_str(&text[copied..start]);
        push_ident(&mut out, &stored(&name));
        copied = end;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// Where names of more than [`LONGEST`] bytes stand, and what they say.
fn long_names(text: &str) -> Vec<(usize, usize, String)> {
    let mut found = Vec::new();
    let names_taken = TAKEN.iter().any(|name| {
        text.match_indices(name)
            .any(|(at, _)| text[..at].ends_with('"') && text[at + name.len()..].starts_with('"'))
    });
    if text.len() <= LONGEST && !names_taken {
        return found;
    }
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b'\'' => {
                let escapes = at > 0
                    && bytes[at - 1].eq_ignore_ascii_case(&b'e')
                    && !(at > 1 && is_word(bytes[at - 2]));
                at = quoted(bytes, at, b'\'', escapes).unwrap_or(bytes.len());
            }
            b'"' => {
                let end = quoted(bytes, at, b'"', false);
                at = end.unwrap_or(bytes.len());
                if end.is_some() && (names_taken || at - start > LONGEST + 2) {
                    let name = text[start + 1..at - 1].replace("\"\"", "\"");
                    if is_unfit(&name) {
                        found.push((start, at, name));
                    }
                }
            }
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                at += bytes[at..].iter().position(|b| *b == b'\n').unwrap_or(bytes.len() - at);
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => at = comment(bytes, at),
            b'$' => at = dollar_quoted(text, at),
            b if is_word(b) => {
                at += bytes[at..].iter().take_while(|b| is_word(**b) || **b == b'$').count();
                if at - start > LONGEST && !b.is_ascii_digit() {
                    found.push((start, at, text[start..at].to_ascii_lowercase()));
                }
            }
            _ => at += 1,
        }
    }
    found
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || !b.is_ascii()
}

/// Behind the quote that ends what begins at `at`, if one does.
fn quoted(bytes: &[u8], at: usize, quote: u8, escapes: bool) -> Option<usize> {
    let mut at = at + 1;
    while at < bytes.len() {
        if bytes[at] == b'\\' && escapes {
            at += 2;
        } else if bytes[at] != quote {
            at += 1;
        } else if bytes.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return Some(at + 1);
        }
    }
    None
}

/// Comments nest.
fn comment(bytes: &[u8], at: usize) -> usize {
    let (mut at, mut depth) = (at, 0usize);
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'*')) => {
                depth += 1;
                at += 2;
            }
            (b'*', Some(b'/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

/// `$tag$ … $tag$`; just the sign where it is none.
fn dollar_quoted(text: &str, at: usize) -> usize {
    let rest = &text[at + 1..];
    let tag = rest.find('$').filter(|end| {
        let tag = &rest.as_bytes()[..*end];
        tag.iter().all(|b| is_word(*b)) && !tag.first().is_some_and(u8::is_ascii_digit)
    });
    let Some(tag) = tag else { return at + 1 };
    let (mark, body) = (&text[at..=at + 1 + tag], at + tag + 2);
    text[body..].find(mark).map_or(text.len(), |end| body + end + mark.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{idiom::Dialect, quote::ident};

    #[test]
    fn long_names_end_in_a_hash() {
        let long = |end: &str| format!("{}{end}", "x".repeat(60));
        let of = |name: &str| stored(name).into_owned();
        assert_eq!(of("short"), "short");
        assert_eq!(of(&long("abc")), long("abc"));
        assert_eq!(of(&long("abcd")).len(), 63);
        assert_ne!(of(&long("abcd")), of(&long("abce")));
        assert!(crate::names::is_stored_as(Dialect::POSTGRES, &of(&long("ABCD")), &long("abcd")));
        assert_eq!(of(&"ä".repeat(40)).len(), 63);
        assert_eq!(truncated(&"ä".repeat(40)), "ä".repeat(31));
    }

    #[test]
    fn names_of_system_columns_are_ours_in_quotes() {
        assert_eq!(stored("ctid").len(), 13);
        assert_eq!((&*stored("CTID"), &*stored("oid")), ("CTID", "oid"));
        let want = format!("SELECT ctid, b.\"{}\", 'x \"ctid\"' FROM t AS b", stored("ctid"));
        assert_eq!(super::text("SELECT ctid, b.\"ctid\", 'x \"ctid\"' FROM t AS b"), want);
    }

    #[test]
    fn names_in_statements() {
        let (a, b) = (format!("A{}", "\"x".repeat(40)), format!("B{}", "y".repeat(80)));
        let quoted = |name: &str| ident(&stored(name));
        for (given, want) in [
            (
                format!("SELECT {} FROM {b}", ident(&a)),
                format!("SELECT {} FROM {}", quoted(&a), quoted(&b.to_lowercase())),
            ),
            (
                format!(
                    "SELECT '{b}''{b}', E'\\'{b}', e'{b}' -- {b}\n, /* {b} /* */ {b} */ $1, $${b}$$, $t${b}$t$"
                ),
                String::new(),
            ),
            (format!("SELECT 1{b}, $1::text, \"{b}"), String::new()),
        ] {
            let want = if want.is_empty() { given.clone() } else { want };
            assert_eq!(super::text(&given), want);
        }
        // nothing is cut in the middle of a character
        let unended = format!("SELECT \"{}", "ä".repeat(80));
        assert_eq!(super::text(&unended), unended);
    }
}
