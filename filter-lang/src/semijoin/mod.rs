//! Plan → [`Lowered`]: which rows are joined once, where an EXISTS goes, what becomes an uncorrelated set.
//!
//! A base row matches when *some* tuple makes the condition true. "Some" distributes over `||`, and over `&&`
//! between conjuncts that share no row; so every EXISTS is pushed to the smallest sub-condition that holds all
//! uses of its rows (spec filter-language §13.5). Rows are LEFT joined (a missing row is a tuple of NULLs);
//! where a test cannot be true on a missing row, the join is an inner one. Must not know any SQL.

mod cost;
mod lowering;
mod missing;
mod narrow;
mod nodes;
mod show;
mod sort;

pub use self::narrow::is_list;

use self::{
    lowering::Lowering,
    nodes::{NodeSet, close_upward, is_single, used_by_cond, used_by_expr},
};
use crate::{
    plan::{Cmp, Expr, JsonSeg, NodeId, NodeKind, Plan, SortBy},
    value::Value,
};

/// How many base rows the statement is going to test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// One or a few (by id): walk from the row.
    Few,
    /// As many as a page takes, in the order of a walk: what a row names is looked up when it is needed.
    Page,
    /// As `Page` for what the base row itself names; what that names in turn is a set, built once, where the condition
    /// reads nothing else.
    Hop,
    /// A table's worth: build sets once and probe them.
    Many,
}

/// A plan in the shape of a query over the base row.
#[derive(Debug, Clone, PartialEq)]
pub struct Lowered<'p> {
    /// The plan it came from.
    pub plan: &'p Plan,
    /// Nodes with at most one row, LEFT joined once beside the base; parents first.
    pub joins: Vec<NodeId>,
    /// What must hold for the base row.
    pub test: Test<'p>,
    /// Sort terms in order; the flag says descending.
    pub sort: Vec<(SortTerm<'p>, bool)>,
}

/// A condition in which every row is bound by an enclosing [`Exists`] or by [`Lowered::joins`].
#[derive(Debug, Clone, PartialEq)]
pub enum Test<'p> {
    /// A constant.
    Const(bool),
    /// All of them.
    All(Vec<Test<'p>>),
    /// Any of them.
    Any(Vec<Test<'p>>),
    /// The comparison on the bound rows, without its check of all values.
    Cmp(&'p Cmp),
    /// The comparison in its value-list form ([`crate::form::value_check`]) is definitely false.
    Fails(&'p Cmp),
    /// Some rows pass.
    Exists(Exists<'p>),
    /// No rows pass.
    None(Exists<'p>),
    /// A test of what a column of documents holds, which an index over their contents can answer.
    Holds(Holds<'p>),
    /// A necessary test that the full-text index of the row's table answers: it may hold the words of this query.
    MayMatch {
        /// The row.
        node: NodeId,
        /// The query, as the plan has it.
        query: &'p str,
    },
}

/// A test of the documents in a column that is true only where they hold something, wherever else it looks.
#[derive(Debug, Clone, PartialEq)]
pub struct Holds<'p> {
    /// The row.
    pub node: NodeId,
    /// The column.
    pub column: &'p str,
    /// What it must hold.
    pub what: What<'p>,
    /// The test.
    pub test: Box<Test<'p>>,
    /// True if the test is true wherever the column holds that.
    pub says_all: bool,
}

/// What a document holds.
#[derive(Debug, Clone, PartialEq)]
pub enum What<'p> {
    /// A list column (surely a JSON array of strings) has this text among its elements.
    Element(&'p Value),
    /// A JSON column has this at the end of a path: a text, or a number as SQLite reads it, in whatever digits it is
    /// written; 1 and 0 also stand for `true` and `false`. An index in the path only says that there is an array.
    At(&'p [JsonSeg], Value),
}

/// Rows to look for, and what they must pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Exists<'p> {
    /// The rows, parents first.
    pub rows: Vec<Row>,
    /// What must hold on them.
    pub test: Box<Test<'p>>,
    /// How they hang on the rows outside.
    pub link: Link,
}

/// One row of an [`Exists`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its node.
    pub node: NodeId,
    /// Which operand sees it.
    pub seen: Seen,
    /// True: the row must exist (inner join); false: it may be missing (LEFT join).
    pub must: bool,
}

/// Which operands of the comparisons below see a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Both sides.
    Both,
    /// Only the left side (its value list).
    Left,
    /// Only the right side.
    Right,
}

/// How the rows of an [`Exists`] hang on what is outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Looked up per outer row.
    Correlated,
    /// The linking value of the outer row is in a set computed once; `rows[0]` is the only link.
    Set,
    /// Like `Set`, or the outer row has no linked row at all and the test holds on missing rows.
    SetOrMissing,
}

/// One ORDER BY term.
#[derive(Debug, Clone, PartialEq)]
pub enum SortTerm<'p> {
    /// Any order.
    Random,
    /// Insertion order of the base table.
    RowId,
    /// A value of the base row or of a joined row.
    Value(&'p Expr),
    /// The value on the first tuple, in list and insertion order, that passes the test (spec §2.3).
    First {
        /// The rows of the path, all LEFT joined, parents first.
        rows: Vec<Row>,
        /// The value.
        value: &'p Expr,
        /// The part of the condition that speaks about the same tuple.
        test: Option<Test<'p>>,
    },
}

/// True if a set is built of rows that a row names; [`Reach::Page`] looks all of those up instead.
#[must_use]
pub fn builds_sets_of_named_rows(plan: &Plan, test: &Test<'_>) -> bool {
    match test {
        Test::All(parts) | Test::Any(parts) => {
            parts.iter().any(|part| builds_sets_of_named_rows(plan, part))
        }
        Test::Exists(e) | Test::None(e) => {
            let named = e
                .rows
                .first()
                .is_some_and(|row| matches!(plan.node(row.node).kind, NodeKind::RelOne { .. }));
            (named && e.link == Link::Set) || builds_sets_of_named_rows(plan, &e.test)
        }
        Test::Holds(holds) => builds_sets_of_named_rows(plan, &holds.test),
        Test::Const(_) | Test::Cmp(_) | Test::Fails(_) | Test::MayMatch { .. } => false,
    }
}

/// Lowers a plan. Without `sorted` the sort keys are left out (counts, checks).
#[must_use]
pub fn lower(plan: &Plan, reach: Reach, sorted: bool) -> Lowered<'_> {
    let mut joined = NodeSet::default();
    joined.insert(NodeId::BASE);
    if plan.nodes.len() > 1 {
        let mut used = NodeSet::default();
        if reach == Reach::Few {
            used_by_cond(&plan.cond, &mut used);
        }
        if sorted {
            plan.sort.iter().for_each(|key| {
                if let SortBy::Expr(expr) = &key.by {
                    used_by_expr(expr, &mut used);
                }
            });
        }
        close_upward(plan, &mut used);
        joined.extend(used.iter().filter(|n| is_single(plan, *n)));
    }
    loop {
        let mut lowering =
            Lowering { plan, reach, joined: joined.clone(), hoist: NodeSet::default() };
        let test = lowering.cond(&plan.cond, &joined);
        let sort = if sorted { lowering.sort() } else { Vec::new() };
        if lowering.hoist.is_empty() {
            let joins = joined.iter().filter(|n| *n != NodeId::BASE).collect();
            return Lowered { plan, joins, test, sort };
        }
        // Every round hoists at least one more node, so this ends.
        joined.extend(lowering.hoist.iter());
    }
}
