//! Queries and changes being built, and what they give.

use std::{borrow::Cow, fmt};

use engine::{
    record::search,
    store::{
        Sql,
        query::{self as spelling, Params, Select},
    },
};
use serde_json::{Map, Value as Json};

use super::{
    Db,
    expr::{Expr, IntoParams, jsons, params},
    none,
    row::{FromRow, Row},
};
use crate::{
    error::{Error, Result},
    record::Record,
};

/// A query of one's own text. See [`Db::query`].
#[must_use]
pub struct Query {
    db: Db,
    text: String,
    params: Params,
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Query").field(&self.text).finish()
    }
}

impl Query {
    pub(super) fn written(db: Db, text: String) -> Self {
        Self { db, text, params: Params::new() }
    }
    /// A value for `{:name}`.
    pub fn bind(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.params.retain(|(known, _)| known != name);
        self.params.push((name.to_owned(), spelling::value(&value.into())));
        self
    }
    /// Says that it touches only tables of a plugin. Otherwise, whatever the server remembers of accounts is read again
    /// after a write, because nobody knows what was written.
    pub fn apart(mut self) -> Self {
        self.db = self.db.apart();
        self
    }
    /// Values for several names.
    pub fn bind_all(mut self, values: impl IntoParams) -> Self {
        self.params.extend(params(values));
        self
    }
    /// Runs it; the number of rows it changed and, for an INSERT on SQLite, the number of the last row that was added.
    ///
    /// # Errors
    /// Database errors.
    pub async fn insert(self) -> Result<(u64, i64)> {
        self.db.run_counting(self.sql()?).await
    }
    fn sql(&self) -> Result<Sql> {
        Ok(spelling::raw(self.db.dialect()?, &self.text, &self.params))
    }
    /// Runs it; the number of rows it changed. Several statements may be in the text; all happen or none.
    ///
    /// # Errors
    /// Database errors.
    pub async fn execute(self) -> Result<u64> {
        self.db.run(self.sql()?).await
    }
    /// All rows as a type of yours: a struct, a tuple, a scalar or [`Row`].
    ///
    /// # Errors
    /// Database errors; rows that do not fit.
    pub async fn all<T: FromRow>(self) -> Result<Vec<T>> {
        self.db.rows(self.sql()?).await?.into_iter().map(T::from_row).collect()
    }
    /// The first row.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) without a row; as [`Query::all`].
    pub async fn one<T: FromRow>(self) -> Result<T> {
        self.optional().await?.ok_or_else(none)
    }
    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`Query::all`].
    pub async fn optional<T: FromRow>(self) -> Result<Option<T>> {
        self.db.rows(self.sql()?).await?.into_iter().next().map(T::from_row).transpose()
    }
    /// The first column of the first row.
    ///
    /// # Errors
    /// As [`Query::one`].
    pub async fn scalar<T: serde::de::DeserializeOwned>(self) -> Result<T> {
        first(&self.db.rows(self.sql()?).await?)
    }
    /// The first column of all rows.
    ///
    /// # Errors
    /// As [`Query::all`].
    pub async fn column<T: serde::de::DeserializeOwned>(self) -> Result<Vec<T>> {
        self.db.rows(self.sql()?).await?.iter().map(|row| row.at(0)).collect()
    }
}

fn first<T: serde::de::DeserializeOwned>(rows: &[Row]) -> Result<T> {
    rows.first().ok_or_else(none)?.at(0)
}

/// A query that is built. See [`Db::select`].
#[derive(Clone)]
#[must_use]
pub struct SelectQuery {
    db: Db,
    select: Select,
    /// The collection whose records are wanted.
    of: Option<String>,
}

impl fmt::Debug for SelectQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelectQuery").field("select", &self.select).finish_non_exhaustive()
    }
}

fn texts<S: Into<String>>(items: impl IntoIterator<Item = S>) -> impl Iterator<Item = String> {
    items.into_iter().map(Into::into)
}

fn joined(old: Option<spelling::Expr>, how: spelling::Joined, new: Expr) -> spelling::Expr {
    match old {
        Some(old) => spelling::Expr::Join(how, vec![old, new.0]),
        None => new.0,
    }
}

impl SelectQuery {
    pub(super) fn new<S: Into<String>>(db: Db, columns: impl IntoIterator<Item = S>) -> Self {
        let select = Select { columns: texts(columns).collect(), ..Select::default() };
        Self { db, select, of: None }
    }
    pub(super) fn records_of(db: Db, collection: String) -> Self {
        Self { db, select: Select::default(), of: Some(collection) }
    }
    /// The app it asks.
    #[must_use]
    pub fn app(&self) -> &crate::app::App {
        &self.db.app
    }
    /// The database it asks.
    #[must_use]
    pub fn place(&self) -> Db {
        self.db.clone()
    }
    /// Adds to the groups.
    pub fn and_group_by<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.select.group_by.extend(texts(columns));
        self
    }
    /// Replaces the columns.
    pub fn select<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.select.columns = texts(columns).collect();
        self
    }
    /// Adds to the order.
    pub fn and_order_by<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.select.order_by.extend(texts(columns));
        self
    }
    /// Adds columns.
    pub fn and_select<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.select.columns.extend(texts(columns));
        self
    }
    /// Adds a table: a name, or a name with an alias (`users u`).
    pub fn from(mut self, table: &str) -> Self {
        self.select.from.push(table.to_owned());
        self
    }
    /// Without duplicates.
    pub fn distinct(mut self, distinct: bool) -> Self {
        self.select.distinct = distinct;
        self
    }
    /// Joins another table in a way of one's own: `CROSS JOIN`.
    pub fn join(
        mut self,
        kind: impl Into<Cow<'static, str>>,
        table: &str,
        on: Option<Expr>,
    ) -> Self {
        self.select.joins.push((kind.into(), table.to_owned(), on.map(|on| on.0)));
        self
    }
    fn joining(self, kind: &'static str, table: &str, on: Expr) -> Self {
        self.join(kind, table, Some(on))
    }
    /// A text before all of it: `WITH …`. What was there is replaced.
    pub fn before(mut self, text: &str) -> Self {
        text.clone_into(&mut self.select.around.0);
        self
    }
    /// A text behind all of it: `FOR UPDATE`. What was there is replaced.
    pub fn behind(mut self, text: &str) -> Self {
        text.clone_into(&mut self.select.around.1);
        self
    }
    /// A word behind `SELECT`. What was there is replaced.
    pub fn option(mut self, text: &str) -> Self {
        text.clone_into(&mut self.select.option);
        self
    }
    /// Joins the rows of another table that satisfy a condition.
    pub fn inner_join(self, table: &str, on: Expr) -> Self {
        self.joining("INNER JOIN", table, on)
    }
    /// The same, keeping rows without a partner.
    pub fn left_join(self, table: &str, on: Expr) -> Self {
        self.joining("LEFT JOIN", table, on)
    }
    /// The same, keeping rows of the other table without a partner.
    pub fn right_join(self, table: &str, on: Expr) -> Self {
        self.joining("RIGHT JOIN", table, on)
    }
    /// Replaces the condition.
    pub fn where_(mut self, filter: Expr) -> Self {
        self.select.filter = Some(filter.0);
        self
    }
    /// Adds a condition that must hold, too.
    pub fn and_where(mut self, filter: Expr) -> Self {
        self.select.filter = Some(joined(self.select.filter, spelling::Joined::And, filter));
        self
    }
    /// Adds a condition that is enough, too.
    pub fn or_where(mut self, filter: Expr) -> Self {
        self.select.filter = Some(joined(self.select.filter, spelling::Joined::Or, filter));
        self
    }
    /// Groups rows.
    pub fn group_by<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.select.group_by = texts(columns).collect();
        self
    }
    /// A condition for groups.
    pub fn having(mut self, filter: Expr) -> Self {
        self.select.having = Some(filter.0);
        self
    }
    /// The order: `created DESC`.
    pub fn order_by<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.select.order_by = texts(columns).collect();
        self
    }
    /// At most so many rows.
    pub fn limit(mut self, n: u64) -> Self {
        self.select.limit = Some(n);
        self
    }
    /// After skipping so many.
    pub fn offset(mut self, n: u64) -> Self {
        self.select.offset = Some(n);
        self
    }
    /// Adds the rows of another query, without duplicates.
    pub fn union(mut self, other: Self) -> Self {
        self.select.unions.push((spelling::Other::Built(other.select.into()), false));
        self
    }
    /// Adds the rows of another query.
    pub fn union_all(mut self, other: Self) -> Self {
        self.select.unions.push((spelling::Other::Built(other.select.into()), true));
        self
    }
    /// Adds the rows of a query of one's own text; with `all`, duplicates stay.
    pub fn union_text(mut self, text: &str, values: impl IntoParams, all: bool) -> Self {
        let other = spelling::Other::Written(text.to_owned(), params(values));
        self.select.unions.push((other, all));
        self
    }
    /// Adds a condition for groups that must hold, too.
    pub fn and_having(mut self, filter: Expr) -> Self {
        self.select.having = Some(joined(self.select.having, spelling::Joined::And, filter));
        self
    }
    /// Adds a condition for groups that is enough, too.
    pub fn or_having(mut self, filter: Expr) -> Self {
        self.select.having = Some(joined(self.select.having, spelling::Joined::Or, filter));
        self
    }
    /// The statement, to be looked at.
    ///
    /// # Errors
    /// Before the app is bootstrapped.
    pub fn to_sql(&self) -> Result<String> {
        Ok(self.sql()?.text)
    }
    /// Values for the `{:name}`s of all its texts.
    pub fn bind_all(mut self, values: impl IntoParams) -> Self {
        self.select.params.extend(params(values));
        self
    }
    /// The statement as the reference prints it, and its values.
    #[must_use]
    pub fn shown(&self) -> (String, Map<String, Json>) {
        let select = match &self.of {
            Some(of) if self.select.columns.is_empty() && self.select.from.is_empty() => {
                let (columns, from) = (vec![format!("{of}.*")], vec![of.clone()]);
                &Select { columns, from, ..self.select.clone() }
            }
            _ => &self.select,
        };
        let shown = spelling::shown::select(select);
        (shown.text, jsons(&shown.params))
    }
    fn sql(&self) -> Result<Sql> {
        Ok(spelling::select(self.db.dialect()?, &self.select))
    }
    /// All rows as a type of yours: a struct, a tuple, a scalar or [`Row`].
    ///
    /// # Errors
    /// Database errors; rows that do not fit.
    pub async fn all<T: FromRow>(self) -> Result<Vec<T>> {
        self.db.rows(self.sql()?).await?.into_iter().map(T::from_row).collect()
    }
    /// The first row.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) without a row; as [`SelectQuery::all`].
    pub async fn one<T: FromRow>(self) -> Result<T> {
        self.limit(1).all().await?.into_iter().next().ok_or_else(none)
    }
    /// The first column of the first row.
    ///
    /// # Errors
    /// As [`SelectQuery::one`].
    pub async fn scalar<T: serde::de::DeserializeOwned>(self) -> Result<T> {
        let one = self.limit(1);
        first(&one.db.rows(one.sql()?).await?)
    }
    /// The first column of all rows.
    ///
    /// # Errors
    /// As [`SelectQuery::all`].
    pub async fn column<T: serde::de::DeserializeOwned>(self) -> Result<Vec<T>> {
        self.db.rows(self.sql()?).await?.iter().map(|row| row.at(0)).collect()
    }
    /// The records of a query of [`App::record_query`](crate::App::record_query).
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) without the collection; a query of something else; database errors.
    pub async fn records(self) -> Result<Vec<Record>> {
        let of = self.of.ok_or_else(|| Error::other("the query is not one for records"))?;
        let (ctx, loaded) = self.db.app.load(&of)?;
        let sql = spelling::records(ctx.db.dialect(), &loaded.name, &loaded.columns, &self.select);
        let found = search::by_statement(&ctx, &loaded, sql).await?;
        Ok(found.into_iter().map(Into::into).collect())
    }
    /// How many rows it would give.
    ///
    /// # Errors
    /// Database errors.
    pub async fn count(self) -> Result<i64> {
        let sql = spelling::count(self.db.dialect()?, &self.select);
        first(&self.db.rows(sql).await?)
    }
}

/// A row to be added, or rows to be changed or deleted. See [`Db::insert`], [`Db::update`], [`Db::delete`].
#[must_use]
pub struct Change {
    db: Db,
    table: String,
    kind: Kind,
    columns: Params,
    filter: Option<spelling::Expr>,
}

enum Kind {
    Insert(Vec<String>),
    Update,
    Delete,
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change").field("table", &self.table).finish_non_exhaustive()
    }
}

impl Change {
    fn new(db: Db, table: &str, kind: Kind) -> Self {
        Self { db, table: table.to_owned(), kind, columns: Params::new(), filter: None }
    }
    pub(super) fn insert(db: Db, table: &str, keys: Vec<String>) -> Self {
        Self::new(db, table, Kind::Insert(keys))
    }
    pub(super) fn update(db: Db, table: &str) -> Self {
        Self::new(db, table, Kind::Update)
    }
    pub(super) fn delete(db: Db, table: &str) -> Self {
        Self::new(db, table, Kind::Delete)
    }
    /// A column with its new value.
    pub fn set(mut self, column: &str, value: impl Into<Json>) -> Self {
        self.columns.push((column.to_owned(), spelling::value(&value.into())));
        self
    }
    /// Several columns.
    pub fn set_all(mut self, columns: impl IntoParams) -> Self {
        self.columns.extend(params(columns));
        self
    }
    /// Only rows that satisfy a condition; several must all hold.
    pub fn where_(mut self, filter: Expr) -> Self {
        self.filter = Some(joined(self.filter, spelling::Joined::And, filter));
        self
    }
    /// The statement as the reference prints it, and its values. It has none for an upsert.
    #[must_use]
    pub fn shown(&self) -> (String, Map<String, Json>) {
        let filter = self.filter.as_ref().unwrap_or(&spelling::Expr::Empty);
        let shown = match &self.kind {
            Kind::Insert(keys) if !keys.is_empty() => spelling::shown::Shown::default(),
            Kind::Insert(_) => spelling::shown::insert(&self.table, &self.columns),
            Kind::Update => spelling::shown::update(&self.table, &self.columns, filter),
            Kind::Delete => spelling::shown::delete(&self.table, filter),
        };
        (shown.text, jsons(&shown.params))
    }
    /// Does it; the number of rows that were changed.
    ///
    /// # Errors
    /// Database errors.
    pub async fn execute(self) -> Result<u64> {
        let dialect = self.db.dialect()?;
        let filter = self.filter.unwrap_or(spelling::Expr::Empty);
        let sql = match self.kind {
            Kind::Insert(keys) => spelling::insert(dialect, &self.table, &self.columns, &keys),
            Kind::Update => spelling::update(dialect, &self.table, &self.columns, &filter),
            Kind::Delete => spelling::delete(dialect, &self.table, &filter),
        };
        self.db.run(sql).await
    }
}
