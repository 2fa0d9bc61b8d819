//! RE2 patterns of users, compiled by the regex crate: what is written differently there, the reference's limits, and its
//! words for what is wrong.
//!
//! Must not know which fields have patterns.

use std::sync::{Arc, LazyLock};

use quick_cache::sync::Cache;
use regex::Regex;
use regex_syntax::{
    ast::{self, Ast, RepetitionKind, RepetitionRange, Span},
    hir,
};

/// Most repetitions, nested ones multiplied.
const MAX_REPEAT: u32 = 1000;
/// How deep groups nest.
const NEST: u32 = 200;
/// Most bytes of a compiled pattern.
const SIZE: usize = 1 << 20;
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// Compiles a pattern within limits.
///
/// # Errors
/// What is wrong, in the words of the reference.
pub fn compile(text: &str) -> Result<Regex, String> {
    let words = |fault: String| format!("error parsing regexp: {fault}");
    let translated = Translation::of(text).map_err(words)?;
    translated.check().map_err(words)?;
    let built = regex::RegexBuilder::new(&translated.out)
        .size_limit(SIZE)
        .dfa_size_limit(SIZE)
        .nest_limit(NEST)
        .build();
    built.map_err(|error| {
        words(match error {
            regex::Error::CompiledTooBig(_) => "expression too large".to_owned(),
            _ => format!("invalid expression: `{text}`"),
        })
    })
}

/// [`compile`] through a small cache; `None` when the pattern is broken.
#[must_use]
pub fn compiled(text: &str) -> Option<Arc<Regex>> {
    static CACHE: LazyLock<Cache<String, Option<Arc<Regex>>>> = LazyLock::new(|| Cache::new(512));
    if let Some(hit) = CACHE.get(text) {
        return hit;
    }
    let regex = compile(text).ok().map(Arc::new);
    CACHE.insert(text.to_owned(), regex.clone());
    regex
}

/// A pattern in the regex crate's spelling.
struct Translation<'t> {
    text: &'t str,
    /// Where the next character of the text is.
    at: usize,
    out: String,
    /// For every byte of `out`, and its end, what it stands for in the text.
    places: Vec<usize>,
}

/// What an escape stands for.
enum Escaped {
    Char(char),
    /// A set of characters in the regex crate's spelling, for inside of brackets.
    Set(&'static str),
    /// Anything else, to be copied.
    Other,
}

impl<'t> Translation<'t> {
    fn of(text: &'t str) -> Result<Self, String> {
        let mut this = Self { text, at: 0, out: String::new(), places: Vec::new() };
        while let Some(c) = this.peek() {
            let start = this.at;
            match c {
                '\\' => this.escape()?,
                '[' => this.class()?,
                '(' => this.group()?,
                '{' => {
                    let len = repeat_len(this.rest());
                    this.at += len.unwrap_or(1);
                    match len {
                        Some(len) => this.put(&text[start..start + len], start),
                        None => this.put("\\{", start),
                    }
                }
                _ => {
                    this.at += c.len_utf8();
                    this.put(&text[start..this.at], start);
                }
            }
        }
        this.places.push(text.len());
        Ok(this)
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn put(&mut self, spelled: &str, place: usize) {
        self.out.push_str(spelled);
        self.places.resize(self.out.len(), place);
    }

    /// A character that stands for itself.
    fn literal(&mut self, c: char, place: usize) {
        let mut buffer = [0; 4];
        if regex_syntax::is_escapeable_character(c) {
            self.put("\\", place);
        }
        self.put(c.encode_utf8(&mut buffer), place);
    }

    /// An escape outside of brackets.
    fn escape(&mut self) -> Result<(), String> {
        let start = self.at;
        if let Some(rest) = self.rest().strip_prefix("\\Q") {
            let quoted = rest.split("\\E").next().unwrap_or("");
            self.at += (2 + quoted.len() + 2).min(self.rest().len());
            self.put(&regex_syntax::escape(quoted), start);
            return Ok(());
        }
        // a word boundary is one of ASCII words
        for (written, spelled) in
            [("\\A", "\\A"), ("\\z", "\\z"), ("\\b", "(?-u:\\b)"), ("\\B", "\\B")]
        {
            if self.rest().starts_with(written) {
                self.at += written.len();
                self.put(spelled, start);
                return Ok(());
            }
        }
        match self.escaped()? {
            Escaped::Char(c) => self.literal(c, start),
            Escaped::Set(set) => {
                self.put("[", start);
                self.put(set, start);
                self.put("]", start);
            }
            Escaped::Other => self.put(&self.text[start..self.at], start),
        }
        Ok(())
    }

    /// Reads an escape that means the same inside and outside of brackets.
    fn escaped(&mut self) -> Result<Escaped, String> {
        let start = self.at;
        let mut chars = self.rest().chars().skip(1);
        let Some(c) = chars.next() else {
            return Err("trailing backslash at end of expression: ``".to_owned());
        };
        self.at += 1 + c.len_utf8();
        let invalid = |end: usize| format!("invalid escape sequence: `{}`", &self.text[start..end]);
        let next_is_octal = matches!(chars.next(), Some('0'..='7'));
        Ok(Escaped::Char(match c {
            'd' => return Ok(Escaped::Set("0-9")),
            's' => return Ok(Escaped::Set(r"\t\n\f\r ")),
            'w' => return Ok(Escaped::Set("0-9A-Za-z_")),
            'D' => return Ok(Escaped::Set("[^0-9]")),
            'S' => return Ok(Escaped::Set(r"[^\t\n\f\r ]")),
            'W' => return Ok(Escaped::Set("[^0-9A-Za-z_]")),
            'p' | 'P' => {
                let name = self.rest();
                let len = match name.strip_prefix('{') {
                    Some(inner) => inner.find('}').map(|n| n + 2),
                    None => name.chars().next().map(char::len_utf8),
                };
                let Some(len) = len else {
                    return Err(format!(
                        "invalid character class range: `{}`",
                        &self.text[start..]
                    ));
                };
                self.at += len;
                return Ok(Escaped::Other);
            }
            'a' => '\u{7}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'x' => return self.hexadecimal(start).map(Escaped::Char),
            '1'..='7' if !next_is_octal => return Err(invalid(self.at)),
            '0'..='7' => {
                let digits = self.text[start + 1..]
                    .bytes()
                    .take(3)
                    .take_while(|b| matches!(b, b'0'..=b'7'))
                    .count();
                self.at = start + 1 + digits;
                let code = u32::from_str_radix(&self.text[start + 1..self.at], 8).unwrap_or(0);
                char::from_u32(code).ok_or_else(|| format!("invalid escape sequence: `\\{c}`"))?
            }
            c if c.is_ascii_punctuation() => c,
            _ => return Err(invalid(self.at)),
        }))
    }

    /// What follows `\x`.
    fn hexadecimal(&mut self, start: usize) -> Result<char, String> {
        let braced = self.rest().starts_with('{');
        self.at += usize::from(braced);
        let (mut code, mut n) = (0, 0);
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            if braced && c == '}' && n > 0 {
                return char::from_u32(code).ok_or_else(|| {
                    format!("invalid escape sequence: `{}`", &self.text[start..self.at])
                });
            }
            let Some(digit) = c.to_digit(16) else { break };
            (code, n) = (code * 16 + digit, n + 1);
            if code > 0x10_FFFF {
                break;
            }
            if !braced && n == 2 {
                return Ok(char::from_u32(code).unwrap_or('\u{fffd}'));
            }
        }
        Err(format!("invalid escape sequence: `{}`", &self.text[start..self.at]))
    }

    /// Characters in brackets.
    fn class(&mut self) -> Result<(), String> {
        let start = self.at;
        self.at += 1;
        self.put("[", start);
        if self.rest().starts_with('^') {
            self.put("^", self.at);
            self.at += 1;
        }
        let mut is_first = true;
        loop {
            let place = self.at;
            match self.peek() {
                None => return Err(format!("missing closing ]: `{}`", &self.text[start..])),
                Some(']') if !is_first => {
                    self.at += 1;
                    self.put("]", place);
                    return Ok(());
                }
                Some('[') if self.posix()? => {}
                Some(_) => self.class_item(place)?,
            }
            is_first = false;
        }
    }

    /// `[:name:]`, if it stands here.
    fn posix(&mut self) -> Result<bool, String> {
        let Some(inner) = self.rest().strip_prefix("[:") else { return Ok(false) };
        let Some(len) = inner.find(":]") else { return Ok(false) };
        let (start, name) = (self.at, &inner[..len]);
        self.at += len + 4;
        let whole = &self.text[start..self.at];
        if !POSIX.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err(format!("invalid character class range: `{whole}`"));
        }
        self.put(whole, start);
        Ok(true)
    }

    /// A character, a range, or an escape in brackets.
    fn class_item(&mut self, start: usize) -> Result<(), String> {
        if self.rest().starts_with('\\') {
            match self.escaped()? {
                Escaped::Char(low) => self.range(low, start),
                Escaped::Set(set) => {
                    self.put(set, start);
                    Ok(())
                }
                Escaped::Other => {
                    self.put(&self.text[start..self.at], start);
                    Ok(())
                }
            }
        } else {
            let low = self.char();
            self.range(low, start)
        }
    }

    fn char(&mut self) -> char {
        let c = self.peek().unwrap_or_default();
        self.at += c.len_utf8();
        c
    }

    /// What a character begins: a range, if a hyphen and another one follow.
    fn range(&mut self, low: char, start: usize) -> Result<(), String> {
        self.literal(low, start);
        let mut next = self.rest().chars();
        if next.next() != Some('-') || matches!(next.next(), Some(']') | None) {
            return Ok(());
        }
        self.put("-", self.at);
        self.at += 1;
        let place = self.at;
        let high = match self.peek() {
            Some('\\') => match self.escaped()? {
                Escaped::Char(c) => c,
                Escaped::Set(_) | Escaped::Other => {
                    let end =
                        place + 1 + self.text[place + 1..].chars().next().map_or(0, char::len_utf8);
                    return Err(format!("invalid escape sequence: `{}`", &self.text[place..end]));
                }
            },
            _ => self.char(),
        };
        if high < low {
            return Err(format!("invalid character class range: `{}`", &self.text[start..self.at]));
        }
        self.literal(high, place);
        Ok(())
    }

    /// The beginning of a group: names do not matter, and of the flags only RE2's are let through.
    fn group(&mut self) -> Result<(), String> {
        let (start, rest) = (self.at, self.rest());
        let named = rest.strip_prefix("(?P<").or_else(|| rest.strip_prefix("(?<"));
        if let Some(name) = named {
            let bad = |end: usize| format!("invalid named capture: `{}`", &rest[..end]);
            let len = name.find('>').ok_or_else(|| bad(rest.len()))?;
            let end = rest.len() - name.len() + len + 1;
            if len == 0 || !name[..len].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return Err(bad(end));
            }
            self.at += end;
            self.put("(", start);
            return Ok(());
        }
        let Some(flags) = rest.strip_prefix("(?") else {
            self.at += 1;
            self.put("(", start);
            return Ok(());
        };
        let unsupported =
            |end: usize| format!("invalid or unsupported Perl syntax: `{}`", &rest[..end]);
        let (mut is_negative, mut n_flags) = (false, 0);
        for (at, c) in flags.char_indices() {
            let end = 2 + at + c.len_utf8();
            match c {
                'i' | 'm' | 's' | 'U' => n_flags += 1,
                '-' if !is_negative => (is_negative, n_flags) = (true, 0),
                ':' | ')' if !is_negative || n_flags > 0 => {
                    self.at += end;
                    self.put(&rest[..end], start);
                    return Ok(());
                }
                _ => return Err(unsupported(end)),
            }
        }
        Err(unsupported(rest.len()))
    }

    /// The part of the text that a part of the translation stands for.
    fn original(&self, span: &Span) -> &'t str {
        let place = |offset: usize| self.places.get(offset).copied().unwrap_or(self.text.len());
        self.text.get(place(span.start.offset)..place(span.end.offset)).unwrap_or(self.text)
    }

    /// What the regex crate's parser and the reference's limits say.
    fn check(&self) -> Result<(), String> {
        let parsed = ast::parse::ParserBuilder::new().nest_limit(NEST).build().parse(&self.out);
        let tree = parsed.map_err(|error| self.syntax(&error))?;
        self.repeats(&tree)?;
        let mut translator = hir::translate::TranslatorBuilder::new().build();
        translator.translate(&self.out, &tree).map(drop).map_err(|error| match error.kind() {
            hir::ErrorKind::UnicodePropertyNotFound
            | hir::ErrorKind::UnicodePropertyValueNotFound => {
                format!("invalid character class range: `{}`", self.original(error.span()))
            }
            _ => format!("invalid expression: `{}`", self.text),
        })
    }

    fn syntax(&self, error: &ast::Error) -> String {
        use ast::ErrorKind::{
            DecimalInvalid, GroupUnclosed, GroupUnopened, NestLimitExceeded,
            RepetitionCountInvalid, RepetitionMissing,
        };
        let at = self.places.get(error.span().start.offset).copied().unwrap_or(0);
        let operator = self
            .text
            .get(at..)
            .map_or("", |rest| rest.get(..repeat_len(rest).unwrap_or(1)).unwrap_or(""));
        match error.kind() {
            GroupUnclosed => format!("missing closing ): `{}`", self.text),
            GroupUnopened => format!("unexpected ): `{}`", self.text),
            RepetitionMissing => {
                format!("missing argument to repetition operator: `{operator}`")
            }
            RepetitionCountInvalid | DecimalInvalid => {
                format!("invalid repeat count: `{operator}`")
            }
            NestLimitExceeded(_) => "expression nests too deeply".to_owned(),
            _ => format!("invalid expression: `{}`", self.text),
        }
    }

    /// Refuses operators on operators and too many repetitions, from the inside out. The parser has a limit of depth.
    fn repeats(&self, tree: &Ast) -> Result<(), String> {
        match tree {
            Ast::Repetition(repetition) => {
                self.repeats(&repetition.ast)?;
                let op = &repetition.op;
                if let Ast::Repetition(inner) = &*repetition.ast {
                    let both = Span::new(inner.op.span.start, op.span.end);
                    return Err(format!(
                        "invalid nested repetition operator: `{}`",
                        self.original(&both)
                    ));
                }
                if matches!(op.kind, RepetitionKind::Range(_)) && !fits(tree, MAX_REPEAT) {
                    return Err(format!("invalid repeat count: `{}`", self.original(&op.span)));
                }
                Ok(())
            }
            Ast::Group(group) => self.repeats(&group.ast),
            Ast::Alternation(parts) => parts.asts.iter().try_for_each(|part| self.repeats(part)),
            Ast::Concat(parts) => parts.asts.iter().try_for_each(|part| self.repeats(part)),
            _ => Ok(()),
        }
    }
}

/// True if nothing in a tree is repeated more than `n` times.
fn fits(tree: &Ast, n: u32) -> bool {
    match tree {
        Ast::Repetition(repetition) => {
            let times = match repetition.op.kind {
                RepetitionKind::Range(
                    RepetitionRange::Exactly(n)
                    | RepetitionRange::AtLeast(n)
                    | RepetitionRange::Bounded(_, n),
                ) => n,
                _ => 1,
            };
            times == 0 || (times <= n && fits(&repetition.ast, n / times))
        }
        Ast::Group(group) => fits(&group.ast, n),
        Ast::Alternation(parts) => parts.asts.iter().all(|part| fits(part, n)),
        Ast::Concat(parts) => parts.asts.iter().all(|part| fits(part, n)),
        _ => true,
    }
}

/// The length of the `{n}`, `{n,}` or `{n,m}` at the start; any other brace is a character.
fn repeat_len(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('{')?;
    let inner = &inner[..inner.find('}')?];
    let (least, most) = inner.split_once(',').unwrap_or((inner, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(least) && (most.is_empty() || is_number(most))).then(|| inner.len() + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asked from the reference.
    #[test]
    fn accepted() {
        for text in [
            r"^\w+$",
            "[[:alpha:]]",
            "[[:^alpha:]x]",
            r"\Qa.b\E",
            r"\Q[\E",
            "[a&&b]",
            "[a~~b]",
            "(?i)x",
            "(?U)a",
            "(?s-i:a)",
            "[]a]",
            "[^]a]",
            r"\pL",
            "[[]",
            "a{1000}",
            "a{1000,}",
            "(a{100}){10}",
            "((a|b){500}c){2}",
            "(?P<n>a)(?P<n>b)",
            "(?<n>a)",
            "(?P<1>a)",
            r"\p{Greek}",
            "a{,5}",
            "a{",
            "a{x}",
            r"\z",
            r"\A",
            r"\b{start}",
            r"\<",
            r"[\d-z]",
            "a{2}?",
            "a??",
            "(|a)*",
            "(?:)",
            "]",
            "}",
            "a]b}",
            r"\/",
            r"\#",
            r"\-",
            "[a-]",
            "[-a]",
            r"[a\-z]",
            r"\a\f\t\n\r\v",
            "\u{ff}",
            r"\x{1F600}",
            r"[\x41-\x5A]",
            r"\012",
            "",
        ] {
            assert_eq!(compile(text).err(), None, "{text}");
        }
    }

    /// Asked from the reference.
    #[test]
    fn refused() {
        for (text, words) in [
            ("^a{1,2000}$", "invalid repeat count: `{1,2000}`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("(a{100}){11}", "invalid repeat count: `{11}`"),
            ("(a{1000}){2}", "invalid repeat count: `{2}`"),
            ("((a{10}){10}){11}", "invalid repeat count: `{11}`"),
            ("a{0,1001}", "invalid repeat count: `{0,1001}`"),
            ("a{1001,}", "invalid repeat count: `{1001,}`"),
            ("a{2,1}", "invalid repeat count: `{2,1}`"),
            ("(a{2,1}){1001}", "invalid repeat count: `{2,1}`"),
            ("(?:a{30}){34}", "invalid repeat count: `{34}`"),
            ("((a|b){500}c){3}", "invalid repeat count: `{3}`"),
            ("a{1001}{1}", "invalid repeat count: `{1001}`"),
            ("a{99999999999}", "invalid repeat count: `{99999999999}`"),
            ("a{100}{10}", "invalid nested repetition operator: `{100}{10}`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("a*+", "invalid nested repetition operator: `*+`"),
            ("a{2}+", "invalid nested repetition operator: `{2}+`"),
            ("[a", "missing closing ]: `[a`"),
            ("[", "missing closing ]: `[`"),
            ("(", "missing closing ): `(`"),
            ("(a", "missing closing ): `(a`"),
            ("a)", "unexpected ): `a)`"),
            ("(?P<n>a", "missing closing ): `(?P<n>a`"),
            ("\\", "trailing backslash at end of expression: ``"),
            (r"\pX", r"invalid character class range: `\pX`"),
            (r"\p{Nope}", r"invalid character class range: `\p{Nope}`"),
            ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
            ("[z-a]", "invalid character class range: `z-a`"),
            ("[a--b]", "invalid character class range: `a--`"),
            ("(?i", "invalid or unsupported Perl syntax: `(?i`"),
            ("(?z)", "invalid or unsupported Perl syntax: `(?z`"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("(?!a)", "invalid or unsupported Perl syntax: `(?!`"),
            ("(?x) a", "invalid or unsupported Perl syntax: `(?x`"),
            ("(?u)a", "invalid or unsupported Perl syntax: `(?u`"),
            ("(?-u)a", "invalid or unsupported Perl syntax: `(?-u`"),
            ("(?<=a)", "invalid named capture: `(?<=a)`"),
            ("(?P<a-b>a)", "invalid named capture: `(?P<a-b>`"),
            ("(?P<>a)", "invalid named capture: `(?P<>`"),
            (r"\1", r"invalid escape sequence: `\1`"),
            (r"\8", r"invalid escape sequence: `\8`"),
            (r"\C", r"invalid escape sequence: `\C`"),
            (r"\y", r"invalid escape sequence: `\y`"),
            (r"[\y]", r"invalid escape sequence: `\y`"),
            (r"\Z", r"invalid escape sequence: `\Z`"),
            (r"\u0041", r"invalid escape sequence: `\u`"),
            (r"[a-\d]", r"invalid escape sequence: `\d`"),
            (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
            (r"\x{zz}", r"invalid escape sequence: `\x{z`"),
            (r"\xg", r"invalid escape sequence: `\xg`"),
            ("{1}", "missing argument to repetition operator: `{1}`"),
            ("*", "missing argument to repetition operator: `*`"),
            ("+a", "missing argument to repetition operator: `+`"),
            ("|*", "missing argument to repetition operator: `*`"),
            ("(*)", "missing argument to repetition operator: `*`"),
        ] {
            assert_eq!(
                compile(text).err(),
                Some(format!("error parsing regexp: {words}")),
                "{text}"
            );
        }
    }

    #[test]
    fn meanings() {
        for (pattern, text, matches) in [
            (r"^\w+$", "\u{e9}", false),
            (r"^\W$", "\u{e9}", true),
            ("^a{,5}$", "aaa", false),
            ("^a{,5}$", "a{,5}", true),
            (r"^\<$", "<", true),
            (r"^[\d-z]+$", "1-z", true),
            (r"^[\d-z]+$", "a", false),
            ("^[a&&b]+$", "a&b", true),
            ("^[-a]+$", "-a", true),
            ("^[+--]+$", "+,-", true),
            ("^[[a]+$", "[a", true),
            (r"^[\]\\^]+$", r"]\^", true),
            (r"^\x41\x{42}\101$", "ABA", true),
            (r"^\Q*a\E+$", "*aaa", true),
            (r"^[[:^digit:]]$", "x", true),
            (r"^[^\s]$", " ", false),
            ("^(?:a{2}){3}$", "aaaaaa", true),
        ] {
            assert_eq!(compile(pattern).unwrap().is_match(text), matches, "{pattern} {text}");
        }
    }
}
