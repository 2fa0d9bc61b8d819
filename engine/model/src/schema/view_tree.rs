//! What sqlparser's tree says of a view query: fields where the reference's way of reading sees none, and the text that the
//! running database gets.
//!
//! The reference's way ([`super::view_query`]) comes first, because fields of existing views depend on its quirks; what it
//! refuses is read from the tree. Pure.

use std::{collections::HashMap, sync::Arc};

use dialects::{Dialect, Syntax};
use sql_text::view::{self, Catalog, Column, Output, Table, Ty};

use super::{Collection, Loaded, Snapshot, view_query};
use crate::field::{ColumnType, Field, bool::Bool, number::Number, text::Text};

impl Catalog for Snapshot {
    fn table(&self, name: &str) -> Option<Table> {
        self.by_name(name).map(|loaded| table_of(loaded))
    }
}

/// A collection's table or view, as queries and indexes see it.
pub(super) fn table_of(collection: &Collection) -> Table {
    let is_view = collection.is_view();
    let columns = collection.fields.iter().map(|field| Column {
        name: field.name.clone(),
        ty: match field.kind.column() {
            ColumnType::TextPk | ColumnType::Text => Ty::Text,
            ColumnType::Number => Ty::Number,
            ColumnType::Bool => Ty::Bool,
            // Whatever a view calculates.
            ColumnType::Json if is_view => Ty::Unknown,
            ColumnType::Json | ColumnType::Geo | ColumnType::JsonList => Ty::Json,
        },
    });
    Table { name: collection.name.clone(), columns: columns.collect(), has_key: !is_view }
}

/// The names of a query's columns in their order, and the fields they stand for.
pub(super) fn infer(
    query: &str,
    snapshot: &Snapshot,
) -> Result<(Vec<String>, HashMap<String, Field>), String> {
    let view = view::read(query, snapshot)?;
    let names = view.columns.iter().map(|column| column.name.clone()).collect();
    let fields = view.columns.iter().map(|column| {
        let mut field = field_of(column, snapshot);
        if field.id.is_empty() {
            field.id = field.default_id();
        }
        (column.name.clone(), field)
    });
    Ok((names, fields.collect()))
}

fn field_of(column: &Output, snapshot: &Snapshot) -> Field {
    let name = column.name.as_str();
    if name == "id" {
        return view_query::id_field();
    }
    if let Some((collection, source)) = source(column, snapshot) {
        return view_query::copied(name, collection, &source);
    }
    match column.ty {
        Ty::Text => Field::new(name, Text::default()),
        Ty::Int => Field::new(name, Number { only_int: true, ..Number::default() }),
        Ty::Real | Ty::Number => Field::new(name, Number::default()),
        Ty::Bool => Field::new(name, Bool::default()),
        Ty::Json | Ty::Value | Ty::Null | Ty::Unknown => view_query::json_field(name),
    }
}

fn source<'a>(column: &Output, snapshot: &'a Snapshot) -> Option<(&'a Arc<Loaded>, String)> {
    let (table, name) = column.source.as_ref()?;
    Some((snapshot.by_name(table)?, name.clone()))
}

/// The collection and the column that a query's column is a copy of.
pub(super) fn source_of<'a>(
    query: &str,
    column: &str,
    snapshot: &'a Snapshot,
) -> Option<(&'a Arc<Loaded>, String)> {
    let view = view::read(query, snapshot).ok()?;
    source(view.columns.iter().find(|found| found.name == column)?, snapshot)
}

/// The columns of a query that are calculated; a tree says that without knowing any table.
pub(super) fn computed(query: &str) -> Vec<String> {
    let view = view::read(query, &Vec::new()).map(|view| view.columns).unwrap_or_default();
    view.into_iter().filter(|column| column.is_computed).map(|column| column.name).collect()
}

/// A view's query for the running database: the texts to try, the best one first. PostgreSQL's own words come last, for
/// queries whose author means those.
pub(super) fn texts(
    d: Dialect,
    query: &str,
    snapshot: &Snapshot,
    fields: &HashMap<String, Field>,
) -> Vec<String> {
    let mut texts = Vec::new();
    match d.syntax() {
        Syntax::Sqlite => {}
        Syntax::Postgres => {
            let is_bool =
                |name: &str| fields.get(name).is_some_and(|f| f.options::<Bool>().is_some());
            texts.extend(view::for_postgres(query, snapshot, &is_bool));
        }
    }
    let query = sql_text::marks::quoted(query);
    let mut own = view_query::spelled(d, &query).into_owned();
    if own.contains("--") {
        // A comment at the end must not take along what comes behind the query.
        own.push('\n');
    }
    texts.push(own);
    texts
}

/// What SQLite says of a text that is no query, in whatever words PostgreSQL would refuse it.
pub(super) fn refusal(query: &str, snapshot: &Snapshot) -> Option<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let word = &query[..query.find(|c| !is_name(c)).unwrap_or(query.len())];
    let is_query =
        ["select", "with", "values"].iter().any(|start| word.eq_ignore_ascii_case(start));
    if word.is_empty() || is_query {
        return None;
    }
    if word.len() < query.len() {
        return Some(format!("SQL logic error: near \"{word}\": syntax error (1)"));
    }
    // One word is a table.
    let is_table = snapshot.by_name(word).is_some();
    (!is_table).then(|| format!("SQL logic error: no such table: main.{word} (1)"))
}

/// `texts` of a view collection.
#[must_use]
pub fn texts_of(d: Dialect, snapshot: &Snapshot, view: &Collection) -> Vec<String> {
    let fields = view.fields.iter().map(|field| (field.name.clone(), field.clone())).collect();
    texts(d, view_query::trim_query(&view.view_query), snapshot, &fields)
}
