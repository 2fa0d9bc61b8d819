//! What a rule says to somebody, and why: each comparison with its truth and the values on its sides.
//!
//! Only reads: nothing is written, no hook runs. Whether a request passes is decided by the same functions that decide
//! requests; this room explains them. For people; never on the way of a request, and must not know HTTP.

mod evidence;

use std::{collections::BTreeMap, sync::Arc};

use dialects::statement::{self, Select};
use filter_lang::{Flags, Resolver, Sides, plan::RowMode, reached, scope::Scope};
use serde_json::Value;

use crate::{
    Error, Result,
    ctx::Ctx,
    find,
    record::{self, Draft, Record, Submission, read},
    rule::{self, Parts},
    schema::{Collection, Loaded},
    store::Sql,
};

/// One comparison of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedPart {
    /// First byte of the comparison in the rule.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
    /// It holds by itself; `None` where there is no record to ask about.
    pub result: Option<bool>,
    /// It decides something: those before it leave the question open.
    pub reached: bool,
    /// What stands left: a value, or a list of the first ones where there may be several.
    pub left: Value,
    /// The same of the right.
    pub right: Value,
}

/// The record that a rule is asked about, as the rule sees it.
#[derive(Debug)]
pub enum Subject {
    /// None: a list.
    Nothing,
    /// A row.
    Stored(Box<Record>),
    /// What somebody submits as a new record.
    Draft(Box<Record>),
}

/// A collection with another rule, for trying it before it is saved.
#[must_use]
pub fn with_changed(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    change: impl FnOnce(&mut Collection),
) -> Arc<Loaded> {
    let mut changed = collection.collection.clone();
    change(&mut changed);
    let snapshot = ctx.snapshot().with(&changed);
    snapshot.by_id(&changed.id).unwrap_or(collection).clone()
}

/// The facts and the subject of a creation (without an id) or an update: rules see the body as it will be stored.
///
/// # Errors
/// [`Error::NotFound`] for an id that is nobody's; database errors.
pub async fn submitted(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    id: Option<&str>,
    submission: &Submission,
) -> Result<(Ctx, Subject)> {
    let mut record = match id {
        Some(id) => find::by_id_or_404(ctx, collection, id).await?,
        None => Record::new(collection),
    };
    let prepared = record::prepare_body(&record, submission, ctx.caller.is_superuser());
    let ctx = match &ctx.request {
        Some(request) => ctx.with_request(request.with_body(prepared.request_body(collection))),
        None => ctx.clone(),
    };
    if id.is_some() {
        return Ok((ctx, Subject::Stored(record.into())));
    }
    prepared.load(&mut record);
    Ok((ctx, Subject::Draft(record.into())))
}

/// The row of an id.
///
/// # Errors
/// [`Error::NotFound`]; database errors.
pub async fn stored(ctx: &Ctx, collection: &Arc<Loaded>, id: &str) -> Result<Subject> {
    let record = find::by_id_or_404(ctx, collection, id).await?;
    Ok(Subject::Stored(record.into()))
}

/// Looks at every comparison of a rule by itself. Comparisons that share rows of a joined collection may each hold for
/// another row: the rule may fail although every step holds.
///
/// # Errors
/// [`Error::Filter`] for a rule that cannot be built; database errors.
pub async fn steps(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    text: &str,
    subject: &Subject,
) -> Result<Vec<JudgedPart>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let ast = ctx.app.asts().parse(text)?;
    let scope = Scope {
        hidden_allowed: true,
        request: ctx.request.as_ref().map(|request| request.scope(&ctx.caller)),
        now_ms: crate::time::now().millis(),
        draft: matches!(subject, Subject::Draft(_)),
        ..Scope::default()
    };
    let snapshot = ctx.snapshot();
    let (plan, sides) = {
        let mut resolver = Resolver::new(&*snapshot, collection.plan.clone(), &scope);
        let sides = resolver.sides(&ast, Flags::RULE);
        (resolver.finish(), sides.map_err(|e| Error::Filter(e.to_string()))?)
    };
    let seen = match subject {
        Subject::Nothing => None,
        Subject::Stored(record) | Subject::Draft(record) => {
            debug_assert_eq!(plan.row == RowMode::Draft, matches!(subject, Subject::Draft(_)));
            Some(evidence::gather(ctx, &plan, record).await?)
        }
    };
    let mut steps = Vec::with_capacity(sides.len());
    for Sides { span, left, right } in &sides {
        let comparison = text.get(span.start..span.end).unwrap_or_default();
        let result = holds(ctx, collection, comparison, subject).await?;
        let show = |operand| seen.as_ref().map_or(Value::Null, |seen| seen.show(operand));
        let (left, right) = (show(left), show(right));
        steps.push(JudgedPart {
            start: span.start,
            end: span.end,
            result,
            reached: true,
            left,
            right,
        });
    }
    let truth: Option<Vec<bool>> = steps.iter().map(|step| step.result).collect();
    if let Some(truth) = truth {
        for (step, is_reached) in steps.iter_mut().zip(reached(&ast, &truth)) {
            step.reached = is_reached;
        }
    }
    Ok(steps)
}

/// A part of a rule, asked as the whole is. What cannot run is not true.
async fn holds(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    text: &str,
    subject: &Subject,
) -> Result<Option<bool>> {
    let answer = match subject {
        Subject::Nothing => return Ok(None),
        Subject::Stored(record) => rule::row_matches(ctx, text, &record.fresh_original()).await,
        Subject::Draft(record) => {
            rule::judge_draft(ctx, collection, text, record).await.map(|verdict| verdict.matches)
        }
    };
    Error::false_unless_outage(answer).map(Some)
}

/// What a caller sees of a list.
#[derive(Debug)]
pub struct Seen {
    /// How many records.
    pub total: i64,
    /// The first ones.
    pub ids: Vec<String>,
    /// The statement of the page.
    pub sql: Sql,
}

/// Which records a list shows its caller, up to a limit.
///
/// # Errors
/// As [`read::list`].
pub async fn list(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    (filter, sort): (&str, &str),
    (offset, limit): (u64, u32),
) -> Result<Seen> {
    let rule = read::effective_rule(ctx, collection.list_rule.as_deref())?;
    let plan = rule::compile(ctx, collection, &Parts { rule, filter, sort })?;
    // All columns, as a list reads them: without a sort the order is that of how rows are read.
    let (dialect, columns) = (ctx.app.dialect(), &collection.select);
    let select = Select { limit: Some(limit), offset, ..Select::all(columns) };
    let sql = statement::page(dialect, &plan, &select);
    let id_at = collection.id_field.unwrap_or_default();
    let ids = ctx.db.query(sql.clone(), move |rows| {
        let mut ids = Vec::new();
        while let Some(row) = rows.next()? {
            ids.push(row.text(id_at).to_owned());
        }
        Ok(ids)
    });
    let ids = ids.await.and_then(|ids| ids).map_err(Error::Store)?;
    let count = statement::count(dialect, &plan);
    let total = ctx.db.query(count, |rows| rows.scalar_i64()).await;
    let total = total.and_then(|total| total).map_err(Error::Store)?;
    Ok(Seen { total, ids, sql })
}

/// The statement that a rule about one record is, as far as it can be built.
#[must_use]
pub fn question(ctx: &Ctx, text: &str, subject: &Subject) -> Option<Sql> {
    match subject {
        Subject::Stored(record) if !text.is_empty() => {
            rule::stored_question(ctx, text, record).ok()
        }
        _ => None,
    }
}

/// Checks a submission that passed its rule as far as that is possible without writing it: not what only the database
/// refuses (unique indexes).
///
/// # Errors
/// [`Error::Invalid`] with field errors; database errors.
pub async fn check(ctx: &Ctx, draft: &Draft) -> Result<()> {
    draft.check(ctx).await
}

/// The facts of a request that nobody has made.
#[must_use]
pub fn request(
    context: String,
    method: &'static str,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: serde_json::Map<String, Value>,
) -> crate::ctx::RequestInfo {
    let facts = crate::ctx::RequestFacts { method: method.into(), query, headers, body };
    crate::ctx::RequestInfo::lazy(move || facts.clone()).in_context(context)
}
