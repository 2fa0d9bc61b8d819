//! The nodes of a template, as data, and how they are written in messages.

use std::fmt::{self, Write as _};

use crate::{escape::Escaper, format::quote, value::Value};

/// A template of its own name.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    /// What `{{template}}` calls it.
    pub(crate) name: String,
    /// The template in whose text it stands, for messages.
    pub(crate) file: String,
    pub(crate) nodes: Vec<Node>,
    /// Byte offsets at which the lines of the text begin.
    pub(crate) lines: std::sync::Arc<Vec<usize>>,
}

impl Tree {
    /// True if it holds nothing but white space, which defines nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
    }
    /// Line and column of an offset.
    pub(crate) fn place(&self, at: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= at).max(1);
        (line, at - self.lines.get(line - 1).copied().unwrap_or_default())
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Node {
    Text(String),
    Action { pipe: Pipe, escapers: Vec<Escaper> },
    Branch(Branch),
    Template { at: usize, name: String, pipe: Option<Pipe> },
    Break { at: usize },
    Continue { at: usize },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    If,
    With,
    Range,
}

#[derive(Debug, Clone)]
pub(crate) struct Branch {
    pub(crate) kind: Kind,
    pub(crate) pipe: Pipe,
    pub(crate) then: Vec<Node>,
    pub(crate) otherwise: Option<Vec<Node>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Pipe {
    pub(crate) at: usize,
    pub(crate) assigns: bool,
    pub(crate) variables: Vec<String>,
    pub(crate) commands: Vec<Command>,
}

#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) args: Vec<Arg>,
}

#[derive(Debug, Clone)]
pub(crate) struct Arg {
    pub(crate) at: usize,
    pub(crate) kind: Term,
}

#[derive(Debug, Clone)]
pub(crate) enum Term {
    Nil,
    Dot,
    Bool(bool),
    Number { text: String, value: Value },
    Text { quoted: String, value: Value },
    Field(Vec<String>),
    Variable(Vec<String>),
    Function(String),
    Chain(Box<Arg>, Vec<String>),
    Pipe(Pipe),
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::If => "if",
            Self::With => "with",
            Self::Range => "range",
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Dot => f.write_char('.'),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Number { text, .. } => f.write_str(text),
            Self::Text { quoted, .. } => f.write_str(quoted),
            Self::Field(names) => names.iter().try_for_each(|name| write!(f, ".{name}")),
            Self::Variable(names) => f.write_str(&names.join(".")),
            Self::Function(name) => f.write_str(name),
            Self::Chain(first, names) => {
                match &first.kind {
                    Self::Pipe(pipe) => write!(f, "({pipe})")?,
                    other => write!(f, "{other}")?,
                }
                names.iter().try_for_each(|name| write!(f, ".{name}"))
            }
            Self::Pipe(pipe) => write!(f, "{pipe}"),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, arg) in self.args.iter().enumerate() {
            if i > 0 {
                f.write_char(' ')?;
            }
            match &arg.kind {
                Term::Pipe(pipe) => write!(f, "({pipe})")?,
                other => write!(f, "{other}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            let sign = if self.assigns { "=" } else { ":=" };
            write!(f, "{} {sign} ", self.variables.join(", "))?;
        }
        for (i, command) in self.commands.iter().enumerate() {
            if i > 0 {
                f.write_str(" | ")?;
            }
            write!(f, "{command}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Action { pipe, .. } => write!(f, "{{{{{pipe}}}}}"),
            Self::Branch(branch) => {
                write!(f, "{{{{{} {}}}}}", branch.kind.word(), branch.pipe)?;
                branch.then.iter().try_for_each(|node| write!(f, "{node}"))?;
                if let Some(nodes) = &branch.otherwise {
                    f.write_str("{{else}}")?;
                    nodes.iter().try_for_each(|node| write!(f, "{node}"))?;
                }
                f.write_str("{{end}}")
            }
            Self::Template { name, pipe, .. } => {
                write!(f, "{{{{template {}", quote(name))?;
                if let Some(pipe) = pipe {
                    write!(f, " {pipe}")?;
                }
                f.write_str("}}")
            }
            Self::Break { .. } => f.write_str("{{break}}"),
            Self::Continue { .. } => f.write_str("{{continue}}"),
        }
    }
}
