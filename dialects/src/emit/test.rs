//! Conditions: comparisons, and rows that are looked for in an EXISTS or a set.

use filter_lang::{
    form::{self, Side},
    plan::{Cond, NodeKind},
    semijoin::{Exists, Link, Test},
};

use super::{
    rows::{Part, parts},
    spell::Alias,
    walk::Walk,
};

impl Walk<'_> {
    /// A condition; `nested`: it stands beside others.
    pub fn test(&mut self, test: &Test<'_>, nested: bool) {
        match test {
            Test::Const(value) => self.truth(*value),
            Test::All(parts) => self.list(parts, " AND ", false),
            Test::Any(parts) => self.list(parts, " OR ", nested),
            Test::Cmp(cmp) => {
                self.spell().compare(self, cmp.op, (&cmp.left).into(), (&cmp.right).into(), false);
            }
            Test::Fails(cmp) => match form::value_check(cmp) {
                Some((left, right)) => self.spell().compare(self, cmp.op, left, right, true),
                None => self.truth(false),
            },
            Test::Holds(holds) => self.spell().holds(self, holds),
            Test::MayMatch { node, query } => self.spell().may_match(self, *node, query),
            Test::Exists(exists) => self.exists(exists, false),
            Test::None(exists) => self.exists(exists, true),
        }
    }

    fn list(&mut self, parts: &[Test<'_>], word: &str, wrap: bool) {
        if wrap {
            self.push("(");
        }
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                self.push(word);
            }
            self.test(part, true);
        }
        if wrap {
            self.push(")");
        }
    }

    fn exists(&mut self, exists: &Exists<'_>, none: bool) {
        match exists.link {
            Link::Correlated => {
                self.push(if none { "NOT EXISTS (SELECT 1" } else { "EXISTS (SELECT 1" });
                self.rows(exists, false);
                self.push(")");
            }
            Link::Set => {
                self.push("(");
                self.set(exists, true);
                self.push(if none { ") IS NOT TRUE" } else { ")" });
            }
            Link::SetOrMissing => {
                self.push("((");
                self.set(exists, true);
                self.push(") OR ((");
                self.set(exists, false);
                self.push(") IS NOT TRUE AND ");
                let mark = self.mark();
                exists.rows.iter().for_each(|row| self.see(*row, Alias::Missing));
                self.test(&exists.test, true);
                self.release(mark);
                self.push(if none { ")) IS NOT TRUE" } else { "))" });
            }
        }
    }

    /// `outer.link IN (SELECT link FROM rows [WHERE test])`.
    fn set(&mut self, exists: &Exists<'_>, tested: bool) {
        let Some(first) = exists.rows.first().copied() else { return };
        let node = self.node(first.node);
        let parent = self.parent(first);
        let written = match &node.kind {
            NodeKind::RelOne { column, .. } => self.column(parent, column),
            _ => self.column(parent, "id"),
        };
        if !written {
            self.push("NULL");
        }
        self.push(" IN (SELECT ");
        let mark = self.mark();
        let alias = self.bind(first);
        match &node.kind {
            NodeKind::BackMany { column, .. } => {
                self.spell().element_id(self, first.node, alias, column);
            }
            NodeKind::BackOne { column, .. } => {
                self.column(alias, column);
            }
            _ => {
                self.column(alias, "id");
            }
        }
        self.push(" FROM ");
        self.source(first, Part::Table, alias);
        if matches!(node.kind, NodeKind::BackMany { .. }) {
            self.push(" CROSS JOIN ");
            self.source(first, Part::Elements, alias);
        }
        if tested {
            for row in &exists.rows[1..] {
                let alias = self.bind(*row);
                self.join(*row, alias);
            }
            self.push(" WHERE ");
            self.test(&exists.test, false);
        }
        self.release(mark);
        self.push(")");
    }

    /// `FROM rows WHERE test`, correlated.
    fn rows(&mut self, exists: &Exists<'_>, nested: bool) {
        let mark = self.mark();
        let aliases: Vec<Alias> = exists.rows.iter().map(|row| self.bind(*row)).collect();
        let rows = || exists.rows.iter().copied().zip(aliases.iter().copied());
        let mut first = None;
        for (row, alias) in rows().filter(|(row, _)| row.must) {
            if first.is_some() {
                self.join(row, alias);
                continue;
            }
            first = Some((row, alias));
            self.push(" FROM ");
            for (at, part) in parts(&self.node(row.node).kind).iter().enumerate() {
                if at > 0 {
                    self.push(" JOIN ");
                }
                self.source(row, *part, alias);
                if at > 0 {
                    self.push(" ON ");
                    if !self.link(row, *part, alias) {
                        self.truth(true);
                    }
                }
            }
        }
        if first.is_none() {
            self.push(" FROM (SELECT 1) AS z");
        }
        rows().filter(|(row, _)| !row.must).for_each(|(row, alias)| self.join(row, alias));
        self.push(" WHERE ");
        if let Some((row, alias)) = first {
            let part = parts(&self.node(row.node).kind)[0];
            if self.link(row, part, alias) {
                self.push(" AND ");
            }
        }
        self.test(&exists.test, first.is_some() || nested);
        self.release(mark);
    }

    /// A condition on bound rows (inside `:changed`).
    pub fn cond(&mut self, cond: &Cond) {
        match cond {
            Cond::Const(value) => self.truth(*value),
            Cond::And(parts) | Cond::Or(parts) => {
                let word = if matches!(cond, Cond::And(_)) { " AND " } else { " OR " };
                self.push("(");
                for (at, part) in parts.iter().enumerate() {
                    if at > 0 {
                        self.push(word);
                    }
                    self.cond(part);
                }
                if parts.is_empty() {
                    self.truth(matches!(cond, Cond::And(_)));
                }
                self.push(")");
            }
            Cond::Cmp(cmp) => {
                let sides: (Side<'_>, Side<'_>) = ((&cmp.left).into(), (&cmp.right).into());
                self.spell().compare(self, cmp.op, sides.0, sides.1, false);
            }
        }
    }
}
