//! Reads that may be put in several ways: which one was the cheapest lately, and running it.
//!
//! Which statement is the best for a page depends on how many rows match and how large the related tables are, which
//! nobody has counted. So all are tried, within limits, and their times are remembered by the first one's text and by
//! the order of magnitude of the rows the page is away. What takes longer than the calling thread may is tried on the
//! reader lane, by and by within larger limits, as long as nothing cheaper is known.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use super::read::{Database, Heavy, Tried};
use super::visit::{Seen, later};
use super::{Result, Rows, Ways};

/// Ticks (of 2,000 steps) a way may take on the calling thread, to its last row.
const LIMIT: u32 = 32;
/// Microseconds below which no other way is looked for.
const CHEAP: u64 = 200;
/// Microseconds above which the last way is not tried on the calling thread.
const LONG: u64 = 4_000;
/// Roughly the microseconds that a tick takes.
const TICK: u64 = 64;
/// One of so many runs tries another way.
const RETRY: u32 = 128;
/// At most so many ways.
const WAYS: usize = 3;
/// Microseconds that are remembered of a run that ended; more stands for runs that did not.
const MOST: u64 = u16::MAX as u64 - 1;

impl Database {
    /// Shows the same rows to `visit` by whichever statement was the cheapest lately. The last one is run like any
    /// [`query`](Self::query) where the others exceed their limits; what `visit` has seen of those does not count.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub(crate) async fn query_ways<T, F>(&self, ways: &Ways<'_>, visit: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Rows<'_>) -> T + Clone + Send + 'static,
    {
        let n = ways.count.clamp(1, WAYS);
        let first = (ways.sql)(0);
        if n == 1 {
            return self.query(first, visit).await;
        }
        let costs = &self.0.costs;
        let mark = mark(&first.text, ways.rows);
        let mut first = Some(first);
        let mut open = [true; WAYS];
        while let Some(choice) = costs.choose(mark, n, open) {
            open[choice.way] = false;
            let is_last = choice.way == n - 1;
            if is_last && choice.cost > LONG {
                break;
            }
            let sql = match first.take_if(|_| choice.way == 0) {
                Some(first) => first,
                None => (ways.sql)(choice.way),
            };
            let started = Instant::now();
            let (tried, answer) = if choice.ticks > LIMIT {
                let (visit, answer) = later(visit.clone());
                (self.within_on_lane(sql, choice.ticks, visit).await?, answer.take())
            } else {
                let mut seen = Seen::Waiting(visit.clone());
                let tried = self.within(&sql, choice.ticks, &mut |rows| seen.show(rows))?;
                (tried, seen.answer())
            };
            match tried {
                Tried::Done => {
                    costs.learn(mark, choice.way, micros(started), true);
                    return answer;
                }
                Tried::Stopped => costs.learn(mark, choice.way, micros(started), false),
                Tried::NoReader => break,
            }
        }
        let started = Instant::now();
        let result = self.query((ways.sql)(n - 1), visit).await;
        if result.is_ok() {
            costs.learn(mark, n - 1, micros(started), true);
        }
        result
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// What is remembered together: pages of one text that lie about as deep.
fn mark(text: &str, rows: u64) -> u64 {
    let depth = u64::from(rows.max(1).ilog2()) + 1;
    Heavy::mark(text) ^ depth.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The way to take next.
#[derive(Debug, PartialEq, Eq)]
struct Choice {
    way: usize,
    /// What it cost lately in microseconds; 0 = not known.
    cost: u64,
    /// Its limit; beyond [`LIMIT`] it is for the reader lane.
    ticks: u32,
}

/// Microseconds by mark and way. A slot holds 16 bits of its mark and 16 bits per way; a lost race or a collision only
/// costs a trial.
#[derive(Debug)]
pub(super) struct Costs {
    slots: Box<[AtomicU64; 512]>,
    turn: AtomicU32,
}

impl Default for Costs {
    fn default() -> Self {
        Self {
            slots: Box::new(std::array::from_fn(|_| AtomicU64::new(0))),
            turn: AtomicU32::new(1),
        }
    }
}

impl Costs {
    /// The cheapest of the first `n` ways that are still open; now and then another one.
    fn choose(&self, mark: u64, n: usize, open: [bool; WAYS]) -> Option<Choice> {
        let costs = self.of(mark);
        let best = costs[..n].iter().copied().filter(|cost| *cost > 0).min();
        let settled = best.is_some_and(|best| best <= CHEAP);
        let rank = |way: usize| match costs[way] {
            0 if settled => u64::MAX,
            cost => cost,
        };
        let mut way = (0..n).filter(|way| open[*way]).min_by_key(|way| rank(*way))?;
        if open[..n].iter().all(|open| *open) && best.is_some() && !settled {
            let turn = self.turn.fetch_add(1, Relaxed);
            if turn.is_multiple_of(RETRY) {
                way = (turn / RETRY) as usize % n;
            }
        }
        let cost = costs[way];
        let ticks = match best {
            // Twice the best: what takes longer is no better.
            Some(best) if cost != best => {
                u32::try_from(2 * best / TICK).unwrap_or(LIMIT).clamp(LIMIT / 8, LIMIT)
            }
            _ if cost > LONG => u32::try_from(2 * cost / TICK).unwrap_or(LIMIT).max(LIMIT + 1),
            _ => LIMIT,
        };
        Some(Choice { way, cost, ticks })
    }

    /// Remembers a run. One that was slow by chance raises the figure a little only; each one that was stopped doubles it, until
    /// another way is cheaper.
    fn learn(&self, mark: u64, way: usize, took: u64, ended: bool) {
        let mut costs = self.of(mark);
        let known = costs[way];
        let cost = match (ended, known) {
            (false, _) => known.max(took).saturating_mul(2).min(u64::from(u16::MAX)),
            (true, 0) => took.min(MOST),
            (true, _) => took.min(known + known / 8 + 1).min(MOST),
        };
        costs[way] = cost.max(1);
        let packed = costs.iter().rev().fold(0, |packed, cost| packed << 16 | cost);
        self.slot(mark).store(packed << 16 | tag(mark), Relaxed);
    }

    pub(super) fn clear(&self) {
        for slot in self.slots.iter() {
            slot.store(0, Relaxed);
        }
    }

    fn of(&self, mark: u64) -> [u64; WAYS] {
        let packed = self.slot(mark).load(Relaxed);
        if packed & 0xFFFF != tag(mark) {
            return [0; WAYS];
        }
        std::array::from_fn(|way| packed >> (16 * (way + 1)) & 0xFFFF)
    }

    fn slot(&self, mark: u64) -> &AtomicU64 {
        #[allow(clippy::cast_possible_truncation)]
        &self.slots[(mark >> 16) as usize % self.slots.len()]
    }
}

/// The part of a mark that a slot holds; never 0.
fn tag(mark: u64) -> u64 {
    (mark >> 48 ^ mark) & 0xFFFF | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [bool; WAYS] = [true; WAYS];

    fn way(costs: &Costs, open: [bool; WAYS]) -> Option<usize> {
        costs.choose(7, 3, open).map(|choice| choice.way)
    }

    #[test]
    fn unknown_ways_come_first_unless_a_cheap_one_is_known() {
        let costs = Costs::default();
        assert_eq!(costs.choose(7, 3, ALL), Some(Choice { way: 0, cost: 0, ticks: LIMIT }));
        costs.learn(7, 0, 900, true);
        assert_eq!(way(&costs, ALL), Some(1));
        costs.learn(7, 1, 400, true);
        assert_eq!(way(&costs, ALL), Some(2));
        costs.learn(7, 2, 2_000, true);
        assert_eq!(costs.choose(7, 3, ALL), Some(Choice { way: 1, cost: 400, ticks: LIMIT }));
        let again = costs.choose(7, 3, [true, false, true]);
        assert_eq!(again, Some(Choice { way: 0, cost: 900, ticks: 12 }));
        assert_eq!(way(&costs, [false; WAYS]), None);
        costs.learn(8, 0, CHEAP, true);
        assert_eq!(costs.choose(8, 3, ALL).map(|choice| choice.way), Some(0));
    }

    #[test]
    fn a_run_that_was_slow_by_chance_counts_little_and_a_stopped_one_much() {
        let costs = Costs::default();
        for (took, ended, want) in [
            (400, true, 400),
            (9_000, true, 451),
            (420, true, 420),
            (3_000, false, 6_000),
            (1_000, false, 12_000),
            (u64::MAX, false, 65_535),
            (u64::MAX, true, 65_534),
            (0, true, 1),
        ] {
            costs.learn(7, 1, took, ended);
            assert_eq!(costs.of(7), [0, want, 0], "{took} {ended}");
        }
    }

    #[test]
    fn what_is_always_stopped_is_left_alone_in_the_end() {
        let costs = Costs::default();
        let mut runs = 0;
        // The last way takes 20 ms, the others are stopped after 2.
        while way(&costs, ALL) != Some(2) || costs.of(7)[2] == 0 {
            match way(&costs, ALL) {
                Some(2) => costs.learn(7, 2, 20_000, true),
                Some(other) => costs.learn(7, other, 2_000, false),
                None => unreachable!("all are open"),
            }
            runs += 1;
            assert!(runs < 20, "{:?}", costs.of(7));
        }
    }

    #[test]
    fn what_takes_long_gets_larger_limits_while_it_may_be_the_cheapest() {
        let costs = Costs::default();
        // The first way takes 12 ms, the last one 60.
        costs.learn(7, 0, 2_000, false);
        costs.learn(7, 1, 60_000, true);
        let choose = || costs.choose(7, 2, ALL).expect("a way");
        assert_eq!(choose(), Choice { way: 0, cost: 4_000, ticks: LIMIT });
        costs.learn(7, 0, 2_000, false);
        assert_eq!(choose(), Choice { way: 0, cost: 8_000, ticks: 250 });
        costs.learn(7, 0, 12_000, true);
        assert_eq!(choose(), Choice { way: 0, cost: 9_001, ticks: 281 });
    }

    #[test]
    fn depths_of_a_text_are_remembered_apart() {
        let costs = Costs::default();
        let marks: Vec<u64> = (0..12).map(|depth| mark("SELECT 1", 30 << depth)).collect();
        for (took, mark) in (1_u64..).zip(&marks) {
            costs.learn(*mark, 0, took, true);
        }
        for (took, mark) in (1_u64..).zip(&marks) {
            assert_eq!(costs.of(*mark)[0], took);
        }
        assert_eq!(mark("SELECT 1", 33), mark("SELECT 1", 60));
    }

    #[test]
    fn every_way_is_tried_again_now_and_then() {
        let costs = Costs::default();
        (0..3).for_each(|way| costs.learn(7, way, 1_000 + way as u64, true));
        let mut seen = [0_u32; WAYS];
        for _ in 0..RETRY * 30 {
            seen[way(&costs, ALL).expect("a way")] += 1;
        }
        assert!(seen.iter().all(|times| *times >= 9), "{seen:?}");
        assert!(seen[0] > RETRY * 29, "{seen:?}");
    }
}
