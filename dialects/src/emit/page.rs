//! Pages: their order, their window, and reading the keys before wide rows.

use std::fmt::Write;

use filter_lang::{
    plan::NodeKind,
    schema::CollectionKind,
    semijoin::{Lowered, Row, Seen, SortTerm},
};

use super::{
    select::{Only, Select},
    spell::{Alias, Half},
    walk::{Walk, is_table},
    ways::{builds_sets, index_finds, index_helps, lists_by_id, walks_index},
};
use crate::{quote::json_list, sql::Value};

/// What orders rows that the sort keys leave equal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// Nothing needs to.
    Any,
    /// Insertion, where the reference's statement gives it.
    AsTheReference,
    /// Insertion.
    Insertion,
    /// The id.
    Id,
}

impl<'p> Walk<'p> {
    pub(super) fn page(&mut self, lowered: &Lowered<'p>, select: &Select<'_>) {
        self.push("SELECT ");
        if matches!(select.only, Only::LinkedTo { .. }) {
            self.push("p.value,");
        }
        self.push(select.columns.as_str());
        self.push(" FROM ");
        let view = self.plan.base.kind == CollectionKind::View && self.plan.nodes.len() > 1;
        match select.only {
            Only::LinkedTo { column, multiple, parents } => {
                let list = Value::Text(json_list(parents).into());
                self.spell().linked(self, column, multiple, list);
                self.joins(lowered);
                self.filter(&lowered.test, &select.only);
            }
            // Joins make the reference dedup whole rows, which shows on views (spec §9).
            _ if view => {
                self.push("(SELECT DISTINCT b.* FROM ");
                self.base();
                self.joins(lowered);
                self.filter(&lowered.test, &select.only);
                self.push(") AS b");
                self.left.clear();
                self.right.clear();
                self.joins(lowered);
            }
            _ => {
                self.base();
                self.joins(lowered);
                self.filter(&lowered.test, &select.only);
            }
        }
        let last = match select.only {
            Only::Id(_) => Last::Any,
            // An index SQLite makes for the statement orders the rows of a parent by whatever else it holds.
            Only::LinkedTo { .. } => Last::Insertion,
            Only::All if lists_by_id(self.plan, &lowered.test) => Last::Id,
            Only::All | Only::Ids(_) => Last::AsTheReference,
        };
        self.order(lowered, last);
        self.window(select);
    }

    /// Finds the keys of the page first and reads the wide rows after: a sorter full of wide rows costs more
    /// than the second look-up (20,000 rows of 600 bytes, newest first: 45 ms against 2.6 ms).
    ///
    /// Newest rows usually come last, so a descending sort over a whole table walks it backwards: then almost no
    /// row enters the top of the sorter (1.7 ms). Ties keep insertion order either way.
    pub(super) fn page_by_keys(&mut self, lowered: &Lowered<'p>, select: &Select<'_>) {
        let backwards = lowered.sort.first().is_some_and(|(_, desc)| *desc)
            && !index_helps(self.plan, &lowered.test);
        self.push("SELECT ");
        self.push(select.columns.as_str());
        self.push(" FROM (SELECT ");
        if backwards {
            self.push("k.r FROM (SELECT ");
            self.row_id();
            self.push(" AS r");
            for (at, (term, _)) in lowered.sort.iter().enumerate() {
                // Joins come later in the text but their aliases are the first ones.
                let mark = self.mark();
                let next = self.next;
                self.next = 1;
                lowered.joins.iter().for_each(|node| {
                    self.bind(Row { node: *node, seen: Seen::Both, must: false });
                });
                self.next = next.max(self.next);
                self.push(", ");
                self.sort_value(term);
                let _ = write!(self.text, " AS s{at}");
                self.release(mark);
            }
            let next = std::mem::replace(&mut self.next, 1);
            self.push(" FROM ");
            self.base();
            self.joins(lowered);
            self.next = self.next.max(next);
            self.filter(&lowered.test, &Only::All);
            self.push(" ORDER BY ");
            self.row_id();
            self.push(" DESC LIMIT -1) AS k ORDER BY ");
            for (at, (_, desc)) in lowered.sort.iter().enumerate() {
                let _ = write!(self.text, "k.s{at}{}, ", if *desc { " DESC" } else { "" });
            }
            self.push("k.r");
        } else {
            self.row_id();
            self.push(" AS r FROM ");
            self.base();
            self.joins(lowered);
            self.filter(&lowered.test, &Only::All);
            if lists_by_id(self.plan, &lowered.test) {
                // Without the sign SQLite would walk the ids.
                self.push(" ORDER BY +b.\"id\"");
            } else {
                self.order(lowered, Last::AsTheReference);
            }
        }
        self.window(select);
        self.push(") AS k CROSS JOIN ");
        self.base();
        self.push(" ON ");
        self.row_id();
        self.push(" = k.r");
    }

    /// The value of a sort term, without direction.
    fn sort_value(&mut self, term: &SortTerm<'_>) {
        let spell = self.spell();
        match term {
            SortTerm::Random => spell.random(self),
            SortTerm::RowId => self.row_id(),
            SortTerm::Value(expr) => spell.scalar(self, expr, Half::Left),
            SortTerm::First { rows, value, test } => {
                let mark = self.mark();
                self.push("(SELECT ");
                let aliases: Vec<Alias> = rows.iter().map(|row| self.bind(*row)).collect();
                spell.scalar(self, value, Half::Left);
                self.push(" FROM (SELECT 1) AS z");
                rows.iter().zip(&aliases).for_each(|(row, alias)| self.join(*row, *alias));
                if let Some(test) = test {
                    self.push(" WHERE ");
                    self.test(test, false);
                }
                let mut word = " ORDER BY ";
                for (row, alias) in rows.iter().zip(&aliases) {
                    let before = self.text.len();
                    self.push(word);
                    if self.position(*row, *alias) {
                        word = ", ";
                    } else {
                        self.text.truncate(before);
                    }
                }
                self.push(" LIMIT 1)");
                self.release(mark);
            }
        }
    }

    /// Position of a joined row in list or insertion order; nothing if it has none.
    fn position(&mut self, row: Row, alias: Alias) -> bool {
        let node = self.node(row.node);
        match &node.kind {
            NodeKind::RelMany { .. } | NodeKind::Each { .. } | NodeKind::BodyEach { .. } => {
                self.element(alias, "key")
            }
            NodeKind::BackOne { .. }
            | NodeKind::BackMany { .. }
            | NodeKind::Cross { .. }
            | NodeKind::Body { .. } => {
                let named = is_table(node) && self.number('n', alias);
                if named {
                    self.push(".");
                    self.push_row_id(node);
                }
                named
            }
            _ => false,
        }
    }

    fn order(&mut self, lowered: &Lowered<'p>, last: Last) {
        let mut word = " ORDER BY ";
        for (term, desc) in &lowered.sort {
            self.push(word);
            word = ", ";
            match term {
                SortTerm::Random => self.sort_value(term),
                SortTerm::RowId => {
                    self.sort_value(term);
                    self.push(if *desc { " DESC" } else { "" });
                }
                SortTerm::Value(expr) | SortTerm::First { value: expr, .. } => {
                    self.spell().order(self, expr, *desc, &|w| w.sort_value(term));
                }
            }
        }
        if last == Last::Id {
            self.push(word);
            self.push("b.\"id\"");
        } else if last != Last::Any && self.plan.base.kind != CollectionKind::View {
            let before = self.text.len();
            self.push(word);
            let needed = match last {
                Last::Insertion => true,
                _ if self.plan.base.tie_break.is_some() => true,
                _ => {
                    walks_index(&lowered.test)
                        || self.plan.nodes.len() > 1 && !self.follows_index(lowered)
                }
            };
            if !self.spell().last_order(self, needed) {
                self.text.truncate(before);
            }
        }
    }

    /// True if an index finds the rows and nothing else could: they come in its order, as in the reference.
    fn follows_index(&self, lowered: &Lowered<'_>) -> bool {
        lowered.sort.is_empty()
            && index_finds(self.plan, &lowered.test)
            && !builds_sets(&lowered.test)
    }

    fn window(&mut self, select: &Select<'_>) {
        if let Some(limit) = select.limit {
            self.push(" LIMIT ");
            self.spell().value(self, &Value::Int(i64::from(limit)));
        } else if select.offset > 0 {
            self.push(self.spell().no_limit());
        }
        // Without an OFFSET, SQLite may run an EXISTS as a loop of its join, which costs less per row.
        if select.offset > 0 {
            self.push(" OFFSET ");
            let offset = i64::try_from(select.offset).unwrap_or(i64::MAX);
            self.spell().value(self, &Value::Int(offset));
        }
    }
}
