//! What a query does with columns that nothing may be made of: how often it names them, how often it only shows them, and
//! whether it takes whole rows, which have them without naming any.
//!
//! Read from tokens, not from a tree: it holds for what the parser does not know, and what cannot be told apart counts as a
//! use. Must not know what the columns are.

use sqlparser::tokenizer::Token;

use crate::{
    marks,
    tokens::{Piece, read},
};

/// Words behind which a select is past its relations.
const PAST_RELATIONS: [&str; 14] = [
    "on",
    "using",
    "where",
    "group",
    "having",
    "window",
    "order",
    "limit",
    "offset",
    "fetch",
    "for",
    "union",
    "except",
    "intersect",
];
/// Words between relations, which are no aliases.
const BETWEEN_RELATIONS: [&str; 13] = [
    "from",
    "join",
    "left",
    "right",
    "full",
    "inner",
    "outer",
    "cross",
    "natural",
    "lateral",
    "only",
    "not",
    "materialized",
];

/// How a query uses columns that somebody asks about.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Uses {
    /// How often they are named; names that the query gives (`AS name`) do not count.
    pub n_named: usize,
    /// How often one is a whole item of the outermost select list.
    pub n_plain: usize,
    /// It takes all columns of something, as `*`, as a row, or under names of its own.
    pub takes_rows: bool,
}

/// Tables and columns that somebody asks about.
pub trait Asked {
    /// It is one of the tables.
    fn is_table(&self, name: &str) -> bool;
    /// One of these tables has that column, asked about or not.
    fn has_column(&self, name: &str) -> bool;
    /// The column is asked about. `table` is `None` where it may be of any of the tables.
    fn is_asked(&self, table: Option<&str>, column: &str) -> bool;
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between SELECT and FROM.
    List,
    /// Behind FROM.
    Relations,
    /// Anywhere else.
    Expression,
}

/// The uses of columns of [`Asked`] tables.
#[must_use]
pub fn uses(text: &str, asked: &dyn Asked) -> Uses {
    let (pieces, _) = read(&marks::quoted(text));
    let places = places(&pieces);
    let aliases = aliases(&pieces, &places);
    let is_alias = |name: &str| aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name));
    let mut found = Uses::default();
    for (at, piece) in pieces.iter().enumerate() {
        if piece.is(&Token::Mul) {
            found.takes_rows |= before(&pieces, at).is_some_and(takes_all);
            continue;
        }
        found.takes_rows |= piece.is_word("table");
        // Names for the columns of a relation, whose own are not named then.
        found.takes_rows |= places[at] == Place::Relations
            && pieces.get(at + 1).is_some_and(|next| next.is(&Token::LParen))
            && piece.name().is_some_and(|name| asked.is_table(name) || is_alias(name));
        let Some(name) = used_name(&pieces, at) else { continue };
        if is_asked(&pieces, at, name, asked, &is_alias) {
            found.n_named += 1;
        } else if (asked.is_table(name) || is_alias(name)) && !is_qualified(&pieces, at) {
            let is_qualifier = pieces.get(at + 1).is_some_and(|next| next.is(&Token::Period));
            found.takes_rows |=
                places[at] != Place::Relations && !is_qualifier && !asked.has_column(name);
        }
    }
    found.n_plain = shown(&pieces)
        .into_iter()
        .filter(|at| {
            let name = used_name(&pieces, *at);
            name.is_some_and(|name| is_asked(&pieces, *at, name, asked, &is_alias))
        })
        .count();
    found
}

/// True if a text has what PostgreSQL reads in another way than these tokens: strings with escapes, names and strings of code
/// points, strings between dollars, comments in comments, lists in brackets.
#[must_use]
pub fn is_read_otherwise(text: &str) -> bool {
    let (pieces, whole) = read(text);
    let ends = pieces.iter().map(|piece| piece.at.end);
    let starts = pieces.iter().map(|piece| piece.at.start).chain([text.len()]);
    let mut gaps = std::iter::once(0).chain(ends).zip(starts);
    let is_odd = |at: usize| {
        let (piece, cut) = (&pieces[at], &text[pieces[at].at.clone()]);
        let next = pieces.get(at + 1).filter(|next| next.at.start == piece.at.end);
        let begins_string = next.is_some_and(|next| {
            next.is(&Token::Ampersand)
                && pieces.get(at + 2).is_some_and(|s| s.at.start == next.at.end)
                || matches!(next.token(), Token::SingleQuotedString(_))
        });
        let is_prefix = piece.is_word("e") || piece.is_word("u");
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let is_list = cut.starts_with('[')
            && !cut.trim_matches(|c| c == '[' || c == ']').chars().all(is_name);
        cut.starts_with('$') || is_list || is_prefix && begins_string
    };
    !whole
        || gaps.any(|(from, to)| text.get(from..to).is_some_and(has_nested_comment))
        || (0..pieces.len()).any(is_odd)
}

/// Given what stands between two tokens.
fn has_nested_comment(gap: &str) -> bool {
    let mut rest = gap.trim_start();
    while !rest.is_empty() {
        let end = match rest.strip_prefix("/*") {
            Some(comment) => {
                let end = comment.find("*/").unwrap_or(comment.len());
                if comment[..end].contains("/*") {
                    return true;
                }
                (end + 4).min(rest.len())
            }
            None => rest.find('\n').unwrap_or(rest.len()),
        };
        rest = rest[end..].trim_start();
    }
    false
}

fn before(pieces: &[Piece], at: usize) -> Option<&Piece> {
    at.checked_sub(1).map(|at| &pieces[at])
}

fn takes_all(before: &Piece) -> bool {
    before.is(&Token::Comma)
        || before.is(&Token::Period)
        || ["select", "distinct", "all"].iter().any(|word| before.is_word(word))
}

fn is_qualified(pieces: &[Piece], at: usize) -> bool {
    before(pieces, at).is_some_and(|piece| piece.is(&Token::Period))
}

/// The name that is used there, unless the query gives it or it is a string.
fn used_name(pieces: &[Piece], at: usize) -> Option<&str> {
    let piece = &pieces[at];
    let is_given = before(pieces, at).is_some_and(|piece| piece.is_word("as"));
    let is_string = matches!(piece.token(), Token::SingleQuotedString(_));
    piece.name().filter(|_| !is_given && (is_qualified(pieces, at) || !is_string))
}

fn is_asked(
    pieces: &[Piece],
    at: usize,
    name: &str,
    asked: &dyn Asked,
    is_alias: &dyn Fn(&str) -> bool,
) -> bool {
    let qualifier = at.checked_sub(2).filter(|_| is_qualified(pieces, at));
    // An alias may be called as another table is.
    let table = qualifier.and_then(|at| pieces[at].name()).filter(|table| !is_alias(table));
    asked.is_asked(table, name)
}

/// In what part of its select each piece stands.
fn places(pieces: &[Piece]) -> Vec<Place> {
    let mut open = vec![Place::Expression];
    let mut places = Vec::with_capacity(pieces.len());
    for (at, piece) in pieces.iter().enumerate() {
        let place = open.last().copied().unwrap_or(Place::Expression);
        let mut next = place;
        if piece.is(&Token::LParen) {
            // Relations may stand in parentheses; behind a name these hold arguments or names.
            let may_hold = before(pieces, at).is_some_and(|piece| {
                piece.is(&Token::Comma)
                    || piece.is(&Token::LParen)
                    || piece.is_word("from")
                    || piece.is_word("join")
            });
            let is_relation = place == Place::Relations && may_hold;
            places.push(place);
            open.push(if is_relation { place } else { Place::Expression });
            continue;
        }
        if piece.is(&Token::RParen) {
            open.pop();
            places.push(open.last().copied().unwrap_or(Place::Expression));
            continue;
        }
        if piece.is_word("select") {
            next = Place::List;
        } else if piece.is_word("from") {
            // Not that of `IS DISTINCT FROM`, nor that of `trim(x FROM y)`.
            let is_distinct = before(pieces, at).is_some_and(|piece| piece.is_word("distinct"));
            if place == Place::List && !is_distinct {
                next = Place::Relations;
            }
        } else if piece.is_word("join") {
            next = Place::Relations;
        } else if PAST_RELATIONS.iter().any(|word| piece.is_word(word)) {
            next = Place::Expression;
        }
        if let Some(last) = open.last_mut() {
            *last = next;
        }
        places.push(next);
    }
    places
}

/// The names that a query gives to relations.
fn aliases<'p>(pieces: &'p [Piece], places: &[Place]) -> Vec<&'p str> {
    let is_between = |piece: &Piece| BETWEEN_RELATIONS.iter().any(|word| piece.is_word(word));
    let named = |at: &usize| {
        let piece = &pieces[*at];
        let follows = before(pieces, *at).is_some_and(|before| {
            before.is(&Token::RParen) || before.name().is_some() && !is_between(before)
        });
        places[*at] == Place::Relations && follows && !is_between(piece) && !piece.is_word("as")
    };
    (0..pieces.len()).filter(named).filter_map(|at| pieces[at].name()).collect()
}

/// Of each item of the outermost select list that is nothing but a column: the piece with its name.
fn shown(pieces: &[Piece]) -> Vec<usize> {
    let mut shown = Vec::new();
    if !pieces.first().is_some_and(|piece| piece.is_word("select")) {
        return shown;
    }
    let is_quantifier = |piece: &Piece| piece.is_word("distinct") || piece.is_word("all");
    let start = 1 + usize::from(pieces.get(1).is_some_and(is_quantifier));
    let mut depth = 0usize;
    let mut from = start;
    for at in start..=pieces.len() {
        let piece = pieces.get(at);
        let is_end = piece.is_none_or(|piece| depth == 0 && piece.is_word("from"));
        if is_end || depth == 0 && piece.is_some_and(|piece| piece.is(&Token::Comma)) {
            shown.extend(column_of(&pieces[from..at]).map(|column| from + column));
            from = at + 1;
        }
        match piece {
            _ if is_end => break,
            Some(piece) if piece.is(&Token::LParen) => depth += 1,
            Some(piece) if piece.is(&Token::RParen) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    shown
}

/// The piece that names the column of `a.b AS c`; `None` for anything that is more.
fn column_of(item: &[Piece]) -> Option<usize> {
    let mut at = 0;
    item.first()?.name()?;
    while item.get(at + 1).is_some_and(|piece| piece.is(&Token::Period)) {
        item.get(at + 2)?.name()?;
        at += 2;
    }
    match &item[at + 1..] {
        [] => Some(at),
        [alias] => alias.name().map(|_| at),
        [word, alias] if word.is_word("as") => alias.name().map(|_| at),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `t` has `k`, which is asked about, and `x`; `u` has a `k` of its own.
    struct T;

    impl Asked for T {
        fn is_table(&self, name: &str) -> bool {
            name.eq_ignore_ascii_case("t")
        }
        fn has_column(&self, name: &str) -> bool {
            ["k", "x"].contains(&name)
        }
        fn is_asked(&self, table: Option<&str>, column: &str) -> bool {
            table != Some("u") && column.eq_ignore_ascii_case("k")
        }
    }

    #[test]
    fn uses_of_columns() {
        for (text, n_named, n_plain, takes_rows) in [
            ("SELECT id, k FROM t", 1, 1, false),
            ("SELECT id, t.k AS k, u.k FROM t", 1, 1, false),
            ("SELECT DISTINCT k kk, id FROM t", 1, 1, false),
            ("SELECT id, upper(K) AS x, 'k' AS y FROM t WHERE k != ''", 2, 0, false),
            ("SELECT id, t.'k' FROM t", 1, 1, false),
            ("SELECT id, [[k]]||[[t]].[[k]] AS x FROM {{t}}", 2, 0, false),
            ("SELECT count(*) AS n, 2*3 AS m FROM t -- k", 0, 0, false),
            ("SELECT * FROM t", 0, 0, true),
            ("SELECT DISTINCT t.* FROM t", 0, 0, true),
            ("WITH c(id, x) AS (SELECT a, * FROM t) SELECT id, x FROM c", 0, 0, true),
            // what is shown elsewhere may be used there
            ("WITH c AS (SELECT id, k AS y FROM t) SELECT id, upper(y) z, y FROM c", 1, 0, false),
            ("SELECT id, y, upper(y) z FROM (SELECT id, k AS y FROM t) c", 1, 0, false),
            // an alias called as another table
            ("SELECT u.id, upper(u.k) AS x FROM t AS u", 1, 0, false),
            ("SELECT u.id, upper(u.k) AS x FROM t u", 1, 0, false),
            ("SELECT t.id, upper(u.k) AS x FROM t JOIN u ON u.id = t.id", 0, 0, false),
        ] {
            let want = Uses { n_named, n_plain, takes_rows };
            assert_eq!(uses(text, &T), want, "{text}");
        }
    }

    #[test]
    fn whole_rows_are_uses() {
        for text in [
            "SELECT id, t AS y FROM t",
            "SELECT id, t::text AS y FROM t",
            "SELECT v.id, to_json(v) AS y FROM t v",
            "SELECT v.id, row_to_json(v) AS y FROM t AS v",
            "SELECT v.id, (v) || '' AS y FROM u LEFT JOIN \"T\" v ON v.id = u.id",
            "SELECT v.id, ROW(v, 1) AS y FROM (t v CROSS JOIN u)",
            "SELECT id, (SELECT json_agg(w) FROM t w) AS y FROM u",
            "SELECT c.id, j.value AS y FROM t c, json_each(to_json(c)) j",
            "SELECT v.id, trim(both 'x' FROM v::text) AS y FROM t v",
            "SELECT v.id, 1 IS DISTINCT FROM v::text AS y FROM t v",
            "SELECT v.a AS id, v.b AS y FROM t v(a, b)",
            "SELECT v.a AS id, v.b AS y FROM t AS v (a, b)",
            "SELECT id, y FROM (TABLE t) AS v(id, y)",
            "SELECT id, u.k FROM u ORDER BY (SELECT max(t::text) FROM t)",
            "SELECT id FROM u JOIN t v ON v.id = u.id GROUP BY v",
        ] {
            assert!(uses(text, &T).takes_rows, "{text}");
        }
        for text in [
            "SELECT t.id, t.x FROM t",
            "SELECT x.id, x FROM t x",
            "SELECT count(DISTINCT v.x) AS n, v.id FROM t AS v LEFT OUTER JOIN u ON u.id = v.id",
            "SELECT id, trim(both 'x' FROM x) AS y FROM t",
            "SELECT u.t, u.id FROM u NATURAL JOIN t",
            "SELECT id, x AS t FROM (t JOIN u USING (x))",
            "WITH c AS (SELECT id, x FROM t) SELECT c.id, c.x FROM c, t v WHERE v.id = c.id",
        ] {
            assert!(!uses(text, &T).takes_rows, "{text}");
        }
    }

    #[test]
    fn texts_that_postgres_reads_otherwise() {
        for text in [
            "SELECT U&\"\\006b\" FROM t",
            "SELECT E'\\'' || k || E'\\''",
            "SELECT $$ ' $$ || k || $$ ' $$",
            "SELECT $a$ ' $a$ || k",
            "SELECT 1 /* /* */ ' */ , k /* ' */",
            "SELECT 1 -- a\n /* /* */ ' */ , k /* ' */",
            "SELECT ARRAY[upper(k)] FROM t",
            "SELECT 'open",
        ] {
            assert!(is_read_otherwise(text), "{text}");
        }
        for text in [
            "SELECT json_extract(x, '$.a') FROM t",
            "SELECT u & 1, e.'x', [y] /* a */ /* b */ FROM e -- /* /*\n, u",
        ] {
            assert!(!is_read_otherwise(text), "{text}");
        }
    }
}
