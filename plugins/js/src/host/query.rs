//! Queries (spec extending §8): `db()`, written and built queries, what they are read into.

use std::sync::Arc;

use parking_lot::Mutex;
use pocketbase::{
    Collection, Record,
    db::{Db, Definition, Expr, Query, Row, SelectQuery},
};
use rquickjs::{Ctx, Value};
use serde_json::{Map, Value as Json};

use super::model::{Model, NullCell, fill_column, fill_list, item_of};
use crate::{
    bind::{Args, Fail, Held, Res, Shared, ToJs, Val, as_host, is_nil, native, table},
    run::wait,
};

/// A place for queries.
pub(crate) struct Builder(pub(crate) Db);
/// A written query.
pub(crate) struct Written {
    db: Db,
    text: Mutex<String>,
    params: Mutex<Map<String, Json>>,
}
/// A query that is being built.
pub(crate) struct Select {
    query: Mutex<SelectQuery>,
    gives: Gives,
}
/// What the rows of a query are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gives {
    Rows,
    Records,
    Collections,
}
/// A condition.
pub(crate) struct Condition(pub(crate) Expr);
/// What a change has done.
pub(crate) struct Changed(u64, i64);
/// The rows of a query, one after the other.
pub(crate) struct Cursor {
    rows: Vec<Row>,
    /// How many were taken.
    taken: Mutex<usize>,
}

native!(
    Builder = BUILDER,
    Written = QUERY,
    Select = SELECT,
    Cursor = ROWS,
    Condition = CONDITION,
    Changed = CHANGED,
);

table! {
    pub(crate) static BUILDER: Builder = "dbx.Builder", "A place for queries." {
        fn "newQuery" "(sql: string): dbx.Query" "A written query." => |cx, b, a| shared(Written {
            db: b.0.clone(),
            text: Mutex::new(a.str(0)?),
            params: Mutex::default(),
        });
        fn "select" "(...columns: string[]): dbx.SelectQuery" "A query to build." => |cx, b, a| select(b.0.select(a.texts(0)?), Gives::Rows);
        fn "insert" "(table: string, columns: { [key: string]: any }): dbx.Query" "A new row." => |cx, b, a| {
            b.change(b.0.insert(&a.str(0)?).set_all(sorted(a, 1)?).shown())
        };
        fn "upsert" "(table: string, columns: { [key: string]: any }, ...keys: string[]): dbx.Query" "Nothing: SQLite has no such statement." => |cx, b, a| b.change((String::new(), Map::new()));
        fn "update" "(table: string, columns: { [key: string]: any }, where: dbx.Expression): dbx.Query" "Changed rows." => |cx, b, a| {
            b.change(b.0.update(&a.str(0)?).set_all(sorted(a, 1)?).where_(condition(a, 2)?).shown())
        };
        fn "delete" "(table: string, where: dbx.Expression): dbx.Query" "Fewer rows." => |cx, b, a| {
            b.change(b.0.delete(&a.str(0)?).where_(condition(a, 1)?).shown())
        };
        fn "createTable" "(table: string, columns: { [key: string]: string }, ...options: string[]): dbx.Query" "A new table." => |cx, b, a| {
            let columns = sorted(a, 1)?.into_iter().map(|(name, ty)| (name, ty.as_str().unwrap_or_default().to_owned()));
            b.define(a, &Definition::CreateTable(columns.collect()))?
        };
        fn "dropTable" "(table: string): dbx.Query" "Fewer tables." => |cx, b, a| b.define(a, &Definition::DropTable)?;
        fn "renameTable" "(table: string, name: string): dbx.Query" "Another name for a table." => |cx, b, a| b.define(a, &Definition::RenameTable(a.str(1)?))?;
        fn "truncateTable" "(table: string): dbx.Query" "An empty table." => |cx, b, a| b.define(a, &Definition::TruncateTable)?;
        fn "addColumn" "(table: string, column: string, type: string): dbx.Query" "A new column." => |cx, b, a| b.define(a, &Definition::AddColumn(a.str(1)?, a.str(2)?))?;
        fn "dropColumn" "(table: string, column: string): dbx.Query" "Fewer columns." => |cx, b, a| b.define(a, &Definition::DropColumn(a.str(1)?))?;
        fn "renameColumn" "(table: string, column: string, name: string): dbx.Query" "Another name for a column." => |cx, b, a| b.define(a, &Definition::RenameColumn(a.str(1)?, a.str(2)?))?;
        fn "createIndex" "(table: string, name: string, ...columns: string[]): dbx.Query" "A new index." => |cx, b, a| b.define(a, &Definition::CreateIndex(a.str(1)?, false, a.texts(2)?))?;
        fn "createUniqueIndex" "(table: string, name: string, ...columns: string[]): dbx.Query" "A new unique index." => |cx, b, a| b.define(a, &Definition::CreateIndex(a.str(1)?, true, a.texts(2)?))?;
        fn "dropIndex" "(table: string, name: string): dbx.Query" "Fewer indexes." => |cx, b, a| b.define(a, &Definition::DropIndex(a.str(1)?))?;
        fn "quote" "(text: string): string" "A text as SQL." => |cx, b, a| format!("'{}'", a.str(0)?.replace('\'', "''"));
        fn "quoteSimpleTableName" "(name: string): string" "A quoted name." => |cx, b, a| format!("`{}`", a.str(0)?);
        fn "quoteSimpleColumnName" "(name: string): string" "A quoted name." => |cx, b, a| format!("`{}`", a.str(0)?);
    }
}

table! {
    pub(crate) static QUERY: Written = "dbx.Query", "A written query." {
        fn "bind" "(params: { [key: string]: any }): dbx.Query" "Sets values of `{:name}`." => |cx, q, a| {
            let params = a.object(0, "dbx.Params")?;
            q.params.lock().extend(params);
            shared(q.another())
        };
        fn "params" "(): { [key: string]: any }" "The values." => |cx, q, a| Val::from(q.params.lock().clone());
        fn "sql" "(): string" "The text." => |cx, q, a| q.text.lock().clone();
        fn "execute" "(): sql.Result" "Runs it." => |cx, q, a| {
            // as the reference: no text, nothing to do
            let (rows, last) = if q.text.lock().is_empty() { (0, 0) } else { wait(q.query()?.insert())? };
            shared(Changed(rows, last))
        };
        fn "rows" "(): dbx.Rows" "Its rows, one after the other." => |cx, q, a| shared(Cursor::of(wait(q.query()?.all::<Row>())?));
        fn "all" "(rows: any): void" "Reads all rows into a list of `arrayOf`." => |cx, q, a| all(cx, &a.at(0), || Ok(wait(q.query()?.all::<Row>())?))?;
        fn "one" "(row: any): void" "Reads the first row into a model." => |cx, q, a| one(&a.at(0), || Ok(wait(q.query()?.one::<Row>())?))?;
        fn "row" "(...cells: any[]): void" "Reads the first row into cells." => |cx, q, a| row(a, &wait(q.query()?.one::<Row>())?)?;
        fn "column" "(list: any): void" "Reads the first column into a list of `arrayOf`." => |cx, q, a| {
            fill_column(cx, &a.at(0), wait(q.query()?.column::<Json>())?)?;
        };
        fn "prepare" "(): dbx.Query" "Itself." => |cx, q, a| shared(q.another());
        fn "close" "(): void" "Does nothing." => |cx, q, a| ();
    }
}

impl Written {
    fn another(&self) -> Self {
        Self {
            db: self.db.clone(),
            text: Mutex::new(self.text.lock().clone()),
            params: Mutex::new(self.params.lock().clone()),
        }
    }
    fn query(&self) -> Res<Query> {
        let (text, params) = (self.text.lock().clone(), self.params.lock().clone());
        if let Some(name) = placeholders(&text).find(|name| !params.contains_key(*name)) {
            return Err(Fail::other(format!("Named parameter not found: {name}")));
        }
        Ok(self.db.query(text).bind_all(params))
    }
}

table! {
    pub(crate) static SELECT: Select = "dbx.SelectQuery", "A query that is being built; its methods change it." {
        fn "select" "(...columns: string[]): dbx.SelectQuery" "The columns." => |cx, q, a| q.me().change(|s| Ok(s.select(a.texts(0)?)))?;
        fn "andSelect" "(...columns: string[]): dbx.SelectQuery" "More columns." => |cx, q, a| q.me().change(|s| Ok(s.and_select(a.texts(0)?)))?;
        fn "distinct" "(on: boolean): dbx.SelectQuery" "Each row once." => |cx, q, a| q.me().change(|s| Ok(s.distinct(a.bool(0)?)))?;
        fn "from" "(...tables: string[]): dbx.SelectQuery" "The tables." => |cx, q, a| q.me().change(|s| Ok(a.texts(0)?.iter().fold(s, |s, table| s.from(table))))?;
        fn "where" "(filter: dbx.Expression): dbx.SelectQuery" "The condition." => |cx, q, a| q.me().change(|s| Ok(s.where_(condition(a, 0)?)))?;
        fn "andWhere" "(filter: dbx.Expression): dbx.SelectQuery" "One more condition." => |cx, q, a| q.me().change(|s| Ok(s.and_where(condition(a, 0)?)))?;
        fn "orWhere" "(filter: dbx.Expression): dbx.SelectQuery" "Another condition." => |cx, q, a| q.me().change(|s| Ok(s.or_where(condition(a, 0)?)))?;
        fn "innerJoin" "(table: string, on: dbx.Expression): dbx.SelectQuery" "Joins." => |cx, q, a| q.me().change(|s| Ok(s.inner_join(&a.str(0)?, condition(a, 1)?)))?;
        fn "leftJoin" "(table: string, on: dbx.Expression): dbx.SelectQuery" "Joins." => |cx, q, a| q.me().change(|s| Ok(s.left_join(&a.str(0)?, condition(a, 1)?)))?;
        fn "rightJoin" "(table: string, on: dbx.Expression): dbx.SelectQuery" "Joins." => |cx, q, a| q.me().change(|s| Ok(s.right_join(&a.str(0)?, condition(a, 1)?)))?;
        fn "orderBy" "(...columns: string[]): dbx.SelectQuery" "The order." => |cx, q, a| q.me().change(|s| Ok(s.order_by(a.texts(0)?)))?;
        fn "andOrderBy" "(...columns: string[]): dbx.SelectQuery" "More of the order." => |cx, q, a| q.me().change(|s| Ok(s.and_order_by(a.texts(0)?)))?;
        fn "groupBy" "(...columns: string[]): dbx.SelectQuery" "The groups." => |cx, q, a| q.me().change(|s| Ok(s.group_by(a.texts(0)?)))?;
        fn "having" "(filter: dbx.Expression): dbx.SelectQuery" "The condition on groups." => |cx, q, a| q.me().change(|s| Ok(s.having(condition(a, 0)?)))?;
        fn "andHaving" "(filter: dbx.Expression): dbx.SelectQuery" "One more condition on groups." => |cx, q, a| q.me().change(|s| Ok(s.and_having(condition(a, 0)?)))?;
        fn "orHaving" "(filter: dbx.Expression): dbx.SelectQuery" "Another condition on groups." => |cx, q, a| q.me().change(|s| Ok(s.or_having(condition(a, 0)?)))?;
        fn "join" "(kind: string, table: string, on: dbx.Expression): dbx.SelectQuery" "Joins in a way of one's own." => |cx, q, a| q.me().change(|s| {
            let on = if a.is_nil(2) { None } else { Some(condition(a, 2)?) };
            Ok(s.join(a.str(0)?, &a.str(1)?, on))
        })?;
        fn "union" "(query: dbx.Query): dbx.SelectQuery" "Adds the rows of a written query, without duplicates." => |cx, q, a| q.me().union(a, false)?;
        fn "unionAll" "(query: dbx.Query): dbx.SelectQuery" "Adds the rows of a written query." => |cx, q, a| q.me().union(a, true)?;
        fn "preFragment" "(sql: string): dbx.SelectQuery" "A text before all of it." => |cx, q, a| q.me().change(|s| Ok(s.before(&a.str(0)?)))?;
        fn "postFragment" "(sql: string): dbx.SelectQuery" "A text behind all of it." => |cx, q, a| q.me().change(|s| Ok(s.behind(&a.str(0)?)))?;
        fn "selectOption" "(word: string): dbx.SelectQuery" "A word behind `SELECT`." => |cx, q, a| q.me().change(|s| Ok(s.option(&a.str(0)?)))?;
        fn "context" "(): any" "Nothing: no query of a script has one." => |cx, q, a| Val::Null;
        fn "withContext" "(context: context.Context): dbx.SelectQuery" "Itself." => |cx, q, a| {
            a.known::<super::exchange::Lasting>(0, "context.Context")?;
            q.me().change(Ok)?
        };
        fn "bind" "(params: { [key: string]: any }): dbx.SelectQuery" "Values of `{:name}`." => |cx, q, a| q.me().change(|s| Ok(s.bind_all(a.object(0, "dbx.Params")?)))?;
        fn "andBind" "(params: { [key: string]: any }): dbx.SelectQuery" "More values of `{:name}`." => |cx, q, a| q.me().change(|s| Ok(s.bind_all(a.object(0, "dbx.Params")?)))?;
        fn "andGroupBy" "(...columns: string[]): dbx.SelectQuery" "More groups." => |cx, q, a| q.me().change(|s| Ok(s.and_group_by(a.texts(0)?)))?;
        fn "build" "(): dbx.Query" "As a written query." => |cx, q, a| q.me().built()?;
        fn "rows" "(): dbx.Rows" "Its rows, one after the other." => |cx, q, a| shared(Cursor::of(wait(q.current().all::<Row>())?));
        fn "limit" "(n: number): dbx.SelectQuery" "The most rows." => |cx, q, a| q.me().change(|s| Ok(s.limit(u64::try_from(a.int(0)?).unwrap_or(u64::MAX))))?;
        fn "offset" "(n: number): dbx.SelectQuery" "Rows left out first." => |cx, q, a| q.me().change(|s| Ok(match u64::try_from(a.int(0)?) {
            Ok(n) if n > 0 => s.offset(n),
            _ => s,
        }))?;
        fn "all" "(rows: any): void" "Reads all rows into a list of `arrayOf`." => |cx, q, a| {
            match q.kind_for(&a.at(0)) {
                Gives::Records => models(cx, &a.at(0), wait(q.current().records())?)?,
                Gives::Collections => models(cx, &a.at(0), q.collections()?)?,
                Gives::Rows => all(cx, &a.at(0), || Ok(wait(q.query.lock().clone().all::<Row>())?))?,
            }
        };
        fn "one" "(row: any): void" "Reads the first row into a model or a record." => |cx, q, a| {
            match a.opt_host::<Record>(0)? {
                Some(record) => {
                    let found = wait(q.query.lock().clone().limit(1).records())?.pop().ok_or(pocketbase::Error::NotFound)?;
                    record.become_(&found);
                }
                None => one(&a.at(0), || Ok(wait(q.query.lock().clone().one::<Row>())?))?,
            }
        };
        fn "row" "(...cells: any[]): void" "Reads the first row into cells." => |cx, q, a| row(a, &wait(q.query.lock().clone().one::<Row>())?)?;
        fn "column" "(list: any): void" "Reads the first column into a list of `arrayOf`." => |cx, q, a| {
            fill_column(cx, &a.at(0), wait(q.query.lock().clone().column::<Json>())?)?;
        };
    }
}

/// A handle on a query's own object: its methods give it back.
struct Me<'a>(&'a Select);

impl Select {
    /// The query as it is now.
    pub(crate) fn current(&self) -> SelectQuery {
        self.query.lock().clone()
    }
    fn me(&self) -> Me<'_> {
        Me(self)
    }
    /// What the list is for, if the query gives that.
    fn kind_for(&self, list: &Value<'_>) -> Gives {
        let of = item_of(list).and_then(|of| as_host(&of));
        let is = |kind: Gives| match kind {
            Gives::Records => of.as_ref().is_some_and(|of| of.get::<Record>().is_some()),
            Gives::Collections => of.as_ref().is_some_and(|of| of.get::<Collection>().is_some()),
            Gives::Rows => false,
        };
        if is(self.gives) { self.gives } else { Gives::Rows }
    }
    fn collections(&self) -> Res<Vec<Collection>> {
        let query = self.current();
        let app = query.app().clone();
        let ids: Vec<String> = wait(query.select(["id"]).column())?;
        ids.iter().map(|id| Ok(wait(app.find_collection(id))?)).collect()
    }
}

/// A query of either kind; only written ones have a text that another one can take.
fn written<'a>(args: &Args<'a, '_>) -> Res<Option<Held<Written>>> {
    match args.opt_host::<Select>(0)? {
        Some(_) => Ok(None),
        None => args.known(0, "dbx.Query"),
    }
}

impl Me<'_> {
    fn union(self, args: &Args<'_, '_>, all: bool) -> Res<Shared> {
        // as the reference: what is no written query has no text
        let (text, params) = match written(args)? {
            Some(other) => (other.text.lock().clone(), other.params.lock().clone()),
            None => (String::new(), Map::new()),
        };
        self.change(|select| Ok(select.union_text(&text, params, all)))
    }
    fn built(&self) -> Res<Shared> {
        let query = self.0.current();
        let (text, params) = query.shown();
        Ok(Builder(query.place()).change((text, params)))
    }
    fn change(self, change: impl FnOnce(SelectQuery) -> Res<SelectQuery>) -> Res<Shared> {
        let mut query = self.0.query.lock();
        let changed = change(query.clone())?;
        *query = changed.clone();
        drop(query);
        Ok(Arc::new(Select { query: Mutex::new(changed), gives: self.0.gives }))
    }
}

pub(crate) fn select(query: SelectQuery, gives: Gives) -> Shared {
    Arc::new(Select { query: Mutex::new(query), gives })
}

/// The names in `{:name}`.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let names = text.split("{:").skip(1).filter_map(|rest| rest.split_once('}'));
    names.map(|(name, _)| name).filter(move |name| !name.is_empty() && name.chars().all(is_part))
}

/// Columns with values, by name.
fn sorted(args: &Args<'_, '_>, at: usize) -> Res<Vec<(String, Json)>> {
    let mut columns: Vec<_> = args.val(at)?.into_object().into_iter().collect();
    columns.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(columns)
}

impl Builder {
    fn change(&self, (text, params): (String, Map<String, Json>)) -> Shared {
        let (text, params) = (Mutex::new(text), Mutex::new(params));
        shared(Written { db: self.0.clone(), text, params })
    }
    fn define(&self, args: &Args<'_, '_>, change: &Definition) -> Res<Shared> {
        Ok(self.change((Db::definition(&args.str(0)?, change), Map::new())))
    }
}

table! {
    pub(crate) static ROWS: Cursor = "dbx.Rows", "The rows of a query, one after the other." {
        fn "next" "(): boolean" "Goes to the next row, if there is one." => |cx, r, a| {
            let mut taken = r.taken.lock();
            *taken += 1;
            *taken <= r.rows.len()
        };
        fn "scan" "(...cells: any[]): void" "Reads the row into cells." => |cx, r, a| row(a, r.current()?)?;
        fn "scanStruct" "(row: any): void" "Reads the row into a model." => |cx, r, a| one(&a.at(0), || Ok(r.current_row()?.clone()))?;
        fn "columns" "(): string[]" "The names of the columns." => |cx, r, a| r.rows.first().map(|row| row.columns().to_vec()).unwrap_or_default();
        fn "err" "(): any" "What has gone wrong." => |cx, r, a| Val::Null;
        fn "close" "(): void" "Ends it." => |cx, r, a| ();
    }
}

impl Cursor {
    fn of(rows: Vec<Row>) -> Self {
        Self { rows, taken: Mutex::new(0) }
    }
    fn current_row(&self) -> pocketbase::Result<&Row> {
        let at = self.taken.lock().checked_sub(1);
        let row = at.and_then(|at| self.rows.get(at));
        row.ok_or_else(|| pocketbase::Error::other("sql: Scan called without calling Next"))
    }
    fn current(&self) -> Res<&Row> {
        Ok(self.current_row()?)
    }
}
table! {
    pub(crate) static CHANGED: Changed = "sql.Result", "What a change has done." {
        fn "rowsAffected" "(): number" "How many rows." => |cx, c, a| c.0;
        fn "lastInsertId" "(): number" "The number of the new row." => |cx, c, a| c.1;
    }
}
table! {
    pub(crate) static CONDITION: Condition = "dbx.Expression", "A condition." {
        fn "match" "(left: boolean, right: boolean): dbx.Expression" "Whether anything may stand before and after." => |cx, e, a| {
            shared(Condition(e.0.clone().open(a.bool(0)?, a.bool(1)?)))
        };
        fn "escape" "(...pairs: string[]): dbx.Expression" "Itself: values are escaped." => |cx, e, a| {
            let pairs = a.texts(0)?.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
            shared(Condition(e.0.clone().escaped_with(pairs)))
        };
        fn "build" "(db: dbx.Builder, params: { [key: string]: any }): string" "As SQL; the values are added to `params`." => |cx, e, a| {
            let (text, params) = e.0.shown(a.val(1)?.into_object());
            if let Some(into) = a.at(1).as_object() {
                for (name, value) in params {
                    into.set(name, Val::from(value).to_js(cx)?)?;
                }
            }
            text
        };
    }
}

fn shared<T: crate::bind::Native>(value: T) -> Shared {
    Arc::new(value)
}

/// A condition; nothing is none.
pub(crate) fn condition(args: &Args<'_, '_>, at: usize) -> Res<Expr> {
    let condition = args.known::<Condition>(at, "dbx.Expression")?;
    Ok(condition.map_or_else(Expr::always, |condition| condition.0.clone()))
}
/// The conditions from an argument on; nothing counts as none.
pub(crate) fn conditions(args: &Args<'_, '_>, from: usize) -> Res<Vec<Expr>> {
    let given = (from..args.len()).filter(|at| !is_nil(&args.at(*at)));
    given.map(|at| condition(args, at)).collect()
}

fn all<'js>(cx: &Ctx<'js>, into: &Value<'js>, rows: impl FnOnce() -> Res<Vec<Row>>) -> Res<()> {
    if item_of(into).is_none() {
        return Err(Fail::other("Invalid variable type: must be a pointer"));
    }
    let rows = rows()?;
    fill_list(cx, into, rows.iter().map(Row::to_json).collect())
}

fn one(into: &Value<'_>, row: impl FnOnce() -> Res<Row>) -> Res<()> {
    let model = as_host(into).and_then(Held::<Model>::of);
    let wanted = if into.is_object() { "NullStringMap" } else { "pointer" };
    let model =
        model.ok_or_else(|| Fail::other(format!("Invalid variable type: must be a {wanted}")))?;
    model.fill(row()?.to_json(), true)
}

fn row(args: &Args<'_, '_>, row: &Row) -> Res<()> {
    for at in 0..args.len() {
        if let Some(cell) = args.opt_host::<NullCell>(at)? {
            cell.fill(row.at::<Json>(at)?)?;
        }
    }
    Ok(())
}

fn models<'js, T: ToJs>(cx: &Ctx<'js>, list: &Value<'js>, records: Vec<T>) -> Res<()> {
    let array =
        list.as_array().ok_or_else(|| Fail::other("Invalid variable type: must be a pointer"))?;
    for (at, record) in records.into_iter().enumerate() {
        array.set(at, record.to_js(cx)?)?;
    }
    Ok(())
}
