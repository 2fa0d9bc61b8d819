//! Rows as they leave the database: a cursor of borrowed values, and an owned form for small results.

use std::sync::Arc;

use super::{Result, Value, postgres, sqlite};

/// One borrowed column of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueRef<'a> {
    Null,
    Int(i64),
    Real(f64),
    Text(&'a str),
    /// A blob, or text that is not UTF-8.
    Blob(&'a [u8]),
}

impl<'a> ValueRef<'a> {
    /// The text, if it is text.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
    /// The integer; reals are truncated.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)]
    pub fn as_i64(self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(n),
            Self::Real(n) => Some(n as i64),
            _ => None,
        }
    }
    /// The column as text, as every field first sees it: integers decimal, reals `%g`, blobs as text (spec collections-and-fields §1.5).
    #[must_use]
    pub fn to_text(self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Int(n) => Some(n.to_string()),
            Self::Real(n) => Some(primitives::json::format_g(n)),
            Self::Text(text) => Some(text.to_owned()),
            Self::Blob(bytes) => Some(primitives::json::lossy(bytes).into_owned()),
        }
    }
    /// An owned copy; blobs become text.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Int(n) => Value::Int(n),
            Self::Real(n) => Value::Real(n),
            Self::Text(text) => Value::Text(Arc::from(text)),
            Self::Blob(bytes) => Value::Text(Arc::from(primitives::json::lossy(bytes))),
        }
    }
}

/// A cursor over the rows of one statement.
pub struct Rows<'s>(pub(super) Cursor<'s>);

/// Where the rows come from.
pub(super) enum Cursor<'s> {
    /// Stepped while it is read.
    Sqlite(sqlite::Cursor<'s>),
    /// Arrived as a whole.
    Postgres(postgres::Cursor<'s>),
}

impl std::fmt::Debug for Rows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("columns", &self.column_count()).finish_non_exhaustive()
    }
}

impl Rows<'_> {
    /// The next row, or `None` at the end.
    ///
    /// # Errors
    /// What the driver reports; [`Timeout`](super::Error::Timeout) when the statement ran too long.
    #[allow(clippy::should_implement_trait)]
    #[inline]
    pub fn next(&mut self) -> Result<Option<RowRef<'_>>> {
        match &mut self.0 {
            Cursor::Sqlite(cursor) => cursor.next(),
            Cursor::Postgres(cursor) => Ok(cursor.next()),
        }
    }

    /// Number of columns.
    #[must_use]
    pub fn column_count(&self) -> usize {
        match &self.0 {
            Cursor::Sqlite(cursor) => cursor.column_count(),
            Cursor::Postgres(cursor) => cursor.column_count(),
        }
    }
    /// Name of a column, empty if there is none. Known until the end of the rows was seen.
    #[must_use]
    pub fn column_name(&self, i: usize) -> &str {
        match &self.0 {
            Cursor::Sqlite(cursor) => cursor.column_name(i),
            Cursor::Postgres(cursor) => cursor.column_name(i),
        }
    }
    /// All column names. Known until the end of the rows was seen.
    #[must_use]
    pub fn column_names(&self) -> Vec<String> {
        (0..self.column_count()).map(|i| self.column_name(i).to_owned()).collect()
    }
    /// The declared type of a column that comes straight from a table.
    #[must_use]
    pub fn decl_type(&self, i: usize) -> Option<String> {
        match &self.0 {
            Cursor::Sqlite(cursor) => cursor.decl_type(i),
            Cursor::Postgres(cursor) => cursor.decl_type(i),
        }
    }

    /// Copies all remaining rows.
    ///
    /// # Errors
    /// As [`Rows::next`].
    pub fn collect(&mut self) -> Result<OwnedRows> {
        let columns = self.column_names();
        let mut rows = Vec::new();
        while let Some(row) = self.next()? {
            rows.push((0..columns.len()).map(|i| row.get(i).to_value()).collect());
        }
        Ok(OwnedRows { columns, rows })
    }

    /// The first column of the first row, as integer; 0 without a row.
    ///
    /// # Errors
    /// As [`Rows::next`].
    pub fn scalar_i64(&mut self) -> Result<i64> {
        Ok(self.next()?.and_then(|row| row.get(0).as_i64()).unwrap_or(0))
    }
}

/// One row, valid until the next call of [`Rows::next`].
#[derive(Debug, Clone, Copy)]
pub struct RowRef<'a>(pub(super) AnyRow<'a>);

#[derive(Debug, Clone, Copy)]
pub(super) enum AnyRow<'a> {
    /// Cells are read from the statement.
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(postgres::Shown<'a>),
}

impl<'a> RowRef<'a> {
    /// The column at an index; null when there is none.
    #[must_use]
    #[inline]
    pub fn get(&self, i: usize) -> ValueRef<'a> {
        match self.0 {
            AnyRow::Sqlite(row) => sqlite::cell(row, i),
            AnyRow::Postgres(row) => row.cell(i),
        }
    }
    /// The text of a column, `""` for anything that is not text.
    #[must_use]
    pub fn text(&self, i: usize) -> &'a str {
        self.get(i).as_str().unwrap_or("")
    }
}

/// Rows that were copied out of the database.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OwnedRows {
    /// Column names.
    pub columns: Vec<String>,
    /// Values, row by row.
    pub rows: Vec<Vec<Value>>,
}
