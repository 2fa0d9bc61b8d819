//! Text → [`Ast`]: the state machine of spec filter-language §1.4, with its own stack instead of recursion.
//!
//! Total: any text gives an AST or an error, in linear time. Must not know fields or values.

use crate::{
    ast::{Ast, Comparison, Group, Item, Join, Node, Span, Term, TermKind},
    error::{Error, ErrorKind},
    lex::{Lexer, Token},
    plan::Op,
};

/// Parses one filter or rule.
///
/// # Errors
/// The first problem met, lexical or syntactic. Limits of length and number are not checked here.
pub fn parse(text: &str) -> Result<Ast, Error> {
    let mut lexer = Lexer::new(text);
    let mut groups = Vec::new();
    let mut outer: Vec<Frame> = Vec::new();
    let mut frame = Frame::new(Span { start: 0, end: text.len() });
    loop {
        match lexer.next(&mut frame.window)? {
            Some(Token::Group { inner }) => {
                frame.state = State::Before;
                outer.push(std::mem::replace(&mut frame, Frame::new(inner)));
            }
            Some(token) => frame.accept(token)?,
            None => {
                let items = frame.finish()?;
                let Some(parent) = outer.pop() else {
                    close_root(&mut groups, items);
                    return Ok(Ast { groups });
                };
                frame = parent;
                frame.push(close(&mut groups, items));
            }
        }
    }
}

/// Stores a group; a group of one is its item.
fn close(groups: &mut Vec<Group>, mut items: Vec<Item>) -> Node {
    if items.len() == 1
        && let Some(item) = items.pop()
    {
        return item.node;
    }
    groups.push(Group { items });
    Node::Group(groups.len() - 1)
}

fn close_root(groups: &mut Vec<Group>, items: Vec<Item>) {
    // A single nested group was closed last, so it already stands where the root belongs.
    if !matches!(items.as_slice(), [Item { node: Node::Group(_), .. }]) {
        groups.push(Group { items });
    }
}

/// What is expected next.
#[derive(Debug)]
enum State {
    Before,
    Sign(Term),
    After(Term, Op, bool),
    Join,
}

/// One open parenthesis (or the whole text).
#[derive(Debug)]
struct Frame {
    window: Span,
    whole: Span,
    state: State,
    join: Join,
    items: Vec<Item>,
    /// Whether any token was seen.
    started: bool,
}

impl Frame {
    fn new(window: Span) -> Self {
        let join = Join::And;
        Self {
            window,
            whole: window,
            state: State::Before,
            join,
            items: Vec::new(),
            started: false,
        }
    }

    fn accept(&mut self, token: Token) -> Result<(), Error> {
        self.started = true;
        self.state = match (std::mem::replace(&mut self.state, State::Join), token) {
            (State::Before, Token::Term(term)) => State::Sign(term),
            (State::Sign(left), Token::Sign { op, any, .. }) => State::After(left, op, any),
            (State::After(left, op, any), Token::Term(right)) => {
                self.push(Node::Compare(Box::new(Comparison { left, op, any, right })));
                return Ok(());
            }
            (State::Join, Token::Join { join, .. }) => {
                self.join = join;
                State::Before
            }
            (state, token) => return Err(misplaced(&state, &token)),
        };
        Ok(())
    }

    /// Adds an entry. A pending operand is dropped and a missing join repeats the last one (spec §1.4).
    fn push(&mut self, node: Node) {
        let join = if self.items.is_empty() { Join::And } else { self.join };
        self.items.push(Item { join, node });
        self.state = State::Join;
        self.started = true;
    }

    fn finish(self) -> Result<Vec<Item>, Error> {
        match self.state {
            State::Join => Ok(self.items),
            State::Before if !self.started => Err(Error::new(ErrorKind::Empty, self.whole)),
            State::Before | State::Sign(_) | State::After(..) => {
                Err(Error::new(ErrorKind::Incomplete, self.whole))
            }
        }
    }
}

fn misplaced(state: &State, token: &Token) -> Error {
    let (literal, kind, span) = match token {
        Token::Term(term) => {
            let kind = match term.kind {
                TermKind::Identifier(_) => "identifier",
                TermKind::Number(_) => "number",
                TermKind::Text(_) => "text",
                TermKind::Function { .. } => "function",
            };
            (term.literal(), kind, term.span)
        }
        Token::Sign { op, any, span } => (op.sign(*any), "sign", *span),
        Token::Join { join: Join::And, span } => ("&&", "join", *span),
        Token::Join { join: Join::Or, span } => ("||", "join", *span),
        Token::Group { inner } => ("", "group", *inner),
    };
    let literal = literal.to_owned();
    let kind = match state {
        State::Before => ErrorKind::ExpectedLeft(literal, kind),
        State::Sign(_) => ErrorKind::ExpectedSign(literal, kind),
        State::After(..) => ErrorKind::ExpectedRight(literal, kind),
        State::Join => ErrorKind::ExpectedJoin(literal, kind),
    };
    Error::new(kind, span)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> String {
        match parse(text) {
            Ok(ast) => ast.to_string(),
            Err(error) => format!("! {error}"),
        }
    }

    #[test]
    fn accepted() {
        for (text, print) in [
            ("a=1", "a = 1"),
            ("  a // x\n =\t1 ", "a = 1"),
            ("a.b:c ?!= -.5 && x~'y'", "a.b:c ?!= -.5 && x ~ 'y'"),
            ("title='a' (active=true)", "title = 'a' && active = true"),
            ("a=1 || b=2 (c=3)", "a = 1 || b = 2 || c = 3"),
            ("text = (bool=true)", "bool = true"),
            ("text (bool=true)", "bool = true"),
            ("((a=1 || b=2))", "a = 1 || b = 2"),
            ("(((a=1))) && (b=2)", "a = 1 && b = 2"),
            ("a=1 && (b=2 || (c=3 && d=4))", "a = 1 && (b = 2 || (c = 3 && d = 4))"),
            (r#"a="x'\n\q\%\\\"" "#, "a = 'x\\'\n\\\\q\\\\%\\\\\"'"),
            ("f(1,)=f( a , 'x' // c\n)", "f(1) = f(a, 'x')"),
            ("f(f(f(1)))=f()", "f(f(f(1))) = f()"),
            ("a..b=#c", "a..b = #c"),
            ("a=1 // it's", "a = 1"),
            ("(a=1 // x) && b=2", "a = 1 && b = 2"),
            ("(a='()' && b=\"(\\\"\")", "a = '()' && b = '(\"'"),
            ("007=1.50", "007 = 1.50"),
            ("@now>@request.auth.id", "@now > @request.auth.id"),
        ] {
            let text_printed = printed(text);
            assert_eq!(text_printed, print, "{text}");
            assert_eq!(parse(&text_printed).unwrap(), parse(text).unwrap(), "{text}");
        }
    }

    #[test]
    fn refused_with_the_sentences_of_the_spec() {
        for (text, sentence) in [
            ("", "empty filter expression"),
            (" // c", "empty filter expression"),
            ("()", "empty filter expression"),
            ("a=1 && ( )", "empty filter expression"),
            ("a", "invalid or incomplete filter expression"),
            ("a=", "invalid or incomplete filter expression"),
            ("a=1 &&", "invalid or incomplete filter expression"),
            ("a=1\r", r"unexpected character '\r'"),
            (".5=1", "unexpected character '.'"),
            ("+1=1", "unexpected character '+'"),
            ("a=1)", "unexpected character ')'"),
            ("a=`x`", "unexpected character '`'"),
            ("ä=1", "unexpected character 'ä'"),
            ("1.2.3=1", "unexpected character '.'"),
            ("1.=1", r#"invalid number "1.""#),
            ("--1=1", r#"invalid number "-""#),
            ("-.=1", r#"invalid number "-.""#),
            ("1e5=1", r#"expected a sign operator, got "e5" (identifier)"#),
            ("a='x", r#"invalid quoted text "'x""#),
            (r#"a="x\""#, r#"invalid quoted text "\"x\\\"""#),
            ("a.=1", r#"invalid identifier "a.""#),
            ("@=1", r#"invalid identifier "@""#),
            ("a:=1", r#"invalid identifier "a:""#),
            ("a==1", r#"invalid sign operator "==""#),
            ("a<>1", r#"invalid sign operator "<>""#),
            ("a=1 & b=1", r#"invalid join operator "&""#),
            ("a=1 &&& b=1", r#"invalid join operator "&&&""#),
            ("a=1 / b", "invalid comment"),
            ("(a=1", "invalid formatted group - missing 1 closing bracket(s)"),
            ("((a=1", "invalid formatted group - missing 2 closing bracket(s)"),
            ("(a=1 // it's\n)", r#"invalid quoted text "'s\n)""#),
            ("a. (b=1)", r#"invalid identifier "a.""#),
            ("a.(b)=1", r#"invalid function name "a.""#),
            ("f(1", r#"invalid or incomplete function "f" (expected ')')"#),
            ("f(1 2)=1", r#"expected comma after the last argument in function "f""#),
            ("f(,1)=1", r#"unexpected comma in function "f""#),
            ("f(1,,2)=1", r#"unexpected comma in function "f""#),
            ("f(=)=1", r#"unsupported argument character '=' in function "f""#),
            ("f(1;)=1", r#"unsupported argument character ';' in function "f""#),
            ("f(1.)=1", r#"invalid number argument "1." in function "f": invalid number "1.""#),
            (
                "f(f(f(f(1))))=1",
                r#"invalid identifier argument "f" in function "f": invalid identifier argument "f" in function "f": invalid identifier argument "f" in function "f": max nested function arguments reached (max: 3)"#,
            ),
            (
                "= 1",
                r#"expected left operand (identifier, function, text or number), got "=" (sign)"#,
            ),
            (
                "&& 1",
                r#"expected left operand (identifier, function, text or number), got "&&" (join)"#,
            ),
            ("a 'b\n'", r#"expected a sign operator, got "b\n" (text)"#),
            (
                "a = ?=",
                r#"expected right operand (identifier, function text or number), got "?=" (sign)"#,
            ),
            ("a=1 b=2", r#"expected && or ||, got "b" (identifier)"#),
            ("(a=1) b=2", r#"expected && or ||, got "b" (identifier)"#),
            ("a=1 f(1)", r#"expected && or ||, got "f" (function)"#),
            ("a=1 and b=2", r#"expected && or ||, got "and" (identifier)"#),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.to_string(), sentence, "{text:?}");
            let _ = error.render(text);
        }
    }

    #[test]
    fn depth_is_free() {
        for depth in [1_700, 8_000] {
            let text = format!("{}a=1{}", "(".repeat(depth), ")".repeat(depth));
            assert_eq!(printed(&text), "a = 1");
            let text = format!("{}a=1{}", "a=1&&(b=1||(".repeat(depth), "))".repeat(depth));
            let ast = parse(&text).unwrap();
            assert_eq!(ast.comparisons(), 2 * depth + 1);
            assert_eq!(parse(&ast.to_string()).unwrap(), ast);
        }
    }
}
