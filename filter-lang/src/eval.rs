//! Fast evaluation on one row: plans whose conditions read only that row and the request.
//!
//! Own `:each` tuples are tried as "exists a tuple" (spec filter-language §13.3). Plans that need other tables
//! are [`Unsupported`], never guessed. The slow and complete definition is `judge.rs`.

use std::collections::BTreeMap;

use crate::{
    compute::{Env, compare_all, holds, value},
    json,
    plan::{Cond, Expr, Node, NodeId, NodeKind, Plan},
    value::Value,
    walk::{visit_cond, visit_nodes},
};

/// More tuples than this are not worth trying in memory.
const MAX_TUPLES: usize = 100_000;

/// One row, by column name. Unknown columns are NULL.
///
/// Stored rows give integral numbers as [`Value::Int`]; submitted drafts give every number as [`Value::Real`]
/// (spec §5.4). Bools are `Int(0 | 1)`, lists and JSON are their text.
pub trait Row {
    /// The value of a column.
    fn get(&self, column: &str) -> Value;
}

impl Row for BTreeMap<String, Value> {
    fn get(&self, column: &str) -> Value {
        BTreeMap::get(self, column).cloned().unwrap_or(Value::Null)
    }
}

/// Why a plan cannot be evaluated on one row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not evaluable on one row: {0}")]
pub struct Unsupported(pub &'static str);

/// Whether `row` matches the plan.
///
/// # Errors
/// [`Unsupported`] if the condition reads joined rows; ask a database then.
pub fn eval(plan: &Plan, row: &dyn Row) -> Result<bool, Unsupported> {
    if let Some(reason) = plan.broken {
        return Err(Unsupported(reason));
    }
    if let Cond::Const(value) = plan.cond {
        return Ok(value);
    }
    let mut tuple = Tuple { row, now_ms: plan.now_ms, lists: Vec::new(), at: Vec::new() };
    tuple.collect(plan)?;
    loop {
        let is_match =
            holds(&plan.cond, &|cmp| compare_all(cmp, &tuple, &|expr| tuple.values(expr)));
        if is_match || !tuple.advance() {
            return Ok(is_match);
        }
    }
}

/// Rows and elements of a tuple that somebody else has looked up.
pub trait Slots {
    /// A column of the row at `node`, NULL if there is none.
    fn column(&self, node: NodeId, column: &str) -> Value;
    /// The element at an element node, NULL if there is none.
    fn element(&self, node: NodeId) -> Value;
}

struct Given<'s>(&'s dyn Slots, i64);

impl Env for Given<'_> {
    fn column(&self, node: NodeId, column: &str) -> Value {
        self.0.column(node, column)
    }

    fn element(&self, node: NodeId) -> Value {
        self.0.element(node)
    }

    fn now_ms(&self) -> i64 {
        self.1
    }
}

/// What an expression is on one tuple: for showing it. `now_ms` is the plan's.
#[must_use]
pub fn value_on(expr: &Expr, slots: &dyn Slots, now_ms: i64) -> Value {
    value(expr, &Given(slots, now_ms))
}

/// The node that decides how many values an expression has: the last one that it reads, the base row if it reads none.
#[must_use]
pub fn last_node(expr: &Expr) -> NodeId {
    let mut last = NodeId::BASE;
    visit_nodes(expr, &mut |id| last = id);
    last
}

/// The row with one element per element node.
struct Tuple<'r> {
    row: &'r dyn Row,
    now_ms: i64,
    /// Element nodes the condition reads, with all their elements (at least one).
    lists: Vec<(NodeId, Vec<Value>)>,
    /// The chosen element of each list.
    at: Vec<usize>,
}

impl Tuple<'_> {
    fn collect(&mut self, plan: &Plan) -> Result<(), Unsupported> {
        let mut problem = None;
        visit_cond(&plan.cond, &mut |id| {
            if id == NodeId::BASE || self.lists.iter().any(|(known, _)| *known == id) {
                return;
            }
            let node = plan.nodes.get(usize::try_from(id.0).unwrap_or(usize::MAX));
            match node.map(|node| self.elements(node)) {
                Some(Ok(items)) => self.lists.push((id, items)),
                Some(Err(unsupported)) => problem = Some(unsupported),
                None => problem = Some(Unsupported("unknown node")),
            }
        });
        let tuples =
            self.lists.iter().try_fold(1_usize, |n, (_, items)| n.checked_mul(items.len()));
        self.at = vec![0; self.lists.len()];
        match (problem, tuples) {
            (Some(unsupported), _) => Err(unsupported),
            (None, Some(..=MAX_TUPLES)) => Ok(()),
            (None, _) => Err(Unsupported("too many combinations of elements")),
        }
    }

    fn elements(&self, node: &Node) -> Result<Vec<Value>, Unsupported> {
        let mut items = match &node.kind {
            NodeKind::Each { parent: NodeId::BASE, column } => {
                json::elements(&self.row.get(column))
            }
            NodeKind::BodyEach { items, .. } => items.clone(),
            NodeKind::Each { .. }
            | NodeKind::Base
            | NodeKind::RelOne { .. }
            | NodeKind::RelMany { .. }
            | NodeKind::BackOne { .. }
            | NodeKind::BackMany { .. }
            | NodeKind::Cross { .. }
            | NodeKind::Auth { .. }
            | NodeKind::Body { .. } => return Err(Unsupported("reads joined rows")),
        };
        if items.is_empty() {
            items.push(Value::Null);
        }
        Ok(items)
    }

    /// Moves to the next tuple; false after the last.
    fn advance(&mut self) -> bool {
        for (at, (_, items)) in self.at.iter_mut().zip(&self.lists).rev() {
            *at += 1;
            if *at < items.len() {
                return true;
            }
            *at = 0;
        }
        false
    }

    /// The value list of an expression: over all elements of the lists it reads.
    fn values(&self, expr: &Expr) -> Vec<Value> {
        let mut read = Vec::new();
        visit_nodes(expr, &mut |id| read.push(id));
        let lists = self.lists.iter().filter(|(id, _)| read.contains(id));
        let mut inner = Inner {
            outer: self,
            chosen: lists.map(|(id, items)| (*id, items.as_slice(), 0)).collect(),
        };
        let mut values = Vec::new();
        loop {
            values.push(value(expr, &inner));
            if !inner.advance() {
                return values;
            }
        }
    }
}

impl Env for Tuple<'_> {
    fn column(&self, _: NodeId, column: &str) -> Value {
        self.row.get(column)
    }

    fn element(&self, node: NodeId) -> Value {
        let chosen = self.lists.iter().zip(&self.at).find(|((id, _), _)| *id == node);
        chosen.and_then(|((_, items), at)| items.get(*at)).cloned().unwrap_or(Value::Null)
    }

    fn now_ms(&self) -> i64 {
        self.now_ms
    }
}

/// A tuple with other elements at some nodes.
struct Inner<'t, 'r> {
    outer: &'t Tuple<'r>,
    /// A node, its elements, and which of them is meant.
    chosen: Vec<(NodeId, &'t [Value], usize)>,
}

impl Inner<'_, '_> {
    /// Moves to the next combination; false after the last.
    fn advance(&mut self) -> bool {
        for (_, items, at) in self.chosen.iter_mut().rev() {
            *at += 1;
            if *at < items.len() {
                return true;
            }
            *at = 0;
        }
        false
    }
}

impl Env for Inner<'_, '_> {
    fn column(&self, node: NodeId, column: &str) -> Value {
        self.outer.column(node, column)
    }

    fn element(&self, node: NodeId) -> Value {
        match self.chosen.iter().find(|(id, ..)| *id == node) {
            Some((_, items, at)) => items.get(*at).cloned().unwrap_or(Value::Null),
            None => self.outer.element(node),
        }
    }

    fn now_ms(&self) -> i64 {
        self.outer.now_ms
    }
}
