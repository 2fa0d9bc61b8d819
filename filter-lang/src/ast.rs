//! What the parser understood: comparisons, joins and groups, with their places in the text.
//!
//! Groups live in one flat list, so nesting costs no recursion anywhere (dropping included), and a group of one
//! item is that item. Must not know fields, values or schemas.

use std::fmt::{self, Write as _};

use crate::op::Op;

/// A byte range of the source. Positions never take part in equality: two equal expressions are equal
/// wherever they stand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl PartialEq for Span {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Span {}

/// A parsed filter. `Display` prints text that parses back to an equal `Ast`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ast {
    /// Children before parents; the last one is the whole filter. Never empty.
    pub(crate) groups: Vec<Group>,
}

/// Items of one pair of parentheses; `&&` binds tighter than `||` (spec §1.5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// In source order, at least one.
    pub items: Vec<Item>,
}

/// One entry of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// How it is connected to the entry before; `And` for the first.
    pub join: Join,
    /// What it is.
    pub node: Node,
}

/// A comparison or a nested group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// `left op right`.
    Compare(Box<Comparison>),
    /// Index into the groups of the [`Ast`].
    Group(usize),
}

/// `&&` or `||`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Join {
    /// `&&`
    #[default]
    And,
    /// `||`
    Or,
}

/// `left sign right`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Left operand.
    pub left: Term,
    /// The operator without its `?`.
    pub op: Op,
    /// Whether it was written with `?`.
    pub any: bool,
    /// Right operand.
    pub right: Term,
}

/// One operand as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// What it is.
    pub kind: TermKind,
    /// Where it stands.
    pub span: Span,
}

/// The four kinds of operands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TermKind {
    /// A path, a macro, or `true`, `false`, `null`.
    Identifier(String),
    /// A decimal number, as written.
    Number(String),
    /// A quoted text, decoded.
    Text(String),
    /// A function call.
    Function {
        /// Its name.
        name: String,
        /// Its arguments.
        args: Vec<Term>,
    },
}

impl Ast {
    /// The outermost group.
    #[must_use]
    pub fn root(&self) -> &Group {
        self.group(self.groups.len().saturating_sub(1))
    }

    /// A nested group by its index.
    #[must_use]
    pub fn group(&self, index: usize) -> &Group {
        static NOTHING: Group = Group { items: Vec::new() };
        self.groups.get(index).unwrap_or(&NOTHING)
    }

    /// Number of comparisons in the whole filter.
    #[must_use]
    pub fn comparisons(&self) -> usize {
        let is_cmp = |item: &&Item| matches!(item.node, Node::Compare(_));
        self.groups.iter().map(|group| group.items.iter().filter(is_cmp).count()).sum()
    }
}

impl Term {
    /// The literal that error messages show: the decoded text, a function's name, else as written.
    #[must_use]
    pub fn literal(&self) -> &str {
        match &self.kind {
            TermKind::Identifier(text) | TermKind::Number(text) | TermKind::Text(text) => text,
            TermKind::Function { name, .. } => name,
        }
    }
}

impl fmt::Display for Ast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // (group, next item) of every open parenthesis.
        let mut open = vec![(self.root(), 0)];
        while let Some((group, at)) = open.pop() {
            let Some(item) = group.items.get(at) else {
                if !open.is_empty() {
                    f.write_char(')')?;
                }
                continue;
            };
            if at > 0 {
                f.write_str(match item.join {
                    Join::And => " && ",
                    Join::Or => " || ",
                })?;
            }
            open.push((group, at + 1));
            match &item.node {
                Node::Compare(cmp) => write!(f, "{cmp}")?,
                Node::Group(index) => {
                    f.write_char('(')?;
                    open.push((self.group(*index), 0));
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.left, self.op.sign(self.any), self.right)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TermKind::Identifier(text) | TermKind::Number(text) => f.write_str(text),
            TermKind::Text(text) => {
                f.write_char('\'')?;
                for c in text.chars() {
                    if matches!(c, '\'' | '\\') {
                        f.write_char('\\')?;
                    }
                    f.write_char(c)?;
                }
                f.write_char('\'')
            }
            TermKind::Function { name, args } => {
                write!(f, "{name}(")?;
                for (at, arg) in args.iter().enumerate() {
                    let comma = if at > 0 { ", " } else { "" };
                    write!(f, "{comma}{arg}")?;
                }
                f.write_char(')')
            }
        }
    }
}
