//! What the cases covered: counted by name, and printed as a table.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use dialects::{
    Dialect,
    statement::{self, ColumnList, Select},
};
use filter_lang::plan::{Cond, Expr, Node, NodeKind, Plan, RowMode};

use crate::Case;

/// Counts of what happened.
#[derive(Default)]
pub(crate) struct Coverage {
    /// Cases that ran.
    pub(crate) done: usize,
    /// Expressions that do not resolve.
    pub(crate) refused: usize,
    /// Cases with rows that match and rows that do not.
    pub(crate) split: usize,
    /// In how many cases each feature was seen.
    seen: BTreeMap<String, usize>,
}

impl Coverage {
    pub(crate) fn add(&mut self, case: &Case, plan: &Plan, splits: bool) {
        self.done += 1;
        self.split += usize::from(splits);
        let mut seen = case.seen.clone();
        in_text(case, &mut seen);
        in_nodes(plan, &mut seen);
        in_cond(&plan.cond, &mut seen);
        in_lowering(plan, &mut seen);
        for name in seen {
            *self.seen.entry(name).or_default() += 1;
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, refused, split, seen } = self;
        writeln!(f, "{done} cases, {refused} refused, {split} split their table")?;
        for (name, count) in seen {
            writeln!(f, "{count:7} {name}")?;
        }
        Ok(())
    }
}

fn in_text(case: &Case, seen: &mut BTreeSet<String>) {
    for name in [":isset", ":lower", ":length", ":each", ":changed"] {
        if case.filter.contains(name) {
            seen.insert(format!("modifier {name}"));
        }
    }
    if case.filter.contains("@request.") {
        seen.insert("path @request".into());
    }
    if !case.sort.is_empty() {
        seen.insert("sort".into());
    }
}

fn in_nodes(plan: &Plan, seen: &mut BTreeSet<String>) {
    for node in &plan.nodes {
        let name = match &node.kind {
            NodeKind::Base if plan.row == RowMode::Draft => "base (draft)",
            NodeKind::Base => "base (stored)",
            NodeKind::RelOne { .. } => "relation",
            NodeKind::RelMany { .. } => "multi relation",
            NodeKind::BackOne { .. } => "back relation",
            NodeKind::BackMany { .. } => "multi back relation",
            NodeKind::Cross { .. } => "@collection",
            NodeKind::Auth { .. } => "auth join",
            NodeKind::Body { .. } => "body join",
            NodeKind::Each { .. } => "each",
            NodeKind::BodyEach { .. } => "body each",
        };
        seen.insert(format!("path {name}"));
        let (hops, back) = hops(plan, node);
        if hops >= 3 {
            seen.insert("path of 3 hops".into());
        }
        if back >= 3 {
            seen.insert("path of 3 back relations".into());
        }
        if node.root.0 != 0 {
            seen.insert("path list rule".into());
        }
    }
}

/// How many relations lead to a node, and how many of them are back relations.
fn hops(plan: &Plan, node: &Node) -> (usize, usize) {
    let (mut hops, mut back) = (0, 0);
    let mut at = Some(node);
    while let Some(node) = at {
        match node.kind {
            NodeKind::BackOne { .. } | NodeKind::BackMany { .. } => {
                hops += 1;
                back += 1;
            }
            NodeKind::RelOne { .. } | NodeKind::RelMany { .. } => hops += 1,
            _ => {}
        }
        at = node.kind.parent().map(|parent| plan.node(parent));
    }
    (hops, back)
}

fn in_cond(cond: &Cond, seen: &mut BTreeSet<String>) {
    match cond {
        Cond::Const(_) => {}
        Cond::And(parts) | Cond::Or(parts) => parts.iter().for_each(|part| in_cond(part, seen)),
        Cond::Cmp(cmp) => {
            in_expr(&cmp.left.expr, seen);
            in_expr(&cmp.right.expr, seen);
        }
    }
}

fn in_expr(expr: &Expr, seen: &mut BTreeSet<String>) {
    let name = match expr {
        Expr::Bound(_) => "bound",
        Expr::Bool(_) => "bound bool",
        Expr::AuthColumn(_) => "auth column",
        Expr::Literal(_) => "literal",
        Expr::Column { .. } => "column",
        Expr::Json { .. } => "json",
        Expr::Length { .. } => ":length",
        Expr::Element { .. } => ":each",
        Expr::BodyElement { .. } => "body :each",
        Expr::Lower(inner) => {
            in_expr(inner, seen);
            ":lower"
        }
        Expr::Changed(_) => ":changed",
        Expr::Call { func, .. } => func.name(),
        Expr::Apply { .. } => "primitive",
    };
    seen.insert(format!("expr {name}"));
}

/// Which rarer statements the plan leads to.
fn in_lowering(plan: &Plan, seen: &mut BTreeSet<String>) {
    let columns = ColumnList::new(&["id"]);
    let select = Select { limit: Some(1), ..Select::all(&columns) };
    for way in Dialect::SQLITE.query(plan).page_ways(&select) {
        seen.insert(format!("lowering: page, {way:?}"));
    }
    let postgres = statement::count(Dialect::POSTGRES, plan).text;
    for (name, text) in [("contents", " @> "), ("odd numbers", "pb_odd(")] {
        if postgres.contains(text) {
            seen.insert(format!("lowering: {name}"));
        }
    }
    if statement::count(Dialect::SQLITE, plan).text.contains(" MATCH ") {
        seen.insert("lowering: full-text index".into());
    }
}
