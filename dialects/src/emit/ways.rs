//! What a page can be told by its plan: which ways to go about it, whether its order needs a sort, whether an index helps.

use filter_lang::{
    plan::{Expr, NodeId, NodeKind, Op, Plan},
    schema::CollectionKind,
    semijoin::{Link, Lowered, SortTerm, Test},
    value::Value,
};

/// True if the order surely needs all matching rows first: no index starts with the first sort key.
pub(super) fn sorts_by_scan(lowered: &Lowered<'_>) -> bool {
    let base = &lowered.plan.base;
    match lowered.sort.first() {
        Some((SortTerm::Value(Expr::Column { node, column }), _)) => {
            *node != NodeId::BASE || (column != "id" && !base.is_indexed(column))
        }
        Some((SortTerm::Value(_) | SortTerm::First { .. } | SortTerm::Random, _)) => true,
        Some((SortTerm::RowId, _)) | None => false,
    }
}

/// True if rows that nothing sorts come by their ids: the reference's statement is a DISTINCT once it joins rows, and walks
/// the ids so that it need not sort for that. Where an index finds the rows, it follows that one (measured on 0.40.6).
pub(super) fn lists_by_id(plan: &Plan, test: &Test<'_>) -> bool {
    plan.joined
        && plan.base.tie_break.is_none()
        && plan.sort.is_empty()
        && plan.base.kind != CollectionKind::View
        && !index_finds(plan, test)
}

/// True if an index surely finds the rows that pass, by the value of a column.
pub(super) fn index_finds(plan: &Plan, test: &Test<'_>) -> bool {
    let found = |a: &Expr, b: &Expr| match (a, b) {
        (Expr::Column { node: NodeId::BASE, column }, Expr::Bound(value)) => {
            let is_empty = matches!(value, Value::Null) || *value == Value::from("");
            !is_empty && plan.base.is_indexed(column)
        }
        _ => false,
    };
    match test {
        Test::All(parts) => parts.iter().any(|part| index_finds(plan, part)),
        Test::Cmp(cmp) => {
            let (left, right) = (&cmp.left.expr, &cmp.right.expr);
            cmp.op == Op::Eq && (found(left, right) || found(right, left))
        }
        _ => false,
    }
}

/// True if an index of the base table may find the rows that pass, so that no whole-table walk is needed.
pub(super) fn index_helps(plan: &Plan, test: &Test<'_>) -> bool {
    let indexed = |column: &str| column == "id" || plan.base.is_indexed(column);
    let column = |expr: &Expr| matches!(expr, Expr::Column { node: NodeId::BASE, column } if indexed(column));
    match test {
        Test::Const(value) => !value,
        Test::All(parts) => parts.iter().any(|part| index_helps(plan, part)),
        Test::Any(parts) => parts.iter().all(|part| index_helps(plan, part)),
        Test::Cmp(cmp) => {
            !matches!(cmp.op, Op::Ne | Op::Like | Op::NotLike)
                && (column(&cmp.left.expr) || column(&cmp.right.expr))
        }
        Test::Exists(exists) if exists.link == Link::Set => {
            exists.rows.first().is_some_and(|row| match &plan.node(row.node).kind {
                NodeKind::RelOne { parent: NodeId::BASE, column } => indexed(column),
                NodeKind::BackOne { parent, .. } | NodeKind::BackMany { parent, .. } => {
                    *parent == NodeId::BASE
                }
                _ => false,
            })
        }
        Test::MayMatch { node, .. } => *node == NodeId::BASE,
        Test::Holds(holds) => index_helps(plan, &holds.test),
        Test::Fails(_) | Test::Exists(_) | Test::None(_) => false,
    }
}

/// True if some rows are looked for in sets.
pub(super) fn builds_sets(test: &Test<'_>) -> bool {
    match test {
        Test::All(parts) | Test::Any(parts) => parts.iter().any(builds_sets),
        Test::Exists(e) | Test::None(e) => e.link != Link::Correlated || builds_sets(&e.test),
        Test::Holds(holds) => builds_sets(&holds.test),
        Test::Const(_) | Test::Cmp(_) | Test::Fails(_) | Test::MayMatch { .. } => false,
    }
}

/// True if the rows come in the order of a full-text index.
pub(super) fn walks_index(test: &Test<'_>) -> bool {
    match test {
        Test::All(parts) | Test::Any(parts) => parts.iter().any(walks_index),
        Test::MayMatch { .. } => true,
        Test::Holds(holds) => walks_index(&holds.test),
        Test::Const(_) | Test::Cmp(_) | Test::Fails(_) | Test::Exists(_) | Test::None(_) => false,
    }
}
