//! The naive judge: what a plan means, by enumerating every tuple over in-memory tables.
//!
//! Slow and obviously right: it follows spec filter-language §8 and §9 word by word, so tests can compare every
//! clever execution with it. Nothing in production uses it.

use std::{cmp::Ordering, ops::ControlFlow, sync::Arc};

use crate::{
    compute::{Env, compare_all, holds, value},
    eval::Row,
    json,
    plan::{Expr, NodeId, NodeKind, Plan, RowMode, SortBy},
    schema::Collection,
    value::{Affinity, Value, compare},
    walk::visit_nodes,
};

/// Tables in memory.
pub trait Tables {
    /// All rows of a collection, by its id, in insertion order.
    fn rows(&self, collection_id: &str) -> Vec<&dyn Row>;
}

/// Whether one base row matches: some tuple makes the condition true.
pub fn matches(plan: &Plan, tables: &dyn Tables, row: &dyn Row) -> bool {
    first_tuple(plan, tables, row).is_some()
}

/// Positions of the matching base rows, in the order of the plan's sort keys (insertion order without).
///
/// `@random` keys compare equal. A multi-valued key is that of the first tuple that matches (spec §2.3).
pub fn select(plan: &Plan, tables: &dyn Tables) -> Vec<usize> {
    let mut found: Vec<(usize, Vec<Value>)> = Vec::new();
    for (at, row) in tables.rows(&plan.base.id).into_iter().enumerate() {
        if let Some(tuple) = first_tuple(plan, tables, row) {
            let key = |by: &SortBy| match by {
                SortBy::Random => Value::Null,
                SortBy::RowId => Value::Int(i64::try_from(at).unwrap_or(i64::MAX)),
                SortBy::Expr(expr) => value(expr, &tuple),
            };
            found.push((at, plan.sort.iter().map(|term| key(&term.by)).collect()));
        }
    }
    found.sort_by(|(_, left), (_, right)| {
        let keys = left.iter().zip(right).zip(&plan.sort);
        keys.map(|((left, right), term)| match term.desc {
            true => right.order(left),
            false => left.order(right),
        })
        .find(|order| *order != Ordering::Equal)
        .unwrap_or(Ordering::Equal)
    });
    found.into_iter().map(|(at, _)| at).collect()
}

/// What a tuple holds at one node.
#[derive(Clone)]
enum Slot<'t> {
    Missing,
    Row(&'t dyn Row),
    Element(Value),
}

/// One row (or nothing) for every node.
#[derive(Clone)]
struct Tuple<'t> {
    plan: &'t Plan,
    tables: &'t dyn Tables,
    slots: Vec<Slot<'t>>,
}

fn first_tuple<'t>(plan: &'t Plan, tables: &'t dyn Tables, row: &'t dyn Row) -> Option<Tuple<'t>> {
    let mut tuple = Tuple { plan, tables, slots: vec![Slot::Missing; plan.nodes.len()] };
    *tuple.slots.first_mut()? = Slot::Row(row);
    let all: Vec<NodeId> = (1..plan.nodes.len()).filter_map(node_id).collect();
    let mut first = None;
    let _ = tuple.each(&all, &mut |tuple| match tuple.is_match() {
        true => {
            first = Some(tuple.clone());
            ControlFlow::Break(())
        }
        false => ControlFlow::Continue(()),
    });
    first
}

fn node_id(index: usize) -> Option<NodeId> {
    u32::try_from(index).ok().map(NodeId)
}

fn index(node: NodeId) -> usize {
    usize::try_from(node.0).unwrap_or(usize::MAX)
}

impl<'t> Tuple<'t> {
    /// Visits every assignment of `nodes` (parents first), keeping the other slots.
    fn each(
        &mut self,
        nodes: &[NodeId],
        visit: &mut dyn FnMut(&Tuple<'t>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some((node, rest)) = nodes.split_first() else { return visit(self) };
        for slot in self.candidates(*node) {
            if let Some(place) = self.slots.get_mut(index(*node)) {
                *place = slot;
            }
            self.each(rest, visit)?;
        }
        ControlFlow::Continue(())
    }

    /// Everything that fits at a node: LEFT JOIN semantics, so at least `Missing`.
    fn candidates(&self, id: NodeId) -> Vec<Slot<'t>> {
        let Some(node) = self.plan.nodes.get(index(id)) else { return vec![Slot::Missing] };
        let rows = || match &node.collection {
            Some(collection) => self.tables.rows(&collection.id),
            None => Vec::new(),
        };
        let own = |column: &str| affinity(node.collection.as_ref(), column);
        let rows_where = |test: &dyn Fn(&dyn Row) -> bool| -> Vec<Slot<'t>> {
            rows().into_iter().filter(|row| test(*row)).map(Slot::Row).collect()
        };
        let with_id = |id: &Value, id_affinity: Affinity| {
            rows_where(&|row| same(&row.get("id"), own("id"), id, id_affinity))
        };
        let mut found = match &node.kind {
            NodeKind::Base => Vec::new(),
            NodeKind::RelOne { parent, column } => {
                with_id(&self.column(*parent, column), self.affinity(*parent, column))
            }
            NodeKind::RelMany { parent, column } => {
                let mut found = Vec::new();
                for id in json::elements(&self.column(*parent, column)) {
                    found.extend(or_missing(with_id(&id, Affinity::None)));
                }
                found
            }
            NodeKind::BackOne { parent, column } => {
                let (id, id_affinity) = (self.column(*parent, "id"), self.affinity(*parent, "id"));
                rows_where(&|row| same(&row.get(column), own(column), &id, id_affinity))
            }
            NodeKind::BackMany { parent, column } => {
                let (id, id_affinity) = (self.column(*parent, "id"), self.affinity(*parent, "id"));
                rows_where(&|row| {
                    let items = json::elements(&row.get(column));
                    items.iter().any(|item| same(&id, id_affinity, item, Affinity::None))
                })
            }
            NodeKind::Cross { .. } => rows_where(&|_| true),
            NodeKind::Auth { id } => with_id(&Value::Text(Arc::clone(id)), Affinity::None),
            NodeKind::Body { ids, .. } => rows_where(&|row| {
                let own_id = row.get("id");
                let is = |id: &Arc<str>| {
                    same(&own_id, own("id"), &Value::Text(Arc::clone(id)), Affinity::None)
                };
                ids.iter().any(is)
            }),
            NodeKind::Each { parent, column } => {
                let items = json::elements(&self.column(*parent, column));
                items.into_iter().map(Slot::Element).collect()
            }
            NodeKind::BodyEach { items, .. } => items.iter().cloned().map(Slot::Element).collect(),
        };
        if found.is_empty() {
            found.push(Slot::Missing);
        }
        found
    }

    fn is_match(&self) -> bool {
        holds(&self.plan.cond, &|cmp| compare_all(cmp, self, &|expr| self.values(expr)))
    }

    /// The value list of an operand: its paths re-run from their root (spec §8).
    fn values(&self, expr: &Expr) -> Vec<Value> {
        let mut ends = Vec::new();
        visit_nodes(expr, &mut |id| ends.push(id));
        let mut chain = Vec::new();
        for end in ends.into_iter().filter(|end| *end != NodeId::BASE) {
            let mut at = Some(end);
            while let Some(id) = at {
                let Some(node) = self.plan.nodes.get(index(id)) else { break };
                chain.push(id);
                at = node.kind.parent().filter(|parent| *parent != node.root);
            }
        }
        // Parents come before children.
        chain.sort_unstable();
        chain.dedup();
        let mut values = Vec::new();
        let _ = self.clone().each(&chain, &mut |tuple| {
            values.push(value(expr, tuple));
            ControlFlow::Continue(())
        });
        values
    }

    fn affinity(&self, node: NodeId, column: &str) -> Affinity {
        if node == NodeId::BASE && self.plan.row == RowMode::Draft {
            return Affinity::None;
        }
        let node = self.plan.nodes.get(index(node));
        affinity(node.and_then(|node| node.collection.as_ref()), column)
    }
}

fn or_missing(mut slots: Vec<Slot<'_>>) -> Vec<Slot<'_>> {
    if slots.is_empty() {
        slots.push(Slot::Missing);
    }
    slots
}

fn affinity(collection: Option<&Arc<Collection>>, column: &str) -> Affinity {
    collection
        .and_then(|collection| collection.field(column))
        .map_or(Affinity::None, |field| field.affinity)
}

fn same(left: &Value, la: Affinity, right: &Value, ra: Affinity) -> bool {
    compare(left, la, right, ra) == Some(Ordering::Equal)
}

impl Env for Tuple<'_> {
    fn column(&self, node: NodeId, column: &str) -> Value {
        match self.slots.get(index(node)) {
            Some(Slot::Row(row)) => row.get(column),
            Some(Slot::Missing | Slot::Element(_)) | None => Value::Null,
        }
    }

    fn element(&self, node: NodeId) -> Value {
        match self.slots.get(index(node)) {
            Some(Slot::Element(value)) => value.clone(),
            Some(Slot::Missing | Slot::Row(_)) | None => Value::Null,
        }
    }

    fn now_ms(&self) -> i64 {
        self.plan.now_ms
    }
}
