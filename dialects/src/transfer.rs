//! Statements that read whole tables in row order, the same for every database; what one alone has is in its folder. Must
//! not execute them.
//!
//! Rows keep their order between engines: SQLite's row id is `_rowid_` on PostgreSQL (spec extensions §1.4, last row).

use std::fmt::Write as _;

use crate::{idiom::Dialect, quote::ident};

/// Ends a transaction.
pub const COMMIT: &str = "COMMIT";

/// Refreshes the planner's statistics.
pub const ANALYZE: &str = "ANALYZE";

/// Marks a place to go back to when a statement fails.
pub const SAVEPOINT: &str = "SAVEPOINT pb_try";

/// Goes back there.
pub const ROLLBACK_TO: &str = "ROLLBACK TO SAVEPOINT pb_try";

/// Forgets it.
pub const RELEASE: &str = "RELEASE SAVEPOINT pb_try";

/// Reads a table: the row's number first if `numbered`, then the columns; ordered by that number, else by `order`.
#[must_use]
pub fn select(
    d: Dialect,
    table: &str,
    columns: &[Option<&str>],
    numbered: bool,
    order: &[&str],
) -> String {
    let names = columns.iter().copied().flatten();
    let is_column = |name: &str| names.clone().any(|c| c.eq_ignore_ascii_case(name));
    let number = d.row_id(&is_column).unwrap_or("_rowid_");
    let mut list: Vec<String> = Vec::with_capacity(columns.len() + 1);
    if numbered {
        list.push(ident(number));
    }
    list.extend(columns.iter().map(|c| c.map_or_else(|| "NULL".to_owned(), ident)));
    let mut text = format!("SELECT {} FROM {}", list.join(","), ident(table));
    let by: Vec<String> =
        if numbered { vec![ident(number)] } else { order.iter().map(|name| ident(name)).collect() };
    if !by.is_empty() {
        // writing to a String cannot fail
        let _ = write!(text, " ORDER BY {}", by.join(","));
    }
    text
}
