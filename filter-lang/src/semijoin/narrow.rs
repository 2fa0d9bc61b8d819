//! Necessary tests that say where to look: what indexes over words, lists and documents can answer.

use super::{Holds, Reach, Test, What, cost::all, lowering::Lowering, nodes::NodeSet};
use crate::{
    plan::{Cmp, Expr, JsonSeg, Literal, NodeId, NodeKind, Op, Operand, Plan, RowMode},
    prim::{Prim, words},
    schema::{Class, Collection, CollectionKind},
    value::{Affinity, Value},
};

impl<'p> Lowering<'p> {
    /// The comparison on its tuple, with what says where to look for it.
    pub(super) fn tuple(&self, cmp: &'p Cmp) -> Test<'p> {
        if let Some(test) = self.may_match(cmp) {
            return all(vec![test, Test::Cmp(cmp)]);
        }
        match self.at(cmp) {
            Some((node, column, what, says_all)) => {
                Test::Holds(Holds { node, column, what, test: Box::new(Test::Cmp(cmp)), says_all })
            }
            None => Test::Cmp(cmp),
        }
    }

    /// A search for rows, with what the lists outside of it must hold. `tuples`: the comparisons that one tuple passes.
    pub(super) fn within(&self, tuples: &[&'p Cmp], bound: &NodeSet, exists: Test<'p>) -> Test<'p> {
        let mut test = exists;
        let mut seen = Vec::new();
        for cmp in tuples {
            let Some((row, node, column, element)) = self.element(cmp, bound) else { continue };
            if seen.contains(&(node, column, element)) {
                continue;
            }
            seen.push((node, column, element));
            let says_all = self.only_asks(&test, row, cmp);
            let what = What::Element(element);
            test = Test::Holds(Holds { node, column, what, test: Box::new(test), says_all });
        }
        test
    }

    /// "One element equals this text": the row of the element, and the list with the element.
    fn element(
        &self,
        cmp: &'p Cmp,
        bound: &NodeSet,
    ) -> Option<(NodeId, NodeId, &'p str, &'p Value)> {
        let (element, value) = equal_to(cmp, |expr| match expr {
            Expr::Bound(value @ Value::Text(text)) if !text.is_empty() => Some(value),
            _ => None,
        })?;
        let (Expr::Element { node } | Expr::Column { node, .. }) = element else { return None };
        let is_id = matches!(element, Expr::Column { column, .. } if column == "id");
        let (parent, column) = match &self.plan.node(*node).kind {
            NodeKind::Each { parent, column } => (*parent, column),
            NodeKind::RelMany { parent, column } if is_id => (*parent, column),
            _ => return None,
        };
        let outside = bound.contains(parent) && !bound.contains(*node);
        (outside && is_list(self.plan, parent, column)).then_some((*node, parent, column, value))
    }

    /// True if a test asks only whether one element of a list passes the comparison.
    fn only_asks(&self, test: &Test<'_>, row: NodeId, cmp: &Cmp) -> bool {
        let Test::Exists(exists) = test else { return false };
        let [only] = exists.rows[..] else { return false };
        let is_element = matches!(self.plan.node(row).kind, NodeKind::Each { .. });
        is_element && only.node == row && only.must && *exists.test == Test::Cmp(cmp)
    }

    /// "What stands at the end of this path equals this constant": the document, what it holds, and whether that is all.
    fn at(&self, cmp: &'p Cmp) -> Option<(NodeId, &'p str, What<'p>, bool)> {
        let (json, value) = equal_to(cmp, scalar)?;
        let Expr::Json { node, column, path } = json else { return None };
        if !is_table(self.plan, *node) || !is_document(self.plan, *node, column) {
            return None;
        }
        let keys = path.iter().all(|step| matches!(step, JsonSeg::Key(_)));
        // A list holds its elements as a text holds itself.
        let says_all = keys && !path.is_empty();
        Some((*node, column, What::At(path, value), says_all))
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
        let ((call @ (Expr::Call { .. } | Expr::Apply { .. }), other)
        | (other, call @ (Expr::Call { .. } | Expr::Apply { .. }))) =
            (&cmp.left.expr, &cmp.right.expr)
        else {
            return None;
        };
        let (Expr::Call { args, .. } | Expr::Apply { args, .. }) = call else { return None };
        let is_search = match call {
            Expr::Call { func, .. } => func.as_prim() == Some(Prim::HasWords),
            Expr::Apply { prim, .. } => *prim == Prim::HasWords,
            _ => false,
        };
        if !is_search {
            return None;
        }
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
        let useful = is_true(other) && !draft && words::needed(query).is_some();
        node.filter(|_| useful).map(|node| Test::MayMatch { node, query })
    }
}

/// The sides of an `=` whose one side is a constant: the other one, and what `constant` makes of it.
fn equal_to<'p, T>(
    cmp: &'p Cmp,
    constant: impl Fn(&'p Expr) -> Option<T>,
) -> Option<(&'p Expr, T)> {
    if cmp.op != Op::Eq {
        return None;
    }
    let of = |of: &'p Operand, other: &'p Operand| {
        let plain = other.affinity == Affinity::None;
        plain.then(|| constant(&other.expr)).flatten().map(|value| (&of.expr, value))
    };
    of(&cmp.left, &cmp.right).or_else(|| of(&cmp.right, &cmp.left))
}

/// A constant that documents may hold as a scalar. Where the text of a list or object is asked for, it is not.
fn scalar(expr: &Expr) -> Option<Value> {
    let value = match expr {
        Expr::Bound(value) => value.clone(),
        Expr::Bool(value) => Value::from(*value),
        Expr::Literal(Literal::True) => Value::Int(1),
        Expr::Literal(Literal::False) => Value::Int(0),
        Expr::Literal(Literal::Int(number)) => Value::Int(*number),
        _ => return None,
    };
    let fits = match &value {
        Value::Null => false,
        Value::Int(_) => true,
        // Beyond 64 bits many numbers are one double.
        Value::Real(number) => number.abs() < 9_223_372_036_854_775_808.0,
        Value::Text(text) => !text.starts_with(['[', '{']),
    };
    fits.then_some(value)
}

/// True if the row is one of a table, as it is stored.
fn is_table(plan: &Plan, node: NodeId) -> bool {
    let draft = node == NodeId::BASE && plan.row == RowMode::Draft;
    let table = |c: &Collection| c.kind != CollectionKind::View;
    !draft && plan.node(node).collection.as_deref().is_some_and(table)
}

/// True for JSON columns.
fn is_document(plan: &Plan, node: NodeId, column: &str) -> bool {
    let field = plan.node(node).collection.as_ref().and_then(|c| c.field(column));
    field.is_some_and(|f| f.class == Class::Json)
}

/// True if the column surely holds a JSON array of strings (not a view, not a table of an older shape).
#[must_use]
pub fn is_list(plan: &Plan, node: NodeId, column: &str) -> bool {
    let Some(collection) = &plan.node(node).collection else { return false };
    is_table(plan, node)
        && collection
            .fields
            .iter()
            .any(|f| f.name == column && f.multiple && f.affinity == Affinity::Num)
}
