//! Plans in a form people can read: for tests, `explain` and bug reports. Nothing parses it.

use std::fmt::{self, Display, Formatter};

use crate::{
    plan::{
        Cmp, Cond, Expr, JsonSeg, Literal, Node, NodeId, NodeKind, NullPref, Operand, Plan,
        RowMode, SortBy, SortKey,
    },
    value::{Affinity, Value},
};

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let draft = if self.row == RowMode::Draft { " draft" } else { "" };
        write!(f, "from {}{draft}", self.base.name)?;
        for (at, node) in self.nodes.iter().enumerate().skip(1) {
            write!(f, "\n  n{at}: {node}")?;
        }
        write!(f, "\nwhere {}", self.cond)?;
        for key in &self.sort {
            write!(f, "\nsort {key}")?;
        }
        match self.broken {
            Some(reason) => write!(f, "\nbroken: {reason}"),
            None => Ok(()),
        }
    }
}

impl Display for NodeId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if *self == Self::BASE { f.write_str("base") } else { write!(f, "n{}", self.0) }
    }
}

impl Display for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let table = self.collection.as_ref().map_or("element", |collection| &collection.name);
        write!(f, "{table} {}", self.kind)?;
        if self.multi {
            f.write_str(" multi")?;
        }
        if self.root == NodeId::BASE { Ok(()) } else { write!(f, " under {}", self.root) }
    }
}

impl Display for NodeKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str("base"),
            Self::RelOne { parent, column } => write!(f, "id = {parent}.{column}"),
            Self::RelMany { parent, column } => write!(f, "id in {parent}.{column}"),
            Self::BackOne { parent, column } => write!(f, "{column} = {parent}.id"),
            Self::BackMany { parent, column } => write!(f, "{column} has {parent}.id"),
            Self::Cross { alias } if alias.is_empty() => f.write_str("any"),
            Self::Cross { alias } => write!(f, "any as {alias}"),
            Self::Auth { .. } => f.write_str("caller"),
            Self::Body { field, ids } => write!(f, "body.{field} ({} ids)", ids.len()),
            Self::Each { parent, column } => write!(f, "of {parent}.{column}"),
            Self::BodyEach { field, items } => write!(f, "of body.{field} ({} items)", items.len()),
        }
    }
}

impl Display for Cond {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Const(value) => write!(f, "{value}"),
            Self::And(conds) => joined(f, conds, " && "),
            Self::Or(conds) => joined(f, conds, " || "),
            Self::Cmp(cmp) => write!(f, "{cmp}"),
        }
    }
}

fn joined(f: &mut Formatter<'_>, conds: &[Cond], separator: &str) -> fmt::Result {
    f.write_str("(")?;
    for (at, cond) in conds.iter().enumerate() {
        write!(f, "{}{cond}", if at > 0 { separator } else { "" })?;
    }
    f.write_str(")")
}

impl Display for Cmp {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.left, self.op.sign(self.any), self.right)
    }
}

/// `expr`, then `*` if multi-valued, `^` / `!` for prefs Disabled / Enforced, `:t` / `:n` for affinities.
impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let many = if self.multi { "*" } else { "" };
        let pref = match self.pref {
            NullPref::Auto => "",
            NullPref::Disabled => "^",
            NullPref::Enforced => "!",
        };
        let affinity = match self.affinity {
            Affinity::Text => ":t",
            Affinity::Num => ":n",
            Affinity::None => "",
        };
        write!(f, "{}{many}{pref}{affinity}", self.expr)
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bound(value) => write!(f, "{value}"),
            Self::Bool(value) => write!(f, "bool {value}"),
            Self::AuthColumn(value) => write!(f, "caller {value}"),
            Self::Literal(Literal::Null) => f.write_str("NULL"),
            Self::Literal(Literal::True) => f.write_str("TRUE"),
            Self::Literal(Literal::False) => f.write_str("FALSE"),
            Self::Literal(Literal::Int(number)) => write!(f, "INT {number}"),
            Self::Column { node, column } => write!(f, "{node}.{column}"),
            Self::Json { node, column, path } => {
                write!(f, "{node}.{column}->$")?;
                path.iter().try_for_each(|seg| write!(f, "{seg}"))
            }
            Self::Length { node, column } => write!(f, "length({node}.{column})"),
            Self::Element { node } | Self::BodyElement { node } => write!(f, "{node}"),
            Self::Lower(inner) => write!(f, "lower({inner})"),
            Self::Changed(cond) => write!(f, "changed({cond})"),
            Self::Call { func, args } => called(f, func.name(), args),
            Self::Apply { prim, args } => called(f, &prim.to_string(), args),
        }
    }
}

fn called(f: &mut Formatter<'_>, name: &str, args: &[Expr]) -> fmt::Result {
    write!(f, "{name}(")?;
    for (at, arg) in args.iter().enumerate() {
        write!(f, "{}{arg}", if at > 0 { ", " } else { "" })?;
    }
    f.write_str(")")
}

impl Display for JsonSeg {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, ".{key}"),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Real(number) => write!(f, "{number:?}"),
            Self::Text(text) => write!(f, "'{text}'"),
        }
    }
}

impl Display for SortKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.by {
            SortBy::Random => f.write_str("random")?,
            SortBy::RowId => f.write_str("rowid")?,
            SortBy::Expr(expr) => write!(f, "{expr}")?,
        }
        f.write_str(if self.desc { " desc" } else { "" })
    }
}
