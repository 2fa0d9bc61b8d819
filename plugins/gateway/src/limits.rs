//! What is remembered of a proxy beyond its record: requests at a time, the circuit breaker, figures.
//!
//! Knows no HTTP but status codes.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Upper bounds of the buckets of durations, in seconds.
pub(crate) const BUCKETS: [f64; 9] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// When a breaker opens and closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BreakerConfig {
    pub(crate) threshold: u32,
    pub(crate) recovery: Duration,
    pub(crate) half_open: u32,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
    },
    /// `since`: when the first of those in flight began.
    HalfOpen {
        in_flight: u32,
        since: Instant,
    },
}

/// Of one proxy, for as long as its record is the same.
#[derive(Debug)]
pub(crate) struct State {
    active: AtomicU64,
    phase: Mutex<Phase>,
    statuses: Mutex<BTreeMap<u16, u64>>,
    buckets: [AtomicU64; BUCKETS.len() + 1],
    micros: AtomicU64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            active: AtomicU64::new(0),
            phase: Mutex::new(Phase::Closed { failures: 0 }),
            statuses: Mutex::default(),
            buckets: Default::default(),
            micros: AtomicU64::new(0),
        }
    }
}

/// The figures of a proxy.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) active: u64,
    /// 0 closed, 1 open, 2 half-open.
    pub(crate) breaker: u8,
    /// How many were as long as each bucket, not cumulated; the last had no bound.
    pub(crate) buckets: [u64; BUCKETS.len() + 1],
    pub(crate) seconds: f64,
}

impl State {
    /// A place among the requests at a time; `None` if there is none left. 0 is no limit.
    pub(crate) fn enter(self: &Arc<Self>, most: u64) -> Option<Slot> {
        let next = |n: u64| (most == 0 || n < most).then_some(n + 1);
        self.active.fetch_update(Relaxed, Relaxed, next).ok()?;
        Some(Slot(self.clone()))
    }

    /// A request passes, or has to wait for some seconds.
    pub(crate) fn admit(
        self: &Arc<Self>,
        config: Option<BreakerConfig>,
        now: Instant,
    ) -> Result<Ticket, u64> {
        let Some(config) = config else { return Ok(Ticket(None)) };
        let mut phase = self.phase.lock();
        if let Phase::Open { until } = *phase {
            let left = until.saturating_duration_since(now);
            if !left.is_zero() {
                return Err(left.as_secs() + u64::from(left.subsec_nanos() > 0));
            }
            *phase = Phase::HalfOpen { in_flight: 0, since: now };
        }
        let is_trial = match &mut *phase {
            // trials that have no end do not keep others out for ever
            Phase::HalfOpen { in_flight, since } if now - *since >= config.recovery => {
                (*in_flight, *since) = (1, now);
                true
            }
            Phase::HalfOpen { in_flight, .. } if *in_flight >= config.half_open => return Err(1),
            Phase::HalfOpen { in_flight, .. } => {
                *in_flight += 1;
                true
            }
            _ => false,
        };
        Ok(Ticket(Some((self.clone(), config, is_trial))))
    }

    fn settle(&self, config: BreakerConfig, is_trial: bool, outcome: Option<bool>, now: Instant) {
        let mut phase = self.phase.lock();
        let open = Phase::Open { until: now + config.recovery };
        *phase = match (*phase, outcome) {
            (Phase::HalfOpen { .. }, Some(true)) if is_trial => Phase::Closed { failures: 0 },
            (Phase::HalfOpen { .. }, Some(false)) if is_trial => open,
            (Phase::HalfOpen { in_flight, since }, None) if is_trial => {
                Phase::HalfOpen { in_flight: in_flight.saturating_sub(1), since }
            }
            (Phase::Closed { .. }, Some(true)) => Phase::Closed { failures: 0 },
            (Phase::Closed { failures }, Some(false)) if failures + 1 >= config.threshold => open,
            (Phase::Closed { failures }, Some(false)) => Phase::Closed { failures: failures + 1 },
            (phase, _) => phase,
        };
    }

    /// Counts a request.
    pub(crate) fn count(&self, status: u16, time: Duration) {
        *self.statuses.lock().entry(status).or_default() += 1;
        let seconds = time.as_secs_f64();
        let at = BUCKETS.iter().position(|bound| seconds <= *bound).unwrap_or(BUCKETS.len());
        self.buckets[at].fetch_add(1, Relaxed);
        self.micros.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// What `/api/gateway/metrics` shows.
    pub(crate) fn figures(&self) -> Figures {
        let mut buckets = [0; BUCKETS.len() + 1];
        for (to, from) in buckets.iter_mut().zip(&self.buckets) {
            *to = from.load(Relaxed);
        }
        Figures {
            statuses: self.statuses.lock().clone(),
            active: self.active.load(Relaxed),
            breaker: self.breaker(),
            buckets,
            seconds: Duration::from_micros(self.micros.load(Relaxed)).as_secs_f64(),
        }
    }

    pub(crate) fn breaker(&self) -> u8 {
        match *self.phase.lock() {
            Phase::Closed { .. } => 0,
            Phase::Open { .. } => 1,
            Phase::HalfOpen { .. } => 2,
        }
    }

    pub(crate) fn active(&self) -> u64 {
        self.active.load(Relaxed)
    }
}

/// A place that is given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot(Arc<State>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Relaxed);
    }
}

/// What a breaker waits for; dropped without an outcome, it has not happened.
#[derive(Debug)]
pub(crate) struct Ticket(Option<(Arc<State>, BreakerConfig, bool)>);

impl Ticket {
    /// How it went.
    pub(crate) fn settle(mut self, is_good: bool) {
        if let Some((state, config, is_trial)) = self.0.take() {
            state.settle(config, is_trial, Some(is_good), Instant::now());
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some((state, config, is_trial)) = self.0.take() {
            state.settle(config, is_trial, None, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_without_an_end_keep_nobody_out() {
        let state = Arc::new(State::default());
        let recovery = Duration::from_secs(30);
        let config = Some(BreakerConfig { threshold: 1, recovery, half_open: 1 });
        let now = Instant::now();
        state.admit(config, now).expect("closed").settle(false);
        let later = now + recovery + Duration::from_secs(1);
        let _endless = state.admit(config, later).expect("a trial");
        assert!(state.admit(config, later).is_err());
        assert!(state.admit(config, later + recovery).is_ok(), "the next trial");
    }

    #[test]
    fn a_breaker_opens_and_closes() {
        let state = Arc::new(State::default());
        let recovery = Duration::from_secs(30);
        let config = Some(BreakerConfig { threshold: 2, recovery, half_open: 1 });
        let now = Instant::now();
        let try_at = |now| state.admit(config, now);
        try_at(now).expect("closed").settle(false);
        drop(try_at(now).expect("closed"));
        try_at(now).expect("neutral").settle(true);
        try_at(now).expect("closed").settle(false);
        try_at(now).expect("one failure").settle(false);
        assert_eq!((state.breaker(), try_at(now).err().is_some_and(|s| s > 0)), (1, true));
        let later = now + Duration::from_secs(40);
        let trial = try_at(later).expect("half-open");
        assert_eq!((state.breaker(), try_at(later).err()), (2, Some(1)));
        drop(trial);
        try_at(later).expect("the trial was neutral").settle(false);
        assert_eq!(state.breaker(), 1);
        try_at(later + Duration::from_secs(40)).expect("half-open").settle(true);
        assert_eq!(state.breaker(), 0);
    }

    #[test]
    fn places_are_given_back() {
        let state = Arc::new(State::default());
        let first = state.enter(1).expect("free");
        assert!(state.enter(1).is_none());
        drop(first);
        assert!(state.enter(1).is_some());
    }
}
