//! Filters and sorts over tables that are no collections of the user's: the list of collections and the activity log.
//!
//! They go through the compiler with the simple resolver (spec filter-language §2.6): the table's own columns, and JSON
//! paths into one of them.

use std::sync::Arc;

use dialects::{
    Dialect, Sql,
    statement::{self, ColumnList, Select},
};
use filter_lang::{
    MAX_FILTER_BYTES, Resolver,
    plan::Plan,
    schema::{Class, Collection, Field},
    scope::Scope,
    value::Affinity,
};

use crate::{Error, Result};

/// What may be asked of a table.
pub(crate) struct PlainTable {
    pub(crate) name: &'static str,
    /// The columns that a filter or sort may name.
    pub(crate) columns: &'static [(&'static str, Class, Affinity)],
    /// The one that paths may lead into.
    pub(crate) json: Option<&'static str>,
    pub(crate) unique: &'static [&'static str],
    /// Columns that begin an index, the unique ones among them.
    pub(crate) indexed: &'static [&'static str],
}

impl PlainTable {
    /// The plan of a filter and a sort; empty ones do not count.
    ///
    /// # Errors
    /// [`Error::Filter`].
    pub(crate) fn plan(&self, filter: &str, sort: &str) -> Result<Plan> {
        if filter.len() > MAX_FILTER_BYTES {
            return Err(Error::Filter("max filter length limit reached".into()));
        }
        let scope =
            Scope { hidden_allowed: true, now_ms: crate::time::now().millis(), ..Scope::default() };
        let flags = (&scope).into();
        let names: Vec<&str> = self.columns.iter().map(|(name, ..)| *name).collect();
        let mut resolver = Resolver::simple(self.collection(), &names, self.json, &scope);
        let refused = |e: filter_lang::Error| Error::Filter(e.to_string());
        if !filter.is_empty() {
            let ast = filter_lang::parse(filter).map_err(refused)?;
            resolver = resolver.filter(&ast, flags).map_err(refused)?;
        }
        let plan = resolver.sort(sort, flags).map_err(refused)?.finish();
        match plan.broken {
            Some(reason) => Err(Error::Filter(reason.into())),
            None => Ok(plan),
        }
    }

    /// The first part, `filter` or `sort`, that is refused, and where.
    pub(crate) fn refused(
        &self,
        filter: &str,
        sort: &str,
    ) -> Option<(&'static str, filter_lang::Error)> {
        let scope =
            Scope { hidden_allowed: true, now_ms: crate::time::now().millis(), ..Scope::default() };
        let flags = (&scope).into();
        let names: Vec<&str> = self.columns.iter().map(|(name, ..)| *name).collect();
        let resolver = || Resolver::simple(self.collection(), &names, self.json, &scope);
        let checked = match filter {
            "" => Ok(()),
            text => filter_lang::parse(text).and_then(|ast| resolver().filter(&ast, flags)),
        };
        let checked = checked.map_err(|error| ("filter", error));
        checked.and_then(|()| resolver().sort(sort, flags).map_err(|error| ("sort", error))).err()
    }

    /// The statement of the first page of a filter and a sort.
    pub(crate) fn explain(
        &self,
        dialect: Dialect,
        filter: &str,
        sort: &str,
    ) -> Result<(String, Sql)> {
        let plan = self.plan(filter, sort)?;
        let names: Vec<&str> = self.columns.iter().map(|(name, ..)| *name).collect();
        let columns = ColumnList::new(&names);
        let select = Select { limit: Some(30), ..Select::all(&columns) };
        Ok((plan.to_string(), statement::page(dialect, &plan, &select)))
    }

    fn collection(&self) -> Arc<Collection> {
        let field = |(name, class, affinity): &(&str, Class, Affinity)| {
            Field::new(*name, *class).affinity(*affinity)
        };
        let table = Collection::new(self.name).with_all(self.columns.iter().map(field));
        let table = self.unique.iter().fold(table, |table, name| table.unique(*name));
        Arc::new(self.indexed.iter().fold(table, |table, name| table.index(*name)))
    }
}
