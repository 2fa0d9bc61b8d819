//! Walks over conditions and expressions: what they read, and whether they read anything. Computes nothing.

use crate::plan::{Cond, Expr, NodeId};

/// Calls `visit` for every node an expression reads.
pub(crate) fn visit_nodes(expr: &Expr, visit: &mut dyn FnMut(NodeId)) {
    match expr {
        Expr::Bound(_) | Expr::Bool(_) | Expr::AuthColumn(_) | Expr::Literal(_) => {}
        Expr::Column { node, .. }
        | Expr::Json { node, .. }
        | Expr::Length { node, .. }
        | Expr::Element { node }
        | Expr::BodyElement { node } => visit(*node),
        Expr::Lower(inner) => visit_nodes(inner, visit),
        Expr::Changed(cond) => visit_cond(cond, visit),
        Expr::Call { args, .. } | Expr::Apply { args, .. } => {
            args.iter().for_each(|arg| visit_nodes(arg, visit));
        }
    }
}

/// Calls `visit` for every node a condition reads.
pub(crate) fn visit_cond(cond: &Cond, visit: &mut dyn FnMut(NodeId)) {
    match cond {
        Cond::Const(_) => {}
        Cond::And(conds) | Cond::Or(conds) => {
            conds.iter().for_each(|cond| visit_cond(cond, visit));
        }
        Cond::Cmp(cmp) => {
            visit_nodes(&cmp.left.expr, visit);
            visit_nodes(&cmp.right.expr, visit);
        }
    }
}

/// Whether an expression reads no row.
pub(crate) fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Bound(_) | Expr::Bool(_) | Expr::AuthColumn(_) | Expr::Literal(_) => true,
        Expr::Column { .. }
        | Expr::Json { .. }
        | Expr::Length { .. }
        | Expr::Element { .. }
        | Expr::BodyElement { .. } => false,
        Expr::Lower(inner) => is_constant(inner),
        Expr::Changed(cond) => matches!(**cond, Cond::Const(_)),
        Expr::Call { args, .. } | Expr::Apply { args, .. } => args.iter().all(is_constant),
    }
}
