//! Cheap, necessary tests that say where to look; the comparison itself is still made.

use super::{Reach, Test, lowering::Lowering, nodes::NodeSet};
use crate::{
    func::{Func, fts},
    plan::{Cmp, Expr, Literal, NodeId, NodeKind, Op, Plan, RowMode},
    schema::CollectionKind,
    value::{Affinity, Value},
};

impl<'p> Lowering<'p> {
    /// A cheap necessary test for "one element equals this text".
    pub(super) fn hint(&self, cmp: &'p Cmp, bound: &NodeSet) -> Option<Test<'p>> {
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
        let (parent, column) = match &self.plan.node(*node).kind {
            NodeKind::Each { parent, column } => (*parent, column),
            NodeKind::RelMany { parent, column } if is_id => (*parent, column),
            _ => return None,
        };
        (set && bound.contains(parent) && is_list(self.plan, parent, column))
            .then_some(Test::MayContain { node: parent, column, element: value })
    }

    /// What a full-text index can say about `fts(…) = true`.
    pub(super) fn may_match(&self, cmp: &'p Cmp) -> Option<Test<'p>> {
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
            let place = self.plan.node(*at);
            let indexed = place.collection.as_ref().is_some_and(|c| c.full_text.contains(column));
            if !indexed || *node.get_or_insert(*at) != *at {
                return None;
            }
        }
        let draft = node == Some(NodeId::BASE) && self.plan.row == RowMode::Draft;
        let useful = is_true(other) && !draft && fts::needed(query).is_some();
        node.filter(|_| useful).map(|node| Test::MayMatch { node, query })
    }
}

/// True if the column surely holds a JSON array of strings (not a view, not a table of an older shape).
#[must_use]
pub fn is_list(plan: &Plan, node: NodeId, column: &str) -> bool {
    if node == NodeId::BASE && plan.row == RowMode::Draft {
        return false;
    }
    let Some(collection) = &plan.node(node).collection else { return false };
    collection.kind != CollectionKind::View
        && collection
            .fields
            .iter()
            .any(|f| f.name == column && f.multiple && f.affinity == Affinity::Num)
}
