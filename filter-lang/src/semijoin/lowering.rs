//! The walk over a condition: which conjuncts speak about a common row, and where the search for it goes.

use super::{
    Exists, Link, Reach, Row, Seen, Test,
    cost::{all, any},
    missing::rejects,
    nodes::{
        NodeSet, close_upward, is_single, one_row_per_parent, used_by_cond, used_by_expr,
        used_by_test,
    },
};
use crate::{
    form,
    plan::{Cmp, Cond, NodeId, NodeKind, Plan},
};

pub(super) struct Lowering<'p> {
    pub(super) plan: &'p Plan,
    pub(super) reach: Reach,
    pub(super) joined: NodeSet,
    /// Single rows that turned out to be needed as joins.
    pub(super) hoist: NodeSet,
}

impl<'p> Lowering<'p> {
    pub(super) fn cond(&mut self, cond: &'p Cond, bound: &NodeSet) -> Test<'p> {
        match cond {
            Cond::Const(value) => Test::Const(*value),
            Cond::Or(parts) => any(parts.iter().map(|part| self.cond(part, bound)).collect()),
            Cond::And(parts) => {
                let mut flat = Vec::with_capacity(parts.len());
                flatten(parts, &mut flat);
                self.conjunction(&flat, bound)
            }
            Cond::Cmp(cmp) => self.cmp(cmp, bound),
        }
    }

    /// Groups conjuncts that speak about a common unbound row.
    pub(super) fn conjunction(&mut self, parts: &[&'p Cond], bound: &NodeSet) -> Test<'p> {
        let free: Vec<NodeSet> = parts.iter().map(|part| self.free(part, bound)).collect();
        let mut done = vec![false; parts.len()];
        let mut out = Vec::with_capacity(parts.len());
        for first in 0..parts.len() {
            if done[first] {
                continue;
            }
            let group = connected(first, &free, &mut done);
            if let [only] = group[..] {
                out.push(self.cond(parts[only], bound));
                continue;
            }
            let members: Vec<&'p Cond> = group.iter().map(|at| parts[*at]).collect();
            let rows = self.shared(&group, &free, bound);
            let mut inner = bound.clone();
            inner.extend(rows.iter());
            let test = self.conjunction(&members, &inner);
            out.push(self.exists(&rows, test, bound));
        }
        all(out)
    }

    /// The rows that at least two members use, and the single rows that hang on them.
    fn shared(&self, group: &[usize], free: &[NodeSet], bound: &NodeSet) -> NodeSet {
        let mut shared = NodeSet::default();
        let mut union = NodeSet::default();
        for at in group {
            for node in free[*at].iter() {
                if !union.insert(node) {
                    shared.insert(node);
                }
            }
        }
        for node in union.iter() {
            let kind = &self.plan.nodes[node.0 as usize].kind;
            let hangs = kind.parent().is_some_and(|p| shared.contains(p) && !bound.contains(p));
            if hangs && one_row_per_parent(self.plan, node) {
                shared.insert(node);
            }
        }
        shared
    }

    fn cmp(&mut self, cmp: &'p Cmp, bound: &NodeSet) -> Test<'p> {
        let mut free = NodeSet::default();
        used_by_expr(&cmp.left.expr, &mut free);
        used_by_expr(&cmp.right.expr, &mut free);
        self.close(&mut free, bound);
        let tuple = match self.may_match(cmp) {
            Some(test) => all(vec![test, Test::Cmp(cmp)]),
            None => Test::Cmp(cmp),
        };
        let hint = self.hint(cmp, bound);
        let with_hint = |test| match hint {
            Some(hint) => all(vec![hint, test]),
            None => test,
        };
        if form::value_check(cmp).is_none() {
            let test = if free.is_empty() { tuple } else { self.exists(&free, tuple, bound) };
            return with_hint(test);
        }
        if self.values_need(cmp, bound) {
            let mut inner = bound.clone();
            inner.extend(free.iter());
            let test = all(vec![tuple, self.values(cmp)]);
            return with_hint(self.exists(&free, test, bound));
        }
        let tuple = if free.is_empty() { tuple } else { self.exists(&free, tuple, bound) };
        with_hint(all(vec![tuple, self.values(cmp)]))
    }

    /// Whether the value check reads rows that are not bound yet.
    fn values_need(&self, cmp: &Cmp, bound: &NodeSet) -> bool {
        [&cmp.left, &cmp.right].into_iter().any(|operand| {
            let mut used = NodeSet::default();
            used_by_expr(&operand.expr, &mut used);
            if operand.multi {
                let chain = self.chain(&used);
                chain.iter().any(|node| {
                    let parent = self.plan.nodes[node.0 as usize].kind.parent();
                    parent.is_some_and(|p| !chain.contains(p) && !bound.contains(p))
                })
            } else {
                used.iter().any(|node| !bound.contains(node))
            }
        })
    }

    /// No value of the lists makes the comparison definitely false.
    fn values(&self, cmp: &'p Cmp) -> Test<'p> {
        let test = Test::Fails(cmp);
        let mut rows = Vec::new();
        for (operand, seen) in [(&cmp.left, Seen::Left), (&cmp.right, Seen::Right)] {
            if !operand.multi {
                continue;
            }
            let mut used = NodeSet::default();
            used_by_expr(&operand.expr, &mut used);
            let chain = self.chain(&used);
            rows.extend(self.rows(&chain, seen, &test));
        }
        let root = rows.first().map(|row| row.node);
        let one_sided = cmp.left.multi != cmp.right.multi;
        let link = match root {
            Some(root) if one_sided && self.reach != Reach::Few => {
                let single = if cmp.left.multi { &cmp.right } else { &cmp.left };
                let mut fixed = NodeSet::default();
                used_by_expr(&single.expr, &mut fixed);
                let chain: NodeSet = rows.iter().map(|row| row.node).collect();
                let alone =
                    fixed.is_empty() && self.one_root(&chain) && self.parents_inside(&chain);
                self.link(root, alone, rows.first().is_some_and(|row| row.must))
            }
            _ => Link::Correlated,
        };
        if link == Link::Set
            && let Some(row) = rows.first_mut()
        {
            row.must = true;
        }
        Test::None(Exists { rows, test: Box::new(test), link })
    }

    /// The rows a value list runs over: the path below its root, less what is joined once anyway.
    fn chain(&self, used: &NodeSet) -> NodeSet {
        let mut chain = NodeSet::default();
        for leaf in used.iter().filter(|n| *n != NodeId::BASE) {
            let root = self.plan.nodes[leaf.0 as usize].root;
            let mut at = Some(leaf);
            while let Some(node) = at {
                if node == root || node == NodeId::BASE || self.joined.contains(node) {
                    break;
                }
                chain.insert(node);
                at = self.plan.nodes[node.0 as usize].kind.parent();
            }
        }
        chain
    }

    /// Wraps a test into the search for its rows.
    fn exists(&mut self, rows: &NodeSet, test: Test<'p>, bound: &NodeSet) -> Test<'p> {
        let list = self.rows(rows, Seen::Both, &test);
        let Some(first) = list.first().copied() else { return test };
        let mut refs = NodeSet::default();
        used_by_test(self.plan, &test, &mut refs);
        let alone = self.one_root(rows)
            && refs.iter().all(|node| rows.contains(node))
            && self.parents_inside(rows);
        let link = self.link(first.node, alone, first.must);
        let singles: NodeSet = list
            .iter()
            .map(|row| row.node)
            .filter(|node| is_single(self.plan, *node) && !bound.contains(*node))
            .collect();
        // A page looks a chain up where it is needed; beside the base row it would be looked up for every row.
        let lazily = self.reach == Reach::Page && alone && first.must;
        if link == Link::Correlated && !singles.is_empty() && !lazily {
            self.hoist.extend(singles.iter());
        }
        Test::Exists(Exists { rows: list, test: Box::new(test), link })
    }

    fn one_root(&self, rows: &NodeSet) -> bool {
        let outside = |node: &NodeId| {
            let parent = self.plan.nodes[node.0 as usize].kind.parent();
            parent.is_none_or(|p| !rows.contains(p))
        };
        rows.iter().filter(outside).count() == 1
    }

    /// True if nothing but the first row reads a row outside.
    fn parents_inside(&self, rows: &NodeSet) -> bool {
        rows.iter().skip(1).all(|node| {
            self.plan.nodes[node.0 as usize].kind.parent().is_some_and(|p| rows.contains(p))
        })
    }

    /// How a group hangs on its outer row. `alone`: it reads nothing outside but the link.
    fn link(&self, root: NodeId, alone: bool, must: bool) -> Link {
        if self.reach == Reach::Few || !alone {
            return Link::Correlated;
        }
        let node = &self.plan.nodes[root.0 as usize];
        match &node.kind {
            NodeKind::RelOne { .. } if must && self.reach == Reach::Many => Link::Set,
            NodeKind::BackOne { column, .. } if self.indexed(root, column) => Link::Correlated,
            NodeKind::BackOne { .. } | NodeKind::BackMany { .. } => {
                if must {
                    Link::Set
                } else {
                    Link::SetOrMissing
                }
            }
            NodeKind::Base
            | NodeKind::RelOne { .. }
            | NodeKind::RelMany { .. }
            | NodeKind::Cross { .. }
            | NodeKind::Auth { .. }
            | NodeKind::Body { .. }
            | NodeKind::Each { .. }
            | NodeKind::BodyEach { .. } => Link::Correlated,
        }
    }

    fn indexed(&self, node: NodeId, column: &str) -> bool {
        let Some(collection) = &self.plan.nodes[node.0 as usize].collection else { return false };
        let named = |list: &[String]| list.iter().any(|name| name.eq_ignore_ascii_case(column));
        named(&collection.indexed_fields) || named(&collection.unique_fields)
    }

    fn rows(&self, nodes: &NodeSet, seen: Seen, test: &Test<'p>) -> Vec<Row> {
        let mut must = NodeSet::default();
        for node in nodes.iter() {
            if rejects(self.plan, test, node, seen) {
                let mut at = Some(node);
                while let Some(n) = at.filter(|n| nodes.contains(*n)) {
                    must.insert(n);
                    at = self.plan.nodes[n.0 as usize].kind.parent();
                }
            }
        }
        nodes.iter().map(|node| Row { node, seen, must: must.contains(node) }).collect()
    }

    pub(super) fn free(&self, cond: &Cond, bound: &NodeSet) -> NodeSet {
        let mut used = NodeSet::default();
        used_by_cond(cond, &mut used);
        self.close(&mut used, bound);
        used
    }

    /// Adds ancestors and drops what is bound.
    pub(super) fn close(&self, used: &mut NodeSet, bound: &NodeSet) {
        if !used.is_empty() {
            close_upward(self.plan, used);
            used.remove_all(bound);
        }
    }
}

pub(super) fn flatten<'p>(parts: &'p [Cond], out: &mut Vec<&'p Cond>) {
    for part in parts {
        match part {
            Cond::And(inner) => flatten(inner, out),
            other => out.push(other),
        }
    }
}

fn connected(first: usize, free: &[NodeSet], done: &mut [bool]) -> Vec<usize> {
    done[first] = true;
    let mut group = vec![first];
    if free[first].is_empty() {
        return group;
    }
    let mut at = 0;
    while at < group.len() {
        for other in 0..free.len() {
            if !done[other] && free[group[at]].meets(&free[other]) {
                done[other] = true;
                group.push(other);
            }
        }
        at += 1;
    }
    group.sort_unstable();
    group
}
