//! One walk over a lowered plan: aliases, parentheses, placeholder order. Must not know which dialect it is.
//!
//! Aliases and placeholders are numbered in the order of the text, so equal plans give equal texts.

use std::fmt::Write;

use filter_lang::{
    form::{self, Side},
    plan::{Cond, Expr, Node, NodeId, NodeKind, Op, Plan},
    schema::{Collection, CollectionKind},
    semijoin::{self, Exists, Link, Lowered, Reach, Row, Seen, SortTerm, Test},
};

use crate::{
    Dialect, Sql, Value,
    postgres::Postgres,
    quote::push_ident,
    row_id,
    spell::{Alias, Half, Part, Spell},
    sqlite::Sqlite,
    statement::{self, Only, Select, Way},
};

/// The text so far, and which row stands for which node.
#[derive(Debug)]
pub(crate) struct Walk<'p> {
    pub(crate) plan: &'p Plan,
    pub(crate) text: String,
    dialect: Dialect,
    params: Vec<Value>,
    left: Vec<(NodeId, Alias)>,
    right: Vec<(NodeId, Alias)>,
    next: u32,
}

/// How to go about a page, for [`page`].
pub(crate) fn page_ways(d: Dialect, plan: &Plan, select: &Select<'_>) -> &'static [Way] {
    use Reach::{Few, Hop, Many, Page};
    if !matches!(select.only, Only::All) {
        return &[Way::Walk(Few)];
    }
    // PostgreSQL counts rows and plans by that.
    let fits = d == Dialect::Sqlite
        && plan.joined
        && plan.base.kind != CollectionKind::View
        && select.limit.is_some();
    if !fits {
        return &[Way::Walk(Many)];
    }
    let with_sets = semijoin::lower(plan, Many, true);
    let by_id = lists_by_id(plan, &with_sets.test);
    if with_sets.test == Test::Const(true) {
        return &[Way::Walk(Many)];
    }
    // Look-ups pay in a walk that stops when the page is full.
    let walks = !sorts_by_scan(&with_sets) && !index_helps(plan, &with_sets.test);
    if !walks || !semijoin::builds_sets_of_named_rows(plan, &with_sets.test) {
        return if by_id { &[Way::Walk(Many), Way::Scan] } else { &[Way::Walk(Many)] };
    }
    let by_hop = semijoin::lower(plan, Hop, true);
    let hops =
        by_hop.test != with_sets.test && semijoin::builds_sets_of_named_rows(plan, &by_hop.test);
    match (hops, by_id) {
        (true, true) => &[Way::Walk(Hop), Way::Walk(Many), Way::Scan],
        (true, false) => &[Way::Walk(Hop), Way::Walk(Page), Way::Walk(Many)],
        (false, true) => &[Way::Walk(Page), Way::Walk(Many), Way::Scan],
        (false, false) => &[Way::Walk(Page), Way::Walk(Many)],
    }
}

pub(crate) fn page(d: Dialect, plan: &Plan, select: &Select<'_>, way: Way) -> Sql {
    let reach = match way {
        Way::Walk(reach) => reach,
        Way::Scan => Reach::Many,
    };
    let lowered = semijoin::lower(plan, reach, true);
    let mut w = Walk::new(d, plan);
    let late = reach == Reach::Many
        && matches!(select.only, Only::All)
        && select.limit.is_some()
        && plan.base.kind != CollectionKind::View
        && (way == Way::Scan || sorts_by_scan(&lowered))
        && w.spell().keys_first(select.columns);
    if late {
        w.page_by_keys(&lowered, select);
    } else {
        w.page(&lowered, select);
    }
    w.finish()
}

pub(crate) fn count(d: Dialect, plan: &Plan) -> Sql {
    let lowered = semijoin::lower(plan, Reach::Many, false);
    let mut w = Walk::new(d, plan);
    // Ids of a view are not guaranteed to be unique.
    w.push(match plan.base.kind {
        CollectionKind::View => "SELECT COUNT(DISTINCT b.\"id\") FROM ",
        CollectionKind::Base | CollectionKind::Auth => "SELECT COUNT(*) FROM ",
    });
    w.base();
    w.joins(&lowered);
    w.filter(&lowered.test, &Only::All);
    w.finish()
}

pub(crate) fn count_by_hour(d: Dialect, plan: &Plan, column: &str) -> Sql {
    let lowered = semijoin::lower(plan, Reach::Many, false);
    let mut w = Walk::new(d, plan);
    let column = format!("b.{}", crate::ident(column));
    let [hour, shown] = w.spell().hour(&column);
    w.push(&format!("SELECT {shown}, COUNT(*) FROM "));
    w.base();
    w.joins(&lowered);
    w.filter(&lowered.test, &Only::All);
    w.push(&format!(" GROUP BY {hour} ORDER BY {hour}"));
    w.finish()
}

pub(crate) fn exists(d: Dialect, plan: &Plan, id: &str) -> Sql {
    let lowered = semijoin::lower(plan, Reach::Few, false);
    let mut w = Walk::new(d, plan);
    w.push("SELECT 1 FROM ");
    w.base();
    w.joins(&lowered);
    w.filter(&lowered.test, &Only::Id(id));
    w.push(" LIMIT 1");
    w.finish()
}

/// Of a row that is given as values, submitted or once stored.
pub(crate) fn exists_draft(d: Dialect, plan: &Plan, columns: &[(&str, Value)]) -> Sql {
    let lowered = semijoin::lower(plan, Reach::Few, false);
    let mut w = Walk::new(d, plan);
    w.push("WITH d AS (SELECT ");
    for (at, (column, value)) in columns.iter().enumerate() {
        if at > 0 {
            w.push(", ");
        }
        w.spell().draft_column(&mut w, column, value);
        w.push(" AS ");
        w.ident(column);
    }
    w.push(") SELECT 1 FROM d AS b");
    w.joins(&lowered);
    w.filter(&lowered.test, &Only::All);
    w.push(" LIMIT 1");
    w.finish()
}

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

/// True if the order surely needs all matching rows first: no index starts with the first sort key.
fn sorts_by_scan(lowered: &Lowered<'_>) -> bool {
    let base = &lowered.plan.base;
    match lowered.sort.first() {
        Some((SortTerm::Value(Expr::Column { node, column }), _)) => {
            *node != NodeId::BASE || (column != "id" && !base.is_indexed(column))
        }
        Some((SortTerm::Value(_) | SortTerm::First { .. } | SortTerm::Random, _)) => true,
        Some((SortTerm::RowId, _)) | None => false,
    }
}

/// True if rows that nothing sorts come by their ids: the reference's statement is a DISTINCT once it joins rows, and walks
/// the ids so that it need not sort for that. Where an index finds the rows, it follows that one (measured on 0.40.6).
fn lists_by_id(plan: &Plan, test: &Test<'_>) -> bool {
    plan.joined
        && plan.sort.is_empty()
        && plan.base.kind != CollectionKind::View
        && !index_finds(plan, test)
}

/// True if an index surely finds the rows that pass, by the value of a column.
fn index_finds(plan: &Plan, test: &Test<'_>) -> bool {
    let found = |a: &Expr, b: &Expr| match (a, b) {
        (Expr::Column { node: NodeId::BASE, column }, Expr::Bound(value)) => {
            let is_empty = matches!(value, Value::Null) || *value == Value::from("");
            !is_empty && plan.base.is_indexed(column)
        }
        _ => false,
    };
    match test {
        Test::All(parts) => parts.iter().any(|part| index_finds(plan, part)),
        Test::Cmp(cmp) => {
            let (left, right) = (&cmp.left.expr, &cmp.right.expr);
            cmp.op == Op::Eq && (found(left, right) || found(right, left))
        }
        _ => false,
    }
}

/// True if an index of the base table may find the rows that pass, so that no whole-table walk is needed.
fn index_helps(plan: &Plan, test: &Test<'_>) -> bool {
    let indexed = |column: &str| column == "id" || plan.base.is_indexed(column);
    let column = |expr: &Expr| matches!(expr, Expr::Column { node: NodeId::BASE, column } if indexed(column));
    match test {
        Test::Const(value) => !value,
        Test::All(parts) => parts.iter().any(|part| index_helps(plan, part)),
        Test::Any(parts) => parts.iter().all(|part| index_helps(plan, part)),
        Test::Cmp(cmp) => {
            !matches!(cmp.op, Op::Ne | Op::Like | Op::NotLike)
                && (column(&cmp.left.expr) || column(&cmp.right.expr))
        }
        Test::Exists(exists) if exists.link == Link::Set => {
            exists.rows.first().is_some_and(|row| match &plan.node(row.node).kind {
                NodeKind::RelOne { parent: NodeId::BASE, column } => indexed(column),
                NodeKind::BackOne { parent, .. } | NodeKind::BackMany { parent, .. } => {
                    *parent == NodeId::BASE
                }
                _ => false,
            })
        }
        Test::MayMatch { node, .. } => *node == NodeId::BASE,
        Test::Holds(holds) => index_helps(plan, &holds.test),
        Test::Fails(_) | Test::Exists(_) | Test::None(_) => false,
    }
}

impl<'p> Walk<'p> {
    fn new(dialect: Dialect, plan: &'p Plan) -> Self {
        Self {
            plan,
            text: String::with_capacity(256),
            dialect,
            params: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
            next: 1,
        }
    }

    fn finish(self) -> Sql {
        Sql { text: self.text, params: self.params }
    }

    pub(crate) fn spell(&self) -> &'static dyn Spell {
        match self.dialect {
            Dialect::Sqlite => &Sqlite,
            Dialect::Postgres => &Postgres,
        }
    }

    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(crate) fn ident(&mut self, name: &str) {
        push_ident(&mut self.text, name);
    }

    /// A bare placeholder.
    pub(crate) fn param(&mut self, value: Value) {
        self.params.push(value);
        statement::push_mark(&mut self.text, self.dialect, self.params.len());
    }

    pub(crate) fn node(&self, id: NodeId) -> &'p Node {
        self.plan.node(id)
    }

    /// The collection of a node's rows.
    pub(crate) fn collection(&self, id: NodeId) -> Option<&'p Collection> {
        self.node(id).collection.as_deref()
    }

    /// The row that stands for a node in this operand.
    pub(crate) fn alias(&self, node: NodeId, half: Half) -> Alias {
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
    pub(crate) fn parent(&self, row: Row) -> Alias {
        let half = if row.seen == Seen::Right { Half::Right } else { Half::Left };
        self.node(row.node).kind.parent().map_or(Alias::Missing, |parent| self.alias(parent, half))
    }

    /// `alias."column"`; false (and nothing written) if there is no row.
    pub(crate) fn column(&mut self, alias: Alias, column: &str) -> bool {
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
    pub(crate) fn row_id(&mut self) {
        self.push("b.");
        self.push(self.row_id_of(self.node(NodeId::BASE)));
    }

    fn row_id_of(&self, node: &Node) -> &'static str {
        let fields = node.collection.iter().flat_map(|c| &c.fields).map(|f| f.name.as_str());
        row_id::order_name(self.dialect, &fields)
    }

    /// `n<number>` or `e<number>`: the name of a joined row or element; nothing if there is none.
    pub(crate) fn number(&mut self, letter: char, alias: Alias) -> bool {
        let Alias::Joined(number) = alias else { return false };
        let _ = write!(self.text, "{letter}{number}");
        true
    }

    /// `e<number>.value` or `.key`.
    pub(crate) fn element(&mut self, alias: Alias, what: &str) -> bool {
        let named = self.number('e', alias);
        if named {
            self.push(".");
            self.push(what);
        }
        named
    }

    fn base(&mut self) {
        let name = &self.plan.base.name;
        push_ident(&mut self.text, name);
        self.push(" AS b");
    }

    /// Single rows beside the base row.
    fn joins(&mut self, lowered: &Lowered<'_>) {
        for node in &lowered.joins {
            let row = Row { node: *node, seen: Seen::Both, must: false };
            let alias = self.bind(row);
            self.join(row, alias);
        }
    }

    fn bind(&mut self, row: Row) -> Alias {
        let alias = Alias::Joined(self.next);
        self.next += 1;
        self.see(row, alias);
        alias
    }

    fn see(&mut self, row: Row, alias: Alias) {
        if row.seen != Seen::Right {
            self.left.push((row.node, alias));
        }
        if row.seen != Seen::Left {
            self.right.push((row.node, alias));
        }
    }

    fn join(&mut self, row: Row, alias: Alias) {
        for part in parts(&self.node(row.node).kind) {
            self.push(if row.must { " JOIN " } else { " LEFT JOIN " });
            self.spell().source(self, row, *part, alias);
            self.push(" ON ");
            self.spell().link(self, row, *part, alias);
        }
    }

    fn filter(&mut self, test: &Test<'p>, only: &Only<'_>) {
        let mut word = " WHERE ";
        match only {
            Only::Id(id) => {
                self.push(" WHERE b.\"id\" = ");
                self.spell().value(self, &Value::Text((*id).into()));
                word = " AND ";
            }
            Only::Ids(ids) => {
                self.push(" WHERE b.\"id\" ");
                self.spell().in_list(self, Value::Text(statement::json_list(ids).into()));
                word = " AND ";
            }
            Only::All | Only::LinkedTo { .. } => {}
        }
        if *test != Test::Const(true) {
            self.push(word);
            self.test(test, word == " AND ");
        }
    }

    fn page(&mut self, lowered: &Lowered<'p>, select: &Select<'_>) {
        self.push("SELECT ");
        if matches!(select.only, Only::LinkedTo { .. }) {
            self.push("p.value,");
        }
        self.push(select.columns.as_str());
        self.push(" FROM ");
        let view = self.plan.base.kind == CollectionKind::View && self.plan.nodes.len() > 1;
        match select.only {
            Only::LinkedTo { column, multiple, parents } => {
                let list = Value::Text(statement::json_list(parents).into());
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
    fn page_by_keys(&mut self, lowered: &Lowered<'p>, select: &Select<'_>) {
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
                    self.push(self.row_id_of(node));
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
        } else if select.offset > 0 && self.dialect == Dialect::Sqlite {
            self.push(" LIMIT -1");
        }
        // Without an OFFSET, SQLite may run an EXISTS as a loop of its join, which costs less per row.
        if select.offset > 0 {
            self.push(" OFFSET ");
            let offset = i64::try_from(select.offset).unwrap_or(i64::MAX);
            self.spell().value(self, &Value::Int(offset));
        }
    }

    fn mark(&self) -> (usize, usize) {
        (self.left.len(), self.right.len())
    }

    fn release(&mut self, mark: (usize, usize)) {
        self.left.truncate(mark.0);
        self.right.truncate(mark.1);
    }

    /// A condition; `nested`: it stands beside others.
    pub(crate) fn test(&mut self, test: &Test<'_>, nested: bool) {
        match test {
            Test::Const(value) => {
                let text = self.spell().truth(*value);
                self.push(text);
            }
            Test::All(parts) => self.list(parts, " AND ", false),
            Test::Any(parts) => self.list(parts, " OR ", nested),
            Test::Cmp(cmp) => {
                self.spell().compare(self, cmp.op, (&cmp.left).into(), (&cmp.right).into(), false);
            }
            Test::Fails(cmp) => match form::value_check(cmp) {
                Some((left, right)) => self.spell().compare(self, cmp.op, left, right, true),
                None => self.push(self.spell().truth(false)),
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
        self.spell().source(self, first, Part::Table, alias);
        if matches!(node.kind, NodeKind::BackMany { .. }) {
            self.push(" CROSS JOIN ");
            self.spell().source(self, first, Part::Elements, alias);
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
                self.spell().source(self, row, *part, alias);
                if at > 0 {
                    self.push(" ON ");
                    self.spell().link(self, row, *part, alias);
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
            let before = self.text.len();
            self.spell().link(self, row, part, alias);
            if self.text.ends_with("TRUE") {
                self.text.truncate(before);
            } else {
                self.push(" AND ");
            }
        }
        self.test(&exists.test, first.is_some() || nested);
        self.release(mark);
    }

    /// A condition on bound rows (inside `:changed`).
    pub(crate) fn cond(&mut self, cond: &Cond) {
        match cond {
            Cond::Const(value) => self.push(self.spell().truth(*value)),
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
                    self.push(self.spell().truth(matches!(cond, Cond::And(_))));
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

/// True if some rows are looked for in sets.
fn builds_sets(test: &Test<'_>) -> bool {
    match test {
        Test::All(parts) | Test::Any(parts) => parts.iter().any(builds_sets),
        Test::Exists(e) | Test::None(e) => e.link != Link::Correlated || builds_sets(&e.test),
        Test::Holds(holds) => builds_sets(&holds.test),
        Test::Const(_) | Test::Cmp(_) | Test::Fails(_) | Test::MayMatch { .. } => false,
    }
}

/// True if the rows come in the order of a full-text index.
fn walks_index(test: &Test<'_>) -> bool {
    match test {
        Test::All(parts) | Test::Any(parts) => parts.iter().any(walks_index),
        Test::MayMatch { .. } => true,
        Test::Holds(holds) => walks_index(&holds.test),
        Test::Const(_) | Test::Cmp(_) | Test::Fails(_) | Test::Exists(_) | Test::None(_) => false,
    }
}

/// True if a node's rows come from a table, which has an insertion order.
fn is_table(node: &Node) -> bool {
    node.collection.as_ref().is_some_and(|c| c.kind != CollectionKind::View)
}

/// The row sources of a node, in join order.
fn parts(kind: &NodeKind) -> &'static [Part] {
    match kind {
        NodeKind::RelMany { .. } => &[Part::Elements, Part::Table],
        NodeKind::Each { .. } | NodeKind::BodyEach { .. } => &[Part::Elements],
        NodeKind::Base
        | NodeKind::RelOne { .. }
        | NodeKind::BackOne { .. }
        | NodeKind::BackMany { .. }
        | NodeKind::Cross { .. }
        | NodeKind::Auth { .. }
        | NodeKind::Body { .. } => &[Part::Table],
    }
}
