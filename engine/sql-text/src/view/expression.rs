//! Expressions of indexes: over the columns of one table.

use sqlparser::ast::Expr;

use super::{
    Catalog, Table, adapt,
    names::{Level, Source},
    pass::Pass,
};
use crate::tokens;

/// Nothing is known about any table.
pub(super) struct NoTables;

impl Catalog for NoTables {
    fn table(&self, _: &str) -> Option<Table> {
        None
    }
}

/// Walks an expression; `None` where sqlparser sees none.
fn walk<T>(
    text: &str,
    table: &Table,
    postgres: bool,
    see: impl FnOnce(&mut Pass<'_>, &mut Expr) -> T,
) -> Option<T> {
    let (pieces, whole) = tokens::read(text);
    if !whole {
        return None;
    }
    tokens::with_expr(&pieces, |expr| {
        let mut pass = Pass::new(&NoTables, postgres);
        let sources = vec![Source::of_table(&table.name, table)];
        pass.levels.push(Level { sources, aliases: Vec::new() });
        see(&mut pass, expr)
    })
}

/// The columns that an expression reads, in their order there. Where sqlparser does not know it, words that are columns
/// and no function's count.
#[must_use]
pub fn reads(text: &str, table: &Table) -> Vec<String> {
    let read = walk(text, table, false, |pass, expr| {
        pass.expr(expr);
        std::mem::take(&mut pass.reads)
    });
    read.unwrap_or_else(|| {
        let (pieces, _) = tokens::read(text);
        let opens =
            |at: usize| pieces.get(at).is_some_and(|p| p.is(&sqlparser::tokenizer::Token::LParen));
        let names = pieces.iter().enumerate().filter(|(at, _)| !opens(at + 1));
        let columns = names.filter_map(|(_, piece)| table.column(piece.name()?));
        columns.map(|column| column.name.clone()).collect()
    })
}

/// An indexed expression in PostgreSQL's words, between parentheses where it wants them.
#[must_use]
pub fn for_postgres(text: &str, table: &Table) -> String {
    let made = walk(text, table, true, |pass, expr| {
        pass.expr(expr);
        let needs_none = matches!(expr, Expr::Function(_) | Expr::Nested(_));
        if needs_none { expr.to_string() } else { format!("({expr})") }
    });
    made.unwrap_or_else(|| text.replace('`', "\""))
}

/// The condition of a partial index in PostgreSQL's words.
#[must_use]
pub fn condition_for_postgres(text: &str, table: &Table) -> String {
    let made = walk(text, table, true, |pass, expr| {
        let ty = pass.expr(expr);
        adapt::truth(expr, ty);
        expr.to_string()
    });
    made.unwrap_or_else(|| text.replace('`', "\""))
}
