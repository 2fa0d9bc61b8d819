//! Days and times as text, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

use pocketbase::DateTime;

const DAY: i64 = 86_400_000;

/// Milliseconds since 1970.
pub(crate) fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
/// The day of a time, since 1970.
pub(crate) fn day_of(millis: i64) -> i64 {
    millis.div_euclid(DAY)
}
/// A day as `YYYY-MM-DD`.
pub(crate) fn date_of(day: i64) -> String {
    text(DateTime::from_millis(day.saturating_mul(DAY)))[..10].to_owned()
}
/// Now, as records have it.
pub(crate) fn stamp() -> String {
    text(DateTime::from_millis(now_millis()))
}
fn text(time: DateTime) -> String {
    String::from_utf8_lossy(&time.text()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        for (day, want) in [(0, "1970-01-01"), (20_788, "2026-12-01"), (-1, "1969-12-31")] {
            assert_eq!(date_of(day), want);
        }
        assert_eq!(day_of(DAY - 1), 0);
        assert_eq!(stamp().len(), 24);
    }
}
