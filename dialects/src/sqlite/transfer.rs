//! Statements that move whole tables into and out of SQLite files.

use super::row_id;
use crate::quote::ident;

/// How a SQLite file is read as a whole: one snapshot, nothing written.
pub const READ: &str =
    "PRAGMA busy_timeout=10000; PRAGMA query_only=ON; PRAGMA cache_size=-16000; BEGIN";

/// How a SQLite file that nobody else uses yet is filled.
pub const FILL: &str =
    "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA cache_size=-32000; BEGIN";

/// Fails if anybody else has a SQLite file open.
pub const ALONE: &str =
    "PRAGMA busy_timeout=2000; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT";

/// SQLite's insert of a whole row; the row's number is the first parameter if `numbered`.
#[must_use]
pub fn insert(table: &str, columns: &[&str], numbered: bool) -> String {
    let number = numbered.then(|| ident(number(columns)));
    let list: Vec<String> = number.into_iter().chain(columns.iter().map(|c| ident(c))).collect();
    let marks: Vec<String> = (1..=list.len()).map(|n| format!("?{n}")).collect();
    format!("INSERT INTO {} ({}) VALUES ({})", ident(table), list.join(","), marks.join(","))
}

fn number(columns: &[&str]) -> &'static str {
    let is_column = |name: &str| columns.iter().any(|c| c.eq_ignore_ascii_case(name));
    row_id::visible(&is_column).unwrap_or("_rowid_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{idiom::Dialect, transfer::select};

    #[test]
    fn texts() {
        assert_eq!(
            select(Dialect::SQLITE, "t", &[Some("id"), None, Some("_rowid_")], true, &[]),
            r#"SELECT "rowid","id",NULL,"_rowid_" FROM "t" ORDER BY "rowid""#
        );
        assert_eq!(insert("t", &["a"], true), r#"INSERT INTO "t" ("_rowid_","a") VALUES (?1,?2)"#);
    }
}
