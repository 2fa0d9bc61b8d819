//! Why an expression is refused: a fact, where in the text, and the compatible sentence.
//!
//! `Display` is a wire contract (spec filter-language §15, shown inside `Invalid rule. Raw error: …`);
//! [`Error::render`] is for people.

use std::{borrow::Cow, fmt::Write as _};

use crate::ast::Span;

/// A refused expression.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{kind}")]
pub struct Error {
    /// What is wrong.
    pub kind: Box<ErrorKind>,
    /// Where in the source text (bytes).
    pub span: Span,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, span: Span) -> Self {
        Self { kind: Box::new(kind), span }
    }

    /// The message with the line of `source` it is about, underlined.
    ///
    /// ```
    /// let source = "title == 'x'";
    /// let error = filter_lang::parse(source).unwrap_err();
    /// assert_eq!(
    ///     error.render(source),
    ///     "invalid sign operator \"==\"\n  |\n1 | title == 'x'\n  |       ^^\n"
    /// );
    /// ```
    #[must_use]
    pub fn render(&self, source: &str) -> String {
        let start = floor_boundary(source, self.span.start);
        let end = floor_boundary(source, self.span.end.max(start));
        let line_start = source[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = source[start..].find('\n').map_or(source.len(), |at| start + at);
        let number = source[..start].matches('\n').count() + 1;
        let gutter = " ".repeat(number.to_string().len());
        let indent: String =
            source[line_start..start].chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let carets = source[start..end.min(line_end)].chars().count().max(1);
        let mut out = String::new();
        let _ = write!(
            out,
            "{self}\n{gutter} |\n{number} | {line}\n{gutter} | {indent}{carets}\n",
            line = &source[line_start..line_end],
            carets = "^".repeat(carets),
        );
        out
    }
}

fn floor_boundary(source: &str, at: usize) -> usize {
    let mut at = at.min(source.len());
    while !source.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Which side of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SideName {
    /// Before the operator.
    Left,
    /// After the operator.
    Right,
}

impl std::fmt::Display for SideName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Left => "left",
            Self::Right => "right",
        })
    }
}

/// Every reason, with its exact sentence (spec §15).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    // Lexer.
    /// `unexpected character {}`
    #[error("unexpected character {}", quote_char(*.0))]
    UnexpectedCharacter(char),
    /// `invalid number {}`
    #[error("invalid number {}", quote(.0))]
    InvalidNumber(String),
    /// `invalid quoted text {}`
    #[error("invalid quoted text {}", quote(.0))]
    InvalidText(String),
    /// `invalid identifier {}`
    #[error("invalid identifier {}", quote(.0))]
    InvalidIdentifier(String),
    /// `invalid sign operator {}`
    #[error("invalid sign operator {}", quote(.0))]
    InvalidSign(String),
    /// `invalid join operator {}`
    #[error("invalid join operator {}", quote(.0))]
    InvalidJoin(String),
    /// `invalid comment`
    #[error("invalid comment")]
    InvalidComment,
    /// `invalid formatted group - missing {0} closing bracket(s)`
    #[error("invalid formatted group - missing {0} closing bracket(s)")]
    MissingBrackets(usize),
    /// `invalid function name {}`
    #[error("invalid function name {}", quote(.0))]
    InvalidFunctionName(String),
    // Functions.
    /// `max nested function arguments reached (max: 3)`
    #[error("max nested function arguments reached (max: 3)")]
    FunctionDepth,
    /// `expected comma after the last argument in function {}`
    #[error("expected comma after the last argument in function {}", quote(.0))]
    ExpectedComma(String),
    /// `unexpected comma in function {}`
    #[error("unexpected comma in function {}", quote(.0))]
    UnexpectedComma(String),
    /// `unsupported argument character {} in function {}`
    #[error("unsupported argument character {} in function {}", quote_char(*.0), quote(.1))]
    UnsupportedArgument(char, String),
    /// `invalid or incomplete function {} (expected ')')`
    #[error("invalid or incomplete function {} (expected ')')", quote(.0))]
    IncompleteFunction(String),
    /// `invalid {kind} argument {} in function {}: {cause}`
    #[error("invalid {kind} argument {} in function {}: {cause}", quote(literal), quote(function))]
    InvalidArgument {
        /// What it was.
        kind: &'static str,
        /// As it is written.
        literal: String,
        /// The function.
        function: String,
        /// Why.
        cause: Box<ErrorKind>,
    },
    // Parser.
    /// `empty filter expression`
    #[error("empty filter expression")]
    Empty,
    /// `invalid or incomplete filter expression`
    #[error("invalid or incomplete filter expression")]
    Incomplete,
    /// `expected left operand (identifier, function, text or number), got {} ({})`
    #[error("expected left operand (identifier, function, text or number), got {} ({})", quote(.0), .1)]
    ExpectedLeft(String, &'static str),
    /// `expected a sign operator, got {} ({})`
    #[error("expected a sign operator, got {} ({})", quote(.0), .1)]
    ExpectedSign(String, &'static str),
    /// `expected right operand (identifier, function text or number), got {} ({})`
    #[error("expected right operand (identifier, function text or number), got {} ({})", quote(.0), .1)]
    ExpectedRight(String, &'static str),
    /// `expected && or ||, got {} ({})`
    #[error("expected && or ||, got {} ({})", quote(.0), .1)]
    ExpectedJoin(String, &'static str),
    // Limits.
    /// `max filter expressions limit reached`
    #[error("max filter expressions limit reached")]
    TooManyExpressions,
    /// `max filter length limit reached`
    #[error("max filter length limit reached")]
    FilterTooLong,
    /// `max sort expressions limit reached`
    #[error("max sort expressions limit reached")]
    TooManySorts,
    /// `max sort field length limit reached`
    #[error("max sort field length limit reached")]
    SortTooLong,
    // Resolver.
    /// `invalid {side} operand {} - {cause}`
    #[error("invalid {side} operand {} - {cause}", quote(literal))]
    Operand {
        /// Which side.
        side: SideName,
        /// As it is written.
        literal: String,
        /// Why.
        cause: Box<ErrorKind>,
    },
    /// `failed to resolve field {}`
    #[error("failed to resolve field {}", quote(.0))]
    UnresolvedField(String),
    /// `unknown field {}`
    #[error("unknown field {}", quote(.0))]
    UnknownField(String),
    /// `non-filterable field {}`
    #[error("non-filterable field {}", quote(.0))]
    HiddenField(String),
    /// `field {} is not a valid relation`
    #[error("field {} is not a valid relation", quote(.0))]
    NotARelation(String),
    /// `unknown modifier in {}`
    #[error("unknown modifier in {}", quote(.0))]
    UnknownModifier(String),
    /// `max nested relations reached for field {}`
    #[error("max nested relations reached for field {}", quote(.0))]
    TooManyRelations(String),
    /// `failed to load field {} collection`
    #[error("failed to load field {} collection", quote(.0))]
    MissingTarget(String),
    // Back-relations.
    /// `failed to load back relation field {} collection`
    #[error("failed to load back relation field {} collection", quote(.0))]
    BackCollection(String),
    /// `missing back relation field {}`
    #[error("missing back relation field {}", quote(.0))]
    BackMissing(String),
    /// `invalid back relation field {}`
    #[error("invalid back relation field {}", quote(.0))]
    BackInvalid(String),
    /// `non-filterable back relation field {}`
    #[error("non-filterable back relation field {}", quote(.0))]
    BackHidden(String),
    /// `invalid collection reference of a back relation field {}`
    #[error("invalid collection reference of a back relation field {}", quote(.0))]
    BackReference(String),
    // @collection and joined list rules.
    /// `failed to load collection {} from field path {}`
    #[error("failed to load collection {} from field path {}", quote(.0), quote(.1))]
    MissingCollection(String, String),
    /// `{} fields can be accessed only when allowHiddenFields is enabled or by superusers`
    #[error("{} fields can be accessed only when allowHiddenFields is enabled or by superusers", quote(.0))]
    LockedCollection(String),
    /// `failed to build {} ListRule join subquery filter expression: {cause}`
    #[error(
        "failed to build {} ListRule join subquery filter expression: {cause}",
        quote(collection)
    )]
    ListRule {
        /// The collection.
        collection: String,
        /// Why.
        cause: Box<ErrorKind>,
    },
    // @request.body.
    /// `failed to load collection {} from data field {}`
    #[error("failed to load collection {} from data field {}", quote(.0), quote(.1))]
    MissingBodyTarget(String, String),
    /// `invalid modifier sequence {0}:{1}`
    #[error("invalid modifier sequence {0}:{1}")]
    ModifierSequence(String, &'static str),
    /// `field {} doesn't support multivalue operations`
    #[error("field {} doesn't support multivalue operations", quote(.0))]
    NotMultivalue(String),
    // Functions.
    /// `unknown function {}`
    #[error("unknown function {}", quote(.0))]
    UnknownFunction(String),
    /// `[{function}] {problem}`
    #[error("[{function}] {problem}")]
    Call {
        /// The function.
        function: &'static str,
        /// What is wrong.
        problem: Cow<'static, str>,
    },
    /// `[{function}] {problem}: {cause}`
    #[error("[{function}] {problem}: {cause}")]
    Argument {
        /// The function.
        function: &'static str,
        /// What is wrong.
        problem: String,
        /// Why.
        cause: Box<ErrorKind>,
    },
    // Sort.
    /// `invalid sort field {}`
    #[error("invalid sort field {}", quote(.0))]
    InvalidSort(String),
}

impl ErrorKind {
    /// A function's own complaint.
    pub(crate) fn call(function: &'static str, problem: impl Into<Cow<'static, str>>) -> Self {
        Self::Call { function, problem: problem.into() }
    }
}

/// Go's `%q` of a string.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        push_quoted(&mut out, c, '"');
    }
    out.push('"');
    out
}

/// Go's `%q` of a rune.
fn quote_char(c: char) -> String {
    let mut out = String::from("'");
    push_quoted(&mut out, c, '\'');
    out.push('\'');
    out
}

fn push_quoted(out: &mut String, c: char, quote: char) {
    match c {
        '\\' => out.push_str("\\\\"),
        c if c == quote => {
            out.push('\\');
            out.push(c);
        }
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        c if c.is_ascii_control() => {
            let _ = write!(out, "\\x{:02x}", u32::from(c));
        }
        c if !is_printable(c) => {
            let code = u32::from(c);
            let _ = if code < 0x1_0000 {
                write!(out, "\\u{code:04x}")
            } else {
                write!(out, "\\U{code:08x}")
            };
        }
        c => out.push(c),
    }
}

/// Close to Go's `unicode.IsPrint` for non-ASCII characters: no controls, format characters, private use,
/// line separators or blanks other than the ASCII space.
fn is_printable(c: char) -> bool {
    !(c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(u32::from(c),
            0x00AD | 0x061C | 0x180E | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0xFEFF
            | 0xE000..=0xF8FF | 0xFFF9..=0xFFFB | 0xFFFE | 0xFFFF | 0xE_0000..=0x10_FFFF))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_like_go() {
        for (text, quoted) in [
            ("a\"b\\", r#""a\"b\\""#),
            ("\n\t\r\x01\x07", r#""\n\t\r\x01\a""#),
            ("äö'\u{a0}\u{feff}😀", "\"äö'\\u00a0\\ufeff😀\""),
        ] {
            assert_eq!(quote(text), quoted);
        }
        assert_eq!(quote_char('\''), r"'\''");
        assert_eq!(quote_char('\r'), r"'\r'");
        assert_eq!(quote_char('"'), "'\"'");
    }

    #[test]
    fn rendering_survives_any_span() {
        let error = Error::new(ErrorKind::Empty, Span { start: 3, end: 900 });
        assert_eq!(error.render("aä\nb"), "empty filter expression\n  |\n1 | aä\n  |   ^\n");
        assert_eq!(error.render(""), "empty filter expression\n  |\n1 | \n  | ^\n");
    }
}
