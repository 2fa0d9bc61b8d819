//! `CREATE INDEX` statements: parsing and the canonical form.
//!
//! Source: spec collections-and-fields §4.8. The parser is deliberately as loose as the reference's; the
//! database gets only the canonical form, so text after the statement never reaches it.

use std::fmt::Write as _;

use crate::check::pattern;

/// A parsed `CREATE INDEX` statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    /// `UNIQUE`
    pub unique: bool,
    /// `IF NOT EXISTS`
    pub optional: bool,
    /// Schema, usually empty.
    pub schema: String,
    /// Index name.
    pub name: String,
    /// Table name.
    pub table: String,
    /// `USING`, PostgreSQL only; empty for the ordinary kind.
    pub method: String,
    /// Indexed columns.
    pub columns: Vec<IndexColumn>,
    /// Condition, verbatim.
    pub condition: String,
}

/// One indexed column or expression.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndexColumn {
    /// Column name or expression.
    pub name: String,
    /// Collation as given.
    pub collate: String,
    /// Operator class, PostgreSQL only.
    pub class: String,
    /// `ASC`, `DESC` or nothing.
    pub sort: String,
}

fn trim_quotes(text: &str) -> &str {
    text.trim_matches(|c: char| matches!(c, '`' | '"' | '\'' | '[' | ']') || c.is_whitespace())
}

impl Index {
    /// Parses a statement; parts that are missing stay empty, see [`is_valid`](Self::is_valid).
    #[must_use]
    pub fn parse(text: &str) -> Self {
        // Only the words fold case: folding `\S` over all of Unicode would take most of the start-up time.
        let re = pattern!(
            r"(?i:create)\s+((?i:unique)\s+)?\s*(?i:index)\s*((?i:if)\s+(?i:not)\s+(?i:exists)\s+)?(\S*)\s+(?i:on)\s+(\S*)\s*(?:(?i:using)\s+(\w+)\s*)?\(((?s:.)*)\)(?:\s*(?i:where)\s+((?s:.)*))?"
        );
        let Some(parts) = re.captures(text) else { return Self::default() };
        let part = |n: usize| parts.get(n).map_or("", |m| m.as_str());
        let full_name = trim_quotes(part(3));
        let (schema, name) = match full_name.split_once('.') {
            Some((schema, name)) => (trim_quotes(schema), trim_quotes(name)),
            None => ("", full_name),
        };
        Self {
            unique: !part(1).trim().is_empty(),
            optional: !part(2).trim().is_empty(),
            schema: schema.to_owned(),
            name: name.to_owned(),
            table: trim_quotes(part(4)).to_owned(),
            method: part(5).to_ascii_lowercase(),
            columns: split_top_level(part(6)).into_iter().filter_map(IndexColumn::parse).collect(),
            condition: part(7).trim().to_owned(),
        }
    }

    /// True with a name, a table and at least one column.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        !self.name.is_empty() && !self.table.is_empty() && !self.columns.is_empty()
    }

    /// True if only PostgreSQL can make it (spec extensions §1.9).
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        !self.method.is_empty() || self.columns.iter().any(|c| !c.class.is_empty())
    }

    /// True if it finds rows by equality and order.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        matches!(self.method.as_str(), "" | "btree")
    }

    /// The canonical statement; empty if not valid.
    #[must_use]
    pub fn build(&self) -> String {
        let mut out = String::with_capacity(96);
        if !self.is_valid() {
            return out;
        }
        out.push_str(if self.unique { "CREATE UNIQUE INDEX " } else { "CREATE INDEX " });
        if self.optional {
            out.push_str("IF NOT EXISTS ");
        }
        if !self.schema.is_empty() {
            let _ = write!(out, "`{}`.", self.schema);
        }
        let _ = write!(out, "`{}` ON `{}` ", self.name, self.table);
        if !self.method.is_empty() {
            let _ = write!(out, "USING {} ", self.method);
        }
        out.push('(');
        let many = self.columns.len() > 1;
        for (position, column) in self.columns.iter().enumerate() {
            if position > 0 {
                out.push(',');
            }
            if many {
                out.push_str("\n  ");
            }
            column.write(&mut out);
        }
        out.push_str(if many { "\n)" } else { ")" });
        if !self.condition.is_empty() {
            let _ = write!(out, " WHERE {}", self.condition);
        }
        out
    }

    /// The same columns, order and uniqueness of a definition, whatever its name, schema and table.
    #[must_use]
    pub fn definition(&self) -> String {
        let bare = Self {
            schema: String::new(),
            name: "_".into(),
            table: "_".into(),
            optional: false,
            ..self.clone()
        };
        bare.build()
    }

    /// The only column of a unique index.
    #[must_use]
    pub fn single_unique_column(&self) -> Option<&str> {
        match (self.unique, self.columns.as_slice()) {
            (true, [column]) => Some(&column.name),
            _ => None,
        }
    }

    /// True if both index the same column names with the same uniqueness.
    #[must_use]
    pub fn same_columns(&self, other: &Self) -> bool {
        self.unique == other.unique
            && self.columns.iter().map(|c| &c.name).eq(other.columns.iter().map(|c| &c.name))
    }
}

impl IndexColumn {
    fn parse(text: &str) -> Option<Self> {
        let re = pattern!(
            r"^((?s:.)+?)(?:\s+(?i:collate)\s+([\w]+))?(?:\s+(\w+_ops))?(?:\s+((?i:asc|desc)))?$"
        );
        let parts = re.captures(text.trim())?;
        let part = |n: usize| parts.get(n).map_or("", |m| m.as_str());
        let name = trim_quotes(part(1)).to_owned();
        (!name.is_empty()).then(|| Self {
            name,
            collate: part(2).to_owned(),
            class: part(3).to_owned(),
            sort: part(4).to_ascii_uppercase(),
        })
    }

    fn write(&self, out: &mut String) {
        if self.name.contains(['(', ' ']) {
            out.push_str(&self.name);
        } else {
            let _ = write!(out, "`{}`", self.name);
        }
        if !self.collate.is_empty() {
            let _ = write!(out, " COLLATE {}", self.collate);
        }
        if !self.class.is_empty() {
            let _ = write!(out, " {}", self.class);
        }
        if !self.sort.is_empty() {
            let _ = write!(out, " {}", self.sort);
        }
    }
}

/// Splits on commas outside of quotes and parentheses.
pub(super) fn split_top_level(text: &str) -> Vec<&str> {
    let (mut depth, mut quote, mut start) = (0i32, None, 0);
    let mut out = Vec::new();
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '`' | '"' | '\'') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, ',') if depth == 0 => {
                out.push(&text[start..at]);
                start = at + 1;
            }
            (None, _) => {}
        }
    }
    out.push(&text[start..]);
    out
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
    fn canonical_forms() {
        for (text, want) in [
            ("create index a on b (c)", "CREATE INDEX `a` ON `b` (`c`)"),
            (
                "CREATE UNIQUE INDEX IF NOT EXISTS `s`.`a` on \"b\"(c, `d` collate nocase desc) where c != ''",
                "CREATE UNIQUE INDEX IF NOT EXISTS `s`.`a` ON `b` (\n  `c`,\n  `d` COLLATE nocase DESC\n) WHERE c != ''",
            ),
            (
                "CREATE INDEX i ON t (lower(a), 'b c')",
                "CREATE INDEX `i` ON `t` (\n  lower(a),\n  b c\n)",
            ),
            (
                "create index i on t using GIN (\"a\" gin_trgm_ops, lower(b) gin_trgm_ops) where a <> ''",
                "CREATE INDEX `i` ON `t` USING gin (\n  `a` gin_trgm_ops,\n  lower(b) gin_trgm_ops\n) WHERE a <> ''",
            ),
            ("create index i on t using hash(a)", "CREATE INDEX `i` ON `t` USING hash (`a`)"),
            ("create index i on t (a); drop table t", "CREATE INDEX `i` ON `t` (`a`)"),
            ("CREATE INDEX `i` ON `a b` (c)", ""),
            ("bad", ""),
            ("CREATE INDEX i ON t ()", ""),
            ("CREATE INDEX ON t (c)", ""),
        ] {
            let index = Index::parse(text);
            assert_eq!(index.build(), want, "{text}");
            if index.is_valid() {
                assert_eq!(Index::parse(want).build(), want);
            }
        }
    }

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
