//! Indexes of collections: [`sql_text::index`] over their fields. Source: spec collections-and-fields §4.8.

pub use sql_text::index::{Index, IndexColumn, first_statement};

use dialects::{Dialect, Syntax};

use super::{Collection, view_tree::table_of};

/// The text of an index; `columns` is a list as in SQL and stays as it is written, `condition` may be empty.
#[must_use]
pub fn text_of(table: &str, name: &str, unique: bool, columns: &str, condition: &str) -> String {
    let kind = if unique { "UNIQUE INDEX" } else { "INDEX" };
    let condition = if condition.is_empty() { "" } else { &format!(" WHERE {condition}") };
    format!("CREATE {kind} `{name}` ON `{table}` ({columns}){condition}")
}

/// The statement that makes an index of a collection.
#[must_use]
pub fn statement(d: Dialect, index: &Index, collection: &Collection) -> String {
    match d.syntax() {
        Syntax::Sqlite => index.build(),
        Syntax::Postgres => index.build_postgres(&table_of(collection)),
    }
}

/// True if a database can make such an index, whatever its text says otherwise.
#[must_use]
pub fn is_understood(d: Dialect, index: &Index) -> bool {
    match d.syntax() {
        Syntax::Sqlite => !index.is_postgres(),
        Syntax::Postgres => true,
    }
}

/// The names of the fields that an index reads.
#[must_use]
pub fn fields_read(index: &Index, collection: &Collection) -> Vec<String> {
    index.reads(&table_of(collection))
}

/// The single-column unique index on a field, if one is listed (WHERE ignored).
#[must_use]
pub fn find_single_unique(indexes: &[String], column: &str) -> Option<Index> {
    indexes.iter().map(|text| Index::parse(text)).find(|index| {
        index.single_unique_column().is_some_and(|name| name.eq_ignore_ascii_case(column))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups() {
        let indexes =
            ["CREATE UNIQUE INDEX a ON t (x, y)".into(), "create unique index b on t (`Y`)".into()];
        assert!(find_single_unique(&indexes, "x").is_none());
        assert_eq!(find_single_unique(&indexes, "y").unwrap().name, "b");
        let a = Index::parse("CREATE INDEX a ON t (x DESC)");
        let b = Index::parse("CREATE INDEX b ON u (x)");
        assert!(a.same_columns(&b));
        assert_ne!(a.definition(), b.definition());
    }
}
