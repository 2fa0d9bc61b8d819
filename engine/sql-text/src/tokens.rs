//! sqlparser's tokens with the place of each in the text, so that what users wrote can be cut out as it stands.

use std::ops::Range;

use sqlparser::{
    ast::Expr,
    dialect::{Dialect, SQLiteDialect},
    parser::Parser,
    tokenizer::{Token, TokenWithSpan, Tokenizer, Word},
};

/// Longer expressions are not looked into: chains of operators are as deep as they are long.
const MAX_EXPR_TOKENS: usize = 1000;
const EXPR_STACK: usize = 24 << 20;

/// A token that is neither white space nor a comment.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    token: TokenWithSpan,
    /// Where it stands, in bytes.
    pub(crate) at: Range<usize>,
}

impl Piece {
    pub(crate) fn token(&self) -> &Token {
        &self.token.token
    }
    pub(crate) fn is(&self, token: &Token) -> bool {
        self.token.token == *token
    }
    /// A word without quotes.
    pub(crate) fn bare(&self) -> Option<&str> {
        match &self.token.token {
            Token::Word(Word { value, quote_style: None, .. }) => Some(value),
            _ => None,
        }
    }
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.bare().is_some_and(|bare| bare.eq_ignore_ascii_case(word))
    }
    /// A name, quoted in any way that SQLite knows for one.
    pub(crate) fn name(&self) -> Option<&str> {
        match &self.token.token {
            Token::Word(word) => Some(&word.value),
            Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => Some(text),
            _ => None,
        }
    }
}

/// The tokens of a text up to the first thing that is none (a string without an end), and whether those are all.
pub(crate) fn read(text: &str) -> (Vec<Piece>, bool) {
    let mut found = Vec::new();
    let whole =
        Tokenizer::new(&SQLiteDialect {}, text).tokenize_with_location_into_buf(&mut found).is_ok();
    let mut places =
        Places { chars: text.char_indices(), line: 1, column: 1, at: 0, end: text.len() };
    let mut pieces = Vec::with_capacity(found.len());
    for token in found {
        let start = places.find(token.span.start.line, token.span.start.column);
        let end = places.find(token.span.end.line, token.span.end.column);
        if !matches!(token.token, Token::Whitespace(_) | Token::EOF) {
            pieces.push(Piece { token, at: start..end });
        }
    }
    (pieces, whole)
}

/// Byte offsets of lines and columns, which are asked for in their order.
struct Places<'t> {
    chars: std::str::CharIndices<'t>,
    line: u64,
    column: u64,
    at: usize,
    end: usize,
}

impl Places<'_> {
    fn find(&mut self, line: u64, column: u64) -> usize {
        while (self.line, self.column) < (line, column) {
            let Some((_, c)) = self.chars.next() else { break };
            if c == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
            self.at = self.chars.clone().next().map_or(self.end, |(at, _)| at);
        }
        self.at
    }
}

/// Gives the one expression that tokens are to somebody; `None` where sqlparser sees none.
pub(crate) fn with_expr<T>(pieces: &[Piece], see: impl FnOnce(&mut Expr) -> T) -> Option<T> {
    if pieces.is_empty() || pieces.len() > MAX_EXPR_TOKENS {
        return None;
    }
    crate::with_stack(EXPR_STACK, || {
        let dialect: &dyn Dialect = &SQLiteDialect {};
        let tokens = pieces.iter().map(|piece| piece.token.clone()).collect();
        let mut parser = Parser::new(dialect).with_tokens_with_locations(tokens);
        let mut expr = parser.parse_expr().ok()?;
        let ended = parser.peek_token_ref().token == Token::EOF;
        ended.then(|| see(&mut expr))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_cut_out_as_they_stand() {
        let text = "a /* ü */ 'é''\n' [x y]\r\n-- c\n`b`\"q\"||x'00',1.5e3;ä";
        let (pieces, whole) = read(text);
        let cut: Vec<&str> = pieces.iter().map(|p| &text[p.at.clone()]).collect();
        assert!(whole);
        assert_eq!(
            cut,
            ["a", "'é''\n'", "[x y]", "`b`", "\"q\"", "||", "x'00'", ",", "1.5e3", ";", "ä"]
        );
        let (pieces, whole) = read("a > 'b");
        assert_eq!((pieces.len(), whole), (2, false));
    }
}
