//! From tokens to nodes.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    Error,
    ast::{Arg, Branch, Command, Kind as Control, Node, Pipe, Term, Tree},
    format::{quote, unquote, unquote_char},
    funcs::Function,
    lex::{self, Kind, Token},
    value::Value,
};

/// How deep parentheses and control structures may stand in each other.
const MAX_DEPTH: usize = 1000;
/// Stack that one level needs, and what is taken when it runs short.
const STACK: (usize, usize) = (128 * 1024, 1024 * 1024);

/// The template of a text under `name`, after those that it defines.
pub(crate) fn parse(
    name: &str,
    text: &str,
    functions: &BTreeMap<String, Function>,
) -> Result<Vec<Tree>, Error> {
    let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
    let mut parser = Parser {
        name,
        tokens: lex::tokens(text),
        next: 0,
        seen: 0,
        action_line: 0,
        functions,
        lines: Arc::new(lines),
        defined: Vec::new(),
        variables: vec!["$".to_owned()],
        ranges: 0,
        depth: 0,
    };
    let nodes = parser.top()?;
    parser.define(name.to_owned(), nodes)?;
    Ok(parser.defined)
}

struct Parser<'a> {
    name: &'a str,
    tokens: Vec<Token>,
    next: usize,
    /// The furthest token looked at: messages name its line.
    seen: usize,
    action_line: usize,
    functions: &'a BTreeMap<String, Function>,
    lines: Arc<Vec<usize>>,
    defined: Vec<Tree>,
    variables: Vec<String>,
    ranges: usize,
    depth: usize,
}

/// What ends a list of nodes.
enum End {
    End,
    Else,
}

impl End {
    fn text(&self) -> &'static str {
        match self {
            Self::End => "{{end}}",
            Self::Else => "{{else}}",
        }
    }
}

type Step<T> = Result<T, Error>;

impl Parser<'_> {
    fn peek(&mut self) -> &Token {
        let last = self.tokens.len() - 1;
        self.seen = self.seen.max(self.next.min(last));
        &self.tokens[self.next.min(last)]
    }
    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }
    fn skip_space(&mut self) {
        while self.peek().kind == Kind::Space {
            self.next += 1;
        }
    }
    fn peek_word(&mut self) -> &Token {
        self.skip_space();
        self.peek()
    }
    fn take_word(&mut self) -> Token {
        self.skip_space();
        self.take()
    }
    fn fail<T>(&self, message: impl AsRef<str>) -> Step<T> {
        let line = self.tokens.get(self.seen).map_or(0, |token| token.line);
        Err(Error(format!("template: {}:{line}: {}", self.name, message.as_ref())))
    }
    fn unexpected<T>(&self, token: &Token, context: &str) -> Step<T> {
        if token.kind != Kind::Error {
            return self.fail(format!("unexpected {} in {context}", shown(token)));
        }
        let message = &token.text;
        if self.action_line == 0 || self.action_line == token.line {
            return self.fail(message);
        }
        let inside = if message.ends_with(" action") { "" } else { " in action" };
        self.fail(format!("{message}{inside} started at {}:{}", self.name, self.action_line))
    }
    fn expect(&mut self, kinds: &[Kind], context: &str) -> Step<Token> {
        let token = self.take_word();
        if kinds.contains(&token.kind) { Ok(token) } else { self.unexpected(&token, context) }
    }

    /// Adds a finished template.
    fn define(&mut self, name: String, nodes: Vec<Node>) -> Step<()> {
        let tree = Tree { name, file: self.name.to_owned(), nodes, lines: self.lines.clone() };
        match self.defined.iter_mut().find(|known| known.name == tree.name) {
            Some(known) if known.is_empty() => *known = tree,
            Some(_) if tree.is_empty() => {}
            Some(_) => {
                let name = quote(&tree.name);
                return self.fail(format!("template: multiple definition of template {name}"));
            }
            None => self.defined.push(tree),
        }
        Ok(())
    }

    fn top(&mut self) -> Step<Vec<Node>> {
        let mut nodes = Vec::new();
        while self.peek().kind != Kind::Eof {
            if self.peek().kind == Kind::Open {
                let start = self.next;
                self.next += 1;
                let word = self.take_word();
                if word.kind == Kind::Word && word.text == "define" {
                    self.definition()?;
                    continue;
                }
                self.next = start;
            }
            match self.text_or_action()? {
                Ok(node) => nodes.push(node),
                Err(end) => return self.fail(format!("unexpected {}", end.text())),
            }
        }
        Ok(nodes)
    }

    fn definition(&mut self) -> Step<()> {
        const CONTEXT: &str = "define clause";
        let name = self.template_name(CONTEXT)?;
        self.expect(&[Kind::Close], CONTEXT)?;
        self.named(name, CONTEXT)
    }

    /// The body of a template of its own, which sees none of the variables around it.
    fn named(&mut self, name: String, context: &str) -> Step<()> {
        let outer = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (nodes, end) = self.list()?;
        if let End::Else = end {
            return self.fail(format!("unexpected {} in {context}", end.text()));
        }
        self.variables = outer;
        self.ranges = ranges;
        self.define(name, nodes)
    }

    fn template_name(&mut self, context: &str) -> Step<String> {
        let token = self.take_word();
        match token.kind {
            Kind::String | Kind::RawString => match unquote(&token.text) {
                Some(name) => Ok(name),
                None => self.fail("invalid syntax"),
            },
            _ => self.unexpected(&token, context),
        }
    }

    fn list(&mut self) -> Step<(Vec<Node>, End)> {
        let mut nodes = Vec::new();
        while self.peek().kind != Kind::Eof {
            match self.text_or_action()? {
                Ok(node) => nodes.push(node),
                Err(end) => return Ok((nodes, end)),
            }
        }
        self.fail("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Step<Result<Node, End>> {
        let token = self.take();
        match token.kind {
            Kind::Text => Ok(Ok(Node::Text(token.text))),
            Kind::Open => {
                self.action_line = token.line;
                let done = self.deeper(Self::action)?;
                self.action_line = 0;
                Ok(done)
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    /// One level deeper, on a stack that suffices.
    fn deeper<T>(&mut self, then: impl FnOnce(&mut Self) -> Step<T>) -> Step<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail("max expression depth exceeded");
        }
        let done = stacker::maybe_grow(STACK.0, STACK.1, || then(self));
        self.depth -= 1;
        done
    }

    fn action(&mut self) -> Step<Result<Node, End>> {
        let word = self.take_word();
        if word.kind == Kind::Word {
            return Ok(Ok(match word.text.as_str() {
                "block" => self.block()?,
                "break" => self.leave(Node::Break { at: word.at }, "{{break}}")?,
                "continue" => self.leave(Node::Continue { at: word.at }, "{{continue}}")?,
                "end" => {
                    self.expect(&[Kind::Close], "end")?;
                    return Ok(Err(End::End));
                }
                "else" => {
                    let next = self.peek_word();
                    let chained = next.kind == Kind::Word && matches!(&*next.text, "if" | "with");
                    if !chained {
                        self.expect(&[Kind::Close], "else")?;
                    }
                    return Ok(Err(End::Else));
                }
                "if" => self.control(Control::If)?,
                "with" => self.control(Control::With)?,
                "range" => self.control(Control::Range)?,
                "template" => self.template()?,
                _ => return self.unexpected(&word, "command"),
            }));
        }
        self.next -= 1;
        let pipe = self.pipeline("command", Kind::Close)?;
        Ok(Ok(Node::Action { pipe, escapers: Vec::new() }))
    }

    fn leave(&mut self, node: Node, text: &str) -> Step<Node> {
        let token = self.take_word();
        if token.kind != Kind::Close {
            return self.unexpected(&token, text);
        }
        if self.ranges == 0 {
            return self.fail(format!("{text} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    fn control(&mut self, kind: Control) -> Step<Node> {
        let known = self.variables.len();
        let pipe = self.pipeline(kind.word(), Kind::Close)?;
        self.ranges += usize::from(kind == Control::Range);
        let (then, end) = self.list()?;
        self.ranges -= usize::from(kind == Control::Range);
        let mut otherwise = None;
        if let End::Else = end {
            otherwise = Some(self.otherwise(kind)?);
        }
        self.variables.truncate(known);
        Ok(Node::Branch(Branch { kind, pipe, then, otherwise }))
    }

    fn otherwise(&mut self, kind: Control) -> Step<Vec<Node>> {
        let next = self.peek();
        let chains = next.kind == Kind::Word && kind != Control::Range && next.text == kind.word();
        if chains {
            self.next += 1;
            return Ok(vec![self.deeper(|this| this.control(kind))?]);
        }
        let (nodes, end) = self.list()?;
        if let End::Else = end {
            return self.fail(format!("expected end; found {}", end.text()));
        }
        Ok(nodes)
    }

    fn template(&mut self) -> Step<Node> {
        const CONTEXT: &str = "template clause";
        let token = self.peek_word().clone();
        let name = self.template_name(CONTEXT)?;
        let mut pipe = None;
        if self.peek_word().kind == Kind::Close {
            self.next += 1;
        } else {
            pipe = Some(self.pipeline(CONTEXT, Kind::Close)?);
        }
        Ok(Node::Template { at: token.at, name, pipe })
    }

    fn block(&mut self) -> Step<Node> {
        const CONTEXT: &str = "block clause";
        let token = self.peek_word().clone();
        let name = self.template_name(CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Kind::Close)?;
        self.named(name.clone(), CONTEXT)?;
        Ok(Node::Template { at: token.at, name, pipe: Some(pipe) })
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Step<Pipe> {
        let at = self.peek_word().at;
        let mut pipe = Pipe { at, assigns: false, variables: Vec::new(), commands: Vec::new() };
        self.variables_of(&mut pipe, context)?;
        loop {
            let token = self.take_word();
            match token.kind {
                kind if kind == end => {
                    self.check(&pipe, context)?;
                    return Ok(pipe);
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.next -= 1;
                    pipe.commands.push(self.command()?);
                }
                _ => return self.unexpected(&token, context),
            }
        }
    }

    /// `$a, $b :=` in front of a pipeline.
    fn variables_of(&mut self, pipe: &mut Pipe, context: &str) -> Step<()> {
        while self.peek_word().kind == Kind::Variable {
            let start = self.next;
            let name = self.take().text;
            let next = self.peek_word();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    pipe.assigns = next.kind == Kind::Assign;
                    self.next += 1;
                    pipe.variables.push(name.clone());
                    self.variables.push(name);
                    return Ok(());
                }
                Kind::Char if next.text == "," => {
                    self.next += 1;
                    pipe.variables.push(name.clone());
                    self.variables.push(name);
                    if context != "range" || pipe.variables.len() > 1 {
                        return self.fail(format!("too many declarations in {context}"));
                    }
                    if !matches!(
                        self.peek_word().kind,
                        Kind::Variable | Kind::Close | Kind::RightParen
                    ) {
                        return self.fail("range can only initialize variables");
                    }
                }
                _ => {
                    self.next = start;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn check(&self, pipe: &Pipe, context: &str) -> Step<()> {
        if pipe.commands.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for (i, command) in pipe.commands.iter().enumerate().skip(1) {
            let first = command.args.first().map(|arg| &arg.kind);
            if let Some(
                Term::Bool(_) | Term::Dot | Term::Nil | Term::Number { .. } | Term::Text { .. },
            ) = first
            {
                return self.fail(format!("non executable command in pipeline stage {}", i + 1));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Step<Command> {
        let mut args = Vec::new();
        loop {
            self.skip_space();
            if let Some(arg) = self.deeper(Self::operand)? {
                args.push(arg);
            }
            let token = self.take();
            match token.kind {
                Kind::Space => continue,
                Kind::Close | Kind::RightParen => self.next -= 1,
                Kind::Pipe => {}
                _ => return self.unexpected(&token, "operand"),
            }
            break;
        }
        if args.is_empty() { self.fail("empty command") } else { Ok(Command { args }) }
    }

    /// A value and the fields behind it.
    fn operand(&mut self) -> Step<Option<Arg>> {
        let Some(arg) = self.term()? else { return Ok(None) };
        if self.peek().kind != Kind::Field {
            return Ok(Some(arg));
        }
        let at = self.peek().at;
        let mut names = Vec::new();
        while self.peek().kind == Kind::Field {
            names.push(self.take().text[1..].to_owned());
        }
        let kind = match arg.kind {
            Term::Field(mut first) => {
                first.append(&mut names);
                Term::Field(first)
            }
            Term::Variable(mut first) => {
                first.append(&mut names);
                Term::Variable(first)
            }
            Term::Bool(_) | Term::Text { .. } | Term::Number { .. } | Term::Nil | Term::Dot => {
                let message = format!("unexpected . after term {}", quote(&arg.kind.to_string()));
                return self.fail(message);
            }
            _ => Term::Chain(Box::new(arg), names),
        };
        Ok(Some(Arg { at, kind }))
    }

    fn term(&mut self) -> Step<Option<Arg>> {
        let token = self.take_word();
        let kind = match token.kind {
            Kind::Identifier => {
                if !self.functions.contains_key(&token.text) {
                    return self.fail(format!("function {} not defined", quote(&token.text)));
                }
                Term::Function(token.text)
            }
            Kind::Dot => Term::Dot,
            Kind::Nil => Term::Nil,
            Kind::Variable => {
                if !self.variables.contains(&token.text) {
                    return self.fail(format!("undefined variable {}", quote(&token.text)));
                }
                Term::Variable(vec![token.text])
            }
            Kind::Field => Term::Field(vec![token.text[1..].to_owned()]),
            Kind::Bool => Term::Bool(token.text == "true"),
            Kind::CharConstant => match unquote_char(&token.text) {
                Some(c) => {
                    let value = Value::Rune(u32::from(c).cast_signed());
                    Term::Number { text: token.text, value }
                }
                None if token.text == "''" => return self.fail("invalid syntax"),
                None => {
                    return self.fail(format!("malformed character constant: {}", token.text));
                }
            },
            Kind::Number => match number(&token.text) {
                Ok(value) => Term::Number { text: token.text, value },
                Err(message) => return self.fail(message),
            },
            Kind::LeftParen => {
                Term::Pipe(self.pipeline("parenthesized pipeline", Kind::RightParen)?)
            }
            Kind::String | Kind::RawString => match unquote(&token.text) {
                Some(text) => Term::Text { quoted: token.text, value: Value::from(text) },
                None => return self.fail("invalid syntax"),
            },
            _ => {
                self.next -= 1;
                return Ok(None);
            }
        };
        Ok(Some(Arg { at: token.at, kind }))
    }
}

/// How messages show a token.
fn shown(token: &Token) -> String {
    match token.kind {
        Kind::Eof => "EOF".to_owned(),
        Kind::Word | Kind::Dot | Kind::Nil => format!("<{}>", token.text),
        _ if token.text.len() > 10 => {
            let short: String = token.text.chars().take(10).collect();
            format!("{}...", quote(&short))
        }
        _ => quote(&token.text),
    }
}

fn number(text: &str) -> Result<Value, String> {
    let bad = || format!("illegal number syntax: {}", quote(text));
    if text.ends_with('i') {
        // Go knows complex numbers; nothing of a template's data is one.
        return Err(bad());
    }
    let (sign, digits) = match text.as_bytes().first() {
        Some(b'-') => (-1, &text[1..]),
        Some(b'+') => (1, &text[1..]),
        _ => (1, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, body) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        _ if lower.len() > 1
            && lower.starts_with('0')
            && lower.bytes().all(|b| b.is_ascii_digit() || b == b'_') =>
        {
            (8, &lower[1..])
        }
        _ => (10, lower.as_str()),
    };
    let body = body.replace('_', "");
    if let Ok(n) = i128::from_str_radix(&body, radix) {
        return match i64::try_from(n * sign) {
            Ok(n) => Ok(Value::Plain(n)),
            Err(_) => Err(format!("integer overflow: {}", quote(text))),
        };
    }
    if radix == 8 && lower.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("integer overflow: {}", quote(text)));
    }
    let float = if radix == 10 { body.parse::<f64>().ok() } else { hex_float(&body, radix) };
    #[allow(clippy::cast_precision_loss, reason = "the sign is one")]
    float.filter(|n| n.is_finite()).map(|n| Value::Float(n * sign as f64)).ok_or_else(bad)
}

/// `1.8p3` of a hexadecimal number.
fn hex_float(body: &str, radix: u32) -> Option<f64> {
    if radix != 16 {
        return None;
    }
    let (mantissa, exponent) = body.split_once('p')?;
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = u64::from_str_radix(&format!("{whole}{part}"), 16).ok()?;
    let exponent: i32 = exponent.parse().ok()?;
    let places = i32::try_from(part.len()).ok()?;
    #[allow(clippy::cast_precision_loss, reason = "numbers of this length are exact or rounded")]
    Some(digits as f64 * 2f64.powi(exponent - 4 * places))
}
