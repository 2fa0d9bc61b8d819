//! Sort keys: which value a row is sorted by, where its path has several.

use super::{Row, Seen, SortTerm, lowering::Lowering, nodes::read_by};
use crate::plan::{Cond, SortBy};

impl<'p> Lowering<'p> {
    pub(super) fn sort(&mut self) -> Vec<(SortTerm<'p>, bool)> {
        let plan = self.plan;
        plan.sort.iter().map(|key| (self.sort_term(&key.by), key.desc)).collect()
    }

    fn sort_term(&mut self, by: &'p SortBy) -> SortTerm<'p> {
        let value = match by {
            SortBy::Random => return SortTerm::Random,
            SortBy::RowId => return SortTerm::RowId,
            SortBy::Expr(expr) => expr,
        };
        let joined = self.joined.clone();
        let mut path = read_by(value);
        self.close(&mut path, &joined);
        if path.is_empty() {
            return SortTerm::Value(value);
        }
        let mut parts: Vec<&'p Cond> = match &self.plan.cond {
            Cond::And(list) => list.iter().collect(),
            other => vec![other],
        };
        let mut reach = path.clone();
        let mut taken: Vec<&'p Cond> = Vec::new();
        loop {
            let before = parts.len();
            parts.retain(|part| {
                let free = self.free(part, &joined);
                let touches = free.iter().any(|node| reach.contains(node));
                if touches {
                    reach.extend(free.iter());
                    taken.push(part);
                }
                !touches
            });
            if parts.len() == before {
                break;
            }
        }
        let mut bound = joined;
        bound.extend(path.iter());
        let test = (!taken.is_empty()).then(|| self.conjunction(&taken, &bound));
        let rows = path.iter().map(|node| Row { node, seen: Seen::Both, must: false }).collect();
        SortTerm::First { rows, value, test }
    }
}
