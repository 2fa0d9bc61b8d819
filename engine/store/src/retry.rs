//! How often, and after which waits, work that others made fail is tried again (spec extensions §1.15).

use std::time::Duration;

use primitives::id;

const WAITS_MS: [u64; 11] = [50, 100, 150, 200, 300, 400, 500, 700, 1000, 1000, 1000];

/// The waits between attempts, up to a quarter longer, so that those who collided do not meet again.
pub fn waits() -> impl Iterator<Item = Duration> + Send {
    WAITS_MS.into_iter().map(|ms| {
        let more = id::random(1, id::LOWER_ALNUM).bytes().next().map_or(0, |b| u64::from(b) % 16);
        Duration::from_millis(ms + ms * more / 64)
    })
}
