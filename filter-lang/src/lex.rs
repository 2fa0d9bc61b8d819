//! One token at a time: pest recognises it, this file checks it and gives it a meaning.
//!
//! pest runs over the whole text once. Inside a group the text ends earlier (spec §1.4), so a token that would
//! reach beyond the group is recognised again, alone.
//!
//! Must not know the order in which tokens may appear (that is `parse.rs`), nor fields.
//! Source: spec filter-language §1.1–§1.3.

use std::collections::HashMap;

use pest::Parser as _;

use crate::{
    ast::{Join, Span, Term, TermKind},
    error::{Error, ErrorKind},
    plan::Op,
};

/// The grammar, compiled by pest.
mod grammar {
    #![allow(missing_docs, missing_debug_implementations)]
    #[derive(pest_derive::Parser)]
    #[grammar = "grammar.pest"]
    pub(super) struct Grammar;
}
use grammar::{Grammar, Rule};

const MAX_FUNCTION_DEPTH: usize = 3;

/// What the parser sees.
#[derive(Debug)]
pub(crate) enum Token {
    Term(Term),
    Sign {
        op: Op,
        any: bool,
        span: Span,
    },
    Join {
        join: Join,
        span: Span,
    },
    /// A group; the part between its parentheses.
    Group {
        inner: Span,
    },
}

/// A recognised but not yet checked token.
#[derive(Clone, Copy)]
struct Raw<'t> {
    rule: Rule,
    text: &'t str,
    span: Span,
}

/// Scans one source text, possibly several windows of it.
#[derive(Debug)]
pub(crate) struct Lexer<'t> {
    source: &'t str,
    /// What pest found in the whole text, and the first one not behind us.
    tokens: Vec<(Rule, Span)>,
    next: usize,
    /// Matching brackets already found by the group scanner.
    closing: HashMap<usize, usize>,
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(source: &'t str) -> Self {
        let mut tokens = Vec::with_capacity(source.len() / 4);
        if let Ok(pairs) = Grammar::parse(Rule::tokens, source) {
            tokens.extend(pairs.map(|pair| {
                let span = pair.as_span();
                (pair.as_rule(), Span { start: span.start(), end: span.end() })
            }));
        }
        Self { source, tokens, next: 0, closing: HashMap::new() }
    }

    /// The next token in `window`, which is moved past it; `None` at its end.
    pub(crate) fn next(&mut self, window: &mut Span) -> Result<Option<Token>, Error> {
        while let Some(raw) = self.raw(window)? {
            let Raw { rule, text, span } = raw;
            window.start = span.end;
            return Ok(Some(match rule {
                Rule::comment => continue,
                Rule::slash => return Err(Error::new(ErrorKind::InvalidComment, span)),
                Rule::sign => {
                    let Some((op, any)) = sign(text) else {
                        return Err(Error::new(ErrorKind::InvalidSign(text.to_owned()), span));
                    };
                    Token::Sign { op, any, span }
                }
                Rule::join => {
                    let join = match text {
                        "&&" => Join::And,
                        "||" => Join::Or,
                        _ => return Err(Error::new(ErrorKind::InvalidJoin(text.to_owned()), span)),
                    };
                    Token::Join { join, span }
                }
                Rule::open => {
                    let end = self.group_end(span.start, window.end)?;
                    window.start = end + 1;
                    Token::Group { inner: Span { start: span.end, end } }
                }
                Rule::close | Rule::comma => return Err(unexpected(text, span)),
                _ => Token::Term(self.term(raw, window, 1)?),
            }));
        }
        Ok(None)
    }

    /// The token at the start of `window`, which is moved past blanks before it.
    fn raw(&mut self, window: &mut Span) -> Result<Option<Raw<'t>>, Error> {
        let source = self.source;
        let blanks = source.as_bytes()[window.start..window.end]
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n'));
        window.start += blanks.count();
        let Span { start, end } = *window;
        let rest = &source[start..end];
        let Some(first) = rest.chars().next() else { return Ok(None) };
        while self.tokens.get(self.next).is_some_and(|(_, span)| span.start < start) {
            self.next += 1;
        }
        if let Some((rule, span)) = self.tokens.get(self.next)
            && span.start == start
            && span.end <= end
        {
            return Ok(Some(Raw { rule: *rule, text: &source[start..span.end], span: *span }));
        }
        let alone = Grammar::parse(Rule::token, rest).ok().and_then(|mut pairs| pairs.next());
        let Some(pair) = alone else {
            let span = Span { start, end: start + first.len_utf8() };
            return Err(Error::new(ErrorKind::UnexpectedCharacter(first), span));
        };
        let text = &rest[..pair.as_str().len()];
        let span = Span { start, end: start + text.len() };
        Ok(Some(Raw { rule: pair.as_rule(), text, span }))
    }

    /// Checks an operand; `window` starts behind its first token.
    fn term(&mut self, raw: Raw<'t>, window: &mut Span, depth: usize) -> Result<Term, Error> {
        let Raw { rule, text, span } = raw;
        let owned = || text.to_owned();
        let kind = match rule {
            Rule::number if text == "-" || text.ends_with('.') => {
                return Err(Error::new(ErrorKind::InvalidNumber(owned()), span));
            }
            Rule::number => TermKind::Number(owned()),
            // spec §1.1: NUL may be refused.
            Rule::single | Rule::double if !text.contains('\0') => {
                TermKind::Text(unescape(&text[1..text.len() - 1]))
            }
            Rule::identifier => {
                let is_call = self.source[window.start..window.end].starts_with('(');
                let is_bad = text.ends_with(['.', ':']) || matches!(text, "@" | "_" | "#");
                match (is_call, is_bad) {
                    (true, true) => {
                        return Err(Error::new(ErrorKind::InvalidFunctionName(owned()), span));
                    }
                    (false, true) => {
                        return Err(Error::new(ErrorKind::InvalidIdentifier(owned()), span));
                    }
                    (true, false) => return self.call(text, span, window, depth),
                    (false, false) => TermKind::Identifier(owned()),
                }
            }
            _ => return Err(Error::new(ErrorKind::InvalidText(owned()), span)),
        };
        Ok(Term { kind, span })
    }

    /// The argument list of a function (spec §1.2); `window` starts at its parenthesis.
    fn call(
        &mut self,
        name: &'t str,
        name_span: Span,
        window: &mut Span,
        depth: usize,
    ) -> Result<Term, Error> {
        if depth > MAX_FUNCTION_DEPTH {
            return Err(Error::new(ErrorKind::FunctionDepth, name_span));
        }
        window.start += 1;
        let owned = || name.to_owned();
        let mut args = Vec::new();
        let mut want_comma = false;
        loop {
            let raw = match self.raw(window) {
                Ok(Some(raw)) => raw,
                Ok(None) => {
                    let span = Span { start: name_span.start, end: window.end };
                    return Err(Error::new(ErrorKind::IncompleteFunction(owned()), span));
                }
                Err(error) => return Err(unsupported(error, name)),
            };
            let span = raw.span;
            match raw.rule {
                Rule::comment => window.start = span.end,
                Rule::slash => return Err(Error::new(ErrorKind::InvalidComment, span)),
                Rule::close => {
                    window.start = span.end;
                    let span = Span { start: name_span.start, end: span.end };
                    return Ok(Term { kind: TermKind::Function { name: owned(), args }, span });
                }
                Rule::comma if want_comma => {
                    window.start = span.end;
                    want_comma = false;
                }
                Rule::comma => return Err(Error::new(ErrorKind::UnexpectedComma(owned()), span)),
                Rule::sign | Rule::join | Rule::open => {
                    return Err(unsupported(unexpected(raw.text, span), name));
                }
                _ if want_comma => {
                    return Err(Error::new(ErrorKind::ExpectedComma(owned()), span));
                }
                rule => {
                    let literal = raw.text;
                    window.start = span.end;
                    let arg = self
                        .term(raw, window, depth + 1)
                        .map_err(|error| invalid_argument(error, rule, literal, name))?;
                    args.push(arg);
                    want_comma = true;
                }
            }
        }
    }

    /// The position of the bracket that closes the group opened at `start` (spec §1.1, §1.4: texts are
    /// skipped, comments are not known). Brackets found on the way are remembered, so nested groups are
    /// scanned once.
    fn group_end(&mut self, start: usize, end: usize) -> Result<usize, Error> {
        if let Some(at) = self.closing.get(&start) {
            return Ok(*at);
        }
        let bytes = self.source.as_bytes();
        let mut open = Vec::new();
        let mut at = start;
        while at < end {
            match bytes[at] {
                b'(' => match self.closing.get(&at) {
                    Some(known) => at = *known,
                    None => open.push(at),
                },
                b')' => {
                    if let Some(from) = open.pop() {
                        self.closing.insert(from, at);
                    }
                    if open.is_empty() {
                        return Ok(at);
                    }
                }
                quote @ (b'\'' | b'"') => match text_end(&bytes[..end], at, quote) {
                    Some(close) => at = close,
                    None => {
                        let text = self.source[at..end].to_owned();
                        return Err(Error::new(
                            ErrorKind::InvalidText(text),
                            Span { start: at, end },
                        ));
                    }
                },
                _ => {}
            }
            at += 1;
        }
        Err(Error::new(ErrorKind::MissingBrackets(open.len()), Span { start, end }))
    }
}

/// Position of the quote that closes the text opened at `at`.
fn text_end(bytes: &[u8], at: usize, quote: u8) -> Option<usize> {
    let mut at = at + 1;
    while let Some(byte) = bytes.get(at) {
        match *byte {
            b'\\' => at += 1,
            byte if byte == quote => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

fn unexpected(text: &str, span: Span) -> Error {
    Error::new(ErrorKind::UnexpectedCharacter(text.chars().next().unwrap_or('\0')), span)
}

fn unsupported(error: Error, function: &str) -> Error {
    match *error.kind {
        ErrorKind::UnexpectedCharacter(c) => {
            Error::new(ErrorKind::UnsupportedArgument(c, function.to_owned()), error.span)
        }
        _ => error,
    }
}

fn invalid_argument(error: Error, rule: Rule, literal: &str, function: &str) -> Error {
    let kind = match rule {
        Rule::identifier => "identifier",
        Rule::number => "number",
        _ => "text",
    };
    let wrapped = ErrorKind::InvalidArgument {
        kind,
        literal: literal.to_owned(),
        function: function.to_owned(),
        cause: error.kind,
    };
    Error::new(wrapped, error.span)
}

fn sign(text: &str) -> Option<(Op, bool)> {
    let (plain, any) = match text.strip_prefix('?') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let op = match plain {
        "=" => Op::Eq,
        "!=" => Op::Ne,
        "~" => Op::Like,
        "!~" => Op::NotLike,
        ">" => Op::Gt,
        ">=" => Op::Ge,
        "<" => Op::Lt,
        "<=" => Op::Le,
        _ => return None,
    };
    Some((op, any))
}

/// Decodes the escapes of a quoted text; an unknown `\x` keeps both characters (spec §1.1).
fn unescape(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some(plain @ ('\\' | '\'' | '"')) => out.push(plain),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}
