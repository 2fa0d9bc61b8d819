//! Conjunctions and disjunctions of tests, the cheapest first.

use super::{Link, Test};
use crate::plan::{Expr, Op};

/// A conjunction, cheapest test first.
pub(super) fn all(parts: Vec<Test<'_>>) -> Test<'_> {
    let mut flat = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Test::Const(true) => {}
            Test::Const(false) => return Test::Const(false),
            Test::All(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    cheapest_first(flat, Test::Const(true), Test::All)
}

/// A disjunction, cheapest test first.
pub(super) fn any(parts: Vec<Test<'_>>) -> Test<'_> {
    let mut flat = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Test::Const(false) => {}
            Test::Const(true) => return Test::Const(true),
            Test::Any(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    cheapest_first(flat, Test::Const(false), Test::Any)
}

fn cheapest_first<'p>(
    mut parts: Vec<Test<'p>>,
    none: Test<'p>,
    many: fn(Vec<Test<'p>>) -> Test<'p>,
) -> Test<'p> {
    parts.sort_by_key(cost);
    match parts.len() {
        0 => none,
        1 => parts.remove(0),
        _ => many(parts),
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
        // What must be held is cheap to look for, and rarely there.
        Test::Holds(holds) => cost(&holds.test).min(8),
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
        Expr::Call { func, args } => match func.as_prim() {
            Some(prim) => prim.cost(),
            None => expr_cost(&func.lower(args, 0)),
        },
        Expr::Apply { prim, args } => {
            let nested = args.iter().filter(|arg| matches!(arg, Expr::Apply { .. }));
            prim.cost() + nested.map(expr_cost).sum::<u32>()
        }
    }
}
