//! The only door to `filter-lang` and `dialects` for rules, filters and sorts of collections: text → plan → statement.
//!
//! Parsing is cached by text; resolving and emitting are done per request, because the values are part of the plan.
//! Must not know HTTP, and holds no SQL text.

use std::{collections::HashSet, sync::Arc};

use dialects::{
    Value,
    statement::{self, ColumnList, Only, Select},
};
use filter_lang::{Ast, Flags, MAX_FILTER_BYTES, Resolver, eval::Row, plan::Plan, scope::Scope};
use quick_cache::sync::Cache;

use crate::{
    App, Error, Result,
    app::record::Record,
    ctx::Ctx,
    find, id,
    schema::{Loaded, Snapshot},
    store::{self, Rows},
};

/// Parsed expressions by their text.
#[derive(Debug)]
pub struct AstCache(Cache<String, Arc<Ast>>);

impl App {
    pub(crate) fn asts(&self) -> &AstCache {
        self.part()
    }
}

impl Default for AstCache {
    fn default() -> Self {
        Self(Cache::new(1024))
    }
}

impl AstCache {
    /// The tree of a text.
    ///
    /// # Errors
    /// [`Error::Filter`] with the compatible sentence.
    pub fn parse(&self, text: &str) -> Result<Arc<Ast>> {
        if let Some(ast) = self.0.get(text) {
            return Ok(ast);
        }
        let ast = Arc::new(filter_lang::parse(text).map_err(|e| filter_error(&e))?);
        self.0.insert(text.to_owned(), ast.clone());
        Ok(ast)
    }
}

/// What a query consists of. Empty parts do not count.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Parts<'a> {
    /// An API rule: sees everything.
    pub(crate) rule: &'a str,
    /// A client's filter.
    pub(crate) filter: &'a str,
    /// A client's sort.
    pub(crate) sort: &'a str,
}

impl<'a> Parts<'a> {
    pub(crate) fn rule(rule: &'a str) -> Self {
        Self { rule, ..Self::default() }
    }
    /// True if `@request.*` may be read: by the text itself, or by list rules of joined collections.
    fn needs_request(&self, enforces: bool) -> bool {
        let asks = |text: &str| memchr::memmem::find(text.as_bytes(), b"@request").is_some();
        let joins = |text: &str| memchr::memchr(b'.', text.as_bytes()).is_some();
        asks(self.rule)
            || asks(self.filter)
            || asks(self.sort)
            || enforces && (joins(self.filter) || joins(self.sort))
    }
}

fn filter_error(error: &filter_lang::Error) -> Error {
    Error::Filter(error.to_string())
}

/// One plan out of rule, filter and sort.
///
/// # Errors
/// [`Error::Filter`].
pub(crate) fn compile(ctx: &Ctx, collection: &Loaded, parts: &Parts<'_>) -> Result<Plan> {
    let snapshot = ctx.snapshot();
    build(ctx, &snapshot, collection, parts, false)
}

/// One plan out of a filter and a sort of code: it may use hidden fields, as superusers may.
///
/// # Errors
/// [`Error::Filter`].
pub(crate) fn compile_trusted(
    ctx: &Ctx,
    collection: &Loaded,
    filter: &str,
    sort: &str,
) -> Result<Plan> {
    let snapshot = ctx.snapshot();
    let parts = Parts { filter, sort, ..Parts::default() };
    build_for(ctx, &snapshot, collection, &parts, false, Flags::RULE)
}

fn build(
    ctx: &Ctx,
    snapshot: &Snapshot,
    collection: &Loaded,
    parts: &Parts<'_>,
    draft: bool,
) -> Result<Plan> {
    let client = if ctx.caller.is_superuser() { Flags::RULE } else { Flags::CLIENT };
    if parts.filter.len() > MAX_FILTER_BYTES {
        return Err(Error::Filter(format!(
            "max filter length of {MAX_FILTER_BYTES} bytes exceeded"
        )));
    }
    build_for(ctx, snapshot, collection, parts, draft, client)
}

fn build_for(
    ctx: &Ctx,
    snapshot: &Snapshot,
    collection: &Loaded,
    parts: &Parts<'_>,
    draft: bool,
    client: Flags,
) -> Result<Plan> {
    let request = match &ctx.request {
        Some(request) if parts.needs_request(client.enforce_list_rules) => {
            Some(request.scope(&ctx.caller))
        }
        _ => None,
    };
    let scope = Scope {
        hidden_allowed: client.hidden_allowed,
        enforce_list_rules: client.enforce_list_rules,
        request,
        now_ms: crate::time::now().millis(),
        draft,
    };
    let mut resolver = Resolver::new(snapshot, collection.plan.clone(), &scope);
    if !parts.rule.is_empty() {
        resolver = resolver
            .filter(&*ctx.app.asts().parse(parts.rule)?, Flags::RULE)
            .map_err(|e| filter_error(&e))?;
    }
    if !parts.filter.is_empty() {
        resolver = resolver
            .filter(&*ctx.app.asts().parse(parts.filter)?, client)
            .map_err(|e| filter_error(&e))?;
    }
    if !parts.sort.is_empty() {
        resolver = resolver.sort(parts.sort, client).map_err(|e| filter_error(&e))?;
    }
    let plan = resolver.finish();
    match plan.broken {
        None => Ok(plan),
        // What the reference builds, but its database always refuses.
        Some(why) => Err(Error::Store(store::Error::Driver(why.into()))),
    }
}

/// True if the stored row of a record satisfies a rule.
///
/// # Errors
/// [`Error::Filter`], or database errors.
pub async fn row_matches(ctx: &Ctx, rule: &str, record: &Record) -> Result<bool> {
    if rule.is_empty() {
        return Ok(true);
    }
    let collection = record.collection();
    let plan = compile(ctx, collection, &Parts::rule(rule))?;
    stored_matches(ctx, &plan, record).await
}

/// Where the values of a judged record are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowState {
    /// In its row.
    Stored,
    /// In its row; those of the record are of the middle of a transaction.
    Rewritten,
    /// In the record only: the row is deleted, or another by now.
    Gone,
}

/// True if a record satisfies a rule and a client's filter; superusers are clients, too (spec filter-language §1.2:
/// realtime subscriptions).
///
/// # Errors
/// [`Error::Filter`], or database errors.
pub(crate) async fn matches(
    ctx: &Ctx,
    parts: &Parts<'_>,
    record: &Record,
    row: RowState,
) -> Result<bool> {
    let snapshot = ctx.snapshot();
    let plan = build_for(ctx, &snapshot, record.collection(), parts, false, Flags::CLIENT)?;
    match row {
        RowState::Stored => stored_matches(ctx, &plan, record).await,
        RowState::Rewritten => {
            let sql = statement::exists(ctx.app.dialect(), &plan, record.stored_id());
            exists(ctx, sql).await
        }
        RowState::Gone => values_match(ctx, &plan, record).await,
    }
}

async fn values_match(ctx: &Ctx, plan: &Plan, record: &Record) -> Result<bool> {
    let fields = record.collection().fields.iter().enumerate();
    let columns: Vec<(&str, Value)> = fields
        .map(|(index, field)| (field.name.as_str(), field.kind.to_db(record.value(index))))
        .collect();
    if let Some(matches) = in_memory(plan, &GivenRow(&columns)) {
        return Ok(matches);
    }
    exists(ctx, statement::exists_as(ctx.app.dialect(), plan, &columns)).await
}

async fn stored_matches(ctx: &Ctx, plan: &Plan, record: &Record) -> Result<bool> {
    if let Some(matches) = in_memory(plan, &StoredRow(record)) {
        return Ok(matches);
    }
    exists(ctx, statement::exists(ctx.app.dialect(), plan, record.stored_id())).await
}

/// [`row_matches`] as a statement that returns a row if it does.
///
/// # Errors
/// [`Error::Filter`].
pub(crate) fn stored_question(ctx: &Ctx, rule: &str, record: &Record) -> Result<store::Sql> {
    let plan = compile(ctx, record.collection(), &Parts::rule(rule))?;
    Ok(statement::exists(ctx.app.dialect(), &plan, record.stored_id()))
}

/// What a would-be record is to a rule.
#[derive(Debug)]
pub struct DraftVerdict {
    /// The rule lets it through.
    pub matches: bool,
    /// The statement that was asked, if other rows had to be looked at.
    pub asked: Option<store::Sql>,
}

/// Judges a would-be record by a rule (spec filter-language §11.3).
///
/// # Errors
/// [`Error::Filter`], or database errors.
pub async fn judge_draft(
    ctx: &Ctx,
    collection: &Loaded,
    rule: &str,
    record: &Record,
) -> Result<DraftVerdict> {
    if rule.is_empty() {
        return Ok(DraftVerdict { matches: true, asked: None });
    }
    let plan = build(ctx, &ctx.snapshot(), collection, &Parts::rule(rule), true)?;
    let columns = draft_columns(collection, record);
    if let Some(matches) = in_memory(&plan, &GivenRow(&columns)) {
        return Ok(DraftVerdict { matches, asked: None });
    }
    let sql = statement::exists_draft(ctx.app.dialect(), &plan, &columns);
    let matches = exists(ctx, sql.clone()).await?;
    Ok(DraftVerdict { matches, asked: Some(sql) })
}

/// The would-be row: no autodates, not verified, a made-up id where none was submitted.
fn draft_columns<'c>(collection: &'c Loaded, record: &Record) -> Vec<(&'c str, Value)> {
    let mut columns = Vec::with_capacity(collection.columns.len());
    for (index, field) in collection.fields.iter().enumerate() {
        let val = record.value(index);
        let value = match field.name.as_str() {
            "id" if val.as_str().is_empty() => Value::Text(
                format!(
                    "__temp_id____pb_create__{}",
                    id::random(6, b"abcdefghijklmnopqrstuvwxyz0123456789")
                )
                .into(),
            ),
            "verified" if collection.is_auth() => Value::Int(0),
            _ => field.kind.to_db(val),
        };
        columns.push((field.name.as_str(), value));
    }
    columns
}

/// Evaluates a plan without the database, if it needs no other rows.
fn in_memory(plan: &Plan, row: &dyn Row) -> Option<bool> {
    filter_lang::eval::eval(plan, row).ok()
}

/// The stored values of a record.
struct StoredRow<'r>(&'r Record);

impl Row for StoredRow<'_> {
    fn get(&self, column: &str) -> Value {
        match self.0.collection().field_at(column) {
            Some((index, field)) => field.kind.to_db(&self.0.originals()[index]),
            None => Value::Null,
        }
    }
}

/// A row of given values: as a table holds them, or the would-be row, whose numbers are reals (spec filter-language §5.4).
struct GivenRow<'r>(&'r [(&'r str, Value)]);

impl Row for GivenRow<'_> {
    fn get(&self, column: &str) -> Value {
        self.0
            .iter()
            .find(|(name, _)| *name == column)
            .map_or(Value::Null, |(_, value)| value.clone())
    }
}

async fn exists(ctx: &Ctx, sql: store::Sql) -> Result<bool> {
    ctx.db
        .query_now(sql, |rows| Ok(rows.next()?.is_some()))
        .await
        .and_then(|found| found)
        .map_err(Error::Store)
}

/// The ids among these whose rows satisfy a rule.
///
/// # Errors
/// [`Error::Filter`], or database errors.
pub async fn matching_ids(
    ctx: &Ctx,
    collection: &Loaded,
    rule: &str,
    ids: &[String],
) -> Result<HashSet<String>> {
    let plan = compile(ctx, collection, &Parts::rule(rule))?;
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let columns = ColumnList::new(&["id"]);
    let select = Select { only: Only::Ids(&ids), ..Select::all(&columns) };
    let sql = statement::page(ctx.app.dialect(), &plan, &select);
    let read = |rows: &mut Rows<'_>| {
        let mut found = HashSet::new();
        while let Some(row) = rows.next()? {
            found.insert(row.text(0).to_owned());
        }
        Ok(found)
    };
    ctx.db.query(sql, read).await.and_then(|found| found).map_err(Error::Store)
}

/// How many rows a collection has.
///
/// # Errors
/// Database errors.
pub async fn count_all(ctx: &Ctx, collection: &Loaded) -> Result<i64> {
    let plan = compile(ctx, collection, &Parts::default())?;
    let sql = statement::count(ctx.app.dialect(), &plan);
    ctx.db.query(sql, |rows| rows.scalar_i64()).await.and_then(|n| n).map_err(Error::Store)
}

/// The first row that satisfies a filter of our own making.
///
/// # Errors
/// [`Error::Filter`], or database errors.
pub(crate) async fn first_match(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    filter: &str,
) -> Result<Option<Record>> {
    let plan = compile(ctx, collection, &Parts::rule(filter))?;
    let select = Select { limit: Some(1), ..Select::all(&collection.select) };
    let sql = statement::page(ctx.app.dialect(), &plan, &select);
    find::one(ctx, collection, sql).await
}

/// The first rows of a collection.
///
/// # Errors
/// Database errors.
pub(crate) async fn first_rows(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    limit: u32,
) -> Result<Vec<Record>> {
    let plan = compile(ctx, collection, &Parts::default())?;
    let select = Select { limit: Some(limit), ..Select::all(&collection.select) };
    let sql = statement::page(ctx.app.dialect(), &plan, &select);
    find::many(ctx, collection, sql).await
}
