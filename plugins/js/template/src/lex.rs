//! From text to tokens.

use crate::format::code_point;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Error,
    Eof,
    Text,
    Open,
    Close,
    Space,
    Assign,
    Declare,
    Pipe,
    LeftParen,
    RightParen,
    Char,
    Bool,
    Dot,
    Field,
    Variable,
    Identifier,
    Number,
    CharConstant,
    String,
    RawString,
    Nil,
    Word,
}

#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) at: usize,
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// Words that are part of the language.
const WORDS: &[&str] =
    &["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"];
const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// The tokens of a text; the last one is the end or an error.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0, line: 1, found: Vec::new(), parens: 0 };
    let done = lexer.run();
    if let Err(message) = done {
        lexer.push(Kind::Error, lexer.at, message);
    }
    lexer.found
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    found: Vec<Token>,
    parens: usize,
}

type Step = Result<(), String>;

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
    fn push(&mut self, kind: Kind, at: usize, text: impl Into<String>) {
        self.found.push(Token { kind, at, line: self.line, text: text.into() });
    }
    /// Takes the next `n` bytes as a token.
    fn take(&mut self, kind: Kind, n: usize) {
        let text = self.rest().get(..n).unwrap_or_default();
        self.push(kind, self.at, text);
        self.skip(n);
    }
    fn skip(&mut self, n: usize) {
        let text = self.rest().get(..n).unwrap_or_default();
        self.line += text.matches('\n').count();
        self.at += n;
    }

    fn run(&mut self) -> Step {
        loop {
            let rest = self.rest();
            let Some(open) = rest.find(OPEN) else {
                if !rest.is_empty() {
                    self.take(Kind::Text, rest.len());
                }
                self.push(Kind::Eof, self.at, "");
                return Ok(());
            };
            let trims = trims_left(&rest[open + OPEN.len()..]);
            let before = &rest[..open];
            let kept = if trims { before.trim_end_matches(is_space) } else { before };
            if !kept.is_empty() {
                self.take(Kind::Text, kept.len());
            }
            self.skip(open - kept.len());
            self.inside(trims)?;
        }
    }

    /// One action or comment, from its left delimiter on.
    fn inside(&mut self, trims: bool) -> Step {
        let marker = if trims { 2 } else { 0 };
        if self.rest()[OPEN.len() + marker..].starts_with("/*") {
            return self.comment(OPEN.len() + marker);
        }
        self.take(Kind::Open, OPEN.len());
        self.skip(marker);
        self.parens = 0;
        loop {
            let rest = self.rest();
            let trims = trims_right(rest);
            if trims || rest.starts_with(CLOSE) {
                if self.parens > 0 {
                    return Err("unclosed left paren".into());
                }
                self.skip(if trims { 2 } else { 0 });
                self.take(Kind::Close, CLOSE.len());
                if trims {
                    self.skip_space();
                }
                return Ok(());
            }
            self.token()?;
        }
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.skip(rest.len() - rest.trim_start_matches(is_space).len());
    }

    fn comment(&mut self, start: usize) -> Step {
        let rest = self.rest();
        let Some(end) = rest[start..].find("*/").map(|i| start + i + 2) else {
            return Err("unclosed comment".into());
        };
        let behind = &rest[end..];
        let trims = trims_right(behind);
        if !trims && !behind.starts_with(CLOSE) {
            return Err("comment ends before closing delimiter".into());
        }
        self.skip(end + if trims { 2 } else { 0 } + CLOSE.len());
        if trims {
            self.skip_space();
        }
        Ok(())
    }

    fn token(&mut self) -> Step {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Err("unclosed action".into()) };
        let second = rest[first.len_utf8()..].chars().next();
        match first {
            c if is_space(c) => self.spaces(),
            '=' => self.take(Kind::Assign, 1),
            ':' if second == Some('=') => self.take(Kind::Declare, 2),
            ':' => return Err("expected :=".into()),
            '|' => self.take(Kind::Pipe, 1),
            '"' => return self.quoted('"', Kind::String, "unterminated quoted string"),
            '\'' => {
                return self.quoted('\'', Kind::CharConstant, "unterminated character constant");
            }
            '`' => {
                let Some(end) = rest[1..].find('`') else {
                    return Err("unterminated raw quoted string".into());
                };
                self.take(Kind::RawString, end + 2);
            }
            '$' => return self.name(Kind::Variable),
            '.' if !second.is_some_and(|c| c.is_ascii_digit()) => return self.name(Kind::Field),
            '.' | '+' | '-' | '0'..='9' => return self.number(),
            c if is_word(c) => return self.word(),
            '(' => {
                self.take(Kind::LeftParen, 1);
                self.parens += 1;
            }
            ')' => {
                if self.parens == 0 {
                    return Err("unexpected right paren".into());
                }
                self.take(Kind::RightParen, 1);
                self.parens -= 1;
            }
            c if c.is_ascii_graphic() => self.take(Kind::Char, 1),
            c => return Err(format!("unrecognized character in action: {}", code_point(c))),
        }
        Ok(())
    }

    /// White space; what belongs to a trim marker is left to it.
    fn spaces(&mut self) {
        let rest = self.rest();
        let all = rest.len() - rest.trim_start_matches(is_space).len();
        let n = if rest[all..].starts_with("-}}") { all - 1 } else { all };
        if n > 0 {
            self.take(Kind::Space, n);
        }
    }

    fn quoted(&mut self, quote: char, kind: Kind, message: &str) -> Step {
        let mut escaped = false;
        for (i, c) in self.rest().char_indices().skip(1) {
            match c {
                '\n' => break,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == quote => {
                    self.take(kind, i + 1);
                    return Ok(());
                }
                _ => {}
            }
        }
        Err(message.into())
    }

    /// A field or a variable, from its sign on.
    fn name(&mut self, kind: Kind) -> Step {
        let rest = self.rest();
        let n = 1 + word_len(&rest[1..]);
        if n == 1 {
            // a lone sign: the value itself, or all data
            let kind = if kind == Kind::Field { Kind::Dot } else { Kind::Variable };
            if kind == Kind::Dot || self.terminated(n)? {
                self.take(kind, n);
            }
            return Ok(());
        }
        self.terminated(n)?;
        self.take(kind, n);
        Ok(())
    }

    fn word(&mut self) -> Step {
        let n = word_len(self.rest());
        self.terminated(n)?;
        let kind = match &self.rest()[..n] {
            word if WORDS.contains(&word) => Kind::Word,
            "nil" => Kind::Nil,
            "true" | "false" => Kind::Bool,
            _ => Kind::Identifier,
        };
        self.take(kind, n);
        Ok(())
    }

    /// Whether a name may end after `n` bytes.
    fn terminated(&self, n: usize) -> Result<bool, String> {
        let rest = &self.rest()[n..];
        match rest.chars().next() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(' | '=') => Ok(true),
            Some(c) if is_space(c) || rest.starts_with(CLOSE) => Ok(true),
            Some(c) => Err(format!("bad character {}", code_point(c))),
        }
    }

    fn number(&mut self) -> Step {
        let rest = self.rest();
        let mut n = usize::from(rest.starts_with(['+', '-']));
        let (prefix, digits): (usize, &str) = match rest[n..].get(..2).unwrap_or_default() {
            "0x" | "0X" => (2, "0123456789abcdefABCDEF_"),
            "0o" | "0O" => (2, "01234567_"),
            "0b" | "0B" => (2, "01_"),
            _ => (0, "0123456789_"),
        };
        n += prefix;
        n += span(&rest[n..], digits);
        if rest[n..].starts_with('.') {
            n += 1;
            n += span(&rest[n..], digits);
        }
        let exponent = if digits.len() > 20 { ['p', 'P'] } else { ['e', 'E'] };
        if rest[n..].starts_with(exponent) {
            n += 1;
            n += usize::from(rest[n..].starts_with(['+', '-']));
            n += span(&rest[n..], "0123456789_");
        }
        n += usize::from(rest[n..].starts_with('i'));
        if let Some(c) = rest[n..].chars().next().filter(|c| is_word(*c)) {
            return Err(format!("bad number syntax: \"{}{c}\"", &rest[..n]));
        }
        self.take(Kind::Number, n);
        Ok(())
    }
}

fn span(text: &str, allowed: &str) -> usize {
    text.len() - text.trim_start_matches(|c| allowed.contains(c)).len()
}
fn word_len(text: &str) -> usize {
    text.len() - text.trim_start_matches(is_word).len()
}
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}
pub(crate) fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
/// `{{- ` and what follows it.
fn trims_left(behind: &str) -> bool {
    let mut chars = behind.chars();
    chars.next() == Some('-') && chars.next().is_some_and(is_space)
}
/// ` -}}`
fn trims_right(rest: &str) -> bool {
    rest.starts_with(is_space) && rest[1..].starts_with("-}}")
}
