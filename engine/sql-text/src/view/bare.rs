//! Columns beside aggregates. SQLite takes them from some row of the group: from the one with the least or greatest value
//! if `min()` or `max()` is there. PostgreSQL refuses them, unless the group's keys name a row of their table; so they
//! become the first of an ordered list of all.

use sqlparser::ast::{
    AccessExpr, Expr, FunctionArgumentClause, FunctionArguments, GroupByExpr, InTarget,
    OrderByExpr, OrderByOptions, OrderBySort, Select, SelectItem, Subscript, Value,
};

use super::{build, function, names::Meaning, pass::Pass};

/// Takes bare columns of a SELECT, whose names are resolved, from one row of each group.
pub(super) fn beside_aggregates(
    pass: &Pass<'_>,
    select: &mut Select,
    order: Option<&mut Vec<OrderByExpr>>,
) {
    let keys = keys(select);
    let mut chosen = None;
    let mut has_aggregates = false;
    let projected = select.projection.iter_mut().filter_map(expr_of);
    for expr in projected.chain(select.having.iter_mut()) {
        find_aggregates(expr, &mut has_aggregates, &mut chosen);
    }
    if !has_aggregates && keys.is_empty() {
        return;
    }
    let group = Group { pass, given: given(pass, &keys), keys, chosen };
    for item in &mut select.projection {
        group.settle_item(item);
    }
    select.having.iter_mut().for_each(|expr| group.settle(expr));
    for by in order.into_iter().flatten() {
        // A name of the result is not a column.
        let is_result =
            matches!((&by.expr, pass.meaning(&by.expr)), (Expr::Identifier(_), Meaning::Alias(_)));
        if !is_result && !is_projected(select, &by.expr) {
            group.settle(&mut by.expr);
        }
    }
}

fn expr_of(item: &mut SelectItem) -> Option<&mut Expr> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}

/// True for a name that the select list gives.
fn is_projected(select: &Select, expr: &Expr) -> bool {
    let Expr::Identifier(name) = expr else { return matches!(expr, Expr::Value(_)) };
    select.projection.iter().any(|item| match item {
        SelectItem::ExprWithAlias { alias, .. } => alias.value == name.value,
        // It was settled, or is a key.
        SelectItem::UnnamedExpr(Expr::Identifier(projected)) => projected.value == name.value,
        _ => false,
    })
}

/// The keys of the groups as they stand in the select list, and as they are written.
fn keys(select: &Select) -> Vec<Expr> {
    let GroupByExpr::Expressions(keys, _) = &select.group_by else { return Vec::new() };
    let mut out = keys.clone();
    for key in keys {
        let item = match key {
            Expr::Value(found) => match &found.value {
                Value::Number(place, _) => {
                    place.parse::<usize>().ok().and_then(|n| select.projection.get(n.checked_sub(1)?))
                }
                _ => None,
            },
            Expr::Identifier(name) => select.projection.iter().find(|item| {
                matches!(item, SelectItem::ExprWithAlias { alias, .. } if alias.value == name.value)
            }),
            _ => None,
        };
        if let Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item {
            out.push(expr.clone());
        }
    }
    out
}

/// The sources whose key is one of the groups'.
fn given(pass: &Pass<'_>, keys: &[Expr]) -> Vec<usize> {
    let sources = pass.levels.last().map(|level| level.sources.as_slice()).unwrap_or_default();
    let given = keys.iter().filter_map(|key| match pass.meaning(key) {
        Meaning::Column { known, source, up: 0, .. } => {
            (known.name == "id" && sources.get(source)?.has_key).then_some(source)
        }
        _ => None,
    });
    given.collect()
}

/// Finds aggregates; the first `min()` or `max()` says which row bare columns come from.
fn find_aggregates(expr: &mut Expr, found: &mut bool, chosen: &mut Option<(Expr, bool)>) {
    if is_aggregate(expr) {
        *found = true;
        let Expr::Function(called) = expr else { return };
        let name = function::name(called).unwrap_or_default();
        if let ("min" | "max", [arg], None) =
            (name.as_str(), function::args(called).as_slice(), &*chosen)
        {
            *chosen = Some(((**arg).clone(), name == "max"));
        }
        return;
    }
    children(expr).into_iter().for_each(|child| find_aggregates(child, found, chosen));
}

fn is_aggregate(expr: &mut Expr) -> bool {
    let Expr::Function(called) = expr else { return false };
    let n_args = function::args(called).len();
    called.over.is_none()
        && function::name(called).is_some_and(|name| function::is_aggregate(&name, n_args))
}

struct Group<'p, 'c> {
    pass: &'p Pass<'c>,
    keys: Vec<Expr>,
    given: Vec<usize>,
    chosen: Option<(Expr, bool)>,
}

impl Group<'_, '_> {
    /// A column keeps its name.
    fn settle_item(&self, item: &mut SelectItem) {
        let name = match item {
            SelectItem::UnnamedExpr(expr) => match self.pass.meaning(expr) {
                Meaning::Column { known, .. } => Some(known.name),
                _ => None,
            },
            _ => None,
        };
        let Some(expr) = expr_of(item) else { return };
        self.settle(expr);
        if let Some(name) = name.filter(|_| matches!(expr, Expr::CompoundFieldAccess { .. })) {
            let expr = build::take(expr);
            *item = SelectItem::ExprWithAlias { expr, alias: build::ident(name) };
        }
    }

    fn settle(&self, expr: &mut Expr) {
        if is_aggregate(expr) || self.keys.iter().any(|key| self.is_same(key, expr)) {
            return;
        }
        match expr {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
                let Meaning::Column { source, up: 0, .. } = self.pass.meaning(expr) else { return };
                if !self.given.contains(&source) {
                    build::wrap(expr, |e| self.first(e));
                }
            }
            _ => children(expr).into_iter().for_each(|child| self.settle(child)),
        }
    }

    /// The same text, or the same column under another spelling.
    fn is_same(&self, key: &Expr, expr: &Expr) -> bool {
        if key.to_string() == expr.to_string() {
            return true;
        }
        match (self.pass.meaning(key), self.pass.meaning(expr)) {
            (
                Meaning::Column { known: a, source: at, up: 0, .. },
                Meaning::Column { known: b, source: bt, up: 0, .. },
            ) => at == bt && a.name == b.name,
            _ => false,
        }
    }

    /// `(array_agg(x ORDER BY chosen))[1]`
    fn first(&self, column: Expr) -> Expr {
        let mut list = build::function("array_agg", vec![column]);
        if let (Some((by, is_max)), FunctionArguments::List(list)) = (&self.chosen, &mut list.args)
        {
            let sort = if *is_max { OrderBySort::Desc } else { OrderBySort::Asc };
            list.clauses.push(FunctionArgumentClause::OrderBy(vec![OrderByExpr {
                expr: by.clone(),
                options: OrderByOptions { sort: Some(sort), nulls_first: Some(false) },
                with_fill: None,
            }]));
        }
        Expr::CompoundFieldAccess {
            root: Box::new(build::nested(Expr::Function(list))),
            access_chain: vec![AccessExpr::Subscript(Subscript::Index {
                index: build::number("1"),
            })],
        }
    }
}

/// The parts of an expression that belong to the same SELECT.
fn children(expr: &mut Expr) -> Vec<&mut Expr> {
    match expr {
        Expr::Nested(inner)
        | Expr::UnaryOp { expr: inner, .. }
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::IsTrue(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsNotFalse(inner)
        | Expr::Cast { expr: inner, .. }
        | Expr::Collate { expr: inner, .. }
        | Expr::Trim { expr: inner, .. }
        | Expr::Ceil { expr: inner, .. }
        | Expr::Floor { expr: inner, .. }
        | Expr::CompoundFieldAccess { root: inner, .. } => vec![inner],
        Expr::BinaryOp { left, right, .. }
        | Expr::IsDistinctFrom(left, right)
        | Expr::IsNotDistinctFrom(left, right) => vec![left, right],
        Expr::Between { expr, low, high, .. } => vec![expr, low, high],
        Expr::Like { expr, pattern, .. } | Expr::ILike { expr, pattern, .. } => vec![expr, pattern],
        Expr::In { expr, target, .. } => {
            let mut out: Vec<&mut Expr> = vec![expr];
            if let InTarget::List(items) = target {
                out.extend(items);
            }
            out
        }
        Expr::Case { operand, conditions, else_result, .. } => {
            let mut out: Vec<&mut Expr> = operand.as_deref_mut().into_iter().collect();
            for when in conditions {
                out.extend([&mut when.condition, &mut when.result]);
            }
            out.extend(else_result.as_deref_mut());
            out
        }
        Expr::Substring { expr, substring_from, substring_for, .. } => {
            let mut out: Vec<&mut Expr> = vec![expr];
            out.extend(substring_from.as_deref_mut());
            out.extend(substring_for.as_deref_mut());
            out
        }
        Expr::Tuple(items) => items.iter_mut().collect(),
        Expr::Function(called) if called.over.is_none() => function::args(called),
        _ => Vec::new(),
    }
}
