//! Lowered plans in a form people can read: for tests, `explain` and bug reports. Nothing parses it.

use std::fmt::{self, Display, Formatter};

use super::{Exists, Holds, Link, Lowered, Row, Seen, SortTerm, Test, What};

impl Display for Lowered<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "from {}", self.plan.base.name)?;
        for node in &self.joins {
            write!(f, "\njoin {node}: {}", self.plan.node(*node))?;
        }
        write!(f, "\nwhere {}", self.test)?;
        for (term, desc) in &self.sort {
            write!(f, "\nsort {term}{}", if *desc { " desc" } else { "" })?;
        }
        Ok(())
    }
}

impl Display for Test<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Const(value) => write!(f, "{value}"),
            Self::All(parts) => joined(f, parts, " && "),
            Self::Any(parts) => joined(f, parts, " || "),
            Self::Cmp(cmp) => write!(f, "{cmp}"),
            Self::Fails(cmp) => write!(f, "fails({cmp})"),
            Self::Exists(exists) => write!(f, "some {exists}"),
            Self::None(exists) => write!(f, "no {exists}"),
            Self::Holds(Holds { node, column, what, test, says_all }) => {
                let sign = if *says_all { "=>" } else { "&&" };
                write!(f, "({node}.{column} holds {what} {sign} {test})")
            }
            Self::MayMatch { node, query } => write!(f, "{node} may match {query:?}"),
        }
    }
}

fn joined(f: &mut Formatter<'_>, parts: &[Test<'_>], separator: &str) -> fmt::Result {
    f.write_str("(")?;
    for (at, part) in parts.iter().enumerate() {
        write!(f, "{}{part}", if at > 0 { separator } else { "" })?;
    }
    f.write_str(")")
}

/// The rows, how they are looked up, and what they must pass.
impl Display for Exists<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        rows(f, &self.rows)?;
        f.write_str(match self.link {
            Link::Correlated => "",
            Link::Set => " in a set",
            Link::SetOrMissing => " in a set or missing",
        })?;
        write!(f, " with {}", self.test)
    }
}

/// A row that may be missing has a `?`.
fn rows(f: &mut Formatter<'_>, rows: &[Row]) -> fmt::Result {
    for (at, row) in rows.iter().enumerate() {
        let seen = match row.seen {
            Seen::Both => "",
            Seen::Left => " left",
            Seen::Right => " right",
        };
        let comma = if at > 0 { ", " } else { "" };
        write!(f, "{comma}{}{}{seen}", row.node, if row.must { "" } else { "?" })?;
    }
    Ok(())
}

impl Display for What<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Element(value) => write!(f, "[{value}]"),
            Self::At(path, value) => {
                f.write_str("$")?;
                path.iter().try_for_each(|step| write!(f, "{step}"))?;
                write!(f, ": {value}")
            }
        }
    }
}

impl Display for SortTerm<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random => f.write_str("random"),
            Self::RowId => f.write_str("rowid"),
            Self::Value(expr) => write!(f, "{expr}"),
            Self::First { rows: path, value, test } => {
                write!(f, "first {value} of ")?;
                rows(f, path)?;
                test.iter().try_for_each(|test| write!(f, " with {test}"))
            }
        }
    }
}
