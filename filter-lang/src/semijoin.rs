//! Plan → [`Lowered`]: which rows are joined once, where an EXISTS goes, what becomes an uncorrelated set.
//!
//! A base row matches when *some* tuple makes the condition true. "Some" distributes over `||`, and over `&&`
//! between conjuncts that share no row; so every EXISTS is pushed to the smallest sub-condition that holds all
//! uses of its rows (spec filter-language §13.5). Rows are LEFT joined (a missing row is a tuple of NULLs);
//! where a test cannot be true on a missing row, the join is an inner one. Must not know any SQL.

use crate::{
    form::{self, EqForm, LikeForm, Side},
    func::{Func, fts},
    plan::{Cmp, Cond, Expr, Literal, NodeId, NodeKind, Op, Plan, RowMode, SortBy},
    schema::CollectionKind,
    value::{Affinity, Value},
};

/// How many base rows the statement is going to test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// One or a few (by id): walk from the row.
    Few,
    /// As many as a page takes, in the order of a walk: what a row names is looked up when it is needed.
    Page,
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
    /// The comparison in its value-list form ([`form::value_check`]) is definitely false.
    Fails(&'p Cmp),
    /// Some rows pass.
    Exists(Exists<'p>),
    /// No rows pass.
    None(Exists<'p>),
    /// A cheap, necessary test: the list column may contain this text as an element.
    MayContain {
        /// The row of the list.
        node: NodeId,
        /// The list column; surely a JSON array of strings.
        column: &'p str,
        /// The element.
        element: &'p Value,
    },
    /// A necessary test that the full-text index of the row's table answers: it may hold the words of this query.
    MayMatch {
        /// The row.
        node: NodeId,
        /// The query, as the plan has it.
        query: &'p str,
    },
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

/// True if [`Reach::Page`] would look up rows for which [`Reach::Many`] builds a set.
#[must_use]
pub fn builds_sets_of_named_rows(plan: &Plan, test: &Test<'_>) -> bool {
    match test {
        Test::All(parts) | Test::Any(parts) => {
            parts.iter().any(|part| builds_sets_of_named_rows(plan, part))
        }
        Test::Exists(e) | Test::None(e) => {
            let named = e.rows.first().is_some_and(|row| {
                matches!(plan.nodes[row.node.0 as usize].kind, NodeKind::RelOne { .. })
            });
            (named && e.link == Link::Set) || builds_sets_of_named_rows(plan, &e.test)
        }
        Test::Const(_)
        | Test::Cmp(_)
        | Test::Fails(_)
        | Test::MayContain { .. }
        | Test::MayMatch { .. } => false,
    }
}

/// Lowers a plan. Without `sorted` the sort keys are left out (counts, checks).
#[must_use]
pub fn lower(plan: &Plan, reach: Reach, sorted: bool) -> Lowered<'_> {
    let mut joined = NodeSet::default();
    joined.insert(NodeId::BASE);
    let count = plan.nodes.len();
    if count > 1 {
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

struct Lowering<'p> {
    plan: &'p Plan,
    reach: Reach,
    joined: NodeSet,
    /// Single rows that turned out to be needed as joins.
    hoist: NodeSet,
}

impl<'p> Lowering<'p> {
    fn cond(&mut self, cond: &'p Cond, bound: &NodeSet) -> Test<'p> {
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
    fn conjunction(&mut self, parts: &[&'p Cond], bound: &NodeSet) -> Test<'p> {
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

    /// A cheap necessary test for "one element equals this text".
    fn hint(&self, cmp: &'p Cmp, bound: &NodeSet) -> Option<Test<'p>> {
        if cmp.op != Op::Eq {
            return None;
        }
        let ((element, Expr::Bound(value)) | (Expr::Bound(value), element)) =
            (&cmp.left.expr, &cmp.right.expr)
        else {
            return None;
        };
        let set = matches!(value, Value::Text(text) if !text.is_empty());
        let (Expr::Element { node } | Expr::Column { node, .. }) = element else { return None };
        let is_id = matches!(element, Expr::Column { column, .. } if column == "id");
        let (parent, column) = match &self.plan.nodes[node.0 as usize].kind {
            NodeKind::Each { parent, column } => (*parent, column),
            NodeKind::RelMany { parent, column } if is_id => (*parent, column),
            _ => return None,
        };
        (set && bound.contains(parent) && is_list(self.plan, parent, column))
            .then_some(Test::MayContain { node: parent, column, element: value })
    }

    /// What a full-text index can say about `fts(…) = true`.
    fn may_match(&self, cmp: &'p Cmp) -> Option<Test<'p>> {
        if cmp.op != Op::Eq || self.reach == Reach::Few {
            return None;
        }
        let is_true = |expr: &Expr| match expr {
            Expr::Literal(Literal::True | Literal::Int(1)) | Expr::Bool(true) => true,
            Expr::Bound(value) => value.order(&Value::Int(1)).is_eq(),
            _ => false,
        };
        let ((call @ Expr::Call { .. }, other) | (other, call @ Expr::Call { .. })) =
            (&cmp.left.expr, &cmp.right.expr)
        else {
            return None;
        };
        let Expr::Call { func: Func::Fts, args } = call else { return None };
        let (Expr::Bound(Value::Text(query)), fields) = args.split_first()? else { return None };
        let mut node = None;
        for field in fields {
            let Expr::Column { node: at, column } = field else { return None };
            let place = &self.plan.nodes[at.0 as usize];
            let indexed = place.collection.as_ref().is_some_and(|c| c.full_text.contains(column));
            if !indexed || *node.get_or_insert(*at) != *at {
                return None;
            }
        }
        let draft = node == Some(NodeId::BASE) && self.plan.row == RowMode::Draft;
        let useful = is_true(other) && !draft && fts::needed(query).is_some();
        node.filter(|_| useful).map(|node| Test::MayMatch { node, query })
    }

    fn sort(&mut self) -> Vec<(SortTerm<'p>, bool)> {
        let plan = self.plan;
        plan.sort.iter().map(|key| (self.sort_term(&key.by), key.desc)).collect()
    }

    fn sort_term(&mut self, by: &'p SortBy) -> SortTerm<'p> {
        let value = match by {
            SortBy::Random => return SortTerm::Random,
            SortBy::RowId => return SortTerm::RowId,
            SortBy::Expr(expr) => expr,
        };
        let joined = self.joined.clone();
        let mut path = NodeSet::default();
        used_by_expr(value, &mut path);
        self.close(&mut path, &joined);
        if path.is_empty() {
            return SortTerm::Value(value);
        }
        let mut parts = Vec::new();
        match &self.plan.cond {
            Cond::And(list) => flatten(list, &mut parts),
            other => parts.push(other),
        }
        let mut reach = path.clone();
        let mut taken: Vec<&'p Cond> = Vec::new();
        loop {
            let before = parts.len();
            parts.retain(|part| {
                let free = self.free(part, &joined);
                let touches = free.iter().any(|node| reach.contains(node));
                if touches {
                    reach.extend(free.iter());
                    taken.push(part);
                }
                !touches
            });
            if parts.len() == before {
                break;
            }
        }
        let mut bound = joined;
        bound.extend(path.iter());
        let test = (!taken.is_empty()).then(|| self.conjunction(&taken, &bound));
        let rows = path.iter().map(|node| Row { node, seen: Seen::Both, must: false }).collect();
        SortTerm::First { rows, value, test }
    }

    fn free(&self, cond: &Cond, bound: &NodeSet) -> NodeSet {
        let mut used = NodeSet::default();
        used_by_cond(cond, &mut used);
        self.close(&mut used, bound);
        used
    }

    /// Adds ancestors and drops what is bound.
    fn close(&self, used: &mut NodeSet, bound: &NodeSet) {
        if !used.is_empty() {
            close_upward(self.plan, used);
            used.remove_all(bound);
        }
    }
}

fn flatten<'p>(parts: &'p [Cond], out: &mut Vec<&'p Cond>) {
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

/// A conjunction, cheapest test first.
fn all(parts: Vec<Test<'_>>) -> Test<'_> {
    let mut flat = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Test::Const(true) => {}
            Test::Const(false) => return Test::Const(false),
            Test::All(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    flat.sort_by_key(cost);
    match flat.len() {
        0 => Test::Const(true),
        1 => flat.remove(0),
        _ => Test::All(flat),
    }
}

/// A disjunction, cheapest test first.
fn any(parts: Vec<Test<'_>>) -> Test<'_> {
    let mut flat = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Test::Const(false) => {}
            Test::Const(true) => return Test::Const(true),
            Test::Any(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    flat.sort_by_key(cost);
    match flat.len() {
        0 => Test::Const(false),
        1 => flat.remove(0),
        _ => Test::Any(flat),
    }
}

/// Rough cost of one evaluation, for ordering only.
fn cost(test: &Test<'_>) -> u32 {
    match test {
        Test::Const(_) => 0,
        Test::All(parts) | Test::Any(parts) => parts.iter().map(cost).sum(),
        Test::Cmp(cmp) | Test::Fails(cmp) => {
            let like = if matches!(cmp.op, Op::Like | Op::NotLike) { 3 } else { 0 };
            expr_cost(&cmp.left.expr) + expr_cost(&cmp.right.expr) + like
        }
        Test::MayContain { .. } => 3,
        // Before anything else: it says where to look.
        Test::MayMatch { .. } => 0,
        Test::Exists(e) | Test::None(e) => match e.link {
            Link::Set => 8,
            Link::SetOrMissing => 16,
            Link::Correlated => 30 + 10 * u32::try_from(e.rows.len()).unwrap_or(100),
        },
    }
}

fn expr_cost(expr: &Expr) -> u32 {
    match expr {
        Expr::Bound(_) | Expr::Bool(_) | Expr::AuthColumn(_) | Expr::Literal(_) => 0,
        Expr::Column { .. } | Expr::Element { .. } | Expr::BodyElement { .. } => 1,
        Expr::Lower(inner) => 1 + expr_cost(inner),
        Expr::Length { .. } => 4,
        Expr::Json { .. } | Expr::Changed(_) => 6,
        Expr::Call { func, .. } => func.cost(),
    }
}

/// At most one row, all the way from the base row.
fn is_single(plan: &Plan, node: NodeId) -> bool {
    if node == NodeId::BASE {
        return true;
    }
    let kind = &plan.nodes[node.0 as usize].kind;
    one_row_per_parent(plan, node) && kind.parent().is_none_or(|parent| is_single(plan, parent))
}

fn one_row_per_parent(plan: &Plan, node: NodeId) -> bool {
    let node = &plan.nodes[node.0 as usize];
    let table = node.collection.as_ref().is_some_and(|c| c.kind != CollectionKind::View);
    table && matches!(node.kind, NodeKind::RelOne { .. } | NodeKind::Auth { .. })
}

/// True if the column surely holds a JSON array of strings (not a view, not a table of an older shape).
#[must_use]
pub fn is_list(plan: &Plan, node: NodeId, column: &str) -> bool {
    if node == NodeId::BASE && plan.row == RowMode::Draft {
        return false;
    }
    let Some(collection) = &plan.nodes[node.0 as usize].collection else { return false };
    collection.kind != CollectionKind::View
        && collection
            .fields
            .iter()
            .any(|f| f.name == column && f.multiple && f.affinity == Affinity::Num)
}

fn used_by_cond(cond: &Cond, out: &mut NodeSet) {
    match cond {
        Cond::Const(_) => {}
        Cond::And(parts) | Cond::Or(parts) => parts.iter().for_each(|p| used_by_cond(p, out)),
        Cond::Cmp(cmp) => {
            used_by_expr(&cmp.left.expr, out);
            used_by_expr(&cmp.right.expr, out);
        }
    }
}

fn used_by_expr(expr: &Expr, out: &mut NodeSet) {
    match expr {
        Expr::Bound(_) | Expr::Bool(_) | Expr::AuthColumn(_) | Expr::Literal(_) => {}
        Expr::Column { node, .. }
        | Expr::Json { node, .. }
        | Expr::Length { node, .. }
        | Expr::Element { node }
        | Expr::BodyElement { node } => {
            out.insert(*node);
        }
        Expr::Lower(inner) => used_by_expr(inner, out),
        Expr::Changed(cond) => used_by_cond(cond, out),
        Expr::Call { args, .. } => args.iter().for_each(|a| used_by_expr(a, out)),
    }
}

/// Rows a test reads from outside of itself.
fn used_by_test(plan: &Plan, test: &Test<'_>, out: &mut NodeSet) {
    match test {
        Test::Const(_) => {}
        Test::All(parts) | Test::Any(parts) => {
            parts.iter().for_each(|part| used_by_test(plan, part, out));
        }
        Test::Cmp(cmp) | Test::Fails(cmp) => {
            used_by_expr(&cmp.left.expr, out);
            used_by_expr(&cmp.right.expr, out);
        }
        Test::MayContain { node, .. } | Test::MayMatch { node, .. } => {
            out.insert(*node);
        }
        Test::Exists(e) | Test::None(e) => {
            let mut inner = NodeSet::default();
            used_by_test(plan, &e.test, &mut inner);
            let own: NodeSet = e.rows.iter().map(|row| row.node).collect();
            // A value list of one side hides its rows from that side only.
            let sides = e.rows.iter().any(|row| row.seen != Seen::Both);
            if sides {
                used_beside_values(&e.test, &mut inner);
            } else {
                inner.remove_all(&own);
            }
            for row in &e.rows {
                if let Some(parent) = plan.nodes[row.node.0 as usize].kind.parent()
                    && !own.contains(parent)
                {
                    inner.insert(parent);
                }
            }
            out.extend(inner.iter());
        }
    }
}

/// What a value check reads besides its value lists.
fn used_beside_values(test: &Test<'_>, out: &mut NodeSet) {
    *out = NodeSet::default();
    if let Test::Fails(cmp) = test {
        for operand in [&cmp.left, &cmp.right] {
            if !operand.multi {
                used_by_expr(&operand.expr, out);
            }
        }
    }
}

fn close_upward(plan: &Plan, used: &mut NodeSet) {
    let leaves: Vec<NodeId> = used.iter().collect();
    for leaf in leaves {
        let mut at = plan.nodes[leaf.0 as usize].kind.parent();
        while let Some(node) = at {
            if !used.insert(node) {
                break;
            }
            at = plan.nodes[node.0 as usize].kind.parent();
        }
    }
}

/// True if the test cannot be true when the row is missing.
fn rejects(plan: &Plan, test: &Test<'_>, node: NodeId, seen: Seen) -> bool {
    match test {
        Test::Const(value) => !value,
        Test::All(parts) => parts.iter().any(|part| rejects(plan, part, node, seen)),
        Test::Any(parts) => parts.iter().all(|part| rejects(plan, part, node, seen)),
        Test::Cmp(cmp) => {
            let truth =
                on_missing(plan, cmp.op, [(&cmp.left).into(), (&cmp.right).into()], node, seen);
            matches!(truth, Truth::False | Truth::Null)
        }
        Test::Fails(cmp) => {
            let Some((left, right)) = form::value_check(cmp) else { return false };
            let truth = on_missing(plan, cmp.op, [left, right], node, seen);
            matches!(truth, Truth::True | Truth::Null)
        }
        Test::MayContain { node: list, .. } => *list == node,
        Test::MayMatch { node: row, .. } => hangs_on(plan, *row, node),
        Test::Exists(e) => {
            let linked =
                |row: &Row| row.must && plan.nodes[row.node.0 as usize].kind.parent() == Some(node);
            e.link != Link::SetOrMissing
                && (e.rows.iter().any(linked) || rejects(plan, &e.test, node, seen))
        }
        Test::None(_) => false,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Truth {
    True,
    False,
    Null,
    Unknown,
}

/// What a comparison yields when the row is missing, as far as the plan tells.
fn on_missing(
    plan: &Plan,
    op: Op,
    [left, right]: [Side<'_>; 2],
    node: NodeId,
    seen: Seen,
) -> Truth {
    let ln = seen != Seen::Right && strict(plan, &left.operand.expr, node);
    let rn = seen != Seen::Left && strict(plan, &right.operand.expr, node);
    if !ln && !rn {
        return Truth::Unknown;
    }
    let equal = match op {
        Op::Eq => true,
        Op::Ne => false,
        Op::Like | Op::NotLike => {
            let right_null = match form::like_form(right) {
                LikeForm::Contains(expr) => rn && strict(plan, expr, node),
                LikeForm::Pattern(expr) => rn && strict(plan, &expr, node),
            };
            return if ln || right_null { Truth::Null } else { Truth::Unknown };
        }
        Op::Gt | Op::Ge | Op::Lt | Op::Le => return Truth::Null,
    };
    let decided = |same: bool| if same == equal { Truth::True } else { Truth::False };
    match form::equality_form(left, right) {
        EqForm::BothEmpty => decided(true),
        EqForm::LeftEmpty if rn => decided(true),
        EqForm::RightEmpty if ln => decided(true),
        EqForm::Plain { left_empty, right_empty } if equal => {
            if (ln && !left_empty) || (rn && !right_empty) { Truth::Null } else { Truth::Unknown }
        }
        EqForm::Plain { left_empty, right_empty } => {
            let left_set = left_empty || constant(&left.operand.expr);
            let right_set = right_empty || constant(&right.operand.expr);
            let differ = (ln && right_set && !left_empty) || (rn && left_set && !right_empty);
            if differ { Truth::True } else { Truth::Unknown }
        }
        EqForm::Is if ln && rn => decided(true),
        EqForm::Is => {
            let differ =
                (ln && constant(&right.operand.expr)) || (rn && constant(&left.operand.expr));
            if differ { decided(false) } else { Truth::Unknown }
        }
        EqForm::LeftEmpty | EqForm::RightEmpty | EqForm::Coalesce => Truth::Unknown,
    }
}

/// NULL whenever the row is missing.
fn strict(plan: &Plan, expr: &Expr, node: NodeId) -> bool {
    match expr {
        Expr::Column { node: n, .. }
        | Expr::Json { node: n, .. }
        | Expr::Element { node: n }
        | Expr::BodyElement { node: n } => hangs_on(plan, *n, node),
        Expr::Lower(inner) => strict(plan, inner, node),
        Expr::Call { func, args } => func.is_strict() && args.iter().any(|a| strict(plan, a, node)),
        Expr::Bound(_)
        | Expr::Bool(_)
        | Expr::AuthColumn(_)
        | Expr::Literal(_)
        | Expr::Length { .. }
        | Expr::Changed(_) => false,
    }
}

/// True if `node` is `above` or below it: where a row is missing, so are all that hang on it.
fn hangs_on(plan: &Plan, node: NodeId, above: NodeId) -> bool {
    std::iter::successors(Some(node), |n| plan.nodes[n.0 as usize].kind.parent())
        .any(|n| n == above)
}

/// A constant that is not NULL.
fn constant(expr: &Expr) -> bool {
    match expr {
        Expr::Bound(value) | Expr::AuthColumn(value) => !matches!(value, Value::Null),
        Expr::Literal(literal) => *literal != Literal::Null,
        Expr::Bool(_) => true,
        _ => false,
    }
}

/// A set of nodes; grows with the plan.
#[derive(Debug, Clone, Default, PartialEq)]
struct NodeSet(Vec<u64>);

impl NodeSet {
    fn insert(&mut self, node: NodeId) -> bool {
        let (word, bit) = (node.0 as usize / 64, 1u64 << (node.0 % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let fresh = self.0[word] & bit == 0;
        self.0[word] |= bit;
        fresh
    }

    fn contains(&self, node: NodeId) -> bool {
        let word = self.0.get(node.0 as usize / 64).copied().unwrap_or(0);
        word & (1u64 << (node.0 % 64)) != 0
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    fn remove_all(&mut self, other: &Self) {
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a &= !b;
        }
    }

    fn extend(&mut self, nodes: impl Iterator<Item = NodeId>) {
        nodes.for_each(|node| {
            self.insert(node);
        });
    }

    fn iter(&self) -> impl Iterator<Item = NodeId> + '_ {
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
