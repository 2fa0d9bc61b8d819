//! Sets of nodes: which rows conditions and tests read, and how the rows hang together.

use super::{Seen, Test};
use crate::{
    plan::{Cmp, Cond, Expr, NodeId, NodeKind, Plan},
    schema::CollectionKind,
    walk::{visit_cond, visit_nodes},
};

/// A set of nodes; grows with the plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct NodeSet(Vec<u64>);

impl NodeSet {
    pub(super) fn insert(&mut self, node: NodeId) -> bool {
        let (word, bit) = (node.0 as usize / 64, 1u64 << (node.0 % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let fresh = self.0[word] & bit == 0;
        self.0[word] |= bit;
        fresh
    }

    pub(super) fn contains(&self, node: NodeId) -> bool {
        let word = self.0.get(node.0 as usize / 64).copied().unwrap_or(0);
        word & (1u64 << (node.0 % 64)) != 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(super) fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    pub(super) fn remove_all(&mut self, other: &Self) {
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a &= !b;
        }
    }

    pub(super) fn remove(&mut self, node: NodeId) {
        if let Some(word) = self.0.get_mut(node.0 as usize / 64) {
            *word &= !(1u64 << (node.0 % 64));
        }
    }

    pub(super) fn extend(&mut self, nodes: impl Iterator<Item = NodeId>) {
        nodes.for_each(|node| {
            self.insert(node);
        });
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.0.iter().enumerate().flat_map(|(word, bits)| {
            (0..64u32)
                .filter(move |bit| bits & (1u64 << bit) != 0)
                .map(move |bit| NodeId(u32::try_from(word).unwrap_or(0) * 64 + bit))
        })
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        let mut set = Self::default();
        set.extend(nodes.into_iter());
        set
    }
}

/// At most one row, all the way from the base row.
pub(super) fn is_single(plan: &Plan, node: NodeId) -> bool {
    upward(plan, node).all(|n| n == NodeId::BASE || one_row_per_parent(plan, n))
}

pub(super) fn one_row_per_parent(plan: &Plan, node: NodeId) -> bool {
    let node = plan.node(node);
    let table = node.collection.as_ref().is_some_and(|c| c.kind != CollectionKind::View);
    table && matches!(node.kind, NodeKind::RelOne { .. } | NodeKind::Auth { .. })
}

/// True if `node` is `above` or below it: where a row is missing, so are all that hang on it.
pub(super) fn hangs_on(plan: &Plan, node: NodeId, above: NodeId) -> bool {
    upward(plan, node).any(|n| n == above)
}

/// A node and those it hangs on, up to its root.
pub(super) fn upward(plan: &Plan, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
    std::iter::successors(Some(node), |n| plan.node(*n).kind.parent())
}

/// The rows an expression reads.
pub(super) fn read_by(expr: &Expr) -> NodeSet {
    let mut nodes = NodeSet::default();
    used_by_expr(expr, &mut nodes);
    nodes
}

pub(super) fn used_by_expr(expr: &Expr, out: &mut NodeSet) {
    visit_nodes(expr, &mut |node| _ = out.insert(node));
}

pub(super) fn used_by_cmp(cmp: &Cmp, out: &mut NodeSet) {
    used_by_expr(&cmp.left.expr, out);
    used_by_expr(&cmp.right.expr, out);
}

pub(super) fn used_by_cond(cond: &Cond, out: &mut NodeSet) {
    visit_cond(cond, &mut |node| _ = out.insert(node));
}

/// Rows a test reads from outside of itself.
pub(super) fn used_by_test(plan: &Plan, test: &Test<'_>, out: &mut NodeSet) {
    match test {
        Test::Const(_) => {}
        Test::All(parts) | Test::Any(parts) => {
            parts.iter().for_each(|part| used_by_test(plan, part, out));
        }
        Test::Cmp(cmp) | Test::Fails(cmp) => used_by_cmp(cmp, out),
        Test::MayMatch { node, .. } => {
            out.insert(*node);
        }
        Test::Holds(holds) => {
            out.insert(holds.node);
            used_by_test(plan, &holds.test, out);
        }
        Test::Exists(e) | Test::None(e) => {
            let own: NodeSet = e.rows.iter().map(|row| row.node).collect();
            match *e.test {
                // A value list hides its rows from its own side only.
                Test::Fails(cmp) if e.rows.iter().any(|row| row.seen != Seen::Both) => {
                    for operand in [&cmp.left, &cmp.right].into_iter().filter(|o| !o.multi) {
                        used_by_expr(&operand.expr, out);
                    }
                }
                ref test => {
                    let mut inner = NodeSet::default();
                    used_by_test(plan, test, &mut inner);
                    inner.remove_all(&own);
                    out.extend(inner.iter());
                }
            }
            let parents = e.rows.iter().filter_map(|row| plan.node(row.node).kind.parent());
            out.extend(parents.filter(|parent| !own.contains(*parent)));
        }
    }
}

/// Adds all that the nodes hang on.
pub(super) fn close_upward(plan: &Plan, nodes: &mut NodeSet) {
    let leaves: Vec<NodeId> = nodes.iter().collect();
    for leaf in leaves {
        for node in upward(plan, leaf).skip(1) {
            if !nodes.insert(node) {
                break;
            }
        }
    }
}
