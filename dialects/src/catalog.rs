//! Introspection queries: what tables, columns, indexes and views a database has. Must not execute anything.
//!
//! Every query names its result columns in its documentation; all dialects return the same ones. Names are
//! matched ignoring ASCII case, as SQLite does. PostgreSQL looks at `current_schema()` only; what it names is a name as
//! it is [stored](crate::names::stored).

use crate::{
    idiom::Dialect,
    sql::{Sql, Value},
};

fn one(d: Dialect, text: &str, name: &str) -> Sql {
    Sql { text: text.to_owned(), params: vec![Value::Text(d.stored(name).into())] }
}

/// `name`, `type` (`table` or `view`) of every table and view, by name.
#[must_use]
pub fn tables(d: Dialect) -> Sql {
    Sql::plain(d.catalog().tables)
}

/// `name` of every index that a statement made.
#[must_use]
pub fn index_names(d: Dialect) -> Sql {
    Sql::plain(d.catalog().index_names)
}

/// `name` of everything that belongs to full-text indexes ([`crate::ddl::full_text_parts`]).
#[must_use]
pub fn full_text(d: Dialect) -> Sql {
    Sql::plain(d.catalog().full_text)
}

/// One row (`name`, `type`) if a table or view of that name exists.
#[must_use]
pub fn has_table(d: Dialect, name: &str) -> Sql {
    one(d, d.catalog().has_table, name)
}

/// `name`, `type` (declared, upper case on PostgreSQL), `notnull` (0/1), `default` (text or NULL), `pk` (0/1) of
/// each column in table order. The hidden `_rowid_` of PostgreSQL tables is left out.
#[must_use]
pub fn columns(d: Dialect, table: &str) -> Sql {
    one(d, d.catalog().columns, table)
}

/// `name`, `sql` of each index of a table that was created by a statement (no automatic ones).
#[must_use]
pub fn indexes(d: Dialect, table: &str) -> Sql {
    one(d, d.catalog().indexes, table)
}

/// `name`, `table` of the index of that name, if there is one.
#[must_use]
pub fn has_index(d: Dialect, index: &str) -> Sql {
    one(d, d.catalog().has_index, index)
}

/// `column` of each indexed column, in order; for `lower(col)` the column inside. Resolves
/// [`crate::Fault::Unique`] where the database names only the index.
#[must_use]
pub fn index_columns(d: Dialect, index: &str) -> Sql {
    one(d, d.catalog().index_columns, index)
}

/// `count` of rows in a table.
#[must_use]
pub fn row_count(table: &str) -> Sql {
    Sql::plain(format!("SELECT COUNT(*) AS count FROM {}", crate::quote::ident(table)))
}
