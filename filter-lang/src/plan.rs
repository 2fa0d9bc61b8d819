//! The typed plan: what an expression means, before anybody executes it.
//!
//! A plan is a condition over *tuples*. A tuple assigns one row (or "missing": all NULL) to every node of
//! the join tree; a base row matches when some tuple makes the condition true (spec filter-language §8, §13.2).
//! Every subtle rule is explicit here; back ends only spell it. This module must not do any work.
//!
//! Values of literals, macros and `@request.*` are already in the plan (resolved per request); the SQL text
//! depends only on the class {null, empty, set} of each, never on the value.

use std::sync::Arc;

use crate::{
    prim::Prim,
    schema::Collection,
    value::{Affinity, Value},
};

pub use crate::op::Op;

/// Index of a node in [`Plan::nodes`]; 0 is the base row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The row the expression is about.
    pub const BASE: NodeId = NodeId(0);
}

/// A resolved filter (and sort) over one collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The collection of the base row.
    pub base: Arc<Collection>,
    /// Whether the base row is stored or submitted (spec §5.4).
    pub row: RowMode,
    /// The join tree; `nodes[0]` is the base. Parents come before children.
    pub nodes: Vec<Node>,
    /// True if the reference joins rows for it, which shows in the order of answers that nothing sorts (spec §9): for all
    /// but the base of `nodes`, and for columns of the caller that are values here.
    pub joined: bool,
    /// What must hold for some tuple.
    pub cond: Cond,
    /// Sort keys, first is most significant. A key on a multi-valued path sorts by the first tuple (spec §2.3).
    pub sort: Vec<SortKey>,
    /// Milliseconds since the Unix epoch: what a `strftime` without a time value (or with `'now'`) reads.
    pub now_ms: i64,
    /// Set if the expression is accepted but the reference always fails to *run* it (spec §4.3, §6.3).
    /// Saving a rule ignores it; whoever executes the plan must fail instead.
    pub broken: Option<&'static str>,
}

impl Plan {
    /// A node of this plan.
    ///
    /// # Panics
    /// Where the id is that of another plan.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }
}

/// Where the plain columns of the base row come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowMode {
    /// A stored row: columns have the affinity of their declaration.
    Stored,
    /// A would-be row given as bound values (create rules): no affinity, numbers are reals.
    Draft,
}

/// One row source in the join tree, always LEFT joined: where nothing fits, it is one row of NULLs.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// How its rows are found.
    pub kind: NodeKind,
    /// The table, `None` for element nodes ([`NodeKind::Each`], [`NodeKind::BodyEach`]).
    pub collection: Option<Arc<Collection>>,
    /// True if this node or an ancestor can have several rows per base row *and* the language treats the
    /// path as multi-valued (spec §8: multi relation, non-unique back relation, `@collection`, multi `:each`).
    pub multi: bool,
    /// Where value lists of operands on this node start: [`NodeId::BASE`], or the joined row whose list rule
    /// brought the node in (spec §10.3). A value list re-runs the path from `root` (exclusive, its row is the one
    /// of the outer tuple) down to this node; paths that start with a parentless node re-run from that node.
    pub root: NodeId,
}

/// The condition that joins a node to its parent.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeKind {
    /// The base row itself.
    Base,
    /// `this.id = parent.column`, a single relation.
    RelOne {
        /// What it hangs on.
        parent: NodeId,
        /// The column.
        column: String,
    },
    /// `this.id` is an element of the JSON array `parent.column`, in array order.
    RelMany {
        /// What it hangs on.
        parent: NodeId,
        /// The column.
        column: String,
    },
    /// `this.column = parent.id`, a back relation over a single relation field.
    BackOne {
        /// What it hangs on.
        parent: NodeId,
        /// The column.
        column: String,
    },
    /// `parent.id` is an element of the JSON array `this.column`.
    BackMany {
        /// What it hangs on.
        parent: NodeId,
        /// The column.
        column: String,
    },
    /// Every row of the collection (`@collection.name:alias`).
    Cross {
        /// What tells it from others.
        alias: String,
    },
    /// `this.id = id`: the row of the caller.
    Auth {
        /// The id.
        id: Arc<str>,
    },
    /// `this.id` is one of the ids submitted in `@request.body.field`.
    Body {
        /// The field of the body.
        field: String,
        /// The ids.
        ids: Vec<Arc<str>>,
    },
    /// One element of the list column `parent.column` (`:each`); a scalar counts as one element.
    Each {
        /// What it hangs on.
        parent: NodeId,
        /// The column.
        column: String,
    },
    /// One element of a submitted list (`@request.body.field:each`).
    BodyEach {
        /// The field of the body.
        field: String,
        /// The elements.
        items: Vec<Value>,
    },
}

impl NodeKind {
    /// The node this one hangs on; `None` for roots (base, cross, auth, body).
    #[must_use]
    pub fn parent(&self) -> Option<NodeId> {
        match self {
            Self::RelOne { parent, .. }
            | Self::RelMany { parent, .. }
            | Self::BackOne { parent, .. }
            | Self::BackMany { parent, .. }
            | Self::Each { parent, .. } => Some(*parent),
            Self::Base
            | Self::Cross { .. }
            | Self::Auth { .. }
            | Self::Body { .. }
            | Self::BodyEach { .. } => None,
        }
    }
}

/// A condition on a tuple. Two-valued: only "true or not" matters above a comparison (spec §13.1).
#[derive(Debug, Clone, PartialEq)]
pub enum Cond {
    /// Folded to a constant.
    Const(bool),
    /// All of them, on the same tuple; the resolver puts no `And` directly into another.
    And(Vec<Cond>),
    /// Any of them, on the same tuple.
    Or(Vec<Cond>),
    /// One comparison.
    Cmp(Box<Cmp>),
}

/// One comparison. Without `any`, each multi-valued side must also hold for *every* value of its path
/// (spec §8: `cmp(t) AND no value for which cmp' is definitely false`).
#[derive(Debug, Clone, PartialEq)]
pub struct Cmp {
    /// The plain operator.
    pub op: Op,
    /// The `?` form: one element is enough.
    pub any: bool,
    /// Left operand.
    pub left: Operand,
    /// Right operand.
    pub right: Operand,
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Operand {
    /// What it computes on the current tuple.
    pub expr: Expr,
    /// How `=` and `!=` treat NULL (spec §4.2).
    pub pref: NullPref,
    /// Affinity of the result.
    pub affinity: Affinity,
    /// True if the operand has a value list of its own: all values of `expr` over the tuples of its node's
    /// ancestor chain. Drives the all-match of plain operators.
    pub multi: bool,
}

/// NULL handling of `=` and `!=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NullPref {
    /// Empty text and NULL are the same.
    Auto,
    /// `IS` / `IS NOT` (JSON, geo paths, geoDistance, `:changed`).
    Disabled,
    /// Never "known to be non-empty" (strftime).
    Enforced,
}

/// A scalar expression over a tuple.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A bound value (literal text or number, macro, `@request.*`): has a parameter.
    Bound(Value),
    /// A bound boolean: computes 0 or 1, has a parameter, and is `true` / `false` as a LIKE pattern (spec §4.3).
    Bool(bool),
    /// A plain column of the caller's record, already fetched: means exactly what a joined column of an
    /// [`NodeKind::Auth`] node means (no parameter for spec §4.2 and §4.3; affinity in [`Operand::affinity`]).
    /// TEXT columns hold text or NULL here, NUM columns a number or NULL.
    AuthColumn(Value),
    /// A literal written into the SQL (`NULL`, `1`, `0`, a folded `:length`): has no parameter.
    Literal(Literal),
    /// A column of a row.
    Column {
        /// The row.
        node: NodeId,
        /// The column.
        column: String,
    },
    /// A JSON path into a column (spec §6.4). An empty path extracts the whole value.
    Json {
        /// The row.
        node: NodeId,
        /// The column.
        column: String,
        /// The steps.
        path: Vec<JsonSeg>,
    },
    /// Number of elements of a select, file or relation column; 0 for NULL.
    Length {
        /// The row.
        node: NodeId,
        /// The column.
        column: String,
    },
    /// The element of an [`NodeKind::Each`] node.
    Element {
        /// The row.
        node: NodeId,
    },
    /// The element of a [`NodeKind::BodyEach`] node: carries a parameter, hence "known" (spec §7).
    BodyElement {
        /// The row.
        node: NodeId,
    },
    /// ASCII lower case of a value's text.
    Lower(Box<Expr>),
    /// `:changed` of a body field: 1 if set and different, else 0, never NULL (spec §7).
    Changed(Box<Cond>),
    /// A function of the language ([`crate::func`]). Databases get [`Func::lower`] of it.
    Call {
        /// Which one.
        func: Func,
        /// What its file says.
        args: Vec<Expr>,
    },
    /// A primitive: what functions are lowered to.
    Apply {
        /// Which one.
        prim: Prim,
        /// As many as it takes.
        args: Vec<Expr>,
    },
}

/// A function of the language: its place in the table of [`crate::func`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Func(pub(crate) u8);

/// Literals that appear in the SQL text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Literal {
    /// `NULL`
    Null,
    /// `1`
    True,
    /// `0`
    False,
    /// A count.
    Int(i64),
}

/// A step of a JSON path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum JsonSeg {
    /// An object key.
    Key(String),
    /// An array index.
    Index(u32),
}

/// One ORDER BY term.
#[derive(Debug, Clone, PartialEq)]
pub struct SortKey {
    /// What to sort by.
    pub by: SortBy,
    /// Descending.
    pub desc: bool,
}

/// What a sort term sorts by.
#[derive(Debug, Clone, PartialEq)]
pub enum SortBy {
    /// `@random`.
    Random,
    /// `@rowid`: the base table's insertion order.
    RowId,
    /// A column-like expression.
    Expr(Expr),
}
