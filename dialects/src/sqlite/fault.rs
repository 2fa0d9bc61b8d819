//! Codes and messages of SQLite → facts. Must not hold sentences for clients.

use crate::idiom::Fault;

/// Reads an SQLite (extended) result code and its message.
#[must_use]
pub fn fault(code: i32, message: &str) -> Fault {
    const CONSTRAINT: i32 = 19;
    match code & 0xff {
        CONSTRAINT => sqlite_unique(message).unwrap_or(Fault::Constraint),
        5 | 6 => Fault::Busy,
        9 => Fault::Timeout,
        _ => Fault::Other,
    }
}

fn sqlite_unique(message: &str) -> Option<Fault> {
    let rest = message.split_once("UNIQUE constraint failed: ")?.1;
    // rusqlite may append the statement or nothing; the list ends with the line.
    let rest = rest.lines().next().unwrap_or_default();
    if let Some(index) = rest.strip_prefix("index '") {
        let name = index.trim_end_matches('\'').to_owned();
        return Some(Fault::Unique { columns: Vec::new(), index: Some(name) });
    }
    let columns = rest
        .split(", ")
        .map(|c| c.rsplit_once('.').map_or(c, |(_, column)| column).trim().to_owned())
        .collect();
    Some(Fault::Unique { columns, index: None })
}

#[cfg(test)]
mod tests {
    use super::{fault as sqlite, *};

    #[test]
    fn unique_columns_are_named() {
        assert_eq!(
            sqlite(2067, "UNIQUE constraint failed: posts.title, posts.slug"),
            Fault::Unique { columns: vec!["title".into(), "slug".into()], index: None }
        );
        assert_eq!(
            sqlite(1555, "UNIQUE constraint failed: posts.id"),
            Fault::Unique { columns: vec!["id".into()], index: None }
        );
        assert_eq!(
            sqlite(2067, "UNIQUE constraint failed: index 'idx_lower'"),
            Fault::Unique { columns: vec![], index: Some("idx_lower".into()) }
        );
        assert_eq!(sqlite(1299, "NOT NULL constraint failed: posts.d"), Fault::Constraint);
        assert_eq!(sqlite(5, "database is locked"), Fault::Busy);
        assert_eq!(sqlite(9, "interrupted"), Fault::Timeout);
        assert_eq!(sqlite(1, "no such table: x"), Fault::Other);
    }
}
