//! SQLite's side of rows: binding values, the cursor, cells as they are stored.

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator as _;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef as Raw};

use super::conn::Guard;
use super::{Result, RowRef, Rows, Value, ValueRef};
use crate::rows as common;

impl<'a> From<Raw<'a>> for ValueRef<'a> {
    fn from(raw: Raw<'a>) -> Self {
        match raw {
            Raw::Null => Self::Null,
            Raw::Integer(n) => Self::Int(n),
            Raw::Real(n) => Self::Real(n),
            Raw::Text(bytes) => std::str::from_utf8(bytes).map_or(Self::Blob(bytes), Self::Text),
            Raw::Blob(bytes) => Self::Blob(bytes),
        }
    }
}

/// A bound value on its way to the driver.
pub(super) struct Bind<'a>(pub(super) &'a Value);

impl ToSql for Bind<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => Raw::Null,
            Value::Int(n) => Raw::Integer(*n),
            Value::Real(n) => Raw::Real(*n),
            Value::Text(text) => Raw::Text(text.as_bytes()),
        }))
    }
}

impl<'s> Rows<'s> {
    /// `inner` already stands on its first row.
    pub(super) fn peeked(inner: rusqlite::Rows<'s>, guard: &'s Guard) -> Self {
        Self(common::Cursor::Sqlite(Cursor { inner, guard, peeked: true }))
    }
    /// `inner` stands before its first row.
    pub(super) fn fresh(inner: rusqlite::Rows<'s>, guard: &'s Guard) -> Self {
        Self(common::Cursor::Sqlite(Cursor { inner, guard, peeked: false }))
    }
}

/// A cursor over the rows of one statement.
pub(crate) struct Cursor<'s> {
    inner: rusqlite::Rows<'s>,
    guard: &'s Guard,
    peeked: bool,
}

impl Cursor<'_> {
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<RowRef<'_>>> {
        if self.peeked {
            self.peeked = false;
        } else {
            self.inner.advance().map_err(|e| self.guard.explain(e))?;
        }
        Ok(self.inner.get().map(|row| RowRef(common::AnyRow::Sqlite(row))))
    }
    pub(crate) fn column_count(&self) -> usize {
        self.inner.as_ref().map_or(0, rusqlite::Statement::column_count)
    }
    pub(crate) fn column_name(&self, i: usize) -> &str {
        self.inner.as_ref().and_then(|s| s.column_name(i).ok()).unwrap_or("")
    }
    pub(crate) fn decl_type(&self, i: usize) -> Option<String> {
        let statement = self.inner.as_ref()?;
        statement.columns().nth(i)?.decl_type().map(str::to_owned)
    }
}

/// The cell of a row; null when there is none.
#[inline]
pub(crate) fn cell<'a>(row: &'a rusqlite::Row<'a>, i: usize) -> ValueRef<'a> {
    row.get_ref(i).map_or(ValueRef::Null, ValueRef::from)
}
