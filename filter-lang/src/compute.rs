//! Scalars and single comparisons on one tuple: the part memory evaluation and the judge share.
//!
//! Forms of comparisons are decided in `form.rs`; this file only carries them out with SQLite's three-valued
//! logic (`None` is NULL). Must not enumerate tuples.

use std::cmp::Ordering;

use crate::{
    form::{EqForm, LikeForm, Seat, Side, equality_form, like_form, value_check},
    json,
    plan::{Cmp, Cond, Expr, Literal, NodeId, Op},
    prim::Arg,
    value::{Affinity, Value, compare, is_same, like},
};

/// Where the columns of a tuple come from.
pub(crate) trait Env {
    /// A column of the row at `node`, NULL if the row is missing.
    fn column(&self, node: NodeId, column: &str) -> Value;
    /// The element at an element node, NULL if there is none.
    fn element(&self, node: NodeId) -> Value;
    /// The clock of the plan.
    fn now_ms(&self) -> i64;
}

/// The value of an expression.
pub(crate) fn value(expr: &Expr, env: &dyn Env) -> Value {
    match expr {
        Expr::Bound(value) | Expr::AuthColumn(value) => value.clone(),
        Expr::Bool(value) => Value::from(*value),
        Expr::Literal(Literal::Null) => Value::Null,
        Expr::Literal(Literal::True) => Value::Int(1),
        Expr::Literal(Literal::False) => Value::Int(0),
        Expr::Literal(Literal::Int(number)) => Value::Int(*number),
        Expr::Column { node, column } => env.column(*node, column),
        Expr::Json { node, column, path } => json::extract(&env.column(*node, column), path),
        Expr::Length { node, column } => Value::Int(json::length(&env.column(*node, column))),
        Expr::Element { node } | Expr::BodyElement { node } => env.element(*node),
        Expr::Lower(inner) => match value(inner, env).text() {
            Some(text) => Value::from(text.to_ascii_lowercase()),
            None => Value::Null,
        },
        Expr::Changed(cond) => Value::from(holds(cond, &|cmp| on_tuple(cmp, env) == Some(true))),
        Expr::Call { func, args } => {
            let args: Vec<Value> = args.iter().map(|arg| value(arg, env)).collect();
            func.eval(&args, env.now_ms())
        }
        Expr::Apply { prim, args } => {
            let args: Vec<Value> = args.iter().map(|arg| value(arg, env)).collect();
            prim.eval(&args.iter().map(Arg::from).collect::<Vec<_>>(), env.now_ms())
        }
    }
}

/// A condition, given the truth of its comparisons.
pub(crate) fn holds(cond: &Cond, is_true: &dyn Fn(&Cmp) -> bool) -> bool {
    match cond {
        Cond::Const(value) => *value,
        Cond::And(all) => all.iter().all(|cond| holds(cond, is_true)),
        Cond::Or(any) => any.iter().any(|cond| holds(cond, is_true)),
        Cond::Cmp(cmp) => is_true(cmp),
    }
}

/// The comparison on the outer tuple, without the check over value lists.
pub(crate) fn on_tuple(cmp: &Cmp, env: &dyn Env) -> Option<bool> {
    let left = value(&cmp.left.expr, env);
    let right = value(&cmp.right.expr, env);
    test(cmp.op, (&cmp.left).into(), &left, (&cmp.right).into(), &right, env)
}

/// One comparison of two values in their seats; `env` is the outer tuple.
pub(crate) fn test(
    op: Op,
    left: Side<'_>,
    lv: &Value,
    right: Side<'_>,
    rv: &Value,
    env: &dyn Env,
) -> Option<bool> {
    let (la, ra) = (left.operand.affinity, right.operand.affinity);
    match op {
        Op::Eq => equal(equality_form(left, right), (lv, la), (rv, ra)),
        Op::Ne => Some(differs(equality_form(left, right), (lv, la), (rv, ra))),
        Op::Like => matches_like(lv, right, rv, env),
        Op::NotLike => matches_like(lv, right, rv, env).map(|hit| !hit),
        Op::Gt => compare(lv, la, rv, ra).map(Ordering::is_gt),
        Op::Ge => compare(lv, la, rv, ra).map(Ordering::is_ge),
        Op::Lt => compare(lv, la, rv, ra).map(Ordering::is_lt),
        Op::Le => compare(lv, la, rv, ra).map(Ordering::is_le),
    }
}

type Typed<'a> = (&'a Value, Affinity);

fn equal(form: EqForm, left: Typed<'_>, right: Typed<'_>) -> Option<bool> {
    match form {
        EqForm::Plain { left_empty, right_empty } => {
            let empty = Value::from("");
            let (lv, la) = if left_empty { (&empty, Affinity::None) } else { left };
            let (rv, ra) = if right_empty { (&empty, Affinity::None) } else { right };
            compare(lv, la, rv, ra).map(Ordering::is_eq)
        }
        _ => Some(!differs(form, left, right)),
    }
}

/// `!=` is never NULL.
fn differs(form: EqForm, left: Typed<'_>, right: Typed<'_>) -> bool {
    let empty = Value::from("");
    let blank = |(value, affinity): Typed<'_>| {
        value.is_null() || is_same(value, affinity, &empty, Affinity::None)
    };
    match form {
        EqForm::Is => !is_same(left.0, left.1, right.0, right.1),
        EqForm::BothEmpty => false,
        EqForm::Plain { left_empty, right_empty } => {
            let (lv, la) = if left_empty { (&empty, Affinity::None) } else { left };
            let (rv, ra) = if right_empty { (&empty, Affinity::None) } else { right };
            !is_same(lv, la, rv, ra)
        }
        EqForm::LeftEmpty => !blank(right),
        EqForm::RightEmpty => !blank(left),
        EqForm::Coalesce => {
            let lv = if left.0.is_null() { &empty } else { left.0 };
            let rv = if right.0.is_null() { &empty } else { right.0 };
            !is_same(lv, Affinity::None, rv, Affinity::None)
        }
    }
}

fn matches_like(lv: &Value, right: Side<'_>, rv: &Value, env: &dyn Env) -> Option<bool> {
    let text = lv.text()?;
    match like_form(right) {
        LikeForm::Contains(_) => Some(like(&text, &format!("%{}%", rv.text()?))),
        LikeForm::Pattern(expr) => Some(like(&text, &value(&expr, env).text()?)),
    }
}

/// A comparison as a whole: on the tuple, and for every value of multi-valued operands (spec §8).
/// `values` gives the value list of an operand.
pub(crate) fn compare_all(cmp: &Cmp, env: &dyn Env, values: &dyn Fn(&Expr) -> Vec<Value>) -> bool {
    if on_tuple(cmp, env) != Some(true) {
        return false;
    }
    let Some((left, right)) = value_check(cmp) else { return true };
    let list = |side: Side<'_>| match side.seat {
        Seat::Value => values(&side.operand.expr),
        Seat::Tuple | Seat::Fixed => vec![value(&side.operand.expr, env)],
    };
    let rights = list(right);
    !list(left)
        .iter()
        .any(|lv| rights.iter().any(|rv| test(cmp.op, left, lv, right, rv, env) == Some(false)))
}
