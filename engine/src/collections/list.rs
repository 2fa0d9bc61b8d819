//! Pages of collections, filtered and sorted by their plain columns (spec collections-and-fields §4, filter-language §2.6).

use std::sync::Arc;

use dialects::statement::{self, ColumnList, Only, Select};
use filter_lang::{
    MAX_FILTER_BYTES, Resolver, plan::Plan, schema as plan, scope::Scope, value::Affinity,
};

use crate::{Error, Result, ctx::Ctx, schema::Loaded};

/// The columns a filter or sort may name.
const COLUMNS: [&str; 6] = ["id", "created", "updated", "name", "system", "type"];
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

/// Lists collections.
///
/// # Errors
/// [`Error::Filter`] for a filter or sort that cannot be used; database errors.
pub async fn list(ctx: &Ctx, query: &Query) -> Result<Page> {
    let page = query.page.max(1);
    let per_page = if query.per_page <= 0 { 30 } else { query.per_page.min(MAX_PER_PAGE) };
    let plan = resolve(query)?;
    let dialect = ctx.app.dialect();
    let mut total_items = -1;
    if !query.skip_total {
        total_items =
            ctx.db.query(statement::count(dialect, &plan), |rows| rows.scalar_i64()).await??;
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
        .query(statement::page(dialect, &plan, &select), |rows| {
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

fn resolve(query: &Query) -> Result<Plan> {
    let scope =
        Scope { hidden_allowed: true, now_ms: crate::time::now().millis(), ..Scope::default() };
    let flags = (&scope).into();
    let mut resolver = Resolver::simple(base(), &COLUMNS, None, &scope);
    if query.filter.len() > MAX_FILTER_BYTES {
        return Err(Error::Filter("max filter length limit reached".into()));
    }
    let refused = |e: filter_lang::Error| Error::Filter(e.to_string());
    if !query.filter.is_empty() {
        let ast = filter_lang::parse(&query.filter).map_err(refused)?;
        resolver.filter(&ast, flags).map_err(refused)?;
    }
    resolver.sort(&query.sort, flags).map_err(refused)?;
    let plan = resolver.finish();
    match plan.broken {
        Some(reason) => Err(Error::Filter(reason.into())),
        None => Ok(plan),
    }
}

fn base() -> Arc<plan::Collection> {
    let field = |name: &str| {
        let (class, affinity) = match name {
            "system" => (plan::Class::Bool, Affinity::Num),
            _ => (plan::Class::Text, Affinity::Text),
        };
        plan::Field {
            name: name.into(),
            class,
            hidden: false,
            multiple: false,
            target: None,
            affinity,
        }
    };
    Arc::new(plan::Collection {
        id: "_collections".into(),
        name: "_collections".into(),
        kind: plan::CollectionKind::Base,
        list_rule: None,
        fields: COLUMNS.into_iter().map(field).collect(),
        unique_fields: vec!["id".into(), "name".into()],
        indexed_fields: vec!["id".into(), "name".into(), "type".into()],
        full_text: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outside_the_list_are_refused() {
        let ask = |filter: &str, sort: &str| {
            resolve(&Query { filter: filter.into(), sort: sort.into(), ..Query::default() }).is_ok()
        };
        assert!(ask("", ""));
        assert!(ask("name ~ 'demo' && system = false", "-created,@rowid"));
        for (filter, sort) in
            [("listRule = ''", ""), ("", "fields"), ("name.x = 1", ""), ("name ~", "")]
        {
            assert!(!ask(filter, sort), "{filter} {sort}");
        }
        assert!(!ask(&format!("name = '{}'", "x".repeat(MAX_FILTER_BYTES)), ""));
    }
}
