//! What there is to move: tables with their columns, indexes, views. Knows collections, no database.

use std::collections::HashSet;

use dialects::{Dialect, ddl, names};

use super::cell::CellKind;
use model::{
    field::ColumnType,
    schema::{Collection, full_text, index::Index},
};
use store::system::COLLECTION_COLUMNS;

/// A column and what it holds.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: CellKind,
}

/// A table to move.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// Rows have a number that gives their order.
    pub(super) numbered: bool,
    /// What orders rows without numbers.
    pub(super) order: &'static [&'static str],
    /// Lives in `auxiliary.db`.
    pub(super) auxiliary: bool,
}

impl Table {
    fn system(name: &str, columns: &[(&str, CellKind)]) -> Self {
        let columns = columns.iter();
        Self {
            name: name.to_owned(),
            columns: columns
                .map(|(n, kind)| Column { name: (*n).to_owned(), kind: *kind })
                .collect(),
            numbered: true,
            order: &[],
            auxiliary: false,
        }
    }
    pub(super) fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|c| c.name.as_str()).collect()
    }
    /// Where the id of a row is among its cells.
    pub(super) fn id_at(&self) -> Option<usize> {
        let at = self.columns.iter().position(|c| c.name == "id")?;
        Some(at + usize::from(self.numbered))
    }
    /// What each cell of a row holds, its number first.
    pub(super) fn kinds(&self) -> Vec<CellKind> {
        let number = self.numbered.then_some(CellKind::Int);
        number.into_iter().chain(self.columns.iter().map(|c| c.kind)).collect()
    }
}

/// `_collections`, which says what else there is.
pub(super) fn collections_table() -> Table {
    let kind = |name: &str| match name {
        "system" => CellKind::Bool,
        "fields" | "indexes" => CellKind::Document("[]"),
        "options" => CellKind::Document("{}"),
        name if name.ends_with("Rule") => CellKind::OptionalText,
        _ => CellKind::Text,
    };
    let columns: Vec<(&str, CellKind)> =
        COLLECTION_COLUMNS.iter().map(|name| (*name, kind(name))).collect();
    Table::system("_collections", &columns)
}

/// Everything to move.
#[derive(Debug)]
pub(super) struct Plan {
    /// System tables, the log, tables of records.
    pub(super) tables: Vec<Table>,
    /// The collections with a table or view.
    pub(super) collections: Vec<Collection>,
}

impl Plan {
    pub(super) fn new(collections: Vec<Collection>) -> Self {
        let mut tables = vec![
            Table {
                numbered: false,
                order: &["applied", "file"],
                ..Table::system(
                    "_migrations",
                    &[("file", CellKind::Text), ("applied", CellKind::Int)],
                )
            },
            Table {
                numbered: false,
                order: &["id"],
                ..Table::system(
                    "_params",
                    &[
                        ("id", CellKind::Text),
                        ("value", CellKind::Param),
                        ("created", CellKind::Text),
                        ("updated", CellKind::Text),
                    ],
                )
            },
            collections_table(),
            Table {
                auxiliary: true,
                ..Table::system(
                    "_logs",
                    &[
                        ("id", CellKind::Text),
                        ("level", CellKind::Int),
                        ("message", CellKind::Text),
                        ("data", CellKind::Document("{}")),
                        ("created", CellKind::Text),
                    ],
                )
            },
        ];
        tables.extend(collections.iter().filter(|c| !c.is_view()).map(|collection| {
            Table {
                columns: columns(collection)
                    .map(|(name, ty)| Column { name: name.to_owned(), kind: ty.into() })
                    .collect(),
                ..Table::system(&collection.name, &[])
            }
        }));
        Self { tables, collections }
    }

    /// Names of all tables and views as a database has them, in lower case.
    pub(super) fn names(&self, d: Dialect) -> HashSet<String> {
        let views = self.collections.iter().map(|c| &c.name);
        let all = self.tables.iter().map(|t| &t.name).chain(views);
        all.map(|name| names::stored(d, name).to_ascii_lowercase()).collect()
    }

    /// What makes the tables, and what is better done when they are full: (statement, in `auxiliary.db`).
    pub(super) fn tables_sql(&self, d: Dialect) -> (Vec<Statement>, Vec<Statement>) {
        let system = ddl::system_tables(d).into_iter().map(|text| Statement::new(text, false));
        let logs = ddl::log_tables(d).into_iter().map(|text| Statement::new(text, true));
        let records = self.collections.iter().filter(|c| !c.is_view()).flat_map(|collection| {
            let columns: Vec<(&str, ColumnType)> = columns(collection).collect();
            ddl::create_table(d, &collection.name, &columns)
        });
        let records = records.map(|text| Statement::new(text, false));
        system.chain(logs).chain(records).partition(|s| s.text.starts_with("CREATE TABLE"))
    }

    /// What makes the full-text indexes of full tables.
    pub(super) fn full_text(&self, d: Dialect) -> Vec<Statement> {
        let texts = self.collections.iter().flat_map(|c| full_text::statements(d, c));
        texts.map(|text| Statement::new(text, false)).collect()
    }

    /// The indexes that collections list. Their texts may still name the table as it was called once.
    pub(super) fn indexes(&self) -> Vec<(Index, &Collection)> {
        let tables = self.collections.iter().filter(|c| !c.is_view());
        let parse = |table: &str, text: &str| Index {
            table: table.to_owned(),
            schema: String::new(),
            ..Index::parse(text)
        };
        tables.flat_map(|c| c.indexes.iter().map(move |text| (parse(&c.name, text), c))).collect()
    }

    /// The views that collections are.
    pub(super) fn views(&self) -> Vec<&Collection> {
        self.collections.iter().filter(|c| c.is_view()).collect()
    }
}

/// The columns of a collection's table.
fn columns(collection: &Collection) -> impl Iterator<Item = (&str, ColumnType)> {
    collection.fields.iter().map(|f| (f.name.as_str(), f.kind.column()))
}

/// A statement and where it runs.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) text: String,
    pub(super) auxiliary: bool,
}

impl Statement {
    fn new(text: String, auxiliary: bool) -> Self {
        Self { text, auxiliary }
    }
}
