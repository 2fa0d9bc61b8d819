//! The walk over a condition: which conjuncts speak about a common row, and where the search for it goes.

use super::{
    Exists, Link, Reach, Row, Seen, Test,
    cost::{all, any},
    missing::rejects,
    nodes::{
        NodeSet, close_upward, is_single, one_row_per_parent, read_by, upward, used_by_cmp,
        used_by_cond, used_by_test,
    },
};
use crate::{
    form,
    plan::{Cmp, Cond, NodeId, NodeKind, Plan},
};

pub(super) struct Lowering<'p> {
    pub(super) plan: &'p Plan,
    pub(super) reach: Reach,
    /// What is joined once beside the base row, and the base row.
    pub(super) joined: NodeSet,
    /// Single rows that turned out to be needed as joins.
    pub(super) hoist: NodeSet,
}

impl<'p> Lowering<'p> {
    pub(super) fn cond(&mut self, cond: &'p Cond, bound: &NodeSet) -> Test<'p> {
        match cond {
            Cond::Const(value) => Test::Const(*value),
            Cond::Or(parts) => any(parts.iter().map(|part| self.cond(part, bound)).collect()),
            Cond::And(parts) => self.conjunction(&parts.iter().collect::<Vec<_>>(), bound),
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
            let rows = self.shared(&group, &free);
            let mut inner = bound.clone();
            inner.extend(rows.iter());
            let test = self.conjunction(&members, &inner);
            let tuples: Vec<&'p Cmp> = members.iter().filter_map(|part| comparison(part)).collect();
            let exists = self.exists(&rows, test);
            out.push(self.within(&tuples, bound, exists));
        }
        all(out)
    }

    /// The rows that at least two members use, and the single rows that hang on them.
    fn shared(&self, group: &[usize], free: &[NodeSet]) -> NodeSet {
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
            let parent = self.plan.node(node).kind.parent();
            if parent.is_some_and(|p| shared.contains(p)) && one_row_per_parent(self.plan, node) {
                shared.insert(node);
            }
        }
        shared
    }

    fn cmp(&mut self, cmp: &'p Cmp, bound: &NodeSet) -> Test<'p> {
        let mut free = NodeSet::default();
        used_by_cmp(cmp, &mut free);
        self.close(&mut free, bound);
        let tuple = self.tuple(cmp);
        if form::value_check(cmp).is_none() {
            let exists = self.exists(&free, tuple);
            return self.within(&[cmp], bound, exists);
        }
        if self.values_need(cmp, bound) {
            let test = all(vec![tuple, self.values(cmp)]);
            let exists = self.exists(&free, test);
            return self.within(&[cmp], bound, exists);
        }
        let exists = self.exists(&free, tuple);
        all(vec![self.within(&[cmp], bound, exists), self.values(cmp)])
    }

    /// Whether the value check reads rows that are not bound yet.
    fn values_need(&self, cmp: &Cmp, bound: &NodeSet) -> bool {
        [&cmp.left, &cmp.right].into_iter().any(|operand| {
            let used = read_by(&operand.expr);
            if operand.multi {
                let chain = self.chain(&used);
                chain.iter().any(|node| {
                    let parent = self.plan.node(node).kind.parent();
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
            if operand.multi {
                let chain = self.chain(&read_by(&operand.expr));
                rows.extend(self.rows(&chain, seen, &test));
            }
        }
        let single = match (cmp.left.multi, cmp.right.multi) {
            (true, false) => Some(&cmp.right),
            (false, true) => Some(&cmp.left),
            (true, true) | (false, false) => None,
        };
        let link = match (rows.first(), single) {
            (Some(first), Some(single)) => {
                let list: NodeSet = rows.iter().map(|row| row.node).collect();
                let alone = read_by(&single.expr).is_empty() && self.one_root(&list);
                self.link(*first, alone)
            }
            _ => Link::Correlated,
        };
        Test::None(Exists { rows, test: Box::new(test), link })
    }

    /// The rows a value list runs over: the path below its root, less what is joined once anyway.
    fn chain(&self, used: &NodeSet) -> NodeSet {
        let mut chain = NodeSet::default();
        for leaf in used.iter() {
            let root = self.plan.node(leaf).root;
            let ends = |n: &NodeId| *n == root || *n == NodeId::BASE || self.joined.contains(*n);
            chain.extend(upward(self.plan, leaf).take_while(|n| !ends(n)));
        }
        chain
    }

    /// Wraps a test into the search for its rows, which are not bound yet.
    fn exists(&mut self, rows: &NodeSet, test: Test<'p>) -> Test<'p> {
        let list = self.rows(rows, Seen::Both, &test);
        let Some(first) = list.first().copied() else { return test };
        let mut refs = NodeSet::default();
        used_by_test(self.plan, &test, &mut refs);
        let alone = self.one_root(rows) && refs.iter().all(|node| rows.contains(node));
        let link = self.link(first, alone);
        // A page looks a chain up where it is needed; beside the base row it would be looked up for every row.
        let lazily = matches!(self.reach, Reach::Page | Reach::Hop) && alone && first.must;
        if lazily
            && self.reach == Reach::Hop
            && let Some(rest) = self.below(&list, rows, &refs)
        {
            let test = self.exists(&rest, test);
            return Test::Exists(Exists { rows: vec![first], test: Box::new(test), link });
        }
        if link == Link::Correlated && !lazily {
            self.hoist.extend(rows.iter().filter(|node| is_single(self.plan, *node)));
        }
        Test::Exists(Exists { rows: list, test: Box::new(test), link })
    }

    /// The rows below the first, if they can be a set of what the first one names.
    fn below(&self, list: &[Row], rows: &NodeSet, read: &NodeSet) -> Option<NodeSet> {
        let [first, second, ..] = list else { return None };
        let mut rest = rows.clone();
        rest.remove(first.node);
        let named = |row: &Row| matches!(self.plan.node(row.node).kind, NodeKind::RelOne { .. });
        let fits = named(first) && named(second) && second.must && self.one_root(&rest);
        (fits && !read.contains(first.node)).then_some(rest)
    }

    /// True if only the first row hangs on a row outside: parents come before children.
    fn one_root(&self, rows: &NodeSet) -> bool {
        let inside = |p: NodeId| rows.contains(p);
        rows.iter().skip(1).all(|node| self.plan.node(node).kind.parent().is_some_and(inside))
    }

    /// How rows hang on what is outside, `first` before the others. `alone`: they read nothing outside but its link.
    fn link(&self, first: Row, alone: bool) -> Link {
        if self.reach == Reach::Few || !alone {
            return Link::Correlated;
        }
        let node = self.plan.node(first.node);
        let indexed = |column: &str| node.collection.as_ref().is_some_and(|c| c.is_indexed(column));
        match &node.kind {
            NodeKind::RelOne { parent, .. } if first.must && self.sets_of_named(*parent) => {
                Link::Set
            }
            NodeKind::BackOne { column, .. } if indexed(column) => Link::Correlated,
            NodeKind::BackOne { .. } | NodeKind::BackMany { .. } if first.must => Link::Set,
            NodeKind::BackOne { .. } | NodeKind::BackMany { .. } => Link::SetOrMissing,
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

    /// Whether there is a set of the rows that rows of this node name.
    fn sets_of_named(&self, parent: NodeId) -> bool {
        match self.reach {
            Reach::Many => true,
            Reach::Hop => parent != NodeId::BASE,
            Reach::Few | Reach::Page => false,
        }
    }

    /// The nodes as rows that must exist where the test rejects a missing one.
    fn rows(&self, nodes: &NodeSet, seen: Seen, test: &Test<'p>) -> Vec<Row> {
        let mut must = NodeSet::default();
        for node in nodes.iter().filter(|node| rejects(self.plan, test, *node, seen)) {
            must.extend(upward(self.plan, node).take_while(|n| nodes.contains(*n)));
        }
        nodes.iter().map(|node| Row { node, seen, must: must.contains(node) }).collect()
    }

    /// What a condition reads that is not bound.
    pub(super) fn free(&self, cond: &Cond, bound: &NodeSet) -> NodeSet {
        let mut used = NodeSet::default();
        used_by_cond(cond, &mut used);
        self.close(&mut used, bound);
        used
    }

    /// Adds ancestors and drops what is bound.
    pub(super) fn close(&self, used: &mut NodeSet, bound: &NodeSet) {
        close_upward(self.plan, used);
        used.remove_all(bound);
    }
}

fn comparison(cond: &Cond) -> Option<&Cmp> {
    match cond {
        Cond::Cmp(cmp) => Some(cmp),
        Cond::Const(_) | Cond::And(_) | Cond::Or(_) => None,
    }
}

/// `first` and what shares rows with it, directly or through others; marks them as done.
fn connected(first: usize, free: &[NodeSet], done: &mut [bool]) -> Vec<usize> {
    done[first] = true;
    let mut group = vec![first];
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
