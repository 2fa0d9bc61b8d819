//! A plan on its way to statements. Lowering is the dear part, and page, count and explain ask for the same: so a query
//! keeps each lowering it made. The only caller of [`semijoin::lower`].

use std::sync::OnceLock;

use filter_lang::{
    plan::{Expr, NodeId, Plan, SortBy},
    schema::CollectionKind,
    semijoin::{self, Lowered, Reach, Test},
};

use super::{
    select::{Only, Select, Way},
    spell::Spell,
    walk::Walk,
    ways::{index_helps, lists_by_id, sorts_by_scan},
};
use crate::sql::{Sql, Value};

/// A plan and a spelling: ask it for as many statements as a request needs.
#[derive(Debug)]
pub struct Query<'p> {
    spell: &'static dyn Spell,
    plan: &'p Plan,
    /// By reach; then those with the rows that only an order needs.
    lowered: [OnceLock<Box<Lowered<'p>>>; 8],
}

impl<'p> Query<'p> {
    /// A plan in the words of a dialect.
    #[must_use]
    pub fn new(spell: impl Into<&'static dyn Spell>, plan: &'p Plan) -> Self {
        Self { spell: spell.into(), plan, lowered: Default::default() }
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &'p Plan {
        self.plan
    }

    /// How often the plan was lowered: once per reach that was asked for.
    #[must_use]
    pub fn lowerings(&self) -> usize {
        self.lowered.iter().filter(|cell| cell.get().is_some()).count()
    }

    /// Counts and checks leave the order out; they may have the one with it where that joins no rows of its own.
    fn lowered(&self, reach: Reach, sorted: bool) -> &Lowered<'p> {
        let with_sort = sorted && joins_rows(self.plan);
        let at = match reach {
            Reach::Few => 0,
            Reach::Page => 1,
            Reach::Hop => 2,
            Reach::Many => 3,
        } + if with_sort { 4 } else { 0 };
        let sorted = with_sort || !joins_rows(self.plan);
        self.lowered[at].get_or_init(|| Box::new(semijoin::lower(self.plan, reach, sorted)))
    }

    fn walk(&self) -> Walk<'p> {
        Walk::new(self.spell, self.plan)
    }

    /// How [`page_in`](Self::page_in) may go about a page, at least one way; which one is the cheapest depends on the rows.
    ///
    /// The last way looks at every row once at most and is never far from the best where few rows match: it builds the sets
    /// of all related rows that qualify. The ones before it, likelier first, are cheap where the page fills early and may
    /// cost much more than the last one elsewhere: run them within a limit of steps.
    #[must_use]
    pub fn page_ways(&self, select: &Select<'_>) -> &'static [Way] {
        use Reach::{Few, Hop, Many, Page};
        let plan = self.plan;
        if !matches!(select.only, Only::All) {
            return &[Way::Walk(Few)];
        }
        let fits = !self.spell.plans_by_rows()
            && plan.joined
            && plan.base.kind != CollectionKind::View
            && select.limit.is_some();
        if !fits {
            return &[Way::Walk(Many)];
        }
        let with_sets = self.lowered(Many, true);
        let by_id = lists_by_id(plan, &with_sets.test);
        if with_sets.test == Test::Const(true) {
            return &[Way::Walk(Many)];
        }
        // Look-ups pay in a walk that stops when the page is full.
        let walks = !sorts_by_scan(with_sets) && !index_helps(plan, &with_sets.test);
        if !walks || !semijoin::builds_sets_of_named_rows(plan, &with_sets.test) {
            return if by_id { &[Way::Walk(Many), Way::Scan] } else { &[Way::Walk(Many)] };
        }
        let by_hop = self.lowered(Hop, true);
        let hops = by_hop.test != with_sets.test
            && semijoin::builds_sets_of_named_rows(plan, &by_hop.test);
        match (hops, by_id) {
            (true, true) => &[Way::Walk(Hop), Way::Walk(Many), Way::Scan],
            (true, false) => &[Way::Walk(Hop), Way::Walk(Page), Way::Walk(Many)],
            (false, true) => &[Way::Walk(Page), Way::Walk(Many), Way::Scan],
            (false, false) => &[Way::Walk(Page), Way::Walk(Many)],
        }
    }

    /// The matching rows in the plan's order.
    ///
    /// Without a sort, tables come in insertion order as far as the reference does so too, and by their ids where its joins
    /// make it walk those.
    #[must_use]
    pub fn page(&self, select: &Select<'_>) -> Sql {
        let ways = self.page_ways(select);
        let way = ways.iter().rfind(|way| **way != Way::Scan).or(ways.last());
        self.page_in(select, way.copied().unwrap_or(Way::Walk(Reach::Many)))
    }

    /// [`page`](Self::page), in one of the [`page_ways`](Self::page_ways).
    #[must_use]
    pub fn page_in(&self, select: &Select<'_>, way: Way) -> Sql {
        let reach = match way {
            Way::Walk(reach) => reach,
            Way::Scan => Reach::Many,
        };
        let lowered = self.lowered(reach, true);
        let mut w = self.walk();
        let late = reach == Reach::Many
            && matches!(select.only, Only::All)
            && select.limit.is_some()
            && self.plan.base.kind != CollectionKind::View
            && (way == Way::Scan || sorts_by_scan(lowered))
            && !self.spell.plans_by_rows();
        if late {
            w.page_by_keys(lowered, select);
        } else {
            w.page(lowered, select);
        }
        w.finish()
    }

    /// One row, one integer: how many rows match. Views count distinct ids.
    #[must_use]
    pub fn count(&self) -> Sql {
        let lowered = self.lowered(Reach::Many, false);
        let mut w = self.walk();
        // Ids of a view are not guaranteed to be unique.
        w.push(match self.plan.base.kind {
            CollectionKind::View => "SELECT COUNT(DISTINCT b.\"id\") FROM ",
            CollectionKind::Base | CollectionKind::Auth => "SELECT COUNT(*) FROM ",
        });
        w.base();
        w.joins(lowered);
        w.filter(&lowered.test, &Only::All);
        w.finish()
    }

    /// Two columns, oldest first: the beginning of each hour (`YYYY-MM-DD HH:00:00`) of a date column, and how many rows
    /// match in it. On SQLite the expression is that of the log's index.
    #[must_use]
    pub fn count_by_hour(&self, column: &str) -> Sql {
        let lowered = self.lowered(Reach::Many, false);
        let mut w = self.walk();
        let column = format!("b.{}", crate::quote::ident(column));
        let [hour, shown] = self.spell.hour(&column);
        w.push(&format!("SELECT {shown}, COUNT(*) FROM "));
        w.base();
        w.joins(lowered);
        w.filter(&lowered.test, &Only::All);
        w.push(&format!(" GROUP BY {hour} ORDER BY {hour}"));
        w.finish()
    }

    /// One row if the row of this id exists and matches, else none.
    #[must_use]
    pub fn exists(&self, id: &str) -> Sql {
        let lowered = self.lowered(Reach::Few, false);
        let mut w = self.walk();
        w.push("SELECT 1 FROM ");
        w.base();
        w.joins(lowered);
        w.filter(&lowered.test, &Only::Id(id));
        w.push(" LIMIT 1");
        w.finish()
    }

    /// One row if a row that is given as values matches, submitted or once stored.
    #[must_use]
    pub fn exists_given(&self, columns: &[(&str, Value)]) -> Sql {
        let lowered = self.lowered(Reach::Few, false);
        let mut w = self.walk();
        w.push("WITH d AS (SELECT ");
        for (at, (column, value)) in columns.iter().enumerate() {
            if at > 0 {
                w.push(", ");
            }
            self.spell.draft_column(&mut w, column, value);
            w.push(" AS ");
            w.ident(column);
        }
        w.push(") SELECT 1 FROM d AS b");
        w.joins(lowered);
        w.filter(&lowered.test, &Only::All);
        w.push(" LIMIT 1");
        w.finish()
    }
}

/// True if an order may read other rows than the base row, which then are joined for it.
fn joins_rows(plan: &Plan) -> bool {
    plan.nodes.len() > 1
        && plan.sort.iter().any(|key| match &key.by {
            SortBy::Expr(Expr::Column { node, .. } | Expr::Length { node, .. }) => {
                *node != NodeId::BASE
            }
            SortBy::Expr(_) => true,
            SortBy::Random | SortBy::RowId => false,
        })
}
