//! Random ids and texts: a fast thread-local source, alphabets without bias, and texts after a pattern.
//! Source: spec collections-and-fields §1.4.

use std::cell::RefCell;

use regex_syntax::ast::{self, Ast, ClassSetItem};

/// Lower-case letters and digits: record and log ids.
pub const LOWER_ALNUM: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
/// All letters and digits: tokens and file suffixes.
pub const ALNUM: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// Digits: one-time passwords.
pub const DIGITS: &[u8] = b"0123456789";

/// Random bytes of the operating system, fetched in blocks.
struct Block {
    bytes: [u8; 512],
    used: usize,
}

thread_local! {
    static BLOCK: RefCell<Block> = const { RefCell::new(Block { bytes: [0; 512], used: 512 }) };
}

impl Block {
    fn next(&mut self) -> u8 {
        if self.used == self.bytes.len() {
            getrandom::fill(&mut self.bytes).expect("the operating system gives random bytes");
            self.used = 0;
        }
        let byte = std::mem::take(&mut self.bytes[self.used]);
        self.used += 1;
        byte
    }
}

/// Fills `out` with random bytes.
pub fn fill(out: &mut [u8]) {
    BLOCK.with_borrow_mut(|block| out.fill_with(|| block.next()));
}

/// A random number below `n`, without bias; 0 when `n` is 0.
#[must_use]
pub fn below(n: u64) -> u64 {
    if n < 2 {
        return 0;
    }
    let limit = u64::MAX - u64::MAX % n;
    loop {
        let mut bytes = [0; 8];
        fill(&mut bytes);
        let x = u64::from_le_bytes(bytes);
        if x < limit {
            return x % n;
        }
    }
}

/// `len` random characters of an ASCII alphabet of 1 to 256 characters.
#[must_use]
pub fn random(len: usize, alphabet: &[u8]) -> String {
    let n = alphabet.len().clamp(1, 256);
    let limit = 256 - 256 % n;
    let mut out = String::with_capacity(len);
    BLOCK.with_borrow_mut(|block| {
        while out.len() < len {
            let byte = usize::from(block.next());
            if byte < limit {
                out.push(alphabet.get(byte % n).copied().unwrap_or(b'a') as char);
            }
        }
    });
    out
}

/// 15 characters `a-z0-9`: the id of records and logs.
#[must_use]
pub fn record_id() -> String {
    random(15, LOWER_ALNUM)
}

/// Why a pattern gives no text; the message is part of the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// An anchor, a word boundary or an empty alternative, by the reference's operator number.
    #[error("unsupported pattern operator {0}")]
    Operator(u8),
    /// Not a regular expression.
    #[error("error parsing regexp: {0}")]
    Syntax(String),
}

/// A text that matches `pattern`.
///
/// # Errors
/// For patterns with anchors, boundaries, empty alternatives or bad syntax.
pub fn from_pattern(pattern: &str) -> Result<String, PatternError> {
    // Record ids and token keys, nearly always.
    match pattern {
        "[a-z0-9]{15}" => return Ok(record_id()),
        "[a-zA-Z0-9]{50}" => return Ok(random(50, ALNUM)),
        _ => {}
    }
    let ast = ast::parse::Parser::new()
        .parse(pattern)
        .map_err(|e| PatternError::Syntax(format!("{}: `{pattern}`", e.kind())))?;
    check(&ast, &mut false, 1)?;
    let mut out = String::new();
    generate(&ast, &mut out);
    Ok(out)
}

/// The reference's limit of repeat counts, nested ones multiplied.
const MAX_REPEAT: u32 = 1000;

/// Operators by the reference's numbers.
mod operator {
    pub(super) const EMPTY: u8 = 2;
    pub(super) const BEGIN_LINE: u8 = 7;
    pub(super) const END_LINE: u8 = 8;
    pub(super) const BEGIN_TEXT: u8 = 9;
    pub(super) const END_TEXT: u8 = 10;
    pub(super) const WORD: u8 = 11;
    pub(super) const NOT_WORD: u8 = 12;
}

/// Refuses what cannot be generated, wherever it stands, so that the answer does not depend on chance.
/// `times`: how often the surroundings repeat it at most.
fn check(ast: &Ast, lines: &mut bool, times: u32) -> Result<(), PatternError> {
    match ast {
        Ast::Empty(_) => Err(PatternError::Operator(operator::EMPTY)),
        Ast::Assertion(assertion) => {
            Err(PatternError::Operator(assertion_number(&assertion.kind, *lines)))
        }
        Ast::Flags(set) => {
            *lines = set.flags.flag_state(ast::Flag::MultiLine).unwrap_or(*lines);
            Ok(())
        }
        Ast::Group(group) => {
            let mut inner = *lines;
            if let ast::GroupKind::NonCapturing(flags) = &group.kind {
                inner = flags.flag_state(ast::Flag::MultiLine).unwrap_or(inner);
            }
            check(&group.ast, &mut inner, times)
        }
        Ast::Repetition(repetition) => {
            let times = times.saturating_mul(bound(&repetition.op.kind).max(1));
            if times > MAX_REPEAT {
                return Err(PatternError::Syntax("invalid repeat count".into()));
            }
            check(&repetition.ast, lines, times)
        }
        Ast::Alternation(alternation) => {
            alternation.asts.iter().try_for_each(|a| check(a, lines, times))
        }
        Ast::Concat(concat) => concat.asts.iter().try_for_each(|a| check(a, lines, times)),
        Ast::Literal(_)
        | Ast::Dot(_)
        | Ast::ClassPerl(_)
        | Ast::ClassUnicode(_)
        | Ast::ClassBracketed(_) => Ok(()),
    }
}

/// The largest number a repetition names.
fn bound(kind: &ast::RepetitionKind) -> u32 {
    match kind {
        ast::RepetitionKind::Range(
            ast::RepetitionRange::Exactly(n)
            | ast::RepetitionRange::AtLeast(n)
            | ast::RepetitionRange::Bounded(_, n),
        ) => *n,
        _ => 1,
    }
}

fn assertion_number(kind: &ast::AssertionKind, lines: bool) -> u8 {
    match kind {
        ast::AssertionKind::StartLine if lines => operator::BEGIN_LINE,
        ast::AssertionKind::EndLine if lines => operator::END_LINE,
        ast::AssertionKind::StartLine | ast::AssertionKind::StartText => operator::BEGIN_TEXT,
        ast::AssertionKind::EndLine | ast::AssertionKind::EndText => operator::END_TEXT,
        ast::AssertionKind::NotWordBoundary => operator::NOT_WORD,
        _ => operator::WORD,
    }
}

fn generate(ast: &Ast, out: &mut String) {
    match ast {
        Ast::Empty(_) | Ast::Flags(_) | Ast::Assertion(_) => {}
        Ast::Literal(literal) => out.push(literal.c),
        Ast::Dot(_) => out.push_str(&random(1, ALNUM)),
        Ast::Group(group) => generate(&group.ast, out),
        Ast::Concat(concat) => concat.asts.iter().for_each(|a| generate(a, out)),
        Ast::Alternation(alternation) => {
            if let Some(ast) = pick(&alternation.asts) {
                generate(ast, out);
            }
        }
        Ast::Repetition(repetition) => {
            for _ in 0..count(&repetition.op.kind) {
                generate(&repetition.ast, out);
            }
        }
        Ast::ClassPerl(_) | Ast::ClassUnicode(_) | Ast::ClassBracketed(_) => {
            out.extend(member(&class(ast)));
        }
    }
}

fn pick<T>(items: &[T]) -> Option<&T> {
    items.get(usize::try_from(below(items.len() as u64)).unwrap_or(0))
}

/// m + uniform[0, n − m): the upper bound is exclusive; open-ended repeats use n = max(6, m).
fn count(kind: &ast::RepetitionKind) -> u64 {
    let (m, n) = match kind {
        ast::RepetitionKind::ZeroOrOne => (0, 1),
        ast::RepetitionKind::ZeroOrMore => (0, 6),
        ast::RepetitionKind::OneOrMore => (1, 6),
        ast::RepetitionKind::Range(ast::RepetitionRange::Exactly(m)) => (*m, *m),
        ast::RepetitionKind::Range(ast::RepetitionRange::AtLeast(m)) => (*m, (*m).max(6)),
        ast::RepetitionKind::Range(ast::RepetitionRange::Bounded(m, n)) => (*m, *n),
    };
    u64::from(m) + below(u64::from(n.saturating_sub(m)))
}

/// Sorted, disjoint ranges of characters.
type Ranges = Vec<(u32, u32)>;

/// A random member of a class; `.`'s choice when the class is everything or all but the line feed.
fn member(ranges: &Ranges) -> Option<char> {
    const ALL: u32 = 0x0010_FFFF;
    if matches!(ranges[..], [(0, ALL)] | [(0, 9), (11, ALL)]) {
        return random(1, ALNUM).chars().next();
    }
    let total: u64 = ranges.iter().map(|(a, b)| u64::from(b - a) + 1).sum();
    if total == 0 {
        return None;
    }
    loop {
        let mut n = below(total);
        for (a, b) in ranges {
            let size = u64::from(b - a) + 1;
            if n < size {
                // Surrogates are no characters: try again.
                match u32::try_from(n).ok().and_then(|n| char::from_u32(a + n)) {
                    Some(c) => return Some(c),
                    None if ranges.iter().all(|(a, b)| *a >= 0xD800 && *b <= 0xDFFF) => {
                        return None;
                    }
                    None => break,
                }
            }
            n -= size;
        }
    }
}

fn class(ast: &Ast) -> Ranges {
    match ast {
        Ast::ClassPerl(perl) => perl_class(perl),
        Ast::ClassUnicode(unicode) => unicode_class(unicode),
        Ast::ClassBracketed(bracketed) => bracketed_class(bracketed),
        _ => Ranges::new(),
    }
}

fn bracketed_class(bracketed: &ast::ClassBracketed) -> Ranges {
    let ranges = match &bracketed.kind {
        ast::ClassSet::Item(item) => item_class(item),
        // `&&`, `--` and `~~` are plain characters in the reference's syntax.
        ast::ClassSet::BinaryOp(op) => {
            let symbol = match op.kind {
                ast::ClassSetBinaryOpKind::Intersection => '&',
                ast::ClassSetBinaryOpKind::Difference => '-',
                ast::ClassSetBinaryOpKind::SymmetricDifference => '~',
            };
            let mut all = vec![(symbol.into(), symbol.into())];
            for side in [&op.lhs, &op.rhs] {
                if let ast::ClassSet::Item(item) = &**side {
                    all.extend(item_class(item));
                }
            }
            all
        }
    };
    finish(ranges, bracketed.negated)
}

fn item_class(item: &ClassSetItem) -> Ranges {
    match item {
        ClassSetItem::Empty(_) => Ranges::new(),
        ClassSetItem::Literal(literal) => vec![(literal.c.into(), literal.c.into())],
        ClassSetItem::Range(range) => vec![(range.start.c.into(), range.end.c.into())],
        ClassSetItem::Ascii(class) => finish(ascii_class(&class.kind), class.negated),
        ClassSetItem::Unicode(class) => unicode_class(class),
        ClassSetItem::Perl(class) => perl_class(class),
        ClassSetItem::Bracketed(class) => bracketed_class(class),
        ClassSetItem::Union(union) => union.items.iter().flat_map(item_class).collect(),
    }
}

fn from_text(pairs: &[(char, char)]) -> Ranges {
    pairs.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect()
}

/// `\d`, `\s`, `\w` mean ASCII, as in the reference.
fn perl_class(class: &ast::ClassPerl) -> Ranges {
    let ranges = match class.kind {
        ast::ClassPerlKind::Digit => from_text(&[('0', '9')]),
        ast::ClassPerlKind::Space => from_text(&[('\t', '\n'), ('\x0C', '\r'), (' ', ' ')]),
        ast::ClassPerlKind::Word => from_text(&[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
    };
    finish(ranges, class.negated)
}

fn ascii_class(kind: &ast::ClassAsciiKind) -> Ranges {
    use ast::ClassAsciiKind as K;
    from_text(match kind {
        K::Alnum => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        K::Alpha => &[('A', 'Z'), ('a', 'z')],
        K::Ascii => &[('\0', '\x7F')],
        K::Blank => &[('\t', '\t'), (' ', ' ')],
        K::Cntrl => &[('\0', '\x1F'), ('\x7F', '\x7F')],
        K::Digit => &[('0', '9')],
        K::Graph => &[('!', '~')],
        K::Lower => &[('a', 'z')],
        K::Print => &[(' ', '~')],
        K::Punct => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        K::Space => &[('\t', '\r'), (' ', ' ')],
        K::Upper => &[('A', 'Z')],
        K::Word => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        K::Xdigit => &[('0', '9'), ('A', 'F'), ('a', 'f')],
    })
}

/// `\p{…}`: the tables of the regex crate.
fn unicode_class(class: &ast::ClassUnicode) -> Ranges {
    let text = match &class.kind {
        ast::ClassUnicodeKind::OneLetter(c) => format!(r"\p{{{c}}}"),
        ast::ClassUnicodeKind::Named(name) => format!(r"\p{{{name}}}"),
        ast::ClassUnicodeKind::NamedValue { name, value, .. } => format!(r"\p{{{name}={value}}}"),
    };
    let ranges = match regex_syntax::parse(&text).map(regex_syntax::hir::Hir::into_kind) {
        Ok(regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(set))) => {
            set.iter().map(|r| (r.start().into(), r.end().into())).collect()
        }
        _ => Ranges::new(),
    };
    finish(ranges, class.is_negated())
}

/// Sorts and joins ranges, and takes the complement if asked to.
fn finish(mut ranges: Ranges, negated: bool) -> Ranges {
    ranges.sort_unstable();
    let mut out = Ranges::new();
    for (a, b) in ranges {
        match out.last_mut() {
            Some(last) if a <= last.1.saturating_add(1) => last.1 = last.1.max(b),
            _ => out.push((a, b)),
        }
    }
    if !negated {
        return out;
    }
    let mut complement = Ranges::new();
    let mut next = 0;
    for (a, b) in out {
        if a > next {
            complement.push((next, a - 1));
        }
        next = b + 1;
    }
    if next <= 0x0010_FFFF {
        complement.push((next, 0x0010_FFFF));
    }
    complement
}

/// Random letters and digits (passwords, token keys, secrets).
#[must_use]
pub fn random_alnum(len: usize) -> String {
    random(len, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unbiased_and_distinct() {
        let ids: std::collections::HashSet<String> = (0..2000).map(|_| record_id()).collect();
        assert_eq!(ids.len(), 2000);
        let mut seen = [0u32; 256];
        for id in &ids {
            assert_eq!(id.len(), 15);
            id.bytes().for_each(|b| seen[b as usize] += 1);
        }
        for c in LOWER_ALNUM {
            let n = seen[*c as usize];
            assert!((600..1100).contains(&n), "{} {n}", *c as char);
        }
        assert_eq!(random(3, b"x"), "xxx");
        assert_eq!(random(0, ALNUM), "");
        assert_eq!((below(0), below(1)), (0, 0));
        assert!((0..100).all(|_| below(7) < 7));
    }

    #[test]
    fn texts_match_their_pattern() {
        let cases = [
            "[a-z0-9]{15}",
            "[a-zA-Z0-9]{50}",
            "[a-z]{5}-[0-9]{3,8}",
            "(foo|bar)+",
            "a?b*c+",
            ".{10}",
            r"\d{3}\w{3}\s",
            "[^a]",
            "[^a-z\\d]{4}",
            "(?:x|yz){2}",
            "(?i)abc",
            "[[:upper:]]{3}",
            r"\p{Greek}{4}",
            "[-a.]{6}",
            "x{2,}",
            "x{9,}",
            "(?s).",
            "[^\n]",
            "日本[あ-ん]{3}",
            r"\x41\.\+",
        ];
        for pattern in cases {
            let whole = regex::Regex::new(&format!("^(?:{pattern})$")).unwrap();
            for _ in 0..50 {
                let text = from_pattern(pattern).unwrap();
                assert!(whole.is_match(&text), "{pattern} {text:?}");
            }
        }
        for _ in 0..100 {
            assert_eq!(from_pattern("a?").unwrap(), "");
            assert!((2..4).contains(&from_pattern("a{2,4}").unwrap().len()));
            assert!(from_pattern("a*").unwrap().len() < 6);
            assert_eq!(from_pattern("a{7,}").unwrap().len(), 7);
            assert!(from_pattern(".").unwrap().chars().all(|c| c.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn refused_patterns() {
        let cases = [
            ("a|", 2),
            ("()", 2),
            ("", 2),
            ("^a", 9),
            ("a$", 10),
            (r"\Aa", 9),
            (r"a\z", 10),
            (r"\ba", 11),
            (r"a\B", 12),
            ("(?m)^a", 7),
            ("(?m:a$)", 8),
            ("(?m:a)$", 10),
            ("(x|(y|$))", 10),
        ];
        for (pattern, number) in cases {
            assert_eq!(from_pattern(pattern), Err(PatternError::Operator(number)), "{pattern}");
        }
        assert_eq!(PatternError::Operator(9).to_string(), "unsupported pattern operator 9");
        for pattern in ["a{1001}", "(a{100}){11}", "(((a{9999999})*)?)"] {
            let error = from_pattern(pattern).unwrap_err();
            assert_eq!(
                error.to_string(),
                "error parsing regexp: invalid repeat count",
                "{pattern}"
            );
        }
        assert!(from_pattern("(").unwrap_err().to_string().starts_with("error parsing regexp: "));
    }
}
