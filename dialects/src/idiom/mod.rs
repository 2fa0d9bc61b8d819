//! All that differs between databases, as one trait without default bodies: a database that leaves something unsaid does not
//! compile. The rooms above it write what is common and ask a [`Dialect`] for the rest.
//!
//! Must not name an implementation: each declares its own `Dialect` constant.

mod facts;

use std::borrow::Cow;

pub use facts::{Case, Catalog, ColumnType, Documents, Fault, NativeTypes, Syntax, System, Unfit};

use crate::{
    emit::{Query, Spell},
    sql::Sql,
};
use filter_lang::plan::Plan;

/// Which database a text is for. Cheap to copy. Which one it is cannot be asked, so that nothing is silent about a new one:
///
/// ```compile_fail
/// use dialects::Dialect;
///
/// assert!(Dialect::SQLITE == Dialect::SQLITE);
/// ```
#[derive(Clone, Copy)]
pub struct Dialect(pub(crate) &'static dyn Idiom);

impl Dialect {
    /// A plan on its way to statements.
    #[must_use]
    pub fn query<'p>(self, plan: &'p Plan) -> Query<'p> {
        Query::new(self, plan)
    }
}

impl std::ops::Deref for Dialect {
    type Target = dyn Idiom;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl From<Dialect> for &'static dyn Spell {
    fn from(dialect: Dialect) -> Self {
        dialect.0
    }
}

impl std::fmt::Debug for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self.0, f)
    }
}

/// What a database says in its own way.
pub trait Idiom: Spell {
    /// What it is called on the command line.
    fn name(&self) -> &'static str;
    /// What its makers call it, in small letters.
    fn product(&self) -> &'static str;
    /// What users' SQL has to be turned into.
    fn syntax(&self) -> Syntax;
    /// True where a transaction that writes has the database to itself.
    fn has_one_writer(&self) -> bool;

    // statements

    /// Behind a SELECT: its rows are kept from others until the transaction ends.
    fn for_update(&self) -> &'static str;
    /// The same, leaving out rows that others keep.
    fn for_update_skipping(&self) -> &'static str;
    /// Equal, NULL being equal to NULL.
    fn is_same(&self) -> &'static str;
    /// A text column that is the value of a placeholder, where ASCII letters fold.
    fn is_text(&self, column: &str, mark: &str) -> String;
    /// A list column that holds the text of a placeholder.
    fn holds_text(&self, column: &str, mark: &str) -> String;
    /// `LIKE`, or `NOT LIKE`, that ignores the case of letters.
    fn like(&self, negated: bool) -> &'static str;
    /// A query as a FROM item.
    fn derived(&self, query: &str) -> String;
    /// What asks how a query would be run.
    fn explain(&self) -> &'static str;
    /// Statements over the system tables.
    fn system(&self) -> &'static System;
    /// Introspection queries.
    fn catalog(&self) -> &'static Catalog;

    // names and limits

    /// A name as the database has it. Names that differ in the case of ASCII letters only stay so.
    fn stored<'n>(&self, name: &'n str) -> Cow<'n, str>;
    /// What the database itself makes of a name that is too long for it.
    fn truncated<'n>(&self, name: &'n str) -> &'n str;
    /// True where names that differ in the case of letters only are one name.
    fn ignores_case(&self) -> bool;
    /// True if there is nothing that [`unfit_text`](Self::unfit_text) and [`unfit_json`](Self::unfit_json) refuse.
    fn holds_any_text(&self) -> bool;
    /// What keeps a text out.
    fn unfit_text(&self, text: &str) -> Option<Unfit>;
    /// What keeps a valid JSON text out.
    fn unfit_json(&self, text: &str) -> Option<Unfit>;

    // schema

    /// A name in a schema statement.
    fn quoted(&self, name: &str) -> String;
    /// Type, default and constraints of a column as they stand in `CREATE TABLE`.
    fn definition(&self, ty: ColumnType) -> &'static str;
    /// The types of tables that are no collections.
    fn native(&self) -> &'static NativeTypes;
    /// The statements that make the request log.
    fn log_tables(&self) -> Vec<String>;
    /// The indexes that a column of documents has by itself.
    fn documents(&self, ty: ColumnType) -> &'static [Documents];
    /// What such an index is over, behind `CREATE INDEX … ON table`.
    fn documents_over(&self, kind: Documents, column: &str) -> String;
    /// Gives an index another name, if there is one; nothing where an index is never renamed.
    fn rename_index(&self, from: &str, to: &str) -> Vec<String>;
    /// See [`crate::ddl::single_to_multiple`].
    fn single_to_multiple(&self, table: &str, column: &str, temp: &str) -> Vec<String>;
    /// See [`crate::ddl::multiple_to_single`].
    fn multiple_to_single(&self, table: &str, column: &str, temp: &str) -> Vec<String>;
    /// `CREATE VIEW name AS SELECT * FROM (query)`.
    fn create_view(&self, view: &str, query: &str) -> String;
    /// A text as the id of a view, in a select list.
    fn text_id(&self) -> &'static str;
    /// See [`crate::ddl::create_full_text`].
    fn create_full_text(&self, collection_id: &str, table: &str, columns: &[&str]) -> Vec<String>;
    /// See [`crate::ddl::full_text_parts`].
    fn full_text_parts(&self, collection_id: &str) -> Vec<String>;
    /// See [`crate::ddl::full_text_owner`].
    fn full_text_owner<'n>(&self, name: &'n str) -> Option<&'n str>;
    /// See [`crate::ddl::drop_full_text`].
    fn drop_full_text(&self, collection_id: &str) -> Vec<String>;

    // what a change of a table needs

    /// `name`, `sql` of the views that a change of a table must not see, in creation order.
    fn views_before(&self, table: &str) -> Sql;
    /// `name`, `sql` of the views that keep these tables and views from being dropped, in creation order; none where a
    /// reader keeps nothing.
    fn readers(&self, relations: &[&str]) -> Option<Sql>;
    /// `sql`: what a view has beside its query, as statements for a view of another name; the first one is empty.
    fn belongings(&self, view: &str, of: &str) -> Option<Sql>;
    /// True for names of columns that the database neither adds, renames nor drops: their table is made anew.
    fn is_fixed(&self, column: &str) -> bool;
    /// `sql` of a table, and of each index and trigger on it in the order they were made, where columns may be fixed.
    fn made_of(&self, table: &str) -> Option<[Sql; 2]>;
    /// The statements that make a table anew under the same name with some columns renamed, rows and their order kept.
    /// `text` is the first of [`made_of`](Self::made_of), `columns` are all it has; `aside` is a free name. Indexes and
    /// triggers go, views that read the table must have gone. `None` where the text is none that is understood.
    fn rebuild(
        &self,
        text: &str,
        table: &str,
        aside: &str,
        columns: &[String],
        renames: &[(String, String)],
    ) -> Option<Vec<String>>;
}
