//! Reading and emptying the activity log: pages, one entry, entries per hour. Writing it is `log.rs`.
//!
//! Filters and sorts go through the compiler with the simple resolver (spec filter-language §2.6): the columns of the
//! log and JSON paths into `data`. Source: spec server-settings-operations §5.1.

use dialects::{
    Sql,
    statement::{self, ColumnList, Only, Select},
};
use filter_lang::{schema::Class, value::Affinity};
use serde_json::Value;

use crate::{
    Error, Result,
    ctx::Ctx,
    explain::Refused,
    json,
    plain_table::PlainTable,
    store::{
        self, Db, RowRef, Rows,
        raw::{self, PlanStep},
    },
};

/// The table in `auxiliary.db`.
const TABLE: PlainTable = PlainTable {
    name: "_logs",
    columns: &[
        ("id", Class::Text, Affinity::Text),
        ("created", Class::Text, Affinity::Text),
        ("level", Class::Number, Affinity::Num),
        ("message", Class::Text, Affinity::Text),
        ("data", Class::Json, Affinity::Num),
    ],
    json: Some("data"),
    unique: &["id"],
    indexed: &["id", "level", "message"],
};
/// The columns of an answer, in its order.
const SHOWN: [&str; 5] = ["id", "created", "data", "message", "level"];
/// Most hours in one answer: ten years.
const MAX_HOURS: usize = 24 * 366 * 10;

/// Which page of the log.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// From 1.
    pub page: i64,
    /// 1 to 1000.
    pub per_page: i64,
    /// Do not count; totals become −1.
    pub skip_total: bool,
    /// Empty for none.
    pub filter: String,
    /// Empty for insertion order.
    pub sort: String,
}

/// Entries of one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hour {
    /// Its beginning, in the wire format.
    pub date: String,
    /// How many.
    pub total: i64,
}

/// Why a filter or sort of the log is refused, and where.
#[must_use]
pub fn refused(filter: &str, sort: &str) -> Option<Refused> {
    TABLE.refused(filter, sort).map(|(part, error)| Refused::new(part, &error))
}

/// The plan and the statement of a page of the log, and what the database does with it if that is wanted.
///
/// # Errors
/// [`Error::Filter`]; database errors.
pub async fn explain(
    ctx: &Ctx,
    (filter, sort): (&str, &str),
    steps: bool,
) -> Result<(String, Sql, Vec<PlanStep>)> {
    let (plan, sql) = TABLE.explain(ctx.app.dialect(), filter, sort)?;
    let aux = Db::Pool(ctx.app.store().aux().clone());
    let steps = if steps { raw::explain(&aux, sql.clone()).await? } else { Vec::new() };
    Ok((plan, sql, steps))
}

/// One page as the complete envelope, without a final newline.
///
/// # Errors
/// [`Error::Filter`] for a filter or sort that cannot be used; database errors.
pub async fn list(ctx: &Ctx, query: &Query) -> Result<Vec<u8>> {
    let plan = TABLE.plan(&query.filter, &query.sort)?;
    let (aux, asked) = (ctx.app.store().aux(), ctx.app.dialect().query(&plan));
    let mut total = -1;
    if !query.skip_total {
        total = aux.anywhere().query(asked.count(), |rows| rows.scalar_i64()).await??;
    }
    let columns = ColumnList::new(&SHOWN);
    let select = Select {
        columns: &columns,
        only: Only::All,
        limit: u32::try_from(query.per_page).ok(),
        offset: u64::try_from((query.page - 1).saturating_mul(query.per_page)).unwrap_or_default(),
    };
    let mut out = Vec::with_capacity(4096);
    out.extend_from_slice(b"{\"items\":[");
    out.extend(aux.anywhere().query(asked.page(&select), write_items).await??);
    let pages = if total < 0 { -1 } else { (total + query.per_page - 1) / query.per_page.max(1) };
    let (page, per_page) = (query.page, query.per_page);
    let end = format!(
        "],\"page\":{page},\"perPage\":{per_page},\"totalItems\":{total},\"totalPages\":{pages}}}"
    );
    out.extend_from_slice(end.as_bytes());
    Ok(out)
}

/// One entry as JSON, without a final newline.
///
/// # Errors
/// [`Error::NotFound`], or database errors.
pub async fn view(ctx: &Ctx, id: &str) -> Result<Vec<u8>> {
    let columns = ColumnList::new(&SHOWN);
    let sql = statement::select_by_id(ctx.app.dialect(), TABLE.name, &columns, id);
    let out = ctx.app.store().aux().anywhere().query(sql, write_items).await??;
    if out.is_empty() { Err(Error::NotFound) } else { Ok(out) }
}

/// The hours that have entries, the oldest first.
///
/// # Errors
/// [`Error::Filter`] for a filter that cannot be used; database errors.
pub async fn hours(ctx: &Ctx, filter: &str) -> Result<Vec<Hour>> {
    let sql = hours_statement(ctx, filter)?;
    let read = |rows: &mut Rows<'_>| {
        let mut hours = Vec::new();
        while hours.len() < MAX_HOURS
            && let Some(row) = rows.next()?
        {
            let date = row.text(0);
            let total = row.get(1).as_i64().unwrap_or_default();
            // An entry whose time cannot be read belongs to no hour.
            if !date.is_empty() {
                hours.push(Hour { date: format!("{date}.000Z"), total });
            }
        }
        Ok::<_, store::Error>(hours)
    };
    Ok(ctx.app.store().aux().anywhere().query(sql, read).await??)
}

fn hours_statement(ctx: &Ctx, filter: &str) -> Result<Sql> {
    let plan = TABLE.plan(filter, "")?;
    Ok(statement::count_by_hour(ctx.app.dialect(), &plan, "created"))
}

/// Deletes all entries. No hooks.
///
/// # Errors
/// Database errors.
pub async fn clear(ctx: &Ctx) -> Result<()> {
    Ok(ctx.app.log().clear().await?)
}

/// Rows of [`SHOWN`] as comma-joined objects.
fn write_items(rows: &mut Rows<'_>) -> store::Result<Vec<u8>> {
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        if !out.is_empty() {
            out.push(b',');
        }
        write_item(&row, &mut out);
    }
    Ok(out)
}

fn write_item(row: &RowRef<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":");
    json::write_str(out, row.text(0));
    out.extend_from_slice(b",\"created\":");
    json::write_str(out, row.text(1));
    out.extend_from_slice(b",\"data\":");
    match serde_json::from_str(row.text(2)) {
        Ok(data @ Value::Object(_)) => json::write_sorted(out, &data),
        _ => out.extend_from_slice(b"{}"),
    }
    out.extend_from_slice(b",\"message\":");
    json::write_str(out, row.text(3));
    out.extend_from_slice(b",\"level\":");
    json::write_i64(out, row.get(4).as_i64().unwrap_or_default());
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        App,
        app::Config,
        event::Hooks,
        log::Entry,
        time::{self, Timestamp},
    };

    #[test]
    fn names_outside_the_list_are_refused() {
        let ask = |filter: &str, sort: &str| TABLE.plan(filter, sort).is_ok();
        for (filter, sort) in [
            ("", ""),
            ("data.status > 399 && level >= 0 || message ~ 'GET'", "-created,@rowid,@random"),
            ("data.a.0.b = 1 && data.a:b = 1", "data.execTime"),
            ("created > @yesterday", ""),
        ] {
            assert!(ask(filter, sort), "{filter} {sort}");
        }
        for (filter, sort) in [
            ("rowid = 1", ""),
            ("@request.auth.id = ''", ""),
            ("message:lower = 'x'", ""),
            ("data.x. = 1", ""),
            ("data.x: = 1", ""),
            ("message.x = 1", ""),
            ("", "bogus"),
            ("level =", ""),
        ] {
            assert!(!ask(filter, sort), "{filter} {sort}");
        }
        assert!(!ask(&format!("message = '{}'", "x".repeat(filter_lang::MAX_FILTER_BYTES)), ""));
    }

    async fn logged() -> (tempfile::TempDir, App) {
        let dir = tempfile::tempdir().unwrap();
        let app = App::bootstrap(Config::new(dir.path()), Hooks::default()).await.unwrap();
        let base = time::now().millis() / 86_400_000 * 86_400_000 - 86_400_000;
        for (level, status, at) in [(0, 200, 1), (8, 404, 2), (0, 204, 3_600_000)] {
            let data = format!(r#"{{"url":"/<x>","status":{status},"list":[{{"n":{status}}}]}}"#);
            let created = Timestamp::from_millis(base + at);
            app.log().push(Entry {
                level,
                message: format!("GET /{status}").into(),
                data: data.into(),
                created,
            });
        }
        app.log().flush().await;
        (dir, app)
    }

    async fn messages(ctx: &Ctx, filter: &str, sort: &str) -> Vec<String> {
        let query = Query {
            page: 1,
            per_page: 30,
            filter: filter.into(),
            sort: sort.into(),
            ..Query::default()
        };
        let page: Value = serde_json::from_slice(&list(ctx, &query).await.unwrap()).unwrap();
        let items = page["items"].as_array().unwrap();
        items.iter().map(|item| item["message"].as_str().unwrap().to_owned()).collect()
    }

    #[tokio::test]
    async fn pages_filters_and_hours() {
        let (_dir, app) = logged().await;
        let ctx = Ctx::system(&app);
        assert_eq!(messages(&ctx, "", "").await, ["GET /200", "GET /404", "GET /204"]);
        assert_eq!(
            messages(&ctx, "data.status>=204", "-data.status").await,
            ["GET /404", "GET /204"]
        );
        assert_eq!(messages(&ctx, "data.list.0.n=404", "").await, ["GET /404"]);
        assert_eq!(messages(&ctx, "level='0'", "-message").await, ["GET /204", "GET /200"]);
        assert_eq!(messages(&ctx, "data~'404'", "").await, ["GET /404"]);
        assert_eq!(messages(&ctx, "data.missing=null", "-@rowid").await.len(), 3);
        let hours_of = |found: Vec<Hour>| found.iter().map(|hour| hour.total).collect::<Vec<_>>();
        let all = hours(&ctx, "").await.unwrap();
        assert!(all[0].date.ends_with(" 00:00:00.000Z") && all[0].date < all[1].date, "{all:?}");
        assert_eq!(hours_of(all), [2, 1]);
        assert_eq!(hours_of(hours(&ctx, "level=8").await.unwrap()), [1]);
        assert!(matches!(hours(&ctx, "x=1").await, Err(Error::Filter(_))));
        app.shutdown(false).await.unwrap();
    }

    #[tokio::test]
    async fn envelope_and_view() {
        let (_dir, app) = logged().await;
        let ctx = Ctx::system(&app);
        let query = Query { page: 2, per_page: 2, ..Query::default() };
        let text = String::from_utf8(list(&ctx, &query).await.unwrap()).unwrap();
        assert!(
            text.ends_with(r#""message":"GET /204","level":0}],"page":2,"perPage":2,"totalItems":3,"totalPages":2}"#),
            "{text}"
        );
        let page: Value = serde_json::from_str(&text).unwrap();
        let id = page["items"][0]["id"].as_str().unwrap();
        let one = String::from_utf8(view(&ctx, id).await.unwrap()).unwrap();
        assert!(
            one.contains(r#","data":{"list":[{"n":204}],"status":204,"url":"/<x>"},"message""#),
            "{one}"
        );
        assert!(matches!(view(&ctx, "missing").await, Err(Error::NotFound)));
        app.shutdown(false).await.unwrap();
    }

    /// The hours of a large log come from the index over them.
    #[tokio::test]
    async fn hours_use_their_index() {
        let (_dir, app) = logged().await;
        let sql = hours_statement(&Ctx::system(&app), "").unwrap();
        let db = Db::Pool(app.store().aux().clone());
        let steps = raw::explain(&db, sql).await.unwrap();
        let steps: Vec<String> = steps.into_iter().map(|step| step.detail).collect();
        let steps = steps.join("\n");
        assert!(steps.contains("idx_logs_created_hour") && !steps.contains("B-TREE"), "{steps}");
        app.shutdown(false).await.unwrap();
    }
}
