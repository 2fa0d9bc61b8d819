//! What is asked of a plan: columns, which rows, which window, and how to go about it.

use filter_lang::semijoin::Reach;

use crate::quote::push_ident;

/// A comma-joined, quoted select list over the base row. Build it once per collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnList(pub(crate) String);

impl ColumnList {
    /// The columns in this order.
    #[must_use]
    pub fn new<S: AsRef<str>>(columns: &[S]) -> Self {
        let mut text = String::with_capacity(columns.len() * 12);
        for (at, column) in columns.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            text.push_str("b.");
            push_ident(&mut text, column.as_ref());
        }
        Self(text)
    }

    /// The select list as text (`b."id",b."title"`).
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which base rows a page may come from, before its plan is asked.
#[derive(Debug, Clone, Copy, Default)]
pub enum Only<'a> {
    /// Any row.
    #[default]
    All,
    /// The row of this id.
    Id(&'a str),
    /// The rows of these ids (one parameter), in no promised order.
    Ids(&'a [&'a str]),
    /// Rows whose relation field names one of the parents: at most 1000 per parent (spec records §3.5), once per
    /// parent, with the parent's id as an additional first result column.
    LinkedTo {
        /// The relation field.
        column: &'a str,
        /// Whether the field holds several ids.
        multiple: bool,
        /// Ids of the parents.
        parents: &'a [&'a str],
    },
}

/// What a page shows of the rows that match.
#[derive(Debug, Clone, Copy)]
pub struct Select<'a> {
    /// Result columns.
    pub columns: &'a ColumnList,
    /// Which rows to test at all.
    pub only: Only<'a>,
    /// At most so many rows.
    pub limit: Option<u32>,
    /// After skipping so many.
    pub offset: u64,
}

impl<'a> Select<'a> {
    /// All matching rows.
    #[must_use]
    pub fn all(columns: &'a ColumnList) -> Self {
        Self { columns, only: Only::All, limit: None, offset: 0 }
    }
}

/// How to go about a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Along its order, as far as an index gives it; related rows are found by this reach.
    Walk(Reach),
    /// Through all rows that may match, whatever order they come in; the keys of the page are sorted out of those.
    Scan,
}
