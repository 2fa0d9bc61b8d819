//! [`Db`]: queries of one's own, built or written, inside the app's transaction if there is one.
//!
//! Holds no SQL text: the engine's store spells what is built here.

mod expr;
mod query;
mod row;

use std::fmt;

use dialects::{catalog, ddl};
pub use engine::store::query::shown::Definition;
use engine::{
    Ctx,
    store::{self, Dialect, Job, Rows, Sql, query as spelling, raw},
};

pub use self::{
    expr::{
        Expr, IntoExprs, IntoParams, and, between, exists, exp, exp_with, hash, is_in, like, not,
        not_between, not_exists, not_in, not_like, or, or_like,
    },
    query::{Change, Query, SelectQuery},
    row::{FromRow, Row},
};
use crate::{
    app::App,
    error::{Error, Result},
};
use engine::hook::BoxFutureRef;

/// The database of an app, for queries of one's own. Rules and hooks know nothing of them. See [`App::db`].
///
/// ```
/// # use pocketbase::{db::*, testing::TestApp};
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let test = TestApp::new().await?;
/// # let app = test.app();
/// #[derive(serde::Deserialize)]
/// struct City { name: String, people: i64, capital: bool }
///
/// let db = app.db();
/// db.query("CREATE TABLE cities (name TEXT PRIMARY KEY, people INTEGER, capital BOOLEAN)").execute().await?;
/// for (name, people, capital) in [("Oslo", 700_000, true), ("Bergen", 290_000, false), ("Rome", 2_800_000, true)] {
///     db.insert("cities").set("name", name).set("people", people).set("capital", capital).execute().await?;
/// }
///
/// // written
/// let n: i64 = db.query("SELECT count(*) FROM cities WHERE people > {:min}").bind("min", 300_000).scalar().await?;
/// assert_eq!(n, 2);
///
/// // built
/// let cities: Vec<City> = db.select(["name", "people", "capital"])
///     .from("cities")
///     .where_(hash([("capital", true)]))
///     .and_where(like("name", ["o"]))
///     .order_by(["people DESC"])
///     .limit(10)
///     .all()
///     .await?;
/// assert_eq!(cities[0].name, "Rome");
/// assert!(cities[0].capital && cities[1].people == 700_000);
///
/// db.update("cities").set("people", 1).where_(exp_with("name = {:n}", [("n", "Oslo")])).execute().await?;
/// assert_eq!(db.delete("cities").where_(is_in("people", [1, 2])).execute().await?, 1);
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Db {
    app: App,
    is_aux: bool,
    is_apart: bool,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("aux", &self.is_aux).finish_non_exhaustive()
    }
}

impl App {
    /// The database with the records.
    #[must_use]
    pub fn db(&self) -> Db {
        Db { app: self.clone(), is_aux: false, is_apart: false }
    }
    /// The database with the logs; the same as [`App::db`] on PostgreSQL.
    #[must_use]
    pub fn aux_db(&self) -> Db {
        Db { app: self.clone(), is_aux: true, is_apart: false }
    }
}

impl Db {
    /// A query of one's own text. `{:name}` is a value ([`Query::bind`]), `[[name]]` a quoted column, `{{name}}` a quoted
    /// table.
    pub fn query(&self, text: impl Into<String>) -> Query {
        Query::written(self.clone(), text.into())
    }
    /// A query that is built. Columns are names (`u.id`), names with an alias (`u.name title`) or expressions; none means
    /// all.
    pub fn select<S: Into<String>>(&self, columns: impl IntoIterator<Item = S>) -> SelectQuery {
        SelectQuery::new(self.clone(), columns)
    }
    pub(crate) fn records_of(self, collection: String) -> SelectQuery {
        SelectQuery::records_of(self, collection)
    }
    /// Adds a row.
    pub fn insert(&self, table: &str) -> Change {
        Change::insert(self.clone(), table, Vec::new())
    }
    /// Adds a row, or changes the one that has the same values in `keys`.
    pub fn upsert<S: Into<String>>(
        &self,
        table: &str,
        keys: impl IntoIterator<Item = S>,
    ) -> Change {
        Change::insert(self.clone(), table, keys.into_iter().map(Into::into).collect())
    }
    /// Changes rows: all of the table without a condition.
    pub fn update(&self, table: &str) -> Change {
        Change::update(self.clone(), table)
    }
    /// Deletes rows: all of the table without a condition.
    pub fn delete(&self, table: &str) -> Change {
        Change::delete(self.clone(), table)
    }
    /// True on PostgreSQL.
    ///
    /// # Errors
    /// Before the app is bootstrapped.
    pub fn is_postgres(&self) -> Result<bool> {
        Ok(self.dialect()?.name() == "postgres")
    }

    /// The names of the columns of a table or view.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn columns_of(&self, table: &str) -> Result<Vec<String>> {
        let select =
            spelling::Select { from: vec![table.to_owned()], ..spelling::Select::default() };
        let text = spelling::select(self.dialect()?, &select).text;
        let columns = raw::columns(&self.place()?, text).await?;
        Ok(columns.into_iter().map(|column| column.name).collect())
    }

    fn dialect(&self) -> Result<Dialect> {
        Ok(self.ctx()?.db.dialect())
    }
    fn ctx(&self) -> Result<Ctx> {
        self.app.ctx()
    }
    fn place(&self) -> Result<store::Db> {
        let ctx = self.ctx()?;
        Ok(match self.app.aux_tx() {
            _ if !self.is_aux => ctx.db,
            Some(tx) => store::Db::Tx(tx.clone()),
            None => store::Db::Pool(ctx.app.store().aux().clone()),
        })
    }

    /// All rows of a statement.
    fn rows(&self, sql: Sql) -> BoxFutureRef<'_, Result<Vec<Row>>> {
        Box::pin(async move {
            let place = self.place()?;
            if spelling::reads(&sql.text) {
                let read = |rows: &mut Rows<'_>| row::read(rows);
                return Ok(place.query(sql, read).await??);
            }
            let done = place.write(Job::new().query(sql)).await?;
            self.written()?;
            Ok(done.rows.into_iter().next().map(row::owned).unwrap_or_default())
        })
    }

    /// The same with the number of the last row, if the statement adds one and the database tells.
    fn run_counting(&self, sql: Sql) -> BoxFutureRef<'_, Result<(u64, i64)>> {
        Box::pin(async move {
            let word = sql.text.trim_start().get(..6).unwrap_or_default();
            let is_one = !sql.text.trim_end().trim_end_matches(';').contains(';');
            let counts = spelling::last_change(self.dialect()?);
            let Some(counts) = counts.filter(|_| is_one && word.eq_ignore_ascii_case("insert"))
            else {
                return Ok((self.run(sql).await?, 0));
            };
            let done = self.place()?.write(Job::new().query(sql).query(counts)).await?;
            self.written()?;
            let row = done.rows.into_iter().nth(1).map(row::owned).unwrap_or_default();
            row.first().map_or(Ok((0, 0)), |row| row.to())
        })
    }

    /// A statement that changes the schema of a table, as the reference prints it.
    #[must_use]
    pub fn definition(table: &str, change: &Definition) -> String {
        spelling::shown::define(table, change)
    }
    /// The columns of a table or view; none if there is no such table.
    ///
    /// # Errors
    /// Database errors.
    pub async fn table_info(&self, table: &str) -> Result<Vec<Row>> {
        self.rows(catalog::columns(self.dialect()?, table)).await
    }
    /// Whether there is a table or view of that name, whatever its case.
    ///
    /// # Errors
    /// Database errors.
    pub async fn has_table(&self, name: &str) -> Result<bool> {
        Ok(!self.rows(catalog::has_table(self.dialect()?, name)).await?.is_empty())
    }
    /// The indexes of a table that statements have made: names and statements.
    ///
    /// # Errors
    /// Database errors.
    pub async fn table_indexes(&self, table: &str) -> Result<Vec<(String, String)>> {
        let rows = self.rows(catalog::indexes(self.dialect()?, table)).await?;
        rows.iter().map(Row::to).collect()
    }
    /// Makes a view of a query anew.
    ///
    /// # Errors
    /// Database errors.
    pub async fn save_view(&self, name: &str, query: &str) -> Result<()> {
        self.delete_view(name).await?;
        let query = query.trim().trim_end_matches(';');
        self.run(Sql::plain(ddl::create_view(self.dialect()?, name, query))).await.map(drop)
    }
    /// Drops a view if there is one.
    ///
    /// # Errors
    /// Database errors.
    pub async fn delete_view(&self, name: &str) -> Result<()> {
        self.run(Sql::plain(ddl::drop_view(self.dialect()?, name))).await.map(drop)
    }

    /// Runs a statement; the number of rows it changed.
    async fn run(&self, sql: Sql) -> Result<u64> {
        let ctx = self.ctx()?;
        let changed = raw::write(&self.place()?, sql, ctx.app.config().query_timeout).await?;
        self.written()?;
        Ok(changed)
    }

    /// The same database, in tables that nothing is remembered of.
    pub(crate) fn apart(self) -> Self {
        Self { is_apart: true, ..self }
    }

    /// What is remembered of accounts may have changed.
    fn written(&self) -> Result<()> {
        if !self.is_aux && !self.is_apart {
            self.app.engine()?.forget_all_auth();
        }
        Ok(())
    }
}

pub(crate) fn none() -> Error {
    Error::NotFound
}
