//! Lists, views and the reads of expand, under rules (spec records-files §1.2, §1.3).
//!
//! The fast path: when no hook, expand or manage rule needs records, rows are written straight into the response.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use dialects::statement::{self, Only, Select};

use super::{
    Record, RecordRef, enrich,
    expand::Paths,
    export::{self, Viewer},
    find::{self, corrupt},
    spread::{self, Sheet, Wishes},
};
use crate::{
    Error, Result,
    ctx::Ctx,
    rule::{self, Parts},
    schema::Loaded,
    store::{self, Rows, Sql, Ways},
};

/// The longest page.
pub const MAX_PER_PAGE: u32 = 1000;

/// A list request, already parsed.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// From 1.
    pub page: i64,
    /// 1 to [`MAX_PER_PAGE`].
    pub per_page: u32,
    /// Do not count.
    pub skip_total: bool,
    /// The client's filter; empty for none.
    pub filter: String,
    /// The client's sort; empty for none.
    pub sort: String,
    /// Wanted relations.
    pub expand: Paths,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self {
            page: 1,
            per_page: 30,
            skip_total: false,
            filter: String::new(),
            sort: String::new(),
            expand: Paths::default(),
        }
    }
}

/// The answer to a list request.
#[derive(Debug)]
pub enum ListOutcome {
    /// The complete envelope, without a final newline, and how many items it has.
    Json { body: Vec<u8>, n_items: usize },
    /// Records that still have to be [enriched](super::enrich()) and written with [`ListPage::to_json`].
    Page(ListPage),
}

/// One page of records.
#[derive(Debug)]
pub struct ListPage {
    pub records: Vec<RecordRef>,
    pub page: i64,
    pub per_page: u32,
    /// −1 without a count.
    pub total_items: i64,
}

impl ListPage {
    /// Number of pages, −1 without a count.
    #[must_use]
    pub fn total_pages(&self) -> i64 {
        total_pages(self.total_items, self.per_page)
    }
    /// The envelope, without a final newline.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        self.to_json_with(self.total_pages())
    }
    /// The envelope with another number of pages.
    #[must_use]
    pub fn to_json_with(&self, total_pages: i64) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.records.len() * 512);
        out.extend_from_slice(OPEN);
        for (i, record) in self.records.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            export::write_json(record, &mut out);
        }
        close_with(&mut out, self.page, self.per_page, self.total_items, total_pages);
        out
    }
}

const OPEN: &[u8] = b"{\"items\":[";

fn total_pages(total: i64, per_page: u32) -> i64 {
    let per_page = i64::from(per_page.max(1));
    if total < 0 { -1 } else { (total + per_page - 1) / per_page }
}

fn close_envelope(out: &mut Vec<u8>, page: i64, per_page: u32, total: i64) {
    close_with(out, page, per_page, total, total_pages(total, per_page));
}

fn close_with(out: &mut Vec<u8>, page: i64, per_page: u32, total: i64, total_pages: i64) {
    let mut digits = itoa::Buffer::new();
    let mut put = |key: &[u8], n: i64| {
        out.extend_from_slice(key);
        out.extend_from_slice(digits.format(n).as_bytes());
    };
    put(b"],\"page\":", page);
    put(b",\"perPage\":", per_page.into());
    put(b",\"totalItems\":", total);
    put(b",\"totalPages\":", total_pages);
    out.push(b'}');
}

/// The rule a caller is subject to: empty for superusers and public collections.
///
/// # Errors
/// [`Error::Refused`] when the rule is locked.
pub(crate) fn effective_rule<'c>(ctx: &Ctx, rule: Option<&'c str>) -> Result<&'c str> {
    match rule {
        _ if ctx.caller.is_superuser() => Ok(""),
        None => Err(Error::Refused { locked: true }),
        Some(rule) => Ok(rule),
    }
}

/// True if rows can be written as they come, relations aside.
pub(super) fn is_shown_plainly(ctx: &Ctx, collection: &Loaded) -> bool {
    !enrich::has_hooks(ctx, collection)
        && (ctx.caller.is_superuser() || enrich::manage_rule_of(collection).is_none())
}

/// Reads one page under the list rule.
///
/// # Errors
/// [`Error::Refused`] when the rule is locked, [`Error::Filter`] for bad expressions, database errors.
pub async fn list(ctx: &Ctx, collection: &Arc<Loaded>, query: &ListQuery) -> Result<ListOutcome> {
    let rule = effective_rule(ctx, collection.list_rule.as_deref())?;
    let plan =
        rule::compile(ctx, collection, &Parts { rule, filter: &query.filter, sort: &query.sort })?;
    let (page, per_page) = (query.page.max(1), query.per_page.clamp(1, MAX_PER_PAGE));
    let select = Select {
        limit: Some(per_page),
        offset: u64::try_from((page - 1).saturating_mul(per_page.into())).unwrap_or(0),
        ..Select::all(&collection.select)
    };
    // Page and count share what it takes to get there.
    let asked = ctx.app.dialect().query(&plan);
    let ways = asked.page_ways(&select);
    let sql = Ways {
        count: ways.len(),
        sql: &|way| asked.page_in(&select, ways[way]),
        rows: select.offset + u64::from(per_page),
    };
    let db = ctx.db.anywhere();
    let count = (!query.skip_total).then(|| asked.count());
    // The rows of a view may be more than its ids, which are what counts.
    let early = (!collection.is_view()).then_some((select.offset, per_page));
    if !ctx.app.hooks().records_list_request.is_bound_to(&**collection)
        && spread::is_possible(ctx, collection, &query.expand)
    {
        if !query.expand.is_empty() {
            let wishes = Wishes::of(ctx, collection, &query.expand);
            let rows = db.query_ways(&sql, read_sheet(ctx, collection, &wishes));
            let (sheet, total) = with_total(ctx, rows, count, early, Sheet::len).await?;
            let n_items = sheet.len();
            let mut body = Vec::with_capacity(16 << 10);
            body.extend_from_slice(OPEN);
            spread::write(ctx, sheet, wishes, &mut body).await?;
            close_envelope(&mut body, page, per_page, total);
            return Ok(ListOutcome::Json { body, n_items });
        }
        let (owned, viewer) = (collection.clone(), Viewer::of(&ctx.caller, collection));
        let read = move |rows: &mut Rows<'_>| write_rows(&owned, &viewer, rows);
        let rows = db.query_ways(&sql, read);
        let ((mut body, n_items), total) = with_total(ctx, rows, count, early, |p| p.1).await?;
        close_envelope(&mut body, page, per_page, total);
        return Ok(ListOutcome::Json { body, n_items });
    }
    let owned = collection.clone();
    let rows = db.query_ways(&sql, move |rows: &mut Rows<'_>| read_rows(&owned, rows, 0));
    let (rows, total) = with_total(ctx, rows, count, early, Vec::len).await?;
    let records = rows.into_iter().map(|(_, record)| record.into()).collect();
    Ok(ListOutcome::Page(ListPage { records, page, per_page, total_items: total }))
}

/// Runs a page and, beside it on another reader, its count. `early`: where the page begins and how long it may be, if one
/// that ends early needs no count.
async fn with_total<T>(
    ctx: &Ctx,
    page: impl Future<Output = store::Result<Result<T>>>,
    count: Option<Sql>,
    early: Option<(u64, u32)>,
    len: impl Fn(&T) -> usize,
) -> Result<(T, i64)> {
    let Some(count) = count else { return Ok((page.await.map_err(Error::Store)??, -1)) };
    let mut page = pin!(page);
    // Cheap pages are ready at the first poll; slow ones moved to the reader lane.
    let first = poll_fn(|cx| Poll::Ready(page.as_mut().poll(cx))).await;
    let count = async {
        ctx.db
            .anywhere()
            .query(count, |rows| rows.scalar_i64())
            .await
            .and_then(|total| total)
            .map_err(Error::Store)
    };
    match first {
        Poll::Ready(found) => {
            let found = found.map_err(Error::Store)??;
            let n = len(&found);
            if let Some((offset, per_page)) = early
                && n < per_page as usize
                && (n > 0 || offset == 0)
            {
                let total = i64::try_from(offset)
                    .unwrap_or(i64::MAX)
                    .saturating_add(i64::try_from(n).unwrap_or(0));
                return Ok((found, total));
            }
            Ok((found, count.await?))
        }
        Poll::Pending => {
            let (found, total) = tokio::join!(page, count);
            Ok((found.map_err(Error::Store)??, total?))
        }
    }
}

fn write_rows(
    collection: &Loaded,
    viewer: &Viewer,
    rows: &mut Rows<'_>,
) -> Result<(Vec<u8>, usize)> {
    let mut out = Vec::with_capacity(8 << 10);
    out.extend_from_slice(OPEN);
    let mut n = 0;
    while let Some(row) = rows.next().map_err(Error::Store)? {
        if n > 0 {
            out.push(b',');
        }
        n += 1;
        export::write_row(collection, &row, viewer, &mut out).map_err(|e| corrupt(&e))?;
    }
    Ok((out, n))
}

/// The reader of rows whose relations are wanted.
fn read_sheet(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    wishes: &Wishes,
) -> impl FnOnce(&mut Rows<'_>) -> Result<Sheet> + Clone + Send + 'static {
    let (owned, viewer) = (collection.clone(), Viewer::of(&ctx.caller, collection));
    let fields = wishes.fields();
    move |rows| Sheet::read(&owned, &viewer, &fields, false, rows)
}

/// Records of rows; with `from` = 1 the first column is the parent's id.
fn read_rows(
    collection: &Arc<Loaded>,
    rows: &mut Rows<'_>,
    from: usize,
) -> Result<Vec<(String, Record)>> {
    let mut out = Vec::new();
    while let Some(row) = rows.next().map_err(Error::Store)? {
        let parent = if from > 0 { row.text(0).to_owned() } else { String::new() };
        let values = find::values_of_row(collection, &row, from).map_err(|e| corrupt(&e))?;
        out.push((parent, Record::stored(collection, values)));
    }
    Ok(out)
}

/// The answer to a view request.
#[derive(Debug)]
pub enum ViewOutcome {
    /// The record as JSON, without a final newline.
    Json(Vec<u8>),
    /// A record that still has to be [enriched](super::enrich()) and written.
    Record(RecordRef),
}

/// Reads one record under the view rule.
///
/// # Errors
/// [`Error::Refused`] when the rule is locked, [`Error::NotFound`] when it is missing or refused or the rule fails.
pub async fn view(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    id: &str,
    expand: &Paths,
) -> Result<ViewOutcome> {
    let rule = effective_rule(ctx, collection.view_rule.as_deref())?;
    let dialect = ctx.app.dialect();
    let sql = if rule.is_empty() {
        statement::select_by_id(dialect, &collection.name, &collection.select, id)
    } else {
        let plan =
            rule::compile(ctx, collection, &Parts::rule(rule)).map_err(|_| Error::NotFound)?;
        let select =
            Select { only: Only::Id(id), limit: Some(1), ..Select::all(&collection.select) };
        statement::page(dialect, &plan, &select)
    };
    let owned = collection.clone();
    if !ctx.app.hooks().record_view_request.is_bound_to(&**collection)
        && spread::is_possible(ctx, collection, expand)
    {
        if !expand.is_empty() {
            let wishes = Wishes::of(ctx, collection, expand);
            let read = read_sheet(ctx, collection, &wishes);
            let sheet = ctx.db.anywhere().query_now(sql, read).await.map_err(missing)??;
            if sheet.len() == 0 {
                return Err(Error::NotFound);
            }
            let mut body = Vec::with_capacity(2 << 10);
            spread::write(ctx, sheet, wishes, &mut body).await?;
            return Ok(ViewOutcome::Json(body));
        }
        let viewer = Viewer::of(&ctx.caller, collection);
        let read = move |rows: &mut Rows<'_>| -> Result<Vec<u8>> {
            let row = rows.next().map_err(Error::Store)?.ok_or(Error::NotFound)?;
            let mut out = Vec::with_capacity(1 << 10);
            export::write_row(&owned, &row, &viewer, &mut out).map_err(|e| corrupt(&e))?;
            Ok(out)
        };
        let body = ctx.db.anywhere().query_now(sql, read).await.map_err(missing)??;
        return Ok(ViewOutcome::Json(body));
    }
    let read = move |rows: &mut Rows<'_>| read_rows(&owned, rows, 0);
    let found = ctx.db.anywhere().query_now(sql, read).await.map_err(missing)??;
    let (_, record) = found.into_iter().next().ok_or(Error::NotFound)?;
    Ok(ViewOutcome::Record(record.into()))
}

/// A view that the database refuses shows nothing.
fn missing(error: store::Error) -> Error {
    Error::Store(error).unless_outage(Error::NotFound)
}

/// Reads records under a rule (`None`: no rule), with the parent's id for [`Only::LinkedTo`].
pub(crate) async fn fetch(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    rule: Option<&str>,
    only: Only<'_>,
) -> Result<Vec<(String, Record)>> {
    let plan = rule::compile(ctx, collection, &Parts::rule(rule.unwrap_or("")))?;
    let from = usize::from(matches!(only, Only::LinkedTo { .. }));
    let sql = statement::page(
        ctx.app.dialect(),
        &plan,
        &Select { only, ..Select::all(&collection.select) },
    );
    let owned = collection.clone();
    ctx.db
        .anywhere()
        .query(sql, move |rows| read_rows(&owned, rows, from))
        .await
        .map_err(Error::Store)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelope() {
        for (page, per_page, total, want) in [
            (1, 30, 0, r#"],"page":1,"perPage":30,"totalItems":0,"totalPages":0}"#),
            (
                i64::MAX,
                2,
                0,
                r#"],"page":9223372036854775807,"perPage":2,"totalItems":0,"totalPages":0}"#,
            ),
            (3, 2, 5, r#"],"page":3,"perPage":2,"totalItems":5,"totalPages":3}"#),
            (1, 1000, -1, r#"],"page":1,"perPage":1000,"totalItems":-1,"totalPages":-1}"#),
        ] {
            let mut out = Vec::new();
            close_envelope(&mut out, page, per_page, total);
            assert_eq!(String::from_utf8(out).expect("utf-8"), want);
        }
    }
}
