//! A view's query: the columns it gives, what they are taken from, the tables it reads, and its text for PostgreSQL.
//!
//! One walk over the tree does all of it (`pass`): it resolves names, finds types, and for PostgreSQL writes what
//! SQLite's users write in PostgreSQL's words. What it does not know it leaves alone. Knows no fields: a [`Catalog`] says
//! what columns tables have.
//!
//! | file | |
//! |---|---|
//! | `names` | what names mean where |
//! | `select` | queries, selects, what stands behind FROM |
//! | `pass` | expressions and their types |
//! | `adapt` | values of one type where PostgreSQL wants another |
//! | `function` | functions: types, and PostgreSQL's for SQLite's |
//! | `bare` | columns beside aggregates |
//! | `build` | trees for what is written |
//! | `expression` | expressions of indexes |

mod adapt;
mod bare;
mod build;
pub mod expression;
mod function;
mod names;
mod pass;
mod select;
#[cfg(test)]
mod tests;

use sqlparser::{
    ast::Statement,
    dialect::SQLiteDialect,
    parser::Parser,
    tokenizer::{Token, Tokenizer},
};

use names::Known;
use pass::Pass;

/// Longer queries are not looked into: chains of operators are as deep as they are long.
const MAX_TOKENS: usize = 2000;
const STACK: usize = 48 << 20;
const DEPTH: usize = 60;

/// What an expression gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ty {
    /// A text.
    Text,
    /// An integer.
    Int,
    /// A number that is never stored as an integer: averages, roundings.
    Real,
    /// A number of a column: on SQLite an integer where it can be one.
    Number,
    /// True or false.
    Bool,
    /// A JSON document.
    Json,
    /// A value out of JSON, whatever it is.
    Value,
    /// Nothing.
    Null,
    /// Not known.
    Unknown,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub ty: Ty,
}

/// A table or view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its `id` is a primary key.
    pub has_key: bool,
}

impl Table {
    /// The column of a name: the same letters, else ignoring their case.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        let same = self.columns.iter().find(|column| column.name == name);
        same.or_else(|| self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name)))
    }
}

/// The tables there are.
pub trait Catalog {
    /// The table of a name, ignoring case.
    fn table(&self, name: &str) -> Option<Table>;
}

impl Catalog for Vec<Table> {
    fn table(&self, name: &str) -> Option<Table> {
        self.iter().find(|table| table.name.eq_ignore_ascii_case(name)).cloned()
    }
}

/// A column that a query gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub ty: Ty,
    /// The table and the column that it is a copy of.
    pub source: Option<(String, String)>,
    /// Calculated, so that SQLite converts nothing when it is compared.
    pub is_computed: bool,
}

/// What a query says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Its columns.
    pub columns: Vec<Output>,
    /// The tables it reads, as written, wherever they stand in it.
    pub tables: Vec<String>,
}

/// The columns and tables of a query in SQLite's words.
///
/// # Errors
/// Why it cannot be read, in words for its author.
pub fn read(query: &str, catalog: &dyn Catalog) -> Result<View, String> {
    with_query(query, |query| {
        let mut pass = Pass::new(catalog, false);
        let columns = pass.top_level(query, &|_| true)?;
        let columns = columns.into_iter().map(Known::into_output).collect();
        Ok(View { columns, tables: pass.tables })
    })
}

/// The tables that a query reads, as written, wherever they stand in it; `None` if it cannot be read.
#[must_use]
pub fn tables(query: &str) -> Option<Vec<String>> {
    let read = with_query(query, |query| {
        let mut pass = Pass::new(&expression::NoTables, false);
        pass.query(query);
        Ok(pass.tables)
    });
    read.ok()
}

/// The query in PostgreSQL's words; `None` if it is so already, or cannot be read.
///
/// `is_bool` says which columns are shown as true and false; other truth values become 1 and 0, as on SQLite.
pub fn for_postgres(
    query: &str,
    catalog: &dyn Catalog,
    is_bool: &dyn Fn(&str) -> bool,
) -> Option<String> {
    let changed = with_query(query, |query| {
        let before = query.to_string();
        Pass::new(catalog, true).top_level(query, is_bool)?;
        let after = query.to_string();
        Ok((after != before).then_some(after))
    });
    changed.ok().flatten()
}

/// Parses one query and gives it away, with room on the stack for its depth.
fn with_query<T>(
    text: &str,
    see: impl FnOnce(&mut sqlparser::ast::Query) -> Result<T, String>,
) -> Result<T, String> {
    crate::with_stack(STACK, || {
        let dialect = SQLiteDialect {};
        let text = crate::marks::quoted(text);
        let tokens = Tokenizer::new(&dialect, &text).tokenize_with_location();
        let tokens = tokens.map_err(|e| e.to_string())?;
        if tokens.iter().filter(|t| !matches!(t.token, Token::Whitespace(_))).count() > MAX_TOKENS {
            return Err("the query is too long".into());
        }
        let parser = Parser::new(&dialect).with_recursion_limit(DEPTH);
        let parsed = parser.with_tokens_with_locations(tokens).parse_statements();
        let mut statements = parsed.map_err(|e| e.to_string())?;
        match statements.as_mut_slice() {
            [Statement::Query(query)] => see(query),
            [_] => Err("only SELECT statements can be a view".into()),
            _ => Err("multiple statements are not supported".into()),
        }
    })
}
