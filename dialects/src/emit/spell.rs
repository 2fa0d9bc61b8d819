//! What a dialect must spell: one method per construct, no default bodies, so a missing spelling does not compile.
//!
//! A spelling decides no meaning; which form a comparison takes comes from [`filter_lang::form`].

use filter_lang::{
    form::Side,
    plan::{Expr, NodeId, Op},
    semijoin::{Holds, Row},
    value::Value,
};

use super::walk::Walk;

/// Where the rows of a node stand in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alias {
    /// The base row, `b`.
    Base,
    /// A joined row, `n<number>` (list elements: `e<number>`).
    Joined(u32),
    /// No row: every column is NULL.
    Missing,
}

/// Which operand of a comparison is being written; value lists give each its own rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// The left operand.
    Left,
    /// The right operand.
    Right,
}

/// How one dialect spells a plan.
pub trait Spell: std::fmt::Debug + Send + Sync {
    /// What begins a placeholder.
    fn sign(&self) -> char;
    /// What orders the rows of a table by their insertion, unless its columns hide every name of that.
    fn row_id(&self, is_column: &dyn Fn(&str) -> bool) -> Option<&'static str>;
    /// True where the database knows how many rows there are and plans by that. Elsewhere a page is read in several
    /// [ways](super::Way), and wide rows that are sorted without an index by their keys first.
    fn plans_by_rows(&self) -> bool;
    /// What stands in front of an OFFSET without a limit.
    fn no_limit(&self) -> &'static str;
    /// A placeholder with its type; NULL where the value is.
    fn value(&self, w: &mut Walk<'_>, value: &Value);
    /// A comparison in boolean position; `fails` asks whether it is definitely false.
    fn compare(&self, w: &mut Walk<'_>, op: Op, left: Side<'_>, right: Side<'_>, fails: bool);
    /// A test of what a document holds, with what its index can answer.
    fn holds(&self, w: &mut Walk<'_>, holds: &Holds<'_>);
    /// The test of [`filter_lang::semijoin::Test::MayMatch`] that the full-text index answers.
    fn may_match(&self, w: &mut Walk<'_>, node: NodeId, query: &str);
    /// NULL where a text is expected.
    fn null_text(&self) -> &'static str;
    /// The elements of a row's list as a FROM item with its alias, `e<number>`.
    fn elements(&self, w: &mut Walk<'_>, row: Row, alias: Alias);
    /// The condition that the list `column` of a joined row names the row that it hangs on.
    fn names(&self, w: &mut Walk<'_>, row: Row, alias: Alias, column: &str);
    /// One ORDER BY term; `write` writes the value (of `expr`'s type) each time it is called.
    fn order(&self, w: &mut Walk<'_>, expr: &Expr, desc: bool, write: &dyn Fn(&mut Walk<'_>));
    /// The plain value of an expression, as ORDER BY and sort subqueries see it.
    fn scalar(&self, w: &mut Walk<'_>, expr: &Expr, half: Half);
    /// The random order.
    fn random(&self, w: &mut Walk<'_>);
    /// What a table is ordered by when nothing else decides; `needed` says that the plan reads other rows.
    fn last_order(&self, w: &mut Walk<'_>, needed: bool) -> bool;
    /// An element of the list `column` of `node`, as the text of an id.
    fn element_id(&self, w: &mut Walk<'_>, node: NodeId, alias: Alias, column: &str);
    /// `IN (…)` over one placeholder of a JSON list.
    fn in_list(&self, mark: &str) -> String;
    /// The FROM clause of a page over rows that name one of the parents, `p.value` being the parent.
    fn linked(&self, w: &mut Walk<'_>, column: &str, multiple: bool, parents: Value);
    /// One column of a row given as values: of a draft, or of a stored row as it was, with the type of its column.
    fn draft_column(&self, w: &mut Walk<'_>, column: &str, value: &Value);
    /// The hour of a date column: what rows are grouped by, and that as `YYYY-MM-DD HH:00:00`.
    fn hour(&self, column: &str) -> [String; 2];
}
