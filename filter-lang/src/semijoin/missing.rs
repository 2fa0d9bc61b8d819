//! What a test says about a row that is not there: where it cannot be true, the join is an inner one.

use super::{Holds, Link, Row, Seen, Test, nodes::hangs_on};
use crate::{
    form::{self, EqForm, LikeForm, Side},
    plan::{Expr, Literal, NodeId, Op, Plan},
    value::Value,
};

/// True if the test cannot be true when the row is missing.
pub(super) fn rejects(plan: &Plan, test: &Test<'_>, node: NodeId, seen: Seen) -> bool {
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
        Test::Holds(Holds { node: read, .. }) | Test::MayMatch { node: read, .. } => {
            hangs_on(plan, *read, node)
        }
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
        Expr::Call { func, args } => match func.as_prim() {
            Some(prim) => prim.is_strict() && args.iter().any(|arg| strict(plan, arg, node)),
            None => strict(plan, &func.lower(args, plan.now_ms), node),
        },
        Expr::Apply { prim, args } => {
            prim.is_strict() && args.iter().any(|arg| strict(plan, arg, node))
        }
        Expr::Bound(_)
        | Expr::Bool(_)
        | Expr::AuthColumn(_)
        | Expr::Literal(_)
        | Expr::Length { .. }
        | Expr::Changed(_) => false,
    }
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
