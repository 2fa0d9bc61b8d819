//! Constant folding: conditions get smaller, never different.
//!
//! `&&` and `||` only need "true or not" (spec filter-language §13.1), so constants vanish from them.

use crate::{
    compute::{Env, on_tuple, value},
    plan::{Cmp, Cond, Expr, NodeId, Op, Operand},
    value::Value,
    walk::is_constant,
};

/// All of `conds`, flattened.
pub(crate) fn and(conds: Vec<Cond>) -> Cond {
    let mut all = Vec::with_capacity(conds.len());
    for cond in conds {
        match cond {
            Cond::Const(true) => {}
            Cond::Const(false) => return Cond::Const(false),
            Cond::And(inner) => all.extend(inner),
            other => all.push(other),
        }
    }
    single(all, Cond::Const(true), Cond::And)
}

/// Any of `conds`, flattened.
pub(crate) fn or(conds: Vec<Cond>) -> Cond {
    let mut any = Vec::with_capacity(conds.len());
    for cond in conds {
        match cond {
            Cond::Const(false) => {}
            Cond::Const(true) => return Cond::Const(true),
            Cond::Or(inner) => any.extend(inner),
            other => any.push(other),
        }
    }
    single(any, Cond::Const(false), Cond::Or)
}

fn single(mut conds: Vec<Cond>, none: Cond, many: fn(Vec<Cond>) -> Cond) -> Cond {
    match conds.len() {
        0 => none,
        1 => conds.pop().unwrap_or(none),
        _ => many(conds),
    }
}

/// A comparison; constant if both sides are, and with constant function calls computed where that cannot
/// change its form.
pub(crate) fn cmp(mut cmp: Cmp, now_ms: i64) -> Cond {
    let now = Now(now_ms);
    if is_constant(&cmp.left.expr) && is_constant(&cmp.right.expr) {
        return Cond::Const(on_tuple(&cmp, &now) == Some(true));
    }
    // spec §4.3: bound values inside a LIKE pattern are converted one by one, so the call must stay.
    let is_like = matches!(cmp.op, Op::Like | Op::NotLike);
    // spec §8: against a value list the pref is Auto, and then the parameters decide the form.
    let fixed = |other: &Operand| other.multi && !cmp.any;
    let (keep_left, keep_right) = (fixed(&cmp.right), is_like || fixed(&cmp.left));
    if !keep_left {
        compute_call(&mut cmp.left, &now);
    }
    if !keep_right {
        compute_call(&mut cmp.right, &now);
    }
    Cond::Cmp(Box::new(cmp))
}

fn compute_call(operand: &mut Operand, now: &Now) {
    // Their prefs (Enforced, Disabled) do not look at parameters, so one bound result means the same.
    let is_call = matches!(operand.expr, Expr::Call { .. } | Expr::Apply { .. });
    if is_call && is_constant(&operand.expr) {
        operand.expr = Expr::Bound(value(&operand.expr, now));
    }
}

/// A tuple without rows.
#[derive(Debug)]
struct Now(i64);

impl Env for Now {
    fn column(&self, _: NodeId, _: &str) -> Value {
        Value::Null
    }

    fn element(&self, _: NodeId) -> Value {
        Value::Null
    }

    fn now_ms(&self) -> i64 {
        self.0
    }
}
