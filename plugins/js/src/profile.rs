//! `--hooksProfile`: how long the handlers have taken, told when the server ends. Must not know what a handler does.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// The times of all handlers, by what they are for and where they stand.
#[derive(Default)]
pub(crate) struct Profile(Mutex<BTreeMap<(String, String), Times>>);

#[derive(Default, Clone, Copy)]
struct Times {
    n: u32,
    total: Duration,
    longest: Duration,
}

impl Profile {
    /// Notes one call; what it has called counts, too.
    pub(crate) fn note(&self, label: &str, place: String, begun: Instant) {
        self.add(label, place, begun.elapsed());
    }
    fn add(&self, label: &str, place: String, took: Duration) {
        let mut all = self.0.lock();
        let times = all.entry((label.to_owned(), place)).or_default();
        times.n += 1;
        times.total += took;
        times.longest = times.longest.max(took);
    }
    /// A table, those that have taken most first.
    pub(crate) fn table(&self) -> String {
        let mut rows: Vec<_> =
            self.0.lock().iter().map(|(key, times)| (key.clone(), *times)).collect();
        rows.sort_by_key(|(_, times)| std::cmp::Reverse(times.total));
        let mut out = format!(
            "{:>8} {:>11} {:>11} {:>11}  handler\n",
            "calls", "total ms", "mean ms", "longest ms"
        );
        for ((label, place), times) in rows {
            let ms = |time: Duration| time.as_secs_f64() * 1e3;
            let mean = times.total / times.n.max(1);
            let _ = writeln!(
                out,
                "{:>8} {:>11.3} {:>11.3} {:>11.3}  {label} ({place})",
                times.n,
                ms(times.total),
                ms(mean),
                ms(times.longest)
            );
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slowest_first() {
        let profile = Profile::default();
        for (label, ms) in [("GET /a", 1), ("GET /b", 4), ("GET /a", 2)] {
            profile.add(label, "x.pb.js:1:1".into(), Duration::from_millis(ms));
        }
        let table = profile.table();
        let lines: Vec<&str> = table.lines().map(str::trim).collect();
        assert_eq!(lines[1], "1       4.000       4.000       4.000  GET /b (x.pb.js:1:1)");
        assert_eq!(lines[2], "2       3.000       1.500       2.000  GET /a (x.pb.js:1:1)");
    }
}
