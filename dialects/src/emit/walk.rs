//! One walk over a lowered plan: aliases, parentheses, placeholder order. Must not know which dialect it is.
//!
//! Aliases and placeholders are numbered in the order of the text, so equal plans give equal texts.

use std::fmt::Write;

use filter_lang::{
    plan::{Node, NodeId, Plan},
    schema::{Collection, CollectionKind},
    semijoin::{Lowered, Row, Seen, Test},
};

use super::{
    rows::parts,
    select::Only,
    spell::{Alias, Half, Spell},
};
use crate::{
    quote::{json_list, push_ident},
    sql::{Sql, Value},
};

/// The text so far, and which row stands for which node.
#[derive(Debug)]
pub struct Walk<'p> {
    pub(crate) plan: &'p Plan,
    pub(crate) text: String,
    spell: &'static dyn Spell,
    params: Vec<Value>,
    pub(super) left: Vec<(NodeId, Alias)>,
    pub(super) right: Vec<(NodeId, Alias)>,
    pub(super) next: u32,
}

impl<'p> Walk<'p> {
    pub(super) fn new(spell: &'static dyn Spell, plan: &'p Plan) -> Self {
        Self {
            plan,
            text: String::with_capacity(256),
            spell,
            params: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
            next: 1,
        }
    }

    pub(super) fn finish(self) -> Sql {
        Sql { text: self.text, params: self.params }
    }

    pub(crate) fn spell(&self) -> &'static dyn Spell {
        self.spell
    }

    /// Writes a piece of text as it is.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Writes a name in quotes.
    pub fn ident(&mut self, name: &str) {
        push_ident(&mut self.text, name);
    }

    /// A bare placeholder.
    pub fn param(&mut self, value: Value) {
        self.params.push(value);
        let _ = write!(self.text, "{}{}", self.spell.sign(), self.params.len());
    }

    /// `IN (…)` over a JSON list.
    pub fn in_list(&mut self, list: Value) {
        self.params.push(list);
        let mark = format!("{}{}", self.spell.sign(), self.params.len());
        self.push(&self.spell.in_list(&mark));
    }

    /// A boolean constant.
    pub fn truth(&mut self, value: bool) {
        self.push(if value { "TRUE" } else { "FALSE" });
    }

    /// The plan that is being written.
    #[must_use]
    pub fn plan(&self) -> &'p Plan {
        self.plan
    }

    /// A node of the plan.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &'p Node {
        self.plan.node(id)
    }

    /// The collection of a node's rows.
    pub fn collection(&self, id: NodeId) -> Option<&'p Collection> {
        self.node(id).collection.as_deref()
    }

    /// The row that stands for a node in this operand.
    pub fn alias(&self, node: NodeId, half: Half) -> Alias {
        if node == NodeId::BASE {
            return Alias::Base;
        }
        let stack = match half {
            Half::Left => &self.left,
            Half::Right => &self.right,
        };
        // Every node is bound by the lowering; a row that is not there has no values.
        stack.iter().rev().find(|(n, _)| *n == node).map_or(Alias::Missing, |(_, alias)| *alias)
    }

    /// The row a joined row hangs on.
    pub fn parent(&self, row: Row) -> Alias {
        let half = if row.seen == Seen::Right { Half::Right } else { Half::Left };
        self.node(row.node).kind.parent().map_or(Alias::Missing, |parent| self.alias(parent, half))
    }

    /// `alias."column"`; false (and nothing written) if there is no row.
    pub fn column(&mut self, alias: Alias, column: &str) -> bool {
        match alias {
            Alias::Base => self.push("b."),
            Alias::Joined(number) => {
                let _ = write!(self.text, "n{number}.");
            }
            Alias::Missing => return false,
        }
        self.ident(column);
        true
    }

    /// What orders the base rows by insertion.
    pub fn row_id(&mut self) {
        self.push("b.");
        self.push_row_id(self.node(NodeId::BASE));
    }

    pub(super) fn push_row_id(&mut self, node: &Node) {
        let collection = node.collection.as_deref();
        if let Some(column) = collection.and_then(|c| c.tie_break.as_deref()) {
            return self.ident(column);
        }
        self.push(self.own_row_id(node));
    }

    fn own_row_id(&self, node: &Node) -> &'static str {
        let fields = node.collection.iter().flat_map(|c| &c.fields);
        let is_column = |name: &str| fields.clone().any(|f| f.name.eq_ignore_ascii_case(name));
        self.spell.row_id(&is_column).unwrap_or("\"id\"")
    }

    /// `n<number>` or `e<number>`: the name of a joined row or element; nothing if there is none.
    pub fn number(&mut self, letter: char, alias: Alias) -> bool {
        let Alias::Joined(number) = alias else { return false };
        let _ = write!(self.text, "{letter}{number}");
        true
    }

    /// `e<number>.value` or `.key`.
    pub fn element(&mut self, alias: Alias, what: &str) -> bool {
        let named = self.number('e', alias);
        if named {
            self.push(".");
            self.push(what);
        }
        named
    }

    pub(super) fn base(&mut self) {
        let name = &self.plan.base.name;
        push_ident(&mut self.text, name);
        self.push(" AS b");
    }

    /// Single rows beside the base row.
    pub(super) fn joins(&mut self, lowered: &Lowered<'_>) {
        for node in &lowered.joins {
            let row = Row { node: *node, seen: Seen::Both, must: false };
            let alias = self.bind(row);
            self.join(row, alias);
        }
    }

    pub(super) fn bind(&mut self, row: Row) -> Alias {
        let alias = Alias::Joined(self.next);
        self.next += 1;
        self.see(row, alias);
        alias
    }

    pub(super) fn see(&mut self, row: Row, alias: Alias) {
        if row.seen != Seen::Right {
            self.left.push((row.node, alias));
        }
        if row.seen != Seen::Left {
            self.right.push((row.node, alias));
        }
    }

    pub(super) fn join(&mut self, row: Row, alias: Alias) {
        for part in parts(&self.node(row.node).kind) {
            self.push(if row.must { " JOIN " } else { " LEFT JOIN " });
            self.source(row, *part, alias);
            self.push(" ON ");
            if !self.link(row, *part, alias) {
                self.truth(true);
            }
        }
    }

    pub(super) fn filter(&mut self, test: &Test<'p>, only: &Only<'_>) {
        let mut word = " WHERE ";
        match only {
            Only::Id(id) => {
                self.push(" WHERE b.\"id\" = ");
                self.spell().value(self, &Value::Text((*id).into()));
                word = " AND ";
            }
            Only::Ids(ids) => {
                self.push(" WHERE b.\"id\" ");
                self.in_list(Value::Text(json_list(ids).into()));
                word = " AND ";
            }
            Only::All | Only::LinkedTo { .. } => {}
        }
        if *test != Test::Const(true) {
            self.push(word);
            self.test(test, word == " AND ");
        }
    }

    pub(super) fn mark(&self) -> (usize, usize) {
        (self.left.len(), self.right.len())
    }

    pub(super) fn release(&mut self, mark: (usize, usize)) {
        self.left.truncate(mark.0);
        self.right.truncate(mark.1);
    }
}

/// True if a node's rows come from a table, which has an insertion order.
pub(super) fn is_table(node: &Node) -> bool {
    node.collection.as_ref().is_some_and(|c| c.kind != CollectionKind::View)
}
