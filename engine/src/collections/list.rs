//! Pages of collections, filtered and sorted by their plain columns (spec collections-and-fields §4, filter-language §2.6).

use std::sync::Arc;

use dialects::{
    Sql,
    statement::{ColumnList, Only, Select},
};
use filter_lang::{schema::Class, value::Affinity};

use crate::{
    Result,
    ctx::Ctx,
    explain::Refused,
    plain_table::PlainTable,
    schema::Loaded,
    store::raw::{self, PlanStep},
};

const TABLE: PlainTable = PlainTable {
    name: "_collections",
    columns: &[
        ("id", Class::Text, Affinity::Text),
        ("created", Class::Text, Affinity::Text),
        ("updated", Class::Text, Affinity::Text),
        ("name", Class::Text, Affinity::Text),
        ("system", Class::Bool, Affinity::Num),
        ("type", Class::Text, Affinity::Text),
    ],
    json: None,
    unique: &["id", "name"],
    indexed: &["id", "name", "type"],
};
/// Most collections on one page.
const MAX_PER_PAGE: i64 = 1000;

/// Which page of which collections.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// From 1; anything below is 1.
    pub page: i64,
    /// 0 and below is 30; at most 1000.
    pub per_page: i64,
    /// Do not count; totals become −1.
    pub skip_total: bool,
    /// Empty for none.
    pub filter: String,
    /// Empty for insertion order.
    pub sort: String,
}

/// One page.
#[derive(Debug, Clone)]
pub struct Page {
    /// The collections, in order.
    pub items: Vec<Arc<Loaded>>,
    /// As used.
    pub page: i64,
    /// As used.
    pub per_page: i64,
    /// −1 without a count.
    pub total_items: i64,
    /// −1 without a count.
    pub total_pages: i64,
}

/// Why a filter or sort of collections is refused, and where.
#[must_use]
pub fn refused(filter: &str, sort: &str) -> Option<Refused> {
    TABLE.refused(filter, sort).map(|(part, error)| Refused::new(part, &error))
}

/// The plan and the statement of a page of collections, and what the database does with it if that is wanted.
///
/// # Errors
/// [`Error::Filter`](crate::Error::Filter); database errors.
pub async fn explain(
    ctx: &Ctx,
    (filter, sort): (&str, &str),
    steps: bool,
) -> Result<(String, Sql, Vec<PlanStep>)> {
    let (plan, sql) = TABLE.explain(ctx.app.dialect(), filter, sort)?;
    let steps = if steps { raw::explain(&ctx.db, sql.clone()).await? } else { Vec::new() };
    Ok((plan, sql, steps))
}

/// Lists collections.
///
/// # Errors
/// [`Error::Filter`](crate::Error::Filter) for a filter or sort that cannot be used; database errors.
pub async fn list(ctx: &Ctx, query: &Query) -> Result<Page> {
    let page = query.page.max(1);
    let per_page = if query.per_page <= 0 { 30 } else { query.per_page.min(MAX_PER_PAGE) };
    let plan = TABLE.plan(&query.filter, &query.sort)?;
    let asked = ctx.app.dialect().query(&plan);
    let mut total_items = -1;
    if !query.skip_total {
        total_items = ctx.db.query(asked.count(), |rows| rows.scalar_i64()).await??;
    }
    // With a column that no index has, rows without a sort come in insertion order, as in the reference.
    let columns = ColumnList::new(&["id", "created"]);
    let select = Select {
        columns: &columns,
        only: Only::All,
        limit: u32::try_from(per_page).ok(),
        offset: u64::try_from((page - 1).saturating_mul(per_page)).unwrap_or_default(),
    };
    let ids = ctx
        .db
        .query(asked.page(&select), |rows| {
            let mut ids = Vec::new();
            while let Some(row) = rows.next()? {
                ids.push(row.text(0).to_owned());
            }
            Ok::<_, crate::store::Error>(ids)
        })
        .await??;
    let snapshot = ctx.snapshot();
    let items = ids.iter().filter_map(|id| snapshot.by_id(id).cloned()).collect();
    let total_pages = if total_items < 0 { -1 } else { (total_items + per_page - 1) / per_page };
    Ok(Page { items, page, per_page, total_items, total_pages })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outside_the_list_are_refused() {
        let ask = |filter: &str, sort: &str| TABLE.plan(filter, sort).is_ok();
        assert!(ask("", ""));
        assert!(ask("name ~ 'demo' && system = false", "-created,@rowid"));
        for (filter, sort) in
            [("listRule = ''", ""), ("", "fields"), ("name.x = 1", ""), ("name ~", "")]
        {
            assert!(!ask(filter, sort), "{filter} {sort}");
        }
        assert!(!ask(&format!("name = '{}'", "x".repeat(filter_lang::MAX_FILTER_BYTES)), ""));
    }
}
