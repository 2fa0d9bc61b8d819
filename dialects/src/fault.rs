//! Driver codes and messages → facts. Must not hold sentences for clients.

/// What a database error means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A UNIQUE constraint or primary key. Columns as the database names them, without the table;
    /// empty when it names only an index or constraint (then see `index`).
    Unique {
        /// The violated columns.
        columns: Vec<String>,
        /// The index or constraint, where it is what the database names: SQLite for expression indexes,
        /// PostgreSQL always (resolve it with [`crate::catalog::index_columns`]).
        index: Option<String>,
    },
    /// A NOT NULL, CHECK or foreign key constraint.
    Constraint,
    /// Locked by another connection; retry the whole transaction.
    Busy,
    /// Cancelled because it took too long.
    Timeout,
    /// The connection is gone; a new one may work.
    Disconnected,
    /// Anything else.
    Other,
}

/// Reads an SQLite (extended) result code and its message.
#[must_use]
pub fn sqlite(code: i32, message: &str) -> Fault {
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

/// Reads a PostgreSQL SQLSTATE and the constraint name of the error.
#[must_use]
pub fn postgres(sqlstate: &str, constraint: Option<&str>) -> Fault {
    match sqlstate {
        "23505" => Fault::Unique { columns: Vec::new(), index: constraint.map(str::to_owned) },
        "40001" | "40P01" | "55P03" => Fault::Busy,
        "57014" => Fault::Timeout,
        "57P01" | "57P02" | "57P03" => Fault::Disconnected,
        s if s.starts_with("23") => Fault::Constraint,
        s if s.starts_with("08") => Fault::Disconnected,
        _ => Fault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn sqlstates_are_classified() {
        for (state, want) in [
            ("40001", Fault::Busy),
            ("57014", Fault::Timeout),
            ("23502", Fault::Constraint),
            ("08006", Fault::Disconnected),
            ("42P01", Fault::Other),
        ] {
            assert_eq!(postgres(state, None), want, "{state}");
        }
        assert_eq!(
            postgres("23505", Some("posts_pkey")),
            Fault::Unique { columns: vec![], index: Some("posts_pkey".into()) }
        );
    }
}
