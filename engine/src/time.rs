//! Dates as the product stores and shows them: UTC, milliseconds, `YYYY-MM-DD HH:MM:SS.mmmZ`. The only reader of the clock for data.
//! Source: spec collections-and-fields §0.4.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A moment: milliseconds since 1970-01-01 UTC. The zero date of the wire (`""`) is `None` of an `Option<Timestamp>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The present moment.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
