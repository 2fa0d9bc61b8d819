//! Who gets a connection when many want one: each subject (a collection, as a rule) at most twice as many as are left free
//! for others, so that one that is stuck on a lock does not take all. Whoever has to wait is served in turn within those
//! limits. Must not know what a connection is.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::oneshot::{self, Receiver, Sender};

/// What connections are used for; work that belongs to no subject shares one.
pub(super) type Subject = Option<Arc<str>>;

/// A subject may have so many for each one that is free.
const PER_FREE: usize = 2;

/// So many permits. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Shares(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    free: usize,
    closed: bool,
    /// How many who arrived; tells who came first.
    arrived: u64,
    subjects: HashMap<Subject, Entry>,
}

/// A subject with permits or with somebody who waits.
#[derive(Debug, Default)]
struct Entry {
    used: usize,
    waiting: VecDeque<(u64, Sender<Permit>)>,
}

/// The right to use a connection; it goes back when dropped.
#[derive(Debug)]
pub(super) struct Permit(Option<(Shares, Subject)>);

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some((shares, subject)) = self.0.take() {
            shares.give_back(&subject);
            shares.serve();
        }
    }
}

impl State {
    fn may_take(&self, used: usize) -> bool {
        self.free > 0 && (used == 0 || used < self.free * PER_FREE)
    }

    /// The one who waits longest among those who may have one now.
    fn next(&mut self) -> Option<(Subject, Sender<Permit>)> {
        let may = |entry: &Entry| self.may_take(entry.used);
        let waits = |entry: &Entry| entry.waiting.front().map(|(arrived, _)| *arrived);
        let first = self.subjects.iter().filter(|(_, e)| may(e));
        let first = first.filter_map(|(s, e)| Some((waits(e)?, s))).min()?;
        let subject = first.1.clone();
        let entry = self.subjects.get_mut(&subject)?;
        let (_, sender) = entry.waiting.pop_front()?;
        entry.used += 1;
        self.free -= 1;
        Some((subject, sender))
    }
}

impl Shares {
    pub(super) fn new(count: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: count, ..State::default() })))
    }

    /// A permit, when there is one for the subject; `None` when all is closed. Dropping the future gives up the place.
    pub(super) async fn take(&self, subject: Subject) -> Option<Permit> {
        match self.ask(&subject) {
            Ok(granted) => granted.then(|| Permit(Some((self.clone(), subject)))),
            Err(turn) => turn.await.ok(),
        }
    }

    /// At once whether there is one (`false`: closed), or a place among those who wait.
    fn ask(&self, subject: &Subject) -> Result<bool, Receiver<Permit>> {
        let mut state = self.0.lock();
        if state.closed {
            return Ok(false);
        }
        state.arrived += 1;
        let arrived = state.arrived;
        let known = state.subjects.get(subject);
        let (used, is_awaited) = known.map_or((0, false), |e| (e.used, !e.waiting.is_empty()));
        let granted = !is_awaited && state.may_take(used);
        state.free -= usize::from(granted);
        let entry = state.subjects.entry(subject.clone()).or_default();
        if granted {
            entry.used += 1;
            return Ok(true);
        }
        // Those who went away would be in the way of nobody but memory.
        entry.waiting.retain(|(_, sender)| !sender.is_closed());
        let (sender, turn) = oneshot::channel();
        entry.waiting.push_back((arrived, sender));
        Err(turn)
    }

    fn give_back(&self, subject: &Subject) {
        let mut state = self.0.lock();
        state.free += 1;
        if let Some(entry) = state.subjects.get_mut(subject) {
            entry.used = entry.used.saturating_sub(1);
            if entry.used == 0 && entry.waiting.is_empty() {
                state.subjects.remove(subject);
            }
        }
    }

    /// Hands out what may be handed out. Never while the state is held: a permit that nobody takes comes back.
    fn serve(&self) {
        loop {
            let Some((subject, sender)) = self.0.lock().next() else { return };
            let permit = Permit(Some((self.clone(), subject)));
            if let Err(mut unwanted) = sender.send(permit)
                && let Some((_, subject)) = unwanted.0.take()
            {
                self.give_back(&subject);
            }
        }
    }

    /// Nobody gets one any more, and nobody waits.
    pub(super) fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        for entry in state.subjects.values_mut() {
            entry.waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn of(name: &str) -> Subject {
        Some(name.into())
    }

    async fn at_once(shares: &Shares, name: &str) -> Option<Permit> {
        timeout(Duration::from_millis(20), shares.take(of(name))).await.ok().flatten()
    }

    #[tokio::test]
    async fn nobody_takes_all() {
        for (count, most) in [(1, 1), (2, 2), (3, 2), (20, 14), (100, 67)] {
            let shares = Shares::new(count);
            let mut held = Vec::new();
            while let Some(permit) = at_once(&shares, "a").await {
                held.push(permit);
            }
            assert_eq!(held.len(), most, "of {count}");
            let others = ["b", "c"].map(|name| shares.ask(&of(name)).unwrap_or(false));
            assert_eq!(others, [count > 2, count > 3], "of {count}");
        }
    }

    #[tokio::test]
    async fn turns_within_limits() {
        let shares = Shares::new(3);
        let first = (at_once(&shares, "a").await.unwrap(), at_once(&shares, "a").await.unwrap());
        let turn = |name: &str| {
            let (shares, subject) = (shares.clone(), of(name));
            tokio::spawn(async move { shares.take(subject).await })
        };
        let waits = turn("a");
        tokio::task::yield_now().await;
        // The free one is for somebody else, although an older one waits.
        let other = at_once(&shares, "b").await.unwrap();
        let gone = turn("a");
        tokio::task::yield_now().await;
        gone.abort();
        let last = turn("b");
        tokio::task::yield_now().await;
        drop(first.0);
        assert!(waits.await.unwrap().is_some());
        drop(other);
        assert!(last.await.unwrap().is_some());
        drop(first.1);
        assert_eq!(shares.0.lock().free, 3);
        assert!(shares.0.lock().subjects.is_empty());
        let held = at_once(&shares, "a").await.unwrap();
        let second = at_once(&shares, "a").await.unwrap();
        let waits = turn("a");
        tokio::task::yield_now().await;
        shares.close();
        assert!(waits.await.unwrap().is_none());
        assert!(at_once(&shares, "c").await.is_none());
        drop((held, second));
    }
}
