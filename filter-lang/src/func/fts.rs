//! `fts(field[, field…], query[, 'simple'])`: 1 if the texts of one record hold the words of a query, else 0.
//!
//! The meaning, for every engine (docs/full-text-search.md): a text is cut into words at [`SEPARATORS`], letters of
//! the Latin, Greek and Cyrillic alphabets lose their case, nothing else changes. `a b` wants both words, `"a b"` wants
//! them side by side in one field, `-a` must be absent, `or` separates alternatives. A query without words finds
//! nothing. Indexes only narrow the search ([`needed`]); [`matches()`] decides.

use super::{Arguments, Func, Function};
use crate::{
    ast::{Term, TermKind},
    error::ErrorKind,
    fold::is_constant,
    plan::{Expr, NodeId, NullPref, Operand},
    value::{Affinity, Value},
};

pub(super) const FUNCTION: Function =
    Function { name: "fts", help: ["field…, query", "bool", "whether the words of the query are in one of the fields"], build, eval, cost: 20, strict: false, params: false };

/// The only configuration: no stemming, no stop words.
const CONFIG: &str = "simple";

/// The characters that are not part of words, beside ASCII ones: punctuation, blanks, symbols, pictures.
pub const SEPARATORS: &[(u32, u32)] = &[
    (0x0, 0x2F),
    (0x3A, 0x40),
    (0x5B, 0x60),
    (0x7B, 0xA9),
    (0xAB, 0xB1),
    (0xB4, 0xB4),
    (0xB6, 0xB8),
    (0xBB, 0xBB),
    (0xBF, 0xBF),
    (0xD7, 0xD7),
    (0xF7, 0xF7),
    (0x37E, 0x37E),
    (0x387, 0x387),
    (0x55A, 0x55F),
    (0x589, 0x58A),
    (0x5BE, 0x5BE),
    (0x5C0, 0x5C0),
    (0x5C3, 0x5C3),
    (0x5C6, 0x5C6),
    (0x5F3, 0x5F4),
    (0x60C, 0x60D),
    (0x61B, 0x61B),
    (0x61F, 0x61F),
    (0x66A, 0x66D),
    (0x6D4, 0x6D4),
    (0x964, 0x965),
    (0xE4F, 0xE4F),
    (0xE5A, 0xE5B),
    (0x1361, 0x1368),
    (0x2000, 0x2064),
    (0x2066, 0x206F),
    (0x20A0, 0x20C0),
    (0x20D0, 0x20F0),
    (0x2190, 0x2426),
    (0x2440, 0x244A),
    (0x2500, 0x26FF),
    (0x2701, 0x2775),
    (0x2794, 0x2B4C),
    (0x2B50, 0x2B59),
    (0x2E00, 0x2E2E),
    (0x2E30, 0x2E5D),
    (0x3000, 0x3004),
    (0x3008, 0x3020),
    (0x3030, 0x3030),
    (0x3036, 0x3037),
    (0x303D, 0x303F),
    (0x30A0, 0x30A0),
    (0x30FB, 0x30FB),
    (0xFE00, 0xFE19),
    (0xFE30, 0xFE52),
    (0xFE54, 0xFE66),
    (0xFE68, 0xFE6B),
    (0xFEFF, 0xFEFF),
    (0xFF01, 0xFF0F),
    (0xFF1A, 0xFF20),
    (0xFF3B, 0xFF40),
    (0xFF5B, 0xFF65),
    (0xFFE0, 0xFFE6),
    (0xFFE8, 0xFFEE),
    (0xFFF9, 0xFFFD),
    (0x1_F000, 0x1_F02B),
    (0x1_F030, 0x1_F093),
    (0x1_F0A0, 0x1_F0AE),
    (0x1_F0B1, 0x1_F0BE),
    (0x1_F0C1, 0x1_F0CF),
    (0x1_F0D1, 0x1_F0DF),
    (0x1_F300, 0x1_F773),
    (0x1_F7E0, 0x1_F7EB),
    (0x1_F900, 0x1_F9FF),
    (0x1_FA70, 0x1_FAFF),
];

/// Those of [`SEPARATORS`] that SQLite's `unicode61`, which knows Unicode 6.1, takes for letters unless it is told.
/// All its other letters and digits are outside of [`SEPARATORS`].
pub const NEWER: &[(u32, u32)] = &[
    (0x2066, 0x2069),
    (0x20BA, 0x20C0),
    (0x23F4, 0x23FF),
    (0x2E3C, 0x2E5D),
    (0x1_F321, 0x1_F32F),
    (0x1_F336, 0x1_F336),
    (0x1_F37D, 0x1_F37F),
    (0x1_F394, 0x1_F39F),
    (0x1_F3C5, 0x1_F3C5),
    (0x1_F3CB, 0x1_F3DF),
    (0x1_F3F1, 0x1_F3FF),
    (0x1_F43F, 0x1_F43F),
    (0x1_F441, 0x1_F441),
    (0x1_F4F8, 0x1_F4F8),
    (0x1_F4FD, 0x1_F4FF),
    (0x1_F53E, 0x1_F53F),
    (0x1_F544, 0x1_F54F),
    (0x1_F568, 0x1_F5FA),
    (0x1_F641, 0x1_F644),
    (0x1_F650, 0x1_F67F),
    (0x1_F6C6, 0x1_F6FF),
    (0x1_F7E0, 0x1_F7EB),
    (0x1_F900, 0x1_F9FF),
    (0x1_FA70, 0x1_FAFF),
];

/// Where letters lose their case.
const CASED: &[(u32, u32)] =
    &[(0x41, 0x5A), (0xC0, 0x17F), (0x386, 0x3AB), (0x400, 0x4FF), (0x1E00, 0x1EFF)];

/// Letters that certainly are part of words for every index.
const SURE: &[(u32, u32)] = &[
    (0x30, 0x39),
    (0x41, 0x5A),
    (0x61, 0x7A),
    (0xC0, 0xD6),
    (0xD8, 0xF6),
    (0xF8, 0x17F),
    (0x391, 0x3A1),
    (0x3A3, 0x3CE),
    (0x400, 0x481),
    (0x48A, 0x4FF),
    (0x5D0, 0x5EA),
    (0x621, 0x63A),
    (0x641, 0x64A),
    (0x1E00, 0x1EFF),
    (0x3041, 0x3096),
    (0x30A1, 0x30FA),
    (0x4E00, 0x9FA5),
    (0xAC00, 0xD7A3),
];

fn within(ranges: &[(u32, u32)], c: char) -> bool {
    let code = u32::from(c);
    let at = ranges.partition_point(|(_, last)| *last < code);
    ranges.get(at).is_some_and(|(first, _)| *first <= code)
}

/// True for characters that words are made of.
#[must_use]
pub fn is_word(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphanumeric() } else { !within(SEPARATORS, c) }
}

/// A character without its case.
#[must_use]
pub fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    if c == 'ς' {
        return 'σ';
    }
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(lower), None) if within(CASED, c) => lower,
        _ => c,
    }
}

/// Appends the words of a text, each between single blanks.
fn push_words(out: &mut String, text: &str) {
    out.push(' ');
    for c in text.chars() {
        if is_word(c) {
            out.push(fold(c));
        } else if !out.ends_with(' ') {
            out.push(' ');
        }
    }
    if !out.ends_with(' ') {
        out.push(' ');
    }
}

/// The words of a text, each between single blanks: `" a b "`.
#[must_use]
pub fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_words(&mut out, text);
    out
}

/// A query as plans hold it: alternatives by lines, terms by tabs, each a sign and its words: `"+ a b "`.
#[must_use]
pub fn query(text: &str) -> String {
    let mut alternatives: Vec<Vec<String>> = vec![Vec::new()];
    let mut rest = text;
    while let Some(item) = next_item(&mut rest) {
        match item {
            Item::Or => alternatives.push(Vec::new()),
            Item::Term { absent, text } => {
                let words = words(text);
                if words != " "
                    && let Some(terms) = alternatives.last_mut()
                {
                    terms.push(format!("{}{words}", if absent { '-' } else { '+' }));
                }
            }
        }
    }
    alternatives.retain(|terms| !terms.is_empty());
    let lines: Vec<String> = alternatives.into_iter().map(|terms| terms.join("\t")).collect();
    lines.join("\n")
}

enum Item<'q> {
    Or,
    Term { absent: bool, text: &'q str },
}

/// Takes the next item off a query: a phrase in quotes or a run of anything but blanks.
fn next_item<'q>(rest: &mut &'q str) -> Option<Item<'q>> {
    let start = rest.trim_start();
    let (absent, start) = match start.strip_prefix('-') {
        Some(after) => (true, after),
        None => (false, start),
    };
    if start.is_empty() {
        return None;
    }
    if let Some(phrase) = start.strip_prefix('"') {
        let (text, after) = phrase.split_once('"').unwrap_or((phrase, ""));
        *rest = after;
        return Some(Item::Term { absent, text });
    }
    let end = start.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(start.len());
    let (text, after) = start.split_at(end);
    *rest = after;
    if !absent && text.eq_ignore_ascii_case("or") {
        return Some(Item::Or);
    }
    Some(Item::Term { absent, text })
}

/// The alternatives of a [`query`], as (wanted, words) each.
fn alternatives(query: &str) -> impl Iterator<Item = impl Iterator<Item = (bool, &str)>> {
    query.split('\n').filter(|line| !line.is_empty()).map(|line| {
        line.split('\t').filter_map(|term| {
            term.strip_prefix('+').map(|w| (true, w)).or(term.strip_prefix('-').map(|w| (false, w)))
        })
    })
}

/// Whether the texts together match a [`query`].
pub fn matches<'t>(query: &str, texts: impl IntoIterator<Item = &'t str>) -> bool {
    let mut all = String::new();
    texts.into_iter().for_each(|text| push_words(&mut all, text));
    alternatives(query).any(|mut terms| terms.all(|(wanted, words)| all.contains(words) == wanted))
}

/// The words that must be there for a [`query`] to match, by alternatives; `None` if an index cannot tell because
/// some alternative wants no certain word.
#[must_use]
pub fn needed(query: &str) -> Option<Vec<Vec<String>>> {
    let mut all = Vec::new();
    for terms in alternatives(query) {
        let words: Vec<String> = terms
            .filter(|(wanted, _)| *wanted)
            .flat_map(|(_, words)| words.split(' '))
            .filter(|word| word.chars().any(|c| within(SURE, c)))
            .map(|word| word.chars().take(INDEXED_CHARS).collect())
            .collect();
        if words.is_empty() {
            return None;
        }
        all.push(words);
    }
    (!all.is_empty()).then_some(all)
}

/// How much of a word PostgreSQL's index holds.
pub const INDEXED_CHARS: usize = 64;

fn build(arguments: &mut dyn Arguments, args: &[Term]) -> Result<Operand, ErrorKind> {
    let wrong = |why: &'static str| ErrorKind::Call(FUNCTION.name, why);
    let is_text = |term: &Term| matches!(term.kind, TermKind::Text(_));
    let args = match args {
        [_, .., query, Term { kind: TermKind::Text(config), .. }]
            if is_text(query) || config == CONFIG =>
        {
            if config != CONFIG {
                return Err(wrong("the only search configuration is 'simple'"));
            }
            &args[..args.len() - 1]
        }
        args => args,
    };
    let [fields @ .., last] = args else { return Err(wrong("expected fields and a query")) };
    if fields.is_empty() {
        return Err(wrong("expected fields and a query"));
    }
    let text = arguments.argument(last)?.expr;
    let text = match &text {
        Expr::Bound(value) | Expr::AuthColumn(value) => value.text().unwrap_or_default(),
        Expr::Literal(_) => "".into(),
        _ => return Err(wrong("the query must be a text or a value of the request")),
    };
    let mut exprs = vec![Expr::Bound(Value::from(query(&text)))];
    let (mut row, mut multi): (Option<NodeId>, bool) = (None, false);
    for field in fields {
        let operand = match field.kind {
            TermKind::Identifier(_) => arguments.guarded(field)?,
            _ => return Err(wrong("only fields can be searched")),
        };
        if let Expr::Column { node, .. } = operand.expr {
            if *row.get_or_insert(node) != node {
                return Err(wrong("all fields must be of the same record"));
            }
        } else if !is_constant(&operand.expr) {
            return Err(wrong("only plain fields can be searched"));
        }
        multi |= operand.multi;
        exprs.push(operand.expr);
    }
    Ok(Operand {
        expr: Expr::Call { func: Func::Fts, args: exprs },
        pref: NullPref::Disabled,
        affinity: Affinity::None,
        multi,
    })
}

fn eval(args: &[Value], _: i64) -> Value {
    let Some((query, fields)) = args.split_first() else { return Value::Int(0) };
    let texts: Vec<_> = fields.iter().map(|field| field.text().unwrap_or_default()).collect();
    let query = query.text().unwrap_or_default();
    Value::from(matches(&query, texts.iter().map(AsRef::as_ref)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_sorted() {
        for ranges in [SEPARATORS, CASED, SURE] {
            assert!(ranges.windows(2).all(|w| w[0].1 < w[1].0), "{ranges:x?}");
            assert!(ranges.iter().all(|(a, b)| a <= b));
        }
        for (first, last) in SURE {
            for c in (*first..=*last).filter_map(char::from_u32) {
                assert!(is_word(c), "{c:?}");
            }
        }
    }

    #[test]
    fn queries_match_words() {
        let text = "The quick brown Fox, über-fast: ÄRGER 3.5 naïve_case ΣΊΣΥΦΟΣ Жук";
        for (wanted, hit) in [
            ("fox", true),
            ("FOX the", true),
            ("fo", false),
            ("fox dog", false),
            ("dog or fox", true),
            ("dog OR cat", false),
            ("or fox or", true),
            ("\"brown fox\"", true),
            ("\"fox brown\"", false),
            ("\"Brown   FOX", true),
            ("quick -dog", true),
            ("quick -brown", false),
            ("-\"brown fox\" quick", false),
            ("-dog", true),
            ("dog -fox or quick -cat", true),
            ("ärger", true),
            ("arger", false),
            ("über-fast", true),
            ("fast-über", false),
            ("3.5", true),
            ("3 5", true),
            ("5.3", false),
            ("case", true),
            ("σίσυφος", true),
            ("ЖУК", true),
            ("", false),
            ("  - \"\" ... ", false),
            ("quick\"brown fox\"", true),
        ] {
            assert_eq!(matches(&query(wanted), [text]), hit, "{wanted}");
        }
        assert!(!matches(&query("\"a b\""), ["x a", "b y"]), "phrases stay within a field");
        assert!(matches(&query("a b"), ["x a", "b y"]));
    }

    #[test]
    fn an_index_needs_a_word_in_every_alternative() {
        let needs = |text: &str| needed(&query(text));
        assert_eq!(needs("Foo-bar -x"), Some(vec![vec!["foo".into(), "bar".into()]]));
        assert_eq!(needs("a or b"), Some(vec![vec!["a".into()], vec!["b".into()]]));
        assert_eq!(needs("a or -b"), None);
        assert_eq!(needs(""), None);
        assert_eq!(needs("\u{0300}"), None);
    }
}
