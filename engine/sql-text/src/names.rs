//! Where a text names something: read from its tokens, so that comments and strings name nothing.
//!
//! Must not know what the names stand for.

use crate::{
    marks,
    tokens::{Piece, read},
};

/// True if a text has a name in it, in any quotes. What cannot be read to its end counts by its words.
#[must_use]
pub fn has(text: &str, name: &str) -> bool {
    let (pieces, whole) = read(&marks::quoted(text));
    let is_it = |piece: &Piece| piece.name().is_some_and(|found| found.eq_ignore_ascii_case(name));
    pieces.iter().any(is_it) || !whole && has_word(text, name)
}

fn has_word(text: &str, name: &str) -> bool {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.into_iter().any(|word| word.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_texts() {
        for (text, want) in [
            ("k", true),
            ("lower(`K`)", true),
            ("t.\"k\" > 1", true),
            ("[k]", true),
            ("{{k}}.[[x]]", true),
            ("kk || 'a k b'", false),
            ("x /* k */ -- k", false),
            ("'open k", true),
            ("", false),
        ] {
            assert_eq!(has(text, "k"), want, "{text}");
        }
    }
}
