//! How an expression runs: tree, plan, statement, the database's own plan, and which indexes are missing.
//!
//! For people (command line, superusers' route); nothing here runs on the way of a request.

mod language;
mod wanted;

pub use language::language;

use std::{
    collections::BTreeSet,
    ops::Range,
    time::{Duration, Instant},
};

use dialects::{
    Dialect, Sql,
    statement::{self, Select},
};
use filter_lang::{
    Flags, Resolver, hint,
    plan::{Cond, Expr, NodeId, Op, Operand, Plan, SortBy},
    scope::Scope,
};

use crate::{
    Error, Result,
    ctx::Ctx,
    rule::{self, Parts},
    schema::{Loaded, Snapshot, index::Index},
    store::raw::{self, PlanStep},
};
use primitives::future::BoxFutureRef;

/// The page that is looked at.
const ROWS: u32 = 30;

/// What to explain. Empty parts do not count.
#[derive(Debug, Clone, Copy, Default)]
pub struct Question<'q> {
    /// An API rule.
    pub rule: &'q str,
    /// A client's filter.
    pub filter: &'q str,
    /// A client's sort.
    pub sort: &'q str,
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Explained {
    /// The parsed rule and filter, each if given.
    pub trees: Vec<String>,
    /// The typed plan.
    pub plan: String,
    /// The statement for one page; of several ways to read it ([`statement::Query::page_ways`]) the last.
    pub sql: Sql,
    /// Columns that are compared or sorted by but begin no index, and other reasons for slowness.
    pub advice: Vec<String>,
    /// Statements of indexes that would serve it.
    pub indexes: Vec<String>,
    /// What may not be meant as it is written.
    pub hints: Vec<String>,
}

/// Compiles without running.
///
/// # Errors
/// [`Error::Filter`] for bad expressions.
pub fn explain(
    ctx: &Ctx,
    collection: &Loaded,
    question: &Question<'_>,
    dialect: Dialect,
) -> Result<Explained> {
    let (mut trees, mut hints) = (Vec::new(), Vec::new());
    for text in [question.rule, question.filter].into_iter().filter(|text| !text.is_empty()) {
        let ast = ctx.app.asts().parse(text)?;
        trees.push(ast.to_string());
        let found = hint::of_filter(&*ctx.snapshot(), &collection.plan, &ast);
        hints.extend(found.iter().map(ToString::to_string));
    }
    let parts = Parts { rule: question.rule, filter: question.filter, sort: question.sort };
    let plan = rule::compile(ctx, collection, &parts)?;
    let select = Select { limit: Some(ROWS), ..Select::all(&collection.select) };
    let sql = statement::page(dialect, &plan, &select);
    let snapshot = ctx.snapshot();
    let (advice, indexes) = (advice(&plan, &snapshot), wanted::indexes(&plan, &snapshot));
    Ok(Explained { trees, plan: plan.to_string(), sql, advice, indexes, hints })
}

/// Where an expression is refused.
#[derive(Debug, Clone)]
pub struct Refused {
    /// `rule`, `filter` or `sort`.
    pub part: &'static str,
    /// The compatible sentence.
    pub message: String,
    /// The bytes it is about.
    pub place: Range<usize>,
    /// What may be meant.
    pub hint: Option<String>,
}

impl Refused {
    /// The error of a part.
    #[must_use]
    pub fn new(part: &'static str, error: &filter_lang::Error) -> Self {
        let place = error.span.start..error.span.end;
        Self { part, message: error.to_string(), place, hint: hint::of_error(error) }
    }
}

/// The first part of a question that is refused by itself.
#[must_use]
pub fn refused(ctx: &Ctx, collection: &Loaded, question: &Question<'_>) -> Option<Refused> {
    let scope = Scope {
        hidden_allowed: true,
        request: ctx.request.as_ref().map(|request| request.scope(&ctx.caller)),
        now_ms: crate::time::now().millis(),
        ..Scope::default()
    };
    let snapshot = ctx.snapshot();
    let resolver = || Resolver::new(&*snapshot, collection.plan.clone(), &scope);
    let filter = |text: &str| {
        if text.is_empty() {
            return Ok(());
        }
        let ast = filter_lang::parse(text)?;
        resolver().filter(&ast, Flags::RULE).map(drop)
    };
    let found = [
        ("rule", filter(question.rule)),
        ("filter", filter(question.filter)),
        ("sort", resolver().sort(question.sort, Flags::RULE).map(drop)),
    ];
    found.into_iter().find_map(|(part, result)| Some(Refused::new(part, &result.err()?)))
}

/// What the running database does with a statement, step by step.
///
/// # Errors
/// Database errors.
pub async fn steps(ctx: &Ctx, sql: Sql) -> Result<Vec<PlanStep>> {
    raw::explain(&ctx.db, sql).await.map_err(Error::Store)
}

/// What a real run took.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Records that match.
    pub count: i64,
    /// How long counting them took.
    pub count_time: Duration,
    /// Rows of the first page.
    pub rows: usize,
    /// How long reading them took.
    pub page_time: Duration,
}

/// Runs an explained question once: its first page and its count.
///
/// # Errors
/// [`Error::Filter`]; database errors.
pub fn run<'a>(
    ctx: &'a Ctx,
    collection: &'a Loaded,
    question: &'a Question<'a>,
) -> BoxFutureRef<'a, Result<Run>> {
    Box::pin(async move {
        let parts = Parts { rule: question.rule, filter: question.filter, sort: question.sort };
        let plan = rule::compile(ctx, collection, &parts)?;
        let dialect = ctx.app.dialect();
        let select = Select { limit: Some(ROWS), ..Select::all(&collection.select) };
        let page = statement::page(dialect, &plan, &select);
        let started = Instant::now();
        let rows = ctx.db.query(page, |rows| {
            let mut n = 0;
            while rows.next()?.is_some() {
                n += 1;
            }
            Ok(n)
        });
        let rows = rows.await.and_then(|rows| rows).map_err(Error::Store)?;
        let page_time = started.elapsed();
        let started = Instant::now();
        let count = ctx.db.query(statement::count(dialect, &plan), |rows| rows.scalar_i64()).await;
        let count = count.and_then(|count| count).map_err(Error::Store)?;
        Ok(Run { count, count_time: started.elapsed(), rows, page_time })
    })
}

/// Collects column uses of a plan.
#[derive(Default)]
struct Uses {
    compared: BTreeSet<(NodeId, String)>,
    searched: BTreeSet<(NodeId, String)>,
    negated: BTreeSet<(NodeId, String)>,
}

impl Uses {
    fn cond(&mut self, cond: &Cond) {
        match cond {
            Cond::Const(_) => {}
            Cond::And(items) | Cond::Or(items) => items.iter().for_each(|item| self.cond(item)),
            Cond::Cmp(cmp) => {
                for side in [&cmp.left, &cmp.right] {
                    self.side(cmp.op, side);
                }
            }
        }
    }

    fn side(&mut self, op: Op, side: &Operand) {
        if let Expr::Column { node, column } = &side.expr {
            let set = match op {
                Op::Like | Op::NotLike => &mut self.searched,
                Op::Ne => &mut self.negated,
                Op::Eq | Op::Gt | Op::Ge | Op::Lt | Op::Le => &mut self.compared,
            };
            set.insert((*node, column.clone()));
        }
    }
}

fn advice(plan: &Plan, snapshot: &Snapshot) -> Vec<String> {
    let mut uses = Uses::default();
    uses.cond(&plan.cond);
    let mut out = Vec::new();
    let name = |node: NodeId, column: &str| {
        let collection = plan.nodes.get(node.0 as usize)?.collection.as_ref()?;
        let loaded = snapshot.by_id(&collection.id)?;
        Some((format!("{}.{column}", loaded.name), begins_index(loaded, column)))
    };
    for (node, column) in &uses.compared {
        if let Some((name, false)) = name(*node, column) {
            out.push(format!("WHERE: no index begins with {name}"));
        }
    }
    for (node, column) in &uses.negated {
        if let Some((name, _)) = name(*node, column) {
            out.push(format!("WHERE: != on {name} reads every row"));
        }
    }
    for (node, column) in &uses.searched {
        if let Some((name, _)) = name(*node, column) {
            out.push(format!("WHERE: a text search in {name} reads every row"));
        }
    }
    for key in &plan.sort {
        if let SortBy::Expr(Expr::Column { node, column }) = &key.by
            && let Some((name, false)) = name(*node, column)
        {
            out.push(format!("ORDER BY: no index begins with {name}"));
        }
    }
    out
}

fn begins_index(collection: &Loaded, column: &str) -> bool {
    column.eq_ignore_ascii_case("id")
        || collection.indexes.iter().any(|text| {
            Index::parse(text).columns.first().is_some_and(|c| c.name.eq_ignore_ascii_case(column))
        })
}
