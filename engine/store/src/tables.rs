//! Tables that plugins declare as data: made when they are missing, widened when a column is new, never narrowed.
//!
//! They are no collections: no rules, no API. Must not know what the rows mean.

use dialects::{Dialect, catalog, ident};

use super::{Db, Error, Result, Sql};

/// A table.
///
/// ```
/// use store::tables::{Column, Table};
///
/// let jobs = Table::new("_jobs")
///     .column(Column::text("id").primary())
///     .column(Column::integer("run_at"))
///     .column(Column::json("payload").nullable())
///     .index("idx_jobs_run_at", ["run_at"]);
/// assert_eq!(jobs.name, "_jobs");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Table {
    /// Its name; a leading `_` keeps it out of the way of collections.
    pub name: String,
    columns: Vec<Column>,
    indexes: Vec<TableIndex>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct TableIndex {
    name: String,
    columns: Vec<String>,
    unique: bool,
    /// Which rows are in it; empty means all.
    only: String,
}

/// A column of a [`Table`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Column {
    /// Its name.
    pub name: String,
    kind: ColumnKind,
    is_key: bool,
    is_nullable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnKind {
    Text,
    Integer,
    Real,
    Bool,
    Json,
}

impl ColumnKind {
    fn name(self, d: Dialect) -> &'static str {
        let types = d.native();
        match self {
            Self::Text => types.plain_text,
            Self::Integer => types.integer,
            Self::Real => types.real,
            Self::Bool => types.bool,
            Self::Json => types.json,
        }
    }
    fn zero(self) -> &'static str {
        match self {
            Self::Text => "''",
            Self::Integer | Self::Real => "0",
            Self::Bool => "FALSE",
            Self::Json => "'null'",
        }
    }
}

impl Column {
    fn new(name: &str, kind: ColumnKind) -> Self {
        Self { name: name.to_owned(), kind, is_key: false, is_nullable: false }
    }
    /// Text; empty when not given.
    #[must_use]
    pub fn text(name: &str) -> Self {
        Self::new(name, ColumnKind::Text)
    }
    /// A whole number of 64 bits; 0 when not given.
    #[must_use]
    pub fn integer(name: &str) -> Self {
        Self::new(name, ColumnKind::Integer)
    }
    /// A number; 0 when not given.
    #[must_use]
    pub fn real(name: &str) -> Self {
        Self::new(name, ColumnKind::Real)
    }
    /// True or false; false when not given.
    #[must_use]
    pub fn bool(name: &str) -> Self {
        Self::new(name, ColumnKind::Bool)
    }
    /// JSON; `null` when not given.
    #[must_use]
    pub fn json(name: &str) -> Self {
        Self::new(name, ColumnKind::Json)
    }
    /// A part of the primary key.
    #[must_use]
    pub fn primary(mut self) -> Self {
        self.is_key = true;
        self
    }
    /// NULL when not given.
    #[must_use]
    pub fn nullable(mut self) -> Self {
        self.is_nullable = true;
        self
    }
    fn definition(&self, d: Dialect) -> String {
        let (name, kind) = (ident(&self.name), self.kind.name(d));
        match self.is_nullable {
            true => format!("{name} {kind} DEFAULT NULL"),
            false => format!("{name} {kind} DEFAULT {} NOT NULL", self.kind.zero()),
        }
    }
}

impl Table {
    /// A table without columns yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), columns: Vec::new(), indexes: Vec::new() }
    }
    /// Adds a column.
    #[must_use]
    pub fn column(mut self, column: Column) -> Self {
        self.columns.push(column);
        self
    }
    /// Adds an index.
    #[must_use]
    pub fn index<S: Into<String>>(self, name: &str, columns: impl IntoIterator<Item = S>) -> Self {
        self.indexed(name, columns, false, "")
    }
    /// Adds an index without duplicates.
    #[must_use]
    pub fn unique_index<S: Into<String>>(
        self,
        name: &str,
        columns: impl IntoIterator<Item = S>,
    ) -> Self {
        self.indexed(name, columns, true, "")
    }
    /// Adds an index of the rows that satisfy a condition (SQL of both databases). A column may end with ` DESC`.
    #[must_use]
    pub fn index_where<S: Into<String>>(
        self,
        name: &str,
        columns: impl IntoIterator<Item = S>,
        only: &str,
    ) -> Self {
        self.indexed(name, columns, false, only)
    }
    /// The same without duplicates.
    #[must_use]
    pub fn unique_index_where<S: Into<String>>(
        self,
        name: &str,
        columns: impl IntoIterator<Item = S>,
        only: &str,
    ) -> Self {
        self.indexed(name, columns, true, only)
    }
    fn indexed<S: Into<String>>(
        mut self,
        name: &str,
        columns: impl IntoIterator<Item = S>,
        unique: bool,
        only: &str,
    ) -> Self {
        let columns = columns.into_iter().map(Into::into).collect();
        self.indexes.push(TableIndex {
            name: name.to_owned(),
            columns,
            unique,
            only: only.to_owned(),
        });
        self
    }

    /// What makes it from nothing, or from a table with these columns.
    fn statements(&self, d: Dialect, existing: &[String]) -> Vec<String> {
        let table = ident(&self.name);
        let mut out = Vec::new();
        if existing.is_empty() {
            let mut parts: Vec<String> = self.columns.iter().map(|c| c.definition(d)).collect();
            let keys: Vec<String> =
                self.columns.iter().filter(|c| c.is_key).map(|c| ident(&c.name)).collect();
            if !keys.is_empty() {
                parts.push(format!("PRIMARY KEY ({})", keys.join(", ")));
            }
            out.push(format!("CREATE TABLE IF NOT EXISTS {table} ({})", parts.join(", ")));
        } else {
            let missing = self.columns.iter().filter(|column| !existing.contains(&column.name));
            out.extend(
                missing.map(|c| format!("ALTER TABLE {table} ADD COLUMN {}", c.definition(d))),
            );
        }
        out.extend(self.indexes.iter().map(|index| {
            let kind = if index.unique { "UNIQUE INDEX" } else { "INDEX" };
            let columns: Vec<String> = index.columns.iter().map(|name| ordered(name)).collect();
            let (name, columns) = (ident(&index.name), columns.join(", "));
            let only = match index.only.as_str() {
                "" => String::new(),
                only => format!(" WHERE {only}"),
            };
            format!("CREATE {kind} IF NOT EXISTS {name} ON {table} ({columns}){only}")
        }));
        out
    }
}

/// A column of an index.
fn ordered(name: &str) -> String {
    match name.strip_suffix(" DESC") {
        Some(name) => format!("{} DESC", ident(name)),
        None => ident(name),
    }
}

/// Makes a table as it is declared; columns that it has besides stay.
///
/// # Errors
/// What the driver says; a table without columns.
pub async fn ensure(db: &Db, table: &Table) -> Result<()> {
    if table.columns.is_empty() {
        return Err(Error::Driver(format!("table {:?} has no columns", table.name)));
    }
    let _lock = db.database().lock_migrations().await?;
    let asked = catalog::columns(db.dialect(), &table.name);
    let existing = db
        .query(asked, |rows| {
            let mut names = Vec::new();
            while let Some(row) = rows.next()? {
                names.push(row.text(0).to_owned());
            }
            Ok::<_, Error>(names)
        })
        .await??;
    let tx = db.database().begin().await?;
    for text in table.statements(db.dialect(), &existing) {
        if let Err(error) = tx.execute(Sql::plain(text)).await {
            tx.rollback().await;
            return Err(error);
        }
    }
    tx.commit().await?;
    db.database().bump();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_a_table() {
        let table = Table::new("_t")
            .column(Column::text("id").primary())
            .column(Column::integer("n"))
            .column(Column::json("j").nullable())
            .unique_index("i", ["n", "id"])
            .index_where("p", ["n DESC", "id"], "n > 0");
        assert_eq!(
            table.statements(Dialect::POSTGRES, &[]),
            [
                r#"CREATE TABLE IF NOT EXISTS "_t" ("id" TEXT DEFAULT '' NOT NULL, "n" BIGINT DEFAULT 0 NOT NULL, "j" JSONB DEFAULT NULL, PRIMARY KEY ("id"))"#,
                r#"CREATE UNIQUE INDEX IF NOT EXISTS "i" ON "_t" ("n", "id")"#,
                r#"CREATE INDEX IF NOT EXISTS "p" ON "_t" ("n" DESC, "id") WHERE n > 0"#,
            ]
        );
        assert_eq!(
            table.statements(Dialect::SQLITE, &["id".into(), "j".into()])[0],
            r#"ALTER TABLE "_t" ADD COLUMN "n" INTEGER DEFAULT 0 NOT NULL"#
        );
    }
}
