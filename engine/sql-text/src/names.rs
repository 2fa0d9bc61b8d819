//! Where a text names something: read from its tokens, so that comments and strings name nothing.
//!
//! Must not know what the names stand for.

use sqlparser::tokenizer::Token;

use crate::{
    marks,
    tokens::{Piece, read},
};

/// How a query uses columns that somebody asks about.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Uses {
    /// How often they are named; names that the query gives (`AS name`) do not count.
    pub n_named: usize,
    /// It takes all columns of something.
    pub has_wildcard: bool,
}

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

/// The uses of those columns that `is_asked` says, given what stands before the dot and the name.
#[must_use]
pub fn uses(text: &str, is_asked: impl Fn(Option<&str>, &str) -> bool) -> Uses {
    let (pieces, _) = read(&marks::quoted(text));
    let mut found = Uses::default();
    for (at, piece) in pieces.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| &pieces[at]);
        if piece.is(&Token::Mul) {
            let takes_all = |piece: &Piece| {
                piece.is(&Token::Comma)
                    || piece.is(&Token::Period)
                    || ["select", "distinct", "all"].iter().any(|word| piece.is_word(word))
            };
            found.has_wildcard |= before.is_some_and(takes_all);
            continue;
        }
        let is_qualified = before.is_some_and(|piece| piece.is(&Token::Period));
        let is_string = matches!(piece.token(), Token::SingleQuotedString(_));
        let is_given = before.is_some_and(|piece| piece.is_word("as"));
        let Some(name) = piece.name().filter(|_| !is_given && (is_qualified || !is_string)) else {
            continue;
        };
        let qualifier = at.checked_sub(2).filter(|_| is_qualified);
        found.n_named += usize::from(is_asked(qualifier.and_then(|at| pieces[at].name()), name));
    }
    found
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

    #[test]
    fn uses_of_columns() {
        let of = |text: &str| {
            let found =
                uses(text, |from, name| name.eq_ignore_ascii_case("k") && from != Some("u"));
            (found.n_named, found.has_wildcard)
        };
        for (text, want) in [
            ("SELECT id, k FROM t", (1, false)),
            ("SELECT id, t.k AS k, u.k FROM t", (1, false)),
            ("SELECT id, upper(K) AS x, 'k' AS y FROM t WHERE k != ''", (2, false)),
            ("SELECT id, t.'k' FROM t", (1, false)),
            ("SELECT id, [[k]]||[[t]].[[k]] AS x FROM {{t}}", (2, false)),
            ("SELECT count(*) AS n, 2*3 AS m FROM t -- k", (0, false)),
            ("SELECT * FROM t", (0, true)),
            ("SELECT DISTINCT t.* FROM t", (0, true)),
            ("WITH c(id, x) AS (SELECT a, * FROM t) SELECT id, x FROM c", (0, true)),
        ] {
            assert_eq!(of(text), want, "{text}");
        }
    }
}
